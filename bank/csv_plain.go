package bank

import (
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
}

// entry makes an entry of a row, which is good until the next, or says what is wrong with it.
func (p *plainCSV) entry(r *Row) (*Entry, *Fault) {
	if p.read(r.Fields) {
		return &p.booking.Entry, nil
	}
	k := new(booking)
	f := k.read(p.bank, csvColumns, r.cells())
	return &k.Entry, f
}

// read reads a row's fields, in the order of csvColumns.
func (p *plainCSV) read(f []string) bool {
	serial, day, at, parent, sub, side, amount := f[0], f[1], f[2], f[3], f[4], f[5], f[6]
	name, account, payerBank, remark, of := f[7], f[8], f[9], f[10], f[11]
	if !p.place(day, parent) || serial == "" || sub == parent || !isDigits(serial, 64) || !isDigits(sub, 40) || !isDigits(account, 64) || !isDigits(of, 64) ||
		!isProse(name, 200) || !isProse(payerBank, 200) || !isProse(remark, maxRemark) {
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
		SubAccount: sub, Amount: fen, BookedAt: bookedAt, PayerName: name, PayerKey: deposit.NameKey(name), PayerAccount: account, PayerBank: payerBank, Remark: remark}
	if side == string(Debit) {
		k.Direction = Debit
	}
	k.settle(p.bank)
	return true
}

// place admits the day and the parent account, which are mostly those of the row before.
func (p *plainCSV) place(day, parent string) bool {
	if day != p.day || day == "" {
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

// isProse says whether a text is short enough without counting its characters, and has nothing but visible ASCII, common
// blanks, Han characters and their punctuation in full width: none of these is a control character, or a blank that
// would have to be cut off, or becomes longer in deposit.NameKey. It is UTF-8, of which the first byte tells the block.
func isProse(s string, most int) bool {
	if len(s) > most {
		return false
	}
	for i := range len(s) {
		if c := s[i]; isOdd[c] && (c != 0xEF || s[i+1] != 0xBC && s[i+1] != 0xBD) { // U+FF00 to U+FF7F: （）
			return false
		}
	}
	return true
}

// isOdd are the bytes with which other characters begin; 0xEF begins both.
var isOdd = func() (odd [256]bool) {
	for c := range odd {
		odd[c] = c < ' ' || c == 0x7F || c >= 0xC0 && c <= 0xE3 || c >= 0xEA
	}
	return odd
}()
