package people

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// User is a person's account. It is never deleted, since the audit trail names it.
type User struct {
	ID              sqldb.ID
	Name            string // as it stands in the audit trail
	Staff           string // the staff number
	Department      string
	Roles           []Role // granted
	AskedRoles      []Role // asked for, by AskedBy; they count once another grants them
	AskedDepartment string
	AskedBy         string // "": nothing is asked for
	State           string
	Version         int64

	password     string
	passwordAt   time.Time
	factor       string
	factorStep   int64
	invitation   string
	invitedUntil time.Time
	roles, asked string
}

// The states of an account.
const (
	Active   = "ACTIVE"
	Disabled = "DISABLED"
)

// UserMoves is how an account's state changes.
var UserMoves = deposit.Machine{Active: {"disable": Disabled}, Disabled: {"enable": Active}}

// StateName is what people call the states of accounts and tokens.
var StateName = map[string]string{Active: "在用", Disabled: "停用", Revoked: "吊销"}

var users = sqldb.NewTable("users", "id, name, staff, department, roles, asked_roles, asked_department, asked_by, password, password_at, factor, factor_step, invitation, invited_until, state, version",
	func(u *User) []any {
		return []any{&u.ID, &u.Name, &u.Staff, &u.Department, &u.roles, &u.asked, &u.AskedDepartment, &u.AskedBy, &u.password, sqldb.Wall(&u.passwordAt), &u.factor, &u.factorStep,
			&u.invitation, sqldb.Wall(&u.invitedUntil), &u.State, &u.Version}
	})

// userWhere reads one account, ErrNone where there is none.
func userWhere(ctx context.Context, r sqldb.Reader, tail string, args ...any) (User, error) {
	u, err := users.One(ctx, r, tail, args...)
	u.Roles, u.AskedRoles = Split(u.roles), Split(u.asked)
	return u, err
}

// HasPassword says that the invitation was taken up.
func (u *User) HasPassword() bool { return u.password != "" }

// HasFactor says that the second factor was shown to work.
func (u *User) HasFactor() bool { return u.factorStep > 0 }

// Users are all accounts by name; a centre has some hundred.
func (d *Desk) Users(ctx context.Context) ([]User, error) {
	all, err := users.All(ctx, d.db, "ORDER BY name")
	for i := range all {
		all[i].Roles, all[i].AskedRoles = Split(all[i].roles), Split(all[i].asked)
	}
	return all, err
}

// UserNamed finds an account by its name.
func (d *Desk) UserNamed(ctx context.Context, name string) (User, error) {
	u, err := userWhere(ctx, d.db, "WHERE name = ?", name)
	return u, unknownUser(err)
}

// UserByID finds an account.
func (d *Desk) UserByID(ctx context.Context, id sqldb.ID) (User, error) {
	u, err := userWhere(ctx, d.db, "WHERE id = ?", id)
	return u, unknownUser(err)
}

func unknownUser(err error) error { return known(err, "user_unknown", "没有这个用户") }

// An Order asks for an account, or for what one is to have.
type Order struct {
	Name       string
	Staff      string
	Department string
	Roles      []Role
}

// The lengths of the columns, in characters.
const (
	mostName       = 80
	mostStaff      = 40
	mostDepartment = 64
)

func (o *Order) check() error {
	for _, f := range []struct {
		what, value string
		most        int
		needed      bool
	}{{"姓名", o.Name, mostName, true}, {"工号", o.Staff, mostStaff, true}, {"科室", o.Department, mostDepartment, false}} {
		if f.value != strings.TrimSpace(f.value) || !utf8.ValidString(f.value) || strings.ContainsFunc(f.value, unicode.IsControl) ||
			utf8.RuneCountInString(f.value) > f.most || f.needed && f.value == "" {
			return deposit.Refuse(deposit.Invalid, "user_malformed", f.what, "应为 1 至 ", f.most, " 个字符，前后无空格")
		}
	}
	if strings.Contains(o.Name, ":") { // cli:…, http:… and token:… are not persons
		return deposit.Refuse(deposit.Invalid, "user_malformed", "姓名不能含有冒号")
	}
	return checkRoles(o.Roles, OfPersons, o.Department)
}

