package check

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const chartFolder = "../chart"

// TestMain has Helm say nothing of the links by which the chart has the overlays' own files.
func TestMain(m *testing.M) {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	os.Exit(m.Run())
}

// render is what helm template prints of the chart with some values, by file, for a release and its namespace.
func render(t *testing.T, release, namespace string, values map[string]any) (map[string]string, error) {
	t.Helper()
	return renderFrom(t, chartFolder, release, namespace, values)
}

// renderFrom does so from a folder or an archive.
func renderFrom(t *testing.T, path, release, namespace string, values map[string]any) (map[string]string, error) {
	t.Helper()
	chart, err := loader.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	options := common.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, options, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.RenderWithContext(t.Context(), chart, all)
}

// chartObjects are the chart's objects, by kind and name.
func chartObjects(t *testing.T, release, namespace string, values map[string]any) map[string]map[string]any {
	t.Helper()
	files, err := render(t, release, namespace, values)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]any{}
	for path, text := range files {
		if strings.HasSuffix(path, "NOTES.txt") {
			continue
		}
		for _, object := range documents(t, path, text) {
			found[object.GetKind()+" "+object.GetName()] = object.Object
		}
	}
	return found
}

// documents are the objects of a file. Fields that are there twice fail the test.
func documents(t *testing.T, path, text string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	reader := yaml.NewDocumentDecoder(io.NopCloser(strings.NewReader(text)))
	buffer := make([]byte, len(text)+1)
	for {
		n, err := reader.Read(buffer)
		if errors.Is(err, io.EOF) {
			return out
		}
		object := &unstructured.Unstructured{}
		if err == nil {
			err = yaml.UnmarshalStrict(buffer[:n], &object.Object)
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", path, err, text)
		}
		if len(object.Object) > 0 {
			out = append(out, object)
		}
	}
}

// overlayObjects are the objects of an overlay, by kind and name, with the secrets' files in their places and the address
// of an API server as a user sets it.
func overlayObjects(t *testing.T, overlay string) map[string]map[string]any {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("..")); err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Glob(filepath.Join(dir, "overlays", overlay, "*.example"))
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range examples {
		if err := os.Rename(example, strings.TrimSuffix(example, ".example")); err != nil {
			t.Fatal(err)
		}
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(dir, "overlays", overlay))
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("ADDRESS-OF-THE-API-SERVER"), []byte("10.0.0.10"))
	found := map[string]map[string]any{}
	for _, object := range documents(t, overlay, string(text)) {
		found[object.GetKind()+" "+object.GetName()] = object.Object
	}
	return found
}

// object is a short way to write values.
type object = map[string]any

// withAPIServer are values with the address that no chart can know.
func withAPIServer(values object) object {
	whole := object{"networkPolicy": object{"apiServer": object{"cidrs": []any{"10.0.0.10/32"}}}}
	maps.Copy(whole, values)
	return whole
}

// onlyInOverlays are the objects that no chart has: the Namespace, which helm install --create-namespace makes, and the
// Secret, which is not for values to hold.
func onlyInOverlays() []string { return []string{"Namespace rightsize", "Secret rightsize-slack"} }

// helmLabels are the labels that Helm's users expect on each object and that the overlays do not have. Nothing else
// differs between the two.
func helmLabels() []string {
	return []string{"app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart"}
}

// equivalent are the values that make of the chart what an overlay applies.
func equivalent() map[string]object {
	scheduled := func(more object) object {
		values := object{"serve": object{"enabled": false}, "cronJob": object{"enabled": true}}
		maps.Copy(values, more)
		return values
	}
	return map[string]object{
		"serve":           nil,
		"serve-namespace": {"scope": "namespace"},
		"serve-monitoring": {"monitoring": object{
			"serviceMonitor": object{"enabled": true}, "prometheusRule": object{"enabled": true}, "dashboard": object{"enabled": true},
		}},
		"serve-external-secret": {
			"externalSecrets": object{"enabled": true},
			"webConfig":       object{"secretName": "rightsize-web-config", "tls": true},
			"prometheus":      object{"configSecretName": "rightsize-prometheus-config"},
		},
		"secret":          scheduled(nil),
		"namespace":       scheduled(object{"scope": "namespace"}),
		"external-secret": scheduled(object{"externalSecrets": object{"enabled": true}}),
		"bot":             scheduled(object{"cronJob": object{"enabled": true, "slack": object{"channel": "#rightsize"}}}),
	}
}

