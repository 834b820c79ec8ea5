package promquery_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/value"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/remote"
	"github.com/rightsize/rightsize/promquery/tsdb"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/testdata/promserver"
)

// way is one way to reach the fixture's data. Raw ways read usage sample by sample.
type way struct {
	name string
	open func(*testing.T, string) (promquery.API, promquery.Raw)
}

func ways() []way {
	return []way{
		{"tsdb", func(t *testing.T, dir string) (promquery.API, promquery.Raw) { return openFolder(t, dir), nil }},
		{"http", func(t *testing.T, dir string) (promquery.API, promquery.Raw) { return openServer(t, dir), nil }},
		{"tsdb chunks", func(t *testing.T, dir string) (promquery.API, promquery.Raw) {
			db := openFolder(t, dir)
			return db, db
		}},
		{"remote read", func(t *testing.T, dir string) (promquery.API, promquery.Raw) {
			server := openServer(t, dir)
			return server, remote.New(server)
		}},
	}
}

// TestConformance runs the same checks on every way to reach the same data.
func TestConformance(t *testing.T) {
	f := newFixture()
	dir := f.write(t)
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			api, raw := w.open(t, dir)
			s := suite{fixture: f, api: &counting{API: api}}
			if raw != nil {
				s.raw = &countingRaw{Raw: raw}
			}
			t.Run("namespaces", s.testNamespaces)
			t.Run("index", s.testIndex)
			t.Run("state", s.testState)
			t.Run("last state", s.testLastState)
			t.Run("broken owners", s.testBrokenOwners)
			t.Run("memory", s.testMemory)
			t.Run("cpu", s.testCPU)
			t.Run("quantiles", s.testQuantiles)
			t.Run("peaks", s.testPeaks)
			t.Run("peaks short window", s.testPeaksShortWindow)
			t.Run("runs", s.testRuns)
			t.Run("init containers", s.testInit)
			t.Run("runs of one name", s.testRunsAgain)
			t.Run("kills", s.testKills)
			t.Run("throttling", s.testThrottling)
			t.Run("restarts", s.testRestarts)
			t.Run("long window", s.testStabilityOfLongWindow)
			t.Run("broken", s.testBroken)
			t.Run("pods", s.testPods)
			t.Run("odd names", s.testOddNames)
			t.Run("exported", s.testExported)
			t.Run("nothing", s.testNothing)
			t.Run("queries", s.testQueries)
			t.Run("cancelled", s.testCancelled)
			t.Run("deadline", s.testDeadline)
			t.Run("requests", s.testRequests)
		})
	}
}

