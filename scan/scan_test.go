package scan_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/workload"
)

const mi = 1 << 20

// fake is a Source of constant usage: each container of each pod uses so much at every point of the grid.
type fake struct {
	usage  map[string]map[promquery.Container]float64 // namespace -> container -> Mi of memory and hundredths of cores
	owners recommender.Owners
	facts  promquery.Facts
	broken map[string]error // by namespace, or by pod
	block  chan struct{}    // Read waits for it, or for the context
	begins time.Time        // of all data

	namespaces []string // those with data before begins

	noRates bool // the rate window is too short for any

	unrecorded bool // kube-state-metrics is not there at all; else it knows some other pod

	mu      sync.Mutex
	batches []promquery.Batch
}

func (f *fake) Namespaces(_ context.Context, w recommender.Window) ([]string, error) {
	if f.begins.After(w.Until) {
		return f.namespaces, nil
	}
	return slices.Sorted(maps.Keys(f.usage)), nil
}

func (f *fake) Index(_ context.Context, namespace string, _ recommender.Window) (promquery.Index, error) {
	index := promquery.Index{Containers: make(map[string][]string), Owners: f.owners}
	if f.owners.Pods == nil && !f.unrecorded {
		index.Owners.Pods = map[string]recommender.Owner{"somebody-else": {}}
	}
	for c := range f.usage[namespace] {
		index.Containers[c.Pod] = append(index.Containers[c.Pod], c.Name)
		slices.Sort(index.Containers[c.Pod])
	}
	return index, f.broken[namespace]
}

func (f *fake) Read(ctx context.Context, b promquery.Batch, w recommender.Window, visit func(promquery.Series)) (promquery.Facts, error) {
	f.mu.Lock()
	f.batches = append(f.batches, b)
	f.mu.Unlock()
	if f.block != nil {
		select {
		case <-f.block:
		case <-ctx.Done():
			return promquery.Facts{}, ctx.Err()
		}
	}
	for _, pod := range b.Pods {
		if err := f.broken[pod]; err != nil {
			return promquery.Facts{}, err
		}
	}
	for c, used := range f.usage[b.Namespace] {
		if b.Pods == nil || slices.Contains(b.Pods, c.Pod) {
			if _, short := f.facts.Runs[c]; !short {
				f.hand(c, used, w, visit)
			}
		}
	}
	return f.facts, nil
}

// hand gives the series in two slices of time, as a Source that splits requests does.
func (f *fake) hand(c promquery.Container, used float64, w recommender.Window, visit func(promquery.Series)) {
	for r, unit := range [recommender.NumResources]float64{recommender.CPU: 0.01, recommender.Memory: mi} {
		for _, half := range [][2]int{{1, w.Points() / 2}, {w.Points()/2 + 1, w.Points()}} {
			s := promquery.Series{Pod: c.Pod, Container: c.Name, Resource: recommender.Resource(r)}
			for k := half[0]; k <= half[1]; k++ {
				if w.Time(k).Before(f.begins) || f.noRates && s.Resource == recommender.CPU {
					continue
				}
				s.Points = append(s.Points, k)
				s.Values = append(s.Values, used*unit)
			}
			visit(s)
		}
	}
}

func window() recommender.Window {
	return recommender.Window{
		Until: time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC), Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute,
	}
}

// declare makes a plan of workloads written as "namespace/Kind/name:container,container".
func declare(texts ...string) scan.Plan {
	plan := scan.Plan{Declared: make(map[string][]workload.Workload), Window: window(), Policy: recommender.DefaultPolicy(), Workers: 2}
	for _, text := range texts {
		name, containers, _ := strings.Cut(text, ":")
		part := strings.Split(name, "/")
		w := workload.Workload{Ref: workload.Ref{Namespace: part[0], Kind: part[1], Name: part[2]}}
		for c := range strings.SplitSeq(containers, ",") {
			w.Containers = append(w.Containers, recommender.Container{
				ID: recommender.ID{Namespace: part[0], Kind: part[1], Workload: part[2], Container: c}, Replicas: 1,
			})
		}
		plan.Declared[part[0]] = append(plan.Declared[part[0]], w)
		plan.Containers = append(plan.Containers, w.Containers...)
	}
	return plan
}

