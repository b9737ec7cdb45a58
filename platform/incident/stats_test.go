package incident_test

import (
	"testing"
	"time"

	"depositd/platform/incident"
)

func TestStatistics(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		run := func(drill bool, confirm, activate, recovered time.Duration) {
			start := h.now
			i, err := h.Report(ctx, "值班员", incident.Order{Scenario: "5.1.1", Title: "中断", Drill: drill, Source: incident.FromPerson})
			h.ok(err)
			i = h.sign(i, incident.Grade, "it_dept_head")
			h.now = start.Add(confirm)
			i = h.sign(i, incident.Confirm, "it_dept_head", "working_group")
			i = h.sign(i, incident.Assess, "it_dept_head", "working_group_head")
			h.now = start.Add(activate)
			i = h.sign(i, incident.Activate, "it_dept_head", "leading_group")
			h.now = start.Add(recovered)
			i = h.sign(i, incident.End, "leading_group")
			h.sign(i, incident.Recover, "working_group")
		}
		run(false, 10*time.Minute, 20*time.Minute, 2*time.Hour)
		run(false, 30*time.Minute, 40*time.Minute, 3*time.Hour)
		run(true, time.Minute, 2*time.Minute, 3*time.Minute)
		i := h.report("4.3.1")
		h.sign(i, incident.Dismiss, "it_dept_head")
		h.now = h.now.AddDate(0, 1, 0)
		h.report("4.3.1")
		all, err := h.Statistics(ctx, "2026-06-01", "2026-07-31", "")
		h.ok(err)
		if len(all) != 4 {
			t.Fatalf("there are %+v", all)
		}
		if got := all[1]; got.Level != "level_1" || got.Drill || got.Count != 2 || got.Confirm.Median != 10*time.Minute || got.Activate.Most != 40*time.Minute || got.Recover.Most != 3*time.Hour {
			t.Errorf("the real ones come to %+v", got)
		}
		if got := all[2]; !got.Drill || got.Count != 1 || got.Recover.Median != 3*time.Minute {
			t.Errorf("the drill comes to %+v", got)
		}
		if got := all[0]; got.Scenario != "4.3.1" || got.Dismissed != 1 || got.Confirm.Count != 0 {
			t.Errorf("the dismissed one comes to %+v", got)
		}
		if all[3].Month != "2026-07" {
			t.Errorf("the last is of %s", all[3].Month)
		}
		_, err = h.Statistics(ctx, "2026-07-02", "2026-07-01", "")
		h.refused("days_reversed", err)
	})
}

// The list goes on where a page ended, and every filter narrows it.
func TestList(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		for _, s := range scenarios {
			h.report(s.id)
		}
		drill, yes := incident.Order{Scenario: "4.3.1", Title: "演练", LotID: 7, Department: "政府采购科", Drill: true, Source: incident.FromPerson}, true
		_, err := h.Report(ctx, "值班员", drill)
		h.ok(err)
		var all []string
		q := incident.Query{Limit: 4}
		for {
			page, next, err := h.List(ctx, q)
			h.ok(err)
			for _, i := range page {
				all = append(all, i.Name())
			}
			if q.After = next; next == "" {
				break
			}
		}
		if len(all) != len(scenarios)+1 || all[0] != "【演练】YJ-2026-0011" && all[1] != "【演练】YJ-2026-0011" || all[len(all)-1] != "YJ-2026-0001" {
			t.Errorf("the pages hold %v", all)
		}
		for _, c := range []struct {
			q    incident.Query
			want int
		}{{incident.Query{Scenario: "4.3.1"}, 2}, {incident.Query{Drill: &yes}, 1}, {incident.Query{Open: true}, 11}, {incident.Query{State: incident.Recovered}, 0},
			{incident.Query{Bank: "lcyh"}, 10}, {incident.Query{Source: incident.FromService}, 0}, {incident.Query{Level: "level_1"}, 0}, {incident.Query{Within: []string{"", "建设工程科"}}, 10}} {
			page, _, err := h.List(ctx, c.q)
			if h.ok(err); len(page) != c.want {
				t.Errorf("%+v: %d", c.q, len(page))
			}
		}
		for _, cursor := range []string{"x", "MjAyNi0wNi0xMiAwMzowMDowMC4wMDA", "MjAyNnwwMDAwMDAwMDAwMDAy"} {
			_, _, err = h.List(ctx, incident.Query{After: cursor})
			h.refused("cursor_malformed", err)
		}
	})
}
