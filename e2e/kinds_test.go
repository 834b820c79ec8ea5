package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/e2e/history"
	"github.com/rightsize/rightsize/e2e/shop"
)

// kinds is a namespace of others' kinds, and its history; both are gone when the test ends.
func kinds(t *testing.T) (past history.History, args func(cluster.User, ...string) []string) {
	t.Helper()
	ctx := context.Background()
	t.Cleanup(func() {
		if err := shop.DeleteKinds(ctx, env.cluster); err != nil {
			t.Error(err)
		}
	})
	if err := shop.CreateKinds(ctx, env.cluster); err != nil {
		t.Fatal(err)
	}
	past, err := shop.KindsPast(ctx, env.cluster, env.until)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "kinds")
	if err := past.WriteBlocks(ctx, folder); err != nil {
		t.Fatal(err)
	}
	return past, func(u cluster.User, more ...string) []string {
		return slices.Concat([]string{"-n", shop.KindsNamespace, "--kubeconfig", env.cluster.Kubeconfig(u), "--tsdb", folder}, atUntil(), more)
	}
}

// What is no kind of Kubernetes's own stands in the report by its own kind and name, with the usage of all pods below it,
// and is patched where its template is, as far as anybody knows that.
func TestKinds(t *testing.T) {
	past, args := kinds(t)
	all := reportOf(t, args(cluster.Admin)...)
	names := []string{
		"rollout/api/api", "postgrescluster/db/postgres", "kafka/log/kafka", "deployment/pooled/one", "deployment/pooled/two",
		"rollout/web/app", "rollout/web/istio-proxy", "rollout/web/migrate", "rollout/web/tail",
	}
	if got := all.names(); !slices.Equal(got, names) {
		t.Fatalf("the report has %q, want %q", got, names)
	}
	if len(all.Warnings) > 0 || all.Ownership.ByOwner != len(past.Pods) {
		t.Errorf("of %d pods %+v, warnings %q", len(past.Pods), all.Ownership, all.Warnings)
	}
	for name, owner := range map[string]history.Owner{
		"rollout/api/api": {Kind: "Rollout", Name: "api"}, "rollout/web/app": {Kind: "Rollout", Name: "web"}, "rollout/web/tail": {Kind: "Rollout", Name: "web"},
		"rollout/web/istio-proxy": {Kind: "Rollout", Name: "web"}, "postgrescluster/db/postgres": {Kind: "StatefulSet", Name: "db-instance1"},
		"kafka/log/kafka": {Kind: "StrimziPodSet", Name: "log-kafka"},
	} {
		c := all.container(t, name)
		c.wantFormula(t, "memory", memoryFormula(t, past, owner.Kind, owner.Name, c.Container))
	}
	t.Run("notes", func(t *testing.T) {
		for name, text := range map[string]string{
			"rollout/web/istio-proxy":     "annotations of their template: sidecar.istio.io/proxyMemory and sidecar.istio.io/proxyMemoryLimit",
			"postgrescluster/db/postgres": "belongs to PostgresCluster db",
			"kafka/log/kafka":             "belongs to Kafka log",
			"deployment/pooled/one":       "(spec.resources: requests.memory 1Gi, limits.memory 1Gi), which its containers share: request left as it is",
		} {
			if c := all.container(t, name); !strings.Contains(c.allNotes(), text) {
				t.Errorf("%s has no note %q: %s", name, text, c.allNotes())
			}
		}
		if proxy := all.container(t, "rollout/web/istio-proxy").Resources["cpu"].Current.Request; proxy.Amount != 0.1 {
			t.Errorf("the proxy requests %+v, want what its pods do", proxy)
		}
	})
	t.Run("runs of an init container", func(t *testing.T) {
		c := all.container(t, "rollout/web/migrate")
		memory := c.Resources["memory"]
		if !c.Init || c.Runs != shop.KindsInitRuns || memory.Evidence.Samples != shop.KindsInitRuns || len(c.OOMKills) != 1 {
			t.Errorf("init %t, %d runs, %d samples of memory, OOM kills %v; want those of %d runs, and one kill", c.Init, c.Runs, memory.Evidence.Samples, c.OOMKills, shop.KindsInitRuns)
		}
		// About 300Mi in each run, and 1.2 times the limit of 400Mi that one was killed at.
		request, limit := memory.Recommended.Request.Amount, memory.Recommended.Limit.Amount
		if request < 200<<20 || request > 450<<20 || limit < 480<<20 || !slices.Contains(c.notes("memory"), "oom-killed") {
			t.Errorf("memory %v to %v: %s", request, limit, c.allNotes())
		}
	})
	t.Run("patched where the template is", func(t *testing.T) { patchKinds(t, args) })
	t.Run("the pod's own resources hold", func(t *testing.T) { pooledKinds(t, args) })
	t.Run("without rights on operators' kinds", func(t *testing.T) {
		r := rightsize(t, args(cluster.Tool, "-o", "json")...)
		r.wantCode(t, 0)
		r.wantStderr(t, "not allowed to list strimzipodsets.core.strimzi.io in namespace kinds: what they belong to is not known, and they stand for it; grant list on strimzipodsets.core.strimzi.io")
		r.report(t).container(t, "strimzipodset/log-kafka/kafka")
		r.report(t).container(t, "postgrescluster/db/postgres")
	})
	t.Run("by the name of a part", func(t *testing.T) {
		if got := reportOf(t, args(cluster.Admin, "statefulset/db-instance1")...).names(); !slices.Equal(got, names[1:2]) {
			t.Errorf("the report has %q", got)
		}
	})
}

