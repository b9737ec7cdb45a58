package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// Two replicas judge at the same time. While one looks what waits, a credit comes, and the other begins to judge it; while that
// is at it, the lot is opened whose bidder has paid it. Whichever of the two takes in the opening, and whatever calls to the
// database they stand before: the credit is not left by each to the other, it is taken for the bidder's in the end.
func TestTwoJudges(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		m := newMeeting(t, url)
		if os.Getenv("TORTURE") == "" && (sampled || sqldb.File(url) == "") {
			m.oneIn = 7
		}
		for _, wrong := range m.all(t, func(ctx context.Context, d *reconcile.Desk) error { _, err := d.JudgeAll(ctx); return err }) {
			t.Error(wrong)
		}
	})
}

// Judges who store whoever's turn it is do leave it to each other.
func TestTwoJudgesAreNoticed(t *testing.T) {
	sqldbtest.Unwatched(t)
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		wrong := newMeeting(t, url).all(t, reconcile.JudgeOutOfTurn)
		if t.Log(wrong); len(wrong) == 0 {
			t.Error("nothing is noticed")
		}
	})
}

// Replicas that judge the same backlog do not give up over each other, and come to one verdict for each credit.
func TestJudgesShareABacklog(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		h := open(t, url)
		crowd := make([]bank.Entry, 0, 2500) // a batch is 1000
		for i := range cap(crowd) {
			crowd = append(crowd, paid(fmt.Sprint("crowd", i), "", fmt.Sprintf("第%d公司", i), "1.00", "10:00:00"))
		}
		h.state("0.00", fmt.Sprintf("%d.00", len(crowd)), crowd...)
		var all sync.WaitGroup
		var errs [3]error
		for i := range errs {
			replica := reopen(t, url, &sqldbtest.Faults{})
			t.Cleanup(func() { h.must(replica.db.Close()) })
			all.Go(func() { _, errs[i] = replica.reconcile.JudgeAll(t.Context()) })
		}
		all.Wait()
		h.must(errors.Join(errs[:]...))
		n, err := sqldb.Value[int](t.Context(), h.db, "SELECT COUNT(*) FROM matches WHERE version = 1")
		if h.must(err); n != len(crowd) {
			t.Errorf("%d of %d credits have one verdict", n, len(crowd))
		}
		if wrong := broken(h, "then"); wrong != "" {
			t.Error(wrong)
		}
	})
}

// While a clerk imports a file, before any of its calls to the database, another one imports it as well, and then the bank's
// correction: that stays the bank's word on the day.
func TestOldFileBesideItsCorrection(t *testing.T) {
	correction := strings.Replace(yesterdaysFile, "2O.00", "20.00", 1)
	imports := func(h *house, file string) error {
		_, err := h.bank.Import(context.Background(), "clerk", h.lcyh, "statement.txt", strings.NewReader(file))
		return err
	}
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		h := open(t, url)
		h.must(h.db.Close())
		restore, met, corrected := sqldbtest.Snapshot(t, url), true, 0
		for k := 1; met; k++ {
			before := corrected
			restore(t)
			var stands sqldbtest.Faults
			world, one := reopen(t, url, &sqldbtest.Faults{}), reopen(t, url, &stands)
			var beside sync.WaitGroup
			var errs [2]error
			stands.Arm(sqldbtest.CallerLeaves, k, func() {
				done := make(chan struct{})
				beside.Go(func() {
					defer close(done)
					if imports(world, yesterdaysFile) != nil { // the first clerk has it just now
						return
					}
					corrected++
					errs[0] = imports(world, correction)
				})
				soon(done)
			})
			if errs[1] = imports(one, yesterdaysFile); deposit.IsKind(errs[1], deposit.Conflict) {
				errs[1] = nil // refused, for the same reason
			}
			beside.Wait()
			_, met = stands.Heal()
			faults, err := sqldb.Value[int](t.Context(), world.db, "SELECT fault_count FROM statements WHERE state = 'COMPLETE' ORDER BY revision DESC LIMIT 1")
			if world.must(errors.Join(errs[0], errs[1], err)); corrected > before && faults > 0 {
				t.Errorf("before call %d: the old file is the bank's word", k)
			}
			world.must(errors.Join(world.db.Close(), one.db.Close()))
		}
		if corrected < 5 {
			t.Errorf("only %d corrections came in between", corrected)
		}
	})
}

// A meeting is two judges on a database that is brought back for each time they meet.
type meeting struct {
	url     string
	restore func(testing.TB)
	oneIn   int // of so many pairs of calls one is played
}

