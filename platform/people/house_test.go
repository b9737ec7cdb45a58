package people_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/platform/people"
)

var ctx = context.Background()

// The words of the tests' people.
const (
	password = "Chunfeng#Huayu-88"
	another  = "Qiushui&Changtian-99"
	office   = "10.1.2.0/24"
	abroad   = "203.0.113.0/24"
)

// house is a desk on a clock that stands still.
type house struct {
	*testing.T
	url  string
	db   *sqldb.DB
	desk *people.Desk
	now  time.Time
}

// each runs a test on a house for every engine.
func each(t *testing.T, test func(h *house)) {
	t.Helper()
	sqldbtest.EachURL(t, func(t *testing.T, url string) { test(newHouse(t, url, people.Rules{})) })
}

// local is a house for what has nothing to do with the engine.
func local(t *testing.T, rules people.Rules) *house {
	t.Helper()
	return newHouse(t, sqldbtest.Place(t), rules)
}

func newHouse(t *testing.T, url string, rules people.Rules) *house {
	t.Helper()
	h := &house{T: t, url: url, now: time.Date(2026, 6, 12, 9, 0, 0, 0, deposit.Shanghai)}
	h.db = sqldbtest.Open(t, url, func() time.Time { return h.now })
	var err error
	h.desk, err = people.NewDesk(h.db, make([]byte, people.KeySize), rules)
	h.must(err)
	h.must(h.desk.AddDepartment(ctx, "系统管理员", "建设工程科"))
	return h
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *house) pass(d time.Duration) { h.now = h.now.Add(d) }

// refused holds an error to a refusal's code; "" is none.
func (h *house) refused(err error, code string) {
	h.Helper()
	got := ""
	var shut *people.Shut
	switch {
	case errors.As(err, &shut):
		got = "shut"
	case errors.Is(err, sqldb.ErrStale):
		got = "stale"
	case err != nil:
		got = deposit.AsRefusal(err).Code
	}
	if got != code {
		h.Errorf("got %q (%v), want %q", got, err, code)
	}
}

// asked makes an account that nobody has granted anything.
func (h *house) asked(name string, roles ...people.Role) (people.User, string) {
	h.Helper()
	u, invitation, err := h.desk.Add(ctx, "系统管理员", people.Order{Name: name, Staff: "no " + name, Department: "建设工程科", Roles: roles})
	h.must(err)
	return u, invitation
}

// granted makes an account with its roles and its password, taken up in the office.
func (h *house) granted(name string, roles ...people.Role) people.User {
	h.Helper()
	u, invitation := h.asked(name, roles...)
	_, err := h.desk.Grant(ctx, "安全管理员", u.ID, u.Version)
	h.must(err)
	_, _, err = h.desk.Accept(ctx, invitation, password, office)
	h.must(err)
	return h.user(u.ID)
}

func (h *house) user(id sqldb.ID) people.User {
	h.Helper()
	u, err := h.desk.UserByID(ctx, id)
	h.must(err)
	return u
}

func (h *house) login(name, password, code, network string) (string, *people.Session, error) {
	return h.desk.Login(ctx, people.Proof{Name: name, Password: password, Code: code, Network: network}, "")
}

// in logs somebody in who has no second factor.
func (h *house) in(name string) (string, *people.Session) {
	h.Helper()
	cookie, s, err := h.login(name, password, "", office)
	h.must(err)
	return cookie, s
}

// enrolled gives somebody a second factor, and the session that goes on.
func (h *house) enrolled(s *people.Session) (people.Factor, string, *people.Session) {
	h.Helper()
	f, err := h.desk.Enrol(ctx, s)
	h.must(err)
	cookie, after, err := h.desk.Confirm(ctx, s, f.Code(h.now), office)
	h.must(err)
	return f, cookie, after
}

func (h *house) lives(cookie string) bool {
	h.Helper()
	_, err := h.desk.Who(ctx, cookie)
	if err != nil {
		h.refused(err, "unauthenticated")
	}
	return err == nil
}
