package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// crowd lets writes queue up behind one that runs, in the order given, and then go.
func crowd(db *sqldb.DB, writes ...func() error) []error {
	ctx := context.Background()
	begun, stay := make(chan bool), make(chan bool)
	var all sync.WaitGroup
	all.Go(func() {
		_ = db.Write(ctx, "first", func(*sqldb.Tx) error { close(begun); <-stay; return nil })
	})
	<-begun
	came := make([]error, len(writes))
	for i, write := range writes {
		all.Go(func() { came[i] = write() })
		for db.Waiting() <= i {
			runtime.Gosched()
		}
	}
	close(stay)
	all.Wait()
	return came
}

// ledger is joint work that stores numbers, fails or panics at some of them, and writes down how it was called.
type ledger struct {
	calls []string
	write func(ctx context.Context, by string, one int) error
}

func newLedger(db *sqldb.DB) *ledger {
	l := &ledger{}
	l.write = sqldb.Jointly(db, func(ctx context.Context, tx *sqldb.Tx, work []int) error {
		l.calls = append(l.calls, tx.By+fmt.Sprint(work))
		for _, n := range work {
			if err := table.Insert(ctx, tx, unjudged{ID: sqldb.ID(n)}); err != nil {
				return err
			}
			switch n {
			case 13:
				return errors.New("refused")
			case 17:
				panic("a bug")
			}
		}
		return nil
	})
	return l
}

func (l *ledger) all(by string, numbers ...int) (writes []func() error) {
	for _, n := range numbers {
		writes = append(writes, func() error { return l.write(context.Background(), by, n) })
	}
	return writes
}

func failed(came []error) (at []int) {
	for i, err := range came {
		if err != nil {
			at = append(at, i)
		}
	}
	return at
}

func TestThoseWhoWaitAreDoneTogether(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		l := newLedger(db)
		came := crowd(db, slices.Concat(l.all("a", 1, 2), l.all("b", 3), l.all("a", 4))...)
		if at := failed(came); at != nil {
			t.Error("failed:", at)
		}
		if got, want := strings.Join(l.calls, " "), "a[1 2 4] b[3]"; got != want {
			t.Errorf("called %s, want %s", got, want)
		}
		if n := count(t, db); n != 4 {
			t.Errorf("%d rows, want 4", n)
		}
	})
}

// A refusal, a bug and a key that is taken cost nobody else anything.
func TestAFaultInJointWorkIsItsOwn(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		l := newLedger(db)
		came := crowd(db, slices.Concat(l.all("a", 1, 13, 2, 17), l.all("a", 2, 3), l.all("b", 4))...)
		if got, want := fmt.Sprint(failed(came)), "[1 3 4]"; got != want {
			t.Errorf("failed: %s, want %s", got, want)
		}
		if !errors.Is(came[4], sqldb.ErrTaken) || !strings.Contains(came[3].Error(), "a bug") {
			t.Error(came[4], came[3])
		}
		if n := count(t, db); n != 4 {
			t.Errorf("%d rows, want 4", n)
		}
	})
}

// Whoever leaves before the work begins leaves no trace, be it alone or before the second run of a batch.
func TestWhoLeavesInTimeLeavesNoTrace(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		l := newLedger(db)
		gone, leave := context.WithCancel(context.Background())
		late, leaveLate := context.WithCancel(context.Background())
		came := crowd(db,
			func() error { defer leave(); return l.write(context.Background(), "a", 1) },
			func() error {
				return db.Write(context.Background(), "a", func(*sqldb.Tx) error { leaveLate(); return errors.New("refused") })
			},
			func() error { return l.write(late, "a", 2) })
		if !errors.Is(came[2], context.Canceled) || fmt.Sprint(failed(came)) != "[1 2]" {
			t.Error(came)
		}
		if err := l.write(gone, "a", 3); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if n := count(t, db); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}
