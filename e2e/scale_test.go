package e2e

import (
	"context"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/e2e/shop"
)

// Many workloads are listed page by page, and all come out. What it takes is printed, for people to judge: the
// goals are 200 MiB and 10 seconds.
func TestScale(t *testing.T) {
	scale := shop.Scale{Namespace: "scale", Deployments: 2000, PodsPer: 5}
	ctx := context.Background()
	if err := scale.Create(ctx, env.cluster); err != nil {
		t.Fatal(err)
	}
	server, until := startOver(t, scale)
	var r result
	requests := requestsOf(t, func() {
		r = rightsize(t, "-n", scale.Namespace, "--kubeconfig", env.cluster.Kubeconfig(cluster.Tool), "--prometheus-url", server.URL(),
			"--until", until.Format(time.RFC3339), "--window", "30m", "--min-coverage", "5m", "-o", "json")
	})
	r.wantCode(t, 0)
	t.Logf("2,000 workloads and 10,000 pods took %.1f s, %.1f s of CPU and %d MiB",
		r.usage.Wall.Seconds(), r.usage.CPU.Seconds(), r.usage.PeakMemory>>20)
	out := r.report(t)
	if len(out.Containers) != scale.Deployments {
		t.Errorf("the report has %d containers, want %d", len(out.Containers), scale.Deployments)
	}
	for _, c := range out.Containers {
		if e := c.Resources["memory"].Evidence; e.Pods != scale.PodsPer || c.Resources["memory"].Formula.Request.State != "set" {
			t.Fatalf("%s rests on %d pods, want %d: %s", c.name(), e.Pods, scale.PodsPer, c.allNotes())
		}
	}
	wantPages(t, requests, "pods", scale.Deployments*scale.PodsPer)
	wantPages(t, requests, "deployments.apps", scale.Deployments)
}

// startOver starts a Prometheus of its own over the namespace's history, and says where that ends.
func startOver(t *testing.T, scale shop.Scale) (*cluster.Server, time.Time) {
	t.Helper()
	ctx, until := context.Background(), time.Now().UTC().Truncate(step)
	past, err := scale.Past(ctx, env.cluster, until, 40*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(env.cluster.Dir, "scale-blocks")
	if err := env.writeBlocks(ctx, past, data); err != nil {
		t.Fatal(err)
	}
	server, err := env.cluster.PrometheusWithoutTargets(ctx, "prometheus-scale", data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server, until
}

// wantPages fails the test unless a list of n objects was asked for in pages of 500.
func wantPages(t *testing.T, requests []cluster.Request, resource string, n int) {
	t.Helper()
	const page = 500
	pages := 0
	for _, r := range requests {
		if r.Resource != resource {
			continue
		}
		pages++
		u, err := url.Parse(r.URI)
		if err != nil {
			t.Fatal(err)
		}
		if limit := u.Query().Get("limit"); limit != "500" {
			t.Errorf("%s has the limit %q, want %d", r.URI, limit, page)
		}
	}
	if want := n / page; pages != want {
		t.Errorf("%s were listed in %d pages, want %d", resource, pages, want)
	}
}
