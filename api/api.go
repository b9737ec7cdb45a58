// Package api is the way in over HTTP: the banks' messages and files, the trading platform's facts, and the questions
// people ask. Handlers read what was sent, call one desk, and answer; they decide nothing.
//
// Every route stands in one table with the roles it is for, and nobody else gets further than admit: a person by a session, a
// machine by a token, and a bank by the seal of its messages, which their handlers look at. What a caller sees of the lots
// is filtered below, by the sight that goes to the desks.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"depositd/api/once"
	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/incident"
	"depositd/platform/people"
	"depositd/platform/webhook"
	"depositd/reconcile"
	"depositd/refund"
)

// Desks is what the handlers work with. All of it is needed but Tend, Metrics, TrustedProxies, MaxStatement and Spool.
type Desks struct {
	DB        *sqldb.DB
	Banks     *bank.Set
	Bank      *bank.Desk
	Platform  *platform.Desk
	Reconcile *reconcile.Desk
	Keeper    *reconcile.Keeper
	Refund    *refund.Desk
	People    *people.Desk
	Incident  *incident.Desk
	Webhook   *webhook.Desk
	Judge     func() // tells whoever judges that there is work; never blocks
	Tend      func() // tells whoever tends the pools that there may be work; never blocks; nil: nobody is told
	Log       *slog.Logger
	Metrics   prometheus.Registerer // nil: nothing is measured
	Version   string

	// Receive stores a message; nil: the bank's desk does. The benchmark measures the handler without storage by it.
	Receive func(context.Context, bank.Message) (bank.Receipt, error)

	TrustedProxies   []string // CIDRs whose X-Forwarded-For is believed; nil: nobody's
	MaxStatement     int64    // bytes of a statement file; 0: DefaultMaxStatement
	ClientCertHeader string   // in which a trusted proxy hands on a bank's client certificate; "": none is believed
	Rates            Rates    // how often callers may come; zero: as often as they like
	RevealsPerDay    int      // how often a person is shown in a day what is masked
	Spool            string   // folder for files on their way in; "": the system's for temporary files

	Even time.Duration // to whose next multiple answers to persons are held back, as EvenStep; 0: they are not
}

// DefaultMaxStatement is the largest statement file taken unless told otherwise: a million lines of the longest known
// record (530 bytes) fill it.
const DefaultMaxStatement = 512 << 20

type server struct {
	Desks
	meters    *meters
	once      *once.Desk
	gate      *gate
	samples   samples
	foreign   *http.CrossOriginProtection
	schemaFit atomic.Bool // it was right once; only a newer program changes it

	assets    assets
	pages     pages
	pageRoles map[string][]Role // whom the ways in are for that answer with HTML
}

// New makes the handler of the whole service. It fails when a route has no role.
func New(d Desks) (http.Handler, error) {
	s, err := newServer(d)
	if err != nil {
		return nil, err
	}
	return s.mount(s.routes())
}

func newServer(d Desks) (*server, error) {
	if d.DB == nil || d.Banks == nil || d.Bank == nil || d.Platform == nil || d.Reconcile == nil || d.Keeper == nil || d.Refund == nil || d.People == nil || d.Incident == nil || d.Webhook == nil || d.Judge == nil || d.Log == nil {
		return nil, errors.New("api: a desk is missing")
	}
	if d.MaxStatement == 0 {
		d.MaxStatement = DefaultMaxStatement
	}
	if d.Tend == nil {
		d.Tend = func() {}
	}
	s := &server{Desks: d, once: once.NewDesk(d.DB), gate: newGate(d.Rates), foreign: http.NewCrossOriginProtection()}
	var err error
	if s.assets, err = newAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = s.newPages(); err != nil {
		return nil, err
	}
	s.pageRoles = openTo(s.pageRoutes(readers))
	s.meters, err = s.newMeters()
	return s, err
}

// mount puts the routes under everything that holds for all of them.
func (s *server) mount(routes []Route) (http.Handler, error) {
	if err := checkRoutes(routes); err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.RedirectTrailingSlash = false
	engine.HandleMethodNotAllowed = true
	engine.UseEscapedPath, engine.UnescapePathValues = true, false // a lot's number may hold a slash; see param
	if err := engine.SetTrustedProxies(s.TrustedProxies); err != nil {
		return nil, err
	}
	engine.Use(s.open, s.observe, s.recover, s.limitRate, s.refuseForeign)
	for _, r := range routes {
		engine.Handle(r.Method, r.Path, s.serve(r))
	}
	engine.NoRoute(func(c *gin.Context) {
		s.answerProblem(c, problem(http.StatusNotFound, "route_unknown", "没有这个地址，见 /v1/openapi.yaml"))
	})
	engine.NoMethod(func(c *gin.Context) {
		s.answerProblem(c, problem(http.StatusMethodNotAllowed, "method_not_allowed", "该地址不支持此方法，可用方法见 Allow"))
	})
	return engine, nil
}

// requestID is the key under which gin keeps the request's id.
const requestID = "request"

// headers go out with every answer. None is to be kept, framed, guessed at or read by another site; a page may use a little more.
var headers = map[string]string{
	"Cache-Control":                "no-store",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
	"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
	"Referrer-Policy":              "no-referrer",
	"Strict-Transport-Security":    "max-age=31536000",
	"X-Content-Type-Options":       "nosniff",
}

// open names the request. An id that the caller sent is not taken: it would stand in our logs.
func (s *server) open(c *gin.Context) {
	id := s.DB.NewID().String()
	c.Set(requestID, id)
	c.Header("X-Request-Id", id)
	for name, value := range headers {
		c.Header(name, value)
	}
}

// refuseForeign turns away what a browser sends on behalf of another site.
func (s *server) refuseForeign(c *gin.Context) {
	if s.foreign.Check(c.Request) != nil {
		s.answerProblem(c, problem(http.StatusForbidden, "foreign_origin", "不接受来自其他网站的请求"))
	}
}

// answerGrace is how long after a request's time is up its answer may still be on the way.
const answerGrace = 10 * time.Second

// serve runs one route within its limits.
func (s *server) serve(r Route) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), r.Within)
		defer cancel()
		until, _ := ctx.Deadline()
		connection := http.NewResponseController(c.Writer)
		_ = connection.SetReadDeadline(until) // fails only where there is no connection, as in a test
		_ = connection.SetWriteDeadline(until.Add(answerGrace))
		c.Request = c.Request.WithContext(ctx)
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, r.Limit)
		if s.Even > 0 && r.isEven() {
			w := &evenly{ResponseWriter: c.Writer, ctx: ctx, begun: time.Now(), step: s.Even}
			c.Writer = w
			defer w.wait() // an answer may have no body
		}
		if err := s.admit(c, &r); err != nil {
			s.fail(c, err)
			return
		}
		if err := r.checkType(c.Request); err != nil {
			s.fail(c, err)
			return
		}
		handle := r.Handle
		if r.onlyOnce() {
			handle = func(c *gin.Context) error { return s.answerOnce(c, r) }
		}
		if err := handle(c); err != nil {
			s.fail(c, err)
		}
	}
}
