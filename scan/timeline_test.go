package scan_test

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

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

// Times are kept without a number for each sample, whatever the order that samples come in, and lose none of them.
func TestStretchesAreWhatTheyWereMadeOf(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		want := map[int]float64{}
		src := &handing{}
		for range 1 + random.IntN(6) {
			s := promquery.Series{Pod: "web-5d9c7b6f8-bbbbb", Container: "app", Resource: recommender.Memory}
			k := 1 + random.IntN(2016)
			for range random.IntN(40) {
				if k > window().Points() {
					break
				}
				v := float64(random.IntN(1000))
				if random.IntN(9) == 0 {
					v = math.NaN()
				} else if old, seen := want[k]; !seen || v > old {
					want[k] = v
				}
				s.Points, s.Values = append(s.Points, k), append(s.Values, v)
				k += [...]int{0, 1, 1, 1, 3}[random.IntN(5)]
			}
			src.series = append(src.series, s)
		}
		plan := declare("shop/Deployment/web:app")
		got := map[int]float64{}
		plan.Replay = func(l scan.Timeline) {
			last := 0
			for _, p := range l.Pods {
				for i, k := range p.Points[recommender.Memory] {
					if k <= last {
						t.Fatalf("round %d: point %d comes after %d", round, k, last)
					}
					got[k], last = p.Values[recommender.Memory][i], k
				}
			}
		}
		mustRun(t, src, plan)
		if !maps.Equal(got, want) {
			t.Fatalf("round %d: %v, want %v", round, got, want)
		}
	}
}

// handing hands on the series that it was given.
type handing struct{ series []promquery.Series }

func (s *handing) Namespaces(context.Context, recommender.Window) ([]string, error) {
	return []string{"shop"}, nil
}

func (s *handing) Index(context.Context, string, recommender.Window) (promquery.Index, error) {
	return promquery.Index{Containers: map[string][]string{"web-5d9c7b6f8-bbbbb": {"app"}}}, nil
}

func (s *handing) Read(_ context.Context, _ promquery.Batch, _ recommender.Window, visit func(promquery.Series)) (promquery.Facts, error) {
	for _, series := range s.series {
		visit(series)
	}
	return promquery.Facts{}, nil
}

// A timeline has the item that came of it, the samples that it was made from, whose pods they are, and short runs at the
// point after their peak. What nobody needs is not there.
func TestTimelinesOfRuns(t *testing.T) {
	w := window()
	c := promquery.Container{Pod: "report-29000000-bbbbb", Name: "report"}
	src := &fake{usage: map[string]map[promquery.Container]float64{"shop": {c: 1}}, facts: promquery.Facts{
		Runs:  map[promquery.Container]promquery.Run{c: {CPU: 0.5, Measured: true}},
		Peaks: map[promquery.Container]recommender.Peak{c: {Value: 70 * mi, Pod: c.Pod, At: w.Time(700).Add(-time.Minute), Within: time.Hour}},
	}}
	for _, unwanted := range []bool{false, true} {
		plan := declare("shop/CronJob/report:report")
		plan.Unreplayed[recommender.CPU] = unwanted
		var got scan.Timeline
		plan.Replay = func(l scan.Timeline) { got = l }
		result := mustRun(t, src, plan)
		if got.Item.Runs != 1 || result.Items[0].Runs != 1 || got.Ownership.ByName != 1 {
			t.Errorf("the timeline is of %+v, %+v", got.Item, got.Ownership)
		}
		if s := got.History.Usage[recommender.Memory].Samples; s.Len() != 1 || s.Max() != 70*mi {
			t.Errorf("the history has the samples %v", s)
		}
		if len(got.Pods) != 1 || !slices.Equal(got.Pods[0].Points[recommender.Memory], []int{700}) || !slices.Equal(got.Pods[0].Values[recommender.Memory], []float64{70 * mi}) {
			t.Errorf("memory's timeline is %+v", got.Pods)
		}
		if n := len(got.Pods[0].Points[recommender.CPU]); (n == 0) != unwanted {
			t.Errorf("cpu has %d points, unwanted %v", n, unwanted)
		}
	}
}
