package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/notify/slacktest"
)

// overlays are the ways to install the CronJob.
func overlays() []string { return []string{"secret", "external-secret", "bot", "namespace"} }

// apiServerPlaceholder stands in deploy/settings for what everybody has to set.
const apiServerPlaceholder = "ADDRESS-OF-THE-API-SERVER"

// Server-side dry runs, which admission takes part in, accept all that is applied, without a warning.
func TestDeployIsAccepted(t *testing.T) {
	prepareDeploy(t)
	for _, overlay := range overlays() {
		t.Run(overlay, func(t *testing.T) {
			for _, obj := range deployed(t, overlay, "https://hooks.slack.com/services/T0/B0/x") {
				warnings, err := env.cluster.DryRun(context.Background(), obj)
				if err != nil || len(warnings) > 0 {
					t.Errorf("%s %s: %v, with the warnings %q", obj.GetKind(), obj.GetName(), err, warnings)
				}
			}
		})
	}
	t.Run("not without the address of the API server", func(t *testing.T) {
		for _, obj := range buildOverlay(t, copyDeploy(t), "external-secret") {
			_, err := env.cluster.DryRun(context.Background(), obj)
			unset := obj.GetName() == "rightsize-to-api-server"
			const refused = `spec.egress[0].to[0].ipBlock.cidr: Invalid value: "` + apiServerPlaceholder + `/32"` // as docs/deploy.md has it
			if unset && (err == nil || !strings.Contains(err.Error(), refused)) || !unset && err != nil {
				t.Errorf("%s %s: %v", obj.GetKind(), obj.GetName(), err)
			}
		}
	})
}

