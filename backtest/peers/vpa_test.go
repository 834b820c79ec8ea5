// Package peers holds the policies that are of others against their own code. It is a module of its own, so that the
// tool does not depend on them.
package peers

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/logic"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/model"

	"github.com/rightsize/rightsize/backtest"
	"github.com/rightsize/rightsize/recommender"
)

// theirs is the target that VPA's own recommender gives for the usage, with its defaults but without floors.
func theirs(t *testing.T, c backtest.Container) (cores, bytes float64) {
	t.Helper()
	model.InitializeAggregationsConfig(model.NewAggregationsConfig(model.DefaultMemoryAggregationInterval, model.DefaultMemoryAggregationIntervalCount,
		model.DefaultMemoryHistogramDecayHalfLife, model.DefaultCPUHistogramDecayHalfLife, model.DefaultOOMBumpUpRatio, model.DefaultOOMMinBumpUp))
	state := model.NewAggregateContainerState()
	for _, p := range c.Pods {
		container := model.NewContainerState(model.Resources{}, state)
		for r, resource := range map[recommender.Resource]model.ResourceName{recommender.CPU: model.ResourceCPU, recommender.Memory: model.ResourceMemory} {
			for i, v := range p.Usage[r].Values {
				amount := model.MemoryAmountFromBytes(v)
				if r == recommender.CPU {
					amount = model.CPUAmountFromCores(v)
				}
				if !container.AddSample(&model.ContainerUsageSample{MeasureStart: time.Unix(p.Usage[r].Times[i], 0), Usage: amount, Resource: resource}) {
					t.Fatalf("VPA refused sample %d of %s", i, resource)
				}
			}
		}
	}
	cpu := logic.WithCPUMargin(0.15, logic.NewPercentileCPUEstimator(0.9)).GetCPUEstimation(state)
	memory := logic.WithMemoryMargin(0.15, logic.NewPercentileMemoryEstimator(0.9)).GetMemoryEstimation(state)
	return model.CoresFromCPUAmount(cpu), model.BytesFromMemoryAmount(memory)
}

func TestVPAIsTheirs(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		c := container(random)
		until := int64(0)
		for _, p := range c.Pods {
			until = max(until, p.Usage[recommender.CPU].Times[len(p.Usage[recommender.CPU].Times)-1])
		}
		ours := backtest.VPA().Advise(backtest.Training{Container: c, Until: until})
		cores, bytes := theirs(t, c)
		if got, ok := ours[recommender.CPU].Request.Amount(); !ok || got != cores {
			t.Errorf("usage %d: CPU %v, and VPA gives %v", n, ours[recommender.CPU], cores)
		}
		if got, ok := ours[recommender.Memory].Limit.Amount(); !ok || got != bytes {
			t.Errorf("usage %d: memory %v, and VPA gives %v", n, ours[recommender.Memory], bytes)
		}
	}
}

// container is up to three pods with up to ten days of usage, whose sizes span six orders of magnitude.
func container(random *rand.Rand) backtest.Container {
	c := backtest.Container{Name: "c", Step: 5 * time.Minute}
	level := [recommender.NumResources]float64{recommender.CPU: 0.001, recommender.Memory: 1e5}
	for r := range level {
		for range random.IntN(20) {
			level[r] *= 2
		}
	}
	for i := range 1 + random.IntN(3) {
		p := backtest.Pod{Name: fmt.Sprint("pod", i)}
		at := int64(1700000000 + random.IntN(5*86400))
		for range 1 + random.IntN(2000) {
			at += int64(300 * (1 + random.IntN(3)))
			for r := range level {
				p.Usage[r].Times = append(p.Usage[r].Times, at)
				p.Usage[r].Values = append(p.Usage[r].Values, level[r]*(1+random.ExpFloat64()))
			}
		}
		c.Pods = append(c.Pods, p)
	}
	return c
}
