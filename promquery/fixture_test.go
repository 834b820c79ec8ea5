package promquery_test

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	promtsdb "github.com/prometheus/prometheus/tsdb"

	"github.com/rightsize/rightsize/recommender"
)

const (
	day    = 24 * time.Hour
	scrape = 30 * time.Second
	mib    = 1 << 20

	memory = "container_memory_working_set_bytes"
	cpu    = "container_cpu_usage_seconds_total"

	// Names that need quoting in PromQL, and in regular expressions.
	oddNamespace = `od"d\na.*me`
	oddPod       = `pod.$^|x\d`
	oddContainer = "we\"ird\\co.nt+ai(ner\u00e9"
)

// until is the end of the fixture's week.
func until() time.Time { return time.Date(2026, 1, 8, 12, 0, 0, 0, time.UTC) }

func week() recommender.Window {
	return recommender.Window{Until: until(), Length: 7 * day, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
}

type point struct {
	t int64 // milliseconds
	v float64
}

type rawSeries struct {
	labels labels.Labels
	points []point
}

// fixture is a week of metrics as real clusters have them, warts included.
type fixture struct {
	series []*rawSeries
	rnd    *rand.Rand
}

// add makes a series of samples with jitter in (from, to], and a stale marker if it ends.
func (f *fixture) add(from, to time.Duration, jitter bool, next func(i int) float64, name string, pairs ...string) {
	s := &rawSeries{labels: labels.FromStrings(append([]string{model.MetricNameLabel, name}, pairs...)...)}
	offset := time.Duration(f.rnd.Int64N(int64(scrape/time.Millisecond))) * time.Millisecond
	for i, at := 0, from+offset; at <= to; i, at = i+1, at+scrape {
		t := until().Add(at).UnixMilli()
		if jitter {
			t += f.rnd.Int64N(2000) - 1000
		}
		s.points = append(s.points, point{t, next(i)})
	}
	if to < 0 && jitter {
		s.points = append(s.points, point{until().Add(to + scrape + time.Second).UnixMilli(), math.Float64frombits(value.StaleNaN)})
	}
	f.series = append(f.series, s)
}

// pod adds the usage of one container from two kubelet jobs, of its pod's cgroup and of its pause container.
func (f *fixture) pod(from, to time.Duration, names func(container string) []string, container string, size float64) {
	for _, job := range []string{"kubelet", "kubelet-2"} {
		with := func(c string) []string { return append(names(c), "job", job, "id", "/kubepods/"+c) }
		f.add(from, to, true, f.wave(size), memory, with(container)...)
		f.add(from, to, true, f.counter(size/mib/1000), cpu, with(container)...)
		f.add(from, to, true, f.wave(size*100), memory, with("")...)
		f.add(from, to, true, f.wave(size*100), memory, with("POD")...)
		f.add(from, to, true, f.counter(50), cpu, with("")...)
	}
}

func (f *fixture) wave(size float64) func(int) float64 {
	return func(i int) float64 {
		return math.Round(size * (1 + 0.5*math.Sin(float64(i)/500) + 0.2*f.rnd.Float64()))
	}
}

// counter grows by cores, and starts again at 0 now and then.
func (f *fixture) counter(cores float64) func(int) float64 {
	total := 0.0
	return func(int) float64 {
		total += cores * scrape.Seconds() * (0.5 + f.rnd.Float64())
		if f.rnd.IntN(3000) == 0 {
			total = 0
		}
		return total
	}
}

func constant(v float64) func(int) float64 { return func(int) float64 { return v } }

// plainNames label a container as a kubelet's own metrics do, and exportedNames as a scrape without
// honor_labels of pod api-1 does.
func plainNames(namespace, pod string) func(string) []string {
	return func(c string) []string { return []string{"namespace", namespace, "pod", pod, "container", c} }
}

func exportedNames(namespace string) func(string) []string {
	return func(c string) []string {
		return []string{
			"namespace", "monitoring", "pod", "exporter-0", "container", "exporter",
			"exported_namespace", namespace, "exported_pod", "api-1", "exported_container", c,
		}
	}
}

// state adds what kube-state-metrics says: without jitter, and gone when it is gone.
func (f *fixture) state(from, to time.Duration, v float64, name string, pairs ...string) {
	f.add(from, to, false, constant(v), name, append(pairs, "job", "ksm")...)
}

func newFixture() *fixture {
	f := &fixture{rnd: rand.New(rand.NewPCG(1, 2))}
	f.pod(-8*day, 0, plainNames("shop", "web-1"), "app", 100*mib)
	f.pod(-8*day, -4*day, plainNames("shop", "web-0"), "app", 80*mib)
	f.pod(-9*day, -8*day, plainNames("shop", "web-gone"), "app", 80*mib)
	f.pod(-2*day, -2*day+2*time.Minute, plainNames("shop", "backup-1"), "dump", 50*mib)
	f.pod(-1*day, -1*day+35*time.Second, plainNames("shop", "backup-2"), "dump", 60*mib)
	f.pod(-5*time.Hour, -3*time.Hour, plainNames("shop", "backup-3"), "dump", 70*mib)
	f.pod(-1*day, 0, plainNames(oddNamespace, oddPod), oddContainer, 10*mib)
	f.pod(-1*day, 0, plainNames(oddNamespace, "podX$^|xx"), oddContainer, 10*mib)
	f.pod(-2*day, 0, exportedNames("exp"), "api", 30*mib)
	f.pod(-4*day, -2*day, plainNames("mix", "api-1"), "api", 30*mib)
	f.pod(-2*day-time.Minute, 0, exportedNames("mix"), "api", 30*mib)
	f.pod(-1*day, 0, plainNames("monitoring", "exporter-0"), "exporter", 20*mib)
	f.init()
	f.owners()
	f.kills()
	f.throttling()
	f.restarts()
	return f
}

// init adds an init container that was killed once, and a container that it stood before.
func (f *fixture) init() {
	names := plainNames("init", "db-0")
	f.pod(-8*day, 0, names, "pg", 100*mib)
	f.pod(-3*day, -3*day+2*time.Minute, names, "migrate", 40*mib)
	f.state(-8*day, 0, 0, "kube_pod_container_status_restarts_total", names("pg")...)
	f.killedAs("kube_pod_init_container_", names("migrate"), -2*day, 0)
}

func (f *fixture) owners() {
	own := func(metric, kind, name, controller string, pairs ...string) {
		f.state(-6*day, 0, 1, metric, append(pairs, "owner_kind", kind, "owner_name", name, "owner_is_controller", controller)...)
	}
	own("kube_pod_owner", "ReplicaSet", "web-abc", "true", "namespace", "shop", "pod", "web-1")
	own("kube_pod_owner", "Other", "aaa", "false", "namespace", "shop", "pod", "web-1")
	own("kube_pod_owner", "<none>", "<none>", "<none>", "namespace", "shop", "pod", "lonely")
	own("kube_replicaset_owner", "Deployment", "web", "true", "namespace", "shop", "replicaset", "web-abc")
	own("kube_job_owner", "CronJob", "backup", "true", "namespace", "shop", "job_name", "backup-1")
	own("kube_pod_owner", "ReplicaSet", "api-abc", "true",
		"namespace", "monitoring", "pod", "ksm-0", "container", "ksm", "exported_namespace", "exp", "exported_pod", "api-1")
	own("kube_replicaset_owner", "Deployment", "api", "true",
		"namespace", "monitoring", "pod", "ksm-0", "container", "ksm", "exported_namespace", "exp", "replicaset", "api-abc")
	own("kube_job_owner", "<none>", "<none>", "<none>",
		"namespace", "monitoring", "pod", "ksm-0", "exported_namespace", "exp", "job_name", "once")

	// Names that two objects had, one after the other. The later owner is never the first by name.
	moved := func(from, until time.Duration, metric, kind, name string, pairs ...string) {
		f.state(from, until, 1, metric, append(pairs, "owner_kind", kind, "owner_name", name, "owner_is_controller", "true")...)
	}
	moved(-6*day, -3*day, "kube_pod_owner", "Alpha", "db", "namespace", "moved", "pod", "db-0")
	moved(-3*day, 0, "kube_pod_owner", "Omega", "db", "namespace", "moved", "pod", "db-0")
	moved(-3*day, -1*day, "kube_pod_owner", "Omega", "db", "namespace", "monitoring", "pod", "ksm-0", "exported_namespace", "moved", "exported_pod", "db-1")
	moved(-6*day, -3*day, "kube_pod_owner", "Alpha", "db", "namespace", "monitoring", "pod", "ksm-0", "exported_namespace", "moved", "exported_pod", "db-1")
	moved(-6*day, -4*day, "kube_job_owner", "CronJob", "a", "namespace", "moved", "job_name", "once")
	moved(-3*day, -2*day, "kube_job_owner", "CronJob", "b", "namespace", "moved", "job_name", "once")
}

// killed adds a container that is killed once at a time, and was restarted so many times before.
func (f *fixture) killed(names []string, at time.Duration, before float64) {
	f.killedAs("kube_pod_container_", names, at, before)
}

func (f *fixture) killedAs(kind string, names []string, at time.Duration, before float64) {
	f.state(-7*day+time.Hour, at, before, kind+"status_restarts_total", names...)
	f.state(at, 0, before+1, kind+"status_restarts_total", names...)
	f.state(at, 0, 1, kind+"status_last_terminated_reason", append(names, "reason", "OOMKilled")...)
	limit := append(names, "resource", "memory", "unit", "byte")
	f.state(-7*day+time.Hour, at, 100*mib, kind+"resource_limits", limit...)
	f.state(at, 0, 200*mib, kind+"resource_limits", limit...)
}

func (f *fixture) kills() {
	const restarts = "kube_pod_container_status_restarts_total"
	names := func(pod string) []string { return plainNames("shop", pod)("app") }
	f.killed(names("oom-1"), -2*day, 0)
	f.killed(exportedNames("exp")("api"), -1*day, 4)

	// A restart for another reason is no kill, and nor is a kill before the window.
	old := names("oom-old")
	f.state(-8*day, 0, 1, restarts, old...)
	f.state(-8*day, 0, 1, "kube_pod_container_status_last_terminated_reason", append(old, "reason", "OOMKilled")...)
	other := names("crash-1")
	f.state(-7*day, -3*day, 0, restarts, other...)
	f.state(-3*day, 0, 1, restarts, other...)
	f.state(-3*day, 0, 1, "kube_pod_container_status_last_terminated_reason", append(other, "reason", "Error")...)

	// One that is never restarted, and one that is new and was killed before it was first seen.
	job := names("oom-job")
	f.state(-1*day-time.Hour, 0, 0, restarts, job...)
	f.state(-1*day, 0, 1, "kube_pod_container_status_terminated_reason", append(job, "reason", "OOMKilled")...)
	f.state(-1*day-time.Hour, 0, 64*mib, "kube_pod_container_resource_limits_memory_bytes", job...)
	fresh := names("oom-new")
	f.state(-3*day, 0, 3, restarts, fresh...)
	f.state(-3*day, 0, 1, "kube_pod_container_status_last_terminated_reason", append(fresh, "reason", "OOMKilled")...)
}

// write makes a data folder of the fixture, a block a day, and forgets the order that series were added in.
func (f *fixture) write(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	byDay := map[int64][]*rawSeries{}
	for _, s := range f.series {
		for d, points := range splitByDay(s.points) {
			byDay[d] = append(byDay[d], &rawSeries{s.labels, points})
		}
	}
	for _, series := range byDay {
		writeBlock(t, dir, series)
	}
	return dir
}

func splitByDay(points []point) map[int64][]point {
	out := map[int64][]point{}
	for _, p := range points {
		d := p.t / day.Milliseconds()
		out[d] = append(out[d], p)
	}
	return out
}

func writeBlock(t testing.TB, dir string, series []*rawSeries) {
	t.Helper()
	w, err := promtsdb.NewBlockWriter(slog.New(slog.DiscardHandler), dir, day.Milliseconds())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	type sample struct {
		point
		labels labels.Labels
	}
	var all []sample
	for _, s := range series {
		for _, p := range s.points {
			all = append(all, sample{p, s.labels})
		}
	}
	slices.SortStableFunc(all, func(a, b sample) int { return cmp.Compare(a.t, b.t) })
	app := w.Appender(context.Background())
	for _, s := range all {
		if _, err := app.Append(0, s.labels, s.t, s.v); err != nil {
			t.Fatalf("appending to %s: %v", s.labels, err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// at is what PromQL's instant selector gives for a series: its last sample within five minutes.
func (s *rawSeries) at(t time.Time) (float64, bool) {
	ms := t.UnixMilli()
	i, found := slices.BinarySearchFunc(s.points, ms, func(p point, ms int64) int { return cmp.Compare(p.t, ms) })
	if !found {
		i--
	}
	if i < 0 || s.points[i].t <= ms-(5*time.Minute).Milliseconds() || value.IsStaleNaN(s.points[i].v) {
		return 0, false
	}
	return s.points[i].v, true
}

// of lists the series of one container's metric, however they are labelled.
func (f *fixture) of(metric, namespace, pod, container string) []*rawSeries {
	var out []*rawSeries
	for _, s := range f.series {
		own := func(n string) string { return cmp.Or(s.labels.Get("exported_"+n), s.labels.Get(n)) }
		if s.labels.Get(model.MetricNameLabel) == metric && own("namespace") == namespace && own("pod") == pod && own("container") == container {
			out = append(out, s)
		}
	}
	return out
}

// highest files the highest sample before each grid point.
func (s *rawSeries) highest(w recommender.Window, out map[int]float64) {
	for _, p := range s.points {
		after := time.UnixMilli(p.t).Sub(w.Start())
		if k := int((after + w.Step - 1) / w.Step); after > 0 && k <= w.Points() && !value.IsStaleNaN(p.v) {
			out[k] = max(out[k], p.v)
		}
	}
}

const (
	periods   = "container_cpu_cfs_periods_total"
	throttled = "container_cpu_cfs_throttled_periods_total"
)

// quota adds the CPU periods of one life of a container, of which a share is throttled.
func (f *fixture) quota(from, to time.Duration, share float64, names ...string) {
	rising := func(each float64) func(int) float64 { return func(i int) float64 { return float64(i) * each } }
	f.add(from, to, false, rising(300), periods, names...)
	f.add(from, to, false, rising(300*share), throttled, names...)
}

// throttling is of web-1, which two jobs scrape and which was restarted: its cgroup has another id since. Its pod's
// cgroup counts as well, and is not it. api-1 of the exporter is throttled by half.
func (f *fixture) throttling() {
	for _, job := range []string{"kubelet", "kubelet-2"} {
		names := append(plainNames("shop", "web-1")("app"), "job", job)
		f.quota(-8*day, -3*day, 0.2, append(names, "id", "/a")...)
		f.quota(-3*day, 0, 0.6, append(names, "id", "/b")...)
		f.quota(-8*day, 0, 1, append(plainNames("shop", "web-1")(""), "job", job, "id", "/pod")...)
	}
	f.quota(-8*day, -4*day, 0, append(plainNames("shop", "web-0")("app"), "id", "/c")...)
	f.quota(-2*day, 0, 0.5, append(exportedNames("exp")("api"), "id", "/d")...)
}

// restarts is of web-1, which is scraped twice, and whose pod was replaced by one of the same name in between: its
// count begins anew and nothing was restarted then. For a while nobody looked.
func (f *fixture) restarts() {
	const restarts = "kube_pod_container_status_restarts_total"
	for _, replica := range []string{"a", "b"} {
		old := append(plainNames("shop", "web-1")("app"), "uid", "old", "replica", replica)
		f.state(-8*day, -6*day, 3, restarts, old...)
		f.state(-6*day+time.Minute, -4*day, 5, restarts, old...)
		next := append(plainNames("shop", "web-1")("app"), "uid", "new", "replica", replica)
		f.state(-4*day+time.Minute, -3*day, 0, restarts, next...)
		f.state(-3*day+time.Minute, -2*day, 1, restarts, next...)
		f.state(-2*day+time.Hour, 0, 1, restarts, next...)
	}
	f.state(-8*day, 0, 7, restarts, plainNames("shop", "web-0")("app")...)
}
