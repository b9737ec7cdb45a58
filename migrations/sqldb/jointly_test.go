package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// crowd lets writes queue up behind one that runs, in the order given, and then go.
func crowd(db *sqldb.DB, writes ...func() error) []error {
	release := hold(db)
	var all sync.WaitGroup
	came := make([]error, len(writes))
	for i, write := range writes {
		all.Go(func() { came[i] = write() })
		for db.Waiting() <= i {
			runtime.Gosched()
		}
	}
	release()
	all.Wait()
	return came
}

// hold keeps the lane busy until release is called.
func hold(db *sqldb.DB) (release func()) {
	begun, stay := make(chan bool), make(chan bool)
	var running sync.WaitGroup
	running.Go(func() {
		_ = db.Write(context.Background(), "first", func(*sqldb.Tx) error { close(begun); <-stay; return nil })
	})
	<-begun
	return func() { close(stay); running.Wait() }
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

// When many wait, joint work is stored beside the transaction that runs, if the engine can do two at once; other work waits.
func TestJointWorkOfManyIsDoneBeside(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		release := hold(db)
		var alone, joint sync.WaitGroup
		var ran atomic.Bool
		alone.Go(func() {
			_ = db.Write(context.Background(), "a", func(*sqldb.Tx) error { ran.Store(true); return nil })
		})
		l := newLedger(db)
		for n := 1; n < sqldb.Many; n++ {
			for db.Waiting() < n {
				runtime.Gosched()
			}
			joint.Go(func() {
				if err := l.write(context.Background(), "a", 100+n); err != nil {
					t.Error(err)
				}
			})
		}
		if db.Engine() == "mysql" {
			joint.Wait()
			if n := count(t, db); n != sqldb.Many-1 || ran.Load() {
				t.Errorf("%d rows while the first one runs, want %d; ran: %v, want false", n, sqldb.Many-1, ran.Load())
			}
		}
		release()
		alone.Wait()
		joint.Wait()
		if n := count(t, db); n != sqldb.Many-1 || !ran.Load() {
			t.Errorf("%d rows, want %d; ran: %v", n, sqldb.Many-1, ran.Load())
		}
	})
}
