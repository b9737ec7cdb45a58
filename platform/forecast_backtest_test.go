package platform

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"depositd/migrations/sqldb/sqldbtest"
)

// score is what a backtest came to.
type score struct {
	exhaustions, inTime int // the pool ran empty, or would have but for what was ordered
	alarms, falseAlarms int // episodes
	years               int
	worstWorld          int // false alarms of the world with most of them
}

func (s *score) add(other score) {
	s.exhaustions += other.exhaustions
	s.inTime += other.inTime
	s.alarms += other.alarms
	s.falseAlarms += other.falseAlarms
	s.years += other.years
	s.worstWorld = max(s.worstWorld, other.falseAlarms)
}

func (s score) good() bool {
	return 100*s.inTime >= 99*s.exhaustions && s.falseAlarms <= 2*s.years
}

// fairHorizon is how many days after an alarm an exhaustion still bears it out: the longest lead time of the worlds, and a
// month. An alarm that stands longer without any exhaustion is counted as another one each time that span is over.
const fairHorizon = 45

// quietDays is how long no alarm may be given until the next one counts as another episode.
const quietDays = 28

// backtest lives through the scored years of a world, asks the forecast on each working day, and gives the marks.
//
// Where somebody acts, an alarm leads to an order, which comes after the bank's lead time; whether the alarm was right is
// judged by what would have been without that order and later ones, and it was in time if it came the lead time before
// that, or if the alarm, all earlier orders counted, still stood then. Where nobody acts, alarms lead to nothing, and the pool does run empty; only then numbers are ordered. Such an
// exhaustion was seen in time if an alarm was raised at least the lead time before it and not given up long before.
func backtest(w *world, acts bool, alarm func(PoolFacts, *rand.Rand) bool) score {
	p, rng := w.fill(w.capacity), rand.New(rand.NewPCG(7, 8))
	h := history{world: w}
	coming := -1 // the day on which what was ordered comes
	for p.today < w.last {
		if p.today == warmDays {
			p.free = max(p.free, w.capacity/8) + len(p.queue) // not in the middle of an exhaustion
		}
		if p.today >= warmDays && !restDays[p.today] && alarm(p.facts(), rng) {
			h.alarms = append(h.alarms, p.today)
			if acts && coming < p.today {
				coming = h.order(p)
			}
		}
		p.live()
		h.left = append(h.left, p.free-len(p.queue))
		if yesterday := p.today - 1; yesterday >= warmDays && h.left[yesterday] <= 0 && coming <= yesterday {
			coming = h.order(p)
		}
	}
	if acts {
		return h.scoreOrders()
	}
	return h.scoreEpisodes()
}

// history is what happened to a pool.
type history struct {
	*world
	left   []int // free numbers less bids that wait, at the end of each day
	alarms []int // days of alarm
	orders []worldOrder
}

type worldOrder struct{ on, comes, count int }

// order orders numbers this morning, which come in the morning lead days later: what a week and twice the lead time
// take at the present pace, and one for each bid that waits.
func (h *history) order(p *pool) (comes int) {
	comes = p.today + h.lead
	count := sum(p.asked[p.today-FactDays:])*(7+2*h.lead)/FactDays + len(p.queue)
	p.ordered[comes] += count
	h.orders = append(h.orders, worldOrder{p.today, comes, count})
	return comes
}

// emptied is the first day, from one day to another, on which nothing would be left without the orders from a day on.
func (h *history) emptied(from, to, without int) (day int, ok bool) {
	for day := from; day <= min(to, len(h.left)-1); day++ {
		left := h.left[day]
		for _, o := range h.orders {
			if o.on >= without && o.comes <= day {
				left -= o.count
			}
		}
		if left <= 0 {
			return day, true
		}
	}
	return 0, false
}

func (h *history) scoreOrders() (s score) {
	s.years = scoredDays / 365
	onAlarm := map[int]bool{}
	for _, day := range h.alarms {
		onAlarm[day] = true
	}
	for _, o := range h.orders {
		if !onAlarm[o.on] { // it ran empty, and nothing had been said
			s.exhaustions++
			continue
		}
		if o.on+fairHorizon >= h.last {
			continue // how it would have ended is not known
		}
		s.alarms++
		day, ok := h.emptied(o.on, o.on+fairHorizon, o.on)
		if !ok {
			s.falseAlarms++
			continue
		}
		s.exhaustions++
		if day-o.on >= h.lead || h.stood(day-h.lead) {
			s.inTime++
		}
	}
	return s
}

func (h *history) scoreEpisodes() (s score) {
	s.years = scoredDays / 365
	for day := warmDays + h.lead; day < h.last; day++ { // before that there were no forecasts
		if h.left[day] <= 0 && h.left[day-1] > 0 {
			s.exhaustions++
			if h.warned(day) {
				s.inTime++
			}
		}
	}
	for i := 0; i < len(h.alarms); {
		begins := h.alarms[i]
		s.alarms++
		_, ok := h.emptied(begins, begins+fairHorizon, h.last)
		if !ok && begins+fairHorizon < h.last {
			s.falseAlarms++
		}
		for i++; i < len(h.alarms) && h.alarms[i]-h.alarms[i-1] <= quietDays && h.alarms[i] <= begins+fairHorizon; i++ {
		}
	}
	return s
}

