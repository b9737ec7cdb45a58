package reconcile

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
)

// ask puts off a credit whose payer is not the holder of its number: whether it was meant for another of the payer's bids
// is known to the partitions of their numbers only. The credit waits with what is known of it, and the payer's hash is
// noted, so that one pass over the bids can pick those of all payers asked for.
func (s *sitting) ask(worker int, f *fileCredit) error {
	room := &s.benches[worker]
	hash := maphash.String(s.seed, f.PayerKey)
	s.seekBids(hash)
	p := &room.pen
	*p = (*p)[:0]
	p.flags(f.known, f.holder != 0, f.Reversed, f.SetAside != "", f.Returned)
	p.number(f.row)
	p.text(f.SubAccount)
	p.text(f.Serial)
	p.text(f.PayerName)
	p.text(f.PayerKey)
	p.text(f.PayerAccount)
	p.signed(int64(f.Amount))
	p.time(f.BookedAt)
	if f.holder != 0 {
		b := &room.bids[f.holder-1]
		writeBid(p, 0, b.row, b.Number, b.BidderKey, &b.Claim)
	}
	return s.asks[worker].put(payerPart(hash), *p)
}

// seekBids lets the bids of a payer be sought.
func (s *sitting) seekBids(hash uint64) {
	bit := hash & uint64(len(s.sought)*64-1)
	s.sought[bit/64].Or(1 << (bit % 64))
}

// isSought needs the lower half of the hash only.
func (s *sitting) isSought(hash uint64) bool {
	bit := hash & uint64(len(s.sought)*64-1)
	return s.sought[bit/64].Load()&(1<<(bit%64)) != 0
}

// payerPart takes other bits of a payer's hash than the bitmap of those sought.
func payerPart(hash uint64) int { return int(hash >> 58) }

// readAsk reads what ask wrote; the second is nil where nobody held the number.
func readAsk(l *leaf) (f fileCredit, holder *Claim) {
	flag := l.flags()
	f.known, f.Reversed, f.Returned = flag&1 != 0, flag&4 != 0, flag&16 != 0
	if flag&8 != 0 {
		f.SetAside = AdviceConflict
	}
	f.row = l.number()
	f.SubAccount, f.Serial, f.PayerName, f.PayerKey, f.PayerAccount = l.string(), l.string(), l.string(), l.string(), l.string()
	f.Amount = fen(l)
	f.BookedAt = l.time()
	if flag&2 != 0 {
		b := &fileBid{}
		l.hash()
		readBid(l, b)
		holder = &b.Claim
	}
	return f, holder
}

// answer gives the credits that were put off their verdicts.
func (s *sitting) answer(ctx context.Context) error {
	found := s.spools(coarseParts)
	if err := s.each(ctx, s.parts, func(worker, part int) error { return s.seek(part, &s.benches[worker].bytes, found[worker]) }); err != nil {
		return err
	}
	if s.screen != nil {
		if err := s.screen.seek(ctx, s, found); err != nil {
			return err
		}
	}
	return s.each(ctx, coarseParts, func(worker, part int) error { return s.answerPart(worker, part, found) })
}

// seek picks the bids of the payers sought; a few others are among them by chance.
func (s *sitting) seek(part int, room *[]byte, found *spool) error {
	l, err := s.FileCheck.bids.load(part, room)
	if err != nil {
		return err
	}
	for l.next() {
		from := l.at
		hash := l.hash()
		if !s.isSought(hash) {
			continue
		}
		if err := found.put(payerPart(hash), l.record(from)); err != nil {
			return err
		}
	}
	return nil
}

// answerPart gives the credits of some payers their verdicts.
func (s *sitting) answerPart(worker, part int, found spools) error {
	room := &s.benches[worker]
	bids, err := found.load(part, &room.bytes)
	if err != nil {
		return err
	}
	asks, err := s.asks.load(part, &room.bytes)
	if err != nil {
		return err
	}
	room.bids = emptied(room.bids)
	for bids.next() {
		bids.hash()
		room.bids = append(room.bids, fileBid{})
		readBid(&bids, &room.bids[len(room.bids)-1])
	}
	slices.SortFunc(room.bids, func(a, b fileBid) int { return cmp.Compare(a.row, b.row) })
	payers := map[string][]*Claim{}
	for i := range room.bids {
		b := &room.bids[i]
		b.Paid = s.paid[b.row/64].Load()&(1<<(b.row%64)) != 0
		payers[b.BidderKey] = append(payers[b.BidderKey], &b.Claim)
	}
	for asks.next() {
		f, holder := readAsk(&asks)
		v := Decide(&f.Credit, Claims{Known: f.known, Holder: holder, OfPayer: payers[f.PayerKey]}, Sums{}, s.rules)
		if err := s.credits.credit(worker, &f, &v); err != nil {
			return err
		}
	}
	return nil
}
