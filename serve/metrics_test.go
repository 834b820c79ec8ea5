package serve

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// block is the first fenced block of that language in docs/serve.md.
func block(t *testing.T, language string) string {
	t.Helper()
	_, rest, ok := strings.Cut(readDoc(t), "\n```"+language+"\n")
	text, _, ends := strings.Cut(rest, "\n```")
	if !ok || !ends {
		t.Fatalf("docs/serve.md has no block of %s", language)
	}
	return text
}

// busy is a server of which every metric has a value.
func busy(t *testing.T) *Server {
	t.Helper()
	s := scanned(t, finds(found(t)))
	s.peers.Prometheus.answered(200, "")
	s.peers.Kubernetes.answered(0, "timeout")
	get(s, "/")
	return s
}

func gathered(t *testing.T, s *Server) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := s.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*dto.MetricFamily{}
	for _, f := range families {
		all[f.GetName()] = f
	}
	return all
}

// promlint has no objection.
func TestMetricsLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(busy(t).metrics.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "rightsize_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// docs/serve.md lists each metric with its labels, and no others.
func TestMetricsAreDocumented(t *testing.T) {
	documented := map[string][]string{}
	for line := range strings.Lines(readDoc(t)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`rightsize_") {
			continue
		}
		labels := []string{}
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cells[2], -1) {
			labels = append(labels, m[1])
		}
		documented[strings.Trim(cells[1], " `")] = sorted(labels)
	}
	exported := map[string][]string{}
	for name, f := range gathered(t, busy(t)) {
		if !strings.HasPrefix(name, "rightsize_") {
			continue
		}
		labels := []string{}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		exported[name] = sorted(labels)
	}
	if diff := cmp.Diff(exported, documented); diff != "" {
		t.Errorf("docs/serve.md differs (-exported +documented):\n%s", diff)
	}
	for _, value := range append(results(), reasonNames()...) {
		if !strings.Contains(readDoc(t), value) {
			t.Errorf("docs/serve.md does not name %s", value)
		}
	}
}

func reasonNames() (names []string) {
	for _, r := range reasons() {
		names = append(names, string(r))
	}
	return names
}

// Each result and reason is there from the start, so that increase() sees the first one.
func TestCountersBeginAtZero(t *testing.T) {
	s := server(finds(found(t)))
	all := gathered(t, s)
	if n, m := len(all["rightsize_scans_total"].GetMetric()), len(all["rightsize_scan_failures_total"].GetMetric()); n != len(results()) || m != len(reasons()) {
		t.Errorf("there are %d results and %d reasons", n, m)
	}
	if all["rightsize_report_age_seconds"] != nil || all["rightsize_recommended_limit"] != nil {
		t.Error("there is an age or a recommendation without a report")
	}
}

func TestMetricsOfScans(t *testing.T) {
	f := found(t)
	s := scanned(t, finds(f))
	s.options.Scan = finds(lacking(f, 1))
	s.scanOnce(t.Context())
	s.options.Scan = fails(Kubernetes, "403")
	for want := range 3 {
		if got := testutil.ToFloat64(s.metrics.inARow); got != float64(want) {
			t.Errorf("%v scans in a row have failed, want %d", got, want)
		}
		s.scanOnce(t.Context())
	}
	for _, c := range []struct {
		got  float64
		want float64
		what string
	}{
		{testutil.ToFloat64(s.metrics.scans.WithLabelValues(complete)), 1, "complete"},
		{testutil.ToFloat64(s.metrics.scans.WithLabelValues(partial)), 1, "partial"},
		{testutil.ToFloat64(s.metrics.scans.WithLabelValues(failed)), 3, "failed"},
		{testutil.ToFloat64(s.metrics.failures.WithLabelValues("kubernetes")), 3, "of kubernetes"},
		{testutil.ToFloat64(s.metrics.samples), (4 + 3) * 2 * 2016, "samples"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
	counts := map[string]float64{}
	for _, m := range gathered(t, s)["rightsize_report_containers"].GetMetric() {
		counts[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
	}
	if diff := cmp.Diff(map[string]float64{"ok": 3, "exempt": 0, "too-little-data": 0, "no-data": 1, "error": 1}, counts); diff != "" {
		t.Errorf("containers by status differ (-want +got):\n%s", diff)
	}
	s.options.Scan = finds(f)
	s.scanOnce(t.Context())
	if got := testutil.ToFloat64(s.metrics.inARow); got != 0 {
		t.Errorf("after a good scan %v in a row have failed", got)
	}
}

// The age is that of the moment of the scrape.
func TestReportAge(t *testing.T) {
	s := scanned(t, finds(found(t)))
	n := *s.latest.Load()
	n.made = time.Now().Add(-3 * time.Hour)
	s.latest.Store(&n)
	first := gathered(t, s)["rightsize_report_age_seconds"].GetMetric()[0].GetGauge().GetValue()
	second := gathered(t, s)["rightsize_report_age_seconds"].GetMetric()[0].GetGauge().GetValue()
	if first < 3*3600 || second <= first {
		t.Errorf("the age is %v and then %v, want more than 3h, growing", first, second)
	}
}

// Values are in cores and bytes, under the labels of what they are for; those that are not set have no series.
func TestRecommendationSeries(t *testing.T) {
	all := gathered(t, scanned(t, finds(found(t))))
	got := map[string]float64{}
	for _, name := range []string{"rightsize_recommended_request", "rightsize_current_request", "rightsize_current_limit"} {
		for _, m := range all[name].GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			got[strings.TrimPrefix(name, "rightsize_")+" "+strings.Join(labels, " ")] = m.GetGauge().GetValue()
		}
	}
	for series, want := range map[string]float64{
		"recommended_request api shop cpu api Deployment":    0.2,
		"recommended_request api shop memory api Deployment": 160 * mi,
		"current_limit api shop memory api Deployment":       128 * mi,
		"current_request front blog cpu front Rollout":       2,
	} {
		if got[series] != want {
			t.Errorf("%s is %v, want %v of %v", series, got[series], want, got)
		}
	}
	for series := range got {
		if strings.HasPrefix(series, "current_request proxy") || strings.HasPrefix(series, "recommended_request run") {
			t.Errorf("there is a series %s of what is not set", series)
		}
	}
}

// Beyond the cap containers are left out whole, counted and told, those first that matter least.
func TestMaxSeries(t *testing.T) {
	r := found(t).Report
	whole, none := seriesOf(r, 1000)
	if none != 0 || len(whole) < 20 {
		t.Fatalf("%d series, %d left out", len(whole), none)
	}
	for most := range len(whole) + 2 {
		some, left := seriesOf(r, most)
		if len(some) > most || len(some)+left != len(whole) {
			t.Errorf("of %d at most %d: %d, and %d left out", len(whole), most, len(some), left)
		}
	}
	var log strings.Builder
	s := scanned(t, finds(found(t)), func(o *Options) { o.MaxSeries, o.Log = 8, logTo(&log) })
	names := containersOfSeries(gathered(t, s)["rightsize_recommended_limit"])
	if diff := cmp.Diff([]string{"api"}, names); diff != "" {
		t.Errorf("what matters most is left out (-want +got):\n%s", diff)
	}
	wantText(t, "the log", log.String(), fmt.Sprintf("%d series of recommendations are not exported", len(whole)-8), "--max-series is 8")
}

func containersOfSeries(f *dto.MetricFamily) (names []string) {
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "container" && !slices.Contains(names, l.GetValue()) {
				names = append(names, l.GetValue())
			}
		}
	}
	return names
}

// Containers of one name in two clusters, and names that are no text, do not fail the scrape of all others.
func TestOddSeries(t *testing.T) {
	f := found(t)
	first := f.Report.Items[1]
	twin, odd := first, first
	twin.ID.Cluster = "other"
	odd.ID.Workload = "\xff"
	f.Report.Items = append(f.Report.Items, twin, odd, scan.Item{Recommendation: recommender.Recommendation{Container: first.Container}})
	s := scanned(t, finds(f))
	if all := gathered(t, s); len(all["rightsize_current_limit"].GetMetric()) == 0 {
		t.Error("nothing is exported")
	}
}
