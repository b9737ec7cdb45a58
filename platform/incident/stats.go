package incident

import (
	"cmp"
	"context"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Tally is what the incidents of one scenario, month and level come to. Drills are counted apart.
type Tally struct {
	Scenario  string
	Month     string // of the report, 2026-06
	Level     string // "" is none
	Drill     bool
	Count     int
	Dismissed int
	Confirm   Pace // from the report to the confirmation
	Activate  Pace // to the start of the plan
	Recover   Pace // to the end of the notice
}

// Pace is how long something took: of so many, in the middle and at most.
type Pace struct {
	Count  int
	Median time.Duration
	Most   time.Duration
}

// Statistics tallies the incidents that were reported from a day to another, both included; only the scenario's where one is
// named.
func (d *Desk) Statistics(ctx context.Context, from, to deposit.Day, scenario string) ([]Tally, error) {
	if to < from {
		return nil, deposit.Refuse(deposit.Invalid, "days_reversed", "起始日期不能晚于截止日期")
	}
	counts := map[Tally]*spans{}
	err := incidents.Each(ctx, d.db, "WHERE reported_at >= ? AND reported_at < ? AND (? = '' OR scenario = ?) ORDER BY reported_at, id",
		[]any{sqldb.At(from.Start()), sqldb.At(to.Add(1).Start()), scenario, scenario}, func(i *Incident) error {
			key := Tally{Scenario: i.Scenario, Month: string(deposit.DayOf(i.ReportedAt))[:len("2026-06")], Level: i.Level, Drill: i.Drill}
			if counts[key] == nil {
				counts[key] = &spans{}
			}
			counts[key].add(i)
			return nil
		})
	tallies := make([]Tally, 0, len(counts))
	for t, s := range counts {
		t.Count, t.Dismissed, t.Confirm, t.Activate, t.Recover = s.count, s.dismissed, paceOf(s.confirm), paceOf(s.activate), paceOf(s.recover)
		tallies = append(tallies, t)
	}
	slices.SortFunc(tallies, func(a, b Tally) int {
		return cmp.Or(cmp.Compare(a.Month, b.Month), cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Level, b.Level), boolOrder(a.Drill)-boolOrder(b.Drill))
	})
	return tallies, err
}

func boolOrder(b bool) int {
	if b {
		return 1
	}
	return 0
}

// spans are the times of some incidents.
type spans struct {
	count, dismissed           int
	confirm, activate, recover []time.Duration
}

func (s *spans) add(i *Incident) {
	s.count++
	if i.State == Dismissed {
		s.dismissed++
		return
	}
	for _, one := range []struct {
		at   time.Time
		took *[]time.Duration
	}{{i.ConfirmedAt, &s.confirm}, {i.NoticeStartAt, &s.activate}, {i.NoticeEndAt, &s.recover}} {
		if !one.at.IsZero() {
			*one.took = append(*one.took, one.at.Sub(i.ReportedAt))
		}
	}
}

// paceOf is the lower median and the longest.
func paceOf(took []time.Duration) Pace {
	if len(took) == 0 {
		return Pace{}
	}
	slices.Sort(took)
	return Pace{Count: len(took), Median: took[(len(took)-1)/2], Most: took[len(took)-1]}
}
