package e2e

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/e2e/history"
)

// TestOwnership has kube-state-metrics miss all pods, or some: then the cluster's objects tell whose the live ones are,
// and names whose those are that went with their ReplicaSets. The numbers are the same each time.
func TestOwnership(t *testing.T) {
	want := reportOf(t, as(cluster.Tool)...)
	pods := want.Ownership.ByOwner
	live, nLive, gone := livePods(t), 0, 0
	for _, p := range env.past.Pods {
		if live[p.Name] {
			nLive++
		} else if p.Until.After(env.until.Add(-7 * 24 * time.Hour)) {
			gone++
		}
	}
	if nLive+gone != pods {
		t.Fatalf("%d pods are live and %d gone, but the report counts %d", nLive, gone, pods)
	}
	for name, c := range map[string]struct {
		missed func(history.Pod) bool
		counts func() (byOwner, byObject, byName int)
	}{
		"all are missed":      {func(history.Pod) bool { return true }, func() (int, int, int) { return 0, nLive, gone }},
		"the live are missed": {func(p history.Pod) bool { return live[p.Name] }, func() (int, int, int) { return gone, nLive, 0 }},
		"the gone are missed": {func(p history.Pod) bool { return !live[p.Name] }, func() (int, int, int) { return nLive, 0, gone }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "blocks")
			if err := env.past.Unrecorded(c.missed).WriteBlocks(context.Background(), dir); err != nil {
				t.Fatal(err)
			}
			got := reportOf(t, append(append(fromCluster(cluster.Tool), atUntil()...), "--tsdb", dir)...)
			o := got.Ownership
			byOwner, byObject, byName := c.counts()
			if o.ByOwner != byOwner || o.ByObject != byObject || o.ByName != byName || o.Ambiguous != 0 || o.Unknown != 0 {
				t.Errorf("ownership %+v, want %d by owner, %d by object and %d by name", o, byOwner, byObject, byName)
			}
			for _, name := range want.names() {
				for _, resource := range []string{"cpu", "memory"} {
					g, w := got.container(t, name).Resources[resource].Evidence, want.container(t, name).Resources[resource].Evidence
					if g != w {
						t.Errorf("%s of %s: %+v, want %+v", resource, name, g, w)
					}
				}
			}
		})
	}
}

// livePods are the names of the pods in the cluster.
func livePods(t *testing.T) map[string]bool {
	t.Helper()
	pods, err := env.cluster.Pods(context.Background(), cluster.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, p := range pods {
		names[p.Name] = true
	}
	return names
}
