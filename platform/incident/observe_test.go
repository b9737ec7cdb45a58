package incident_test

import (
	"slices"
	"testing"
	"time"

	"depositd/platform"
	"depositd/platform/incident"
)

func exhausted(since time.Time) incident.Sign {
	return incident.Sign{Scenario: incident.Unpayable, Branch: "1", Code: "POOL_EXHAUSTED", Subject: "lcyh/3705018860000000123", Bank: "lcyh", ParentAccount: "3705018860000000123",
		Department: "信息技术科", Title: "子账号号池已用完", Scope: incident.Part, Since: since,
		Deadlines: []incident.Deadline{{Event: "开标时间", At: night.Add(6 * time.Hour)}},
		Evidence: []incident.Evidence{
			{Step: "4.6.1/1/1.1", Key: "pool", Kind: incident.AsNumbers, Text: "号池现状", Numbers: []incident.Number{{Name: "空闲", Value: "0"}}, Answers: true},
			{Step: "4.6.1/1/1.2", Key: "calls", Kind: incident.AsText, Text: "最近一次开户调用 02:58 成功"},
		},
		Fault: &incident.Fault{Side: incident.SideBank, For: []string{"12 个子账号已满足释放条件，银行尚未释放"}}}
}

// The same sign opens one incident, however often it is seen, and its evidence is replaced by its newest form.
func TestOneIncidentForASign(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		s := exhausted(night)
		opened, err := h.Observe(ctx, "watch", []incident.Sign{s})
		h.ok(err)
		if len(opened) != 1 || opened[0].Number != "YJ-2026-0001" || opened[0].Fault().Side != incident.SideBank {
			t.Fatalf("opened %+v", opened)
		}
		want := []incident.EntryKind{"OPENED", "FAULT", "DEADLINE", "EVIDENCE", "STEP", "EVIDENCE"}
		if got := h.kinds(opened[0].ID); !slices.Equal(got, want) {
			t.Errorf("the timeline has %v", got)
		}
		if len(h.changes) != len(want) || h.told.Load() != 1 {
			t.Errorf("%d changes were handed on, %d tellings", len(h.changes), h.told.Load())
		}
		h.pass(time.Minute)
		s.Evidence[0].Numbers[0].Value = "3"
		opened, err = h.Observe(ctx, "watch", []incident.Sign{s})
		h.ok(err)
		all, err := incident.Exhibits(ctx, h.db, h.changes[0].Incident.ID)
		h.ok(err)
		if len(opened) != 0 || len(all) != 2 || all[0].Numbers[0].Value != "3" || all[0].Version != 2 || all[1].Version != 1 {
			t.Errorf("opened %v, evidence %+v", opened, all)
		}
		if got := h.kinds(h.changes[0].Incident.ID); len(got) != len(want) {
			t.Errorf("the timeline grew to %v", got)
		}
	})
}

// What is gone stays open for people, and comes back as the same incident.
func TestGoneAndAgain(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		codes := []string{"POOL_EXHAUSTED"}
		opened, err := h.Survey(ctx, "watch", codes, []incident.Sign{exhausted(night)})
		h.ok(err)
		id := opened[0].ID
		for range 2 { // the second time there is nothing to say
			h.pass(time.Minute)
			_, err = h.Survey(ctx, "watch", codes, nil)
			h.ok(err)
		}
		if i := h.read(id); !i.Open() || i.GoneAt.IsZero() {
			t.Errorf("the incident is %+v", i)
		}
		if keys, err := incident.Standing(ctx, h.db, codes...); err != nil || len(keys) != 0 {
			t.Errorf("standing are %v, %v", keys, err)
		}
		_, err = h.Survey(ctx, "watch", codes, []incident.Sign{exhausted(night)})
		h.ok(err)
		if got := h.kinds(id)[6:]; !slices.Equal(got, []incident.EntryKind{"GONE", "AGAIN"}) {
			t.Errorf("the timeline goes on with %v", got)
		}
	})
}

// What people have dismissed is not opened again, until it was gone once or has begun anew.
func TestDismissedStaysDismissed(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		see := func(s incident.Sign) int {
			h.pass(time.Minute)
			opened, err := h.Observe(ctx, "watch", []incident.Sign{s})
			h.ok(err)
			return len(opened)
		}
		if see(exhausted(night)) != 1 {
			t.Fatal("nothing was opened")
		}
		i := h.changes[0].Incident
		h.pass(time.Minute)
		_, err := h.Declare(ctx, "张工", incident.Declaration{Incident: i.ID, Version: 1, Act: incident.Dismiss, Office: "it_dept_head", Text: "计划内切换"})
		h.ok(err)
		if see(exhausted(night)) != 0 || see(exhausted(time.Time{})) != 0 {
			t.Error("what was dismissed was opened again")
		}
		if see(exhausted(h.now)) != 1 {
			t.Error("what began anew was not opened")
		}
		second := h.changes[len(h.changes)-1].Incident
		_, err = h.Declare(ctx, "张工", incident.Declaration{Incident: second.ID, Version: 1, Act: incident.Dismiss, Office: "it_dept_head", Text: "计划内切换"})
		h.ok(err)
		h.ok(h.Gone(ctx, "watch", second.Key()))
		if see(exhausted(night)) != 1 {
			t.Error("what was gone and is back was not opened")
		}
	})
}

// An open 4.6.3 freezes the refunds of its account in the same transaction and lifts them at its end; a drill freezes nothing.
func TestFreeze(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		failed := incident.Sign{Scenario: incident.Unrefundable, Code: "BATCH_FAILED", Subject: "PC-20260612-01", Bank: "lcyh", ParentAccount: "3705018860000000123", Title: "批量退付失败"}
		opened, err := h.Observe(ctx, "watch", []incident.Sign{failed})
		h.ok(err)
		drill, err := h.Report(ctx, "张工", incident.Order{Scenario: incident.Unrefundable, Title: "退付演练", Bank: "ccb", ParentAccount: "9", Drill: true, Source: incident.FromPerson})
		h.ok(err)
		if drill.Name() != "【演练】YJ-2026-0002" {
			t.Errorf("the drill is called %s", drill.Name())
		}
		frozen, err := platform.Freezes(ctx, h.db)
		h.ok(err)
		if len(frozen) != 1 || frozen[0].Reference != "YJ-2026-0001" || frozen[0].ParentAccount != "3705018860000000123" || frozen[0].Cause != platform.ByIncident {
			t.Fatalf("frozen are %+v", frozen)
		}
		_, err = h.Declare(ctx, "张工", incident.Declaration{Incident: opened[0].ID, Version: 1, Act: incident.Dismiss, Office: "it_dept_head", Text: "误报"})
		h.ok(err)
		if frozen, err = platform.Freezes(ctx, h.db); err != nil || len(frozen) != 0 {
			t.Errorf("after its end frozen are %+v, %v", frozen, err)
		}
		if got := h.kinds(opened[0].ID); !slices.Equal(got, []incident.EntryKind{"OPENED", "FROZEN", "MOVED", "LIFTED"}) {
			t.Errorf("the timeline has %v", got)
		}
	})
}
