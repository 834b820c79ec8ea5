package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// TestFromLiveMetrics compares what the real kube-state-metrics tells with what the API server lists: every workload is there with
// the same replicas, and what was admitted is what is declared, or the row says that it may not be. The pods of all earlier
// ReplicaSets, which have been gone for up to a week, lead to their Deployments in both.
func TestFromLiveMetrics(t *testing.T) {
	until := scrapedMinute(t)
	at := []string{"-n", cluster.Namespace, "--until", until.Format(time.RFC3339), "--step", "1m", "--rate-window", "5m"}
	from := fromPrometheus(env.prometheus.URL())
	listed := reportOf(t, slices.Concat(at, from, []string{"--kubeconfig", env.cluster.Kubeconfig(cluster.Tool)})...)
	seen := reportOf(t, slices.Concat(at, from, []string{"--from-metrics"})...)
	if got, want := seen.names(), listed.names(); !slices.Equal(got, want) {
		t.Fatalf("the report has\n%q, listed\n%q", got, want)
	}
	if seen.Ownership != listed.Ownership || seen.Ownership.ByOwner < len(env.past.Pods)/2 || seen.Ownership.ByName > 0 {
		t.Errorf("ownership %+v, listed %+v", seen.Ownership, listed.Ownership)
	}
	same := 0
	for _, name := range listed.names() {
		l, s := listed.container(t, name), seen.container(t, name)
		if l.Replicas != s.Replicas {
			t.Errorf("%s has %d replicas, listed %d", name, s.Replicas, l.Replicas)
		}
		for _, resource := range []string{"cpu", "memory"} {
			if slices.Contains(s.notes(resource), "as-admitted") {
				continue
			}
			same++
			declared, there := l.Resources[resource], s.Resources[resource]
			if declared.Current != there.Current || declared.Evidence != there.Evidence {
				t.Errorf("%s of %s: %+v, listed %+v", resource, name, there, declared)
			}
			kept := slices.Contains(s.notes(resource), "autoscaled")
			if want := slices.Contains(l.notes(resource), "autoscaled"); kept != want {
				t.Errorf("%s of %s is kept for its autoscaler: %t, listed %t: %s", resource, name, kept, want, s.allNotes())
			}
		}
	}
	if same == 0 {
		t.Error("no row is as declared: there is nothing that this test compares")
	}
}

// scrapedMinute is the first whole minute at which Prometheus had scraped kube-state-metrics itself: the history has other
// metrics of it only.
func scrapedMinute(t *testing.T) time.Time {
	t.Helper()
	const settled = 5 * time.Second // after which no scrape of an earlier time is under way
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		minute := time.Now().Add(-settled).UTC().Truncate(time.Minute)
		err := cluster.Found(ctx, env.prometheus.URL(), `kube_deployment_created{namespace="shop"}`, minute)
		if err == nil {
			return minute
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("kube-state-metrics is not scraped: %v", err)
		}
	}
}
