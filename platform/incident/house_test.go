package incident_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// house is the desk over one database, with a clock that is set by hand.
type house struct {
	*incident.Desk
	t       *testing.T
	url     string
	db      *sqldb.DB
	now     time.Time
	changes []incident.Change // of the last commit
	told    atomic.Int64      // how often somebody was told after a commit
}

var ctx = context.Background()

// night is when the tests begin: nobody is there but the operator.
var night = time.Date(2026, 6, 12, 3, 0, 0, 0, deposit.Shanghai)

func eachHouse(t *testing.T, authority incident.Authority, test func(t *testing.T, h *house)) {
	t.Helper()
	sqldbtest.EachURL(t, func(t *testing.T, url string) { test(t, newHouse(t, url, authority)) })
}

// local is a house for what has nothing to do with the engine.
func local(t *testing.T) *house {
	t.Helper()
	return newHouse(t, sqldbtest.Place(t), incident.ByBoth)
}

func newHouse(t *testing.T, url string, authority incident.Authority) *house {
	t.Helper()
	h := &house{t: t, url: url, now: night}
	h.db = sqldbtest.Open(t, url, func() time.Time { return h.now })
	h.Desk = incident.NewDesk(h.db, plan(t), authority)
	h.Join(func(_ context.Context, _ *sqldb.Tx, c incident.Change) error {
		h.changes = append(h.changes, c)
		return nil
	})
	h.OnChange(func() { h.told.Add(1) })
	return h
}

// plan is the program's own.
func plan(t *testing.T) *incident.Plan {
	t.Helper()
	p, err := incident.Default()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// again is another replica's connection to the same database.
func (h *house) again() *sqldb.DB {
	h.t.Helper()
	return sqldbtest.Open(h.t, h.url, func() time.Time { return h.now })
}

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// refused holds an error to the code of its refusal.
func (h *house) refused(code string, err error) {
	h.t.Helper()
	if got := deposit.AsRefusal(err); err == nil || got.Code != code {
		h.t.Errorf("want %s, got %v", code, err)
	}
}

// read is the incident as it is by now.
func (h *house) read(id sqldb.ID) incident.Incident {
	h.t.Helper()
	i, err := incident.ByID(ctx, h.db, id)
	h.ok(err)
	return i
}

// kinds are the kinds of an incident's timeline, in its order.
func (h *house) kinds(id sqldb.ID) (kinds []incident.EntryKind) {
	h.t.Helper()
	all, err := incident.Timeline(ctx, h.db, id, 0)
	h.ok(err)
	for n, e := range all {
		if e.Seq != int64(n+1) || e.Kind.Chinese() == "" {
			h.t.Errorf("entry %d has the number %d and the kind %s", n+1, e.Seq, e.Kind)
		}
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func (h *house) pass(d time.Duration) { h.now = h.now.Add(d) }
