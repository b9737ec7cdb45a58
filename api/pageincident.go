package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// incidentPages is the emergency plan before a browser. A form does what its JSON twin does, by the same words (see actedOnPage).
func (s *server) incidentPages(readers []Role) []Route {
	actors := incidentActors()
	return []Route{
		{"GET", "/incidents", readers, s.pageIncidents, "", 0, shortly},
		{"GET", "/incidents/new", actors, s.pageNewIncident, "", 0, shortly},
		{"POST", "/incidents", actors, s.openIncident, formType, maxForm, shortly},
		{"GET", "/incidents/statistics", readers, s.pageIncidentStatistics, "", 0, awhile},
		{"GET", "/incidents/:id", readers, s.pageIncident, "", 0, shortly},
		{"POST", "/incidents/:id/signatures", actors, actedOnPage(s, "已签署", s.signIncident), formType, maxForm, shortly},
		{"POST", "/incidents/:id/branch", actors, actedOnPage(s, "已选择方案", s.chooseBranch), formType, maxForm, shortly},
		{"POST", "/incidents/:id/steps", actors, actedOnPage(s, "步骤已登记", s.moveStep), formType, maxForm, shortly},
		{"POST", "/incidents/:id/deadlines", actors, actedOnPage(s, "时间节点已登记", s.putDeadlines), formType, maxForm, shortly},
		{"POST", "/incidents/:id/evidence", actors, s.attachOnPage, fileType, maxFile + maxForm, awhile},
		{"POST", "/incidents/:id/backfills", actors, actedOnPage(s, "补录已登记", s.postBackfill), formType, maxForm, shortly},
		{"POST", "/incidents/:id/actions", actors, actedOnPage(s, "整改事项已登记", s.postAction), formType, maxForm, shortly},
		{"POST", "/incidents/:id/actions/:action", actors, actedOnPage(s, "整改事项已更新", s.moveAction), formType, maxForm, shortly},
		{"POST", "/incidents/:id/notes", actors, actedOnPage(s, "已记入时间线", s.postNote), formType, maxForm, shortly},
		{"POST", "/incidents/:id/freezes", stoppers(), s.stopOnPage, formType, maxForm, shortly},
		{"POST", "/incidents/:id/freezes/:freeze/lift", stoppers(), s.liftOnPage, formType, maxForm, shortly},
	}
}

// incidentRow is an incident in a list.
type incidentRow struct {
	Incident
	Age   string     // since the trouble began, until it was over
	Grave bool       // no level is graver
	Next  *limitView // the limit that ends first
}

// choice is one of a field's values with its name.
type choice struct{ Value, Name string }

// incidentsPage is the list of incidents with its filters.
type incidentsPage struct {
	Plan      string // the number of its paper
	Query     url.Values
	Rows      []incidentRow
	Next      string
	States    []choice
	Levels    []choice
	Scenarios []choice
	Banks     []bankChoice
	Offices   []string
	MayOpen   bool
	Refusal   string // why the number that was looked for is not shown
}

// pageIncidents lists incidents: without a filter, the open ones. A number leads to its incident.
func (s *server) pageIncidents(c *gin.Context) error {
	if c.Request.URL.RawQuery == "" {
		c.Request.URL.RawQuery = "open=1"
	}
	q, err := s.incidentQuery(c, "number")
	if err != nil {
		return err
	}
	ctx, p := c.Request.Context(), s.Incident.Plan()
	b := incidentsPage{Plan: p.Document.Number, Query: c.Request.URL.Query(), Levels: levelChoices(p), Scenarios: scenarioChoices(p), Banks: s.bankChoices(), MayOpen: s.caller(c).Has(incidentActors()...)}
	if number := strings.TrimSpace(c.Query("number")); number != "" {
		i, err := incident.ByNumber(ctx, s.DB, number)
		switch {
		case err == nil && i.Seen(q.Within):
			return seeOther(c, "/incidents/"+i.ID.String())
		case err != nil && !deposit.IsKind(err, deposit.NotFound):
			return err
		}
		b.Refusal = deposit.AsRefusal(incident.Unknown()).Text
	}
	for _, state := range []incident.State{incident.Reported, incident.Confirmed, incident.Assessed, incident.Activated, incident.Recovered, incident.Reviewed, incident.Dismissed} {
		b.States = append(b.States, choice{string(state), state.Chinese()})
	}
	page, next, err := s.Incident.List(ctx, q)
	if err != nil {
		return err
	}
	b.Next = next
	if b.Rows, err = s.incidentRows(c, page); err != nil {
		return err
	}
	if b.Offices, err = s.offices(ctx); err != nil {
		return err
	}
	return s.show(c, "incidents", "", view{Title: "应急", Menu: "/incidents", Body: b})
}

