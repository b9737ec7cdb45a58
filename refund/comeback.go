package refund

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// comeback ties a payment to the credit that it came back with.
type comeback struct {
	RefundID sqldb.ID
	EntryID  sqldb.ID
}

var comebacks = sqldb.NewTable("refund_returns", "refund_id, entry_id", func(c *comeback) []any { return []any{&c.RefundID, &c.EntryID} })

// Beside is this desk's part in the judge's work: he is told of payments come back before he takes one for a deposit, and
// verifies what may never be of refunds.
func (d *Desk) Beside() reconcile.Beside {
	return reconcile.Beside{Readings: readings, Before: func(ctx context.Context, waiting []bank.Entry) error {
		_, err := d.recogniseAll(ctx, "judge", waiting)
		return err
	}}
}

// recogniseAll looks through entries that wait to be judged for payments of ours come back (退汇), so that none of them is
// taken for a deposit. It says how many it found.
//
// A credit that has our serial in it, or that the bank itself calls returned and that has the account and the amount of one
// unproven return only, is that payment: the line becomes RETURNED and its money is free for a new line. A bidder may well pay another
// deposit of the same amount from the account he was paid back to, so that account and amount alone are no proof: on the parent account itself
// they leave a finding for a person, on a sub-account nothing.
func (d *Desk) recogniseAll(ctx context.Context, by string, waiting []bank.Entry) (found int, err error) {
	if !slices.ContainsFunc(d.banks.All(), (*bank.Bank).Pays) {
		return 0, nil
	}
	told, err := asStated(ctx, d.db, waiting)
	if err != nil {
		return 0, err
	}
	for i := range told {
		e := &told[i]
		if b, err := d.banks.Bank(e.Bank); err != nil || !b.Pays() || e.Direction != bank.Credit || e.Reversal == bank.Reverses || !mayBeReturn(e) {
			continue
		}
		was, err := d.recognise(ctx, by, e)
		if err != nil {
			return found, fmt.Errorf("recognise a returned payment: %w", err)
		}
		if was {
			found++
		}
	}
	return found, nil
}

// asStated gives entries with what the statement says of those that it calls returned: a notice that came first may have had no
// words for it.
func asStated(ctx context.Context, r sqldb.Reader, waiting []bank.Entry) ([]bank.Entry, error) {
	told, keys, at := slices.Clone(waiting), make([]sqldb.ID, len(waiting)), make(map[sqldb.ID]int, len(waiting))
	for i := range told {
		keys[i], at[told[i].ID] = told[i].ID, i
	}
	differ, err := bank.ConflictsOf(ctx, r, keys)
	for i := range differ {
		if e := &told[at[differ[i].EntryID]]; differ[i].StatedReturned() {
			e.Returned, e.Remark = true, e.Remark+" "+differ[i].Remark()
		}
	}
	return told, err
}

// mayBeReturn sorts out nearly all credits without a question to the database.
func mayBeReturn(e *bank.Entry) bool {
	return e.Returned || e.SubAccount == "" || messageName.MatchString(e.Remark) || len(bank.PaySerialsIn(e.Remark)) > 0 || strings.Contains(e.Remark, "退汇") || strings.Contains(e.Remark, "退票")
}

func (d *Desk) recognise(ctx context.Context, by string, e *bank.Entry) (was bool, err error) {
	err = d.again(func() error {
		return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
			was = false
			known, err := comebacks.All(ctx, tx, "WHERE entry_id = ?", e.ID)
			if err != nil || len(known) > 0 {
				return err
			}
			if was, err = repaid(ctx, tx, e); was || err != nil {
				return err
			}
			candidates, sure, err := candidatesFor(ctx, tx, e)
			switch {
			case err != nil || len(candidates) == 0 && !sure:
				return err
			case sure && len(candidates) == 1 && candidates[0].Amount == e.Amount && candidates[0].ParentAccount == e.ParentAccount && mayReturn[candidates[0].State]:
				was = true
				return comeBack(ctx, tx, e, &candidates[0])
			case sure && len(candidates) > 0: // it is a payment of ours, whatever it is: nobody's deposit
				if err := reconcile.CameBack(ctx, tx, e.ID); err != nil {
					return err
				}
			}
			return reconcile.KeepFindings(ctx, tx, reconcile.KindReturn, []sqldb.ID{e.ID}, []reconcile.Finding{unclear(e, candidates)})
		})
	})
	return was, err
}

