package bank

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"depositd/platform/deposit"
)

// MaxMessage is the most bytes one pushed message may have: a credit notice is 1 to 2 KiB, and an aggregate of a
// hundred credits stays below this.
const MaxMessage = 64 << 10

// The ways by which a message comes. Under ByPull it is the answer to a question of ours: the bank did not push.
const (
	ByHTTP = "HTTP"
	ByTCP  = "TCP"
	ByPull = "PULL"
)

// What a message is.
const (
	KindNotice    = "NOTICE"    // credits and debits, pushed as they are booked
	KindStatement = "STATEMENT" // a day's bookings and balances
	KindLink      = "LINK"      // a test of the line; says nothing about money
	KindResult    = "RESULT"    // how payments of ours fared; what it says is the refunds' to read
)

// Sealed is a message as it came in, not yet believed.
type Sealed struct {
	Header       func(name string) string // as in an Envelope
	Method, Path string
	Peer         Peer
	Raw          []byte    // all of it, or at least MaxMessage+1 bytes when there are more
	Source       string    // ByHTTP or ByTCP
	At           time.Time // when it came
}

// Message is what a bank sent, with what could be read of it.
type Message struct {
	Bank       string // the bank's code
	ExternalID string // the sender's id of the message where it is signed, else its serial and hash; "" when it is not believed
	Source     string
	Kind       string
	Raw        []byte // as received; nil when it is not believed, so that a stranger cannot fill the database
	SHA256     string // of the bytes received, in hex
	Size       int64  // bytes received
	At         time.Time
	Entries    []Entry // complete and checked, in the message's order, without ID and FirstSeen

	read any // for the answer, what the dialect has taken apart; nil where it has not or need not
}

// Answer is what the bank's dialect says back to a message, whose bytes were raw; nil where it says nothing.
func (b *Bank) Answer(m *Message, raw []byte, a Answer) *Reply {
	switch {
	case b.Adapter.Answer == nil:
		return nil
	case m.read == nil:
		reply := b.Adapter.Answer(b, raw, a)
		return &reply
	}
	reply := b.Adapter.answer(m.read, a)
	return &reply
}

// Open believes, decodes and checks a message; it is pure. On an error the message holds what is to be kept: everything
// but the entries when the bank is believed, else only size, hash and the circumstances. The error is a *Doubt when the
// message is not believed and an Invalid Refusal when it is not understood.
func (b *Bank) Open(s Sealed) (Message, error) {
	m := Message{Bank: b.Code, Source: s.Source, Kind: KindNotice, SHA256: hash(s.Raw), Size: int64(len(s.Raw)), At: s.At}
	e := Envelope{s.Header, s.Method, s.Path, s.Peer, s.At}
	if err := b.Admit(e); err != nil {
		return m, err
	}
	if len(s.Raw) > MaxMessage {
		return m, deposit.Refuse(deposit.Invalid, "message_too_large", "报文超过 ", MaxMessage, " 字节")
	}
	if err := b.Believe(e, bytes.NewReader(s.Raw)); err != nil {
		return m, err
	}
	m.Raw, m.ExternalID = s.Raw, b.Seal.messageID(e)
	if m.ExternalID == "" {
		m.ExternalID = m.SHA256
	}
	if b.IsPayResult(s.Raw) {
		m.Kind = KindResult
		return m, nil
	}
	found, read, err := b.read(s.Raw)
	m.read = read
	if err != nil {
		return m, err
	}
	m.Entries = found
	if m.ExternalID == m.SHA256 && len(found) > 0 {
		m.ExternalID = beside(found[0].Serial, m.SHA256)
	}
	if len(found) == 0 {
		m.Kind = KindLink
	}
	return m, nil
}

// read has the adapter read a message and admits each of its entries; one that is not admitted refuses the message.
// An adapter that panics is our fault and must cost neither the message nor the service.
func (b *Bank) read(raw []byte) (found []Entry, read any, err error) {
	defer func() {
		if p := recover(); p != nil {
			found, err = nil, fmt.Errorf("bank: adapter %s panicked: %v", b.Adapter.Name, p)
		}
	}()
	if b.Notices == None || b.Adapter.Notice == nil {
		return nil, nil, deposit.Refuse(deposit.Invalid, "notices_not_expected", "该银行未配置接收到账通知（banks.yaml 的 notices）")
	}
	if len(trimPadding(raw)) == 0 {
		return nil, nil, deposit.Refuse(deposit.Invalid, "message_empty", "报文为空")
	}
	if b.Adapter.read != nil {
		found, read, err = b.Adapter.read(b, raw)
	} else {
		found, err = b.Adapter.Notice(b, raw)
	}
	if err != nil {
		return nil, read, err
	}
	return found, read, b.admitNotices(found)
}

func (b *Bank) admitNotices(found []Entry) error {
	if len(found) > 1 && b.Notices != Aggregate {
		return deposit.Refuse(deposit.Invalid, "aggregate_unexpected", "一份报文含 ", len(found), " 笔，而该银行配置为逐笔通知（notices: single）")
	}
	for i := range found {
		if err := b.admitNotice(&found[i]); err != nil {
			return inEntry(i, len(found), err)
		}
	}
	return nil
}

// admitNotice admits a notified entry of an account of ours. On an account that is not in banks.yaml, under whatever
// name, no statement would ever confirm it, and the statement's line would count the same money again.
func (b *Bank) admitNotice(e *Entry) error {
	if err := b.admit(e); err != nil {
		return err
	}
	if !slices.Contains(b.ParentAccounts, e.ParentAccount) {
		return deposit.Refuse(deposit.Invalid, "parent_account_unknown", "通知的账号不是该银行的母账户，请核对报文或在 banks.yaml 的 parent_accounts 中补充")
	}
	return nil
}

// inEntry says which of several entries a refusal is about.
func inEntry(i, of int, err error) error {
	if of == 1 {
		return err
	}
	r := deposit.AsRefusal(err)
	return deposit.Refuse(r.Kind, r.Code, "第 ", i+1, " 笔：", r.Text)
}

// enoughHash is how much of a hash tells messages apart, 128 bits.
const enoughHash = 32

// beside is the id of a message that is known by its hash: behind its notice's serial, so that the index of ids grows where
// notices come, instead of everywhere.
func beside(serial, hash string) string {
	const mostSerial = 47 // of the column's 80 characters
	if len(serial) > mostSerial {
		serial = ""
	}
	return serial + "/" + hash[:enoughHash]
}