func mustRun(t *testing.T, src scan.Source, plan scan.Plan) scan.Result {
	t.Helper()
	result, err := scan.Run(t.Context(), src, plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// item finds a container by the end of its name.
func item(t *testing.T, r scan.Result, name string) scan.Item {
	t.Helper()
	for _, i := range r.Items {
		if strings.HasSuffix(i.ID.String(), name) {
			return i
		}
	}
	t.Fatalf("no %s in the result", name)
	return scan.Item{}
}

func used(containers ...string) map[promquery.Container]float64 {
	m := make(map[promquery.Container]float64)
	for _, text := range containers {
		var mebibytes float64
		name, amount, _ := strings.Cut(text, "=")
		pod, container, _ := strings.Cut(name, "/")
		if _, err := fmt.Sscan(amount, &mebibytes); err != nil {
			panic(err)
		}
		m[promquery.Container{Pod: pod, Name: container}] = mebibytes
	}
	return m
}

func TestPodsOfEarlierRolloutsCount(t *testing.T) {
	src := &fake{usage: map[string]map[promquery.Container]float64{"shop": used(
		"web-5d9c7b6f8-bbbbb/app=100", "web-5d9c7b6f8-ccccc/app=100", "web-7b8f69c5d-ddddd/app=300", "api-5d9c7b6f8-bbbbb/app=9")}}
	got := item(t, mustRun(t, src, declare("shop/Deployment/web:app")), "web/app")
	e := got.Evidence[recommender.Memory]
	if e.Pods != 3 || e.Running != 3 || e.Samples != 3*2016 || e.Covered != 7*24*time.Hour {
		t.Errorf("evidence = %+v, want three pods at each of 2,016 points", e)
	}
	if e.P50 != 100*mi || e.P99 != 300*mi {
		t.Errorf("P50, P99 = %v, %v, want the pooled pods' 100Mi and 300Mi", e.P50/mi, e.P99/mi)
	}
	if limit, _ := got.Advice[recommender.Memory].Bounds.Limit.Amount(); limit != 360*mi {
		t.Errorf("memory limit = %v Mi, want 1.2 x 300", limit/mi)
	}
	cpu := got.Evidence[recommender.CPU].Peak
	if want := (recommender.Peak{Value: 3, Pod: "web-7b8f69c5d-ddddd", At: window().Time(1), Within: 5 * time.Minute}); cpu != want {
		t.Errorf("cpu peak = %+v, want %+v", cpu, want)
	}
}

// infinite is a Source whose every hundredth value is no finite number, as rates over a broken counter are, and whose last run was
// infinitely fast.
type infinite struct{ *fake }

func (s infinite) Read(ctx context.Context, b promquery.Batch, w recommender.Window, visit func(promquery.Series)) (promquery.Facts, error) {
	facts, err := s.fake.Read(ctx, b, w, func(series promquery.Series) {
		for i := range series.Values {
			if k := series.Points[i]; k%100 == 0 {
				series.Values[i] = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[k/100%3]
			}
		}
		visit(series)
	})
	return facts, err
}

// A peak is a finite number, or the report could not even be written: JSON has no infinity. It once was the +Inf of a counter.
func TestPeaksAreFinite(t *testing.T) {
	run := promquery.Container{Pod: "once-bbbbb", Name: "run"}
	src := &fake{
		usage: map[string]map[promquery.Container]float64{"shop": used("web-5d9c7b6f8-bbbbb/app=100", "once-bbbbb/run=7")},
		facts: promquery.Facts{
			Runs:  map[promquery.Container]promquery.Run{run: {CPU: math.Inf(1), Measured: true}},
			Peaks: map[promquery.Container]recommender.Peak{run: {Value: 7 * mi, Pod: run.Pod, At: window().Time(9)}},
		},
	}
	result := mustRun(t, infinite{src}, declare("shop/Deployment/web:app", "shop/Job/once:run"))
	got := item(t, result, "web/app").Evidence[recommender.CPU]
	if want := (recommender.Peak{Value: 1, Pod: "web-5d9c7b6f8-bbbbb", At: window().Time(1), Within: 5 * time.Minute}); got.Peak != want || got.Dropped != 20 {
		t.Errorf("cpu peak = %+v, %d samples dropped, want %+v and 20", got.Peak, got.Dropped, want)
	}
	if got := item(t, result, "once/run").Evidence[recommender.CPU].Peak.Value; math.IsInf(got, 0) {
		t.Errorf("cpu peak of a run = %v, want a finite one", got)
	}
}

func TestResultIsInOrderWhateverTheBatches(t *testing.T) {
	var texts []string
	usage := make(map[string]map[promquery.Container]float64)
	for n := range 5 {
		namespace := fmt.Sprintf("ns-%d", 4-n)
		usage[namespace] = make(map[promquery.Container]float64)
		for w := range 7 {
			name := fmt.Sprintf("w%d", 6-w)
			texts = append(texts, namespace+"/StatefulSet/"+name+":b,a")
			for p := range w + 1 {
				for i, c := range []string{"a", "b"} {
					usage[namespace][promquery.Container{Pod: fmt.Sprintf("%s-%d", name, p), Name: c}] = float64(10*w + p + i + 20)
				}
			}
		}
	}
	plan := declare(texts...)
	var results []scan.Result
	for _, size := range []int{1, 3, 1000} {
		plan.PodsPerBatch, plan.Workers = size, size
		src := &fake{usage: usage}
		results = append(results, mustRun(t, src, plan))
		if size == 1 && len(src.batches) != 5*7 {
			t.Errorf("batches of one pod: %d reads, want one a workload", len(src.batches))
		}
	}
	if !slices.IsSortedFunc(results[0].Items, func(a, b scan.Item) int { return a.ID.Compare(b.ID) }) || len(results[0].Items) != 70 {
		t.Errorf("%d items are not the 70 in order", len(results[0].Items))
	}
	for _, other := range results[1:] {
		if diff := cmp.Diff(results[0], other, cmpopts.EquateErrors(), cmp.AllowUnexported(recommender.Value{})); diff != "" {
			t.Errorf("the result hangs on the batches:\n%s", diff)
		}
	}
}

func TestOnlyWantedPodsAreRead(t *testing.T) {
	src := &fake{usage: map[string]map[promquery.Container]float64{"shop": used("db-0/pg=1", "db-1/pg=1", "api-0/a=1", "api-1/a=1", "api-2/a=1")}}
	plan := declare("shop/StatefulSet/db:pg", "shop/StatefulSet/api:a")
	mustRun(t, src, plan)
	plan.Containers = plan.Containers[:1]
	mustRun(t, src, plan)
	if len(src.batches) != 2 || src.batches[0].Pods != nil || !slices.Equal(src.batches[1].Pods, []string{"db-0", "db-1"}) {
		t.Errorf("batches = %+v, want the whole namespace, then db's pods", src.batches)
	}
}

func TestFailuresStayWithTheirContainers(t *testing.T) {
	broken := errors.New("reading memory: query timed out")
	src := &fake{
		usage:  map[string]map[promquery.Container]float64{"a": used("w-0/c=50"), "b": used("w-0/c=50", "x-0/c=50", "y-0/c=50", "z-0/c=50")},
		broken: map[string]error{"a": broken, "x-0": broken},
	}
	plan := declare("a/StatefulSet/w:c", "b/StatefulSet/w:c", "b/StatefulSet/x:c", "b/StatefulSet/y:c", "b/StatefulSet/z:c")
	plan.PodsPerBatch = 1
	result := mustRun(t, src, plan)
	for _, i := range result.Items {
		failed := i.ID.Namespace == "a" || i.ID.Workload == "x"
		if failed != (i.Err != nil) || failed && !errors.Is(i.Err, broken) {
			t.Errorf("%s: error = %v", i.ID, i.Err)
		}
		if failed == i.Advice[recommender.Memory].Bounds.Request.IsAdvice() {
			t.Errorf("%s: advice = %v", i.ID, i.Advice[recommender.Memory].Bounds)
		}
		for _, n := range i.Advice[recommender.Memory].Notes {
			if n.Code == recommender.NoteNoData {
				t.Errorf("%s: an error is shown as no data", i.ID)
			}
		}
	}
}

func TestCancelledScanEndsAndHasNoResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fake{usage: map[string]map[promquery.Container]float64{"shop": used("db-0/pg=1")}, block: make(chan struct{})}
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped by interrupt")
		go func() {
			time.Sleep(time.Second)
			cancel(stopped)
		}()
		result, err := scan.Run(ctx, src, declare("shop/StatefulSet/db:pg"), nil)
		if !errors.Is(err, stopped) || result.Items != nil {
			t.Errorf("Run = %v, %v, want the cause of the cancellation and nothing else", result, err)
		}
	}) // synctest.Test itself fails if a goroutine is left
}

