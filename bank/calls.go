package bank

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Call is the record of one call to a bank, for whoever asks later whether the bank answered. It never holds a payer.
type Call struct {
	ID      sqldb.ID
	Bank    string
	Code    string // what the dialect calls it: "G00003"
	Subject string // the number, the key or the parent account that it was about
	BeganAt time.Time
	TookMs  int64
	Outcome CallOutcome
	Result  string // the bank's result code; without one the error's code
	Detail  string // why it failed, in our own words
}

// What the schema holds of a call, in characters.
const (
	maxSubject    = 64
	maxCallResult = 40
	maxCallDetail = 200
)

// end completes the record. What the bank said in its own words stays out of it: it may name somebody.
func (c *Call) end(at time.Time, result string, err error) {
	c.TookMs, c.Outcome, c.Result = at.Sub(c.BeganAt).Milliseconds(), CallOutcomeOf(err), result
	failed := (*CallError)(nil)
	switch {
	case errors.As(err, &failed) && failed.Result != "":
		c.Result, c.Detail = failed.Result, failed.Detail
	case failed != nil:
		c.Result, c.Detail = deposit.AsRefusal(err).Code, failed.Detail
	case err != nil:
		c.Result, c.Detail = deposit.AsRefusal(err).Code, "请求不合要求，没有发出"
	}
	c.Result, c.Detail = cut(c.Result, maxCallResult), cut(c.Detail, maxCallDetail)
}

var calls = sqldb.NewTable("calls", "id, bank, code, subject, began_at, took_ms, outcome, result, detail", func(c *Call) []any {
	return []any{&c.ID, &c.Bank, &c.Code, &c.Subject, sqldb.Wall(&c.BeganAt), &c.TookMs, &c.Outcome, &c.Result, &c.Detail}
})

// NoteCall keeps the record of a call, after the call: no network waits for it, and it waits for none. Kept again it is
// the same record, which says what was said of it last. One that must not be forgotten, since the bank does something by it and says
// so once, is kept as CallUnknown before it is made.
func (d *Desk) NoteCall(ctx context.Context, c Call) error {
	return d.db.Write(ctx, c.Bank, func(tx *sqldb.Tx) error {
		known, err := tx.Exec(ctx, "UPDATE calls SET took_ms = ?, outcome = ?, result = ?, detail = ? WHERE bank = ? AND code = ? AND began_at = ? AND subject = ?",
			c.TookMs, c.Outcome, c.Result, c.Detail, c.Bank, c.Code, sqldb.At(c.BeganAt), c.Subject)
		if err != nil || known > 0 {
			return err
		}
		kept := c
		kept.ID = tx.NewID()
		return calls.Insert(ctx, tx, kept)
	})
}

// LastCalls gives the newest calls of one kind (code "G00003") to a bank, so many of each outcome, newest first: of a bank
// that has failed for a week, the last success is among them.
func (d *Desk) LastCalls(ctx context.Context, bank, code string, limit int) ([]Call, error) {
	var last []Call
	for _, outcome := range slices.Sorted(maps.Keys(CallOutcomes)) {
		found, err := calls.All(ctx, d.db, "WHERE bank = ? AND code = ? AND outcome = ? ORDER BY began_at DESC, id LIMIT ?", bank, code, outcome, limit)
		if err != nil {
			return nil, err
		}
		last = append(last, found...)
	}
	slices.SortFunc(last, func(a, b Call) int {
		return cmp.Or(b.BeganAt.Compare(a.BeganAt), cmp.Compare(a.ID, b.ID))
	})
	return last, nil
}

// KeptCallDays is how long a call is kept: until nobody asks any more why a bidder could not pay. Of each kind and outcome
// the newest call is kept for ever.
const KeptCallDays = 180

// ForgetCalls deletes the calls that began before an instant, but the newest of each kind and outcome, and says how many.
func (d *Desk) ForgetCalls(ctx context.Context, by string, before time.Time) (forgotten int64, err error) {
	newest, err := sqldb.Select(ctx, d.db, func(c *Call) []any { return []any{&c.Bank, &c.Code, &c.Outcome, sqldb.Wall(&c.BeganAt)} },
		"SELECT bank, code, outcome, MAX(began_at) FROM calls GROUP BY bank, code, outcome ORDER BY bank, code, outcome")
	if err != nil {
		return 0, err
	}
	for _, c := range newest {
		until := c.BeganAt
		if before.Before(until) {
			until = before
		}
		var gone int64
		err := d.db.Write(ctx, by, func(tx *sqldb.Tx) (err error) {
			gone, err = tx.Exec(ctx, "DELETE FROM calls WHERE bank = ? AND code = ? AND outcome = ? AND began_at < ?", c.Bank, c.Code, c.Outcome, sqldb.At(until))
			return err
		})
		if err != nil {
			return forgotten, err
		}
		forgotten += gone
	}
	return forgotten, nil
}