func openFolder(t testing.TB, dir string) *tsdb.DB {
	t.Helper()
	db, err := tsdb.Open(dir, tsdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// openServer serves a copy of the folder by Prometheus's own storage, engine and API.
func openServer(t testing.TB, dir string) *promquery.HTTP {
	t.Helper()
	prometheus, err := promserver.Open(dir, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(prometheus)
	t.Cleanup(func() {
		server.Close()
		if err := prometheus.Close(); err != nil {
			t.Error(err)
		}
	})
	api, err := promquery.NewHTTP(promquery.HTTPOptions{URL: server.URL + promserver.Prefix})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// counting notes how much is asked of an API.
type counting struct {
	promquery.API
	ranges             []v1.Range
	instant, lookedUps int
}

func (c *counting) QueryRange(ctx context.Context, q string, r v1.Range, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	c.ranges = append(c.ranges, r)
	return c.API.QueryRange(ctx, q, r, opts...)
}

func (c *counting) Query(ctx context.Context, q string, at time.Time, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	c.instant++
	return c.API.Query(ctx, q, at, opts...)
}

func (c *counting) Series(ctx context.Context, m []string, start, end time.Time, opts ...v1.Option) ([]model.LabelSet, v1.Warnings, v1.Infos, error) {
	c.lookedUps++
	return c.API.Series(ctx, m, start, end, opts...)
}

// countingRaw notes what is asked of a Raw.
type countingRaw struct {
	promquery.Raw
	asked []promquery.RawQuery
}

func (c *countingRaw) ReadRaw(ctx context.Context, q promquery.RawQuery, visit func(promquery.RawSeries) error) error {
	c.asked = append(c.asked, q)
	return c.Raw.ReadRaw(ctx, q, visit)
}

type suite struct {
	fixture *fixture
	api     *counting
	raw     *countingRaw // nil where usage is read by queries
}

func (s suite) reader() *promquery.Reader {
	r := &promquery.Reader{API: s.api}
	if s.raw != nil {
		r.Raw = s.raw
	}
	return r
}

// key is one container's resource.
type key struct {
	pod, container string
	resource       recommender.Resource
}

// read collects all that a Read hands over, and checks that each point is in its grid and comes once, but for raw
// samples: of those it keeps the highest at each point.
func (s suite) read(t *testing.T, b promquery.Batch, w recommender.Window) (map[key]map[int]float64, promquery.Facts) {
	t.Helper()
	got := map[key]map[int]float64{}
	facts, err := s.reader().Read(t.Context(), b, w, func(series promquery.Series) {
		k := key{series.Pod, series.Container, series.Resource}
		if got[k] == nil {
			got[k] = map[int]float64{}
		}
		for i, p := range series.Points {
			before, twice := got[k][p]
			if twice && s.raw == nil || p < 1 || p > w.Points() {
				t.Errorf("%v: point %d comes twice or is not in 1 .. %d", k, p, w.Points())
			}
			got[k][p] = max(before, series.Values[i])
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, facts
}

func (s suite) testNamespaces(t *testing.T) {
	got, err := s.reader().Namespaces(t.Context(), week())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"again", "exp", "init", "mix", "monitoring", oddNamespace, "shop"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Namespaces (-want +got):\n%s", diff)
	}
}

func (s suite) testIndex(t *testing.T) {
	for namespace, want := range map[string]promquery.Index{
		"shop": {
			Containers: map[string][]string{"web-0": {"app"}, "web-1": {"app"}, "backup-1": {"dump"}, "backup-2": {"dump"}, "backup-3": {"dump"}},
			Owners: recommender.Owners{
				Pods:        map[string]recommender.Owner{"web-1": {Kind: "ReplicaSet", Name: "web-abc"}, "lonely": {}},
				ReplicaSets: map[string]recommender.Owner{"web-abc": {Kind: "Deployment", Name: "web"}},
				Jobs:        map[string]recommender.Owner{"backup-1": {Kind: "CronJob", Name: "backup"}},
			},
			Series: 20,
		},
		"exp": {
			Containers: map[string][]string{"api-1": {"api"}},
			Owners: recommender.Owners{
				Pods:        map[string]recommender.Owner{"api-1": {Kind: "ReplicaSet", Name: "api-abc"}},
				ReplicaSets: map[string]recommender.Owner{"api-abc": {Kind: "Deployment", Name: "api"}},
				Jobs:        map[string]recommender.Owner{"once": {}},
			},
			Series: 4,
		},
		"mix":        {Containers: map[string][]string{"api-1": {"api"}}, Owners: noOwners(), Series: 8},
		"monitoring": {Containers: map[string][]string{"exporter-0": {"exporter"}}, Owners: noOwners(), Series: 4},
		oddNamespace: {Containers: map[string][]string{oddPod: {oddContainer}, "podX$^|xx": {oddContainer}}, Owners: noOwners(), Series: 8},
		"absent":     {Containers: map[string][]string{}, Owners: noOwners()},
		"moved": {
			Containers: map[string][]string{},
			Owners: recommender.Owners{
				Pods:        map[string]recommender.Owner{"db-0": {Kind: "Omega", Name: "db"}, "db-1": {Kind: "Omega", Name: "db"}},
				ReplicaSets: map[string]recommender.Owner{},
				Jobs:        map[string]recommender.Owner{"once": {Kind: "CronJob", Name: "b"}},
			},
			Warnings: []string{
				"namespace moved: several owners of job once by kube_job_owner in the window: all that was used counts for the last one",
				"namespace moved: several owners of pods db-0, db-1 by kube_pod_owner in the window: all that was used counts for the last one",
			},
		},
	} {
		got, err := s.reader().Index(t.Context(), namespace, week())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Index of %s (-want +got):\n%s", namespace, diff)
		}
	}
}

// testBrokenOwners: owners that could not be read are an error, never nobody.
func (s suite) testBrokenOwners(t *testing.T) {
	r := &promquery.Reader{API: breaking{s.api, "timestamp(kube_pod_owner"}}
	const want = "reading owners of namespace moved: disk on fire"
	if _, err := r.Index(t.Context(), "moved", week()); err == nil || err.Error() != want {
		t.Errorf("Index with broken owners: %v, want %s", err, want)
	}
	const refused = "reading owners of namespace shop: client_error: forbidden"
	if _, err := (&promquery.Reader{API: forbidding{s.api, "kube_pod_owner"}}).Index(t.Context(), "shop", week()); err == nil || err.Error() != refused {
		t.Errorf("Index with forbidden owners: %v, want %s", err, refused)
	}
}

// forbidding refuses to list series of what has the text in it, as a proxy that checks queries does.
type forbidding struct {
	promquery.API
	text string
}

func (f forbidding) Series(ctx context.Context, matches []string, from, until time.Time, opts ...v1.Option) ([]model.LabelSet, v1.Warnings, v1.Infos, error) {
	if strings.Contains(strings.Join(matches, " "), f.text) {
		return nil, nil, nil, &v1.Error{Type: v1.ErrClient, Msg: "forbidden"}
	}
	return f.API.Series(ctx, matches, from, until, opts...)
}

// testState: the workload's own labels stand under their plain names, and a failure is none of "nothing there".
func (s suite) testState(t *testing.T) {
	for namespace, want := range map[string]string{
		"shop":          "web-1 of ReplicaSet/web-abc in shop",
		"exp":           "api-1 of ReplicaSet/api-abc in exp",
		"":              "api-1 of ReplicaSet/api-abc in exp",
		oddNamespace:    "",
		"no such place": "",
	} {
		got, _, err := s.reader().State(t.Context(), namespace, []string{"kube_pod_owner", "kube_nothing"}, until())
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range got {
			if m.Name != "kube_pod_owner" || m.Value != 1 {
				t.Errorf("metric %+v", m)
			}
			all = append(all, fmt.Sprintf("%s of %s/%s in %s", m.Labels["pod"], m.Labels["owner_kind"], m.Labels["owner_name"], m.Labels["namespace"]))
		}
		if text := strings.Join(all, "\n"); !strings.Contains(text, want) || want == "" && text != "" {
			t.Errorf("namespace %q: %q, want %q", namespace, text, want)
		}
	}
	r := &promquery.Reader{API: breaking{s.api, "kube_pod"}}
	if _, _, err := r.State(t.Context(), "shop", []string{"kube_pod_owner"}, until()); err == nil || err.Error() != "reading kube_pod_owner of kube-state-metrics: disk on fire" {
		t.Errorf("error %v", err)
	}
}

// testLastState: what was last said of pods that are gone, whatever their labels' form, and which metrics there are at all.
func (s suite) testLastState(t *testing.T) {
	for _, c := range []struct{ namespace, metric, pod, want string }{
		{"shop", "kube_pod_container_resource_limits", "oom-1", "209715200"},
		{"exp", "kube_pod_container_resource_limits", "api-1", "209715200"},
		{"moved", "kube_pod_owner", "db-1", "1 1"}, // its owner changed
		{"shop", "kube_pod_owner", "web", ""},
		{oddNamespace, "kube_pod_owner", oddPod, ""},
	} {
		got, _, err := s.reader().LastState(t.Context(), c.namespace, []string{c.metric}, []string{c.pod, "no-such-pod"}, week())
		if err != nil {
			t.Fatal(err)
		}
		var values []string
		for _, m := range got {
			if m.Name != c.metric || m.Labels["pod"] != c.pod || m.Labels["namespace"] != c.namespace {
				t.Errorf("metric %+v", m)
			}
			values = append(values, fmt.Sprintf("%.0f", m.Value))
		}
		if text := strings.Join(values, " "); text != c.want {
			t.Errorf("%s of %s: %q, want %q", c.metric, c.pod, text, c.want)
		}
	}
	r := &promquery.Reader{API: breaking{s.api, "last_over_time(kube_pod_info"}}
	if _, _, err := r.LastState(t.Context(), "shop", []string{"kube_pod_info"}, []string{"web-1"}, week()); err == nil || err.Error() != "reading kube_pod_info of kube-state-metrics: disk on fire" {
		t.Errorf("error %v", err)
	}
	there, err := s.reader().AnyOf(t.Context(), []string{"kube_nothing", "kube_pod_owner"}, week())
	if err != nil || !slices.Equal(there, []string{"kube_pod_owner"}) {
		t.Errorf("AnyOf = %q, %v", there, err)
	}
	owners, _, err := s.reader().Owners(t.Context(), "shop", week())
	if want := (recommender.Owner{Kind: "ReplicaSet", Name: "web-abc"}); err != nil || owners.Pods["web-1"] != want {
		t.Errorf("Owners = %v, %v", owners, err)
	}
}

func noOwners() recommender.Owners {
	return recommender.Owners{Pods: map[string]recommender.Owner{}, ReplicaSets: map[string]recommender.Owner{}, Jobs: map[string]recommender.Owner{}}
}

// testMemory compares every value with the raw samples.
func (s suite) testMemory(t *testing.T) {
	w := week()
	for _, namespace := range []string{"shop", "exp", "mix", "monitoring", oddNamespace} {
		got, _ := s.read(t, promquery.Batch{Namespace: namespace}, w)
		compared := 0
		for k, points := range got {
			if k.resource != recommender.Memory {
				continue
			}
			want := s.memoryGrid(namespace, k, w)
			if diff := cmp.Diff(want, points); diff != "" {
				t.Errorf("%s %v (-want +got):\n%s", namespace, k, diff)
			}
			compared += len(want)
		}
		if compared < 250 {
			t.Errorf("%s: compared %d points only", namespace, compared)
		}
	}
}

func (s suite) memoryGrid(namespace string, k key, w recommender.Window) map[int]float64 {
	out := map[int]float64{}
	for _, raw := range s.fixture.of(memory, namespace, k.pod, k.container) {
		if s.raw != nil {
			raw.highest(w, out)
			continue
		}
		for p := 1; p <= w.Points(); p++ {
			if v, ok := raw.at(w.Time(p)); ok {
				out[p] = max(out[p], v)
			}
		}
	}
	return out
}

// testCPU compares with instant queries of single series at some points: slices change nothing.
func (s suite) testCPU(t *testing.T) {
	w := week()
	got, _ := s.read(t, promquery.Batch{Namespace: "shop", Pods: []string{"web-1"}}, w)
	points := got[key{"web-1", "app", recommender.CPU}]
	if len(points) != w.Points() {
		t.Fatalf("%d points, want %d", len(points), w.Points())
	}
	for _, p := range []int{1, 2, 144, 288, 289, 1000, 2015, 2016} {
		v, _, _, err := s.api.Query(t.Context(), `rate(container_cpu_usage_seconds_total{namespace="shop",pod="web-1",container="app"}[5m])`, w.Time(p))
		if err != nil {
			t.Fatal(err)
		}
		want := math.Inf(-1)
		for _, sample := range v.(model.Vector) {
			want = max(want, float64(sample.Value))
		}
		if points[p] != want {
			t.Errorf("point %d = %v, want %v", p, points[p], want)
		}
	}
}

// testQuantiles holds what is read to PromQL's own arithmetic; TestRawIsQuery does so for raw samples.
func (s suite) testQuantiles(t *testing.T) {
	if s.raw != nil {
		return
	}
	for _, step := range []time.Duration{5 * time.Minute, 7 * time.Minute, 11 * time.Minute} { // those that divide no day too
		w := week()
		w.Step = step
		s.testQuantilesOn(t, w.Align())
	}
}

func (s suite) testQuantilesOn(t *testing.T, w recommender.Window) {
	t.Helper()
	got, _ := s.read(t, promquery.Batch{Namespace: "shop"}, w)
	for _, pod := range []string{"web-0", "web-1"} {
		for resource, expr := range map[recommender.Resource]string{
			recommender.Memory: `max by (namespace, pod, container) (container_memory_working_set_bytes{namespace="shop",pod="%s",container="app"})`,
			recommender.CPU:    `max by (namespace, pod, container) (rate(container_cpu_usage_seconds_total{namespace="shop",pod="%s",container="app"}[5m]))`,
		} {
			var samples []float64
			for _, v := range got[key{pod, "app", resource}] {
				samples = append(samples, v)
			}
			slices.Sort(samples)
			for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
				s.checkQuantile(t, w, fmt.Sprintf("quantile_over_time(%g, (%s)[%s:%s])", q, fmt.Sprintf(expr, pod), model.Duration(w.Length), model.Duration(w.Step)), recommender.Quantile(q, samples))
			}
		}
	}
}

func (s suite) checkQuantile(t *testing.T, w recommender.Window, query string, got float64) {
	t.Helper()
	v, _, _, err := s.api.Query(t.Context(), query, w.Until)
	if err != nil {
		t.Fatal(err)
	}
	vector := v.(model.Vector)
	if len(vector) != 1 {
		t.Fatalf("%s gave %d series, want 1", query, len(vector))
	}
	if want := float64(vector[0].Value); math.Abs(got-want) > 1e-9*math.Abs(want) {
		t.Errorf("%s = %v, and the pooled samples give %v", query, want, got)
	}
}

func (s suite) testPeaks(t *testing.T) {
	w := week()
	for _, namespace := range []string{"shop", "exp", "mix"} {
		_, facts := s.read(t, promquery.Batch{Namespace: namespace}, w)
		if len(facts.Peaks) == 0 {
			t.Errorf("%s: no peaks", namespace)
		}
		for c, p := range facts.Peaks {
			want := s.peak(namespace, c, w, time.Hour)
			if diff := cmp.Diff(want, p); diff != "" {
				t.Errorf("%s %v (-want +got):\n%s", namespace, c, diff)
			}
		}
	}
}

// peak finds a peak in the raw samples, and the end of the hour that it is in.
func (s suite) peak(namespace string, c promquery.Container, w recommender.Window, within time.Duration) recommender.Peak {
	best, at := math.Inf(-1), time.Time{}
	for _, raw := range s.fixture.of(memory, namespace, c.Pod, c.Name) {
		for _, p := range raw.points {
			when := time.UnixMilli(p.t).UTC()
			if !when.After(w.Start()) || when.After(w.Until) || value.IsStaleNaN(p.v) {
				continue
			}
			if p.v > best || p.v == best && when.Before(at) {
				best, at = p.v, when
			}
		}
	}
	if s.raw != nil {
		return recommender.Peak{Value: best, Pod: c.Pod, At: at}
	}
	back := w.Until.Sub(at).Truncate(within)
	return recommender.Peak{Value: best, Pod: c.Pod, At: w.Until.Add(-back), Within: within}
}

// testPeaksShortWindow has windows that are no whole number of hours.
func (s suite) testPeaksShortWindow(t *testing.T) {
	for _, length := range []time.Duration{25 * time.Minute, 90 * time.Minute, 25*time.Hour + 5*time.Minute} {
		w := week()
		w.Length = length
		_, facts := s.read(t, promquery.Batch{Namespace: "shop", Pods: []string{"web-1"}}, w)
		got := facts.Peaks[promquery.Container{Pod: "web-1", Name: "app"}]
		want := s.peak("shop", promquery.Container{Pod: "web-1", Name: "app"}, w, time.Hour)
		if got.Value != want.Value {
			t.Errorf("window %s: peak %v, want %v", length, got.Value, want.Value)
		}
		if start := got.At.Add(-got.Within); start.Before(w.Start()) || got.At.After(w.Until) {
			t.Errorf("window %s: the peak is in (%s, %s], outside of the window", length, start, got.At)
		}
	}
}

func (s suite) testRuns(t *testing.T) {
	runs := runsOf("dump", "backup-1", "backup-2", "backup-3")
	got, facts := s.read(t, promquery.Batch{Namespace: "shop", Runs: runs}, week())
	for k := range got {
		if k.pod == "backup-1" || k.pod == "backup-2" {
			t.Errorf("short run %v is among the series", k)
		}
	}
	if n := len(got[key{"backup-3", "dump", recommender.Memory}]); n < 24 {
		t.Errorf("the long run has %d points of memory, want at least 24", n)
	}
	want := map[promquery.Container]promquery.Run{
		{Pod: "backup-1", Name: "dump"}: {CPU: s.increase("backup-1"), Measured: true},
		{Pod: "backup-2", Name: "dump"}: {CPU: s.increase("backup-2"), Measured: s.increase("backup-2") > 0},
	}
	close := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Abs(b) })
	if diff := cmp.Diff(want, facts.Runs, close); diff != "" {
		t.Errorf("Runs (-want +got):\n%s", diff)
	}
	if p := facts.Peaks[promquery.Container{Pod: "backup-1", Name: "dump"}]; p.Value < 50*mib {
		t.Errorf("the short run's peak is %v, want at least 50Mi", p.Value)
	}
}

func runsOf(container string, pods ...string) map[promquery.Container]bool {
	runs := map[promquery.Container]bool{}
	for _, pod := range pods {
		runs[promquery.Container{Pod: pod, Name: container}] = true
	}
	return runs
}

// testInit: an init container of a pod that runs all the week is a run of its own, and kube-state-metrics has metrics of
// its own for it.
func (s suite) testInit(t *testing.T) {
	got, facts := s.read(t, promquery.Batch{Namespace: "init", Runs: runsOf("migrate", "db-0")}, week())
	if len(got[key{"db-0", "pg", recommender.Memory}]) < 2000 || len(got[key{"db-0", "migrate", recommender.Memory}]) > 0 {
		t.Errorf("%d points of what lasts and %d of what is short, want a week and none",
			len(got[key{"db-0", "pg", recommender.Memory}]), len(got[key{"db-0", "migrate", recommender.Memory}]))
	}
	c := promquery.Container{Pod: "db-0", Name: "migrate"}
	if run := facts.Runs[c]; len(facts.Runs) != 1 || !run.Measured || facts.Peaks[c].Value < 40*mib {
		t.Errorf("runs %v with a peak of %v, want one of migrate", facts.Runs, facts.Peaks[c].Value)
	}
	for _, q := range facts.Queries {
		if strings.HasSuffix(q, "[1w]") && strings.HasPrefix(q, cpu) && s.raw == nil && !strings.Contains(q, `container=~"migrate"`) {
			t.Errorf("raw samples of all the pod's containers: %s", q)
		}
	}
	kill := recommender.OOMKill{Pod: "db-0", At: until().Add(-2*day + week().Step), Limit: 100 * mib}
	if diff := cmp.Diff(map[promquery.Container][]recommender.OOMKill{c: {kill}}, facts.OOMKills); diff != "" {
		t.Errorf("OOM kills (-want +got):\n%s", diff)
	}
	if want := map[promquery.Container]int{c: 1, {Pod: "db-0", Name: "pg"}: 0}; !cmp.Equal(want, facts.Restarts) {
		t.Errorf("restarts %v, want %v", facts.Restarts, want)
	}
}

// testRunsAgain: runs of one container of one pod's name are no long one, however many they are.
func (s suite) testRunsAgain(t *testing.T) {
	got, facts := s.read(t, promquery.Batch{Namespace: "again", Runs: runsOf("migrate", "db-0")}, week())
	run := facts.Runs[promquery.Container{Pod: "db-0", Name: "migrate"}]
	if len(got) > 0 || !run.Measured || math.Abs(run.CPU-0.5) > 0.1 {
		t.Errorf("%v and run %+v, want a short one of half a core", got, run)
	}
}

// increase is the mean of the fixture's counters of a run, which have no resets.
func (s suite) increase(pod string) float64 {
	best := 0.0
	for _, raw := range s.fixture.of(cpu, "shop", pod, "dump") {
		points := slices.DeleteFunc(slices.Clone(raw.points), func(p point) bool { return value.IsStaleNaN(p.v) })
		if last := len(points) - 1; last > 0 {
			best = max(best, (points[last].v-points[0].v)/(float64(points[last].t-points[0].t)/1000))
		}
	}
	return best
}

func (s suite) testKills(t *testing.T) {
	w := week()
	// The first grid point after the scrape that follows so much before the end.
	kill := func(pod string, before time.Duration, limit float64) recommender.OOMKill {
		return recommender.OOMKill{Pod: pod, At: until().Add(-before + w.Step), Limit: limit}
	}
	for namespace, want := range map[string]map[promquery.Container][]recommender.OOMKill{
		"shop": {
			{Pod: "oom-1", Name: "app"}:   {kill("oom-1", 2*day, 100*mib)},
			{Pod: "oom-job", Name: "app"}: {kill("oom-job", day, 64*mib)},
			{Pod: "oom-new", Name: "app"}: {kill("oom-new", 3*day, 0)},
		},
		"exp":        {{Pod: "api-1", Name: "api"}: {kill("api-1", day, 100*mib)}},
		"monitoring": {},
		"mix":        {},
	} {
		_, facts := s.read(t, promquery.Batch{Namespace: namespace}, w)
		if diff := cmp.Diff(want, facts.OOMKills); diff != "" {
			t.Errorf("OOM kills of %s (-want +got):\n%s", namespace, diff)
		}
	}
}

func (s suite) testThrottling(t *testing.T) {
	for namespace, want := range map[string]map[promquery.Container]promquery.Periods{
		"shop": {
			// Ten periods a second, for four days at 0.2 and three at 0.6.
			{Pod: "web-1", Name: "app"}: {Total: 10 * 7 * 86400, Throttled: 10 * (4*0.2 + 3*0.6) * 86400},
			{Pod: "web-0", Name: "app"}: {Total: 10 * 3 * 86400},
		},
		"exp":        {{Pod: "api-1", Name: "api"}: {Total: 10 * 2 * 86400, Throttled: 10 * 86400}},
		"monitoring": {},
		"mix":        {},
	} {
		_, facts := s.read(t, promquery.Batch{Namespace: namespace}, week())
		if diff := cmp.Diff(want, facts.Throttling, closeTo(1e-3)); diff != "" {
			t.Errorf("Throttling of %s (-want +got):\n%s", namespace, diff)
		}
	}
}

// closeTo compares what Prometheus extrapolates to the ends of a range.
func closeTo(share float64) cmp.Option {
	return cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= share*max(math.Abs(a), math.Abs(b)) })
}