func TestProgressReachesItsEnd(t *testing.T) {
	src := &fake{usage: map[string]map[promquery.Container]float64{"a": used("w-0/c=1"), "b": used("w-0/c=1")}}
	var done, total int
	if _, err := scan.Run(t.Context(), src, declare("a/StatefulSet/w:c", "b/StatefulSet/w:c"), func(d, n int, _ string) {
		if d != done+1 || n < d {
			t.Errorf("progress went from %d to %d of %d", done, d, n)
		}
		done, total = d, n
	}); err != nil {
		t.Fatal(err)
	}
	if done != 4 || total != 4 { // a look into each namespace, and a batch of each
		t.Errorf("progress ended at %d of %d, want 4 of 4", done, total)
	}
}

func TestRunsOfCronJobs(t *testing.T) {
	pods := []string{"report-29000000-bbbbb", "report-29000360-ccccc", "report-29000720-ddddd", "report-29001080-fffff"}
	src := &fake{facts: promquery.Facts{Runs: make(map[promquery.Container]promquery.Run), Peaks: make(map[promquery.Container]recommender.Peak)}}
	src.usage = map[string]map[promquery.Container]float64{"shop": make(map[promquery.Container]float64)}
	for i, pod := range pods {
		c := promquery.Container{Pod: pod, Name: "report"}
		src.usage["shop"][c] = 1
		src.facts.Runs[c] = promquery.Run{CPU: 0.1 * float64(i+1), Measured: i < 3}
		src.facts.Peaks[c] = recommender.Peak{Value: 100 * mi * float64(i+1), Pod: pod, At: window().Until, Within: time.Hour}
	}
	got := item(t, mustRun(t, src, declare("shop/CronJob/report:report")), "report/report")
	memory, cpu := got.Evidence[recommender.Memory], got.Evidence[recommender.CPU]
	if got.Runs != 4 || memory.Samples != 4 || memory.P50 != 250*mi || memory.Peak.Value != 400*mi {
		t.Errorf("runs %d, memory %+v, want the peaks of four runs", got.Runs, memory)
	}
	if cpu.Samples != 3 || cpu.P50 != 0.2 {
		t.Errorf("cpu %+v, want the means of the three measured runs", cpu)
	}
	if notes := got.Advice[recommender.CPU].Notes; len(notes) != 1 || notes[0].Code != recommender.NoteRunsTooShort || !strings.HasPrefix(notes[0].Text, "1 of 4 runs") {
		t.Errorf("cpu notes = %v, want that 1 of 4 runs was too short", notes)
	}
	if runs := src.batches[0].Runs; len(runs) != 4 {
		t.Errorf("asked with runs %v, want the four pods", runs)
	}
}

