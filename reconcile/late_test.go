package reconcile_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// holding is one bidder's time with a number, as a schedule lays it out: the number is his from, and until it is released.
type holding struct {
	bidder   string
	from, to time.Time
}

// lateCredit is money of one of the holders, whose booking says in whose time it came.
type lateCredit struct {
	payer string
	at    time.Time
}

// schedule is a number that is leased again and again, each time after a quarantine, and money that comes at any time, also
// in the very seconds at which leases begin and end.
func schedule(r *rand.Rand) (holders []holding, credits []lateCredit) {
	at := wall("2026-01-01 09:00:00")
	for i := range 2 + r.IntN(4) {
		h := holding{bidder: fmt.Sprintf("投标人%d有限公司", i), from: at}
		h.to = h.from.Add(time.Duration(1+r.IntN(40*86400)) * time.Second)
		holders = append(holders, h)
		at = h.to.Add(time.Duration(86400+r.IntN(100*86400)) * time.Second)
	}
	for range 1 + r.IntN(8) {
		h := holders[r.IntN(len(holders))]
		c := lateCredit{payer: h.bidder}
		switch border := holders[r.IntN(len(holders))]; r.IntN(4) {
		case 0:
			c.at = border.from.Add(time.Duration(r.IntN(3)-1) * time.Second)
		case 1:
			c.at = border.to.Add(time.Duration(r.IntN(3)-1) * time.Second)
		default:
			c.at = holders[0].from.Add(time.Duration(r.Int64N(int64(at.Sub(holders[0].from)/time.Second))) * time.Second)
		}
		credits = append(credits, c)
	}
	return holders, credits
}

// misattributed says whether a verdict gives money to somebody in whose time it did not come, or counts what is nobody's.
func misattributed(holders []holding, c lateCredit, v reconcile.Verdict) bool {
	for _, h := range holders {
		if !c.at.Before(h.from) && c.at.Before(h.to) {
			return v.Holder == nil || v.Holder.Bidder != h.bidder || v.Counted > 0 && c.payer != h.bidder
		}
	}
	return v.Holder != nil || v.Counted != 0 || v.Code != reconcile.UnknownSubAccount
}

// decideBy judges a credit whose number is held, by a rule, by somebody at an instant.
func decideBy(holders []holding, c lateCredit, held func([]holding, time.Time) *holding) reconcile.Verdict {
	claim := func(h *holding) *reconcile.Claim {
		return &reconcile.Claim{LeaseID: 1, BidID: 1, Bidder: h.bidder, BidderKey: deposit.NameKey(h.bidder), Deposit: 100_00, OpensAt: sqldb.Forever, From: h.from, To: h.to}
	}
	k := reconcile.Claims{Known: true}
	if h := held(holders, c.at); h != nil {
		k.Holder = claim(h)
	}
	for i := range holders {
		if holders[i].bidder == c.payer {
			k.OfPayer = append(k.OfPayer, claim(&holders[i]))
		}
	}
	return reconcile.Decide(&reconcile.Credit{SubAccount: "n", Amount: 100_00, BookedAt: c.at, PayerName: c.payer, PayerKey: deposit.NameKey(c.payer)}, k,
		reconcile.Sums{Total: 100_00, Whole: true}, reconcile.Rules{})
}

func byTime(holders []holding, at time.Time) *holding {
	for i := range holders {
		if !at.Before(holders[i].from) && at.Before(holders[i].to) {
			return &holders[i]
		}
	}
	return nil
}

// byPresentHolder is the mistake of the field: whose number it is now, when the money is looked at.
func byPresentHolder(holders []holding, _ time.Time) *holding { return &holders[len(holders)-1] }

