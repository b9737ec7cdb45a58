package incident_test

import (
	"flag"
	"os"
	"slices"
	"testing"

	"depositd/platform/deposit"
	"depositd/platform/incident"
)

var update = flag.Bool("update", false, "rewrite the drawings in testdata/golden")

// golden holds a drawing to its file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "../../testdata/golden/" + name
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("got\n%swhich is not %s (%v)", got, file, err)
	}
}

var machines = map[string]deposit.Machine{"incident": incident.Moves, "incident_step": incident.StepMoves, "incident_action": incident.ActionMoves}

// A change of a state machine is seen by a person: its drawing stands in testdata/golden.
func TestMachinesAreDrawn(t *testing.T) {
	for name, m := range machines {
		golden(t, "machine_"+name+".txt", m.Draw())
	}
}

// allowed are the acts of each state; every other act is refused there.
var allowed = map[string]map[string][]string{
	"incident": {"REPORTED": {"confirm", "dismiss"}, "CONFIRMED": {"assess", "dismiss"}, "ASSESSED": {"activate", "recover"}, "ACTIVATED": {"recover"},
		"RECOVERED": {"review"}, "REVIEWED": nil, "DISMISSED": nil},
	"incident_step":   {"OPEN": {"start", "finish", "skip"}, "STARTED": {"finish", "skip"}, "DONE": {"reopen"}, "SKIPPED": {"reopen"}},
	"incident_action": {"OPEN": {"finish", "drop"}, "DONE": {"reopen"}, "DROPPED": {"reopen"}},
}

func TestEveryActInEveryState(t *testing.T) {
	for name, m := range machines {
		var acts []string
		for _, of := range allowed[name] {
			acts = append(acts, of...)
		}
		if len(m) != len(allowed[name]) {
			t.Errorf("%s has %d states, %d are known", name, len(m), len(allowed[name]))
		}
		for state, may := range allowed[name] {
			if incident.State(state).Chinese()+incident.StepStateName(state)+incident.ActionStateName(state) == "" {
				t.Errorf("%s has no name", state)
			}
			for _, act := range append(acts, "undo") {
				if _, err := m.Next(state, act); (err == nil) != slices.Contains(may, act) {
					t.Errorf("%s: %s in %s: %v", name, act, state, err)
				}
			}
		}
	}
}

var (
	leaders  = []string{"leading_group", "leading_group_head"}
	workers  = []string{"working_group", "working_group_head"}
	anyone   = []string{"leading_group", "leading_group_head", "working_group", "working_group_head", "it_dept", "it_dept_head"}
	deciders = []string{"leading_group", "leading_group_head", "working_group", "working_group_head", "it_dept_head"}
)

// maySign are the offices whose signature is taken, by state and act, of an incident of level one where both sections of the
// plan count. Every other office is refused there, and every other act to every office.
var maySign = map[incident.State]map[incident.Act][]string{
	incident.Reported:  {incident.Grade: anyone, incident.Confirm: {"working_group", "working_group_head", "it_dept_head"}, incident.Dismiss: deciders, incident.File: {"it_dept", "it_dept_head"}},
	incident.Confirmed: {incident.Grade: anyone, incident.Assess: {"working_group_head", "it_dept_head"}, incident.Dismiss: deciders, incident.File: {"it_dept", "it_dept_head"}},
	incident.Assessed: {incident.Grade: anyone, incident.Activate: {"leading_group", "leading_group_head", "it_dept_head"}, incident.Recover: workers,
		incident.File: {"it_dept", "it_dept_head"}},
	incident.Activated: {incident.Grade: anyone, incident.End: leaders, incident.File: {"it_dept", "it_dept_head"}}, // to recover it has to be ended first
	incident.Recovered: {incident.Review: slices.Concat(leaders, workers), incident.File: {"it_dept", "it_dept_head"}},
	incident.Reviewed:  {incident.File: {"it_dept", "it_dept_head"}},
	incident.Dismissed: {},
}

