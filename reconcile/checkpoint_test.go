package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// book is an audit trail in memory, as somebody who can write the database can change it.
type book struct {
	events []sqldb.Event
	seals  []Seal
}

func (b *book) trail() trail {
	each := func(wanted func(deposit.Day) bool) func(f func(*sqldb.Event) error) error {
		return func(f func(*sqldb.Event) error) error {
			for i := range b.events {
				if wanted(deposit.DayOf(b.events[i].At)) {
					if err := f(&b.events[i]); err != nil {
						return err
					}
				}
			}
			return nil
		}
	}
	return trail{
		onDay: func(_ context.Context, day deposit.Day, f func(*sqldb.Event) error) error {
			return each(func(d deposit.Day) bool { return d == day })(f)
		},
		after: func(_ context.Context, day deposit.Day, f func(*sqldb.Event) error) error {
			return each(func(d deposit.Day) bool { return d > day })(f)
		},
		until: func(_ context.Context, day deposit.Day) (n int64, err error) {
			err = each(func(d deposit.Day) bool { return d <= day })(func(*sqldb.Event) error { n++; return nil })
			return n, err
		},
	}
}

// seal makes every seal anew, as the nightly job does, or a forger after it: of the past days, today being open.
func (b *book) seal(today deposit.Day) {
	b.seals = nil
	var days []deposit.Day
	for _, e := range b.events {
		if day := deposit.DayOf(e.At); day < today {
			days = append(days, day)
		}
	}
	slices.Sort(days)
	before := ""
	for _, day := range slices.Compact(days) {
		s, _ := b.trail().sealOf(context.Background(), day, before) // the memory never fails
		b.seals, before = append(b.seals, s), s.Hash
	}
}

func (b *book) clone() *book { return &book{slices.Clone(b.events), slices.Clone(b.seals)} }

const today = deposit.Day("2026-06-14")

// written is a trail of four days, one of them quiet, the last still open.
func written(r *rand.Rand) *book {
	b := &book{}
	for _, day := range []deposit.Day{"2026-06-10", "2026-06-11", "2026-06-13", today} {
		at := day.Start()
		for range 4 + r.IntN(4) {
			at = at.Add(time.Duration(1+r.IntN(1000)) * time.Second)
			b.events = append(b.events, sqldb.Event{Seq: int64(len(b.events) + 1), At: at, By: fmt.Sprint("人", r.IntN(3)), Table: "refunds", Row: sqldb.ID(r.Int64N(1 << 40)),
				Was: "DRAFT", Became: "CHECKED", Note: fmt.Sprint(r.IntN(1000))})
		}
	}
	b.seal(today)
	return b
}

// tampers are the ways to change a trail. at says where. Each leaves it other than it was.
var tampers = map[string]func(b *book, r *rand.Rand, at int){
	"update": func(b *book, r *rand.Rand, at int) {
		e := &b.events[at]
		[]func(){func() { e.By += "x" }, func() { e.Note += "0" }, func() { e.Was = "" }, func() { e.Became = "PAID" }, func() { e.Row++ }, func() { e.Table = "batches" },
			func() { e.At = e.At.Add(time.Millisecond) }, func() { e.At = e.At.AddDate(0, 0, -1) }, func() { e.By, e.Note = e.By+"1", strings.TrimPrefix(e.Note, "1") },
			func() { e.Seq += 1_000_000 }}[r.IntN(10)]()
	},
	"delete": func(b *book, _ *rand.Rand, at int) { b.events = slices.Delete(b.events, at, at+1) },
	"delete and close the gap": func(b *book, _ *rand.Rand, at int) {
		b.events = slices.Delete(b.events, at, at+1)
		b.number()
	},
	"insert": func(b *book, r *rand.Rand, at int) {
		e := b.events[at]
		e.Note = "planted"
		if r.IntN(2) == 0 {
			e.At = deposit.Day("2026-06-12").Start() // a day that had none
		}
		b.events = slices.Insert(b.events, at, e)
		b.number()
	},
	"swap": func(b *book, r *rand.Rand, at int) {
		other := (at + 1 + r.IntN(len(b.events)-1)) % len(b.events)
		b.events[at], b.events[other] = b.events[other], b.events[at]
		b.number()
	},
	"cut tail": func(b *book, _ *rand.Rand, at int) { b.events = b.events[:at] },
}

