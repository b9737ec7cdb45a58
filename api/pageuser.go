package api

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/people"
)

// userPages are the accounts of persons. Each act is what its JSON twin does, for the same role.
func (s *server) userPages() []Route {
	system, admins := []Role{people.SystemAdmin}, []Role{people.SystemAdmin, people.SecurityAdmin}
	return []Route{
		{"GET", "/users", userWatchers(), s.pageUsers, "", 0, shortly},
		{"POST", "/users", system, s.addUser, formType, maxDoor, shortly},
		{"POST", "/users/departments", system, s.addDepartment, formType, maxDoor, shortly},
		{"GET", "/users/:id", userWatchers(), s.pageUser, "", 0, shortly},
		{"POST", "/users/:id", admins, s.actOnUser, formType, maxDoor, shortly},
	}
}

// usersPage is the accounts that the address asks for.
type usersPage struct {
	Users       []User
	All         int // accounts there are
	Query       url.Values
	Roles       []Role
	Departments []string
	MayAdd      bool
	Problem     *Problem
	Order       people.Order // what was typed, when it was refused
}

func (s *server) pageUsers(c *gin.Context) error {
	if err := onlyParameters(c, "find", "role", "state"); err != nil {
		return err
	}
	return s.showUsers(c, people.Order{}, nil)
}

func (s *server) showUsers(c *gin.Context, typed people.Order, failed error) error {
	ctx := c.Request.Context()
	all, err := s.People.Users(ctx)
	if err != nil {
		return err
	}
	b := usersPage{All: len(all), Query: c.Request.URL.Query(), Roles: people.OfPersons, MayAdd: s.caller(c).Has(people.SystemAdmin), Order: typed}
	if b.Departments, err = s.People.Departments(ctx); err != nil {
		return err
	}
	for i := range all {
		if u := userOf(all[i]); b.wants(&u) {
			b.Users = append(b.Users, u)
		}
	}
	return s.showAgain(c, "users", view{Title: "用户", Menu: "/users", Body: &b}, &b.Problem, failed)
}

// wants says whether an account is asked for. The state "asked" is of those for which a role waits to be granted.
func (b *usersPage) wants(u *User) bool {
	find, role, state := strings.TrimSpace(b.Query.Get("find")), Role(b.Query.Get("role")), b.Query.Get("state")
	switch {
	case find != "" && !strings.Contains(u.Name, find) && !strings.Contains(u.Staff, find) && !strings.Contains(u.Department, find):
		return false
	case role != "" && !slices.Contains(u.Roles, role):
		return false
	case state == "asked":
		return u.Asked != nil
	}
	return state == "" || u.State == state
}

// invitedPage is an account with the token that its person is handed, which is shown once.
type invitedPage struct {
	User       User
	Invitation string
}

func (s *server) showInvited(c *gin.Context, u people.User, invitation string) error {
	return s.show(c, "invited", "", view{Title: "一次性口令", Menu: "/users", Body: invitedPage{userOf(u), invitation}})
}

func (s *server) addUser(c *gin.Context) error {
	by, err := s.person(c)
	if err != nil {
		return err
	}
	f, err := formOf(c)
	if err != nil {
		return err
	}
	order := people.Order{Name: f.text("name", mostNumber), Staff: f.text("staff", mostNumber), Department: f.textIf("department", mostNumber), Roles: tickedRoles(c)}
	if err := f.err(); err != nil {
		return s.showUsers(c, order, err)
	}
	u, invitation, err := s.People.Add(c.Request.Context(), by, order)
	if err != nil {
		return s.showUsers(c, order, err)
	}
	return s.showInvited(c, u, invitation)
}

func tickedRoles(c *gin.Context) []Role { return people.Split(strings.Join(chosen(c, "roles"), ",")) }

func (s *server) addDepartment(c *gin.Context) error {
	by, err := s.person(c)
	if err != nil {
		return err
	}
	if err := s.People.AddDepartment(c.Request.Context(), by, strings.TrimSpace(c.PostForm("name"))); err != nil {
		return s.showUsers(c, people.Order{}, err)
	}
	return seeOther(c, "/users")
}

// userPage is one account, with what the visitor may do to it.
type userPage struct {
	User
	Roles       []Role // all there are
	Departments []string
	System      bool
	Security    bool
	Problem     *Problem
}

func (s *server) pageUser(c *gin.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	id, err := idParam(c)
	if err != nil {
		return err
	}
	return s.showUser(c, id, nil)
}

func (s *server) showUser(c *gin.Context, id sqldb.ID, failed error) error {
	u, err := s.People.UserByID(c.Request.Context(), id)
	if err != nil {
		return err
	}
	who := s.caller(c)
	b := userPage{User: userOf(u), Roles: people.OfPersons, System: who.Has(people.SystemAdmin), Security: who.Has(people.SecurityAdmin)}
	if b.Departments, err = s.People.Departments(c.Request.Context()); err != nil {
		return err
	}
	return s.showAgain(c, "user", view{Title: u.Name, Menu: "/users", Body: &b}, &b.Problem, failed)
}

// userAct is what an administrator does to an account, and which. There is an invitation where a new one was made.
type userAct struct {
	roles []Role
	do    func(ctx context.Context, by string, id sqldb.ID, version int64, order people.Order) (u people.User, invitation string, err error)
}

func (s *server) userActs() map[string]userAct {
	system, security := []Role{people.SystemAdmin}, []Role{people.SecurityAdmin}
	simply := func(do func(context.Context, string, sqldb.ID, int64) (people.User, error)) func(context.Context, string, sqldb.ID, int64, people.Order) (people.User, string, error) {
		return func(ctx context.Context, by string, id sqldb.ID, version int64, _ people.Order) (people.User, string, error) {
			u, err := do(ctx, by, id, version)
			return u, "", err
		}
	}
	return map[string]userAct{
		"ask": {system, func(ctx context.Context, by string, id sqldb.ID, version int64, order people.Order) (people.User, string, error) {
			u, err := s.People.Ask(ctx, by, id, version, order)
			return u, "", err
		}},
		"reset": {system, func(ctx context.Context, by string, id sqldb.ID, version int64, _ people.Order) (people.User, string, error) {
			return s.People.Reset(ctx, by, id, version)
		}},
		"enable":  {system, simply(s.moveUser("enable"))},
		"disable": {slices.Concat(system, security), simply(s.moveUser("disable"))},
		"grant":   {security, simply(s.People.Grant)},
		"refuse":  {security, simply(s.People.Refuse)},
	}
}

func (s *server) actOnUser(c *gin.Context) error {
	id, by, f, err := s.formOnOne(c, "version")
	if err != nil {
		return err
	}
	name, version, order := f.text("act", mostNumber), f.number("version"), people.Order{Department: f.textIf("department", mostNumber), Roles: tickedRoles(c)}
	if err := f.err(); err != nil {
		return s.showUser(c, id, err)
	}
	act, known := s.userActs()[name]
	switch {
	case !known:
		return badParameter("act", "act_unknown", "没有这项操作")
	case !s.caller(c).Has(act.roles...):
		return roleMissing(act.roles)
	}
	u, invitation, err := act.do(c.Request.Context(), by, id, version, order)
	switch {
	case err != nil:
		return s.showUser(c, id, err)
	case invitation != "":
		return s.showInvited(c, u, invitation)
	}
	return seeOther(c, "/users/"+id.String())
}
