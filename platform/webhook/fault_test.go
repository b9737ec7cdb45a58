package webhook_test

import (
	"context"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/platform/webhook"
)

// A useCase is one thing that is asked about a delivery, from a stage that was prepared.
type useCase struct {
	name  string
	stage func(h *house) webhook.Delivery
	run   func(ctx context.Context, h *house, x webhook.Delivery) error
}

// due is a delivery that was tried in vain so often.
func due(times int) func(h *house) webhook.Delivery {
	return func(h *house) webhook.Delivery {
		h.t.Helper()
		h.report(incident.Order{Scenario: "5.1.1", Title: "断网", Department: "建设工程科"})
		for range times {
			_, err := h.hooks.Tried(ctx, "sender", h.page(webhook.Query{})[0], webhook.Outcome{Answer: 503, Failure: webhook.Refused}, 0)
			h.ok(err)
		}
		return h.page(webhook.Query{})[0]
	}
}

// tried keeps an outcome as the sender does, who has seen the delivery once.
func tried(o webhook.Outcome) func(context.Context, *house, webhook.Delivery) error {
	return func(ctx context.Context, h *house, x webhook.Delivery) error {
		_, err := h.hooks.Tried(ctx, "sender", x, o, 0.5)
		return err
	}
}

var useCases = []useCase{
	{"Queue", due(0), func(ctx context.Context, h *house, x webhook.Delivery) error {
		_, err := h.incidents.Declare(ctx, "张工", incident.Declaration{Incident: x.IncidentID, Version: 1, Act: incident.Dismiss, Office: "it_dept_head", Text: "误报"})
		return err
	}},
	{"Tried and taken", due(0), tried(webhook.Outcome{Answer: 200})},
	{"Tried in vain", due(0), tried(webhook.Outcome{Failure: webhook.NoAnswer, Wait: time.Minute})},
	{"Tried for the last time", due(2), tried(webhook.Outcome{Answer: 500, Failure: webhook.Refused})},
	{"Resend", due(3), func(ctx context.Context, h *house, x webhook.Delivery) error {
		_, err := h.hooks.Resend(ctx, "某人", x.ID, x.Version)
		if deposit.IsKind(err, deposit.Conflict) { // it waits already
			err = nil
		}
		return err
	}},
}

// trial is a use case over a house of its own.
func trial(t *testing.T, c useCase) sqldbtest.Trial {
	t.Helper()
	h := newHouse(t, sqldbtest.Place(t), two)
	x := c.stage(h)
	h.ok(h.db.Close())
	return sqldbtest.Trial{URL: h.url, Now: func() time.Time { return h.now }, Modes: sqldbtest.InTurn(1), Run: func(ctx context.Context, db *sqldb.DB) error {
		return c.run(ctx, h.over(db), x)
	}}
}

// TestTortureEveryCallFails: whatever call to the database fails, a notice is queued with what it tells of or not at all, and each
// outcome of a delivery is kept once.
func TestTortureEveryCallFails(t *testing.T) {
	sqldbtest.Unwatched(t)
	for _, c := range useCases {
		t.Run(c.name, func(t *testing.T) { trial(t, c).Holds(t) })
	}
}

// A sender that looks at the delivery anew each time, and so counts an attempt twice, is found out.
func TestEveryCallFailsIsNoticed(t *testing.T) {
	sqldbtest.Unwatched(t)
	if !trial(t, useCase{"looked at anew", due(0), func(ctx context.Context, h *house, _ webhook.Delivery) error {
		page, _, err := h.hooks.Page(ctx, webhook.Query{Limit: 1})
		if err == nil {
			_, err = h.hooks.Tried(ctx, "sender", page[0], webhook.Outcome{Failure: webhook.NoAnswer}, 0)
		}
		return err
	}}).Notices(t) {
		t.Error("it is not found")
	}
}

// No method of the desk that writes is forgotten.
func TestEveryMethodIsDisturbed(t *testing.T) {
	var names []string
	for _, c := range useCases {
		names = append(names, c.name)
	}
	for _, wrong := range sqldbtest.Forgotten(&webhook.Desk{}, names, "Settings", "OnResend", "Due", "Page") {
		t.Error(wrong)
	}
}
