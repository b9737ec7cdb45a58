package people_test

import (
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/people"
)

// A session ends by itself: idle for half an hour, or ten hours old.
func TestSessionEndsByItself(t *testing.T) {
	each(t, func(h *house) {
		h.granted("张三", people.Department)
		idle, _ := h.in("张三")
		h.pass(30*time.Minute - time.Second)
		if !h.lives(idle) {
			t.Error("ended a second before its time")
		}
		h.pass(30 * time.Minute)
		if h.lives(idle) {
			t.Error("lives after half an hour without use")
		}
		busy, _ := h.in("张三")
		for range 39 { // nine hours and three quarters
			h.pass(15 * time.Minute)
			if !h.lives(busy) {
				t.Fatal("a busy session ended")
			}
		}
		h.pass(15*time.Minute - time.Second)
		if !h.lives(busy) {
			t.Error("ended a second before ten hours")
		}
		h.pass(time.Second)
		if h.lives(busy) {
			t.Error("lives after ten hours")
		}
	})
}

// What is done to an account holds from the next request on: a logout, a changed password, disabling, a reset, other roles.
func TestSessionFollowsItsAccount(t *testing.T) {
	each(t, func(h *house) {
		u := h.granted("张三", people.Department)
		first, s := h.in("张三")
		second, _ := h.in("张三")
		h.must(h.desk.Logout(ctx, s))
		if h.lives(first) || !h.lives(second) {
			t.Error("a logout ends its own session and no other")
		}
		_, s = h.in("张三")
		third, _, err := h.desk.ChangePassword(ctx, s, password, another, office)
		h.must(err)
		if h.lives(second) || !h.lives(third) {
			t.Error("a new password ends the others' sessions and goes on in a new one")
		}
		u, err = h.desk.Ask(ctx, "系统管理员", u.ID, h.user(u.ID).Version, people.Order{Roles: []people.Role{people.Auditor}})
		h.must(err)
		u, err = h.desk.Grant(ctx, "安全管理员", u.ID, u.Version)
		h.must(err)
		if s, err = h.desk.Who(ctx, third); err != nil || people.Join(s.User.Roles) != "auditor" || s.User.Department != "" {
			t.Errorf("the roles of the next request are %v of %q (%v)", s.User.Roles, s.User.Department, err)
		}
		u, err = h.desk.Move(ctx, "系统管理员", u.ID, u.Version, "disable")
		h.must(err)
		if h.lives(third) {
			t.Error("a disabled account is in")
		}
		_, _, err = h.login("张三", another, "", office)
		h.refused(err, "login_refused")
		u, err = h.desk.Move(ctx, "系统管理员", u.ID, u.Version, "enable")
		h.must(err)
		if h.lives(third) {
			t.Error("enabling brought an old session back")
		}
		fourth, _, err := h.login("张三", another, "", office)
		h.must(err)
		u, invitation, err := h.desk.Reset(ctx, "系统管理员", u.ID, h.user(u.ID).Version)
		h.must(err)
		if h.lives(fourth) || len(u.Roles) != 0 || u.AskedBy != "系统管理员" {
			t.Errorf("a reset leaves %v", u)
		}
		_, _, err = h.login("张三", another, "", office)
		h.refused(err, "login_refused")
		_, _, err = h.desk.Accept(ctx, invitation, password, office)
		h.must(err)
	})
}

// A session that has ended between two looks at it goes on in no other: not after a logout, not once its account is disabled.
func TestEndedSessionGoesNowhere(t *testing.T) {
	h := local(t, people.Rules{PasswordAlone: true})
	u := h.granted("张三", people.Department)
	_, s := h.in("张三")
	h.must(h.desk.Logout(ctx, s))
	_, _, err := h.desk.StepUp(ctx, s, people.Proof{Password: password, Network: office})
	h.refused(err, "unauthenticated")
	_, _, err = h.desk.ChangePassword(ctx, s, password, another, office)
	h.refused(err, "unauthenticated")
	_, s = h.in("张三")
	_, err = h.desk.Move(ctx, "系统管理员", u.ID, u.Version, "disable")
	h.must(err)
	_, _, err = h.desk.StepUp(ctx, s, people.Proof{Password: password, Network: office})
	h.refused(err, "unauthenticated")
}

