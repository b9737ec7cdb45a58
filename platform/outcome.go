package platform

import (
	"context"
	"time"

	"depositd/migrations/sqldb"
)

// Happening is an event as others need it: what happened to a lot, or to one bid on it, and when.
type Happening struct {
	Kind  EventKind
	LotID sqldb.ID
	BidID sqldb.ID // 0: of the lot
	At    time.Time
}

// Happenings reads the events of lots, however many, in the order in which they happened.
func Happenings(ctx context.Context, r sqldb.Reader, lotIDs []sqldb.ID) (map[sqldb.ID][]Happening, error) {
	rows, err := allIn(ctx, r, platformEvents, "lot_id", lotIDs, "happened_at, id")
	all := make(map[sqldb.ID][]Happening, len(lotIDs))
	for _, e := range rows {
		all[e.LotID] = append(all[e.LotID], Happening{e.Kind, e.LotID, e.BidID, e.HappenedAt})
	}
	return all, err
}
