package people_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
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
func standing(t testing.TB, url string) string {
	t.Helper()
	var all []string
	for _, query := range []string{"SELECT name || department || roles || asked_roles || asked_by || password || state || version FROM users ORDER BY name", "SELECT name FROM departments ORDER BY name",
		"SELECT scopes || state || version FROM tokens ORDER BY id", "SELECT ended_at > '2100-01-01 00:00:00.000' FROM sessions ORDER BY id", "SELECT table_name || was || became || COUNT(*) FROM events GROUP BY table_name, was, became ORDER BY table_name, was, became"} {
		all = append(all, strings.Join(sqldbtest.Strings(t, url, query), ","))
	}
	return strings.Join(all, "\n")
}

// deskOn is a house over a database in which something may be between.
func deskOn(t *testing.T, db *sqldb.DB, now time.Time) *house {
	t.Helper()
	desk, err := people.NewDesk(db, make([]byte, people.KeySize), people.Rules{})
	h := &house{T: t, db: db, desk: desk, now: now}
	h.must(err)
	return h
}

// trial is a use case over a house of its own.
func trial(t *testing.T, c useCase) sqldbtest.Trial {
	t.Helper()
	h := local(t, people.Rules{})
	c.stage(h)
	h.must(h.db.Close())
	return sqldbtest.Trial{URL: h.url, Now: func() time.Time { return h.now }, Shape: standing, Modes: sqldbtest.InTurn(1),
		Run: func(ctx context.Context, db *sqldb.DB) error { return c.run(ctx, deskOn(t, db, h.now)) }}
}

// Whatever call to the database fails, and however, asking again leaves accounts, tokens, sessions and the trail as one undisturbed
// asking leaves them.
func TestTortureEveryCallFails(t *testing.T) {
	sqldbtest.Unwatched(t)
	for _, c := range useCases {
		t.Run(c.name, func(t *testing.T) { trial(t, c).Holds(t) })
	}
	for _, c := range doorCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			atTheDoor(t, c).Holds(t)
		})
	}
}

// No method of the desk that writes is forgotten.
func TestEveryMethodIsDisturbed(t *testing.T) {
	var names []string
	for _, c := range useCases {
		names = append(names, c.name)
	}
	for _, c := range doorCases {
		names = append(names, c.name)
	}
	for _, wrong := range sqldbtest.Forgotten(&people.Desk{}, names, readers...) {
		t.Error(wrong)
	}
	if wrong := sqldbtest.Forgotten(&people.Desk{}, slices.DeleteFunc(names, func(name string) bool { return name == "Reset" }), append(readers, "Login", "Gone")...); len(wrong) != 3 {
		t.Errorf("it does not notice: %q", wrong)
	}
}

// readers are the methods that write nothing; Who keeps the last use where it can, and it is all one whether it does.
var readers = []string{"Who", "Departments", "Tokens", "Machine", "Users", "UserNamed", "UserByID"}

// A grant that strikes out the question and gives the roles in two transactions is found out.
func TestEveryCallFailsIsNoticed(t *testing.T) {
	sqldbtest.Unwatched(t)
	if !trial(t, useCase{"in two transactions", asks, changing(nothingAsked, func(ctx context.Context, h *house, u people.User) error {
		for _, text := range []string{"UPDATE users SET asked_by = '' WHERE id = ?", "UPDATE users SET roles = asked_roles WHERE id = ?"} {
			if err := h.db.Write(ctx, "安全管理员", func(tx *sqldb.Tx) error { _, err := tx.Exec(ctx, text, u.ID); return err }); err != nil {
				return err
			}
		}
		return nil
	})}).Notices(t) {
		t.Error("it is not found")
	}
}
