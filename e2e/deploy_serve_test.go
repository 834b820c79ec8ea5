package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// servedOverlays are the ways to install the served report.
func servedOverlays() []string {
	return []string{"serve", "serve-monitoring", "serve-namespace", "serve-external-secret"}
}

// prepareServed makes what has to be there before the overlays of the served report: the namespaces, the CRDs of the
// two operators, and the accounts that the pods' admission asks for.
func prepareServed(t *testing.T) {
	t.Helper()
	prepareDeploy(t)
	if err := env.cluster.Monitoring(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, overlay := range []string{"serve", "serve-namespace"} {
		for _, obj := range deployed(t, overlay, "") {
			if obj.GetKind() != "ServiceAccount" {
				continue
			}
			applyAll(t, obj)
			t.Cleanup(func() {
				if err := env.cluster.Delete(context.Background(), obj); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func deploymentOf(t *testing.T, objects []*unstructured.Unstructured) (d appsv1.Deployment) {
	t.Helper()
	only(t, objects, "Deployment", "rightsize-serve", &d)
	return d
}

// Server-side applies as dry runs, which refuse fields that no schema has and which admission takes part in, accept all
// objects of all overlays, those of the operators by their own CRDs, without a warning.
func TestServeIsAccepted(t *testing.T) {
	prepareServed(t)
	for _, overlay := range servedOverlays() {
		t.Run(overlay, func(t *testing.T) {
			for _, obj := range deployed(t, overlay, "") {
				warnings, err := env.cluster.DryRun(context.Background(), obj)
				if err != nil || len(warnings) > 0 {
					t.Errorf("%s %s: %v, with the warnings %q", obj.GetKind(), obj.GetName(), err, warnings)
				}
			}
		})
	}
	t.Run("not with a field that nobody knows", func(t *testing.T) {
		for _, obj := range deployed(t, "serve-monitoring", "") {
			if spec, is := obj.Object["spec"].(map[string]any); is {
				spec["intervall"] = "1m"
				if _, err := env.cluster.DryRun(context.Background(), obj); err == nil || !strings.Contains(err.Error(), "intervall") {
					t.Errorf("%s %s is accepted with a field that it does not have: %v", obj.GetKind(), obj.GetName(), err)
				}
			}
		}
	})
}

// The namespace takes the pod of each Deployment, and no other: its Pod Security Standard is enforced.
func TestServePodsAreRestricted(t *testing.T) {
	prepareServed(t)
	yes := true
	for _, overlay := range servedOverlays() {
		t.Run(overlay, func(t *testing.T) {
			d := deploymentOf(t, deployed(t, overlay, ""))
			pod := &corev1.Pod{
				TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
				ObjectMeta: *d.Spec.Template.ObjectMeta.DeepCopy(),
				Spec:       *d.Spec.Template.Spec.DeepCopy(),
			}
			pod.Name, pod.Namespace = "rightsize-serve-7d9c5b8f4-x7k2p", d.Namespace
			if warnings, err := env.cluster.DryRun(context.Background(), toUnstructured(t, pod)); err != nil || len(warnings) > 0 {
				t.Errorf("the pod is not accepted: %v, with the warnings %q", err, warnings)
			}
			if d.Namespace != "rightsize" {
				return // the standard of that namespace is not ours
			}
			pod.Spec.Containers[0].SecurityContext.Privileged = &yes
			pod.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil // the two exclude each other
			_, err := env.cluster.DryRun(context.Background(), toUnstructured(t, pod))
			if err == nil || !strings.Contains(err.Error(), `violates PodSecurity "restricted:latest": privileged`) {
				t.Errorf("a privileged pod gives %v, want it refused by restricted", err)
			}
		})
	}
}

// kube-score has no objection, not even as a warning, but to the single replica, which docs/production.md argues for.
func TestServeScores(t *testing.T) {
	checkScores(t, servedOverlays(), "Deployment", "--ignore-test=deployment-replicas")
}

// The API server's own list of what the account may do is what a scan lists, and what everybody may ask about
// themselves. It has no other right, to write least of all.
func TestServeMayOnlyList(t *testing.T) {
	prepareServed(t)
	for _, overlay := range []string{"serve", "serve-namespace"} {
		t.Run(overlay, func(t *testing.T) {
			objects := deployed(t, overlay, "")
			d := deploymentOf(t, objects)
			role := applyRights(t, objects)
			as := clientOf(t, d.Namespace, d.Spec.Template.Spec.ServiceAccountName)
			want := rights(role.Rules)
			elsewhere := []string{}
			if role.Kind == "ClusterRole" {
				elsewhere = want
			}
			for namespace, want := range map[string][]string{d.Namespace: want, "default": elsewhere} {
				err := cluster.Eventually(context.Background(), time.Minute, func(ctx context.Context) error {
					got, err := mayDo(ctx, as, namespace)
					if err == nil && !slices.Equal(got, want) {
						err = fmt.Errorf("in namespace %s it may %q, want %q", namespace, got, want)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
			if _, err := as.CoreV1().Pods(d.Namespace).List(context.Background(), metav1.ListOptions{Limit: 1}); err != nil {
				t.Errorf("it cannot list pods: %v", err)
			}
			if err := as.CoreV1().Pods(d.Namespace).Delete(context.Background(), "none", metav1.DeleteOptions{}); err == nil || !strings.Contains(err.Error(), "forbidden") {
				t.Errorf("deleting a pod gives %v, want it forbidden", err)
			}
			if _, err := as.CoreV1().Secrets(d.Namespace).List(context.Background(), metav1.ListOptions{Limit: 1}); err == nil || !strings.Contains(err.Error(), "forbidden") {
				t.Errorf("listing Secrets gives %v, want it forbidden", err)
			}
		})
	}
}

// applyRights applies an overlay's role and its binding until the test ends.
func applyRights(t *testing.T, objects []*unstructured.Unstructured) (found role) {
	t.Helper()
	for _, obj := range objects {
		if obj.GroupVersionKind().Group != rbacv1.GroupName {
			continue
		}
		applyAll(t, obj)
		t.Cleanup(func() {
			if err := env.cluster.Delete(context.Background(), obj); err != nil {
				t.Error(err)
			}
		})
		if strings.HasSuffix(obj.GetKind(), "Role") {
			found = readRole(t, obj)
		}
	}
	return found
}

// clientOf speaks to the API server as a service account.
func clientOf(t *testing.T, namespace, account string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", env.cluster.Kubeconfig(cluster.Admin))
	if err != nil {
		t.Fatal(err)
	}
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":" + account,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// mayDo are the rights that the API server says a client has in a namespace, without those that every account has.
func mayDo(ctx context.Context, as kubernetes.Interface, namespace string) ([]string, error) {
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	answer, err := as.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	if answer.Status.Incomplete {
		return nil, fmt.Errorf("the list of rights is not complete: %s", answer.Status.EvaluationError)
	}
	rules := []rbacv1.PolicyRule{}
	for _, r := range answer.Status.ResourceRules {
		if strings.HasPrefix(r.Resources[0], "selfsubject") { // what every account may ask about itself
			continue
		}
		rules = append(rules, rbacv1.PolicyRule{APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames, Verbs: r.Verbs})
	}
	return append([]string{}, rights(rules)...), nil
}

// What is applied in earnest runs: a pod comes up, the Service leads to it, and the node that it is on can be drained, which
// the budget of a single pod must not hold up; the next pod follows. Nothing looks at its containers here.
func TestServeCanBeDrained(t *testing.T) {
	prepareServed(t)
	ctx := context.Background()
	objects := slices.DeleteFunc(deployed(t, "serve", ""), func(o *unstructured.Unstructured) bool { return o.GetKind() == "ServiceAccount" })
	t.Cleanup(func() { uninstall(t, objects) })
	applyAll(t, objects...)
	first := awaitServed(t, "")
	err := cluster.Eventually(ctx, time.Minute, func(ctx context.Context) error {
		budget, err := env.cluster.Client.PolicyV1().PodDisruptionBudgets("rightsize").Get(ctx, "rightsize-serve", metav1.GetOptions{})
		if err == nil && (budget.Status.DisruptionsAllowed != 1 || budget.Status.ExpectedPods != 1) {
			err = fmt.Errorf("the budget allows %d disruptions of %d pods", budget.Status.DisruptionsAllowed, budget.Status.ExpectedPods)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: "rightsize", Name: first}}
	if err := env.cluster.Client.PolicyV1().Evictions("rightsize").Evict(ctx, eviction); err != nil {
		t.Fatalf("the pod cannot be evicted: %v", err)
	}
	awaitServed(t, first)
}

// awaitServed waits until the Deployment has its pod, the Service leads to it, and it is not the one of that name. The
// pod's name is returned.
func awaitServed(t *testing.T, not string) (name string) {
	t.Helper()
	err := cluster.Eventually(context.Background(), 2*time.Minute, func(ctx context.Context) error {
		d, err := env.cluster.Client.AppsV1().Deployments("rightsize").Get(ctx, "rightsize-serve", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if d.Status.AvailableReplicas != 1 || d.Status.Replicas != 1 {
			return fmt.Errorf("the Deployment is not available: %v", d.Status)
		}
		slicesOf, err := env.cluster.Client.DiscoveryV1().EndpointSlices("rightsize").List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=rightsize-serve"})
		if err != nil {
			return err
		}
		for _, s := range slicesOf.Items {
			for _, e := range s.Endpoints {
				if e.Conditions.Ready != nil && *e.Conditions.Ready && e.TargetRef != nil && e.TargetRef.Name != not && *s.Ports[0].Port == 8080 {
					name = e.TargetRef.Name
					return nil
				}
			}
		}
		return fmt.Errorf("the Service leads to no pod but %q: %v", not, slicesOf.Items)
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}
