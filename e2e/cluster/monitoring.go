package cluster

import (
	"context"
	"os"
	"path/filepath"
)

// The Prometheus Operator, for nothing but its CRDs. The sum is go.sum's.
const (
	prometheusOperator    = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
	prometheusOperatorSum = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="
)

// Monitoring makes the API server know the operator's ServiceMonitors and PrometheusRules, from the CRDs in its Go module.
func (c *Cluster) Monitoring(ctx context.Context) error {
	module, err := c.download(prometheusOperator, prometheusOperatorSum)
	if err != nil {
		return err
	}
	for kind, name := range map[string]string{"ServiceMonitor": "servicemonitors", "PrometheusRule": "prometheusrules"} {
		crd, err := os.ReadFile(filepath.Join(module, "example", "prometheus-operator-crd", "monitoring.coreos.com_"+name+".yaml"))
		if err != nil {
			return err
		}
		if err := c.Apply(ctx, crd); err != nil {
			return err
		}
		if err := c.awaitKind(ctx, "monitoring.coreos.com/v1", kind); err != nil {
			return err
		}
	}
	return nil
}