// The starts of a Deployment's pods are the runs of its init containers; its other containers have none.
func TestRunsOfInitContainers(t *testing.T) {
	src := &fake{facts: promquery.Facts{Runs: make(map[promquery.Container]promquery.Run), Peaks: make(map[promquery.Container]recommender.Peak)}}
	src.usage = map[string]map[promquery.Container]float64{"shop": make(map[promquery.Container]float64)}
	for i := range 6 {
		pod := fmt.Sprintf("web-5d9c7b6f8-%c%[1]c%[1]c%[1]c%[1]c", "bcdfgh"[i])
		src.usage["shop"][promquery.Container{Pod: pod, Name: "app"}] = 10
		c := promquery.Container{Pod: pod, Name: "migrate"}
		src.usage["shop"][c] = 1
		src.facts.Runs[c] = promquery.Run{CPU: 0.1 * float64(i+1), Measured: true}
		src.facts.Peaks[c] = recommender.Peak{Value: 100 * mi * float64(i+1), Pod: pod, At: window().Until, Within: time.Hour}
	}
	plan := declare("shop/Deployment/web:app,migrate,other")
	for i := range plan.Containers {
		c := &plan.Containers[i]
		c.Init = c.ID.Container != "app"
		plan.Declared["shop"][0].Containers[i].Init = c.Init
	}
	r := mustRun(t, src, plan)
	got := item(t, r, "web/migrate")
	if memory := got.Evidence[recommender.Memory]; got.Runs != 6 || memory.Samples != 6 || memory.Peak.Value != 600*mi {
		t.Errorf("runs %d, memory %+v, want the peaks of six runs", got.Runs, memory)
	}
	if limit, ok := got.Advice[recommender.Memory].Bounds.Limit.Amount(); !ok || limit < 600*mi {
		t.Errorf("limit %v %v, want that of enough runs", limit, ok)
	}
	if app := item(t, r, "web/app"); app.Runs != 0 || app.Evidence[recommender.Memory].Samples < 2000 {
		t.Errorf("app has %d runs and %d samples, want none and a week", app.Runs, app.Evidence[recommender.Memory].Samples)
	}
	if len(src.batches[0].Runs) != 6 || !src.batches[0].Runs[promquery.Container{Pod: "web-5d9c7b6f8-bbbbb", Name: "migrate"}] {
		t.Errorf("asked with runs %v, want those of migrate", src.batches[0].Runs)
	}
	if notes := item(t, r, "web/other").Advice[recommender.CPU].Notes; len(notes) != 1 || !strings.HasPrefix(notes[0].Text, "no run of this init container was seen in the window: its pods (web-5d9c7b6f8-bbbbb") {
		t.Errorf("notes of an init container that nobody saw: %v", notes)
	}
}

