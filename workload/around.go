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

// vpaResource is where VerticalPodAutoscalers are, where there are any: it is no part of Kubernetes.
func vpaResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "autoscaling.k8s.io", Version: "v1", Resource: "verticalpodautoscalers"}
}

// bearing is a kind of object that bears on workloads.
type bearing struct {
	resource string // with its API group, as RBAC and kubectl write it
	without  string // what is not known without it
	page     pager.ListPageFunc
	take     func(*surroundings, runtime.Object) error
}

// Surround reads what bears on the workloads of a namespace, or of all with "", and gives it to their containers:
// LimitRanges, HorizontalPodAutoscalers, and VerticalPodAutoscalers where the API server knows them, which takes one
// request to find out. What may not be listed is left out with a warning.
func (inv *Inventory) Surround(ctx context.Context, client kubernetes.Interface, objects dynamic.Interface, namespace string) error {
	if len(inv.Workloads) == 0 {
		return nil
	}
	all := []bearing{limitRanges(client, namespace), hpas(client, namespace)}
	known, err := knows(ctx, discovery.ToDiscoveryInterfaceWithContext(client.Discovery()), vpaResource())
	if err != nil {
		return err
	}
	if known {
		all = append(all, vpas(objects, namespace))
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
			inv.Warnings = append(inv.Warnings, fmt.Sprintf("not allowed to list %s %s: %s; grant list on %[1]s", b.resource, within(namespace), b.without))
		case err != nil && !apierrors.IsNotFound(err): // its CRD has just gone
			return fmt.Errorf("listing %s %s: %w", b.resource, within(namespace), err)
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

func vpas(objects dynamic.Interface, namespace string) bearing {
	return bearing{
		resource: vpaResource().GroupResource().String(), without: "conflicts with them are not known",
		page: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return objects.Resource(vpaResource()).Namespace(namespace).List(ctx, o)
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
