package recommender_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"

	"github.com/rightsize/rightsize/recommender"
)

// tolerance is what issue and documents promise: 1e-9, relative.
const tolerance = 1e-9

func near(a, b float64) bool {
	return a == b || math.Abs(a-b) <= tolerance*math.Max(math.Abs(a), math.Abs(b))
}

func TestQuantileIsPrometheusQuantileOverTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	engine := promqltest.NewTestEngine(t, false, 0, 1_000_000)
	for _, n := range []int{1, 2, 3, 5, 10, 99, 100, 101, 2016} {
		samples := make([]float64, n)
		texts := make([]string, n)
		for i := range samples {
			samples[i] = math.Exp(rng.NormFloat64()*4) * 1e6
			texts[i] = strconv.FormatFloat(samples[i], 'g', -1, 64)
		}
		storage := promqltest.LoadedStorage(t, "load 1s\n  m "+strings.Join(texts, " "))
		slices.Sort(samples)
		for _, q := range []float64{0, 0.001, 0.5, 0.9, 0.95, 0.99, 0.999, 1} {
			text := fmt.Sprintf("quantile_over_time(%g, m[%ds])", q, n+1)
			query, err := engine.NewInstantQuery(t.Context(), storage, nil, text, time.Unix(int64(n-1), 0))
			if err != nil {
				t.Fatal(err)
			}
			vector, err := query.Exec(t.Context()).Vector()
			if err != nil || len(vector) != 1 {
				t.Fatalf("%s of %d samples: %v, %v", text, n, vector, err)
			}
			if got, want := recommender.Quantile(q, samples), vector[0].F; !near(got, want) {
				t.Errorf("Quantile(%g) of %d samples = %v, Prometheus says %v", q, n, got, want)
			}
		}
		_ = storage.Close()
	}
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
