package refund

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Message is what a bank is told to pay, byte for byte. It is stored before the line to the bank is opened; sending it again
// sends these bytes.
type Message struct {
	ID            sqldb.ID
	BatchID       sqldb.ID
	Part          int
	Bank          string
	ParentAccount string
	BankBatch     string // the bank's own number of it, once told
	SHA256        string
	Body          []byte
	MadeAt        time.Time
}

var sends = sqldb.NewTable("refund_sends", "id, batch_id, part, bank, parent_account, bank_batch, body, made_at", func(m *Message) []any {
	return []any{&m.ID, &m.BatchID, &m.Part, &m.Bank, &m.ParentAccount, &m.BankBatch, sqldb.Sealed("refund_sends", &m.ID, &m.SHA256, &m.Body), sqldb.Wall(&m.MadeAt)}
}).Holds(func(_ *sqldb.DB, m *Message) (bool, error) { return m.SHA256 == hashOf(m.Body), nil })

// Exchange carries a message to a bank, under its number, and brings its answer. Only a *bank.CallError with the outcome CallUnsent says that the
// bank cannot have had the message; after any other error it may have. A bank that takes files gives no answer: nil.
type Exchange func(ctx context.Context, b *bank.Bank, number string, raw []byte) ([]byte, error)

// SendDue sends what is released to one bank, message by message, and says how many went out. Only one process may do so for a bank
// at a time (the caller holds a claim): what is SENDING when it begins was left by one that died, and nobody knows more.
func (d *Desk) SendDue(ctx context.Context, by string, b *bank.Bank, exchange Exchange) (sent int, err error) {
	if err := d.abandon(ctx, by, b.Code); err != nil {
		return 0, err
	}
	unwritten := d.start(ctx, by, b)
	waiting, err := messagesWith(ctx, d.db, b.Code, "l.state = 'RELEASED'")
	if err != nil {
		return 0, errors.Join(unwritten, fmt.Errorf("what is to be sent: %w", err))
	}
	for i := range waiting {
		went, err := d.send(ctx, by, b, waiting[i], exchange)
		if errors.Is(err, errAway) {
			break // whom one message does not reach the next one does not either
		}
		if err != nil {
			return sent, errors.Join(unwritten, err)
		}
		if went {
			sent++
		}
	}
	return sent, unwritten
}

// messagesWith are the keys of a bank's messages of which some line is as the condition has it, the oldest first. It is asked from the
// lines' side: few are on their way, and all that were ever sent are many. The bodies are read one by one: a hundred thousand
// lines are tens of megabytes.
func messagesWith(ctx context.Context, r sqldb.Reader, code, condition string, args ...any) ([]sqldb.ID, error) {
	return sqldb.Select(ctx, r, func(id *sqldb.ID) []any { return []any{id} }, "SELECT s.id FROM refund_sends AS s WHERE s.bank = ? AND "+
		"s.id IN (SELECT l.send_id FROM refunds AS l WHERE "+condition+") ORDER BY s.made_at, s.batch_id, s.part", append([]any{code}, args...)...)
}

// errAway says that the bank could not be dialled.
var errAway = errors.New("the bank is away")

// abandon makes UNKNOWN what a process that died left SENDING.
func (d *Desk) abandon(ctx context.Context, by, code string) error {
	return d.again(func() error {
		left, err := lines.All(ctx, d.db, "WHERE state = 'SENDING' ORDER BY id") // of any bank: they are few, and a bank has many lines
		left = slices.DeleteFunc(left, func(l Line) bool { return l.Bank != code })
		if err != nil || len(left) == 0 {
			return err
		}
		return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
			return moveLines(ctx, tx, left, "lose", noteBroken)
		})
	})
}

// start stores the messages of every released batch whose approvals still stand. One that cannot be written keeps no other back.
func (d *Desk) start(ctx context.Context, by string, b *bank.Bank) error {
	released, err := batches.All(ctx, d.db, "WHERE state = 'RELEASED' AND bank = ? AND released_at > ? ORDER BY released_at, id", b.Code, sqldb.At(d.oldest()))
	if err != nil {
		return err
	}
	var unwritten []error
	for i := range released {
		err := d.again(func() error {
			return d.db.Write(ctx, by, func(tx *sqldb.Tx) error { return d.write(ctx, tx, b, released[i].ID) })
		})
		if err != nil && !deposit.IsKind(err, deposit.Conflict) {
			unwritten = append(unwritten, fmt.Errorf("write the messages of %s: %w", released[i].Number, err))
		}
	}
	return errors.Join(unwritten...)
}

