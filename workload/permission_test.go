package workload

import (
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// Denied asks whether each resource may be listed, nodes in no namespace, and lists nothing.
func TestDenied(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("create", "selfsubjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
		r := review.Spec.ResourceAttributes
		if r.Verb != "list" || (r.Namespace == "") != (r.Resource == "nodes") || strings.Contains(r.Resource, ".") {
			t.Errorf("asked for %+v", r)
		}
		review.Status.Allowed = r.Resource != "nodes" && r.Group != "batch"
		return true, review, nil
	})
	workloads, around, err := Denied(t.Context(), client, "shop")
	if err != nil || !slices.Equal(workloads, []string{"cronjobs.batch", "jobs.batch"}) || !slices.Equal(around, []string{"nodes"}) {
		t.Errorf("Denied = %q, %q, %v", workloads, around, err)
	}
	for _, a := range client.Actions() {
		if a.GetVerb() == "list" {
			t.Errorf("it lists %s", a.GetResource().Resource)
		}
	}
}
