package workload_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// lines writes an inventory down, a container a line.
func lines(inv *workload.Inventory) string {
	var b strings.Builder
	for _, w := range inv.Workloads {
		for _, c := range w.Containers {
			cpu, mem := c.Spec[recommender.CPU], c.Spec[recommender.Memory]
			init := ""
			if c.Init {
				init = " init"
			}
			fmt.Fprintf(&b, "%s x%d%s cpu %s/%s memory %s/%s\n", c.ID, c.Replicas, init, cpu.Request, cpu.Limit, mem.Request, mem.Limit)
		}
	}
	return b.String()
}

func load(t *testing.T, o workload.Options, paths ...string) *workload.Inventory {
	t.Helper()
	inv, err := workload.Load(t.Context(), paths, o)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func TestLoadFixtures(t *testing.T) {
	inv := load(t, workload.Options{Namespace: "jobs"}, "testdata/shop.yaml", "testdata/list.json", "testdata/kustomized/overlay")
	want := `jobs/statefulset/db/db x1 cpu unset/unset memory unset/unset
jobs/job/once/once x2 cpu unset/unset memory unset/unset
jobs/cronjob/report/report x0 cpu unset/unset memory unset/unset
jobs/pod/shell/sh x1 cpu unset/unset memory unset/unset
kube-system/daemonset/agent/agent x-1 cpu 0.1/unset memory 1e+06/unset
prod/deployment/eu-web/app x4 cpu unset/unset memory 1.34217728e+08/unset
shop/deployment/api/app x3 cpu 0.35/1.5 memory 1.073741824e+09/2e+09
shop/deployment/api/log x3 cpu unset/unset memory unset/unset
shop/deployment/api/migrate x3 init cpu 2/unset memory unset/unset
shop/deployment/api/proxy x3 cpu unset/unset memory unset/6.7108864e+07
`
	if diff := cmp.Diff(want, lines(inv)); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"jobs", "kube-system", "prod", "shop"}, inv.Namespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	// A Namespace, a Service, a controlled ReplicaSet, a ConfigMap and a mirror pod.
	if inv.Skipped != 5 || len(inv.Warnings) != 0 {
		t.Errorf("skipped %d, warnings %q, want 5 and none", inv.Skipped, inv.Warnings)
	}
	if w := inv.In("jobs")[2]; !w.Indexed || w.Name != "report" {
		t.Errorf("workload %v, Indexed %v, want an Indexed cronjob/report", w.Ref, w.Indexed)
	}
}

const (
	deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s}\nspec: {template: {spec: {containers: [{name: app}]}}}\n"
	web        = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: app}]}}}\n"
)

// folder writes files into a new folder and returns it.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadForms(t *testing.T) {
	crlf := strings.ReplaceAll(web+"---\n"+fmt.Sprintf(deployment, "api"), "\n", "\r\n")
	object := `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "%s"}, "spec": {"containers": [{"name": "c"}]}}`
	tests := []struct {
		name, file, content, want string
	}{
		{"byte order mark", "a.yaml", "\ufeff" + web, "deployment/web"},
		{"carriage returns", "a.yaml", crlf, "deployment/api deployment/web"},
		{"empty", "a.yaml", "", ""},
		{"comments", "a.yaml", "# one\n---\n# two\n---\n", ""},
		{"null document", "a.yaml", "---\nnull\n---\n" + web, "deployment/web"},
		{"no final newline", "a.yaml", strings.TrimRight(web, "\n"), "deployment/web"},
		{"content behind the marker", "a.yaml", "--- " + fmt.Sprintf(object, "p") + "\n---\n" + web, "pod/p deployment/web"},
		{"marker in a block", "a.yaml", web + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  x: |\n    ---\n    not: [an object\n", "deployment/web"},
		{"json documents in a row", "a.json", fmt.Sprintf(object, "p") + "\n" + fmt.Sprintf(object, "q"), "pod/p pod/q"},
		{"json documents in yaml", "a.yaml", fmt.Sprintf(object, "p") + "\n---\n" + fmt.Sprintf(object, "q"), "pod/p pod/q"},
		{"flow style", "a.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c}]}}", "pod/p"},
		{"beta cron job", "a.yaml", "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c}]}}}}}", "cronjob/c"},
		{"an empty list", "a.yaml", "apiVersion: v1\nkind: List\nitems: []\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t, map[string]string{tt.file: tt.content})
			for _, path := range []string{dir, filepath.Join(dir, tt.file)} {
				if got := refs(load(t, workload.Options{}, path).Workloads); got != tt.want {
					t.Errorf("Load(%s) = %s, want %s", path, got, tt.want)
				}
			}
			inv := load(t, workload.Options{Stdin: strings.NewReader(tt.content)}, "-")
			if got := refs(inv.Workloads); got != tt.want {
				t.Errorf("Load(-) = %s, want %s", got, tt.want)
			}
		})
	}
}

