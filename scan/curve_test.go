package scan_test

import (
	"math"
	"testing"
	"time"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
)

// A curve has the mean and the highest of all pods by bins of two hours, and the peak where it was.
func TestCurves(t *testing.T) {
	w := window()
	src := &fake{usage: map[string]map[promquery.Container]float64{"shop": {
		{Pod: "web-5d9c7b6f8-bbbbb", Name: "app"}: 100, {Pod: "web-5d9c7b6f8-ccccc", Name: "app"}: 300,
	}}, begins: w.Start().Add(24 * time.Hour)}
	peak := recommender.Peak{Value: 900 * mi, Pod: "web-5d9c7b6f8-ccccc", At: w.Start().Add(31 * time.Hour), Within: time.Hour}
	src.facts.Peaks = map[promquery.Container]recommender.Peak{{Pod: "web-5d9c7b6f8-ccccc", Name: "app"}: peak}
	plan := declare("shop/Deployment/web:app")
	if c := item(t, mustRun(t, src, plan), "web/app").Curves; c[recommender.Memory].Mean != nil {
		t.Errorf("a curve that nobody asked for: %v", c)
	}
	plan.Curves = true
	curves := item(t, mustRun(t, src, plan), "web/app").Curves
	memory, cpu := curves[recommender.Memory], curves[recommender.CPU]
	if memory.Bin != 2*time.Hour || len(memory.Mean) != 84 || len(memory.Highest) != 84 || len(cpu.Mean) != 84 {
		t.Fatalf("bins of %s: %d, want 84 of 2h", memory.Bin, len(memory.Mean))
	}
	for i := range memory.Mean {
		wantMean, wantHighest := 200.0*mi, 300.0*mi
		switch {
		case i < 11:
			wantMean, wantHighest = math.NaN(), math.NaN()
		case i == 15: // from 30 h to 32 h
			wantHighest = peak.Value
		case i == 11: // which holds the first sample, at 24 h
			continue
		}
		if !same(memory.Mean[i], wantMean) || !same(memory.Highest[i], wantHighest) {
			t.Errorf("bin %d: %v and %v, want %v and %v", i, memory.Mean[i], memory.Highest[i], wantMean, wantHighest)
		}
	}
	if cpu.Mean[40] != 2 || cpu.Highest[40] != 3 {
		t.Errorf("cpu %v and %v, want 2 and 3 cores", cpu.Mean[40], cpu.Highest[40])
	}
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// Short runs are in the bin of their peak.
func TestCurvesOfRuns(t *testing.T) {
	w := window()
	c := promquery.Container{Pod: "report-29000000-bbbbb", Name: "report"}
	src := &fake{usage: map[string]map[promquery.Container]float64{"shop": {c: 1}}, facts: promquery.Facts{
		Runs:  map[promquery.Container]promquery.Run{c: {CPU: 0.5, Measured: true}},
		Peaks: map[promquery.Container]recommender.Peak{c: {Value: 70 * mi, Pod: c.Pod, At: w.Until, Within: time.Hour}},
	}}
	plan := declare("shop/CronJob/report:report")
	plan.Curves = true
	curves := item(t, mustRun(t, src, plan), "report/report").Curves
	if got := curves[recommender.Memory].Highest[83]; got != 70*mi {
		t.Errorf("the last bin of memory is %v, want the run's peak", got)
	}
	if got := curves[recommender.CPU].Mean[83]; got != 0.5 {
		t.Errorf("the last bin of cpu is %v, want the run's mean", got)
	}
}
