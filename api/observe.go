package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// meters is what is measured. No label holds a lot, a bidder or a number of either.
type meters struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec

	unbelieved *prometheus.CounterVec
}

// newMeters registers the measures; cmd serves them on a listener of their own.
func (s *server) newMeters() (*meters, error) {
	m := &meters{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "depositd_http_requests_total",
			Help: "Requests answered, by route and status."}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "depositd_http_request_seconds",
			Help: "How long requests took, by route.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}, []string{"method", "route"}),
		unbelieved: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "depositd_bank_messages_unbelieved_total",
			Help: "Messages whose sender did not prove to be the bank, by the reason."}, []string{"reason"}),
	}
	if s.Metrics == nil {
		return m, nil
	}
	backlog := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "depositd_judge_backlog_age_seconds",
		Help: "How long the oldest of the entries judged next has waited for its verdict, once that is longer than it should; -1 when the database does not answer."}, s.backlogSeconds)
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.unbelieved, backlog} {
		if err := s.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// scrapeTime bounds what a scrape asks of the database.
const scrapeTime = 2 * time.Second

func (s *server) backlogSeconds() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	age, err := s.backlogAge(ctx)
	if err != nil {
		return -1
	}
	if age < judgeBehind {
		return 0 // else a scrape at the right moment would see a payment come
	}
	return age.Seconds()
}

// quiet are the ways in by which bids and payments come. What they bring is neither counted nor logged as long as it is taken:
// how many there were, and when, would tell how many bidders there are (招标投标法 §22). What is refused or fails is.
var quiet = []string{
	"POST /v1/banks/:bank/messages", "POST /v1/bids", "POST /v1/bids/:id/sub-account", "GET /v1/bids/:id/status", "POST /v1/platform/sync", "POST /v1/platform/events",
}

// observe counts and logs each request when it is answered: the route's template and the status, never the query or the
// body, which can hold names, nor how long the answer is, which tells of what stands in it.
func (s *server) observe(c *gin.Context) {
	method, route := c.Request.Method, c.FullPath()
	if route == "" {
		route = "unmatched"
	}
	if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}, method) {
		method = "other" // whoever asks must not choose our labels
	}
	began := time.Now()
	c.Next()
	took, status := time.Since(began), c.Writer.Status()
	if status < http.StatusBadRequest && slices.Contains(quiet, method+" "+route) {
		return
	}
	s.meters.seconds.WithLabelValues(method, route).Observe(took.Seconds())
	s.meters.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	s.Log.Info("request", "request", c.GetString(requestID), "method", method, "route", route, "status", status,
		"ms", took.Milliseconds(), "from", c.ClientIP())
}

// recover answers a panic as our fault. Of its value only the type is logged, unless the runtime made it: a value of
// ours could hold what a bank or a bidder sent.
func (s *server) recover(c *gin.Context) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		if err, ok := value.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(value) // net/http's own way to break an answer off
		}
		cause := fmt.Sprintf("%T", value)
		if fault, ok := value.(runtime.Error); ok {
			cause = fault.Error()
		}
		s.Log.Error("panic", "request", c.GetString(requestID), "route", c.FullPath(), "cause", cause, "stack", string(debug.Stack()))
		s.answerProblem(c, problemOf(fmt.Errorf("panic: %s", cause)))
	}()
	c.Next()
}
