package recommender_test

import (
	"math"
	"testing"

	"github.com/rightsize/rightsize/recommender"
)

// tolerance is what issue and documents promise: 1e-9, relative.
const tolerance = 1e-9

func near(a, b float64) bool {
	return a == b || math.Abs(a-b) <= tolerance*math.Max(math.Abs(a), math.Abs(b))
}

func TestQuantileEdges(t *testing.T) {
	if got := recommender.Quantile(0.5, nil); !math.IsNaN(got) {
		t.Errorf("Quantile of nothing = %v, want NaN", got)
	}
	if got := recommender.Quantile(math.NaN(), []float64{1}); !math.IsNaN(got) {
		t.Errorf("Quantile(NaN) = %v, want NaN", got)
	}
	for q, want := range map[float64]float64{-1: 1, 0: 1, 0.5: 2.5, 1: 4, 2: 4} {
		if got := recommender.Quantile(q, []float64{1, 2, 3, 4}); got != want {
			t.Errorf("Quantile(%v) = %v, want %v", q, got, want)
		}
	}
}

// The README promises rank q(n-1) for every n; 4,000 is more than a week of one pod at 5 minutes.
func TestQuantileRank(t *testing.T) {
	var samples []float64
	for n := 1; n <= 4000; n++ {
		samples = append(samples, float64(n-1))
		for _, q := range []float64{0.01, 0.5, 0.99} {
			if got, want := recommender.Quantile(q, samples), q*float64(n-1); !near(got, want) {
				t.Fatalf("Quantile(%v) of 0..%d = %v, want %v", q, n-1, got, want)
			}
		}
	}
}
