package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/people"
)

// visitor is a browser: it keeps the session's cookie.
type visitor struct {
	*house
	cookie string
}

// does plays a request of the visitor's and takes the cookie that comes back.
func (v *visitor) does(method, target, body string) *answer {
	v.t.Helper()
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	request.RemoteAddr = "10.1.2.3:4"
	if body != "" {
		request.Header.Set("Content-Type", jsonType)
	}
	if v.cookie != "" {
		request.AddCookie(&http.Cookie{Name: cookieName, Value: v.cookie})
	}
	got := v.held(request, []byte(body))
	for _, c := range got.Result().Cookies() {
		if c.Name != cookieName || c.Path != "/" || c.Domain != "" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
			v.t.Errorf("the cookie is %s", c)
		}
		v.cookie = c.Value
	}
	return got
}

const sitterPassword = "Chunfeng#Huayu-88"

// comes makes the first administrators and an account by them, all over HTTP as people do, and gives its person.
func (h *house) comes(name string, roles ...Role) (who, system, security *visitor) {
	h.t.Helper()
	first, err := h.server.People.First(context.Background(), "cli", people.Order{Name: "系统管理员", Staff: "S1"}, people.Order{Name: "安全管理员", Staff: "S2"})
	if err != nil {
		h.t.Fatal(err)
	}
	system, security, who = &visitor{house: h}, &visitor{house: h}, &visitor{house: h}
	for i, admin := range []*visitor{system, security} {
		admin.accepts(first[i])
		admin.enrols()
	}
	system.does("POST", "/v1/departments", fmt.Sprintf(`{"name":%q}`, department)).want(201, "")
	var invited Invited
	system.does("POST", "/v1/users", fmt.Sprintf(`{"name":%q,"staff":"S3","department":%q,"roles":%q}`, name, department, people.Join(roles))).want(201, "").into(&invited)
	security.does("POST", "/v1/users/"+invited.User.ID.String()+"/grant", fmt.Sprintf(`{"version":%d}`, invited.User.Version)).want(200, "")
	who.accepts(invited.Invitation)
	return who, system, security
}

func (v *visitor) accepts(invitation string) {
	v.t.Helper()
	v.does("POST", "/v1/session/invitation", fmt.Sprintf(`{"token":%q,"password":%q}`, invitation, sitterPassword)).want(201, "")
}

// enrols sets the second factor up.
func (v *visitor) enrols() people.Factor {
	v.t.Helper()
	var f Factor
	v.does("POST", "/v1/session/factor", "").want(201, "").into(&f)
	v.does("POST", "/v1/session/factor/confirm", fmt.Sprintf(`{"code":%q}`, people.Factor(f).Code(v.now))).want(200, "")
	return people.Factor(f)
}

func (v *visitor) session() (s Session) {
	v.t.Helper()
	v.does("GET", "/v1/session", "").want(200, "").into(&s)
	return s
}

// A leader's day: invited, a second factor first, a step-up before a release, and out.
func TestSessionOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		leader, _, _ := h.comes("放行戊", people.Leader)
		if s := leader.session(); s.Name != "放行戊" || !slices.Equal(s.Must, []people.Must{people.SetFactor}) || s.Factor {
			t.Errorf("session %+v", s)
		}
		leader.does("GET", "/v1/findings", "").want(403, "setup_needed")
		f := leader.enrols()
		leader.does("GET", "/v1/findings", "").want(200, "")
		const release = "/v1/refund-batches/0000000000002/release"
		body := `{"version":1,"lines":1,"amount":"1.00"}`
		if got := leader.does("POST", release, body); strings.Contains(got.Body.String(), "step_up_needed") {
			t.Errorf("just proved, and yet %s", got.Body)
		}
		h.now = h.now.Add(5 * time.Minute)
		leader.does("POST", release, body).want(403, "step_up_needed")
		old := leader.cookie
		leader.does("POST", "/v1/session/step-up", `{"code":"000000"}`).want(401, "login_refused")
		leader.does("POST", "/v1/session/step-up", fmt.Sprintf(`{"code":%q}`, f.Code(h.now))).want(200, "")
		if got := leader.does("POST", release, body); strings.Contains(got.Body.String(), "step_up_needed") || leader.cookie == old {
			t.Errorf("stepped up, and yet %s", got.Body)
		}
		(&visitor{house: h, cookie: old}).does("GET", "/v1/session", "").want(401, "unauthenticated")
		last := leader.cookie
		leader.does("DELETE", "/v1/session", "").want(204, "")
		(&visitor{house: h, cookie: last}).does("GET", "/v1/session", "").want(401, "unauthenticated")
		h.now = h.now.Add(time.Minute)
		leader.does("POST", "/v1/session", fmt.Sprintf(`{"name":"放行戊","password":%q,"code":%q}`, sitterPassword, f.Code(h.now))).want(201, "")
		leader.does("POST", "/v1/session/password", fmt.Sprintf(`{"old":%q,"password":"Qiushui&Changtian-99"}`, sitterPassword)).want(200, "")
		leader.does("POST", "/v1/session/password", `{"old":"Qiushui&Changtian-99","password":"short"}`).want(422, "password_weak")
	})
}

