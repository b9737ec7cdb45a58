package platform

import (
	"slices"

	"depositd/platform/deposit"
)

// expect lays out which lots will be opened when, and on which days their bids ask for numbers.
func (u *future) expect(f PoolFacts) {
	size := u.expectSize(f)
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

// expectSize is how many bids a lot draws.
func (u *future) expectSize(f PoolFacts) (mean float64) {
	sizes := f.sizes()
	mean, variance := moments(sizes)
	u.sizeAs = shapeOfMean(len(sizes), mean, variance)
	switch {
	case len(sizes) == 0: // nothing is known but what has come to those announced
		for _, lot := range f.Openings {
			sizes = append(sizes, lot.Bids)
		}
		mean, _ = moments(sizes)
		mean = max(1, mean)
		variance, u.sizeAs = mean+mean*mean, mostShape
	case mean == 0: // none of so many lots drew any from this pool
		mean = 1 / float64(len(sizes)+1)
		variance, u.sizeAs = mean+mean*mean, mostShape
	}
	u.bids.shape = mostShape
	if variance > mean {
		u.bids.shape = min(mostShape, mean*mean/(variance-mean))
	}
	u.bids.rate = u.bids.shape / mean
	return mean
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
