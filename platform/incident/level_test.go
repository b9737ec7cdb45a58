package incident_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/platform/incident"
)

// The level follows from what fails and for how long; 超过 is longer than, not at the very moment.
func TestSuggestedLevels(t *testing.T) {
	const moment = time.Millisecond
	p := plan(t)
	for _, c := range []struct {
		scope incident.Scope
		lasts time.Duration
		level string
		next  time.Duration // until another level begins; 0: none does
		says  string
	}{
		{incident.Part, 0, "", 2 * time.Hour, "没有规定级别"},
		{incident.Part, 2 * time.Hour, "", 2 * time.Hour, "已持续 2 小时"},
		{incident.Part, 2*time.Hour + moment, "level_1", 4 * time.Hour, "持续超过 2 小时"},
		{incident.Part, 4 * time.Hour, "level_1", 4 * time.Hour, "部分模块故障，已持续 4 小时，符合“部分模块故障持续超过 2 小时”"},
		{incident.Part, 4*time.Hour + moment, "level_2", 0, "持续超过 4 小时"},
		{incident.Part, 90 * time.Hour, "level_2", 0, "3 天 18 小时"},
		{incident.Whole, time.Hour, "", 4 * time.Hour, "没有规定级别"},
		{incident.Whole, 2*time.Hour + moment, "", 4 * time.Hour, "由人员判定（部分模块故障持续同样时长即为一级应急响应）"}, // the plan's gap
		{incident.Whole, 4 * time.Hour, "", 4 * time.Hour, "由人员判定"},
		{incident.Whole, 4*time.Hour + moment, "level_3", 0, "持续超过 4 小时以上"},
		{incident.Evaluation, 0, "level_1", 4 * time.Hour, "符合“评标过程无法顺利进行，需要人工干预”"},
		{incident.Evaluation, 4 * time.Hour, "level_1", 4 * time.Hour, "评标过程无法顺利进行"},
		{incident.Evaluation, 4*time.Hour + moment, "level_2", 0, "评标过程无法顺利进行，已持续 4 小时，符合“部分模块故障持续超过 4 小时”"},
		{incident.NoScope, 9 * time.Hour, "", 0, "由人员判定"},
	} {
		got := p.Suggest(c.scope, night, night.Add(c.lasts))
		next := time.Duration(0)
		if !got.Next.IsZero() {
			next = got.Next.Sub(night)
		}
		if got.Level != c.level || next != c.next || got.Gap != (c.level == "") || !strings.Contains(got.Why, c.says) {
			t.Errorf("%s for %s: %+v", c.scope, c.lasts, got)
		}
	}
}

// Time alone brings another level and passed limits; each is told once.
func TestTend(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		i, err := h.Report(ctx, "值班员", incident.Order{Scenario: "5.1.1", Title: "网络中断", Scope: incident.Part, Source: incident.FromPerson})
		h.ok(err)
		evaluation, err := h.Report(ctx, "值班员", incident.Order{Scenario: "4.2.1", Title: "无法解密", Drill: true, Source: incident.FromPerson,
			Deadlines: []incident.Deadline{{Event: "解密截止时间", At: night.Add(3 * time.Hour)}}})
		h.ok(err)
		told := len(h.changes)
		for _, c := range []struct {
			after time.Duration
			want  string // the kinds of what is told
		}{
			{time.Minute, ""}, {100 * time.Minute, ""}, {100*time.Minute + time.Second, "OVERDUE"}, {101 * time.Minute, ""},
			{2*time.Hour + time.Second, "SUGGESTED"}, {3*time.Hour + time.Second, "OVERDUE OVERDUE"}, {4*time.Hour + time.Second, "SUGGESTED"}, {9 * time.Hour, ""},
		} {
			h.now = night.Add(c.after)
			h.ok(h.Tend(ctx, "tend"))
			h.ok(h.Tend(ctx, "tend"))
			var kinds []string
			for _, change := range h.changes[told:] {
				kinds = append(kinds, string(change.Entry.Kind))
			}
			told = len(h.changes)
			if got := strings.Join(kinds, " "); got != c.want {
				t.Errorf("after %s: %s, want %s", c.after, got, c.want)
			}
		}
		if got := h.read(i.ID); got.Suggested != "level_2" {
			t.Errorf("suggested is %s", got.Suggested)
		}
		h.ok(h.SetDeadlines(ctx, "值班员", "it_dept", evaluation.ID, []incident.Deadline{{Event: "解密截止时间", At: night.Add(10 * time.Hour)}}))
		h.now = night.Add(11 * time.Hour)
		h.ok(h.Tend(ctx, "tend"))
		if got := h.kinds(evaluation.ID); got[len(got)-1] != incident.EntryOverdue { // the postponed one has passed, too
			t.Errorf("the timeline has %v", got)
		}
	})
}

