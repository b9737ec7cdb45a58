package platform

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

func weekdays(day deposit.Day) bool {
	w := day.Start().Weekday()
	return w != time.Saturday && w != time.Sunday
}

func seeded() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// busy is a pool of ten thousand numbers about as busy as it can bear.
func busy() PoolFacts {
	f := PoolFacts{Today: "2026-06-10", Works: weekdays, LeadDays: 10, Quarantine: 90, Free: 1500}
	for day := range 90 {
		f.Back = append(f.Back, NumbersOn{f.Today.Add(day), 60})
	}
	for day := range 45 {
		for lot := range 10 {
			f.Held = append(f.Held, HeldNumbers{f.Today.Add(-day), f.Today.Add(lot - day + 3), 7})
		}
	}
	for day := range FactDays {
		asked := 100
		if !weekdays(f.Today.Add(day - FactDays)) {
			asked = 0
		}
		f.Arrivals = append(f.Arrivals, asked)
	}
	for day := 1; day < LotDays; day++ {
		for lot := range 10 {
			if opens := f.Today.Add(-day); weekdays(opens) {
				f.Opened = append(f.Opened, LotOpening{opens, 4 + 3*(lot%5)})
			}
			if opens := f.Today.Add(day); day < 30 && weekdays(opens) {
				f.Openings = append(f.Openings, LotOpening{opens, 10 * max(0, 6-day) / 6})
			}
			f.Ahead = append(f.Ahead, lot/2)
			f.Notice = append(f.Notice, 20+lot)
			f.Holds = append(f.Holds, 15+5*lot)
		}
	}
	return f
}

// A year of ten thousand numbers takes well under a second; the same seed says the same; the alarm of the backtest is this one.
func TestPredictionOfABusyPool(t *testing.T) {
	sqldbtest.Unwatched(t)
	f, start := busy(), time.Now()
	p := f.Predict(seeded())
	t.Logf("%v: %+v", time.Since(start), Prediction{p.Today, p.Paths, p.EmptyEarly, p.EmptyMiddle, p.EmptyLate, p.EmptyInLead, p.EmptySoon, p.Need, p.Free[364:]})
	if again := f.Predict(seeded()); !reflect.DeepEqual(p, again) {
		t.Error("the same seed says something else")
	}
	if len(p.Free) != yearAhead+1 || p.Free[yearAhead].Day != f.Today.Add(yearAhead) {
		t.Errorf("%d days", len(p.Free))
	}
	for _, d := range p.Free {
		if d.Low > d.Middle || d.Middle > d.High {
			t.Fatalf("quantiles out of order: %+v", d)
		}
	}
	for _, free := range []int{300, 800, 900, 1000, 5000} {
		f.Free = free
		if p, quick := f.Predict(seeded()), quickAlarm(f, seeded()); p.Alarm() != quick && (p.EmptyInLead < 5 || p.EmptyInLead > 20) {
			t.Errorf("with %d free the quick alarm says %v, %d paths are empty", free, quick, p.EmptyInLead)
		}
	}
}

