package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// exactly is for reports that must agree to the last digit.
func exactly() map[string]float64 { return map[string]float64{"cpu": 0, "memory": 0} }

// Every sample gives the same report over remote read, from the same server's folder, and from Prometheus 2.
func TestRemoteRead(t *testing.T) {
	want := reportOf(t, as(cluster.Tool, "--read", "remote")...)
	if want.Source.Read != "remote_read" {
		t.Errorf("the report was read by %s", want.Source.Read)
	}
	auto := reportOf(t, as(cluster.Tool, "--read", "auto")...)
	sameReport(t, auto, want, 0, exactly())
	if auto.Source.Read != "remote_read" || len(auto.Warnings) != len(want.Warnings) {
		t.Errorf("auto has read by %s, with warnings %q", auto.Source.Read, auto.Warnings)
	}

	folder := append(fromCluster(cluster.Tool), "--tsdb", env.prometheusData(), "--read", "auto")
	chunks := reportOf(t, append(folder, atUntil()...)...)
	sameReport(t, chunks, want, 0, exactly())
	if chunks.Source.Read != "chunks" {
		t.Errorf("the folder was read by %s", chunks.Source.Read)
	}

	data, err := env.copyBlocks("prometheus-2.42-remote-read") // TestBackends has its own
	if err != nil {
		t.Fatal(err)
	}
	old, err := env.cluster.Prometheus242(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(old.Stop)
	sameReport(t, reportOf(t, as(cluster.Tool, append(fromPrometheus(old.URL()), "--read", "remote")...)...), want, 0, exactly())
}

// Every sample gives the CPU that queries give where rate windows tile the week, and nearly the memory that they give
// at a step of one scrape interval: of as many samples.
func TestRemoteReadIsNearQueries(t *testing.T) {
	raw, tiled, fine := reportOf(t, as(cluster.Tool, "--read", "remote")...), reportOf(t, as(cluster.Tool)...), reportOf(t, as(cluster.Tool, "--step", "30s")...)
	for i, g := range raw.Containers {
		if g.Runs > 0 {
			continue // what is a short run depends on the step
		}
		for resource, c := range map[string]struct {
			as    container
			share float64
		}{"cpu": {tiled.Containers[i], 1e-9}, "memory": {fine.Containers[i], 0.005}} {
			got, want := g.Resources[resource].Evidence, c.as.Resources[resource].Evidence
			if g.name() != c.as.name() || !near(got.P50, want.P50, c.share) || !near(got.P99, want.P99, c.share) || got.Pods != want.Pods {
				t.Errorf("%s of %s: %+v of raw samples, %+v by queries", resource, g.name(), got, want)
			}
			if !near(float64(got.Samples), float64(want.Samples), 0.01) {
				t.Errorf("%s of %s: %d values of raw samples, %d by queries", resource, g.name(), got.Samples, want.Samples)
			}
		}
	}
}

// A server without remote read is read by queries, and the report says so.
func TestRemoteReadFallsBack(t *testing.T) {
	server, err := startVictoriaMetrics(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	at := fromPrometheus(server.URL() + "?nocache=1")
	got, want := reportOf(t, as(cluster.Tool, append(at, "--read", "auto")...)...), reportOf(t, as(cluster.Tool, at...)...)
	sameReport(t, got, want, 0, exactly())
	const note = "usage is read by queries, which see one sample in each --step, since there is no remote read: "
	if got.Source.Read != "query_range" || len(got.Warnings) == 0 || !strings.HasPrefix(got.Warnings[0], note) {
		t.Errorf("read by %s with warnings %q", got.Source.Read, got.Warnings)
	}
	r := rightsize(t, as(cluster.Tool, append(at, "--read", "remote")...)...)
	r.wantCode(t, 1)
	r.wantErrors(t, "no remote read: ", "read with --read query")
}
