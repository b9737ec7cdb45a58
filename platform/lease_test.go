package platform

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

// overlapping counts the pairs of leases of one number that overlap: invariant I13. It must be 0.
func (h house) overlapping() int {
	h.Helper()
	n, err := sqldb.Value[int](ctx, h.db, "SELECT COUNT(*) FROM leases a JOIN leases b ON a.bank = b.bank AND a.sub_account = b.sub_account "+
		"AND a.id < b.id AND a.leased_from < b.leased_to AND b.leased_from < a.leased_to")
	if err != nil {
		h.Fatal(err)
	}
	return n
}

// june is the start of a day of June 2026; 0 is the zero time.
func june(d int) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return at(fmt.Sprintf("2026-06-%02d 00:00:00", d))
}

// line tells the leases of a number: "A1-5 B7-".
func (h house) line(subAccount string) string {
	h.Helper()
	rows, err := leases.All(ctx, h.db, "WHERE sub_account = ? ORDER BY leased_from", subAccount)
	if err != nil {
		h.Fatal(err)
	}
	var parts []string
	for _, l := range rows {
		bid, err := bids.One(ctx, h.db, "WHERE id = ?", l.BidID)
		if err != nil {
			h.Fatal(err)
		}
		part := fmt.Sprint(bid.Bidder, l.From.Day(), "-")
		if !l.To.Equal(sqldb.Forever) {
			part += fmt.Sprint(l.To.Day())
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ")
}

// toldOf is an order about one number in June; day 0 is left out, day forever is sqldb.Forever.
type toldOf struct {
	bidder   string
	from, to int
}

const forever = -1

// One number, told of in June: who leases it from which day to which. Noon of the 10th is now.
var leaseRules = []struct {
	name     string
	before   []toldOf
	order    toldOf
	want     string
	conflict bool
}{
	{"no times: from now, no end", nil, toldOf{"A", 0, 0}, "A10-", false},
	{"no end", nil, toldOf{"A", 1, 0}, "A1-", false},
	{"both ends", nil, toldOf{"A", 1, 5}, "A1-5", false},
	{"no beginning: from now", nil, toldOf{"A", 0, 20}, "A10-20", false},
	{"closing without saying the beginning", []toldOf{{"A", 1, 0}}, toldOf{"A", 0, 20}, "A1-20", false},
	{"closing with the beginning", []toldOf{{"A", 1, 0}}, toldOf{"A", 1, 20}, "A1-20", false},
	{"the first order told again reopens nothing", []toldOf{{"A", 0, 0}, {"A", 0, 20}}, toldOf{"A", 0, 0}, "A10-20", false},
	{"opened again on purpose", []toldOf{{"A", 1, 5}}, toldOf{"A", 0, forever}, "A1-", false},
	{"opened again by its beginning", []toldOf{{"A", 1, 5}}, toldOf{"A", 1, 0}, "A1-", false},
	{"began earlier than we thought", []toldOf{{"A", 5, 0}}, toldOf{"A", 3, 0}, "A3-", false},
	{"two ranges of one bid", []toldOf{{"A", 1, 5}}, toldOf{"A", 5, 9}, "A1-5 A5-9", false},
	{"closing is about the latest", []toldOf{{"A", 1, 5}, {"A", 7, 0}}, toldOf{"A", 0, 9}, "A1-5 A7-9", false},
	{"one range over two of one bid", []toldOf{{"A", 1, 5}, {"A", 5, 9}}, toldOf{"A", 2, 7}, "A1-5 A5-9", true},
	{"another bid's, still open", []toldOf{{"A", 1, 0}}, toldOf{"B", 5, 0}, "A1-", true},
	{"another bid's, its last day", []toldOf{{"A", 1, 5}}, toldOf{"B", 4, 0}, "A1-5", true},
	{"another bid's, its end is free", []toldOf{{"A", 1, 5}}, toldOf{"B", 5, 0}, "A1-5 B5-", false},
	{"before another bid's", []toldOf{{"A", 5, 0}}, toldOf{"B", 1, 5}, "B1-5 A5-", false},
	{"before another bid's, without an end", []toldOf{{"A", 5, 0}}, toldOf{"B", 1, 0}, "A5-", true},
	{"around another bid's", []toldOf{{"A", 5, 6}}, toldOf{"B", 1, 9}, "A5-6", true},
	{"within another bid's", []toldOf{{"A", 1, 9}}, toldOf{"B", 5, 6}, "A1-9", true},
	{"between two", []toldOf{{"A", 1, 5}, {"A", 7, 0}}, toldOf{"B", 5, 7}, "A1-5 B5-7 A7-", false},
	{"drawn out over its neighbour", []toldOf{{"A", 1, 5}, {"B", 5, 0}}, toldOf{"A", 1, 6}, "A1-5 B5-", true},
	{"opened again over its successor", []toldOf{{"A", 1, 5}, {"B", 5, 0}}, toldOf{"A", 1, 0}, "A1-5 B5-", true},
}

func TestLeases(t *testing.T) {
	each(t, func(h house) {
		h.putLot(lotA)
		for i, c := range leaseRules {
			h.Run(c.name, func(t *testing.T) {
				number := fmt.Sprint(9000 + i)
				tell := func(o toldOf) error {
					to := sqldb.Forever
					if o.to != forever {
						to = june(o.to)
					}
					_, _, err := h.desk.PutBid(ctx, "test", BidOrder{Lot: lotA.Number, Bidder: o.bidder, Bank: "ICBC", SubAccount: number, LeaseFrom: june(o.from), LeaseTo: to})
					return err
				}
				for _, o := range c.before {
					if err := tell(o); err != nil {
						t.Fatal(err)
					}
				}
				before, code := h.written(), ""
				if c.conflict {
					code = "lease_overlaps"
				}
				wantRefused(t, tell(c.order), deposit.Conflict, code, "sub_account")
				if got := h.line(number); got != c.want || c.conflict && h.written() != before {
					t.Errorf("leases %q, want %q; written %s, before %s", got, c.want, h.written(), before)
				}
			})
		}
	})
}

// The same number at two banks is two numbers.
func TestNumbersOfTwoBanks(t *testing.T) {
	each(t, func(h house) {
		h.putLot(lotA)
		o := bidOrder(lotA.Number, "A", "9001")
		h.putBid(o)
		o.Bidder, o.Bank = "B", "CCB"
		h.putBid(o)
		if n := h.overlapping(); n != 0 {
			h.Errorf("%d overlapping", n)
		}
	})
}

// Whatever is told in whatever order, no two leases of a number overlap, what was refused changed nothing, and what was
// accepted stands.
func TestNoSequenceOfOrdersMakesLeasesOverlap(t *testing.T) {
	each(t, func(h house) {
		h.putLot(lotA)
		round := 0
		rapid.Check(h.T, func(t *rapid.T) {
			round++
			for range rapid.IntRange(1, 12).Draw(t, "orders") {
				o := BidOrder{
					Lot: lotA.Number, Bidder: fmt.Sprint(rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "bidder"), round),
					Bank: "ICBC", SubAccount: fmt.Sprint(rapid.SampledFrom([]string{"1-", "2-"}).Draw(t, "number"), round),
					LeaseFrom: june(rapid.IntRange(0, 8).Draw(t, "from")), LeaseTo: june(rapid.IntRange(0, 9).Draw(t, "to")),
				}
				before := h.line(o.SubAccount)
				bid, _, err := h.desk.PutBid(ctx, "test", o)
				after := h.line(o.SubAccount)
				switch {
				case err == nil && !o.LeaseFrom.IsZero():
					if to := endOf(o.LeaseTo); !slices.ContainsFunc(h.leasesOf(bid), func(l Lease) bool {
						return l.SubAccount == o.SubAccount && l.From.Equal(o.LeaseFrom) && l.To.Equal(to)
					}) {
						t.Fatalf("%+v was accepted, but the leases are %s", o, after)
					}
				case err != nil && (before != after || !deposit.IsKind(err, deposit.Conflict) && !deposit.IsKind(err, deposit.Invalid)):
					t.Fatalf("%+v: %v; leases %s, before %s", o, err, after, before)
				}
			}
			if n := h.overlapping(); n != 0 {
				t.Fatalf("%d pairs overlap", n)
			}
		})
		if n, _ := sqldb.Value[int](ctx, h.db, "SELECT COUNT(*) FROM leases"); n < 100 {
			h.Errorf("only %d leases came of it", n)
		}
	})
}

func endOf(to time.Time) time.Time {
	if to.IsZero() {
		return sqldb.Forever
	}
	return to
}

func (h house) leasesOf(bid Bid) []Lease {
	h.Helper()
	rows, err := LeasesOf(ctx, h.db, []sqldb.ID{bid.ID})
	if err != nil {
		h.Fatal(err)
	}
	return rows
}

// replicas are two desks on one database, as two replicas of the service have them.
func replicas(t *testing.T, test func(h house, a, b *Desk)) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		now := func() time.Time { return noon }
		db, other := sqldbtest.Open(t, url, now), sqldbtest.Open(t, url, now)
		h := house{t, db, NewDesk(db)}
		h.putLot(lotA)
		test(h, h.desk, NewDesk(other))
	})
}

