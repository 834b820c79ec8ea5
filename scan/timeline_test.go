package scan_test

import (
	"context"
	"math"
	"testing"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// twice hands on each point with a second value, and a NaN, as reading sample by sample does.
type twice struct{ rolling }

func (s *twice) Read(ctx context.Context, b promquery.Batch, w recommender.Window, visit func(promquery.Series)) (promquery.Facts, error) {
	return s.rolling.Read(ctx, b, w, func(series promquery.Series) {
		visit(series)
		again := promquery.Series{Pod: series.Pod, Container: series.Container, Resource: series.Resource}
		for i, k := range series.Points {
			again.Points = append(again.Points, k, k)
			again.Values = append(again.Values, series.Values[i]/2, math.NaN())
		}
		visit(again)
	})
}

var _ scan.Source = (*twice)(nil)

// Replay sees each pod's points once, in order, and nothing of what nobody asked for.
func TestReplay(t *testing.T) {
	src := &twice{rolling{fake{usage: map[string]map[promquery.Container]float64{"shop": used(
		"web-5d9c7b6f8-bbbbb/app=100", "web-6d9c7b6f8-ccccc/app=200", "other-0/app=100")}}}}
	src.facts.OOMKills = map[promquery.Container][]recommender.OOMKill{of("web-5d9c7b6f8-bbbbb"): {{Pod: "web-5d9c7b6f8-bbbbb", At: window().Time(9)}}}
	plan := declare("shop/Deployment/web:app", "shop/StatefulSet/other:app")
	plan.Containers = plan.Containers[:1]
	var got []scan.Timeline
	plan.Replay = func(l scan.Timeline) { got = append(got, l) }
	mustRun(t, src, plan)
	if len(got) != 1 || len(got[0].Pods) != 2 || len(got[0].Item.OOMKills) != 1 {
		t.Fatalf("Replay was handed %d containers: %+v", len(got), got)
	}
	const rollout = 4 * 288
	for i, want := range []struct{ first, last int }{{1, rollout}, {rollout + 1, 7 * 288}} {
		p := got[0].Pods[i]
		for r, unit := range [recommender.NumResources]float64{recommender.CPU: 0.01, recommender.Memory: mi} {
			points, values := p.Points[r], p.Values[r]
			if len(points) != want.last-want.first+1 || points[0] != want.first || points[len(points)-1] != want.last {
				t.Fatalf("%s: points %d to %d, %d of them", p.Pod, points[0], points[len(points)-1], len(points))
			}
			for n, v := range values {
				if points[n] != want.first+n || v != float64(100*(i+1))*unit {
					t.Fatalf("%s: %v at point %d", p.Pod, v, points[n])
				}
			}
		}
	}
}

// What was used of late weighs more in rules that ask for it: the first four days, with twice the use, are four
// sevenths of the samples and a third of the weight.
func TestRecentRules(t *testing.T) {
	src := &rolling{fake{usage: map[string]map[promquery.Container]float64{"shop": used(
		"web-5d9c7b6f8-bbbbb/app=100", "web-6d9c7b6f8-ccccc/app=50")}}}
	for text, want := range map[string]float64{"p60": 1, "recent60": 0.5, "recent75": 1} {
		plan := declare("shop/Deployment/web:app")
		rule, err := recommender.ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		plan.Policy.Rules[recommender.CPU].Request = rule
		request, _ := item(t, mustRun(t, src, plan), "web/app").Advice[recommender.CPU].Bounds.Request.Amount()
		if math.Abs(request-want) > 0.01*want {
			t.Errorf("%s = %v, want %v", text, request, want)
		}
	}
}
