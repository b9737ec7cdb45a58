package incident_test

import (
	"slices"
	"testing"
	"time"

	"depositd/platform"
	"depositd/platform/incident"
)

// The plan's scenarios, each with the branches to choose from and its steps: fifty-one together.
var scenarios = []struct {
	id       string
	branches []string
	steps    int
	starts   bool // the plan is started; else recovery follows the assessment
}{
	{"4.1.1", []string{"1", "2"}, 6, true},
	{"4.1.2", []string{"1", "2"}, 6, false},
	{"4.2.1", nil, 5, true},
	{"4.3.1", nil, 4, true},
	{"4.4.1", []string{"1", "2"}, 5, true},
	{"4.5.1", []string{"1", "2"}, 5, true},
	{"4.6.1", []string{"1", "2"}, 5, false},
	{"4.6.2", []string{"1", "2"}, 5, true},
	{"4.6.3", []string{"1", "2"}, 5, true},
	{"5.1.1", nil, 5, true},
}

// Every scenario is walked from its report over all of its steps to its review.
func TestEveryScenario(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		walked := 0
		for _, s := range scenarios {
			i := h.report(s.id)
			i = h.sign(i, incident.Grade, "it_dept_head")
			i = h.sign(i, incident.Confirm, "it_dept_head", "working_group")
			i = h.sign(i, incident.Assess, "working_group_head", "it_dept_head")
			if s.starts {
				i = h.sign(i, incident.Activate, "it_dept_head", "leading_group")
			}
			n := 0
			for _, branch := range append([]string{""}, s.branches...) {
				if branch != "" {
					chosen, err := h.Choose(ctx, "值班员", "it_dept", i.ID, i.Version, branch)
					h.ok(err)
					i = chosen
				}
				n += h.walk(i, branch)
			}
			if n != s.steps {
				t.Errorf("%s has %d steps, %d were walked", s.id, s.steps, n)
			}
			walked += n
			h.finish(i, s.starts)
		}
		if walked != 51 || len(h.Plan().Scenarios) != len(scenarios) {
			t.Errorf("%d steps of %d scenarios were walked", walked, len(scenarios))
		}
	})
}

func (h *house) report(scenario string) incident.Incident {
	h.t.Helper()
	h.pass(time.Minute)
	o := incident.Order{Scenario: scenario, Reference: "R-" + scenario, Title: "故障", Scope: incident.Part, Bank: "lcyh", ParentAccount: "3705018860000000123", Source: incident.FromPerson, Office: "it_dept",
		Deadlines: []incident.Deadline{{Event: "解密截止时间", At: night.Add(7 * time.Hour)}, {Event: "投标截止时间", At: night.Add(6 * time.Hour)}}}
	i, err := h.Report(ctx, "值班员", o)
	h.ok(err)
	if again, err := h.Report(ctx, "值班员", o); err != nil || again.ID != i.ID {
		h.t.Errorf("%s: the same report is %s, %v", scenario, again.Number, err)
	}
	return i
}

// finish ends the plan, recovers, backfills, files and reviews, and holds the record to what was done.
func (h *house) finish(i incident.Incident, started bool) {
	h.t.Helper()
	h.pass(30 * time.Minute)
	if started {
		_, err := h.Declare(ctx, "某组", incident.Declaration{Incident: i.ID, Version: i.Version, Act: incident.Recover, Office: "working_group", Text: "恢复"})
		h.refused("plan_not_ended", err)
		i = h.sign(i, incident.End, "leading_group")
	}
	i = h.sign(i, incident.Recover, "working_group")
	if frozen, err := platform.Freezes(ctx, h.db); err != nil || len(frozen) > 0 {
		h.t.Errorf("%s: still frozen are %v, %v", i.Scenario, frozen, err)
	}
	_, err := h.Enter(ctx, "值班员", incident.Backfill{IncidentID: i.ID, Text: "光盘导入的投标文件", Records: 12, Office: "it_dept", From: night, To: h.now})
	h.ok(err)
	i = h.sign(i, incident.File, "it_dept")
	action, err := h.Ask(ctx, "值班员", "it_dept", incident.Action{IncidentID: i.ID, Text: "增加备用线路", Owner: "信息技术科", DueOn: "2026-07-01"})
	h.ok(err)
	i = h.sign(i, incident.Review, "working_group", "leading_group_head")
	action.Outcome = "已开通"
	_, err = h.MoveAction(ctx, "值班员", "it_dept", action, "finish")
	h.ok(err)
	r, err := h.Record(ctx, i.ID)
	h.ok(err)
	if r.State != incident.Reviewed || r.Actions[0].State != "DONE" || len(r.Backfills) != 1 || !slices.IsSortedFunc(r.Timeline, func(a, b incident.Entry) int { return a.At.Compare(b.At) }) {
		h.t.Errorf("%s: the record is %+v", i.Scenario, r)
	}
	if started == (r.NoticeStartAt.IsZero() || r.PlanEndAt.IsZero()) || r.NoticeEndAt.IsZero() || len(r.Pending) != 1 {
		h.t.Errorf("%s: started %s, ended %s, recovered %s; pending %v", i.Scenario, r.NoticeStartAt, r.PlanEndAt, r.NoticeEndAt, r.Pending)
	}
}

