package workload

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/pager"
)

// extension is a kind that is no part of Kubernetes, and what is not known without it.
type extension struct {
	schema.GroupVersionResource
	without string
}

// extensions are VerticalPodAutoscalers and KEDA's ScaledObjects.
func extensions() []extension {
	return []extension{
		{schema.GroupVersionResource{Group: "autoscaling.k8s.io", Version: "v1", Resource: "verticalpodautoscalers"}, "conflicts with them are not known"},
		{schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}, "their targets cannot be moved"},
	}
}

// bearing is a kind of object that bears on workloads.
type bearing struct {
	resource string // with its API group, as RBAC and kubectl write it
	without  string // what is not known without it
	page     pager.ListPageFunc
	take     func(*surroundings, runtime.Object) error
	global   bool // of the cluster, not of a namespace
	quiet    bool // that it may not be listed is a hint, not a warning
}

// where says where it was looked for.
func (b bearing) where(namespace string) string {
	if b.global {
		return "of the cluster"
	}
	return within(namespace)
}

// Surround reads what bears on the workloads of a namespace, or of all with "", and gives it to their containers:
// LimitRanges, HorizontalPodAutoscalers, ResourceQuotas, the nodes, and VerticalPodAutoscalers and ScaledObjects where the API server knows them,
// which takes a request each to find out. What may not be listed is left out with a warning.
func (inv *Inventory) Surround(ctx context.Context, client kubernetes.Interface, objects dynamic.Interface, namespace string) error {
	if len(inv.Workloads) == 0 {
		return nil
	}
	all := bearings(client, namespace)
	for _, e := range extensions() {
		known, err := knows(ctx, discovery.ToDiscoveryInterfaceWithContext(client.Discovery()), e.GroupVersionResource)
		if err != nil {
			return err
		}
		if known {
			all = append(all, e.bearing(objects, namespace))
		}
	}
	around := newSurroundings()
	for _, b := range all {
		err := eachListed(ctx, b.page, func(o runtime.Object) error {
			if err := b.take(around, o); err != nil {
				inv.Warnings = append(inv.Warnings, err.Error())
			}
			return nil
		})
		switch {
		case apierrors.IsForbidden(err):
			text := fmt.Sprintf("not allowed to list %s %s: %s; grant list on %[1]s", b.resource, b.where(namespace), b.without)
			if b.quiet {
				inv.Hints = append(inv.Hints, text)
			} else {
				inv.Warnings = append(inv.Warnings, text)
			}
		case err != nil && !apierrors.IsNotFound(err): // its CRD has just gone
			return fmt.Errorf("listing %s %s: %w", b.resource, b.where(namespace), err)
		}
	}
	around.attach(inv.Workloads)
	return nil
}

func limitRanges(client kubernetes.Interface, namespace string) bearing {
	return bearing{
		resource: "limitranges", without: "what LimitRanges refuse is not known",
		page: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return client.CoreV1().LimitRanges(namespace).List(ctx, o)
		},
		take: func(s *surroundings, o runtime.Object) error {
			if l, ok := o.(*corev1.LimitRange); ok {
				s.limitRange(l)
			}
			return nil
		},
	}
}

func hpas(client kubernetes.Interface, namespace string) bearing {
	return bearing{
		resource: "horizontalpodautoscalers.autoscaling", without: "requests that they scale on are not kept",
		page: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return client.AutoscalingV2().HorizontalPodAutoscalers(namespace).List(ctx, o)
		},
		take: func(s *surroundings, o runtime.Object) error {
			if h, ok := o.(*autoscalingv2.HorizontalPodAutoscaler); ok {
				s.hpa(h)
			}
			return nil
		},
	}
}

// bearing is the kind as it is listed and taken.
func (e extension) bearing(objects dynamic.Interface, namespace string) bearing {
	return bearing{
		resource: e.GroupResource().String(), without: e.without,
		page: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return objects.Resource(e.GroupVersionResource).Namespace(namespace).List(ctx, o)
		},
		take: func(s *surroundings, o runtime.Object) error {
			u, ok := o.(*unstructured.Unstructured)
			if !ok {
				return nil
			}
			data, err := u.MarshalJSON()
			if err == nil {
				err = s.take(u.GetAPIVersion(), u.GetKind(), u.GetNamespace(), data)
			}
			if err != nil {
				return fmt.Errorf("%s/%s: %w", u.GetNamespace(), u.GetName(), err)
			}
			return nil
		},
	}
}

// knows asks whether the API server has the resource, which everybody may (system:discovery). Who may not all the same
// is not told.
func knows(ctx context.Context, server discovery.ServerResourcesInterfaceWithContext, r schema.GroupVersionResource) (bool, error) {
	list, err := server.ServerResourcesForGroupVersionWithContext(ctx, r.GroupVersion().String())
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsForbidden(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("asking for the API group %s: %w", r.Group, err)
	}
	for _, known := range list.APIResources {
		if known.Name == r.Resource {
			return true, nil
		}
	}
	return false, nil
}
