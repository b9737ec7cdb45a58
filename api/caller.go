package api

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/platform/people"
)

// CallerKind is what somebody proved to be.
type CallerKind string

// The kinds of callers. A bank proves itself to its own handlers, by its seal: before them it is nobody.
const (
	Nobody  CallerKind = ""
	Person  CallerKind = "person"  // has a session
	Machine CallerKind = "machine" // has a token
)

// Caller is who sent the request. The zero value is nobody.
type Caller struct {
	Kind       CallerKind
	ID         sqldb.ID // the user's or the token's
	Name       string   // as it stands in the audit trail: a person's own, unique; a machine's as token:NAME
	Department string   // a person's; "" for those of the whole centre
	Roles      []Role   // a person's, or the scopes of a machine's token

	session *people.Session // a person's
}

// must is what a person has to do before anything else.
func (c Caller) must() []people.Must {
	if c.session == nil {
		return nil
	}
	return c.session.Must
}

// Has says whether the caller has one of the roles. Nobody has none.
func (c Caller) Has(roles ...Role) bool {
	return slices.ContainsFunc(c.Roles, func(r Role) bool { return slices.Contains(roles, r) })
}

// callerKey is the key under which gin keeps who sent the request.
const callerKey = "caller"

// caller is who sent the request, as it was found before the handler ran.
func (s *server) caller(c *gin.Context) Caller {
	found, _ := c.Value(callerKey).(Caller)
	return found
}

// person is the person of the session, for acts that several different people have to sign: a machine signs nothing.
func (s *server) person(c *gin.Context) (string, error) {
	who := s.caller(c)
	if who.Kind != Person {
		return "", problem(http.StatusForbidden, "person_unknown", "此操作须由本人登录后进行")
	}
	return who.Name, nil
}

// author is who stands in the audit trail: a person, a token, or where a bank's message came from.
func author(c *gin.Context) string {
	if who, ok := c.Value(callerKey).(Caller); ok && who.Kind != Nobody {
		return who.Name
	}
	return "http:" + c.ClientIP()
}

// wholeCentre are the roles whose eyes reach over all departments.
var wholeCentre = []Role{people.FinanceMaker, people.FinanceChecker, people.Leader, people.Auditor}

// sight is how far the caller's eyes reach over the lots. A machine writes facts and reads none.
func (s *server) sight(c *gin.Context) deposit.Sight {
	who := s.caller(c)
	switch {
	case who.Kind == Person && who.Has(wholeCentre...):
		return deposit.SightOfAll()
	case who.Kind == Person && who.Has(people.Department):
		return deposit.SightOf(who.Department)
	}
	return deposit.Sight{}
}
