package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/rightsize/rightsize/recommender"
)

// refs are the workload and its parts.
func (w Workload) refs() []Ref { return append([]Ref{w.Ref}, w.Parts...) }

// answersTo says that the workload, or a part of it, is what ref names in whatever namespace.
func (w Workload) answersTo(ref Ref) bool {
	return slices.ContainsFunc(w.refs(), func(r Ref) bool { return r.anywhere() == ref })
}

// refAmong reads KIND/NAME, where the kind may be that of any of the workloads too, with its API group or without.
func refAmong(s string, among []Workload) (Ref, error) {
	kind, name, err := ParseRef(s)
	if err == nil {
		return Ref{Kind: kind, Name: name}, nil
	}
	given, name, _ := strings.Cut(s, "/")
	given, _, _ = strings.Cut(given, ".")
	for _, w := range among {
		for _, r := range w.refs() {
			if strings.EqualFold(r.Kind, given) {
				return Ref{Kind: r.Kind, Name: name}, nil
			}
		}
	}
	return Ref{}, err
}

// together is each container once: the objects of an operator may share one, whose replicas then add up.
func together(sorted []recommender.Container) (all []recommender.Container) {
	for _, c := range sorted {
		last := len(all) - 1
		switch {
		case last < 0 || all[last].ID != c.ID:
			all = append(all, c)
		case all[last].Replicas == recommender.UnknownReplicas || c.Replicas == recommender.UnknownReplicas:
			all[last].Replicas = recommender.UnknownReplicas
		default:
			all[last].Replicas += c.Replicas
		}
	}
	return all
}

// Extend goes beyond Kubernetes's own kinds: it lists Argo's Rollouts and OpenShift's DeploymentConfigs where the API
// server knows them, gives what belongs to an operator's object that one's kind and name, and adds the containers that
// are put into pods on their way. It comes after List and before Surround.
func (inv *Inventory) Extend(ctx context.Context, client kubernetes.Interface, objects dynamic.Interface, heads metadata.Interface, namespace string) error {
	if err := inv.listTemplated(ctx, client, objects, namespace); err != nil {
		return err
	}
	inv.join()
	c := &climber{
		server: discovery.ToDiscoveryInterfaceWithContext(client.Discovery()), heads: heads, namespace: namespace,
		inv: inv, kinds: map[schema.GroupVersionKind]owners{},
	}
	if err := inv.ascend(ctx, c); err != nil {
		return err
	}
	inv.addInjected()
	inv.sort()
	return nil
}

// ascend gives workloads that belong to objects of other kinds the kind and name of the topmost of these.
func (inv *Inventory) ascend(ctx context.Context, c *climber) error {
	for _, g := range inv.seen.made() {
		if dc, ok := configOf(g.Ref); ok && inv.adopt(dc, g.Workload) {
			continue
		}
		g.controller = &g.owner
		inv.Workloads = append(inv.Workloads, g.Workload)
	}
	below := map[Ref][]int{} // the workloads below each owner
	for i, w := range inv.Workloads {
		if w.controller == nil || isKind(w.controller.APIVersion, w.controller.Kind) {
			continue
		}
		top, err := c.top(ctx, w.Namespace, *w.controller)
		if err != nil {
			return err
		}
		below[top] = append(below[top], i)
	}
	for top, indices := range below {
		inv.riseTo(top, indices)
	}
	return nil
}

// adopt makes pods' controllers parts of a workload that is listed; false where it is not.
func (inv *Inventory) adopt(ref Ref, group Workload) bool {
	i := slices.IndexFunc(inv.Workloads, func(w Workload) bool { return w.Ref == ref })
	if i >= 0 {
		inv.Workloads[i].Parts = append(inv.Workloads[i].Parts, group.refs()...)
	}
	return i >= 0
}

// riseTo gives the workloads an owner's kind and name. Those that declare a container as another of them does not keep
// their own, since their usage does not belong together; CronJobs keep theirs too, since they are sized by runs. None of
// them is patched: the owner's controller would undo it.
func (inv *Inventory) riseTo(top Ref, indices []int) {
	torn := inv.torn(indices)
	for _, i := range indices {
		w := &inv.Workloads[i]
		apart := w.Kind == "CronJob" || slices.ContainsFunc(containerNames(*w), func(name string) bool { return torn[name] })
		if !apart && w.Ref != top {
			w.Parts = append(w.Parts, w.Ref)
			w.rename(top)
		}
		w.Slots, w.Containers = nil, slices.Clone(w.Containers)
		for k := range w.Containers {
			w.Containers[k].Owner = top.Kind + " " + top.Name
		}
	}
}

