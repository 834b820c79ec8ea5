package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/workload"
)

const mi = 1 << 20

// manifests declare what the reports of these tests are about: api is too small, web too big, and blog is another
// namespace.
const manifests = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec: {replicas: 2, template: {spec: {containers: [{name: api, resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 1, memory: 128Mi}}}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {replicas: 2, template: {spec: {containers: [{name: app, resources: {requests: {cpu: 2, memory: 2Gi}, limits: {cpu: 4, memory: 4Gi}}}, {name: proxy}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: web, namespace: shop}
spec: {schedule: "0 * * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: run}]}}}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: front, namespace: blog}
spec: {replicas: 1, template: {spec: {containers: [{name: front, resources: {requests: {cpu: 2, memory: 2Gi}}}]}}}
`

func week() recommender.Window {
	return recommender.Window{Until: time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC), Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
}

// usage is a week around 200m and 160Mi.
func usage() recommender.History {
	var h recommender.History
	for r, middle := range [recommender.NumResources]float64{recommender.CPU: 0.2, recommender.Memory: 160 * mi} {
		u := &h.Usage[r]
		var samples []float64
		for k := range 2016 {
			samples = append(samples, middle*(0.5+float64(k)/2016))
		}
		u.Samples = recommender.Pool(samples)
		u.Covered, u.Pods, u.Running = 7*24*time.Hour, 2, 2
		u.Peak = recommender.Peak{Value: middle * 1.6, Pod: "api-1", At: week().Until.Add(-time.Hour)}
	}
	return h
}

// found is what a scan of the manifests finds.
func found(t testing.TB) Found {
	t.Helper()
	file := filepath.Join(t.TempDir(), "all.yaml")
	if err := os.WriteFile(file, []byte(manifests), 0o600); err != nil {
		t.Fatal(err)
	}
	inventory, err := workload.Load(context.Background(), []string{file}, workload.Options{Namespace: "default"})
	if err != nil {
		t.Fatal(err)
	}
	selection, err := inventory.Select(workload.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	var result scan.Result
	for _, c := range selection.Containers {
		h := usage()
		if c.ID.Kind == "CronJob" {
			h = recommender.History{}
		}
		result.Items = append(result.Items, scan.Item{Recommendation: recommender.Recommend(c, h, recommender.DefaultPolicy())})
	}
	return Found{report.New(result, report.Source{Kind: "prometheus", Address: "http://prometheus:9090", Read: "query_range"}, week(), recommender.DefaultPolicy()), selection.Workloads}
}

// finds is a scan that always finds the same.
func finds(f Found) Scan {
	return func(context.Context, Peers) (Found, error) { return f, nil }
}

// fails is a scan that fails.
func fails(reason Reason, text string) Scan {
	return func(context.Context, Peers) (Found, error) { return Found{}, Failure{reason, errors.New(text)} }
}

// server is one that has not scanned.
func server(scan Scan, change ...func(*Options)) *Server {
	o := Options{Scan: scan, Interval: time.Hour, MaxAge: 24 * time.Hour, GracePeriod: 10 * time.Second, MaxSeries: 1000, Log: slog.New(slog.DiscardHandler), Version: "v1.2.3"}
	for _, c := range change {
		c(&o)
	}
	return New(o)
}

// scanned is a server that has scanned once.
func scanned(t testing.TB, scan Scan, change ...func(*Options)) *Server {
	t.Helper()
	s := server(scan, change...)
	if _, stopped := s.scanOnce(context.Background()); stopped {
		t.Fatal("the scan was stopped")
	}
	return s
}

// get asks the server, with headers as pairs of a name and a value.
func get(s *Server, path string, headers ...string) *httptest.ResponseRecorder {
	return ask(s, http.MethodGet, path, headers...)
}

func ask(s *Server, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func wantStatus(t *testing.T, s *Server, path string, want int) string {
	t.Helper()
	w := get(s, path)
	if w.Code != want {
		t.Errorf("GET %s: %d, want %d: %s", path, w.Code, want, w.Body)
	}
	return w.Body.String()
}

func wantText(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}

// lacking is a report of which the first n containers could not be read.
func lacking(f Found, n int) Found {
	f.Report.Items = append([]scan.Item(nil), f.Report.Items...)
	for i := range n {
		f.Report.Items[i] = scan.Item{Recommendation: recommender.Recommendation{Container: f.Report.Items[i].Container}, Err: fmt.Errorf("reading cpu: 503")}
	}
	return f
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(w, nil)) }
