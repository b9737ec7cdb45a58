package api

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// The most characters of what people write of an incident; the schema keeps no more.
const (
	mostWords  = 2000
	mostOffice = 32
	mostTitle  = 200
	mostEvent  = 32
	mostRef    = 128

	mostDeadlines = 10
	mostFigures   = 100
)

// An asker is a person who acts on an incident, as the office that he says.
type asker struct {
	id     sqldb.ID
	by     string
	office string
	form   *form

	allowed func() error
}

func (s *server) askerOf(c *gin.Context) (a asker, err error) {
	if a.id, err = s.incidentKey(c); err != nil {
		return a, err
	}
	if a.by, a.form, err = s.act(c); err != nil {
		return a, err
	}
	s.ask(c, &a)
	return a, nil
}

// ask reads as what office the asker acts.
func (s *server) ask(c *gin.Context, a *asker) {
	a.office = a.form.text("as", mostOffice)
	a.allowed = func() error {
		if err := s.seen(c, a.id); err != nil {
			return err
		}
		return s.mayActAs(c, a.office)
	}
}

// done ends the reading of the body: what is wrong with it is told first, then whether the asker may at all.
func (a *asker) done() error {
	a.form.done()
	if err := a.form.err(); err != nil {
		return err
	}
	return a.allowed()
}

// acted answers in JSON with what an act on an incident has made; pages do the same acts (see actedOnPage).
func acted[T any](s *server, status int, act func(*gin.Context, *asker) (T, error)) func(*gin.Context) error {
	return func(c *gin.Context) error {
		a, err := s.askerOf(c)
		if err != nil {
			return err
		}
		made, err := act(c, &a)
		if err != nil {
			return err
		}
		c.JSON(status, made)
		return nil
	}
}

// postIncident opens an incident, or a drill, by a person's word.
func (s *server) postIncident(c *gin.Context) error {
	by, f, err := s.act(c)
	if err != nil {
		return err
	}
	i, err := s.report(c, by, f, incident.FromPerson)
	if err != nil {
		return err
	}
	return s.answerIncident(c, http.StatusCreated, i)
}

// postPlatformIncident opens one by the trading platform's word.
func (s *server) postPlatformIncident(c *gin.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	f, err := body(c)
	if err != nil {
		return err
	}
	i, err := s.report(c, author(c), f, incident.FromPlatform)
	if err != nil {
		return err
	}
	return s.answerIncident(c, http.StatusCreated, i)
}

func (s *server) report(c *gin.Context, by string, f *form, source incident.Source) (i incident.Incident, err error) {
	o := incident.Order{Scenario: f.text("scenario", mostOffice), Branch: f.textIf("branch", mostOffice), Reference: f.textIf("reference", mostRef), Title: f.text("title", mostTitle),
		Detail: f.textIf("detail", mostWords), Scope: incident.Scope(f.textIf("scope", mostOffice)), Bank: f.textIf("bank", mostBank), ParentAccount: f.textIf("parent_account", mostSub),
		Department: f.textIf("department", mostNumber), Drill: f.flag("drill"), Began: f.instantIf("began_at"), Reported: f.instantIf("reported_at"), Deadlines: deadlinesOf(f), Source: source}
	lot := f.textIf("lot", mostNumber)
	if source == incident.FromPerson {
		o.Office = f.text("as", mostOffice)
	} else if o.Reference == "" && f.wrong.count == 0 {
		f.fault(true, "reference", "field_missing", "缺少必填项：reference")
	}
	f.done()
	if err := f.err(); err != nil {
		return i, err
	}
	if err := s.mayActAs(c, o.Office); err != nil {
		return i, err
	}
	if err := s.checkAccount(o.Bank, o.ParentAccount); err != nil {
		return i, err
	}
	if lot != "" {
		known, err := s.lotSeen(c, lot)
		if err != nil {
			return i, err
		}
		o.LotID, o.Department = known.ID, cmp.Or(o.Department, known.Department)
	}
	return s.Incident.Report(c.Request.Context(), by, o)
}

// lotSeen finds a lot by its number; one of another department than the caller's is not there. The platform sees its own.
func (s *server) lotSeen(c *gin.Context, number string) (platform.Lot, error) {
	lot, err := platform.LotByNumber(c.Request.Context(), s.DB, number)
	if within := s.within(c); err == nil && s.caller(c).Kind == Person && within != nil && !slices.Contains(within, lot.Department) {
		return platform.LotByNumber(c.Request.Context(), s.DB, "") // the same refusal, to the byte
	}
	return lot, err
}

func deadlinesOf(f *form) (all []incident.Deadline) {
	for _, one := range f.list("deadlines") {
		all = append(all, incident.Deadline{Event: one.text("event", mostEvent), At: one.instant("at")})
		one.done()
	}
	if len(all) > mostDeadlines {
		f.fault(false, "deadlines", "list_too_long", "deadlines 最多 10 项")
	}
	return all
}

// signIncident takes a person's signature: a confirmation, a declaration, a level.
func (s *server) signIncident(c *gin.Context, a *asker) (Incident, error) {
	w := incident.Declaration{Incident: a.id, Version: a.form.number("version"), Act: incident.Act(a.form.text("act", mostOffice)), Office: a.office, Text: a.form.text("text", mostWords),
		At: a.form.instantIf("at"), Level: a.form.textIf("level", mostOffice)}
	if err := a.done(); err != nil {
		return Incident{}, err
	}
	i, err := s.Incident.Declare(c.Request.Context(), a.by, w)
	if err != nil {
		return Incident{}, err
	}
	return s.incidentTold(c, i)
}

