package reconcile

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// pushing is a bank whose line is whole, over some weeks: busy before the openings of the morning and the afternoon, on
// working days only, and on each day another crowd.
type pushing struct {
	first  deposit.Day
	days   int
	times  []time.Time // in their order
	learnt map[deposit.Day]*Rhythm
}

// ofDay is how many pushes an ordinary day brings by the hour.
var ofDay = [24]float64{8: 9, 9: 6, 10: 4, 11: 3, 12: 1, 13: 2, 14: 4, 15: 3, 16: 2}

func worksOn(d deposit.Day) bool {
	w := d.Start().Weekday()
	return w != time.Saturday && w != time.Sunday && d != "2026-06-19" // 端午
}

func newPushing(r *rand.Rand, crowd float64) *pushing {
	p := &pushing{first: "2026-04-06", days: 84, learnt: map[deposit.Day]*Rhythm{}}
	for day := p.first; day < p.first.Add(p.days); day = day.Add(1) {
		if !worksOn(day) {
			continue
		}
		level := crowd * math.Max(0.15, 1+0.5*r.NormFloat64())
		for h, rate := range ofDay {
			at := day.Start().Add(time.Duration(h) * time.Hour)
			for gap := r.ExpFloat64() / (rate*level + 1e-9); gap < 1; gap += r.ExpFloat64() / (rate * level) {
				p.times = append(p.times, at.Add(time.Duration(gap*float64(time.Hour))))
			}
		}
	}
	return p
}

// rhythm is what is learnt of the pushes before a day.
func (p *pushing) rhythm(day deposit.Day) *Rhythm {
	if known := p.learnt[day]; known != nil {
		same := *known
		return &same
	}
	var all []bank.Pushes
	for _, at := range p.times {
		if d := deposit.DayOf(at); d >= day.Add(-7*rhythmWeeks) && d < day {
			all = append(all, bank.Pushes{Hour: at.Truncate(time.Hour), Count: 1})
		}
	}
	p.learnt[day] = newRhythm(all, day.Add(-7*rhythmWeeks), day.Add(-1), worksOn)
	return p.rhythm(day)
}

// alarms plays the days from the fifth week on, hour by hour, with the detector itself, and counts the hours in which it sees
// the bank silent. From dies on nothing comes any more; the zero time: it lives. learn may spoil what was learnt.
func (p *pushing) alarms(dies time.Time, learn func(*Rhythm)) (hours int, first time.Time) {
	next, last, before := 0, time.Time{}, 0
	for day := p.first; day < p.first.Add(p.days); day = day.Add(1) {
		var r *Rhythm
		if day >= p.first.Add(7*rhythmWeeks) {
			r = p.rhythm(day)
			learn(r)
		}
		for h := range 24 {
			now := day.Start().Add(time.Duration(h)*time.Hour + 2*time.Minute)
			for ; next < len(p.times) && p.times[next].Before(now); next++ {
				at := p.times[next]
				if !dies.IsZero() && !at.Before(dies) {
					continue
				}
				if deposit.DayOf(at) != deposit.DayOf(last) {
					before = 0
				}
				last, before = at, before+1
			}
			if r == nil {
				continue
			}
			f := pushFacts{circumstances: circumstances{now: now}, bank: &bank.Bank{Code: "b", Name: "b"}, rhythm: r, last: last, before: before, silentTo: now.Truncate(time.Hour)}
			for _, s := range f.signs() {
				if s.Code == SignNotPushed {
					if hours++; first.IsZero() {
						first = now
					}
				}
			}
		}
	}
	return hours, first
}

// TestSilence: of a line that is whole the detector is silent, over years of days of every size; one that dies in the morning of
// an ordinary day is found on that day or the next. A detector that does not know the hour, or not how days differ, fails the
// first of it.
func TestSilence(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	asLearnt := func(*Rhythm) {}
	bugs := map[string]func(*Rhythm){
		"ignores the hour": func(r *Rhythm) {
			mean := r.Expected(deposit.Day("2026-05-18").Start(), deposit.Day("2026-05-25").Start()) / (7 * 24)
			for sort := range r.rates {
				for h := range r.rates[sort] {
					r.rates[sort][h] = mean
				}
			}
		},
		"takes all days for alike": func(r *Rhythm) { r.steady = 1e6 },
	}
	wrong, noticed := 0, map[string]int{}
	for _, crowd := range []float64{0.2, 1, 3} {
		p := newPushing(r, crowd)
		hours, _ := p.alarms(time.Time{}, asLearnt)
		wrong += hours
		for name, bug := range bugs {
			hours, _ := p.alarms(time.Time{}, bug)
			noticed[name] += hours
		}
		if crowd < 1 {
			continue
		}
		dies := deposit.Day("2026-06-10").Start().Add(9*time.Hour + 30*time.Minute)
		if _, found := p.alarms(dies, asLearnt); found.Before(dies) || found.After(deposit.Day("2026-06-12").Start()) {
			t.Errorf("a line of %.0f pushes a day that died at %s was found at %s", 34*crowd, dies, found)
		}
	}
	if wrong > 0 {
		t.Errorf("%d false alarms", wrong)
	}
	for name := range bugs {
		if noticed[name] == 0 {
			t.Errorf("a detector that %s gave no false alarm: the test would not notice it", name)
		}
	}
}

// TestRhythm: what is expected follows the hours and the weekdays, and a few days are not enough to say what is unusual.
func TestRhythm(t *testing.T) {
	var all []bank.Pushes
	for day := deposit.Day("2026-06-01"); day < "2026-06-29"; day = day.Add(1) {
		if worksOn(day) {
			all = append(all, bank.Pushes{Hour: day.Start().Add(9 * time.Hour), Count: 6}, bank.Pushes{Hour: day.Start().Add(15 * time.Hour), Code: "charset", Count: 2})
		}
	}
	r := newRhythm(all, "2026-06-01", "2026-06-28", worksOn)
	at := func(day deposit.Day, wall string) time.Time {
		at, err := deposit.ParseWall(string(day) + " " + wall)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		from, to time.Time
		want     float64
	}{
		{at("2026-06-29", "09:00:00"), at("2026-06-29", "10:00:00"), 6},
		{at("2026-06-29", "09:15:00"), at("2026-06-29", "09:45:00"), 3},
		{at("2026-06-29", "00:00:00"), at("2026-06-30", "00:00:00"), 8},
		{at("2026-06-29", "16:00:00"), at("2026-06-30", "09:00:00"), 0},
		{at("2026-06-27", "00:00:00"), at("2026-06-29", "00:00:00"), 0}, // a weekend
	} {
		if got := r.Expected(c.from, c.to); math.Abs(got-c.want) > 0.01 {
			t.Errorf("from %s to %s: %.3f expected, want %.3f", c.from, c.to, got, c.want)
		}
	}
	if chance := r.Chance(at("2026-06-26", "16:00:00"), at("2026-06-29", "08:00:00"), 8); chance != 1 {
		t.Errorf("a quiet weekend has the chance %g", chance)
	}
	if few := newRhythm(all[:2*leastDays-2], "2026-06-01", "2026-06-28", worksOn); few.Known() || !r.Known() {
		t.Error("what is known does not follow from the days")
	}
}
