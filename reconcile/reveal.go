package reconcile

import (
	"context"
	"errors"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Revealed is what an audit event says of a row whose masked facts somebody has read.
const Revealed = "REVEALED"

// Reveal gives the whole number of the account that a credit came from, which everything else shows masked. Who read it and
// why stands in the audit trail before anybody has it.
func (d *Desk) Reveal(ctx context.Context, by string, id sqldb.ID, reason string) (account deposit.Account, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		e, err := bank.EntryByID(ctx, tx, id)
		if errors.Is(err, sqldb.ErrNone) {
			return noCredit()
		}
		if err != nil {
			return err
		}
		account = deposit.Account(e.PayerAccount)
		return tx.Note(ctx, "entries", id, Revealed, reason)
	})
	return account, err
}

func noCredit() error {
	return deposit.Refuse(deposit.NotFound, "credit_unknown", "没有这笔入账")
}
