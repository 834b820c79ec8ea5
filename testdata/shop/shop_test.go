package shop

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"
)

const (
	memoryMetric = "container_memory_working_set_bytes"
	cpuMetric    = "container_cpu_usage_seconds_total"
)

// sample is one sample of a series, stale markers included.
type sample struct {
	t int64
	v float64
}

func (s sample) stale() bool { return value.IsStaleNaN(s.v) }

// openTSDB opens a data folder that was written by Write.
func openTSDB(t *testing.T, dir string) storage.Querier {
	t.Helper()
	db, err := tsdb.OpenDBReadOnly(dir, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	q, err := db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

// each calls visit with every series that has the labels, sorted by its own, and its samples, which are only
// good until visit returns. Pairs are names and values.
func each(t *testing.T, q storage.Querier, visit func(labels.Labels, []sample), pairs ...string) {
	t.Helper()
	matchers := []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".+")}
	for i := 0; i < len(pairs); i += 2 {
		matchers = append(matchers, labels.MustNewMatcher(labels.MatchRegexp, pairs[i], pairs[i+1]))
	}
	set := q.Select(t.Context(), true, nil, matchers...)
	var buf []sample
	var it chunkenc.Iterator
	n := 0
	for set.Next() {
		n++
		buf = buf[:0]
		it = set.At().Iterator(it)
		for it.Next() == chunkenc.ValFloat {
			at, v := it.At()
			buf = append(buf, sample{at, v})
		}
		if err := it.Err(); err != nil {
			t.Fatal(err)
		}
		visit(set.At().Labels(), buf)
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Errorf("no series with %q", pairs)
	}
}

// TestWeek looks at the demo's whole history.
func TestWeek(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tsdb")
	if err := Write(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	q := openTSDB(t, dir)
	for _, test := range []struct {
		name string
		run  func(*testing.T, storage.Querier)
	}{
		{"blocks", func(t *testing.T, _ storage.Querier) { testBlocks(t, dir) }},
		{"labels", testLabels},
		{"times", testTimes},
		{"stale markers", testStaleMarkers},
		{"pod cgroups", testPodCgroups},
		{"counter resets", testCounterResets},
		{"owners", testOwners},
		{"namespaces", testNamespaces},
		{"api was OOM killed", testOOMKills},
		{"checkout peaked off the grid", testPeakOffGrid},
		{"cart leaks", testLeak},
		{"recommendations is new", testNew},
		{"node-agent is throttled", testThrottled},
		{"search is over-provisioned", testOverProvisioned},
		{"payments declares nothing", testUndeclared},
		{"report runs", testRuns},
		{"images has no usage", testNoUsage},
		{"web rolled out", testRollouts},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, q) })
	}
}