func (s suite) testRestarts(t *testing.T) {
	for namespace, want := range map[string]map[promquery.Container]int{
		"shop": {
			{Pod: "web-0", Name: "app"}:   0, // seven, all before the window
			{Pod: "web-1", Name: "app"}:   3, // two, and one of the next pod of that name
			{Pod: "oom-1", Name: "app"}:   1,
			{Pod: "oom-old", Name: "app"}: 0,
			{Pod: "oom-job", Name: "app"}: 0,
			{Pod: "oom-new", Name: "app"}: 0, // those before it was first seen are not known
			{Pod: "crash-1", Name: "app"}: 1,
		},
		"exp":        {{Pod: "api-1", Name: "api"}: 1},
		"monitoring": {},
		"mix":        {},
	} {
		_, facts := s.read(t, promquery.Batch{Namespace: namespace}, week())
		if diff := cmp.Diff(want, facts.Restarts); diff != "" {
			t.Errorf("Restarts of %s (-want +got):\n%s", namespace, diff)
		}
	}
	_, facts := s.read(t, promquery.Batch{Namespace: "shop", Pods: []string{"crash-1"}}, week())
	if want := map[promquery.Container]int{{Pod: "crash-1", Name: "app"}: 1}; !cmp.Equal(want, facts.Restarts) {
		t.Errorf("Restarts of one pod = %v, want %v", facts.Restarts, want)
	}
}

