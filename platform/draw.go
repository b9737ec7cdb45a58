package platform

import (
	"math"
	"math/rand/v2"
)

// gamma draws from the gamma distribution of a shape above zero and rate 1, by Marsaglia and Tsang (2000).
func gamma(rng *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(rng, shape+1) * math.Pow(1-rng.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		u := 1 - rng.Float64()
		if u < 1-0.0331*x*x*x*x || math.Log(u) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// poisson draws a count of the given mean: small ones by multiplying, others by Hörmann's transformed rejection (PTRS, 1993).
func poisson(rng *rand.Rand, mean float64) int {
	if mean < 10 {
		n, limit := 0, math.Exp(-mean)
		for p := rng.Float64(); p > limit; p *= rng.Float64() {
			n++
		}
		return n
	}
	b := 0.931 + 2.53*math.Sqrt(mean)
	a := -0.059 + 0.02483*b
	accept := 0.9277 - 3.6224/(b-2)
	logAlpha := math.Log(1.1239 + 1.1328/(b-3.4))
	for {
		u, v := rng.Float64()-0.5, 1-rng.Float64()
		us := 0.5 - math.Abs(u)
		n := math.Floor((2*a/us+b)*u + mean + 0.43)
		if us >= 0.07 && v <= accept {
			return int(n)
		}
		if n < 0 || us < 0.013 && v > us {
			continue
		}
		gammaLog, _ := math.Lgamma(n + 1)
		if math.Log(v)+logAlpha-math.Log(a/(us*us)+b) <= n*math.Log(mean)-mean-gammaLog {
			return int(n)
		}
	}
}

// crowded draws a count of the given mean whose variance is larger than that by a factor of 1 + excess: a Poisson number of
// crowds, each of a size from the logarithmic distribution, which makes the sum negative binomial.
func crowded(rng *rand.Rand, mean, excess float64) (n int) {
	if excess < 0.01 {
		return poisson(rng, mean)
	}
	for range poisson(rng, mean/excess*math.Log1p(excess)) {
		n += logarithmic(rng, excess/(1+excess))
	}
	return n
}

// logarithmic draws from the logarithmic distribution of parameter p by Kemp's algorithm LK (1981).
func logarithmic(rng *rand.Rand, p float64) int {
	v := 1 - rng.Float64()
	if v >= p {
		return 1
	}
	q := -math.Expm1(rng.Float64() * math.Log1p(-p))
	switch {
	case v > q:
		return 1
	case v > q*q:
		return 2
	}
	return int(1 + math.Log(v)/math.Log(q))
}
