package promquery

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/recommender"
)

// Metric is one series at one time.
type Metric struct {
	Name   string
	Labels map[string]string // the workload's own, where kube-state-metrics was scraped without honor_labels
	Value  float64
}

// State reads metrics of kube-state-metrics at a time: those of a namespace, or of all with "". Metrics of the cluster
// itself, such as its nodes', are read with "". Each metric is one request.
func (r *Reader) State(ctx context.Context, namespace string, metrics []string, at time.Time) (found []Metric, warnings []string, err error) {
	var l log
	at = wholeMillis(recommender.Window{Until: at}).Until
	for _, name := range metrics {
		terms := []string{name}
		if namespace != "" {
			terms = ofNamespace(namespace, name)
		}
		value, err := r.query(ctx, &l, strings.Join(terms, " or "), at)
		if err != nil {
			return nil, l.warnings.list, fmt.Errorf("reading %s of kube-state-metrics: %w", name, err)
		}
		vector, err := asType[model.Vector](value)
		if err != nil {
			return nil, l.warnings.list, fmt.Errorf("reading %s of kube-state-metrics: %w", name, err)
		}
		for _, s := range vector {
			found = append(found, Metric{name, ownLabels(s.Metric), float64(s.Value)})
		}
	}
	return found, l.warnings.list, nil
}

// ownLabels are the labels under the names that kube-state-metrics gives them.
func ownLabels(labels model.Metric) map[string]string {
	out := make(map[string]string, len(labels))
	for name := range labels {
		plain := model.LabelName(strings.TrimPrefix(string(name), exportedPrefix))
		out[string(plain)] = own(labels, plain)
	}
	return out
}