// What administrators do holds from the next request on, and nobody does it alone.
func TestUsersOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		who, system, security := h.comes("科员己", people.Department)
		who.does("GET", "/v1/findings", "").want(200, "")
		var known DepartmentList
		who.does("GET", "/v1/departments", "").want(200, "").into(&known)
		if !slices.Equal(known.Departments, []string{department}) {
			t.Errorf("departments %v", known)
		}
		var all UserList
		security.does("GET", "/v1/users", "").want(200, "").into(&all)
		var u User
		for _, one := range all.Users {
			if one.Name == "科员己" {
				u = one
			}
		}
		one := func(admin *visitor, act, more string, status int, code string) *answer {
			t.Helper()
			return admin.does("POST", "/v1/users/"+u.ID.String()+"/"+act, fmt.Sprintf(`{"version":%d%s}`, u.Version, more)).want(status, code)
		}
		one(system, "roles", `,"roles":"it_operator"`, 200, "").into(&u)
		if u.Asked == nil || u.Asked.By != "系统管理员" || len(u.Roles) != 1 {
			t.Errorf("asked %+v", u)
		}
		one(system, "grant", "", 403, "role_missing")
		one(security, "refuse", "", 200, "").into(&u)
		one(system, "roles", `,"roles":"auditor"`, 200, "").into(&u)
		one(security, "grant", "", 200, "").into(&u)
		if s := who.session(); !slices.Equal(s.Roles, []Role{people.Auditor}) {
			t.Errorf("roles of the next request %v", s.Roles)
		}
		one(security, "disable", "", 200, "").into(&u)
		who.does("GET", "/v1/session", "").want(401, "unauthenticated")
		one(security, "enable", "", 403, "role_missing")
		one(system, "enable", "", 200, "").into(&u)
		var again Invited
		one(system, "reset", "", 200, "").into(&again)
		if len(again.User.Roles) != 0 || again.Invitation == "" {
			t.Errorf("reset %+v", again)
		}
		one(system, "reset", "", 409, "changed_meanwhile")
		system.does("POST", "/v1/users", `{"name":"庚","staff":"S9","roles":"system_admin,security_admin"}`).want(422, "roles_apart")
		system.does("POST", "/v1/users", `{"name":"科员己","staff":"S9"}`).want(409, "user_exists")
	})
}

// Five wrong logins, and the door is shut, with the time it is shut for; the office of the person stays open.
func TestShutDoorOverHTTP(t *testing.T) {
	h := local(t)
	h.comes("科员己", people.Department)
	wrong := `{"name":"科员己","password":"wrong wrong wrong"}`
	for range 5 {
		h.json("POST", "/v1/session", wrong).want(401, "login_refused")
	}
	if got := h.json("POST", "/v1/session", wrong).want(429, "too_many_tries"); got.Header().Get("Retry-After") != "901" {
		t.Errorf("Retry-After is %s", got.Header().Get("Retry-After"))
	}
	v := &visitor{house: h}
	v.does("POST", "/v1/session", fmt.Sprintf(`{"name":"科员己","password":%q}`, sitterPassword)).want(201, "")
}