// testStabilityOfLongWindow reads more than a query may cover.
func (s suite) testStabilityOfLongWindow(t *testing.T) {
	w := week()
	w.Length = 8*day - time.Hour
	_, facts := s.read(t, promquery.Batch{Namespace: "shop", Pods: []string{"web-1"}}, w)
	c := promquery.Container{Pod: "web-1", Name: "app"}
	want := promquery.Periods{Total: 10 * (8*86400 - 3600), Throttled: 10 * (0.2*(5*86400-3600) + 0.6*3*86400)}
	if !cmp.Equal(want, facts.Throttling[c], closeTo(1e-3)) || facts.Restarts[c] != 3 {
		t.Errorf("throttling %v, %d restarts; want %v and 3", facts.Throttling[c], facts.Restarts[c], want)
	}
}

// breaking fails every query that holds its text.
type breaking struct {
	promquery.API
	text string
}

func (b breaking) Query(ctx context.Context, q string, at time.Time, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	if strings.Contains(q, b.text) {
		return nil, nil, nil, errors.New("disk on fire")
	}
	return b.API.Query(ctx, q, at, opts...)
}

// testBroken: a query that fails is a failed read, never nothing to tell.
func (s suite) testBroken(t *testing.T) {
	for text, want := range map[string]string{
		"cfs_periods":         "reading throttling of namespace shop: disk on fire",
		"throttled":           "reading throttling of namespace shop: disk on fire",
		"changes(":            "reading restarts of namespace shop: disk on fire",
		"clamp_min(":          "reading restarts of namespace shop: disk on fire",
		"last_over_time(kube": "reading OOM kills of namespace shop: disk on fire",
	} {
		r := &promquery.Reader{API: breaking{s.api, text}}
		if _, err := r.Read(t.Context(), promquery.Batch{Namespace: "shop"}, week(), func(promquery.Series) {}); err == nil || err.Error() != want {
			t.Errorf("Read with a broken %q: %v, want %s", text, err, want)
		}
	}
}

