package reconcile

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"

	"depositd/platform/deposit"
)

// sitting judges the partitions of a check, each by itself.
type sitting struct {
	*FileCheck
	all     bool
	benches []benchRoom // one for each worker
	credits *outcome
	bids    *outcome

	paid      []atomic.Uint64 // of the bids, by row
	sought    []atomic.Uint64 // the hashes of the payers asked for
	asks      spools          // credits that wait for the payer's bids, by payer
	collision atomic.Pointer[collision]
}

// collision is an overlap, and the row of the bid it was seen at.
type collision struct {
	number string
	row    uint64
}

// benchRoom is what a worker uses again for each partition.
type benchRoom struct {
	bytes   []byte
	bids    []fileBid
	credits []fileCredit
	index   []int32 // open hash of numbers; holds the places of their first leases, from 1
	group   []int
	pen     pen
}

func newSitting(c *FileCheck, all bool) *sitting {
	s := &sitting{FileCheck: c, all: all, benches: make([]benchRoom, c.workers), asks: c.spools(coarseParts)}
	s.credits, s.bids = newOutcome(c, "credit", c.creditRows), newOutcome(c, "bid", c.bidRows)
	s.paid = make([]atomic.Uint64, c.bidRows/64+1)
	s.sought = make([]atomic.Uint64, max(powerOfTwo(c.bidRows*2)/64, 1))
	return s
}

// judge judges a partition.
func (s *sitting) judge(worker, part int) error {
	room := &s.benches[worker]
	if err := s.fill(room, part); err != nil {
		return err
	}
	room.indexNumbers(s)
	for i := range room.credits {
		room.hold(s.seed, &room.credits[i])
	}
	room.sum(s.rules)
	for i := range room.credits {
		if err := s.decide(worker, &room.credits[i]); err != nil {
			return err
		}
	}
	for i := range room.bids {
		if err := s.settle(worker, &room.bids[i]); err != nil {
			return err
		}
	}
	return nil
}

// fill reads a partition, without the credits that are repeats.
func (s *sitting) fill(room *benchRoom, part int) error {
	bids, err := s.FileCheck.bids.load(part, &room.bytes)
	if err != nil {
		return err
	}
	credits, err := s.FileCheck.credits.load(part, &room.bytes)
	if err != nil {
		return err
	}
	room.bids, room.credits = emptied(room.bids), emptied(room.credits)
	for bids.next() {
		bids.hash()
		room.bids = append(room.bids, fileBid{})
		readBid(&bids, &room.bids[len(room.bids)-1])
	}
	for credits.next() {
		f := readCredit(&credits)
		if s.repeats.dropped.has(f.row) {
			continue
		}
		f.Reversed = s.repeats.reversed.has(f.row)
		if s.repeats.aside.has(f.row) {
			f.SetAside = AdviceConflict
		}
		room.credits = append(room.credits, f)
	}
	return nil
}

// emptied makes room for other records; what stood there would keep the whole text of its partition.
func emptied[T any](all []T) []T {
	clear(all[:cap(all)])
	return all[:0]
}

// indexNumbers makes the leases of each number a chain that begins in the index, and looks for overlaps.
func (room *benchRoom) indexNumbers(s *sitting) {
	slots := int(powerOfTwo(uint64(len(room.bids)) * 2))
	room.index = slices.Grow(room.index[:0], slots)[:slots]
	clear(room.index)
	chained := false
	for i := range room.bids {
		slot := room.slot(s.seed, room.bids[i].Number)
		chained = chained || room.index[slot] != 0
		room.bids[i].next = int(room.index[slot])
		room.index[slot] = int32(i + 1)
	}
	if !chained {
		return
	}
	for _, first := range room.index {
		if first != 0 && room.bids[first-1].next != 0 {
			s.compare(room, int(first))
		}
	}
}

// slot is where a number's chain begins, or is to begin.
func (room *benchRoom) slot(seed maphash.Seed, number string) int {
	mask := len(room.index) - 1
	for slot := int(maphash.String(seed, number)>>32) & mask; ; slot = (slot + 1) & mask {
		if first := room.index[slot]; first == 0 || room.bids[first-1].Number == number {
			return slot
		}
	}
}

