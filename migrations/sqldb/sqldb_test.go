package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

type unjudged struct{ ID, Cause sqldb.ID }

var table = sqldb.NewTable("unjudged", "entry_id, cause", func(u *unjudged) []any { return []any{&u.ID, &u.Cause} })

func count(t *testing.T, db *sqldb.DB) int {
	t.Helper()
	n, err := sqldb.Value[int](context.Background(), db, "SELECT COUNT(*) FROM unjudged")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Writers share commits; one that fails is rolled back alone, and one that panics takes nobody along.
func TestWriteSharesCommitsAndKeepsFailuresApart(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				err := db.Write(context.Background(), "test", func(tx *sqldb.Tx) error {
					if err := table.Insert(context.Background(), tx, unjudged{ID: sqldb.ID(i + 1)}); err != nil {
						return err
					}
					switch i % 10 {
					case 3:
						return errors.New("refused")
					case 7:
						panic("a bug")
					}
					return nil
				})
				if failed := i%10 == 3 || i%10 == 7; failed != (err != nil) {
					t.Errorf("writer %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if n := count(t, db); n != 240 {
			t.Errorf("%d rows, want 240", n)
		}
	})
}

func TestInsertTakenKeyAndManyRows(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		rows := make([]unjudged, 1001)
		for i := range rows {
			rows[i].ID = sqldb.ID(i + 1)
		}
		insert := func(rows ...unjudged) error {
			return db.Write(ctx, "test", func(tx *sqldb.Tx) error { return table.Insert(ctx, tx, rows...) })
		}
		if err := insert(rows...); err != nil {
			t.Fatal(err)
		}
		if err := insert(unjudged{ID: 500}); !errors.Is(err, sqldb.ErrTaken) {
			t.Errorf("got %v, want ErrTaken", err)
		}
		if n := count(t, db); n != 1001 {
			t.Errorf("%d rows, want 1001", n)
		}
	})
}

func TestInstantsAndKeysComeBackAsTheyWere(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		at := time.Date(2026, 6, 12, 9, 0, 0, 123e6, time.UTC)
		err := db.Write(ctx, "测试", func(tx *sqldb.Tx) error { return tx.Note(ctx, "lots", 42, "CHANGED", "说明") })
		if err != nil {
			t.Fatal(err)
		}
		e, err := sqldb.Events.One(ctx, db, "WHERE row_id = ?", 42)
		if err != nil || e.By != "测试" || e.Note != "说明" || time.Since(e.At) > time.Minute {
			t.Errorf("%+v %v", e, err)
		}
		if got := sqldb.At(at); got != "2026-06-12 17:00:00.123" {
			t.Errorf("At = %q", got)
		}
		id := sqldb.NewID()
		if back, err := sqldb.ParseID(id.String()); err != nil || back != id || len(id.String()) != 13 {
			t.Errorf("%d → %q → %d, %v", id, id, back, err)
		}
	})
}

func TestClaimIsHeldByOne(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		for i, want := range []bool{true, false, true} {
			holder := fmt.Sprint("replica ", i%2)
			held, err := db.Claim(ctx, "nightly", "2026-06-12", holder, time.Minute)
			if err != nil || held != want {
				t.Errorf("claim %d by %s: %v %v, want %v", i, holder, held, err, want)
			}
		}
		if err := db.Release(ctx, "nightly", "2026-06-12", "replica 0"); err != nil {
			t.Fatal(err)
		}
		if held, err := db.Claim(ctx, "nightly", "2026-06-12", "replica 1", time.Minute); err != nil || !held {
			t.Errorf("after release: %v %v", held, err)
		}
	})
}