func (s suite) testPods(t *testing.T) {
	got, facts := s.read(t, promquery.Batch{Namespace: "shop", Pods: []string{"web-0", "oom-1"}}, week())
	for k := range got {
		if k.pod != "web-0" {
			t.Errorf("%v was not asked for", k)
		}
	}
	if len(facts.Peaks) != 1 || len(facts.OOMKills) != 1 || len(got) != 2 {
		t.Errorf("%d peaks, %d containers with kills and %d series, want 1, 1 and 2", len(facts.Peaks), len(facts.OOMKills), len(got))
	}
	s.api.ranges = nil
	if got, _ = s.read(t, promquery.Batch{Namespace: "shop", Pods: []string{}}, week()); len(got) != 0 || len(s.api.ranges) != 0 {
		t.Errorf("no pods: %d series of %d requests, want none", len(got), len(s.api.ranges))
	}
}

func (s suite) testOddNames(t *testing.T) {
	got, facts := s.read(t, promquery.Batch{Namespace: oddNamespace, Pods: []string{oddPod}, Runs: runsOf(oddContainer, oddPod)}, week())
	if len(got) != 2 || len(got[key{oddPod, oddContainer, recommender.Memory}]) == 0 {
		t.Errorf("%d series, want memory and cpu of %s alone", len(got), oddPod)
	}
	if len(facts.Peaks) != 1 {
		t.Errorf("%d peaks, want 1", len(facts.Peaks))
	}
}

