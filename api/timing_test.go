package api

import (
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// hottest are the questions that are asked most, and whose answers rest on what is secret.
var hottest = []string{"/v1/findings", "/v1/overview", "/v1/messages", "/v1/pools", "/v1/sub-accounts/s0-0/diagnosis"}

// slowest is how probable it has to be that two worlds answer equally fast, by the test of Kolmogorov and Smirnov. One in a hundred
// comparisons of equals falls below it, so that only what does so three times on end counts.
const (
	slowest = 0.01
	tries   = 3
	asks    = 1000 // of each question in each world
)

// How long an answer takes tells nobody who bids: a world in which nobody does is as quick as one in which many do.
func TestTortureTiming(t *testing.T) {
	sqldbtest.Unwatched(t)
	if os.Getenv("TORTURE") == "" {
		t.Skip("some minutes, most of them waiting; TORTURE=1 measures")
	}
	all := makeWorlds(t, 4)
	quiet, busy := even(openCentre(t, all[0], nil)), even(openCentre(t, all[3], nil))
	for _, target := range hottest {
		if p := toldApart(quiet, busy, target); p < slowest {
			t.Errorf("GET %s tells the worlds apart by its time (p = %.1g)", target, p)
		}
	}
	leak := func(c *centre, routes []Route) []Route {
		return around(routes, "GET /v1/findings", func(handle func(*gin.Context) error, g *gin.Context) error {
			paid, err := sqldb.Value[int](g.Request.Context(), c.DB, "SELECT COUNT(*) FROM entries")
			if err != nil {
				return err
			}
			defer time.Sleep(time.Duration(paid) * 100 * time.Microsecond) // behind the step
			return handle(g)
		})
	}
	if p := toldApart(even(openCentre(t, all[0], leak)), even(openCentre(t, all[3], leak)), hottest[0]); p >= slowest {
		t.Errorf("the planted leak went unnoticed (p = %.1g)", p)
	}
}

// even is a centre that holds its answers back as the service does.
func even(c *centre) *centre {
	c.server.Even = EvenStep
	return c
}

// toldApart asks two worlds in turn, which of them first by chance, and gives the greatest probability in some tries that they
// are equally fast.
func toldApart(a, b *centre, target string) (best float64) {
	dice := rand.New(rand.NewPCG(1, 1))
	who := [2]onlooker{a.auditor(), b.auditor()}
	n := 0
	for range tries {
		var took [2][]time.Duration
		for range asks + asks/10 {
			for _, i := range dice.Perm(2) {
				n++
				begin := time.Now()
				[2]*centre{a, b}[i].asked(n, who[i], probe{"GET", target, ""})
				took[i] = append(took[i], time.Since(begin))
			}
		}
		best = max(best, sameness(took[0][asks/10:], took[1][asks/10:])) // the first ones warm up
		if best >= slowest {
			break
		}
	}
	return best
}

// auditor is who sees everything that may be seen.
func (c *centre) auditor() onlooker {
	all := c.onlookers()
	return all[slices.IndexFunc(all, func(o onlooker) bool { return o.name == "auditor" })]
}

// sameness is the probability that two samples of the same distribution lie as far apart as these (Kolmogorov and Smirnov).
func sameness(a, b []time.Duration) float64 {
	slices.Sort(a)
	slices.Sort(b)
	apart, i, j := 0.0, 0, 0
	for i < len(a) && j < len(b) {
		at := min(a[i], b[j])
		for i < len(a) && a[i] <= at {
			i++
		}
		for j < len(b) && b[j] <= at {
			j++
		}
		apart = max(apart, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	n := math.Sqrt(float64(len(a)) * float64(len(b)) / float64(len(a)+len(b)))
	x, p := (n+0.12+0.11/n)*apart, 0.0
	for k := 1.0; k <= 100; k++ {
		p += 2 * math.Pow(-1, k-1) * math.Exp(-2*k*k*x*x)
	}
	if x < 0.2 { // the sum does not converge, and they are the same
		return 1
	}
	return p
}

// What is told to persons waits for the step, whether it has a body or not; what is told to banks and machines does not.
func TestEven(t *testing.T) {
	h := local(t)
	h.server.Even = 40 * time.Millisecond
	for _, ask := range []func(){
		func() { h.get("/v1/findings").want(200, "") },
		func() { h.get("/v1/findings/0000000000002").want(404, "finding_unknown") },
		func() { h.page(maker, "POST", "/findings/choose", url.Values{"id": {"0000000000002"}}).shows(303) },
	} {
		begin := time.Now()
		if ask(); time.Since(begin) < h.server.Even {
			t.Errorf("an answer after %v", time.Since(begin))
		}
	}
	for _, r := range h.server.routes() {
		if machine := strings.HasPrefix(r.Path, "/v1/platform/") || strings.HasSuffix(r.Path, "/messages") && r.Method == "POST"; machine && r.isEven() {
			t.Errorf("%s %s is held back", r.Method, r.Path)
		}
	}
}
