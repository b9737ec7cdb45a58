package incident_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/incident"
)

// A useCase is one thing that is asked of the desk about an incident, and may be asked again by somebody who got no answer.
type useCase struct {
	name  string
	stage func(h *house) incident.Incident // what it is about, as it was seen; the zero one where there is none yet
	run   func(ctx context.Context, h *house, i incident.Incident) error
}

func failedBatch(evidence string) incident.Sign {
	return incident.Sign{Scenario: incident.Unrefundable, Branch: "2", Code: "BATCH_FAILED", Subject: "PC-1", Bank: "lcyh", ParentAccount: "3705", Title: "批量退付失败", Since: night,
		Evidence: []incident.Evidence{{Step: "4.6.3/2/2.1", Key: "answer", Kind: incident.AsText, Text: evidence, Answers: true}},
		Fault:    &incident.Fault{Side: incident.SideBank, For: []string{"银行应答 99"}}, Deadlines: []incident.Deadline{{Event: incident.RefundDue, At: night.Add(9 * time.Hour)}}}
}

func nothing(*house) incident.Incident { return incident.Incident{} }

// seen is an incident that the service has opened.
func seen(h *house) incident.Incident {
	h.t.Helper()
	opened, err := h.Observe(ctx, "watch", []incident.Sign{failedBatch("银行应答 99")})
	h.ok(err)
	return h.read(opened[0].ID)
}

func graded(h *house) incident.Incident { return h.sign(seen(h), incident.Grade, "it_dept_head") }

func confirmed(h *house) incident.Incident {
	return h.sign(graded(h), incident.Confirm, "it_dept_head", "working_group")
}

func activated(h *house) incident.Incident {
	i := h.sign(confirmed(h), incident.Assess, "working_group_head", "it_dept_head")
	return h.sign(i, incident.Activate, "it_dept_head", "leading_group")
}

func ended(h *house) incident.Incident { return h.sign(activated(h), incident.End, "leading_group") }

func recovered(h *house) incident.Incident {
	return h.sign(ended(h), incident.Recover, "working_group")
}

// walked is one whose branch is done.
func walked(h *house) incident.Incident {
	i := recovered(h)
	h.walk(i, i.Branch)
	return i
}

func asked(h *house) incident.Incident {
	i := seen(h)
	_, err := h.Ask(ctx, "甲", "it_dept", action(&i))
	h.ok(err)
	return i
}

func action(i *incident.Incident) incident.Action {
	return incident.Action{IncidentID: i.ID, Text: "增加备用线路", Owner: "信息技术科", DueOn: "2026-07-01"}
}

// signing has the offices sign, one after the other; whoever has signed signs again.
func signing(act incident.Act, offices ...string) func(context.Context, *house, incident.Incident) error {
	return func(ctx context.Context, h *house, i incident.Incident) error {
		for _, office := range offices {
			next, err := h.Declare(ctx, "某"+office, incident.Declaration{Incident: i.ID, Version: i.Version, Act: act, Office: office, Text: "同意", Level: "level_1"})
			if err != nil {
				return err
			}
			i = next
		}
		return nil
	}
}