// testExported looks at what scrape targets' labels must not be taken for.
func (s suite) testExported(t *testing.T) {
	got, _ := s.read(t, promquery.Batch{Namespace: "monitoring"}, week())
	for k, points := range got {
		if k.pod != "exporter-0" || len(points) > 289 {
			t.Errorf("%v has %d points, want a day of exporter-0", k, len(points))
		}
	}
	mixed, _ := s.read(t, promquery.Batch{Namespace: "mix", Pods: []string{"api-1"}}, week())
	if n := len(mixed[key{"api-1", "api", recommender.Memory}]); n != 4*288 {
		t.Errorf("mixed labels give %d points, want four days", n)
	}
}

func (s suite) testNothing(t *testing.T) {
	got, facts := s.read(t, promquery.Batch{Namespace: "absent"}, week())
	if len(got)+len(facts.Peaks)+len(facts.Runs)+len(facts.OOMKills) != 0 {
		t.Errorf("an absent namespace has %v and %v", got, facts)
	}
}

func (s suite) testQueries(t *testing.T) {
	w := week()
	w.Length = 90 * time.Minute
	_, facts := s.read(t, promquery.Batch{Namespace: "shop", Pods: []string{"web-1"}}, w)
	want := append(gridQueries(), append(throttlingQueries(), changesQuery)...)
	if s.raw != nil {
		want = append(rawQueries(), append(throttlingQueries(), rawRestarts()...)...)
	}
	if diff := cmp.Diff(want, facts.Queries); diff != "" {
		t.Errorf("Queries (-want +got):\n%s", diff)
	}
}