// Steps follow each other where the plan says so, alternatives do not, and what is skipped or opened again has a reason.
func TestOrderOfSteps(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		move := func(i incident.Incident, step, act, text string, version int64) error {
			_, err := h.MoveStep(ctx, "值班员", "it_dept", incident.StepAct{Incident: i.ID, Step: step, Version: version, Act: act, Text: text})
			return err
		}
		i := h.report("4.6.2")
		h.refused("branch_not_chosen", move(i, "4.6.2/2/2.1", "start", "", 1))
		h.refused("step_unknown", move(i, "4.6.2/9/9.1", "start", "", 1))
		chosen, err := h.Choose(ctx, "值班员", "it_dept", i.ID, i.Version, "2")
		h.ok(err)
		_, err = h.Choose(ctx, "值班员", "it_dept", i.ID, i.Version, "1")
		h.refused("changed_meanwhile", err)
		_, err = h.Choose(ctx, "值班员", "it_dept", i.ID, chosen.Version, "7")
		h.refused("branch_unknown", err)
		h.refused("step_out_of_order", move(i, "4.6.2/2/2.2", "start", "", 1))
		h.ok(move(i, "4.6.2/2/2.1", "start", "", 1))
		h.refused("step_out_of_order", move(i, "4.6.2/2/2.2", "start", "", 1))
		h.refused("text_missing", move(i, "4.6.2/2/2.1", "skip", " ", 2))
		h.refused("changed_meanwhile", move(i, "4.6.2/2/2.1", "finish", "", 1))
		h.pass(20 * time.Minute)
		h.ok(move(i, "4.6.2/2/2.1", "finish", "推送正常", 2))
		h.ok(move(i, "4.6.2/2/2.2", "skip", "不涉及", 1))
		h.ok(move(i, "4.6.2/2/2.1", "reopen", "还要再查", 3))
		r, err := h.Record(ctx, i.ID)
		h.ok(err)
		if s := r.Steps[2]; s.Step != "4.6.2/2/2.1" || s.State != incident.StepOpen || s.Used(h.now) != 20*time.Minute {
			t.Errorf("the step is %+v", s)
		}
		_, err = h.Choose(ctx, "值班员", "it_dept", i.ID, chosen.Version, "1") // the bidder's own fault: either step answers it
		h.ok(err)
		h.ok(move(i, "4.6.2/1/1.2", "finish", "晚 10 秒", 1))
		decryption := h.report("4.2.1")
		h.refused("step_out_of_order", move(decryption, "4.2.1/1/2.3", "start", "", 1))
		h.ok(move(decryption, "4.2.1/1/1", "finish", "", 1))
		h.ok(move(decryption, "4.2.1/1/2", "finish", "", 1))
		h.ok(move(decryption, "4.2.1/1/2.3", "finish", "", 1))
	})
}

