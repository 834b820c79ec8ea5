package backtest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

const (
	hour = 3600
	day  = 24 * hour
)

// pod has the values at whole hours after start, of both resources.
func pod(name string, start int64, values ...float64) Pod {
	p := Pod{Name: name}
	for i, v := range values {
		for r := range recommender.NumResources {
			u := &p.Usage[r]
			u.Times, u.Values = append(u.Times, start+int64(i+1)*hour), append(u.Values, v)
		}
	}
	return p
}

func container(pods ...Pod) Container {
	return Container{Name: "c", Step: time.Hour, Pods: pods}
}

// constant is n times v.
func constant(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// fixed always gives the same bounds.
func fixed(request, limit recommender.Value) Policy {
	return Policy{Name: "fixed", Advise: func(Training) Bounds {
		b := recommender.Bounds{Request: request, Limit: limit}
		return Bounds{b, b}
	}}
}

func TestFolds(t *testing.T) {
	plan := Plan{Train: 5 * 24 * time.Hour, Test: 2 * 24 * time.Hour, MinTrain: 24 * time.Hour}
	for _, test := range []struct {
		days float64
		want int
	}{{3, 0}, {5.5, 0}, {6, 1}, {7, 1}, {7.9, 1}, {8, 2}, {9, 2}, {11.9, 3}, {12.5, 4}, {13, 4}} {
		c := container(pod("p", 1000*day, constant(int(test.days*24), 1)...))
		folds, err := plan.folds(c)
		if len(folds) != test.want || (err == nil) != (test.want > 0) {
			t.Errorf("%v days: %d folds, %v, want %d", test.days, len(folds), err, test.want)
		}
		for i, f := range folds {
			if f.After != int64(1000+2*i)*day || f.Split-f.After != 5*day || f.Until-f.Split > 2*day || f.Until-f.Split < day {
				t.Errorf("%v days: fold %d = %+v", test.days, i, f)
			}
		}
	}
	plan.Start, plan.Until = time.Unix(999*day, 0), time.Unix(1006*day, 0)
	folds, err := plan.folds(container(pod("p", 1000*day, 1)))
	if err != nil || len(folds) != 1 || folds[0] != (Fold{999 * day, 1004 * day, 1006 * day}) {
		t.Errorf("with a window of its own: %+v, %v", folds, err)
	}
	if _, err := plan.folds(Container{}); err == nil {
		t.Error("folds of nothing")
	}
}

// No policy sees anything of what it is judged by.
func TestPoliciesSeeOnlyTheTraining(t *testing.T) {
	plan := Plan{Train: 48 * time.Hour, Test: 24 * time.Hour, MinTrain: time.Hour}
	c := container(pod("p", 1000*day, append(constant(48, 1), constant(48, 7)...)...))
	c.OOMKills = []recommender.OOMKill{{At: time.Unix(1001*day, 0)}, {At: time.Unix(1003*day, 0)}}
	folds := 0
	spy := Policy{Advise: func(tr Training) Bounds {
		folds++
		for _, p := range tr.Pods {
			for r := range recommender.NumResources {
				for _, at := range p.Usage[r].Times {
					if at <= tr.After || at > tr.Until {
						t.Errorf("fold %d: a point at %d, outside (%d, %d]", folds, at, tr.After, tr.Until)
					}
				}
			}
		}
		for _, k := range tr.OOMKills {
			if at := k.At.Unix(); at <= tr.After || at > tr.Until {
				t.Errorf("fold %d: an OOM kill at %d", folds, at)
			}
		}
		return Bounds{}
	}}
	if plan.Run(c, []Policy{spy}); folds != 2 {
		t.Errorf("%d folds, want 2", folds)
	}
}

func TestTally(t *testing.T) {
	plan := Plan{Train: 24 * time.Hour, Test: 10 * time.Hour, MinTrain: time.Hour}
	c := container(
		pod("a", 0, append(constant(24, 1), 1, 3, 3, 1, 3, 1, 1, 1, 1, 1)...), // above 2 twice
		pod("b", 24*hour, 4, 4, 1, 1, 1),                                      // above 2 once, from its first sample on; gone after half of the test
	)
	result := plan.Run(c, []Policy{fixed(recommender.Set(1), recommender.Set(2)), fixed(recommender.Unset(), recommender.NoAdvice())})
	got := result.Scores[0][recommender.Memory]
	want := Tally{
		Request: Side{Points: 15, Set: 15, Use: 27, Above: 5, Excess: 2 + 2 + 2 + 3 + 3, Amount: 1.5},
		Limit:   Side{Points: 15, Set: 30, Use: 27, Above: 5, Excess: 1 + 1 + 1 + 2 + 2, Amount: 3},
		Trials:  1, Breached: 1, Breaches: 3, PodDays: 15.0 / 24, Folds: 1, Advised: 1,
	}
	if got != want {
		t.Errorf("tally = %+v, want %+v", got, want)
	}
	if c, s := got.Limit.Cost(), got.Limit.Slack(); math.Abs(c-30.0/27) > 1e-12 || math.Abs(s-(1-27.0/30)) > 1e-12 {
		t.Errorf("cost %v, slack %v", c, s)
	}
	// Nothing set is nothing to tell, never 0.
	none := result.Scores[1][recommender.CPU]
	for _, m := range Metrics(recommender.CPU) {
		if v := m.Of(none); !math.IsNaN(v) {
			t.Errorf("%s of a policy that sets nothing = %v", m.Name, v)
		}
	}
}

// A time above the limit counts once for as long as it lasts; a gap of more than an hour parts two.
func TestBreaches(t *testing.T) {
	for _, test := range []struct {
		name  string
		times []int64
		value []float64
		want  float64
	}{
		{"none", []int64{1, 2}, []float64{1, 2}, 0}, // at the limit is not above it
		{"one", []int64{300, 600, 900}, []float64{3, 3, 3}, 1},
		{"two", []int64{300, 600, 900}, []float64{3, 1, 3}, 2},
		{"over a short gap", []int64{300, 3900}, []float64{3, 3}, 1},
		{"over a long gap", []int64{300, 3901}, []float64{3, 3}, 2},
	} {
		if got := breaches(Points{test.times, test.value}, 2, 5*time.Minute); got != test.want {
			t.Errorf("%s: %v breaches, want %v", test.name, got, test.want)
		}
	}
}

func TestNotEnoughData(t *testing.T) {
	plan := Plan{Train: 5 * 24 * time.Hour, Test: 2 * 24 * time.Hour, MinTrain: 24 * time.Hour}
	late := container(pod("p", 0, 1), pod("q", 4*day+12*hour, constant(48, 1)...)) // half a day to learn from
	gone := container(pod("p", 0, constant(5*24+12, 1)...), pod("q", 7*day, 1))    // half a day to be judged by
	for name, c := range map[string]Container{"late": late, "gone": gone, "short": container(pod("p", 0, 1, 1)), "empty": container()} {
		result := plan.Run(c, []Policy{KRR()})
		if result.Reason == "" || result.Folds != [recommender.NumResources]int{} || result.Scores[0] != (Tallies{}) {
			t.Errorf("%s: %+v", name, result)
		}
	}
	// One resource may have enough where the other has not.
	c := container(pod("p", 0, constant(7*24, 1)...))
	c.Pods[0].Usage[recommender.Memory] = Points{}
	if result := plan.Run(c, []Policy{KRR()}); result.Reason != "" || result.Folds != [recommender.NumResources]int{recommender.CPU: 1} {
		t.Errorf("CPU alone: %+v", result)
	}
}

func TestPlanValidate(t *testing.T) {
	good := Plan{Train: 5 * 24 * time.Hour, Test: 48 * time.Hour, MinTrain: 24 * time.Hour}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Plan){
		"--train \"1m\"":    func(p *Plan) { p.Train = time.Minute },
		"--test \"1m\"":     func(p *Plan) { p.Test = time.Minute },
		"--min-coverage 6d": func(p *Plan) { p.MinTrain = 6 * 24 * time.Hour },
	} {
		p := good
		change(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate(%+v) = %v, want %q", p, err, want)
		}
	}
}

