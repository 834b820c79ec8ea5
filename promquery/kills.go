package promquery

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// What kube-state-metrics says of containers that were killed, and of their memory limits. Version 1 had a
// metric of its own for these.
const (
	lastReasonMetric   = "kube_pod_container_status_last_terminated_reason"
	reasonMetric       = "kube_pod_container_status_terminated_reason"
	restartsMetric     = "kube_pod_container_status_restarts_total"
	limitsMetric       = "kube_pod_container_resource_limits"
	oldLimitsMetric    = "kube_pod_container_resource_limits_memory_bytes"
	oomKilled          = `reason="OOMKilled"`
	killPodsPerRequest = 100
)

// readKills finds the containers that were killed for reaching their memory limit. Where kube-state-metrics
// shows none, or is not scraped, it costs one look-up of labels.
//
// A kill shows as a rise of the restart count while the last termination's reason is OOMKilled; the reason
// alone stays for good, so it is no count. A rise by several counts as so many kills, all at the first point
// that shows it. A container that is not restarted shows its own termination's reason instead.
func (rd *reading) readKills(ctx context.Context) error {
	pods, err := rd.podsWithKills(ctx)
	if err != nil || len(pods) == 0 {
		return err
	}
	sets, err := rd.reader.series(ctx, &rd.log, rd.window, ofNamespace(rd.batch.Namespace, restartsMetric))
	if err != nil {
		return err
	}
	forms := formsOf(sets)
	for _, group := range chunk(pods, killPodsPerRequest) {
		if err := rd.readKillGroup(ctx, selection{rd.batch.Namespace, group, forms}); err != nil {
			return err
		}
	}
	return nil
}

// podsWithKills lists the batch's pods that have, in the window, a series for the reason OOMKilled. Version 1 of
// kube-state-metrics has one for every container, with the value 0.
func (rd *reading) podsWithKills(ctx context.Context) ([]string, error) {
	var matches []string
	for _, metric := range []string{lastReasonMetric, reasonMetric, ofInit(lastReasonMetric), ofInit(reasonMetric)} {
		matches = append(matches, ofNamespace(rd.batch.Namespace, metric, oomKilled)...)
	}
	sets, err := rd.reader.series(ctx, &rd.log, rd.window, matches)
	if err != nil {
		return nil, err
	}
	killed := map[string]bool{}
	for _, labels := range sets {
		killed[own(labels, "pod")] = true
	}
	if rd.batch.Pods != nil {
		asked := map[string]bool{}
		for _, pod := range rd.batch.Pods {
			asked[pod] = true
		}
		maps.DeleteFunc(killed, func(pod string, _ bool) bool { return !asked[pod] })
	}
	delete(killed, "")
	return slices.Sorted(maps.Keys(killed)), nil
}

// status is what kube-state-metrics said of one container over the grid.
type status struct{ restarts, lastOOM, nowOOM, limit timeline }

func (rd *reading) readKillGroup(ctx context.Context, s selection) error {
	all, err := rd.readBefore(ctx, s)
	if err != nil {
		return err
	}
	for _, q := range []struct {
		expr func(selection) string
		line func(*status) *timeline
	}{
		{func(s selection) string { return s.stateBy(itself, lastReasonMetric, oomKilled) }, func(st *status) *timeline { return &st.lastOOM }},
		{func(s selection) string { return s.stateBy(itself, reasonMetric, oomKilled) }, func(st *status) *timeline { return &st.nowOOM }},
		{func(s selection) string { return s.stateBy(itself, restartsMetric) }, func(st *status) *timeline { return &st.restarts }},
		{selection.limits, func(st *status) *timeline { return &st.limit }},
	} {
		if err := rd.readTimelines(ctx, s, q.expr, all, q.line); err != nil {
			return err
		}
	}
	for c, st := range all {
		if kills := st.kills(c.Pod, rd.window); len(kills) > 0 {
			rd.facts.OOMKills[c] = kills
		}
	}
	return nil
}

// beforeRange is how far before the window readBefore looks.
const beforeRange = 24 * time.Hour

