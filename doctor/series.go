package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
)

// duplicates looks for containers whose usage is there several times: two scrape jobs, replicas of Prometheus.
func (e *examination) duplicates(ctx context.Context) {
	const name = "duplicates"
	by := fmt.Sprintf("count by (%s) (%s)", e.names.by(), e.usage)
	total, err := e.number(ctx, "count("+by+")")
	if err != nil {
		e.broken(name, err)
		return
	}
	twice, err := e.vector(ctx, "topk(1, "+by+" > 1)")
	if err != nil {
		e.broken(name, err)
		return
	}
	if len(twice) == 0 {
		e.add(name, OK, fmt.Sprintf("each of %d containers has one series", int(total)), "")
		return
	}
	many, err := e.number(ctx, "count("+by+" > 1)")
	if err != nil {
		e.broken(name, err)
		return
	}
	differing, err := e.differing(ctx, twice[0].Metric)
	if err != nil {
		e.broken(name, err)
		return
	}
	found := fmt.Sprintf("%d of %d containers have several series", int(many), int(total))
	if len(differing) > 0 {
		found += ", which differ by " + strings.Join(differing, ", ")
	}
	e.add(name, Note, found+": the highest counts, once", "")
}

// differing are the labels that one container's series do not agree on, with their values.
func (e *examination) differing(ctx context.Context, one model.Metric) ([]string, error) {
	var conditions []string
	for _, label := range []string{e.names.namespace, e.names.pod, e.names.container} {
		conditions = append(conditions, label+"="+strconv.Quote(string(one[model.LabelName(label)])))
	}
	metric, _, _ := strings.Cut(e.usage, "{")
	series, err := e.vector(ctx, metric+"{"+strings.Join(conditions, ",")+"}")
	if err != nil {
		return nil, err
	}
	values := map[model.LabelName]map[string]bool{}
	for _, s := range series {
		for label := range s.Metric {
			values[label] = map[string]bool{}
		}
	}
	for label, set := range values {
		for _, s := range series {
			set[string(s.Metric[label])] = true
		}
	}
	var out []string
	for _, label := range slices.Sorted(maps.Keys(values)) {
		if len(values[label]) > 1 {
			out = append(out, string(label))
		}
	}
	return out, nil
}

// clusterLabels are what central stores call the cluster that a series is from, by habit.
func clusterLabels() []string {
	return []string{"cluster", "cluster_name", "cluster_id", "k8s_cluster", "k8s_cluster_name"}
}

// clusters looks for the usage of several clusters, whose workloads of one name would be taken for one.
func (e *examination) clusters(ctx context.Context) {
	const name = "clusters"
	groups, err := e.vector(ctx, "count by ("+strings.Join(clusterLabels(), ", ")+") ("+e.usage+")")
	if err != nil {
		e.broken(name, err)
		return
	}
	for _, label := range clusterLabels() {
		values := map[string]bool{}
		for _, g := range groups {
			if v := g.Metric[model.LabelName(label)]; v != "" {
				values[string(v)] = true
			}
		}
		if len(values) < 2 {
			continue
		}
		list := slices.Sorted(maps.Keys(values))
		e.add(name, Problem, fmt.Sprintf("usage of %d clusters, whose workloads of one name would be taken for one: %s is %s", len(list), label, join(list[:min(len(list), 10)])),
			fmt.Sprintf("give --cluster-label %s=%s, or another of them", label, list[0]))
		return
	}
	e.add(name, OK, "one, to all appearances", "")
}

// kubeState looks for what only kube-state-metrics knows.
func (e *examination) kubeState(ctx context.Context) {
	const name = "kube-state-metrics"
	owners := []string{"kube_pod_owner", "kube_replicaset_owner", "kube_job_owner"}
	others := []string{"kube_pod_container_status_restarts_total", "kube_pod_container_resource_limits"}
	seen, err := e.present(ctx, append(slices.Clone(owners), others...))
	if err != nil {
		e.broken(name, err)
		return
	}
	var missing []string
	for _, m := range append(owners, others...) {
		if !seen[m] {
			missing = append(missing, m)
		}
	}
	switch {
	case len(missing) == len(seen):
		e.add(name, Problem, "none: whose a pod was goes by its name, and OOM kills and restarts are not known", "scrape kube-state-metrics")
		return
	case !seen[owners[0]] || !seen[others[0]]:
		e.add(name, Problem, "no "+join(missing), "let kube-state-metrics expose them (--metric-allowlist)")
		return
	case len(missing) > 0:
		e.add(name, Note, "no "+join(missing)+", which clusters without such objects do not have", "")
		return
	}
	e.replicas(ctx, name)
}

// replicas counts who exposes the pods' owners.
func (e *examination) replicas(ctx context.Context, name string) {
	targets, err := e.number(ctx, "count(count by (job, instance) (kube_pod_owner))")
	if err != nil || targets < 2 {
		e.add(name, OK, "owners, restarts and limits are there", "")
		return
	}
	e.add(name, Note, fmt.Sprintf("owners, restarts and limits are there, from %d targets: shards, or replicas that count once", int(targets)), "")
}
