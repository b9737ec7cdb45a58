package reconcile

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// repeats finds, in a statement larger than memory, the lines that repeat or contradict another one, and the credits that a
// reversal takes back. Wherever they stand in the file, such lines have the account and the serial in common, so each credit
// leaves the hash of both in a bitmap: only those whose hash was there before, or is named by a reversal, are suspected.
// They are a few in a hundred, most of them by chance, and are looked at closely before anything is judged.
type repeats struct {
	seed   maphash.Seed
	mask   uint64
	seen   bitmap
	twice  bitmap
	booked []booked // the accounts and days of the file, few; a credit says which by its place
	places map[booked]int
	last   booked
	place  int

	back   []bank.Entry // the reversals, each once, in the order of the file
	debits map[bank.Identity]bool

	dropped, aside, reversed bitmap // of the credits, by row, once it is known
}

// booked is where a line belongs.
type booked struct {
	bank, parent string
	day          deposit.Day
}

// The bits there are for a row: enough that one in thirty is suspected by chance. The most is 32 MiB for each bitmap.
const (
	bitsPerRow  = 32
	fewestSlots = 1 << 16
	mostSlots   = 1 << 28
)

func newRepeats(seed maphash.Seed, rows uint64) *repeats {
	slots := min(max(powerOfTwo(rows*bitsPerRow), fewestSlots), mostSlots)
	return &repeats{seed: seed, mask: slots - 1, seen: newBitmap(slots), twice: newBitmap(slots), places: map[booked]int{}, place: -1, debits: map[bank.Identity]bool{}}
}

func (r *repeats) slot(parent, serial string) uint64 {
	return (maphash.String(r.seed, serial) ^ maphash.String(r.seed, parent)<<1) & r.mask
}

// takeBack notes a debit if it is a reversal.
func (r *repeats) takeBack(e *bank.Entry) {
	if e.Reversal != bank.Reverses || r.debits[e.Identity()] {
		return
	}
	own := bank.Entry{Bank: e.Bank, ParentAccount: strings.Clone(e.ParentAccount), BookingDate: deposit.Day(strings.Clone(string(e.BookingDate))),
		Serial: strings.Clone(e.Serial), SerialSeq: e.SerialSeq, Direction: e.Direction, Reversal: e.Reversal, ReversalOf: strings.Clone(e.ReversalOf),
		SubAccount: strings.Clone(e.SubAccount), Amount: e.Amount, BookedAt: e.BookedAt, PayerAccount: strings.Clone(e.PayerAccount)} // a part of a text keeps the whole
	r.debits[own.Identity()] = true
	r.back = append(r.back, own)
	if e.ReversalOf != "" {
		r.twice.add(r.slot(e.ParentAccount, e.ReversalOf))
	}
}

// write writes a credit's record and leaves its hash.
func (r *repeats) write(p *pen, row uint64, e *bank.Entry) {
	slot := r.slot(e.ParentAccount, e.Serial)
	if r.seen.has(slot) {
		r.twice.add(slot)
	}
	r.seen.add(slot)
	at := booked{e.Bank, e.ParentAccount, e.BookingDate}
	if r.place < 0 || at != r.last {
		known := false
		if r.place, known = r.places[at]; !known {
			r.place = len(r.booked)
			at = booked{at.bank, strings.Clone(at.parent), deposit.Day(strings.Clone(string(at.day)))}
			r.places[at], r.booked = r.place, append(r.booked, at)
		}
		r.last = at
	}
	writeCredit(p, slot, row, r.place, r.rest(e), e)
}

// rest stands for what of a line only tells repeats from contradictions. Two lines of one serial that differ only in it
// pass for the same once in 2^64 times.
func (r *repeats) rest(e *bank.Entry) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	for _, s := range [...]string{e.PayerBank, e.Remark, e.ReversalOf} {
		_, _ = h.WriteString(s)
		_ = h.WriteByte(0) // never within a text: no entry has control characters
	}
	return h.Sum64()
}

// identity is a credit's within the file.
type identity struct {
	serial string
	seq    int
	place  int
}