// number counts the events anew, in the order in which they stand.
func (b *book) number() {
	for i := range b.events {
		b.events[i].Seq = int64(i + 1)
	}
}

// TestCheckpointFindsEveryTamper: a thousand of each kind, with the seals left as they were and with all of them made anew;
// of the second, a rewrite, nothing in the database tells.
func TestCheckpointFindsEveryTamper(t *testing.T) {
	ctx := context.Background()
	for name, tamper := range tampers {
		for _, forged := range []bool{false, true} {
			r := rand.New(rand.NewPCG(1, uint64(len(name))))
			b, c, then := &book{}, Checkpoint{}, stretch{}
			for i := range 1000 {
				if i%20 == 0 {
					b = written(r)
					c, then = b.checkpoint(t)
				}
				tampered := b.clone()
				tamper(tampered, r, r.IntN(len(b.events)))
				slices.SortStableFunc(tampered.events, func(a, b sqldb.Event) int { return cmp.Compare(a.Seq, b.Seq) })
				if slices.Equal(tampered.events, b.events) {
					t.Fatalf("%s: nothing was changed", name)
				}
				if forged {
					tampered.seal(today)
				}
				differs, err := tampered.trail().holdTo(ctx, c, then, tampered.sealsTo(c.Sealed))
				if err != nil || differs == "" {
					t.Fatalf("%s (seals forged: %v), try %d: not found (%v)", name, forged, i, err)
				}
			}
		}
	}
}

func (b *book) checkpoint(t *testing.T) (Checkpoint, stretch) {
	t.Helper()
	last := Seal{Day: firstDay}
	if len(b.seals) > 0 {
		last = b.seals[len(b.seals)-1]
	}
	open, err := b.trail().open(context.Background(), last)
	if err != nil {
		t.Fatal(err)
	}
	return Checkpoint{TakenAt: today.Start().In(deposit.Shanghai), Sealed: last.Day, SealHash: last.Hash, Open: "sealed"}, open
}

func (b *book) sealsTo(day deposit.Day) []Seal {
	return slices.DeleteFunc(slices.Clone(b.seals), func(s Seal) bool { return s.Day > day })
}

// TestCheckpointStandsWhatGoesOn: what is added after it, the sealing of the open day, and a transaction that was under way
// and had its number already, are no tampers.
func TestCheckpointStandsWhatGoesOn(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(2, 2))
	for range 100 {
		b := written(r)
		last := len(b.events) - 1
		missing := b.events[last-1]
		b.events = slices.Delete(b.events, last-1, last)
		c, then := b.checkpoint(t)
		if len(then.Gaps) != 1 {
			t.Fatalf("the gap is not noted: %+v", then)
		}
		b.events = slices.Insert(b.events, last-1, missing)
		more := b.events[last]
		more.Seq, more.At = more.Seq+1, more.At.AddDate(0, 0, 1)
		b.events = append(b.events, more)
		b.seal(today.Add(1))
		if differs, err := b.trail().holdTo(ctx, c, then, b.sealsTo(c.Sealed)); err != nil || differs != "" {
			t.Fatalf("%s (%v)", differs, err)
		}
		read, err := ReadCheckpoints(strings.NewReader("\n" + c.Line() + "\n" + c.Line() + "\n"))
		if err != nil || len(read) != 2 || read[0].Line() != c.Line() {
			t.Fatalf("read %+v, %v", read, err)
		}
	}
	for _, bad := range []string{"", "x", "{}", `{"sealed":"2026-02-30","open":"x"}`} {
		if _, err := ReadCheckpoints(strings.NewReader(bad)); !deposit.IsKind(err, deposit.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
