package people_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/platform/people"
)

// inHand is what a person has who stands at the door.
type inHand struct {
	cookie, invitation string
	factor             people.Factor
}

// A doorCase is a way through the door. Whoever got no answer tries again: with the same cookie, or where that opens nothing any
// more as anybody does who comes in.
type doorCase struct {
	name  string
	stage func(h *house) inHand // of 甲
	run   func(ctx context.Context, h *house, has inHand) error
}

// opens comes in with a cookie, which must be one by which somebody is known.
func opens(ctx context.Context, h *house, cookie string, err error) error {
	if err == nil {
		_, err = h.desk.Who(ctx, cookie)
	}
	return err
}

// inside does something in the session of the cookie; who finds that it has ended, since it was done before, logs in.
func inside(word string, do func(ctx context.Context, h *house, s *people.Session, has inHand) (cookie string, err error)) func(context.Context, *house, inHand) error {
	return func(ctx context.Context, h *house, has inHand) error {
		s, err := h.desk.Who(ctx, has.cookie)
		if deposit.IsKind(err, deposit.Denied) {
			cookie, _, err := h.desk.Login(ctx, people.Proof{Name: whom, Password: word, Code: has.factor.Code(h.now), Network: office}, "")
			return opens(ctx, h, cookie, err)
		}
		if err != nil {
			return err
		}
		cookie, err := do(ctx, h, s, has)
		return opens(ctx, h, cookie, err)
	}
}

func invited(h *house) inHand {
	_, invitation := h.asked(whom, people.Department)
	return inHand{invitation: invitation}
}

// leaves ends every session.
func leaves(h *house) {
	sqldbtest.Exec(h, h.url, "UPDATE sessions SET ended_at = '2026-06-12 09:00:00.000'")
}

func cameIn(h *house) inHand {
	h.granted(whom, people.Department)
	leaves(h)
	cookie, _ := h.in(whom)
	return inHand{cookie: cookie}
}

func withFactor(h *house) inHand {
	h.granted(whom, people.Department)
	leaves(h)
	_, s := h.in(whom)
	f, cookie, _ := h.enrolled(s)
	return inHand{cookie: cookie, factor: f}
}

func withKey(h *house) inHand {
	has := cameIn(h)
	s, err := h.desk.Who(ctx, has.cookie)
	h.must(err)
	has.factor, err = h.desk.Enrol(ctx, s)
	h.must(err)
	return has
}

var doorCases = []doorCase{
	{"First", func(*house) inHand { return inHand{} }, func(ctx context.Context, h *house, _ inHand) error {
		made, err := h.desk.First(ctx, "cli:root", people.Order{Name: whom, Staff: "1"}, people.Order{Name: "乙", Staff: "2"})
		if err == nil && (made[0] == "" || made[1] == "") {
			err = errors.New("nobody can take the account up")
		}
		return err
	}},
	{"Accept", invited, func(ctx context.Context, h *house, has inHand) error {
		cookie, _, err := h.desk.Accept(ctx, has.invitation, password, office)
		if deposit.IsKind(err, deposit.Denied) { // it was taken up
			cookie, _, err = h.desk.Login(ctx, people.Proof{Name: whom, Password: password, Network: office}, "")
		}
		return opens(ctx, h, cookie, err)
	}},
	{"Login", func(h *house) inHand {
		has := withFactor(h)
		leaves(h)
		return has
	}, func(ctx context.Context, h *house, has inHand) error {
		cookie, _, err := h.desk.Login(ctx, people.Proof{Name: whom, Password: password, Code: has.factor.Code(h.now), Network: office}, has.cookie)
		return opens(ctx, h, cookie, err)
	}},
	{"ChangePassword", cameIn, inside(another, func(ctx context.Context, h *house, s *people.Session, _ inHand) (string, error) {
		cookie, _, err := h.desk.ChangePassword(ctx, s, password, another, office)
		return cookie, err
	})},
	{"StepUp", withFactor, inside(password, func(ctx context.Context, h *house, s *people.Session, has inHand) (string, error) {
		cookie, _, err := h.desk.StepUp(ctx, s, people.Proof{Code: has.factor.Code(h.now), Network: office})
		return cookie, err
	})},
	{"Enrol", cameIn, inside(password, func(ctx context.Context, h *house, s *people.Session, has inHand) (string, error) {
		_, err := h.desk.Enrol(ctx, s)
		return has.cookie, err
	})},
	{"Confirm", withKey, inside(password, func(ctx context.Context, h *house, s *people.Session, has inHand) (string, error) {
		cookie, _, err := h.desk.Confirm(ctx, s, has.factor.Code(h.now), office)
		return cookie, err
	})},
	{"Logout", cameIn, func(ctx context.Context, h *house, has inHand) error {
		s, err := h.desk.Who(ctx, has.cookie)
		if err != nil {
			return strangersGo(err)
		}
		return h.desk.Logout(ctx, s)
	}},
}

// strangersGo takes a session that has ended for done.
func strangersGo(err error) error {
	if deposit.IsKind(err, deposit.Denied) {
		return nil
	}
	return err
}

// ways is what trying again leaves as trying once does. How often somebody tried, and how many sessions nobody has the cookie of,
// is not of it; that the door is open again is.
func ways(t testing.TB, url string) string {
	t.Helper()
	var all []string
	for _, query := range []string{"SELECT name || roles || (password <> '') || (factor <> '') || (factor_step > 0) || (invitation <> '') || state FROM users ORDER BY name",
		"SELECT COUNT(*) > 0 FROM sessions WHERE ended_at > '2100-01-01 00:00:00.000'", "SELECT tried FROM tries WHERE door <> 'all'",
		"SELECT user_id || network FROM networks", "SELECT became || COUNT(*) FROM events WHERE became NOT IN ('TRIED', 'CAME_IN', 'FIRST') GROUP BY became ORDER BY became"} {
		all = append(all, strings.Join(sqldbtest.Strings(t, url, query), ","))
	}
	return strings.Join(all, "\n")
}

// atTheDoor is trial for a way through the door. Each time it is tried a code of the second factor later.
func atTheDoor(t *testing.T, c doorCase) sqldbtest.Trial {
	t.Helper()
	h := local(t, people.Rules{})
	has := c.stage(h)
	h.must(h.db.Close())
	now := h.now
	return sqldbtest.Trial{URL: h.url, Now: func() time.Time { return now }, Shape: ways, Steps: true, Modes: sqldbtest.InTurn(3), Fresh: func() { now = h.now },
		Run: func(ctx context.Context, db *sqldb.DB) error {
			now = now.Add(30 * time.Second)
			return c.run(ctx, deskOn(t, db, now), has)
		}}
}
