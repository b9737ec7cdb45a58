package api

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/incident"
)

// incidentPage is an incident as its page shows it, with what the visitor may do about it.
type incidentPage struct {
	*IncidentRecord
	Age      string
	Grave    bool  // no level is graver
	After    int64 // the last line of the timeline that the visitor sees
	News     int   // lines that have come since
	Done     string
	Closed   bool // nothing more happens to its steps and evidence
	Chooses  bool // its scenario has branches to choose from
	Mine     []Office
	Phases   []phase
	Signings []signing
	Groups   []stepGroup
	Running  []limitView
	Loose    []exhibit // of no step
	Levels   []choice
	Events   []string

	Reads   bool     // the visitor sees refunds, and what keeps them from being sent,
	Stops   bool     // and makes and lifts freezes
	Freezes []Freeze // of its parent account
}

// phase is one of the plan's phases (2.2), as far as the incident has come.
type phase struct {
	Name  string
	At    *time.Time
	State string // the class: past, now, or none
}

// signing is an act that waits for signatures, with the offices as which the visitor may sign it.
type signing struct {
	IncidentPending
	Mine []Office
	Due  bool // it is what the visitor is waited for
}

// stepGroup is a branch with its steps.
type stepGroup struct {
	IncidentBranch
	Steps []stepRow
}

type stepRow struct {
	IncidentStep
	Of       sqldb.ID // the incident
	Limits   []limitView
	Evidence []exhibit
	Acts     []choice
	Mine     []Office // those that the plan names for the step first
	Turn     bool     // it is the first that is not ended
}

// exhibit is evidence, with the incident that its file is read from.
type exhibit struct {
	IncidentEvidence
	Of    sqldb.ID
	Batch string // the key of the refund batch whose diagnosis it names, if the visitor may open it
}

// diagnosis is how evidence names the diagnosis of a batch.
var diagnosis = regexp.MustCompile(`/v1/refund-batches/([0-9a-z]{13})/diagnosis`)

func (p *incidentPage) exhibit(x IncidentEvidence) exhibit {
	e := exhibit{IncidentEvidence: x, Of: p.ID}
	if found := diagnosis.FindStringSubmatch(x.Text); found != nil && p.Reads {
		e.Batch = found[1]
	}
	return e
}

// limitView is a limit in words.
type limitView struct {
	IncidentLimit
	Word, Tone string
	Gone, All  int64 // seconds
}

// limitViewOf says how a limit stands.
func limitViewOf(l IncidentLimit, now time.Time) *limitView {
	v := &limitView{IncidentLimit: l}
	if l.Until == nil {
		v.Word, v.Tone = "截止时间未登记", "warn"
		return v
	}
	v.All = max(1, int64(l.Until.Sub(l.From).Seconds()))
	v.Gone = min(v.All, int64(now.Sub(l.From).Seconds()))
	switch {
	case l.EndedAt != nil && l.Passed:
		v.Word, v.Tone = "完成时已超时", "bad"
	case l.EndedAt != nil:
		v.Word, v.Tone = "已按时完成", "good"
	case l.Passed:
		v.Word, v.Tone = "超过 "+incident.Lasted(now.Sub(*l.Until)), "bad"
	case v.Gone*4 > v.All*3:
		v.Word, v.Tone = "剩 "+incident.Lasted(l.Until.Sub(now)), "warn"
	default:
		v.Word, v.Tone = "剩 "+incident.Lasted(l.Until.Sub(now)), "act"
	}
	return v
}

// pageIncident shows an incident; with after, how its limits stand and whether something has come since that line.
func (s *server) pageIncident(c *gin.Context) error {
	id, after, err := s.incidentAfter(c)
	if err != nil {
		return err
	}
	p, err := s.incidentPage(c, id)
	if err != nil {
		return err
	}
	part := "record"
	if after > 0 {
		part, p.News, p.After = "running", max(0, int(p.After-after)), after
	}
	return s.show(c, "incident", part, p.view())
}

func (s *server) showIncident(c *gin.Context, id sqldb.ID, done string) error {
	p, err := s.incidentPage(c, id)
	if err != nil {
		return err
	}
	p.Done = done
	return s.show(c, "incident", "record", p.view())
}

func (p *incidentPage) view() view {
	v := view{Title: p.Number, Menu: "/incidents", Body: p}
	if p.Drill {
		v.Drill = p.Number
	}
	return v
}

func (s *server) incidentPage(c *gin.Context, id sqldb.ID) (*incidentPage, error) {
	r, err := s.Incident.Record(c.Request.Context(), id)
	if err != nil {
		return nil, err
	}
	record, err := s.recordTold(c.Request.Context(), r)
	if err != nil {
		return nil, err
	}
	who, order := s.caller(c), r.Plan.Levels.SeverityOrder
	p := &incidentPage{IncidentRecord: record, Age: incident.Lasted(r.Until(r.Now).Sub(r.BeganAt)), Grave: r.Level == order[len(order)-1], After: r.Entries, Closed: r.State == incident.Reviewed || r.State == incident.Dismissed,
		Chooses: r.Plan.Scenario(r.Scenario).Chooses(), Levels: levelChoices(r.Plan), Events: r.Plan.Events(),
		Reads: who.Has(readers...), Stops: who.Has(stoppers()...)}
	if who.Has(incidentActors()...) {
		p.Mine = s.officesHeld(c)
	}
	for _, l := range p.Limits {
		p.Running = append(p.Running, *limitViewOf(l, r.Now))
	}
	if c := r.Plan.NextLevel(&r.Incident, r.Now); r.Open() && !c.Until.IsZero() {
		p.Running = append(p.Running, *limitViewOf(limitOf(c, r.Now), r.Now))
	}
	p.phases()
	p.signings(r, who.Name)
	p.steps(r)
	return p, s.freezesAround(c, p)
}

