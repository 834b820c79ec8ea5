package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/testdata/faultproxy"
)

// disturbance is what a proxy between the tool and Prometheus does.
type disturbance struct {
	name string
	plan func() faultproxy.Plan
	said string // "" where the report must be as if nothing had been; else what is said of what is missing
	only string // "query" or "remote"; "" is both
}

func disturbances() []disturbance {
	sometimes := func(f faultproxy.Fault) func() faultproxy.Plan {
		return func() faultproxy.Plan { return faultproxy.Sometimes(0.2, f) }
	}
	always := func(f faultproxy.Fault) func() faultproxy.Plan {
		return func() faultproxy.Plan { return faultproxy.Always(f) }
	}
	halfway := func(f faultproxy.Fault) func() faultproxy.Plan {
		return func() faultproxy.Plan { return faultproxy.After(12, f) }
	}
	reads := func(f faultproxy.Fault) func() faultproxy.Plan {
		return func() faultproxy.Plan { return faultproxy.Only("/api/v1/read", faultproxy.Burst(1, 2, f)) }
	}
	burst := func() faultproxy.Plan {
		return faultproxy.Burst(4, 6, faultproxy.Refuse(http.StatusBadGateway, "text/html", "<html>Bad Gateway</html>"))
	}
	return []disturbance{
		{name: "latency", plan: always(faultproxy.Latency(10 * time.Millisecond))},
		{name: "20 % resets", plan: sometimes(faultproxy.Reset)},
		{name: "20 % resets halfway", plan: sometimes(faultproxy.ResetHalfway)},
		{name: "all cut after 60 kB", plan: always(faultproxy.Cut(60_000))},
		{name: "429", plan: sometimes(faultproxy.TooMany)},
		{name: "502 in a burst", plan: burst},
		{name: "drips", plan: sometimes(faultproxy.Drip(16_000, time.Millisecond))},
		{name: "gzip garbage", plan: sometimes(faultproxy.Garbage), only: "query"},
		{name: "frames cut in their checksum", plan: reads(faultproxy.CutChecksum), only: "remote"},

		{name: "login page", plan: halfway(faultproxy.Login), said: "an HTML page: this is not Prometheus's API"},
		{name: "login redirect", plan: halfway(faultproxy.Redirect), said: "302 Found"},
		{name: "garbage for good", plan: halfway(faultproxy.Garbage), said: "garbage"},
		{name: "another content type", plan: reads(faultproxy.ContentType("text/plain")), said: `Content-Type "text/plain"`, only: "remote"},
		{name: "silence", plan: halfway(faultproxy.Hang), said: "not read within --timeout 8s"},
	}
}