// readBefore reads what kube-state-metrics last said before the window, as its point 0. Without it a container
// that shows first after a gap, since nobody scraped when the window began, would look like a new one that has
// just been killed: the reason of a kill stays, and each run would raise the limit once more.
func (rd *reading) readBefore(ctx context.Context, s selection) (map[Container]*status, error) {
	all := map[Container]*status{}
	last := func(selector string) string {
		return "last_over_time(" + selector + "[" + promDuration(beforeRange) + "])"
	}
	for _, q := range []struct {
		expr func(selection) string
		line func(*status) *timeline
	}{
		{func(s selection) string { return s.stateBy(last, restartsMetric) }, func(st *status) *timeline { return &st.restarts }},
		{func(s selection) string { return s.stateBy(last, reasonMetric, oomKilled) }, func(st *status) *timeline { return &st.nowOOM }},
	} {
		values, err := rd.readVector(ctx, s, q.expr, rd.window.Start())
		if err != nil {
			return nil, err
		}
		for c, v := range values {
			if all[c] == nil {
				all[c] = &status{}
			}
			q.line(all[c]).add(0, v)
		}
	}
	return all, nil
}

// ofInit is the metric that kube-state-metrics has instead of one of a container's for init containers, native sidecars
// among them: https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/workload/pod-metrics.md
func ofInit(metric string) string {
	return strings.Replace(metric, "kube_pod_container_", "kube_pod_init_container_", 1)
}

// stateBy is maxBy of a metric of kube-state-metrics, of all containers of the pods.
func (s selection) stateBy(inner func(selector string) string, metric string, extra ...string) string {
	return s.maxBy(inner, metric, extra...) + " or " + s.maxBy(inner, ofInit(metric), extra...)
}

// limits is an expression of memory limits in bytes, as either version of kube-state-metrics has them.
func (s selection) limits() string {
	return strings.Join([]string{
		s.stateBy(itself, limitsMetric, `resource="memory"`),
		s.maxBy(itself, oldLimitsMetric),
	}, " or ")
}

func (rd *reading) readTimelines(ctx context.Context, s selection, expr func(selection) string, all map[Container]*status, line func(*status) *timeline) error {
	return rd.ask(ctx, rd.onGrid(s, expr), func(c Container, points []int, values []float64) {
		if all[c] == nil {
			all[c] = &status{}
		}
		t := line(all[c])
		for i, k := range points {
			t.add(k, values[i])
		}
	})
}

// kills are the container's kills in order of time.
func (st *status) kills(pod string, w recommender.Window) []recommender.OOMKill {
	var points []int
	rises := false
	known, before := false, 0.0
	for _, c := range st.restarts.changes {
		if c.absent {
			continue
		}
		rose := known && c.value > before
		rises = rises || rose
		if isOne(st.lastOOM, c.point) {
			points = append(points, slices.Repeat([]int{c.point}, st.killsAt(c, known, before))...)
		}
		known, before = true, c.value
	}
	if k := st.killedForGood(); !rises && k > 0 {
		points = append(points, k)
		slices.Sort(points)
	}
	out := make([]recommender.OOMKill, len(points))
	for i, k := range points {
		out[i] = recommender.OOMKill{Pod: pod, At: w.Time(k), Limit: st.limitBefore(k)}
	}
	return out
}

// maxKillsAtOnce bounds what one rise of a restart count can stand for; a kubelet that backs off restarts a
// container far less often between two points.
const maxKillsAtOnce = 1000

// killsAt is how many kills a change of the restart count stands for. A container that is first seen inside the
// window, already restarted, is new, and was killed once at least; one that was there before has a point 0.
func (st *status) killsAt(c change, known bool, before float64) int {
	switch {
	case known && c.value > before:
		return int(min(c.value-before, maxKillsAtOnce))
	case !known && c.point > 1 && c.value > 0:
		return 1
	}
	return 0
}

// killedForGood is the point after the window's first at which the container was first seen terminated for
// reaching its limit; 0 where it was not.
func (st *status) killedForGood() int {
	for _, c := range st.nowOOM.changes {
		if !c.absent && c.value == 1 {
			if c.point > 1 {
				return c.point
			}
			return 0
		}
	}
	return 0
}

func isOne(t timeline, point int) bool {
	v, ok := t.at(point)
	return ok && v == 1
}

// limitBefore is the memory limit at the point before, which is the one that was reached if it was changed
// since; else the one at the point itself, else 0.
func (st *status) limitBefore(point int) float64 {
	if v, ok := st.limit.at(point - 1); ok {
		return v
	}
	v, _ := st.limit.at(point)
	return v
}