func refs(ws []workload.Workload) string {
	var s []string
	for _, w := range ws {
		s = append(s, w.String())
	}
	return strings.Join(s, " ")
}

func TestLoadErrors(t *testing.T) {
	container := func(resources string) string {
		return "# comment\n" + strings.Replace(web, "[{name: app}]", "[{name: app}, {name: log, resources: "+resources+"}]", 1)
	}
	owner := "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}]}\n"
	tests := []struct {
		name  string
		files map[string]string
		path  string
		want  string // DIR stands for the folder
	}{
		{"missing", nil, "nope.yaml", "reading DIR/nope.yaml: no such file or directory"},
		{
			"nothing in it",
			map[string]string{"x/a.yaml": web, "b.txt": ""},
			"",
			"reading DIR: no *.yaml, *.yml or *.json files and no kustomization in it; folders below it are read with --recursive",
		},
		{
			"broken in the second document",
			map[string]string{"a.yaml": web + "---\nkind: x\n  a: b\n"},
			"a.yaml",
			"DIR/a.yaml:7: not YAML: mapping values are not allowed in this context",
		},
		{
			"a template",
			map[string]string{"a.yaml": "---\n\n{{- if .Values.x }}\nkind: x\n"},
			"a.yaml",
			`DIR/a.yaml:3: not YAML: did not find expected node content`,
		},
		{
			"block without a key",
			map[string]string{"a.yaml": web + "---\na: 1\nb:\n  c: 1\n  d: \"x\" y\n"},
			"a.yaml",
			"DIR/a.yaml:9: not YAML: did not find expected key",
		},
		{
			"bracket",
			map[string]string{"a.yaml": "\na: [1\nb: 2\n"},
			"a.yaml",
			"DIR/a.yaml:3: not YAML: did not find expected ',' or ']'",
		},
		{
			"a template in the middle",
			map[string]string{"a.yaml": "kind: x\n{{- if .Values.x }}\na: b\n"},
			"a.yaml",
			"DIR/a.yaml:2: not YAML: could not find expected ':'",
		},
		{
			"quote without an end",
			map[string]string{"a.yaml": web + "---\na: 'x\nb: 1\n"},
			"a.yaml",
			"DIR/a.yaml:7: not YAML: found unexpected end of stream",
		},
		{
			"key twice",
			map[string]string{"a.yaml": web + "---\nkind: x\nkind: y\n"},
			"a.yaml",
			`DIR/a.yaml:7: not YAML: key "kind" already set in map`,
		},
		{
			"tab",
			map[string]string{"a.yaml": "a:\n\tb: c\n"},
			"a.yaml",
			"DIR/a.yaml:2: not YAML: found character that cannot start any token",
		},
		{
			"broken json",
			map[string]string{"a.json": "{\n\"kind\": \"x\",\n\"y\" 1}\n"},
			"a.json",
			"DIR/a.json:3: not JSON: invalid character '1' after object key",
		},
		{"cut json", map[string]string{"a.json": "\n{\"kind\": \n"}, "a.json", "DIR/a.json:2: not JSON: unexpected EOF"},
		{
			"a scalar",
			map[string]string{"a.yaml": web + "---\n# hello\nhello\n"},
			"a.yaml",
			"DIR/a.yaml:7: not a Kubernetes object: got a string, want apiVersion, kind and metadata",
		},
		{
			"a sequence",
			map[string]string{"a.yaml": "- a\n"},
			"a.yaml",
			"DIR/a.yaml:1: not a Kubernetes object: got a sequence, want apiVersion, kind and metadata",
		},
		{
			"no kind",
			map[string]string{"values.yaml": "apiVersion: v1\nreplicas: 2\n"},
			"",
			"DIR/values.yaml:1: not a Kubernetes object: kind is missing or not a name; want apiVersion, kind and metadata",
		},
		{
			"no object in a list",
			map[string]string{"a.yaml": "\napiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, metadata: {name: p}}, 3]\n"},
			"",
			"DIR/a.yaml:2 (items[1]): not a Kubernetes object: got a number, want apiVersion, kind and metadata",
		},
		{
			"bad quantity",
			map[string]string{"a.yaml": container(`{requests: {cpu: "1,5"}}`)},
			"",
			`DIR/a.yaml:2: deployment/web: spec.template.spec.containers[1].resources.requests.cpu: "1,5" is not a quantity such as 250m or 128Mi`,
		},
		{
			"no quantity",
			map[string]string{"a.yaml": container(`{limits: {memory: true}}`)},
			"",
			`DIR/a.yaml:2: deployment/web: spec.template.spec.containers[1].resources.limits.memory: true is not a quantity such as 250m or 128Mi`,
		},
		{
			"negative",
			map[string]string{"a.yaml": container(`{limits: {memory: -1Gi}}`)},
			"",
			`DIR/a.yaml:2: deployment/web: spec.template.spec.containers[1].resources.limits.memory: -1Gi is negative`,
		},
		{
			"negative replicas",
			map[string]string{"a.yaml": strings.Replace(web, "spec: {", "spec: {replicas: -1, ", 1)},
			"",
			"DIR/a.yaml:1: deployment/web: spec.replicas is -1: want 0 or more",
		},
		{
			"wrong type",
			map[string]string{"a.yaml": strings.Replace(web, "spec: {", "spec: {replicas: two, ", 1)},
			"",
			"DIR/a.yaml:1: deployment/web: spec.replicas: got string, want int32",
		},
		{
			"twice",
			map[string]string{"a.yaml": web, "b.yaml": owner + "---\n" + web},
			"",
			"DIR/b.yaml:6: deployment/web in namespace default is declared twice: the first time at DIR/a.yaml:1",
		},
		{
			"container twice",
			map[string]string{"a.yaml": container("{}") + "---\n" + strings.Replace(owner, "[{name: c}]", "[{name: c}, {name: c}]", 1)},
			"",
			`DIR/a.yaml:7: pod/p: container "c" is declared twice`,
		},
		{"no name", map[string]string{"a.yaml": strings.Replace(owner, "name: p", "namespace: x", 1)}, "", "DIR/a.yaml:1: Pod: metadata.name is missing"},
		{"escape in a name", map[string]string{"a.yaml": strings.Replace(owner, "name: p", `name: "p\x1b[2J"`, 1)}, "", `DIR/a.yaml:1: Pod: invalid metadata.name "p\x1b[2J": `},
		{
			"a kustomization's file",
			map[string]string{"kustomization.yaml": ""},
			"kustomization.yaml",
			"reading DIR/kustomization.yaml: it is a kustomization: give the folder that it is in",
		},
		{"a kustomization without its resource", map[string]string{"kustomization.yaml": "resources: [gone.yaml]\n"}, "", "DIR (kustomization): building: "},
		{
			"remote resource",
			map[string]string{"kustomization.yaml": "resources: [https://example.invalid/a.yaml]\n"},
			"",
			"DIR (kustomization): DIR/kustomization.yaml refers to https://example.invalid/a.yaml: nothing is fetched",
		},
		{"remote base below", map[string]string{
			"kustomization.yaml": "resources: [base]\n", "base/kustomization.yaml": "components: ['github.com/a/b//c?ref=v1']\n",
		}, "", "DIR (kustomization): DIR/base/kustomization.yaml refers to github.com/a/b//c?ref=v1: nothing is fetched"},
		{"remote transformer", map[string]string{
			"kustomization.yaml": "transformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: x}\n  path: http://example.invalid/p.yaml\n",
		}, "", "DIR (kustomization): DIR/kustomization.yaml refers to http://example.invalid/p.yaml: nothing is fetched"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t, tt.files)
			_, err := workload.Load(t.Context(), []string{filepath.Join(dir, tt.path)}, workload.Options{})
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(err.Error(), dir, "DIR")
			if !strings.HasPrefix(got, tt.want) || strings.Contains(got, "\n") {
				t.Errorf("error %q, want one line that starts with %q", got, tt.want)
			}
		})
	}
}

