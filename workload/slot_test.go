package workload

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSlots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "all.yaml")
	text := `apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 0 * * *"
  jobTemplate: {spec: {template: {spec: {containers: [{name: a}, {name: b, resources: {limits: {cpu: 0.5}}}]}}}}
---
apiVersion: v1
kind: Pod
metadata: {name: lone, namespace: own}
spec:
  containers: [{name: app, resources: {}}]
  initContainers: [{name: first}, {name: proxy, restartPolicy: Always, resources: {requests: {memory: 1000000000}, claims: [{name: nic}]}}]
`
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	inv, err := Load(t.Context(), []string{path}, Options{Namespace: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]Slot{
		"cronjob/nightly": {
			{List: []string{"spec", "jobTemplate", "spec", "template", "spec", "containers"}},
			{List: []string{"spec", "jobTemplate", "spec", "template", "spec", "containers"}, Index: 1, Before: []string{"a"}, Resources: map[string]any{"limits": map[string]any{"cpu": 0.5}}},
		},
		"pod/lone": {
			{List: []string{"spec", "containers"}, Resources: map[string]any{}},
			{List: []string{"spec", "initContainers"}, Resources: map[string]any(nil)},
			{List: []string{"spec", "initContainers"}, Index: 1, Before: []string{"first"}, Resources: map[string]any{
				"requests": map[string]any{"memory": int64(1000000000)}, "claims": []any{map[string]any{"name": "nic"}},
			}},
		},
	}
	for _, w := range inv.Workloads {
		if !reflect.DeepEqual(w.Slots, want[w.String()]) {
			t.Errorf("%s: slots %+v, want %+v", w, w.Slots, want[w.String()])
		}
		if w.Unqualified != (w.Kind == "CronJob") || !slices.Contains([]string{"batch/v1", "v1"}, w.APIVersion) {
			t.Errorf("%s: %s, unqualified %v", w, w.APIVersion, w.Unqualified)
		}
	}
	if got := want["pod/lone"][2].Pointer(); got != "/spec/initContainers/1" {
		t.Errorf("Pointer = %q", got)
	}
}

// TestSlotsOfLiveObjects: what the API server has is as a manifest of it would be.
func TestSlotsOfLiveObjects(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	cpu := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("0.5")}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "lone"}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "app"}},
		InitContainers: []corev1.Container{{Name: "first"}, {Name: "proxy", RestartPolicy: &always, Resources: corev1.ResourceRequirements{
			Requests: cpu, Claims: []corev1.ResourceClaim{{Name: "nic", Request: "one"}},
		}}},
	}}
	w, ok := declared(pod, true)
	want := []Slot{
		{List: []string{"spec", "containers"}},
		{List: []string{"spec", "initContainers"}},
		{List: []string{"spec", "initContainers"}, Index: 1, Before: []string{"first"}, Resources: map[string]any{
			"requests": map[string]any{"cpu": "500m"}, "claims": []any{map[string]any{"name": "nic", "request": "one"}},
		}},
	}
	if !ok || w.Unqualified || w.APIVersion != "v1" || !reflect.DeepEqual(w.Slots, want) {
		t.Errorf("slots %+v, want %+v", w.Slots, want)
	}
}
