package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Prometheus starts Prometheus 3 over a folder of blocks, which becomes its own. It scrapes kwok's kubelets
// and kube-state-metrics, and is ready when all of these have been.
func (c *Cluster) Prometheus(ctx context.Context, blocks string) (*Server, error) {
	return c.prometheus(ctx, "prometheus", c.bin["prometheus"], blocks, true)
}

// PrometheusWithoutTargets is Prometheus 3 with nothing but the blocks, and with more flags.
func (c *Cluster) PrometheusWithoutTargets(ctx context.Context, name, blocks string, flags ...string) (*Server, error) {
	return c.prometheus(ctx, name, c.bin["prometheus"], blocks, false, flags...)
}

// Prometheus242WithoutTargets is Debian 12's Prometheus with nothing but the blocks, and with more flags.
func (c *Cluster) Prometheus242WithoutTargets(ctx context.Context, name, blocks string, flags ...string) (*Server, error) {
	binary, err := c.tools.debianPrometheus()
	if err != nil {
		return nil, err
	}
	return c.prometheus(ctx, name, binary, blocks, false, flags...)
}

// Prometheus242 is Debian 12's Prometheus, with the same targets.
func (c *Cluster) Prometheus242(ctx context.Context, blocks string) (*Server, error) {
	binary, err := c.tools.debianPrometheus()
	if err != nil {
		return nil, err
	}
	return c.prometheus(ctx, "prometheus-2.42", binary, blocks, true)
}

func (c *Cluster) prometheus(ctx context.Context, name, binary, blocks string, targets bool, flags ...string) (*Server, error) {
	configFile := filepath.Join(c.Dir, name+".yml")
	if err := os.WriteFile(configFile, []byte(c.scrapeConfig(targets)), 0o600); err != nil {
		return nil, err
	}
	return c.group.serve(ctx, spec{
		name:   name,
		binary: binary,
		ports:  1,
		args: func(ports []int) ([]string, error) {
			return append([]string{
				"--config.file=" + configFile, "--storage.tsdb.path=" + blocks, "--storage.tsdb.retention.time=60d",
				// Blocks stay as they were written, and as a Thanos sidecar wants them.
				"--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h",
				fmt.Sprintf("--web.listen-address=127.0.0.1:%d", ports[0]), "--log.level=warn",
			}, flags...), nil
		},
		ready: func(ctx context.Context, ports []int) error {
			if !targets {
				return healthy(ctx, loopback(ports[0])+"/-/ready")
			}
			return scraped(ctx, loopback(ports[0]))
		},
	})
}

// scraped says whether usage and kube-state-metrics have been scraped in the last minute.
func scraped(ctx context.Context, address string) error {
	for _, series := range []string{`container_memory_working_set_bytes{namespace="shop",container!=""}`, `kube_pod_owner{namespace="shop"}`} {
		if err := Found(ctx, address, fmt.Sprintf("count(timestamp(%s) > time() - 60)", series), time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// Found asks a Prometheus for an expression at a time. It is an error if nothing comes of it.
func Found(ctx context.Context, address, expr string, at time.Time) error {
	values := url.Values{"query": {expr}, "time": {fmt.Sprint(at.Unix())}, "nocache": {"1"}}
	body, err := get(ctx, address+"/api/v1/query?"+values.Encode())
	if err != nil {
		return err
	}
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	if len(answer.Data.Result) == 0 {
		return fmt.Errorf("%s has nothing for %s", address, expr)
	}
	return nil
}

// scrapeConfig is a Prometheus configuration: with the cluster as its targets, or with none.
func (c *Cluster) scrapeConfig(targets bool) string {
	config := "global:\n  scrape_interval: 2s\n  external_labels: {cluster: e2e}\n"
	if !targets {
		return config
	}
	return config + strings.NewReplacer(
		"KUBE_STATE_METRICS", fmt.Sprintf("127.0.0.1:%d", c.kubeStateMetrics.Ports[0]),
		"KWOK", c.kwok.URL(),
	).Replace(`scrape_configs:
- job_name: kube-state-metrics
  honor_labels: true
  static_configs:
  - targets: ["KUBE_STATE_METRICS"]
- job_name: kubelet
  honor_labels: true
  http_sd_configs:
  - {url: "KWOK/discovery/prometheus", refresh_interval: 2s}
  relabel_configs:
  - {source_labels: [__metrics_path__], regex: "/metrics/nodes/scale-.*", action: drop}
  - {source_labels: [__metrics_path__], regex: "/metrics/nodes/([^/]+)/.*", target_label: node}
  - {source_labels: [node], target_label: instance}
  - {target_label: metrics_path, replacement: /metrics/cadvisor}
  - {regex: metrics_name, action: labeldrop}
`)
}

// VictoriaMetrics starts VictoriaMetrics, with more flags. Series are imported into it with Import.
func (c *Cluster) VictoriaMetrics(ctx context.Context, flags ...string) (*Server, error) {
	paths, err := c.tools.build(victoriaMetricsTools())
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(c.Dir, "victoria-metrics-") // what is imported twice counts twice
	if err != nil {
		return nil, err
	}
	return c.group.serve(ctx, spec{
		name:   "victoria-metrics",
		binary: paths["victoria-metrics"],
		ports:  1,
		args: func(ports []int) ([]string, error) {
			return append([]string{
				"-storageDataPath=" + data, "-retentionPeriod=60d",
				fmt.Sprintf("-httpListenAddr=127.0.0.1:%d", ports[0]), "-loggerLevel=WARN",
			}, flags...), nil
		},
		ready: func(ctx context.Context, ports []int) error { return healthy(ctx, loopback(ports[0])+"/health") },
	})
}

// Thanos starts a Thanos sidecar beside a Prometheus over its blocks, and a Thanos query in front of it. It
// is ready when it has a series of the given expression.
func (c *Cluster) Thanos(ctx context.Context, prometheus *Server, blocks, expr string, at time.Time) (*Server, error) {
	paths, err := c.tools.build(thanosTools())
	if err != nil {
		return nil, err
	}
	sidecar, err := c.group.serve(ctx, spec{
		name:   "thanos-sidecar",
		binary: paths["thanos"],
		ports:  2,
		args: func(ports []int) ([]string, error) {
			return append([]string{"sidecar", "--prometheus.url=" + prometheus.URL(), "--tsdb.path=" + blocks}, thanosPorts(ports)...), nil
		},
		ready: func(ctx context.Context, ports []int) error { return healthy(ctx, loopback(ports[0])+"/-/ready") },
	})
	if err != nil {
		return nil, err
	}
	return c.group.serve(ctx, spec{
		name:   "thanos-query",
		binary: paths["thanos"],
		ports:  2,
		args: func(ports []int) ([]string, error) {
			return append([]string{"query", fmt.Sprintf("--endpoint=127.0.0.1:%d", sidecar.Ports[1])}, thanosPorts(ports)...), nil
		},
		ready: func(ctx context.Context, ports []int) error { return Found(ctx, loopback(ports[0]), expr, at) },
	})
}

func thanosPorts(ports []int) []string {
	return []string{
		fmt.Sprintf("--http-address=127.0.0.1:%d", ports[0]), fmt.Sprintf("--grpc-address=127.0.0.1:%d", ports[1]),
		"--log.level=warn",
	}
}
