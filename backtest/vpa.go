package backtest

import (
	"math"

	"github.com/rightsize/rightsize/recommender"
)

// The defaults of VPA 1.7's recommender: pkg/recommender/model/aggregations_config.go and
// pkg/recommender/config of k8s.io/autoscaler/vertical-pod-autoscaler.
const (
	vpaPercentile = 0.90
	vpaMargin     = 0.15
	vpaHalfLife   = 24 * 3600 // seconds; of CPU samples and of memory peaks
	vpaInterval   = 24 * 3600 // seconds that a memory peak is of
)

// VPA is the target of the VerticalPodAutoscaler 1.7 with its defaults: the 90th percentile of a histogram whose weights
// halve each 24 hours and whose buckets grow by 5 %, of all pods' CPU samples and of each pod's daily memory peaks, and
// 15 % more. Confidence margins move its bounds alone and are left out, as are its floors of 25m and 250 MB a pod. It
// scales limits with requests: none for CPU, and for memory one that equals the request.
func VPA() Policy {
	return Policy{
		Name:   "vpa",
		Doc:    "VPA 1.7: p90 of a decaying histogram of CPU and of daily memory peaks, +15 %; memory request = limit",
		Advise: vpa,
	}
}

func vpa(t Training) Bounds {
	cpu := newHistogram(0.01, 1000)
	memory := newHistogram(1e7, 1e12)
	for _, p := range t.Pods {
		points := p.Usage[recommender.CPU]
		for i, v := range points.Values {
			cpu.add(wholeMilli(v), decay(points.Times[i], t.Until, vpaHalfLife))
		}
		for _, peak := range dailyPeaks(p.Usage[recommender.Memory]) {
			memory.add(peak.value, decay(peak.windowEnd, t.Until, vpaHalfLife))
		}
	}
	var b Bounds
	if cpu.total > 0 {
		b[recommender.CPU] = recommender.Bounds{Request: recommender.Set(withMargin(cpu.percentile(vpaPercentile), 1000)), Limit: recommender.Unset()}
	}
	if memory.total > 0 {
		b[recommender.Memory] = equal(withMargin(memory.percentile(vpaPercentile), 1))
	}
	return b
}

// withMargin adds the margin. VPA counts in whole millicores and bytes, of which there are so many in one.
func withMargin(amount, units float64) float64 {
	base := math.Floor(amount * units)
	return (base + math.Floor(base*vpaMargin)) / units
}

// wholeMilli cuts cores down to whole millicores.
func wholeMilli(cores float64) float64 { return math.Floor(cores*1000) / 1000 }

// decay is the weight of what was at a time, seen from now: a half for each half-life between.
func decay(at, now, halfLife int64) float64 {
	return math.Exp2(float64(at-now) / float64(halfLife))
}

// peakOf is the highest sample of an interval, which VPA dates to the interval's end.
type peakOf struct {
	value     float64
	windowEnd int64
}

// dailyPeaks are the highest samples of a pod's days. The first day begins with its first sample.
func dailyPeaks(p Points) []peakOf {
	var peaks []peakOf
	for i, v := range p.Values {
		day := (p.Times[i] - p.Times[0]) / vpaInterval
		end := p.Times[0] + (day+1)*vpaInterval
		if n := len(peaks); n == 0 || peaks[n-1].windowEnd != end {
			peaks = append(peaks, peakOf{v, end})
			continue
		}
		last := &peaks[len(peaks)-1]
		last.value = math.Max(last.value, v)
	}
	return peaks
}

// histogram has buckets that grow by 5 %, as VPA's: bucket n >= 1 starts at first x (1.05^n - 1) / 0.05.
type histogram struct {
	first   float64
	growth  float64 // as a float64, in which 1.05 - 1 is not quite 0.05: as VPA computes it
	weights []float64
	total   float64
}

// bucketGrowth is VPA's DefaultHistogramBucketSizeGrowth.
const bucketGrowth = 1.05

// newHistogram has buckets up to about highest.
func newHistogram(first, highest float64) *histogram {
	h := &histogram{first: first, growth: bucketGrowth}
	h.weights = make([]float64, int(math.Ceil(h.position(highest)))+1)
	return h
}

// position is the bucket that a value is in, and how far into it.
func (h *histogram) position(value float64) float64 {
	return math.Log(value*(h.growth-1)/h.first+1) / math.Log(h.growth)
}

func (h *histogram) add(value, weight float64) {
	bucket := 0
	if value >= h.first {
		bucket = min(int(h.position(value)), len(h.weights)-1)
	}
	h.weights[bucket] += weight
	h.total += weight
}

// percentile is the upper end of the bucket in which the share q of all weight is reached, 0 without any.
func (h *histogram) percentile(q float64) float64 {
	sum, last := 0.0, 0
	for i, w := range h.weights {
		if w == 0 {
			continue
		}
		last = i
		if sum += w; sum >= q*h.total {
			break
		}
	}
	if h.total == 0 {
		return 0
	}
	return h.start(min(last+1, len(h.weights)-1))
}

func (h *histogram) start(bucket int) float64 {
	return h.first * (math.Pow(h.growth, float64(bucket)) - 1) / (h.growth - 1)
}