// torn are the names of containers of which the workloads declare different things.
func (inv *Inventory) torn(indices []int) map[string]bool {
	first, torn := map[string]recommender.Container{}, map[string]bool{}
	for _, i := range indices {
		if inv.Workloads[i].Kind == "CronJob" {
			continue
		}
		for _, c := range inv.Workloads[i].Containers {
			name := c.ID.Container
			if before, ok := first[name]; ok && (before.Spec != c.Spec || before.Heap != c.Heap || before.Init != c.Init) {
				torn[name] = true
			} else {
				first[name] = c
			}
		}
	}
	return torn
}

// climber finds out what objects belong to. Of each kind it lists the objects' metadata, once.
type climber struct {
	server    discovery.ServerResourcesInterfaceWithContext
	heads     metadata.Interface
	namespace string
	inv       *Inventory
	kinds     map[schema.GroupVersionKind]owners
}

// owners are the controllers of the objects of a kind, by namespace and name.
type owners struct {
	of         map[Ref]metav1.OwnerReference
	namespaced bool
}

// highest bounds chains of owners, which nothing keeps from going round in circles.
const highest = 16

// top is the last owner on the way up that is no workload itself: what owns a Deployment that owns it is the one who runs
// the operator.
func (c *climber) top(ctx context.Context, namespace string, owner metav1.OwnerReference) (Ref, error) {
	for range highest {
		kind := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind)
		known, ok := c.kinds[kind]
		if !ok {
			var err error
			if known, err = c.list(ctx, kind); err != nil {
				return Ref{}, err
			}
			c.kinds[kind] = known
		}
		at := Ref{Kind: owner.Kind, Name: owner.Name}
		if known.namespaced {
			at.Namespace = namespace
		}
		next, ok := known.of[at]
		if !ok || isKind(next.APIVersion, next.Kind) {
			break
		}
		owner = next
	}
	return Ref{Namespace: namespace, Kind: owner.Kind, Name: owner.Name}, nil
}

// list lists the objects of a kind. One that the API server does not have any more has none, and neither has one that
// may not be listed, with a warning: what owns its objects is not known then.
func (c *climber) list(ctx context.Context, kind schema.GroupVersionKind) (owners, error) {
	found := owners{of: map[Ref]metav1.OwnerReference{}}
	if kind.Group == "" { // Kubernetes's own that own pods belong to nobody: nodes, ReplicationControllers
		return found, nil
	}
	resource, namespaced, err := c.resource(ctx, kind)
	if err != nil || resource.Resource == "" {
		return found, err
	}
	found.namespaced = namespaced
	namespace, where := c.namespace, within(c.namespace)
	if !namespaced {
		namespace, where = metav1.NamespaceAll, "of the cluster"
	}
	page := func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return c.heads.Resource(resource).Namespace(namespace).List(ctx, o)
	}
	err = eachListed(ctx, page, func(obj runtime.Object) error {
		if o, ok := obj.(*metav1.PartialObjectMetadata); ok {
			if by := metav1.GetControllerOf(o); by != nil {
				found.of[Ref{o.Namespace, kind.Kind, o.Name}] = *by
			}
		}
		return nil
	})
	switch {
	case apierrors.IsForbidden(err):
		c.inv.Warnings = append(c.inv.Warnings, fmt.Sprintf(
			"not allowed to list %s %s: what they belong to is not known, and they stand for it; grant list on %[1]s", resource.GroupResource(), where))
	case err != nil && !apierrors.IsNotFound(err):
		return found, fmt.Errorf("listing %s %s: %w", resource.GroupResource(), where, err)
	}
	return found, nil
}

// resource is where the API server keeps objects of the kind; none where it has no such kind, or does not tell.
func (c *climber) resource(ctx context.Context, kind schema.GroupVersionKind) (r schema.GroupVersionResource, namespaced bool, err error) {
	list, err := c.server.ServerResourcesForGroupVersionWithContext(ctx, kind.GroupVersion().String())
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsForbidden(err):
		return r, false, nil
	case err != nil:
		return r, false, fmt.Errorf("asking for the API group %s: %w", kind.Group, err)
	}
	for _, known := range list.APIResources {
		if known.Kind == kind.Kind && !strings.Contains(known.Name, "/") {
			return kind.GroupVersion().WithResource(known.Name), known.Namespaced, nil
		}
	}
	return r, false, nil
}
