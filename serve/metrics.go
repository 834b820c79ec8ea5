package serve

import (
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

// metrics are the server's own, in a registry of their own. docs/serve.md lists them, and a test compares.
type metrics struct {
	registry *prometheus.Registry

	scans    *prometheus.CounterVec
	failures *prometheus.CounterVec
	inARow   prometheus.Gauge
	took     prometheus.Histogram
	lastTook prometheus.Gauge
	samples  prometheus.Counter
	queries  *prometheus.CounterVec // to Prometheus
	calls    *prometheus.CounterVec // to the API server
	requests *prometheus.HistogramVec
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		scans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rightsize_scans_total",
			Help: "Scans that have ended, by result: complete, partial (shown with what it lacks) or failed.",
		}, []string{"result"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rightsize_scan_failures_total",
			Help: "Scans that have failed, by reason.",
		}, []string{"reason"}),
		inARow: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "rightsize_failed_scans_in_a_row",
			Help: "Scans that have failed since the last good one.",
		}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "rightsize_scan_duration_seconds",
			Help: "How long scans took, failed ones too.", Buckets: []float64{1, 3, 10, 30, 60, 120, 300, 600, 1200, 1800},
		}),
		lastTook: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "rightsize_last_scan_duration_seconds",
			Help: "How long the last scan took, failed or not.",
		}),
		samples: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rightsize_samples_read_total",
			Help: "Samples that recommendations were made from.",
		}),
		queries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rightsize_queries_total",
			Help: "Requests to Prometheus, by the status code of the answer; none where there was no answer.",
		}, []string{"code"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rightsize_kubernetes_requests_total",
			Help: "Requests to the API server, by the status code of the answer; none where there was no answer.",
		}, []string{"code"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rightsize_http_request_duration_seconds",
			Help: "How long requests to rightsize took, by route and status code.", Buckets: []float64{.005, .025, .1, .5, 2, 10},
		}, []string{"route", "code"}),
	}
	for _, r := range results() {
		m.scans.WithLabelValues(r)
	}
	for _, r := range reasons() {
		m.failures.WithLabelValues(string(r))
	}
	interval := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "rightsize_scan_interval_seconds", Help: "From the beginning of a scan to that of the next, where none fails.",
	})
	interval.Set(s.options.Interval.Seconds())
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "rightsize_build_info", Help: "1, for its labels.",
		ConstLabels: prometheus.Labels{"version": s.options.Version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.scans, m.failures, m.inARow, m.took, m.lastTook, m.samples, m.queries, m.calls, m.requests, interval, build, newShown(s),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// ended counts a scan; failures are those in a row.
func (m *metrics) ended(a attempt, r report.Report, failures int) {
	m.scans.WithLabelValues(a.Result).Inc()
	m.inARow.Set(float64(failures))
	if a.Failure != nil {
		m.failures.WithLabelValues(string(a.Failure.Reason)).Inc()
	}
	m.took.Observe(a.Took.Seconds())
	m.lastTook.Set(a.Took.Seconds())
	n := 0
	for _, item := range r.Items {
		for res := range recommender.NumResources {
			n += item.Evidence[res].Samples
		}
	}
	m.samples.Add(float64(n))
}

// shown collects what the report that is shown says. Its age is computed at each scrape; without a report there is none.
type shown struct {
	server               *Server
	age, left, container *prometheus.Desc
}

func newShown(s *Server) shown {
	return shown{
		s,
		prometheus.NewDesc("rightsize_report_age_seconds", "Time since the scan began that made the report that is served. Absent while there is none.", nil, nil),
		prometheus.NewDesc("rightsize_series_left_out", "Series of recommendations that are not exported, since there are more than --max-series.", nil, nil),
		prometheus.NewDesc("rightsize_report_containers", "Containers of the report that is served, by how far the worse of their resources got.", []string{"status"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c shown) Describe(to chan<- *prometheus.Desc) {
	to <- c.age
	to <- c.left
	to <- c.container
	for _, d := range valueDescs() {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c shown) Collect(to chan<- prometheus.Metric) {
	latest := c.server.latest.Load()
	if latest == nil {
		return
	}
	to <- prometheus.MustNewConstMetric(c.age, prometheus.GaugeValue, time.Since(latest.made).Seconds())
	to <- prometheus.MustNewConstMetric(c.left, prometheus.GaugeValue, float64(latest.leftOut))
	counts := map[report.Status]int{}
	for _, item := range latest.Report.Items {
		counts[worstOf(item)]++
	}
	for _, s := range statuses() {
		to <- prometheus.MustNewConstMetric(c.container, prometheus.GaugeValue, float64(counts[s]), string(s))
	}
	for _, m := range latest.series {
		to <- m
	}
}

// statuses are those of report, from good to bad.
func statuses() []report.Status {
	return []report.Status{report.OK, report.Exempt, report.TooLittleData, report.NoData, report.Failed}
}

func worstOf(item scan.Item) report.Status {
	worst := 0
	for r := range recommender.NumResources {
		worst = max(worst, slices.Index(statuses(), report.StatusOf(item, r)))
	}
	return statuses()[worst]
}

// valueLabels are those of a recommendation. They are the workload's: a scrape needs honor_labels to keep them.
func valueLabels() []string {
	return []string{"namespace", "workload_kind", "workload", "container", "resource"}
}

// valueDescs are of what is recommended and what is declared, each request and limit. Units are cores and bytes.
func valueDescs() []*prometheus.Desc {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help+", in cores or bytes.", valueLabels(), nil)
	}
	return []*prometheus.Desc{
		desc("rightsize_recommended_request", "Recommended request of a container"),
		desc("rightsize_recommended_limit", "Recommended limit of a container"),
		desc("rightsize_current_request", "Declared request of a container"),
		desc("rightsize_current_limit", "Declared limit of a container"),
	}
}

// seriesOf are the series of a report, up to most of them, and how many are left out. Containers are whole or left out,
// those first whose changes matter most, so that what is in danger is always there. A value that is not set, or not
// advised, has no series.
func seriesOf(r report.Report, most int) (series []prometheus.Metric, leftOut int) {
	r.View = report.View{Sort: report.BySeverity}
	descs := valueDescs()
	seen := map[recommender.ID]bool{}
	full := false
	for _, item := range r.Shown() {
		key := item.ID
		key.Cluster = ""
		if item.Err != nil || seen[key] {
			continue // two of the same labels would fail the whole scrape
		}
		seen[key] = true
		own := seriesOfItem(item, descs)
		if full = full || len(series)+len(own) > most; full {
			leftOut += len(own)
			continue
		}
		series = append(series, own...)
	}
	return series, leftOut
}

func seriesOfItem(item scan.Item, descs []*prometheus.Desc) (series []prometheus.Metric) {
	for r := range recommender.NumResources {
		advice, spec := item.Advice[r].Bounds, item.Spec[r]
		for i, v := range []recommender.Value{advice.Request, advice.Limit, spec.Request, spec.Limit} {
			amount, set := v.Amount()
			if !set {
				continue
			}
			labels := []string{item.ID.Namespace, item.ID.Kind, item.ID.Workload, item.ID.Container, r.String()}
			for l := range labels {
				labels[l] = strings.ToValidUTF8(labels[l], "?")
			}
			if m, err := prometheus.NewConstMetric(descs[i], prometheus.GaugeValue, amount, labels...); err == nil {
				series = append(series, m)
			}
		}
	}
	return series
}

// tooOld compares the report's age with --max-report-age.
func (s *Server) tooOld(n *snapshot) bool {
	return time.Since(n.made) > s.options.MaxAge
}

// age is for people: to the minute, and to the second below one.
func age(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Second).String()
	}
	return recommender.ShortDuration(d.Truncate(time.Minute))
}