// settleRepeats looks at the suspected credits and notes, by row, which are repeats and do not count, which are
// contradicted, and which are taken back.
func (c *FileCheck) settleRepeats(ctx context.Context) error {
	r := c.repeats
	r.dropped, r.aside, r.reversed = newBitmap(c.creditRows), newBitmap(c.creditRows), newBitmap(c.creditRows)
	wanted := map[reversible]bool{}
	likes := false // a reversal names no serial
	for i := range r.back {
		e := &r.back[i]
		if e.ReversalOf != "" {
			wanted[named(e, e.ReversalOf)] = true
		} else {
			wanted[alike(e)], likes = true, true
		}
	}
	suspects, rooms := c.spools(coarseParts), make([][]byte, c.workers)
	err := c.each(ctx, c.parts, func(worker, part int) error { return c.suspect(part, &rooms[worker], suspects[worker], likes, wanted) })
	if err != nil {
		return err
	}
	var mutex sync.Mutex
	var related []*heard
	err = c.each(ctx, coarseParts, func(worker, part int) error {
		group, err := c.hearSuspects(suspects, part, &rooms[worker], &mutex, wanted)
		mutex.Lock()
		related = append(related, group...)
		mutex.Unlock()
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(related, func(a, b *heard) int {
		return cmp.Or(bookingOrder(&a.credit, &b.credit), cmp.Compare(a.entry.ID, b.entry.ID))
	})
	reverse(related, r.back)
	for _, one := range related {
		if one.credit.Reversed {
			r.reversed.add(uint64(one.entry.ID))
		}
	}
	r.seen, r.twice, r.debits = nil, nil, nil
	return suspects.close()
}

// suspect picks the suspected credits of a partition.
func (c *FileCheck) suspect(part int, room *[]byte, into *spool, likes bool, wanted map[reversible]bool) error {
	l, err := spools{c.credits}.load(part, room)
	if err != nil {
		return err
	}
	for l.next() {
		from := l.at
		slot := l.hash()
		picked := c.repeats.twice.has(slot)
		if likes && !picked {
			l.at = from
			one := c.repeats.entry(readCredit(&l))
			picked = wanted[alike(&one)]
		}
		if picked {
			if err := into.put(int(slot%coarseParts), l.record(from)); err != nil {
				return err
			}
		}
	}
	return nil
}

// entry is a credit as the statement told it, as far as the record knows. Its ID is its row.
func (r *repeats) entry(f fileCredit) bank.Entry {
	at := r.booked[f.place]
	return bank.Entry{ID: sqldb.ID(f.row), Bank: at.bank, ParentAccount: at.parent, BookingDate: at.day, Serial: f.Serial, SerialSeq: f.SerialSeq,
		Direction: bank.Credit, SubAccount: f.SubAccount, Amount: f.Amount, BookedAt: f.BookedAt, PayerName: f.PayerName, PayerAccount: f.PayerAccount}
}

// hearSuspects settles a partition's repeats and gives the credits that a reversal may take back.
func (c *FileCheck) hearSuspects(suspects spools, part int, room *[]byte, mutex *sync.Mutex, wanted map[reversible]bool) (related []*heard, err error) {
	l, err := suspects.load(part, room)
	if err != nil {
		return nil, err
	}
	var credits []fileCredit
	for l.next() {
		credits = append(credits, readCredit(&l))
	}
	slices.SortFunc(credits, func(a, b fileCredit) int { return cmp.Compare(a.row, b.row) })
	r := c.repeats
	first := map[identity]*fileCredit{}
	for i := range credits {
		f := &credits[i]
		key := identity{f.Serial, f.SerialSeq, f.place}
		if old := first[key]; old != nil {
			mutex.Lock()
			r.dropped.add(f.row)
			if contradicts(old, f) {
				r.aside.add(old.row)
			}
			mutex.Unlock()
			continue
		}
		first[key] = f
		e := r.entry(*f)
		if wanted[named(&e, e.Serial)] || wanted[alike(&e)] {
			related = append(related, heardOf(e))
		}
	}
	return related, nil
}

// contradicts compares two lines of one file to the letter.
func contradicts(a, b *fileCredit) bool {
	return a.Amount != b.Amount || a.SubAccount != b.SubAccount || !a.BookedAt.Equal(b.BookedAt) || a.PayerName != b.PayerName ||
		a.PayerAccount != b.PayerAccount || a.rest != b.rest
}