// The namespace takes the pod of each template, and no other: its Pod Security Standard is enforced.
func TestDeployPodsAreRestricted(t *testing.T) {
	prepareDeploy(t)
	yes := true
	for _, overlay := range overlays() {
		t.Run(overlay, func(t *testing.T) {
			pod := podOf(cronJobOf(t, deployed(t, overlay, "https://hooks.slack.com/services/T0/B0/x")), "rightsize")
			if warnings, err := env.cluster.DryRun(context.Background(), toUnstructured(t, pod)); err != nil || len(warnings) > 0 {
				t.Errorf("the pod is not accepted: %v, with the warnings %q", err, warnings)
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

// kube-score has no objection, not even as a warning.
func TestDeployScores(t *testing.T) { checkScores(t, overlays(), "CronJob") }

// checkScores has kube-score look at overlays, which have a kind that it has to have seen, with more of its flags.
func checkScores(t *testing.T, overlays []string, kind string, flags ...string) {
	t.Helper()
	kubeScore, err := env.cluster.KubeScore()
	if err != nil {
		t.Fatal(err)
	}
	args := slices.Concat([]string{"score", "--kubernetes-version=v1.36", "--exit-one-on-warning", "--enable-optional-test=container-seccomp-profile"}, flags, []string{"-"})
	for _, overlay := range overlays {
		var manifests bytes.Buffer
		for _, obj := range deployed(t, overlay, "https://hooks.slack.com/services/T0/B0/x") {
			manifests.Write(append(asJSON(t, obj), "\n---\n"...))
		}
		cmd := exec.Command(kubeScore, args...)
		cmd.Stdin = &manifests
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if usage, err := env.cluster.Group().Measure(cmd); err != nil || usage.ExitCode != 0 || !strings.Contains(out.String(), kind) {
			t.Errorf("%s: exit %d, %v\n%s", overlay, usage.ExitCode, err, &out)
		}
	}
}

// prepareDeploy makes what has to be there before the overlays: the namespace, and the External Secrets Operator's CRD.
func prepareDeploy(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	namespace, err := os.ReadFile(filepath.Join("..", "deploy", "namespace", "namespace.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := env.cluster.Apply(ctx, namespace); err != nil {
		t.Fatal(err)
	}
	if err := env.cluster.ExternalSecrets(ctx); err != nil {
		t.Fatal(err)
	}
	// The pods' admission asks for their account, which the controller manager makes a little later for others.
	for _, obj := range deployed(t, "secret", "https://hooks.slack.com/services/T0/B0/x") {
		if obj.GetKind() == "ServiceAccount" {
			applyAll(t, obj)
		}
	}
}

func applyAll(t *testing.T, objects ...*unstructured.Unstructured) {
	t.Helper()
	for _, obj := range objects {
		if err := env.cluster.Apply(context.Background(), asJSON(t, obj)); err != nil {
			t.Fatal(err)
		}
	}
}

// copyDeploy is a copy of deploy/ with the secrets put into it.
func copyDeploy(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "deploy"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// deployed is an overlay as a user would have it: with the settings changed, and the webhook's URL in its file.
func deployed(t *testing.T, overlay, webhook string) []*unstructured.Unstructured {
	t.Helper()
	dir := copyDeploy(t)
	for file, change := range map[string][2]string{
		"networkpolicy.yaml": {apiServerPlaceholder, "10.0.0.10"},
		"cronjob.yaml":       {"http://prometheus-operated.monitoring.svc:9090", env.prometheus.URL()},
	} {
		path := filepath.Join(dir, "settings", file)
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte(change[0])) {
			t.Fatalf("%s has no %s (%v)", path, change[0], err)
		}
		writeFile(t, path, bytes.ReplaceAll(text, []byte(change[0]), []byte(change[1])))
	}
	writeFile(t, filepath.Join(dir, "overlays", overlay, "webhook-url"), []byte(webhook+"\n"))
	writeFile(t, filepath.Join(dir, "overlays", overlay, "bot-token"), []byte(slacktest.Token+"\n"))
	return buildOverlay(t, dir, overlay)
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func buildOverlay(t *testing.T, dir, overlay string) []*unstructured.Unstructured {
	t.Helper()
	return build(t, filepath.Join(dir, "overlays", overlay))
}

// build is what kustomize makes of a folder.
func build(t *testing.T, dir string) []*unstructured.Unstructured {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []*unstructured.Unstructured
	for _, r := range built.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		obj := &unstructured.Unstructured{}
		if err := obj.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		out = append(out, obj)
	}
	return out
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func toUnstructured(t *testing.T, obj runtime.Object) *unstructured.Unstructured {
	t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: fields}
}

// only is the single object of a kind and name among those of an overlay.
func only(t *testing.T, objects []*unstructured.Unstructured, kind, name string, into any) {
	t.Helper()
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind && o.GetName() == name })
	if i < 0 {
		t.Fatalf("there is no %s %s", kind, name)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(objects[i].Object, into, true); err != nil {
		t.Fatal(err)
	}
}

func cronJobOf(t *testing.T, objects []*unstructured.Unstructured) (c batchv1.CronJob) {
	t.Helper()
	only(t, objects, "CronJob", "rightsize", &c)
	return c
}

// podOf is a pod as the Job controller makes it of the template.
func podOf(c batchv1.CronJob, namespace string) *corev1.Pod {
	template := c.Spec.JobTemplate.Spec.Template
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: *template.ObjectMeta.DeepCopy(),
		Spec:       *template.Spec.DeepCopy(),
	}
	pod.Name, pod.Namespace = "rightsize-29400420-x7k2p", namespace
	return pod
}

// job runs a pod's container as the kubelet would: the image's only files and the volumes, the user, the environment
// and the arguments are those of the manifest.
type job struct {
	objects   []*unstructured.Unstructured
	pod       *corev1.Pod
	container corev1.Container
	root      string // of the container's file system
}

// newJob is that of an overlay's CronJob.
func newJob(t *testing.T, objects []*unstructured.Unstructured) *job {
	t.Helper()
	cron := cronJobOf(t, objects)
	return jobOf(t, objects, podOf(cron, cron.Namespace))
}

// jobOf makes the container's file system.
func jobOf(t *testing.T, objects []*unstructured.Unstructured, pod *corev1.Pod) *job {
	t.Helper()
	j := &job{objects: objects, pod: pod, container: pod.Spec.Containers[0], root: t.TempDir()}
	if err := os.Chmod(j.root, 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(env.cluster.Rightsize)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(j.root, "rightsize"), program, 0o755); err != nil { // the image's entry point
		t.Fatal(err)
	}
	for _, m := range j.container.VolumeMounts {
		i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		dir := filepath.Join(j.root, m.MountPath)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range j.volume(t, pod.Spec.Volumes[i]) {
			writeFile(t, filepath.Join(dir, name), []byte(text))
		}
	}
	return j
}

// volume are the files of a volume.
func (j *job) volume(t *testing.T, v corev1.Volume) map[string]string {
	t.Helper()
	files := map[string]string{}
	if v.Secret != nil {
		var secret corev1.Secret
		only(t, j.objects, "Secret", v.Secret.SecretName, &secret)
		for _, item := range v.Secret.Items {
			files[item.Path] = string(secret.Data[item.Key])
		}
		return files
	}
	for _, s := range v.Projected.Sources {
		switch {
		case s.ServiceAccountToken != nil:
			token, err := env.cluster.ServiceAccountToken(context.Background(), j.pod.Namespace, j.pod.Spec.ServiceAccountName, s.ServiceAccountToken.ExpirationSeconds)
			if err != nil {
				t.Fatal(err)
			}
			files[s.ServiceAccountToken.Path] = token
		case s.ConfigMap != nil && s.ConfigMap.Name == "kube-root-ca.crt":
			files[s.ConfigMap.Items[0].Path] = string(env.cluster.CA())
		case s.DownwardAPI != nil && s.DownwardAPI.Items[0].FieldRef.FieldPath == "metadata.namespace":
			files[s.DownwardAPI.Items[0].Path] = j.pod.Namespace
		default:
			t.Fatalf("volume %s has a source that this test does not know: %v", v.Name, s)
		}
	}
	return files
}

// environment is what the kubelet gives the container, and how the arguments and later variables refer to it.
func (j *job) environment(t *testing.T) (variables []string, expand *strings.Replacer) {
	t.Helper()
	server := strings.TrimPrefix(env.cluster.APIServerURL(), "https://")
	host, port, _ := strings.Cut(server, ":")
	variables = []string{"KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port}
	expand = strings.NewReplacer()
	var references []string
	for _, e := range j.container.Env {
		value := expand.Replace(e.Value)
		if from := e.ValueFrom; from != nil && from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.namespace" {
			value = j.pod.Namespace
		} else if from != nil && from.ResourceFieldRef != nil && from.ResourceFieldRef.Resource == "limits.memory" {
			value = fmt.Sprint(j.container.Resources.Limits.Memory().Value() / from.ResourceFieldRef.Divisor.Value())
		} else if from != nil {
			t.Fatalf("variable %s is from something that this test does not know: %v", e.Name, from)
		}
		variables = append(variables, e.Name+"="+value)
		references = append(references, "$("+e.Name+")", value)
		expand = strings.NewReplacer(references...)
	}
	return variables, expand
}

// run carries out one run of the CronJob.
func (j *job) run(t *testing.T) result {
	t.Helper()
	variables, expand := j.environment(t)
	var args []string
	for _, arg := range j.container.Args {
		args = append(args, expand.Replace(arg))
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("/rightsize", args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "/", variables, &stdout, &stderr
	cluster.Confine(cmd, j.root, int(*j.container.SecurityContext.RunAsUser))
	usage, err := env.cluster.Group().Measure(cmd)
	if err != nil {
		t.Fatalf("running %q: %v", args, err)
	}
	r := result{stdout.String(), stderr.String(), usage.ExitCode, usage}
	noSecrets(t, r)
	for line := range strings.Lines(r.stderr) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line on stderr is no JSON: %s", line)
		}
	}
	return r
}

// role is a Role or a ClusterRole.
type role struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Rules             []rbacv1.PolicyRule `json:"rules"`
}

func readRole(t *testing.T, obj *unstructured.Unstructured) (r role) {
	t.Helper()
	if err := json.Unmarshal(asJSON(t, obj), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// installed is an overlay that has been applied, and whose rights the API server has taken note of. When the test ends
// it is gone again, but for its namespace.
func installed(t *testing.T, overlay, webhook string) []*unstructured.Unstructured {
	t.Helper()
	prepareDeploy(t)
	objects := deployed(t, overlay, webhook)
	t.Cleanup(func() { uninstall(t, objects) })
	applyAll(t, objects...)
	for _, obj := range objects {
		if obj.GetKind() == "Role" || obj.GetKind() == "ClusterRole" {
			r := readRole(t, obj)
			awaitRights(t, cronJobOf(t, objects).Namespace, r, r)
		}
	}
	return objects
}

func uninstall(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, obj := range objects {
		if obj.GetKind() == "Namespace" { // its deletion takes longer than the next test may wait
			continue
		}
		if err := env.cluster.Delete(context.Background(), obj); err != nil {
			t.Error(err)
		}
	}
}

// without takes resources and verbs out of a role's rules until the test ends.
func without(t *testing.T, objects []*unstructured.Unstructured, kind, name string, rights ...string) {
	t.Helper()
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind && o.GetName() == name })
	whole, less := readRole(t, objects[i]), readRole(t, objects[i])
	for i, rule := range less.Rules {
		taken := func(s string) bool { return slices.Contains(rights, s) }
		less.Rules[i].Resources = slices.DeleteFunc(rule.Resources, taken)
		less.Rules[i].Verbs = slices.DeleteFunc(rule.Verbs, taken)
	}
	grant := func(r role) {
		obj := &unstructured.Unstructured{}
		if err := obj.UnmarshalJSON(asJSON(t, r)); err != nil {
			t.Fatal(err)
		}
		applyAll(t, obj)
		awaitRights(t, "rightsize", whole, r)
	}
	t.Cleanup(func() { grant(whole) })
	grant(less)
}

// awaitRights waits until the API server grants of a whole role to the CronJob's account what is granted of it now.
func awaitRights(t *testing.T, namespace string, whole, now role) {
	t.Helper()
	granted := rights(now.Rules)
	for _, right := range rights(whole.Rules) {
		verb, resource, _ := strings.Cut(right, " ")
		resource, group, _ := strings.Cut(resource, ".")
		resource, name, _ := strings.Cut(resource, "/")
		awaitRight(t, slices.Contains(granted, right), &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: verb, Group: group, Resource: resource, Name: name,
		})
	}
}

// rights are rules in one line each, sorted: "list jobs.batch", "get configmaps/rightsize-state".
func rights(rules []rbacv1.PolicyRule) []string {
	var out []string
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			if len(rule.ResourceNames) > 0 {
				resource += "/" + rule.ResourceNames[0]
			}
			if group := rule.APIGroups[0]; group != "" {
				resource += "." + group
			}
			for _, verb := range rule.Verbs {
				out = append(out, verb+" "+resource)
			}
		}
	}
	slices.Sort(out)
	return out
}

func awaitRight(t *testing.T, want bool, a *authorizationv1.ResourceAttributes) {
	t.Helper()
	err := cluster.Eventually(context.Background(), time.Minute, func(ctx context.Context) error {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:" + a.Namespace + ":rightsize", ResourceAttributes: a,
		}}
		answer, err := env.cluster.Client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err == nil && answer.Status.Allowed != want {
			err = fmt.Errorf("to %s %s is allowed: %t", a.Verb, a.Resource, answer.Status.Allowed)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
