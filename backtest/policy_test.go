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
	if _, err := Choose(all, []string{"krr", "best"}); err == nil || !strings.Contains(err.Error(), `"best" is not a policy: want some of current, default, default-bare, krr`) {
		t.Errorf("Choose(best): %v", err)
	}
}
