package workload_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/rightsize/rightsize/workload"
)

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// of makes the object belong to a controller.
func of(m metav1.ObjectMeta, kind, name string) metav1.ObjectMeta {
	yes := true
	m.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name, Controller: &yes}}
	return m
}

func podSpec(containers ...string) corev1.PodSpec {
	var s corev1.PodSpec
	for _, c := range containers {
		s.Containers = append(s.Containers, corev1.Container{Name: c})
	}
	return s
}

func cluster() []runtime.Object {
	template := corev1.PodTemplateSpec{Spec: podSpec("app")}
	mirror := meta("kube-system", "etcd-n1")
	mirror.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
	four := int32(4)
	return []runtime.Object{
		&corev1.Namespace{ObjectMeta: meta("", "default")},
		&corev1.Namespace{ObjectMeta: meta("", "shop")},
		&corev1.Namespace{ObjectMeta: meta("", "kube-system")},
		&appsv1.Deployment{ObjectMeta: meta("shop", "web"), Spec: appsv1.DeploymentSpec{Replicas: &four, Template: template}},
		&appsv1.ReplicaSet{ObjectMeta: of(meta("shop", "web-5d9c7b6f8"), "Deployment", "web"), Spec: appsv1.ReplicaSetSpec{Template: template}},
		&appsv1.ReplicaSet{ObjectMeta: meta("shop", "bare"), Spec: appsv1.ReplicaSetSpec{Template: template}},
		&appsv1.StatefulSet{ObjectMeta: of(meta("shop", "db"), "Postgres", "db"), Spec: appsv1.StatefulSetSpec{Template: template}},
		&appsv1.DaemonSet{ObjectMeta: meta("kube-system", "agent"), Spec: appsv1.DaemonSetSpec{Template: template}, Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 7}},
		&batchv1.CronJob{ObjectMeta: meta("shop", "nightly"), Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template}}}},
		&batchv1.Job{ObjectMeta: of(meta("shop", "nightly-29000000"), "CronJob", "nightly"), Spec: batchv1.JobSpec{Template: template}},
		&batchv1.Job{ObjectMeta: meta("shop", "once"), Spec: batchv1.JobSpec{Template: template}, Status: batchv1.JobStatus{Active: 2}},
		&corev1.Pod{ObjectMeta: of(meta("shop", "web-5d9c7b6f8-x2x4z"), "ReplicaSet", "web-5d9c7b6f8"), Spec: podSpec("app")},
		&corev1.Pod{ObjectMeta: meta("shop", "shell"), Spec: podSpec("sh")},
		&corev1.Pod{ObjectMeta: meta("shop", "over"), Spec: podSpec("sh"), Status: corev1.PodStatus{Phase: corev1.PodSucceeded}},
		&corev1.Pod{ObjectMeta: mirror, Spec: podSpec("etcd")},
	}
}

func TestList(t *testing.T) {
	const shop = `shop/replicaset/bare/app x1 cpu unset/unset memory unset/unset
shop/statefulset/db/app x1 cpu unset/unset memory unset/unset
shop/cronjob/nightly/app x0 cpu unset/unset memory unset/unset
shop/job/once/app x2 cpu unset/unset memory unset/unset
shop/pod/over/sh x0 cpu unset/unset memory unset/unset
shop/pod/shell/sh x1 cpu unset/unset memory unset/unset
shop/deployment/web/app x4 cpu unset/unset memory unset/unset
`
	const system = "kube-system/daemonset/agent/app x7 cpu unset/unset memory unset/unset\n"
	for namespace, want := range map[string]struct {
		lines   string
		skipped int
	}{
		"":        {system + shop, 4},
		"shop":    {shop, 3},
		"default": {"", 0},
	} {
		inv, err := workload.List(t.Context(), fake.NewSimpleClientset(cluster()...), namespace)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.lines, lines(inv)); diff != "" {
			t.Errorf("List(%q) (-want +got):\n%s", namespace, diff)
		}
		if inv.Skipped != want.skipped || len(inv.Warnings) > 0 || inv.Manifests {
			t.Errorf("List(%q): skipped %d, warnings %q, want %d and none", namespace, inv.Skipped, inv.Warnings, want.skipped)
		}
	}
}

// forbidding makes the API server refuse to list resources.
func forbidding(client *fake.Clientset, resources ...string) kubernetes.Interface {
	for _, r := range resources {
		client.PrependReactor("list", r, func(a clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(a.GetResource().GroupResource(), "", errors.New("no"))
		})
	}
	return client
}

var everyKind = []string{"deployments", "statefulsets", "daemonsets", "cronjobs", "jobs", "replicasets", "pods"}