// The plan's limits, each with where it begins.
func TestCountdowns(t *testing.T) {
	h := local(t)
	for _, c := range []struct {
		scenario, branch, step string
		lasts                  time.Duration // from the report; 0: nobody has said when its event is
	}{
		{"5.1.1", "", "5.1.1/1/2", 100 * time.Minute},
		{"4.4.1", "2", "4.4.1/2/2.1", 8 * time.Hour},
		{"4.5.1", "2", "4.5.1/2/2.1", 8 * time.Hour},
		{"4.3.1", "", "4.3.1/1/2", 4 * time.Hour},
		{"4.1.1", "2", "4.1.1/2/2.3", 5 * time.Hour},
		{"4.2.1", "", "4.2.1/1/2.2", 0},
	} {
		o := incident.Order{Scenario: c.scenario, Branch: c.branch, Title: "故障", Source: incident.FromPerson, Deadlines: []incident.Deadline{{Event: "投标截止时间", At: night.Add(5 * time.Hour)}}}
		i, err := h.Report(ctx, "值班员", o)
		h.ok(err)
		r, err := h.Record(ctx, i.ID)
		h.ok(err)
		if len(r.Countdowns) == 0 || r.Countdowns[0].Step != c.step || c.lasts > 0 && r.Countdowns[0].Until.Sub(night) != c.lasts || c.lasts == 0 && !r.Countdowns[0].Until.IsZero() {
			t.Errorf("%s: %+v", c.scenario, r.Countdowns)
		}
	}
}

// Of what runs for an open incident the nearest limit is told: a step's, a level's, or none.
func TestNearest(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		var open []incident.Incident
		for _, o := range []incident.Order{{Scenario: "5.1.1", Scope: incident.Part}, {Scenario: "4.2.1", Deadlines: []incident.Deadline{{Event: "解密截止时间", At: night.Add(time.Hour)}}}, {Scenario: "4.6.2"}, {Scenario: "4.6.3", Scope: incident.Whole}} {
			o.Title, o.Source = "故障", incident.FromPerson
			i, err := h.Report(ctx, "值班员", o)
			h.ok(err)
			open = append(open, i)
		}
		told := func() (limits []string) {
			nearest, err := h.Nearest(ctx, open)
			h.ok(err)
			for _, i := range open {
				c := nearest[i.ID]
				limits = append(limits, strings.TrimSpace(c.Limit+" "+c.Until.Sub(i.ReportedAt).Truncate(time.Minute).String()))
			}
			return limits
		}
		none := time.Time{}.Sub(night).Truncate(time.Minute).String()
		if got, want := told(), []string{"restart_recovery 1h40m0s", "decryption_deadline 1h0m0s", none, "level 4h0m0s"}; !slices.Equal(got, want) {
			t.Errorf("nearest are %q, want %q", got, want)
		}
		h.now = night.Add(3 * time.Hour)
		for n := range 2 {
			_, err := h.MoveStep(ctx, "值班员", "it_dept", incident.StepAct{Incident: open[0].ID, Step: fmt.Sprintf("5.1.1/1/%d", n+1), Version: 1, Act: "finish"})
			h.ok(err)
		}
		open[3] = h.sign(open[3], incident.Grade, "it_dept_head")
		open[3] = h.sign(open[3], incident.Dismiss, "it_dept_head")
		if got, want := told(), []string{"level 4h0m0s", "decryption_deadline 1h0m0s", none, none}; !slices.Equal(got, want) {
			t.Errorf("three hours later they are %q, want %q", got, want)
		}
	})
}
