package workload

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/rightsize/rightsize/recommender"
)

// quota takes what a ResourceQuota allows of CPU and memory. One with a scope is left out unless the scope has all pods
// that we size: of priority classes and of pods that end by a deadline we know too little.
func (s *surroundings) quota(o *corev1.ResourceQuota) {
	if o.Spec.ScopeSelector != nil || slices.ContainsFunc(o.Spec.Scopes, narrow) {
		return
	}
	q := recommender.Quota{Name: o.Name}
	for r := range recommender.NumResources {
		q.Hard[r] = counted(o.Spec.Hard, r.String())
		q.Used[r] = counted(o.Status.Used, r.String())
	}
	if q.Hard != (recommender.Quota{}).Hard {
		s.quotas[o.Namespace] = append(s.quotas[o.Namespace], q)
	}
}

// narrow says that a scope does not have all the pods of long-running workloads that declare something.
func narrow(scope corev1.ResourceQuotaScope) bool {
	return scope != corev1.ResourceQuotaScopeNotBestEffort && scope != corev1.ResourceQuotaScopeNotTerminating
}

// counted is what a quota's list says of a resource, which it may also call by its name alone: "cpu" is
// "requests.cpu".
func counted(list corev1.ResourceList, name string) recommender.Bounds {
	of := func(names ...string) recommender.Value {
		for _, n := range names {
			if v := value(list, corev1.ResourceName(n)); !v.IsUnset() {
				return v
			}
		}
		return recommender.NoAdvice()
	}
	return recommender.Bounds{Request: of("requests."+name, name), Limit: of("limits." + name)}
}

// node takes what a node has to give. Taints and labels, which keep some pods from it, are not looked at.
func (s *surroundings) node(o *corev1.Node) {
	var room recommender.Room
	for r := range recommender.NumResources {
		room[r], _ = value(o.Status.Allocatable, corev1.ResourceName(r.String())).Amount()
	}
	if room != (recommender.Room{}) {
		s.nodes = append(s.nodes, room)
	}
}

func quotas(client kubernetes.Interface, namespace string) bearing {
	return bearing{
		resource: "resourcequotas", without: "whether they have room is not known",
		page: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return client.CoreV1().ResourceQuotas(namespace).List(ctx, o)
		},
		take: func(s *surroundings, o runtime.Object) error {
			if q, ok := o.(*corev1.ResourceQuota); ok {
				s.quota(q)
			}
			return nil
		},
	}
}

// nodes are the cluster's. Who has rights in one namespace alone cannot have this one, and is not told each time.
func nodes(client kubernetes.Interface, namespace string) bearing {
	return bearing{
		resource: "nodes", without: "pods that no node has room for are not marked", quiet: namespace != metav1.NamespaceAll, global: true,
		page: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return client.CoreV1().Nodes().List(ctx, o)
		},
		take: func(s *surroundings, o runtime.Object) error {
			if n, ok := o.(*corev1.Node); ok {
				s.node(n)
			}
			return nil
		},
	}
}
