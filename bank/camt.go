package bank

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"io"

	"depositd/platform/deposit"
)

// camt is ISO 20022 cash management: the intraday report camt.052, the statement camt.053 and the notification camt.054,
// versions .01 to .13, known by local names whatever the namespace.
//
// What the standard leaves open, as it is read here:
//   - A bank's sub-account is the account of our side of the transaction (CdtrAcct of a credit, DbtrAcct of a debit) when
//     it is not the parent account itself; else the structured creditor reference (CdtrRefInf/Ref) of a credit.
//   - The serial is the bank's AcctSvcrRef of the entry, else of its transaction, else NtryRef; without any, "~" and a
//     digest of the content. TxId and EndToEndId are the payer's and may repeat, so that they are never the serial.
//   - An entry whose transactions add up to it is an Entry for each of them, numbered from 1, unless the bank is said to
//     notify in aggregate. Where they do not add up it is one Entry, which names what they have in common.
//   - An entry that is not booked (Sts PDNG, INFO …) or of amount zero is read, and is no Entry.
var camt = &Adapter{Name: "camt", Title: "ISO 20022 camt.052/053/054", Notice: camtNotice, Statement: camtFile, Payout: painPaying}

// camtNotice reads a pushed camt.054 or camt.052. It refuses the message if one entry of it cannot be read.
func camtNotice(b *Bank, raw []byte) ([]Entry, error) {
	c := newCamtReader(bytes.NewReader(trimPadding(raw)))
	n := camtNoted{reader: c}
	if err := camtHandOn(b, c, &n); err != nil {
		return nil, err // all of it or none
	}
	return n.entries, nil
}

// camtNoted is the Sink that collects a notice.
type camtNoted struct {
	reader  *camtReader
	entries []Entry
}

// Begin refuses what is no notice, and money that is no yuan.
func (n *camtNoted) Begin(s Statement) error {
	if n.reader.message == "camt.053" {
		return deposit.Refuse(deposit.Invalid, "message_unexpected", "camt.053 是对账单，请作为对账文件导入；到账通知应为 camt.054 或 camt.052")
	}
	return CheckCurrency(s.Currency)
}

// Entry takes an entry.
func (n *camtNoted) Entry(e *Entry) error {
	n.entries = append(n.entries, *e)
	return nil
}

// Fault refuses the message.
func (n *camtNoted) Fault(f Fault) error {
	return deposit.Refuse(deposit.Invalid, f.Code, "第 ", f.Line, " 行第 ", f.Column, " 列：", f.Text)
}

// End has nothing to do: a notice proves nothing.
func (n *camtNoted) End(Statement) error { return nil }

// camtFile reads a file of statements as it streams by.
func camtFile(b *Bank, file io.Reader, sink Sink) error {
	return camtHandOn(b, newCamtReader(file), sink)
}

func camtHandOn(b *Bank, c *camtReader, sink Sink) error {
	for {
		s, err := c.statement()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		h := camtHanding{bank: b, sink: sink, read: s, repeats: map[[sha256.Size]byte]int{}}
		if err := h.statement(c); err != nil {
			return err
		}
	}
}

// camtHanding hands one statement on.
type camtHanding struct {
	bank    *Bank
	sink    Sink
	read    *camtStatement
	said    Statement
	moves   camtTally                 // by how much the claims of the file move on the way, see end
	repeats map[[sha256.Size]byte]int // how often a content without serial has come; empty where the bank gives serials
}

