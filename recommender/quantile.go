package recommender

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// Quantile is the q-quantile of ascending samples: rank q(n-1), linear between neighbours (Hyndman and
// Fan's type 7). It is what Prometheus's quantile and quantile_over_time give, and NumPy's default.
// It is NaN without samples; q is held to 0 .. 1.
func Quantile(q float64, sorted []float64) float64 {
	if len(sorted) == 0 || math.IsNaN(q) {
		return math.NaN()
	}
	q = min(max(q, 0), 1)
	n := float64(len(sorted))
	// gonum's LinInterp is type 4, which reads rank qn-1: this argument turns it into type 7.
	p := min(((n-1)*q+1)/n, 1)
	v := stat.Quantile(p, stat.LinInterp, sorted, nil)
	// Interpolation between huge neighbours must not leave their range by a rounding error.
	return min(max(v, sorted[0]), sorted[len(sorted)-1])
}

// mean of samples, NaN without any.
func mean(samples []float64) float64 { return stat.Mean(samples, nil) }
