package refund

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// AskDue asks a bank about every message of which some line is not settled and was not asked about for a while, and says
// how many it asked. A bank that cannot be asked sends its results by itself.
func (d *Desk) AskDue(ctx context.Context, by string, b *bank.Bank, every time.Duration, exchange Exchange) (asked int, err error) {
	if !b.CanAsk() {
		return 0, nil
	}
	open, err := messagesWith(ctx, d.db, b.Code, "l.state IN ('ACCEPTED','UNKNOWN') AND l.asked_at <= ?", sqldb.At(d.db.Now().Add(-every)))
	if err != nil {
		return 0, fmt.Errorf("what is to be asked: %w", err)
	}
	for i := range open {
		if err := d.ask(ctx, by, b, open[i], exchange); err != nil {
			return asked, err
		}
		asked++
	}
	return asked, nil
}

// ask asks about one message. No answer is no news; the lines stay what they are.
func (d *Desk) ask(ctx context.Context, by string, b *bank.Bank, id sqldb.ID, exchange Exchange) error {
	m, all, payout, err := sentAs(ctx, d.db, b, id, "")
	if err != nil {
		return err
	}
	for _, serial := range questions(&m, all) {
		q := bank.PayQuery{Number: payout.Number, At: d.db.Now().Truncate(time.Second), Payout: *payout, BankBatch: m.BankBatch, Serial: serial}
		raw, err := b.WritePayQuery(q)
		if err != nil {
			return err
		}
		answer, err := exchange(ctx, b, payout.Number, raw)
		if err == nil {
			err = d.Answered(ctx, by, b, m.ID, serial, KindQuery, answer)
		} else {
			err = d.unanswered(ctx, by, m.ID, serial)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// questions says by which serials a message is asked about: "", the whole of it, once the bank's own number is known, else
// line by line, those that are not settled.
func questions(m *Message, all []Line) (serials []string) {
	if m.BankBatch != "" {
		return []string{""}
	}
	for i := range all {
		if all[i].State == Accepted || all[i].State == Unknown {
			serials = append(serials, all[i].Serial)
		}
	}
	return serials
}

// unanswered notes that the bank was asked and gave no answer, so that others get their turn.
func (d *Desk) unanswered(ctx context.Context, by string, send sqldb.ID, serial string) error {
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE refunds SET asked_at = ? WHERE send_id = ? AND state IN ('ACCEPTED','UNKNOWN') AND (? = '' OR serial = ?)", sqldb.At(tx.Now), send, serial, serial)
		return err
	})
}

// Disprove makes an unknown payment FAILED, on three facts (only then may its money be promised again): the bank, asked on a later day
// than that on which it would have been paid (what is sent after the bank's cut-off is paid on the next), does not know it or says that it failed (of a bank that cannot be asked by message, the persons' notes tell what it
// said); the statements of that day and of the next are closed and have no debit for it; and two persons say
// so. The first call notes the first person, the second confirms.
func (d *Desk) Disprove(ctx context.Context, by string, id sqldb.ID, version int64, note string) (Line, error) {
	return d.vouch(ctx, by, id, version, "disprove", note, d.unpaid)
}

// Vouch makes an unknown payment PAID on two persons' word, where the bank posts in one sum: its debit is there, and cannot say
// which of its lines was paid.
func (d *Desk) Vouch(ctx context.Context, by string, id sqldb.ID, version int64, note string) (Line, error) {
	return d.vouch(ctx, by, id, version, "pay", note, func(ctx context.Context, r sqldb.Reader, l *Line) error {
		summed, err := sqldb.Value[int](ctx, r, "SELECT COUNT(*) FROM refund_debits WHERE refund_id = ? AND found_by = 'SUMMARY'", l.ID)
		if err == nil && summed == 0 {
			err = deposit.Refuse(deposit.Conflict, "no_debit", "对账单上还没有该批付款的借方流水，不能认定已付")
		}
		return err
	})
}

// vouch takes an open line one step on the word of two persons, if the facts allow it.
func (d *Desk) vouch(ctx context.Context, by string, id sqldb.ID, version int64, act, note string, facts func(context.Context, sqldb.Reader, *Line) error) (l Line, err error) {
	if note == "" {
		return l, deposit.Refuse(deposit.Invalid, "note_required", "请填写与银行核实的情况（时间、经办人、答复）")
	}
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if l, err = LineByID(ctx, tx, id); err != nil {
			return err
		}
		next, stepErr := LineMoves.Next(string(l.State), act)
		switch {
		case l.Version != version:
			return sqldb.ErrStale
		case l.State != Unknown && l.State != Accepted:
			return deposit.Refuse(deposit.Conflict, "state_forbids", "该笔结果已明确（", l.State.Chinese(), "），无须人工认定")
		case stepErr != nil:
			return stepErr
		}
		if err := facts(ctx, tx, &l); err != nil {
			return err
		}
		switch first := l.first(act); first {
		case "":
			return firstWord(ctx, tx, &l, act, note)
		case by:
			return samePerson("须由另一人确认")
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "refunds", ID: id, Version: version, From: string(l.State), To: next, Note: "经 " + l.first(act) + "、" + by + " 认定：" + note}); err != nil {
			return err
		}
		l.State, l.Version = State(next), version+1
		if l.State != Failed {
			return nil
		}
		return unreserve(ctx, tx, byEntry([]Line{l}))
	})
	return l, err
}

