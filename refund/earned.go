package refund

import (
	"context"
	"fmt"
	"slices"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// A bank that pays interest with the principal books both as one debit. What is above the principal is interest where the
// line's rule gives interest, up to so many times what we expect and a yuan: the demand rate has been 0.35 % and 0.05 %, and a bank
// may still pay by the older one. More than that is no interest.
const mostInterest = 10

// earned is the interest in a debit that pays a line: what the bank paid, and what we had expected by the day of the debit. Not
// ok: the debit is not that line's principal and interest.
func (s *settling) earned(ctx context.Context, tx *sqldb.Tx, e *bank.Entry, paid []Line) (paidInterest deposit.Fen, expected Interest, ok bool, err error) {
	if len(paid) != 1 || e.Amount <= paid[0].Amount || s.desk.rules == nil {
		return 0, expected, false, nil
	}
	l := &paid[0]
	at := slices.IndexFunc(s.desk.rules.rules, func(r Rule) bool { return r.ID == l.Rule })
	if at < 0 || s.desk.rules.rules[at].Interest == "" {
		return 0, expected, false, nil
	}
	credits, err := bank.EntriesByID(ctx, tx, []sqldb.ID{l.EntryID})
	if err != nil || len(credits) == 0 {
		return 0, expected, false, err
	}
	expected, ok = s.desk.rules.Interest(s.desk.rules.rules[at], l.Amount, credits[0].BookingDate, e.BookingDate)
	paidInterest = e.Amount - l.Amount
	return paidInterest, expected, ok && paidInterest <= mostInterest*expected.Amount+100, nil
}

// keepInterest keeps the bank's figure, which is the one that counts, and reports how far it is from ours.
func (s *settling) keepInterest(ctx context.Context, tx *sqldb.Tx, e *bank.Entry, l *Line, paid deposit.Fen, expected Interest) error {
	err := tx.UpdateAll(ctx, []sqldb.ID{l.ID}, "UPDATE refunds SET interest_paid = ?, interest_expected = ? WHERE interest_paid = 0", paid, expected.Amount)
	if err != nil || expected.Gap(paid) == 0 {
		return err
	}
	s.gaps = append(s.gaps, reconcile.Finding{Subject: e.ID, Code: reconcile.InterestDiffers, Reasons: string(reconcile.InterestDiffers), Day: e.BookingDate, Bank: e.Bank,
		ParentAccount: e.ParentAccount, Amount: paid, LotID: l.LotID, BidID: l.BidID, Department: string(reconcile.Finance),
		Detail: fmt.Sprintf("退付 %s 银行付息 %s 元，应为 %s 元（%d 天，年利率 %s%%）", l.Serial, paid.Grouped(), expected.Amount.Grouped(), expected.Days, expected.Rate)})
	return nil
}
