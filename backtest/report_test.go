package backtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/testdata/golden"
)

// report is of n generated containers, the last of which is too short.
func report(n int) Report {
	plan := Plan{Train: 5 * 24 * time.Hour, Test: 2 * 24 * time.Hour, MinTrain: 24 * time.Hour}
	r := Report{Source: "generated", Plan: plan, Policies: Policies(recommender.DefaultPolicy())}
	for i := range n {
		c := container(pod("p", 0, generated(uint64(i), (9+i%3)*24, float64(i+1)*1e8)...))
		c.Name = fmt.Sprintf("series%02d", i)
		if i == n-1 {
			c = container(pod("p", 0, 1, 2, 3))
			c.Name = "short"
		}
		cpu := &c.Pods[0].Usage[recommender.CPU]
		for k := range cpu.Values {
			cpu.Values[k] /= 1e9
		}
		r.Results = append(r.Results, plan.Run(c, r.Policies))
	}
	return r
}

// A pipe gets lines of any length; in a terminal of 120 columns nothing is broken.
func TestWriteTable(t *testing.T) {
	for name, width := range map[string]int{"table.golden": 0, "table120.golden": 120} {
		var text bytes.Buffer
		if err := WriteTable(&text, report(13), width); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, name, text.String())
		tables, _, _ := strings.Cut(text.String(), "\nMemory limits of")
		if got := widest(tables); width > 0 && got > width {
			t.Errorf("%d columns have a line of %d", width, got)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	r := report(3)
	var text bytes.Buffer
	if err := WriteJSON(&text, r.Plan, r.Policies, []Report{r}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		SchemaVersion, Kind, Train string
		Policies                   []struct{ Name string }
		Sources                    []struct {
			Resources map[string]struct {
				Judged   int
				Policies map[string]map[string]struct{ Value, Low *float64 }
			}
			Containers []struct {
				Name, NotEnoughData string
				Resources           map[string]map[string]map[string]*float64
			}
		}
	}
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	source := got.Sources[0]
	if got.SchemaVersion != "rightsize/v1" || got.Kind != "Backtest" || got.Train != "5d" || len(got.Policies) != len(r.Policies) ||
		source.Resources["memory"].Judged != 2 || len(source.Containers) != 3 || source.Containers[2].NotEnoughData == "" {
		t.Errorf("JSON: %s", text.Bytes())
	}
	breached := source.Resources["memory"].Policies["krr"]["breached"]
	if breached.Value == nil || breached.Low != nil {
		t.Errorf("breached of two containers = %+v: want a value without an interval", breached)
	}
	if v := source.Containers[0].Resources["cpu"]["krr"]["limitCost"]; v != nil {
		t.Errorf("cost of no limit = %v, want null", *v)
	}
}

// An interval holds its value, is the same each time, and narrows with more containers.
func TestIntervals(t *testing.T) {
	few, many := report(9), report(41)
	for res := range recommender.NumResources {
		for i := range few.Policies {
			again := few.Estimates(i, res)
			for k, e := range few.Estimates(i, res) {
				if math.IsNaN(e.Value) {
					continue
				}
				if fmt.Sprint(e) != fmt.Sprint(again[k]) {
					t.Errorf("%v, and then %v", e, again[k])
				}
				if e.Low > e.Value || e.High < e.Value {
					t.Errorf("%s %s: %v lies outside its interval", few.Policies[i].Name, Metrics(res)[k].Name, e)
				}
			}
		}
	}
	k := 4 // cost of requests
	if a, b := few.Estimates(3, recommender.CPU)[k], many.Estimates(3, recommender.CPU)[k]; b.High-b.Low >= a.High-a.Low {
		t.Errorf("the interval of 8 containers is %v, of 40 %v", a, b)
	}
}

// What was never seen is not known to be never: draws of nine containers without a breach differ by nothing, and their
// interval was from 0 to 0. Clopper and Pearson's for none of nine reaches to 33.6 %, for none of 38 to 9.3 %.
func TestIntervalsOfWhatWasNeverSeen(t *testing.T) {
	for n, want := range map[int]float64{9: 0.3363, 38: 0.0925} {
		plan := Plan{Train: 24 * time.Hour, Test: 10 * time.Hour, MinTrain: time.Hour}
		policies := []Policy{fixed(recommender.Set(1), recommender.Set(2))}
		r := Report{Plan: plan, Policies: policies}
		for range n {
			r.Results = append(r.Results, plan.Run(container(pod("a", 0, constant(34, 1.5)...)), policies))
		}
		got := map[string]Estimate{}
		for k, e := range r.Estimates(0, recommender.Memory) {
			got[Metrics(recommender.Memory)[k].Name] = e
		}
		if e := got["breached"]; e.Value != 0 || e.Low != 0 || math.Abs(e.High-want) > 1e-4 {
			t.Errorf("breached in none of %d: %v, want up to %v", n, e, want)
		}
		for name, value := range map[string]float64{"timeAboveRequest": 1, "breachesPer100Days": 0} {
			if e := got[name]; e.Value != value || !math.IsNaN(e.Low) || !math.IsNaN(e.High) {
				t.Errorf("%s: %v, want no interval", name, e)
			}
		}
		if e := got["limitSlack"]; e != (Estimate{0.25, 0.25, 0.25}) {
			t.Errorf("slack: %v", e)
		}
	}
	all := Estimate{1, 1, 1}.unseen(Metrics(recommender.Memory)[0], 9)
	if all.High != 1 || math.Abs(all.Low-(1-0.3363)) > 1e-4 {
		t.Errorf("breached in all of nine: %v", all)
	}
	few := Estimate{0, math.NaN(), math.NaN()}.unseen(Metrics(recommender.Memory)[0], 3)
	if !math.IsNaN(few.High) {
		t.Errorf("of three containers: %v, want no interval", few)
	}
}

// A policy against itself differs by nothing, for certain; the pairs take out what containers have in common.
func TestCompare(t *testing.T) {
	r := report(13)
	c, ok := r.Compare(recommender.CPU, "krr", "krr")
	if !ok || c.Cost != (Estimate{1, 1, 1}) || c.Harm != (Estimate{}) || c.Better+c.Worse != 0 {
		t.Errorf("krr against itself: %+v, %v", c, ok)
	}
	c, ok = r.Compare(recommender.Memory, "krr", "autopilot-max")
	if !ok || math.Abs(c.Cost.Value-1.15/1.10) > 1e-9 || c.Cost.High-c.Cost.Low > 1e-9 {
		t.Errorf("max*1.15 against max*1.10: %+v, %v", c, ok)
	}
	if _, ok := r.Compare(recommender.CPU, "krr", "nobody"); ok {
		t.Error("there is a comparison with nobody")
	}
	if _, ok := r.Compare(recommender.CPU, "krr", "current"); ok {
		t.Error("there is a comparison with what is not declared")
	}
}

func TestHeldOut(t *testing.T) {
	plan := Plan{Train: 24 * time.Hour, Test: 10 * time.Hour, MinTrain: time.Hour}
	calm, wild := container(pod("a", 0, constant(34, 1)...)), container(pod("b", 0, append(constant(24, 1), 1, 9, 9, 1, 9, 1, 1, 1, 1, 1)...))
	limited, unlimited := fixed(recommender.Set(1), recommender.Set(2)), fixed(recommender.Set(1), recommender.Unset())
	unlimited.Name = "unlimited"
	policies := []Policy{limited, unlimited}
	r := Report{Plan: plan, Policies: policies, Results: []Result{plan.Run(calm, policies), plan.Run(wild, policies), plan.Run(Container{}, policies)}}
	const want = "memory limits of fixed, learnt from 1d, would have been hit 2 times in the 10h after it, in 1 of 2 containers"
	if got, ok := r.HeldOut("fixed"); !ok || got.String() != want || got.Others != 1 {
		t.Errorf("HeldOut = %q, %v, want %q", got, ok, want)
	}
	for _, name := range []string{"unlimited", "nobody", ""} {
		if got, ok := r.HeldOut(name); ok {
			t.Errorf("HeldOut(%s) = %+v", name, got)
		}
	}
}

// A series may be called anything; a terminal is not told what it says.
func TestTableIsPrintable(t *testing.T) {
	r := report(2)
	r.Source, r.Results[1].Name = "\x1b]0;source\a", "\x1b[31mseries"
	var text bytes.Buffer
	if err := WriteTable(&text, r, 0); err != nil || bytes.ContainsAny(text.Bytes(), "\x1b\a") || !bytes.Contains(text.Bytes(), []byte("series")) {
		t.Errorf("%v: %q", err, text.String())
	}
}
