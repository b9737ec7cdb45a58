package refund

import (
	"context"
	"errors"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// HandPayment is a refund that a person has made in online banking (网银), outside the service: entered so that it is never
// paid again. Its money is reserved like any other line's, and its debit is looked for on the statement.
type HandPayment struct {
	Order
	Eyes       deposit.Sight
	Department string
	Reference  string // as of a list
	BankSerial string // the bank's number of the payment, as online banking shows it
	Note       string
}

// EnterHandPayment enters a payment made by hand as a line that waits for a second person's word. It may be to another account than
// the payer's only under a confirmed change, as any other.
func (d *Desk) EnterHandPayment(ctx context.Context, by string, p HandPayment) (Submission, error) {
	if p.BankSerial == "" || p.Note == "" {
		return Submission{}, deposit.Refuse(deposit.Invalid, "field_missing", "bank_serial 与 note 须填写：网银的付款流水号，以及为何在系统外付款")
	}
	list := ListOrder{Eyes: p.Eyes, Department: p.Department, Reference: p.Reference, Note: p.Note, Lines: []Order{p.Order}}
	if err := list.check(); err != nil {
		return Submission{}, err
	}
	list.byHand = p.BankSerial
	var s Submission
	err := d.again(func() error {
		return d.db.Write(ctx, by, func(tx *sqldb.Tx) (err error) {
			s, err = d.submit(ctx, tx, &list)
			return err
		})
	})
	return s, err
}

// ConfirmHandPayment is the second person's word: the line is PAID, provisional until its debit is found.
func (d *Desk) ConfirmHandPayment(ctx context.Context, by string, id sqldb.ID, version int64, note string) (l Line, err error) {
	if note == "" {
		return l, deposit.Refuse(deposit.Invalid, "note_required", "请填写核对情况（网银回单）")
	}
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if l, err = LineByID(ctx, tx, id); err != nil {
			return err
		}
		list, err := lists.One(ctx, tx, "WHERE id = ?", l.ListID)
		if err != nil {
			return err
		}
		switch {
		case l.Channel != ByHand:
			return deposit.Refuse(deposit.Conflict, "not_by_hand", "该笔由系统付款，不能登记为网银付款")
		case list.MadeBy == by:
			return samePerson("须由登记人以外的人确认")
		case l.Version != version:
			return sqldb.ErrStale
		}
		for _, act := range []string{"check", "pay_by_hand"} {
			next, err := LineMoves.Next(string(l.State), act)
			if err != nil {
				return err
			}
			if err := tx.Move(ctx, sqldb.Move{Table: "refunds", ID: id, Version: l.Version, From: string(l.State), To: next, Note: note}); err != nil {
				return err
			}
			l.State, l.Version = State(next), l.Version+1
		}
		l.SentAt = tx.Now
		return errors.Join(tx.UpdateAll(ctx, []sqldb.ID{id}, "UPDATE refunds SET sent_at = ? WHERE version = ?", sqldb.At(tx.Now), l.Version),
			countSent(ctx, tx, dayOf(&l, tx.Now), l.Amount, noLimit))
	})
	return l, err
}

// CancelDrafts gives up lines that are in no batch, and their money is free.
func (d *Desk) CancelDrafts(ctx context.Context, by string, lineIDs []sqldb.ID, note string) error {
	if note == "" {
		return deposit.Refuse(deposit.Invalid, "note_required", "请填写撤销原因")
	}
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		var out []Line
		err := sqldb.Chunks(lineIDs, func(in string, args []any) error {
			rows, err := lines.All(ctx, tx, "WHERE state = 'DRAFT' AND batch_id = 0 AND id IN "+in, args...)
			out = append(out, rows...)
			return err
		})
		if err != nil {
			return err
		}
		if len(out) == 0 || len(out) != len(lineIDs) {
			return deposit.Refuse(deposit.Conflict, "lines_taken", "所选明细有的已组成批次、已撤销或不存在；已在批次中的请从批次移出")
		}
		next, err := LineMoves.Next(string(Draft), "cancel")
		if err != nil {
			return err
		}
		return errors.Join(tx.MoveAll(ctx, sqldb.Sweep{Table: "refunds", IDs: lineIDs, From: string(Draft), To: next, Guard: "batch_id = 0", Note: note}), unreserve(ctx, tx, byEntry(out)))
	})
}
