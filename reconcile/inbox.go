package reconcile

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// What banks have sent tells who pays, and by its number how many: of notices that came since a sealed lot was announced none is
// listed, and there is one for who asks by its key once all its credits may be seen. Of what else came it is told that it came,
// when, and what became of it: neither size nor hash, nor the key, which of a file is a part of the hash.

// Inbox lists what banks have sent, for eyes that reach everything; sealed says that notices are left out.
func (d *Desk) Inbox(ctx context.Context, eyes deposit.Sight, q bank.InboxQuery) (page []bank.InboxRow, next string, sealed bool, err error) {
	if !eyes.Everything() {
		return nil, "", false, deposit.Refuse(deposit.Denied, "sight_too_short", "银行报文涉及全部科室，只有综合科和审计可以查看")
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
		if !page[i].ReceivedAt.Before(since) {
			blind(&page[i])
		}
	}
	return page, next, sealed, err
}

// blind takes from a message's row what tells how many bookings it holds and of whom: the code says enough of why it was refused.
func blind(m *bank.InboxRow) { m.ID, m.ExternalID, m.Size, m.SHA256, m.Detail = 0, "", 0, "", "" }

// MessageView is a message with what was read of it.
type MessageView struct {
	bank.InboxRow
	Text       string          `json:"text"` // the beginning, decoded, its long figures masked
	Cut        bool            `json:"cut"`  // there is more than Text
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
	Payer      deposit.Name   `json:"payer_name"`
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

// Message shows one message; NotFound "message_unknown" where there is none, or it may tell of a lot that is not opened yet.
func (d *Desk) Message(ctx context.Context, eyes deposit.Sight, id sqldb.ID) (*MessageView, error) {
	if !eyes.Everything() {
		return nil, deposit.Refuse(deposit.Denied, "sight_too_short", "银行报文涉及全部科室，只有综合科和审计可以查看")
	}
	m, err := bank.InboxRowByID(ctx, d.db, id)
	if errors.Is(err, sqldb.ErrNone) {
		return nil, noMessage()
	}
	if err != nil {
		return nil, err
	}
	since, err := platform.SealedSince(ctx, d.db)
	if err != nil {
		return nil, err
	}
	v := &MessageView{InboxRow: m, Entries: []MessageEntry{}, Faults: []bank.FaultRow{}, Statements: []MessageDay{}}
	raw, err := bank.Head(ctx, d.db, m.ID, mostText)
	if err != nil {
		return nil, err
	}
	b, _ := d.banks.Bank(m.Bank) // nil: nobody knows any more how to read it
	sealed := !m.ReceivedAt.Before(since)
	switch {
	case sealed && (b == nil || m.Kind != bank.KindNotice):
		return nil, noMessage()
	case b == nil:
		v.Unreadable = "该银行已不在 banks.yaml 中"
		return v, nil
	case m.Kind == bank.KindNotice:
		err = d.viewEntries(ctx, v, b, raw)
		if err == nil && sealed {
			err = d.allSeen(ctx, eyes, v)
		}
	default:
		err = d.viewFile(ctx, v)
	}
	if err != nil {
		return nil, err
	}
	v.Cut = int64(len(raw)) < m.Size
	v.Text, err = d.masked(ctx, v, b.Text(raw))
	for i := range v.Faults {
		v.Faults[i].Raw = maskedRuns(maskedText(v.Faults[i].Raw, nil))
	}
	return v, err
}

func noMessage() error {
	return deposit.Refuse(deposit.NotFound, "message_unknown", "没有这份报文，或开标前不能查看")
}

// longFigures are what may be somebody's account: as short as accounts are, as long as they come.
var longFigures = regexp.MustCompile(`[0-9]{9,}`)

// maskedText is what a bank has written, each long figure masked but those that its entries tell to be serials or numbers of ours.
func maskedText(text string, entries []MessageEntry) string {
	ours := map[string]bool{}
	for i := range entries {
		ours[entries[i].Serial], ours[entries[i].SubAccount] = true, true
	}
	return longFigures.ReplaceAllStringFunc(text, func(figure string) string {
		if ours[figure] {
			return figure
		}
		return deposit.MaskAccount(figure)
	})
}

// masked is a message's text without what may be somebody's account or a person's name. Of what nobody could read, nobody knows
// which word is one.
func (d *Desk) masked(ctx context.Context, v *MessageView, text string) (string, error) {
	named, err := d.named(ctx, v)
	if len(named) == 0 || len(v.Faults) == mostFaults { // there may be more of them
		text = maskedRuns(text)
	}
	for _, f := range v.Faults {
		text = strings.ReplaceAll(text, f.Raw, maskedRuns(f.Raw))
	}
	return deposit.MaskNames(maskedText(text, v.Entries), named), err
}

// named are those whom a message names: of a notice what it tells, of a file whoever is on the accounts and days that it brought.
func (d *Desk) named(ctx context.Context, v *MessageView) (names []string, err error) {
	for i := range v.Entries {
		names = append(names, v.Entries[i].Payer.Full())
	}
	for _, s := range v.Statements {
		payers, err := bank.PayersOn(ctx, d.db, bank.Book{Bank: v.Bank, ParentAccount: s.ParentAccount}, s.Day)
		if err != nil {
			return nil, err
		}
		names = append(names, payers...)
	}
	return names, nil
}

// maskedRuns masks whatever in a text may be a person's name.
func maskedRuns(text string) string { return hanRuns.ReplaceAllStringFunc(text, deposit.MaskName) }

var hanRuns = regexp.MustCompile(`[\p{Han}·•]+`)

// viewEntries decodes a notice.
func (d *Desk) viewEntries(ctx context.Context, v *MessageView, b *bank.Bank, raw []byte) error {
	read, err := b.Reread(raw)
	if err != nil {
		v.Unreadable = deposit.AsRefusal(err).Text
		return nil
	}
	for i := range read {
		e := &read[i]
		kept, err := bank.BySerial(ctx, d.db, b.Code, e.ParentAccount, []string{e.Serial})
		if err != nil {
			return err
		}
		one := MessageEntry{Serial: e.Serial, Booked: e.BookedAt, Direction: e.Direction, SubAccount: e.SubAccount, Amount: e.Amount, Payer: deposit.Name(e.PayerName)}
		for _, k := range kept {
			if k.BookingDate == e.BookingDate && k.SerialSeq == e.SerialSeq && k.Direction == e.Direction {
				one.Credit = k.ID
			}
		}
		v.Entries = append(v.Entries, one)
	}
	return nil
}

// allSeen refuses a notice unless it could be read and each of its entries may be seen.
func (d *Desk) allSeen(ctx context.Context, eyes deposit.Sight, v *MessageView) error {
	var ids []sqldb.ID
	for i := range v.Entries {
		ids = append(ids, v.Entries[i].Credit)
	}
	seen, err := SeenCredits(ctx, d.db, eyes, ids)
	if err == nil && (len(ids) == 0 || len(seen) < len(ids)) {
		err = noMessage()
	}
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
