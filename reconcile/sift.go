package reconcile

import (
	"encoding/binary"
	"slices"
)

// screenDesk is what a worker of the screen uses again for each partition.
type screenDesk struct {
	bids, credits []byte
	index         []int32 // open hash of numbers; holds the places of their first leases, from 1
	leases        []lease
	numbers       []int32 // of the credits, the first lease of their number, from 1; 0 for none
}

// lease is a bid's card, taken apart.
type lease struct {
	number   uint64
	pays     uint64
	from, to uint32
	until    uint32
	row      uint32 // with its flags
	first    int32  // the number's first lease, from 1
	next     int32  // the number's next lease, from 1; 0 for none
	paid     bool
	doubt    bool // of a first lease: the number is not plain
}

// sift picks the rows of a partition's numbers that may not be plain.
func (s *screen) sift(worker, part int) (err error) {
	d := &s.desks[worker]
	if d.bids, err = s.bids.load(part, d.bids[:0]); err != nil {
		return err
	}
	if d.credits, err = s.credits.load(part, d.credits[:0]); err != nil {
		return err
	}
	d.layOut()
	d.pay(s.repeats)
	for i := range d.leases {
		d.doubtUnpaid(&d.leases[i])
	}
	for i := range d.leases {
		if l := &d.leases[i]; d.leases[l.first-1].doubt {
			s.pickRow(s.bidPicks, l.row)
		}
	}
	for i, first := range d.numbers {
		if first == 0 || d.leases[first-1].doubt {
			s.pickRow(s.creditPicks, binary.LittleEndian.Uint32(d.credits[i*creditCard+32:]))
		}
	}
	return nil
}

// layOut puts the leases of each number into a chain.
func (d *screenDesk) layOut() {
	n := len(d.bids) / bidCard
	slots := int(powerOfTwo(uint64(n) * 2))
	d.index = slices.Grow(d.index[:0], slots)[:slots]
	clear(d.index)
	d.leases = slices.Grow(d.leases[:0], n)[:n]
	for i := range d.leases {
		card := d.bids[i*bidCard:][:bidCard]
		l := &d.leases[i]
		*l = lease{number: binary.LittleEndian.Uint64(card), pays: binary.LittleEndian.Uint64(card[8:]), row: binary.LittleEndian.Uint32(card[20:]),
			from: binary.LittleEndian.Uint32(card[24:]), to: binary.LittleEndian.Uint32(card[28:]), until: binary.LittleEndian.Uint32(card[32:])}
		slot := d.slot(l.number)
		if l.first = d.index[slot]; l.first == 0 {
			l.first = int32(i + 1)
			d.index[slot] = l.first
		} else {
			head := &d.leases[l.first-1]
			l.next, head.next = head.next, int32(i+1)
		}
		if l.row&cardDoubt != 0 {
			d.leases[l.first-1].doubt = true
		}
	}
}

func (d *screenDesk) slot(number uint64) int {
	mask := len(d.index) - 1
	for slot := int(number>>32) & mask; ; slot = (slot + 1) & mask {
		if first := d.index[slot]; first == 0 || d.leases[first-1].number == number {
			return slot
		}
	}
}

// pay gives each credit to the lease it is on.
func (d *screenDesk) pay(r *repeats) {
	n := len(d.credits) / creditCard
	d.numbers = slices.Grow(d.numbers[:0], n)[:n]
	for i := range d.numbers {
		card := d.credits[i*creditCard:][:creditCard]
		first := d.index[d.slot(binary.LittleEndian.Uint64(card))]
		d.numbers[i] = first
		if first != 0 && !d.leases[first-1].doubt && !d.isPlain(r, card, first) {
			d.leases[first-1].doubt = true
		}
	}
}

// isPlain says whether a credit is the first on its lease and all that it should be.
func (d *screenDesk) isPlain(r *repeats, card []byte, first int32) bool {
	if binary.LittleEndian.Uint32(card[32:])&cardDoubt != 0 || r.twice.has(binary.LittleEndian.Uint64(card[24:])) {
		return false
	}
	at := binary.LittleEndian.Uint32(card[36:])
	for i := first; i != 0; i = d.leases[i-1].next {
		l := &d.leases[i-1]
		if at < l.from || at >= l.to {
			continue
		}
		pays := binary.LittleEndian.Uint64(card[8:])
		if l.row&cardBasic != 0 {
			pays += binary.LittleEndian.Uint64(card[16:]) * accountFactor
		}
		plain := !l.paid && pays == l.pays && at < l.until
		l.paid = true
		return plain
	}
	return false
}

// doubtUnpaid doubts a number if a lease of it is not paid, or overlaps another, or if they are too many to compare.
func (d *screenDesk) doubtUnpaid(l *lease) {
	head := &d.leases[l.first-1]
	if !l.paid {
		head.doubt = true
	}
	others := 0
	for i := l.next; i != 0 && !head.doubt; i = d.leases[i-1].next {
		o := &d.leases[i-1]
		others++
		head.doubt = o.from < l.to && l.from < o.to || others > mostLeases
	}
}

// mostLeases is how many leases of one number are compared; a number has been let a few times, in years.
const mostLeases = 32
