package platform

import (
	"math"
	"math/rand/v2"
	"slices"

	"depositd/platform/deposit"
)

// future is PoolFacts made ready for many paths: days are counted from today, which is 0.
type future struct {
	days     int // the last one
	start    int // free numbers less the bids that wait
	rest     int // quarantine
	back     []int
	held     []heldFuture
	holds    []int // sorted
	openings []openingFuture

	bids   gammaPrior // how many bids a lot draws
	sizeAs float64    // how well the mean of that is known, as the shape of a gamma of mean 1
	rateAs float64    // how well the rate of new lots is known, likewise
	crowd  float64    // how much more the lots of a day vary in number than by chance alone; 0: not at all

	due  []int     // of the path that runs: numbers that come back on a day
	rate []float64 // of the path that runs: bids expected on a day
}

// heldFuture is a cohort of numbers under lease: any of the holding times is as likely.
type heldFuture struct {
	from, count int
	holds       []int
}

// openingFuture is a day on which lots are opened.
type openingFuture struct {
	lots   int     // announced
	bids   int     // that they have drawn so far
	unseen float64 // how many more lots are to be expected that are not announced yet
	past   float64 // the share of a lot's bids that has come by now
	coming []dayShare
}

type dayShare struct {
	day   int
	share float64
}

// gammaPrior says how many bids lots draw: each has an expectation of its own, gamma distributed over the lots. What a
// lot has drawn so far tells about its own; and lots of the same day can be drawn in one.
type gammaPrior struct{ shape, rate float64 }

// mostShape is where a gamma distribution is all but a constant.
const mostShape = 1e4

func newFuture(f PoolFacts) *future {
	u := &future{days: f.Horizon, start: f.Free - f.Waiting, rest: f.Quarantine,
		back: make([]int, f.Horizon+1), due: make([]int, f.Horizon+1), rate: make([]float64, f.Horizon+1)}
	for _, b := range f.Back {
		if day := max(0, daysFrom(f.Today, b.Day)); day <= u.days {
			u.back[day] += b.Count
		}
	}
	if u.rest <= u.days { // else nothing that is given back is free again within the horizon
		u.holds = slices.Sorted(slices.Values(f.Holds))
	}
	for _, h := range f.Held {
		u.hold(f.Today, h)
	}
	u.expect(f)
	return u
}

func daysFrom(from, to deposit.Day) int { return int(to.Start().Sub(from.Start()).Hours() / 24) }

// hold adds numbers under lease, unless none of them can be back within the horizon. One that has been held longer than
// any other was is not counted on.
func (u *future) hold(today deposit.Day, h HeldNumbers) {
	if len(u.holds) == 0 {
		return
	}
	from := daysFrom(today, h.From)
	least := max(0, -from)
	if h.OpensOn != "" {
		least = max(least, daysFrom(h.From, h.OpensOn))
	}
	first, _ := slices.BinarySearch(u.holds, least)
	if first == len(u.holds) || from+u.holds[first]+u.rest > u.days {
		return
	}
	u.held = append(u.held, heldFuture{from, h.Count, u.holds[first:]})
}

// together is how many numbers leased on one day are drawn one holding time: those of one lot come back at about one time.
const together = 4

// run goes one path to the horizon, tells what is left at the end of each day, and gives the first day with nothing
// free; a day beyond the horizon if there is none.
func (u *future) run(rng *rand.Rand, tell func(day, left int)) (emptyOn int) {
	copy(u.due, u.back)
	for _, h := range u.held {
		for count := h.count; count > 0; count -= together {
			u.giveBack(h.from+h.holds[rng.IntN(len(h.holds))], min(count, together))
		}
	}
	u.expectBids(rng)
	left, emptyOn := u.start, u.days+1
	for day := range u.due {
		asked := poisson(rng, u.rate[day])
		left += u.due[day] - asked
		if left <= 0 && emptyOn > day {
			emptyOn = day
		}
		tell(day, left)
		if len(u.holds) == 0 || day+u.holds[0]+u.rest > u.days {
			continue
		}
		for ; asked > 0; asked -= together {
			u.giveBack(day+u.holds[rng.IntN(len(u.holds))], min(asked, together))
		}
	}
	return emptyOn
}

// giveBack frees numbers that are released on a day, after their quarantine.
func (u *future) giveBack(released, count int) {
	if day := released + u.rest; day <= u.days {
		u.due[day] += count
	}
}

// expectBids draws how many bids are to be expected on each day of a path.
func (u *future) expectBids(rng *rand.Rand) {
	clear(u.rate)
	size := gamma(rng, u.sizeAs) / u.sizeAs
	rate := gamma(rng, u.rateAs) / u.rateAs
	for i := range u.openings {
		o := &u.openings[i]
		var bids float64
		if o.lots > 0 {
			bids = gamma(rng, float64(o.lots)*u.bids.shape+float64(o.bids)) / (u.bids.rate + o.past)
		}
		if n := crowded(rng, o.unseen*rate, u.crowd); n > 0 {
			bids += gamma(rng, float64(n)*u.bids.shape) / u.bids.rate / math.Max(1-o.past, 0.1)
		}
		for _, c := range o.coming {
			u.rate[c.day] += bids * size * c.share
		}
	}
}
