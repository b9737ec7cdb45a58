package platform

import (
	"math/rand/v2"

	"depositd/platform/deposit"
)

// A world is a centre over some years, made up from a seed: lots are announced, bids ask for numbers before the openings,
// numbers are held until everything is paid back. It is made of other stuff than the forecast assumes: seasons, growth
// on a day, batches of lots, lots whose numbers are stuck in a complaint.
type world struct {
	lots []worldLot
	bids map[int][]worldBid // by the day on which they ask
	last int

	lead       int // the bank's, in days
	quarantine int
	capacity   int // numbers at the beginning
	wears      int // the bank closes one in so many of the numbers released; 0 for none
}

type worldLot struct{ announced, opens, size int }

type worldBid struct {
	lot, releases int // the lot's index, the day of the release
}

const (
	worldBegins = deposit.Day("2022-01-03") // a Monday
	warmDays    = 420                       // until holding times, quarantine and level are there to be known
	scoredDays  = 3 * 365
)

// springFestivals and the National Day week are when the worlds rest, besides weekends.
var springFestivals = []deposit.Day{"2022-01-31", "2023-01-21", "2024-02-10", "2025-01-28", "2026-02-16"}

// restDays marks the days from worldBegins on; it reaches beyond the last day of a world, since forecasts look ahead.
var restDays = func() []bool {
	rest := make([]bool, warmDays+scoredDays+2*yearAhead)
	for day := range rest {
		monthDay := worldBegins.Add(day)[5:]
		rest[day] = day%7 >= 5 || monthDay >= "10-01" && monthDay <= "10-07"
	}
	for _, eve := range springFestivals {
		for day := range 8 {
			rest[daysFrom(worldBegins, eve)+day] = true
		}
	}
	return rest
}()

// worldDays are the days' names, and restNames those of the days of rest.
var worldDays, restNames = func() (days []deposit.Day, rest map[deposit.Day]bool) {
	rest = map[deposit.Day]bool{}
	for n, rests := range restDays {
		days = append(days, worldBegins.Add(n))
		rest[days[n]] = rests
	}
	return days, rest
}()

func worldWorks(day deposit.Day) bool { return !restNames[day] }

// season is how busy a time of the year is: a rush before the year's end, a lull around the Spring Festival.
func season(day int) float64 {
	for _, eve := range springFestivals {
		if worldDays[max(0, day-25)] < eve && eve < worldDays[day+15] {
			return 0.4
		}
	}
	if date := worldDays[day][5:]; date >= "11-01" {
		return 1.6
	}
	return 1
}

func newWorld(seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 4))
	w := &world{bids: map[int][]worldBid{}, last: warmDays + scoredDays, quarantine: 90, lead: []int{5, 10, 15}[rng.IntN(3)], wears: []int{0, 0, 3, 5}[rng.IntN(4)]}
	perDay, bidders := 0.8+2.5*rng.Float64(), 4+6*rng.Float64()
	growsOn, growth := warmDays+rng.IntN(scoredDays), 1+rng.Float64() // up to twice as many lots from one day on
	for day := range w.last {
		if restDays[day] {
			continue
		}
		busy := perDay * season(day) * (0.8 + 0.4*float64(day%7%2)) // Tuesdays and Thursdays more than other days
		if day >= growsOn {
			busy *= growth
		}
		years := float64(day) / 365
		for range poisson(rng, busy) {
			w.announce(rng, day, w.notice(rng), bidders*(1+0.1*years))
		}
		if rng.IntN(50) == 0 { // a programme: many lots on one day, for all of which the law asks twenty days
			notice := 20 + rng.IntN(16)
			for range 20 + rng.IntN(41) {
				w.announce(rng, day, notice, bidders*(1+0.1*years))
			}
		}
	}
	return w
}

// notice is twenty days and more (招标投标法 §24), or ten and more where the law allows it.
func (w *world) notice(rng *rand.Rand) int {
	if rng.IntN(10) < 3 {
		return 10 + rng.IntN(5)
	}
	return 20 + rng.IntN(16)
}

func (w *world) announce(rng *rand.Rand, day, notice int, bidders float64) {
	opens := day + notice
	for restDays[opens] {
		opens++
	}
	size := poisson(rng, bidders*gamma(rng, 1.5)/1.5)
	w.lots = append(w.lots, worldLot{day, opens, size})
	finished := opens + 8 + min(90, int(20*rng.ExpFloat64()))
	if rng.IntN(33) == 0 { // a complaint
		finished += 60 + rng.IntN(60)
	}
	for i := range size {
		released := finished + int(3*rng.ExpFloat64())
		if i == 0 {
			released += 20 // the winner waits for the contract
		}
		asks := workingDaysBefore(opens, 1+int(3*rng.ExpFloat64()))
		for asks <= day || restDays[asks] {
			asks++
		}
		w.bids[asks] = append(w.bids[asks], worldBid{len(w.lots) - 1, released})
	}
}

