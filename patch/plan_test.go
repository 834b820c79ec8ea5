package patch

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/workload"
)

// planned is a report of one container, and where it is declared.
func planned(item scan.Item) (report.Report, map[string][]workload.Workload) {
	item.ID = recommender.ID{Namespace: "shop", Kind: "Deployment", Workload: "api", Container: "api"}
	w := workload.Workload{
		Ref:        workload.Ref{Namespace: "shop", Kind: "Deployment", Name: "api"},
		Containers: []recommender.Container{item.Container}, Slots: []workload.Slot{{}}, APIVersion: "apps/v1",
	}
	return report.Report{Items: []scan.Item{item}}, map[string][]workload.Workload{"shop": {w}}
}

func bounds(request, limit recommender.Value) recommender.Bounds {
	return recommender.Bounds{Request: request, Limit: limit}
}

func TestPlan(t *testing.T) {
	const cpu, mem = recommender.CPU, recommender.Memory
	none := bounds(noIdea, noIdea)
	for _, c := range []struct {
		name         string
		r            recommender.Resource
		spec, advice recommender.Bounds
		change       func(*scan.Item)
		want         recommender.Bounds
		note         string
	}{
		{"equal", cpu, bounds(set(0.1), unset), bounds(set(0.1), unset), nil, none, ""},
		{"no advice", cpu, bounds(set(0.1), set(1)), none, nil, none, ""},
		{"big enough", cpu, bounds(set(0.1), set(1)), bounds(set(0.11), set(0.9)), nil, bounds(set(0.11), set(0.9)), ""},
		{"less than a tenth", cpu, bounds(set(1), set(2)), bounds(set(1.099), set(1.801)), nil, none, ""},
		{"less than 10m", cpu, bounds(set(0.010), set(0.02)), bounds(set(0.019), set(0.029)), nil, none, ""},
		{"less than 16Mi", mem, bounds(set(20*mi), unset), bounds(set(35*mi), noIdea), nil, none, ""},
		{"set where there was none is never small", cpu, bounds(unset, unset), bounds(set(0.001), set(0.002)), nil, bounds(set(0.001), set(0.002)), ""},
		{"unset is never small", cpu, bounds(set(0.001), set(0.002)), bounds(unset, unset), nil, bounds(unset, unset), ""},
		{"from zero", cpu, bounds(set(0), unset), bounds(set(0.05), noIdea), nil, bounds(set(0.05), noIdea), ""},
		{"one of two", cpu, bounds(set(0.1), set(1)), bounds(set(0.5), set(1.05)), nil, bounds(set(0.5), noIdea), ""},
		{"a small change of the limit that the request needs", cpu, bounds(set(0.5), set(1)), bounds(set(1.05), set(1.05)), nil, bounds(set(1.05), set(1.05)), ""},
		{"a small change of the request that the limit needs", cpu, bounds(set(1), set(2)), bounds(set(0.95), set(0.95)), nil, bounds(set(0.95), set(0.95)), ""},
		{
			"a limit that was exceeded", mem, bounds(set(64*mi), set(256*mi)), bounds(noIdea, set(260*mi)),
			func(i *scan.Item) { i.Evidence[mem].Peak.Value = 257 * mi }, bounds(noIdea, set(260*mi)), "",
		},
		{
			"a limit that was not exceeded", mem, bounds(set(64*mi), set(256*mi)), bounds(noIdea, set(260*mi)),
			func(i *scan.Item) { i.Evidence[mem].Peak.Value = 256 * mi }, none, "",
		},
		{"OOM killed", mem, bounds(set(64*mi), set(256*mi)), bounds(noIdea, set(260*mi)), func(i *scan.Item) {
			i.OOMKills = []recommender.OOMKill{{Limit: 216 * mi}}
			i.Advice[mem].Formula.Limit = set(200 * mi)
		}, bounds(noIdea, set(260*mi)), ""},
		{"OOM killed at a limit long gone", mem, bounds(set(64*mi), set(256*mi)), bounds(noIdea, set(260*mi)), func(i *scan.Item) {
			i.OOMKills = []recommender.OOMKill{{Limit: 100 * mi}}
			i.Advice[mem].Formula.Limit = set(260 * mi)
		}, none, ""},
		{"what Kubernetes refuses", cpu, bounds(set(1), set(2)), bounds(set(4), set(3)), func(i *scan.Item) {
			i.Advice[cpu].Notes = []recommender.Note{{Code: recommender.NoteRequestAboveLimit, Text: "request 4 is above limit 3"}}
		}, none, "shop/deployment/api/api: cpu is left as it is: Kubernetes would refuse what is recommended: request 4 is above limit 3"},
		{"what a LimitRange refuses", cpu, bounds(set(1), set(2)), bounds(set(0.5), noIdea), func(i *scan.Item) {
			i.Advice[cpu].Notes = []recommender.Note{{Code: recommender.NoteOutsideLimitRange, Text: "limit 2 is above 1"}}
		}, none, "shop/deployment/api/api: cpu is left as it is: Kubernetes would refuse what is recommended: limit 2 is above 1"},
		{"a small change of the request that a LimitRange's ratio needs", cpu, bounds(set(0.48), set(1)), bounds(set(0.51), set(2)), func(i *scan.Item) {
			l := recommender.LimitRange{Name: "sizes"}
			l.Of[cpu].MaxRatio = 4
			i.Facts.Ranges = []recommender.LimitRange{l}
		}, bounds(set(0.51), set(2)), ""},
		{"an error", cpu, bounds(set(1), set(2)), bounds(set(4), set(5)), func(i *scan.Item) { i.Err = errors.New("no") }, none, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var item scan.Item
			for r := range recommender.NumResources {
				item.Spec[r] = bounds(unset, unset)
			}
			item.Spec[c.r], item.Advice[c.r].Bounds = c.spec, c.advice
			item.Advice[c.r].Formula = c.advice
			if c.change != nil {
				c.change(&item)
			}
			r, declared := planned(item)
			changes, notes := Plan(r, declared, recommender.DefaultSignificance())
			got := none
			if len(changes) == 1 {
				got = changes[0].Values[c.r]
			}
			if got != c.want || len(changes) > 1 {
				t.Errorf("Plan = %v, want %v", got, c.want)
			}
			if strings.Join(notes, "\n") != c.note {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

// TestPlanNeverInverts takes any advice that Kubernetes accepts: what is then in force is accepted too, and no
// memory limit that could be raised stays below the peak.
func TestPlanNeverInverts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	value := func() recommender.Value {
		switch random.IntN(5) {
		case 0:
			return unset
		default:
			return set(float64(90+random.IntN(40)) * mi)
		}
	}
	for range 20000 {
		spec, advice := bounds(value(), value()), bounds(value(), value())
		if random.IntN(4) == 0 {
			advice.Request = noIdea
		}
		if inverted(spec, spec) || inverted(advice, spec) {
			continue
		}
		item := scan.Item{}
		item.Spec[recommender.CPU] = bounds(unset, unset)
		item.Spec[recommender.Memory], item.Advice[recommender.Memory].Bounds = spec, advice
		item.Evidence[recommender.Memory].Peak.Value = float64(80+random.IntN(60)) * mi
		r, declared := planned(item)
		changes, _ := Plan(r, declared, recommender.Significance{Share: random.Float64() / 3, Amount: [2]float64{0, 10 * mi}})
		var got recommender.Bounds
		if len(changes) > 0 {
			got = changes[0].Values[recommender.Memory]
		}
		after, _ := got.Limit.Or(spec.Limit).Amount()
		before, limited := spec.Limit.Amount()
		to, _ := advice.Limit.Amount()
		peak := item.Evidence[recommender.Memory].Peak.Value
		if inverted(got, spec) || limited && before < peak && to > before && after != to {
			t.Fatalf("spec %v, advice %v, peak %v: Plan = %v", spec, advice, peak, got)
		}
	}
}

// TestPlanLeavesOthersAlone: a container that its template lacks, such as an injected sidecar, is not patched.
func TestPlanLeavesOthersAlone(t *testing.T) {
	var item scan.Item
	item.Advice[recommender.CPU].Bounds = bounds(set(1), set(1))
	r, declared := planned(item)
	r.Items[0].ID.Container = "istio-proxy"
	changes, notes := Plan(r, declared, recommender.DefaultSignificance())
	if len(changes) != 0 || len(notes) != 1 || notes[0] != "shop/deployment/api/istio-proxy is not patched: it is not in the workload's template" {
		t.Errorf("Plan = %v, %q", changes, notes)
	}
}

func TestWhatCannotBeAppliedIsSaid(t *testing.T) {
	for kind, want := range map[string]string{"Pod": "pod/x: Kubernetes refuses other resources", "Job": "job/x: Kubernetes refuses other resources", "CronJob": "", "Deployment": ""} {
		if got := immutable(workload.Ref{Kind: kind, Name: "x"}); !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
}