func TestListForbidden(t *testing.T) {
	inv, err := workload.List(t.Context(), forbidding(fake.NewSimpleClientset(cluster()...), "cronjobs", "pods"), "shop")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"not allowed to list cronjobs.batch in namespace shop: CronJobs are left out; grant list on cronjobs.batch",
		"not allowed to list pods in namespace shop: Pods are left out; grant list on pods",
	}
	if diff := cmp.Diff(want, inv.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if got, want := refs(inv.Workloads), "replicaset/bare statefulset/db job/once deployment/web"; got != want {
		t.Errorf("workloads %s, want %s", got, want)
	}
	for ref, want := range map[string][]string{"": {"cronjobs.batch", "pods"}, "deployment/web": nil} {
		var s workload.Selector
		if ref != "" {
			s.Refs = []string{ref}
		}
		sel, err := inv.Select(s)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, sel.Unlisted); diff != "" {
			t.Errorf("unlisted of selection %q (-want +got):\n%s", ref, diff)
		}
	}

	_, err = workload.List(t.Context(), forbidding(fake.NewSimpleClientset(cluster()...), everyKind...), "")
	var forbidden *workload.ForbiddenError
	if !errors.As(err, &forbidden) {
		t.Fatalf("error %v, want a ForbiddenError", err)
	}
	const all = "not allowed to list any workloads in all namespaces: grant list on deployments.apps, statefulsets.apps, daemonsets.apps, cronjobs.batch, jobs.batch, replicasets.apps, pods"
	if err.Error() != all {
		t.Errorf("error %s, want %s", err, all)
	}

	// Only what belongs to others may be seen: that is no empty namespace.
	controllers := []string{"deployments", "statefulsets", "daemonsets", "cronjobs", "jobs"}
	owned := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "shop", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", Controller: new(true)},
	}}}
	_, err = workload.List(t.Context(), forbidding(fake.NewSimpleClientset(owned), controllers...), "shop")
	if !errors.As(err, &forbidden) || len(forbidden.Resources) != len(controllers) {
		t.Errorf("error %v, want a ForbiddenError with %d resources", err, len(controllers))
	}
	if inv, err = workload.List(t.Context(), forbidding(fake.NewSimpleClientset(cluster()...), controllers...), "shop"); err != nil || len(inv.Workloads) != 3 {
		t.Errorf("error %v and workloads %v, want the bare ReplicaSet and Pods", err, inv)
	}
}

func TestListNamespace(t *testing.T) {
	tests := []struct {
		namespace string
		forbid    []string
		want      string // empty for none
	}{
		{"shp", nil, `namespace "shp" does not exist; did you mean "shop"? (namespaces: default, kube-system, shop)`},
		{"production", nil, `namespace "production" does not exist (namespaces: default, kube-system, shop)`},
		{"shp", []string{"namespaces"}, `namespace "shp" does not exist`},
		{"default", []string{"pods"}, ""},
	}
	for _, tt := range tests {
		_, err := workload.List(t.Context(), forbidding(fake.NewSimpleClientset(cluster()...), tt.forbid...), tt.namespace)
		var missing *workload.NotFoundError
		if got := fmt.Sprint(err); tt.want == "" && err != nil || tt.want != "" && (got != tt.want || !errors.As(err, &missing)) {
			t.Errorf("List(%q) without %q: %v, want %q", tt.namespace, tt.forbid, err, tt.want)
		}
	}

	blind := fake.NewSimpleClientset()
	blind.PrependReactor("get", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "shp", errors.New("no"))
	})
	if inv, err := workload.List(t.Context(), blind, "shp"); err != nil || len(inv.Workloads) > 0 {
		t.Errorf("where namespaces cannot be read: %v, %v, want nothing and no error", inv, err)
	}
}

func TestListError(t *testing.T) {
	client := fake.NewSimpleClientset(cluster()...)
	client.PrependReactor("list", "daemonsets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewInternalError(errors.New("etcd is away"))
	})
	_, err := workload.List(t.Context(), client, "shop")
	if want := "listing daemonsets in namespace shop: Internal error occurred: etcd is away"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := workload.List(ctx, fake.NewSimpleClientset(cluster()...), ""); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// pages serves Deployments page-1, page-2 ... two at a time, as an API server does, and forgets the
// continue token after some pages if expire is set.
func pages(client *fake.Clientset, n int, expire bool) *[]string {
	var asked []string
	client.PrependReactor("list", "deployments", func(a clienttesting.Action) (bool, runtime.Object, error) {
		o := a.(clienttesting.ListActionImpl).ListOptions
		asked = append(asked, fmt.Sprintf("limit=%d continue=%q", o.Limit, o.Continue))
		from, to := 0, n
		if o.Limit > 0 {
			_, _ = fmt.Sscan(o.Continue, &from)
			to = min(from+2, n)
		}
		if expire && from >= 2 {
			return true, nil, &apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusGone, Reason: metav1.StatusReasonExpired}}
		}
		list := &appsv1.DeploymentList{}
		for i := from; i < to; i++ {
			d := appsv1.Deployment{ObjectMeta: meta("shop", fmt.Sprint("page-", i)), Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: podSpec("app")}}}
			list.Items = append(list.Items, d)
		}
		if to < n {
			list.Continue = fmt.Sprint(to)
		}
		return true, list, nil
	})
	return &asked
}

func TestListPages(t *testing.T) {
	for _, tt := range []struct {
		expire bool
		asked  string
	}{
		{false, `limit=500 continue=""; limit=500 continue="2"; limit=500 continue="4"`},
		{true, `limit=500 continue=""; limit=500 continue="2"; limit=0 continue=""`},
	} {
		client := fake.NewSimpleClientset()
		asked := pages(client, 5, tt.expire)
		inv, err := workload.List(t.Context(), client, "")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := refs(inv.Workloads), "deployment/page-0 deployment/page-1 deployment/page-2 deployment/page-3 deployment/page-4"; got != want {
			t.Errorf("expire %t: workloads %s, want %s", tt.expire, got, want)
		}
		if got := strings.Join(*asked, "; "); got != tt.asked {
			t.Errorf("expire %t: asked %s, want %s", tt.expire, got, tt.asked)
		}
	}
}