// mayReturn are the states of a line whose payment can come back: the bank's word on it may be slower than the money.
var mayReturn = map[State]bool{Sending: true, Accepted: true, Unknown: true, Paid: true}

// returnWithin is how long after a payment it may come back by itself: banks give up an account they cannot find within days.
const returnWithin = 60 * 24 * time.Hour

// candidatesFor finds the payments that a credit may be; sure says that the credit itself names it.
func candidatesFor(ctx context.Context, tx *sqldb.Tx, e *bank.Entry) (candidates []Line, sure bool, err error) {
	if serials := bank.PaySerialsIn(e.Remark); len(serials) > 0 {
		candidates, err = lines.All(ctx, tx, "WHERE bank = ? AND serial IN "+sqldb.In(len(serials)), append([]any{e.Bank}, texts(serials)...)...)
		return candidates, true, err
	}
	candidates, err = lines.All(ctx, tx, "WHERE bank = ? AND parent_account = ? AND payee_tag = ? AND amount = ? AND (? = '' OR sub_account = ?) "+
		"AND state IN ('SENDING','PAID','ACCEPTED','UNKNOWN') AND sent_at >= ? AND sent_at <= ? ORDER BY sent_at, id",
		e.Bank, e.ParentAccount, sqldb.Tag(payeeTag, &e.PayerAccount), e.Amount, e.SubAccount, e.SubAccount, sqldb.At(e.BookedAt.Add(-returnWithin)), sqldb.At(e.BookingDate.Add(1).Start())) // a bank may tell the day alone
	return candidates, e.Returned || strings.Contains(e.Remark, "退汇") || strings.Contains(e.Remark, "退票"), err
}

func texts(all []string) []any {
	args := make([]any, len(all))
	for i, s := range all {
		args[i] = s
	}
	return args
}

// comeBack makes a payment RETURNED by the credit that it came back with.
func comeBack(ctx context.Context, tx *sqldb.Tx, e *bank.Entry, l *Line) error {
	if l.State != Paid { // that it came back says that it was paid
		next, err := LineMoves.Next(string(l.State), "pay")
		if err != nil {
			return err
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "refunds", ID: l.ID, Version: l.Version, From: string(l.State), To: next, Note: "退汇证明曾付款"}); err != nil {
			return err
		}
		l.State, l.Version = Paid, l.Version+1
	}
	if err := tx.Move(ctx, sqldb.Move{Table: "refunds", ID: l.ID, Version: l.Version, From: string(Paid), To: string(Returned), Note: "退汇，入账流水 " + e.Serial}); err != nil {
		return err
	}
	return errors.Join(comebacks.Insert(ctx, tx, comeback{l.ID, e.ID}), unreserve(ctx, tx, byEntry([]Line{*l})), reconcile.CameBack(ctx, tx, e.ID))
}

// unclear is the finding on a credit of which a person has to say whether it is a payment come back.
func unclear(e *bank.Entry, candidates []Line) reconcile.Finding {
	detail := "银行称为退汇，本系统没有账号、金额相符的已付退付，请核对"
	if len(candidates) > 0 {
		detail = fmt.Sprintf("疑为退付 %s 退汇（共 %d 笔可能），请核对后确认", candidates[0].Serial, len(candidates))
	}
	return reconcile.Finding{Subject: e.ID, Code: reconcile.ReturnUnclear, Reasons: string(reconcile.ReturnUnclear), Day: e.BookingDate, Bank: e.Bank, ParentAccount: e.ParentAccount,
		Amount: e.Amount, Department: string(reconcile.Finance), Detail: detail}
}

