package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/platform/people"
)

// Incident is a trouble of the emergency plan and how far its handling has come.
type Incident struct {
	ID                 sqldb.ID        `json:"id"`
	Number             string          `json:"number"` // of a drill with its mark
	Drill              bool            `json:"drill"`
	Scenario           string          `json:"scenario"`
	ScenarioName       string          `json:"scenario_name"`
	Branch             string          `json:"branch"`
	Code               string          `json:"code"`
	Source             incident.Source `json:"source"`
	SourceName         string          `json:"source_name"`
	Bank               string          `json:"bank"`
	ParentAccount      string          `json:"parent_account"`
	Lot                string          `json:"lot"`
	Department         string          `json:"department"`
	Title              string          `json:"title"`
	Detail             string          `json:"detail"`
	Scope              incident.Scope  `json:"scope"`
	ScopeName          string          `json:"scope_name"`
	Level              string          `json:"level"`
	LevelName          string          `json:"level_name"`
	SuggestedLevel     string          `json:"suggested_level"`
	SuggestedLevelName string          `json:"suggested_level_name"`
	FaultSide          incident.Side   `json:"fault_side"`
	FaultSideName      string          `json:"fault_side_name"`
	State              incident.State  `json:"state"`
	StateName          string          `json:"state_name"`
	Open               bool            `json:"open"`
	Version            int64           `json:"version"`
	ReportedBy         string          `json:"reported_by"`
	BeganAt            time.Time       `json:"began_at"`
	ReportedAt         time.Time       `json:"reported_at"`
	ConfirmedAt        *time.Time      `json:"confirmed_at,omitempty"`
	AssessedAt         *time.Time      `json:"assessed_at,omitempty"`
	NoticeStartAt      *time.Time      `json:"notice_start_at,omitempty"`
	PlanEndAt          *time.Time      `json:"plan_end_at,omitempty"`
	NoticeEndAt        *time.Time      `json:"notice_end_at,omitempty"`
	ReviewedAt         *time.Time      `json:"reviewed_at,omitempty"`
	DismissedAt        *time.Time      `json:"dismissed_at,omitempty"`
	GoneAt             *time.Time      `json:"gone_at,omitempty"` // the service no longer sees it
}

// IncidentPage is some incidents; Next, where there are more, is the cursor of the next page.
type IncidentPage struct {
	Incidents []Incident `json:"incidents"`
	Next      string     `json:"next,omitempty"`
}

func incidentOf(i *incident.Incident, p *incident.Plan, lot string) Incident {
	name := ""
	if s := p.Scenario(i.Scenario); s != nil {
		name = s.Name
	}
	return Incident{ID: i.ID, Number: i.Name(), Drill: i.Drill, Scenario: i.Scenario, ScenarioName: name, Branch: i.Branch, Code: i.Code, Source: i.Source, SourceName: i.Source.Chinese(),
		Bank: i.Bank, ParentAccount: i.ParentAccount, Lot: lot, Department: i.Department, Title: i.Title, Detail: i.Detail, Scope: i.Scope, ScopeName: i.Scope.Chinese(),
		Level: i.Level, LevelName: p.LevelName(i.Level), SuggestedLevel: i.Suggested, SuggestedLevelName: p.LevelName(i.Suggested),
		FaultSide: i.FaultSide, FaultSideName: i.FaultSide.Chinese(), State: i.State, StateName: i.State.Chinese(), Open: i.Open(), Version: i.Version, ReportedBy: i.ReportedBy,
		BeganAt: inShanghai(i.BeganAt), ReportedAt: inShanghai(i.ReportedAt), ConfirmedAt: inShanghaiIf(i.ConfirmedAt), AssessedAt: inShanghaiIf(i.AssessedAt),
		NoticeStartAt: inShanghaiIf(i.NoticeStartAt), PlanEndAt: inShanghaiIf(i.PlanEndAt), NoticeEndAt: inShanghaiIf(i.NoticeEndAt), ReviewedAt: inShanghaiIf(i.ReviewedAt),
		DismissedAt: inShanghaiIf(i.DismissedAt), GoneAt: inShanghaiIf(i.GoneAt)}
}