// compare looks whether any leases of a number overlap.
func (s *sitting) compare(room *benchRoom, first int) {
	room.group = room.group[:0]
	for i := first; i != 0; i = room.bids[i-1].next {
		room.group = append(room.group, i-1)
	}
	slices.SortFunc(room.group, func(a, b int) int { return room.bids[a].From.Compare(room.bids[b].From) })
	for k := 1; k < len(room.group); k++ {
		a, b := &room.bids[room.group[k-1]], &room.bids[room.group[k]]
		if b.From.Before(a.To) {
			s.collide(&collision{strings.Clone(a.Number), min(a.row, b.row)})
		}
	}
}

// collide keeps the overlap that stands first in the file.
func (s *sitting) collide(one *collision) {
	for {
		old := s.collision.Load()
		if old != nil && old.row <= one.row || s.collision.CompareAndSwap(old, one) {
			return
		}
	}
}

func (s *sitting) overlap() error {
	if found := s.collision.Load(); found != nil {
		return &OverlapError{found.number}
	}
	return nil
}

// hold finds whose number a credit is on.
func (room *benchRoom) hold(seed maphash.Seed, f *fileCredit) {
	first := int(room.index[room.slot(seed, f.SubAccount)])
	f.known = first != 0
	for i := first; i != 0; i = room.bids[i-1].next {
		if room.bids[i-1].inForce(f.BookedAt) {
			f.holder = i
		}
	}
	if h := room.holder(f); h != nil && h.Bidder == f.PayerName {
		f.PayerKey = h.BidderKey
	} else {
		f.PayerKey = deposit.NameKey(f.PayerName)
	}
}

func (room *benchRoom) holder(f *fileCredit) *Claim {
	if f.holder == 0 {
		return nil
	}
	return &room.bids[f.holder-1].Claim
}

// claims is what the partition itself knows of who may claim a credit.
func (room *benchRoom) claims(f *fileCredit) Claims {
	return Claims{Known: f.known, Holder: room.holder(f)}
}

// sum sums up, by lease, the credits that count, and notes on each lease whether it is paid.
func (room *benchRoom) sum(rules Rules) {
	for i := range slices.Backward(room.credits) { // so that each chain begins with the first
		f := &room.credits[i]
		if f.holder != 0 && Counts(&f.Credit, room.claims(f), rules) {
			b := &room.bids[f.holder-1]
			f.next, b.paid = b.paid, i+1
		}
	}
	for i := range room.bids {
		if room.bids[i].paid != 0 {
			room.sumLease(&room.bids[i])
		}
	}
}

func (room *benchRoom) sumLease(b *fileBid) {
	first := &room.credits[b.paid-1]
	if first.next == 0 { // as nearly always
		first.sums = Sums{Total: first.Amount, Whole: first.Amount >= b.Deposit}
		b.Paid = reaches(&b.Claim, first.sums)
		return
	}
	room.group = room.group[:0]
	for i := b.paid; i != 0; i = room.credits[i-1].next {
		room.group = append(room.group, i-1)
	}
	slices.SortFunc(room.group, func(a, b int) int {
		return cmp.Or(bookingOrder(&room.credits[a].Credit, &room.credits[b].Credit), cmp.Compare(a, b))
	})
	amounts := make([]deposit.Fen, len(room.group))
	for k, i := range room.group {
		amounts[k] = room.credits[i].Amount
	}
	for k, sums := range Sum(amounts, b.Deposit) {
		room.credits[room.group[k]].sums = sums
		b.Paid = reaches(&b.Claim, sums)
	}
}

// decide gives a credit its verdict, or puts it off where the payer's other bids have a say in it.
func (s *sitting) decide(worker int, f *fileCredit) error {
	room := &s.benches[worker]
	k := room.claims(f)
	if f.PayerKey != "" && (k.Holder == nil || !isPayer(&f.Credit, k.Holder)) {
		return s.ask(worker, f)
	}
	v := Decide(&f.Credit, k, f.sums, s.rules)
	if v.Plain() && !s.all {
		return nil
	}
	return s.credits.credit(worker, f, &v)
}

// settle gives a bid its verdict if it is not paid.
func (s *sitting) settle(worker int, b *fileBid) error {
	if b.Paid {
		s.paid[b.row/64].Or(1 << (b.row % 64))
		return nil
	}
	verdict := Unpaid
	if b.paid != 0 {
		verdict = Underpaid
	}
	return s.bids.bid(worker, b, verdict)
}
