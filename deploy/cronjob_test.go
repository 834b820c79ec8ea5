package deploy

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// Two runs never overlap, none is repeated, and each ends.
func TestCronJob(t *testing.T) {
	for _, overlay := range overlays(t) {
		t.Run(overlay, func(t *testing.T) {
			spec := only[*batchv1.CronJob](t, build(t, overlay)).Spec
			job := spec.JobTemplate.Spec
			for _, c := range []struct {
				field     string
				got, want any
			}{
				{"schedule", spec.Schedule, "0 7 * * 1"},
				{"timeZone", *spec.TimeZone, "Etc/UTC"},
				{"concurrencyPolicy", spec.ConcurrencyPolicy, batchv1.ForbidConcurrent},
				{"startingDeadlineSeconds", *spec.StartingDeadlineSeconds, int64(6 * 3600)},
				{"successfulJobsHistoryLimit", *spec.SuccessfulJobsHistoryLimit, int32(3)},
				{"failedJobsHistoryLimit", *spec.FailedJobsHistoryLimit, int32(3)},
				{"backoffLimit", *job.BackoffLimit, int32(0)},
				{"podReplacementPolicy", *job.PodReplacementPolicy, batchv1.Failed},
				{"activeDeadlineSeconds", *job.ActiveDeadlineSeconds, int64(1800)},
				{"ttlSecondsAfterFinished", *job.TTLSecondsAfterFinished, int32(14 * 24 * 3600)},
				{"restartPolicy", job.Template.Spec.RestartPolicy, corev1.RestartPolicyNever},
				{"terminationGracePeriodSeconds", *job.Template.Spec.TerminationGracePeriodSeconds, int64(30)},
			} {
				if c.got != c.want {
					t.Errorf("%s is %v, want %v", c.field, c.got, c.want)
				}
			}
			if got := onlyFailures(t, job.PodFailurePolicy.Rules); !slices.Equal(got, []int32{2, 3, 4}) {
				t.Errorf("the Job fails at once with exit codes %d, want 2, 3 and 4", got)
			}
		})
	}
}

// onlyFailures are the exit codes at which the Job fails at once. No rule does anything else: Ignore and Count
// would let another pod post again.
func onlyFailures(t *testing.T, rules []batchv1.PodFailurePolicyRule) []int32 {
	t.Helper()
	var codes []int32
	for _, r := range rules {
		if r.Action != batchv1.PodFailurePolicyActionFailJob {
			t.Errorf("a rule has the action %s, want FailJob", r.Action)
		}
		if on := r.OnExitCodes; on != nil && on.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn && *on.ContainerName == "rightsize" {
			codes = append(codes, on.Values...)
		}
	}
	return codes
}

// The pod is confined as far as a pod can be.
func TestPodIsConfined(t *testing.T) {
	user, yes, no := int64(65532), true, false
	for _, overlay := range everyOverlay(t) {
		t.Run(overlay, func(t *testing.T) {
			pod, container := podOf(t, build(t, overlay))
			wantPod := &corev1.PodSecurityContext{
				RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user, FSGroup: &user,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			}
			if diff := cmp.Diff(wantPod, pod.Spec.SecurityContext); diff != "" {
				t.Errorf("the pod's security context differs (-want +got):\n%s", diff)
			}
			want := &corev1.SecurityContext{
				RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user, AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			}
			if diff := cmp.Diff(want, container.SecurityContext); diff != "" {
				t.Errorf("the container's security context differs (-want +got):\n%s", diff)
			}
			if pod.Spec.HostNetwork || pod.Spec.HostPID || pod.Spec.HostIPC {
				t.Error("the pod shares a namespace of its node")
			}
			if s := pod.Spec.EnableServiceLinks; s == nil || *s {
				t.Error("the environment tells the addresses of all Services of the namespace")
			}
		})
	}
}

