package reconcile

import (
	"context"
	"errors"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// What banks have sent tells who pays, and by its number how many: of notices that came since a sealed lot was announced none is
// listed, and one that is asked for by its key is shown once all its credits may be seen.

// Inbox lists what banks have sent, for eyes that reach everything; sealed says that notices are left out.
func (d *Desk) Inbox(ctx context.Context, eyes deposit.Sight, q bank.InboxQuery) (page []bank.InboxRow, next string, sealed bool, err error) {
	if !eyes.Everything() {
		return nil, "", false, deposit.Refuse(deposit.Denied, "sight_too_short", "银行报文涉及全部科室，只有综合科、领导和审计可以查看")
	}
	since, err := platform.SealedSince(ctx, d.db)
	if err != nil {
		return nil, "", false, err
	}
	if sealed = since.Before(sqldb.Forever); sealed {
		q.Until = since
	}
	page, next, err = bank.Inbox(ctx, d.db, q)
	for i := range page {
		if !page[i].ReceivedAt.Before(since) && page[i].Outcome != bank.Refused {
			page[i].Size = 0 // it tells how many bookings there are
		}
	}
	return page, next, sealed, err
}

// MessageView is a message with what was read of it.
type MessageView struct {
	bank.InboxRow
	Sealed     bool            `json:"sealed"` // it tells of a lot that is not opened yet: neither text nor entries are shown
	Text       string          `json:"text"`   // the beginning, decoded
	Cut        bool            `json:"cut"`    // there is more than Text
	Entries    []MessageEntry  `json:"entries"`
	Unreadable string          `json:"unreadable"` // why it cannot be decoded
	Faults     []bank.FaultRow `json:"faults"`     // of a file: records that could not be read
	Statements []MessageDay    `json:"statements"` // of a file: what it brought
}

// MessageEntry is a booking as a message tells it.
type MessageEntry struct {
	Credit     sqldb.ID       `json:"credit"` // as it is kept; empty where it is not
	Serial     string         `json:"bank_serial"`
	Booked     time.Time      `json:"booked_at"`
	Direction  bank.Direction `json:"direction"`
	SubAccount string         `json:"sub_account"`
	Amount     deposit.Fen    `json:"amount"`
	Payer      string         `json:"payer_name"`
}

// MessageDay is an account's day that a file brought.
type MessageDay struct {
	ParentAccount string      `json:"parent_account"`
	Day           deposit.Day `json:"day"`
	Revision      int         `json:"revision"`
	State         string      `json:"state"`
	Proof         bank.Proof  `json:"proof"`
	Faults        int         `json:"faults"`
}

// What of a message is shown at most.
const (
	mostText   = 64 << 10
	mostFaults = 100
)

// Message shows one message; NotFound "message_unknown" where there is none.
func (d *Desk) Message(ctx context.Context, eyes deposit.Sight, id sqldb.ID) (*MessageView, error) {
	if !eyes.Everything() {
		return nil, deposit.Refuse(deposit.Denied, "sight_too_short", "银行报文涉及全部科室，只有综合科、领导和审计可以查看")
	}
	m, err := bank.InboxRowByID(ctx, d.db, id)
	if errors.Is(err, sqldb.ErrNone) {
		return nil, deposit.Refuse(deposit.NotFound, "message_unknown", "没有这份报文")
	}
	if err != nil {
		return nil, err
	}
	since, err := platform.SealedSince(ctx, d.db)
	if err != nil {
		return nil, err
	}
	v := &MessageView{InboxRow: m, Sealed: !m.ReceivedAt.Before(since), Entries: []MessageEntry{}, Faults: []bank.FaultRow{}, Statements: []MessageDay{}}
	raw, err := bank.Head(ctx, d.db, m.ID, mostText)
	if err != nil {
		return nil, err
	}
	b, gone := d.banks.Bank(m.Bank)
	switch {
	case gone != nil: // nobody knows any more how to read it
		v.Unreadable = "该银行已不在 banks.yaml 中"
		return v, nil
	case m.Kind == bank.KindNotice:
		err = d.viewEntries(ctx, eyes, v, b, raw)
	default:
		err = d.viewFile(ctx, v)
	}
	if v.Sealed {
		v.Size, v.Entries, v.Faults = 0, []MessageEntry{}, []bank.FaultRow{}
		return v, err
	}
	v.Text, v.Cut = b.Text(raw), int64(len(raw)) < m.Size
	return v, err
}

// viewEntries decodes a notice. It is shown, whatever is sealed, when each of its entries may be seen.
func (d *Desk) viewEntries(ctx context.Context, eyes deposit.Sight, v *MessageView, b *bank.Bank, raw []byte) error {
	read, err := b.Reread(raw)
	if err != nil {
		v.Unreadable = deposit.AsRefusal(err).Text
		return nil
	}
	var ids []sqldb.ID
	for i := range read {
		e := &read[i]
		kept, err := bank.BySerial(ctx, d.db, b.Code, e.ParentAccount, []string{e.Serial})
		if err != nil {
			return err
		}
		one := MessageEntry{Serial: e.Serial, Booked: e.BookedAt, Direction: e.Direction, SubAccount: e.SubAccount, Amount: e.Amount, Payer: e.PayerName}
		for _, k := range kept {
			if k.BookingDate == e.BookingDate && k.SerialSeq == e.SerialSeq && k.Direction == e.Direction {
				one.Credit = k.ID
				ids = append(ids, k.ID)
			}
		}
		v.Entries = append(v.Entries, one)
	}
	if !v.Sealed {
		return nil
	}
	seen, err := SeenCredits(ctx, d.db, eyes, ids)
	v.Sealed = len(seen) < len(read)
	return err
}

func (d *Desk) viewFile(ctx context.Context, v *MessageView) (err error) {
	if v.Faults, err = bank.FaultsIn(ctx, d.db, v.ID, mostFaults); err != nil {
		return err
	}
	days, err := bank.StatementsIn(ctx, d.db, v.ID)
	for _, s := range days {
		v.Statements = append(v.Statements, MessageDay{s.ParentAccount, s.Day, s.Revision, s.State, s.Proof, s.FaultCount})
	}
	return err
}