// Two signatures are two persons', for the level that holds; the times of the phases follow each other.
func TestSignatures(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		i := h.report("5.1.1")
		sign := func(by string, w incident.Declaration) error {
			w.Incident, w.Version = i.ID, i.Version
			if w.Text == "" {
				w.Text = "同意"
			}
			next, err := h.Declare(ctx, by, w)
			if err == nil {
				i = next
			}
			return err
		}
		h.refused("level_missing", sign("甲", incident.Declaration{Act: incident.Confirm, Office: "it_dept_head"}))
		h.refused("level_unknown", sign("甲", incident.Declaration{Act: incident.Grade, Office: "it_dept_head", Level: "level_9"}))
		h.ok(sign("甲", incident.Declaration{Act: incident.Grade, Office: "it_dept_head", Level: "level_1"}))
		h.refused("office_unknown", sign("甲", incident.Declaration{Act: incident.Confirm, Office: "bidder"}))
		h.ok(sign("甲", incident.Declaration{Act: incident.Confirm, Office: "it_dept_head"}))
		h.refused("same_person", sign("甲", incident.Declaration{Act: incident.Confirm, Office: "working_group"}))
		h.refused("already_signed", sign("乙", incident.Declaration{Act: incident.Confirm, Office: "it_dept_head"}))
		h.ok(sign("甲", incident.Declaration{Act: incident.Grade, Office: "it_dept_head", Level: "level_2"})) // what was signed was level one
		h.ok(sign("乙", incident.Declaration{Act: incident.Confirm, Office: "working_group"}))
		if i.State != incident.Reported {
			t.Errorf("one signature at level two made it %s", i.State)
		}
		h.ok(sign("甲", incident.Declaration{Act: incident.Confirm, Office: "it_dept_head"}))
		if i.State != incident.Confirmed {
			t.Errorf("both signatures made it %s", i.State)
		}
		h.refused("time_order", sign("丙", incident.Declaration{Act: incident.Assess, Office: "working_group_head", At: night.Add(-time.Hour)}))
		h.refused("time_in_future", sign("丙", incident.Declaration{Act: incident.Assess, Office: "working_group_head", At: h.now.Add(time.Second)}))
		all, err := incident.Signatures(ctx, h.db, i.ID)
		if h.ok(err); len(all) != 5 {
			t.Errorf("%d signatures are kept: %+v", len(all), all)
		}
	})
}

// Who signs follows the setting where the plan contradicts itself.
func TestAuthorities(t *testing.T) {
	p := plan(t)
	for _, c := range []struct {
		act       incident.Act
		level     string
		authority incident.Authority
		want      []string
	}{
		{incident.Confirm, "level_1", incident.ByBoth, []string{"working_group", "it_dept_head"}},
		{incident.Confirm, "level_1", incident.By22, []string{"working_group"}},
		{incident.Confirm, "level_2", incident.By31, []string{"it_dept_head"}},
		{incident.Confirm, "level_3", incident.ByBoth, []string{"leading_group_head"}}, // of the group and its head, the head
		{incident.Confirm, "level_3", incident.By31, []string{"leading_group"}},
		{incident.Assess, "level_3", incident.ByBoth, []string{"working_group_head", "leading_group"}},
		{incident.Activate, "level_2", incident.ByBoth, []string{"leading_group", "it_dept_head"}},
		{incident.Activate, "level_3", incident.By31, []string{"leading_group_head"}},
		{incident.End, "level_1", incident.By31, []string{"leading_group"}}, // 3.1 names nobody
		{incident.Recover, "level_3", incident.ByBoth, []string{"working_group"}},
		{incident.Review, "level_1", incident.By31, []string{"leading_group", "working_group"}},
		{incident.File, "level_1", incident.ByBoth, []string{"it_dept"}},
		{incident.File, "level_2", incident.ByBoth, nil},
	} {
		if got := p.Signers(c.authority, c.act, c.level); !slices.Equal(got, c.want) {
			t.Errorf("%s at %s by %s: %v, want %v", c.act, c.level, c.authority, got, c.want)
		}
	}
	eachHouse(t, incident.By31, func(t *testing.T, h *house) {
		i := h.sign(h.report("5.1.1"), incident.Grade, "it_dept_head")
		if i = h.sign(i, incident.Confirm, "it_dept_head"); i.State != incident.Confirmed {
			t.Errorf("by 3.1 one signature made it %s", i.State)
		}
	})
}
