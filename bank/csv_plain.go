package bank

import (
	"slices"
	"strings"

	"depositd/platform/deposit"
)

// plainCSV reads the rows of a csv statement that are as nearly all are – digits where digits are meant, texts without
// anything odd in them – into one booking, again and again. It says no to whatever else, and the columns then decide and
// explain: what it reads is what they would have read.
type plainCSV struct {
	bank    *Bank
	booking booking

	day    string // read and admitted; the rows of a file have few
	parent string
	key    string // of the payer's name
}

// read reads a row's fields, in the order of csvColumns.
func (p *plainCSV) read(f []string) bool {
	serial, day, at, parent, sub, side, amount := f[0], f[1], f[2], f[3], f[4], f[5], f[6]
	name, account, payerBank, remark, of := f[7], f[8], f[9], f[10], f[11]
	if !p.place(day, parent) || serial == "" || sub == parent || !isDigits(serial, 64) || !isDigits(sub, 40) || !isDigits(account, 64) || !isDigits(of, 64) ||
		!isProse(name, 200) || !isProse(payerBank, 200) || !isProse(remark, maxRemark) || !p.payer(name) {
		return false
	}
	bookedAt, err := deposit.ParseWall(at)
	if err != nil || len(at) != len(deposit.WallTime) || at < string(firstBooking) || at[:len(lastBooking)] > string(lastBooking) {
		return false
	}
	fen, err := deposit.ParseYuan(amount)
	if err != nil || side != string(Credit) && side != string(Debit) {
		return false
	}
	k := &p.booking
	k.Entry = Entry{Bank: p.bank.Code, ParentAccount: parent, BookingDate: deposit.Day(day), Serial: serial, Direction: Credit, ReversalOf: of,
		SubAccount: sub, Amount: fen, BookedAt: bookedAt, PayerName: name, PayerKey: p.key, PayerAccount: account, PayerBank: payerBank, Remark: remark}
	if side == string(Debit) {
		k.Direction = Debit
	}
	k.settle(p.bank)
	return true
}

// place admits the day and the parent account, which are mostly those of the row before.
func (p *plainCSV) place(day, parent string) bool {
	if day != p.day {
		if d, err := deposit.ParseDay(day); err != nil || d < firstBooking || d > lastBooking {
			return false
		}
		p.day = strings.Clone(day)
	}
	if parent != p.parent || parent == "" {
		if parent == "" || !isDigits(parent, 40) || p.bank.Code == "" || !isDigits(p.bank.Code, 32) {
			return false
		}
		p.parent = strings.Clone(parent)
	}
	return true
}

// payer finds the key of the payer's name.
func (p *plainCSV) payer(name string) bool {
	p.key = deposit.NameKey(name)
	return len(p.key) == len(name) || keyText.check(p.key) == nil
}

var keyText = texts[slices.IndexFunc(texts, func(t text) bool { return t.name == "payer_key" })]

// isDigits says whether a number or a code has visible ASCII only, and no plus sign, which a spreadsheet may have put there.
func isDigits(s string, most int) bool {
	if len(s) > most {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '+' {
			return false
		}
	}
	return true
}

// isProse says whether a text is short enough without counting its characters, and has no control character and no other
// blank than the common one. It is UTF-8, of which the first byte tells the character's block.
func isProse(s string, most int) bool {
	if len(s) > most {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if odd[c] && (c != 0xE3 || strings.HasPrefix(s[i:], "\u3000")) {
			return false
		}
	}
	return true
}

// odd are the bytes with which odd characters begin: control characters, blanks of other widths.
var odd = func() (odd [256]bool) {
	for c := range 0x20 {
		odd[c] = true
	}
	for _, c := range []byte{0x7F, 0xC2, 0xE1, 0xE2, 0xE3} {
		odd[c] = true
	}
	return odd
}()
