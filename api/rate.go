package api

import (
	"math"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"
)

// Rates bounds how many requests are taken a second; what is zero is not bounded.
type Rates struct {
	PerCaller int // of one address, but for this machine's own, which is a front-end's that speaks for many
	Overall   int
}

// burst is for how many seconds' worth a caller may come at once: a bank that was cut off catches up.
const burst = 10

// mostCallers bounds the memory of addresses; those that are forgotten first have been still for longest.
const mostCallers = 10_000

// gate holds callers to the rates. What is refused costs no database and no signature.
type gate struct {
	rates   Rates
	overall *rate.Limiter

	mu      sync.Mutex
	callers map[string]*limited
}

type limited struct {
	*rate.Limiter
	last time.Time
}

func newGate(r Rates) *gate {
	return &gate{rates: r, overall: limiter(r.Overall), callers: map[string]*limited{}}
}

func limiter(perSecond int) *rate.Limiter {
	if perSecond == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(perSecond), burst*perSecond)
}

// wait is how long a caller has to wait; 0: come in.
func (g *gate) wait(caller string, now time.Time) time.Duration {
	if address, err := netip.ParseAddr(caller); g.rates.PerCaller > 0 && !(err == nil && address.IsLoopback()) {
		if wait := take(g.limiterOf(caller, now), now); wait > 0 {
			return wait
		}
	}
	return take(g.overall, now)
}

func take(l *rate.Limiter, now time.Time) time.Duration {
	if l.AllowN(now, 1) {
		return 0
	}
	missing := 1 - l.TokensAt(now)
	return time.Duration(missing / float64(l.Limit()) * float64(time.Second))
}

func (g *gate) limiterOf(caller string, now time.Time) *rate.Limiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.callers[caller]
	if l == nil {
		if len(g.callers) >= mostCallers {
			g.forget(now)
		}
		l = &limited{Limiter: limiter(g.rates.PerCaller)}
		g.callers[caller] = l
	}
	l.last = now
	return l.Limiter
}

// forget drops whoever has been still so long that his burst is whole again; where nobody has, everybody: a flood of
// addresses costs the others no more than their memory of having come often.
func (g *gate) forget(now time.Time) {
	for caller, l := range g.callers {
		if now.Sub(l.last) > burst*time.Second {
			delete(g.callers, caller)
		}
	}
	if len(g.callers) >= mostCallers {
		clear(g.callers)
	}
}

// limitRate turns away who comes too often. Whether the service lives is never refused to be told: a flood must not look
// like a death.
func (s *server) limitRate(c *gin.Context) {
	if c.FullPath() == "/livez" {
		return
	}
	if wait := s.gate.wait(c.ClientIP(), s.DB.Now()); wait > 0 {
		p := problem(http.StatusTooManyRequests, "too_many_requests", "请求过于频繁，请按 Retry-After 的秒数稍后原样重发")
		p.retryAfter = time.Duration(math.Ceil(wait.Seconds())) * time.Second
		s.answerProblem(c, p)
	}
}
