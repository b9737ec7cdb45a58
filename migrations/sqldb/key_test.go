package sqldb_test

import (
	"context"
	"slices"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// The keys of a transaction lie together, none comes twice, and they tell nothing: neither of another transaction's, nor in which
// order they were made, nor, by how far two of them lie apart, how many lie between.
func TestKeysLieTogether(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		const many, few = 1000, 20
		const window = 1 << 40
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
			distinct := slices.Compact(slices.Sorted(slices.Values(keys)))
			if len(distinct) != many || distinct[many-1]-distinct[0] >= window {
				t.Fatalf("%d keys, %d of them different, lie %d apart", many, len(distinct), distinct[len(distinct)-1]-distinct[0])
			}
			rising := 0
			for i := 1; i < many; i++ {
				if keys[i] > keys[i-1] {
					rising++
				}
			}
			if rising < many*2/5 || rising > many*3/5 {
				t.Errorf("%d of %d keys are above the one before", rising, many)
			}
			first = append(first, keys[0])
		}
		if slices.IsSorted(first) { // once in 20! times by chance
			t.Error("later transactions have larger keys")
		}
	})
}
