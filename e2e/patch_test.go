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
	"github.com/rightsize/rightsize/e2e/shop"
)

// Report, patch, apply, report: what the component says is what the API server takes, and with the same --until
// nothing is left to change.
func TestPatchRoundTrip(t *testing.T) {
	before, err := shop.Workloads(shop.Version)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.cluster.Apply(context.Background(), before); err != nil {
			t.Error(err)
		}
	})
	all := as(cluster.Tool, "--min-change", "0%", "--min-change-cpu", "0", "--min-change-memory", "0")
	for name, policy := range map[string][]string{
		"strategic":          {"--patch-type", "strategic"},
		"json6902":           {"--patch-type", "json6902"},
		"strategic, removed": {"--patch-type", "strategic", "--cpu-limit", "none"},
		"json6902, removed":  {"--patch-type", "json6902", "--cpu-limit", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := patchedShop(t, before)
			component := filepath.Join(dir, "rightsize")
			r := rightsize(t, slices.Concat([]string{"patch", "--output-dir", component}, policy, all)...)
			r.wantCode(t, 0)
			r.wantStderr(t, "pod/toolbox: Kubernetes refuses other resources for a Pod that is there already")
			if !strings.Contains(r.stdout, "deployment-web.yaml") {
				t.Errorf("no patch of web was written: %s", r.stdout)
			}
			for _, obj := range build(t, filepath.Join(dir, "prod")) {
				applyPatched(t, obj)
			}
			nothingToChange(t, reportOf(t, as(cluster.Tool, policy[2:]...)...))
			again := rightsize(t, slices.Concat([]string{"patch", "--output-dir", filepath.Join(dir, "again"), "deployment/web", "statefulset/db"}, policy, all)...)
			again.wantCode(t, 0)
			again.wantStderr(t, "nothing to change")
			if err := env.cluster.Apply(context.Background(), before); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// patchedShop is a folder with the shop as a kustomize base, and an overlay that adds a component rightsize.
func patchedShop(t *testing.T, workloads []byte) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"base/kustomization.yaml": "resources: [shop.yaml]\n",
		"base/shop.yaml":          string(workloads),
		"prod/kustomization.yaml": "resources: [../base]\ncomponents: [../rightsize]\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, path), []byte(text))
	}
	return dir
}

// applyPatched applies an object. A bare Pod that runs is what the API server does not let anybody resize so.
func applyPatched(t *testing.T, obj *unstructured.Unstructured) {
	t.Helper()
	err := env.cluster.Apply(context.Background(), asJSON(t, obj))
	if obj.GetKind() == "Pod" {
		if err == nil || !strings.Contains(err.Error(), "pod updates may not change fields") {
			t.Errorf("applying a pod with other resources: %v, want a refusal", err)
		}
		return
	}
	if err != nil {
		t.Errorf("the API server refuses what the component makes of it: %v", err)
	}
}

// nothingToChange fails the test where something is recommended that is not declared.
func nothingToChange(t *testing.T, r report) {
	t.Helper()
	changed := 0
	for _, c := range r.Containers {
		for resource, a := range c.Resources {
			for side, pair := range map[string][2]amount{
				"request": {a.Current.Request, a.Recommended.Request}, "limit": {a.Current.Limit, a.Recommended.Limit},
			} {
				if pair[1].State == "no-advice" || c.Kind == "Pod" {
					continue
				}
				changed++
				if pair[0] != pair[1] {
					t.Errorf("%s: the %s %s is %+v, want %+v", c.name(), resource, side, pair[0], pair[1])
				}
			}
		}
	}
	if changed < 20 {
		t.Errorf("only %d values were recommended: %v", changed, slices.Sorted(slices.Values(r.names())))
	}
}
