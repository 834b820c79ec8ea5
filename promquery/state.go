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

// Owners reads who owned what in a namespace in the window.
func (r *Reader) Owners(ctx context.Context, namespace string, w recommender.Window) (owners recommender.Owners, warnings []string, err error) {
	var l log
	owners, err = r.owners(ctx, &l, namespace, wholeMillis(w))
	if err != nil {
		return owners, l.warnings.list, fmt.Errorf("reading owners of namespace %s: %w", namespace, err)
	}
	return owners, l.warnings.list, nil
}

// LastState reads what kube-state-metrics last said of some pods of a namespace in the window, pods that are gone too. Each metric
// is a request for a hundred pods.
func (r *Reader) LastState(ctx context.Context, namespace string, metrics, pods []string, w recommender.Window) (found []Metric, warnings []string, err error) {
	var l log
	w = wholeMillis(w)
	for _, group := range chunk(pods, namesPerRequest) {
		for _, name := range metrics {
			vector, err := r.last(ctx, &l, namespace, name, group, w)
			if err != nil {
				return nil, l.warnings.list, fmt.Errorf("reading %s of kube-state-metrics: %w", name, err)
			}
			for _, s := range vector {
				found = append(found, Metric{name, ownLabels(s.Metric), float64(s.Value)})
			}
		}
	}
	return found, l.warnings.list, nil
}

func (r *Reader) last(ctx context.Context, l *log, namespace, metric string, pods []string, w recommender.Window) (model.Vector, error) {
	var terms []string
	for _, selector := range ofNames(namespace, metric, "pod", pods) {
		terms = append(terms, "last_over_time("+selector+"["+promDuration(w.Length)+"])")
	}
	value, err := r.query(ctx, l, strings.Join(terms, " or "), w.Until)
	if err != nil {
		return nil, err
	}
	return asType[model.Vector](value)
}

// ofNames are selectors of a namespace's series whose label is one of the names, whatever its form. No series matches two.
func ofNames(namespace, metric, label string, names []string) []string {
	exported := exportedPrefix + label
	return append(
		ofNamespace(namespace, metric, Matcher{label, Regexp, anyOf(names)}.String(), Matcher{exported, Equal, ""}.String()),
		ofNamespace(namespace, metric, Matcher{exported, Regexp, anyOf(names)}.String())...)
}

// AnyOf lists those of the metrics that have a series in the window, of whatever namespace. Each is one request for labels alone.
func (r *Reader) AnyOf(ctx context.Context, metrics []string, w recommender.Window) (found []string, err error) {
	for _, name := range metrics {
		there, err := r.anySeries(ctx, wholeMillis(w), []string{name})
		if err != nil {
			return nil, fmt.Errorf("looking for %s: %w", name, err)
		}
		if there {
			found = append(found, name)
		}
	}
	return found, nil
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
