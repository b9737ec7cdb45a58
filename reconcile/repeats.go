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
	seen   filter
	twice  filter
	left   [256]uint64 // hashes that are still to be added: many at once, since each is far away in memory
	lefts  int
	mutex  sync.Mutex
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

// The words there are for rows: enough that one row in some hundreds is suspected by chance. The most is 32 MiB.
const (
	rowsPerWord = 4 // by an estimate that is above the truth, as powers of two are
	fewestWords = 1 << 10
	mostWords   = 1 << 22
	fewRepeat   = 8 // times as few as there are
)

func newRepeats(seed maphash.Seed, rows uint64) *repeats {
	words := min(max(powerOfTwo(rows)/rowsPerWord, fewestWords), mostWords)
	return &repeats{seed: seed, seen: make(filter, words), twice: make(filter, words/fewRepeat), places: map[booked]int{}, place: -1, debits: map[bank.Identity]bool{}}
}

func (r *repeats) hash(text string) uint64 { return maphash.String(r.seed, text) }

// slot is what the lines of a serial have in common, of the hashes of its account and itself.
func slot(parent, serial uint64) uint64 { return serial ^ parent<<1 }

// leave leaves the hash of a credit, and suspects whatever has it if it was there before.
func (r *repeats) leave(parent, serial uint64) uint64 {
	if r.lefts == len(r.left) {
		r.addLeft()
	}
	h := slot(parent, serial)
	r.left[r.lefts] = h
	r.lefts++
	return h
}

// addLeft adds what was left; before it, nothing is known of who is suspected.
func (r *repeats) addLeft() {
	for _, h := range r.left[:r.lefts] {
		if r.seen.add(h) {
			r.twice.add(h)
		}
	}
	r.lefts = 0
}

// filter is a set of hashes that is sometimes wrong about what is not in it: three bits for each, in one word.
type filter []uint64

func (f filter) at(h uint64) (word *uint64, bits uint64) {
	return &f[h>>18&uint64(len(f)-1)], 1<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63)
}

func (f filter) has(h uint64) bool {
	word, bits := f.at(h)
	return *word&bits == bits
}

// add says whether it seemed to be there already.
func (f filter) add(h uint64) (known bool) {
	word, bits := f.at(h)
	known = *word&bits == bits
	*word |= bits
	return known
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
		r.twice.add(slot(r.hash(e.ParentAccount), r.hash(e.ReversalOf)))
	}
}

// write writes a credit's record.
func (r *repeats) write(p *pen, row uint64, e *bank.Entry) {
	writeCredit(p, slot(r.hash(e.ParentAccount), r.hash(e.Serial)), row, r.placeOf(e), r.rest(e), e)
}

func (r *repeats) placeOf(e *bank.Entry) int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
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
	return r.place
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
	r.twice, r.debits = nil, nil
	return suspects.close()
}

// suspect picks the suspected credits of a partition.
func (c *FileCheck) suspect(part int, room *[]byte, into *spool, likes bool, wanted map[reversible]bool) error {
	l, err := c.credits.load(part, room)
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
