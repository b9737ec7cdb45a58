package api

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"depositd/api/worlds"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/people"
	"depositd/platform/people/peopletest"
)

// centre is a world behind its handler, as callers of every kind see it.
type centre struct {
	*worlds.World
	t       *testing.T
	server  *server
	handler http.Handler
	metrics *prometheus.Registry
	log     *locked
}

// onlooker is somebody who may ask: one of the callers at the doors, or of another department.
type onlooker struct {
	name, department string
	role             Role
	cookie, token    string
}

// visits counts how often each world was looked at.
var visits = map[*worlds.World]uint64{}

// onlookers lets them in: their accounts are the same in every world, their sessions begin now.
func (c *centre) onlookers() (all []onlooker) {
	c.t.Helper()
	visits[c.World]++ // sessions begun again have keys of their own, the same in every world
	c.Seed(5, visits[c.World])
	for _, k := range callers {
		a := onlooker{name: k.name, role: k.role, department: department}
		switch {
		case k.name == "nobody":
		case k.role == people.Platform || k.role == people.Statements:
			var err error
			a.token, _, err = peopletest.Desk(c.t, c.DB).AddToken(c.t.Context(), "test", fmt.Sprint(k.name, visits[c.World]), []Role{k.role})
			if err != nil {
				c.t.Fatal(err)
			}
		default:
			var roles []Role
			if k.role != "" {
				roles = []Role{k.role}
			}
			peopletest.Person(c.t, c.DB, a.name, a.department, roles...)
			a.cookie = peopletest.Cookie(c.t, c.DB, a.name)
		}
		all = append(all, a)
	}
	peopletest.Person(c.t, c.DB, "department of another lot", "产权交易科", people.Department)
	return append(all, onlooker{name: "department of another lot", role: people.Department, cookie: peopletest.Cookie(c.t, c.DB, "department of another lot")})
}

