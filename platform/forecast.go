package platform

import (
	"math"
	"math/rand/v2"
	"slices"

	"depositd/platform/deposit"
)

// PoolFacts is what is known of one pool of sub-accounts in the morning of a day, before that day's bids: all that its
// forecast rests on. Days are calendar days unless they are said to be working days.
type PoolFacts struct {
	Today      deposit.Day
	Works      func(deposit.Day) bool // bids ask for numbers on working days only
	LeadDays   int                    // from asking the bank for more numbers to having them
	Quarantine int                    // days a released number rests before it is free again; never 0
	Horizon    int                    // how many days to look ahead; 0 for a year

	Free    int         // numbers that can be given out now
	Waiting int         // bids in the queue, served before any other
	Back    []NumbersOn // what comes for certain: numbers whose quarantine ends, additions that are ordered
	Held    []HeldNumbers

	Arrivals []int        // numbers asked for on each of the days before today, yesterday last; FactDays of them
	Openings []LotOpening // the lots announced and not opened yet
	Opened   []LotOpening // the lots opened in the last LotDays, those included that no bid asked this pool for a number for
	Ahead    []int        // of bids on lots opened of late: working days between asking and the opening
	Notice   []int        // of lots announced of late: days between announcement and opening
	Holds    []int        // of numbers released of late: days between the start of the lease and the release
}

// FactDays is how far back a forecast looks at arrivals: four whole weeks (safety.md §4).
const FactDays = 28

// LotDays is how far back it looks at lots: half a year shows how they crowd on single days. How many bids a lot draws is taken
// from the last sizeDays only.
const LotDays = 182

const sizeDays = 2 * FactDays

// NumbersOn says how many numbers are free from a day on.
type NumbersOn struct {
	Day   deposit.Day
	Count int
}

// HeldNumbers are numbers of one lot, leased or draining, whose leases began on one day.
type HeldNumbers struct {
	From    deposit.Day
	OpensOn deposit.Day // none of them comes back before its lot is opened; "" where that is not known
	Count   int
}

// LotOpening is the day of a lot's opening, to come or past, and how many of its bids have asked for numbers of this pool.
type LotOpening struct {
	Day  deposit.Day
	Bids int
}

// Prediction is what the paths of a simulation came to. Its numbers tell how many bidders there are and are secret before
// the openings (招标投标法 §22); only Colour may be shown.
type Prediction struct {
	Today deposit.Day
	Paths int

	// The days by which 10, 50 and 90 % of the paths have run empty; "" where that is beyond the horizon.
	EmptyEarly, EmptyMiddle, EmptyLate deposit.Day

	EmptyInLead int // of Paths, those that run empty before numbers could be there that are asked for within four working days
	EmptySoon   int // of Paths, those that run empty within FactDays after that

	// Need is how many numbers the pool should have altogether by Little's law, without any simulation: arrivals a day ×
	// days until a number can be given out again, and a margin of 2.33 standard deviations (99 %). 0 where no number
	// has been released yet.
	Need int

	Free []FreeOn // today and each day to the horizon
}

// FreeOn is how many numbers are free at the end of a day: of 10, 50 and 90 % of the paths no more than that. Below zero
// bids are waiting.
type FreeOn struct {
	Day               deposit.Day
	Low, Middle, High int
}

// Alarm reports whether the chance to run empty within the bank's lead time, from when a centre can have asked, is above
// 1 %: more numbers must be asked for now.
func (p Prediction) Alarm() bool { return 100*p.EmptyInLead > p.Paths }

// PoolColour is the state of a pool in a word: all of it that may be shown before openings (safety.md §7.4).
type PoolColour string

// The colours of a pool; Prediction.Colour says when it has which.
const (
	PoolGreen PoolColour = "GREEN"
	PoolAmber PoolColour = "AMBER"
	PoolRed   PoolColour = "RED"
)

var poolColourNames = map[PoolColour]string{
	PoolGreen: "充足",
	PoolAmber: "偏紧",
	PoolRed:   "告急",
}

// Chinese is the colour's name for people.
func (c PoolColour) Chinese() string { return poolColourNames[c] }