// The chart installs what the overlays apply, object by object: every overlay that there is.
func TestChartIsTheOverlays(t *testing.T) {
	overlays, err := os.ReadDir("../overlays")
	if err != nil {
		t.Fatal(err)
	}
	for _, overlay := range overlays {
		t.Run(overlay.Name(), func(t *testing.T) {
			values, found := equivalent()[overlay.Name()]
			if !found {
				t.Fatal("no values are said to make the same of the chart")
			}
			want := overlayObjects(t, overlay.Name())
			for _, name := range onlyInOverlays() {
				delete(want, name)
			}
			namespace := "rightsize"
			if strings.HasSuffix(overlay.Name(), "namespace") {
				namespace = "shop"
			}
			got := chartObjects(t, "rightsize", namespace, withAPIServer(values))
			for name, o := range got {
				checkHelmLabels(t, name, o)
				withoutKeys(o, helmLabels())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the chart differs from the overlay (-overlay +chart):\n%s", diff)
			}
		})
	}
}

// Both reports in one release are each what they are alone.
func TestBothInOneRelease(t *testing.T) {
	both := chartObjects(t, "rightsize", "rightsize", withAPIServer(object{"cronJob": object{"enabled": true}}))
	apart := chartObjects(t, "rightsize", "rightsize", withAPIServer(nil))
	maps.Copy(apart, chartObjects(t, "rightsize", "rightsize", withAPIServer(equivalent()["secret"])))
	if diff := cmp.Diff(apart, both); diff != "" {
		t.Errorf("both in one differ from each (-each +both):\n%s", diff)
	}
}

func checkHelmLabels(t *testing.T, name string, o object) {
	t.Helper()
	labels := (&unstructured.Unstructured{Object: o}).GetLabels()
	for _, label := range helmLabels() {
		if labels[label] == "" {
			t.Errorf("%s lacks the label %s", name, label)
		}
	}
}

// withoutKeys takes keys out of a value, at any depth.
func withoutKeys(v any, keys []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range keys {
			delete(v, key)
		}
		for _, each := range v {
			withoutKeys(each, keys)
		}
	case []any:
		for _, each := range v {
			withoutKeys(each, keys)
		}
	}
}

// Two releases in one namespace share no object, and none selects the other's pod.
func TestTwoReleases(t *testing.T) {
	one, two := chartObjects(t, "rightsize", "shop", withAPIServer(nil)), chartObjects(t, "blue", "shop", withAPIServer(nil))
	for name := range two {
		if one[name] != nil {
			t.Errorf("both releases have %s", name)
		}
	}
	long := chartObjects(t, "a-release-whose-name-is-as-long-as-helm-lets-it-be-53", "shop", withAPIServer(nil))
	for name := range long {
		if _, name, _ := strings.Cut(name, " "); len(name) > 63 { // the longest that all kinds allow
			t.Errorf("%s has %d characters", name, len(name))
		}
	}
	service := two["Service blue-rightsize-serve"]
	selector, _, _ := unstructured.NestedString(service, "spec", "selector", "app.kubernetes.io/instance")
	if selector != "blue" {
		t.Errorf("the Service of the release blue selects the instance %q", selector)
	}
}

