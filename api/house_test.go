package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/platform/people"
	"depositd/platform/people/peopletest"
	"depositd/platform/webhook"
	"depositd/reconcile"
	"depositd/refund"
)

// A house is the whole service behind its handler, with a database of its own and a clock that stands still.
type house struct {
	t       *testing.T
	url     string
	db      *sqldb.DB
	server  *server
	handler http.Handler
	metrics *prometheus.Registry
	log     *locked
	judge   int // how often the judge was woken
	now     time.Time
	token   string             // of a machine that may all that machines may
	entered map[string]entered // by name
	tokens  map[Role]string    // of machines with a single scope
}

// entered is a session that a test's person has begun.
type entered struct {
	cookie string
	at     time.Time
}

const banksYAML = `banks:
  - {code: open, name: 开放银行, adapter: jsonpush, statement: csv, parent_accounts: ["6550100000000000017"], charset: UTF-8, notices: single,
     seal: {scheme: hmac-sha256, keys: [open.key]}}
  - {code: line, name: 专线银行, adapter: gseries, statement: csv, payout: gseries, parent_accounts: ["3705018860000000123"], charset: GBK, notices: single,
     seal: {scheme: none}}
  - {code: iso, name: 外资银行, adapter: camt, parent_accounts: ["CN00EXAM0000000000042"], charset: UTF-8, notices: none, seal: {scheme: none}}
`

var key = []byte("0123456789abcdefghijklmnopqrstuv")

// noon is when the tests play.
var noon = time.Date(2026, 6, 12, 12, 0, 0, 0, deposit.Shanghai)

// each runs a test on a house for every engine.
func each(t *testing.T, test func(t *testing.T, h *house)) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) { test(t, newHouse(t, url, banksYAML)) })
}

func newHouse(t *testing.T, url, banks string) *house {
	t.Helper()
	return houseOn(t, url, banks, sqldbtest.Open)
}

// houseOn is newHouse on a database that is opened in a way of its own.
func houseOn(t *testing.T, url, banks string, open func(testing.TB, string, func() time.Time) *sqldb.DB) *house {
	t.Helper()
	h := &house{t: t, url: url, metrics: prometheus.NewRegistry(), log: &locked{}, now: noon, entered: map[string]entered{}, tokens: map[Role]string{}}
	h.db = open(t, url, func() time.Time { return h.now })
	set, err := bank.ParseSet([]byte(banks), func(string) ([]byte, error) { return key, nil })
	if err != nil {
		t.Fatal(err)
	}
	rules, err := refund.Default()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := incident.Default()
	if err != nil {
		t.Fatal(err)
	}
	banksDesk, platformDesk := bank.NewDesk(h.db), platform.NewDesk(h.db)
	keeper, err := reconcile.NewKeeper(h.db, set, banksDesk, platformDesk, func() string { return sqldb.NewID().String() })
	if err != nil {
		t.Fatal(err)
	}
	incidents, hooks := incident.NewDesk(h.db, plan, incident.ByBoth), webhook.NewDesk(h.db, &webhook.Settings{Endpoints: []webhook.Endpoint{{Name: "oncall", Drills: true}}}, plan)
	incidents.Join(hooks.Queue)
	h.server, err = newServer(Desks{DB: h.db, Banks: set, Bank: banksDesk, Platform: platformDesk,
		Reconcile: reconcile.NewDesk(h.db, set, reconcile.Rules{}), Keeper: keeper, Refund: refund.NewDesk(h.db, set, rules, refund.DefaultLimits), Incident: incidents, Webhook: hooks, People: peopletest.Desk(t, h.db), Judge: func() { h.judge++ }, Log: slog.New(slog.NewJSONHandler(h.log, nil)),
		Metrics: h.metrics, Version: "test", Spool: t.TempDir(), RevealsPerDay: 50})
	if err != nil {
		t.Fatal(err)
	}
	if h.handler, err = h.server.mount(h.server.routes()); err != nil {
		t.Fatal(err)
	}
	return h
}

// everybody is a person who may all that can be in one hand, and sees all departments.
const everybody = "全能"

// cookie lets a person in whose session is fresh; the first time it makes the account. Names that no test gives roles to have
// everybody's.
func (h *house) cookie(name string) string {
	h.t.Helper()
	if e, ok := h.entered[name]; ok && h.now.Sub(e.at).Abs() < time.Minute {
		return e.cookie
	}
	peopletest.Person(h.t, h.db, name, "", people.FinanceMaker, people.FinanceChecker, people.Leader)
	h.entered[name] = entered{peopletest.Cookie(h.t, h.db, name), h.now}
	return h.entered[name].cookie
}

