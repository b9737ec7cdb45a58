package refund

import (
	"context"
	"errors"
	"slices"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// RevealPayee gives the whole name and number of the account that a refund goes to, once its lot is opened, and leaves in the audit
// trail who read it and why. NotFound "refund_unknown"; Denied "reveals_spent".
func (d *Desk) RevealPayee(ctx context.Context, r reconcile.Revealing) (reconcile.Whole, error) {
	return r.Show(ctx, d.db, "refunds", func(tx *sqldb.Tx) (reconcile.Whole, error) {
		seen, args := lineSeen(r.Eyes)
		open, more := lineOpen()
		l, err := lines.One(ctx, tx, "WHERE id = ? AND "+seen+" AND "+open, slices.Concat([]any{r.ID}, args, more)...)
		if errors.Is(err, sqldb.ErrNone) {
			err = unknownRefund()
		}
		return payee(ctx, tx, l.PayeeName, l.PayeeAccount, l.EntryID, err)
	})
}

// RevealChange gives the whole name and number of the account that somebody wants refunds to go to, for those who hold them against
// the evidence, and leaves in the audit trail who read it and why. NotFound "change_unknown"; Denied "reveals_spent".
func (d *Desk) RevealChange(ctx context.Context, r reconcile.Revealing) (reconcile.Whole, error) {
	return r.Show(ctx, d.db, "payee_changes", func(tx *sqldb.Tx) (reconcile.Whole, error) {
		p, err := changeByID(ctx, tx, r.Eyes, r.ID)
		return payee(ctx, tx, p.PayeeName, p.PayeeAccount, p.EntryID, err)
	})
}

// payee is who is paid back, and for which bidder the money of an entry came; err is why there is nobody.
func payee(ctx context.Context, tx *sqldb.Tx, name, account string, entry sqldb.ID, err error) (reconcile.Whole, error) {
	if err != nil {
		return reconcile.Whole{}, err
	}
	bidder, err := reconcile.BidderOf(ctx, tx, entry)
	return reconcile.Whole{Name: deposit.Name(name), Account: deposit.Account(account), Bidder: bidder}, err
}
