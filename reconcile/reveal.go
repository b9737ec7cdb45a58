package reconcile

import (
	"context"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Revealed is what an audit event says of a row whose masked facts somebody has read.
const Revealed = "REVEALED"

// Reveal gives the whole number of the account that a credit came from, which everything else shows masked. Who read it and
// why stands in the audit trail before anybody has it.
func (d *Desk) Reveal(ctx context.Context, by string, eyes deposit.Sight, id sqldb.ID, reason string) (account deposit.Account, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		e, err := seenEntry(ctx, tx, eyes, id)
		if err != nil {
			return err
		}
		account = deposit.Account(e.PayerAccount)
		return tx.Note(ctx, "entries", id, Revealed, reason)
	})
	return account, err
}
