package people_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"depositd/platform/deposit"
	"depositd/platform/people"
)

var update = flag.Bool("update", false, "rewrite the drawings in testdata/golden")

// A change of a state machine is seen by a person: its drawing stands in testdata/golden.
func TestMachinesAreDrawn(t *testing.T) {
	for name, m := range map[string]deposit.Machine{"user": people.UserMoves, "token": people.TokenMoves} {
		file := "../../testdata/golden/machine_" + name + ".txt"
		if *update {
			if err := os.WriteFile(file, []byte(m.Draw()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || m.Draw() != string(want) {
			t.Errorf("%s is drawn as\n%swhich is not %s (%v)", name, m.Draw(), file, err)
		}
		for state := range m {
			if people.StateName[state] == "" {
				t.Errorf("%s has no name", state)
			}
		}
	}
	for _, r := range append(people.OfPersons, people.Scopes...) {
		if r.Chinese() == "" {
			t.Errorf("%s has no name", r)
		}
	}
}

// Roles that are not to be in one hand: every pair is listed, the others may be together.
func TestRolesApart(t *testing.T) {
	money := []people.Role{people.FinanceMaker, people.FinanceChecker, people.Leader}
	admins := []people.Role{people.SystemAdmin, people.SecurityAdmin, people.AuditAdmin}
	apart := map[[2]people.Role]bool{}
	set := func(a, b people.Role) { apart[[2]people.Role{a, b}], apart[[2]people.Role{b, a}] = a != b, a != b }
	for _, m := range money {
		for _, other := range append([]people.Role{people.ITOperator, people.Auditor}, admins...) {
			set(m, other)
		}
	}
	for _, a := range admins {
		for _, b := range admins {
			set(a, b)
		}
	}
	h := local(t, people.Rules{})
	n := 0
	for _, a := range people.OfPersons {
		for _, b := range people.OfPersons {
			if a == b {
				continue
			}
			n++
			_, _, err := h.desk.Add(ctx, "系统管理员", people.Order{Name: fmt.Sprint("甲", n), Staff: fmt.Sprint(n), Department: "建设工程科", Roles: []people.Role{a, b}})
			h.refused(err, map[bool]string{true: "roles_apart"}[apart[[2]people.Role{a, b}]])
		}
	}
}

// Nobody comes to a role alone: not whoever asks, not whoever it is for, and not by a reset.
func TestGrantTakesTwo(t *testing.T) {
	each(t, func(h *house) {
		u, _ := h.asked("张三", people.Leader)
		_, err := h.desk.Grant(ctx, "系统管理员", u.ID, u.Version)
		h.refused(err, "second_person")
		_, err = h.desk.Grant(ctx, "张三", u.ID, u.Version)
		h.refused(err, "second_person")
		_, err = h.desk.Grant(ctx, "安全管理员", u.ID, u.Version+1)
		h.refused(err, "stale")
		_, err = h.desk.Grant(ctx, "安全管理员", u.ID+2, u.Version)
		h.refused(err, "user_unknown")
		u, err = h.desk.Grant(ctx, "安全管理员", u.ID, u.Version)
		h.must(err)
		if people.Join(u.Roles) != "leader" || u.AskedBy != "" {
			t.Errorf("granted %+v", u)
		}
		_, err = h.desk.Grant(ctx, "安全管理员", u.ID, u.Version)
		h.refused(err, "nothing_asked")
		_, err = h.desk.Refuse(ctx, "安全管理员", u.ID, u.Version)
		h.refused(err, "nothing_asked")
		_, err = h.desk.Ask(ctx, "系统管理员", u.ID, u.Version, people.Order{Roles: []people.Role{people.SystemAdmin, people.Leader}})
		h.refused(err, "roles_apart")
		u, err = h.desk.Ask(ctx, "系统管理员", u.ID, u.Version, people.Order{Roles: []people.Role{people.FinanceMaker}})
		h.must(err)
		if people.Join(u.Roles) != "leader" {
			t.Errorf("what was asked counts already: %v", u.Roles)
		}
		u, err = h.desk.Refuse(ctx, "安全管理员", u.ID, u.Version)
		h.must(err)
		if people.Join(u.Roles) != "leader" || len(u.AskedRoles) != 0 {
			t.Errorf("refused, and yet %+v", u)
		}
		_, err = h.desk.Move(ctx, "张三", u.ID, u.Version, "disable")
		h.refused(err, "second_person")
		_, err = h.desk.Move(ctx, "系统管理员", u.ID, u.Version, "enable")
		h.refused(err, "state_forbids")
		u, _, err = h.desk.Reset(ctx, "系统管理员", u.ID, u.Version)
		h.must(err)
		_, err = h.desk.Grant(ctx, "系统管理员", u.ID, u.Version)
		h.refused(err, "second_person")
	})
}

// One person has one account, by the staff number; names that could be taken for something else are none.
func TestOneAccountAPerson(t *testing.T) {
	each(t, func(h *house) {
		h.asked("张三", people.Department)
		for _, o := range []people.Order{{Name: "张三", Staff: "other"}, {Name: "张三2", Staff: "no 张三"}} {
			_, _, err := h.desk.Add(ctx, "系统管理员", o)
			h.refused(err, "user_exists")
		}
		for _, o := range []people.Order{{Name: "", Staff: "1"}, {Name: "甲", Staff: ""}, {Name: " 甲", Staff: "1"}, {Name: "token:甲", Staff: "1"}, {Name: "甲\n", Staff: "1"}, {Name: "\xff", Staff: "1"}} {
			_, _, err := h.desk.Add(ctx, "系统管理员", o)
			h.refused(err, "user_malformed")
		}
		_, _, err := h.desk.Add(ctx, "系统管理员", people.Order{Name: "甲", Staff: "1", Roles: []people.Role{people.Department}})
		h.refused(err, "department_missing")
		for roles, code := range map[string]string{"department_head": "department_missing", "leader,department_head": "department_missing", "it_operator,department_head": ""} {
			_, _, err = h.desk.Add(ctx, "系统管理员", people.Order{Name: "乙" + roles, Staff: roles, Roles: people.Split(roles)})
			h.refused(err, code)
		}
		_, _, err = h.desk.Add(ctx, "系统管理员", people.Order{Name: "甲", Staff: "1", Roles: []people.Role{people.Platform}})
		h.refused(err, "role_unknown")
	})
}

// Accounts belong to the departments there are.
func TestDepartments(t *testing.T) {
	each(t, func(h *house) {
		h.must(h.desk.AddDepartment(ctx, "系统管理员", "政府采购科"))
		h.must(h.desk.AddDepartment(ctx, "系统管理员", "政府采购科")) // said again
		for _, wrong := range []string{"", " 科", "科\n", string(make([]rune, 65))} {
			h.refused(h.desk.AddDepartment(ctx, "系统管理员", wrong), "department_malformed")
		}
		all, err := h.desk.Departments(ctx)
		if err != nil || !slices.Equal(all, []string{"建设工程科", "政府采购科"}) {
			t.Errorf("departments %v (%v)", all, err)
		}
		_, _, err = h.desk.Add(ctx, "系统管理员", people.Order{Name: "甲", Staff: "1", Department: "建设科", Roles: []people.Role{people.Department}})
		h.refused(err, "department_unknown")
		u, _ := h.asked("乙", people.Department)
		_, err = h.desk.Ask(ctx, "系统管理员", u.ID, u.Version, people.Order{Department: "建设科", Roles: []people.Role{people.Department}})
		h.refused(err, "department_unknown")
		_, err = h.desk.Ask(ctx, "系统管理员", u.ID, u.Version, people.Order{Department: "政府采购科", Roles: []people.Role{people.Department}})
		h.must(err)
	})
}

// The first administrators are two, come by invitation within the hour, and are not made again while they are there.
func TestFirst(t *testing.T) {
	each(t, func(h *house) {
		first := func(system, security string) ([2]string, error) {
			return h.desk.First(ctx, "cli", people.Order{Name: system, Staff: "s" + system}, people.Order{Name: security, Staff: "s" + security})
		}
		_, err := first("甲", "甲")
		h.refused(err, "user_exists")
		_, err = first("甲", "乙")
		h.must(err)
		h.pass(time.Hour)
		again, err := first("甲", "乙") // the first invitations have run out
		h.must(err)
		_, s, err := h.desk.Accept(ctx, again[0], password, office)
		h.must(err)
		if people.Join(s.User.Roles) != "system_admin" || len(s.Must) != 1 || s.Must[0] != people.SetFactor {
			t.Errorf("the first administrator is %v and must %v", s.User.Roles, s.Must)
		}
		_, _, err = h.desk.Accept(ctx, again[1], password, office)
		h.must(err)
		_, err = first("丙", "丁")
		h.refused(err, "first_is_over")
		b, err := h.desk.UserNamed(ctx, "乙")
		h.must(err)
		_, _, err = h.desk.Reset(ctx, "甲", b.ID, b.Version) // the only one who could grant the role again
		h.must(err)
		_, err = first("甲", "甲")
		h.refused(err, "user_exists")
		lost, err := first("甲", "乙")
		h.must(err)
		if _, s, err = h.desk.Accept(ctx, lost[1], password, office); err != nil || lost[0] != "" || people.Join(s.User.Roles) != "security_admin" {
			t.Errorf("the lost administrator comes back as %+v (%v)", s, err)
		}
		all, err := h.desk.Users(ctx)
		if err != nil || len(all) != 2 {
			t.Errorf("%d users (%v)", len(all), err)
		}
	})
}

// What the two policies take and refuse; a password of the graded one lasts ninety days.
func TestPasswordPolicies(t *testing.T) {
	for _, c := range []struct {
		password     string
		graded, asvs bool
	}{
		{password, true, true},
		{"correct horse battery", false, true}, // two kinds only
		{"Xk9#short", false, false},
		{"gzrwmvkqpltd", false, true},
		{"Password2026!!", false, false},
		{"P@ssw0rd@123456", false, false},
		{"Qwertyuiop123!", false, false},
		{"1qaz2wsx3edc!A", false, false},
		{"839201748392", false, false},
		{"Aa1!Aa1!Aa1!", false, false},
		{"Woaini1314520!", false, false},
		{"张三-Xkfjw-2039", false, false}, // the name
		{"Xk9#no 张三xyz", false, false},  // the staff number
		{"Xkfjw-2039\tab", false, false},
		{string(make([]byte, 200)), false, false},
	} {
		for policy, fine := range map[people.Policy]bool{people.Graded: c.graded, people.ASVS: c.asvs} {
			if got := policy.Check(c.password, "张三", "no 张三") == nil; got != fine {
				t.Errorf("%q under %q: taken %v", c.password, policy, got)
			}
		}
	}
	for policy, must := range map[people.Policy]int{people.Graded: 1, people.ASVS: 0} {
		h := local(t, people.Rules{Policy: policy})
		h.granted("张三", people.Department)
		h.pass(90*24*time.Hour - time.Second)
		if _, s := h.in("张三"); len(s.Must) != 0 {
			t.Errorf("%q: must %v a second early", policy, s.Must)
		}
		h.pass(time.Second)
		_, s := h.in("张三")
		if len(s.Must) != must {
			t.Errorf("%q: must %v after ninety days", policy, s.Must)
		}
		_, _, err := h.desk.ChangePassword(ctx, s, another, another, office)
		h.refused(err, "login_refused")
		_, _, err = h.desk.ChangePassword(ctx, s, password, password, office)
		h.refused(err, "password_weak")
		_, s, err = h.desk.ChangePassword(ctx, s, password, another, office)
		h.must(err)
		if len(s.Must) != 0 {
			t.Errorf("%q: must %v after the change", policy, s.Must)
		}
	}
}
