package refund

import (
	"context"
	"slices"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// A deposit whose bid was withdrawn goes back within days, and before the opening (条例 §35): so refunds have to be made by
// people who must not know whose they are. Such a line is blind. It is proposed by the service, which has verified that
// the bid was withdrawn, that the money is here, and that it goes back to the account it came from; whoever lists, checks
// and releases it sees its rule and its day, no name, lot, account of the payer or amount. Limits are checked inside. A batch
// is blind or not, and of a blind one the count alone is signed. The details open with the lot.

// withdrawnBlind says that a credit can go back blind: it counts for a bid that was withdrawn, on a lot that is sealed.
func withdrawnBlind(r *reconcile.Receipt) bool {
	return r.Lot.ID != 0 && r.Lot.Sealed() && r.Bid.State == platform.BidWithdrawn
}

// saysNothing says that an order names the credit that was proposed, and nothing that only the bidder could know.
func (o *Order) saysNothing() bool {
	bare := Order{Row: o.Row, Credit: o.Credit}
	if o.Cause == BidWithdrawn {
		bare.Cause = BidWithdrawn
	}
	if o.Serial == "" {
		bare.Bank = o.Bank // where there is one bank only, it is filled in
	}
	return *o == bare
}

// blinded makes what is wrong with a blind line one complaint: which fact it is would tell of the payer. That the bank has
// not told the payer's bank tells of the bank's messages alone, and is said, since waiting does not mend it.
func blinded(row int, faults []Fault) []Fault {
	if len(faults) == 0 {
		return nil
	}
	c := &complaint{row: row}
	if slices.ContainsFunc(faults, func(f Fault) bool { return f.Code != "payee_bank_code_missing" && f.Code != "payee_bank_missing" }) {
		c.add("credit", "sealed_refund_unready", "该密封退付的事实尚未核验通过（撤回、到账、原路退回），请待日终对账后再办理；仍不能办理的，开标后列入名单，届时逐项列明原因")
	} else {
		c.add("credit", "sealed_bank_missing", "该密封退付缺少收款行的行号或行名：银行的入账报文没有写明，等待不能补齐。开标后列入名单时填写即可；须在开标前退还的，请领导与开户银行商定办法。"+
			"请要求银行今后在入账通知和对账单中写明付款行行号、行名")
	}
	return c.faults
}

// sealed is a line as it may be shown before its lot is opened.
func (l *Line) sealed() Line {
	return Line{ID: l.ID, Serial: l.Serial, ListID: l.ListID, Bank: l.Bank, ParentAccount: l.ParentAccount, Cause: l.Cause, Rule: l.Rule, DueOn: l.DueOn, Provisional: l.Provisional,
		Channel: l.Channel, BatchID: l.BatchID, SendID: l.SendID, Word: l.Word, Code: l.Code, Vouched: l.Vouched, Blind: l.Blind, State: l.State, Version: l.Version,
		MadeAt: l.MadeAt, SentAt: l.SentAt, AskedAt: l.AskedAt}
}

// sealed is a proposal as it may be shown before its lot is opened.
func (p Proposal) sealed() Proposal {
	e := &p.Receipt.Entry
	p.Receipt = &reconcile.Receipt{Entry: bank.Entry{ID: e.ID, Bank: e.Bank, ParentAccount: e.ParentAccount}}
	p.Ground = Ground{Cause: p.Ground.Cause, Event: p.Ground.Event}
	p.Amount, p.Fee, p.Sealed = 0, 0, true
	return p
}

// lineSeen is the condition that a line of refunds may be seen, and its arguments: one of a sealed lot by whoever sees
// everything, and then without its details.
func lineSeen(eyes deposit.Sight) (condition string, args []any) {
	if eyes.Everything() {
		return "refunds.id <> 0", nil
	}
	return platform.LotSeen("refunds.lot_id", eyes)
}

// lineOpen is the condition that there is nothing to hide about a line of refunds.
func lineOpen() (condition string, args []any) {
	open, args := platform.LotSeen("refunds.lot_id", deposit.SightOfAll())
	return "(refunds.lot_id = 0 OR " + open + ")", args
}

// sealedBatches tells which of some batches hold a line that may not be shown yet.
func sealedBatches(ctx context.Context, r sqldb.Reader, keys []sqldb.ID) (map[sqldb.ID]bool, error) {
	sealed := map[sqldb.ID]bool{}
	open, more := lineOpen()
	err := sqldb.Chunks(keys, func(in string, args []any) error {
		found, err := sqldb.Select(ctx, r, func(id *sqldb.ID) []any { return []any{id} },
			"SELECT DISTINCT refunds.batch_id FROM refunds WHERE refunds.batch_id IN "+in+" AND NOT "+open, append(args, more...)...)
		for _, id := range found {
			sealed[id] = true
		}
		return err
	})
	return sealed, err
}

// veil takes out of batches what may not be shown yet, which is what they come to.
func veil(ctx context.Context, r sqldb.Reader, all []Batch) error {
	keys := make([]sqldb.ID, len(all))
	for i := range all {
		keys[i] = all[i].ID
	}
	sealed, err := sealedBatches(ctx, r, keys)
	for i := range all {
		if sealed[all[i].ID] {
			all[i].Total, all[i].Sealed = 0, true
		}
	}
	return err
}

// amountNoted is an amount in the audit trail, which is read before the opening too.
func amountNoted(all []Line) string {
	for i := range all {
		if all[i].Blind {
			return "金额密封"
		}
	}
	return total(all).Grouped() + " 元"
}
