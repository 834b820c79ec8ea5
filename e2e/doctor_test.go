package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// findings are doctor's JSON.
type findings struct {
	SchemaVersion, Source, Status string
	Checks                        []struct{ Name, Status, Found, Do string }
}

func doctorSays(t *testing.T, code int, args ...string) findings {
	t.Helper()
	r := rightsize(t, append([]string{"doctor", "-o", "json"}, args...)...)
	r.wantCode(t, code)
	var out findings
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("reading the findings: %v\n%s", err, r.stdout)
	}
	return out
}

// want fails the test unless a check has a status, and its texts these words.
func (f findings) want(t *testing.T, name, status string, words ...string) {
	t.Helper()
	for _, c := range f.Checks {
		if c.Name != name {
			continue
		}
		text := c.Found + " / " + c.Do
		if c.Status != status || slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			t.Errorf("%s is %s: %s, want %s: %q", name, c.Status, text, status, words)
		}
		return
	}
	t.Errorf("%s is not checked: %v", name, f.Checks)
}

func TestDoctor(t *testing.T) {
	t.Run("Prometheus 3", func(t *testing.T) {
		f := doctorSays(t, 0, as(cluster.Tool)...)
		f.want(t, "server", "ok")
		f.want(t, "version", "ok", "prometheus 3.")
		f.want(t, "labels", "ok")
		f.want(t, "retention", "ok", "7d")
		f.want(t, "gaps", "ok")
		f.want(t, "clusters", "ok")
		f.want(t, "kube-state-metrics", "ok")
		f.want(t, "remote read", "ok")
		f.want(t, "permissions", "ok")
	})
	t.Run("a window that is too long", func(t *testing.T) {
		f := doctorSays(t, 3, as(cluster.Tool, "--window", "30d")...)
		f.want(t, "retention", "problem", "usage begins at ", "give --window ")
	})
	t.Run("what may be listed", func(t *testing.T) {
		f := doctorSays(t, 3, as(cluster.Partial)...)
		f.want(t, "permissions", "problem", "cronjobs.batch, jobs.batch", "grant list on cronjobs.batch, jobs.batch")
		f = doctorSays(t, 3, as(cluster.Nobody)...)
		f.want(t, "permissions", "problem", append(listed(), "limitranges", "nodes")...)
	})
	t.Run("nobody there", func(t *testing.T) {
		f := doctorSays(t, 1, slices.Concat(fromCluster(cluster.Tool), fromPrometheus("http://127.0.0.1:1"))...)
		f.want(t, "server", "failed", "connection refused")
		f.want(t, "permissions", "ok")
	})
	for _, b := range []struct {
		name, backend string
		start         func(context.Context) (*cluster.Server, error)
	}{
		{"VictoriaMetrics", "victoriametrics", startVictoriaMetrics},
		{"Thanos", "thanos", startThanos},
	} {
		t.Run(b.name, func(t *testing.T) {
			server, err := b.start(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Stop)
			args := slices.Concat(fromCluster(cluster.Tool), fromPrometheus(server.URL()), atUntil())
			f := doctorSays(t, 3, args...)
			f.want(t, "version", "problem", b.backend, "give --backend "+b.backend)
			f = doctorSays(t, 0, append(args, "--backend", b.backend)...)
			f.want(t, "version", "ok", b.backend)
			f.want(t, "retention", "ok")
			f.want(t, "remote read", "note", "none")
		})
	}
}