// Money is never the next holder's: 10,000 schedules, none misattributed; the rule that asks who holds the number now is caught.
func TestLateMoneyIsNeverTheNextHolders(t *testing.T) {
	r := rand.New(rand.NewPCG(20260612, 3))
	wrong, caught, late := 0, 0, 0
	for range 10_000 {
		holders, credits := schedule(r)
		seen := false
		for _, c := range credits {
			if byTime(holders, c.at) == nil {
				late++
			}
			if misattributed(holders, c, decideBy(holders, c, byTime)) {
				wrong++
			}
			seen = seen || misattributed(holders, c, decideBy(holders, c, byPresentHolder))
		}
		if seen {
			caught++
		}
	}
	if wrong > 0 || caught < 9_000 || late < 10_000 {
		t.Errorf("%d credits misattributed, of %d that were nobody's; the mistake caught in %d schedules of 10000", wrong, late, caught)
	}
}

// walk is a pool as it lives for some months, and beside it a ledger of who held which number when, kept by what was seen.
type walk struct {
	*kept
	r       *rand.Rand
	lots    int
	ledger  map[string][]holding // by number
	lotOf   map[string]string    // by bidder
	credits map[string]lateCredit
	number  map[string]string // of each credit, by serial
	serial  int
}

// The same by the desks themselves: bids come, lots end, money comes at once, late or with its notice weeks late, is paid
// back, numbers are released, rest and are leased again. Whose money each credit is, is what the ledger says.
func TestLateMoneyThroughTheDatabase(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		w := &walk{kept: keep(t, url, "{from: load, quarantine_days: 3}", true), r: rand.New(rand.NewPCG(7, 7)),
			ledger: map[string][]holding{}, lotOf: map[string]string{}, credits: map[string]lateCredit{}, number: map[string]string{}}
		keys := rand.New(rand.NewPCG(7, 8)) // which say what numbers are drawn
		w.db.DrawKeys(func() sqldb.ID { return sqldb.ID(keys.Uint64()>>1 | 1) })
		var names []string
		for i := range 10 {
			names = append(names, fmt.Sprintf("n%d", i))
		}
		_, err := w.platform.LoadNumbers(context.Background(), "test", "lcyh", keeperParent, names)
		w.must(err)
		steps := 400
		if sampled || sqldb.File(url) == "" { // a server takes its time over each of some ten commits a step
			steps = 120
		}
		for range steps {
			*w.now = w.now.Add(time.Duration(1+w.r.IntN(8*3600)) * time.Second)
			w.step()
		}
		held, late, fooled := 0, 0, 0
		for serial, c := range w.credits {
			holders := w.ledger[w.number[serial]]
			want := ""
			if h := byTime(holders, c.at); h != nil {
				want, held = h.bidder, held+1
			} else {
				late++
			}
			if byPresentHolder(holders, c.at).bidder != want {
				fooled++
			}
			if got := w.holderOf(serial); got != want {
				t.Errorf("%s of %s is said to be %q's, and is %q's", serial, c.at, got, want)
			}
		}
		if held < steps/8 || late < steps/40 || fooled < steps/8 {
			t.Errorf("%d credits in somebody's time, %d in nobody's; by its present holder %d would be wrong: the walk shows nothing", held, late, fooled)
		}
		if fired := firing(w.house); len(fired) > 0 {
			t.Errorf("violated: %v", fired)
		}
	})
}

// holderOf is whose number a credit was found to be on.
func (w *walk) holderOf(serial string) string {
	w.t.Helper()
	row := func(b *platform.Bid) []any { return []any{&b.ID, platform.SealedBidder(b)} }
	found, err := sqldb.Select(context.Background(), w.db, row, "SELECT b.id, b.sealed FROM entries AS e JOIN matches AS m ON m.entry_id = e.id JOIN bids AS b ON b.id = m.bid_id WHERE e.serial = ?", serial)
	w.must(err)
	if len(found) == 0 {
		return ""
	}
	return found[0].Bidder
}

