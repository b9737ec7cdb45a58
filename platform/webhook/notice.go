package webhook

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// notice is the body, in the form that Standard Webhooks recommends: what happened, when, and of what.
type notice struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      facts  `json:"data"`
}

// facts is all that is told. Each is a number of ours, a time, or a word of a closed list.
type facts struct {
	Number         string `json:"number"` // of a drill with its mark
	Drill          bool   `json:"drill"`
	Title          string `json:"title"` // what happened to it: 现象重现
	Scenario       string `json:"scenario"`
	ScenarioName   string `json:"scenario_name"`
	Level          string `json:"level"` // set by a person; "": not yet
	LevelName      string `json:"level_name"`
	SuggestedLevel string `json:"suggested_level"`
	Phase          string `json:"phase"`
	PhaseName      string `json:"phase_name"`
	Link           string `json:"link"` // the path at which the rest is read by whoever may
}

// eventOf names what happened for machines: incident.opened.
func eventOf(kind incident.EntryKind) string { return "incident." + strings.ToLower(string(kind)) }

func body(c *incident.Change, p *incident.Plan) []byte {
	i := &c.Incident
	name := ""
	if s := p.Scenario(i.Scenario); s != nil {
		name = s.Name
	}
	text, _ := json.Marshal(notice{Type: eventOf(c.Entry.Kind), Timestamp: stamp(c.Entry.At), Data: facts{Number: i.Name(), Drill: i.Drill, Title: c.Entry.Kind.Chinese(),
		Scenario: i.Scenario, ScenarioName: name, Level: i.Level, LevelName: p.LevelName(i.Level), SuggestedLevel: i.Suggested, Phase: string(i.State), PhaseName: i.State.Chinese(),
		Link: "/v1/incidents/" + i.ID.String()}}) // strings and a bool always print
	return text
}

func stamp(at time.Time) string { return at.In(deposit.Shanghai).Format(time.RFC3339) }

// Test is the body of a notice that tells of nothing, to try an endpoint with.
func Test(now time.Time) []byte {
	text, _ := json.Marshal(map[string]any{"type": "webhook.test", "timestamp": stamp(now), "data": map[string]string{"title": "测试"}})
	return text
}

// itDepartment is whose an incident is that names no department.
const itDepartment = "信息技术科"

// Wants says whether a change is told to the endpoint. A level counts whether a person has set it or the plan's letter suggests it.
func (e *Endpoint) Wants(c *incident.Change) bool {
	i := &c.Incident
	among := func(all []string, values ...string) bool {
		return len(all) == 0 || slices.ContainsFunc(values, func(v string) bool { return slices.Contains(all, v) })
	}
	return (e.Drills || !i.Drill) && among(e.Events, string(c.Entry.Kind)) && among(e.Departments, cmp.Or(i.Department, itDepartment)) &&
		among(e.Levels, cmp.Or(i.Level, noLevel), cmp.Or(i.Suggested, noLevel))
}
