package backtest

import (
	"math"
	"slices"

	"github.com/rightsize/rightsize/recommender"
)

const (
	krrPercentile   = 0.95
	krrMemoryBuffer = 1.15
	krrPoints       = 100
)

// KRR is the strategy "simple" of Robusta KRR 1.29 with its defaults: a CPU request of the 95th percentile of each pod
// and then the highest of the pods, no CPU limit; memory request and limit of the highest sample and 15 % more; nothing
// below 100 samples (robusta_krr/strategies/simple.py: cpu_percentile, memory_buffer_percentage, points_required). Left
// out are its floors of 10m and 100 MB, as are those of all policies of others: they are settings, not formulas.
func KRR() Policy {
	return Policy{
		Name:   "krr",
		Doc:    "KRR 1.29: CPU request p95 of each pod, then the highest; memory max*1.15, request = limit",
		Advise: krr,
	}
}

func krr(t Training) Bounds {
	cpu, memory, points := 0.0, 0.0, [recommender.NumResources]int{}
	for _, p := range t.Pods {
		if v := slices.Sorted(slices.Values(p.Usage[recommender.CPU].Values)); len(v) > 0 {
			cpu = math.Max(cpu, recommender.Quantile(krrPercentile, v))
			points[recommender.CPU] += len(v)
		}
		if v := p.Usage[recommender.Memory].Values; len(v) > 0 {
			memory = math.Max(memory, slices.Max(v))
			points[recommender.Memory] += len(v)
		}
	}
	var b Bounds
	if points[recommender.CPU] >= krrPoints {
		b[recommender.CPU] = recommender.Bounds{Request: recommender.Set(cpu), Limit: recommender.Unset()}
	}
	if points[recommender.Memory] >= krrPoints {
		b[recommender.Memory] = equal(memory * krrMemoryBuffer)
	}
	return b
}

// equal is a request and a limit that are the same.
func equal(amount float64) recommender.Bounds {
	return recommender.Bounds{Request: recommender.Set(amount), Limit: recommender.Set(amount)}
}