// first is who said first what an act says; "" when nobody has.
func (l *Line) first(act string) string {
	who, said := strings.CutPrefix(l.Vouched, act+" ")
	if !said {
		return ""
	}
	return who
}

// firstWord notes who says first what became of a payment.
func firstWord(ctx context.Context, tx *sqldb.Tx, l *Line, act, note string) error {
	if err := tx.UpdateAll(ctx, []sqldb.ID{l.ID}, "UPDATE refunds SET vouched = ?, version = version + 1 WHERE version = ?", act+" "+tx.By, l.Version); err != nil {
		return err
	}
	l.Vouched, l.Version = act+" "+tx.By, l.Version+1
	return tx.Note(ctx, "refunds", l.ID, "VOUCHED", note)
}

// unpaidWords are what a bank says of a payment that it has not made.
var unpaidWords = []bank.PayStatus{bank.PayNotFound, bank.PayFailed, bank.PayExpired, bank.PayCancelled}

// unpaid refuses unless the bank's word and the statements say that a payment was not made.
func (d *Desk) unpaid(ctx context.Context, r sqldb.Reader, l *Line) error {
	b, err := d.banks.Bank(l.Bank)
	if err != nil {
		return err
	}
	sent := b.PayDay(l.SentAt)
	if b.CanAsk() && (!slices.Contains(unpaidWords, l.Word) || deposit.DayOf(l.AskedAt) <= sent) {
		return deposit.Refuse(deposit.Conflict, "bank_not_asked", "须在付款日（", sent, "）次日及以后向银行查询，且银行答复查无此笔或未付，才能认定未付")
	}
	if l.State == Accepted && l.Word != "" { // a file of which nothing was heard may be lost; what a bank has said it has is not
		return deposit.Refuse(deposit.Conflict, "bank_accepted", "银行已受理该笔，尚未给出最终结果，不能认定未付")
	}
	closed, err := reconcile.ClosedBeyond(ctx, r, bank.Book{Bank: l.Bank, ParentAccount: l.ParentAccount}, sent)
	if err != nil {
		return err
	}
	if !closed {
		return deposit.Refuse(deposit.Conflict, "day_not_closed", "付款日（", sent, "）及其后一日的对账单尚未到达或未关闭，不能认定未付")
	}
	return unproven(ctx, r, l)
}

// unproven refuses where a debit says that a payment was made. A debit in one sum does not say so once the bank has given back
// more of the message than failed of it so far.
func unproven(ctx context.Context, r sqldb.Reader, l *Line) error {
	how, err := debits.All(ctx, r, "WHERE refund_id = ?", l.ID)
	if err != nil || len(how) == 0 {
		return err
	}
	back := deposit.Fen(0)
	if how[0].FoundBy == bySummary {
		if back, err = givenBack(ctx, r, l); err != nil {
			return err
		}
	}
	if back < l.Amount {
		return deposit.Refuse(deposit.Conflict, "debit_found", "对账单上已有该笔付款的借方流水，不能认定未付")
	}
	return nil
}

// givenBack is how much of a message, or of its part from the line's sub-account, the bank has given back beyond what is known
// to have failed.
func givenBack(ctx context.Context, r sqldb.Reader, l *Line) (most deposit.Fen, err error) {
	for _, of := range []string{"", l.SubAccount} {
		back, err := sqldb.Value[deposit.Fen](ctx, r, "SELECT COALESCE(SUM(e.amount), 0) FROM refund_repayments AS p JOIN entries AS e ON e.id = p.entry_id WHERE p.send_id = ? AND e.sub_account = ?", l.SendID, of)
		if err != nil {
			return 0, err
		}
		failed, err := sqldb.Value[deposit.Fen](ctx, r, "SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE send_id = ? AND state = 'FAILED' AND (? = '' OR sub_account = ?)", l.SendID, of, of)
		if err != nil {
			return 0, err
		}
		most = max(most, back-failed)
	}
	return most, nil
}
