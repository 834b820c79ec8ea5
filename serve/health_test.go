package serve

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Readiness asks for a young report and no shutdown; what else it knows it tells. The other probes ask for nothing.
func TestProbes(t *testing.T) {
	good := found(t)
	old := func(s *Server) { n := *s.latest.Load(); n.made = time.Now().Add(-25 * time.Hour); s.latest.Store(&n) }
	for name, c := range map[string]struct {
		scan   Scan
		change func(*Server)
		want   int
		not    []string // checks that fail
	}{
		"a report":           {finds(good), func(*Server) {}, 200, nil},
		"none yet":           {fails(Prometheus, "no"), func(*Server) {}, 503, []string{"report", "report-age", "last-scan"}},
		"too old":            {finds(good), old, 503, []string{"report-age"}},
		"stopping":           {finds(good), func(s *Server) { s.stopping.Store(true) }, 503, []string{"shutdown"}},
		"a dead Prometheus":  {finds(good), func(s *Server) { s.peers.Prometheus.answered(0, "connection refused") }, 200, []string{"prometheus"}},
		"a refusing one":     {finds(good), func(s *Server) { s.peers.Prometheus.answered(422, "") }, 200, nil},
		"a broken API":       {finds(good), func(s *Server) { s.peers.Kubernetes.answered(500, "") }, 200, []string{"kubernetes"}},
		"failures since":     {finds(good), func(s *Server) { s.options.Scan = fails(TimedOut, "late"); s.scanOnce(t.Context()) }, 200, []string{"last-scan"}},
		"old, and failures":  {finds(good), func(s *Server) { old(s); s.options.Scan = fails(TimedOut, "late"); s.scanOnce(t.Context()) }, 503, []string{"report-age", "last-scan"}},
		"partly, but shown":  {finds(lacking(good, 1)), func(*Server) {}, 200, nil},
		"most of it is lost": {finds(lacking(good, 4)), func(*Server) {}, 503, []string{"report", "report-age", "last-scan"}},
	} {
		s := scanned(t, c.scan)
		c.change(s)
		w := get(s, "/health/ready")
		var body health
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		var names, not []string
		for _, check := range body.Checks {
			names = append(names, check.Name)
			if !check.OK {
				not = append(not, check.Name)
			}
		}
		if w.Code != c.want || (body.Status == "ok") != (c.want == 200) || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.want)
		}
		if diff := cmp.Diff(c.not, not); diff != "" {
			t.Errorf("%s: what fails differs (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff([]string{"report", "report-age", "shutdown", "last-scan", "prometheus", "kubernetes"}, names); diff != "" {
			t.Errorf("%s: the checks differ (-want +got):\n%s", name, diff)
		}
		for _, path := range []string{"/health/live", "/health/started"} {
			if w := get(s, path); w.Code != http.StatusOK {
				t.Errorf("%s: %s gives %d", name, path, w.Code)
			}
		}
	}
}

// The example in docs/serve.md is a body as it is.
func TestHealthIsDocumented(t *testing.T) {
	var example, real health
	if err := json.Unmarshal([]byte(block(t, "json")), &example); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(get(scanned(t, finds(found(t))), "/health/ready").Body.Bytes(), &real); err != nil {
		t.Fatal(err)
	}
	for i := range real.Checks {
		if i >= len(example.Checks) || example.Checks[i].Name != real.Checks[i].Name || example.Checks[i].Required != real.Checks[i].Required {
			t.Errorf("check %d is %+v, documented are %+v", i, real.Checks[i], example.Checks)
		}
	}
}