// incidentRows tells incidents with how long they last and what limit is next.
func (s *server) incidentRows(c *gin.Context, page []incident.Incident) ([]incidentRow, error) {
	told, err := s.incidentsOf(c.Request.Context(), page)
	if err != nil {
		return nil, err
	}
	nearest, err := s.Incident.Nearest(c.Request.Context(), page)
	order, now, rows := s.Incident.Plan().Levels.SeverityOrder, s.DB.Now(), make([]incidentRow, len(page))
	for k := range page {
		i := &page[k]
		rows[k] = incidentRow{Incident: told[k], Age: incident.Lasted(i.Until(now).Sub(i.BeganAt)), Grave: i.Level == order[len(order)-1]}
		if next, runs := nearest[i.ID]; runs {
			rows[k].Next = limitViewOf(limitOf(next, now), now)
		}
	}
	return rows, err
}

func levelChoices(p *incident.Plan) (all []choice) {
	for _, id := range p.Levels.SeverityOrder {
		all = append(all, choice{id, p.LevelName(id)})
	}
	return all
}

func scenarioChoices(p *incident.Plan) (all []choice) {
	for i := range p.Scenarios {
		all = append(all, choice{p.Scenarios[i].ID, p.Scenarios[i].ID + " " + p.Scenarios[i].Name})
	}
	return all
}

// newIncident is the form by which a person opens an incident or a drill.
type newIncident struct {
	Drill       bool
	Reference   string // of this form: sent twice, it opens one incident
	Scenarios   []choice
	Scopes      []choice
	Accounts    []choice
	Departments []string
	Events      []string
	Mine        []Office
}

func (s *server) pageNewIncident(c *gin.Context) error {
	if err := onlyParameters(c, "drill"); err != nil {
		return err
	}
	drill, err := yes(c, "drill")
	if err != nil {
		return err
	}
	p := s.Incident.Plan()
	b := newIncident{Drill: drill, Reference: "页面-" + s.DB.NewID().String(), Scenarios: scenarioChoices(p), Events: p.Events(), Mine: s.officesHeld(c)}
	for _, scope := range incident.Scopes() {
		b.Scopes = append(b.Scopes, choice{string(scope), scope.Chinese()})
	}
	for _, bank := range s.Banks.All() {
		b.Accounts = append(b.Accounts, choice{bank.Code, bank.Name})
		for _, parent := range bank.ParentAccounts {
			b.Accounts = append(b.Accounts, choice{bank.Code + "/" + parent, bank.Name + "　" + parent})
		}
	}
	if b.Departments, err = s.offices(c.Request.Context()); err != nil {
		return err
	}
	v := view{Title: "登记事件", Menu: "/incidents", Body: b}
	if drill {
		v.Title, v.Drill = "登记演练", "登记中"
	}
	return s.show(c, "incidentnew", "", v)
}

// openIncident takes that form.
func (s *server) openIncident(c *gin.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	by, err := s.person(c)
	if err != nil {
		return err
	}
	f, err := incidentForm(c)
	if err != nil {
		return err
	}
	i, err := s.report(c, by, f, incident.FromPerson)
	if err != nil {
		return err
	}
	s.sendTo(c, "/incidents/"+i.ID.String())
	return nil
}