// What may be read off without any drawing.
func TestPredictionOfSimplePools(t *testing.T) {
	sqldbtest.Unwatched(t)
	quiet := PoolFacts{Today: "2026-06-10", Works: weekdays, LeadDays: 10, Quarantine: 90, Arrivals: make([]int, FactDays)}
	with := func(change func(*PoolFacts)) PoolFacts { f := quiet; change(&f); return f }
	asked := func(n int) []int {
		arrivals := make([]int, FactDays)
		for i := range arrivals {
			if weekdays(quiet.Today.Add(i - FactDays)) {
				arrivals[i] = n
			}
		}
		return arrivals
	}
	for _, c := range []struct {
		name   string
		facts  PoolFacts
		colour PoolColour
		empty  deposit.Day // by half of the paths
	}{
		{"a hundred lots, none of which ever drew a bid from this pool", with(func(f *PoolFacts) {
			f.Free = 10
			for i := range 100 {
				f.Opened = append(f.Opened, LotOpening{f.Today.Add(-1 - i%40), 0})
				f.Openings = append(f.Openings, LotOpening{f.Today.Add(1 + i%20), 0})
			}
		}), PoolGreen, ""},
		{"one number and nobody comes", with(func(f *PoolFacts) { f.Free = 1 }), PoolGreen, ""},
		{"nothing is free", quiet, PoolRed, "2026-06-10"},
		{"all that is free is waited for", with(func(f *PoolFacts) { f.Free, f.Waiting = 3, 3 }), PoolRed, "2026-06-10"},
		{"a number comes back this morning", with(func(f *PoolFacts) { f.Back = []NumbersOn{{"2026-06-09", 1}} }), PoolGreen, ""},
		{"one comes back tomorrow only", with(func(f *PoolFacts) { f.Back = []NumbersOn{{"2026-06-11", 1}} }), PoolRed, "2026-06-10"},
		{"a hundred a day of a thousand", with(func(f *PoolFacts) { f.Free, f.Arrivals = 950, asked(100) }), PoolRed, "2026-06-23"},
		{"enough for the lead time, not for a month", with(func(f *PoolFacts) { f.Free, f.Arrivals = 2650, asked(100) }), PoolAmber, "2026-07-16"},
		{"enough for three months", with(func(f *PoolFacts) { f.Free, f.Arrivals = 6450, asked(100) }), PoolGreen, "2026-09-07"},
		{"that, and an addition that is ordered", with(func(f *PoolFacts) {
			f.Free, f.Arrivals, f.Back = 950, asked(100), []NumbersOn{{"2026-06-20", 100_000}}
		}), PoolGreen, ""},
	} {
		p := c.facts.Predict(seeded())
		if p.Colour() != c.colour || c.colour.Chinese() == "" {
			t.Errorf("%s: %s, want %s (%d of %d within the lead time, %d soon)", c.name, p.Colour(), c.colour, p.EmptyInLead, p.Paths, p.EmptySoon)
		}
		if p.EmptyMiddle != c.empty && (c.empty == "" || p.EmptyMiddle == "" || math.Abs(float64(daysFrom(c.empty, p.EmptyMiddle))) > 4) {
			t.Errorf("%s: empty on %q, want %q", c.name, p.EmptyMiddle, c.empty)
		}
	}
}

// Numbers under lease come back after their opening, the holding time and the quarantine, and not before.
func TestHeldNumbersComeBack(t *testing.T) {
	f := PoolFacts{Today: "2026-06-10", Works: weekdays, LeadDays: 5, Quarantine: 90, Free: 1, Holds: []int{10, 20, 30},
		Held: []HeldNumbers{{"2026-06-01", "2026-06-25", 6}, {"2026-01-01", "2026-01-20", 50}}}
	p := f.Predict(seeded())
	back := daysFrom(f.Today, "2026-06-01") + 30 + 90 // 24 days to the opening: only the longest hold reaches it
	if p.Free[back-1].High != 1 || p.Free[back].Low != 7 || p.Free[yearAhead].High != 7 {
		t.Errorf("%+v %+v; those held longer than any other are not counted on: %+v", p.Free[back-1], p.Free[back], p.Free[yearAhead])
	}
}

// An alarm during a holiday is an alarm before it.
func TestLeadTimeAcrossAHoliday(t *testing.T) {
	f := PoolFacts{Today: "2026-06-10", Works: weekdays, LeadDays: 10} // a Wednesday; the fourth working day after it is the next Tuesday
	if got := f.lastInLead(); got != 6+10-1 {
		t.Errorf("%d", got)
	}
	f.Works = func(day deposit.Day) bool { return weekdays(day) && (day < "2026-06-11" || day > "2026-06-19") }
	if got := f.lastInLead(); got != 15+10-1 { // Thursday of the week after
		t.Errorf("over a holiday: %d", got)
	}
	f.Works = func(deposit.Day) bool { return false }
	if got := f.lastInLead(); got > 100 {
		t.Errorf("nobody ever works: %d", got)
	}
}

