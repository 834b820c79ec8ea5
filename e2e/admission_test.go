package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// TestSurroundings has a real API server with an autoscaler and a LimitRange from the start, and gives it a
// VerticalPodAutoscaler and a LimitRange in the way of what is recommended.
func TestSurroundings(t *testing.T) {
	before := reportOf(t, as(cluster.Tool)...)
	api := before.container(t, "deployment/api/api")
	if !slices.Contains(api.notes("cpu"), "autoscaled") || slices.Contains(api.notes("memory"), "autoscaled") {
		t.Errorf("the autoscaler of api scales on cpu: notes %s", api.allNotes())
	}
	ignored := reportOf(t, as(cluster.Tool, "--hpa", "ignore")...)
	if c := ignored.container(t, "deployment/api/api"); slices.Contains(c.notes("cpu"), "autoscaled") {
		t.Errorf("--hpa ignore: notes %s", c.allNotes())
	}

	put(t, "autoscaling.k8s.io/v1", "VerticalPodAutoscaler", "web", map[string]any{
		"targetRef":    map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
		"updatePolicy": map[string]any{"updateMode": "Recreate"},
	})
	put(t, "v1", "LimitRange", "large", map[string]any{
		"limits": []any{map[string]any{"type": "Container", "min": map[string]any{"memory": "1Gi"}}},
	})
	after := reportOf(t, as(cluster.Tool)...)
	web := after.container(t, "deployment/web/proxy")
	for _, code := range []string{"limit-range", "vpa-conflict"} {
		if !slices.Contains(web.notes("memory"), code) {
			t.Errorf("no note %s: %s", code, web.allNotes())
		}
	}
	if !strings.Contains(web.allNotes(), "1Gi, the min of LimitRange large") {
		t.Errorf("the LimitRange is not named: %s", web.allNotes())
	}
}

// TestHeap has a template whose JVM may take more than it took in the week that Prometheus knows.
func TestHeap(t *testing.T) {
	manifest := filepath.Join(t.TempDir(), "web.yaml")
	err := os.WriteFile(manifest, []byte(`apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: app
        image: web
        args: [-Xmx1536m, -jar, web.jar]
        resources: {limits: {memory: 8Gi}}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	r := reportOf(t, append(append(atUntil(), fromPrometheus(env.prometheus.URL())...), "-n", cluster.Namespace, "-f", manifest)...)
	app := r.container(t, "deployment/web/app")
	if !slices.Contains(app.notes("memory"), "runtime-heap") || !strings.Contains(app.allNotes(), "to 2Gi: -Xmx in the command lets the heap take 1.5Gi") {
		t.Errorf("notes %s", app.allNotes())
	}
}

// put applies an object to the shop's namespace until the test's end.
func put(t *testing.T, apiVersion, kind, name string, spec map[string]any) {
	t.Helper()
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	obj.SetAPIVersion(apiVersion)
	obj.SetKind(kind)
	obj.SetNamespace(cluster.Namespace)
	obj.SetName(name)
	manifest, err := obj.MarshalJSON()
	if err == nil {
		err = env.cluster.Apply(context.Background(), manifest)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.cluster.Delete(context.Background(), obj); err != nil {
			t.Error(err)
		}
	})
}
