package backtest

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// training is one pod's week or part of it, hourly.
func training(pods ...Pod) Training {
	c := container(pods...)
	after, until, _ := c.span()
	return Training{c, after, until}
}

// ramp is 1, 2, ... n.
func ramp(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i + 1)
	}
	return out
}

func wantAmount(t *testing.T, what string, v recommender.Value, want float64) {
	t.Helper()
	if got, ok := v.Amount(); !ok || math.Abs(got-want) > 1e-9*math.Abs(want) {
		t.Errorf("%s = %v, want %v", what, v, want)
	}
}

// KRR 1.29: quantile_over_time(0.95, ...) of each pod, whose rank is 0.95 (n - 1), then the highest; max x 1.15.
func TestKRR(t *testing.T) {
	b := KRR().Advise(training(pod("a", 0, ramp(101)...), pod("b", 0, constant(50, 90)...)))
	wantAmount(t, "CPU request", b[recommender.CPU].Request, 96)
	wantAmount(t, "memory request", b[recommender.Memory].Request, 101*1.15)
	wantAmount(t, "memory limit", b[recommender.Memory].Limit, 101*1.15)
	if !b[recommender.CPU].Limit.IsUnset() {
		t.Errorf("CPU limit = %v, want none", b[recommender.CPU].Limit)
	}
	b = KRR().Advise(training(pod("a", 0, ramp(99)...)))
	if b != (Bounds{}) {
		t.Errorf("of 99 points: %v, want no advice, which takes 100", b)
	}
}

// VPA 1.7 by hand. CPU: 0.1 is in the bucket from 0.01 x (1.05^8 - 1)/0.05 = 0.0955 up to 0.1103, whose upper end counts
// in whole millicores: 110m, and 15 % more are 126m. Memory: of three daily peaks of 100 MB and one of 200 MB on the
// last day, which weighs 1 against 1/2, 1/4 and 1/8, the 90th percentile is the last: its bucket, from 194.8 MB, ends at 214.6 MB.
func TestVPA(t *testing.T) {
	p := pod("a", 0, append(constant(3*24, 1e8), constant(24, 2e8)...)...)
	p.Usage[recommender.CPU].Values = constant(96, 0.1)
	b := VPA().Advise(training(p))
	wantAmount(t, "CPU request", b[recommender.CPU].Request, 0.126)
	end := math.Floor(1e7 * (math.Pow(1.05, 15) - 1) / 0.05)
	wantAmount(t, "memory limit", b[recommender.Memory].Limit, end+math.Floor(0.15*end))
	if !b[recommender.CPU].Limit.IsUnset() || b[recommender.Memory].Request != b[recommender.Memory].Limit {
		t.Errorf("VPA = %v", b)
	}
}

func TestDailyPeaks(t *testing.T) {
	p := Points{[]int64{100, 100 + day - 1, 100 + day, 100 + 5*day}, []float64{1, 3, 2, 7}}
	got := dailyPeaks(p)
	want := []peakOf{{3, 100 + day}, {2, 100 + 2*day}, {7, 100 + 6*day}}
	if !slices.Equal(got, want) {
		t.Errorf("dailyPeaks = %v, want %v", got, want)
	}
}

// Autopilot by hand: of 100 samples of 1 and, at the end, 1 of 100, half of the load is in the last. What is 12 hours
// old weighs half, and the recommendation is the highest of the last hour, with 10 % on top.
func TestAutopilot(t *testing.T) {
	if got := loadPercentile([]weighted{{0, 1, 100}, {0, 100, 1}}, 0.5); got != 1 {
		t.Errorf("the median of load = %v, want 1", got)
	}
	if got := loadPercentile([]weighted{{0, 1, 100}, {0, 100, 1}}, 0.51); got != 100 {
		t.Errorf("p51 of load = %v, want 100", got)
	}
	// 4 x 2^-1/12 a sample by hour back against 1: the old level has (4 x sum of weights older than 12 h) of the load.
	p := pod("a", 0, append(constant(12, 4), constant(96, 1)...)...)
	b := Autopilot().Advise(training(p))
	wantAmount(t, "CPU request", b[recommender.CPU].Request, 1.1)   // 96 hours are 8 half-lives: 4 x 2^-8 of the load
	wantAmount(t, "memory limit", b[recommender.Memory].Limit, 4.4) // and two of memory's
	wantAmount(t, "memory limit of the maximum", AutopilotMax().Advise(training(p))[recommender.Memory].Limit, 4.4)
	if b[recommender.CPU].Limit != b[recommender.CPU].Request {
		t.Errorf("Autopilot's CPU = %v", b[recommender.CPU])
	}
}

