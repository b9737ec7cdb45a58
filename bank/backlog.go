package bank

import (
	"context"
	"time"

	"depositd/migrations/sqldb"
)

// WaitingSince is when the oldest of the entries that wait for a verdict was stored; the zero time when none waits.
func WaitingSince(ctx context.Context, r sqldb.Reader) (time.Time, error) {
	rows, err := sqldb.Select(ctx, r, func(t *time.Time) []any { return []any{sqldb.Wall(t)} },
		"SELECT e.first_seen FROM unjudged u JOIN entries e ON e.id = u.entry_id ORDER BY e.first_seen LIMIT 1")
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return rows[0], nil
}