var useCases = []useCase{
	{"Observe", nothing, func(ctx context.Context, h *house, _ incident.Incident) error {
		_, err := h.Observe(ctx, "watch", []incident.Sign{failedBatch("银行应答 99")})
		return err
	}},
	{"Observe more of it", seen, func(ctx context.Context, h *house, _ incident.Incident) error {
		_, err := h.Observe(ctx, "watch", []incident.Sign{failedBatch("银行应答 98")})
		return err
	}},
	{"Survey", seen, func(ctx context.Context, h *house, _ incident.Incident) error {
		other := failedBatch("银行应答 99")
		other.Subject = "PC-2"
		_, err := h.Survey(ctx, "watch", []string{"BATCH_FAILED"}, []incident.Sign{other})
		return err
	}},
	{"Gone", seen, func(ctx context.Context, h *house, i incident.Incident) error { return h.Gone(ctx, "watch", i.Key()) }},
	{"Report", nothing, func(ctx context.Context, h *house, _ incident.Incident) error {
		_, err := h.Report(ctx, "甲", incident.Order{Scenario: "5.1.1", Reference: "R1", Title: "断网", Scope: incident.Whole, Source: incident.FromPerson, Office: "it_dept",
			Deadlines: []incident.Deadline{{Event: "投标截止时间", At: night.Add(6 * time.Hour)}}})
		return err
	}},
	{"Report a drill", nothing, func(ctx context.Context, h *house, _ incident.Incident) error {
		_, err := h.Report(ctx, "甲", incident.Order{Scenario: incident.Unrefundable, Reference: "R2", Title: "演练", Bank: "lcyh", ParentAccount: "3705", Drill: true, Source: incident.FromPerson})
		return err
	}},
	{"Declare its level", seen, signing(incident.Grade, "it_dept_head")},
	{"Declare the first of two", graded, signing(incident.Confirm, "it_dept_head")},
	{"Declare the last of two", func(h *house) incident.Incident { return h.sign(graded(h), incident.Confirm, "working_group") }, signing(incident.Confirm, "it_dept_head")},
	{"Declare an assessment", confirmed, signing(incident.Assess, "working_group_head")},
	{"Declare the plan's end", activated, signing(incident.End, "leading_group")},
	{"Declare recovery", ended, signing(incident.Recover, "working_group")},
	{"Declare a filing", recovered, signing(incident.File, "it_dept")},
	{"Declare a review", func(h *house) incident.Incident { return h.sign(walked(h), incident.Review, "working_group") }, signing(incident.Review, "leading_group_head")},
	{"Declare it none", seen, signing(incident.Dismiss, "it_dept_head")},
	{"Choose", seen, func(ctx context.Context, h *house, i incident.Incident) error {
		_, err := h.Choose(ctx, "甲", "it_dept", i.ID, i.Version, "1")
		return err
	}},
	{"MoveStep", seen, func(ctx context.Context, h *house, i incident.Incident) error {
		_, err := h.MoveStep(ctx, "甲", "it_dept", incident.StepAct{Incident: i.ID, Step: "4.6.3/2/2.2", Version: 1, Act: "finish", Text: "已重推"})
		return err
	}},
	{"SetDeadlines", seen, func(ctx context.Context, h *house, i incident.Incident) error {
		return h.SetDeadlines(ctx, "甲", "it_dept", i.ID, []incident.Deadline{{Event: incident.RefundDue, At: night.Add(8 * time.Hour)}, {Event: "开标时间", At: night.Add(time.Hour)}})
	}},
	{"Attach", seen, func(ctx context.Context, h *house, i incident.Incident) error {
		_, err := h.Attach(ctx, "甲", "it_dept", i.ID, incident.Evidence{Step: "4.6.3/2/2.1", Key: "screen", Kind: incident.AsFile, Name: "截图.png", MediaType: "image/png", Content: []byte("png")})
		return err
	}},
	{"Enter", recovered, func(ctx context.Context, h *house, i incident.Incident) error {
		_, err := h.Enter(ctx, "甲", incident.Backfill{IncidentID: i.ID, Text: "光盘", Records: 12, Office: "it_dept", From: night, To: night.Add(time.Hour)})
		return err
	}},
	{"Ask", seen, func(ctx context.Context, h *house, i incident.Incident) error {
		_, err := h.Ask(ctx, "甲", "it_dept", action(&i))
		return err
	}},
	{"MoveAction", asked, func(ctx context.Context, h *house, i incident.Incident) error {
		all, err := incident.Actions(ctx, h.db, i.ID)
		if err != nil {
			return err
		}
		all[0].Version, all[0].Outcome = 1, "已开通"
		_, err = h.MoveAction(ctx, "乙", "it_dept", all[0], "finish")
		return err
	}},
	{"Note", seen, func(ctx context.Context, h *house, i incident.Incident) error {
		return h.Note(ctx, "甲", "it_dept", i.ID, "已电话告知银行")
	}},
	{"Tend", func(h *house) incident.Incident {
		i := seen(h)
		h.pass(10 * time.Hour) // by when the refunds are due
		return i
	}, func(ctx context.Context, h *house, _ incident.Incident) error { return h.Tend(ctx, "tend") }},
}

// otherMethods write nothing, or in the transaction of Observe and Gone.
var otherMethods = []string{"ObserveIn", "GoneIn", "Join", "OnChange", "Plan", "Authority", "Nearest", "Statistics", "Record", "List"}

// trial is a use case over a house of its own.
func trial(t *testing.T, c useCase) sqldbtest.Trial {
	t.Helper()
	h := local(t)
	i := c.stage(h)
	h.ok(h.db.Close())
	return sqldbtest.Trial{URL: h.url, Now: func() time.Time { return h.now }, Modes: sqldbtest.InTurn(2), Run: func(ctx context.Context, db *sqldb.DB) error {
		return c.run(ctx, &house{t: t, db: db, now: h.now, Desk: incident.NewDesk(db, plan(t), incident.ByBoth)}, i)
	}}
}

// TestTortureEveryCallFails: whatever call to the database fails, and however, an act on an incident is done with all that hangs
// on it, or not at all, and asking again leaves exactly what one undisturbed asking leaves.
func TestTortureEveryCallFails(t *testing.T) {
	sqldbtest.Unwatched(t)
	for _, c := range useCases {
		t.Run(c.name, func(t *testing.T) { trial(t, c).Holds(t) })
	}
}

// Acts that are made wrong are found out: one that is another one each time it is asked, and one in two transactions.
func TestEveryCallFailsIsNoticed(t *testing.T) {
	sqldbtest.Unwatched(t)
	tries := 0
	for _, c := range []useCase{
		{"another one each time", seen, func(ctx context.Context, h *house, i incident.Incident) error {
			tries++
			return h.Note(ctx, "甲", "it_dept", i.ID, fmt.Sprint("第 ", tries, " 次"))
		}},
		{"in two transactions", seen, func(ctx context.Context, h *house, i incident.Incident) error {
			if err := h.Note(ctx, "甲", "it_dept", i.ID, "已电话告知银行"); err != nil {
				return err
			}
			return h.Gone(ctx, "watch", i.Key())
		}},
	} {
		if !trial(t, c).Notices(t) {
			t.Errorf("%s: nothing was noticed", c.name)
		}
	}
}

// No method of the desk that writes is forgotten.
func TestEveryMethodIsDisturbed(t *testing.T) {
	var names []string
	for _, c := range useCases {
		names = append(names, c.name)
	}
	for _, wrong := range sqldbtest.Forgotten(&incident.Desk{}, names, otherMethods...) {
		t.Error(wrong)
	}
	if wrong := sqldbtest.Forgotten(&incident.Desk{}, slices.DeleteFunc(names, func(name string) bool { return name == "Tend" }), otherMethods...); len(wrong) != 1 {
		t.Errorf("it does not notice: %q", wrong)
	}
}