func rawQueries() []string {
	return []string{
		`container_memory_working_set_bytes{namespace="shop",container!="",container!="POD",pod=~"web-1"}[1h30m]`,
		`container_cpu_usage_seconds_total{namespace="shop",container!="",container!="POD",pod=~"web-1"}[1h30m]`,
	}
}

func gridQueries() []string {
	return []string{
		`max by (namespace, pod, container) (container_memory_working_set_bytes{namespace="shop",container!="",container!="POD",pod=~"web-1"})`,
		`max by (namespace, pod, container) (max_over_time(container_memory_working_set_bytes{namespace="shop",container!="",container!="POD",pod=~"web-1"}[30m]))`,
		`max by (namespace, pod, container) (max_over_time(container_memory_working_set_bytes{namespace="shop",container!="",container!="POD",pod=~"web-1"}[1h]))`,
		`max by (namespace, pod, container) (rate(container_cpu_usage_seconds_total{namespace="shop",container!="",container!="POD",pod=~"web-1"}[5m]))`,
	}
}

func throttlingQueries() []string {
	return []string{
		`max by (namespace, pod, container) (sum without (id, name, image) (increase(container_cpu_cfs_periods_total{namespace="shop",container!="",container!="POD",pod=~"web-1"}[1h30m])))`,
		`max by (namespace, pod, container) (sum without (id, name, image) (increase(container_cpu_cfs_throttled_periods_total{namespace="shop",container!="",container!="POD",pod=~"web-1"}[1h30m])))`,
	}
}

