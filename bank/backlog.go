package bank

import (
	"context"
	"time"

	"depositd/migrations/sqldb"
)

// nextToJudge is how many entries WaitingSince looks at: those that are judged next. Keys are random, so that they tell of
// all, and after an import of a hundred thousand the question stays a cheap one.
const nextToJudge = 500

// WaitingSince is when the oldest of the entries that are to be judged next was stored; the zero time when none waits.
func WaitingSince(ctx context.Context, r sqldb.Reader) (time.Time, error) {
	rows, err := sqldb.Select(ctx, r, func(t *time.Time) []any { return []any{sqldb.Wall(t)} },
		"SELECT e.first_seen FROM (SELECT entry_id FROM unjudged ORDER BY entry_id LIMIT ?) AS u JOIN entries AS e ON e.id = u.entry_id "+
			"ORDER BY e.first_seen LIMIT 1", nextToJudge)
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return rows[0], nil
}
