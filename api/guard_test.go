package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// local is a house for what has nothing to do with the engine.
func local(t *testing.T) *house { return newHouse(t, "sqlite:"+t.TempDir()+"/deposit.db", banksYAML) }

func TestNoSuchRoute(t *testing.T) {
	h := local(t)
	for _, target := range []string{"/nowhere", "/v1", "/v1/lots", "/v1/findings/", "/V1/findings", "//v1/findings", "/v1/banks/open/messages/", "/metrics", "/debug/pprof/"} {
		h.get(target).want(404, "route_unknown")
	}
	for method, target := range map[string]string{"DELETE": "/v1/lots/LC-1", "TRACE": "/v1/findings", "PATCH": "/v1/bids", "GET": "/v1/banks/open/messages", "HEAD": "/livez"} {
		got := h.send(method, target, nil).want(405, "method_not_allowed")
		if got.Header().Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", method, target)
		}
	}
}

// Every answer, whatever it is, bears the headers and a request id of our own.
func TestHeaders(t *testing.T) {
	h := local(t)
	for _, r := range append(h.server.routes(), Route{Method: "GET", Path: "/nowhere"}, Route{Method: "TRACE", Path: "/livez"}) {
		request := httptest.NewRequest(r.Method, strings.NewReplacer(":bank", "open", ":number", "1", ":day", "2026-06-12", ":id", "0000000000002").Replace(r.Path), nil)
		request.Header.Set("X-Request-Id", "mine")
		got := h.play(request)
		for name, want := range headers {
			if h.server.pageRoles[r.Path] != nil && name == "Content-Security-Policy" && got.Header().Get("Content-Type") == "text/html; charset=utf-8" && got.Code != http.StatusSeeOther {
				want = pagePolicy
			}
			if name == "Content-Security-Policy" && got.Code == 200 && r.Path == "/v1/docs" {
				want = docsPolicy
			}
			if got.Header().Get(name) != want {
				t.Errorf("%s %s: %s is %q", r.Method, r.Path, name, got.Header().Get(name))
			}
		}
		if id := got.Header().Get("X-Request-Id"); len(id) != 13 {
			t.Errorf("%s %s: the request's id is %q", r.Method, r.Path, id)
		}
	}
}

// Where a request came from is what the connection says. A header is believed only from a proxy that is configured.
func TestForwardedHeaders(t *testing.T) {
	h := local(t)
	from := func() string {
		h.log.Reset()
		h.send("PUT", "/v1/lots/LC-1", []byte(lot), "Content-Type", "application/json", "X-Forwarded-For", "10.0.0.1", "X-Real-IP", "10.0.0.1", "X-User", "root")
		_, rest, _ := strings.Cut(h.log.String(), `"from":"`)
		address, _, _ := strings.Cut(rest, `"`)
		return address
	}
	if got := from(); got != "192.0.2.1" {
		t.Errorf("a stranger's header made it %s", got)
	}
	event, err := sqldb.Events.One(context.Background(), h.db, "WHERE table_name = 'lots' ORDER BY seq LIMIT 1")
	if err != nil || !strings.HasPrefix(event.By, "token:") {
		t.Errorf("the author is %q (%v)", event.By, err)
	}
	h.server.TrustedProxies = []string{"192.0.2.0/24"}
	h.handler, _ = h.server.mount(h.server.routes())
	if got := from(); got != "10.0.0.1" {
		t.Errorf("the proxy's header made it %s", got)
	}
}

func TestForeignSite(t *testing.T) {
	h := local(t)
	h.send("PUT", "/v1/lots/LC-1", []byte(lot), "Content-Type", "application/json", "Sec-Fetch-Site", "cross-site").want(403, "foreign_origin")
	h.send("POST", "/v1/banks/line/messages", []byte(gNotice("1.00")), "Origin", "https://elsewhere.example").want(403, "foreign_origin")
	if h.count("lots")+h.count("messages") != 0 {
		t.Error("another site's request was taken")
	}
}

// Of a panic the log tells the place; what our code panicked with can hold a name and is not told.
func TestPanic(t *testing.T) {
	h := local(t)
	panics := func(value any) Route {
		return Route{"GET", "/livez", []Role{Public}, func(*gin.Context) error { panic(value) }, "", 0, shortly}
	}
	for _, value := range []any{"聊城市东昌建设工程有限公司", errors.New("聊城市东昌建设工程有限公司")} {
		h.handler, _ = h.server.mount([]Route{panics(value)})
		h.get("/livez").want(500, "internal")
	}
	if log := h.log.String(); strings.Contains(log, "东昌") || !strings.Contains(log, "guard_test.go") || strings.Count(log, `"msg":"panic"`) != 2 {
		t.Errorf("the log: %s", log)
	}
}