// setFactors gives everybody a second factor, or takes it: the step of their last code.
func (h *house) setFactors(step int64) {
	h.t.Helper()
	if err := h.db.Write(context.Background(), "test", func(tx *sqldb.Tx) error {
		_, err := tx.Exec(context.Background(), "UPDATE users SET factor_step = ?", step)
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
}

// bearer is the token of a machine.
func (h *house) bearer() string {
	h.t.Helper()
	if h.token == "" {
		h.token = peopletest.Token(h.t, h.db, people.Scopes...)
	}
	return "Bearer " + h.token
}

// credentials lets a request in as whoever its route is for, unless it says itself who it comes from: "Authorization", "" is nobody.
func (h *house) credentials(request *http.Request) {
	h.t.Helper()
	if said, ok := request.Header["Authorization"]; ok || request.Header.Get("Cookie") != "" {
		if ok && said[0] == "" {
			request.Header.Del("Authorization")
		}
		return
	}
	r := h.routeOf(request)
	switch {
	case r == nil || slices.Contains(r.Roles, Public) || slices.Contains(r.Roles, BankPeer) && strings.Contains(request.URL.Path, "/open/"):
	case slices.Contains(r.Roles, people.Platform) || slices.Contains(r.Roles, people.Statements):
		request.Header.Set("Authorization", h.bearer())
	case !slices.Equal(r.Roles, []Role{BankPeer}):
		request.AddCookie(&http.Cookie{Name: cookieName, Value: h.cookie(everybody)})
	}
}

// routeOf is the route that a request goes to; nil where there is none.
func (h *house) routeOf(request *http.Request) *Route {
	template, _ := match(request)
	routes := h.server.routes()
	for i := range routes {
		if routes[i].Method == request.Method && openapiPath(routes[i].Path) == template {
			return &routes[i]
		}
	}
	return nil
}

// openapiPath writes a path as the document does.
func openapiPath(path string) string { return pathParameter.ReplaceAllString(path, "{$1}") }

var pathParameter = regexp.MustCompile(`:(\w+)`)

// locked is a log that the tests read.
type locked struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

// An answer is what came back, held to the document.
type answer struct {
	*httptest.ResponseRecorder
	t *testing.T
}

// send plays one request, and holds what it answers to openapi.yaml – and the request too, if it was taken.
func (h *house) send(method, target string, body []byte, header ...string) *answer {
	h.t.Helper()
	request := httptest.NewRequest(method, target, bytes.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	h.credentials(request)
	return h.held(request, body)
}

// held plays a request and holds both to the document.
func (h *house) held(request *http.Request, body []byte) *answer {
	h.t.Helper()
	if request.Method == http.MethodPost && request.Header.Get(idempotencyKey) == "" {
		request.Header.Set(idempotencyKey, "test-"+sqldb.NewID().String())
	}
	got := h.play(request)
	if err := hold(request, body, got); err != nil {
		h.t.Error(err)
	} else {
		noteHeld(request, got)
	}
	return got
}

func (h *house) play(request *http.Request) *answer {
	recorder := httptest.NewRecorder()
	h.handler.ServeHTTP(recorder, request)
	return &answer{recorder, h.t}
}

func (h *house) get(target string) *answer { h.t.Helper(); return h.send("GET", target, nil) }

func (h *house) json(method, target, body string) *answer {
	h.t.Helper()
	return h.send(method, target, []byte(body), "Content-Type", "application/json")
}

// push sends a sealed message to the bank "open".
func (h *house) push(id, body string) *answer {
	h.t.Helper()
	return h.send("POST", "/v1/banks/open/messages", []byte(body), h.sealed(id, []byte(body))...)
}

func (h *house) sealed(id string, body []byte) []string {
	return sealedAt(id, body, h.now)
}

func sealedAt(id string, body []byte, at time.Time) []string {
	return []string{"webhook-id", id, "webhook-timestamp", unix(at), "webhook-signature", bank.SignWebhook(key, id, at, body)}
}

// want fails unless the status and, for a problem, the code are these.
func (a *answer) want(status int, code string) *answer {
	a.t.Helper()
	if a.Code != status || code != "" && a.problem().Code != code {
		a.t.Fatalf("got %d %s, want %d %s", a.Code, a.Body, status, code)
	}
	return a
}

func (a *answer) problem() Problem {
	a.t.Helper()
	var p Problem
	if kind := a.Header().Get("Content-Type"); kind != "application/problem+json" {
		a.t.Fatalf("no problem but %s: %d %s", kind, a.Code, a.Body)
	}
	a.into(&p)
	if p.Status != a.Code || p.Detail == "" || p.Instance != a.Header().Get("X-Request-Id") {
		a.t.Fatalf("a problem must tell its status, what to do and the request: %s", a.Body)
	}
	return p
}

func (a *answer) into(v any) {
	a.t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(a.Body.Bytes()))
	if err := decoder.Decode(v); err != nil {
		a.t.Fatalf("%v in %s", err, a.Body)
	}
}

// pointers are the places of the faults in a problem.
func (a *answer) pointers() string {
	a.t.Helper()
	var all []string
	for _, f := range a.problem().Errors {
		all = append(all, f.Pointer+f.Parameter+" "+f.Code)
	}
	return strings.Join(all, ", ")
}

// storageAway has the handlers work with a database that is closed.
func (h *house) storageAway() {
	h.t.Helper()
	gone, err := sqldb.OpenAt(context.Background(), h.url, func() time.Time { return h.now })
	if err != nil {
		h.t.Fatal(err)
	}
	sqldbtest.Unlock(h.t, gone)
	if err := gone.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.server.DB, h.server.Bank = gone, bank.NewDesk(gone)
}

// kept is what stands in the table of messages, oldest first.
func (h *house) kept() (all []bank.StoredMessage) {
	h.t.Helper()
	ids, err := sqldb.Select(context.Background(), h.db, func(id *sqldb.ID) []any { return []any{id} }, "SELECT id FROM messages ORDER BY received_at, id")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, id := range ids {
		m, err := bank.MessageByID(context.Background(), h.db, id)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func (h *house) count(table string) int {
	h.t.Helper()
	n, err := sqldb.Value[int](context.Background(), h.db, "SELECT COUNT(*) FROM "+table)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
