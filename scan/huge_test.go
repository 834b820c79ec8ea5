package scan_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/model/labels"
	promtsdb "github.com/prometheus/prometheus/tsdb"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/remote"
	"github.com/rightsize/rightsize/promquery/tsdb"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/testdata/promserver"
)

// crowd is a Source of one Deployment with many pods, half of them of each revision. Their memory comes in pages and in
// slices of time, and so often before each point of the grid.
type crowd struct {
	pods, perPoint int
	retained       uint64 // bytes of heap that the last Read has left in use
}

func (crowd) pod(i int) string { return podName("web", string("bc"[i%2])+"5d9c7b6f8", i) }

// podName is a name as Kubernetes generates them.
func podName(deployment, hash string, i int) string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	end := make([]byte, 5)
	for k := range end {
		end[k], i = letters[i%len(letters)], i/len(letters)
	}
	return fmt.Sprintf("%s-%s-%s", deployment, hash, end)
}

func (crowd) Namespaces(context.Context, recommender.Window) ([]string, error) {
	return []string{"shop"}, nil
}

func (c *crowd) Index(context.Context, string, recommender.Window) (promquery.Index, error) {
	index := promquery.Index{Containers: map[string][]string{}, Owners: recommender.NewOwners()}
	for i := range c.pods {
		index.Containers[c.pod(i)] = []string{"app"}
	}
	return index, nil
}

