package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"depositd/platform/deposit"
)

var halfWidth = strings.NewReplacer("（", "(", "）", ")")

// The lots on which everything goes wrong on the last day. Two of them open only in July: money that went astray is
// not missed yet.
const (
	road   = iota // construction, opens at 10:00, from the basic account only
	goods         // procurement, opens at 09:30, in a single payment only
	parcel        // land, opens at 15:00
	sale          // property, opens at 14:30
	bridge        // construction, opens on 1 July, from the basic account only
	cars          // procurement, opens on 2 July
)

// castLots makes them. Beside those who are cast, some bid who do all as they should.
func (m *demoMonth) castLots() {
	for _, c := range []struct {
		department, after int
		clock             string
		deposit           deposit.Fen
		name              string
		single, basic     bool
		extras            int
	}{
		road:   {0, 0, "10:00:00", 500_000_00, "振兴路西延道路工程施工", false, true, 3},
		goods:  {1, 0, "09:30:00", 60_000_00, "市级医疗设备集中采购（第三包）", true, false, 2},
		parcel: {2, 0, "15:00:00", 12_600_000_00, "2026-26号国有建设用地使用权出让", false, false, 1},
		sale:   {3, 0, "14:30:00", 300_000_00, "原粮食局仓库整体转让", false, false, 1},
		bridge: {0, 1, "09:30:00", 800_000_00, "徒骇河大桥维修加固工程施工", false, true, 2},
		cars:   {1, 2, "10:00:00", 45_000_00, "公务用车定点维修服务采购", false, false, 2},
	} {
		lot := m.lot(&departments[c.department], m.last+c.after, c.clock)
		lot.deposit, lot.name, lot.single, lot.basic = c.deposit, c.name, c.single, c.basic
		for _, company := range m.names.bidders(lot, c.extras) {
			m.bid(lot, company, m.aBank())
		}
		m.cast = append(m.cast, lot)
	}
	for _, p := range parts {
		b := m.bid(m.cast[p.lot], m.names.company(m.cast[p.lot].department, p.mark), p.bank)
		b.plain, b.paidOn, b.registered = false, m.last, m.within(m.last-2, "09:10:00", "16:30:00")
	}
	m.chooseFates()
}

// parts is who does what on the last day. Each is a company that bids nowhere else, so that what was meant is certain.
var parts = []struct {
	lot, bank int
	clock     string
	how       mishap
	mark      string
}{
	{road, 0, "", (*demoMonth).atOpening, ""},
	{road, 0, "09:21:36", (*demoMonth).toldLate, ""},
	{road, 0, "08:57:12", (*demoMonth).otherSpelling, "（集团）"},
	{road, 1, "09:02:45", (*demoMonth).short, ""},
	{road, 1, "", (*demoMonth).unpaid, ""},
	{goods, 0, "08:48:03", (*demoMonth).halves, ""},
	{goods, 1, "", (*demoMonth).afterOpening, ""},
	{goods, 1, "08:51:20", (*demoMonth).toldTwice, ""},
	{parcel, 0, "09:40:11", (*demoMonth).twicePaid, ""},
	{parcel, 1, "10:26:54", (*demoMonth).tooMuch, ""},
	{parcel, 1, "11:08:30", (*demoMonth).toldWrongly, ""},
	{parcel, 0, "13:37:49", (*demoMonth).inParts, ""},
	{sale, 0, "10:15:08", (*demoMonth).takenBack, ""},
	{sale, 1, "09:55:27", (*demoMonth).takenBackAndPaid, ""},
	{sale, 1, "13:42:16", (*demoMonth).toldOnly, ""},
	{bridge, 0, "09:33:58", (*demoMonth).intoAnothers, ""},
	{bridge, 0, "10:44:19", (*demoMonth).intoParent, ""},
	{bridge, 0, "11:17:02", (*demoMonth).otherAccount, ""},
	{bridge, 1, "14:06:41", (*demoMonth).byStranger, ""},
	{bridge, 0, "14:52:33", (*demoMonth).neverTold, ""},
	{cars, 0, "09:08:24", (*demoMonth).intoNowhere, ""},
	{cars, 1, "10:31:47", (*demoMonth).intoOld, ""},
	{cars, 1, "11:29:15", (*demoMonth).byPerson, ""},
	{cars, 1, "15:12:50", (*demoMonth).cameBack, ""},
}

// The bank's own faults. One stops pushing at a round number on the last day, of which it books a few more; of the
// other's statements the last two tell a wrong closing balance, so that the chain between them breaks as well.
const (
	lastDayCap      = 100
	lastDayCredits  = lastDayCap + 5
	wrongClosing    = deposit.Fen(-1_000_00)
	wrongClosingToo = deposit.Fen(88_00)
)

