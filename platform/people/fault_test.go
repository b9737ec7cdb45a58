package people_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/platform/people"
	"depositd/platform/people/peopletest"
)

// A useCase is one thing that is asked of the desk about 甲, and asked again by somebody who got no answer: that one looks first
// whether it is done.
type useCase struct {
	name  string
	stage func(h *house)
	run   func(ctx context.Context, h *house) error
}

// whom it is about.
const whom = "甲"

// changing is a use case that changes the account unless it is as it should be.
func changing(done func(people.User) bool, change func(ctx context.Context, h *house, u people.User) error) func(context.Context, *house) error {
	return func(ctx context.Context, h *house) error {
		u, err := h.desk.UserNamed(ctx, whom)
		if err != nil || done(u) {
			return err
		}
		return change(ctx, h, u)
	}
}

func nothingAsked(u people.User) bool { return u.AskedBy == "" }

func stands(h *house) {
	peopletest.Person(h, h.db, whom, "建设工程科", people.Department)
}

func asks(h *house) {
	stands(h)
	u, err := h.desk.UserNamed(ctx, whom)
	h.must(err)
	_, err = h.desk.Ask(ctx, "系统管理员", u.ID, u.Version, people.Order{Department: "建设工程科", Roles: []people.Role{people.Leader}})
	h.must(err)
}

var useCases = []useCase{
	{"AddDepartment", func(*house) {}, func(ctx context.Context, h *house) error {
		return h.desk.AddDepartment(ctx, "系统管理员", "政府采购科")
	}},
	{"Add", func(*house) {}, func(ctx context.Context, h *house) error {
		all, err := h.desk.Users(ctx)
		if err != nil || len(all) > 0 {
			return err
		}
		_, _, err = h.desk.Add(ctx, "系统管理员", people.Order{Name: whom, Staff: "007", Department: "建设工程科", Roles: []people.Role{people.Department}})
		return err
	}},
	{"Ask", stands, changing(func(u people.User) bool { return u.AskedBy != "" }, func(ctx context.Context, h *house, u people.User) error {
		_, err := h.desk.Ask(ctx, "系统管理员", u.ID, u.Version, people.Order{Department: "建设工程科", Roles: []people.Role{people.Leader}})
		return err
	})},
	{"Grant", asks, changing(nothingAsked, func(ctx context.Context, h *house, u people.User) error {
		_, err := h.desk.Grant(ctx, "安全管理员", u.ID, u.Version)
		return err
	})},
	{"Refuse", asks, changing(nothingAsked, func(ctx context.Context, h *house, u people.User) error {
		_, err := h.desk.Refuse(ctx, "安全管理员", u.ID, u.Version)
		return err
	})},
	{"Move", func(h *house) { stands(h); peopletest.Cookie(h, h.db, whom) }, changing(func(u people.User) bool { return u.State == people.Disabled },
		func(ctx context.Context, h *house, u people.User) error {
			_, err := h.desk.Move(ctx, "安全管理员", u.ID, u.Version, "disable")
			return err
		})},
	{"Reset", func(h *house) { stands(h); peopletest.Cookie(h, h.db, whom) }, changing(func(u people.User) bool { return !u.HasPassword() },
		func(ctx context.Context, h *house, u people.User) error {
			_, _, err := h.desk.Reset(ctx, "系统管理员", u.ID, u.Version)
			return err
		})},
	{"AddToken", func(*house) {}, func(ctx context.Context, h *house) error {
		all, err := h.desk.Tokens(ctx)
		if err != nil || len(all) > 0 {
			return err
		}
		_, _, err = h.desk.AddToken(ctx, "安全管理员", "platform", []people.Role{people.Platform})
		return err
	}},
	{"RevokeToken", func(h *house) { peopletest.Token(h, h.db, people.Platform) }, func(ctx context.Context, h *house) error {
		all, err := h.desk.Tokens(ctx)
		if err != nil || all[0].State != people.Active {
			return err
		}
		return h.desk.RevokeToken(ctx, "安全管理员", all[0].Name)
	}},
}

