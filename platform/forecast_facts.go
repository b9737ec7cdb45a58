package platform

import (
	"context"
	"math/rand/v2"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// ForecastOrder names a pool and says of it what the tables do not.
type ForecastOrder struct {
	Pool
	Today      deposit.Day
	Works      func(deposit.Day) bool
	LeadDays   int           // from asking the bank for more numbers to having them; 1 at least
	Quarantine time.Duration // LeastQuarantine at least
	Added      []NumbersOn   // numbers that are ordered from the bank
}

// Forecast reads the facts of a pool and predicts from them. It is meant for the morning, before the day's bids: later on
// it counts what has been asked for today and expects a whole day's bids as well. Refusals are those of ReadPoolFacts.
func Forecast(ctx context.Context, r sqldb.Reader, o ForecastOrder, rng *rand.Rand) (Prediction, error) {
	facts, err := ReadPoolFacts(ctx, r, o)
	if err != nil {
		return Prediction{}, err
	}
	return facts.Predict(rng), nil
}

// ReadPoolFacts gathers what is known of a pool: a row per number, and the lots of the last LotDays and to come with their leases.
// A lease of a number of the pool counts as asking the pool, whoever chose the number. NotFound "pool_unknown" for a pool
// without numbers; Invalid "lead_too_short", "quarantine_too_short".
func ReadPoolFacts(ctx context.Context, r sqldb.Reader, o ForecastOrder) (PoolFacts, error) {
	f := PoolFacts{Today: o.Today, Works: o.Works, LeadDays: o.LeadDays, Quarantine: wholeDays(o.Quarantine), Back: append([]NumbersOn(nil), o.Added...)}
	switch {
	case o.LeadDays < 1:
		return f, deposit.Refuse(deposit.Invalid, "lead_too_short", "lead_days 银行增开子账号所需天数至少为 1 天")
	case o.Quarantine < LeastQuarantine:
		return f, tooShort()
	}
	for _, read := range []func(context.Context, sqldb.Reader, Pool) error{f.readNumbers, f.readLots} {
		if err := read(ctx, r, o.Pool); err != nil {
			return PoolFacts{}, err
		}
	}
	return f, f.readNotice(ctx, r)
}

// wholeDays counts a day that has begun as one.
func wholeDays(d time.Duration) int { return int((d + 24*time.Hour - 1) / (24 * time.Hour)) }

// numberFacts is what a number's row, its latest lease and that lease's lot say.
type numberFacts struct {
	state                         NumberState
	since, quarantinedUntil       time.Time
	leasedFrom, leasedTo, opensOn time.Time
	holds                         int
}

// readNumbers counts the numbers by what they are expected to do.
func (f *PoolFacts) readNumbers(ctx context.Context, r sqldb.Reader, p Pool) error {
	never := sqldb.At(time.Time{})
	rows, err := sqldb.Select(ctx, r, func(n *numberFacts) []any {
		return []any{&n.state, sqldb.Wall(&n.since), sqldb.Wall(&n.quarantinedUntil), sqldb.Wall(&n.leasedFrom), sqldb.Wall(&n.leasedTo), sqldb.Wall(&n.opensOn), &n.holds}
	}, "SELECT n.state, n.since, n.quarantined_until, COALESCE(l.leased_from, ?), COALESCE(l.leased_to, ?), COALESCE(t.opens_at, ?), "+
		"(SELECT COUNT(*) FROM number_holds h WHERE h.sub_account = n.sub_account AND h.bank = n.bank) "+
		"FROM numbers n LEFT JOIN leases l ON l.id = n.lease_id LEFT JOIN lots t ON t.id = l.lot_id "+
		"WHERE n.bank = ? AND n.parent_account = ? ORDER BY n.id", never, never, never, p.Bank, p.Parent)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return deposit.Refuse(deposit.NotFound, "pool_unknown", "parent_account 该母账户没有子账号池，请核对，或先导入号池")
	}
	held := map[HeldNumbers]int{}
	for _, n := range rows {
		f.count(n, held)
	}
	for _, n := range rows { // in an order that does not change from run to run
		if h := n.held(); held[h] > 0 {
			f.Held = append(f.Held, HeldNumbers{h.From, h.OpensOn, held[h]})
			delete(held, h)
		}
	}
	return nil
}

func (f *PoolFacts) count(n numberFacts, held map[HeldNumbers]int) {
	switch n.state {
	case NumberFree:
		f.Free++
	case NumberLeased, NumberDraining:
		held[n.held()]++
	case NumberQuarantined:
		if n.holds == 0 { // else nobody knows when
			f.Back = append(f.Back, NumbersOn{deposit.DayOf(n.quarantinedUntil).Add(1), 1}) // the night after makes it free
		}
	}
	if days, ok := n.heldFor(f.Today); ok {
		f.Holds = append(f.Holds, days)
	}
}

// held is what numbers under lease have in common, without their count. A lease that is not known began with the state.
func (n numberFacts) held() HeldNumbers {
	h := HeldNumbers{From: deposit.DayOf(n.since)}
	if !n.leasedFrom.IsZero() {
		h.From, h.OpensOn = deposit.DayOf(n.leasedFrom), deposit.DayOf(n.opensOn)
	}
	return h
}

