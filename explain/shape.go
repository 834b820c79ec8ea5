package explain

import (
	"math"
	"slices"
	"time"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

func timesOf(n int) time.Duration { return time.Duration(n) }

// shareUpTo is the share of samples that are no higher than x; 0 of none.
func shareUpTo(samples recommender.Samples, x float64) float64 {
	return float64(samples.UpTo(x)) / float64(max(samples.Len(), 1))
}

// bins are what all pods used in equal parts of the window, from its start to its end; NaN where there is nothing.
type bins struct {
	middle  []float64 // the median of all samples
	highest []float64
}

// binned puts what the pods used into n bins. The peak, which may lie between the grid's points, lifts its own.
func binned(w recommender.Window, pods []scan.PodTimeline, r recommender.Resource, peak recommender.Peak, n int) bins {
	n = min(n, w.Points())
	samples := make([][]float64, n)
	for _, p := range pods {
		for i, k := range p.Points[r] {
			b := (k - 1) * n / w.Points()
			samples[b] = append(samples[b], p.Values[r][i])
		}
	}
	out := bins{slices.Repeat([]float64{math.NaN()}, n), slices.Repeat([]float64{math.NaN()}, n)}
	for b, values := range samples {
		if len(values) > 0 {
			slices.Sort(values)
			out.middle[b], out.highest[b] = recommender.Quantile(0.5, values), values[len(values)-1]
		}
	}
	if b, ok := binOf(w, peak.At, n); ok && peak.Pod != "" {
		if !(out.highest[b] >= peak.Value) {
			out.highest[b] = peak.Value
		}
	}
	return out
}

// binOf is the bin of n that a time of the window is in.
func binOf(w recommender.Window, at time.Time, n int) (bin int, ok bool) {
	since := at.Sub(w.Start())
	if n == 0 || since <= 0 || since > w.Length {
		return 0, false
	}
	return min(int(float64(since-1)/float64(w.Length)*float64(n)), n-1), true
}

// histogram counts samples in n equal parts from the lowest to the highest.
func histogram(samples recommender.Samples, n int) []int {
	counts := make([]int, n)
	low, high := samples.Min(), samples.Max()
	for v := range samples.All() {
		counts[part(v, low, high, n)]++
	}
	return counts
}

// part is which of n equal parts from low to high v is in; the last one for all where these are the same.
func part(v, low, high float64, n int) int {
	if high <= low {
		return n - 1
	}
	return min(max(int(float64(n)*(v-low)/(high-low)), 0), n-1)
}
