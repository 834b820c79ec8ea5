package e2e

import (
	"cmp"
	"context"
	"math"
	"testing"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// Each backend gives the report that Prometheus 3 gives, within the share that its formulas may differ by.
func TestBackends(t *testing.T) {
	want := reportOf(t, as(cluster.Tool)...)
	for _, b := range []struct {
		name     string
		start    func(context.Context) (*cluster.Server, error)
		backend  string  // for --backend; empty for Prometheus
		cpu, mem float64 // shares
		slack    int     // pods too many: its labels are those of the whole day that the window begins in
	}{
		// No sample of the history lies on the grid, where 2.42 would count it twice.
		{name: "Prometheus 2.42", start: startPrometheus242},
		// Its rate begins at the last sample before the window: measured, 0.5 % off, and 1.6 % for a run of a quarter
		// of an hour.
		{name: "VictoriaMetrics", start: startVictoriaMetrics, backend: "victoriametrics", cpu: 0.03, mem: 0.001, slack: 4},
		{name: "Thanos", start: startThanos, backend: "thanos"},
	} {
		t.Run(b.name, func(t *testing.T) {
			server, err := b.start(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Stop)
			got := reportOf(t, append(as(cluster.Tool, "--backend", cmp.Or(b.backend, "prometheus")), fromPrometheus(server.URL())...)...)
			sameReport(t, got, want, b.slack, map[string]float64{"cpu": b.cpu, "memory": b.mem})
		})
	}
}

func startPrometheus242(ctx context.Context) (*cluster.Server, error) {
	data, err := env.copyBlocks("prometheus-2.42")
	if err != nil {
		return nil, err
	}
	return env.cluster.Prometheus242(ctx, data)
}

func startVictoriaMetrics(ctx context.Context) (*cluster.Server, error) {
	return startVictoriaMetricsWith(ctx)
}

func startVictoriaMetricsWith(ctx context.Context, flags ...string) (*cluster.Server, error) {
	server, err := env.cluster.VictoriaMetrics(ctx, flags...)
	if err != nil {
		return nil, err
	}
	if err := env.past.Import(ctx, server.URL()); err != nil {
		return nil, err
	}
	return server, cluster.Found(ctx, server.URL(), lastSeries, env.until)
}

func startThanos(ctx context.Context) (*cluster.Server, error) {
	return env.cluster.Thanos(ctx, env.prometheus, env.prometheusData(), lastSeries, env.until)
}

// lastSeries is there at the end of the window.
const lastSeries = `container_memory_working_set_bytes{namespace="shop",pod="toolbox",container="shell"}`

// sameReport fails the test unless two reports agree: containers, what became of them, and numbers but for a
// share of each and for so many pods.
func sameReport(t *testing.T, got, want report, slack int, share map[string]float64) {
	t.Helper()
	if more := got.Ownership.ByOwner - want.Ownership.ByOwner; 0 <= more && more <= slack {
		got.Ownership.ByOwner = want.Ownership.ByOwner
	}
	if got.Ownership != want.Ownership {
		t.Errorf("ownership is %+v, want %+v", got.Ownership, want.Ownership)
	}
	if g, w := got.names(), want.names(); len(g) != len(w) {
		t.Fatalf("the report has %q, want %q", g, w)
	}
	for i, w := range want.Containers {
		g := got.Containers[i]
		if g.name() != w.name() || g.Error != w.Error || g.Runs != w.Runs || len(g.OOMKills) != len(w.OOMKills) {
			t.Errorf("%s: error %q, %d runs, %d kills; want %s: %q, %d, %d",
				g.name(), g.Error, g.Runs, len(g.OOMKills), w.name(), w.Error, w.Runs, len(w.OOMKills))
		}
		for resource, s := range share {
			sameAdvice(t, resource+" of "+w.name(), g.Resources[resource], w.Resources[resource], s, unit(resource))
		}
	}
}

// unit is what amounts are rounded up to: a millicore or a mebibyte.
func unit(resource string) float64 {
	if resource == "cpu" {
		return 0.001
	}
	return 1 << 20
}

// sameAdvice allows for a unit more where there is a share at all: a hair's breadth can make that of rounding.
func sameAdvice(t *testing.T, name string, got, want advice, share, unit float64) {
	t.Helper()
	alike := func(g, w amount) bool {
		return g.State == w.State && (near(g.Amount, w.Amount, share+1e-9) || share > 0 && math.Abs(g.Amount-w.Amount) <= 1.01*unit)
	}
	if got.Status != want.Status || len(got.Notes) != len(want.Notes) {
		t.Errorf("%s is %s with notes %v, want %s with %v", name, got.Status, got.Notes, want.Status, want.Notes)
	}
	for _, pair := range [][2]bounds{{got.Formula, want.Formula}, {got.Recommended, want.Recommended}} {
		g, w := pair[0], pair[1]
		if !alike(g.Request, w.Request) || !alike(g.Limit, w.Limit) {
			t.Errorf("%s is %+v, want %+v within %g %%", name, g, w, 100*share)
		}
	}
}
