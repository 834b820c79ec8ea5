package workload

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
)

// bearings are what of Kubernetes's own bears on the workloads of a namespace.
func bearings(client kubernetes.Interface, namespace string) []bearing {
	return []bearing{limitRanges(client, namespace), hpas(client, namespace), quotas(client, namespace), nodes(client, namespace)}
}

// Denied are the resources that a report lists and the caller may not: workloads, and what bears on them. They are
// written as in RBAC: "cronjobs.batch". It asks the API server about each and lists nothing.
func Denied(ctx context.Context, client kubernetes.Interface, namespace string) (workloads, around []string, err error) {
	for _, k := range kinds() {
		if err := may(ctx, client, &workloads, k.groupResource(), namespace); err != nil {
			return nil, nil, err
		}
	}
	for _, b := range bearings(client, namespace) {
		within := namespace
		if b.global {
			within = metav1.NamespaceAll
		}
		if err := may(ctx, client, &around, b.resource, within); err != nil {
			return nil, nil, err
		}
	}
	for _, e := range extensions() {
		known, err := knows(ctx, discovery.ToDiscoveryInterfaceWithContext(client.Discovery()), e.GroupVersionResource)
		if err != nil {
			return nil, nil, err
		}
		if !known {
			continue
		}
		if err := may(ctx, client, &around, e.GroupResource().String(), namespace); err != nil {
			return nil, nil, err
		}
	}
	return workloads, around, nil
}

// may appends the resource to denied unless it may be listed.
func may(ctx context.Context, client kubernetes.Interface, denied *[]string, groupResource, namespace string) error {
	resource, group, _ := strings.Cut(groupResource, ".")
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "list", Group: group, Resource: resource},
	}}
	answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("asking whether %s may be listed: %w", groupResource, err)
	}
	if !answer.Status.Allowed {
		*denied = append(*denied, groupResource)
	}
	return nil
}