// Colour is red where Alarm is, which includes a pool with nothing free; amber where more than one path in ten runs empty
// within the lead time and four weeks; else green.
//
// It is for the pool as a whole and stands for the day: computed anew with each bid, the moment at which it turns would
// tell that somebody had bid.
func (p Prediction) Colour() PoolColour {
	switch {
	case p.Alarm():
		return PoolRed
	case 10*p.EmptySoon > p.Paths:
		return PoolAmber
	}
	return PoolGreen
}

// paths is how many futures a forecast tries: an alarm is more than ten of them.
const paths = 1000

const yearAhead = 365

// Predict tries a thousand futures of the pool. With the same facts and a generator in the same state it says the same.
//
// A future is made of lots. Those announced draw bids as the lots opened of late did, the more where many have come
// already; lots that nobody has announced yet appear so often that the arrivals stay at the level of the last four
// weeks. Bids ask for their numbers on the working days before the opening, and each number comes back after a holding time
// like those observed, and the quarantine. How well level and size are known from so few weeks is part of the draw.
//
// It cannot see a change that no announcement shows: a season that begins beyond the lots announced, a lot that draws far
// more bidders than any before it (until they come), a bank that takes longer than its lead time. Where no number has
// been released yet, it counts on none to come back, but for those in quarantine.
func (f PoolFacts) Predict(rng *rand.Rand) Prediction {
	if f.Horizon == 0 {
		f.Horizon = yearAhead
	}
	f.Horizon = max(f.Horizon, f.lastInLead()+FactDays)
	return f.predict(rng, paths)
}

func (f PoolFacts) predict(rng *rand.Rand, paths int) Prediction {
	lastInLead, future := f.lastInLead(), newFuture(f)
	emptyOn, free := make([]int, paths), make([][]int32, f.Horizon+1)
	for day := range free {
		free[day] = make([]int32, paths)
	}
	for path := range paths {
		emptyOn[path] = future.run(rng, func(day, left int) { free[day][path] = int32(left) })
	}
	slices.Sort(emptyOn)
	within := func(day int) int { n, _ := slices.BinarySearch(emptyOn, day+1); return n }
	p := Prediction{Today: f.Today, Paths: paths, EmptyInLead: within(lastInLead), EmptySoon: within(lastInLead + FactDays), Need: f.need()}
	p.EmptyEarly, p.EmptyMiddle, p.EmptyLate = f.seen(tenths(emptyOn, 1)), f.seen(tenths(emptyOn, 5)), f.seen(tenths(emptyOn, 9))
	for day, left := range free {
		slices.Sort(left)
		p.Free = append(p.Free, FreeOn{f.Today.Add(day), int(tenths(left, 1)), int(tenths(left, 5)), int(tenths(left, 9))})
	}
	return p
}

// seen is a day counted from today, "" beyond the horizon.
func (f PoolFacts) seen(day int) deposit.Day {
	if day > f.Horizon {
		return ""
	}
	return f.Today.Add(day)
}

// tenths is the value that n tenths of a sorted list do not exceed.
func tenths[T any](sorted []T, n int) T { return sorted[(n*len(sorted)+9)/10-1] }

// lastInLead is the last day on which numbers would come too late if the bank were asked on the last of the working days
// that a centre has to act on an alarm. Rest days only come on top: what has to be asked for during a holiday has to be
// asked for before it.
func (f PoolFacts) lastInLead() int {
	day := 0
	for worked := 0; worked < daysToAct && day < mostRest; {
		if day++; f.Works(f.Today.Add(day)) {
			worked++
		}
	}
	return day + f.LeadDays - 1
}

// daysToAct is how many working days pass at most until numbers are asked for: an alarm is read, somebody decides, the
// bank is written to, and the next forecast comes too late for all that.
const daysToAct = 4

// mostRest bounds the search for working days; the longest rest there was, of spring 2020, had 10 days.
const mostRest = 30

func (f PoolFacts) need() int {
	if len(f.Holds) == 0 || len(f.Arrivals) == 0 {
		return 0
	}
	perDay := float64(sum(f.Arrivals)) / float64(len(f.Arrivals))
	away := float64(sum(f.Holds))/float64(len(f.Holds)) + float64(f.Quarantine)
	return int(math.Ceil(perDay*away + 2.33*math.Sqrt(perDay*away)))
}

func sum(all []int) (total int) {
	for _, n := range all {
		total += n
	}
	return total
}