func (w *walk) step() {
	switch w.r.IntN(6) {
	case 0, 1:
		w.comes()
	case 2:
		if open := slices.Sorted(maps.Keys(w.lotOf)); len(open) > 0 {
			bidder := open[w.r.IntN(len(open))]
			w.happens(platform.EventTerminated, w.lotOf[bidder])
			delete(w.lotOf, bidder)
			w.over(bidder)
		}
	case 3, 4:
		w.pays()
	}
	w.paysBack()
	w.tends()
}

// over ends what a bidder holds: from now on nothing is his deposit, though his number is not released yet.
func (w *walk) over(bidder string) {
	for _, holders := range w.ledger {
		if h := &holders[len(holders)-1]; h.bidder == bidder {
			h.to = w.now.Truncate(time.Second)
		}
	}
}

// comes is a bid on a lot of its own.
func (w *walk) comes() {
	w.lots++
	lot, bidder := fmt.Sprint("L", w.lots), fmt.Sprintf("投标人%d有限公司", w.lots)
	w.lot(lot, "100.00", "2035-01-01 09:00:00")
	number := w.ask(w.wanting(lot, bidder))
	if number == "" {
		w.happens(platform.EventTerminated, lot)
		return
	}
	w.lotOf[bidder] = lot
	w.ledger[number] = append(w.ledger[number], holding{bidder, w.now.Truncate(time.Second), sqldb.Forever})
	w.sim.Lend("", number, bidder)
}

// pays is money of somebody who has or had a number, booked now or at any time since.
func (w *walk) pays() {
	number := fmt.Sprintf("n%d", w.r.IntN(10))
	holders := w.ledger[number]
	if len(holders) == 0 {
		return
	}
	h := holders[w.r.IntN(len(holders))]
	at := *w.now
	if w.r.IntN(2) == 0 {
		at = h.from.Add(time.Duration(w.r.Int64N(int64(w.now.Sub(h.from)) + 1)))
	}
	w.serial++
	serial := fmt.Sprint("s", w.serial)
	w.credits[serial], w.number[serial] = lateCredit{h.bidder, at.Truncate(time.Second)}, number
	w.push(bank.Entry{Bank: "lcyh", ParentAccount: keeperParent, BookingDate: deposit.DayOf(at), Serial: serial, Direction: bank.Credit, SubAccount: number,
		Amount: fen("100.00"), BookedAt: at.Truncate(time.Second), PayerName: h.bidder, PayerAccount: "A-" + h.bidder})
	_, err := w.reconcile.JudgeAll(context.Background())
	w.must(err)
}

// paysBack empties the numbers that are no more in use.
func (w *walk) paysBack() {
	var names []string
	for _, number := range slices.Sorted(maps.Keys(w.ledger)) {
		if s := w.state(number); s != platform.NumberLeased && w.r.IntN(3) == 0 {
			names = append(names, number)
		}
	}
	standing, err := bank.StandingOn(context.Background(), w.db, "lcyh", names)
	w.must(err)
	for _, number := range names {
		if sum := standing[number].Balance; sum > 0 {
			w.serial++
			w.push(bank.Entry{Bank: "lcyh", ParentAccount: keeperParent, BookingDate: deposit.DayOf(*w.now), Serial: fmt.Sprint("b", w.serial), Direction: bank.Debit,
				SubAccount: number, Amount: sum, BookedAt: w.now.Truncate(time.Second), PayerName: "某人", PayerAccount: "A"})
		}
	}
}

// tends goes a round and notes in the ledger which numbers it has released.
func (w *walk) tends() {
	before := map[string]platform.NumberState{}
	for number := range w.ledger {
		before[number] = w.state(number)
	}
	w.tend()
	for number, holders := range w.ledger {
		released := before[number] == platform.NumberDraining && w.state(number) == platform.NumberQuarantined
		if released && holders[len(holders)-1].to.Equal(sqldb.Forever) {
			holders[len(holders)-1].to = w.now.Truncate(time.Second).Add(time.Second)
		}
	}
}