// castPayments plans what the cast does, and the faults of the banks.
func (m *demoMonth) castPayments() {
	taken := make([]int, len(m.cast))
	for i, lot := range m.cast {
		taken[i] = slices.IndexFunc(lot.bids, func(b *demoBid) bool { return !b.plain })
	}
	for _, p := range parts {
		b := m.cast[p.lot].bids[taken[p.lot]]
		taken[p.lot]++
		at := m.cast[p.lot].opensAt
		if p.clock != "" {
			at = m.clock(m.last, p.clock)
		}
		p.how(m, b, at)
	}
	last := taken[road]
	m.forRival(m.cast[road].bids[last-2], m.cast[road].bids[last-1], m.clock(m.last, "09:05:10"))
	m.at(m.clock(0, "07:00:00"), func(context.Context) error {
		for i, b := range demoBanks {
			m.play.sims[i].Hold(b.parent, b.balance)
		}
		m.play.sims[0].Cap(m.days[m.last], lastDayCap)
		m.play.sims[1].Alter("", m.days[m.last-1], wrongClosing)
		m.play.sims[1].Alter("", m.days[m.last], wrongClosingToo)
		return nil
	})
}

// everyday is what goes wrong on ordinary days, the common more often.
var everyday = []mishap{(*demoMonth).short, (*demoMonth).short, (*demoMonth).unpaid, (*demoMonth).unpaid, (*demoMonth).intoAnothers, (*demoMonth).intoAnothers,
	(*demoMonth).afterOpening, (*demoMonth).afterOpening, (*demoMonth).byPerson, (*demoMonth).byStranger, (*demoMonth).inParts, (*demoMonth).twicePaid,
	(*demoMonth).tooMuch, (*demoMonth).intoParent, (*demoMonth).takenBackAndPaid, (*demoMonth).otherAccount, (*demoMonth).neverTold, (*demoMonth).neverTold,
	(*demoMonth).toldLate, (*demoMonth).toldTwice, (*demoMonth).toldWrongly}

// mishapsOf lets up to two bids of an opening day go wrong, on the day before.
func (m *demoMonth) mishapsOf(day int) {
	for range m.rand.IntN(3) {
		at := m.within(day-1, "10:00:00", "15:00:00")
		var ready []*demoBid
		for _, lot := range m.lots {
			for _, b := range lot.bids {
				if lot.opens == day && b.plain && b.registered.Before(at) {
					ready = append(ready, b)
				}
			}
		}
		if len(ready) == 0 {
			continue
		}
		slices.SortFunc(ready, before)
		b := pick(m.rand, ready)
		b.plain = false
		pick(m.rand, everyday)(m, b, at)
	}
}

// What becomes of some lots.
const (
	fatePostponed  = "opening_postponed"
	fateFailed     = "failed"
	fateTerminated = "terminated"
)

// chooseFates chooses them: the first lot of a few days in the middle of the month.
func (m *demoMonth) chooseFates() {
	mid := m.last / 2
	m.firstOf(mid - 2).fate = fatePostponed
	m.firstOf(mid + 1).fate = fateFailed
	m.firstOf(mid + 2).fate = fateTerminated
}

func (m *demoMonth) firstOf(day int) *demoLot {
	return m.lots[slices.IndexFunc(m.lots, func(l *demoLot) bool { return l.opens == day })]
}

// fates plans them, and a bid that is withdrawn before its opening and one that is revoked after it.
func (m *demoMonth) fates() {
	mid := m.last / 2
	lot, later := m.firstOf(mid-2), m.clock(mid, "09:30:00")
	m.at(m.clock(mid-3, "16:05:00"), func(ctx context.Context) error {
		return m.play.event(ctx, fatePostponed, lot, "", later)
	})
	m.event(later, "opened", lot, "")

	failed, again := m.firstOf(mid+1), m.clock(m.last+2, "14:30:00")
	m.event(failed.opensAt.Add(time.Hour), fateFailed, failed, "")
	m.at(m.clock(mid+3, "10:20:00"), func(ctx context.Context) error {
		return m.play.event(ctx, "retendered", failed, "", again)
	})
	m.event(again, "opened", failed, "")
	m.event(m.clock(mid+1, "16:40:00"), fateTerminated, m.firstOf(mid+2), "")

	leaves := func(lot *demoLot) string { return lot.bids[len(lot.bids)-1].Name }
	m.event(m.clock(mid-2, "16:45:00"), "bid_withdrawn", m.firstOf(mid-1), leaves(m.firstOf(mid-1)))
	revoking := m.firstOf(mid)
	m.event(revoking.opensAt.Add(100*time.Minute), "bid_revoked", revoking, leaves(revoking))
}