func TestGapsAreExplained(t *testing.T) {
	plan := declare("shop/StatefulSet/db:pg,exporter", "shop/Deployment/idle:app,setup", "empty/Deployment/web:app")
	for i := range plan.Containers {
		if c := &plan.Containers[i]; c.ID.Workload == "idle" {
			c.Replicas, c.Init = 0, c.ID.Container == "setup"
		}
	}
	src := &fake{usage: map[string]map[promquery.Container]float64{"shop": used("db-0/pg=50", "db-0/istio-proxy=5", "stray/x=1")}}
	result := mustRun(t, src, plan)
	for name, want := range map[string]string{
		"db/exporter":              "its pods (db-0) ran no container exporter in the window, but istio-proxy, pg",
		"idle/app":                 "no pod of deployment/idle has usage in the window: it is scaled to 0; the namespace has usage of statefulset/db",
		"idle/setup":               "no pod of deployment/idle has usage in the window: it is scaled to 0; the namespace has usage of statefulset/db",
		"empty/deployment/web/app": "no usage of namespace empty in the window; there is usage of namespaces shop",
	} {
		for r, advice := range item(t, result, name).Advice {
			if len(advice.Notes) != 1 || advice.Notes[0] != (recommender.Note{Code: recommender.NoteNoData, Text: want}) {
				t.Errorf("%s %s: notes = %q, want %q", name, recommender.Resource(r), advice.Notes, want)
			}
		}
	}
	if want := []string{"container istio-proxy ran in pods of shop/statefulset/db, whose template does not declare it: not reported"}; !slices.Equal(result.Warnings, want) {
		t.Errorf("warnings = %q, want %q", result.Warnings, want)
	}
	if want := (scan.Ownership{ByName: 1, Unknown: 1}); result.Ownership != want {
		t.Errorf("ownership = %+v, want %+v", result.Ownership, want)
	}
}

func TestTooShortRateWindowIsNamed(t *testing.T) {
	src := &fake{noRates: true, usage: map[string]map[promquery.Container]float64{"shop": used("db-0/pg=50")}}
	got := item(t, mustRun(t, src, declare("shop/StatefulSet/db:pg")), "db/pg").Advice[recommender.CPU].Notes
	const want = "no two samples of container_cpu_usage_seconds_total within --rate-window 5m: make it at least twice the scrape interval"
	if len(got) != 1 || got[0].Text != want {
		t.Errorf("notes = %q, want %q", got, want)
	}
}

// A window that begins before all data is said; young workloads and runs among older neighbours are none.
func TestShortDataIsSaid(t *testing.T) {
	const want = "nothing has samples in the first tenth of the window of 7d, and no container for more than 3h5m: the data may be shorter than --window"
	src := &fake{begins: window().Until.Add(-3 * time.Hour), usage: map[string]map[promquery.Container]float64{"shop": used("db-0/pg=50", "once-bbbbb/job=1")}}
	plan := declare("shop/StatefulSet/db:pg")
	if got := mustRun(t, src, plan).Warnings; !slices.Equal(got, []string{want}) {
		t.Errorf("warnings = %q, want %q", got, want)
	}
	if got := mustRun(t, src, declare("shop/Job/once:job")).Warnings; len(got) != 0 {
		t.Errorf("warnings = %q, want none for a run", got)
	}
	src.namespaces = []string{"older"}
	if got := mustRun(t, src, plan).Warnings; len(got) != 0 {
		t.Errorf("warnings = %q, want none: others were there from the beginning", got)
	}
}