// A login makes a cookie of its own and ends the session that the browser had; a step-up changes the cookie.
func TestSessionIsNotFixed(t *testing.T) {
	h := local(t, people.Rules{PasswordAlone: true})
	h.granted("张三", people.Department)
	planted := strings.Repeat("x", 43)
	cookie, _, err := h.desk.Login(ctx, people.Proof{Name: "张三", Password: password, Network: office}, planted)
	h.must(err)
	if h.lives(planted) || !h.lives(cookie) || len(cookie) != 43 {
		t.Errorf("the cookie is %q", cookie)
	}
	after, s, err := h.desk.Login(ctx, people.Proof{Name: "张三", Password: password, Network: office}, cookie)
	h.must(err)
	if h.lives(cookie) || !h.lives(after) {
		t.Error("the browser's old session goes on")
	}
	h.pass(6 * time.Minute)
	if s.Fresh(h.now) {
		t.Error("fresh after six minutes")
	}
	stepped, s, err := h.desk.StepUp(ctx, s, people.Proof{Password: password, Network: office})
	h.must(err)
	if h.lives(after) || !h.lives(stepped) || !s.Fresh(h.now) {
		t.Error("the step-up did not change the cookie")
	}
	h.pass(10*time.Hour - 6*time.Minute)
	if h.lives(stepped) {
		t.Error("a step-up made the session younger")
	}
}

// Nothing in the database opens anything: not the cookie, not the password, not a token, not the second factor's secret.
func TestOnlyHashesAreKept(t *testing.T) {
	each(t, func(h *house) {
		h.granted("张三", people.FinanceMaker)
		cookie, s := h.in("张三")
		f, stepped, _ := h.enrolled(s)
		token, _, err := h.desk.AddToken(ctx, "cli", "platform", []people.Role{people.Platform})
		h.must(err)
		var all strings.Builder
		for table, columns := range map[string]string{"users": "CONCAT(password, '|', factor, '|', invitation)", "sessions": "hash", "tokens": "CONCAT(hash, '|', scopes)"} {
			rows, err := sqldb.Select(ctx, h.db, func(s *string) []any { return []any{s} }, "SELECT "+columns+" FROM "+table)
			h.must(err)
			if len(rows) == 0 {
				t.Errorf("nothing in %s", table)
			}
			all.WriteString(strings.Join(rows, "\n"))
		}
		for _, secret := range []string{cookie, stepped, password, token, f.Secret} {
			if strings.Contains(all.String(), secret) {
				t.Errorf("%q stands in the database", secret)
			}
		}
		if !strings.Contains(all.String(), "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Errorf("the password is kept as\n%s", all.String())
		}
	})
}

// Three sessions a person: the fourth ends the one that was not used for the longest time.
func TestMostSessions(t *testing.T) {
	h := local(t, people.Rules{})
	h.granted("张三", people.Department)
	var cookies []string
	for range 4 {
		cookie, _ := h.in("张三")
		cookies = append(cookies, cookie)
		h.pass(2 * time.Minute)
	}
	for i, cookie := range cookies {
		if h.lives(cookie) != (i > 0) {
			t.Errorf("session %d lives: %v", i+1, i == 0)
		}
	}
}

// A token opens for its machine alone, and not once it is revoked.
func TestTokens(t *testing.T) {
	each(t, func(h *house) {
		text, _, err := h.desk.AddToken(ctx, "cli", "platform", []people.Role{people.Platform})
		h.must(err)
		got, err := h.desk.Machine(ctx, text)
		if err != nil || got.Name != "platform" || people.Join(got.Scopes) != "platform" {
			t.Errorf("got %v (%v)", got, err)
		}
		for _, wrong := range []string{"", text + "x", strings.TrimPrefix(text, "depositd_"), "depositd_"} {
			_, err := h.desk.Machine(ctx, wrong)
			h.refused(err, "unauthenticated")
		}
		_, _, err = h.desk.AddToken(ctx, "cli", "platform", []people.Role{people.Platform})
		h.refused(err, "token_exists")
		_, _, err = h.desk.AddToken(ctx, "cli", "leader", []people.Role{people.Leader})
		h.refused(err, "role_unknown")
		_, _, err = h.desk.AddToken(ctx, "cli", "Platform!", []people.Role{people.Platform})
		h.refused(err, "token_malformed")
		_, _, err = h.desk.AddToken(ctx, "cli", "idle", nil)
		h.refused(err, "role_missing")
		h.must(h.desk.RevokeToken(ctx, "cli", "platform"))
		_, err = h.desk.Machine(ctx, text)
		h.refused(err, "unauthenticated")
		h.refused(h.desk.RevokeToken(ctx, "cli", "platform"), "state_forbids")
		h.refused(h.desk.RevokeToken(ctx, "cli", "none"), "token_unknown")
		all, err := h.desk.Tokens(ctx)
		if err != nil || len(all) != 1 || all[0].State != people.Revoked {
			t.Errorf("tokens %v (%v)", all, err)
		}
	})
}
