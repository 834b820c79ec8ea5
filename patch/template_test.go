package patch

import (
	"testing"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/workload"
)

// joined is a Rollout that takes its template from Deployment api.
func joined(name string) workload.Workload {
	return workload.Workload{
		Ref: workload.Ref{Namespace: "shop", Kind: "Rollout", Name: name}, Template: workload.Ref{Namespace: "shop", Kind: "Deployment", Name: "api"},
		APIVersion: "apps/v1", Slots: []workload.Slot{{List: []string{"spec", "template", "spec", "containers"}}},
		Containers: []recommender.Container{{ID: recommender.ID{Namespace: "shop", Kind: "Rollout", Workload: name, Container: "api"}}},
	}
}

// Two Rollouts with one template are one patch, for the Deployment that has it, and so is the target of an autoscaler.
func TestAtTemplates(t *testing.T) {
	declared := map[string][]workload.Workload{"shop": {joined("blue"), joined("green")}}
	var r report.Report
	for _, w := range declared["shop"] {
		rec := recommender.Recommendation{Container: w.Containers[0]}
		rec.Advice[recommender.CPU].Bounds.Request = recommender.Set(1)
		r.Items = append(r.Items, scan.Item{Recommendation: rec})
	}
	r.Retargets = []recommender.Retarget{{Namespace: "shop", Kind: "Rollout", Workload: "blue"}, {Namespace: "shop", Kind: "Deployment", Workload: "web"}}
	at, there := AtTemplates(r, declared)
	changes, notes := Plan(at, there, recommender.Significance{})
	if len(changes) != 1 || changes[0].Workload.String() != "deployment/api" || changes[0].APIVersion != "apps/v1" || len(notes) > 0 {
		t.Errorf("changes %+v, notes %q, want one of deployment/api", changes, notes)
	}
	if got := scaled(at.Retargets[0]).String() + " " + scaled(at.Retargets[1]).String(); got != "deployment/api deployment/web" {
		t.Errorf("retargets of %s", got)
	}
	if len(r.Items) != 2 || r.Items[0].ID.Kind != "Rollout" || r.Retargets[0].Kind != "Rollout" || declared["shop"][0].Kind != "Rollout" {
		t.Error("the report itself has changed")
	}
}

// What no template has is not patched, and the note says where to go instead.
func TestPlanTellsWhereElse(t *testing.T) {
	w := joined("web")
	w.Template, w.Slots = workload.Ref{}, nil
	for want, mark := range map[string]func(*recommender.Container){
		"shop/rollout/web/api is not patched: Kafka log has its resources: change them there":                func(c *recommender.Container) { c.Owner = "Kafka log" },
		"shop/rollout/web/api is not patched: it is injected into the pods, and its note says what sizes it": func(c *recommender.Container) { c.Injected = true },
		"shop/rollout/web/api is not patched: it is not in the workload's template":                          func(*recommender.Container) {},
	} {
		rec := recommender.Recommendation{Container: w.Containers[0]}
		mark(&rec.Container)
		changes, notes := Plan(report.Report{Items: []scan.Item{{Recommendation: rec}}}, map[string][]workload.Workload{"shop": {w}}, recommender.Significance{})
		if len(changes) != 0 || len(notes) != 1 || notes[0] != want {
			t.Errorf("changes %+v, notes %q, want %q", changes, notes, want)
		}
	}
}
