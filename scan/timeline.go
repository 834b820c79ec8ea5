package scan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
)

// Timeline is what a container's pods used and when, for whoever wants to see more than the recommendation does.
type Timeline struct {
	Container recommender.Container
	Pods      []PodTimeline // in order of their names
	OOMKills  []recommender.OOMKill
}

// PodTimeline is what one pod used at the points of the window's grid, one value a point, ascending. Of several samples
// before a point it is the highest.
type PodTimeline struct {
	Pod    string
	Points [recommender.NumResources][]int
	Values [recommender.NumResources][]float64
}

// recorder keeps a batch's samples with their times.
type recorder struct {
	pool *pool
	pods map[key]map[string]*PodTimeline
}

// recording hands on what it records.
func (h *pool) recording() *recorder {
	return &recorder{h, make(map[key]map[string]*PodTimeline)}
}

func (rec *recorder) addSeries(s promquery.Series) {
	rec.pool.addSeries(s)
	if rec.pool.entry(s.Pod, s.Container) == nil {
		return
	}
	k := key{rec.pool.match[s.Pod].Ref, s.Container}
	if rec.pods[k] == nil {
		rec.pods[k] = make(map[string]*PodTimeline)
	}
	p := rec.pods[k][s.Pod]
	if p == nil {
		p = &PodTimeline{Pod: s.Pod}
		rec.pods[k][s.Pod] = p
	}
	p.Points[s.Resource] = append(p.Points[s.Resource], s.Points...)
	p.Values[s.Resource] = append(p.Values[s.Resource], s.Values...)
}

// timeline is what was recorded of the container. It can be had once.
func (rec *recorder) timeline(c recommender.Container, kills []recommender.OOMKill) Timeline {
	k := key{ref(c.ID), c.ID.Container}
	t := Timeline{Container: c, OOMKills: kills}
	for _, name := range slices.Sorted(maps.Keys(rec.pods[k])) {
		p := rec.pods[k][name]
		for r := range recommender.NumResources {
			p.Points[r], p.Values[r] = highestEach(p.Points[r], p.Values[r])
		}
		t.Pods = append(t.Pods, *p)
	}
	delete(rec.pods, k)
	return t
}

// highestEach sorts by point and keeps the highest finite value of each.
func highestEach(points []int, values []float64) ([]int, []float64) {
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(points[a], points[b]) })
	var ks []int
	var vs []float64
	for _, i := range order {
		n := len(ks)
		switch {
		case notFinite(values[i]):
		case n > 0 && ks[n-1] == points[i]:
			vs[n-1] = max(vs[n-1], values[i])
		default:
			ks, vs = append(ks, points[i]), append(vs, values[i])
		}
	}
	return ks, vs
}

// replay hands a container's timeline to whoever asked for it, one call at a time.
func (s *scanner) replay(rec *recorder, c recommender.Container, kills []recommender.OOMKill) {
	if s.plan.Replay == nil {
		return
	}
	t := rec.timeline(c, kills)
	s.replays.Lock()
	defer s.replays.Unlock()
	s.plan.Replay(t)
}