const changesQuery = `max by (namespace, pod, container) (changes(kube_pod_container_status_restarts_total{namespace="shop",container!="",container!="POD",pod=~"web-1"}[1h30m])) or max by (namespace, pod, container) (changes(kube_pod_init_container_status_restarts_total{namespace="shop",container!="",container!="POD",pod=~"web-1"}[1h30m]))`

func rawRestarts() []string {
	return []string{
		`kube_pod_container_status_restarts_total{namespace="shop",container!="",container!="POD",pod=~"web-1"}[1h30m]`,
		`kube_pod_init_container_status_restarts_total{namespace="shop",container!="",container!="POD",pod=~"web-1"}[1h30m]`,
	}
}

func (s suite) testCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.reader().Read(ctx, promquery.Batch{Namespace: "shop"}, week(), func(promquery.Series) {})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Read under a cancelled context: %v", err)
	}
	if _, err := s.reader().Index(ctx, "shop", week()); !errors.Is(err, context.Canceled) {
		t.Errorf("Index under a cancelled context: %v", err)
	}
}

func (s suite) testDeadline(t *testing.T) {
	r := s.reader()
	r.RequestTimeout = time.Nanosecond
	_, err := r.Read(t.Context(), promquery.Batch{Namespace: "shop"}, week(), func(promquery.Series) {})
	const want = "reading labels of namespace shop: no answer within 1ns: ask for less with a shorter --window or a longer --step, or wait longer with --query-timeout"
	if err == nil || err.Error() != want || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Read past its deadline: %v, want %s", err, want)
	}
}

// testRequests counts: a slice a day for either resource, a peaks query, a look-up each for exported labels of usage and of restarts
// and for OOM kills, and one empty answer each where there are neither CPU limits nor kube-state-metrics.
func (s suite) testRequests(t *testing.T) {
	*s.api = counting{API: s.api.API}
	if s.raw != nil {
		s.testRawRequests(t)
		return
	}
	s.read(t, promquery.Batch{Namespace: oddNamespace}, week())
	if n := len(s.api.ranges); n != 7+1+7 || s.api.instant != 2 || s.api.lookedUps != 3 {
		t.Errorf("%d range queries, %d instant queries, %d look-ups; want 15, 2, 3", n, s.api.instant, s.api.lookedUps)
	}
	*s.api = counting{API: s.api.API}
	fine := recommender.Window{Until: until(), Length: day, Step: time.Second, RateWindow: 5 * time.Minute}
	s.read(t, promquery.Batch{Namespace: "shop", Pods: []string{"web-1"}}, fine)
	for _, r := range s.api.ranges {
		if n := r.End.Sub(r.Start)/r.Step + 1; n > 11_000 {
			t.Errorf("a range of %d points, want at most 11,000", n)
		}
	}
}

// testRawRequests wants a request for each resource, and for each count of restarts, where the pods are known to be few, some more where they are not, and
// slices that follow one another and end with rate windows.
func (s suite) testRawRequests(t *testing.T) {
	w := week()
	for _, c := range []struct {
		batch promquery.Batch
		most  int
	}{
		{promquery.Batch{Namespace: "shop", Pods: []string{"web-1"}}, 4},
		{promquery.Batch{Namespace: "shop", Containers: 5}, 4},
		{promquery.Batch{Namespace: "shop"}, 4 * 3},
		{promquery.Batch{Namespace: "shop", Containers: 100_000}, 4 * 5},
	} {
		s.raw.asked = nil
		s.read(t, c.batch, w)
		if n := len(s.raw.asked); n > c.most || len(s.api.ranges) > 4*7 {
			t.Errorf("%+v: %d requests for raw samples and %d range queries, want at most %d and those for kills", c.batch, n, len(s.api.ranges), c.most)
		}
		for i, q := range s.raw.asked {
			first := i == 0 || q.Matchers[0] != s.raw.asked[i-1].Matchers[0]
			follows := first && q.Start.Equal(w.Start()) || !first && q.Start.Equal(s.raw.asked[i-1].End)
			if !follows || w.Until.Sub(q.End)%w.RateWindow != 0 {
				t.Errorf("%+v: request %d is for %s to %s", c.batch, i, q.Start, q.End)
			}
		}
		s.api.ranges = nil
	}
}
