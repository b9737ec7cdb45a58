package worlds

import (
	"context"
	"fmt"
	"math/rand/v2"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/refund"
)

// Secrets plays what the worlds differ in, by a seed; 0 is the world in which nobody bids but who withdraws. In each there is
// one bid that was withdrawn, which is declassified: that a sealed refund is to be made has to be known to those who make it.
func (w *World) Secrets(seed uint64) {
	w.t.Helper()
	r := rand.New(rand.NewPCG(seed, 99)) //nolint:gosec // a world is to be made again
	w.secret = seed
	w.Seed(seed, 7)
	w.withdraws(r)
	if seed > 0 {
		w.Seed(seed, 8)
		w.bidders(r)
	}
	w.Seed(seed, 9)
	w.night("2026-06-15")
	w.night(SealedDay)
	w.Seed(3, 3)
	w.givesBackBlind()
	w.At(string(Today) + " 09:00:00")
	w.watch()
}

// withdraws has somebody bid, pay and withdraw. Who, on which lot and to which number is secret. The keys of the money are common,
// and so is the rule by which it goes back, which is the line of business's.
func (w *World) withdraws(r *rand.Rand) {
	w.t.Helper()
	w.At("2026-06-15 09:00:00")
	lot, name, number := []string{"S1", "S4"}[r.IntN(2)], companies[r.IntN(len(companies))], fmt.Sprint("w-", r.IntN(1000))
	w.bid(lot, name, number)
	w.Seed(2, 2)
	w.pays("W"+fmt.Sprint(r.IntN(1000)), number, name, "200000.00", true)
	w.At("2026-06-15 10:00:00")
	w.happens(platform.EventBidWithdrawn, lot, name)
	w.judge()
}

// bidders has some bid on each sealed lot, and pay as bidders do.
func (w *World) bidders(r *rand.Rand) {
	w.t.Helper()
	ctx := context.Background()
	serial := 0
	for i, lot := range SealedLots {
		for j, k := range r.Perm(len(companies))[:r.IntN(6)] {
			w.At(fmt.Sprintf("2026-06-15 %02d:%02d:00", 11+r.IntN(5), r.IntN(60)))
			name, number := companies[k], ""
			if r.IntN(2) == 0 {
				number = fmt.Sprintf("s%d-%d", i, j)
			}
			b, isNew, err := w.Platform.PutBid(ctx, "platform", w.order(lot, name, number))
			if err != nil || !isNew {
				continue // the one who has withdrawn
			}
			if number == "" {
				lease, _, err := w.Platform.Allocate(ctx, "platform", platform.NumberOrder{Bid: b.ID, Bank: "line", Parent: Parent})
				w.must(err)
				number = lease.SubAccount
			}
			for range r.IntN(3) {
				serial++
				w.strays(r, serial, number, name)
			}
		}
	}
}

func (w *World) order(lot, bidder, number string) platform.BidOrder {
	o := platform.BidOrder{Lot: lot, Bidder: bidder, BidderAccount: account(bidder)}
	if number != "" {
		o.Bank, o.SubAccount, o.LeaseFrom = "line", number, w.Now()
	}
	return o
}

// strays pays the deposit, or what is none: another sum, by another, to another number, to nobody's, to the parent account.
func (w *World) strays(r *rand.Rand, serial int, number, payer string) {
	w.t.Helper()
	w.At(fmt.Sprintf("2026-06-%d %02d:%02d:%02d", 15+r.IntN(2), 16+r.IntN(3), r.IntN(60), r.IntN(60)))
	amount := []string{"200000.00", "200000.00", "100000.00", "300000.00", "0.01"}[r.IntN(5)]
	switch r.IntN(6) {
	case 0:
		number = ""
	case 1:
		number = fmt.Sprint("nobodys-", r.IntN(9))
	case 2:
		payer = companies[r.IntN(len(companies))]
	}
	w.pays(fmt.Sprint("S", serial), number, payer, amount, r.IntN(4) > 0)
}

// givesBackBlind makes the refund of the bid that was withdrawn, as far as its check.
func (w *World) givesBackBlind() {
	w.t.Helper()
	ctx := context.Background()
	w.At("2026-06-17 10:00:00")
	all, _, err := w.Refund.Proposals(ctx, deposit.SightOfAll(), refund.ProposalQuery{})
	w.must(err)
	for _, p := range all {
		if !p.Sealed {
			continue
		}
		s, err := w.Refund.Submit(ctx, "经办乙", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: "综合科", Reference: "B1", Lines: []refund.Order{{Credit: p.Receipt.Entry.ID}}})
		w.must(err)
		if len(s.Lines) != 1 {
			w.t.Fatalf("not listed: %+v", s.Faults)
		}
		made, err := w.Refund.Compose(ctx, "经办乙", []sqldb.ID{s.Lines[0].ID})
		w.must(err)
		b := made[0]
		_, err = w.Refund.Check(ctx, "复核丙", refund.Signature{Batch: b.ID, Version: b.Version, Digest: b.Digest, Count: b.Count})
		w.must(err)
		return
	}
	w.t.Fatal("no sealed refund is proposed")
}

// SecretKeys are keys of what may not be seen: credits, findings, messages. Whoever asks for one must learn no more than of a key that there is
// none of.
func (w *World) SecretKeys() (keys []sqldb.ID) {
	w.t.Helper()
	for _, text := range []string{
		"SELECT m.entry_id FROM matches AS m JOIN lots AS l ON l.id = m.lot_id WHERE l.number LIKE 'S%' ORDER BY m.entry_id LIMIT 3",
		"SELECT f.id FROM findings AS f JOIN lots AS l ON l.id = f.lot_id WHERE l.number LIKE 'S%' ORDER BY f.id LIMIT 3",
		"SELECT id FROM messages WHERE kind = 'NOTICE' AND received_at > '2026-06-14' ORDER BY id LIMIT 2",
		"SELECT e.id FROM entries AS e WHERE e.sub_account = '' AND e.booking_date > '2026-06-12' ORDER BY e.id LIMIT 2",
	} {
		some, err := sqldb.Select(context.Background(), w.DB, func(id *sqldb.ID) []any { return []any{id} }, text)
		w.must(err)
		keys = append(keys, some...)
	}
	return keys
}

// OpenKeys are keys of what may be seen, by the table they are of.
func (w *World) OpenKeys(text string) (keys []sqldb.ID) {
	w.t.Helper()
	keys, err := sqldb.Select(context.Background(), w.DB, func(id *sqldb.ID) []any { return []any{id} }, text)
	w.must(err)
	return keys
}
