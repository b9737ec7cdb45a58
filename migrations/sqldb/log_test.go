package sqldb_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// What was committed stands in the database's own file once the log was moved, and not before.
func TestMoveLog(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	db := sqldbtest.Open(t, sqldb.FileURL(file), time.Now)
	ctx := context.Background()
	stored := func() int {
		t.Helper()
		bytes, err := os.ReadFile(file) // without the log beside it
		if err != nil {
			t.Fatal(err)
		}
		alone := filepath.Join(t.TempDir(), "b.db")
		if err := os.WriteFile(alone, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := sqldb.Value[int](ctx, sqldbtest.Open(t, sqldb.FileURL(alone), time.Now), "SELECT COUNT(*) FROM events")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := db.MoveLog(ctx); err != nil {
		t.Fatal(err)
	}
	err := db.Write(ctx, "test", func(tx *sqldb.Tx) error { return tx.Note(ctx, "lots", tx.NewID(), "A", "") })
	if err != nil {
		t.Fatal(err)
	}
	if n := stored(); n != 0 {
		t.Errorf("before the log is moved: %d", n)
	}
	if err := db.MoveLog(ctx); err != nil {
		t.Fatal(err)
	}
	if n := stored(); n != 1 {
		t.Errorf("after it: %d", n)
	}
}
