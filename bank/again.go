package bank

import (
	"context"

	"depositd/migrations/sqldb"
)

// What follows makes storing the same sightings again change nothing: rows that are there already are left out.

// unseen leaves out the sightings that are recorded or about to be, and of two of one entry in one file the second.
func unseen(ctx context.Context, r sqldb.Reader, all, fresh []Sighting) ([]Sighting, error) {
	if len(all) == 0 {
		return nil, nil
	}
	there := map[sqldb.ID]bool{}
	for _, s := range fresh {
		there[s.EntryID] = true
	}
	args := []any{all[0].Source, all[0].FileID}
	for _, s := range all {
		args = append(args, s.EntryID)
	}
	rows, err := sightings.All(ctx, r, "WHERE source = ? AND file_id = ? AND entry_id IN "+sqldb.In(len(all)), args...)
	for _, s := range rows {
		there[s.EntryID] = true
	}
	return first(all, there, func(s Sighting) sqldb.ID { return s.EntryID }), err
}

// unknownConflicts leaves out the contradictions that are kept already.
func unknownConflicts(ctx context.Context, r sqldb.Reader, all []Conflict) ([]Conflict, error) {
	there := map[string]bool{}
	for _, c := range all {
		rows, err := conflicts.All(ctx, r, "WHERE entry_id = ? AND digest = ?", c.EntryID, c.Digest)
		if err != nil {
			return nil, err
		}
		for _, known := range rows {
			there[known.EntryID.String()+known.Digest] = true
		}
	}
	return first(all, there, func(c Conflict) string { return c.EntryID.String() + c.Digest }), nil
}

// first keeps, in order, the first of each key that is not there.
func first[T any, K comparable](all []T, there map[K]bool, key func(T) K) []T {
	var kept []T
	for _, one := range all {
		if k := key(one); !there[k] {
			there[k] = true
			kept = append(kept, one)
		}
	}
	return kept
}