func TestLoadRecursive(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.yaml":                  fmt.Sprintf(deployment, "a"),
		"b/c/d.yml":               fmt.Sprintf(deployment, "d"),
		"k/Kustomization":         "namePrefix: k-\nresources: [sub/x.yaml]\n",
		"k/sub/x.yaml":            fmt.Sprintf(deployment, "x"), // read by the kustomization, and by nothing else
		"mounted/..2024/m.yaml":   fmt.Sprintf(deployment, "m"),
		"b/notes.txt":             "not read",
		"b/folder.yaml/deep.yaml": fmt.Sprintf(deployment, "deep"),
	})
	if err := os.Symlink("..2024/m.yaml", filepath.Join(dir, "mounted/m.yaml")); err != nil {
		t.Fatal(err)
	}
	got := refs(load(t, workload.Options{Recursive: true}, dir).Workloads)
	if want := "deployment/a deployment/d deployment/deep deployment/k-x deployment/m"; got != want {
		t.Errorf("recursively: %s, want %s", got, want)
	}
	if got, want := refs(load(t, workload.Options{}, dir).Workloads), "deployment/a"; got != want {
		t.Errorf("not recursively: %s, want %s", got, want)
	}
	if err := os.Symlink("gone", filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	_, err := workload.Load(t.Context(), []string{dir}, workload.Options{})
	if want := "reading " + dir + "/link.yaml: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("a link to nowhere: %v, want %s", err, want)
	}
}

