package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// The report covers each workload of every kind, once.
func TestReportHasEveryKind(t *testing.T) {
	want := []string{
		"daemonset/agent/agent", "deployment/api/api", "deployment/api-v2/api", "statefulset/db/postgres", "deployment/fresh/app",
		"replicaset/legacy/app", "job/migrate/migrate", "deployment/plain/app", "cronjob/report/report", "pod/toolbox/shell",
		"deployment/unseen/app", "deployment/web/app", "deployment/web/proxy",
	}
	if got := reportOf(t, as(cluster.Tool)...).names(); !slices.Equal(got, want) {
		t.Errorf("the report has\n%q, want\n%q", got, want)
	}
}

// A server and a folder of the same blocks, a cluster and its objects in a file: one report.
func TestServerAndFolderAgree(t *testing.T) {
	objects := filepath.Join(t.TempDir(), "objects.json")
	writeObjects(t, objects)
	want := withoutSource(t, rightsize(t, as(cluster.Tool, "-o", "json")...))
	for name, dir := range map[string]string{
		"blocks alone":                  env.blocks,
		"the data of a live Prometheus": env.prometheusData(),
	} {
		t.Run(name, func(t *testing.T) {
			got := withoutSource(t, rightsize(t, append(atUntil(), "-n", cluster.Namespace, "-f", objects, "--tsdb", dir, "-o", "json")...))
			for field := range want {
				if string(got[field]) != string(want[field]) {
					t.Errorf("%s differs: from the folder\n%s\nfrom the server\n%s", field, got[field], want[field])
				}
			}
		})
	}
}

// withoutSource is a JSON report without what may differ: where it was read from.
func withoutSource(t *testing.T, r result) map[string]json.RawMessage {
	t.Helper()
	r.wantCode(t, 0)
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(r.stdout), &fields); err != nil {
		t.Fatalf("reading the report: %v", err)
	}
	delete(fields, "source")
	return fields
}

// writeObjects writes all objects of the namespace into a file, as kubectl get -o json does.
func writeObjects(t *testing.T, path string) {
	t.Helper()
	var items []any
	for _, r := range []schema.GroupVersionResource{
		{Group: "apps", Version: "v1", Resource: "deployments"},
		{Group: "apps", Version: "v1", Resource: "statefulsets"},
		{Group: "apps", Version: "v1", Resource: "daemonsets"},
		{Group: "apps", Version: "v1", Resource: "replicasets"},
		{Group: "batch", Version: "v1", Resource: "cronjobs"},
		{Group: "batch", Version: "v1", Resource: "jobs"},
		{Version: "v1", Resource: "pods"},
		{Version: "v1", Resource: "limitranges"},
		{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"},
		{Group: "autoscaling.k8s.io", Version: "v1", Resource: "verticalpodautoscalers"},
	} {
		list, err := env.cluster.List(context.Background(), cluster.Namespace, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range list.Items {
			items = append(items, item.Object)
		}
	}
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What the history has in store for single containers comes out of the report.
func TestReportTellsWhatHappened(t *testing.T) {
	r := reportOf(t, as(cluster.Tool)...)
	t.Run("an OOM kill", func(t *testing.T) {
		c := r.container(t, "statefulset/db/postgres")
		if len(c.OOMKills) != 2 {
			t.Fatalf("has %d kills, want 2: %+v", len(c.OOMKills), c.OOMKills)
		}
		for _, k := range c.OOMKills {
			if k.Pod != "db-0" || k.Limit != 4<<30 {
				t.Errorf("kill %+v, want one of db-0 at a limit of 4Gi", k)
			}
		}
		if !slices.Contains(c.notes("memory"), "oom-killed") {
			t.Errorf("has no note oom-killed: %s", c.allNotes())
		}
	})
	t.Run("three hours of data", func(t *testing.T) {
		if c := r.container(t, "deployment/fresh/app"); !slices.Contains(c.notes("memory"), "too-little-data") {
			t.Errorf("has no note too-little-data: %s", c.allNotes())
		}
	})
	t.Run("one run of a Job", func(t *testing.T) {
		c := r.container(t, "job/migrate/migrate")
		if c.Runs != 1 || !slices.Contains(c.notes("cpu"), "too-little-data") {
			t.Errorf("has %d runs and the notes %s, want 1 and too-little-data", c.Runs, c.allNotes())
		}
	})
	t.Run("runs of a CronJob", func(t *testing.T) {
		c := r.container(t, "cronjob/report/report")
		if c.Runs != 28 || c.Resources["cpu"].Recommended.Request.State != "set" {
			t.Errorf("has %d runs, want 28 with a CPU request: %s", c.Runs, c.allNotes())
		}
	})
	t.Run("no data", func(t *testing.T) {
		c := r.container(t, "deployment/unseen/app")
		if s := c.Resources["memory"].Status; s != "no-data" {
			t.Errorf("status is %q, want no-data: %s", s, c.allNotes())
		}
	})
	if o := r.Ownership; o.ByName != 0 || o.Ambiguous != 0 || o.Unknown != 0 {
		t.Errorf("kube-state-metrics knew all owners, but the report says %+v", o)
	}
}