func workingDaysBefore(day, n int) int {
	for ; n > 0 && day > 0; day-- {
		if !restDays[day-1] {
			n--
		}
	}
	return day
}

// pool is a world's pool as one day begins: what a centre knows of it, and nothing else.
type pool struct {
	*world
	today   int
	free    int
	queue   []worldBid
	ordered map[int]int // additions by the day of their coming
	resting map[int]int // numbers in quarantine by the day of its end
	leases  []worldLease
	asked   []int       // by day
	lotBids map[int]int // by lot
	ahead   []worldAsked
	holds   []worldHold

	released int
}

type worldLease struct{ from, lot, releases int }

type worldAsked struct{ opens, ahead int }

type worldHold struct{ released, days int }

func (w *world) fill(capacity int) *pool {
	return &pool{world: w, free: capacity, ordered: map[int]int{}, resting: map[int]int{}, lotBids: map[int]int{}}
}

// live goes through one day.
func (p *pool) live() {
	p.free += p.ordered[p.today] + p.resting[p.today]
	delete(p.ordered, p.today)
	delete(p.resting, p.today)
	bids := p.bids[p.today]
	p.asked = append(p.asked, len(bids))
	for _, bid := range bids {
		opens := p.lots[bid.lot].opens
		p.lotBids[bid.lot]++
		p.ahead = append(p.ahead, worldAsked{opens, workingDaysBetween(p.today, opens)})
	}
	p.queue = append(p.queue, bids...)
	for len(p.queue) > 0 && p.free > 0 {
		p.free--
		p.leases = append(p.leases, worldLease{p.today, p.queue[0].lot, max(p.today+1, p.queue[0].releases)})
		p.queue = p.queue[1:]
	}
	still := p.leases[:0]
	for _, l := range p.leases {
		if l.releases > p.today {
			still = append(still, l)
			continue
		}
		if p.released++; p.wears == 0 || p.released%p.wears > 0 {
			p.resting[p.today+p.quarantine]++
		}
		p.holds = append(p.holds, worldHold{p.today, p.today - l.from})
	}
	p.leases = still
	p.today++
}

func workingDaysBetween(from, to int) (n int) {
	for day := from; day < to; day++ {
		if !restDays[day] {
			n++
		}
	}
	return n
}

// facts is what is known this morning.
func (p *pool) facts() PoolFacts {
	f := PoolFacts{Today: worldDays[p.today], Works: worldWorks, LeadDays: p.lead, Quarantine: p.quarantine, Free: p.free, Waiting: len(p.queue)}
	for _, coming := range []map[int]int{p.resting, p.ordered} {
		for on, count := range coming {
			f.Back = append(f.Back, NumbersOn{worldDays[on], count})
		}
	}
	f.Held = p.held()
	f.Arrivals = p.asked[p.today-FactDays:]
	for i, lot := range p.lots {
		if lot.announced >= p.today {
			break // they stand in the order of their announcement
		}
		if lot.opens >= p.today {
			f.Openings = append(f.Openings, LotOpening{worldDays[lot.opens], p.lotBids[i]})
		} else if lot.opens >= p.today-LotDays {
			f.Opened = append(f.Opened, LotOpening{worldDays[lot.opens], p.lotBids[i]})
		}
		if lot.announced >= p.today-2*FactDays {
			f.Notice = append(f.Notice, lot.opens-lot.announced)
		}
	}
	for _, a := range p.ahead {
		if a.opens < p.today && a.opens >= p.today-2*FactDays {
			f.Ahead = append(f.Ahead, a.ahead)
		}
	}
	for _, h := range p.holds {
		if h.released >= p.today-180 {
			f.Holds = append(f.Holds, h.days)
		}
	}
	return f
}

func (p *pool) held() (held []HeldNumbers) {
	for _, l := range p.leases { // in the order of their beginning
		from, opens := worldDays[l.from], worldDays[p.lots[l.lot].opens]
		if n := len(held); n > 0 && held[n-1].From == from && held[n-1].OpensOn == opens {
			held[n-1].Count++
		} else {
			held = append(held, HeldNumbers{from, opens, 1})
		}
	}
	return held
}

// most is how many numbers the world needs at most at one time, in quarantine or not, if nobody ever waits.
func (w *world) most() int {
	const plenty = 1 << 30
	unworn := *w
	unworn.wears = 0
	p, most := unworn.fill(plenty), 0
	for p.today < w.last {
		p.live()
		if p.today > warmDays {
			most = max(most, plenty-p.free)
		}
	}
	return most
}