// Add makes an account that asks for its roles, and an invitation for its person: told once, taken up once, within a day.
func (d *Desk) Add(ctx context.Context, by string, o Order) (u User, invitation string, err error) {
	if err := o.check(); err != nil {
		return u, "", err
	}
	u = User{Name: o.Name, Staff: o.Staff, AskedRoles: o.Roles, AskedDepartment: o.Department, AskedBy: by, asked: Join(o.Roles), State: Active, Version: 1}
	invitation, u.invitation = secret()
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		there, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM users WHERE name = ? OR staff = ?", o.Name, o.Staff)
		if err != nil {
			return err
		}
		if there > 0 {
			return deposit.Refuse(deposit.Conflict, "user_exists", "姓名或工号已有账户；同名的人请在姓名后加数字，一人只能有一个账户")
		}
		if err := checkDepartment(ctx, tx, o.Department); err != nil {
			return err
		}
		u.ID, u.invitedUntil = tx.NewID(), tx.Now.Add(invitationLasts)
		if err := users.Insert(ctx, tx, u); err != nil {
			return err
		}
		return tx.Note(ctx, "users", u.ID, "ADDED", "申请角色："+u.asked)
	})
	return u, invitation, err
}

// change runs a change of one account in the version that the caller has seen; version 0 is any.
func (d *Desk) change(ctx context.Context, by string, id sqldb.ID, version int64, f func(*sqldb.Tx, *User) error) (u User, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if u, err = userWhere(ctx, tx, "WHERE id = ?", id); err != nil {
			return unknownUser(err)
		}
		if version != 0 && u.Version != version {
			return sqldb.ErrStale
		}
		return f(tx, &u)
	})
	if err != nil {
		return User{}, err
	}
	return d.UserByID(ctx, id)
}

// Ask asks for other roles and another department in the place of those the account has; they count once another grants them.
func (d *Desk) Ask(ctx context.Context, by string, id sqldb.ID, version int64, o Order) (User, error) {
	return d.change(ctx, by, id, version, func(tx *sqldb.Tx, u *User) error {
		order := Order{u.Name, u.Staff, o.Department, o.Roles}
		if err := errors.Join(order.check(), checkDepartment(ctx, tx, o.Department)); err != nil {
			return err
		}
		if err := one(tx.Exec(ctx, "UPDATE users SET asked_roles = ?, asked_department = ?, asked_by = ?, version = version + 1 WHERE id = ? AND version = ?",
			Join(o.Roles), o.Department, by, id, u.Version)); err != nil {
			return err
		}
		return tx.Note(ctx, "users", id, "ASKED", "申请角色："+Join(o.Roles))
	})
}

// Grant gives an account what was asked for it. Nobody grants what they asked for, nor to themselves. It holds from the
// person's next request on.
func (d *Desk) Grant(ctx context.Context, by string, id sqldb.ID, version int64) (User, error) {
	return d.change(ctx, by, id, version, func(tx *sqldb.Tx, u *User) error {
		switch {
		case u.AskedBy == "":
			return deposit.Refuse(deposit.Conflict, "nothing_asked", "该用户没有待批准的角色申请")
		case u.AskedBy == by || u.Name == by:
			return deposit.Refuse(deposit.Denied, "second_person", "申请人和本人不能批准，请由另一人批准")
		}
		if err := one(tx.Exec(ctx, "UPDATE users SET roles = asked_roles, department = asked_department, asked_roles = '', asked_department = '', asked_by = '', version = version + 1 WHERE id = ? AND version = ?",
			id, u.Version)); err != nil {
			return err
		}
		return tx.Note(ctx, "users", id, "GRANTED", u.roles+" → "+u.asked)
	})
}

// Refuse strikes out what was asked for.
func (d *Desk) Refuse(ctx context.Context, by string, id sqldb.ID, version int64) (User, error) {
	return d.change(ctx, by, id, version, func(tx *sqldb.Tx, u *User) error {
		if u.AskedBy == "" {
			return deposit.Refuse(deposit.Conflict, "nothing_asked", "该用户没有待批准的角色申请")
		}
		if err := one(tx.Exec(ctx, "UPDATE users SET asked_roles = '', asked_department = '', asked_by = '', version = version + 1 WHERE id = ? AND version = ?", id, u.Version)); err != nil {
			return err
		}
		return tx.Note(ctx, "users", id, "REFUSED", u.asked)
	})
}

