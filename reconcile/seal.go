package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Seal closes a past day's audit trail: a hash over the day's events and the seal before. Whoever changes, adds or takes
// away an event later must recompute every seal since, which a seal kept elsewhere shows.
type Seal struct {
	Day    deposit.Day
	Events int64
	Hash   string
}

var seals = sqldb.NewTable("seals", "day, event_count, hash", func(s *Seal) []any { return []any{&s.Day, &s.Events, &s.Hash} })

// lastSeal is the latest seal; its day is firstDay before there is one.
func (d *Desk) lastSeal(ctx context.Context) (Seal, error) {
	last, err := seals.One(ctx, d.db, "ORDER BY day DESC LIMIT 1")
	if errors.Is(err, sqldb.ErrNone) {
		return Seal{Day: firstDay}, nil
	}
	return last, err
}

// firstDay is earlier than every event.
const firstDay = deposit.Day("2000-01-01")

// sealDays seals every past day that has events and comes after the last one sealed.
func (d *Desk) sealDays(ctx context.Context, by string, last Seal) error {
	days, err := sqldb.Select(ctx, d.db, func(day *string) []any { return []any{day} },
		"SELECT DISTINCT SUBSTR(at, 1, 10) FROM events WHERE at >= ? AND at < ? ORDER BY 1", sqldb.At(last.Day.Add(1).Start()), sqldb.At(deposit.DayOf(d.db.Now()).Start()))
	if err != nil {
		return err
	}
	for _, day := range days {
		s, err := d.trail().sealOf(ctx, deposit.Day(day), last.Hash)
		if err != nil {
			return err
		}
		err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error { return seals.Insert(ctx, tx, s) })
		if errors.Is(err, sqldb.ErrTaken) {
			return nil // another replica seals
		}
		if err != nil {
			return err
		}
		last = s
	}
	return nil
}

// sealOf computes the seal of a day.
func (t trail) sealOf(ctx context.Context, day deposit.Day, before string) (Seal, error) {
	digest := sha256.New()
	_, _ = fmt.Fprintf(digest, "%s\n%s\n", before, day)
	s := Seal{Day: day}
	var line []byte
	err := t.onDay(ctx, day, func(e *sqldb.Event) error {
		s.Events++
		line = appendEvent(line[:0], e)
		_, err := digest.Write(line)
		return err
	})
	s.Hash = hex.EncodeToString(digest.Sum(nil))
	return s, err
}

// eventsOn gives the events of a day in the order in which they were counted; a day's are one stretch of that order but for
// clocks that differ, so that nothing has to be sorted.
func (d *Desk) eventsOn(ctx context.Context, day deposit.Day, f func(*sqldb.Event) error) error {
	type stretch struct{ first, last int64 }
	found, err := sqldb.Select(ctx, d.db, func(s *stretch) []any { return []any{&s.first, &s.last} },
		"SELECT COALESCE(MIN(seq), 0), COALESCE(MAX(seq), -1) FROM events WHERE at >= ? AND at < ?", sqldb.At(day.Start()), sqldb.At(day.Add(1).Start()))
	if err != nil {
		return err
	}
	return sqldb.Events.Each(ctx, d.db, "WHERE seq >= ? AND seq <= ? AND SUBSTR(at, 1, 10) = ? ORDER BY seq", []any{found[0].first, found[0].last, string(day)}, f)
}

// appendEvent writes an event in a form that no other event has: each field behind its length.
func appendEvent(b []byte, e *sqldb.Event) []byte {
	for _, field := range [...]string{strconv.FormatInt(e.Seq, 10), sqldb.At(e.At), e.By, e.Table, e.Row.String(), e.Was, e.Became, e.Note} {
		b = append(append(strconv.AppendInt(b, int64(len(field)), 10), ':'), field...)
	}
	return b
}

// brokenSeals recomputes every seal up to a day and names the days whose events are not those that were sealed.
func (d *Desk) brokenSeals(ctx context.Context, until deposit.Day) ([]string, error) {
	all, err := seals.All(ctx, d.db, "WHERE day <= ? ORDER BY day", until)
	if err != nil {
		return nil, err
	}
	return d.trail().broken(ctx, all)
}

// broken names, of days whose seals follow each other from the first, those whose events are not those that were sealed.
func (t trail) broken(ctx context.Context, all []Seal) (days []string, err error) {
	before, sealed := "", int64(0)
	for _, kept := range all {
		s, err := t.sealOf(ctx, kept.Day, before)
		if err != nil && !errors.Is(err, sqldb.ErrSealed) { // a note that does not open was changed
			return nil, err
		}
		if s != kept {
			days = append(days, string(kept.Day))
		}
		before, sealed = kept.Hash, sealed+kept.Events
	}
	if len(all) == 0 || len(days) > 0 {
		return days, nil
	}
	last := all[len(all)-1].Day
	if there, err := t.until(ctx, last); err != nil || there != sealed {
		return []string{"至 " + string(last) + " 止未封印的日期"}, err // an event on a day that had none
	}
	return nil, nil
}

// DaySeal is what an auditor is told of a day's seal: neither the seal itself, by which two guesses at the day could be told
// apart, nor how many events it covers, since there is one for each payment.
type DaySeal struct {
	Day    deposit.Day `json:"day"`
	Sealed bool        `json:"sealed"` // a past day on which something happened
	Holds  bool        `json:"holds"`  // the day's events, read anew, are those that were sealed
}

// DaySeal reads the seal of a day and holds the day's events to it.
func (d *Desk) DaySeal(ctx context.Context, day deposit.Day) (*DaySeal, error) {
	around, err := seals.All(ctx, d.db, "WHERE day <= ? ORDER BY day DESC LIMIT 2", day)
	if err != nil || len(around) == 0 || around[0].Day != day {
		return &DaySeal{Day: day}, err
	}
	before := ""
	if len(around) > 1 {
		before = around[1].Hash
	}
	now, err := d.trail().sealOf(ctx, day, before)
	if errors.Is(err, sqldb.ErrSealed) { // a note that does not open was changed
		err = nil
	}
	return &DaySeal{Day: day, Sealed: true, Holds: now == around[0]}, err
}