// oldest is when a release that still stands was given at the earliest.
func (d *Desk) oldest() time.Time { return d.db.Now().Add(-d.limits.ApprovalLasts) }

// write makes a batch's messages: one, or one for each sub-account where the dialect wants it.
func (d *Desk) write(ctx context.Context, tx *sqldb.Tx, b *bank.Bank, id sqldb.ID) error {
	batch, err := BatchByID(ctx, tx, id)
	if err != nil {
		return err
	}
	next, err := BatchMoves.Next(batch.State, "start")
	if err != nil {
		return err
	}
	all, err := LinesOf(ctx, tx, id)
	if err != nil {
		return err
	}
	for part, some := range messagesOf(b, all) {
		m := Message{ID: tx.NewID(), BatchID: id, Part: part + 1, Bank: batch.Bank, ParentAccount: batch.ParentAccount, MadeAt: tx.Now}
		payout, err := payoutOf(ctx, tx, b, &m, messageNumber(batch.Number, m.Part), some)
		if err != nil {
			return err
		}
		if m.Body, err = b.WritePayout(payout); err != nil {
			return err
		}
		m.SHA256 = hashOf(m.Body)
		if err := sends.Insert(ctx, tx, m); err != nil {
			return err
		}
		if err := address(ctx, tx, m.ID, some); err != nil {
			return err
		}
	}
	return tx.Move(ctx, sqldb.Move{Table: "refund_batches", ID: id, Version: batch.Version, From: batch.State, To: next, Note: "生成付款报文"})
}

// address ties lines to the message that they go out in.
func address(ctx context.Context, tx *sqldb.Tx, send sqldb.ID, some []Line) error {
	return tx.UpdateAll(ctx, ids(some), "UPDATE refunds SET send_id = ?, version = version + 1 WHERE state = 'RELEASED'", send)
}

// messagesOf parts a batch's lines into messages: as many lines as the bank takes, from one sub-account where it wants that.
func messagesOf(b *bank.Bank, all []Line) (parts [][]Line) {
	for i := range all {
		last := len(parts) - 1
		if last < 0 || len(parts[last]) >= b.MaxPayLines() || b.PayoutAdapter.Payout.OneSubAccount && parts[last][0].SubAccount != all[i].SubAccount {
			parts = append(parts, nil)
			last++
		}
		parts[last] = append(parts[last], all[i])
	}
	return parts
}

// messageByID reads a message and what it is called at the bank.
func messageByID(ctx context.Context, r sqldb.Reader, id sqldb.ID) (m Message, number string, err error) {
	if m, err = sends.One(ctx, r, "WHERE id = ?", id); err != nil {
		return m, "", err
	}
	batch, err := BatchByID(ctx, r, m.BatchID)
	return m, messageNumber(batch.Number, m.Part), err
}

// sentAs reads a message, its lines – or the one of them that has the serial –, and its content as it was sent.
func sentAs(ctx context.Context, r sqldb.Reader, b *bank.Bank, id sqldb.ID, serial string) (m Message, all []Line, payout *bank.Payout, err error) {
	m, number, err := messageByID(ctx, r, id)
	if err != nil {
		return m, nil, nil, err
	}
	if all, err = lines.All(ctx, r, "WHERE send_id = ? AND (? = '' OR serial = ?) ORDER BY sub_account, id", id, serial, serial); err != nil {
		return m, nil, nil, err
	}
	payout, err = payoutOf(ctx, r, b, &m, number, all)
	return m, all, payout, err
}

