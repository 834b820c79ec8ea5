package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/value"

	"github.com/rightsize/rightsize/e2e/history"
)

// What the report should say, worked out again from the history by the book: docs of PromQL, not the product's
// code.

const (
	window   = 7 * 24 * time.Hour
	step     = 5 * time.Minute
	lookback = 5 * time.Minute // Prometheus's --query.lookback-delta
)

// formula is what the rules give before the guards, in cores or bytes.
type formula struct{ request, limit float64 }

// podsOf are the pods of the history that belong to a workload, by their owners.
func podsOf(h history.History, kind, name string) []history.Pod {
	owners := map[history.Owner]history.Owner{}
	for _, rs := range h.ReplicaSets {
		owners[history.Owner{Kind: "ReplicaSet", Name: rs.Name}] = rs.Owner
	}
	var out []history.Pod
	for _, p := range h.Pods {
		top := p.Owner
		if up := owners[top]; up != (history.Owner{}) {
			top = up
		}
		if top == (history.Owner{Kind: kind, Name: name}) {
			out = append(out, p)
		}
	}
	return out
}

// memoryFormula pools what Prometheus's instant vectors would show of a container at each point of the grid:
// of each pod's series the latest sample of the last five minutes, and of several series the highest.
func memoryFormula(t *testing.T, h history.History, kind, name, container string) formula {
	t.Helper()
	h.Pods = podsOf(h, kind, name)
	grids := map[string]map[int64]float64{}
	err := h.Each(func(s history.Series) error {
		if s.Labels.Get("__name__") != "container_memory_working_set_bytes" || s.Labels.Get("container") != container {
			return nil
		}
		pod := s.Labels.Get("pod")
		if grids[pod] == nil {
			grids[pod] = map[int64]float64{}
		}
		sampleInto(grids[pod], s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var pooled []float64
	for _, grid := range grids {
		for _, v := range grid {
			pooled = append(pooled, v)
		}
	}
	const mebibyte = 1 << 20
	return formulaOf(t, pooled, mebibyte)
}

// sampleInto samples a series at the points of the grid.
func sampleInto(grid map[int64]float64, s history.Series) {
	i := 0
	for at := env.until.Add(-window + step); !at.After(env.until); at = at.Add(step) {
		now := at.UnixMilli()
		for i < len(s.Times) && s.Times[i] <= now {
			i++
		}
		if i == 0 || s.Times[i-1] <= now-lookback.Milliseconds() || value.IsStaleNaN(s.Values[i-1]) {
			continue
		}
		if v, ok := grid[now]; !ok || s.Values[i-1] > v {
			grid[now] = s.Values[i-1]
		}
	}
}

// cpuFormula pools rates that a Prometheus has worked out.
func cpuFormula(t *testing.T, h history.History, kind, name, container string) formula {
	t.Helper()
	var names []string
	for _, p := range podsOf(h, kind, name) {
		names = append(names, p.Name)
	}
	expr := fmt.Sprintf(`max by (pod) (rate(container_cpu_usage_seconds_total{namespace="shop",container=%q,pod=~%q}[5m]))`,
		container, strings.Join(names, "|"))
	const millicore = 0.001
	return formulaOf(t, queryRange(t, env.prometheus.URL(), expr), millicore)
}

// queryRange is all values of an expression over the grid.
func queryRange(t *testing.T, address, expr string) []float64 {
	t.Helper()
	form := url.Values{
		"query": {expr}, "step": {fmt.Sprint(step.Seconds())},
		"start": {fmt.Sprint(env.until.Add(-window + step).Unix())}, "end": {fmt.Sprint(env.until.Unix())},
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, address+"/api/v1/query_range", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct{ Result []struct{ Values [][2]any } }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Error != "" {
		t.Fatalf("asking for %s: %v %s", expr, err, answer.Error)
	}
	var values []float64
	for _, series := range answer.Data.Result {
		for _, pair := range series.Values {
			var v float64
			if _, err := fmt.Sscan(fmt.Sprint(pair[1]), &v); err != nil {
				t.Fatal(err)
			}
			values = append(values, v)
		}
	}
	return values
}

// formulaOf is P50, and P99 and a fifth more, rounded up to a unit.
func formulaOf(t *testing.T, values []float64, unit float64) formula {
	t.Helper()
	if len(values) == 0 {
		t.Fatal("there is nothing to work the formula out from")
	}
	slices.Sort(values)
	return formula{ceil(quantile(values, 0.5), unit), ceil(1.2*quantile(values, 0.99), unit)}
}

// quantile is Prometheus's: rank q(n-1), linear between neighbours.
func quantile(sorted []float64, q float64) float64 {
	rank := q * float64(len(sorted)-1)
	lo := math.Floor(rank)
	hi := min(lo+1, float64(len(sorted)-1))
	return sorted[int(lo)]*(1-(rank-lo)) + sorted[int(hi)]*(rank-lo)
}

func ceil(v, unit float64) float64 { return math.Ceil(v/unit) * unit }

// wantFormula fails the test unless a container's formula is the expected one.
func (c container) wantFormula(t *testing.T, resource string, want formula) {
	t.Helper()
	got := c.Resources[resource].Formula
	if !near(got.Request.Amount, want.request, 1e-9) || !near(got.Limit.Amount, want.limit, 1e-9) {
		t.Errorf("%s of %s: formula is %+v, want %+v", resource, c.name(), got, want)
	}
}

// near says that two numbers are equal but for a share of the larger.
func near(a, b, share float64) bool { return math.Abs(a-b) <= share*max(math.Abs(a), math.Abs(b)) }
