package e2e

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/e2e/history"
	"github.com/rightsize/rightsize/e2e/shop"
)

// The numbers are those of all pods of the week, and change as computed where those of earlier rollouts are not
// there.
func TestEarlierRolloutsCount(t *testing.T) {
	today := env.past.Without(shop.Gone)
	folder := filepath.Join(t.TempDir(), "today")
	if err := today.WriteBlocks(context.Background(), folder); err != nil {
		t.Fatal(err)
	}
	all := reportOf(t, as(cluster.Tool)...)
	left := reportOf(t, append(atUntil(), append(fromCluster(cluster.Tool), "--tsdb", folder)...)...)
	for _, c := range []struct{ deployment, container string }{{"web", "app"}, {"web", "proxy"}, {"api", "api"}, {"api-v2", "api"}} {
		name := "deployment/" + c.deployment + "/" + c.container
		t.Run(name, func(t *testing.T) {
			for resource, work := range map[string]func(*testing.T, history.History, string, string, string) formula{
				"memory": memoryFormula, "cpu": cpuFormula,
			} {
				want, wantLeft := work(t, env.past, "Deployment", c.deployment, c.container), work(t, today, "Deployment", c.deployment, c.container)
				if want == wantLeft {
					t.Fatalf("the history is no test: with and without earlier pods it gives %+v", want)
				}
				all.container(t, name).wantFormula(t, resource, want)
				left.container(t, name).wantFormula(t, resource, wantLeft)
			}
		})
	}
}

// What the formula says of the rest, which has no earlier rollouts: several series of one container, restarts,
// pods without a controller.
func TestFormulaByTheBook(t *testing.T) {
	r := reportOf(t, as(cluster.Tool)...)
	for _, c := range []struct{ kind, workload, container, name string }{
		{"DaemonSet", "agent", "agent", "daemonset/agent/agent"},
		{"StatefulSet", "db", "postgres", "statefulset/db/postgres"},
		{"ReplicaSet", "legacy", "app", "replicaset/legacy/app"},
		{"Deployment", "plain", "app", "deployment/plain/app"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.container(t, c.name).wantFormula(t, "memory", memoryFormula(t, env.past, c.kind, c.workload, c.container))
			r.container(t, c.name).wantFormula(t, "cpu", cpuFormula(t, env.past, c.kind, c.workload, c.container))
		})
	}
}
