package refund_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/reconcile"
	"depositd/refund"
)

// imports takes in the bank's statement of a day.
func (h *house) imports(day deposit.Day) {
	h.t.Helper()
	*h.now = day.Add(1).Start().Add(30 * time.Minute)
	file, err := h.sim.Statement(parent, day)
	h.must(err)
	_, err = h.bank.Import(context.Background(), "nightly", h.lcyh, "statement", strings.NewReader(string(file)))
	h.must(err)
}

// disturbed is what is wrong after each call to the database in turn has failed, in each way, and the case was asked again.
func disturbed(t *testing.T, c useCase) (wrong []string) {
	t.Helper()
	url := freshURL(t)
	h := open(t, url, "gseries", c.posting())
	c.stage(h)
	now := *h.now
	h.must(h.db.Close())
	restore := sqldbtest.Snapshot(t, url)
	again := func(faults *sqldbtest.Faults) *house { // a bank of its own each time, which pays what is new to it
		db, err := sqldb.OpenWith(context.Background(), url, func() time.Time { return now }, faults.Between)
		h.must(err)
		sqldbtest.Unlock(t, db)
		fresh := *h
		fresh.db, fresh.bank, fresh.reconcile = db, bank.NewDesk(db), reconcile.NewDesk(db, h.banks, reconcile.Rules{})
		fresh.limit(refund.DefaultLimits)
		fresh.now = &now
		fresh.pays = h.pays
		if c.name == "SendDue" {
			fresh.pays = banksim.New(h.lcyh, rand.New(rand.NewPCG(1, 2)), func() time.Time { return now }).Paying(banksim.PayRules{})
		}
		return &fresh
	}
	faults := &sqldbtest.Faults{}
	one := again(faults)
	faults.Arm("", 0, nil)
	h.must(c.run(context.Background(), one))
	calls, _ := faults.Heal()
	want := shape(one)
	h.must(one.db.Close())
	for _, mode := range sqldbtest.FaultModes {
		for k := 1; k <= calls; k++ {
			restore(t)
			faults := &sqldbtest.Faults{}
			one := again(faults)
			ctx, leave := context.WithCancel(context.Background())
			faults.Arm(mode, k, leave)
			err := c.run(ctx, one)
			leave()
			faults.Heal()
			if err == nil && shape(one) != want && c.name != "SendDue" && c.name != "AskDue" {
				wrong = append(wrong, fmt.Sprintf("%s at %d of %d: acknowledged, and it is %s", mode, k, calls, shape(one)))
			}
			wrong = append(wrong, broken(one, fmt.Sprintf("%s at %d of %d", mode, k, calls))...)
			for range 2 { // the next runs; the second one asks what became of what broke off
				if err := c.run(context.Background(), one); err != nil {
					wrong = append(wrong, fmt.Sprintf("%s at %d of %d: asked again: %v", mode, k, calls, err))
				}
				if _, err := one.refund.AskDue(context.Background(), "sender", one.lcyh, time.Minute, one.exchange); c.name == "SendDue" && err != nil {
					wrong = append(wrong, err.Error())
				}
			}
			if got := shape(one); got != want {
				wrong = append(wrong, fmt.Sprintf("%s at %d of %d: it ends as %s, want %s", mode, k, calls, got, want))
			}
			wrong = append(wrong, broken(one, fmt.Sprintf("%s at %d of %d, asked again", mode, k, calls))...)
			h.must(one.db.Close())
		}
	}
	return wrong
}

// broken are the invariants that do not hold.
func broken(h *house, when string) (wrong []string) {
	checks, err := h.refund.Verify(context.Background())
	h.must(err)
	for _, check := range checks {
		if check.Count > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %s %s", when, check.Code, check.Title))
		}
	}
	return wrong
}

