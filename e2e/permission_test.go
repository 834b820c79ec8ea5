package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// listed is what the command lists, as RBAC names it.
func listed() []string {
	return []string{
		"deployments.apps", "statefulsets.apps", "daemonsets.apps", "cronjobs.batch", "jobs.batch", "replicasets.apps", "pods",
	}
}

// others are the kinds that it lists where the API server knows them, as it does here.
func others() []string {
	return []string{"rollouts.argoproj.io", "deploymentconfigs.apps.openshift.io"}
}

// surrounding is what it lists besides, which bears on workloads.
func surrounding() []string {
	return []string{"limitranges", "resourcequotas", "horizontalpodautoscalers.autoscaling", "verticalpodautoscalers.autoscaling.k8s.io", "scaledobjects.keda.sh"}
}

func TestPermissions(t *testing.T) {
	whole := reportOf(t, as(cluster.Admin)...)

	t.Run("the tool's own rights are enough", func(t *testing.T) {
		r := rightsize(t, as(cluster.Tool, "-o", "json")...)
		r.wantCode(t, 0)
		if r.stderr != "" {
			t.Errorf("stderr is not empty: %s", r.stderr)
		}
		if got := r.report(t).names(); !slices.Equal(got, whole.names()) {
			t.Errorf("the report has %q, want %q", got, whole.names())
		}
	})
	t.Run("in all namespaces too", func(t *testing.T) {
		args := slices.Concat([]string{"-A", "--kubeconfig", env.cluster.Kubeconfig(cluster.Tool)}, fromPrometheus(env.prometheus.URL()), atUntil())
		reportOf(t, args...).container(t, "deployment/web/app")
	})
	t.Run("the viewer's rights are enough", func(t *testing.T) {
		if got := reportOf(t, as(cluster.Viewer)...).names(); !slices.Equal(got, whole.names()) {
			t.Errorf("the report has %q, want %q", got, whole.names())
		}
	})
	t.Run("without jobs the rest is there", func(t *testing.T) {
		r := rightsize(t, as(cluster.Partial, "-o", "json")...)
		r.wantCode(t, 3)
		r.wantStderr(t, "the report is not complete: not allowed to list cronjobs.batch, jobs.batch")
		r.wantStderr(t, append(append(surrounding(), others()...), "cronjobs.batch", "jobs.batch", "namespace shop")...)
		for _, allowed := range []string{"deployments", "pods"} {
			if strings.Contains(r.stderr, "list "+allowed) {
				t.Errorf("stderr names %s, which is allowed: %s", allowed, r.stderr)
			}
		}
		want := slices.DeleteFunc(whole.names(), func(name string) bool {
			return strings.HasPrefix(name, "job/") || strings.HasPrefix(name, "cronjob/")
		})
		if got := r.report(t).names(); !slices.Equal(got, want) {
			t.Errorf("the report has %q, want %q", got, want)
		}
	})
	t.Run("without any right each is named", func(t *testing.T) {
		r := rightsize(t, as(cluster.Nobody)...)
		r.wantCode(t, 1)
		r.wantErrors(t, append(listed(), "grant list on", "namespace shop")...)
	})
	t.Run("without rights on all namespaces", func(t *testing.T) {
		args := slices.Concat([]string{"-A", "--kubeconfig", env.cluster.Kubeconfig(cluster.Partial)}, fromPrometheus(env.prometheus.URL()))
		r := rightsize(t, args...)
		r.wantCode(t, 1)
		r.wantErrors(t, append(listed(), "all namespaces")...)
	})
}

// What the tool asks the API server for is what its ClusterRole in manifests/cluster.yaml allows, and no more:
// nothing was refused, nothing but lists and single objects read.
func TestToolOnlyReads(t *testing.T) {
	requests := requestsOf(t, func() { reportOf(t, as(cluster.Tool)...) })
	var resources []string
	for _, r := range requests {
		if r.Resource == "" {
			continue // what it knows, which everybody may ask
		}
		if r.Code != 200 || r.Verb != "list" && r.Verb != "get" {
			t.Errorf("the tool asked for %s %s and got %d", r.Verb, r.URI, r.Code)
		}
		resources = append(resources, r.Resource)
	}
	slices.Sort(resources)
	want := slices.Concat(listed(), others(), surrounding(), []string{"nodes"})
	slices.Sort(want)
	if got := slices.Compact(resources); !slices.Equal(got, want) {
		t.Errorf("the tool read %q, want %q", got, want)
	}
}

// requestsOf are the requests that the tool's service account makes of the API server meanwhile.
func requestsOf(t *testing.T, act func()) []cluster.Request {
	t.Helper()
	before, err := env.cluster.ToolRequests()
	if err != nil {
		t.Fatal(err)
	}
	act()
	after, err := env.cluster.ToolRequests()
	if err != nil {
		t.Fatal(err)
	}
	return after[len(before):]
}