// officesHeld are the offices as which the visitor may act, in the plan's order.
func (s *server) officesHeld(c *gin.Context) (mine []Office) {
	p := s.Incident.Plan()
	for _, party := range p.Offices() {
		if s.caller(c).Holds(p, party.ID) {
			mine = append(mine, Office{party.ID, party.Name})
		}
	}
	return mine
}

func (s *server) pageIncidentStatistics(c *gin.Context) error {
	told, err := s.incidentStatistics(c)
	if err != nil {
		return err
	}
	b := struct {
		IncidentStatistics
		Query     url.Values
		Scenarios []choice
		Total     IncidentTally
	}{IncidentStatistics: told, Query: c.Request.URL.Query(), Scenarios: scenarioChoices(s.Incident.Plan())}
	for _, t := range told.Tallies {
		b.Total.Count += t.Count
		b.Total.Dismissed += t.Dismissed
	}
	return s.show(c, "incidentstats", "", view{Title: "应急统计", Menu: "/incidents", Body: b})
}

// mostAtHome is how many incidents the overview shows; the others are a click away.
const mostAtHome = 8

// openIncidents are the incidents that are open, those of weight first: no drill, the graver level, the nearer limit.
func (s *server) openIncidents(c *gin.Context) (rows []incidentRow, err error) {
	page, _, err := s.Incident.List(c.Request.Context(), incident.Query{Open: true, Within: s.within(c)})
	if err != nil {
		return nil, err
	}
	if rows, err = s.incidentRows(c, page); err != nil {
		return nil, err
	}
	order := s.Incident.Plan().Levels.SeverityOrder
	slices.SortStableFunc(rows, func(a, b incidentRow) int {
		switch {
		case a.Drill != b.Drill:
			return map[bool]int{true: 1, false: -1}[a.Drill]
		case a.weight(order) != b.weight(order):
			return b.weight(order) - a.weight(order)
		}
		return a.until().Compare(b.until())
	})
	return rows, nil
}

// weight is the place of the level, set or suggested, among the plan's.
func (r *incidentRow) weight(order []string) int {
	return max(slices.Index(order, r.Level), slices.Index(order, r.SuggestedLevel))
}

func (r *incidentRow) until() time.Time {
	if r.Next == nil {
		return sqldb.Forever
	}
	return *r.Next.Until
}

// stopOnPage keeps the refunds of the incident's account from being sent, by a person's word.
func (s *server) stopOnPage(c *gin.Context) error {
	i, by, f, err := s.freezeForm(c)
	if err != nil {
		return err
	}
	reason := f.text("reason", mostNote)
	f.done()
	switch err := f.err(); {
	case err != nil:
		return err
	case i.Drill:
		return problem(http.StatusConflict, "drill_freezes_nothing", "演练不冻结退付；确须停付请在真实事件或退付中操作")
	case i.ParentAccount == "":
		return problem(http.StatusConflict, "account_missing", "该事件没有写明母账户，不能由此停付")
	}
	if _, err := s.Platform.Stop(c.Request.Context(), by, i.Bank, i.ParentAccount, reason); err != nil {
		return err
	}
	return s.afterAct(c, i.ID, "已停付")
}

func (s *server) liftOnPage(c *gin.Context) error {
	id, err := keyParam(c, "freeze")
	if err != nil {
		return err
	}
	i, by, f, err := s.freezeForm(c)
	if err != nil {
		return err
	}
	if err := s.lift(c, by, id, f); err != nil {
		return err
	}
	return s.afterAct(c, i.ID, "已解除冻结")
}

func (s *server) freezeForm(c *gin.Context) (i incident.Incident, by string, f *form, err error) {
	id, err := s.incidentParam(c)
	if err != nil {
		return i, "", nil, err
	}
	if by, err = s.person(c); err != nil {
		return i, "", nil, err
	}
	if f, err = formOf(c, "version"); err != nil {
		return i, "", nil, err
	}
	i, err = incident.ByID(c.Request.Context(), s.DB, id)
	return i, by, f, err
}