func (s *server) chooseBranch(c *gin.Context, a *asker) (Incident, error) {
	version, branch := a.form.number("version"), a.form.text("branch", mostOffice)
	if err := a.done(); err != nil {
		return Incident{}, err
	}
	i, err := s.Incident.Choose(c.Request.Context(), a.by, a.office, a.id, version, branch)
	if err != nil {
		return Incident{}, err
	}
	return s.incidentTold(c, i)
}

// IncidentStepState is how far a step has come.
type IncidentStepState struct {
	Key       string `json:"key"`
	State     string `json:"state"`
	StateName string `json:"state_name"`
	Version   int64  `json:"version"`
}

func (s *server) moveStep(c *gin.Context, a *asker) (told IncidentStepState, err error) {
	act := incident.StepAct{Incident: a.id, Step: a.form.text("step", mostOffice), Version: a.form.number("version"), Act: a.form.act([]string{"start", "finish", "skip", "reopen"}),
		Text: a.form.textIf("text", mostWords)}
	if err := a.done(); err != nil {
		return told, err
	}
	step, err := s.Incident.MoveStep(c.Request.Context(), a.by, a.office, act)
	return IncidentStepState{step.Step, step.State, incident.StepStateName(step.State), step.Version}, err
}

// putDeadlines says when the events are due that the limits of steps end with.
func (s *server) putDeadlines(c *gin.Context, a *asker) (Incident, error) {
	all := deadlinesOf(a.form)
	if err := a.done(); err != nil {
		return Incident{}, err
	}
	if err := s.Incident.SetDeadlines(c.Request.Context(), a.by, a.office, a.id, all); err != nil {
		return Incident{}, err
	}
	return s.incidentNow(c, a.id)
}

func (s *server) postNote(c *gin.Context, a *asker) (Incident, error) {
	text := a.form.text("text", mostWords)
	if err := a.done(); err != nil {
		return Incident{}, err
	}
	if err := s.Incident.Note(c.Request.Context(), a.by, a.office, a.id, text); err != nil {
		return Incident{}, err
	}
	return s.incidentNow(c, a.id)
}

func (s *server) incidentNow(c *gin.Context, id sqldb.ID) (Incident, error) {
	i, err := incident.ByID(c.Request.Context(), s.DB, id)
	if err != nil {
		return Incident{}, err
	}
	return s.incidentTold(c, i)
}

// postEvidence takes a text or figures; a file goes to postFile.
func (s *server) postEvidence(c *gin.Context, a *asker) (told IncidentEvidence, err error) {
	e := incident.Evidence{Step: a.form.textIf("step", mostOffice), Kind: incident.AsText, Text: a.form.text("text", mostWords)}
	for _, one := range a.form.list("numbers") {
		e.Kind = incident.AsNumbers
		e.Numbers = append(e.Numbers, incident.Number{Name: one.text("name", mostTitle), Value: one.text("value", mostTitle)})
		one.done()
	}
	if len(e.Numbers) > mostFigures {
		a.form.fault(false, "numbers", "list_too_long", "numbers 最多 100 项")
	}
	if err := a.done(); err != nil {
		return told, err
	}
	kept, err := s.Incident.Attach(c.Request.Context(), a.by, a.office, a.id, e)
	kept.Numbers = e.Numbers
	return evidenceOf(kept), err
}

func (s *server) postBackfill(c *gin.Context, a *asker) (told IncidentBackfill, err error) {
	b := incident.Backfill{IncidentID: a.id, Office: a.office, Text: a.form.text("text", mostWords), Records: a.form.number("records"), From: a.form.instant("from"), To: a.form.instant("to")}
	if err := a.done(); err != nil {
		return told, err
	}
	b, err = s.Incident.Enter(c.Request.Context(), a.by, b)
	return backfillOf(b, s.Incident.Plan()), err
}

func (s *server) postAction(c *gin.Context, a *asker) (told IncidentAction, err error) {
	order := incident.Action{IncidentID: a.id, Text: a.form.text("text", mostWords), Owner: a.form.text("owner", mostSigner), DueOn: a.form.dayIf("due_on")}
	if order.DueOn == "" && a.form.wrong.count == 0 {
		a.form.fault(true, "due_on", "field_missing", "缺少必填项：due_on")
	}
	if err := a.done(); err != nil {
		return told, err
	}
	made, err := s.Incident.Ask(c.Request.Context(), a.by, a.office, order)
	return actionOf(made), err
}

func (s *server) moveAction(c *gin.Context, a *asker) (told IncidentAction, err error) {
	action, err := keyParam(c, "action")
	if err != nil {
		return told, err
	}
	act := a.form.act([]string{"finish", "drop", "reopen"})
	m := incident.Action{IncidentID: a.id, ID: action, Version: a.form.number("version"), Outcome: a.form.text("text", mostWords)}
	if err := a.done(); err != nil {
		return told, err
	}
	moved, err := s.Incident.MoveAction(c.Request.Context(), a.by, a.office, m, act)
	return actionOf(moved), err
}

// checkAccount refuses a bank that is none, and a parent account that is not the bank's.
func (s *server) checkAccount(code, parent string) error {
	if code == "" {
		return nil
	}
	b, err := s.Banks.Bank(code)
	if err != nil {
		return err
	}
	if parent != "" && !slices.Contains(b.ParentAccounts, parent) {
		return deposit.Refuse(deposit.Invalid, "parent_account_unknown", "parent_account 不是该银行的母账户，请核对 banks.yaml")
	}
	return nil
}
