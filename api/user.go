package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/people"
)

// User is an account, as administrators and auditors see it.
type User struct {
	ID         sqldb.ID `json:"id"`
	Name       string   `json:"name"`
	Staff      string   `json:"staff"`
	Department string   `json:"department"`
	Roles      []Role   `json:"roles"`
	Asked      *Asked   `json:"asked,omitempty"`
	Password   bool     `json:"password"` // one was set
	Factor     bool     `json:"factor"`   // a second factor is set up
	State      string   `json:"state"`
	Version    int64    `json:"version"`
}

// Asked is what somebody asked for, until another grants it.
type Asked struct {
	Roles      []Role `json:"roles"`
	Department string `json:"department"`
	By         string `json:"by"`
}

// UserList is all accounts.
type UserList struct {
	Users []User `json:"users"`
}

// Invited is an account with the token by which its person sets the password; it is told once.
type Invited struct {
	User       User   `json:"user"`
	Invitation string `json:"invitation"`
}

func userOf(u people.User) User {
	told := User{ID: u.ID, Name: u.Name, Staff: u.Staff, Department: u.Department, Roles: append([]Role{}, u.Roles...), Password: u.HasPassword(), Factor: u.HasFactor(), State: u.State, Version: u.Version}
	if u.AskedBy != "" {
		told.Asked = &Asked{Roles: append([]Role{}, u.AskedRoles...), Department: u.AskedDepartment, By: u.AskedBy}
	}
	return told
}

func (s *server) getUsers(c *gin.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	all, err := s.People.Users(c.Request.Context())
	if err != nil {
		return err
	}
	told := UserList{Users: make([]User, len(all))}
	for i := range all {
		told.Users[i] = userOf(all[i])
	}
	c.JSON(http.StatusOK, told)
	return nil
}

// mostRoles is how long a list of roles may be.
const mostRoles = 400

// rolesOf reads roles as they are typed: "finance_maker,department".
func rolesOf(f *form) []Role { return people.Split(f.textIf("roles", mostRoles)) }

func (s *server) postUser(c *gin.Context) error {
	f, err := body(c)
	if err != nil {
		return err
	}
	order := people.Order{Name: f.text("name", mostNumber), Staff: f.text("staff", mostNumber), Department: f.textIf("department", mostNumber), Roles: rolesOf(f)}
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	u, invitation, err := s.People.Add(c.Request.Context(), author(c), order)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, Invited{User: userOf(u), Invitation: invitation})
	return nil
}

func (s *server) askRoles(c *gin.Context) error {
	id, f, err := bodyOn(c)
	if err != nil {
		return err
	}
	version, order := f.number("version"), people.Order{Department: f.textIf("department", mostNumber), Roles: rolesOf(f)}
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	u, err := s.People.Ask(c.Request.Context(), author(c), id, version, order)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, userOf(u))
	return nil
}

// bodyOn is the key in the path and the body.
func bodyOn(c *gin.Context) (sqldb.ID, *form, error) {
	id, err := idParam(c)
	if err != nil {
		return 0, nil, err
	}
	f, err := body(c)
	return id, f, err
}

// onUser does one thing to an account in the version that the caller has seen.
func (s *server) onUser(do func(context.Context, string, sqldb.ID, int64) (people.User, error)) func(*gin.Context) error {
	return func(c *gin.Context) error {
		id, version, err := versionOn(c)
		if err != nil {
			return err
		}
		u, err := do(c.Request.Context(), author(c), id, version)
		if err != nil {
			return err
		}
		c.JSON(http.StatusOK, userOf(u))
		return nil
	}
}

func versionOn(c *gin.Context) (sqldb.ID, int64, error) {
	id, f, err := bodyOn(c)
	if err != nil {
		return 0, 0, err
	}
	version := f.number("version")
	f.done()
	return id, version, f.err()
}

func (s *server) moveUser(act string) func(context.Context, string, sqldb.ID, int64) (people.User, error) {
	return func(ctx context.Context, by string, id sqldb.ID, version int64) (people.User, error) {
		return s.People.Move(ctx, by, id, version, act)
	}
}

func (s *server) resetUser(c *gin.Context) error {
	id, version, err := versionOn(c)
	if err != nil {
		return err
	}
	u, invitation, err := s.People.Reset(c.Request.Context(), author(c), id, version)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, Invited{User: userOf(u), Invitation: invitation})
	return nil
}

// DepartmentList is the centre's departments by name.
type DepartmentList struct {
	Departments []string `json:"departments"`
}

func (s *server) getDepartments(c *gin.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	return s.tellDepartments(c, http.StatusOK)
}

func (s *server) postDepartment(c *gin.Context) error {
	f, err := body(c)
	if err != nil {
		return err
	}
	name := f.text("name", mostNumber)
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	if err := s.People.AddDepartment(c.Request.Context(), author(c), name); err != nil {
		return err
	}
	return s.tellDepartments(c, http.StatusCreated)
}

func (s *server) tellDepartments(c *gin.Context, status int) error {
	all, err := s.People.Departments(c.Request.Context())
	if err != nil {
		return err
	}
	c.JSON(status, DepartmentList{append([]string{}, all...)})
	return nil
}
