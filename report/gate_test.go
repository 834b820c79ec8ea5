package report

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/testdata/golden"
)

func condition(t *testing.T, name string) Condition {
	t.Helper()
	i := slices.IndexFunc(Conditions(), func(c Condition) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("there is no condition %s", name)
	}
	return Conditions()[i]
}

// judged is an item as it is measured, of which a test changes what it is about: 1 core and 1 GiB requested, twice
// that as limits, all as recommended.
func judged(change func(*scan.Item)) scan.Item {
	item := scan.Item{Recommendation: recommender.Recommendation{
		Container: declared("Deployment", "web", "app", 2, bounds(1, 2), bounds(1024*mi, 2048*mi)),
	}}
	for r := range recommender.NumResources {
		item.Advice[r].Bounds, item.Advice[r].Formula = item.Spec[r], item.Spec[r]
		item.Evidence[r].Samples = 2016
	}
	if change != nil {
		change(&item)
	}
	return item
}

func reportOf(items ...scan.Item) Report {
	return New(scan.Result{Items: items}, Source{}, week(), recommender.DefaultPolicy())
}

// What each condition means, to the edges. docs/gate.md says the same in words.
func TestConditions(t *testing.T) {
	const cpu, memory = recommender.CPU, recommender.Memory
	set := recommender.Set
	kills := func(limits ...float64) func(*scan.Item) {
		return func(i *scan.Item) {
			for _, l := range limits {
				i.OOMKills = append(i.OOMKills, recommender.OOMKill{Limit: l})
			}
		}
	}
	withheld := func(i *scan.Item) {
		for r := range recommender.NumResources {
			i.Advice[r].Bounds = recommender.Bounds{}
			i.Advice[r].Notes = []recommender.Note{{Code: recommender.GuardTooLittleData}}
		}
	}
	for _, c := range []struct {
		name, condition string
		change          func(*scan.Item)
		want            string // resources, and what the first's reason says
	}{
		{"as recommended", UnderProvisioned, nil, ""},
		{"a request is to rise", UnderProvisioned, func(i *scan.Item) { i.Advice[cpu].Bounds.Request = set(1.1) }, "cpu: request 1, recommended 1100m"},
		{"by less than a tenth", UnderProvisioned, func(i *scan.Item) { i.Advice[cpu].Bounds.Request = set(1.09) }, ""},
		{"by a lot of very little", UnderProvisioned, func(i *scan.Item) { i.Spec[cpu].Request, i.Advice[cpu].Bounds.Request = set(0.002), set(0.011) }, ""},
		{"a limit is to rise", UnderProvisioned, func(i *scan.Item) { i.Advice[cpu].Bounds.Limit = set(3) }, "cpu: limit 2, recommended 3"},
		{"to fall", UnderProvisioned, func(i *scan.Item) { i.Advice[cpu].Bounds = bounds(0.1, 0.2) }, ""},
		{"nothing is requested", UnderProvisioned, func(i *scan.Item) { i.Spec[memory] = none() }, "memory: request none, recommended 1Gi"},
		{"a limit stands in for the request", UnderProvisioned, func(i *scan.Item) { i.Spec[memory].Request = recommender.Unset() }, ""},
		{"usage reached the limit", UnderProvisioned, func(i *scan.Item) { i.Evidence[memory].Peak.Value = 2048 * mi }, "memory: usage peaked at 2Gi, and the limit is 2Gi"},
		{"usage almost reached it", UnderProvisioned, func(i *scan.Item) { i.Evidence[memory].Peak.Value = 2047 * mi }, ""},
		{"it reached it, without advice", UnderProvisioned, func(i *scan.Item) { withheld(i); i.Evidence[memory].Peak.Value = 2048 * mi }, "memory: usage peaked"},
		{"CPU reached its limit", UnderProvisioned, func(i *scan.Item) { i.Evidence[cpu].Peak.Value = 2 }, ""},
		{"killed at today's limit", UnderProvisioned, kills(1024*mi, 2048*mi, 0), "memory: OOM killed 3 times at a limit of 2Gi, and it is 2Gi"},
		{"killed at a lower one", UnderProvisioned, kills(1024 * mi), ""},
		{"killed at one that nobody recorded", UnderProvisioned, kills(0), ""},
		{"killed, and there is no limit now", UnderProvisioned, func(i *scan.Item) { kills(1024 * mi)(i); i.Spec[memory].Limit = recommender.Unset() }, ""},
		{"too little data", UnderProvisioned, func(i *scan.Item) { i.Spec[cpu].Request = set(0.1); withheld(i) }, ""},

		{"limits", NoLimits, nil, ""},
		{"no limit", NoLimits, func(i *scan.Item) { i.Spec[memory].Limit = recommender.Unset() }, "memory: no limit, recommended 2Gi"},
		{"no limits and no advice", NoLimits, func(i *scan.Item) { withheld(i); i.Spec[cpu], i.Spec[memory] = none(), none() }, "cpu,memory: no limit"},
		{"no limit of what failed", NoLimits, func(i *scan.Item) { withheld(i); i.Spec[cpu] = none(); i.Err = errors.New("broken") }, "cpu: no limit"},

		{"as recommended", OverProvisioned, nil, ""},
		{"a tenth", OverProvisioned, func(i *scan.Item) { i.Advice[cpu].Bounds.Request = set(0.9) }, "cpu: request 1, recommended 900m (-10%)"},
		{"half, exactly", OverProvisioned + ":50%", func(i *scan.Item) { i.Advice[memory].Bounds.Request = set(512 * mi) }, "memory: request 1Gi, recommended 512Mi (-50%)"},
		{"less than half", OverProvisioned + ":50%", func(i *scan.Item) { i.Advice[memory].Bounds.Request = set(513 * mi) }, ""},
		{"most of very little", OverProvisioned + ":50%", func(i *scan.Item) { i.Spec[cpu].Request, i.Advice[cpu].Bounds.Request = set(0.012), set(0.003) }, ""},
		{"a limit, which reserves nothing", OverProvisioned, func(i *scan.Item) { i.Advice[cpu].Bounds.Limit = set(1) }, ""},
		{"a limit that stands in for the request", OverProvisioned, func(i *scan.Item) { i.Spec[cpu].Request = recommender.Unset() }, "cpu: request 2, recommended 1 (-50%)"},
		{"the request is to go", OverProvisioned, func(i *scan.Item) {
			i.Spec[cpu].Limit, i.Advice[cpu].Bounds = recommender.Unset(), recommender.Bounds{Request: recommender.Unset(), Limit: recommender.Unset()}
		}, ""},
		{"too little data", OverProvisioned, withheld, ""},

		{"measured", WithoutData, nil, ""},
		{"not measured", WithoutData, func(i *scan.Item) {
			i.Evidence[cpu].Samples, i.Advice[cpu].Notes = 0, []recommender.Note{{Code: recommender.NoteNoData, Text: "nobody looked"}}
		}, "cpu: nobody looked"},
		{"not measured, and nobody knows why", WithoutData, func(i *scan.Item) { i.Evidence[cpu].Samples = 0 }, "cpu: no samples"},
		{"too little data", WithoutData, withheld, ""},
		{"an error is not no data", WithoutData, func(i *scan.Item) { i.Evidence[cpu].Samples, i.Err = 0, errors.New("broken") }, ""},
	} {
		t.Run(c.condition+"/"+c.name, func(t *testing.T) {
			name, _, half := strings.Cut(c.condition, ":")
			cond := condition(t, name)
			if share := 0.5; half {
				cond.Share = &share
			}
			var resources, whys []string
			for _, trip := range reportOf(judged(c.change)).Judge([]Condition{cond}).Trips {
				if trip.Condition.String() != c.condition {
					t.Errorf("tripped by %s, want %s", trip.Condition, c.condition)
				}
				resources, whys = append(resources, trip.Resource.String()), append(whys, trip.Why)
			}
			got := ""
			if len(resources) > 0 {
				got = strings.Join(resources, ",") + ": " + whys[0]
			}
			if got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) {
				t.Errorf("tripped by %q, want %q", got, c.want)
			}
		})
	}
}