// newMeeting has a lot whose hour has come and which nobody has opened yet; nothing waits.
func newMeeting(t testing.TB, url string) *meeting {
	t.Helper()
	h := open(t, url)
	h.lot("L1", "1000.00", "2026-06-12 15:00:00")
	h.bid("L1", dongchang, "n1")
	h.judge()
	h.must(h.db.Close())
	return &meeting{url: url, restore: sqldbtest.Snapshot(t, url), oneIn: 1}
}

type judging func(context.Context, *reconcile.Desk) error

// all has the judges meet before every pair of their calls, and says what is wrong after which.
func (m *meeting) all(t testing.TB, judge judging) (wrong []string) {
	t.Helper()
	turn, met := int(time.Now().Unix()), 0
	firsts, seconds := m.calls(t, judge)
	for first := 1; first <= firsts; first++ {
		for second := 1; second <= seconds; second++ {
			if turn++; turn%m.oneIn != 0 {
				continue
			}
			met++
			if err := m.once(t, first, second, judge); err != nil {
				wrong = append(wrong, fmt.Sprintf("before call %d and call %d: %v", first, second, err))
			}
		}
	}
	t.Logf("%d and %d calls, met %d times", firsts, seconds, met)
	return wrong
}

// calls counts those of a judge for whom nothing waits, and of one who judges the credit.
func (m *meeting) calls(t testing.TB, judge judging) (none, some int) {
	t.Helper()
	m.restore(t)
	faults := &sqldbtest.Faults{}
	h := reopen(t, m.url, faults)
	defer func() { h.must(h.db.Close()) }()
	faults.Arm("", 0, nil)
	h.must(judge(t.Context(), h.reconcile))
	none, _ = faults.Heal()
	h.must(h.paidAside(t.Context()))
	faults.Arm("", 0, nil)
	h.must(judge(t.Context(), h.reconcile))
	some, _ = faults.Heal()
	return none, some
}

// once has them meet: the first stands before its call while all that is told above happens.
func (m *meeting) once(t testing.TB, first, second int, judge judging) error {
	t.Helper()
	m.restore(t)
	var oneStands, otherStands sqldbtest.Faults
	world, one, other := reopen(t, m.url, &sqldbtest.Faults{}), reopen(t, m.url, &oneStands), reopen(t, m.url, &otherStands)
	defer func() { world.must(errors.Join(world.db.Close(), one.db.Close(), other.db.Close())) }()
	ctx, through := context.WithCancel(t.Context()) // the first is through
	var beside sync.WaitGroup
	var errs [4]error
	oneStands.Arm(sqldbtest.CallerLeaves, first, func() {
		happened := make(chan struct{})
		beside.Go(func() {
			defer close(happened)
			errs[0] = world.paidAside(t.Context())
			met, judged := make(chan struct{}), make(chan struct{})
			otherStands.Arm(sqldbtest.CallerLeaves, second, func() { close(met); soon(ctx.Done()) })
			beside.Go(func() { defer close(judged); errs[1] = judge(t.Context(), other.reconcile) })
			select {
			case <-met:
			case <-judged:
			}
			_, errs[2] = world.platform.Record(t.Context(), "platform", platform.EventOrder{Number: "E1", Kind: platform.EventOpened, Lot: "L1", HappenedAt: wall("2026-06-12 15:00:00")})
		})
		soon(happened)
	})
	errs[3] = judge(t.Context(), one.reconcile)
	through()
	beside.Wait()
	if err := errors.Join(errs[:]...); err != nil && !errors.Is(err, sqldb.ErrStale) && !errors.Is(err, sqldb.ErrTaken) {
		return err
	}
	return world.meant(t.Context())
}

// soon waits for what happens, unless that waits for the locks of whoever stands here.
func soon(happened <-chan struct{}) {
	select {
	case <-happened:
	case <-time.After(20 * time.Millisecond):
	}
}

// paidAside delivers a credit of the bidder's on nobody's number.
func (h *house) paidAside(ctx context.Context) error {
	e := paid("aside", "n9", dongchang, "1000.00", "10:00:00")
	e.Bank, e.PayerKey = "lcyh", deposit.NameKey(e.PayerName)
	return h.receive(ctx, e, "aside")
}

// meant judges what still waits and says whether the credit is taken for the bidder's.
func (h *house) meant(ctx context.Context) error {
	if _, err := h.reconcile.JudgeAll(ctx); err != nil {
		return err
	}
	n, err := sqldb.Value[int](ctx, h.db, "SELECT COUNT(*) FROM matches WHERE suggested_bid <> 0")
	if err == nil && n != 1 {
		err = errors.New("the credit is nobody's")
	}
	if wrong := broken(h, "then"); wrong != "" {
		err = errors.Join(err, errors.New(wrong))
	}
	return err
}