// What is set arrives where it belongs, and what follows from it follows.
func TestValues(t *testing.T) {
	objects := chartObjects(t, "rightsize", "shop", withAPIServer(object{
		"image":             object{"repository": "registry.example.com/rightsize", "tag": "v9.9.9"},
		"serve":             object{"interval": "30m", "shutdownDelay": "1m5s", "gracePeriod": "1m", "extraArgs": []any{"--selector=team=web"}},
		"nodeSelector":      object{"pool": "system"},
		"tolerations":       []any{object{"operator": "Exists"}},
		"affinity":          object{"podAntiAffinity": object{}},
		"priorityClassName": "low",
		"imagePullSecrets":  []any{object{"name": "pull"}},
		"podAnnotations":    object{"a": "b"},
		"extraEnv":          []any{object{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4318"}},
		"rbac":              object{"extraRules": []any{object{"apiGroups": []any{"example.com"}, "resources": []any{"shops"}, "verbs": []any{"list"}}}},
		"monitoring":        object{"serviceMonitor": object{"enabled": true, "labels": object{"release": "kps"}, "endpoint": object{"basicAuth": object{"username": object{"name": "s", "key": "user"}}}}},
	}))
	d := objects["Deployment rightsize-serve"]
	for path, want := range map[string]any{
		"spec.template.spec.terminationGracePeriodSeconds": int64(65 + 60 + 10),
		"spec.template.spec.nodeSelector":                  object{"kubernetes.io/os": "linux", "pool": "system"},
		"spec.template.spec.tolerations":                   []any{object{"operator": "Exists"}},
		"spec.template.spec.affinity":                      object{"podAntiAffinity": object{}},
		"spec.template.spec.priorityClassName":             "low",
		"spec.template.spec.imagePullSecrets":              []any{object{"name": "pull"}},
		"spec.template.metadata.annotations":               object{"a": "b"},
		// Neither the chart's version nor what else changes without the pod.
		"spec.template.metadata.labels": object{
			"app.kubernetes.io/name": "rightsize", "app.kubernetes.io/component": "serve", "app.kubernetes.io/part-of": "rightsize", "app.kubernetes.io/instance": "rightsize",
		},
	} {
		got, _, err := unstructured.NestedFieldNoCopy(d, strings.Split(path, ".")...)
		if diff := cmp.Diff(want, number(got)); diff != "" || err != nil {
			t.Errorf("%s differs (%v) (-want +got):\n%s", path, err, diff)
		}
	}
	containers, _, _ := unstructured.NestedSlice(d, "spec", "template", "spec", "containers")
	text := fmt.Sprint(containers[0])
	for _, want := range []string{"registry.example.com/rightsize:v9.9.9", "--interval=30m", "--selector=team=web", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		if !strings.Contains(text, want) {
			t.Errorf("the container lacks %s: %s", want, text)
		}
	}
	if text := fmt.Sprint(objects["ServiceMonitor rightsize-serve"]); !strings.Contains(text, "basicAuth") || !strings.Contains(text, "release:kps") {
		t.Errorf("the ServiceMonitor lacks what was set: %s", text)
	}
	if text := fmt.Sprint(objects["ClusterRole rightsize-serve"]["rules"]); !strings.Contains(text, "shops") {
		t.Errorf("the ClusterRole lacks the rule that was added: %s", text)
	}
}

// Who has TLS is scraped by TLS.
func TestServiceMonitorByTLS(t *testing.T) {
	for _, byTLS := range []bool{false, true} {
		objects := chartObjects(t, "rightsize", "shop", withAPIServer(object{
			"webConfig":  object{"secretName": "web", "tls": byTLS},
			"monitoring": object{"serviceMonitor": object{"enabled": true, "endpoint": object{"tlsConfig": object{"serverName": "rightsize.example.com"}}}},
		}))
		endpoints, _, _ := unstructured.NestedSlice(objects["ServiceMonitor rightsize-serve"], "spec", "endpoints")
		want := object{
			"port": "http", "path": "/metrics", "interval": "1m", "scrapeTimeout": "30s", "honorLabels": true, "tlsConfig": object{"serverName": "rightsize.example.com"},
		}
		if byTLS {
			want["scheme"] = "https"
		}
		if diff := cmp.Diff([]any{want}, endpoints); diff != "" {
			t.Errorf("with TLS %t the endpoints differ (-want +got):\n%s", byTLS, diff)
		}
	}
}

// number has whole numbers as the one type that the tests compare with.
func number(v any) any {
	if f, ok := v.(float64); ok && f == float64(int64(f)) {
		return int64(f)
	}
	return v
}

// Values that cannot be right are refused, with words that name them.
func TestBadValues(t *testing.T) {
	for name, c := range map[string]struct {
		values object
		want   string
	}{
		"no address of the API server": {object{}, "kubectl get endpointslices -n default"},
		"a placeholder for it":         {object{"networkPolicy": object{"apiServer": object{"cidrs": []any{"ADDRESS-OF-THE-API-SERVER/32"}}}}, "/networkPolicy/apiServer/cidrs/0"},
		"an unknown value":             {withAPIServer(object{"replicas": 2}), "replicas"},
		"an unknown value below":       {withAPIServer(object{"serve": object{"intervall": "1h"}}), "intervall"},
		"neither of the two":           {withAPIServer(object{"serve": object{"enabled": false}}), "nothing would be installed"},
		"no schedule":                  {withAPIServer(object{"cronJob": object{"schedule": "weekly"}}), "/cronJob/schedule"},
		"an unknown scope":             {withAPIServer(object{"scope": "galaxy"}), "/scope"},
		"a tag that moves":             {withAPIServer(object{"image": object{"tag": "latest"}}), "/image/tag"},
		"no duration":                  {withAPIServer(object{"serve": object{"interval": "hourly"}}), "/serve/interval"},
		"a password in the URL":        {withAPIServer(object{"prometheus": object{"url": "https://me:secret@prometheus"}}), "/prometheus/url"},
		"no limit of memory":           {withAPIServer(object{"resources": object{"limits": object{"memory": nil}}}), "/resources/limits"},
		"no quantity":                  {withAPIServer(object{"resources": object{"limits": object{"memory": "much"}}}), "/resources/limits/memory"},
		"a right to write":             {withAPIServer(object{"rbac": object{"extraRules": []any{object{"apiGroups": []any{""}, "resources": []any{"pods"}, "verbs": []any{"delete"}}}}}), "/rbac/extraRules/0/verbs/0"},
		"a right to everything":        {withAPIServer(object{"rbac": object{"extraRules": []any{object{"apiGroups": []any{""}, "resources": []any{"*"}, "verbs": []any{"list"}}}}}), "/rbac/extraRules/0/resources/0"},
		"no port":                      {withAPIServer(object{"service": object{"port": 0}}), "/service/port"},
		"callers who are everybody":    {object{"networkPolicy": object{"callers": []any{object{}}}}, "/networkPolicy/callers/0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := render(t, "rightsize", "rightsize", c.values)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("gives %v, want an error with %s", err, c.want)
			}
		})
	}
}

