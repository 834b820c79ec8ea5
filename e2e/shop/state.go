package shop

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/e2e/history"
)

// states are what kube-state-metrics says of the cluster's objects besides pods.
func states(ctx context.Context, c *cluster.Cluster) ([]history.State, error) {
	s := &stateOf{}
	for what, read := range map[string]func(context.Context, *cluster.Cluster) error{
		"workloads": s.workloads, "limitranges": s.limitRanges, "autoscalers": s.autoscalers, "nodes": s.nodes,
	} {
		if err := read(ctx, c); err != nil {
			return nil, fmt.Errorf("listing %s: %w", what, err)
		}
	}
	return s.list, nil
}

type stateOf struct{ list []history.State }

func (s *stateOf) add(metric string, value float64, pairs ...string) {
	labels := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		labels[pairs[i]] = pairs[i+1]
	}
	s.list = append(s.list, history.State{Metric: metric, Labels: labels, Value: value})
}

func (s *stateOf) workloads(ctx context.Context, c *cluster.Cluster) error {
	apps := c.Client.AppsV1()
	deployments, err := apps.Deployments(cluster.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, d := range deployments.Items {
		s.add("kube_deployment_spec_replicas", float64(*d.Spec.Replicas), "namespace", d.Namespace, "deployment", d.Name)
	}
	sets, err := apps.StatefulSets(cluster.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, o := range sets.Items {
		s.add("kube_statefulset_replicas", float64(*o.Spec.Replicas), "namespace", o.Namespace, "statefulset", o.Name)
	}
	daemons, err := apps.DaemonSets(cluster.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, o := range daemons.Items {
		s.add("kube_daemonset_status_desired_number_scheduled", float64(o.Status.DesiredNumberScheduled), "namespace", o.Namespace, "daemonset", o.Name)
	}
	s.add("kube_cronjob_info", 1, "namespace", cluster.Namespace, "cronjob", "report")
	return nil
}

func (s *stateOf) limitRanges(ctx context.Context, c *cluster.Cluster) error {
	list, err := c.Client.CoreV1().LimitRanges(cluster.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, l := range list.Items {
		for _, item := range l.Spec.Limits {
			for constraint, amounts := range map[string]corev1.ResourceList{
				"min": item.Min, "max": item.Max, "default": item.Default, "defaultRequest": item.DefaultRequest, "maxLimitRequestRatio": item.MaxLimitRequestRatio,
			} {
				for resource, q := range amounts {
					s.add("kube_limitrange", q.AsApproximateFloat64(), "namespace", l.Namespace, "limitrange", l.Name,
						"type", string(item.Type), "constraint", constraint, "resource", string(resource))
				}
			}
		}
	}
	return nil
}

func (s *stateOf) autoscalers(ctx context.Context, c *cluster.Cluster) error {
	list, err := c.Client.AutoscalingV2().HorizontalPodAutoscalers(cluster.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, h := range list.Items {
		s.add("kube_horizontalpodautoscaler_info", 1, "namespace", h.Namespace, "horizontalpodautoscaler", h.Name,
			"scaletargetref_kind", h.Spec.ScaleTargetRef.Kind, "scaletargetref_name", h.Spec.ScaleTargetRef.Name)
		for _, m := range h.Spec.Metrics {
			s.add("kube_horizontalpodautoscaler_spec_target_metric", float64(*m.Resource.Target.AverageUtilization), "namespace", h.Namespace,
				"horizontalpodautoscaler", h.Name, "metric_name", string(m.Resource.Name), "metric_target_type", "utilization")
		}
	}
	return nil
}

func (s *stateOf) nodes(ctx context.Context, c *cluster.Cluster) error {
	list, err := c.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, n := range list.Items {
		for resource, q := range n.Status.Allocatable {
			s.add("kube_node_status_allocatable", q.AsApproximateFloat64(), "node", n.Name, "resource", string(resource))
		}
	}
	return nil
}
