package reconcile_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// TestCheckpointOfTheDatabase: what somebody does to the stored trail behind the service's back, seals and all, a checkpoint
// that was taken before finds, on the sealed days and on the open one.
func TestCheckpointOfTheDatabase(t *testing.T) {
	eachBase(t, true, func(t *testing.T, url string, restore func(testing.TB)) {
		for _, statements := range [][]string{
			{},
			{"UPDATE events SET sealed = 'x' WHERE seq = 3"},
			{"UPDATE events SET sealed = 'x' WHERE at >= '2026-06-13 00:00:00.000'"},
			{"UPDATE events SET sealed = '' WHERE at >= '2026-06-13 00:00:00.000'"},
			{"UPDATE events SET by_whom = 'x' WHERE at >= '2026-06-13 00:00:00.000'"},
			{"DELETE FROM events WHERE seq = 5"},
			{"DELETE FROM events WHERE at >= '2026-06-13 00:00:00.000'"},
			{"DELETE FROM events", "DELETE FROM seals"},
			{"DELETE FROM seals"},
			{"UPDATE seals SET hash = 'x'"},
			{"INSERT INTO events (at, by_whom, table_name, row_id, was, became, sealed) VALUES ('2026-06-01 00:00:00.000', 'x', 'lots', 1, '', 'OPENED', '')"},
		} {
			restore(t)
			h := reopen(t, url, &sqldbtest.Faults{})
			kept, err := h.reconcile.Checkpoint(context.Background())
			h.must(err)
			covered, err := sqldb.Value[int](context.Background(), h.db, "SELECT COUNT(*) FROM events WHERE at > ?", string(kept.Sealed.Add(1)))
			h.must(err)
			if covered == 0 {
				t.Fatal("no event of the open day is there to be covered")
			}
			for _, one := range statements {
				sqldbtest.Exec(t, url, one)
			}
			differs, err := h.reconcile.HoldTo(context.Background(), kept)
			h.must(err)
			if (differs == "") != (len(statements) == 0) {
				t.Errorf("%v: %q", statements, differs)
			}
			h.must(h.db.Close())
		}
	})
}

// TestCheckpointTellsNoCount: a line kept outside tells nobody how much happened since the last seal.
func TestCheckpointTellsNoCount(t *testing.T) {
	eachBase(t, true, func(t *testing.T, url string, restore func(testing.TB)) {
		restore(t)
		h := reopen(t, url, &sqldbtest.Faults{})
		ctx := context.Background()
		before, err := h.reconcile.Checkpoint(ctx)
		h.must(err)
		h.must(h.db.Write(ctx, "test", func(tx *sqldb.Tx) error {
			return errors.Join(tx.Note(ctx, "lots", 1, "a", "b"), tx.Note(ctx, "lots", 1, "b", "c"), tx.Note(ctx, "lots", 1, "c", "d"))
		}))
		after, err := h.reconcile.Checkpoint(ctx)
		h.must(err)
		open, err := base64.RawURLEncoding.DecodeString(after.Open)
		if err != nil || bytes.Contains(open, []byte("events")) || len(before.Line()) != len(after.Line()) || before.Open == after.Open {
			t.Errorf("%v\n%s\n%s", err, before.Line(), after.Line())
		}
		h.must(h.db.Close())
	})
}
