package reconcile

import (
	"depositd/bank"
)

// fileBid is a bid of a check: its place in the file, and what was paid into its number.
type fileBid struct {
	Claim
	row  uint64
	next int // the number's next lease, from 1; 0 for none
	paid int // the first of the credits that count, from 1, in the order in which they were read
}

// fileCredit is a credit of a check.
type fileCredit struct {
	Credit
	row    uint64
	rest   uint64 // see repeats.rest
	place  int    // see repeats.places
	known  bool   // the number is or was leased to somebody
	holder int    // whose number it was at the booking time, from 1; 0 for nobody
	next   int    // the next one that counts for the holder, from 1
	sums   Sums
}

// writeBid writes a bid's record. The hash of the bidder's key stands first, so that one pass can look for payers.
func writeBid(p *pen, hash, row uint64, number, key string, b *Claim) {
	p.hash(hash)
	p.number(row)
	p.flags(b.SinglePayment, b.BasicAccountRequired, key == b.Bidder)
	p.text(number)
	p.text(b.Lot)
	p.text(b.Bidder)
	if key != b.Bidder {
		p.text(key)
	}
	p.text(b.BidderAccount)
	p.signed(int64(b.Deposit))
	p.time(b.OpensAt)
	p.time(b.From)
	p.time(b.To)
}

// readBid reads what writeBid wrote, after the hash.
func readBid(l *leaf, b *fileBid) {
	b.row = l.number()
	flag := l.flags()
	b.SinglePayment, b.BasicAccountRequired, b.Opened = flag&1 != 0, flag&2 != 0, true
	b.Number, b.Lot, b.Bidder = l.string(), l.string(), l.string()
	b.BidderKey = b.Bidder
	if flag&4 == 0 {
		b.BidderKey = l.string()
	}
	b.BidderAccount = l.string()
	b.Deposit = fen(l)
	b.OpensAt, b.From, b.To = l.time(), l.time(), l.time()
}

// writeCredit writes the record of a credit as it stands in the file.
func writeCredit(p *pen, slot, row uint64, place int, rest uint64, e *bank.Entry) {
	p.hash(slot)
	p.number(row)
	p.number(uint64(place))
	p.hash(rest)
	p.flags(e.Returned)
	p.text(e.SubAccount)
	p.text(e.Serial)
	p.number(uint64(e.SerialSeq))
	p.text(e.PayerName)
	p.text(e.PayerAccount)
	p.signed(int64(e.Amount))
	p.time(e.BookedAt)
}

// readCredit reads what writeCredit wrote.
func readCredit(l *leaf) (f fileCredit) {
	l.hash()
	f.row, f.place = l.number(), int(l.number())
	f.rest = l.hash()
	f.Returned = l.flags() != 0
	f.SubAccount, f.Serial, f.SerialSeq = l.string(), l.string(), int(l.number())
	f.PayerName, f.PayerAccount = l.string(), l.string()
	f.Amount = fen(l)
	f.BookedAt = l.time()
	return f
}
