package e2e

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

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

// TestRetarget moves the targets of an autoscaler and of a ScaledObject as a real API server has them, and patches these
// two, not the autoscaler that KEDA made of the latter.
func TestRetarget(t *testing.T) {
	put(t, "keda.sh/v1alpha1", "ScaledObject", "web", map[string]any{
		"scaleTargetRef": map[string]any{"name": "web"},
		"triggers":       []any{map[string]any{"type": "cpu", "metricType": "Utilization", "metadata": map[string]any{"value": "50", "containerName": "app"}}},
	})
	made := object("autoscaling/v2", "HorizontalPodAutoscaler", "keda-hpa-web", map[string]any{
		"scaleTargetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
		"maxReplicas":    int64(3),
		"metrics": []any{map[string]any{"type": "ContainerResource", "containerResource": map[string]any{
			"name": "cpu", "container": "app", "target": map[string]any{"type": "Utilization", "averageUtilization": int64(50)},
		}}},
	})
	scaled, err := env.cluster.List(context.Background(), cluster.Namespace, schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"})
	if err != nil {
		t.Fatal(err)
	}
	made.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(&scaled.Items[0], schema.GroupVersionKind{Group: "keda.sh", Version: "v1alpha1", Kind: "ScaledObject"})})
	putObject(t, made)
	retarget := append(as(cluster.Tool), "--hpa", "retarget", "--cpu-limit", "none")
	r := reportOf(t, retarget...)
	web := r.container(t, "deployment/web/app").Resources["cpu"]
	if len(r.Retargets) != 2 || r.Retargets[1].Kind != "ScaledObject" || r.Retargets[0].Name != "api" {
		t.Fatalf("retargets %+v; notes %s, %s", r.Retargets, r.container(t, "deployment/web/app").allNotes(), r.container(t, "deployment/api/api").allNotes())
	}
	to := r.Retargets[1]
	if before, after := 0.5*web.Current.Request.Amount, float64(to.To)/100*web.Recommended.Request.Amount; math.Abs(after-before) > 0.01*before {
		t.Errorf("web scaled at %v cores and is to scale at %v: %+v", before, after, to)
	}

	dir := t.TempDir()
	patched := rightsize(t, append(append([]string{"patch"}, retarget...), "--output-dir", dir)...)
	patched.wantCode(t, 0)
	for _, name := range []string{"scaledobject-web.yaml", "horizontalpodautoscaler-api.yaml"} {
		if !strings.Contains(patched.stdout, name) {
			t.Errorf("%s is not written: %s", name, patched.stdout)
		}
	}
	if strings.Contains(patched.stdout, "keda-hpa") {
		t.Errorf("the autoscaler that KEDA made is patched: %s", patched.stdout)
	}
}

// TestVerify has the API server look at patches before they are written, and refuse one for a LimitRange.
func TestVerify(t *testing.T) {
	args := append([]string{"patch", "deployment/web"}, as(cluster.Admin, "--guards", "none", "--memory-limit", "max*3")...)
	dir := filepath.Join(t.TempDir(), "out")
	rightsize(t, append(args, "--verify", "--output-dir", dir)...).wantCode(t, 0)
	before := reportOf(t, as(cluster.Admin, "deployment/web")...)

	// The tool's account may not do it in earnest.
	r := rightsize(t, append([]string{"patch", "deployment/web", "--verify", "--output-dir", dir + "-2"}, as(cluster.Tool)...)...)
	r.wantCode(t, 0)
	r.wantStderr(t, "not verified, for want of a right", "cannot patch resource")

	put(t, "v1", "LimitRange", "pods", map[string]any{"limits": []any{map[string]any{"type": "Pod", "max": map[string]any{"memory": "64Mi"}}}})
	r = rightsize(t, append(args, "--verify", "--output-dir", dir+"-3")...)
	r.wantCode(t, 1)
	r.wantStderr(t, "deployment/web, namespace shop: the API server refuses it: a pod of it", "maximum memory usage per Pod is 64Mi", "nothing is written")
	if _, err := os.Stat(dir + "-3"); !os.IsNotExist(err) {
		t.Errorf("something is written: %v", err)
	}
	after := reportOf(t, as(cluster.Admin, "deployment/web")...)
	if b, a := before.container(t, "deployment/web/app"), after.container(t, "deployment/web/app"); b.Resources["memory"].Current != a.Resources["memory"].Current {
		t.Errorf("a dry run has changed the workload: %v, %v", b.Resources["memory"].Current, a.Resources["memory"].Current)
	}
}