// The notes say what is installed, and what is left open.
func TestNotes(t *testing.T) {
	for name, c := range map[string]struct {
		values     object
		want, lack []string
	}{
		"served": {
			object{"scope": "namespace"},
			[]string{"on namespace shop", "deployment/rightsize-serve", "service/rightsize-serve 8080:80", "asks for no password", "nobody is told"},
			[]string{"Slack", "all namespaces"},
		},
		"scheduled": {
			equivalent()["bot"],
			[]string{"on all namespaces", "0 7 * * 1", "--from=cronjob/rightsize rightsize-try", "Secret rightsize-slack, as bot-token"},
			[]string{"deployment/"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := render(t, "rightsize", "shop", withAPIServer(c.values))
			if err != nil {
				t.Fatal(err)
			}
			notes := files["rightsize/templates/NOTES.txt"]
			for _, want := range c.want {
				if !strings.Contains(notes, want) {
					t.Errorf("the notes lack %q:\n%s", want, notes)
				}
			}
			for _, lack := range c.lack {
				if strings.Contains(notes, lack) {
					t.Errorf("the notes have %q:\n%s", lack, notes)
				}
			}
		})
	}
}

// helm lint has no objection, not even as a piece of advice but for an icon, which we have none of.
func TestChartLints(t *testing.T) {
	for _, m := range lint.RunAll(chartFolder, withAPIServer(nil), "rightsize").Messages {
		if m.Severity > support.InfoSev || !strings.Contains(m.Err.Error(), "icon") {
			t.Errorf("helm lint: %v", m)
		}
	}
}

// What helm package makes has the overlays' files in it, not links to where they were.
func TestPackagedChart(t *testing.T) {
	chart, err := loader.Load(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := chartutil.Save(chart, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	values := withAPIServer(object{"monitoring": object{"prometheusRule": object{"enabled": true}, "dashboard": object{"enabled": true}}})
	want, err := render(t, "rightsize", "rightsize", values)
	if err != nil {
		t.Fatal(err)
	}
	got, err := renderFrom(t, archive, "rightsize", "rightsize", values)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("the archive renders otherwise (%v) (-folder +archive):\n%s", err, diff)
	}
}

// The values that docs/deploy.md shows make what it says: the overlay with all that monitoring wants.
func TestDocumentedValues(t *testing.T) {
	doc, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(doc), "with `values.yaml` for instance\n\n```yaml\n")
	example, _, closed := strings.Cut(example, "```")
	if !found || !closed {
		t.Fatal("docs/deploy.md shows no values")
	}
	values, err := common.ReadValues([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	want := chartObjects(t, "rightsize", "rightsize", withAPIServer(equivalent()["serve-monitoring"]))
	if diff := cmp.Diff(want, chartObjects(t, "rightsize", "rightsize", values)); diff != "" {
		t.Errorf("the values of docs/deploy.md differ from the overlay (-overlay +document):\n%s", diff)
	}
}
