package backtest

import (
	"cmp"
	"math"
	"slices"

	"github.com/rightsize/rightsize/recommender"
)

// What Autopilot's moving window recommenders are made of: Rzadca et al., "Autopilot: Workload Autoscaling at Google
// Scale", EuroSys 2020, section 3.2.2.
const (
	autopilotCPUHalfLife    = 12 * 3600 // seconds
	autopilotMemoryHalfLife = 48 * 3600 // seconds
	autopilotCPU            = 0.95      // of serving jobs that are sensitive to latency
	autopilotMemory         = 0.98      // of jobs that tolerate few OOM kills
	autopilotMargin         = 1.10      // "10-15 %", less for large limits
	autopilotHold           = 3600      // seconds whose highest recommendation counts
)

// Autopilot is the moving window recommender for serving jobs that tolerate few OOM kills: the 95th percentile of CPU
// with a half-life of 12 hours and the 98th of memory with one of 48 hours, both of load (each sample weighs in
// proportion to its own size), a margin of 10 %, and of this the highest of the last hour. Autopilot sets limits and
// reserves them, so requests equal limits. Samples stand for the paper's histograms of five minutes, and exact values
// for their buckets.
func Autopilot() Policy {
	return Policy{
		Name: "autopilot",
		Doc:  "Autopilot's moving window: load-weighted p95 of CPU, 12 h half-life, and p98 of memory, 48 h, +10 %; request = limit",
		Advise: func(t Training) Bounds {
			return autopilot(t, func(points []weighted) float64 { return loadPercentile(points, autopilotMemory) })
		},
	}
}

// AutopilotMax is Autopilot for jobs that tolerate no OOM kills: memory is the highest sample of the window.
func AutopilotMax() Policy {
	return Policy{
		Name: "autopilot-max",
		Doc:  "Autopilot's moving window for jobs that tolerate no OOM kills: as above, memory max*1.1",
		Advise: func(t Training) Bounds {
			return autopilot(t, func(points []weighted) float64 { return points[len(points)-1].value })
		},
	}
}

// weighted is a sample and the weight of its age.
type weighted struct {
	at            int64
	value, weight float64
}

func autopilot(t Training, memory func([]weighted) float64) Bounds {
	var b Bounds
	cpu := func(points []weighted) float64 { return loadPercentile(points, autopilotCPU) }
	if v, ok := t.highestOfHour(recommender.CPU, autopilotCPUHalfLife, cpu); ok {
		b[recommender.CPU] = equal(v * autopilotMargin)
	}
	if v, ok := t.highestOfHour(recommender.Memory, autopilotMemoryHalfLife, memory); ok {
		b[recommender.Memory] = equal(v * autopilotMargin)
	}
	return b
}

// highestOfHour is the highest value of signal at the points of the training's last hour. The weights of older and
// newer samples keep their proportion as time goes on, so that only what had not yet been seen is left out.
func (t Training) highestOfHour(r recommender.Resource, halfLife int64, signal func([]weighted) float64) (float64, bool) {
	points := t.weighted(r, halfLife)
	if len(points) == 0 {
		return 0, false
	}
	highest := 0.0
	step := max(int64(t.Step.Seconds()), 1)
	for now := t.Until; now > t.Until-autopilotHold; now -= step {
		seen := slices.DeleteFunc(slices.Clone(points), func(p weighted) bool { return p.at > now })
		if len(seen) > 0 {
			highest = math.Max(highest, signal(seen))
		}
	}
	return highest, highest > 0
}

// weighted are all pods' samples in the order of their values.
func (t Training) weighted(r recommender.Resource, halfLife int64) []weighted {
	var out []weighted
	for _, p := range t.Pods {
		points := p.Usage[r]
		for i, v := range points.Values {
			out = append(out, weighted{points.Times[i], v, decay(points.Times[i], t.Until, halfLife)})
		}
	}
	slices.SortFunc(out, func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
	return out
}

// loadPercentile is the value up to which the share q of all load was used, of points in the order of their values.
func loadPercentile(points []weighted, q float64) float64 {
	total := 0.0
	for _, p := range points {
		total += p.value * p.weight
	}
	sum := 0.0
	for _, p := range points {
		if sum += p.value * p.weight; sum >= q*total {
			return p.value
		}
	}
	return points[len(points)-1].value
}
