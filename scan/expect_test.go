package scan_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// A pod that could not be read fails the containers of its workload that it ran, and nothing else.
func TestFailedPodsFailTheirContainers(t *testing.T) {
	refused := errors.New("pod web-5d9c7b6f8-bbbbb is too much: 422")
	src := &fake{
		usage: map[string]map[promquery.Container]float64{"shop": used(
			"web-5d9c7b6f8-bbbbb/app=100", "web-5d9c7b6f8-ccccc/app=100", "web-5d9c7b6f8-ccccc/proxy=5", "web-5d9c7b6f8-ddddd/app=7", "api-5d9c7b6f8-bbbbb/app=9")},
		facts: promquery.Facts{Failed: map[string]error{"web-5d9c7b6f8-bbbbb": refused, "web-5d9c7b6f8-ddddd": refused, "stranger-5d9c7b6f8-bbbbb": refused}},
	}
	r := mustRun(t, src, declare("shop/Deployment/web:app,proxy", "shop/Deployment/api:app"))
	web := item(t, r, "web/app")
	if !errors.Is(web.Err, refused) || !strings.HasSuffix(web.Err.Error(), "422 (and so are 1 more of its pods)") || web.Evidence[recommender.Memory].Samples != 0 {
		t.Errorf("web/app: %v with %+v, want the error and no numbers", web.Err, web.Evidence)
	}
	for _, name := range []string{"web/proxy", "api/app"} {
		if got := item(t, r, name); got.Err != nil || got.Evidence[recommender.Memory].Samples == 0 {
			t.Errorf("%s: %v with %d samples, want it to stand", name, got.Err, got.Evidence[recommender.Memory].Samples)
		}
	}
}

// slowly is a source that has one namespace at once, and never has another.
type slowly struct {
	*fake
	never string
}

func (s slowly) Read(ctx context.Context, b promquery.Batch, w recommender.Window, visit func(promquery.Series)) (promquery.Facts, error) {
	if b.Namespace == s.never {
		<-ctx.Done()
		return promquery.Facts{}, context.Cause(ctx)
	}
	return s.fake.Read(ctx, b, w, visit)
}

// When the time of a run is over, what has been read stands and the rest has failed.
func TestDeadlineLeavesWhatWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := slowly{&fake{usage: map[string]map[promquery.Container]float64{"a": used("x-0/app=1"), "b": used("y-0/app=1")}}, "b"}
		over := fmt.Errorf("the run is over: %w", context.DeadlineExceeded)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, over)
		defer cancel()
		r, err := scan.Run(ctx, src, declare("a/StatefulSet/x:app", "b/StatefulSet/y:app"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if x, y := item(t, r, "x/app"), item(t, r, "y/app"); x.Err != nil || x.Evidence[recommender.Memory].Samples == 0 || !errors.Is(y.Err, over) {
			t.Errorf("x: %v, y: %v, want x and why y is not there", x.Err, y.Err)
		}
	})
}

// expecting says what each batch takes.
type expecting struct {
	*fake
	batches []promquery.Batch
}

func (e *expecting) Expect(_ context.Context, b promquery.Batch, _ recommender.Window) (promquery.Expected, error) {
	e.batches = append(e.batches, b)
	return promquery.Expected{Requests: 10}, e.broken["expect "+b.Namespace]
}

// What is expected is of the batches that Run would read, by namespace.
func TestExpect(t *testing.T) {
	src := &expecting{fake: &fake{usage: map[string]map[promquery.Container]float64{
		"a": used("x-0/app=1", "x-1/app=1", "y-0/app=1", "z-0/app=1", "z-1/app=1", "other-5d9c7b6f8-bbbbb/app=1"), "b": used("y-0/app=1"),
	}}}
	plan := declare("a/StatefulSet/x:app", "a/StatefulSet/y:app", "b/StatefulSet/y:app", "c/StatefulSet/gone:app")
	plan.PodsPerBatch = 2
	got, err := scan.Expect(t.Context(), src, plan)
	if err != nil {
		t.Fatal(err)
	}
	want := []scan.Expectation{
		{Namespace: "a", Containers: 2, Pods: 3, Expected: promquery.Expected{Requests: 22}},
		{Namespace: "b", Containers: 1, Pods: 1, Expected: promquery.Expected{Requests: 12}},
		{Namespace: "c", Containers: 1, Expected: promquery.Expected{Requests: 2}},
	}
	read := &fake{usage: src.usage}
	mustRun(t, read, plan)
	if len(src.batches) != len(read.batches) {
		t.Errorf("%d batches are expected, %d are read", len(src.batches), len(read.batches))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("expected (-want +got):\n%s", diff)
	}
	refused := errors.New("no")
	src.broken = map[string]error{"expect b": refused}
	if _, err := scan.Expect(t.Context(), src, plan); !errors.Is(err, refused) {
		t.Errorf("counts that are refused: %v", err)
	}
	src.broken = map[string]error{"a": refused}
	if _, err := scan.Expect(t.Context(), src, plan); !errors.Is(err, refused) {
		t.Errorf("labels that are refused: %v", err)
	}
}