// An error of ours is logged and not told.
func TestInternalError(t *testing.T) {
	h := local(t)
	fails := func(*gin.Context) error { return errors.New("select from nowhere") }
	h.handler, _ = h.server.mount([]Route{{"GET", "/livez", []Role{Public}, fails, "", 0, shortly}})
	if got := h.get("/livez").want(500, "internal"); strings.Contains(got.Body.String(), "nowhere") || !strings.Contains(h.log.String(), "nowhere") {
		t.Errorf("told %s, logged %s", got.Body, h.log.String())
	}
}

func TestProblems(t *testing.T) {
	cases := []struct {
		err    error
		status int
		code   string
		again  bool
	}{
		{errors.New("x"), 500, "internal", false},
		{fmt.Errorf("x: %w", deposit.Refuse(deposit.Internal, "broken", "内部错误")), 500, "internal", false},
		{fmt.Errorf("x: %w", deposit.Refuse(deposit.Invalid, "c", "改正")), 422, "c", false},
		{deposit.Refuse(deposit.Denied, "c", "无权"), 403, "c", false},
		{deposit.Refuse(deposit.Denied, "unauthenticated", "未验证"), 401, "unauthenticated", false},
		{deposit.Refuse(deposit.NotFound, "c", "没有"), 404, "c", false},
		{deposit.Refuse(deposit.Conflict, "c", "冲突"), 409, "c", false},
		{deposit.Refuse(deposit.Unavailable, "c", "稍后"), 503, "c", true},
		{fmt.Errorf("x: %w", sqldb.ErrUnavailable), 503, "database_unavailable", true},
		{fmt.Errorf("x: %w", sqldb.ErrTaken), 503, "stored_meanwhile", true},
		{fmt.Errorf("x: %w", sqldb.ErrStale), 409, "changed_meanwhile", false},
		{fmt.Errorf("x: %w", sqldb.ErrNone), 404, "not_found", false},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), 503, "too_slow", true},
		{fmt.Errorf("x: %w", context.Canceled), 499, "caller_gone", false},
		{fmt.Errorf("x: %w", os.ErrDeadlineExceeded), 408, "body_too_slow", false},
		{fmt.Errorf("x: %w", io.ErrUnexpectedEOF), 400, "body_truncated", false},
		{&http.MaxBytesError{Limit: 7}, 413, "body_too_large", false},
	}
	for _, c := range cases {
		if p := problemOf(c.err); p.Status != c.status || p.Code != c.code || (p.retryAfter > 0) != c.again {
			t.Errorf("%v: got %d %s, want %d %s", c.err, p.Status, p.Code, c.status, c.code)
		}
	}
	for kind := deposit.Internal; kind <= deposit.Unavailable; kind++ {
		if statuses[kind] == 0 {
			t.Errorf("kind %d has no status", kind)
		}
	}
}

// A sender that dawdles or breaks off is told so if it still listens, and a bank's message is kept as far as it came.
func TestSlowAndTruncatedBodies(t *testing.T) {
	h := local(t)
	routes := h.server.routes()
	for i := range routes {
		routes[i].Within = 300 * time.Millisecond
	}
	h.handler, _ = h.server.mount(routes)
	service := httptest.NewServer(h.handler)
	defer service.Close()
	half := func(path string, hangUp bool) int {
		connection, err := net.Dial("tcp", service.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = connection.Close() }()
		_, _ = fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"half\":", path, h.bearer())
		if hangUp {
			_ = connection.(*net.TCPConn).CloseWrite()
		}
		_ = connection.SetReadDeadline(time.Now().Add(5 * time.Second))
		answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			return 0
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	if got := half("/v1/bids", false); got != 408 {
		t.Errorf("a slow order: %d", got)
	}
	if got := half("/v1/bids", true); got != 400 && got != 0 { // the server may take a half-closed line for a broken one
		t.Errorf("a truncated order: %d", got)
	}
	if got := half("/v1/banks/line/messages", false); got != 408 {
		t.Errorf("a slow message: %d", got)
	}
	_ = half("/v1/banks/line/messages", true)
	var codes []string
	for wait := time.Now().Add(5 * time.Second); len(codes) < 2 && time.Now().Before(wait); time.Sleep(10 * time.Millisecond) {
		codes = nil
		for _, m := range h.kept() {
			codes = append(codes, m.Code+" "+string(m.Body))
		}
	}
	slices.Sort(codes)
	if want := []string{`body_too_slow {"half":`, `body_truncated {"half":`}; !slices.Equal(codes, want) {
		t.Errorf("kept %q, want %q", codes, want)
	}
}

