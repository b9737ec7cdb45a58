package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"depositd/platform/deposit"
)

// demoMonth is what happens in the demonstration, and when. Making it does nothing: the player runs its steps. Days are
// counted in it as working days, from 0.
type demoMonth struct {
	rand    *rand.Rand
	names   *register
	play    *player
	days    []deposit.Day // of June, and the first three of July, on which the last lots open
	last    int           // of days: the last one that is played, and that the report is about
	lots    []*demoLot
	cast    []*demoLot // of lots: those of the last day on which everything goes wrong
	numbers [2][]*demoNumber
	counts  map[string]int // lots by prefix
	credits [2]int         // of the last day
	steps   []demoStep
	back    *demoBack
}

// demoStep is one thing that happens.
type demoStep struct {
	at time.Time
	do func(context.Context) error
}

// demoLot is a lot.
type demoLot struct {
	department    *department
	number, name  string
	deposit       deposit.Fen
	opens         int // of days
	opensAt       time.Time
	announced     time.Time
	single, basic bool
	bids          []*demoBid
	fate          string // an event other than the usual ones
}

// demoBid is a bid with its sub-account.
type demoBid struct {
	*company
	lot        *demoLot
	bank       int // of the player's
	registered time.Time
	leaseTo    time.Time
	number     string
	paidOn     int  // of days
	plain      bool // pays the deposit as it should be paid
}

// demoNumber is a sub-account of the pool. A number rests for a while before it is leased again.
type demoNumber struct {
	text string
	free time.Time // of its last lease's end
}

const numberRests = 10 * 24 * time.Hour

// mostDays are the working days of June 2026; leastDays is what is left of them when a test is in a hurry.
const mostDays, leastDays = 21, 9

// newDemoMonth plans the last so many working days of June from a seed.
func newDemoMonth(seed uint64, days int, play *player) *demoMonth {
	m := newCalmMonth(seed, days, play)
	m.castLots()
	m.leaseNumbers()
	m.announce()
	m.payments()
	m.castPayments()
	m.fillLastDay()
	m.fates()
	m.nights()
	m.payBack()
	slices.SortStableFunc(m.steps, func(a, b demoStep) int { return a.at.Compare(b.at) })
	return m
}

// newCalmMonth plans the lots and the bids of those days, and nothing that happens yet.
func newCalmMonth(seed uint64, days int, play *player) *demoMonth {
	m := &demoMonth{rand: rand.New(rand.NewPCG(seed, 2026)), play: play, counts: map[string]int{}} //nolint:gosec // the demonstration is to be the same each time
	m.names = newRegister(m.rand)
	for day := deposit.Day("2026-06-01"); day <= "2026-07-03"; day = day.Add(1) {
		weekday := day.Start().Weekday()
		if weekday != time.Saturday && weekday != time.Sunday && day != "2026-06-19" { // 端午
			m.days = append(m.days, day)
		}
	}
	m.days = m.days[mostDays-days:]
	m.last = days - 1
	for opens := 2; opens < len(m.days); opens++ {
		m.invite(opens)
	}
	return m
}

// at plans a step.
func (m *demoMonth) at(t time.Time, do func(context.Context) error) {
	m.steps = append(m.steps, demoStep{t, do})
}

// clock is a time on one of the days: "09:30:00".
func (m *demoMonth) clock(day int, wall string) time.Time {
	t, err := deposit.ParseWall(string(m.days[day]) + " " + wall)
	if err != nil {
		return m.days[day].Start() // the clocks are written in this file
	}
	return t
}

// within draws a time between two clocks of a day.
func (m *demoMonth) within(day int, from, to string) time.Time {
	a, b := m.clock(day, from), m.clock(day, to)
	return a.Add(time.Duration(m.rand.Int64N(int64(b.Sub(a)/time.Second))) * time.Second)
}

var openingClocks = []string{"09:00:00", "09:30:00", "10:00:00", "14:30:00", "15:00:00"}

// invite makes the ordinary lots of an opening day, and the bids on them.
func (m *demoMonth) invite(opens int) {
	lots := 3 + m.rand.IntN(2)
	if opens == m.last {
		lots = 1 // beside the cast
	}
	for range lots {
		d := &departments[[]int{0, 0, 0, 0, 1, 1, 1, 2, 3, 3}[m.rand.IntN(10)]]
		lot := m.lot(d, opens, pick(m.rand, openingClocks))
		n := d.few + m.rand.IntN(d.many-d.few+1)
		if opens > m.last {
			n += 3
		}
		for _, c := range m.names.bidders(lot, n) {
			m.bid(lot, c, m.aBank())
		}
	}
}