// standing is what the accounts, tokens and sessions have come to, and how often the trail tells what.
func standing(t *testing.T, url string) string {
	t.Helper()
	var all []string
	for _, query := range []string{"SELECT name || department || roles || asked_roles || asked_by || password || state || version FROM users ORDER BY name", "SELECT name FROM departments ORDER BY name",
		"SELECT scopes || state || version FROM tokens ORDER BY id", "SELECT ended_at > '2100' FROM sessions ORDER BY id", "SELECT table_name || was || became || COUNT(*) FROM events GROUP BY table_name, was, became ORDER BY table_name, was, became"} {
		all = append(all, strings.Join(sqldbtest.Strings(t, url, query), ","))
	}
	return strings.Join(all, "\n")
}

// faulty is a house whose database fails as it is told to.
func faulty(t *testing.T, faults *sqldbtest.Faults, url string) *house {
	t.Helper()
	h := &house{T: t, now: time.Date(2026, 6, 12, 9, 0, 0, 0, deposit.Shanghai)}
	var err error
	h.db, err = sqldb.OpenWith(ctx, url, func() time.Time { return h.now }, faults.Between)
	h.must(err)
	sqldbtest.Unlock(t, h.db)
	h.desk, err = people.NewDesk(h.db, make([]byte, people.KeySize), people.Rules{})
	h.must(err)
	return h
}

// disturbed lets each call of a use case fail in each way, and says where asking again does not end as if nothing had happened.
func disturbed(t *testing.T, c useCase) (calls int, wrong []string) {
	t.Helper()
	url := sqldb.FileURL(filepath.Join(sqldbtest.InMemory(t), "deposit.db"))
	h := newHouse(t, url, people.Rules{})
	c.stage(h)
	h.must(h.db.Close())
	restore := sqldbtest.Snapshot(t, url)
	try := func(mode sqldbtest.FaultMode, at int) (count int, ends string) {
		restore(t)
		faults := &sqldbtest.Faults{}
		h := faulty(t, faults, url)
		defer func() { _ = h.db.Close() }()
		leaving, leave := context.WithCancel(ctx)
		defer leave()
		faults.Arm(mode, at, leave)
		err := c.run(leaving, h)
		count, _ = faults.Heal()
		for range 3 { // a connection that broke may be met once more
			if err == nil {
				break
			}
			err = c.run(ctx, h)
		}
		h.must(err)
		return count, standing(t, url)
	}
	calls, want := try("", 0)
	for _, mode := range sqldbtest.FaultModes {
		for at := 1; at <= calls; at++ {
			if _, got := try(mode, at); got != want {
				wrong = append(wrong, fmt.Sprintf("call %d of %d, %s: %s\nwant %s", at, calls, mode, got, want))
			}
		}
	}
	return calls, wrong
}

// Whatever call to the database fails, and however, asking again leaves accounts, tokens, sessions and the trail as one undisturbed
// asking leaves them.
func TestTortureEveryCallFails(t *testing.T) {
	sqldbtest.Unwatched(t)
	for _, c := range useCases {
		t.Run(c.name, func(t *testing.T) {
			calls, wrong := disturbed(t, c)
			for _, one := range wrong {
				t.Error(one)
			}
			if calls < 4 {
				t.Errorf("only %d calls", calls)
			}
		})
	}
}

// A grant that strikes out the question and gives the roles in two transactions is found out.
func TestEveryCallFailsIsNoticed(t *testing.T) {
	sqldbtest.Unwatched(t)
	_, wrong := disturbed(t, useCase{"in two transactions", asks, changing(nothingAsked, func(ctx context.Context, h *house, u people.User) error {
		for _, text := range []string{"UPDATE users SET asked_by = '' WHERE id = ?", "UPDATE users SET roles = asked_roles WHERE id = ?"} {
			if err := h.db.Write(ctx, "安全管理员", func(tx *sqldb.Tx) error { _, err := tx.Exec(ctx, text, u.ID); return err }); err != nil {
				return err
			}
		}
		return nil
	})})
	if len(wrong) == 0 {
		t.Error("it is not found")
	}
}