// payoutOf is a message's content. It follows from what is stored, so that an answer can be held against it later.
func payoutOf(ctx context.Context, r sqldb.Reader, b *bank.Bank, m *Message, number string, some []Line) (*bank.Payout, error) {
	entries := make([]sqldb.ID, len(some))
	for i := range some {
		entries[i] = some[i].EntryID
	}
	credits, err := bank.EntriesByID(ctx, r, entries)
	if err != nil {
		return nil, err
	}
	origin := make(map[sqldb.ID]string, len(credits))
	for _, e := range credits {
		origin[e.ID] = e.Serial
	}
	p := &bank.Payout{Number: number, ParentAccount: m.ParentAccount, CreatedAt: m.MadeAt.Truncate(time.Second)}
	if b.PayoutAdapter.Payout.OneSubAccount {
		p.SubAccount = some[0].SubAccount
	}
	for i := range some {
		p.Lines = append(p.Lines, some[i].pay(origin[some[i].EntryID]))
	}
	return p, nil
}

// send claims the lines of one message, sends its bytes and keeps the answer. went is false where something keeps the lines here;
// errAway where the bank could not be dialled.
func (d *Desk) send(ctx context.Context, by string, b *bank.Bank, id sqldb.ID, exchange Exchange) (went bool, err error) {
	m, number, err := messageByID(ctx, d.db, id)
	if err != nil {
		return false, err
	}
	claimed, err := d.claim(ctx, by, &m)
	if err != nil || len(claimed) == 0 {
		return false, err
	}
	answer, failed := exchange(ctx, b, number, m.Body)
	ctx = context.WithoutCancel(ctx) // it is sent: how it fared is kept, whoever has lost patience
	switch {
	case neverSent(failed):
		return false, cmp.Or(d.sent(ctx, by, &m, "unsent", noteUnsent), errAway)
	case failed != nil:
		return true, d.sent(ctx, by, &m, "lose", noteLost+deposit.AsRefusal(failed).Code)
	case answer == nil:
		return true, d.sent(ctx, by, &m, "accept", "付款文件已投递")
	}
	return true, d.Answered(ctx, by, b, m.ID, "", KindAnswer, answer)
}

// sent takes what is still SENDING of a message one step: the bank may have reported some of it by itself meanwhile.
func (d *Desk) sent(ctx context.Context, by string, m *Message, act, note string) error {
	return d.again(func() error {
		return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
			left, err := lines.All(ctx, tx, "WHERE send_id = ? AND state = 'SENDING'", m.ID)
			if err != nil {
				return err
			}
			if err := moveLines(ctx, tx, left, act, note); err != nil || act != "unsent" || len(left) == 0 {
				return err
			}
			return errors.Join(tx.UpdateAll(ctx, ids(left), "UPDATE refunds SET sent_at = ? WHERE state = 'RELEASED'", sqldb.At(time.Time{})),
				countUnsent(ctx, tx, dayOf(&left[0], left[0].SentAt), total(left)))
		})
	})
}

// neverSent says that a message surely did not reach the bank. What nobody classified may have.
func neverSent(err error) bool {
	var failed *bank.CallError
	return errors.As(err, &failed) && failed.Outcome == bank.CallUnsent
}

// claim takes a message's lines from RELEASED to SENDING by a statement that looks, in the same breath, for whatever may keep
// them here (mayGoOut). Nor does money go out that the bank has taken back since it was checked. All of them move or none; none is no error, the next run asks again.
func (d *Desk) claim(ctx context.Context, by string, m *Message) (claimed []Line, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if claimed, err = lines.All(ctx, tx, "WHERE send_id = ? AND state = 'RELEASED' ORDER BY sub_account, id", m.ID); err != nil || len(claimed) == 0 {
			return err
		}
		if err := errors.Join(d.stillFree(ctx, tx, claimed), countSent(ctx, tx, dayOf(&claimed[0], tx.Now), total(claimed), d.limits.Day)); err != nil {
			return err
		}
		err := tx.MoveAll(ctx, sqldb.Sweep{Table: "refunds", IDs: ids(claimed), From: string(Released), To: string(Sending),
			Guard: mayGoOut, Args: d.mayGoOut(tx), Note: "发送"})
		if err != nil {
			return err
		}
		return tx.UpdateAll(ctx, ids(claimed), "UPDATE refunds SET sent_at = ? WHERE state = 'SENDING'", sqldb.At(tx.Now))
	})
	for i := range claimed {
		claimed[i].State = Sending
	}
	if errors.Is(err, sqldb.ErrStale) || deposit.IsKind(err, deposit.Conflict) {
		return nil, nil
	}
	return claimed, err
}
