package promquery

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// What cAdvisor says of containers with a CPU limit: the periods of 100 ms in which they wanted to run, and those
// of them in which they were not let to until the end.
const (
	periodsMetric   = "container_cpu_cfs_periods_total"
	throttledMetric = "container_cpu_cfs_throttled_periods_total"
)

const (
	// increaseSpan is how much time one query of increases covers, as the peaks' queries do.
	increaseSpan = 7 * 24 * time.Hour

	// restartStep is between the points at which restart counts are compared.
	restartStep = 5 * time.Minute
)

// Periods are the CPU periods of one container of one pod in the window: whole ones, though increases are
// extrapolated, so that sums of them do not hang on their order.
type Periods struct{ Total, Throttled float64 }

// readThrottling reads the share of CPU periods that were throttled. Where no container has a CPU limit, or the
// metrics are not scraped, it costs one query with an empty answer for each week of the window.
func (rd *reading) readThrottling(ctx context.Context, s selection) error {
	return rd.eachSpan(func(length time.Duration, at time.Time) error {
		total, err := rd.readVector(ctx, s, increases(periodsMetric, length), at)
		if err != nil || len(total) == 0 {
			return err
		}
		throttled, err := rd.readVector(ctx, s, increases(throttledMetric, length), at)
		for c, n := range total {
			p := rd.facts.Throttling[c]
			rd.facts.Throttling[c] = Periods{p.Total + math.Round(n), p.Throttled + math.Round(min(throttled[c], n))}
		}
		return err
	})
}

// increases is an expression of how much a counter rose in a range. A container that was restarted has a cgroup,
// and often a series, for each of its lives: these are added up, and then the highest of the jobs that scrape
// them is taken.
func increases(metric string, length time.Duration) func(selection) string {
	increase := func(selector string) string {
		return "sum without (id, name, image) (increase(" + selector + "[" + promDuration(length) + "]))"
	}
	return func(s selection) string { return s.maxBy(increase, metric) }
}

// readRestarts counts the restarts of each container that kube-state-metrics shows, 0 included. It looks for
// containers whose count changed, and reads the count of those alone over the window.
func (rd *reading) readRestarts(ctx context.Context, s selection) error {
	s.forms = rd.stateForms
	if rd.reader.Raw != nil {
		restless, err := rd.restlessRaw(ctx, s)
		if err != nil {
			return err
		}
		return rd.eachSpan(func(length time.Duration, at time.Time) error { return rd.countRestarts(ctx, s, restless, length, at) })
	}
	return rd.eachSpan(func(length time.Duration, at time.Time) error {
		changes := func(selector string) string { return "changes(" + selector + "[" + promDuration(length) + "])" }
		changed, err := rd.readVector(ctx, s, func(s selection) string { return s.stateBy(changes, restartsMetric) }, at)
		if err != nil {
			return err
		}
		restless := map[string]bool{}
		for c, n := range changed {
			rd.facts.Restarts[c] += 0 // known
			if n > 0 {
				restless[c.Pod] = true
			}
		}
		return rd.countRestarts(ctx, s, restless, length, at)
	})
}

// restlessRaw finds the pods with a container whose count changed from raw samples: a count that stays the same takes a
// bit a sample, and the server nearly nothing to send, where PromQL's changes() has it look at each sample.
func (rd *reading) restlessRaw(ctx context.Context, s selection) (map[string]bool, error) {
	restless, last := map[string]bool{}, map[uint64]model.SampleValue{}
	for _, metric := range []string{restartsMetric, ofInit(restartsMetric)} {
		err := rd.eachRawSlice(ctx, s, metric, func(_ rawSlice, c Container, lines []line) {
			rd.facts.Restarts[c] += 0 // known
			for _, l := range lines {
				before, known := last[l.series]
				if !known {
					before = l.samples[0].Value
				}
				for _, sample := range l.samples {
					if sample.Value != before {
						restless[c.Pod] = true
					}
					before = sample.Value
				}
				last[l.series] = before
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return restless, nil
}

// countRestarts adds up by how much the counts rose from one point to the next. Unlike an increase over raw series
// that is exact, and knows that a pod of the same name begins anew, that kube-state-metrics has moved, and that it
// is scraped twice. What happened before the first point that shows a container is not counted, nor in a gap.
func (rd *reading) countRestarts(ctx context.Context, s selection, pods map[string]bool, length time.Duration, at time.Time) error {
	before := func(selector string) string { return selector + " offset " + promDuration(restartStep) }
	for _, group := range chunk(slices.Sorted(maps.Keys(pods)), killPodsPerRequest) {
		s.pods = group
		rises := func(s selection) string {
			return fmt.Sprintf("sum_over_time(clamp_min((%s) - (%s), 0)[%s:%s])",
				s.stateBy(itself, restartsMetric), s.stateBy(before, restartsMetric), promDuration(length), promDuration(restartStep))
		}
		counts, err := rd.readVector(ctx, s, rises, at)
		if err != nil {
			return err
		}
		for c, n := range counts {
			rd.facts.Restarts[c] += int(math.Round(min(n, math.MaxInt32)))
		}
	}
	return nil
}

// eachSpan cuts the window into spans that one query may cover, the latest first.
func (rd *reading) eachSpan(do func(length time.Duration, at time.Time) error) error {
	for at, left := rd.window.Until, rd.window.Length; left > 0; at, left = at.Add(-increaseSpan), left-increaseSpan {
		if err := do(min(left, increaseSpan), at); err != nil {
			return err
		}
	}
	return nil
}

// readVector evaluates an expression of a selection at one time. Of a container that came in several forms it has the
// highest; what is not a finite number is left out.
func (rd *reading) readVector(ctx context.Context, s selection, expr func(selection) string, at time.Time) (map[Container]float64, error) {
	out := map[Container]float64{}
	err := rd.each(ctx, s, func(s selection) error {
		value, err := rd.reader.query(ctx, &rd.log, expr(s), at)
		if err != nil {
			return err
		}
		vector, err := asType[model.Vector](value)
		for _, sample := range vector {
			c, v := containerOf(sample.Metric), float64(sample.Value)
			if old, ok := out[c]; math.IsNaN(v) || math.IsInf(v, 0) || ok && old >= v {
				continue
			}
			out[c] = v
		}
		return err
	})
	return out, err
}