// TestRoom has a quota that is too small for what is recommended, and pods that no node has room for.
func TestRoom(t *testing.T) {
	put(t, "v1", "ResourceQuota", "tight", map[string]any{"hard": map[string]any{"requests.memory": "1Gi", "limits.cpu": "1000"}})
	r := reportOf(t, as(cluster.Tool)...)
	if !strings.Contains(r.everything(), "ResourceQuota tight allows 1Gi of requests.memory") || strings.Contains(r.everything(), "larger-than-nodes") {
		t.Errorf("notes %s", r.everything())
	}
	r = reportOf(t, as(cluster.Tool, "--guards", "none", "--cpu-limit", "none", "--memory-request", "max*1000", "--memory-limit", "request", "deployment/web")...)
	proxy := r.container(t, "deployment/web/proxy")
	for code, resource := range map[string]string{"larger-than-nodes": "memory", "quota-exceeded": "memory"} {
		if !slices.Contains(proxy.notes(resource), code) {
			t.Errorf("no note %s: %s", code, proxy.allNotes())
		}
	}
	if slices.Contains(proxy.notes("cpu"), "outside-quota") {
		t.Errorf("a LimitRange fills the limit in that the quota counts: %s", proxy.allNotes())
	}
	if !strings.Contains(proxy.allNotes(), "at most 16 and 64Gi") {
		t.Errorf("the nodes' room is not named: %s", proxy.allNotes())
	}
	rightsize(t, as(cluster.Viewer, "--log-level", "info")...).wantStderr(t, "not allowed to list nodes of the cluster")
}

// TestQoSClass compares the class of a workload's pods with what the API server says of pods that it has, and changes it.
func TestQoSClass(t *testing.T) {
	now := map[string]string{} // by workload
	pods, err := env.cluster.List(context.Background(), cluster.Namespace, schema.GroupVersionResource{Version: "v1", Resource: "pods"})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods.Items {
		class, _, _ := unstructured.NestedString(pod.Object, "status", "qosClass")
		now[pod.GetLabels()["app"]] = class
	}
	r := reportOf(t, as(cluster.Tool, "--cpu-limit", "request", "--memory-limit", "request", "--guards", "none")...)
	compared := 0
	for _, c := range r.Containers {
		if class := now[c.Workload]; class != "" {
			compared++
			if c.QoS.Now != class {
				t.Errorf("%s: class %q, the API server has %q", c.name(), c.QoS.Now, class)
			}
		}
	}
	if compared == 0 {
		t.Errorf("no workload was compared: pods of %v", now)
	}
	web := r.container(t, "deployment/web/proxy")
	if web.QoS.After != "Guaranteed" {
		t.Errorf("requests that equal limits give %q: %s", web.QoS.After, web.allNotes())
	}
}

// everything is all notes of the report.
func (r report) everything() string {
	var all []string
	for _, c := range r.Containers {
		all = append(all, c.allNotes())
	}
	return strings.Join(all, "\n")
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
	putObject(t, object(apiVersion, kind, name, spec))
}

// object is one of the shop's namespace.
func object(apiVersion, kind, name string, spec map[string]any) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	obj.SetAPIVersion(apiVersion)
	obj.SetKind(kind)
	obj.SetNamespace(cluster.Namespace)
	obj.SetName(name)
	return obj
}

func putObject(t *testing.T, obj *unstructured.Unstructured) {
	t.Helper()
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
