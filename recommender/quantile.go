package recommender

import "math"

// Quantile is the q-quantile of ascending samples: rank q(n-1), linear between neighbours (Hyndman and
// Fan's type 7). It is what Prometheus's quantile and quantile_over_time give, and NumPy's default.
// It is NaN without samples; q is held to 0 .. 1.
func Quantile(q float64, sorted []float64) float64 {
	if len(sorted) == 0 || math.IsNaN(q) {
		return math.NaN()
	}
	v := interpolate(q, len(sorted), func(i int) float64 { return sorted[i] })
	// Interpolation between huge neighbours must not leave their range by a rounding error.
	return min(max(v, sorted[0]), sorted[len(sorted)-1])
}

// interpolate is the q-quantile of n ascending samples, q held to 0 .. 1. It does what gonum's stat.Quantile does by LinInterp, to
// the bit, of the two samples that count: gonum goes through all of them, three times. LinInterp is type 4, which reads
// rank qn-1; p turns it into type 7.
func interpolate(q float64, n int, at func(int) float64) float64 {
	q = min(max(q, 0), 1)
	rank := min((float64(n-1)*q+1)/float64(n), 1) * float64(n)
	i := int(math.Ceil(rank)) - 1
	if i < 1 {
		return at(0)
	}
	t := float64(i+1) - rank
	return t*at(i-1) + (1-t)*at(i)
}
