package scan_test

import (
	"context"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

func of(pod string) promquery.Container { return promquery.Container{Pod: pod, Name: "app"} }

// Restarts and CPU periods are those of all the workload's pods, and of no other's.
func TestStabilityIsPooledOverPods(t *testing.T) {
	src := &fake{usage: map[string]map[promquery.Container]float64{"shop": used(
		"web-5d9c7b6f8-bbbbb/app=100", "web-5d9c7b6f8-ccccc/app=100", "other-0/app=100", "silent-0/app=100")}}
	src.facts.Restarts = map[promquery.Container]int{of("web-5d9c7b6f8-bbbbb"): 2, of("web-5d9c7b6f8-ccccc"): 0, of("other-0"): 9}
	src.facts.Throttling = map[promquery.Container]promquery.Periods{
		of("web-5d9c7b6f8-bbbbb"): {Total: 9000, Throttled: 4000}, of("web-5d9c7b6f8-ccccc"): {Total: 1000}, of("other-0"): {Total: 5000},
	}
	result := mustRun(t, src, declare("shop/Deployment/web:app", "shop/StatefulSet/other:app", "shop/StatefulSet/silent:app"))
	web := item(t, result, "web/app")
	if web.Restarts == nil || *web.Restarts != 2 {
		t.Errorf("restarts = %v, want 2", web.Restarts)
	}
	if share, ok := web.Throttling.Share(); share != 0.4 || !ok {
		t.Errorf("throttled share = %v, %v, want 0.4", share, ok)
	}
	silent := item(t, result, "silent/app")
	if _, ok := silent.Throttling.Share(); ok || silent.Restarts != nil {
		t.Errorf("nobody counted silent: restarts = %v, throttling = %v", silent.Restarts, silent.Throttling)
	}
}

// rolling rolls out after four days: the first ReplicaSet's pods are seen before that, all others after it.
type rolling struct{ fake }

func (r *rolling) Read(ctx context.Context, b promquery.Batch, w recommender.Window, visit func(promquery.Series)) (promquery.Facts, error) {
	const rollout = 4 * 288
	return r.fake.Read(ctx, b, w, func(s promquery.Series) {
		seen := promquery.Series{Pod: s.Pod, Container: s.Container, Resource: s.Resource}
		for i, k := range s.Points {
			if old := strings.HasPrefix(s.Pod, "web-5d9c7b6f8-"); old == (k <= rollout) {
				seen.Points, seen.Values = append(seen.Points, k), append(seen.Values, s.Values[i])
			}
		}
		visit(seen)
	})
}

var _ scan.Source = (*rolling)(nil)

// The revision of a Deployment's pod is its ReplicaSet, by its owner or by its name: what is said of the newest one
// needs no kube-state-metrics.
func TestRevisionsAreToldApart(t *testing.T) {
	for name, owners := range map[string]recommender.Owners{
		"by name": {},
		"by owner": {
			Pods: map[string]recommender.Owner{
				"web-5d9c7b6f8-bbbbb": {Kind: "ReplicaSet", Name: "web-5d9c7b6f8"}, "web-7b8f69c5d-ddddd": {Kind: "ReplicaSet", Name: "web-7b8f69c5d"},
			},
			ReplicaSets: map[string]recommender.Owner{
				"web-5d9c7b6f8": {Kind: "Deployment", Name: "web"}, "web-7b8f69c5d": {Kind: "Deployment", Name: "web"},
			},
		},
	} {
		src := &rolling{fake: fake{owners: owners, usage: map[string]map[promquery.Container]float64{"shop": used(
			"web-5d9c7b6f8-bbbbb/app=100", "web-7b8f69c5d-ddddd/app=300")}}}
		var texts []string
		for _, n := range item(t, mustRun(t, src, declare("shop/Deployment/web:app")), "web/app").Advice[recommender.Memory].Notes {
			texts = append(texts, n.Code+": "+n.Text)
		}
		const want = "level-change: pods of the newest revision (web-7b8f69c5d, since 2026-01-30 00:05 UTC) use 300Mi at P50, earlier ones used 100Mi: those are 57% of the samples"
		if got := strings.Join(texts, "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: notes = %q, want %q", name, got, want)
		}
	}
}
