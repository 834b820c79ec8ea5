package promquery_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
)

// regular is a fixture as the definition wants it: samples lie on the grid of one scrape interval, none is missing
// while a container runs, and each end has a stale marker.
func regular(seed uint64) *fixture {
	f := &fixture{rnd: rand.New(rand.NewPCG(seed, 7))}
	for pod := range 4 {
		first := f.rnd.IntN(600)
		last := first + f.rnd.IntN(721-first)
		for series := range 1 + f.rnd.IntN(3) {
			name := []string{"namespace", "ns", "pod", fmt.Sprintf("pod-%d", pod), "container", "app", "job", fmt.Sprintf("kubelet-%d", series)}
			// Of several series one may begin later, as after a restart.
			f.onGrid(first+f.rnd.IntN(last-first+1), last, f.wave(50*mib), append(name, "__name__", memory))
			f.onGrid(first+f.rnd.IntN(last-first+1), last, f.unsteady(), append(name, "__name__", cpu))
		}
	}
	return f
}

// onGrid adds a series with samples at the points first to last of the window's grid of scrapes, and a stale marker
// after them.
func (f *fixture) onGrid(first, last int, next func(int) float64, pairs []string) {
	s := &rawSeries{labels: labels.FromStrings(pairs...)}
	start := until().Add(-6 * time.Hour)
	for i := first; i <= last; i++ {
		s.points = append(s.points, point{start.Add(time.Duration(i) * scrape).UnixMilli(), next(i)})
	}
	s.points = append(s.points, point{start.Add(time.Duration(last+1) * scrape).UnixMilli(), math.Float64frombits(value.StaleNaN)})
	f.series = append(f.series, s)
}

// unsteady is a counter that often stands still and often begins again, from anywhere.
func (f *fixture) unsteady() func(int) float64 {
	total := f.rnd.Float64() * 100
	return func(int) float64 {
		switch f.rnd.IntN(20) {
		case 0:
			total = f.rnd.Float64()
		case 1, 2, 3, 4, 5:
		default:
			total += f.rnd.ExpFloat64()
		}
		return total
	}
}

// Raw samples are what queries give at a step of one scrape interval, to the bit: memory at every point, CPU at those
// where a rate window of the tiling ends.
func TestRawIsQuery(t *testing.T) {
	w := recommender.Window{Until: until(), Length: 6 * time.Hour, Step: scrape, RateWindow: 5 * time.Minute}
	for seed := range uint64(8) {
		f := regular(seed)
		dir := f.write(t)
		db := openFolder(t, dir)
		want := collect(t, &promquery.Reader{API: db}, w)
		for k, points := range want {
			for p := range points {
				if k.resource == recommender.CPU && w.Until.Sub(w.Time(p))%w.RateWindow != 0 {
					delete(points, p)
				}
			}
		}
		for _, way := range ways()[2:] {
			api, raw := way.open(t, dir)
			got := collect(t, &promquery.Reader{API: api, Raw: raw}, w)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("seed %d, %s (-query +raw):\n%s", seed, way.name, diff)
			}
		}
	}
}

