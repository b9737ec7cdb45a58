package refund

import (
	"context"
	"errors"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// RevealPayee gives the whole number of the account that a refund goes to, once its lot is opened, and leaves in the audit trail who
// read it and why.
func (d *Desk) RevealPayee(ctx context.Context, by string, eyes deposit.Sight, id sqldb.ID, reason string) (account deposit.Account, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		open, args := platform.LotSeen("refunds.lot_id", eyes)
		l, err := lines.One(ctx, tx, "WHERE id = ? AND (lot_id = 0 OR "+open+")", append([]any{id}, args...)...)
		if errors.Is(err, sqldb.ErrNone) {
			return unknownRefund()
		}
		if err != nil {
			return err
		}
		account = deposit.Account(l.PayeeAccount)
		return tx.Note(ctx, "refunds", id, reconcile.Revealed, reason)
	})
	return account, err
}

// RevealChange gives the whole number of the account that somebody wants refunds to go to, for those who hold it against the
// evidence, and leaves in the audit trail who read it and why.
func (d *Desk) RevealChange(ctx context.Context, by string, eyes deposit.Sight, id sqldb.ID, reason string) (account deposit.Account, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		p, err := changeByID(ctx, tx, eyes, id)
		if err != nil {
			return err
		}
		account = deposit.Account(p.PayeeAccount)
		return tx.Note(ctx, "payee_changes", id, reconcile.Revealed, reason)
	})
	return account, err
}