// Safe is the recommender's own rules: memory 15 % above the highest sample but at most twice P99, never below the
// highest; CPU 15 % above P91 of recent use, but at most P98 of it.
func TestSafe(t *testing.T) {
	const gib = 1 << 30
	steady := training(pod("a", 0, constant(168, 100*gib)...))
	wantAmount(t, "memory of a steady one", Safe().Advise(steady)[recommender.Memory].Limit, 115*gib)
	spiky := append(constant(400, 10*gib), 22*gib)
	wantAmount(t, "memory of a spiky one", Safe().Advise(training(pod("a", 0, spiky...)))[recommender.Memory].Limit, 22*gib)
	mid := append(constant(400, 10*gib), 18*gib)
	wantAmount(t, "memory in between", Safe().Advise(training(pod("a", 0, mid...)))[recommender.Memory].Limit, 20*gib)

	// Of late 1 core, before that 2: the last eight days have 15/16 of the weight.
	p := pod("a", 0, append(constant(48, 2), constant(8*24, 1)...)...)
	p.Usage[recommender.CPU].Values[239] = 2 // a spike, so that P98 lies above the margin
	p.Usage[recommender.CPU].Values[238] = 2
	p.Usage[recommender.CPU].Values[237] = 2
	got, _ := Safe().Advise(training(p))[recommender.CPU].Request.Amount()
	if math.Abs(got-1.15) > 0.01 {
		t.Errorf("CPU request = %v, want 15 %% above 1 core", got)
	}
	p = pod("a", 0, append(constant(150, 1), constant(18, 5)...)...)
	got, _ = Safe().Advise(training(p))[recommender.CPU].Request.Amount()
	if math.Abs(got-5) > 0.03 {
		t.Errorf("CPU request = %v, want P98 of 5 cores, which is less than 15 %% above P91", got)
	}
}

// The recommender's own formula is the same, whichever way it is asked.
func TestDefaultIsTheRecommenders(t *testing.T) {
	bare := recommender.DefaultPolicy()
	bare.Guards = nil
	values := ramp(101)
	for i := range values {
		values[i] *= 1 << 30
	}
	tr := training(pod("a", 0, values...))
	b := Of("x", "", bare).Advise(tr)
	wantAmount(t, "memory request", b[recommender.Memory].Request, 51<<30)
	wantAmount(t, "memory limit", b[recommender.Memory].Limit, math.Ceil(100*1.2*1024)*(1<<20))
	guarded := recommender.DefaultPolicy()
	tr.OOMKills = []recommender.OOMKill{{Pod: "a", At: time.Unix(50*hour, 0), Limit: 200 << 30}}
	b = Of("x", "", guarded).Advise(tr)
	wantAmount(t, "memory limit after an OOM kill", b[recommender.Memory].Limit, 240<<30)
	tr = training(pod("a", 0, constant(23, 1)...))
	if b := Of("x", "", guarded).Advise(tr); b != (Bounds{}) {
		t.Errorf("of 23 hours: %v, want no advice", b)
	}
}

func TestCurrent(t *testing.T) {
	c := container(pod("a", 0, 1))
	spec := recommender.Bounds{Request: recommender.Set(1), Limit: recommender.Unset()}
	c.Declared.Spec[recommender.CPU] = spec
	if b := Current().Advise(Training{Container: c}); b[recommender.CPU] != spec || !Current().Censored {
		t.Errorf("Current = %v", b)
	}
}

// Whatever the usage: policies with a limit never limit below the request, twice the usage is twice the advice, and
// the order of pods changes nothing.
func TestPoliciesHoldTogether(t *testing.T) {
	bare := recommender.DefaultPolicy()
	bare.Guards = nil
	for seed := range 20 {
		a, b := generated(uint64(seed)+1, 7*24, 2e8), generated(uint64(seed)+100, 3*24, 3e8)
		one, other := training(pod("a", 0, a...), pod("b", day, b...)), training(pod("b", day, b...), pod("a", 0, a...))
		for _, p := range Policies(bare) {
			got := p.Advise(one)
			if again := p.Advise(other); again != got {
				t.Errorf("%s: %v, and with the pods in another order %v", p.Name, got, again)
			}
			for r, bounds := range got {
				request, hasRequest := bounds.Request.Amount()
				limit, hasLimit := bounds.Limit.Amount()
				if hasRequest && hasLimit && request > limit {
					t.Errorf("%s %s: request %v above the limit %v", p.Name, recommender.Resource(r), request, limit)
				}
				if hasRequest && (request <= 0 || request > 2*slices.Max(slices.Concat(a, b))) {
					t.Errorf("%s %s: request %v of usage up to %v", p.Name, recommender.Resource(r), request, slices.Max(slices.Concat(a, b)))
				}
			}
		}
	}
}

// generated are n values around level with a daily rhythm, noise and rare spikes, the same for a seed each time.
func generated(seed uint64, n int, level float64) []float64 {
	out := make([]float64, n)
	state := seed
	next := func() float64 { // splitmix64
		state += 0x9e3779b97f4a7c15
		z := state
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb
		return float64((z^(z>>31))>>11) / (1 << 53)
	}
	for i := range out {
		out[i] = level * (1 + 0.3*math.Sin(2*math.Pi*float64(i)/24) + 0.1*next())
		if next() > 0.99 {
			out[i] *= 1.5
		}
	}
	return out
}

func TestChoose(t *testing.T) {
	all := Policies(recommender.DefaultPolicy())
	got, err := Choose(all, []string{"vpa", " krr"})
	if err != nil || len(got) != 2 || got[0].Name != "krr" || got[1].Name != "vpa" {
		t.Errorf("Choose = %v, %v", names(got), err)
	}
	if _, err := Choose(all, []string{"krr", "best"}); err == nil || !strings.Contains(err.Error(), `"best" is not a policy: want some of current, default, default-bare, safe, krr`) {
		t.Errorf("Choose(best): %v", err)
	}
	// Which was a table of no rows.
	if _, err := Choose(all, []string{}); err == nil || !strings.Contains(err.Error(), "none is named: want some of current, default") {
		t.Errorf("Choose of none: %v", err)
	}
}
