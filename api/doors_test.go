package api

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"depositd/platform/people"
	"depositd/platform/people/peopletest"
)

const doorsFile = "../testdata/golden/doors.txt"

// callers are the columns of the table: whoever can stand before a door.
var callers = []struct {
	name string
	role Role // "": a person without a role, or nobody
}{{"nobody", ""}, {"no-role", ""}, {"maker", people.FinanceMaker}, {"checker", people.FinanceChecker}, {"leader", people.Leader}, {"department", people.Department},
	{"auditor", people.Auditor}, {"it", people.ITOperator}, {"system", people.SystemAdmin}, {"security", people.SecurityAdmin}, {"audit", people.AuditAdmin},
	{"platform", people.Platform}, {"statements", people.Statements}}

// stands lets a request come from one of the callers.
func (h *house) stands(request *http.Request, name string, role Role) {
	h.t.Helper()
	switch {
	case name == "nobody":
	case role == people.Platform || role == people.Statements:
		if h.tokens[role] == "" {
			h.tokens[role] = peopletest.Token(h.t, h.db, role)
		}
		request.Header.Set("Authorization", "Bearer "+h.tokens[role])
	default:
		var roles []Role
		if role != "" {
			roles = []Role{role}
		}
		peopletest.Person(h.t, h.db, "门前-"+name, department, roles...)
		request.AddCookie(&http.Cookie{Name: cookieName, Value: peopletest.Cookie(h.t, h.db, "门前-"+name)})
	}
}

// door says how far a caller gets at a route: "401" and "403" at the door, "in" when the handler has it.
func (h *house) door(r Route, name string, role Role) string {
	h.t.Helper()
	path := strings.NewReplacer(":bank", "line", ":number", "LC-1", ":day", "2026-06-12", ":id", "0000000000002").Replace(r.Path)
	request := httptest.NewRequest(r.Method, path, bytes.NewReader([]byte("{}")))
	request.Header.Set("Content-Type", jsonType)
	h.stands(request, name, role)
	got := h.play(request)
	switch code := got.Body.String(); {
	case got.Code == http.StatusUnauthorized && strings.Contains(code, `"unauthenticated"`):
		return "401"
	case got.Code == http.StatusForbidden && strings.Contains(code, `"role_missing"`):
		return "403"
	case got.Code == http.StatusForbidden:
		h.t.Errorf("%s %s refused %s at no door: %s", r.Method, r.Path, name, got.Body)
	}
	return "in"
}

// table walks every caller to every route and writes down how far they got.
func (h *house) table() string {
	h.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%-55s", "")
	for _, c := range callers {
		fmt.Fprintf(&b, " %-10s", c.name)
	}
	for _, r := range h.server.routes() {
		fmt.Fprintf(&b, "\n%-55s", r.Method+" "+r.Path)
		for _, c := range callers {
			fmt.Fprintf(&b, " %-10s", h.door(r, c.name, c.role))
		}
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

// Every caller at every route: the table in testdata/golden says it for people, and the running handler does just that. A route
// that is new, or a role that it is opened to, is seen in the table's change.
func TestDoors(t *testing.T) {
	h := local(t)
	asWritten(t, doorsFile, h.table())
}

// asWritten holds a table to the one in a file, and tells the lines that differ.
func asWritten(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(written), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("what %s says (-) is not what is (+):\n%s", file, diff)
	}
}

// The table would show it: a route that forgets its roles does not start, and one that is opened to a role too many differs.
func TestDoorsNotice(t *testing.T) {
	h := local(t)
	routes := h.server.routes()
	for i := range routes {
		if routes[i].Path == "/v1/users" && routes[i].Method == http.MethodPost {
			routes[i].Roles = append(routes[i].Roles, people.ITOperator)
		}
	}
	h.handler, _ = h.server.mount(routes)
	want, err := os.ReadFile(doorsFile)
	if err != nil || h.table() == string(want) {
		t.Errorf("an IT operator who makes accounts went unnoticed (%v)", err)
	}
}

// What has to be set up comes first: with a role that wants a second factor and without one, only the session's own routes answer.
func TestSetupComesFirst(t *testing.T) {
	h := local(t)
	for _, r := range h.server.routes() {
		h.setFactors(0)
		path := strings.NewReplacer(":bank", "line", ":number", "LC-1", ":day", "2026-06-12", ":id", "0000000000002").Replace(r.Path)
		request := httptest.NewRequest(r.Method, path, strings.NewReader("{}"))
		request.Header.Set("Content-Type", jsonType)
		request.AddCookie(&http.Cookie{Name: cookieName, Value: h.cookie(everybody)})
		h.setFactors(0)
		got := h.play(request)
		free := len(r.Roles) == 1 && (r.Roles[0] == Public || r.Roles[0] == BankPeer || r.Roles[0] == LoggedIn)
		if refused := strings.Contains(got.Body.String(), `"setup_needed"`) || strings.Contains(got.Body.String(), `"role_missing"`); refused == free {
			t.Errorf("%s %s: %d %s", r.Method, r.Path, got.Code, got.Body)
		}
		delete(h.entered, everybody)
	}
}
