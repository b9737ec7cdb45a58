package refund

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// Signature is what a person signs a batch with: the version and digest seen, and the count and total, entered again by hand.
// Of a blind batch the total is not known to anybody, and 0.
type Signature struct {
	Batch   sqldb.ID
	Version int64
	Digest  string
	Count   int
	Total   deposit.Fen
}

// Check is finance's second look: another person than the maker enters count and total again, and every line is held
// against its receipt once more. Denied "same_person"; Conflict "batch_changed", "receipt_changed".
func (d *Desk) Check(ctx context.Context, by string, s Signature) (Batch, error) {
	return d.sign(ctx, by, s, "check", func(tx *sqldb.Tx, b Batch, all []Line) error {
		if by == b.MadeBy {
			return samePerson("复核人不能是制单人")
		}
		if err := d.stillFree(ctx, tx, all); err != nil {
			return err
		}
		return moveLines(ctx, tx, all, "check", "批次 "+b.Number+" 复核")
	}, "checked_by = ?, checked_at = ?")
}

// Release is the leader's word: a third person lets the batch go, while the check still stands.
func (d *Desk) Release(ctx context.Context, by string, s Signature) (Batch, error) {
	b, err := d.sign(ctx, by, s, "release", func(tx *sqldb.Tx, b Batch, all []Line) error {
		switch {
		case by == b.MadeBy || by == b.CheckedBy:
			return samePerson("放行人不能是制单人或复核人")
		case tx.Now.Sub(b.CheckedAt) > d.limits.ApprovalLasts:
			return deposit.Refuse(deposit.Conflict, "check_lapsed", "复核已超过有效时间，请退回后重新复核")
		}
		return moveLines(ctx, tx, all, "release", "批次 "+b.Number+" 放行")
	}, "released_by = ?, released_at = ?")
	if err == nil {
		d.released()
	}
	return b, err
}

func samePerson(text string) error { return deposit.Refuse(deposit.Denied, "same_person", text) }

// sign moves a batch one step by a person's signature. approve says whether that person may and moves the lines; columns
// are those that keep who and when.
func (d *Desk) sign(ctx context.Context, by string, s Signature, act string, approve func(*sqldb.Tx, Batch, []Line) error, columns string) (b Batch, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if b, err = BatchByID(ctx, tx, s.Batch); err != nil {
			return err
		}
		all, err := LinesOf(ctx, tx, b.ID)
		if err != nil {
			return err
		}
		next, err := BatchMoves.Next(b.State, act)
		if err != nil {
			return err
		}
		if err := b.signedAs(tx, s, all); err != nil {
			return err
		}
		if err := approve(tx, b, all); err != nil {
			return err
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "refund_batches", ID: b.ID, Version: s.Version, From: b.State, To: next, Note: "摘要 " + b.Digest}); err != nil {
			return err
		}
		if err := tx.UpdateAll(ctx, []sqldb.ID{b.ID}, "UPDATE refund_batches SET "+columns+" WHERE state = ?", by, sqldb.At(tx.Now), next); err != nil {
			return err
		}
		b, err = BatchByID(ctx, tx, b.ID)
		return err
	})
	return d.veiled(ctx, b, err)
}

// veiled is a batch as it may be shown.
func (d *Desk) veiled(ctx context.Context, b Batch, err error) (Batch, error) {
	if err != nil {
		return b, err
	}
	one := []Batch{b}
	err = veil(ctx, d.db, one)
	return one[0], err
}

// signedAs holds a signature against the batch and its lines as they are now.
func (b *Batch) signedAs(tx *sqldb.Tx, s Signature, all []Line) error {
	now := *b
	err := now.sign(tx, all)
	switch {
	case err != nil:
		return err
	case now.Digest != b.Digest:
		return fmt.Errorf("batch %s: its lines are not those it was made of", b.Number)
	case s.Version != b.Version || s.Digest != b.Digest:
		return deposit.Refuse(deposit.Conflict, "batch_changed", "批次在您查看之后已有变动，请重新查看再签批")
	case s.Count != b.Count || s.Total != b.asked():
		return deposit.Refuse(deposit.Invalid, "totals_differ", "录入的笔数或金额与批次不符，请逐笔核对后重新录入")
	}
	return nil
}

// asked is the total that a signer has to enter.
func (b *Batch) asked() deposit.Fen {
	if b.Blind {
		return 0
	}
	return b.Total
}

// moveLines takes every line one step, all from the same state.
func moveLines(ctx context.Context, tx *sqldb.Tx, all []Line, act, note string) error {
	if len(all) == 0 {
		return nil
	}
	next, err := LineMoves.Next(string(all[0].State), act)
	if err != nil {
		return err
	}
	return tx.MoveAll(ctx, sqldb.Sweep{Table: "refunds", IDs: ids(all), From: string(all[0].State), To: next, Note: note})
}

// stillFree holds lines against their receipts as they are now: finance verifies that the money is there, and whose.
func (d *Desk) stillFree(ctx context.Context, r sqldb.Reader, all []Line) error {
	entries := make([]sqldb.ID, len(all))
	for i := range all {
		entries[i] = all[i].EntryID
	}
	receipts, err := reconcile.Receipts(ctx, r, entries)
	if err != nil {
		return err
	}
	reserved, err := reservationsOf(ctx, r, entries)
	if err != nil {
		return err
	}
	held, err := holdsOf(ctx, r, entries)
	if err != nil {
		return err
	}
	for i := range all {
		l := &all[i]
		receipt := receipts[l.EntryID]
		_, onHold := held[l.EntryID]
		switch {
		case receipt == nil || !receipt.OnStatement || reserved[l.EntryID].Reserved > receipt.Net() || !l.grounded(receipt):
			return deposit.Refuse(deposit.Conflict, "receipt_changed", "退付 ", l.Serial, " 的入账已被冲正或判定有变，请将该笔移出批次")
		case onHold:
			return deposit.Refuse(deposit.Conflict, "on_hold", "退付 ", l.Serial, " 的保证金暂缓退还，请将该笔移出批次")
		case l.PayeeChange == 0 && (l.PayeeName != receipt.Entry.PayerName || l.PayeeAccount != receipt.Entry.PayerAccount):
			return fmt.Errorf("refund %s: the payee is not the payer and no change was approved", l.Serial)
		}
	}
	return nil
}