// Whatever happens on the way, the report is the undisturbed one, or names what is missing and exits 3.
func TestDisturbed(t *testing.T) {
	// A namespace without usage comes first, and stands whatever becomes of the other.
	manifest := filepath.Join(t.TempDir(), "other.yaml")
	if err := os.WriteFile(manifest, []byte(otherNamespace), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, read := range []string{"query", "remote"} {
		want := reportOf(t, as(cluster.Tool, "--read", read)...)
		for _, d := range disturbances() {
			if d.only == "" || d.only == read {
				t.Run(read+"/"+d.name, func(t *testing.T) { testDisturbed(t, read, d, want, manifest) })
			}
		}
	}
}

const otherNamespace = `apiVersion: v1
kind: Pod
metadata: {name: nobody, namespace: aaa}
spec: {containers: [{name: app, image: app}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: shop}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: agent}]}
`

func testDisturbed(t *testing.T, read string, d disturbance, want report, manifest string) {
	proxy, err := faultproxy.New(env.prometheus.URL(), d.plan())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	args := append(atUntil(), "--prometheus-url", proxy.URL, "--read", read, "--concurrency", "1", "-o", "json")
	if d.said == "" {
		r := rightsize(t, append(fromCluster(cluster.Tool), args...)...)
		r.wantCode(t, 0)
		sameReport(t, r.report(t), want, 0, exactly())
		return
	}
	r := rightsize(t, append(args, "-f", manifest, "--timeout", "8s")...)
	r.wantCode(t, 3)
	r.wantStderr(t, d.said, "the report is not complete")
	for _, c := range r.report(t).Containers {
		if failed := c.Workload != "nobody"; failed != (c.Error != "") || failed && !strings.Contains(c.Error, d.said) {
			t.Errorf("%s: error %q, want %q in that of namespace shop alone", c.name(), c.Error, d.said)
		}
		for resource, a := range c.Resources {
			if a.Recommended.Request.State == "set" || a.Evidence.Samples > 0 {
				t.Errorf("%s of %s has numbers: %+v", resource, c.name(), a)
			}
		}
	}
}

// A Prometheus that is restarted half-way is waited for.
func TestRestartHalfway(t *testing.T) {
	data, err := env.copyBlocks("prometheus-restarted")
	if err != nil {
		t.Fatal(err)
	}
	server, err := env.cluster.PrometheusWithoutTargets(context.Background(), "prometheus-restarted", data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	for _, read := range []string{"query", "remote"} {
		want := reportOf(t, append(fromCluster(cluster.Tool), append(fromPrometheus(server.URL()), append(atUntil(), "--read", read)...)...)...)
		restarted := make(chan error, 1)
		proxy, err := faultproxy.New(server.URL(), func(n int, _ *http.Request) faultproxy.Fault {
			const halfway = 6
			if n == halfway {
				server.Kill()
				go func() {
					time.Sleep(time.Second)
					restarted <- server.Restart(context.Background())
				}()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got := reportOf(t, append(fromCluster(cluster.Tool), append(fromPrometheus(proxy.URL), append(atUntil(), "--read", read)...)...)...)
		proxy.Close()
		if err := <-restarted; err != nil {
			t.Fatal(err)
		}
		sameReport(t, got, want, 0, exactly())
	}
}

// Servers that refuse requests as too big are asked for parts, and the report is the same; a pod that is too much alone
// fails with their words, and the others stand.
func TestLimits(t *testing.T) {
	finely := []string{"--step", "1m"}
	prometheus := func(start func(context.Context, string, string, ...string) (*cluster.Server, error)) func(string, int) (*cluster.Server, error) {
		return func(name string, samples int) (*cluster.Server, error) {
			data, err := env.copyBlocks(name)
			if err != nil {
				return nil, err
			}
			return start(context.Background(), name, data, "--query.max-samples="+strconv.Itoa(samples))
		}
	}
	const tooMany = "422 Unprocessable Entity: execution: query processing would load too many samples into memory in query execution"
	for _, b := range []struct {
		name      string
		start     func(name string, samples int) (*cluster.Server, error)
		suffix    string
		all       int // samples for a query: no limit to speak of
		some, few int // enough for a pod alone, and too few for one that ran all week
		said      string
	}{
		{name: "Prometheus-3", start: prometheus(env.cluster.PrometheusWithoutTargets), all: 50_000_000, some: 25_000, few: 5000, said: tooMany},
		{name: "Prometheus-2.42", start: prometheus(env.cluster.Prometheus242WithoutTargets), all: 50_000_000, some: 25_000, few: 5000, said: tooMany},
		{name: "VictoriaMetrics", start: func(_ string, samples int) (*cluster.Server, error) {
			return startVictoriaMetricsWith(context.Background(), "-search.maxSamplesPerQuery="+strconv.Itoa(samples))
		}, suffix: "?nocache=1", all: 1_000_000_000, some: 100_000, few: 15_000, said: "422 Unprocessable Entity: 422: cannot select more than -search.maxSamplesPerQuery=15000 samples"},
	} {
		t.Run(b.name, func(t *testing.T) {
			read := func(samples int) result {
				server, err := b.start("limited-"+b.name+"-"+strconv.Itoa(samples), samples)
				if err != nil {
					t.Fatal(err)
				}
				defer server.Stop()
				args := append(fromCluster(cluster.Tool), fromPrometheus(server.URL()+b.suffix)...)
				return rightsize(t, append(append(args, atUntil()...), append(finely, "-o", "json")...)...)
			}
			undisturbed := read(b.all)
			undisturbed.wantCode(t, 0)
			want := undisturbed.report(t)
			parted := read(b.some)
			parted.wantCode(t, 0)
			parted.wantStderr(t, "namespace shop is read in smaller parts (--max-samples-per-query makes them so from the start): ")
			whole := parted.report(t)
			sameReport(t, whole, want, 0, exactly())

			partial := read(b.few)
			partial.wantCode(t, 3)
			partial.wantStderr(t, b.said, "the report is not complete")
			failed := 0
			for i, c := range partial.report(t).Containers {
				if c.Error != "" {
					failed++
					if !strings.Contains(c.Error, b.said) || !strings.Contains(c.Error, "alone and for as little time as can be asked for") {
						t.Errorf("%s: error %q, want the server's words", c.name(), c.Error)
					}
					continue
				}
				for resource := range c.Resources {
					sameAdvice(t, resource+" of "+c.name(), c.Resources[resource], whole.Containers[i].Resources[resource], 0, unit(resource))
				}
			}
			if failed == 0 || failed == len(want.Containers) {
				t.Errorf("%d of %d containers failed, want some", failed, len(want.Containers))
			}
		})
	}
}
