package bank

import (
	"context"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// The comparison of a day: what the final statement has and no notice told, and the other way round. The set difference
// is made by the database over its indexes, and only the keys of what differs come back, in their order: eight bytes each,
// so that the memory does not grow with the day.

// NeverPushed lists the credits of an account's day that stand on the given statement and were never pushed.
func NeverPushed(ctx context.Context, r sqldb.Reader, b Book, day deposit.Day, statement sqldb.ID) ([]sqldb.ID, error) {
	return keys(ctx, r, "SELECT e.id FROM entries AS e WHERE e.booking_date = ? AND e.bank = ? AND e.parent_account = ? AND e.direction = 'C' "+
		"AND NOT EXISTS (SELECT 1 FROM sightings AS n WHERE n.entry_id = e.id AND n.source = 'N') "+
		"AND EXISTS (SELECT 1 FROM sightings AS s WHERE s.entry_id = e.id AND s.source = 'S' AND s.file_id = ?) ORDER BY e.id",
		day, b.Bank, b.ParentAccount, statement)
}

// NotOnStatement lists the entries of an account's day that were pushed and stand neither on the given statement nor on
// that of another day.
func NotOnStatement(ctx context.Context, r sqldb.Reader, b Book, day deposit.Day, statement sqldb.ID) ([]sqldb.ID, error) {
	return keys(ctx, r, "SELECT e.id FROM entries AS e WHERE e.booking_date = ? AND e.bank = ? AND e.parent_account = ? "+
		"AND NOT EXISTS (SELECT 1 FROM sightings AS s WHERE s.entry_id = e.id AND s.source = 'S' AND s.file_id = ?) "+
		"AND EXISTS (SELECT 1 FROM sightings AS n WHERE n.entry_id = e.id AND n.source = 'N') "+
		"AND NOT EXISTS (SELECT 1 FROM sightings AS o JOIN statements AS t ON t.id = o.file_id AND t.state = 'COMPLETE' AND t.day <> ? WHERE o.entry_id = e.id AND o.source = 'S') ORDER BY e.id",
		day, b.Bank, b.ParentAccount, statement, day)
}

func keys(ctx context.Context, r sqldb.Reader, text string, args ...any) ([]sqldb.ID, error) {
	return sqldb.Select(ctx, r, func(id *sqldb.ID) []any { return []any{id} }, text, args...)
}

// OrphansOn lists the days of an account on which entries were thought to be on no statement, and that stand on this one.
func OrphansOn(ctx context.Context, r sqldb.Reader, b Book, statement sqldb.ID) ([]deposit.Day, error) {
	return sqldb.Select(ctx, r, func(day *deposit.Day) []any { return []any{day} },
		"SELECT f.day FROM findings AS f JOIN sightings AS s ON s.entry_id = f.subject AND s.source = 'S' AND s.file_id = ? "+
			"WHERE f.kind = 'ORPHAN' AND f.state <> 'CLEARED' AND f.bank = ? AND f.parent_account = ? GROUP BY f.day ORDER BY f.day", statement, b.Bank, b.ParentAccount)
}

// Pushed is what the notices of an account's day come to.
type Pushed struct {
	Entries         int64
	Credits, Debits deposit.Fen
	First           time.Time // the earliest booking of them
}

// PushedOn sums the entries of an account's day of which a notice came.
func PushedOn(ctx context.Context, r sqldb.Reader, b Book, day deposit.Day) (Pushed, error) {
	rows, err := sqldb.Select(ctx, r, func(p *Pushed) []any { return []any{&p.Entries, &p.Credits, &p.Debits, sqldb.Wall(&p.First)} },
		"SELECT COUNT(*), COALESCE(SUM(CASE WHEN direction = 'C' THEN amount ELSE 0 END), 0), COALESCE(SUM(CASE WHEN direction = 'D' THEN amount ELSE 0 END), 0), "+
			"COALESCE(MIN(booked_at), '1000-01-01 00:00:00.000') FROM entries AS e WHERE booking_date = ? AND bank = ? AND parent_account = ? "+
			"AND EXISTS (SELECT 1 FROM sightings AS n WHERE n.entry_id = e.id AND n.source = 'N')", day, b.Bank, b.ParentAccount)
	if err != nil {
		return Pushed{}, err
	}
	return rows[0], nil
}
