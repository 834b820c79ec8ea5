package promquery_test

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

// The core's quantile is Prometheus's. The test is here for the core's sake, whose tests need no Prometheus.
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
			if got, want := recommender.Quantile(q, samples), vector[0].F; math.Abs(got-want) > 1e-9*math.Abs(want) {
				t.Errorf("Quantile(%g) of %d samples = %v, Prometheus says %v", q, n, got, want)
			}
		}
		_ = storage.Close()
	}
}

// Pooled samples: the same values, as series of one instant, through PromQL's quantile.
func TestQuantileIsPrometheusQuantileOfSeries(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	engine := promqltest.NewTestEngine(t, false, 0, 1_000_000)
	for _, n := range []int{1, 2, 3, 100, 601} {
		var samples []float64
		var load strings.Builder
		load.WriteString("load 1s\n")
		for i := range n {
			samples = append(samples, math.Exp(rng.NormFloat64()*4)*1e6)
			fmt.Fprintf(&load, "  m{i=\"%d\"} %s\n", i, strconv.FormatFloat(samples[i], 'g', -1, 64))
		}
		slices.Sort(samples)
		storage := promqltest.LoadedStorage(t, load.String())
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
			query, err := engine.NewInstantQuery(t.Context(), storage, nil, fmt.Sprintf("quantile(%g, m)", q), time.Unix(0, 0))
			if err != nil {
				t.Fatal(err)
			}
			vector, err := query.Exec(t.Context()).Vector()
			if err != nil || len(vector) != 1 {
				t.Fatalf("quantile(%g, m) of %d series: %v, %v", q, n, vector, err)
			}
			if got, want := recommender.Quantile(q, samples), vector[0].F; math.Abs(got-want) > 1e-9*math.Abs(want) {
				t.Errorf("Quantile(%g) of %d pooled samples = %v, Prometheus says %v", q, n, got, want)
			}
		}
		_ = storage.Close()
	}
}
