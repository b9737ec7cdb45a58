package bank

import (
	"context"

	"depositd/migrations/sqldb"
)

// What follows makes storing the same sightings again change nothing: rows that are there already are left out.

// unseen leaves out the sightings that are recorded. repeats are the lines, by ordinal, that say again what
// another line of the file has said; a line that is only read again is none.
func unseen(ctx context.Context, r sqldb.Reader, all []Sighting) (rest []Sighting, repeats []int, err error) {
	if len(all) == 0 {
		return nil, nil, nil
	}
	there := map[sqldb.ID]int{}
	args := []any{all[0].Source, all[0].FileID}
	for _, s := range all {
		args = append(args, s.EntryID)
	}
	rows, err := sightings.All(ctx, r, "WHERE source = ? AND file_id = ? AND entry_id IN "+sqldb.In(len(all)), args...)
	for _, s := range rows {
		there[s.EntryID] = s.Ordinal
	}
	for _, s := range all {
		switch ordinal, seen := there[s.EntryID]; {
		case !seen:
			there[s.EntryID] = s.Ordinal
			rest = append(rest, s)
		case ordinal != s.Ordinal:
			repeats = append(repeats, s.Ordinal)
		}
	}
	return rest, repeats, err
}

// unknownConflicts leaves out the contradictions that are kept already.
func unknownConflicts(ctx context.Context, r sqldb.Reader, all []Conflict) ([]Conflict, error) {
	there := map[string]bool{}
	ids := make([]sqldb.ID, len(all))
	for i, c := range all {
		ids[i] = c.EntryID
	}
	err := sqldb.Chunks(ids, func(in string, args []any) error {
		rows, err := conflicts.All(ctx, r, "WHERE entry_id IN "+in, args...)
		for _, known := range rows {
			there[known.EntryID.String()+known.Digest] = true
		}
		return err
	})
	if err != nil {
		return nil, err
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