// lot makes a lot; it is announced six working days before its opening, or when the month begins.
func (m *demoMonth) lot(d *department, opens int, clock string) *demoLot {
	m.counts[d.prefix]++
	lot := &demoLot{department: d, number: fmt.Sprintf("%s-2026-%04d", d.prefix, 100+m.counts[d.prefix]), name: pick(m.rand, places) + pick(m.rand, d.lots),
		deposit: d.amount(m.rand), opens: opens, opensAt: m.clock(opens, clock), announced: m.clock(0, "08:00:00")}
	lot.basic = d.prefix == "LCJS" && m.rand.IntN(2) == 0
	if opens > 6 {
		lot.announced = m.within(opens-6, "09:00:00", "16:00:00")
	}
	m.lots = append(m.lots, lot)
	return lot
}

// aBank draws a bank: three in five bidders take the first.
func (m *demoMonth) aBank() int { return map[bool]int{true: 0, false: 1}[m.rand.IntN(5) < 3] }

// bid makes a bid that pays plainly: on one of the two days before the opening, or on its morning.
func (m *demoMonth) bid(lot *demoLot, c *company, bank int) *demoBid {
	b := &demoBid{company: c, lot: lot, bank: bank, plain: true, leaseTo: lot.opensAt.AddDate(0, 0, 3)}
	b.paidOn = max(1, lot.opens-m.rand.IntN(3))
	if lot.opens > m.last { // these have time until July, and most pay in June all the same
		b.paidOn = max(min(b.paidOn, m.last), m.last-m.rand.IntN(2))
	}
	before := max(b.paidOn-1-m.rand.IntN(3), lot.opens-5, 0)
	b.registered = m.clock(before, "09:00:00")
	if before > 0 && m.rand.IntN(2) == 0 {
		b.registered = m.clock(before, "07:30:00") // with the morning's bulk delivery
	} else {
		b.registered = m.within(before, "09:10:00", "16:30:00")
	}
	if b.registered.Before(lot.announced) {
		b.registered = lot.announced.Add(time.Duration(10+m.rand.IntN(60)) * time.Minute)
	}
	lot.bids = append(lot.bids, b)
	return b
}

// leaseNumbers gives every bid its sub-account, in the order of registering.
func (m *demoMonth) leaseNumbers() {
	var all []*demoBid
	for _, lot := range m.lots {
		all = append(all, lot.bids...)
	}
	slices.SortStableFunc(all, func(a, b *demoBid) int { return a.registered.Compare(b.registered) })
	for _, b := range all {
		m.lease(b)
	}
}

// lease gives a bid the first number that has rested long enough, or one that was never leased.
func (m *demoMonth) lease(b *demoBid) {
	pool := &m.numbers[b.bank]
	i := slices.IndexFunc(*pool, func(n *demoNumber) bool { return n.free.Add(numberRests).Before(b.registered) })
	if i < 0 {
		i = len(*pool)
		*pool = append(*pool, &demoNumber{text: m.neverLeased(b.bank, i)})
	}
	n := (*pool)[i]
	b.number, n.free = n.text, b.leaseTo
}

// neverLeased is how a bank writes the sub-account behind those of the pool.
func (m *demoMonth) neverLeased(bank, i int) string {
	return fmt.Sprintf([2]string{"%s-%06d", "%s%06d"}[bank], demoBanks[bank].parent, i+1)
}

// announce plans what the trading platform tells: what was there when the month began, in bulk; then lots one by one, bids
// one by one or in the morning's bulk; and the openings.
func (m *demoMonth) announce() {
	bulk := map[time.Time][]*demoBid{}
	var first []*demoLot
	for _, lot := range m.lots {
		if start := m.clock(0, "08:00:00"); lot.announced.Equal(start) {
			first = append(first, lot)
		} else {
			m.at(lot.announced, func(ctx context.Context) error { return m.play.putLot(ctx, lot) })
		}
		for _, b := range lot.bids {
			if b.registered.Equal(deposit.DayOf(b.registered).Start().Add(7*time.Hour + 30*time.Minute)) {
				bulk[b.registered] = append(bulk[b.registered], b)
			} else {
				m.at(b.registered, func(ctx context.Context) error { return m.play.postBid(ctx, b) })
			}
		}
		if lot.fate != fatePostponed && lot.fate != fateTerminated {
			m.event(lot.opensAt, "opened", lot, "")
		}
	}
	m.at(m.clock(0, "08:00:00"), func(ctx context.Context) error { return m.play.sync(ctx, first, nil) })
	for t, bids := range bulk {
		m.at(t, func(ctx context.Context) error { return m.play.sync(ctx, nil, bids) })
	}
}