// A policy that wants no limits does not miss them.
func TestNoLimitsHeedsThePolicy(t *testing.T) {
	rule, err := recommender.ParseRule("none")
	if err != nil {
		t.Fatal(err)
	}
	r := reportOf(judged(func(i *scan.Item) { i.Spec[recommender.CPU], i.Spec[recommender.Memory] = none(), none() }))
	r.Policy.Rules[recommender.CPU].Limit = rule
	trips := r.Judge([]Condition{condition(t, NoLimits)}).Trips
	if len(trips) != 1 || trips[0].Resource != recommender.Memory {
		t.Errorf("tripped by %v, want memory alone", trips)
	}
}

// The gate judges the whole report but the resource that it hides, whatever is shown; --min-change is its measure.
func TestGateAndView(t *testing.T) {
	r := sample()
	conditions := Conditions()
	want := len(r.Judge(conditions).Trips)
	r.View = View{Top: 1, Sort: BySeverity, Significant: true}
	if got := len(r.Judge(conditions).Trips); got != want || got == 0 {
		t.Errorf("%d trips of a report that shows one container, want the %d of all", got, want)
	}
	r.View.Hidden[recommender.CPU] = true
	for _, trip := range r.Judge(conditions).Trips {
		if trip.Resource == recommender.CPU {
			t.Errorf("tripped by %s, which is hidden", trip)
		}
	}
	r = reportOf(judged(func(i *scan.Item) { i.Advice[recommender.CPU].Bounds.Request = recommender.Set(1.3) }))
	r.Least.Share = 0.5
	if trips := r.Judge(conditions).Trips; len(trips) > 0 {
		t.Errorf("tripped by %v, though 30%% is not worth changing", trips)
	}
}

func TestGateCountsContainersOnce(t *testing.T) {
	r := reportOf(judged(func(i *scan.Item) { i.Spec[recommender.CPU], i.Spec[recommender.Memory] = none(), none() }))
	g := r.Judge([]Condition{condition(t, NoLimits)})
	if len(g.Trips) != 2 || Containers(g.Trips) != 1 || len(g.Tripped(condition(t, WithoutData))) != 0 {
		t.Errorf("%d trips of %d containers, want 2 of 1", len(g.Trips), Containers(g.Trips))
	}
}

// Formats that go where stderr is not seen hold the gate: golden files show how.
func TestGoldenGate(t *testing.T) {
	r := sample()
	half := 0.5
	over := condition(t, OverProvisioned)
	over.Share = &half
	r.Gate = r.Judge([]Condition{condition(t, UnderProvisioned), condition(t, NoLimits), over, condition(t, WithoutData)})
	r.View = View{Top: 2, Sort: BySeverity, Hidden: [recommender.NumResources]bool{recommender.CPU: true}}
	for _, format := range []string{"table", "markdown", "json", "csv"} {
		golden.Compare(t, "gate."+format+".golden", render(t, format, r, Options{}))
	}
}
