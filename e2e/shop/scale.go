package shop

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/e2e/history"
)

// Scale is a namespace of many Deployments. Prometheus does not scrape its nodes, nor kube-state-metrics its
// objects.
type Scale struct {
	Namespace            string
	Deployments, PodsPer int
}

// nodes are as many as it takes to give each a hundred or so Deployments.
const scaleNodes = 20

// Create makes the Deployments, and waits until the controllers have made all their pods.
func (s Scale) Create(ctx context.Context, c *cluster.Cluster) error {
	defer c.Task(fmt.Sprintf("creating %d deployments with %d pods", s.Deployments, s.Deployments*s.PodsPer))()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}}
	if _, err := c.Client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := createNodes(ctx, c); err != nil {
		return err
	}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i := range s.Deployments {
		g.Go(func() error {
			_, err := c.Client.AppsV1().Deployments(s.Namespace).Create(inner, s.deployment(i), metav1.CreateOptions{})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("creating deployments: %w", err)
	}
	return cluster.Eventually(ctx, 15*time.Minute, func(ctx context.Context) error { return s.complete(ctx, c) })
}

func createNodes(ctx context.Context, c *cluster.Cluster) error {
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1000"), corev1.ResourceMemory: resource.MustParse("4Ti"), corev1.ResourcePods: resource.MustParse("5000"),
	}
	for i := range scaleNodes {
		node := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: scaleNode(i)},
			Status:     corev1.NodeStatus{Allocatable: room, Capacity: room},
		}
		if _, err := c.Client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func scaleNode(i int) string { return fmt.Sprintf("scale-%d", i%scaleNodes) }

// deployment binds its pods to a node itself: the scheduler has nothing to show here.
func (s Scale) deployment(i int) *appsv1.Deployment {
	name, replicas := fmt.Sprintf("app-%04d", i), int32(s.PodsPer)
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					NodeName: scaleNode(i),
					Containers: []corev1.Container{{
						Name: "app", Image: "registry.example/app:1",
						Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
							corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi"),
						}},
					}},
				},
			},
		},
	}
}

// complete says whether all pods are there. A list of one tells how many more there are.
func (s Scale) complete(ctx context.Context, c *cluster.Cluster) error {
	list, err := c.Client.CoreV1().Pods(s.Namespace).List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	n := len(list.Items)
	if list.RemainingItemCount != nil {
		n += int(*list.RemainingItemCount)
	}
	if n != s.Deployments*s.PodsPer {
		return fmt.Errorf("there are %d pods of %d", n, s.Deployments*s.PodsPer)
	}
	return nil
}

// Past is a history of the live pods, which are all that there ever were.
func (s Scale) Past(ctx context.Context, c *cluster.Cluster, until time.Time, length time.Duration) (history.History, error) {
	pods, err := c.Pods(ctx, s.Namespace)
	if err != nil {
		return history.History{}, err
	}
	h := history.History{From: until.Add(-length), Until: until.Add(time.Minute)}
	for _, p := range pods {
		h.Pods = append(h.Pods, history.Pod{
			Namespace: p.Namespace, Name: p.Name, UID: string(p.UID), Node: p.Spec.NodeName, Owner: ownerOf(p.ObjectMeta),
			From: h.From, Until: h.Until,
			Containers: []history.Container{{
				Name: "app", Image: "registry.example/app:1", CPURequest: 0.1, MemoryRequest: 128 << 20, Cores: 0.05, Bytes: 60 << 20,
			}},
		})
	}
	return h, nil
}
