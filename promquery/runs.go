package promquery

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// runPodsPerRequest bounds a request for raw samples; short runs have few of them.
const runPodsPerRequest = 100

// shortRuns are the runs whose memory the grid saw for less than two rate windows, or not at all: a rate over
// such a run is mostly what was before and after it.
func (rd *reading) shortRuns(held *holdings, peaks map[Container]bool) map[Container]bool {
	short := map[Container]bool{}
	for c := range peaks {
		if rd.batch.Runs[c] && held.points[c] == nil {
			short[c] = true
		}
	}
	for c, s := range held.points {
		if time.Duration(len(s.Points))*rd.window.Step < 2*rd.window.RateWindow {
			short[c] = true
		}
	}
	return short
}

// readRuns measures the CPU of short runs from their raw samples. It asks for their containers alone: what else is in
// their pods may have run all the week.
func (rd *reading) readRuns(ctx context.Context, short map[Container]bool) error {
	var pods []string
	names := map[string][]string{} // of the containers, by pod
	for _, c := range sortedContainers(short) {
		rd.facts.Runs[c] = Run{}
		pods = append(pods, c.Pod)
		names[c.Pod] = append(names[c.Pod], c.Name)
	}
	for _, group := range chunk(slices.Compact(pods), runPodsPerRequest) {
		s := selection{rd.batch.Namespace, group, rd.forms}
		if err := rd.each(ctx, s, func(s selection) error { return rd.readRunGroup(ctx, s, names) }); err != nil {
			return err
		}
	}
	return nil
}

func (rd *reading) readRunGroup(ctx context.Context, s selection, names map[string][]string) error {
	var containers []string
	for _, pod := range s.pods {
		containers = append(containers, names[pod]...)
	}
	slices.Sort(containers)
	for _, f := range s.forms.list {
		selector := s.selector(f, CPUMetric, []string{Matcher{f.container, Regexp, anyOf(slices.Compact(containers))}.String()})
		value, err := rd.reader.query(ctx, &rd.log, selector+"["+promDuration(rd.window.Length)+"]", rd.window.Until)
		if err != nil {
			return err
		}
		matrix, err := asType[model.Matrix](value)
		if err != nil {
			return err
		}
		for _, stream := range matrix {
			rd.noteRun(containerOf(stream.Metric), rd.inside(stream.Values))
		}
	}
	return nil
}

// noteRun files one series of a run. Series of one container are the same usage seen twice, or a restart's
// next cgroup: the highest counts.
func (rd *reading) noteRun(c Container, samples []model.SamplePair) {
	old, short := rd.facts.Runs[c]
	cores, ok := meanCores(samples)
	if short && ok && (!old.Measured || cores > old.CPU) {
		rd.facts.Runs[c] = Run{CPU: cores, Measured: true}
	}
}

// inside leaves out samples on the window's open left end, which Prometheus 2 returns.
func (rd *reading) inside(samples []model.SamplePair) []model.SamplePair {
	for len(samples) > 0 && !samples[0].Timestamp.Time().After(rd.window.Start()) {
		samples = samples[1:]
	}
	return samples
}

// meanCores is the increase of a counter of CPU seconds over the time between its first and last sample. A
// counter that drops was reset to 0 in between.
func meanCores(samples []model.SamplePair) (cores float64, ok bool) {
	samples = slices.DeleteFunc(slices.Clone(samples), func(s model.SamplePair) bool {
		return math.IsNaN(float64(s.Value)) || math.IsInf(float64(s.Value), 0)
	})
	if len(samples) < 2 {
		return 0, false
	}
	seconds := 0.0
	for i, s := range samples[1:] {
		if d := float64(s.Value - samples[i].Value); d >= 0 {
			seconds += d
		} else {
			seconds += float64(s.Value)
		}
	}
	over := samples[len(samples)-1].Timestamp.Sub(samples[0].Timestamp)
	if over <= 0 {
		return 0, false
	}
	return seconds / over.Seconds(), true
}
