package sqldb_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"depositd/migrations/custody"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// laidOut is a database with tables and keys, for a trial.
func laidOut(t *testing.T) (url string) {
	t.Helper()
	url = sqldbtest.Place(t)
	sqldbtest.Lay(t, url)
	return url
}

// TestTortureEveryCallFails: whatever call to the database fails while its keys are wrapped anew, or while what stood open in it is sealed,
// asking again does the rest.
func TestTortureEveryCallFails(t *testing.T) {
	sqldbtest.Unwatched(t)
	began := time.Now().Truncate(time.Millisecond)
	trial := sqldbtest.Trial{Now: func() time.Time { return began }, Steps: true, Modes: sqldbtest.InTurn(1)}
	t.Run("Rewrap", func(t *testing.T) {
		next := custody.New()
		trial := trial
		trial.URL = laidOut(t)
		trial.Run = func(ctx context.Context, db *sqldb.DB) error { return db.Rewrap(ctx, "cli", next) }
		trial.Shape = func(t testing.TB, url string) string { // that it begins another key for rows each time does no harm
			keys := sqldbtest.Strings(t, url, "SELECT DISTINCT purpose || master FROM seal_keys ORDER BY purpose, master")
			return strings.Join(append(keys, sqldbtest.Strings(t, url, "SELECT COUNT(*) FROM events WHERE became = 'REWRAPPED'")...), "\n")
		}
		trial.Holds(t)
	})
	t.Run("SealFormer", func(t *testing.T) {
		trial := trial
		trial.URL, trial.Modes = sqldbtest.Place(t), sqldbtest.InTurn(12)
		db := reopened(t, trial.URL, began)
		if err := db.MigrateTo(t.Context(), 16); err != nil {
			t.Fatal(err)
		}
		sqldbtest.Exec(t, trial.URL, formerRows...)
		if _, err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		sqldbtest.Unlock(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		trial.Run = func(ctx context.Context, db *sqldb.DB) error {
			_, err := db.SealFormer(ctx, "cli")
			return err
		}
		trial.Holds(t)
	})
	t.Run("Release", func(t *testing.T) {
		trial := trial
		trial.URL, trial.Steps = laidOut(t), false
		db := reopened(t, trial.URL, began)
		held, err := db.Claim(t.Context(), "nightly", "2026-06-12", "me", time.Hour)
		if err = errors.Join(err, db.Close()); err != nil || !held {
			t.Fatal(held, err)
		}
		trial.Run = func(ctx context.Context, db *sqldb.DB) error { return db.Release(ctx, "nightly", "2026-06-12", "me") }
		trial.Shape = func(t testing.TB, url string) string {
			return strings.Join(sqldbtest.Strings(t, url, "SELECT job || holder || held_until FROM claims"), "\n")
		}
		trial.Holds(t)
	})
}
