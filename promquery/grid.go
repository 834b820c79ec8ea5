package promquery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/recommender"
)

const (
	// maxPoints is how many points a series a request asks for at most. Limit in Prometheus's web/api/v1:
	// 11,000 points per series.
	maxPoints = 10_999

	// maxSpan is how much time a request covers at most: slices of a day are both the fastest and the
	// gentlest for the server at a step of five minutes.
	maxSpan = 24 * time.Hour

	// SamplesPerRequest is about how many samples one query returns unless Reader.MaxSamples says otherwise.
	SamplesPerRequest = 300_000

	// containersPerPod is what is assumed of a pod in counting samples.
	containersPerPod = 3

	// maxPodsPerRequest bounds the length of a selector: at 60 bytes a name, 30 kB.
	maxPodsPerRequest = 500
)

// slice is part of a grid: its points first to last, both included.
type slice struct{ first, last int }

// pointsPerSlice is how many points of a grid a request can ask for.
func pointsPerSlice(points int, step time.Duration) int {
	return max(1, min(points, int(maxSpan/step), maxPoints))
}

// samplesPerRequest is about how many samples one query may return.
func (r *Reader) samplesPerRequest() int {
	if r.MaxSamples > 0 {
		return r.MaxSamples
	}
	return SamplesPerRequest
}

// Unnamed says whether a request for so many containers, the most that a namespace has, stays within what one
// request may return, so that its pods need not be named.
func Unnamed(containers int, w recommender.Window) bool {
	return containers*pointsPerSlice(w.Points(), w.Step) <= SamplesPerRequest
}

// groups splits the batch's pods so that a request's samples are bounded. Without pods there is one group, nil,
// and whoever asked for it has seen to it: Unnamed.
func (rd *reading) groups() [][]string {
	if rd.batch.Pods == nil {
		return [][]string{nil}
	}
	pods := slices.Clone(rd.batch.Pods)
	slices.Sort(pods)
	perPod := containersPerPod * pointsPerSlice(rd.window.Points(), rd.window.Step)
	return chunk(slices.Compact(pods), min(rd.reader.samplesPerRequest()/perPod, maxPodsPerRequest))
}

// chunk splits names into groups of at most n, at least one each.
func chunk(names []string, n int) [][]string {
	return slices.Collect(slices.Chunk(names, max(n, 1)))
}

// readMemory hands memory to visit, except that of runs, which it returns.
func (rd *reading) readMemory(ctx context.Context, s selection) (*holdings, error) {
	held := &holdings{points: map[Container]*Series{}}
	expr := func(s selection) string { return s.maxBy(itself, MemoryMetric) }
	err := rd.ask(ctx, rd.onGrid(s, expr), func(c Container, points []int, values []float64) {
		series := Series{Pod: c.Pod, Container: c.Name, Resource: recommender.Memory, Points: points, Values: values}
		if rd.batch.Runs[c] {
			held.add(series)
			return
		}
		rd.visit(series)
	})
	return held, err
}

// readCPU hands CPU to visit, except that of short runs.
func (rd *reading) readCPU(ctx context.Context, s selection, short map[Container]bool) error {
	rate := func(selector string) string {
		return "rate(" + selector + "[" + promDuration(rd.window.RateWindow) + "])"
	}
	expr := func(s selection) string { return s.maxBy(rate, CPUMetric) }
	return rd.ask(ctx, rd.onGrid(s, expr), func(c Container, points []int, values []float64) {
		if !short[c] {
			rd.visit(Series{Pod: c.Pod, Container: c.Name, Resource: recommender.CPU, Points: points, Values: values})
		}
	})
}

// grid are the points that a range query was asked for; first is the number of the one at its start.
type grid struct {
	v1.Range
	first int
}

// point is the number of the grid's point at a time.
func (g grid) point(t model.Time) (int, error) {
	offset, step := t.Time().Sub(g.Start), g.Step
	if offset < 0 || t.Time().After(g.End) || offset%step != 0 {
		return 0, fmt.Errorf("the server answered a sample at %s, which is not one of the points asked for (%s to %s by %s)",
			t.Time().UTC().Format(time.RFC3339Nano), g.Start.UTC().Format(time.RFC3339Nano), g.End.UTC().Format(time.RFC3339Nano), step)
	}
	return g.first + int(offset/step), nil
}