// ConfirmReturn is a person's word that a credit is a certain payment come back, where it could not be recognised for sure.
func (d *Desk) ConfirmReturn(ctx context.Context, by string, refund sqldb.ID, version int64, entry sqldb.ID, note string) error {
	if note == "" {
		return deposit.Refuse(deposit.Invalid, "note_required", "请填写核对情况")
	}
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		l, err := LineByID(ctx, tx, refund)
		if err != nil {
			return err
		}
		e, err := bank.EntryByID(ctx, tx, entry)
		switch {
		case errors.Is(err, sqldb.ErrNone):
			return deposit.Refuse(deposit.NotFound, "credit_unknown", "没有这笔入账")
		case err != nil:
			return err
		case l.Version != version:
			return sqldb.ErrStale
		case e.Direction != bank.Credit || e.Amount != l.Amount || e.Bank != l.Bank || e.ParentAccount != l.ParentAccount:
			return deposit.Refuse(deposit.Conflict, "return_differs", "退汇入账的账户或金额与该笔退付不符")
		}
		if err := comeBack(ctx, tx, &e, &l); err != nil {
			return err
		}
		return errors.Join(tx.Note(ctx, "refunds", l.ID, "CONFIRMED", note), reconcile.KeepFindings(ctx, tx, reconcile.KindReturn, []sqldb.ID{e.ID}, nil))
	})
}

// repayment is the one credit by which a bank that posts in one sum gives back what failed of a message.
type repayment struct{ EntryID, SendID sqldb.ID }

var repayments = sqldb.NewTable("refund_repayments", "entry_id, send_id", func(r *repayment) []any { return []any{&r.EntryID, &r.SendID} })

// repaid recognises such a credit by the message's number in its remark. Whether it is what failed is asked each night (Settle),
// since the bank's word on the lines may come later than the money.
func repaid(ctx context.Context, tx *sqldb.Tx, e *bank.Entry) (bool, error) {
	send, err := messageIn(ctx, tx, e.Bank, e.Remark)
	if err != nil || send == 0 {
		return false, err
	}
	known, err := repayments.All(ctx, tx, "WHERE entry_id = ?", e.ID)
	if err != nil || len(known) > 0 {
		return len(known) > 0, err
	}
	return true, errors.Join(repayments.Insert(ctx, tx, repayment{e.ID, send}), reconcile.CameBack(ctx, tx, e.ID))
}

// repaymentsDiffer finds the repayments on an account that are not the sum of what failed of their message. They are few, and the
// entries many: CROSS JOIN keeps the order in which they stand.
func repaymentsDiffer(ctx context.Context, r sqldb.Reader, b bank.Book) (subjects []sqldb.ID, wanted []reconcile.Finding, err error) {
	type gap struct {
		bank.Entry
		failed deposit.Fen
	}
	rows, err := sqldb.Select(ctx, r, func(g *gap) []any { return []any{&g.ID, &g.Serial, &g.BookingDate, &g.Amount, &g.failed} },
		"SELECT e.id, e.serial, e.booking_date, e.amount, COALESCE((SELECT SUM(l.amount) FROM refunds AS l WHERE l.send_id = p.send_id AND l.state = 'FAILED' AND (e.sub_account = '' OR l.sub_account = e.sub_account)), 0) "+
			"FROM refund_repayments AS p CROSS JOIN entries AS e WHERE e.id = p.entry_id AND e.bank = ? AND e.parent_account = ? ORDER BY e.id", b.Bank, b.ParentAccount)
	for _, g := range rows {
		subjects = append(subjects, g.ID)
		if g.failed != g.Amount {
			wanted = append(wanted, reconcile.Finding{Subject: g.ID, Code: reconcile.RefundDisagrees, Reasons: string(reconcile.RefundDisagrees), Day: g.BookingDate, Bank: b.Bank, ParentAccount: b.ParentAccount,
				Amount: g.Amount, Department: string(reconcile.Finance), Detail: "批量付款失败退回 " + g.Amount.Grouped() + " 元，该报文失败的退付合计 " + g.failed.Grouped() + " 元"})
		}
	}
	return subjects, wanted, err
}
