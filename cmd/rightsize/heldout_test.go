package main

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/workload"
)

// rollouts is a namespace of one Deployment of three pods that is rolled out four times in a week.
type rollouts struct{}

func (rollouts) Namespaces(context.Context, recommender.Window) ([]string, error) {
	return []string{"shop"}, nil
}

func (rollouts) Index(context.Context, string, recommender.Window) (promquery.Index, error) {
	index := promquery.Index{Containers: map[string][]string{}}
	for i := range 15 {
		index.Containers[rolledPod(i)] = []string{"app"}
	}
	return index, nil
}

func rolledPod(i int) string { return fmt.Sprintf("web-%d9c7b6f8-bbbb%c", 4+i/3, "bcd"[i%3]) }

// Read hands on each pod day by day, as queries do.
func (rollouts) Read(_ context.Context, _ promquery.Batch, w recommender.Window, visit func(promquery.Series)) (promquery.Facts, error) {
	for i := range 15 {
		first, end := i/3*w.Points()/5, (i/3+1)*w.Points()/5
		for r, unit := range [recommender.NumResources]float64{recommender.CPU: 0.1, recommender.Memory: 100 << 20} {
			for k := first + 1; k <= end; k += 288 {
				s := promquery.Series{Pod: rolledPod(i), Container: "app", Resource: recommender.Resource(r)}
				for p := k; p < min(k+288, end+1); p++ {
					s.Points, s.Values = append(s.Points, p), append(s.Values, unit*(2+math.Sin(float64(p*(i+7)))))
				}
				visit(s)
			}
		}
	}
	return promquery.Facts{}, nil
}

// BenchmarkHeldOut is what holding limits against the last days adds to what is made of the samples of one Deployment.
func BenchmarkHeldOut(b *testing.B) {
	for _, on := range []bool{false, true} {
		b.Run(fmt.Sprint(on), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := scan.Run(b.Context(), rollouts{}, rolledPlan(on), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func rolledPlan(heldOut bool) scan.Plan {
	id := recommender.ID{Namespace: "shop", Kind: "Deployment", Workload: "web", Container: "app"}
	plan := scan.Plan{
		Containers: []recommender.Container{{ID: id, Replicas: 3}}, Policy: recommender.DefaultPolicy(), Workers: 1,
		Window: recommender.Window{Until: time.Unix(1_770_000_000, 0), Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}.Align(),
	}
	plan.Declared = map[string][]workload.Workload{"shop": {{Ref: workload.Ref{Namespace: "shop", Kind: "Deployment", Name: "web"}, Containers: plan.Containers}}}
	o := options{heldOut: heldOut}
	o.setDefaults()
	o.holdOut(&plan)
	return plan
}