// The finer the grid, the fewer pods a batch holds, and a big namespace is never asked for as a whole.
func TestBatchesAreBoundedBySamples(t *testing.T) {
	src := &fake{usage: map[string]map[promquery.Container]float64{"shop": {}}}
	var texts []string
	for i := range 40 {
		name := fmt.Sprintf("w%d", i)
		texts = append(texts, "shop/StatefulSet/"+name+":c")
		src.usage["shop"][promquery.Container{Pod: name + "-0", Name: "c"}] = 1
	}
	plan := declare(texts...)
	plan.Window.Length, plan.Window.Step = 24*time.Hour, 10*time.Second // 8,640 points: 233 pods of two million samples
	mustRun(t, src, plan)
	if len(src.batches) != 1 || len(src.batches[0].Pods) != 40 {
		t.Errorf("%d batches, the first of %d pods; want one that names all 40: 345,600 samples are too many for one request", len(src.batches), len(src.batches[0].Pods))
	}
	src.batches = nil
	plan.Window.Step = time.Second // 86,400 points: 23 pods
	mustRun(t, src, plan)
	if len(src.batches) != 2 {
		t.Errorf("%d batches at a step of 1s, want 2", len(src.batches))
	}
	src.batches = nil
	plan.Window = window()
	mustRun(t, src, plan)
	if len(src.batches) != 1 || src.batches[0].Pods != nil {
		t.Errorf("batches = %v, want one without names", src.batches)
	}
}

func TestOwnersAndAmbiguity(t *testing.T) {
	src := &fake{
		usage: map[string]map[promquery.Container]float64{"shop": used("job-bbbbb/c=1", "job-ccccc/c=1")},
		owners: recommender.Owners{
			Pods: map[string]recommender.Owner{"job-ccccc": {Kind: "DaemonSet", Name: "job"}},
		},
	}
	result := mustRun(t, src, declare("shop/DaemonSet/job:c", "shop/Job/job:c"))
	if want := (scan.Ownership{ByOwner: 1, Ambiguous: 1}); result.Ownership != want {
		t.Errorf("ownership = %+v, want %+v", result.Ownership, want)
	}
	if got := item(t, result, "daemonset/job/c").Evidence[recommender.Memory].Pods; got != 1 {
		t.Errorf("the DaemonSet has %d pods, want the one that its owner tells", got)
	}
	if len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], "job-bbbbb") {
		t.Errorf("warnings = %q, want one that names job-bbbbb", result.Warnings)
	}
}

func TestOOMKillsReachTheRecommendation(t *testing.T) {
	kill := func(pod string, hour int) recommender.OOMKill {
		return recommender.OOMKill{Pod: pod, At: window().Until.Add(-time.Duration(hour) * time.Hour), Limit: 100 * mi}
	}
	src := &fake{usage: map[string]map[promquery.Container]float64{"shop": used("db-0/pg=50", "db-1/pg=50")}}
	src.facts.OOMKills = map[promquery.Container][]recommender.OOMKill{
		{Pod: "db-0", Name: "pg"}: {kill("db-0", 9), kill("db-0", 2)}, {Pod: "db-1", Name: "pg"}: {kill("db-1", 5)},
	}
	got := item(t, mustRun(t, src, declare("shop/StatefulSet/db:pg")), "db/pg")
	if want := []recommender.OOMKill{kill("db-0", 9), kill("db-1", 5), kill("db-0", 2)}; !cmp.Equal(got.OOMKills, want) {
		t.Errorf("kills = %v, want %v in order of time", got.OOMKills, want)
	}
	if limit, _ := got.Advice[recommender.Memory].Bounds.Limit.Amount(); limit != 120*mi {
		t.Errorf("limit = %v Mi, want 1.2 x 100", limit/mi)
	}
}

// Whole pods are judged once all containers are there, one that failed left out: by what it declares.
func TestRunJudgesPods(t *testing.T) {
	const bbbbb = "-5d9c7b6f8-bbbbb/"
	src := &fake{
		usage:  map[string]map[promquery.Container]float64{"shop": used("web"+bbbbb+"app=100", "web"+bbbbb+"log=10"), "down": used("web" + bbbbb + "app=1")},
		broken: map[string]error{"down": errors.New("away")},
	}
	result := mustRun(t, src, declare("shop/Deployment/web:app,log", "down/Deployment/web:app"))
	for name, want := range map[string]recommender.QoSChange{
		"shop/deployment/web/app": {Now: recommender.BestEffort, After: recommender.Burstable},
		"shop/deployment/web/log": {Now: recommender.BestEffort, After: recommender.Burstable},
		"down/deployment/web/app": {},
	} {
		if got := item(t, result, name).QoS; got != want {
			t.Errorf("%s: QoS class %v, want %v", name, got, want)
		}
	}
}