func TestHealth(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.get("/livez").want(200, "")
		if got := h.get("/readyz").want(200, ""); !strings.Contains(got.Body.String(), `"judge":"ok"`) {
			t.Errorf("got %s", got.Body)
		}
		if got := h.get("/version").want(200, ""); !strings.Contains(got.Body.String(), `"test"`) {
			t.Errorf("got %s", got.Body)
		}
		h.push("msg-1", notice).want(200, "")
		h.now = h.now.Add(judgeBehind + time.Second)
		if got := h.get("/readyz").want(200, ""); !strings.Contains(got.Body.String(), `"judge":"behind"`) {
			t.Errorf("got %s", got.Body)
		}
		if got := h.server.backlogSeconds(); got != judgeBehind.Seconds()+1 {
			t.Errorf("the oldest waits %v s", got)
		}
		if _, err := h.server.Reconcile.JudgeAll(context.Background()); err != nil || h.server.backlogSeconds() != 0 {
			t.Errorf("judged, and yet %v s (%v)", h.server.backlogSeconds(), err)
		}
		h.storageAway()
		h.get("/livez").want(200, "")
		h.get("/readyz").want(503, "database_unavailable")
		if h.server.backlogSeconds() != -1 {
			t.Error("no database, and yet a backlog")
		}
	})
}

func TestReadyNeedsSchema(t *testing.T) {
	h := local(t)
	old, err := sqldb.Open(context.Background(), "sqlite:"+t.TempDir()+"/empty.db")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close() }()
	whole := h.server.DB
	h.server.DB = old
	h.get("/readyz").want(503, "schema_outdated")
	h.server.DB = whole
	h.get("/readyz").want(200, "")
}

func TestOpenAPIIsServed(t *testing.T) {
	h := local(t)
	if got := h.get("/v1/openapi.yaml").want(200, ""); got.Body.String() != string(openAPI) || got.Header().Get("Content-Type") != "application/yaml" {
		t.Error("the document is not what is embedded")
	}
}

// Measures and the access log tell routes, never what a caller chose or who paid what.
func TestNothingLeaks(t *testing.T) {
	h := local(t)
	h.push("msg-1", notice).want(200, "")
	h.json("PUT", "/v1/lots/SECRET-7", lot).want(201, "")
	h.get("/v1/findings?department=SECRET-7&bank=SECRET-7").want(200, "")
	h.get("/SECRET-7").want(404, "")
	h.send("SECRET", "/livez", nil)
	families, err := h.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	told := h.log.String()
	for _, f := range families {
		told += f.String()
	}
	for _, secret := range []string{"SECRET", "东昌", "6212000000000000005", "000147", "800000"} {
		if strings.Contains(told, secret) {
			t.Errorf("%s in logs or measures", secret)
		}
	}
	counted := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if f.GetName() == "depositd_http_requests_total" {
				counted[strings.Join(labels, " ")] = m.GetCounter().GetValue()
			}
		}
	}
	for labels, want := range map[string]float64{"PUT /v1/lots/:number 201": 1, "GET unmatched 404": 1, "other unmatched 405": 1} {
		if counted[labels] != want {
			t.Errorf("%s: counted %v", labels, counted)
		}
	}
}

func TestNewNeedsDesks(t *testing.T) {
	if _, err := New(Desks{}); err == nil {
		t.Error("started without a desk")
	}
	h := local(t)
	if _, err := New(h.server.Desks); err == nil {
		t.Error("the same measures were registered twice")
	}
	d := h.server.Desks
	d.Metrics, d.TrustedProxies = nil, []string{"everybody"}
	if _, err := New(d); err == nil {
		t.Error("started with proxies that are no addresses")
	}
}

// A packed body is refused unread: nobody knows how large it would be.
func TestPackedBody(t *testing.T) {
	h := local(t)
	h.send("PUT", "/v1/lots/LC-1", []byte(lot), "Content-Type", jsonType, "Content-Encoding", "gzip").want(415, "content_encoding")
	h.send("POST", "/v1/banks/line/messages", []byte(gNotice("1.00")), "Content-Encoding", "gzip").want(415, "content_encoding")
	h.send("PUT", "/v1/lots/LC-1", []byte(lot), "Content-Type", jsonType, "Content-Encoding", "identity").want(201, "")
}
