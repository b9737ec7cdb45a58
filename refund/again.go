package refund

import (
	"context"
	"errors"
	"fmt"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// SendAgain sends messages to a bank once more, the same bytes under the same serials, and says how many. It does so only where the
// bank has promised for how long it takes a second one for the first (banks.yaml: resend_within), within that time less a margin,
// on the day of the first sending – so that the statements that tell of the one tell of the other –, and only a message of which
// the bank, asked since, knows no line. Whatever keeps a line from being sent keeps it here too. The lines stay UNKNOWN, and are
// asked about before another try: what becomes of them is the bank's answer's to say.
func (d *Desk) SendAgain(ctx context.Context, by string, b *bank.Bank, exchange Exchange) (sent int, err error) {
	if b.ResendWithin <= bank.ResendMargin || !b.CanAsk() {
		return 0, nil
	}
	lost, err := messagesWith(ctx, d.db, b.Code, "l.state = 'UNKNOWN' AND l.word = 'NOT_FOUND' AND l.sent_at >= ?", sqldb.At(d.repeatable(b)))
	if err != nil {
		return 0, fmt.Errorf("what is to be sent again: %w", err)
	}
	for i := range lost {
		went, err := d.sendAgain(ctx, by, b, lost[i], exchange)
		if err != nil {
			return sent, err
		}
		if went {
			sent++
		}
	}
	return sent, nil
}

// repeatable is when a message was first sent, at the earliest, that may be sent again now.
func (d *Desk) repeatable(b *bank.Bank) (earliest time.Time) {
	now := d.db.Now()
	earliest = now.Add(bank.ResendMargin - b.ResendWithin)
	if today := deposit.DayOf(now).Start(); earliest.Before(today) {
		earliest = today
	}
	return earliest
}

func (d *Desk) sendAgain(ctx context.Context, by string, b *bank.Bank, id sqldb.ID, exchange Exchange) (went bool, err error) {
	m, number, err := messageByID(ctx, d.db, id)
	if err != nil {
		return false, err
	}
	if claimed, err := d.claimAgain(ctx, by, b, &m); err != nil || !claimed {
		return false, err
	}
	answer, failed := exchange(ctx, b, number, m.Body)
	if failed != nil || answer == nil {
		return !neverSent(failed), nil // nobody knows more than before
	}
	return true, d.Answered(context.WithoutCancel(ctx), by, b, m.ID, "", KindAnswer, answer)
}

// claimAgain notes on every line of a message that it is sent again, before it is, if all of them may be. It takes back the bank's
// last word, so that the bank has to be asked before a third time, and the word of whoever vouched.
func (d *Desk) claimAgain(ctx context.Context, by string, b *bank.Bank, m *Message) (claimed bool, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		all, err := lines.All(ctx, tx, "WHERE send_id = ? ORDER BY sub_account, id", m.ID)
		if err != nil {
			return err
		}
		if err := d.stillFree(ctx, tx, all); err != nil {
			return err
		}
		err = tx.UpdateAll(ctx, ids(all), "UPDATE refunds SET word = '', code = '', said = '', asked_at = ?, vouched = '', version = version + 1 "+
			"WHERE state = 'UNKNOWN' AND word = 'NOT_FOUND' AND asked_at > sent_at AND sent_at >= ? AND "+mayGoOut, append([]any{sqldb.At(tx.Now), sqldb.At(d.repeatable(b))}, d.mayGoOut(tx)...)...)
		if err != nil {
			return err
		}
		return tx.Notes(ctx, "refunds", ids(all), "RESENT", "银行查无此批，以同一流水号重发同一报文")
	})
	if errors.Is(err, sqldb.ErrStale) || deposit.IsKind(err, deposit.Conflict) {
		return false, nil
	}
	return err == nil, err
}

// mayGoOut is the guard, as SQL, of a statement on refunds that lets lines go to the bank; its arguments are Desk.mayGoOut's. It
// looks for whatever may keep a line here: a freeze of the account, a stop, a hold, a payee whose change is not yet in effect, a
// release that has lapsed.
var mayGoOut = platform.NoFreeze("refunds") + " AND " + notHeld + " AND " + changeInEffect +
	" AND EXISTS (SELECT 1 FROM refund_batches AS b WHERE b.id = refunds.batch_id AND b.state = 'STARTED' AND b.released_at > ?)"

func (d *Desk) mayGoOut(tx *sqldb.Tx) []any {
	return []any{sqldb.At(tx.Now), sqldb.At(tx.Now.Add(-d.limits.ApprovalLasts))}
}
