package recommender

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

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

// pooledQuantile is Quantile of all samples of some ascending lists together, which it does not put together: a
// bisection finds the value that so many samples are not above. The lists have n samples, one at least.
func pooledQuantile(q float64, n int, lists [][]float64) float64 {
	return interpolate(q, n, func(i int) float64 { return nth(i, lists) })
}

// nth is the sample with i others before it. Floats are ordered as the integers that ordinal makes of them, of which the
// lowest is sought that more than i samples are not above.
func nth(i int, lists [][]float64) float64 {
	low, high := ordinal(math.Inf(-1)), ordinal(math.Inf(1))
	for low < high {
		middle := low + (high-low)/2
		if countUpTo(fromOrdinal(middle), lists) > i {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return fromOrdinal(low)
}

func countUpTo(v float64, lists [][]float64) (n int) {
	for _, l := range lists {
		above, _ := slices.BinarySearchFunc(l, v, func(sample, v float64) int {
			if sample > v {
				return 1
			}
			return -1
		})
		n += above
	}
	return n
}

// ordinal numbers floats that are not NaN in their order.
func ordinal(v float64) uint64 {
	const sign = 1 << 63
	bits := math.Float64bits(v)
	if bits&sign != 0 {
		return ^bits
	}
	return bits | sign
}

func fromOrdinal(n uint64) float64 {
	const sign = 1 << 63
	if n&sign != 0 {
		return math.Float64frombits(n &^ sign)
	}
	return math.Float64frombits(^n)
}

// Merge is the samples of ascending lists as one ascending list of its own memory. It takes from the list with the lowest head,
// which a heap has at its root, as many as are not above the next list's.
func Merge(lists [][]float64) []float64 {
	total := 0
	var heads [][]float64
	for _, l := range lists {
		if total += len(l); len(l) > 0 {
			heads = append(heads, l)
		}
	}
	out := make([]float64, 0, total)
	for i := len(heads)/2 - 1; i >= 0; i-- {
		sink(heads, i)
	}
	for len(heads) > 1 {
		first, next, n := heads[0], heads[1][0], 1
		if len(heads) > 2 {
			next = min(next, heads[2][0])
		}
		for n < len(first) && first[n] <= next {
			n++
		}
		out = append(out, first[:n]...)
		if heads[0] = first[n:]; n == len(first) {
			heads[0] = heads[len(heads)-1]
			heads = heads[:len(heads)-1]
		}
		sink(heads, 0)
	}
	for _, last := range heads {
		out = append(out, last...)
	}
	return out
}

// sink restores the order of a heap of lists by their first samples, where only the list at i may be out of it.
func sink(heads [][]float64, i int) {
	for {
		child := 2*i + 1
		if child >= len(heads) {
			return
		}
		if child+1 < len(heads) && heads[child+1][0] < heads[child][0] {
			child++
		}
		if heads[i][0] <= heads[child][0] {
			return
		}
		heads[i], heads[child] = heads[child], heads[i]
		i = child
	}
}

// mean of samples, NaN without any.
func mean(samples []float64) float64 { return stat.Mean(samples, nil) }
