package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

// clocked is a house whose clock is set by hand, with one pool.
type clocked struct {
	house
	now *time.Time
}

const (
	poolBank   = "ICBC"
	poolParent = "3705018860000000123"
)

func eachClock(t *testing.T, test func(h clocked)) {
	t.Helper()
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		now := noon
		db := sqldbtest.Open(t, url, func() time.Time { return now })
		test(clocked{house{t, db, NewDesk(db)}, &now})
	})
}

func (h clocked) pass(d time.Duration) { *h.now = h.now.Add(d) }

// write runs f in a transaction and gives its error.
func (h house) write(f func(tx *sqldb.Tx) error) error {
	h.Helper()
	return h.db.Write(ctx, "test", f)
}

func (h house) load(subAccounts ...string) LoadResult {
	h.Helper()
	result, err := h.desk.LoadNumbers(ctx, "test", poolBank, poolParent, subAccounts)
	if err != nil {
		h.Fatal(err)
	}
	return result
}

// ask asks for a bid's number; "" where the pool is empty.
func (h house) ask(bid Bid) string {
	h.Helper()
	lease, _, err := h.desk.Allocate(ctx, "test", NumberOrder{bid.ID, poolBank, poolParent})
	if err != nil && deposit.AsRefusal(err).Code != "pool_exhausted" {
		h.Fatal(err)
	}
	return lease.SubAccount
}

// bidder is a new bid on a lot, without a number.
func (h house) bidder(lot, name string) Bid {
	h.Helper()
	return h.putBid(BidOrder{Lot: lot, Bidder: name})
}

func (h house) numberOf(subAccount string) Number {
	h.Helper()
	n, err := NumberOf(ctx, h.db, poolBank, subAccount)
	if err != nil {
		h.Fatal(err)
	}
	return n
}

// release releases a number of which everything is well, for ninety days.
func (h house) release(subAccount string) {
	h.Helper()
	if err := h.tryRelease(ReleaseOrder{poolBank, subAccount, 0, true, Quarantine}); err != nil {
		h.Fatal(err)
	}
}

func (h house) tryRelease(o ReleaseOrder) error {
	h.Helper()
	return h.write(func(tx *sqldb.Tx) error {
		_, err := Release(ctx, tx, o)
		return err
	})
}

func (h house) free() int {
	h.Helper()
	n, err := h.desk.FreeDue(ctx, "test", h.db.Now())
	if err != nil {
		h.Fatal(err)
	}
	return n
}

func (h house) wantState(subAccount string, want NumberState) {
	h.Helper()
	if n := h.numberOf(subAccount); n.State != want {
		h.Errorf("number %s is %s, want %s", subAccount, n.State, want)
	}
}

// standing puts a number straight into a state.
func (h house) standing(subAccount string, state NumberState) Number {
	h.Helper()
	n := Number{ID: sqldb.NewID(), Bank: poolBank, SubAccount: subAccount, Parent: poolParent, State: state, Since: noon, Version: 1}
	if err := h.write(func(tx *sqldb.Tx) error { return numbers.Insert(ctx, tx, n) }); err != nil {
		h.Fatal(err)
	}
	return n
}

// Every act in every state: what is on the map is done and stands in the audit trail, what is not is refused and leaves
// no trace; and of two who saw the same state the second is told so.
func TestEveryActInEveryState(t *testing.T) {
	eachClock(t, func(h clocked) {
		steps := 0
		for state := range numberStateNames {
			for act, name := range numberActNames {
				n := h.standing(fmt.Sprint(state, "-", act), state)
				want := numberMoves[string(state)][string(act)]
				before := h.written()
				step := func() error {
					return h.write(func(tx *sqldb.Tx) error {
						_, err := n.step(ctx, tx, act, "")
						return err
					})
				}
				err := step()
				if want == "" {
					wantRefused(h.T, err, deposit.Conflict, "state_forbids", "sub_account")
					if h.written() != before || name == "" {
						h.Errorf("%s of a number %s: refused, but something was written", act, state)
					}
					continue
				}
				steps++
				if err != nil || h.numberOf(n.SubAccount).State != NumberState(want) {
					h.Errorf("%s of a number %s: %v, %v", act, state, h.numberOf(n.SubAccount).State, err)
				}
				if err := step(); err == nil || !strings.Contains(err.Error(), sqldb.ErrStale.Error()) {
					h.Errorf("%s of a number %s, seen before somebody else did it: %v", act, state, err)
				}
			}
		}
		n, err := sqldb.Value[int](ctx, h.db, "SELECT COUNT(*) FROM events WHERE table_name = 'numbers'")
		if err != nil || n != steps {
			h.Errorf("%d steps in the audit trail (%v), the machine has %d", n, err, steps)
		}
	})
}

