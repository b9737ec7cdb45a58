package reconcile

import (
	"cmp"
	"context"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// Overview is how reconciliation stands: the last day's balances, what is still open, and the month behind it.
type Overview struct {
	Day     deposit.Day  `json:"day"` // the last one that was compared; "" before the first
	Banks   []BankReport `json:"banks"`
	Backlog []Backlog    `json:"backlog"`
	Sealed  *SealedPart  `json:"sealed,omitempty"`
	Month   []MonthDay   `json:"month"` // oldest first; days on which nothing was found or booked are left out
}

// Backlog is what is open under one code, by its age in working days.
type Backlog struct {
	Code     Code             `json:"code"`
	Findings int64            `json:"findings"`
	Amount   deposit.Fen      `json:"amount"`
	Ages     [len(Ages)]int64 `json:"ages"`
}

// Age is a band of working days since the day of a finding.
type Age struct {
	Code string // in addresses
	Name string
	Most int // working days since its day, at most
}

// Ages are the bands, the youngest first: until the next working day, then T+3, T+7 and beyond.
var Ages = [...]Age{{"T1", "T+1 内", 1}, {"T3", "T+3 内", 3}, {"T7", "T+7 内", 7}, {"OVER", "超过 T+7", 1 << 30}}

// MonthDay is what was found and booked on a day; of days on which a lot was sealed that still is, nothing was booked to be told.
type MonthDay struct {
	Day       deposit.Day    `json:"day"`
	Findings  map[Code]int64 `json:"findings"`
	Notices   int64          `json:"notices"`    // entries that were pushed
	Statement int64          `json:"statement"`  // entries on the statements
	Settled   int64          `json:"settled"`    // findings that people settled on that day
	HoursHalf float64        `json:"hours_half"` // from finding to settling: half of them took no longer
}

// monthDays is how far back the overview looks.
const monthDays = 30

// Overview reads how things stand. The day is the last that was compared, unless another is asked for.
func (d *Desk) Overview(ctx context.Context, eyes deposit.Sight, day deposit.Day) (o *Overview, err error) {
	if day == "" {
		if day, err = d.lastDay(ctx); err != nil {
			return nil, err
		}
	}
	o = &Overview{Day: day, Banks: []BankReport{}}
	err = together(
		func() (err error) { o.Banks, o.Sealed, err = d.proofs(ctx, eyes, day); return err },
		func() (err error) { o.Backlog, err = d.Backlog(ctx, eyes); return err },
		func() (err error) { o.Month, err = d.month(ctx, eyes, day); return err })
	return o, err
}

func (d *Desk) lastDay(ctx context.Context) (deposit.Day, error) {
	day, err := sqldb.Value[deposit.Day](ctx, d.db, "SELECT COALESCE(MAX(day), '') FROM closings")
	if err != nil || day != "" {
		return day, err
	}
	return deposit.DayOf(d.db.Now()), nil
}

// proofs are the bank reports of a day and what is told of sealed lots, as Report has them, without its findings.
func (d *Desk) proofs(ctx context.Context, eyes deposit.Sight, day deposit.Day) (banks []BankReport, sealed *SealedPart, err error) {
	banks = []BankReport{}
	if eyes.Everything() {
		if banks, err = d.bankReports(ctx, day); err != nil {
			return nil, nil, err
		}
	}
	sealed, err = d.sealedPart(ctx, eyes)
	return banks, sealed, err
}

// Backlog counts what somebody still has to see to, by code, the most first.
func (d *Desk) Backlog(ctx context.Context, eyes deposit.Sight) ([]Backlog, error) {
	type row struct {
		code   Code
		day    deposit.Day
		n      int64
		amount deposit.Fen
	}
	seen, args := findingSeen(eyes)
	rows, err := sqldb.Select(ctx, d.db, func(r *row) []any { return []any{&r.code, &r.day, &r.n, &r.amount} },
		"SELECT f.code, f.day, COUNT(*), SUM(f.amount) FROM findings AS f LEFT JOIN entries AS e ON e.id = f.subject WHERE f.state IN ('OPEN','EXPLAINED') AND "+seen+
			" GROUP BY f.code, f.day ORDER BY f.code, f.day", args...)
	if err != nil {
		return nil, err
	}
	age, err := d.ageing(ctx)
	if err != nil {
		return nil, err
	}
	all := []Backlog{}
	for _, r := range rows {
		if len(all) == 0 || all[len(all)-1].Code != r.code {
			all = append(all, Backlog{Code: r.code})
		}
		one := &all[len(all)-1]
		one.Findings += r.n
		one.Amount += r.amount
		one.Ages[ageOf(age(r.day))] += r.n
	}
	slices.SortStableFunc(all, func(a, b Backlog) int {
		return cmp.Or(cmp.Compare(b.Findings, a.Findings), cmp.Compare(slices.Index(codes, a.Code), slices.Index(codes, b.Code)))
	})
	return all, nil
}

// ageOf is the band that so many working days fall into.
func ageOf(days int) int {
	return slices.IndexFunc(Ages[:], func(a Age) bool { return days <= a.Most })
}

// mostAged bounds the counting of working days: what is older is as old as it gets.
const mostAged = 60

// ageing counts the working days from a day to today, by the calendar; today is T+0.
func (d *Desk) ageing(ctx context.Context) (func(deposit.Day) int, error) {
	calendar, err := platform.Calendar(ctx, d.db)
	today, known := deposit.DayOf(d.db.Now()), map[deposit.Day]int{}
	return func(day deposit.Day) int {
		if days, ok := known[day]; ok {
			return days
		}
		days := 0
		for at := day.Add(1); at <= today && days < mostAged; at = at.Add(1) {
			if works, _ := calendar.Works(at); works {
				days++
			}
		}
		known[day] = days
		return days
	}, err
}

// month reads the days up to the given one.
func (d *Desk) month(ctx context.Context, eyes deposit.Sight, until deposit.Day) ([]MonthDay, error) {
	since, byDay := until.Add(1-monthDays), map[deposit.Day]*MonthDay{}
	at := func(day deposit.Day) *MonthDay {
		if byDay[day] == nil {
			byDay[day] = &MonthDay{Day: day, Findings: map[Code]int64{}}
		}
		return byDay[day]
	}
	m := monthReading{d, eyes, since, until, at}
	for _, read := range []func(context.Context) error{m.found, m.booked, m.settled} {
		if err := read(ctx); err != nil {
			return nil, err
		}
	}
	all := make([]MonthDay, 0, len(byDay))
	for _, one := range byDay {
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b MonthDay) int { return cmp.Compare(a.Day, b.Day) })
	return all, nil
}