// What it takes of the node is bounded on both sides, and Go knows of the bound.
func TestPodHasItsOwnResources(t *testing.T) {
	for _, overlay := range everyOverlay(t) {
		t.Run(overlay, func(t *testing.T) {
			_, container := podOf(t, build(t, overlay))
			requests, limits := container.Resources.Requests, container.Resources.Limits
			for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
				request, limit := requests[name], limits[name]
				if request.IsZero() || limit.Cmp(request) < 0 {
					t.Errorf("%s: requests %s, is limited to %s", name, &request, &limit)
				}
			}
			if !requests.Memory().Equal(*limits.Memory()) {
				t.Errorf("requests %s of memory and is limited to %s, want the same", requests.Memory(), limits.Memory())
			}
			env := environment(container)
			if from := env["MEMORY_LIMIT_MI"].ValueFrom; from == nil || from.ResourceFieldRef.Resource != "limits.memory" || from.ResourceFieldRef.Divisor.String() != "1Mi" {
				t.Errorf("MEMORY_LIMIT_MI is %v, want the memory limit in Mi", env["MEMORY_LIMIT_MI"])
			}
			if got := env["GOMEMLIMIT"].Value; got != "$(MEMORY_LIMIT_MI)000000" {
				t.Errorf("GOMEMLIMIT is %q", got)
			}
			if slices.IndexFunc(container.Env, named("MEMORY_LIMIT_MI")) > slices.IndexFunc(container.Env, named("GOMEMLIMIT")) {
				t.Error("GOMEMLIMIT is before MEMORY_LIMIT_MI, so that it would not be expanded")
			}
		})
	}
}

func environment(c corev1.Container) map[string]corev1.EnvVar {
	env := map[string]corev1.EnvVar{}
	for _, e := range c.Env {
		env[e.Name] = e
	}
	return env
}

func named(name string) func(corev1.EnvVar) bool {
	return func(e corev1.EnvVar) bool { return e.Name == name }
}

// The service account's token is mounted once, for an hour, and for nobody but this pod.
func TestToken(t *testing.T) {
	for _, overlay := range everyOverlay(t) {
		t.Run(overlay, func(t *testing.T) {
			objects := build(t, overlay)
			pod, container := podOf(t, objects)
			account := only[*corev1.ServiceAccount](t, objects)
			if account.Name != pod.Spec.ServiceAccountName {
				t.Errorf("the pod runs as %s, want %s", pod.Spec.ServiceAccountName, account.Name)
			}
			for of, mounted := range map[string]*bool{"pod": pod.Spec.AutomountServiceAccountToken, "service account": account.AutomountServiceAccountToken} {
				if mounted == nil || *mounted {
					t.Errorf("the %s has a token mounted that lives for a year", of)
				}
			}
			volume := mounted(t, pod.Spec, container, "/var/run/secrets/kubernetes.io/serviceaccount")
			token := volume.Projected.Sources[0].ServiceAccountToken
			// 3607 is what Kubernetes' own mounts ask for, by which the API server tells them.
			if token == nil || token.Path != "token" || *token.ExpirationSeconds != 3600 || token.Audience != "" {
				t.Errorf("the token is %+v, want one for an hour", token)
			}
		})
	}
}

// mounted is the volume at a path of the container, which must be read-only.
func mounted(t *testing.T, pod corev1.PodSpec, c corev1.Container, path string) corev1.Volume {
	t.Helper()
	for _, m := range c.VolumeMounts {
		for _, v := range pod.Volumes {
			if m.MountPath == path && m.Name == v.Name && m.ReadOnly {
				return v
			}
		}
	}
	t.Fatalf("nothing is mounted read-only at %s", path)
	return corev1.Volume{}
}

// What is granted, and to whom. make e2e compares the first eight rules with what the API server was asked for.
func TestRights(t *testing.T) {
	state := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"rightsize-state"}, Verbs: []string{"get", "update", "patch"}},
	}
	for _, overlay := range everyOverlay(t) {
		t.Run(overlay, func(t *testing.T) {
			want := map[string][]rbacv1.PolicyRule{"Role rightsize-state": state}
			suffix := ""
			if isServed(overlay) {
				want, suffix = map[string][]rbacv1.PolicyRule{}, "-serve" // it keeps no state, and writes nothing
			}
			if within := reads(); strings.HasSuffix(overlay, "namespace") {
				within[0].Resources = []string{"limitranges", "pods", "resourcequotas"} // no Role can grant nodes, which are of no namespace
				want["Role rightsize"+suffix] = within
			} else {
				want["ClusterRole rightsize"+suffix] = within
			}
			if diff := cmp.Diff(want, granted(t, build(t, overlay))); diff != "" {
				t.Errorf("what is granted differs (-want +got):\n%s", diff)
			}
		})
	}
}