// open serves a world. leak may change the routes, to show that a leak is noticed.
func openCentre(t *testing.T, w *worlds.World, leak func(*centre, []Route) []Route) *centre {
	t.Helper()
	c := &centre{World: w, t: t, metrics: prometheus.NewRegistry(), log: &locked{}}
	var err error
	c.server, err = newServer(Desks{DB: w.DB, Banks: w.Banks, Bank: w.Bank, Platform: w.Platform, Reconcile: w.Reconcile, Keeper: w.Keeper, Refund: w.Refund, People: peopletest.Desk(t, w.DB), Incident: w.Incident, Webhook: w.Webhook,
		Judge: func() {}, Log: slog.New(slog.NewJSONHandler(c.log, &slog.HandlerOptions{ReplaceAttr: withoutTime})), Metrics: c.metrics, Version: "test", Spool: t.TempDir(), RevealsPerDay: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	routes := c.server.routes()
	if leak != nil {
		routes = leak(c, routes)
	}
	if c.handler, err = c.server.mount(routes); err != nil {
		t.Fatal(err)
	}
	return c
}

// withoutTime takes the time of the line out of a log: it is the machine's.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// probe is a request; its route is looked up by key.
type probe struct{ method, target, body string }

// seen is what came of something, by what it was.
type seen struct{ what, told string }

// asked sends a probe as a caller and gives all that can be seen of the answer.
func (c *centre) asked(n int, who onlooker, p probe) seen {
	c.Seed(uint64(n), 1000)
	request := httptest.NewRequest(p.method, p.target, strings.NewReader(p.body))
	request.RemoteAddr = "127.0.0.1:1"
	request.Header.Set("Content-Type", jsonType)
	if !strings.HasPrefix(p.target, "/v1/") {
		request.Header.Set("Content-Type", formType)
	}
	request.Header.Set(idempotencyKey, fmt.Sprintf("two-worlds-%08d", n))
	request.Header.Set("If-Match", `"1"`)
	if who.cookie != "" {
		request.AddCookie(&http.Cookie{Name: cookieName, Value: who.cookie})
	}
	if who.token != "" {
		request.Header.Set("Authorization", "Bearer "+who.token)
	}
	answer := httptest.NewRecorder()
	c.handler.ServeHTTP(answer, request)
	var b bytes.Buffer
	fmt.Fprintln(&b, answer.Code)
	_ = answer.Result().Header.WriteSubset(&b, nil)
	b.Write(c.unzipped(answer))
	return seen{who.name + ": " + p.method + " " + p.target + " " + p.body, b.String()}
}

// unzipped is an answer's body; of a workbook what is in its files, without the time of zipping.
func (c *centre) unzipped(answer *httptest.ResponseRecorder) []byte {
	c.t.Helper()
	body := answer.Body.Bytes()
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != xlsxType {
		return body
	}
	book, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	slices.SortFunc(book.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	var all bytes.Buffer
	for _, f := range book.File {
		fmt.Fprintln(&all, f.Name)
		content, err := f.Open()
		if err == nil {
			_, err = io.Copy(&all, content)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	return all.Bytes()
}

// transcript is everything that some callers, or all of them, see of a centre.
func (c *centre) transcript(names []string, probes []probe) (all []seen) {
	c.t.Helper()
	for i, who := range c.onlookers() {
		if names != nil && !slices.Contains(names, who.name) {
			continue
		}
		for j, p := range probes {
			all = append(all, c.asked(i*10_000+j, who, p))
		}
	}
	families, err := c.metrics.Gather()
	if err != nil {
		c.t.Fatal(err)
	}
	var text bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			c.t.Fatal(err)
		}
	}
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	return append(all, seen{"/metrics", text.String()}, seen{"the log", c.log.String()})
}

// declassified is what may differ, as testdata/secrecy/declassified.txt says it: patterns, and routes whose answers are the onlooker's own.
func declassified(t *testing.T) (patterns []*regexp.Regexp, own []string) {
	t.Helper()
	text, err := os.ReadFile("../testdata/secrecy/declassified.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		pattern, _, _ := strings.Cut(line, "   ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(pattern, "POST ") || strings.HasPrefix(pattern, "GET "):
			own = append(own, strings.TrimSpace(pattern))
		default:
			patterns = append(patterns, regexp.MustCompile(strings.TrimSpace(pattern)))
		}
	}
	return patterns, own
}

// differences are the places in which two transcripts differ beyond what is declassified.
func differences(a, b []seen, patterns []*regexp.Regexp) (found []string) {
	masked := func(s string) string {
		for _, p := range patterns {
			s = p.ReplaceAllString(s, "…")
		}
		return s
	}
	for i := range a {
		if a[i].told == b[i].told {
			continue
		}
		if x, y := masked(a[i].told), masked(b[i].told); x != y {
			at := 0
			for at < min(len(x), len(y)) && x[at] == y[at] {
				at++
			}
			from := max(0, at-120)
			found = append(found, fmt.Sprintf("%s\n  one:   …%s\n  other: …%s", a[i].what, x[from:min(len(x), at+200)], y[from:min(len(y), at+200)]))
		}
	}
	return found
}

// makeWorlds makes n worlds of one public history.
func makeWorlds(t *testing.T, n int) []*worlds.World {
	t.Helper()
	folder := sqldbtest.InMemory(t)
	base := worlds.Open(t, filepath.Join(folder, "base.db"))
	base.Public()
	if err := base.DB.Close(); err != nil {
		t.Fatal(err)
	}
	all := make([]*worlds.World, n)
	for i := range all {
		all[i] = base.Copy(t, filepath.Join(folder, "base.db"), filepath.Join(folder, fmt.Sprint(i, ".db")))
		all[i].Secrets(uint64(i))
	}
	return all
}

// Nobody learns before the opening who bids, how many do, and what was paid: worlds that differ in nothing else answer every
// caller the same, byte for byte, on every route, by metrics and log. 21 worlds are held against each other, which are 210 pairs.
func TestTwoWorlds(t *testing.T) {
	if sampled {
		t.Skip("make test runs it once more without the race detector, which makes it ten times slower")
	}
	all := makeWorlds(t, 21) // 210 pairs
	patterns, own := declassified(t)
	probes := allProbes(t, all, own)
	// All of the worlds are asked by whoever sees everything, his own, another's, and nothing; then some by every caller. What
	// somebody sends is there for whoever asks later, so that each world is asked by the same callers in the same order.
	sights := []string{"auditor", "department", "department of another lot", "nobody"}
	var first []seen
	for _, part := range []struct {
		names  []string
		worlds []*worlds.World
	}{{sights, all}, {nil, all[:4]}} {
		first = openCentre(t, part.worlds[0], nil).transcript(part.names, probes)
		for i, w := range part.worlds[1:] {
			if found := differences(first, openCentre(t, w, nil).transcript(part.names, probes), patterns); len(found) > 0 {
				t.Fatalf("world %d tells itself apart in %d of %d places:\n%s", i+1, len(found), len(first), strings.Join(found[:min(len(found), 8)], "\n"))
			}
		}
	}
	t.Logf("%d places in each of %d worlds", len(first), len(all))
	told := 0
	for _, s := range first {
		if strings.HasPrefix(s.told, "200") {
			told++
		}
	}
	if told < len(probes)/2 {
		t.Errorf("only %d places tell anything: the test shows nothing", told)
	}
}

// The harness proves itself: each way to leak that the safety page names is noticed.
func TestTwoWorldsNoticesLeaks(t *testing.T) {
	if sampled {
		t.Skip("as TestTwoWorlds")
	}
	all := makeWorlds(t, 4)
	patterns, own := declassified(t)
	probes := allProbes(t, all, own)
	few := []string{"auditor", "nobody"}
	for name, leak := range leaks {
		noticed := false
		first := openCentre(t, all[0], leak).transcript(few, probes)
		for _, w := range all[1:] {
			found := differences(first, openCentre(t, w, leak).transcript(few, probes), patterns)
			noticed = noticed || len(found) > 0
		}
		if !noticed {
			t.Errorf("%s went unnoticed", name)
		}
	}
}

// around changes what one route answers.
func around(routes []Route, route string, change func(handle func(*gin.Context) error, c *gin.Context) error) []Route {
	changed := slices.Clone(routes)
	for i, r := range changed {
		if r.Method+" "+r.Path == route {
			changed[i].Handle = func(c *gin.Context) error { return change(r.Handle, c) }
		}
	}
	return changed
}

// header adds to a route's answer what a statement counts.
func header(route, text string) func(*centre, []Route) []Route {
	return func(w *centre, routes []Route) []Route {
		return around(routes, route, func(handle func(*gin.Context) error, c *gin.Context) error {
			value, err := sqldb.Value[string](c.Request.Context(), w.DB, text)
			if err != nil {
				return err
			}
			c.Header("X-Planted", value)
			return handle(c)
		})
	}
}

// leaks are the seven planted ones.
var leaks = map[string]func(*centre, []Route) []Route{
	"keys in order": func(w *centre, routes []Route) []Route {
		return around(routes, "GET /version", func(handle func(*gin.Context) error, c *gin.Context) error {
			n, err := sqldb.Value[int64](c.Request.Context(), w.DB, "SELECT COUNT(*) FROM events") // what a counted key would be
			if err != nil {
				return err
			}
			c.Header("X-Planted", sqldb.ID(n).String())
			return handle(c)
		})
	},
	"totals of pages": header("GET /v1/findings", "SELECT COUNT(*) FROM findings"),
	"a balance":       header("GET /v1/reports/:day", "SELECT COALESCE(MAX(closing), 0) FROM statements"),
	"a measure": func(w *centre, routes []Route) []Route {
		gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "planted", Help: "planted"}, []string{"lot"})
		w.metrics.MustRegister(gauge)
		for _, lot := range worlds.SealedLots {
			n, err := sqldb.Value[float64](w.t.Context(), w.DB, "SELECT COUNT(*) FROM bids AS b JOIN lots AS l ON l.id = b.lot_id WHERE l.number = ?", lot)
			if err != nil {
				w.t.Fatal(err)
			}
			gauge.WithLabelValues(lot).Set(n)
		}
		return routes
	},
	"free numbers": header("GET /v1/pools", "SELECT COUNT(*) FROM numbers WHERE state = 'FREE'"),
	"403 instead of 404": func(w *centre, routes []Route) []Route {
		return around(routes, "GET /v1/credits/:id", func(handle func(*gin.Context) error, c *gin.Context) error {
			id, err := idParam(c)
			if err != nil {
				return err
			}
			there, err := sqldb.Value[int](c.Request.Context(), w.DB, "SELECT COUNT(*) FROM entries WHERE id = ?", id)
			if err != nil {
				return err
			}
			if err := handle(c); err != nil && there > 0 {
				return problem(http.StatusForbidden, "sealed", "开标前不能查看")
			} else if err != nil {
				return err
			}
			return nil
		})
	},
	"last activity": header("GET /readyz", "SELECT MAX(first_seen) FROM entries"),
}