func (c *crowd) Read(_ context.Context, _ promquery.Batch, w recommender.Window, visit func(promquery.Series)) (promquery.Facts, error) {
	const slicesOfTime = 4
	before := heapInUse()
	for part := range slicesOfTime {
		for i := range c.pods {
			rnd := rand.New(rand.NewPCG(uint64(part), uint64(i)))
			s := promquery.Series{Pod: c.pod(i), Container: "app", Resource: recommender.Memory}
			for k := part*w.Points()/slicesOfTime + 1; k <= (part+1)*w.Points()/slicesOfTime; k++ {
				for range c.perPoint {
					wave := 1 + 0.3*math.Sin(float64(k)/46) + 0.5*float64(i%2) + 0.1*rnd.Float64()
					s.Points, s.Values = append(s.Points, k), append(s.Values, 4096*math.Round(65536*wave))
				}
			}
			s.Values[len(s.Values)/2] = []float64{math.NaN(), math.Inf(1), 0, 1e15}[i%4]
			visit(s)
		}
	}
	c.retained = heapInUse() - before
	return promquery.Facts{Restarts: map[promquery.Container]int{{Pod: c.pod(0), Name: "app"}: 3}}, nil
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A workload of 1,000 pods comes out the same, to the bit, when its samples are packed: the recommendation with its notes and
// evidence, and what its pods used when. They take less than a third of the memory.
func TestPackedWorkload(t *testing.T) {
	c := &crowd{pods: 1000, perPoint: 3}
	read := func(packAbove int, lines bool) (scan.Result, []scan.Timeline, uint64) {
		plan := declare("shop/Deployment/web:app")
		plan.PackAbove, plan.Curves = packAbove, true
		plan.Window.Length = 4 * 24 * time.Hour
		var times []scan.Timeline
		if lines {
			plan.Replay = func(l scan.Timeline) { times = append(times, l) }
		}
		return mustRun(t, c, plan), times, c.retained
	}
	want, _, plain := read(1<<40, false)
	got, _, packed := read(200_000, false)
	if diff := difference(want, got); diff != "" {
		t.Errorf("packed, the result is another (-want +got):\n%s", diff)
	}
	memory := want.Items[0].Evidence[recommender.Memory]
	if all := 1000 * 1152 * 3; memory.Samples+memory.Dropped != all || memory.Dropped != 4*500 {
		t.Errorf("%d samples and %d dropped, want %d", memory.Samples, memory.Dropped, all)
	}
	if 3*packed > plain {
		t.Errorf("%d bytes are kept packed, and %d as they come, want less than a third", packed, plain)
	}
	_, wantTimes, _ := read(1<<40, true)
	_, gotTimes, _ := read(200_000, true)
	if !reflect.DeepEqual(gotTimes[0].Pods, wantTimes[0].Pods) {
		t.Error("packed, the timelines are others")
	}
	for i, p := range wantTimes[0].History.Pods[recommender.Memory] {
		if q := gotTimes[0].History.Pods[recommender.Memory][i]; !slices.Equal(slices.Collect(q.Samples.All()), slices.Collect(p.Samples.All())) {
			t.Fatalf("packed, the samples of %s are others", p.Pod)
		}
	}
}

// The same of 1,000 pods in a real Prometheus's blocks, read from the folder and by remote read.
func TestPackedWorkloadFromPrometheus(t *testing.T) {
	w := recommender.Window{Until: window().Until, Length: 2 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
	dir := deployments(t, w, 1, 1000)
	sources := sourcesOf(t, dir)
	for name, source := range sources {
		read := func(packAbove int) scan.Result {
			plan := declare("shop/Deployment/app-0:app")
			plan.Window, plan.PackAbove, plan.SampleInterval = w, packAbove, 30*time.Second
			return mustRun(t, source, plan)
		}
		want, got := read(1<<40), read(20_000)
		if diff := difference(want, got); diff != "" {
			t.Errorf("%s: packed, the result is another (-want +got):\n%s", name, diff)
		}
		each := 240
		if name == "query" {
			each = 24
		}
		if e := want.Items[0].Evidence[recommender.Memory]; e.Samples != 1000*each || e.Pods != 1000 {
			t.Errorf("%s: %d samples of %d pods, want %d of each of 1,000", name, e.Samples, e.Pods, each)
		}
	}
}

// difference is "" where all is the same, in unexported fields too.
func difference(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateNaNs(), cmp.Exporter(func(reflect.Type) bool { return true }))
}

func sourcesOf(tb testing.TB, dir string) map[string]*promquery.Reader {
	tb.Helper()
	prometheus, err := promserver.Open(dir, tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(prometheus)
	db, err := tsdb.Open(dir, tsdb.Options{TempDir: tb.TempDir()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		server.Close()
		if err := prometheus.Close(); err != nil {
			tb.Error(err)
		}
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	api, err := promquery.NewHTTP(promquery.HTTPOptions{URL: server.URL + promserver.Prefix})
	if err != nil {
		tb.Fatal(err)
	}
	return map[string]*promquery.Reader{
		"tsdb":   {API: db, Raw: db},
		"remote": {API: api, Raw: remote.New(api)},
		"query":  {API: api},
	}
}

// deployments writes blocks with usage of so many Deployments, app-0 and so on, of so many pods each, every 30 s.
func deployments(tb testing.TB, w recommender.Window, many, replicas int) (dir string) {
	tb.Helper()
	dir = tb.TempDir()
	writer, err := promtsdb.NewBlockWriter(slog.New(slog.DiscardHandler), dir, (24 * time.Hour).Milliseconds())
	if err != nil {
		tb.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	app := writer.Appender(context.Background())
	series := func(metric string, value func(i int) float64, d, pod int) {
		l := labels.FromStrings("__name__", metric, "namespace", "shop", "pod", podName(fmt.Sprintf("app-%d", d), "5d9c7b6f8", pod), "container", "app", "job", "kubelet")
		for i := range int(w.Length / (30 * time.Second)) {
			if _, err := app.Append(0, l, w.Start().Add(time.Duration(i+1)*30*time.Second).UnixMilli(), value(i)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for d := range many {
		for pod := range replicas {
			total := 0.0
			series(promquery.MemoryMetric, func(i int) float64 {
				return 4096 * math.Round(65536*(1+0.3*math.Sin(float64(i)/458)+0.1*rnd.Float64()))
			}, d, pod)
			series(promquery.CPUMetric, func(int) float64 { total += rnd.Float64(); return total }, d, pod)
		}
	}
	if err := app.Commit(); err != nil {
		tb.Fatal(err)
	}
	if _, err := writer.Flush(context.Background()); err != nil {
		tb.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// BenchmarkScan reads a day of 300 containers, scraped every 30 s, each way, up to the recommendations.
//
//	go test -run '^$' -bench Scan -benchtime 5x ./scan
func BenchmarkScan(b *testing.B) {
	w := window()
	w.Length = 24 * time.Hour
	var names []string
	for d := range 100 {
		names = append(names, fmt.Sprintf("shop/Deployment/app-%d:app", d))
	}
	for name, source := range sourcesOf(b, deployments(b, w, 100, 3)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plan := declare(names...)
				plan.Window, plan.SampleInterval = w, 30*time.Second
				result, err := scan.Run(b.Context(), source, plan, nil)
				if err != nil || result.Items[0].Err != nil {
					b.Fatal(err, result.Items[0].Err)
				}
			}
		})
	}
}

// BenchmarkPackedWorkload takes a week at 30 s of a Deployment of 1,000 pods, 20 million samples, as it comes and packed.
// What stays in use is measured when all has come.
//
//	go test -run '^$' -bench PackedWorkload -benchtime 1x ./scan
func BenchmarkPackedWorkload(b *testing.B) {
	for _, way := range []struct {
		name      string
		packAbove int
	}{{"plain", 1 << 40}, {"packed", 0}} {
		b.Run(way.name, func(b *testing.B) {
			c := &crowd{pods: 1000, perPoint: 10}
			for b.Loop() {
				plan := declare("shop/Deployment/web:app")
				plan.PackAbove = way.packAbove
				if _, err := scan.Run(b.Context(), c, plan, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(c.retained)/mi, "MiB-kept")
		})
	}
}
