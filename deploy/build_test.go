// Package deploy holds manifests. Its tests build every overlay as kubectl apply -k does.
package deploy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// everyOverlay are the folders that a user applies.
func everyOverlay(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("overlays")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// overlays are those of the scheduled report.
func overlays(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(everyOverlay(t), isServed)
}

// isServed says whether an overlay is one of the served report.
func isServed(overlay string) bool { return strings.HasPrefix(overlay, "serve") }

// The secrets as a user would put them next to an overlay, with the newline that editors end a file with.
const (
	webhookURL = "https://hooks.slack.com/services/T0/B0/e2e-secret\n"
	botToken   = "xoxb-e2e-secret\n"
)

// manifests is a copy of this folder in memory, with the files that git leaves out.
func manifests(t *testing.T) filesys.FileSystem {
	t.Helper()
	files := filesys.MakeFsInMemory()
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := files.WriteFile(path, text); err != nil {
			return err
		}
		switch secret, _ := strings.CutSuffix(path, ".example"); filepath.Base(secret) {
		case "webhook-url":
			return files.WriteFile(secret, []byte(webhookURL))
		case "bot-token":
			return files.WriteFile(secret, []byte(botToken))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// object is one of an overlay: as it was built, and decoded where client-go knows its kind.
type object struct {
	unstructured.Unstructured
	typed runtime.Object
}

// build is all objects of an overlay, in order. Fields that Kubernetes does not know fail the test.
func build(t *testing.T, overlay string) []object {
	t.Helper()
	return buildFrom(t, manifests(t), overlay)
}

// buildFrom does so with other files.
func buildFrom(t *testing.T, files filesys.FileSystem, overlay string) []object {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, filepath.Join("overlays", overlay))
	if err != nil {
		t.Fatal(err)
	}
	var out []object
	for _, r := range built.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, decode(t, text))
	}
	return out
}

func decode(t *testing.T, text []byte) object {
	t.Helper()
	var o object
	if err := o.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	if !scheme.Scheme.Recognizes(o.GroupVersionKind()) {
		return o
	}
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	typed, _, err := strict.Decode(text, nil, nil)
	if err != nil {
		t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
	}
	o.typed = typed
	return o
}

// only is the overlay's only object of a type.
func only[T runtime.Object](t *testing.T, objects []object) T {
	t.Helper()
	found := all[T](objects)
	if len(found) != 1 {
		t.Fatalf("there are %d %T, want 1", len(found), *new(T))
	}
	return found[0]
}