// event plans an event of a lot.
func (m *demoMonth) event(t time.Time, kind string, lot *demoLot, bidder string) {
	m.at(t, func(ctx context.Context) error { return m.play.event(ctx, kind, lot, bidder, time.Time{}) })
}

// payments plans the plain payments, those that go wrong on ordinary days, and the refunds to losers five working days after the opening.
func (m *demoMonth) payments() {
	for day := 2; day < m.last; day++ {
		m.mishapsOf(day)
	}
	for _, lot := range m.lots {
		for _, b := range lot.bids {
			if b.plain {
				m.paysPlainly(b)
			}
		}
		if !slices.Contains(m.cast, lot) && lot.fate == "" {
			m.award(lot)
		}
	}
}

// payTime draws the time at which a plain payment is booked: banks are open, and before the opening.
func (m *demoMonth) payTime(b *demoBid) time.Time {
	if b.paidOn < b.lot.opens {
		return m.within(b.paidOn, "08:35:00", "17:00:00")
	}
	start := m.clock(b.paidOn, "08:31:00")
	return start.Add(time.Duration(m.rand.Int64N(int64(b.lot.opensAt.Sub(start)/time.Second))) * time.Second)
}

// award plans what follows an opening: the notice to the winner, the contract, and the losers' money back.
func (m *demoMonth) award(lot *demoLot) {
	winner := slices.IndexFunc(lot.bids, func(b *demoBid) bool { return b.plain })
	if winner < 0 || lot.opens+1 > m.last {
		return
	}
	m.event(m.within(lot.opens+1, "15:00:00", "17:00:00"), "award_notice", lot, lot.bids[winner].Name)
	if lot.opens+4 <= m.last {
		m.event(m.within(lot.opens+4, "10:00:00", "12:00:00"), "contract_signed", lot, lot.bids[winner].Name)
	}
	if lot.opens+5 > m.last {
		return
	}
	for i, b := range lot.bids {
		if b.plain && i != winner {
			m.refund(b, m.within(lot.opens+5, "10:00:00", "16:00:00"))
		}
	}
}

// nights plans the end of each working day: the banks' statements, then the nightly reconciliation. What the last day came to
// can be seen when the lots of July are opened, whose bidders have paid by then.
func (m *demoMonth) nights() {
	for _, day := range m.days[:m.last+1] {
		night := day.Add(1).Start()
		for bank := range demoBanks {
			m.at(night.Add(10*time.Minute), func(ctx context.Context) error { return m.play.statement(ctx, bank, day) })
		}
		m.at(night.Add(30*time.Minute), func(ctx context.Context) error { return m.play.night(ctx, day) })
	}
	m.at(m.clock(len(m.days)-1, "18:00:00"), func(ctx context.Context) error { return m.play.look(ctx, m.days[m.last]) })
}

// fillLastDay lets more companies bid on the lots of July and pay on the last day, until the first bank has more to push than it can.
func (m *demoMonth) fillLastDay() {
	var july []*demoLot
	for _, lot := range m.lots {
		if lot.opens > m.last && lot.fate == "" {
			july = append(july, lot)
		}
	}
	for i := 0; m.credits[0] < lastDayCredits; i++ {
		lot := july[i%len(july)]
		for _, c := range m.names.bidders(lot, 1) {
			b := m.bid(lot, c, 0)
			b.paidOn, b.registered = m.last, m.within(m.last-1, "14:00:00", "16:30:00")
			m.lease(b)
			m.at(b.registered, func(ctx context.Context) error { return m.play.postBid(ctx, b) })
			m.paysPlainly(b)
		}
	}
}

// before orders bids by when their leases began, for choosing among them.
func before(a, b *demoBid) int {
	return cmp.Or(a.registered.Compare(b.registered), cmp.Compare(a.number, b.number))
}