// grounded says whether money that goes back for what it was found to be is found to be that still: what was a second payment is
// the deposit, once the first one is taken back. What becomes of the bid afterwards is not asked.
func (l *Line) grounded(r *reconcile.Receipt) bool {
	return !reconcile.Code(l.Cause).Refundable() || slices.ContainsFunc(Grounds(r, nil), func(g Ground) bool { return g.Cause == l.Cause && g.Most >= l.Amount })
}

// TakeOut takes lines back: those that were not sent leave their batch and are drafts again, and the approvals of the
// batch are void. A batch that is left empty is cancelled. cancel also gives up the lines, and their money is free.
func (d *Desk) TakeOut(ctx context.Context, by string, batch sqldb.ID, version int64, lineIDs []sqldb.ID, note string, cancel bool) (b Batch, err error) {
	if note == "" {
		return b, deposit.Refuse(deposit.Invalid, "note_required", "请填写移出原因")
	}
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if b, err = BatchByID(ctx, tx, batch); err != nil {
			return err
		}
		all, err := LinesOf(ctx, tx, batch)
		if err != nil {
			return err
		}
		out, rest, err := split(all, lineIDs)
		if err != nil {
			return err
		}
		if err := drop(ctx, tx, out, note, cancel); err != nil {
			return err
		}
		b, err = b.without(ctx, tx, version, rest, note)
		return err
	})
	return d.veiled(ctx, b, err)
}

// split parts the lines that are to leave a batch from the others. One that was sent cannot leave.
func split(all []Line, leaving []sqldb.ID) (out, rest []Line, err error) {
	wanted := make(map[sqldb.ID]bool, len(leaving))
	for _, id := range leaving {
		wanted[id] = true
	}
	for _, l := range all {
		switch {
		case !wanted[l.ID]:
			rest = append(rest, l)
		case l.State != Draft && l.State != Checked && l.State != Released:
			return nil, nil, deposit.Refuse(deposit.Conflict, "line_sent", "退付 ", l.Serial, " 已发送（", l.State.Chinese(), "），不能移出")
		default:
			out = append(out, l)
		}
	}
	for _, l := range rest {
		if slices.ContainsFunc(out, func(o Line) bool { return o.SendID != 0 && o.SendID == l.SendID }) {
			return nil, nil, deposit.Refuse(deposit.Conflict, "message_whole", "退付 ", l.Serial, " 与所选明细在同一份待发报文中，须一并移出")
		}
	}
	if len(out) != len(wanted) || len(out) == 0 {
		return nil, nil, deposit.Refuse(deposit.Invalid, "line_not_in_batch", "所选明细不在该批次中，请刷新后重选")
	}
	return out, rest, nil
}

// drop makes unsent lines drafts in no batch, or cancels them and gives their money free.
func drop(ctx context.Context, tx *sqldb.Tx, out []Line, note string, cancel bool) error {
	becomes := Draft
	if cancel {
		becomes = Cancelled
		if err := errors.Join(moveLines(ctx, tx, out, "cancel", note), unreserve(ctx, tx, byEntry(out))); err != nil {
			return err
		}
	} else if err := moveBack(ctx, tx, out, note); err != nil {
		return err
	}
	return tx.UpdateAll(ctx, ids(out), "UPDATE refunds SET batch_id = 0, send_id = 0, version = version + 1 WHERE state = ?", becomes)
}

// without makes the batch what is left of it, and voids what was signed.
func (b Batch) without(ctx context.Context, tx *sqldb.Tx, version int64, rest []Line, note string) (Batch, error) {
	act := "return"
	if len(rest) == 0 {
		act = "cancel"
	}
	if b.Version != version {
		return b, sqldb.ErrStale
	}
	if b.State == Submitted && act == "return" || b.State == Started {
		if err := tx.Note(ctx, "refund_batches", b.ID, "CHANGED", note); err != nil {
			return b, err
		}
	} else {
		next, err := BatchMoves.Next(b.State, act)
		if err != nil {
			return b, err
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "refund_batches", ID: b.ID, Version: version, From: b.State, To: next, Note: note}); err != nil {
			return b, err
		}
		b.State, b.Version = next, b.Version+1
		if err := moveBack(ctx, tx, rest, note); err != nil {
			return b, err
		}
	}
	if err := b.sign(tx, rest); err != nil {
		return b, err
	}
	err := tx.UpdateAll(ctx, []sqldb.ID{b.ID}, "UPDATE refund_batches SET line_count = ?, total = ?, digest = ?, version = version + 1 WHERE version = ?",
		b.Count, b.Total, b.Digest, b.Version)
	b.Version++
	return b, err
}

// moveBack makes drafts of lines whose approvals are void.
func moveBack(ctx context.Context, tx *sqldb.Tx, rest []Line, note string) error {
	if len(rest) == 0 || rest[0].State == Draft {
		return nil
	}
	return moveLines(ctx, tx, rest, "revise", note)
}