// Move disables an account, at once and with its sessions, or enables it. Nobody disables their own.
func (d *Desk) Move(ctx context.Context, by string, id sqldb.ID, version int64, act string) (User, error) {
	return d.change(ctx, by, id, version, func(tx *sqldb.Tx, u *User) error {
		if u.Name == by {
			return deposit.Refuse(deposit.Denied, "second_person", "不能停用自己的账户，请由另一人操作")
		}
		next, err := UserMoves.Next(u.State, act)
		if err != nil {
			return err
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "users", ID: id, Version: u.Version, From: u.State, To: next}); err != nil {
			return err
		}
		return endSessions(ctx, tx, id)
	})
}

// Reset is for whoever has lost the password or the second factor: both are struck out, and an invitation is made. The roles
// have to be granted again, so that nobody comes to another's by resetting them.
func (d *Desk) Reset(ctx context.Context, by string, id sqldb.ID, version int64) (u User, invitation string, err error) {
	invitation, hash := secret()
	u, err = d.change(ctx, by, id, version, func(tx *sqldb.Tx, u *User) error {
		asked, department := u.roles, u.Department
		if u.AskedBy != "" {
			asked, department = u.asked, u.AskedDepartment
		}
		if err := one(tx.Exec(ctx, "UPDATE users SET password = '', factor = '', factor_step = 0, invitation = ?, invited_until = ?, roles = '', department = '', "+
			"asked_roles = ?, asked_department = ?, asked_by = ?, version = version + 1 WHERE id = ? AND version = ?",
			hash, sqldb.At(tx.Now.Add(invitationLasts)), asked, department, by, id, u.Version)); err != nil {
			return err
		}
		return errors.Join(tx.Note(ctx, "users", id, "RESET", ""), endSessions(ctx, tx, id))
	})
	return u, invitation, err
}

// First makes the first administrator of either kind, who make and grant everybody else's accounts, and their invitations, taken
// up within an hour; of a kind that somebody has come in as it makes none, and "" is the invitation. It is for the command line
// alone: whoever is there could write the database as well. It helps too where the only one of a kind is lost.
func (d *Desk) First(ctx context.Context, by string, system, security Order) (invitations [2]string, err error) {
	orders := [2]Order{system, security}
	orders[0].Roles, orders[1].Roles = []Role{SystemAdmin}, []Role{SecurityAdmin}
	for i := range orders {
		if err := orders[i].check(); err != nil {
			return invitations, err
		}
	}
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		there, err := users.All(ctx, tx, "WHERE state = ? AND password <> '' ORDER BY id", Active)
		if err != nil {
			return err
		}
		for i, o := range orders {
			invitations[i] = ""
			if slices.ContainsFunc(there, func(u User) bool { return slices.Contains(Split(u.roles), o.Roles[0]) }) {
				continue
			}
			u := User{ID: tx.NewID(), Name: o.Name, Staff: o.Staff, Department: o.Department, roles: Join(o.Roles), State: Active, Version: 1, invitedUntil: tx.Now.Add(firstLasts)}
			invitations[i], u.invitation = secret()
			if err := putFirst(ctx, tx, u); err != nil {
				return err
			}
		}
		if invitations == [2]string{} {
			return deposit.Refuse(deposit.Conflict, "first_is_over", "系统管理员和安全管理员都已有人，请由其增加用户；忘记密码请用 depositd user reset")
		}
		return nil
	})
	return invitations, err
}

// putFirst stores a first administrator, or invites one again who has no password.
func putFirst(ctx context.Context, tx *sqldb.Tx, u User) error {
	was, err := userWhere(ctx, tx, "WHERE name = ? OR staff = ?", u.Name, u.Staff)
	switch {
	case errors.Is(err, sqldb.ErrNone):
		err = users.Insert(ctx, tx, u)
	case err == nil && (was.HasPassword() || was.Name != u.Name || was.Staff != u.Staff || was.State != Active || was.roles != "" && was.roles != u.roles):
		return deposit.Refuse(deposit.Conflict, "user_exists", "姓名或工号已有别的账户，请核对")
	case err == nil:
		u.ID = was.ID
		err = one(tx.Exec(ctx, "UPDATE users SET roles = ?, asked_roles = '', asked_department = '', asked_by = '', invitation = ?, invited_until = ?, version = version + 1 WHERE id = ? AND version = ?",
			u.roles, u.invitation, sqldb.At(u.invitedUntil), was.ID, was.Version))
	}
	if err != nil {
		return err
	}
	return tx.Note(ctx, "users", u.ID, "FIRST", u.roles)
}
