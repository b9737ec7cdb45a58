package sqldb_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// Trusted time grows with the clock and with what is stated no more than half a minute ahead of it, shrinks with nothing, and is
// kept with the transaction alone.
func TestTrusted(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		noon := time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)
		now, none := noon, errors.New("refused")
		db := sqldbtest.Open(t, url, func() time.Time { return now })
		for _, c := range []struct {
			name          string
			clock, stated time.Duration
			err           error
			want          time.Duration
		}{
			{"at first", 0, 0, nil, 0},
			{"the clock goes on", time.Second, 0, nil, time.Second},
			{"stated ahead", time.Second, 31 * time.Second, nil, 31 * time.Second},
			{"stated far ahead", time.Second, 31*time.Second + time.Millisecond, nil, 31 * time.Second},
			{"stated in the past", 2 * time.Second, -time.Hour, nil, 31 * time.Second},
			{"set back", -time.Hour, 0, nil, 31 * time.Second},
			{"refused", time.Hour, time.Hour, none, time.Hour},
			{"after that", 32 * time.Second, 0, nil, 32 * time.Second},
		} {
			now = noon.Add(c.clock)
			var got sqldb.Trusted
			err := db.Write(context.Background(), "test", func(tx *sqldb.Tx) (err error) {
				if got, err = tx.Trusted(context.Background(), noon.Add(c.stated)); err == nil {
					err = c.err
				}
				return err
			})
			if !errors.Is(err, c.err) || !got.Clock.Equal(now) || got.Time.Sub(noon) != c.want {
				t.Errorf("%s: %s, %v", c.name, got.Time.Sub(noon), err)
			}
		}
	})
}

// TestTrustedAtOnce: of replicas that are the first to keep a time, all come to have the latest.
func TestTrustedAtOnce(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		ctx, noon := context.Background(), time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)
		done := make(chan error)
		for i := range 3 {
			db := sqldbtest.Open(t, url, func() time.Time { return noon.Add(time.Duration(i) * time.Minute) })
			go func() {
				err := sqldb.ErrTaken
				for errors.Is(err, sqldb.ErrTaken) {
					err = db.Write(ctx, "test", func(tx *sqldb.Tx) error { _, err := tx.Trusted(ctx); return err })
				}
				done <- err
			}()
		}
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if ahead, err := sqldbtest.Open(t, url, func() time.Time { return noon }).TrustedAhead(ctx); err != nil || ahead != 2*time.Minute {
			t.Errorf("%s, %v", ahead, err)
		}
	})
}

// TestWhoseClock: the program's database is asked for its own clock, a simulated one is not.
func TestWhoseClock(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		ctx := context.Background()
		for _, clock := range []func() time.Time{nil, time.Now} {
			var faults sqldbtest.Faults
			db, err := sqldb.OpenWith(ctx, url, clock, faults.Between)
			if err != nil {
				t.Fatal(err)
			}
			sqldbtest.Unlock(t, db)
			faults.Texts()
			if err := db.Write(ctx, "test", func(tx *sqldb.Tx) error { _, err := tx.Trusted(ctx); return err }); err != nil {
				t.Fatal(err)
			}
			asked := slices.ContainsFunc(faults.Texts(), func(text string) bool {
				return strings.HasPrefix(text, "SELECT DATE_FORMAT(UTC_TIMESTAMP") || strings.HasPrefix(text, "SELECT strftime(")
			})
			if asked != (clock == nil) {
				t.Errorf("with a clock of the caller's: %v; the database's was asked: %v", clock != nil, asked)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
