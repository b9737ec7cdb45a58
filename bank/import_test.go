package bank

import (
	"context"
	"strings"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// TestWidestFault keeps the longest line and reason that there can be, in characters of four bytes: sealed they are longer.
func TestWidestFault(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		f := storedFault{7, Fault{1, 2, "amount_malformed", strings.Repeat("𠮷", 400), strings.Repeat("𠮷", 4000)}}
		if err := db.Write(ctx, "test", func(tx *sqldb.Tx) error { return faults.Insert(ctx, tx, f) }); err != nil {
			t.Fatal(err)
		}
		if kept, err := faults.One(ctx, db, "WHERE message_id = ?", f.MessageID); err != nil || kept != f {
			t.Errorf("%v", err)
		}
	})
}
