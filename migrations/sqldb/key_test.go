package sqldb_test

import (
	"context"
	"slices"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// The keys of a transaction lie together and tell nothing of another's: each begins anywhere, and how far two keys lie apart says
// nothing of how many lie between them.
func TestKeysLieTogether(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		const many, few = 1000, 20
		const most = 1 << 24 // between two neighbours
		var first []sqldb.ID
		for range few {
			var keys []sqldb.ID
			err := db.Write(context.Background(), "test", func(tx *sqldb.Tx) error {
				for keys = nil; len(keys) < many; {
					keys = append(keys, tx.NewID())
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			gaps := map[sqldb.ID]bool{}
			for i := 1; i < many; i++ {
				gap := keys[i] - keys[i-1]
				if gap < 1 || gap > most {
					t.Fatalf("keys %d and %d lie %d apart", i-1, i, gap)
				}
				gaps[gap] = true
			}
			if len(gaps) < many*9/10 {
				t.Errorf("of %d gaps %d are different", many-1, len(gaps))
			}
			first = append(first, keys[0])
		}
		if slices.IsSorted(first) { // once in 20! times by chance
			t.Error("later transactions have larger keys")
		}
	})
}