// monthReading reads the parts of some days.
type monthReading struct {
	desk         *Desk
	eyes         deposit.Sight
	since, until deposit.Day
	at           func(deposit.Day) *MonthDay
}

func (m *monthReading) found(ctx context.Context) error {
	type row struct {
		day  deposit.Day
		code Code
		n    int64
	}
	seen, args := findingSeen(m.eyes)
	rows, err := sqldb.Select(ctx, m.desk.db, func(r *row) []any { return []any{&r.day, &r.code, &r.n} },
		"SELECT f.day, f.code, COUNT(*) FROM findings AS f LEFT JOIN entries AS e ON e.id = f.subject WHERE f.day >= ? AND f.day <= ? AND f.state <> 'CLEARED' AND "+seen+" GROUP BY f.day, f.code",
		append([]any{m.since, m.until}, args...)...)
	for _, r := range rows {
		m.at(r.day).Findings[r.code] = r.n
	}
	return err
}

// booked tells of the days whose figures were known before the first lot was announced that is sealed, as bankReport does:
// later counts could be of its bidders.
func (m *monthReading) booked(ctx context.Context) error {
	sealed, err := platform.SealedSince(ctx, m.desk.db)
	if err != nil || !m.eyes.Everything() {
		return err
	}
	type row struct {
		day             deposit.Day
		notices, stated int64
	}
	rows, err := sqldb.Select(ctx, m.desk.db, func(r *row) []any { return []any{&r.day, &r.notices, &r.stated} },
		"SELECT c.day, SUM(c.notice_count), SUM(s.credit_count + s.debit_count) FROM closings AS c JOIN statements AS s ON s.id = c.statement_id "+
			"WHERE c.day >= ? AND c.day <= ? AND c.day < ? AND s.imported_at < ? GROUP BY c.day", m.since, m.until, deposit.DayOf(sealed), sqldb.At(sealed))
	for _, r := range rows {
		m.at(r.day).Notices, m.at(r.day).Statement = r.notices, r.stated
	}
	return err
}

// settled tells how long people took: by the day of the settling, the middle one of the times since the finding.
func (m *monthReading) settled(ctx context.Context) error {
	took := map[deposit.Day][]time.Duration{}
	type row struct{ found, settled time.Time }
	seen, args := findingSeen(m.eyes)
	err := sqldb.Stream(ctx, m.desk.db, func(r *row) []any { return []any{sqldb.Wall(&r.found), sqldb.Wall(&r.settled)} },
		func(r *row) error {
			day := deposit.DayOf(r.settled)
			took[day] = append(took[day], r.settled.Sub(r.found))
			return nil
		},
		"SELECT f.found_at, v.at FROM events AS v JOIN findings AS f ON f.id = v.row_id LEFT JOIN entries AS e ON e.id = f.subject "+
			"WHERE v.at >= ? AND v.at < ? AND v.table_name = 'findings' AND v.became = 'SETTLED' AND "+seen,
		append([]any{sqldb.At(m.since.Start()), sqldb.At(m.until.Add(1).Start())}, args...)...)
	for day, all := range took {
		slices.Sort(all)
		m.at(day).Settled, m.at(day).HoursHalf = int64(len(all)), all[len(all)/2].Hours()
	}
	return err
}
