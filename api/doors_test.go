package api

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"depositd/migrations/sqldb"
	"depositd/platform/people"
	"depositd/platform/people/peopletest"
)

const doorsFile = "../testdata/golden/doors.txt"

// callers are the columns of the table: whoever can stand before a door.
var callers = []struct {
	name string
	role Role // "": a person without a role, or nobody
}{{"nobody", ""}, {"no-role", ""}, {"maker", people.FinanceMaker}, {"checker", people.FinanceChecker}, {"leader", people.Leader}, {"department", people.Department},
	{"auditor", people.Auditor}, {"it", people.ITOperator}, {"head", people.Head}, {"system", people.SystemAdmin}, {"security", people.SecurityAdmin}, {"audit", people.AuditAdmin},
	{"platform", people.Platform}, {"statements", people.Statements}}

// stands lets a request come from one of the callers.
func (h *house) stands(request *http.Request, name string, role Role) {
	h.t.Helper()
	if request.Method == http.MethodPost {
		request.Header.Set(idempotencyKey, "test-"+sqldb.NewID().String())
	}
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
	case h.server.pageRoles[r.Path] != nil && got.Code == http.StatusSeeOther && strings.HasPrefix(got.Header().Get("Location"), "/login"): // what a page does with strangers
		return "401"
	case got.Code == http.StatusForbidden && (strings.Contains(code, `"role_missing"`) || h.server.pageRoles[r.Path] != nil && strings.Contains(code, "代码 role_missing")):
		return "403"
	case got.Code == http.StatusForbidden:
		h.t.Errorf("%s %s refused %s at no door: %s", r.Method, r.Path, name, got.Body)
	}
	return "in"
}

// table walks every caller to every route and writes down how far they got.
func (h *house) table(routes ...Route) string {
	h.t.Helper()
	cells := make([]string, len(callers))
	for i, c := range callers {
		cells[i] = c.name
	}
	text := doorLine("", cells)
	for _, r := range routes {
		for i, c := range callers {
			cells[i] = h.door(r, c.name, c.role)
		}
		text += doorLine(r.Method+" "+r.Path, cells)
	}
	return text
}

func doorLine(route string, cells []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-55s", route)
	for _, cell := range cells {
		fmt.Fprintf(&b, " %-10s", cell)
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}

// Every caller at every route: the table in testdata/golden says it for people, and the running handler does just that. A route
// that is new, or a role that it is opened to, is seen in the table's change.
func TestDoors(t *testing.T) {
	h := local(t)
	asWritten(t, doorsFile, h.table(h.server.routes()...))
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

// The table would show it: a route that is opened to a role too many differs.
func TestDoorsNotice(t *testing.T) {
	h := local(t)
	written, err := os.ReadFile(doorsFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range h.server.routes() {
		if r.Path != "/v1/users" || r.Method != http.MethodPost {
			continue
		}
		if told := h.table(r); !strings.Contains(string(written), strings.SplitAfter(told, "\n")[1]) {
			t.Errorf("the table does not have\n%s", told)
		}
		r.Roles = append(slices.Clone(r.Roles), people.ITOperator)
		h.handler, _ = h.server.mount([]Route{r})
		if told := h.table(r); strings.Contains(string(written), strings.SplitAfter(told, "\n")[1]) {
			t.Errorf("an IT operator who makes accounts goes unnoticed:\n%s", told)
		}
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
		if refused := strings.Contains(got.Body.String(), `"setup_needed"`) || strings.Contains(got.Body.String(), `"role_missing"`) || strings.Contains(got.Body.String(), "代码 role_missing") ||
			got.Code == http.StatusSeeOther && strings.HasPrefix(got.Header().Get("Location"), "/account"); refused == free {
			t.Errorf("%s %s: %d %s", r.Method, r.Path, got.Code, got.Body)
		}
		delete(h.entered, everybody)
	}
}

// A file comes from the bank by its seal, or is brought by somebody who may; a bank that does not seal is nobody, and another
// token is none for it.
func TestStatementsAreBrought(t *testing.T) {
	h := local(t)
	file := []byte(statement)
	send := func(bank, name string, role Role) *answer {
		t.Helper()
		request := httptest.NewRequest("POST", "/v1/banks/"+bank+"/statements", bytes.NewReader(file))
		h.stands(request, name, role)
		return h.play(request)
	}
	send("open", "nobody", "").want(401, "unauthenticated")
	send("line", "nobody", "").want(401, "unauthenticated")
	send("open", "checker", people.FinanceChecker).want(403, "role_missing")
	send("open", "platform", people.Platform).want(403, "role_missing")
	send("open", "statements", people.Statements).want(201, "")
	send("open", "maker", people.FinanceMaker).want(200, "") // the same file
	if h.count("message_parts") != 1 {
		t.Error("a stranger's file was kept")
	}
}

// A department lists its own lots, under its own name.
func TestListsAreOnesOwn(t *testing.T) {
	h := local(t)
	for name, status := range map[string]int{department: 422, "政府采购科": 403} {
		request := httptest.NewRequest("POST", "/v1/refund-lists", strings.NewReader(listBody(name, "", lineOf(0))))
		request.Header.Set("Content-Type", jsonType)
		h.stands(request, "department", people.Department)
		h.play(request).want(status, map[int]string{422: "list_refused", 403: "department_foreign"}[status])
	}
}