// eachContainer calls emit for each container of a range query's answer, in order of pod and container. A
// container that came in several forms has the highest of them at each point.
func eachContainer(matrix model.Matrix, g grid, emit func(Container, []int, []float64)) error {
	streams := map[Container][]*model.SampleStream{}
	for _, s := range matrix {
		c := containerOf(s.Metric)
		streams[c] = append(streams[c], s)
	}
	for _, c := range sortedContainers(streams) {
		points, values, err := merge(streams[c], g)
		if err != nil {
			return fmt.Errorf("pod %s, container %s: %w", c.Pod, c.Name, err)
		}
		if len(points) > 0 {
			emit(c, points, values)
		}
	}
	return nil
}

func containerOf(metric model.Metric) Container {
	return Container{own(metric, "pod"), own(metric, "container")}
}

func sortedContainers[V any](m map[Container]V) []Container {
	out := make([]Container, 0, len(m))
	for c := range m {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Container) int {
		if c := strings.Compare(a.Pod, b.Pod); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// merge pools streams of one container into its points, ascending, with the highest value at each.
func merge(streams []*model.SampleStream, g grid) (points []int, values []float64, err error) {
	for _, s := range streams {
		p, v, err := onGrid(s.Values, g)
		if err != nil {
			return nil, nil, err
		}
		points, values = mergeMax(points, values, p, v)
	}
	return points, values, nil
}

func onGrid(pairs []model.SamplePair, g grid) ([]int, []float64, error) {
	points, values := make([]int, len(pairs)), make([]float64, len(pairs))
	for i, pair := range pairs {
		k, err := g.point(pair.Timestamp)
		if err != nil {
			return nil, nil, err
		}
		if i > 0 && k <= points[i-1] {
			return nil, nil, fmt.Errorf("the server answered samples out of order at %s", pair.Timestamp.Time().UTC().Format(time.RFC3339Nano))
		}
		points[i], values[i] = k, float64(pair.Value)
	}
	return points, values, nil
}

func mergeMax(ap []int, av []float64, bp []int, bv []float64) ([]int, []float64) {
	if len(ap) == 0 {
		return bp, bv
	}
	points, values := make([]int, 0, len(ap)+len(bp)), make([]float64, 0, len(ap)+len(bp))
	for len(ap) > 0 || len(bp) > 0 {
		switch {
		case len(bp) == 0 || len(ap) > 0 && ap[0] < bp[0]:
			points, values = append(points, ap[0]), append(values, av[0])
			ap, av = ap[1:], av[1:]
		case len(ap) == 0 || bp[0] < ap[0]:
			points, values = append(points, bp[0]), append(values, bv[0])
			bp, bv = bp[1:], bv[1:]
		default:
			points, values = append(points, ap[0]), append(values, promMax(av[0], bv[0]))
			ap, av, bp, bv = ap[1:], av[1:], bp[1:], bv[1:]
		}
	}
	return points, values
}

// promMax is what PromQL's max gives for two samples: NaN only if both are.
func promMax(a, b float64) float64 {
	if a > b || b != b {
		return a
	}
	return b
}

// promDuration is a duration as PromQL writes it: "5m".
func promDuration(d time.Duration) string { return model.Duration(d).String() }

// holdings are series that wait for a decision.
type holdings struct{ points map[Container]*Series }

func (h *holdings) add(s Series) {
	c := Container{s.Pod, s.Container}
	if old := h.points[c]; old != nil {
		old.Points = append(old.Points, s.Points...)
		old.Values = append(old.Values, s.Values...)
		old.Covered = append(old.Covered, s.Covered...)
		return
	}
	s.Points, s.Values, s.Covered = slices.Clone(s.Points), slices.Clone(s.Values), slices.Clone(s.Covered)
	h.points[c] = &s
}

// emit hands on what keep says, in order of pod and container.
func (h *holdings) emit(visit func(Series), keep func(Container) bool) {
	for _, c := range sortedContainers(h.points) {
		if keep(c) {
			visit(*h.points[c])
		}
	}
}
