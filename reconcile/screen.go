package reconcile

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// screen picks, before anything is judged, the numbers on which something may not be plain: all but those of which each lease
// has exactly one credit, by the bidder to the byte, of the deposit to the fen, in time, and from the account where that is
// demanded. Of those nothing is told, so only the others have to be read as text and judged by Decide. Of each row it
// keeps a card of fixed size, on which texts are hashes of 64 bits under a seed of this run: a number passes that should not
// if two different payments have one hash, once in 2^64 times; two numbers of one hash are judged by Decide.
type screen struct {
	*FileCheck
	bids, credits *spool   // cards, by number
	bidPicks      []uint64 // the rows to be read again
	creditPicks   []uint64
	desks         []screenDesk // one for each worker
}

// Reread gives bids and credits that came bare again, now as text: those in the set – row n is bit n%64 of word n/64 – that
// are not below from and are below to. Several goroutines ask at the same time.
type Reread struct {
	Bids    func(set []uint64, from, to int, bid func(row int, number string, b *Claim) error) error
	Credits func(set []uint64, from, to int, credit func(row int, e *bank.Entry) error) error
}

// BareBid is a bid as far as it has to be known to see whether it is plainly paid. Times are seconds since 1970.
type BareBid struct {
	Row               int
	Number            []byte
	Bidder            []byte // its NameKey is not empty
	IsKey             bool   // the name is its own NameKey
	Account           []byte
	Deposit           deposit.Fen
	OpensAt, From, To int64 // the lease, half open
	Basic             bool  // the payment has to come from the account
}

// The cards. Rows have 29 bits, times are seconds from 2000 on.
//
//	of a bid:    number 8, payment 8, key 4, row 4, from 4, to 4, until 4
//	of a credit: number 8, payment 8, account 8, serial 8, row 4, booked at 4
const (
	bidCard    = 36
	creditCard = 40

	cardGiven = 1 << 31 // the row came as text: it is judged whatever becomes of the card
	cardDoubt = 1 << 30 // the number is not plain
	cardBasic = 1 << 29
	cardRow   = cardBasic - 1
)

var firstSecond = time.Date(2000, 1, 1, 0, 0, 0, 0, deposit.Shanghai).Unix()

// Screen lets bids and credits come bare, from now on: reread is asked for those that have to be judged closely.
func (c *FileCheck) Screen(reread Reread) {
	c.reread = reread
	c.screen = &screen{FileCheck: c, bids: newSpool(c.dir, c.parts, 1), credits: newSpool(c.dir, c.parts, 1), desks: make([]screenDesk, c.workers)}
	c.open = append(c.open, c.screen.bids.close, c.screen.credits.close)
}

// The factors are odd, so that one name with two amounts never has one hash.
const (
	amountFactor  = 0x9E3779B97F4A7C15
	accountFactor = 0xD1B54A32D192ED03
)

// payment is what of a payment has to be as the bid has it.
func payment(name uint64, amount deposit.Fen) uint64 { return name + uint64(amount)*amountFactor }

// BareBid adds a bid that came bare.
func (c *FileCheck) BareBid(b *BareBid) error {
	if err := c.bidRow(b.Row); err != nil {
		return err
	}
	name := maphash.Bytes(c.seed, b.Bidder)
	key, pays, flags := name, payment(name, b.Deposit), uint32(0)
	if !b.IsKey {
		key = maphash.String(c.seed, deposit.NameKey(string(b.Bidder)))
	}
	if b.Basic {
		pays, flags = pays+maphash.Bytes(c.seed, b.Account)*accountFactor, cardBasic
	}
	from, a := cardTime(b.From)
	to, z := cardTime(b.To)
	if !a || !z && b.To < firstSecond || b.From >= b.To {
		flags |= cardDoubt
	}
	until, _ := cardTime(min(b.OpensAt, b.To))
	number := maphash.Bytes(c.seed, b.Number)
	card, err := c.screen.bids.slip(c.hashPart(number), bidCard)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(card, number)
	binary.LittleEndian.PutUint64(card[8:], pays)
	binary.LittleEndian.PutUint32(card[16:], uint32(key))
	binary.LittleEndian.PutUint32(card[20:], uint32(b.Row)|flags)
	binary.LittleEndian.PutUint32(card[24:], from)
	binary.LittleEndian.PutUint32(card[28:], to)
	binary.LittleEndian.PutUint32(card[32:], until)
	return nil
}

// cardTime is the nearest time a card can hold, and whether it is the very one.
func cardTime(seconds int64) (uint32, bool) {
	t := seconds - firstSecond
	return uint32(min(max(t, 0), math.MaxUint32)), t >= 0 && t < math.MaxUint32
}