// stood reports whether there was an alarm on a day, or on the last working day before it.
func (h *history) stood(day int) bool {
	for restDays[day] {
		day--
	}
	return slices.Contains(h.alarms, day)
}

// warned reports whether an alarm stood when there was just time enough to act on it.
func (h *history) warned(emptyOn int) bool {
	for _, day := range h.alarms {
		if day <= emptyOn-h.lead && day >= emptyOn-h.lead-quietDays {
			return true
		}
	}
	return false
}

// backtests runs worlds in which the pool is from clearly too small to just sufficient.
func backtests(worlds int, alarm func(PoolFacts, *rand.Rand) bool) (total score) {
	for seed := range worlds {
		w := newWorld(uint64(seed))
		w.capacity = w.most() * (60 + 10*(seed/2%5)) / 100
		total.add(backtest(w, seed%2 == 1, alarm))
	}
	return total
}

// quickAlarm is Prediction.Alarm without the paths that change nothing: the eleventh that runs empty decides. Where the worst
// of the first forty leaves more than half of the pool's free numbers it tries no more, since demand would have to be
// twice that of the worst.
func quickAlarm(f PoolFacts, rng *rand.Rand) bool {
	f.Horizon = f.lastInLead()
	empty, u, worst := 0, newFuture(f), f.Free
	for path := range paths {
		if path == 40 && 2*worst > f.Free {
			return false
		}
		if u.run(rng, func(_, left int) { worst = min(worst, left) }) <= f.Horizon {
			empty++
		}
		if 100*empty > paths {
			return true
		}
	}
	return false
}

// In time for 99 of 100 exhaustions, and two false alarms a year at most: over worlds with seasons, growth and programmes, in half
// of which somebody acts.
func TestForecastIsInTime(t *testing.T) {
	sqldbtest.Unwatched(t)
	const worlds = 6
	s := backtests(worlds, quickAlarm)
	t.Logf("%d worlds: %+v", worlds, s)
	if !s.good() || s.exhaustions < 2*worlds {
		t.Errorf("%+v", s)
	}
}

// What is said of one path in ten happens in about one case of ten: in worlds with plenty of numbers, the days after a
// forecast are held against its quantiles.
func TestForecastIsCalibrated(t *testing.T) {
	sqldbtest.Unwatched(t)
	cases, low, middle, high := 0, 0, 0, 0
	for seed := range 6 {
		w, rng := newWorld(uint64(seed)), seeded()
		p, on := w.fill(1<<20), map[int]FreeOn{}
		for p.today < w.last {
			if p.today >= warmDays && p.today%5 == 0 {
				f := p.facts()
				f.Horizon = w.lead
				on[p.today+w.lead] = f.predict(rng, 200).Free[w.lead]
			}
			p.live()
			if said, ok := on[p.today-1]; ok {
				cases++
				low += countIf(p.free <= said.Low)
				middle += countIf(p.free <= said.Middle)
				high += countIf(p.free <= said.High)
			}
		}
	}
	t.Logf("%d cases: %d below the lower, %d below the middle, %d below the upper", cases, low, middle, high)
	for at, n := range map[int]int{10: low, 50: middle, 90: high} {
		if percent := 100 * n / cases; percent < at-7 || percent > at+7 {
			t.Errorf("below the %d %% line are %d %%", at, percent)
		}
	}
}

func countIf(is bool) int {
	if is {
		return 1
	}
	return 0
}

func TestTortureForecastIsInTime(t *testing.T) {
	if os.Getenv("TORTURE") == "" {
		t.Skip("minutes; TORTURE=1 runs it")
	}
	sqldbtest.Unwatched(t)
	s := backtests(80, quickAlarm)
	t.Logf("%+v", s)
	if !s.good() || s.exhaustions < 300 {
		t.Errorf("%+v", s)
	}
}

// What the backtest is there to find: forecasts that leave something out.
func TestBacktestFindsWhatAForecastIgnores(t *testing.T) {
	sqldbtest.Unwatched(t)
	for _, c := range []struct {
		ignores string
		worlds  int
		spoil   func(*PoolFacts)
	}{
		{"the calendar of openings", 4, func(f *PoolFacts) { f.Openings, f.Opened, f.Notice = nil, nil, nil }},
		{"the quarantine", 2, func(f *PoolFacts) {
			for i := range f.Back {
				f.Back[i].Day = f.Today
			}
			f.Quarantine = 0
		}},
		{"what is free, and always warns", 2, func(f *PoolFacts) { f.Free = 0 }},
	} {
		t.Run(c.ignores, func(t *testing.T) {
			s := backtests(c.worlds, func(f PoolFacts, rng *rand.Rand) bool {
				c.spoil(&f)
				return quickAlarm(f, rng)
			})
			t.Logf("%+v", s)
			if s.good() {
				t.Errorf("nobody noticed: %+v", s)
			}
		})
	}
}