// Credentials that do not hold are not nobody's, and no request has two cookies.
func TestWrongCredentials(t *testing.T) {
	h := local(t)
	cookie := cookieName + "=" + h.cookie(everybody)
	for _, header := range [][]string{{"Authorization", "Bearer x"}, {"Authorization", "Basic eDp4"}, {"Authorization", h.bearer() + "x", "Cookie", cookie}, {"Cookie", cookieName + "=x"},
		{"Cookie", cookie + "; " + cookie}, {"X-Remote-User", everybody, "Authorization", ""}} {
		got := h.send("GET", "/v1/findings", nil, header...).want(401, "unauthenticated")
		if got.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%v: WWW-Authenticate is %q", header, got.Header().Get("WWW-Authenticate"))
		}
	}
	h.send("GET", "/v1/findings", nil, "Cookie", cookie).want(200, "")
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://elsewhere.example"}} {
		h.send("POST", "/v1/refund-freezes", []byte(`{"reason":"x"}`), append(header, "Content-Type", jsonType, "Cookie", cookie)...).want(403, "foreign_origin")
	}
	if h.count("freezes") != 0 {
		t.Error("another site's request was taken")
	}
}

// Logs, measures and the audit trail hold nothing that opens a door, whatever went wrong at it.
func TestNoSecretIsLogged(t *testing.T) {
	h := local(t)
	leader, system, _ := h.comes("放行戊", people.Leader)
	f := leader.enrols()
	canaries := []string{sitterPassword, f.Secret, leader.cookie, system.cookie, strings.TrimPrefix(h.bearer(), "Bearer "), "Canary-Password-1"}
	leader.does("POST", "/v1/session", `{"name":"放行戊","password":"Canary-Password-1","code":"123456"}`)
	h.send("GET", "/v1/findings?Canary-Password-1=1", nil)
	h.send("PUT", "/v1/lots/LC-1", []byte(lot), "Content-Type", jsonType)
	h.storageAway()
	h.server.People, _ = people.NewDesk(h.server.DB, make([]byte, people.KeySize), people.Rules{})
	for _, got := range []*answer{leader.does("POST", "/v1/session", `{"name":"放行戊","password":"Canary-Password-1","code":"123456"}`), leader.does("GET", "/v1/session", "")} {
		if got.Code < 500 {
			t.Errorf("without a database: %d", got.Code)
		}
	}
	told := h.log.String()
	families, err := h.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		told += family.String()
	}
	for _, canary := range canaries {
		if strings.Contains(told, canary) {
			t.Errorf("%q is told in logs or measures", canary)
		}
	}
}

// Fields of other requests are refused wherever they do not belong: no body sets more than it is for.
func TestNoMassAssignment(t *testing.T) {
	h := local(t)
	own, every := map[string][]string{}, map[string]bool{}
	for path, item := range document().Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil || op.RequestBody.Value.Content[jsonType] == nil {
				continue
			}
			for name := range op.RequestBody.Value.Content[jsonType].Schema.Value.Properties {
				own[method+" "+path], every[name] = append(own[method+" "+path], name), true
			}
		}
	}
	if len(own) < 20 || len(every) < 30 {
		t.Fatalf("only %d bodies with %d fields are known", len(own), len(every))
	}
	for route, fields := range own {
		foreign := map[string]any{}
		for name := range every {
			if !slices.Contains(fields, name) {
				foreign[name] = true
			}
		}
		body, _ := json.Marshal(foreign)
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer("{number}", "LC-1", "{id}", "0000000000002", "{action}", "0000000000004").Replace(path)
		request := h.asWhoMay(method, path, body)
		request.Header.Set(idempotencyKey, "mass-"+sqldb.NewID().String())
		request.Header.Set("If-Match", versionOf(1))
		got := h.play(request)
		var p Problem
		got.into(&p)
		refused := map[string]bool{}
		for _, fault := range p.Errors {
			if fault.Code == "field_unknown" {
				refused[strings.TrimPrefix(fault.Pointer, "/")] = true
			}
		}
		if got.Code < 400 || len(refused) != len(foreign) {
			t.Errorf("%s: %d, refused %d of %d foreign fields: %s", route, got.Code, len(refused), len(foreign), got.Body)
		}
	}
}

// asWhoMay is a request of somebody for whom the route is.
func (h *house) asWhoMay(method, path string, body []byte) *http.Request {
	h.t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(string(body)))
	request.Header.Set("Content-Type", jsonType)
	for _, role := range h.routeOf(request).Roles {
		if role != Public && role != LoggedIn {
			h.stands(request, string(role), role)
			return request
		}
	}
	h.credentials(request)
	return request
}
