package api

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"
)

// A caller who comes too often waits, the others do not; a clock that stands still gives nothing.
func TestRates(t *testing.T) {
	g := newGate(Rates{PerCaller: 2, Overall: 5})
	now := noon
	taken := func(caller string, n int) (came int) {
		for range n {
			if g.wait(caller, now) == 0 {
				came++
			}
		}
		return came
	}
	if got := taken("10.0.0.1", 50); got != 2*burst {
		t.Errorf("one caller came %d times", got)
	}
	if got := taken("10.0.0.2", 5); got != 5 {
		t.Errorf("another came %d times", got)
	}
	if wait := g.wait("10.0.0.1", now); wait != 500*time.Millisecond {
		t.Errorf("the first has to wait %s", wait)
	}
	now = now.Add(time.Second)
	if got := taken("10.0.0.1", 5); got != 2 {
		t.Errorf("a second later the first came %d times", got)
	}
	total := 0
	for i := range 100 {
		total += taken(fmt.Sprint("10.1.0.", i), 1)
	}
	if total > 5*burst {
		t.Errorf("all came %d times at once", total)
	}
	if newGate(Rates{}).wait("10.0.0.1", now) != 0 {
		t.Error("no rate, and yet a limit")
	}
}

// However many addresses come, the memory of them is bounded.
func TestRatesForget(t *testing.T) {
	g := newGate(Rates{PerCaller: 1})
	for i := range 3 * mostCallers {
		g.wait(fmt.Sprint(i), noon.Add(time.Duration(i)*time.Millisecond))
		if len(g.callers) > mostCallers {
			t.Fatalf("%d callers are remembered", len(g.callers))
		}
	}
}

func TestTooManyRequests(t *testing.T) {
	h := local(t)
	h.server.gate = newGate(Rates{PerCaller: 1})
	for range burst {
		h.get("/version").want(200, "")
	}
	if got := h.get("/version").want(429, "too_many_requests"); got.Header().Get("Retry-After") != "1" {
		t.Errorf("come again after %q s", got.Header().Get("Retry-After"))
	}
	h.play(httptest.NewRequest("GET", "/nowhere", nil)).want(429, "too_many_requests")
	h.get("/livez").want(200, "")
	h.now = h.now.Add(time.Second)
	h.get("/version").want(200, "")
}
