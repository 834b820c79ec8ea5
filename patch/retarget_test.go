package patch

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/workload"
)

// scaledShop is a workload of two containers, a and b, whose CPU requests change from 1 to these, and an autoscaler of
// both.
func scaledShop(a, b float64) (report.Report, map[string][]workload.Workload) {
	ref := workload.Ref{Namespace: "shop", Kind: "Deployment", Name: "api"}
	w := workload.Workload{Ref: ref, APIVersion: "apps/v1"}
	var r report.Report
	for i, to := range []float64{a, b} {
		name := string(rune('a' + i))
		var c recommender.Container
		c.ID = recommender.ID{Namespace: "shop", Kind: "Deployment", Workload: "api", Container: name}
		c.Spec = [recommender.NumResources]recommender.Bounds{{Request: recommender.Set(1), Limit: recommender.Set(9)}, {Request: recommender.Unset(), Limit: recommender.Unset()}}
		w.Containers = append(w.Containers, c)
		w.Slots = append(w.Slots, workload.Slot{List: []string{"spec", "template", "spec", "containers"}, Index: i, Resources: map[string]any{"requests": map[string]any{"cpu": "1"}, "limits": map[string]any{"cpu": "9"}}})
		item := scan.Item{Recommendation: recommender.Recommendation{Container: c}}
		item.Advice[recommender.CPU].Bounds.Request = recommender.Set(to)
		r.Items = append(r.Items, item)
	}
	r.Retargets = []recommender.Retarget{{
		Namespace: "shop", Kind: "Deployment", Workload: "api", To: 90, Containers: []string{"a", "b"},
		Autoscaler: recommender.Autoscaler{
			Name: "HorizontalPodAutoscaler api", Resource: recommender.CPU, Percent: 60,
			Target: recommender.Target{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Name: "api", Path: "/spec/metrics/0/resource/target/averageUtilization", Check: "/spec/metrics/0/resource/name", Is: "cpu"},
		},
	}}
	r.Least = recommender.DefaultSignificance()
	return r, map[string][]workload.Workload{"shop": {w}}
}

// Requests under one autoscaler change together or not at all.
func TestPlanRetargets(t *testing.T) {
	for _, c := range []struct {
		name      string
		a, b      float64
		spoil     func(*report.Report)
		want      []string // the containers whose request changes
		retargets int
		note      string
	}{
		{"both", 0.5, 0.5, func(*report.Report) {}, []string{"a", "b"}, 1, ""},
		{"a small change goes with a large one", 0.5, 0.99, func(*report.Report) {}, []string{"a", "b"}, 1, ""},
		{"small changes alone are not made", 0.99, 0.99, func(*report.Report) {}, nil, 0, ""},
		{"one is not shown", 0.5, 0.5, func(r *report.Report) { r.Items = r.Items[:1] }, nil, 0, "deployment/api: the cpu requests stay: not all that HorizontalPodAutoscaler api depends on is to be patched"},
		{"the resource is not shown", 0.5, 0.5, func(r *report.Report) { r.View.Hidden[recommender.CPU] = true }, nil, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, declared := scaledShop(c.a, c.b)
			c.spoil(&r)
			changes, _ := Plan(r, declared, r.Least)
			changes, retargets, notes := PlanRetargets(r, declared, changes)
			var got []string
			for _, change := range changes {
				if change.Values[recommender.CPU].Request.IsAdvice() {
					got = append(got, change.Container)
				}
			}
			if !slices.Equal(got, c.want) || len(retargets) != c.retargets || strings.Join(notes, "; ") != c.note {
				t.Errorf("changes %q, retargets %v, notes %q; want %q, %d, %q", got, retargets, notes, c.want, c.retargets, c.note)
			}
		})
	}
}

// A component keeps the other targets that an earlier run wrote for the same autoscaler.
func TestComponentKeepsTargets(t *testing.T) {
	dir := t.TempDir()
	write := func(path string, to int) string {
		t.Helper()
		r, declared := scaledShop(0.5, 0.5)
		r.Retargets[0].Target.Path, r.Retargets[0].To = path, to
		changes, _ := Plan(r, declared, r.Least)
		changes, retargets, _ := PlanRetargets(r, declared, changes)
		result, err := Job{Changes: changes, Retargets: retargets, Basis: BasisOf(r), Type: Strategic, Declared: declared}.Component(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := Commit(result.Files); err != nil {
			t.Fatal(err)
		}
		c, err := openComponent(dir)
		if err != nil {
			t.Fatal(err)
		}
		return string(c.files["horizontalpodautoscaler-api.yaml"])
	}
	write("/spec/metrics/1/resource/target/averageUtilization", 70)
	text := write("/spec/metrics/0/resource/target/averageUtilization", 90)
	_, body, _ := strings.Cut(text, "- op")
	want := `: test
  path: /spec/metrics/0/resource/name
  value: cpu
- op: replace
  path: /spec/metrics/0/resource/target/averageUtilization
  value: 90
- op: test
  path: /spec/metrics/0/resource/name
  value: cpu
- op: replace
  path: /spec/metrics/1/resource/target/averageUtilization
  value: 70
`
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("patch (-want +got):\n%s", diff)
	}
}

// Pointers lead nowhere where an object has another shape.
func TestLookup(t *testing.T) {
	object := map[string]any{"spec": map[string]any{"metrics": []any{map[string]any{"a": int64(1)}}, "n": int64(2)}}
	for pointer, want := range map[string]any{
		"/spec/metrics/0/a": int64(1), "/spec/metrics/1/a": nil, "/spec/metrics/-1/a": nil, "/spec/metrics/x/a": nil, "/spec/n/x": nil, "/none/x": nil, "": nil,
	} {
		if got := lookup(object, pointer); got != want {
			t.Errorf("%s: %v, want %v", pointer, got, want)
		}
	}
}