// collect is every value by its point; a point that comes twice fails the test.
func collect(t *testing.T, r *promquery.Reader, w recommender.Window) map[key]map[int]float64 {
	t.Helper()
	got := map[key]map[int]float64{}
	_, err := r.Read(t.Context(), promquery.Batch{Namespace: "ns"}, w, func(s promquery.Series) {
		k := key{s.Pod, s.Container, s.Resource}
		for i, p := range s.Points {
			if got[k] == nil {
				got[k] = map[int]float64{}
			}
			if _, twice := got[k][p]; twice {
				t.Errorf("%v: point %d comes twice", k, p)
			}
			got[k][p] = s.Values[i]
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Where scrapes jitter, pods end without a stale marker and series are seen twice, percentiles differ a little:
// docs/backends.md has the bound.
func TestRawIsNearQuery(t *testing.T) {
	f := &fixture{rnd: rand.New(rand.NewPCG(9, 9))}
	for pod := range 6 {
		f.pod(-time.Duration(1+pod)*day, -time.Duration(pod)*time.Hour, plainNames("ns", fmt.Sprintf("pod-%d", pod)), "app", 100*mib)
	}
	for _, s := range f.series { // every other one ends without a marker
		if last := len(s.points) - 1; value.IsStaleNaN(s.points[last].v) && f.rnd.IntN(2) == 0 {
			s.points = s.points[:last]
		}
	}
	db := openFolder(t, f.write(t))
	w := recommender.Window{Until: until(), Length: 7 * day, Step: scrape, RateWindow: 5 * time.Minute}
	grid, raw := pooled(t, &promquery.Reader{API: db}, w), pooled(t, &promquery.Reader{API: db, Raw: db}, w)
	for r, bound := range map[recommender.Resource]float64{recommender.Memory: 0.005, recommender.CPU: 0.02} {
		for _, q := range []float64{0.5, 0.9, 0.99} {
			g, v := recommender.Quantile(q, grid[r]), recommender.Quantile(q, raw[r])
			t.Logf("%s P%g: %.2f %% (of %d and %d values)", r, 100*q, 100*(v/g-1), len(raw[r]), len(grid[r]))
			if math.Abs(v/g-1) > bound {
				t.Errorf("%s P%g of raw samples is %v, of the grid %v: more than %g %% apart", r, 100*q, v, g, 100*bound)
			}
		}
	}
}

func pooled(t *testing.T, r *promquery.Reader, w recommender.Window) (values [recommender.NumResources][]float64) {
	t.Helper()
	if _, err := r.Read(t.Context(), promquery.Batch{Namespace: "ns"}, w, func(s promquery.Series) {
		values[s.Resource] = append(values[s.Resource], s.Values...)
	}); err != nil {
		t.Fatal(err)
	}
	for r := range values {
		slices.Sort(values[r])
	}
	return values
}

// covered collects the grid points that a resource is covered at.
func covered(t *testing.T, r *promquery.Reader, w recommender.Window) map[key][]int {
	t.Helper()
	got := map[key][]int{}
	if _, err := r.Read(t.Context(), promquery.Batch{Namespace: "ns"}, w, func(s promquery.Series) {
		points := s.Covered
		if points == nil {
			points = s.Points
		}
		k := key{s.Pod, s.Container, s.Resource}
		got[k] = append(got[k], points...)
	}); err != nil {
		t.Fatal(err)
	}
	for k := range got {
		slices.Sort(got[k])
		got[k] = slices.Compact(got[k])
	}
	return got
}

// What is covered must not hang on the way of reading: the guard against too little data looks at it. Ends may differ
// by what a sample, or a rate window, speaks for.
func TestRawCoversWhatQueriesDo(t *testing.T) {
	f := &fixture{rnd: rand.New(rand.NewPCG(3, 3))}
	f.pod(-5*time.Hour, 0, plainNames("ns", "runs"), "app", 100*mib)
	f.pod(-5*time.Hour, -2*time.Minute, plainNames("ns", "ended"), "app", 100*mib)
	db := openFolder(t, f.write(t))
	for _, step := range []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute} {
		w := recommender.Window{Until: until(), Length: 6 * time.Hour, Step: step, RateWindow: 5 * time.Minute}
		want, got := covered(t, &promquery.Reader{API: db}, w), covered(t, &promquery.Reader{API: db, Raw: db}, w)
		for k, points := range want {
			if off, most := len(points)-len(got[k]), int(w.RateWindow/step)+1; off > most || off < -most {
				t.Errorf("step %s, %v: %d points are covered by raw samples, %d by the grid", step, k, len(got[k]), len(points))
			}
			if k.resource == recommender.Memory && slices.Contains(points, w.Points()) != slices.Contains(got[k], w.Points()) {
				t.Errorf("step %s, %v: the grid and raw samples differ in whether it runs at the end", step, k)
			}
		}
	}
}