// Little's law and the simulation agree on what is enough for ever: with a tenth more nothing runs out, with a fifth less it does.
func TestNeedAgreesWithThePaths(t *testing.T) {
	sqldbtest.Unwatched(t)
	f := busy()
	f.Openings, f.Back, f.Held, f.Notice = nil, nil, nil, nil
	need := f.Predict(seeded()).Need
	for free, wantEmpty := range map[int]bool{need * 12 / 10: false, need * 7 / 10: true} {
		f.Free = free
		if p := f.Predict(seeded()); (p.EmptyMiddle != "") != wantEmpty {
			t.Errorf("need %d, with %d empty on %q", need, free, p.EmptyMiddle)
		}
	}
}

func TestReadPoolFacts(t *testing.T) {
	eachClock(t, func(h clocked) {
		order := ForecastOrder{Pool: Pool{poolBank, poolParent}, Today: "2026-06-10", Works: weekdays, LeadDays: 10, Quarantine: Quarantine,
			Added: []NumbersOn{{"2026-06-20", 100}}}
		_, err := ReadPoolFacts(ctx, h.db, order)
		wantRefused(h.T, err, deposit.NotFound, "pool_unknown", "parent_account")

		*h.now = at("2026-05-11 09:00:00") // a Monday
		h.load(series("9", 5)...)
		lot := lotA
		lot.Number, lot.OpensAt = "LC-OLD", at("2026-05-25 09:00:00")
		h.putLot(lot)
		h.putLot(LotOrder{Number: "LC-NONE", Department: "建设工程科", Deposit: 1, OpensAt: at("2026-05-26 09:00:00")})
		*h.now = at("2026-05-20 09:00:00") // three working days ahead
		_, released := h.leased("LC-OLD", "海岳")
		h.leased("LC-OLD", "明湖")
		*h.now = at("2026-05-30 09:00:00")
		h.record(EventOrder{Number: "E-1", Kind: EventFailed, Lot: "LC-OLD", HappenedAt: *h.now})
		*h.now = at("2026-06-05 09:00:00")
		h.release(released)
		*h.now = at("2026-06-09 09:00:00")
		h.putLot(lotA)
		for i := range 4 {
			h.ask(h.bidder(lotA.Number, fmt.Sprint("东昌", i)))
		}
		*h.now = noon
		got, err := ReadPoolFacts(ctx, h.db, order)
		if err != nil {
			h.Fatal(err)
		}
		got.Works = nil
		arrivals := make([]int, FactDays)
		arrivals[FactDays-1], arrivals[FactDays-21] = 4, 2
		want := PoolFacts{Today: "2026-06-10", LeadDays: 10, Quarantine: 90, Free: 0, Waiting: 1,
			Back: []NumbersOn{{"2026-06-20", 100}, {"2026-09-04", 1}}, Held: got.Held, Arrivals: arrivals,
			Openings: []LotOpening{{"2026-06-12", 4}}, Opened: []LotOpening{{"2026-05-25", 2}, {"2026-05-26", 0}},
			Ahead: []int{3, 3}, Notice: []int{14, 15, 3}, Holds: []int{16}}
		if !reflect.DeepEqual(got, want) {
			h.Errorf("got  %+v\nwant %+v", got, want)
		}
		held := map[HeldNumbers]bool{}
		for _, n := range got.Held {
			held[n] = true
		}
		if len(held) != 2 || !held[HeldNumbers{"2026-05-20", "2026-05-25", 1}] || !held[HeldNumbers{"2026-06-09", "2026-06-12", 3}] {
			h.Errorf("held %+v", got.Held)
		}
		if p, err := Forecast(ctx, h.db, order, seeded()); err != nil || p.Colour() != PoolRed {
			h.Errorf("%s %v", p.Colour(), err)
		}
	})
}

func TestReadPoolFactsRefuses(t *testing.T) {
	eachClock(t, func(h clocked) {
		order := ForecastOrder{Pool: Pool{poolBank, poolParent}, Today: "2026-06-10", Works: weekdays, LeadDays: 10, Quarantine: Quarantine}
		short, hasty := order, order
		short.Quarantine, hasty.LeadDays = 0, 0
		_, err := ReadPoolFacts(ctx, h.db, short)
		wantRefused(h.T, err, deposit.Invalid, "quarantine_too_short", "quarantine")
		_, err = ReadPoolFacts(ctx, h.db, hasty)
		wantRefused(h.T, err, deposit.Invalid, "lead_too_short", "lead_days")
	})
}