// Every act in every state as every office.
func TestEveryActInEveryStateAsEveryOffice(t *testing.T) {
	h := local(t)
	tried := 0
	for state, may := range maySign {
		for _, act := range incident.Acts() {
			i := h.in(state)
			for _, one := range h.Plan().Offices() {
				tried++
				_, err := h.Declare(ctx, "某人", incident.Declaration{Incident: i.ID, Version: i.Version, Act: act, Office: one.ID, Text: "同意", Level: "level_2"})
				switch taken := slices.Contains(may[act], one.ID); {
				case taken != (err == nil):
					t.Errorf("%s in %s as %s: %v", act, state, one.ID, err)
				case taken:
					i = h.in(state)
				case len(may[act]) == 0:
					h.refused(map[bool]string{true: "plan_not_ended", false: "state_forbids"}[state == incident.Activated && act == incident.Recover], err)
				default:
					h.refused("office_may_not", err)
				}
			}
		}
	}
	if tried < 7*9*15 {
		t.Errorf("only %d were tried", tried)
	}
}

// in makes an incident of level one that stands in a state.
func (h *house) in(state incident.State) incident.Incident {
	h.t.Helper()
	i, err := h.Report(ctx, "值班员", incident.Order{Scenario: "5.1.1", Title: "服务器中断", Source: incident.FromPerson})
	h.ok(err)
	way := []struct {
		act     incident.Act
		offices []string
	}{{incident.Grade, []string{"it_dept_head"}}, {incident.Confirm, []string{"working_group", "it_dept_head"}}, {incident.Assess, []string{"working_group_head", "it_dept_head"}},
		{incident.Activate, []string{"leading_group", "it_dept_head"}}, {incident.End, []string{"leading_group_head"}}, {incident.Recover, []string{"working_group"}},
		{incident.Review, []string{"leading_group", "working_group"}}}
	if state == incident.Dismissed {
		way = append(way[:1:1], struct {
			act     incident.Act
			offices []string
		}{incident.Dismiss, []string{"it_dept_head"}})
	}
	for _, step := range way {
		if i.State == state && step.act != incident.Grade {
			break
		}
		if step.act == incident.Recover { // its review needs the checklist walked
			h.walk(i, "")
		}
		i = h.sign(i, step.act, step.offices...)
	}
	if i.State != state {
		h.t.Fatalf("the way leads to %s, not %s", i.State, state)
	}
	return i
}

// sign has an act signed by one person for each office, and gives the incident as it is then.
func (h *house) sign(i incident.Incident, act incident.Act, offices ...string) incident.Incident {
	h.t.Helper()
	for _, office := range offices {
		next, err := h.Declare(ctx, "某"+office, incident.Declaration{Incident: i.ID, Version: i.Version, Act: act, Office: office, Text: "同意", Level: "level_1"})
		h.ok(err)
		i = next
	}
	return i
}

// walk does the steps of the main branch and of the one named in their order, and gives how many they were.
func (h *house) walk(i incident.Incident, branch string) (walked int) {
	h.t.Helper()
	record, err := h.Record(ctx, i.ID)
	h.ok(err)
	alternative := false
	for _, step := range record.Steps {
		if step.Branch.Kind != "main" && step.Branch.ID != branch || step.State == incident.StepDone {
			continue
		}
		a := incident.StepAct{Incident: i.ID, Step: step.Step, Version: step.Version, Act: "finish", Text: "已处理"}
		if step.Plan.AlternativeAfter != "" && alternative {
			a.Act = "skip"
		}
		alternative = alternative || step.Plan.AlternativeAfter != ""
		_, err := h.MoveStep(ctx, "值班员", step.Plan.Owners[0], a)
		if deposit.IsKind(err, deposit.Invalid) { // a set of departments, or somebody outside: the IT department writes it down
			_, err = h.MoveStep(ctx, "值班员", "it_dept", a)
		}
		h.ok(err)
		walked++
	}
	return walked
}
