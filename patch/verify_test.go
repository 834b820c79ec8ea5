package patch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
)

// shopClient answers patches of the shop's deployment with a template, and refuses what is said.
func shopClient(refuse map[string]error) *dynamicfake.FakeDynamicClient {
	client := dynamicfake.NewSimpleDynamicClient(runtime.NewScheme())
	client.PrependReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if err := refuse[a.GetVerb()+" "+a.GetResource().Resource]; err != nil {
			return true, nil, err
		}
		return true, &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"template": map[string]any{
			"metadata": map[string]any{"labels": map[string]any{"app": "api"}}, "spec": map[string]any{"containers": []any{}},
		}}}}, nil
	})
	return client
}

func TestVerify(t *testing.T) {
	r, declared := scaledShop(0.5, 0.5)
	changes, _ := Plan(r, declared, r.Least)
	job := Job{Changes: changes, Retargets: r.Retargets}
	pods, deployments := metav1.SchemeGroupVersion.WithResource("pods").GroupResource(), metav1.SchemeGroupVersion.WithResource("deployments").GroupResource()
	for _, c := range []struct {
		name           string
		refuse         map[string]error
		refused, noted string
	}{
		{"all is taken", nil, "", ""},
		{"a pod is refused", map[string]error{"create pods": apierrors.NewForbidden(pods, "x", errors.New("maximum cpu usage per Container is 1"))}, "deployment/api, namespace shop: the API server refuses it: a pod of it: ", ""},
		{"the patch is refused", map[string]error{"patch deployments": apierrors.NewNotFound(deployments, "api")}, "deployment/api, namespace shop: the API server refuses it: ", ""},
		{"the autoscaler is refused", map[string]error{"patch horizontalpodautoscalers": apierrors.NewBadRequest("the path does not exist")}, "horizontalpodautoscaler/api, namespace shop: the API server refuses it: the path does not exist", ""},
		{"no right to it", map[string]error{"patch deployments": apierrors.NewForbidden(deployments, "api", errors.New(`User "u" cannot patch resource "deployments" in API group "apps" in the namespace "shop"`))}, "", "not verified, for want of a right: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := shopClient(c.refuse)
			refused, notes, err := job.Verify(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(refused, "\n"); !strings.HasPrefix(got, c.refused) || (got == "") != (c.refused == "") {
				t.Errorf("refused %q, want %q", got, c.refused)
			}
			if got := strings.Join(notes, "\n"); !strings.HasPrefix(got, c.noted) || (got == "") != (c.noted == "") {
				t.Errorf("notes %q, want %q", got, c.noted)
			}
			for _, a := range client.Actions() {
				if !dry(a) {
					t.Errorf("%s %s is no dry run", a.GetVerb(), a.GetResource().Resource)
				}
			}
			if len(client.Actions()) == 0 {
				t.Error("nothing was tried")
			}
		})
	}
	t.Run("no answer", func(t *testing.T) {
		_, _, err := job.Verify(t.Context(), shopClient(map[string]error{"patch deployments": errors.New("connection refused")}))
		if want := "verifying the patch of deployment/api, namespace shop: connection refused"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	})
	t.Run("a context that is over", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := job.Verify(ctx, shopClient(map[string]error{"patch deployments": context.Canceled})); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// dry says that the API server was asked to change nothing.
func dry(a clienttesting.Action) bool {
	switch a := a.(type) {
	case clienttesting.PatchActionImpl:
		return slices.Equal(a.PatchOptions.DryRun, []string{metav1.DryRunAll}) && (a.PatchType == types.JSONPatchType) == (a.Resource.Resource != "deployments")
	case clienttesting.CreateActionImpl:
		return slices.Equal(a.CreateOptions.DryRun, []string{metav1.DryRunAll})
	}
	return false
}
