package refund

import (
	"context"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Tally is how many lines of a parent account stand at one point of their way, what they come to, and since when the oldest
// one does.
type Tally struct {
	Bank          string
	ParentAccount string
	State         State
	Waiting       Waiting // "" when they are done with
	Count         int
	Total         deposit.Fen
	Since         time.Time
}

// Tallies counts all lines, in the order of bank, account and state. Those of sealed lots are counted, and add nothing to the
// total. It is public to whoever may see refunds at all: it tells of no lot.
func (d *Desk) Tallies(ctx context.Context) ([]Tally, error) {
	type counted struct {
		Tally
		batched, proven int
	}
	open, args := lineOpen()
	rows, err := sqldb.Select(ctx, d.db, func(c *counted) []any {
		return []any{&c.Bank, &c.ParentAccount, &c.State, &c.batched, &c.proven, &c.Count, &c.Total, sqldb.Wall(&c.Since)}
	}, "SELECT refunds.bank, refunds.parent_account, refunds.state, CASE WHEN refunds.batch_id = 0 THEN 0 ELSE 1 END, CASE WHEN p.refund_id IS NULL THEN 0 ELSE 1 END, COUNT(*), SUM(CASE WHEN "+open+" THEN refunds.amount ELSE 0 END), MIN(refunds.made_at) "+
		"FROM refunds LEFT JOIN refund_debits AS p ON p.refund_id = refunds.id "+
		"GROUP BY refunds.bank, refunds.parent_account, refunds.state, CASE WHEN refunds.batch_id = 0 THEN 0 ELSE 1 END, CASE WHEN p.refund_id IS NULL THEN 0 ELSE 1 END "+
		"ORDER BY refunds.bank, refunds.parent_account, refunds.state, CASE WHEN refunds.batch_id = 0 THEN 0 ELSE 1 END, CASE WHEN p.refund_id IS NULL THEN 0 ELSE 1 END", args...)
	all := make([]Tally, len(rows))
	for i, c := range rows {
		all[i] = c.Tally
		l := Line{State: c.State, BatchID: sqldb.ID(c.batched)}
		if all[i].Waiting = l.WaitsFor(); c.State == Paid && c.proven > 0 {
			all[i].Waiting = "" // the statement has its debit
		}
	}
	return all, err
}
