package platform

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The draws have the mean and the variance they should have, on both sides of where the methods change.
func TestDrawsHaveTheirMoments(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 40_000
	check := func(name string, param, varies float64, draw func() float64) {
		t.Helper()
		var total, squares float64
		for range n {
			x := draw()
			total += x
			squares += (x - param) * (x - param)
		}
		mean, variance := total/n, squares/n
		if math.Abs(mean-param) > 5*math.Sqrt(varies/n) || math.Abs(variance-varies) > 0.15*varies {
			t.Errorf("%s of %v: mean %.4f, variance %.4f", name, param, mean, variance)
		}
	}
	for _, mean := range []float64{0.05, 1, 9.9, 10.1, 40, 700} {
		check("poisson", mean, mean, func() float64 { return float64(poisson(rng, mean)) })
	}
	for _, shape := range []float64{0.2, 0.9, 1, 3.5, 200} {
		check("gamma", shape, shape, func() float64 { return gamma(rng, shape) })
	}
	for _, excess := range []float64{0, 0.5, 8} {
		check("crowded", 3, 3+3*excess, func() float64 { return float64(crowded(rng, 3, excess)) })
	}
	if poisson(rng, 0) != 0 || crowded(rng, 0, 5) != 0 {
		t.Error("of nothing comes something")
	}
}
