package workload

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/pager"

	"github.com/rightsize/rightsize/recommender"
)

// pageSize is how many objects are asked for at a time, as kubectl does.
const pageSize = 500

// ForbiddenError says that no workloads may be listed, and what to grant.
type ForbiddenError struct {
	Namespace string   // empty for all
	Resources []string // with their API groups: "cronjobs.batch"
}

// Error names each missing permission on one line.
func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("not allowed to list any workloads %s: grant list on %s",
		within(e.Namespace), strings.Join(e.Resources, ", "))
}

// within says where a listing looked.
func within(namespace string) string {
	if namespace == metav1.NamespaceAll {
		return "in all namespaces"
	}
	return "in namespace " + namespace
}

// List reads the workloads of a namespace, or of all with "". A kind that may not be listed is left out
// with a warning. If no kind of controller may, and nothing else is there, the error is a *ForbiddenError: all
// that there is may be hidden. A namespace that does not exist is a
// *NotFoundError.
func List(ctx context.Context, client kubernetes.Interface, namespace string) (*Inventory, error) {
	inv := &Inventory{}
	seen := false // that a kind of controller may be listed
	for _, k := range builtIn() {
		err := inv.list(ctx, lister(client, namespace, k.name))
		switch {
		case apierrors.IsForbidden(err):
			inv.unlisted(k, namespace)
		case err != nil:
			return nil, fmt.Errorf("listing %s %s: %w", k.resource, within(namespace), err)
		case !k.mostlyOwned():
			seen = true
		}
	}
	if !seen && len(inv.Workloads) == 0 {
		return nil, &ForbiddenError{Namespace: namespace, Resources: inv.Unlisted}
	}
	if namespace != metav1.NamespaceAll && len(inv.Workloads)+inv.Skipped == 0 {
		if err := exists(ctx, client, namespace); err != nil {
			return nil, err
		}
	}
	inv.sort()
	return inv, nil
}

// unlisted notes that a kind may not be listed.
func (inv *Inventory) unlisted(k kindInfo, namespace string) {
	inv.Unlisted = append(inv.Unlisted, k.groupResource())
	inv.Warnings = append(inv.Warnings, fmt.Sprintf(
		"not allowed to list %s %s: %ss are left out; grant list on %[1]s",
		k.groupResource(), within(namespace), k.name))
}

// list reads one kind and keeps of each object only what is needed of it.
func (inv *Inventory) list(ctx context.Context, page pager.ListPageFunc) error {
	return eachListed(ctx, page, func(obj runtime.Object) error {
		w, ok := declared(obj, true)
		if ok {
			inv.Workloads = append(inv.Workloads, w)
		} else {
			inv.Skipped++
		}
		inv.seen.take(obj, w)
		inv.own(obj)
		return nil
	})
}

// own keeps whose a ReplicaSet, a Job or a pod is.
func (inv *Inventory) own(obj runtime.Object) {
	o, err := meta.Accessor(obj)
	if err != nil {
		return // eachListed has looked at it
	}
	if inv.Owners == nil {
		inv.Owners = map[string]recommender.Owners{}
	}
	owners, ok := inv.Owners[o.GetNamespace()]
	if !ok {
		owners = recommender.NewOwners()
		inv.Owners[o.GetNamespace()] = owners
	}
	var whose recommender.Owner
	if c := metav1.GetControllerOfNoCopy(o); c != nil {
		whose = recommender.Owner{Kind: c.Kind, Name: c.Name}
	}
	switch obj.(type) {
	case *appsv1.ReplicaSet:
		owners.ReplicaSets[o.GetName()] = whose
	case *batchv1.Job:
		owners.Jobs[o.GetName()] = whose
	case *corev1.Pod:
		owners.Pods[o.GetName()] = whose
	}
}

// eachListed visits each object once, page by page.
func eachListed(ctx context.Context, page pager.ListPageFunc, visit func(runtime.Object) error) error {
	seen := map[types.NamespacedName]bool{}
	once := func(obj runtime.Object) error {
		o, err := meta.Accessor(obj)
		if err != nil {
			return err
		}
		name := types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
		if seen[name] {
			return nil
		}
		seen[name] = true
		return visit(obj)
	}
	p := pager.New(page)
	p.PageSize, p.PageBufferSize = pageSize, 1
	err := p.EachListItem(ctx, metav1.ListOptions{Limit: pageSize}, once)
	if !apierrors.IsResourceExpired(err) {
		return err
	}
	// The continue token outlived the server's history. Start again without pages, as client-go's pager
	// does when it keeps whole lists; what was seen already is not taken twice.
	all, err := page(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	return meta.EachListItem(all, once)
}

// lister asks for one page of a kind.
func lister(client kubernetes.Interface, namespace, kind string) pager.ListPageFunc {
	return func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		switch kind {
		case "Deployment":
			return client.AppsV1().Deployments(namespace).List(ctx, o)
		case "StatefulSet":
			return client.AppsV1().StatefulSets(namespace).List(ctx, o)
		case "DaemonSet":
			return client.AppsV1().DaemonSets(namespace).List(ctx, o)
		case "ReplicaSet":
			return client.AppsV1().ReplicaSets(namespace).List(ctx, o)
		case "CronJob":
			return client.BatchV1().CronJobs(namespace).List(ctx, o)
		case "Job":
			return client.BatchV1().Jobs(namespace).List(ctx, o)
		case "Pod":
			return client.CoreV1().Pods(namespace).List(ctx, o)
		}
		return nil, fmt.Errorf("no way to list kind %s", kind)
	}
}

// exists returns a *NotFoundError for a namespace that is not there. Who may not read namespaces is not
// told whether it is.
func exists(ctx context.Context, client kubernetes.Interface, namespace string) error {
	_, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	switch {
	case err == nil || apierrors.IsForbidden(err):
		return nil
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("reading namespace %s: %w", namespace, err)
	}
	known, err := namespaces(ctx, client)
	if err != nil {
		return err
	}
	return missingNamespace(namespace, "does not exist", known)
}

// namespaces lists the names of all namespaces, or none where that is not allowed.
func namespaces(ctx context.Context, client kubernetes.Interface) ([]string, error) {
	p := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return client.CoreV1().Namespaces().List(ctx, o)
	})
	all, _, err := p.List(ctx, metav1.ListOptions{Limit: pageSize})
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing namespaces: %w", err)
	}
	var names []string
	err = meta.EachListItem(all, func(obj runtime.Object) error {
		if ns, ok := obj.(*corev1.Namespace); ok {
			names = append(names, ns.Name)
		}
		return nil
	})
	return names, err
}
