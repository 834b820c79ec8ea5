package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// TestFromMetrics compares the report on what kube-state-metrics tells with that on what the API server lists: it is the
// same, but for what was changed on the way into the cluster, and says so there. No cluster is asked.
func TestFromMetrics(t *testing.T) {
	listed := reportOf(t, as(cluster.Tool)...)
	seen := reportOf(t, slices.Concat([]string{"-n", cluster.Namespace, "--from-metrics"}, fromPrometheus(env.prometheus.URL()), atUntil())...)
	withoutPods := map[string]bool{"deployment/unseen/app": true, "cronjob/report/report": true, "job/migrate/migrate": true}
	var want []string
	for _, name := range listed.names() {
		if !withoutPods[name] {
			want = append(want, name)
		}
	}
	if got := seen.names(); !slices.Equal(got, want) {
		t.Fatalf("the report has\n%q, want\n%q", got, want)
	}
	admitted := 0
	for _, name := range want {
		l, s := listed.container(t, name), seen.container(t, name)
		for _, resource := range []string{"cpu", "memory"} {
			declared, there := l.Resources[resource], s.Resources[resource]
			if slices.Contains(s.notes(resource), "as-admitted") {
				if declared.Current != there.Current { // else it is declared as what the LimitRange would fill in
					admitted++
				}
				continue
			}
			if declared.Current != there.Current || declared.Recommended != there.Recommended || declared.Evidence != there.Evidence {
				t.Errorf("%s of %s: %+v, listed %+v", resource, name, there, declared)
			}
			if !slices.Equal(codesWithout(l.notes(resource), "qos-class", "limit-range-default"), codesWithout(s.notes(resource), "qos-class", "limit-range-default")) {
				t.Errorf("%s of %s: notes %s, listed %s", resource, name, s.allNotes(), l.allNotes())
			}
		}
		if l.Replicas != s.Replicas {
			t.Errorf("%s has %d replicas, listed %d", name, s.Replicas, l.Replicas)
		}
	}
	if admitted == 0 {
		t.Error("a LimitRange fills in what is not declared, and nothing says so")
	}
	if !strings.Contains(strings.Join(seen.Warnings, "\n"), "no pod of cronjob/report, deployment/unseen is there") {
		t.Errorf("warnings %q", seen.Warnings)
	}
	rightsize(t, slices.Concat([]string{"patch", "-n", cluster.Namespace, "--from-metrics", "--output-dir", "out"}, fromPrometheus(env.prometheus.URL()))...).wantCode(t, 2)
}

func codesWithout(codes []string, left ...string) (kept []string) {
	for _, c := range codes {
		if !slices.Contains(left, c) {
			kept = append(kept, c)
		}
	}
	return kept
}
