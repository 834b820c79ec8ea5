package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// fromState looks at what kube-state-metrics said at the end of the window. No cluster is asked.
func (o *options) fromState(ctx context.Context, std streams, usage *usageSource, window recommender.Window) (*workload.Inventory, []string, error) {
	namespace, _, err := o.namespace()
	if err != nil {
		namespace = "default"
		std.log.warn(err.Error() + ": looking at namespace \"default\": give --namespace")
	}
	asked := []string{namespace}
	if o.allNamespaces {
		namespace, asked = "", nil
	}
	if err := usage.check(ctx, window.Until, o.queryTimeout); err != nil {
		return nil, nil, err
	}
	s := state{reader: usage.reader, window: window}
	inventory, err := s.inventory(ctx, namespace)
	if err != nil {
		return nil, nil, err
	}
	if len(inventory.Workloads) == 0 {
		where := "in any namespace"
		if namespace != "" {
			where = "in namespace " + namespace
		}
		return nil, nil, fmt.Errorf("%s has no series of kube-state-metrics about pods %s at %s: --from-metrics needs kube_pod_container_info and kube_pod_owner; is kube-state-metrics scraped, and --until right?",
			usage.described.Address, where, window.Until.Format(time.RFC3339))
	}
	return inventory, asked, nil
}

// state is what kube-state-metrics said, as it is being read.
type state struct {
	reader   *promquery.Reader
	window   recommender.Window
	metrics  []workload.Metric
	warnings []string
}

// inventory is of the workloads of a namespace, or of all with "".
func (s *state) inventory(ctx context.Context, namespace string) (*workload.Inventory, error) {
	for _, read := range []struct {
		namespace string
		metrics   []string
	}{{namespace, workload.Metrics()}, {"", workload.ClusterMetrics()}} {
		found, warnings, err := s.reader.State(ctx, read.namespace, read.metrics, s.window.Until)
		s.add(found, warnings, false)
		if err != nil {
			return nil, err
		}
	}
	inventory := workload.FromMetrics(s.metrics)
	if len(inventory.Podless) > 0 {
		if err := s.readPast(ctx, inventory.Podless); err != nil {
			return nil, err
		}
		inventory = workload.FromMetrics(s.metrics)
	}
	if err := s.wantMetrics(ctx, inventory); err != nil {
		return nil, err
	}
	inventory.Warnings = append(s.warnings, inventory.Warnings...)
	return inventory, nil
}

func (s *state) add(found []promquery.Metric, warnings []string, gone bool) {
	s.warnings = append(s.warnings, warnings...)
	for _, m := range found {
		s.metrics = append(s.metrics, workload.Metric{Name: m.Name, Labels: m.Labels, Value: m.Value, Gone: gone})
	}
}

// readPast reads what the last pods of workloads were that have none now: those of a CronJob between its runs.
func (s *state) readPast(ctx context.Context, podless []workload.Ref) error {
	by := map[string][]workload.Ref{}
	for _, ref := range podless {
		by[ref.Namespace] = append(by[ref.Namespace], ref)
	}
	for _, namespace := range slices.Sorted(maps.Keys(by)) {
		if err := s.readPastOf(ctx, namespace, by[namespace]); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) readPastOf(ctx context.Context, namespace string, refs []workload.Ref) error {
	owners, warnings, err := s.reader.Owners(ctx, namespace, s.window)
	s.warnings = append(s.warnings, warnings...)
	if err != nil {
		return err
	}
	past := workload.PastPods(refs, owners)
	created := state{reader: s.reader, window: s.window}
	if err := created.readLast(ctx, namespace, []string{"kube_pod_created"}, slices.Concat(slices.Collect(maps.Values(past))...)); err != nil {
		return err
	}
	newest := workload.Newest(past, created.metrics)
	s.metrics = append(s.metrics, workload.OwnerMetrics(namespace, newest, owners)...)
	return s.readLast(ctx, namespace, workload.PodMetrics(), newest)
}

func (s *state) readLast(ctx context.Context, namespace string, metrics, pods []string) error {
	slices.Sort(pods)
	found, warnings, err := s.reader.LastState(ctx, namespace, metrics, pods, s.window)
	s.add(found, warnings, true)
	return err
}

// wantMetrics warns of metrics that nobody has anywhere: what they would tell is then not known, however it looks.
func (s *state) wantMetrics(ctx context.Context, inventory *workload.Inventory) error {
	has := map[string]bool{}
	for _, m := range s.metrics {
		has[m.Name] = true
	}
	var lacking []string
	for _, name := range workload.Metrics() {
		if !has[name] {
			lacking = append(lacking, name)
		}
	}
	there, err := s.reader.AnyOf(ctx, lacking, s.window)
	if err != nil {
		return err
	}
	lacking = slices.DeleteFunc(lacking, func(name string) bool { return slices.Contains(there, name) })
	serious := slices.DeleteFunc(slices.Clone(lacking), func(name string) bool { return !strings.HasPrefix(name, "kube_pod_container_resource_") })
	if len(serious) > 0 {
		s.warnings = append(s.warnings, fmt.Sprintf("no series of %s anywhere: where kube-state-metrics does not expose them, what is declared is shown as none", strings.Join(serious, " and ")))
	}
	if len(lacking) > len(serious) {
		lacking = slices.DeleteFunc(lacking, func(name string) bool { return slices.Contains(serious, name) })
		inventory.Hints = append(inventory.Hints, "no series anywhere of "+strings.Join(lacking, ", ")+": what they tell is taken to be nothing")
	}
	return nil
}