// incidentsOf tells incidents with the numbers of their lots.
func (s *server) incidentsOf(ctx context.Context, all []incident.Incident) ([]Incident, error) {
	var ids []sqldb.ID
	for i := range all {
		if all[i].LotID != 0 {
			ids = append(ids, all[i].LotID)
		}
	}
	lots, err := platform.LotsByID(ctx, s.DB, ids)
	told := make([]Incident, len(all))
	for i := range all {
		told[i] = incidentOf(&all[i], s.Incident.Plan(), lots[all[i].LotID].Number)
	}
	return told, err
}

// incidentTold tells one.
func (s *server) incidentTold(c *gin.Context, i incident.Incident) (Incident, error) {
	told, err := s.incidentsOf(c.Request.Context(), []incident.Incident{i})
	return told[0], err
}

func (s *server) answerIncident(c *gin.Context, status int, i incident.Incident) error {
	told, err := s.incidentTold(c, i)
	if err != nil {
		return err
	}
	c.JSON(status, told)
	return nil
}

// incidentParam is the incident in the path, by its key or by its number. One that the caller does not see is not there.
func (s *server) incidentParam(c *gin.Context) (sqldb.ID, error) {
	id, err := s.incidentKey(c)
	if err != nil {
		return 0, err
	}
	return id, s.seen(c, id)
}

// incidentKey is the key of the incident in the path; of a number that there is none of, 0.
func (s *server) incidentKey(c *gin.Context) (sqldb.ID, error) {
	text, err := param(c, "id")
	if err != nil || !strings.Contains(text, "-") {
		return idParam(c)
	}
	i, err := incident.ByNumber(c.Request.Context(), s.DB, text)
	if deposit.IsKind(err, deposit.NotFound) {
		return 0, nil
	}
	return i.ID, err
}

// seen refuses an incident that is not there, or not for the caller's eyes, with the same words.
func (s *server) seen(c *gin.Context, id sqldb.ID) error {
	i, err := incident.ByID(c.Request.Context(), s.DB, id)
	if err == nil && !i.Seen(s.within(c)) {
		err = incident.Unknown()
	}
	return err
}

// within are the departments whose incidents about lots the caller sees; nil: all. The IT department answers for the whole plan.
func (s *server) within(c *gin.Context) []string {
	if sight := s.sight(c); !sight.Everything() && !s.caller(c).Has(people.ITOperator) {
		return append([]string{""}, sight.Departments()...)
	}
	return nil
}

// incidentQuery reads which incidents are asked for.
func (s *server) incidentQuery(c *gin.Context, also ...string) (q incident.Query, err error) {
	if err := onlyParameters(c, append(also, "scenario", "state", "level", "department", "bank", "code", "source", "open", "drill", "limit", "cursor")...); err != nil {
		return q, err
	}
	q = incident.Query{Scenario: c.Query("scenario"), State: incident.State(c.Query("state")), Level: c.Query("level"), Department: c.Query("department"), Bank: c.Query("bank"),
		Code: c.Query("code"), Source: incident.Source(c.Query("source")), After: c.Query("cursor"), Within: s.within(c)}
	switch {
	case q.State != "" && q.State.Chinese() == "":
		return q, badParameter("state", "state_unknown", "没有这种状态，见 /v1/openapi.yaml")
	case q.Source != "" && q.Source.Chinese() == "":
		return q, badParameter("source", "source_unknown", "没有这种来源，见 /v1/openapi.yaml")
	}
	if q.Open, err = yes(c, "open"); err != nil {
		return q, err
	}
	if c.Query("drill") != "" {
		drill, err := yes(c, "drill")
		if err != nil {
			return q, err
		}
		q.Drill = &drill
	}
	q.Limit, err = limit(c)
	return q, err
}

func (s *server) getIncidents(c *gin.Context) error {
	q, err := s.incidentQuery(c)
	if err != nil {
		return err
	}
	page, next, err := s.Incident.List(c.Request.Context(), q)
	if err != nil {
		return err
	}
	told, err := s.incidentsOf(c.Request.Context(), page)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, IncidentPage{told, next})
	return nil
}