func (h *camtHanding) statement(c *camtReader) error {
	e, err := c.entry(h.read)
	if err != nil {
		return err
	}
	h.begin(e)
	if h.said.Day == "" {
		return c.x.refuse("day_missing", "报告 ", clip(h.read.ID), " 没有任何日期（余额日期、FrToDt、BookgDt、CreDtTm 均缺失或无效）")
	}
	if err := h.sink.Begin(h.said); err != nil {
		return err
	}
	for ; e != nil; e, err = c.entry(h.read) {
		if err := h.faults(); err != nil {
			return err
		}
		if err := h.entry(e); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if err := h.faults(); err != nil {
		return err
	}
	h.end()
	return h.sink.End(h.said)
}

// begin says what is known before the first entry. The day is the closing balance's, else the last of the period
// reported, else the first entry's, else the day the report was made on, which is often a day late.
func (h *camtHanding) begin(first *camtEntry) {
	s := h.read
	created, _ := parseCamtDate(s.Created)
	days := []deposit.Day{s.Period.Day, created.Day}
	currencies := []string{s.Currency}
	if first != nil {
		days = []deposit.Day{s.Period.Day, first.Booked.Day, first.Value.Day, created.Day}
	}
	if closing := s.closing(); closing != nil {
		days, currencies = append([]deposit.Day{closing.Date.Day}, days...), append(currencies, closing.Currency)
	}
	if opening := s.opening(); opening != nil {
		currencies = append(currencies, opening.Currency)
	}
	if first != nil {
		currencies = append(currencies, first.Currency)
	}
	h.said = Statement{ParentAccount: cmp.Or(s.Account, h.bank.Parent()), Day: cmp.Or(days...), Currency: cmp.Or(currencies...), Declared: Undeclared}
	h.balances()
}

func (h *camtHanding) balances() {
	h.said.Opening, h.said.Closing, h.said.LastPage = nil, nil, h.read.LastPage
	if b := h.read.opening(); b != nil {
		h.said.Opening = &b.Amount
	}
	if b := h.read.closing(); b != nil {
		h.said.Closing = &b.Amount
	}
}

// end completes what the file says. Its claims count Ntry elements; what receives the Entries counts those. So each claim
// moves by what became of the elements on the way – one in parts is several, one not booked is none – and whoever
// compares finds a difference exactly where the file has one.
func (h *camtHanding) end() {
	h.balances()
	count := func(claimed, moved int) int {
		if claimed < 0 {
			return claimed
		}
		return max(claimed+moved, 0)
	}
	sum := func(claimed *deposit.Fen, moved deposit.Fen) *deposit.Fen {
		if claimed == nil {
			return nil
		}
		moved += *claimed
		return &moved
	}
	d, m := h.read.Declared, h.moves
	h.said.Declared = Declared{
		Entries: count(d.Entries, m.Credits+m.Debits), Credits: count(d.Credits, m.Credits), Debits: count(d.Debits, m.Debits),
		Sum: sum(d.Sum, m.CreditSum+m.DebitSum), CreditSum: sum(d.CreditSum, m.CreditSum), DebitSum: sum(d.DebitSum, m.DebitSum),
	}
}

func (h *camtHanding) faults() error {
	for _, f := range h.read.Faults {
		if err := h.sink.Fault(f); err != nil {
			return err
		}
	}
	h.read.Faults = nil
	return nil
}

// entry hands one Ntry on, as the Entries it stands for.
func (h *camtHanding) entry(n *camtEntry) error {
	if n.Fault == nil && n.Currency != "" && n.Currency != h.said.Currency {
		n.spoil("Amt", deposit.Refuse(deposit.Invalid, "currency_foreign", "币种为 ", clip(n.Currency), "，对账单币种为 ", clip(h.said.Currency)))
	}
	if n.Fault != nil {
		return h.sink.Fault(*n.Fault)
	}
	if n.Status != camtBooked || n.Amount == 0 {
		h.moved(n, -1, -n.Amount)
		return nil
	}
	parts, seq := []camtDetail{camtCommon(n.Details)}, 0
	if h.bank.Notices != Aggregate && n.inParts() {
		parts, seq = n.Details, 1
		h.moved(n, len(parts)-1, 0)
	}
	serial := h.serial(n)
	for i := range parts {
		e := h.part(n, &parts[i], len(parts) > 1)
		e.Serial, e.SerialSeq = serial, seq+i
		if err := h.sink.Entry(&e); err != nil {
			return err
		}
	}
	return nil
}

// moved notes how the claims of the file move against what is handed on.
func (h *camtHanding) moved(n *camtEntry, count int, sum deposit.Fen) {
	if n.Direction == Credit {
		h.moves.Credits, h.moves.CreditSum = h.moves.Credits+count, h.moves.CreditSum+sum
		return
	}
	h.moves.Debits, h.moves.DebitSum = h.moves.Debits+count, h.moves.DebitSum+sum
}
