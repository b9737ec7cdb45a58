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

// expect lays out which lots will be opened when, and on which days their bids ask for numbers.
func (u *future) expect(f PoolFacts) {
	sizes := f.sizes()
	size, sizeVar := moments(sizes)
	u.sizeAs = shapeOfMean(len(sizes), size, sizeVar)
	if size == 0 { // nothing is known of lots: each bid is one, and how many come is known from the arrivals alone
		size, sizeVar, u.sizeAs = 1, 1, mostShape
	}
	u.bids.shape = mostShape
	if sizeVar > size {
		u.bids.shape = min(mostShape, size*size/(sizeVar-size))
	}
	u.bids.rate = u.bids.shape / size

	c := newCalendar(f.Today, f.Works, u.days)
	perDay := u.expectRate(f)
	u.crowd = f.crowd()
	notice := slices.Sorted(slices.Values(f.Notice))
	byDay := map[int]*openingFuture{}
	for _, o := range f.Openings {
		day := max(0, daysFrom(f.Today, o.Day))
		if byDay[day] == nil {
			byDay[day] = &openingFuture{}
		}
		byDay[day].lots++
		byDay[day].bids += o.Bids
	}
	shares := sharesAhead(f.Ahead)
	for day := range c.last {
		o := byDay[day]
		if o == nil {
			o = &openingFuture{}
		}
		if c.works(day) {
			o.unseen = perDay / size * shareUpTo(notice, day)
		}
		if o.lots > 0 || o.unseen > 0 {
			o.spread(c, day, u.days, shares)
		}
		if len(o.coming) > 0 {
			u.openings = append(u.openings, *o)
		}
	}
}

// sizes is how many bids each lot drew of those opened of late.
func (f PoolFacts) sizes() (sizes []int) {
	since := f.Today.Add(-sizeDays)
	for _, lot := range f.Opened {
		if lot.Day >= since {
			sizes = append(sizes, lot.Bids)
		}
	}
	return sizes
}

// crowd is by how much the variance of the number of lots opened on a working day exceeds its mean, in means: where lots
// come in programmes, a day has none or twenty.
func (f PoolFacts) crowd() float64 {
	byDay := map[deposit.Day]int{}
	first := f.Today
	for _, lot := range f.Opened {
		byDay[lot.Day]++
		first = min(first, lot.Day)
	}
	var counts []int
	for day := first; day < f.Today; day = day.Add(1) {
		if f.Works(day) {
			counts = append(counts, byDay[day])
		}
	}
	mean, variance := moments(counts)
	if mean == 0 {
		return 0
	}
	return max(0, variance/mean-1)
}

// expectRate is how many bids come on a working day.
func (u *future) expectRate(f PoolFacts) float64 {
	var counts []int
	for i, n := range f.Arrivals {
		if f.Works(f.Today.Add(i - len(f.Arrivals))) {
			counts = append(counts, n)
		}
	}
	u.rateAs = mostShape
	if len(counts) == 0 {
		return 0
	}
	mean, variance := moments(counts)
	u.rateAs = shapeOfMean(len(counts), mean, variance)
	return float64(sum(f.Arrivals)) / float64(len(counts))
}

func moments(sample []int) (mean, variance float64) {
	if len(sample) == 0 {
		return 0, 0
	}
	for _, n := range sample {
		mean += float64(n) / float64(len(sample))
	}
	for _, n := range sample {
		variance += (float64(n) - mean) * (float64(n) - mean) / float64(len(sample))
	}
	return mean, variance
}

// shapeOfMean is the shape of a gamma distribution that is as wide, in proportion, as a mean of n values is uncertain.
// Of few values nothing is known but that they may be wrong by half.
func shapeOfMean(n int, mean, variance float64) float64 {
	if n < 5 || mean == 0 {
		return 4
	}
	return min(mostShape, float64(n)*mean*mean/max(variance, mean))
}

// shareUpTo is the share of a sorted sample that is at most n; all of it where there is no sample.
func shareUpTo(sorted []int, n int) float64 {
	if len(sorted) == 0 {
		return 1
	}
	upTo, _ := slices.BinarySearch(sorted, n+1)
	return float64(upTo) / float64(len(sorted))
}

// mostDaysAhead bounds how many working days before an opening a bid may ask; who asks earlier is counted there.
const mostDaysAhead = 40

// sharesAhead is which share of the bids asks how many working days before the opening.
func sharesAhead(ahead []int) []float64 {
	counts := make([]float64, mostDaysAhead+1)
	for _, n := range ahead {
		counts[min(max(n, 0), mostDaysAhead)] += 1 / float64(len(ahead))
	}
	if len(ahead) == 0 {
		counts[0] = 1
	}
	return counts
}

// spread lays a lot's bids on the working days up to its opening. Those of a lot not announced yet cannot have come, so
// all of them come on what days are left.
func (o *openingFuture) spread(c calendar, opening, horizon int, shares []float64) {
	day := opening
	for _, share := range shares {
		for day >= 0 && !c.works(day) {
			day--
		}
		switch {
		case share == 0:
		case day < 0:
			o.past += share
		case day <= horizon:
			o.coming = append(o.coming, dayShare{day, share})
		}
		day--
	}
}

// calendar answers for the days from today on whether they are working days.
type calendar struct {
	last int
	work []bool
}

// newCalendar reaches beyond the horizon as far as bids that come within it can be meant for.
func newCalendar(today deposit.Day, works func(deposit.Day) bool, days int) calendar {
	c := calendar{last: days + 2*mostDaysAhead, work: make([]bool, days+2*mostDaysAhead+1)}
	for day := range c.work {
		c.work[day] = works(today.Add(day))
	}
	return c
}

func (c calendar) works(day int) bool { return c.work[min(day, c.last)] }

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
