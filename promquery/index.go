package promquery

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/recommender"
)

// Namespaces lists the namespaces that have containers with usage in the window, sorted.
func (r *Reader) Namespaces(ctx context.Context, w recommender.Window) ([]string, error) {
	var l log
	var matches []string
	for _, metric := range []string{MemoryMetric, CPUMetric} {
		matches = append(matches, metric+`{container!="",container!="POD"}`, metric+`{exported_container!=""}`)
	}
	sets, err := r.series(ctx, &l, wholeMillis(w), matches)
	if err != nil {
		return nil, fmt.Errorf("listing namespaces with usage: %w", err)
	}
	names := map[string]bool{}
	for _, labels := range sets {
		if n := own(labels, "namespace"); n != "" {
			names[n] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// Index lists the pods of a namespace that have usage in the window, their containers, and who owned them as
// far as kube-state-metrics was scraped. It reads labels alone: Prometheus keeps those by chunks of up to two
// hours, so a pod that was gone shortly before the window may be among them.
func (r *Reader) Index(ctx context.Context, namespace string, w recommender.Window) (Index, error) {
	w = wholeMillis(w)
	var l log
	sets, err := r.usageSeries(ctx, &l, namespace, w)
	if err != nil {
		return Index{}, fmt.Errorf("listing pods of namespace %s: %w", namespace, err)
	}
	owners, err := r.owners(ctx, &l, namespace, w)
	if err != nil {
		return Index{}, fmt.Errorf("reading owners of namespace %s: %w", namespace, err)
	}
	return Index{Containers: podContainers(sets), Owners: owners, Series: len(containersOf(sets)), Warnings: l.warnings.list}, nil
}

func (r *Reader) usageSeries(ctx context.Context, l *log, namespace string, w recommender.Window) ([]model.LabelSet, error) {
	var matches []string
	for _, metric := range []string{MemoryMetric, CPUMetric} {
		matches = append(matches,
			// A third of a namespace's series are of pods' own cgroups, which have no container.
			metric+"{"+equals("namespace", namespace)+`,exported_namespace="",container!="",container!="POD"}`,
			metric+"{"+equals("namespace", namespace)+`,exported_namespace="",container="",exported_container!=""}`,
			metric+"{"+equals("exported_namespace", namespace)+`,container!="POD"}`)
	}
	return r.series(ctx, l, w, matches)
}

// usageForms finds which labels hold the workload's names. Asking for exported ones costs an index look-up that
// finds nothing wherever honor_labels is on.
func (r *Reader) usageForms(ctx context.Context, l *log, namespace string, w recommender.Window) (forms, error) {
	exported, err := r.anyExported(ctx, namespace, w, MemoryMetric, CPUMetric)
	if err != nil || !exported {
		return forms{list: []form{plain}}, err
	}
	sets, err := r.usageSeries(ctx, l, namespace, w)
	return formsOf(containersOf(sets)), err
}

// restartForms is usageForms for kube-state-metrics' restart counts.
func (r *Reader) restartForms(ctx context.Context, l *log, namespace string, w recommender.Window) (forms, error) {
	exported, err := r.anyExported(ctx, namespace, w, restartsMetric)
	if err != nil || !exported {
		return forms{list: []form{plain}}, err
	}
	sets, err := r.series(ctx, l, w, ofNamespace(namespace, restartsMetric))
	return formsOf(sets), err
}

// anyExported says whether a metric has series of the namespace with exported labels.
func (r *Reader) anyExported(ctx context.Context, namespace string, w recommender.Window, metrics ...string) (bool, error) {
	var matches []string
	for _, metric := range metrics {
		matches = append(matches,
			metric+"{"+equals("exported_namespace", namespace)+"}",
			metric+"{"+equals("namespace", namespace)+`,exported_namespace!=""}`,
			metric+"{"+equals("namespace", namespace)+`,exported_pod!=""}`)
	}
	return r.anySeries(ctx, w, matches)
}

// containersOf leaves out what is not a container's: cgroups of pods and nodes, and pause containers.
func containersOf(sets []model.LabelSet) []model.LabelSet {
	kept := formsOf(sets)
	return slices.DeleteFunc(slices.Clone(sets), func(labels model.LabelSet) bool {
		name := own(labels, "container")
		return name == "" || name == "POD" || own(labels, "pod") == "" || !slices.Contains(kept.list, formOf(labels))
	})
}

func podContainers(sets []model.LabelSet) map[string][]string {
	pods := map[string][]string{}
	for _, labels := range containersOf(sets) {
		pod := own(labels, "pod")
		pods[pod] = append(pods[pod], own(labels, "container"))
	}
	for pod, names := range pods {
		slices.Sort(names)
		pods[pod] = slices.Compact(names)
	}
	return pods
}