// BareCredit adds a credit on a number that came bare.
func (c *FileCheck) BareCredit(e *bank.BareCredit) error {
	if err := c.creditRow(e.Line); err != nil {
		return err
	}
	serial := c.repeats.leave(maphash.Bytes(c.seed, e.ParentAccount), maphash.Bytes(c.seed, e.Serial))
	number := maphash.Bytes(c.seed, e.SubAccount)
	row := uint32(e.Line)
	at, ok := cardTime(e.BookedAt)
	if !ok {
		row |= cardDoubt
	}
	card, err := c.screen.credits.slip(c.hashPart(number), creditCard)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(card, number)
	binary.LittleEndian.PutUint64(card[8:], payment(maphash.Bytes(c.seed, e.PayerName), e.Amount))
	binary.LittleEndian.PutUint64(card[16:], maphash.Bytes(c.seed, e.PayerAccount))
	binary.LittleEndian.PutUint64(card[24:], serial)
	binary.LittleEndian.PutUint32(card[32:], row)
	binary.LittleEndian.PutUint32(card[36:], at)
	return nil
}

// given leaves the card of a row that came as text.
func (s *screen) given(cards *spool, size int, number string) error {
	hash := maphash.String(s.seed, number)
	card, err := cards.slip(s.hashPart(hash), size)
	if err != nil {
		return err
	}
	clear(card)
	binary.LittleEndian.PutUint64(card, hash)
	at := 20
	if size == creditCard {
		at = 32
	}
	binary.LittleEndian.PutUint32(card[at:], cardGiven|cardDoubt)
	return nil
}

// pick looks through all cards and reads again, as text, the rows that may not be plain.
func (s *screen) pick(ctx context.Context) error {
	s.bidPicks, s.creditPicks = newBitmap(s.bidRows), newBitmap(s.creditRows)
	if err := s.each(ctx, s.parts, s.sift); err != nil {
		return err
	}
	s.credits.drop()
	if err := s.pieces(ctx, s.bidRows, func(worker, from, to int) error {
		return s.reread.Bids(s.bidPicks, from, to, func(row int, number string, b *Claim) error { return s.putBid(worker, row, number, b) })
	}); err != nil {
		return err
	}
	return s.pieces(ctx, s.creditRows, func(worker, from, to int) error {
		return s.reread.Credits(s.creditPicks, from, to, func(row int, e *bank.Entry) error { return s.putCredit(worker, row, e) })
	})
}

// pieces cuts the rows of a file into some pieces for each worker.
func (s *screen) pieces(ctx context.Context, rows uint64, work func(worker, from, to int) error) error {
	const each = 4
	n := s.workers * each
	size := (int(rows)/n/64 + 1) * 64
	return s.each(ctx, n, func(worker, piece int) error { return work(worker, piece*size, min((piece+1)*size, int(rows))) })
}

func (s *screen) pickRow(set []uint64, row uint32) {
	if row&cardGiven == 0 {
		row &= cardRow
		atomic.OrUint64(&set[row/64], 1<<(row%64))
	}
}

// hashPart is the partition of a number's hash.
func (c *FileCheck) hashPart(hash uint64) int { return int(hash & uint64(c.parts-1)) }

// seek reads again the plain bids of the payers asked for, which are paid.
func (s *screen) seek(ctx context.Context, sitting *sitting, found spools) error {
	wanted := newBitmap(s.bidRows)
	err := s.each(ctx, s.parts, func(worker, part int) (err error) {
		d := &s.desks[worker]
		if d.bids, err = s.bids.load(part, d.bids[:0]); err != nil {
			return err
		}
		for at := 0; at < len(d.bids); at += bidCard {
			row := binary.LittleEndian.Uint32(d.bids[at+20:])
			if row&cardGiven == 0 && !bitmap(s.bidPicks).has(uint64(row&cardRow)) && sitting.isSought(uint64(binary.LittleEndian.Uint32(d.bids[at+16:]))) {
				s.pickRow(wanted, row)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.pieces(ctx, s.bidRows, func(worker, from, to int) error {
		p := &s.pens[worker].bid
		return s.reread.Bids(wanted, from, to, func(row int, number string, b *Claim) error {
			key := deposit.NameKey(b.Bidder)
			hash := maphash.String(s.seed, key)
			*p = (*p)[:0]
			writeBid(p, hash, uint64(row), number, key, b)
			sitting.paid[row/64].Or(1 << (row % 64))
			return found[worker].put(payerPart(hash), *p)
		})
	})
}
