package reconcile

import (
	"math"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// Rhythm is how often a bank pushes at which hour of which weekday, as the last weeks had it. Days differ from each other
// more than chance within a day does: one lot of forty bidders fills a day. steady says how alike they are, so that a quiet
// day is not taken for a dead line.
type Rhythm struct {
	rates  [8][24]float64 // pushes an hour, by weekday; the last row is every day of rest
	steady float64        // the shape of the gamma distribution that a day's level is drawn from
	days   int            // working days with pushes that it was learnt from
	sort   func(deposit.Day) int
}

// restDay is the row of days on which nobody works.
const restDay = 7

// Learning a rhythm: weeks looked back, and days that it takes at least. A weekday is learnt from four days only; it leans on
// all working days as if those had been so many more.
const (
	rhythmWeeks = 4
	leastDays   = 5
	leansOn     = 4
)

// newRhythm learns from the pushes of the days [first, last]. works says whether a day is a working day.
func newRhythm(all []bank.Pushes, first, last deposit.Day, works func(deposit.Day) bool) *Rhythm {
	r := &Rhythm{sort: func(d deposit.Day) int {
		if !works(d) {
			return restDay
		}
		return int(d.Start().Weekday())
	}}
	counts := map[deposit.Day]*[24]float64{}
	for _, p := range all {
		day := deposit.DayOf(p.Hour)
		if counts[day] == nil {
			counts[day] = new([24]float64)
		}
		counts[day][p.Hour.In(deposit.Shanghai).Hour()] += float64(p.Count)
	}
	r.learnRates(counts, first, last)
	r.learnSteadiness(counts, first, last)
	return r
}

func (r *Rhythm) learnRates(counts map[deposit.Day]*[24]float64, first, last deposit.Day) {
	var sums [8][24]float64
	var seen [8]float64
	var work [24]float64
	workdays := 0.0
	for day := first; day <= last; day = day.Add(1) {
		sort := r.sort(day)
		seen[sort]++
		if sort != restDay {
			workdays++
		}
		if counts[day] == nil {
			continue
		}
		if sort != restDay {
			r.days++
		}
		for h, n := range counts[day] {
			sums[sort][h] += n
			if sort != restDay {
				work[h] += n
			}
		}
	}
	for sort := range sums {
		for h := range sums[sort] {
			if sort == restDay {
				r.rates[sort][h] = sums[sort][h] / max(1, seen[sort])
				continue
			}
			r.rates[sort][h] = (sums[sort][h] + leansOn*work[h]/max(1, workdays)) / (seen[sort] + leansOn)
		}
	}
}

// What a steadiness can be: even where all days seem alike the next may not be.
const (
	leastSteady = 0.5
	mostSteady  = 20
)

// learnSteadiness fits the shape by moments: what the days' counts vary beyond chance.
func (r *Rhythm) learnSteadiness(counts map[deposit.Day]*[24]float64, first, last deposit.Day) {
	var squares, excess float64
	for day := first; day <= last; day = day.Add(1) {
		if r.sort(day) == restDay {
			continue
		}
		var n, mean float64
		for h := range 24 {
			mean += r.rates[r.sort(day)][h]
			if counts[day] != nil {
				n += counts[day][h]
			}
		}
		squares += mean * mean
		excess += (n-mean)*(n-mean) - mean
	}
	r.steady = mostSteady
	if excess > 0 {
		r.steady = max(leastSteady, min(mostSteady, squares/excess))
	}
}

// Known says whether the rhythm was learnt from days enough to say what is unusual.
func (r *Rhythm) Known() bool { return r.days >= leastDays }

// Expected is how many pushes an ordinary day of that sort brings in [from, to).
func (r *Rhythm) Expected(from, to time.Time) (n float64) {
	for at := from; at.Before(to); {
		end := at.In(deposit.Shanghai).Truncate(time.Hour).Add(time.Hour)
		if end.After(to) {
			end = to
		}
		n += r.rates[r.sort(deposit.DayOf(at))][at.In(deposit.Shanghai).Hour()] * end.Sub(at).Hours()
		at = end
	}
	return n
}

// Chance is how likely it is that a bank whose line is whole pushes nothing in [from, to). pushed is how many it had pushed
// before, on the day on which the silence began: a day that began lively is expected to go on so, one that began quietly to
// stay quiet (the gamma prior of the day's level, after what was seen of the day).
func (r *Rhythm) Chance(from, to time.Time, pushed int) float64 {
	log := 0.0
	for day := deposit.DayOf(from); day.Start().Before(to); day = day.Add(1) {
		began, ended := day.Start(), day.Add(1).Start()
		seen, level := 0.0, r.steady
		if began.Before(from) {
			seen, level = r.Expected(began, from), r.steady+float64(pushed)
			began = from
		}
		if ended.After(to) {
			ended = to
		}
		log += level * math.Log((r.steady+seen)/(r.steady+seen+r.Expected(began, ended)))
	}
	return math.Exp(log)
}