// heldFor is how long a number was held that was released within LotDays. The platform may end a lease long before the
// number is released, so that for one in quarantine it is the quarantine's beginning that counts; late money makes that later,
// and the hold longer than it was, which errs to the safe side.
func (n numberFacts) heldFor(today deposit.Day) (days int, ok bool) {
	released := n.leasedTo
	switch n.state {
	case NumberQuarantined:
		released = n.since
	case NumberFree:
	default:
		return 0, false
	}
	if n.leasedFrom.IsZero() || deposit.DayOf(released) < today.Add(-LotDays) {
		return 0, false
	}
	return max(0, daysFrom(deposit.DayOf(n.leasedFrom), deposit.DayOf(released))), true
}

// asking is one number asked for.
type asking struct {
	lotID sqldb.ID
	at    time.Time
}

func askingRow(a *asking) []any { return []any{&a.lotID, sqldb.Wall(&a.at)} }

// readAskings lists who has a number of the pool, or waits for one, because of lots that open on a day or after it.
func (f *PoolFacts) readAskings(ctx context.Context, r sqldb.Reader, p Pool, since time.Time) ([]asking, error) {
	waiting, err := sqldb.Select(ctx, r, askingRow, "SELECT lot_id, asked_at FROM number_asks WHERE state = 'WAITING' AND bank = ? AND parent_account = ? "+
		"ORDER BY asked_at, id", p.Bank, p.Parent)
	if err != nil {
		return nil, err
	}
	f.Waiting = len(waiting)
	served, err := sqldb.Select(ctx, r, askingRow, "SELECT l.lot_id, l.leased_from FROM lots t JOIN leases l ON l.lot_id = t.id "+
		"JOIN numbers n ON n.sub_account = l.sub_account AND n.bank = l.bank WHERE t.opens_at >= ? AND n.bank = ? AND n.parent_account = ? ORDER BY l.id",
		sqldb.At(since), p.Bank, p.Parent)
	return append(waiting, served...), err
}

// readLots sorts what was asked for by day and by lot.
func (f *PoolFacts) readLots(ctx context.Context, r sqldb.Reader, p Pool) error {
	since := f.Today.Add(-LotDays).Start()
	askings, err := f.readAskings(ctx, r, p, since)
	if err != nil {
		return err
	}
	type openingLot struct {
		id    sqldb.ID
		opens time.Time
		state LotState
	}
	rows, err := sqldb.Select(ctx, r, func(l *openingLot) []any { return []any{&l.id, sqldb.Wall(&l.opens), &l.state} },
		"SELECT id, opens_at, state FROM lots WHERE opens_at >= ? AND state <> 'TERMINATED' ORDER BY opens_at, id", sqldb.At(since))
	if err != nil {
		return err
	}
	f.Arrivals = make([]int, FactDays)
	byLot := map[sqldb.ID][]deposit.Day{}
	for _, a := range askings {
		asked := deposit.DayOf(a.at)
		byLot[a.lotID] = append(byLot[a.lotID], asked)
		if ago := daysFrom(asked, f.Today); ago >= 1 && ago <= FactDays {
			f.Arrivals[FactDays-ago]++
		}
	}
	for _, lot := range rows {
		opens := LotOpening{deposit.DayOf(lot.opens), len(byLot[lot.id])}
		switch {
		case opens.Day < f.Today:
			f.Opened = append(f.Opened, opens)
			f.sawBids(opens.Day, byLot[lot.id])
		case lot.state == LotAnnounced:
			f.Openings = append(f.Openings, opens)
		}
	}
	return nil
}

// sawBids notes how far ahead of the opening of a lot of late its bids asked.
func (f *PoolFacts) sawBids(opened deposit.Day, asked []deposit.Day) {
	if opened < f.Today.Add(-sizeDays) {
		return
	}
	for _, day := range asked {
		ahead := 0
		for ; day < opened && ahead < mostDaysAhead; day = day.Add(1) {
			if f.Works(day) {
				ahead++
			}
		}
		f.Ahead = append(f.Ahead, ahead)
	}
}

// readNotice reads how long before their openings we were told of lots. Those told of after their opening say nothing.
func (f *PoolFacts) readNotice(ctx context.Context, r sqldb.Reader) error {
	since := sqldb.At(f.Today.Add(-sizeDays).Start())
	type notice struct{ opens, told time.Time }
	rows, err := sqldb.Select(ctx, r, func(n *notice) []any { return []any{sqldb.Wall(&n.opens), sqldb.Wall(&n.told)} },
		"SELECT t.opens_at, e.at FROM lots t JOIN events e ON e.row_id = t.id WHERE t.opens_at >= ? AND e.at >= ? "+
			"AND e.table_name = 'lots' AND e.became = 'CREATED' ORDER BY t.opens_at, t.id", since, since)
	for _, n := range rows {
		if days := daysFrom(deposit.DayOf(n.told), deposit.DayOf(n.opens)); days >= 0 {
			f.Notice = append(f.Notice, days)
		}
	}
	return err
}