// patchKinds patches what can be, has Argo's CRD and admission look at it, applies it, and finds nothing left.
func patchKinds(t *testing.T, args func(cluster.User, ...string) []string) {
	all := []string{"--min-change", "0%", "--min-change-cpu", "0", "--min-change-memory", "0"}
	dir := t.TempDir()
	workloads, err := shop.KindsWorkloads()
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"base/kustomization.yaml": "resources: [kinds.yaml]\n", "base/kinds.yaml": string(workloads),
		"prod/kustomization.yaml": "resources: [../base]\ncomponents: [../rightsize]\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, path), []byte(text))
	}
	r := rightsize(t, slices.Concat([]string{"patch", "--verify", "--output-dir", filepath.Join(dir, "rightsize")}, args(cluster.Admin, all...))...)
	r.wantCode(t, 0)
	for _, name := range []string{"rollout-web.yaml", "deployment-api-template.yaml", "deployment-pooled.yaml"} {
		if !strings.Contains(r.stdout, name) {
			t.Errorf("%s is not written: %s", name, r.stdout)
		}
	}
	for _, name := range []string{"rollout-api", "postgres", "kafka", "statefulset"} {
		if strings.Contains(r.stdout, name) {
			t.Errorf("something of %s is written: %s", name, r.stdout)
		}
	}
	r.wantStderr(t, "kinds/rollout/web/istio-proxy is not patched: it is injected into the pods",
		"kinds/postgrescluster/db/postgres is not patched: PostgresCluster db has its resources", "kinds/kafka/log/kafka is not patched")
	for _, obj := range build(t, filepath.Join(dir, "prod")) {
		if err := env.cluster.Apply(context.Background(), asJSON(t, obj)); err != nil {
			t.Errorf("the API server refuses what the component makes of it: %v", err)
		}
	}
	after := reportOf(t, args(cluster.Admin)...)
	for _, name := range []string{"rollout/api/api", "rollout/web/app", "rollout/web/migrate", "rollout/web/tail"} {
		for resource, a := range after.container(t, name).Resources {
			if a.Current != a.Recommended {
				t.Errorf("%s: the %s is %+v, want %+v", name, resource, a.Current, a.Recommended)
			}
		}
	}
	again := rightsize(t, slices.Concat([]string{"patch", "--output-dir", filepath.Join(dir, "again")}, args(cluster.Admin, all...))...)
	again.wantCode(t, 0)
	again.wantStderr(t, "nothing to change")
}

// pooledKinds shows that the API server refuses what the guard keeps the patch from.
func pooledKinds(t *testing.T, args func(cluster.User, ...string) []string) {
	bare := reportOf(t, args(cluster.Admin, "--guards", "none", "deployment/pooled")...)
	one := bare.container(t, "deployment/pooled/one")
	if !slices.Contains(one.notes("memory"), "outside-pod-resources") {
		t.Errorf("the bare formula has no note outside-pod-resources: %s", one.allNotes())
	}
	dir := filepath.Join(t.TempDir(), "unguarded")
	r := rightsize(t, append([]string{"patch", "--verify", "--output-dir", dir}, args(cluster.Admin, "--guards", "none", "deployment/pooled")...)...)
	r.wantCode(t, 0)
	r.wantStderr(t, "kinds/deployment/pooled/one: memory is left as it is: Kubernetes would refuse what is recommended")
	pod := object("v1", "Pod", "greedy", map[string]any{
		"resources": map[string]any{"requests": map[string]any{"memory": "1Gi"}, "limits": map[string]any{"memory": "1Gi"}},
		"containers": []any{
			map[string]any{"name": "one", "image": "x", "resources": map[string]any{"requests": map[string]any{"memory": "800Mi"}}},
			map[string]any{"name": "two", "image": "x", "resources": map[string]any{"requests": map[string]any{"memory": "300Mi"}}},
		},
	})
	if _, err := env.cluster.DryRun(context.Background(), pod); err == nil || !strings.Contains(err.Error(), "aggregate container requests") {
		t.Errorf("a pod whose containers request more than it does gives %v, want it refused", err)
	}
}
