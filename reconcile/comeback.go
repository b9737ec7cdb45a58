package reconcile

import (
	"context"

	"depositd/bank"
	"depositd/migrations/sqldb"
)

// comeback marks a credit that a refund of ours came back with, where the bank itself does not say so.
type comeback struct{ EntryID sqldb.ID }

var comebacks = sqldb.NewTable("comebacks", "entry_id", func(c *comeback) []any { return []any{&c.EntryID} })

// CameBack says that a credit is a payment of ours come back (退汇), and has it judged again: it is nobody's deposit. Said twice it is
// said once.
func CameBack(ctx context.Context, tx *sqldb.Tx, entry sqldb.ID) error {
	known, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM comebacks WHERE entry_id = ?", entry)
	if err != nil || known > 0 {
		return err
	}
	if err := comebacks.Insert(ctx, tx, comeback{entry}); err != nil {
		return err
	}
	return bank.Requeue(ctx, tx, entry)
}

// recall marks the credits that are refunds come back.
func (h *hearing) recall(ctx context.Context, r sqldb.Reader, _ Rules) error {
	return sqldb.Chunks(h.ids(), func(in string, args []any) error {
		rows, err := comebacks.All(ctx, r, "WHERE entry_id IN "+in, args...)
		for _, c := range rows {
			h.credits[c.EntryID].credit.Returned = true
		}
		return err
	})
}