// shape is what of the desk's state has to come out the same: how many lines, batches and promises stand where.
func shape(h *house) string {
	var all []string
	for _, text := range []string{"SELECT COUNT(*) FROM refund_lists", "SELECT COALESCE(SUM(reserved), 0) FROM receipts", "SELECT COUNT(*) FROM refund_sends", "SELECT COUNT(*) FROM refund_debits",
		"SELECT COUNT(DISTINCT row_id) FROM events WHERE became = 'REVEALED'", "SELECT COUNT(*) FROM dispositions", "SELECT COUNT(*) FROM dispositions WHERE state = 'STANDING'", "SELECT COUNT(*) FROM payee_changes", "SELECT COUNT(*) FROM payee_changes WHERE state = 'REVIEWED'",
		"SELECT COUNT(*) FROM refund_batches WHERE state = 'RELEASED'", "SELECT COUNT(*) FROM refund_batches WHERE state = 'SUBMITTED'", "SELECT COALESCE(SUM(line_count), 0) FROM refund_batches",
		"SELECT COUNT(*) FROM refunds WHERE state = 'CANCELLED'", "SELECT COUNT(*) FROM refunds WHERE state = 'FAILED'", "SELECT COUNT(*) FROM refunds WHERE state = 'RETURNED'",
		"SELECT COUNT(*) FROM refunds WHERE vouched <> ''", "SELECT COALESCE(SUM(sent), 0) FROM refund_days", "SELECT COUNT(*) FROM refund_batches WHERE state = 'STARTED'", "SELECT COUNT(*) FROM refund_batches WHERE state = 'CHECKED'",
		"SELECT COUNT(*) FROM refunds WHERE state = 'DRAFT'", "SELECT COUNT(*) FROM refunds WHERE state = 'CHECKED'", "SELECT COUNT(*) FROM refunds WHERE state = 'RELEASED'",
		"SELECT COUNT(*) FROM refunds WHERE state IN ('PAID','UNKNOWN')", "SELECT COUNT(*) FROM refunds"} { // of what broke off nobody knows whether it was paid
		n, err := sqldb.Value[int64](context.Background(), h.db, text)
		h.must(err)
		all = append(all, fmt.Sprint(n))
	}
	return strings.Join(all, " ")
}

// TestTortureEveryCallFails: whichever call to the database fails, the use case asked again ends as if nothing had happened, and
// nothing that may never be is.
func TestTortureEveryCallFails(t *testing.T) {
	sqldbtest.Unwatched(t)
	for _, c := range useCases {
		t.Run(c.name, func(t *testing.T) {
			for _, wrong := range disturbed(t, c) {
				t.Error(wrong)
			}
		})
	}
}

// No method of the desk that writes is forgotten.
func TestEveryMethodIsDisturbed(t *testing.T) {
	var names []string
	for _, c := range useCases {
		names = append(names, c.name)
	}
	for _, wrong := range sqldbtest.Forgotten(&refund.Desk{}, names, "Answered", // keeps an answer, for SendDue, SendAgain and AskDue
		"Beside", "OnRelease", "Changes", "Diagnose", "Dispositions", "Proposals", "DueWithin", "Tallies", "Verify", "Lines", "View", "Story", "Lists", "ListByID", "Batches", "BatchWithLines",
		"DispositionPage", "ChangePage", "Watch", "WatchOverdue") {
		t.Error(wrong)
	}
}

// A use case that promises money and stores the line in two transactions is found out.
func TestEveryCallFailsIsNoticed(t *testing.T) {
	sqldbtest.Unwatched(t)
	wrong := disturbed(t, useCase{name: "in two transactions", stage: func(h *house) { h.submitted("R1", orders(h.ready(2)...)...) }, run: func(ctx context.Context, h *house) error {
		for _, text := range []string{"UPDATE receipts SET reserved = reserved - 80000000 WHERE reserved > 0 AND entry_id IN (SELECT entry_id FROM refunds WHERE state = 'DRAFT')",
			"UPDATE refunds SET state = 'CANCELLED' WHERE state = 'DRAFT'"} {
			err := h.db.Write(ctx, "甲", func(tx *sqldb.Tx) error { _, err := tx.Exec(ctx, text); return err })
			if err != nil {
				return err
			}
		}
		return nil
	}})
	if len(wrong) == 0 {
		t.Error("it is not found")
	}
}
