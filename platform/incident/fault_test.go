package incident_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/incident"
)

// A useCase is one thing that is asked of the desk about an incident, and may be asked again by somebody who got no answer.
type useCase struct {
	name  string
	state incident.State // that the incident has before; "": there is none
	run   func(ctx context.Context, h *house, i incident.Incident) error
	kinds []incident.EntryKind // that the timeline gets by it, exactly once
}

func failedBatch(subject string) incident.Sign {
	return incident.Sign{Scenario: incident.Unrefundable, Branch: "2", Code: "BATCH_FAILED", Subject: subject, Bank: "lcyh", ParentAccount: subject, Title: "批量退付失败", Since: night,
		Evidence: []incident.Evidence{{Step: "4.6.3/2/2.1", Key: "answer", Kind: incident.AsText, Text: "银行应答 99"}}}
}

func signing(act incident.Act, office string) func(context.Context, *house, incident.Incident) error {
	return func(ctx context.Context, h *house, i incident.Incident) error {
		_, err := h.Declare(ctx, "某"+office, incident.Declaration{Incident: i.ID, Version: i.Version, Act: act, Office: office, Text: "同意"})
		return err
	}
}

var useCases = []useCase{
	{"Observe", "", func(ctx context.Context, h *house, i incident.Incident) error {
		_, err := h.Observe(ctx, "watch", []incident.Sign{failedBatch(i.Subject)})
		return err
	}, []incident.EntryKind{"OPENED", "FROZEN", "EVIDENCE"}},
	{"Gone", incident.Reported, func(ctx context.Context, h *house, i incident.Incident) error { return h.Gone(ctx, "watch", i.Key()) }, []incident.EntryKind{"GONE"}},
	{"Dismiss", incident.Reported, signing(incident.Dismiss, "it_dept_head"), []incident.EntryKind{"MOVED", "LIFTED"}},
	{"Step", incident.Reported, func(ctx context.Context, h *house, i incident.Incident) error {
		_, err := h.MoveStep(ctx, "甲", "it_dept", incident.StepAct{Incident: i.ID, Step: "4.6.3/2/2.2", Version: 1, Act: "finish"})
		return err
	}, []incident.EntryKind{"STEP"}},
}

// Whatever call to the database fails, and however, asking again leaves exactly what one undisturbed asking leaves.
func TestAskedAgainAfterEveryFault(t *testing.T) {
	h, faults := faulty(t)
	for _, c := range append(useCases, useCase{"Note", incident.Reported, func(ctx context.Context, h *house, i incident.Incident) error {
		return h.Note(ctx, "甲", "it_dept", i.ID, "已电话告知银行")
	}, []incident.EntryKind{"NOTE"}}) {
		calls, wrong := h.torture(&c, faults)
		if calls < 5*len(sqldbtest.FaultModes)/everyCall || len(wrong) > 0 {
			t.Errorf("%s: %d calls were disturbed: %v", c.name, calls, wrong)
		}
	}
}

// A use case that is another one each time it is asked is found out.
func TestAskedAgainIsNoticed(t *testing.T) {
	h, faults := faulty(t)
	asked := 0
	_, wrong := h.torture(&useCase{"Note", incident.Reported, func(ctx context.Context, h *house, i incident.Incident) error {
		asked++
		return h.Note(ctx, "甲", "it_dept", i.ID, fmt.Sprint("第 ", asked, " 次"))
	}, []incident.EntryKind{"NOTE"}}, faults)
	if len(wrong) == 0 {
		t.Error("nothing was noticed")
	}
}

func faulty(t *testing.T) (*house, *sqldbtest.Faults) {
	t.Helper()
	faults := &sqldbtest.Faults{}
	h := &house{t: t, now: night}
	url := sqldbtest.FileNamed + sqldbtest.InMemory(t) + "/deposit.db"
	h.ok(sqldbtest.Open(t, url, time.Now).Close())
	db, err := sqldb.OpenWith(ctx, url, func() time.Time { return h.now }, faults.Between)
	h.ok(err)
	t.Cleanup(func() { _ = db.Close() })
	sqldbtest.Unlock(t, db)
	h.db, h.Desk = db, incident.NewDesk(db, plan(t), incident.ByBoth)
	return h, faults
}

// torture lets each call of a use case fail in each way.
func (h *house) torture(c *useCase, faults *sqldbtest.Faults) (calls int, wrong []string) {
	h.t.Helper()
	for _, mode := range sqldbtest.FaultModes {
		for at := 1; ; at += everyCall {
			fired, found := h.disturbed(c, faults, mode, at)
			if found != "" {
				wrong = append(wrong, fmt.Sprintf("call %d, %s: %s", at, mode, found))
			}
			if !fired {
				break
			}
			calls++
		}
	}
	return calls, wrong
}

// disturbed runs a use case with one call failing, and again, and says what is wrong then; not fired if it makes fewer calls.
func (h *house) disturbed(c *useCase, faults *sqldbtest.Faults, mode sqldbtest.FaultMode, at int) (fired bool, wrong string) {
	h.t.Helper()
	h.pass(time.Millisecond)
	i := incident.Incident{Scenario: incident.Unrefundable, Code: "BATCH_FAILED", Subject: fmt.Sprint(c.name, mode[:2], at)}
	want := c.kinds
	if c.state != "" {
		opened, err := h.Observe(ctx, "watch", []incident.Sign{failedBatch(i.Subject)})
		h.ok(err)
		i, want = h.read(opened[0].ID), append([]incident.EntryKind{"OPENED", "FROZEN", "EVIDENCE"}, want...)
	}
	leaving, leave := context.WithCancel(ctx)
	defer leave()
	faults.Arm(mode, at, leave)
	err := c.run(leaving, h, i)
	if _, fired = faults.Heal(); fired {
		for range 5 { // a connection that broke may be met once more
			if err = c.run(ctx, h, i); err == nil {
				break
			}
		}
	}
	h.ok(err)
	return fired, h.isWrong(i.Subject, want)
}

// isWrong says what is not as one undisturbed asking leaves it.
func (h *house) isWrong(subject string, want []incident.EntryKind) string {
	h.t.Helper()
	page, _, err := h.List(ctx, incident.Query{Code: "BATCH_FAILED", Limit: 5})
	h.ok(err)
	same := slices.DeleteFunc(page, func(one incident.Incident) bool { return one.Subject != subject })
	frozen, err := platform.Freezes(ctx, h.db)
	h.ok(err)
	if len(same) != 1 {
		return fmt.Sprintf("there are %d incidents", len(same))
	}
	if got := h.kinds(same[0].ID); !slices.Equal(got, want) {
		return fmt.Sprintf("the timeline has %v", got)
	}
	if mine := slices.ContainsFunc(frozen, func(f platform.Freeze) bool { return f.Reference == same[0].Number }); mine != same[0].Open() {
		return fmt.Sprintf("open %v, frozen %v", same[0].Open(), mine)
	}
	return ""
}