func TestLoadWarnings(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.yaml": strings.Replace(web, "{name: app}", "{name: app, resuorces: {}}", 1),
		"b.yaml": "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: old}\n",
		"c.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: run-}\n",
		"d.yaml": "apiVersion: example.com/v1\nkind: Deployment\nmetadata: {name: other}\n",
	})
	inv := load(t, workload.Options{}, dir)
	want := []string{
		dir + `/a.yaml:1: deployment/web: unknown field "spec.template.spec.containers[0].resuorces"`,
		dir + "/b.yaml:1: deployment/old is left out: extensions/v1beta1 is not an API version of Deployment that is read, want apps/v1",
		dir + "/c.yaml:1: a Job with generateName is left out: it has no name until it is created",
	}
	if diff := cmp.Diff(want, inv.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if inv.Skipped != 3 {
		t.Errorf("skipped %d, want 3", inv.Skipped)
	}
}

func TestLoadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := workload.Load(ctx, []string{"testdata"}, workload.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// FuzzLoad wants every input to be read or refused in one line that names it.
func FuzzLoad(f *testing.F) {
	for _, path := range []string{"testdata/shop.yaml", "testdata/list.json"} {
		seed, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(seed))
	}
	f.Add("--- {\n...\n%")
	f.Add("{\"a\": [1, {]}")
	f.Add("kind: List\napiVersion: v1\nitems: [[]]")
	f.Add("kind: XList\napiVersion: v1\nitems: [{kind: List, items: {}}]")
	f.Fuzz(func(t *testing.T, text string) {
		inv, err := workload.Load(t.Context(), []string{"-"}, workload.Options{Stdin: strings.NewReader(text)})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "standard input:") || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %q, want one line that starts with standard input", err)
			}
			return
		}
		for _, w := range inv.Workloads {
			if w.Name == "" || w.Namespace == "" {
				t.Errorf("workload %+v without a name or namespace", w)
			}
		}
	})
}
