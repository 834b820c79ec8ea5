package scan_test

import (
	"slices"
	"testing"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// What was recorded comes first, then what is live, then names; each pod counts once, by the way that was needed.
func TestOwnershipIsMixed(t *testing.T) {
	src := &fake{
		usage: map[string]map[promquery.Container]float64{"shop": used(
			"api-5d9c7b6f8-bbbbb/c=1", "api-66b7c8d9f-ccccc/c=1", "api-7c4d5f6b8-ddddd/c=1", "gone-7c4d5f6b8-fffff/c=1")},
		owners: recommender.Owners{
			Pods:        map[string]recommender.Owner{"api-5d9c7b6f8-bbbbb": {Kind: "ReplicaSet", Name: "api-5d9c7b6f8"}},
			ReplicaSets: map[string]recommender.Owner{"api-5d9c7b6f8": {Kind: "Deployment", Name: "api"}},
		},
	}
	plan := declare("shop/Deployment/api:c")
	plan.Owners = map[string]recommender.Owners{
		"shop": {
			Pods: map[string]recommender.Owner{
				"api-5d9c7b6f8-bbbbb": {Kind: "StatefulSet", Name: "wrong"}, // what was recorded beats it
				"api-66b7c8d9f-ccccc": {Kind: "ReplicaSet", Name: "api-66b7c8d9f"},
			},
			ReplicaSets: map[string]recommender.Owner{"api-66b7c8d9f": {Kind: "Deployment", Name: "api"}},
		},
		"other": {Pods: map[string]recommender.Owner{"gone-7c4d5f6b8-fffff": {Kind: "Deployment", Name: "api"}}},
	}
	result := mustRun(t, src, plan)
	if want := (scan.Ownership{ByOwner: 1, ByObject: 1, ByName: 1, Unknown: 1}); result.Ownership != want {
		t.Errorf("ownership = %+v, want %+v", result.Ownership, want)
	}
	if got := item(t, result, "api/c").Evidence[recommender.Memory].Pods; got != 3 {
		t.Errorf("the Deployment has %d pods, want 3", got)
	}
	if len(result.Warnings) != 0 {
		t.Errorf("warnings = %q, want none", result.Warnings)
	}
}

// Without kube-state-metrics the report is there, with one note for all namespaces.
func TestMissingOwnerSeriesCostANote(t *testing.T) {
	pods := used("web-5d9c7b6f8-bbbbb/c=1")
	src := &fake{unrecorded: true, usage: map[string]map[promquery.Container]float64{"a": pods, "b": pods, "empty": {}}}
	result := mustRun(t, src, declare("a/Deployment/web:c", "b/Deployment/web:c", "empty/Deployment/web:c"))
	want := []string{"no owner series of kube-state-metrics (kube_pod_owner) for namespaces a, b: whose the pods were is known from live objects and from names alone"}
	if !slices.Equal(result.Warnings, want) {
		t.Errorf("warnings = %q, want %q", result.Warnings, want)
	}
	if want := (scan.Ownership{ByName: 2}); result.Ownership != want {
		t.Errorf("ownership = %+v, want %+v", result.Ownership, want)
	}
}