func (s *server) getIncident(c *gin.Context) error {
	id, err := s.incidentParam(c)
	if err != nil {
		return err
	}
	if err := onlyParameters(c); err != nil {
		return err
	}
	told, err := s.incidentRecord(c.Request.Context(), id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, told)
	return nil
}

// IncidentEntry is one line of an incident's timeline.
type IncidentEntry struct {
	Seq        int64              `json:"seq"` // within the incident, from 1 and without a gap
	At         time.Time          `json:"at"`
	Person     string             `json:"person"`
	Office     string             `json:"office"`
	OfficeName string             `json:"office_name"`
	Kind       incident.EntryKind `json:"kind"`
	KindName   string             `json:"kind_name"`
	Text       string             `json:"text"`
}

// IncidentTimeline is what has happened, in its order.
type IncidentTimeline struct {
	Entries []IncidentEntry `json:"entries"`
}

func entriesOf(all []incident.Entry, p *incident.Plan) []IncidentEntry {
	told := make([]IncidentEntry, len(all))
	for i, e := range all {
		told[i] = IncidentEntry{e.Seq, inShanghai(e.At), e.Person, e.Office, p.PartyName(e.Office), e.Kind, e.Kind.Chinese(), e.Text}
	}
	return told
}

// Pace is how long something took, in seconds: of so many, in the middle, and at most.
type Pace struct {
	Count  int   `json:"count"`
	Median int64 `json:"median_seconds"`
	Most   int64 `json:"most_seconds"`
}

// IncidentTally is what the incidents of one scenario, month and level come to.
type IncidentTally struct {
	Scenario     string `json:"scenario"`
	ScenarioName string `json:"scenario_name"`
	Month        string `json:"month"`
	Level        string `json:"level"`
	LevelName    string `json:"level_name"`
	Drill        bool   `json:"drill"`
	Count        int    `json:"count"`
	Dismissed    int    `json:"dismissed"`
	Confirm      Pace   `json:"to_confirm"`
	Activate     Pace   `json:"to_activate"`
	Recover      Pace   `json:"to_recover"`
}

// IncidentStatistics is what the incidents of some months come to.
type IncidentStatistics struct {
	From    deposit.Day     `json:"from"`
	To      deposit.Day     `json:"to"`
	Tallies []IncidentTally `json:"tallies"`
}

func paceOf(p incident.Pace) Pace {
	return Pace{p.Count, int64(p.Median.Seconds()), int64(p.Most.Seconds())}
}

// incidentStatistics tallies by scenario, month and level; of the last twelve months unless told otherwise.
func (s *server) incidentStatistics(c *gin.Context) (told IncidentStatistics, err error) {
	if err := onlyParameters(c, "from", "to", "scenario"); err != nil {
		return told, err
	}
	if told.From, err = dayIf(c, "from"); err != nil {
		return told, err
	}
	if told.To, err = dayIf(c, "to"); err != nil {
		return told, err
	}
	if told.To == "" {
		told.To = s.today()
	}
	if told.From == "" {
		told.From = told.To.Add(-365)
	}
	tallies, err := s.Incident.Statistics(c.Request.Context(), told.From, told.To, c.Query("scenario"))
	told.Tallies = make([]IncidentTally, len(tallies))
	p := s.Incident.Plan()
	for i, t := range tallies {
		told.Tallies[i] = IncidentTally{Scenario: t.Scenario, Month: t.Month, Level: t.Level, LevelName: p.LevelName(t.Level), Drill: t.Drill, Count: t.Count, Dismissed: t.Dismissed,
			Confirm: paceOf(t.Confirm), Activate: paceOf(t.Activate), Recover: paceOf(t.Recover)}
		if scenario := p.Scenario(t.Scenario); scenario != nil {
			told.Tallies[i].ScenarioName = scenario.Name
		}
	}
	return told, err
}

func (s *server) getIncidentStatistics(c *gin.Context) error {
	told, err := s.incidentStatistics(c)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, told)
	return nil
}