func TestHalves(t *testing.T) {
	n := map[Half]int{}
	for i := range 1000 {
		name := "series" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + time.Duration(i).String()
		for _, h := range []Half{All, Development, HeldOut} {
			if h.Has(name) {
				n[h]++
			}
		}
	}
	if n[All] != 1000 || n[Development]+n[HeldOut] != 1000 || n[Development] < 400 || n[HeldOut] < 400 {
		t.Errorf("halves: %v", n)
	}
	if Development.Has("b") || !Development.Has("a") { // as FNV-1a has it: 0xe70c2de5 and 0xe40c292c
		t.Error("the halves have changed, and with them what is quoted")
	}
	if _, err := ParseHalf("left"); err == nil {
		t.Error("ParseHalf(left) is fine")
	}
}

func TestWithoutSpikes(t *testing.T) {
	c := container(pod("p", 0, 10, 10, 21, 10, 10, 20, 20, 10, 1, 30, 10))
	got := c.WithoutSpikes().Pods[0].Usage
	for r := range recommender.NumResources { // the 21; not the two 20s, and not the 30, whose neighbours differ
		if n := len(got[r].Values); n != 10 || got[r].Times[2] != 4*hour {
			t.Errorf("%s: %v", r, got[r])
		}
	}
	if len(c.Pods[0].Usage[0].Values) != 11 {
		t.Error("WithoutSpikes changed its container")
	}
}
