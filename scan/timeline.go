package scan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
)

// Timeline is what a container's pods used and when, for whoever wants to see more than the recommendation does.
type Timeline struct {
	Item      Item
	Pods      []PodTimeline // in order of their names
	Ownership Ownership     // of the workload's pods

	// History is what the recommendation was made from: every sample, where a point of the grid may have several. Whoever
	// keeps it keeps them all.
	History recommender.History

	Expressions promquery.Expressions
}

// PodTimeline is what one pod used at the points of the window's grid, one value a point, ascending. Of several samples
// before a point it is the highest. A run that is too short for the grid is the point after its peak.
type PodTimeline struct {
	Pod    string
	Points [recommender.NumResources][]int
	Values [recommender.NumResources][]float64
}

// stretch says when some of a pod's samples were: either at consecutive points, or all of them before the same one.
// It takes the place of a point for each sample, which would be half of the memory that the samples take.
type stretch struct {
	point    int32 // of the first
	n        int32
	offset   int // of the first among the pod's samples
	together bool
}

// end is the point of the last.
func (s stretch) end() int32 {
	if s.together {
		return s.point
	}
	return s.point + s.n - 1
}

// stretches are the times of a pod's samples, in the order in which they came.
type stretches []stretch

// add notes the points of samples that are put behind the first offset ones.
func (s *stretches) add(offset int, points []int) {
	for i, k := range points {
		s.addPoint(offset+i, int32(k)) // a window of two years has 63 million points of a second
	}
}

func (s *stretches) addPoint(offset int, point int32) {
	if n := len(*s); n > 0 {
		last := &(*s)[n-1]
		follows := offset == last.offset+int(last.n)
		switch {
		case follows && point == last.point && (last.together || last.n == 1):
			last.n, last.together = last.n+1, true
			return
		case follows && !last.together && point == last.end()+1:
			last.n++
			return
		}
	}
	*s = append(*s, stretch{point: point, n: 1, offset: offset})
}

// line is the highest finite sample before each point, ascending.
func (s stretches) line(samples []float64) (points []int, values []float64) {
	sorted := slices.SortedStableFunc(slices.Values(s), func(a, b stretch) int { return cmp.Compare(a.point, b.point) })
	most := 0
	for _, part := range sorted {
		if part.together {
			most++
		} else {
			most += int(part.n)
		}
	}
	points, values = make([]int, 0, most), make([]float64, 0, most)
	ordered := true
	for _, part := range sorted {
		for i, v := range samples[part.offset : part.offset+int(part.n)] {
			k := int(part.point)
			if !part.together {
				k += i
			}
			n := len(points)
			switch {
			case notFinite(v):
			case n > 0 && points[n-1] == k:
				values[n-1] = max(values[n-1], v)
			default:
				ordered = ordered && (n == 0 || points[n-1] < k)
				points, values = append(points, k), append(values, v)
			}
		}
	}
	if !ordered { // the same time came twice, in several pieces
		return highestEach(points, values)
	}
	return points, values
}

// highestEach sorts by point and keeps the highest value of each.
func highestEach(points []int, values []float64) ([]int, []float64) {
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(points[a], points[b]) })
	var ks []int
	var vs []float64
	for _, i := range order {
		if n := len(ks); n > 0 && ks[n-1] == points[i] {
			vs[n-1] = max(vs[n-1], values[i])
		} else {
			ks, vs = append(ks, points[i]), append(vs, values[i])
		}
	}
	return ks, vs
}

// podTimes are the times of one pod's samples of both resources.
type podTimes [recommender.NumResources]stretches

// timesOf is where the times of a pod's samples are kept.
func (e *entry) timesOf(pod string) *podTimes {
	t := e.times[pod]
	if t == nil {
		t = new(podTimes)
		e.times[pod] = t
	}
	return t
}

// timeline is what the container's pods used of the resources that are wanted. It has to be had before history, which
// takes the samples.
func (h *pool) timeline(c recommender.Container, unwanted [recommender.NumResources]bool) (pods []PodTimeline) {
	e := h.entries[key{ref(c.ID), c.ID.Container}]
	for _, name := range slices.Sorted(maps.Keys(e.times)) {
		p := PodTimeline{Pod: name}
		for r := range recommender.NumResources {
			if own := e.pods[r][name]; own != nil && !unwanted[r] {
				p.Points[r], p.Values[r] = e.times[name][r].line(own.samples(&h.room))
			}
		}
		pods = append(pods, p)
	}
	return pods
}

// gridPoint is the first point of the grid at or after a time, and the nearest where the time is outside the window.
func (h *pool) gridPoint(at time.Time) int {
	k := int((at.Sub(h.window.Start()) + h.window.Step - 1) / h.window.Step)
	return min(max(k, 1), h.window.Points())
}

// replay hands a container's timeline to whoever asked for it, one call at a time.
func (s *scanner) replay(t Timeline) {
	s.replays.Lock()
	defer s.replays.Unlock()
	s.plan.Replay(t)
}

// owners counts the pods of a workload by the way they were found to be its own.
func (p *pods) owners(id recommender.ID) (counts Ownership) {
	for _, pod := range p.owned[ref(id)] {
		counts.count(p.match[pod].Way)
	}
	return counts
}