// reads are the rules of the whole cluster.
func reads() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"limitranges", "nodes", "pods", "resourcequotas"}, Verbs: []string{"list"}},
		{APIGroups: []string{"apps"}, Resources: []string{"daemonsets", "deployments", "replicasets", "statefulsets"}, Verbs: []string{"list"}},
		{APIGroups: []string{"batch"}, Resources: []string{"cronjobs", "jobs"}, Verbs: []string{"list"}},
		{APIGroups: []string{"argoproj.io"}, Resources: []string{"rollouts"}, Verbs: []string{"list"}},
		{APIGroups: []string{"apps.openshift.io"}, Resources: []string{"deploymentconfigs"}, Verbs: []string{"list"}},
		{APIGroups: []string{"autoscaling"}, Resources: []string{"horizontalpodautoscalers"}, Verbs: []string{"list"}},
		{APIGroups: []string{"autoscaling.k8s.io"}, Resources: []string{"verticalpodautoscalers"}, Verbs: []string{"list"}},
		{APIGroups: []string{"keda.sh"}, Resources: []string{"scaledobjects"}, Verbs: []string{"list"}},
	}
}

// granted are the rules that are bound to the overlay's service account, by role. Bindings to others fail the test.
func granted(t *testing.T, objects []object) map[string][]rbacv1.PolicyRule {
	t.Helper()
	rules := map[string][]rbacv1.PolicyRule{}
	for _, r := range all[*rbacv1.Role](objects) {
		rules["Role "+r.Name] = r.Rules
	}
	for _, r := range all[*rbacv1.ClusterRole](objects) {
		rules["ClusterRole "+r.Name] = r.Rules
	}
	account := only[*corev1.ServiceAccount](t, objects)
	subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Name: account.Name, Namespace: account.Namespace}}
	bound := map[string][]rbacv1.PolicyRule{}
	bind := func(to rbacv1.RoleRef, who []rbacv1.Subject) {
		if !slices.Equal(who, subjects) {
			t.Errorf("%s %s is bound to %v, want %v", to.Kind, to.Name, who, subjects)
		}
		bound[to.Kind+" "+to.Name] = rules[to.Kind+" "+to.Name]
	}
	for _, b := range all[*rbacv1.RoleBinding](objects) {
		bind(b.RoleRef, b.Subjects)
	}
	for _, b := range all[*rbacv1.ClusterRoleBinding](objects) {
		bind(b.RoleRef, b.Subjects)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(bound)), slices.Sorted(maps.Keys(rules))) {
		t.Errorf("not every role is bound: %v", bound)
	}
	return bound
}

// The arguments say what is read, and where it is posted to, in each overlay.
func TestArguments(t *testing.T) {
	common := []string{"--slack", "--state=configmap/rightsize-state", "--log-format=json"}
	const webhook = "--slack-webhook-file=/etc/rightsize/slack/webhook-url"
	want := map[string][]string{
		"secret":          {"--all-namespaces", webhook},
		"external-secret": {"--all-namespaces", webhook},
		"namespace":       {"--namespace=$(POD_NAMESPACE)", webhook},
		"bot":             {"--all-namespaces", "--slack-token-file=/etc/rightsize/slack/bot-token", "--slack-channel=#rightsize"},
	}
	for _, overlay := range overlays(t) {
		objects := build(t, overlay)
		_, container := podOf(t, objects)
		if diff := cmp.Diff(slices.Concat(common, want[overlay]), container.Args); diff != "" {
			t.Errorf("%s: the arguments differ (-want +got):\n%s", overlay, diff)
		}
		env := environment(container)
		if got := env["PROMETHEUS_URL"].Value; got != "http://prometheus-operated.monitoring.svc:9090" {
			t.Errorf("%s: PROMETHEUS_URL is %q", overlay, got)
		}
		if from := env["POD_NAMESPACE"].ValueFrom; from == nil || from.FieldRef.FieldPath != "metadata.namespace" {
			t.Errorf("%s: POD_NAMESPACE is not the pod's namespace", overlay)
		}
		if container.Command != nil {
			t.Errorf("%s: the image's entry point is replaced by %q", overlay, container.Command)
		}
	}
}