// Each use case in each state of a number does what the map says, or nothing.
func TestEveryUseCaseInEveryState(t *testing.T) {
	cases := []struct {
		name string
		act  numberAct
		do   func(h clocked, subAccount string) error
		none string // what is answered where the state knows no such act; "" where nothing is done without a word
	}{
		{"release", actRelease, func(h clocked, s string) error { return h.tryRelease(ReleaseOrder{poolBank, s, 0, true, Quarantine}) }, "state_forbids"},
		{"retire", actRetire, func(h clocked, s string) error {
			return h.write(func(tx *sqldb.Tx) error { return Retire(ctx, tx, poolBank, s, "") })
		}, "state_forbids"},
		{"late money", actLate, func(h clocked, s string) error {
			return h.write(func(tx *sqldb.Tx) error {
				restarted, err := RestartQuarantine(ctx, tx, poolBank, s, Quarantine)
				if was := h.numberOf(s).State; restarted != (was == NumberFree || was == NumberQuarantined) {
					h.Errorf("late money on a number %s: restarted=%v", was, restarted)
				}
				return err
			})
		}, ""},
		{"the end of the quarantine", actFree, func(h clocked, _ string) error {
			_, err := h.desk.FreeDue(ctx, "test", noon)
			return err
		}, ""},
		{"an allocation", actLease, func(h clocked, s string) error {
			h.putLot(LotOrder{Number: s, Department: "建设工程科", Deposit: 1, OpensAt: lotA.OpensAt})
			_, _, err := h.desk.Allocate(ctx, "test", NumberOrder{h.bidder(s, "海岳").ID, poolBank, poolParent})
			return err
		}, "pool_exhausted"},
		{"the platform's word", actLease, func(h clocked, s string) error {
			h.putLot(LotOrder{Number: s, Department: "建设工程科", Deposit: 1, OpensAt: lotA.OpensAt})
			_, _, err := h.desk.PutBid(ctx, "test", BidOrder{Lot: s, Bidder: "海岳", Bank: poolBank, SubAccount: s})
			return err
		}, "number_not_free"},
	}
	eachClock(t, func(h clocked) {
		for _, c := range cases {
			for state := range numberStateNames {
				subAccount := fmt.Sprint(strings.ReplaceAll(c.name, " ", "-"), state)
				h.standing(subAccount, state)
				want, code := numberMoves[string(state)][string(c.act)], ""
				if want == "" {
					want, code = string(state), c.none
				}
				err := c.do(h, subAccount)
				if code == "" && err != nil || code != "" && (err == nil || deposit.AsRefusal(err).Code != code) {
					h.Errorf("%s on a number %s: %v, want %q", c.name, state, err, code)
				}
				h.wantState(subAccount, NumberState(want))
				sqldbExec(h, "DELETE FROM number_asks", "DELETE FROM numbers", "DELETE FROM leases")
			}
		}
	})
}

func sqldbExec(h clocked, statements ...string) {
	h.Helper()
	err := h.write(func(tx *sqldb.Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
}

func TestNumbersOfEveryStateAndActHaveNames(t *testing.T) {
	if !slices.Equal(slices.Sorted(maps.Keys(numberMoves)), sortedStates()) {
		t.Errorf("the machine has the states %v, names %v", slices.Sorted(maps.Keys(numberMoves)), sortedStates())
	}
	for state, acts := range numberMoves {
		for act, next := range acts {
			if numberActNames[numberAct(act)] == "" || NumberState(next).Chinese() == "" || NumberState(state).Chinese() == "" {
				t.Errorf("%s -%s-> %s: not all of them have names", state, act, next)
			}
		}
	}
}

func sortedStates() (all []string) {
	for state := range numberStateNames {
		all = append(all, string(state))
	}
	slices.Sort(all)
	return all
}