func testBlocks(t *testing.T, dir string) {
	db, err := tsdb.OpenDBReadOnly(dir, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	blocks, err := db.Blocks()
	if err != nil {
		t.Fatal(err)
	}
	if len(blocks) != MaxDays {
		t.Errorf("%d blocks, want %d", len(blocks), MaxDays)
	}
	const oneDay = 24 * hour
	for _, b := range blocks {
		meta := b.Meta()
		if first, last := meta.MinTime/oneDay, (meta.MaxTime-1)/oneDay; first != last {
			t.Errorf("block %s lies on %d days", meta.ULID, last-first+1)
		}
	}
}

// testLabels holds every series against the names of the labels that the real exporters give it.
func testLabels(t *testing.T, q storage.Querier) {
	const (
		kubelet   = "__name__ endpoint id instance job metrics_path namespace node service"
		second    = "__name__ instance job namespace node pod"
		kubeState = "__name__ container endpoint instance job namespace pod service"
	)
	want := map[string][]string{
		"kubelet container": {kubelet + " container image name pod"},
		"kubelet POD":       {kubelet + " container image name pod"},
		"kubelet pod":       {kubelet + " pod"},
		"kubelet node":      {kubelet},

		"kubernetes-cadvisor container": {second + " container"},
		"kubernetes-cadvisor pod":       {second},

		"kube_pod_owner":        {kubeState + " uid owner_kind owner_name owner_is_controller", kubeState + " uid"},
		"kube_replicaset_owner": {kubeState + " replicaset owner_kind owner_name owner_is_controller"},
		"kube_job_owner":        {kubeState + " job_name owner_kind owner_name owner_is_controller", kubeState + " job_name"},
		"kube_pod_info": {
			kubeState + " uid created_by_kind created_by_name host_ip host_network node pod_ip",
			kubeState + " uid host_ip host_network node pod_ip",
		},
		"kube_pod_status_phase":                            {kubeState + " uid phase"},
		"kube_pod_container_info":                          {kubeState + " uid container_id image image_id image_spec"},
		"kube_pod_container_resource_requests":             {kubeState + " uid node resource unit"},
		"kube_pod_container_resource_limits":               {kubeState + " uid node resource unit"},
		"kube_pod_container_status_restarts_total":         {kubeState + " uid"},
		"kube_pod_container_status_last_terminated_reason": {kubeState + " uid reason"},
		"kube_deployment_spec_replicas":                    {kubeState + " deployment"},
		"kube_statefulset_replicas":                        {kubeState + " statefulset"},
		"kube_daemonset_status_desired_number_scheduled":   {kubeState + " daemonset"},
		"kube_cronjob_info":                                {kubeState + " cronjob schedule concurrency_policy"},
	}
	seen := map[string]bool{}
	each(t, q, func(l labels.Labels, _ []sample) {
		kind := labelsKind(l)
		seen[kind] = true
		if got := labelNames(l); !slices.ContainsFunc(want[kind], func(names string) bool { return sortedWords(names) == got }) {
			t.Errorf("%s has labels %s, want %q", l, got, want[kind])
		}
	})
	for kind := range want {
		if !seen[kind] {
			t.Errorf("no series is a %s", kind)
		}
	}
}

// labelsKind is what decides on the labels of a series: its name, or for a cgroup whose it is.
func labelsKind(l labels.Labels) string {
	container := "container"
	switch {
	case !strings.HasPrefix(l.Get(model.MetricNameLabel), "container_"):
		return l.Get(model.MetricNameLabel)
	case l.Get("pod") == "":
		container = "node"
	case l.Get("container") == "":
		container = "pod"
	case l.Get("container") == "POD":
		container = "POD"
	}
	return l.Get("job") + " " + container
}

// labelNames are the names of the labels but for cpu="total", which is on every series of CPU usage and on no
// other.
func labelNames(l labels.Labels) string {
	var names []string
	l.Range(func(label labels.Label) {
		if label != (labels.Label{Name: "cpu", Value: "total"}) {
			names = append(names, label.Name)
		} else if l.Get(model.MetricNameLabel) != cpuMetric {
			names = append(names, "cpu where it should not be")
		}
	})
	if l.Get(model.MetricNameLabel) == cpuMetric && l.Get("cpu") != "total" {
		names = append(names, "no cpu")
	}
	return sortedWords(strings.Join(names, " "))
}

func sortedWords(text string) string {
	words := strings.Fields(text)
	slices.Sort(words)
	return strings.Join(words, " ")
}

// testTimes wants samples within the history, off whole seconds, a scrape interval apart, and every target at
// its own time.
func testTimes(t *testing.T, q storage.Querier) {
	start, end := Until.AddDate(0, 0, -MaxDays).UnixMilli(), Until.UnixMilli()
	phases := map[string]int64{} // of each target in its interval
	each(t, q, func(l labels.Labels, samples []sample) {
		interval := DefaultScrapeInterval.Milliseconds()
		if l.Get("job") == "kube-state-metrics" {
			interval *= 2
		}
		for i, s := range samples {
			if s.t <= start || s.t >= end || s.t%1000 == 0 {
				t.Fatalf("%s has a sample at %d", l, s.t)
			}
			if i > 0 && s.t <= samples[i-1].t {
				t.Fatalf("%s goes back in time at %d", l, s.t)
			}
		}
		if len(samples) < 100 {
			return
		}
		if gap := medianGap(samples); math.Abs(float64(gap-interval)) > 1500 {
			t.Errorf("%s is scraped every %d ms, want %d", l, gap, interval)
		}
		phases[l.Get("job")+" "+l.Get("instance")] = samples[50].t % interval
	})
	if got := len(slices.Compact(slices.Sorted(maps.Values(phases)))); got != 5 {
		t.Errorf("targets are scraped at %v ms of their intervals, want 5 different times", phases)
	}
}

func medianGap(samples []sample) int64 {
	var gaps []int64
	for i := 1; i < len(samples); i++ {
		gaps = append(gaps, samples[i].t-samples[i-1].t)
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// testStaleMarkers wants one stale marker at the end of each series that ended, none on the node with time
// stamps of its own, and none within or at the end of a series that goes on.
func testStaleMarkers(t *testing.T, q storage.Querier) {
	ended := map[string]int{}
	each(t, q, func(l labels.Labels, samples []sample) {
		markers := 0
		for _, s := range samples {
			if s.stale() {
				markers++
			}
		}
		last := samples[len(samples)-1]
		over, own := last.t < Until.UnixMilli()-2*minute, l.Get("node") == "worker-3" && l.Get("job") == "kubelet"
		switch {
		case own && markers > 0:
			t.Errorf("%s has %d stale markers, want none", l, markers)
		case !own && over != last.stale():
			t.Errorf("%s ends at %d, stale is %v", l, last.t, last.stale())
		case over:
			ended[l.Get("job")+" "+l.Get("node")]++
		}
	})
	for _, name := range []string{"kubelet worker-1", "kubelet worker-2", "kubelet worker-3", "kube-state-metrics "} {
		if ended[name] == 0 {
			t.Errorf("no series of %s ended in the history", name)
		}
	}
}

// testPodCgroups wants each pod's container="" series to be what its containers add up to, and a sandbox.
func testPodCgroups(t *testing.T, q storage.Querier) {
	type key struct {
		pod, job string
		t        int64
	}
	since := Until.Add(-30 * time.Hour).UnixMilli()
	parts, twins := map[key]float64{}, map[key]float64{}
	each(t, q, func(l labels.Labels, samples []sample) {
		to := parts
		if l.Get("container") == "" {
			to = twins
		}
		for _, s := range samples {
			if s.t >= since && !s.stale() {
				to[key{l.Get("namespace") + "/" + l.Get("pod"), l.Get("job"), s.t}] += s.v
			}
		}
	}, model.MetricNameLabel, memoryMetric, "pod", ".+")
	sandbox := map[string]float64{}
	for k, whole := range twins {
		rest := whole - parts[k]
		if before, ok := sandbox[k.pod]; ok && before != rest {
			t.Fatalf("pod %s has %v bytes that are no container's at %d, and %v at other times", k.pod, rest, k.t, before)
		}
		sandbox[k.pod] = rest
		if rest < 0 || rest > mib {
			t.Fatalf("pod %s at %d uses %v and its containers %v", k.pod, k.t, whole, parts[k])
		}
	}
	for k := range parts {
		if _, ok := twins[k]; !ok {
			t.Fatalf("pod %s has containers at %d, and no cgroup of its own", k.pod, k.t)
		}
	}
}

// testCounterResets wants counters that never fall, except in the series of the second job, which lacks what
// tells one run of a container from the next: they start again once a day.
func testCounterResets(t *testing.T, q storage.Querier) {
	resets := 0
	each(t, q, func(l labels.Labels, samples []sample) {
		before := 0.0
		for _, s := range samples {
			if s.stale() {
				continue
			}
			if s.v < before {
				if l.Get("job") != "kubernetes-cadvisor" || l.Get("container") == "" {
					t.Errorf("%s falls from %v to %v at %d", l, before, s.v, s.t)
				}
				if l.Get(model.MetricNameLabel) == cpuMetric {
					resets++
				}
			}
			before = s.v
		}
	}, model.MetricNameLabel, "container_cpu_.*|kube_pod_container_status_restarts_total")
	if resets != MaxDays {
		t.Errorf("the second job sees %d counter resets, want one a day", resets)
	}
}

// testOwners follows every pod with usage to its top owner, by kube-state-metrics alone, and holds its name
// against what Kubernetes would have called it.
func testOwners(t *testing.T, q storage.Querier) {
	const five, set = "[bcdfghjklmnpqrstvwxz2456789]{5}", "[456789bcdf]{8,10}"
	patterns := map[string]string{
		"Deployment": "^%s-" + set + "-" + five + "$", "StatefulSet": "^%s-[0-9]+$", "DaemonSet": "^%s-" + five + "$",
		"CronJob": "^%s-[0-9]{8}-" + five + "$", "Job": "^%s-" + five + "$", "Node": "-%s$", "": "^toolbox%s$",
	}
	pods, sets, jobs := owners(t, q, "pod", "kube_pod_owner"), owners(t, q, "replicaset", "kube_replicaset_owner"), owners(t, q, "job_name", "kube_job_owner")
	seen := map[string]bool{}
	each(t, q, func(l labels.Labels, _ []sample) {
		pod := l.Get("pod")
		top, ok := pods[l.Get("namespace")+"/"+pod]
		if !ok {
			t.Fatalf("pod %s has no kube_pod_owner", pod)
		}
		above := map[string]map[string]owner{"ReplicaSet": sets, "Job": jobs}[top.kind]
		if above != nil {
			up, ok := above[l.Get("namespace")+"/"+top.name]
			if !ok {
				t.Fatalf("%v of pod %s has no owner metric", top, pod)
			}
			if up != (owner{}) {
				top = up
			}
		}
		seen[top.kind] = true
		if pattern := fmt.Sprintf(patterns[top.kind], top.name); !regexp.MustCompile(pattern).MatchString(pod) {
			t.Errorf("pod %s belongs to %v, want a name like %s", pod, top, pattern)
		}
	}, model.MetricNameLabel, memoryMetric, "pod", ".+")
	for kind := range patterns {
		if !seen[kind] {
			t.Errorf("no pod belongs to a %q", kind)
		}
	}
}

func owners(t *testing.T, q storage.Querier, of, metric string) map[string]owner {
	t.Helper()
	all := map[string]owner{}
	each(t, q, func(l labels.Labels, _ []sample) {
		all[l.Get("namespace")+"/"+l.Get(of)] = owner{l.Get("owner_kind"), l.Get("owner_name")}
	}, model.MetricNameLabel, metric)
	return all
}

func testNamespaces(t *testing.T, q storage.Querier) {
	seen := map[string]bool{}
	each(t, q, func(l labels.Labels, _ []sample) { seen[l.Get("namespace")] = true }, model.MetricNameLabel, memoryMetric)
	want := []string{"kube-system", "shop", "shop-staging"}
	if diff := gocmp.Diff(want, slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("namespaces with usage (-want +got):\n%s", diff)
	}
}

// testOOMKills wants three restarts, in the day around two days before the end, all of them OOM kills, while
// the limit was 256Mi and memory had come near it.
func testOOMKills(t *testing.T, q storage.Querier) {
	kills := 0
	each(t, q, func(_ labels.Labels, samples []sample) {
		for i := 1; i < len(samples); i++ {
			if samples[i].v > samples[i-1].v {
				kills++
				if before := Until.Sub(time.UnixMilli(samples[i].t)); before < 44*time.Hour || before > 52*time.Hour {
					t.Errorf("api restarted %s before the end", before)
				}
			}
		}
	}, model.MetricNameLabel, "kube_pod_container_status_restarts_total", "namespace", "shop", "container", "api")
	if kills != 3 {
		t.Errorf("api restarted %d times, want 3", kills)
	}
	each(t, q, func(l labels.Labels, samples []sample) {
		if l.Get("reason") != "OOMKilled" || samples[0].v != 1 {
			t.Errorf("api's last termination is %s %v", l, samples[0].v)
		}
	}, model.MetricNameLabel, "kube_pod_container_status_last_terminated_reason", "namespace", "shop", "container", "api")
	each(t, q, func(l labels.Labels, samples []sample) {
		if samples[0].v != 256*mib {
			t.Errorf("%s is %v, want 256Mi", l, samples[0].v)
		}
	}, model.MetricNameLabel, "kube_pod_container_resource_limits", "resource", "memory", "namespace", "shop", "container", "api")
	if got := highest(t, q, "api", math.MinInt64); got < 250*mib || got >= 256*mib {
		t.Errorf("api's memory reached %v MiB, want just below 256", got/mib)
	}
}

// testPeakOffGrid wants the peak in the raw samples to be far above what a grid of 5 minutes sees.
func testPeakOffGrid(t *testing.T, q storage.Querier) {
	const step = 5 * minute
	var onGrid, raw float64
	each(t, q, func(_ labels.Labels, samples []sample) {
		for i, s := range samples {
			raw = max(raw, s.v)
			if i+1 < len(samples) && s.t/step != samples[i+1].t/step {
				onGrid = max(onGrid, s.v)
			}
		}
	}, model.MetricNameLabel, memoryMetric, "namespace", "shop", "container", "checkout")
	if raw < 1.5*onGrid || onGrid == 0 {
		t.Errorf("checkout peaks at %v MiB, at %v on the grid", raw/mib, onGrid/mib)
	}
}

// highest is the highest memory of a container of namespace shop at or after since.
func highest(t *testing.T, q storage.Querier, container string, since int64) float64 {
	t.Helper()
	peak := 0.0
	each(t, q, func(_ labels.Labels, samples []sample) {
		for _, s := range samples {
			if s.t >= since && s.v > peak {
				peak = s.v
			}
		}
	}, model.MetricNameLabel, memoryMetric, "namespace", "shop", "container", container)
	return peak
}

// testLeak wants the memory of each run of cart to end far above where it began.
func testLeak(t *testing.T, q storage.Querier) {
	leaks := 0
	each(t, q, func(l labels.Labels, samples []sample) {
		first, last := samples[0], lastLive(samples)
		if time.Duration(last.t-first.t)*time.Millisecond < 20*time.Hour {
			return
		}
		leaks++
		if last.v < 2*first.v {
			t.Errorf("%s goes from %v to %v MiB, want a leak", l, first.v/mib, last.v/mib)
		}
	}, model.MetricNameLabel, memoryMetric, "namespace", "shop", "container", "cart", "job", "kubelet")
	if leaks < 10 {
		t.Errorf("cart has %d runs of most of a day, want 2 a day", leaks)
	}
}

func lastLive(samples []sample) sample {
	last := samples[len(samples)-1]
	if last.stale() {
		last = samples[len(samples)-2]
	}
	return last
}

func testNew(t *testing.T, q storage.Querier) {
	each(t, q, func(l labels.Labels, samples []sample) {
		if age := Until.Sub(time.UnixMilli(samples[0].t)); age < 170*time.Minute || age > 180*time.Minute {
			t.Errorf("%s begins %s before the end, want 3 hours", l, age)
		}
	}, model.MetricNameLabel, memoryMetric, "pod", "recommendations-.*")
}

func testThrottled(t *testing.T, q storage.Querier) {
	grown := map[string]float64{}
	each(t, q, func(l labels.Labels, samples []sample) {
		grown[l.Get(model.MetricNameLabel)] += lastLive(samples).v - samples[0].v
	}, model.MetricNameLabel, "container_cpu_cfs_(throttled_)?periods_total", "container", "agent")
	share := grown["container_cpu_cfs_throttled_periods_total"] / grown["container_cpu_cfs_periods_total"]
	if !(share > 0.5 && share < 1) {
		t.Errorf("node-agent is throttled in %v of its periods, want most", share)
	}
}

// testOverProvisioned wants search to request about ten times what it uses.
func testOverProvisioned(t *testing.T, q storage.Querier) {
	var memory, cores []float64
	each(t, q, func(l labels.Labels, samples []sample) {
		first, last := samples[0], lastLive(samples)
		if l.Get(model.MetricNameLabel) == memoryMetric {
			memory = append(memory, last.v)
			return
		}
		cores = append(cores, (last.v-first.v)/(float64(last.t-first.t)/second))
	}, model.MetricNameLabel, memoryMetric+"|"+cpuMetric, "container", "search")
	if got := 4 * gib / slices.Max(memory); got < 9 || got > 11 {
		t.Errorf("search requests %v times the memory it uses, want about 10", got)
	}
	if got := 2 / slices.Max(cores); got < 9 || got > 13 {
		t.Errorf("search requests %v times the CPU it uses, want about 10", got)
	}
}

func testUndeclared(t *testing.T, q storage.Querier) {
	each(t, q, func(l labels.Labels, _ []sample) {
		if l.Get("container") == "payments" {
			t.Errorf("payments declares nothing, and there is %s", l)
		}
	}, model.MetricNameLabel, "kube_pod_container_resource_.*|container_cpu_cfs_.*")
	if highest(t, q, "payments", math.MinInt64) == 0 {
		t.Error("payments uses no memory")
	}
}

// testRuns wants four runs of report a day, of two minutes and two scrapes or more, and one of migrate.
func testRuns(t *testing.T, q storage.Querier) {
	runs := map[string]int{}
	each(t, q, func(l labels.Labels, samples []sample) {
		runs[l.Get("container")]++
		length := time.Duration(lastLive(samples).t-samples[0].t) * time.Millisecond
		if l.Get("container") == "report" && (len(samples) < 3 || length > 150*time.Second) {
			t.Errorf("%s has %d samples in %s", l, len(samples), length)
		}
	}, model.MetricNameLabel, cpuMetric, "container", "report|migrate")
	if want := map[string]int{"report": 4 * MaxDays, "migrate": 1}; !maps.Equal(runs, want) {
		t.Errorf("runs are %v, want %v", runs, want)
	}
}

func testNoUsage(t *testing.T, q storage.Querier) {
	each(t, q, func(l labels.Labels, _ []sample) {
		if strings.HasPrefix(l.Get("pod"), "images-") {
			t.Errorf("images has no pods, and there is %s", l)
		}
	}, model.MetricNameLabel, memoryMetric+"|kube_pod_owner")
}

// testRollouts wants web's pods of three ReplicaSets, three at once, and one more for the pod that was moved.
func testRollouts(t *testing.T, q storage.Querier) {
	pods, sets := map[string]bool{}, map[string]bool{}
	each(t, q, func(l labels.Labels, _ []sample) {
		pods[l.Get("pod")] = true
		sets[l.Get("owner_name")] = true
	}, model.MetricNameLabel, "kube_pod_owner", "namespace", "shop", "pod", "web-.*")
	if len(pods) != 10 || len(sets) != 3 {
		t.Errorf("web had %d pods of %d ReplicaSets, want 10 of 3", len(pods), len(sets))
	}
}

// TestWriteIsDeterministic compares all labels, times and values of two runs, bit for bit.
func TestWriteIsDeterministic(t *testing.T) {
	var sums [2]string
	for i := range sums {
		dir := filepath.Join(t.TempDir(), "tsdb")
		if err := Write(t.Context(), dir, Options{Days: 1, ScrapeInterval: time.Minute}); err != nil {
			t.Fatal(err)
		}
		sums[i] = digest(t, openTSDB(t, dir))
	}
	if sums[0] != sums[1] {
		t.Errorf("two runs wrote samples with digests %s and %s", sums[0], sums[1])
	}
}

func digest(t *testing.T, q storage.Querier) string {
	t.Helper()
	sum := sha256.New()
	var buf bytes.Buffer
	each(t, q, func(l labels.Labels, samples []sample) {
		buf.Reset()
		buf.WriteString(l.String())
		for _, s := range samples {
			buf.Write(binary.BigEndian.AppendUint64(nil, uint64(s.t)))
			buf.Write(binary.BigEndian.AppendUint64(nil, math.Float64bits(s.v)))
		}
		sum.Write(buf.Bytes())
	})
	return hex.EncodeToString(sum.Sum(nil))
}

func TestWriteOptions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tsdb")
	if err := Write(t.Context(), dir, Options{Days: 2, ScrapeInterval: 5 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	each(t, openTSDB(t, dir), func(l labels.Labels, samples []sample) {
		if want := 2 * 24 * 12; len(samples) > want || len(samples) < want*9/10 {
			t.Errorf("%s has %d samples, want about %d", l, len(samples), want)
		}
	}, model.MetricNameLabel, memoryMetric, "container", "search")
	for _, o := range []Options{
		{Days: -1},
		{Days: MaxDays + 1},
		{ScrapeInterval: time.Second},
		{ScrapeInterval: 7 * time.Hour},
	} {
		if err := Write(t.Context(), filepath.Join(t.TempDir(), "tsdb"), o); err == nil {
			t.Errorf("Write with %+v wants an error", o)
		}
	}
}

// TestManifests reads the manifests as Kubernetes does, strictly, and wants the shop that the demo tells of.
func TestManifests(t *testing.T) {
	var got []string
	names, err := fs.Glob(Manifests, "manifests/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := Manifests.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range strings.Split(string(text), "\n---\n") {
			got = append(got, strictly(t, name, []byte(doc)))
		}
	}
	slices.Sort(got)
	want := []string{
		"CronJob shop/report", "DaemonSet shop/node-agent",
		"Deployment shop/api", "Deployment shop/cart", "Deployment shop/checkout", "Deployment shop/images",
		"Deployment shop/payments", "Deployment shop/recommendations", "Deployment shop/search", "Deployment shop/web",
		"Job shop/migrate", "StatefulSet shop/db",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("manifests (-want +got):\n%s", diff)
	}
}

func strictly(t *testing.T, name string, doc []byte) string {
	t.Helper()
	var kind struct {
		Kind     string
		Metadata struct{ Namespace, Name string }
	}
	if err := yaml.Unmarshal(doc, &kind); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	into := map[string]any{
		"Deployment": &appsv1.Deployment{}, "StatefulSet": &appsv1.StatefulSet{}, "DaemonSet": &appsv1.DaemonSet{},
		"CronJob": &batchv1.CronJob{}, "Job": &batchv1.Job{},
	}[kind.Kind]
	if err := yaml.UnmarshalStrict(doc, into); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return kind.Kind + " " + kind.Metadata.Namespace + "/" + kind.Metadata.Name
}

func TestBuild(t *testing.T) {
	small := Options{Days: 1, ScrapeInterval: 5 * time.Minute}
	parent := t.TempDir()
	dir := filepath.Join(parent, "build", "demo")
	wantBuild := func(want bool) {
		t.Helper()
		if built, err := build(t.Context(), dir, small); err != nil || built != want {
			t.Fatalf("build = %v, %v, want %v", built, err, want)
		}
	}
	wantBuild(true)
	for _, name := range []string{"manifests/web.yaml", "tsdb/wal", "VERSION"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	wantBuild(false)

	writeFile(t, filepath.Join(dir, stamp), "an older one\n")
	writeFile(t, filepath.Join(dir, "left-over"), "")
	wantBuild(true)
	if _, err := os.Stat(filepath.Join(dir, "left-over")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file of the older folder is still there: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
		t.Errorf("beside the demo's folder there is %v, %v", entries, err)
	}
}

func TestBuildLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "thesis.tex"), "")
	if built, err := Build(t.Context(), dir); err == nil || built {
		t.Errorf("Build over somebody's files = %v, %v, want an error", built, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "thesis.tex")); err != nil {
		t.Error(err)
	}
}

func TestBuildCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	parent := t.TempDir()
	if _, err := Build(ctx, filepath.Join(parent, "demo")); !errors.Is(err, context.Canceled) {
		t.Errorf("Build = %v, want %v", err, context.Canceled)
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 0 {
		t.Errorf("it left %v behind, %v", entries, err)
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