// The secret is where the container looks for it, and nowhere else in what is applied.
func TestSecret(t *testing.T) {
	for overlay, c := range map[string]struct{ key, value string }{
		"secret": {"webhook-url", webhookURL}, "namespace": {"webhook-url", webhookURL}, "bot": {"bot-token", botToken},
	} {
		t.Run(overlay, func(t *testing.T) {
			objects := build(t, overlay)
			secret := only[*corev1.Secret](t, objects)
			if got := string(secret.Data[c.key]); got != c.value {
				t.Errorf("%s of the Secret is %q, want %q", c.key, got, c.value)
			}
			if from, key := usedSecret(t, objects); from != secret.Name || key != c.key {
				t.Errorf("the container uses %s of Secret %s, want %s of %s", key, from, c.key, secret.Name)
			}
			for _, o := range objects {
				if text, err := o.MarshalJSON(); err != nil || o.GetKind() != "Secret" && strings.Contains(string(text), "e2e-secret") {
					t.Errorf("the secret is in %s %s (%v)", o.GetKind(), o.GetName(), err)
				}
			}
		})
	}
}

// usedSecret is which key of which Secret the container sees. A file must be readable by its group alone.
func usedSecret(t *testing.T, objects []object) (name, key string) {
	t.Helper()
	pod, container := podOf(t, objects)
	volume := mounted(t, pod.Spec, container, "/etc/rightsize/slack").Secret
	if *volume.DefaultMode != 0o440 || len(volume.Items) != 1 {
		t.Errorf("the volume is %+v, want one file for owner and group", volume)
	}
	path := "/etc/rightsize/slack/" + volume.Items[0].Path
	if !slices.ContainsFunc(container.Args, func(arg string) bool { return strings.HasSuffix(arg, "-file="+path) }) {
		t.Errorf("no argument names %s: %q", path, container.Args)
	}
	return volume.SecretName, volume.Items[0].Key
}

// The operator makes the very Secret that the container uses.
func TestExternalSecret(t *testing.T) {
	objects := build(t, "external-secret")
	i := slices.IndexFunc(objects, func(o object) bool { return o.GetKind() == "ExternalSecret" })
	external := objects[i]
	if got := external.GetAPIVersion(); got != "external-secrets.io/v1" {
		t.Errorf("apiVersion is %s, want external-secrets.io/v1", got)
	}
	target, _, err := unstructured.NestedString(external.Object, "spec", "target", "name")
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := unstructured.NestedSlice(external.Object, "spec", "data")
	if err != nil || len(data) != 1 {
		t.Fatalf("spec.data is %v (%v), want one item", data, err)
	}
	name, key := usedSecret(t, objects)
	if name != target || key != data[0].(map[string]any)["secretKey"] {
		t.Errorf("the container uses %s of %s, the operator makes %v of %s", key, name, data, target)
	}
}

// Applying the manifests again, as kubectl apply does it, leaves the state of the last post alone.
func TestApplyKeepsTheState(t *testing.T) {
	objects := build(t, "secret")
	state := only[*corev1.ConfigMap](t, objects)
	if len(state.Data)+len(state.BinaryData) > 0 {
		t.Fatalf("the ConfigMap comes with data: %v", state)
	}
	manifest := asJSON(t, state)
	live := state.DeepCopy()
	live.BinaryData = map[string][]byte{"state": {1, 2, 3}}
	schema, err := strategicpatch.NewPatchMetaFromStruct(corev1.ConfigMap{})
	if err != nil {
		t.Fatal(err)
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(manifest, manifest, asJSON(t, live), schema, true)
	if err != nil || string(patch) != "{}" {
		t.Errorf("applying the same again patches %s (%v), want nothing", patch, err)
	}
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