func all[T runtime.Object](objects []object) []T {
	var found []T
	for _, o := range objects {
		if typed, ok := o.typed.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// podOf is what the overlay's Deployment, or each run of its CronJob, starts, and its only container.
func podOf(t *testing.T, objects []object) (corev1.PodTemplateSpec, corev1.Container) {
	t.Helper()
	var pod corev1.PodTemplateSpec
	if served := all[*appsv1.Deployment](objects); len(served) == 1 {
		pod = served[0].Spec.Template
	} else {
		pod = only[*batchv1.CronJob](t, objects).Spec.JobTemplate.Spec.Template
	}
	if len(pod.Spec.Containers) != 1 || len(pod.Spec.InitContainers) > 0 {
		t.Fatalf("the pod has more than one container")
	}
	return pod, pod.Spec.Containers[0]
}

// What each overlay is made of. Only those for the whole cluster have objects outside a namespace, and they have
// a namespace of their own, first of all.
func TestOverlays(t *testing.T) {
	base := []string{
		"ConfigMap rightsize-state", "CronJob rightsize", "NetworkPolicy rightsize", "NetworkPolicy rightsize-to-api-server",
		"NetworkPolicy rightsize-to-prometheus", "Role rightsize-state", "RoleBinding rightsize-state", "ServiceAccount rightsize",
	}
	cluster := slices.Concat(base, []string{"ClusterRole rightsize", "ClusterRoleBinding rightsize", "Namespace rightsize"})
	want := map[string][]string{
		"secret":          append(slices.Clone(cluster), "Secret rightsize-slack"),
		"bot":             append(slices.Clone(cluster), "Secret rightsize-slack"),
		"external-secret": append(slices.Clone(cluster), "ExternalSecret rightsize-slack"),
		"namespace":       append(slices.Clone(base), "Role rightsize", "RoleBinding rightsize", "Secret rightsize-slack"),
	}
	for _, overlay := range overlays(t) {
		t.Run(overlay, func(t *testing.T) {
			objects := build(t, overlay)
			var got []string
			for _, o := range objects {
				got = append(got, o.GetKind()+" "+o.GetName())
				checkPlace(t, overlay, o)
			}
			if overlay != "namespace" && got[0] != "Namespace rightsize" {
				t.Errorf("%s comes first, want the namespace that the rest is in", got[0])
			}
			slices.Sort(got)
			slices.Sort(want[overlay])
			if !slices.Equal(got, want[overlay]) {
				t.Errorf("has %q, want %q", got, want[overlay])
			}
		})
	}
}

// checkPlace looks at what all objects have in common.
func checkPlace(t *testing.T, overlay string, o object) {
	t.Helper()
	for name, want := range labels(overlay) {
		if got := o.GetLabels()[name]; got != want {
			t.Errorf("%s %s has the label %s=%q, want %q", o.GetKind(), o.GetName(), name, got, want)
		}
	}
	namespace := "rightsize"
	switch {
	case strings.HasPrefix(o.GetKind(), "Cluster"), o.GetKind() == "Namespace":
		namespace = ""
	case strings.HasSuffix(overlay, "namespace"):
		namespace = "shop"
	}
	if o.GetNamespace() != namespace {
		t.Errorf("%s %s is in namespace %q, want %q", o.GetKind(), o.GetName(), o.GetNamespace(), namespace)
	}
}

func labels(overlay string) map[string]string {
	component := "report"
	if isServed(overlay) {
		component = "serve"
	}
	return map[string]string{
		"app.kubernetes.io/name": "rightsize", "app.kubernetes.io/part-of": "rightsize", "app.kubernetes.io/component": component,
	}
}

// An overlay whose secret nobody has put there cannot be built, and the error names the file.
func TestSecretIsMissing(t *testing.T) {
	for overlay, file := range map[string]string{"secret": "webhook-url", "namespace": "webhook-url", "bot": "bot-token"} {
		files := manifests(t)
		if err := files.RemoveAll(filepath.Join("overlays", overlay, file)); err != nil {
			t.Fatal(err)
		}
		_, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, filepath.Join("overlays", overlay))
		if err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s without its secret: %v, want an error that names %s", overlay, err, file)
		}
	}
}

// The Namespace asks for the strictest of the Pod Security Standards, in all three ways.
func TestNamespaceIsRestricted(t *testing.T) {
	namespace := only[*corev1.Namespace](t, build(t, "secret"))
	for _, mode := range []string{"enforce", "audit", "warn"} {
		label := "pod-security.kubernetes.io/" + mode
		if namespace.Labels[label] != "restricted" || namespace.Labels[label+"-version"] != "latest" {
			t.Errorf("%s is %q of version %q, want restricted of latest", label, namespace.Labels[label], namespace.Labels[label+"-version"])
		}
	}
}

// The document has a row for each overlay, and the words of whoever forgot to set the API server's address.
func TestDocs(t *testing.T) {
	doc := read(t, root, "docs", "deploy.md")
	for _, overlay := range everyOverlay(t) {
		if !strings.Contains(doc, "\n   | `"+overlay+"` |") {
			t.Errorf("docs/deploy.md has no row for the overlay %s", overlay)
		}
	}
	placeholder := "cidr: ADDRESS-OF-THE-API-SERVER/32"
	if !strings.Contains(read(t, "settings", "networkpolicy.yaml"), placeholder) || !strings.Contains(doc, "ADDRESS-OF-THE-API-SERVER/32") {
		t.Errorf("docs/deploy.md and the policy disagree about %s", placeholder)
	}
}
