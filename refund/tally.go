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

// Tallies counts all lines, in the order of bank, account and state.
func (d *Desk) Tallies(ctx context.Context) ([]Tally, error) {
	type counted struct {
		Tally
		batched, proven int
	}
	rows, err := sqldb.Select(ctx, d.db, func(c *counted) []any {
		return []any{&c.Bank, &c.ParentAccount, &c.State, &c.batched, &c.proven, &c.Count, &c.Total, sqldb.Wall(&c.Since)}
	}, "SELECT l.bank, l.parent_account, l.state, CASE WHEN l.batch_id = 0 THEN 0 ELSE 1 END, CASE WHEN p.refund_id IS NULL THEN 0 ELSE 1 END, COUNT(*), SUM(l.amount), MIN(l.made_at) "+
		"FROM refunds AS l LEFT JOIN refund_debits AS p ON p.refund_id = l.id "+
		"GROUP BY l.bank, l.parent_account, l.state, CASE WHEN l.batch_id = 0 THEN 0 ELSE 1 END, CASE WHEN p.refund_id IS NULL THEN 0 ELSE 1 END "+
		"ORDER BY l.bank, l.parent_account, l.state, CASE WHEN l.batch_id = 0 THEN 0 ELSE 1 END, CASE WHEN p.refund_id IS NULL THEN 0 ELSE 1 END")
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
