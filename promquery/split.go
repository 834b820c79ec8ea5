package promquery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/rightsize/rightsize/recommender"
)

// leastSpan is the shortest time that a request that was too big is cut down to; then its pods are parted.
const leastSpan = time.Hour

// smaller says whether a request is to be asked for in parts.
func smaller(err error) bool {
	switch remedyOf(err) {
	case askLess, onceMore, reread, askFewer:
		return true
	}
	return false
}

// tooLongAsked says whether it is the text of a request that is too long, which less time does not make shorter.
func tooLongAsked(err error) bool { return remedyOf(err) == askFewer }

// request is a range query about a selection: an expression at the points of a grid, most of them at once.
type request struct {
	selection selection
	grid      recommender.Window
	most      int // points
	expr      func(selection) string
}

// onGrid is a request for the points of the window's own grid.
func (rd *reading) onGrid(s selection, expr func(selection) string) request {
	return request{s, rd.window, rd.pointsPerRequest(s, rd.window, pointsPerSlice(rd.window.Points(), rd.window.Step)), expr}
}

// pointsPerRequest is how many points of a grid a request is for at first: so many, or fewer where there are so many
// containers that it would return too much, but those of an hour.
func (rd *reading) pointsPerRequest(s selection, w recommender.Window, most int) int {
	containers := rd.batch.Containers
	if s.pods != nil {
		containers = len(s.pods) * containersPerPod
	}
	if containers == 0 {
		return most
	}
	return min(most, max(rd.reader.samplesPerRequest()/containers, hourOf(w.Step)))
}

// hourOf is how many points there are in an hour; at least one.
func hourOf(step time.Duration) int { return max(int(leastSpan/step), 1) }

// ask evaluates a request slice by slice. A slice that is refused as too big is halved, down to an hour, and so are those
// after it; then its pods are parted. The slices that emit is given are valid until it returns.
func (rd *reading) ask(ctx context.Context, q request, emit func(Container, []int, []float64)) error {
	size := q.most
	for first := 1; first <= q.grid.Points(); {
		last := min(first+size-1, q.grid.Points())
		failed := len(rd.facts.Failed)
		send := func(s selection) error { return rd.askSlice(ctx, q.expr(s), q.grid, slice{first, last}, emit) }
		s, any := rd.remaining(q.selection)
		if !any {
			return nil
		}
		err := send(s)
		if n, least := last-first+1, hourOf(q.grid.Step); smaller(err) && !tooLongAsked(err) && n > least {
			rd.sayRefused(err)
			size = max(n/2, least)
			continue
		}
		if smaller(err) {
			err = rd.part(ctx, s, err, send)
		}
		if err != nil {
			return err
		}
		if len(rd.facts.Failed) > failed {
			size = q.most // what was too big has been left out
		}
		first = last + 1
	}
	return nil
}

func (rd *reading) askSlice(ctx context.Context, expr string, w recommender.Window, sl slice, emit func(Container, []int, []float64)) error {
	rng := v1.Range{Start: w.Time(sl.first), End: w.Time(sl.last), Step: w.Step}
	matrix, err := rd.reader.queryRange(ctx, &rd.log, expr, rng)
	if err != nil {
		return err
	}
	return eachContainer(matrix, grid{rng, sl.first}, emit)
}

// each sends a request about a selection that has no time to be cut, and parts its pods where it is too big.
func (rd *reading) each(ctx context.Context, s selection, send func(selection) error) error {
	s, any := rd.remaining(s)
	if !any {
		return nil
	}
	err := send(s)
	if smaller(err) {
		return rd.part(ctx, s, err, send)
	}
	return err
}

// part sends a request that was refused as too big for each half of its pods, and so on. A pod that is refused alone has
// failed, and the others stand; but where it is answers that break, it is not the pod.
func (rd *reading) part(ctx context.Context, s selection, refused error, send func(selection) error) error {
	pods := s.pods
	if pods == nil {
		var err error
		if pods, err = rd.allPods(ctx); err != nil {
			return err
		}
	}
	if len(pods) < 2 {
		if len(pods) == 0 || remedyOf(refused) == reread {
			return refused
		}
		rd.fail(pods[0], refused)
		return nil
	}
	rd.sayRefused(refused)
	for _, half := range [][]string{pods[:len(pods)/2], pods[len(pods)/2:]} {
		s.pods = half
		if err := rd.each(ctx, s, send); err != nil {
			return err
		}
	}
	return nil
}

// fail files a pod that cannot be read. Nothing more is asked of it.
func (rd *reading) fail(pod string, err error) {
	if rd.facts.Failed == nil {
		rd.facts.Failed = map[string]error{}
	}
	rd.facts.Failed[pod] = fmt.Errorf("reading usage of namespace %s: pod %s, alone and for as little time as can be asked for, is still too much: %w", rd.batch.Namespace, pod, err)
}

// remaining is a selection without the pods that have failed; whether any are left.
func (rd *reading) remaining(s selection) (rest selection, any bool) {
	if len(rd.facts.Failed) == 0 {
		return s, s.pods == nil || len(s.pods) > 0
	}
	pods := s.pods
	if pods == nil {
		pods = rd.known // or none could have failed
	}
	s.pods = slices.DeleteFunc(slices.Clone(pods), func(pod string) bool { return rd.facts.Failed[pod] != nil })
	return s, len(s.pods) > 0
}

// allPods are those of the namespace with usage in the window, sorted.
func (rd *reading) allPods(ctx context.Context) ([]string, error) {
	if rd.known == nil {
		sets, err := rd.reader.usageSeries(ctx, &rd.log, rd.batch.Namespace, rd.window)
		if err != nil {
			return nil, err
		}
		rd.known = slices.Sorted(maps.Keys(podContainers(sets)))
	}
	return rd.known, nil
}

// sayRefused warns, once a batch, that requests were too big.
func (rd *reading) sayRefused(err error) {
	if rd.refused {
		return
	}
	rd.refused = true
	rd.log.warnings.add(fmt.Sprintf("namespace %s is read in smaller parts (--max-samples-per-query makes them so from the start): %s", rd.batch.Namespace, err))
}