// freezesAround tells what freezes the incident's parent account to those who may see freezes.
func (s *server) freezesAround(c *gin.Context, p *incidentPage) error {
	if !p.Reads || p.ParentAccount == "" {
		return nil
	}
	standing, err := platform.Freezes(c.Request.Context(), s.DB)
	if err != nil {
		return err
	}
	standing = slices.DeleteFunc(standing, func(f platform.Freeze) bool { return !f.Covers(p.Bank, p.ParentAccount) })
	p.Freezes, err = s.freezesOf(c, standing...)
	return err
}

// phases are the six of section 2.2. What recovers without the plan has no time for its start; what is dismissed goes no further.
func (p *incidentPage) phases() {
	all := []struct {
		state incident.State
		at    *time.Time
	}{{incident.Reported, &p.ReportedAt}, {incident.Confirmed, p.ConfirmedAt}, {incident.Assessed, p.AssessedAt}, {incident.Activated, p.NoticeStartAt}, {incident.Recovered, p.NoticeEndAt}, {incident.Reviewed, p.ReviewedAt}}
	for _, one := range all {
		ph := phase{Name: one.state.Chinese(), At: one.at}
		switch {
		case one.state == p.State:
			ph.State = "now"
		case one.at != nil:
			ph.State = "past"
		}
		p.Phases = append(p.Phases, ph)
	}
	if p.State == incident.Dismissed {
		p.Phases = append(slices.DeleteFunc(p.Phases, func(ph phase) bool { return ph.At == nil }), phase{incident.Dismissed.Chinese(), p.DismissedAt, "now"})
	}
}

// signings says who may sign what. Nobody signs an act twice.
func (p *incidentPage) signings(r *incident.Record, name string) {
	for k, one := range r.Pending {
		wanted := one.Wanted
		if one.All {
			wanted = one.Missing
		}
		x := signing{IncidentPending: p.Pending[k]}
		signed := one.All && slices.ContainsFunc(r.Signatures, func(g incident.Signature) bool { return g.Act == one.Act && g.Level == r.Level && g.Person == name })
		for _, office := range p.Mine {
			if !signed && (len(one.Wanted) == 0 || slices.ContainsFunc(wanted, func(w string) bool { return r.Plan.SignsFor(office.ID, w) })) {
				x.Mine = append(x.Mine, office)
			}
		}
		p.Signings = append(p.Signings, x)
	}
	if p.Level != "" { // the level may be changed at any time, and is no longer waited for
		slices.SortStableFunc(p.Signings, func(a, b signing) int { return cmp.Compare(b.rank(), a.rank()) })
	}
	if k := slices.IndexFunc(p.Signings, func(x signing) bool { return len(x.Mine) > 0 }); k >= 0 {
		p.Signings[k].Due = p.Level == "" || p.Signings[k].All
	}
}

// rank puts what leads on before what may be signed beside.
func (x *signing) rank() int {
	if x.All {
		return 1
	}
	return 0
}

// stepActs are what is done with steps, the likely one first.
var stepActs = []choice{{"finish", "完成"}, {"start", "开始"}, {"skip", "跳过"}, {"reopen", "重新打开"}}

// steps puts branches, steps, limits and evidence together.
func (p *incidentPage) steps(r *incident.Record) {
	turn := true
	for _, b := range p.Branches {
		g := stepGroup{IncidentBranch: b}
		for k := range p.Steps {
			if step := &p.Steps[k]; step.Branch == b.ID {
				row := p.stepRow(r, k)
				row.Turn = turn && step.Plays && step.EndedAt == nil
				turn = turn && !row.Turn
				g.Steps = append(g.Steps, row)
			}
		}
		p.Groups = append(p.Groups, g)
	}
	for _, x := range p.Evidence {
		if !slices.ContainsFunc(p.Steps, func(s IncidentStep) bool { return s.Key == x.Step }) {
			p.Loose = append(p.Loose, p.exhibit(x))
		}
	}
}

func (p *incidentPage) stepRow(r *incident.Record, k int) stepRow {
	row := stepRow{IncidentStep: p.Steps[k], Of: p.ID, Mine: slices.Clone(p.Mine)}
	for _, l := range p.Running {
		if l.Step == row.Key {
			row.Limits = append(row.Limits, l)
		}
	}
	for _, x := range p.Evidence {
		if x.Step == row.Key {
			row.Evidence = append(row.Evidence, p.exhibit(x))
		}
	}
	if slices.ContainsFunc(row.Evidence, func(x exhibit) bool { return strings.HasSuffix(row.Outcome, x.Text) }) { // the service's own answer
		row.Outcome = ""
	}
	for _, a := range stepActs {
		if row.Plays && !p.Closed && incident.StepMoves[row.State][a.Value] != "" {
			row.Acts = append(row.Acts, a)
		}
	}
	named := func(office Office) int {
		for n, parties := range [][]string{r.Steps[k].Plan.Owners, r.Steps[k].Plan.Helpers} {
			if slices.ContainsFunc(parties, func(id string) bool { return r.Plan.Includes(id, office.ID) }) {
				return n
			}
		}
		return 2
	}
	slices.SortStableFunc(row.Mine, func(a, b Office) int { return cmp.Compare(named(a), named(b)) })
	return row
}