// meeting makes the first transaction of two desks wait, before its guard, until the other one has looked at the leases
// too. met tells whether they did meet: an engine with one writer never lets them.
func meeting(a, b *Desk, guard func(context.Context, *sqldb.Tx, []Number) error) (met *atomic.Bool) {
	met = new(atomic.Bool)
	var looked atomic.Int32
	arrived := make(chan struct{})
	for _, d := range []*Desk{a, b} {
		var once sync.Once
		d.guard = func(ctx context.Context, tx *sqldb.Tx, held []Number) error {
			once.Do(func() {
				if looked.Add(1) == 2 {
					close(arrived)
				}
			})
			select {
			case <-arrived:
				met.Store(true)
			case <-time.After(300 * time.Millisecond):
			}
			return guard(ctx, tx, held)
		}
	}
	return met
}

// tellBoth tells the two desks at once of two bids that want one number at one time.
func tellBoth(a, b *Desk, number string) (accepted int, refused []error) {
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, d := range []*Desk{a, b} {
		wg.Go(func() {
			o := bidOrder(lotA.Number, fmt.Sprint("竞争者", i, number), number)
			o.LeaseFrom = o.LeaseFrom.Add(time.Duration(i) * time.Hour) // the unique key alone would not see it
			_, _, errs[i] = d.PutBid(ctx, "test", o)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err == nil {
			accepted++
		} else {
			refused = append(refused, err)
		}
	}
	return accepted, refused
}

func TestTwoReplicasCannotLeaseOneNumberTwice(t *testing.T) {
	replicas(t, func(h house, a, b *Desk) {
		own := a.guard // as NewDesk wired it
		for name, number := range map[string]string{"a number never leased": "9001", "a number leased before": "9002"} {
			if number == "9002" {
				o := bidOrder(lotA.Number, "前任", number)
				o.LeaseFrom, o.LeaseTo = at("2026-05-01 00:00:00"), at("2026-05-02 00:00:00")
				a.guard = own
				h.putBid(o)
			}
			meeting(a, b, own)
			accepted, refused := tellBoth(a, b, number)
			if accepted != 1 || h.overlapping() != 0 {
				h.Errorf("%s: %d accepted, %d pairs overlap, %v", name, accepted, h.overlapping(), refused)
			}
			for _, err := range refused {
				wantRefused(h.T, err, deposit.Conflict, "lease_overlaps", "sub_account")
			}
		}
	})
}

// Without the guard the test above must fail wherever two transactions can run at one time.
func TestWithoutTheGuardOneNumberIsLeasedTwice(t *testing.T) {
	replicas(t, func(h house, a, b *Desk) {
		met := meeting(a, b, func(context.Context, *sqldb.Tx, []Number) error { return nil })
		accepted, refused := tellBoth(a, b, "9001")
		want := 0
		if met.Load() {
			want = 1
		}
		if n := h.overlapping(); n != want || accepted != 1+want {
			h.Errorf("they met: %v; %d accepted, %d pairs overlap, %v", met.Load(), accepted, n, refused)
		}
		h.Logf("they met: %v; %d accepted", met.Load(), accepted)
	})
}

// A crowd on two replicas: everybody wants one of three numbers for some days.
func TestCrowdNeverOverlaps(t *testing.T) {
	replicas(t, func(h house, a, b *Desk) {
		var wg sync.WaitGroup
		for i := range 16 {
			random := rand.New(rand.NewPCG(7, uint64(i)))
			wg.Go(func() {
				for range 15 {
					from := 1 + random.IntN(25)
					o := BidOrder{Lot: lotA.Number, Bidder: fmt.Sprint("竞争者", random.IntN(6)), Bank: "ICBC", SubAccount: fmt.Sprint(random.IntN(3)),
						LeaseFrom: june(from), LeaseTo: june(from + 1 + random.IntN(4))}
					if _, _, err := []*Desk{a, b}[i%2].PutBid(ctx, "test", o); err != nil && !deposit.IsKind(err, deposit.Conflict) {
						h.Errorf("%v", err)
					}
				}
			})
		}
		wg.Wait()
		n, err := sqldb.Value[int](ctx, h.db, "SELECT COUNT(*) FROM leases")
		if err != nil || n < 9 || h.overlapping() != 0 {
			h.Errorf("%d leases, %d pairs overlap, %v", n, h.overlapping(), err)
		}
	})
}
