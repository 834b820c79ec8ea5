package recommender

import (
	"maps"
	"math"
	"slices"
	"time"
)

// RecentHalfLife is the time in which a sample loses half of its weight in Usage.Recent. Two days are short enough to
// follow a level that has changed, and long enough to remember the days before a weekend.
const RecentHalfLife = 48 * time.Hour

const (
	// recentGrowth is how much higher a bucket begins than the one below: values are known to 0.5 %.
	recentGrowth = 1.01
	// recentLowest is the lowest value that is told from 0: a thousandth of a millicore.
	recentLowest = 1e-6
)

// Recent is how samples are distributed, the newer the more they weigh. It holds weights by size and no samples, so that
// it stays small however many there are. The zero Recent is of none.
type Recent struct{ weights map[int]float64 }

// Add adds a sample of an age, seen from the end of the window. What is not finite or below 0 is left out.
func (r *Recent) Add(value float64, age time.Duration) {
	if math.IsNaN(value) || math.IsInf(value, 0) || value < 0 {
		return
	}
	if r.weights == nil {
		r.weights = make(map[int]float64)
	}
	r.weights[recentBucket(value)] += math.Exp2(-float64(age) / float64(RecentHalfLife))
}

// recentBucket is 0 for nothing, and above that counts up from recentLowest.
func recentBucket(value float64) int {
	if value < recentLowest {
		return 0
	}
	return 1 + int(math.Log(value/recentLowest)/math.Log(recentGrowth))
}

// quantile is the value up to which the share q of all weight lies: the middle of its bucket. It is NaN of nothing.
func (r *Recent) quantile(q float64) float64 {
	if r == nil || len(r.weights) == 0 {
		return math.NaN()
	}
	buckets := slices.Sorted(maps.Keys(r.weights))
	total := 0.0
	for _, b := range buckets {
		total += r.weights[b]
	}
	sum := 0.0
	for _, b := range buckets {
		if sum += r.weights[b]; sum >= q*total {
			return recentValue(b)
		}
	}
	return recentValue(buckets[len(buckets)-1])
}

func recentValue(bucket int) float64 {
	if bucket == 0 {
		return 0
	}
	return recentLowest * math.Pow(recentGrowth, float64(bucket)-0.5)
}

// recent is the percentile of recent samples, and of all where nobody kept what is recent: runs of Jobs have no time of
// their own. It is never above the highest sample.
func (u Usage) recent(percent float64) float64 {
	q := percent / 100
	if v := u.Recent.quantile(q); !math.IsNaN(v) && u.Samples.Len() > 0 {
		return min(v, u.Samples.Max())
	}
	return u.Samples.Quantile(q)
}
