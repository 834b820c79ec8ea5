package patch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rightsize/rightsize/patch/splice"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/testdata/golden"
	"github.com/rightsize/rightsize/workload"
)

// inPlaceChange is a change of a container's cpu and memory; "-" leaves a value alone, "" unsets it.
func inPlaceChange(t *testing.T, namespace, kind, name, container, cpuRequest, memoryRequest, cpuLimit, memoryLimit string) Change {
	t.Helper()
	return Change{
		Workload: workload.Ref{Namespace: namespace, Kind: kind, Name: name}, Container: container,
		Values: [recommender.NumResources]recommender.Bounds{
			recommender.CPU:    {Request: inPlaceAmount(t, cpuRequest), Limit: inPlaceAmount(t, cpuLimit)},
			recommender.Memory: {Request: inPlaceAmount(t, memoryRequest), Limit: inPlaceAmount(t, memoryLimit)},
		},
	}
}

func inPlaceChanges(t *testing.T) []Change {
	return []Change{
		inPlaceChange(t, "shop", "Deployment", "web", "web", "250m", "512Mi", "", "640Mi"),
		inPlaceChange(t, "shop", "Deployment", "web", "log-shipper", "10m", "16Mi", "-", "32Mi"),
		inPlaceChange(t, "shop", "StatefulSet", "db", "db", "500m", "2Gi", "", "-"),
		inPlaceChange(t, "shop", "StatefulSet", "db", "proxy", "20m", "-", "-", "64Mi"),
		inPlaceChange(t, "batch", "CronJob", "report", "report", "100m", "300Mi", "1", ""),
		inPlaceChange(t, "batch", "Pod", "debug", "shell", "10m", "16Mi", "20m", "32Mi"),
		inPlaceChange(t, "system", "DaemonSet", "agent", "agent", "100m", "80Mi", "-", "96Mi"),
		inPlaceChange(t, "shop", "Rollout", "canary", "canary", "1500m", "512Mi", "-", "-"),
	}
}

func inPlaceInput(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := InPlaceFiles(context.Background(), []string{"testdata/inplace/in", "testdata/inplace/in/shop.yaml"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 {
		t.Fatalf("InPlaceFiles found %d files, want 4", len(files))
	}
	return files
}

func TestInPlace(t *testing.T) {
	files := inPlaceInput(t)
	changed, notes, err := InPlace(files, inPlaceChanges(t), "batch")
	if err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	for file, before := range files {
		after, ok := changed[file]
		if !ok {
			t.Errorf("InPlace did not change %s", file)
		}
		golden.Compare(t, strings.TrimPrefix(strings.Replace(file, "/in/", "/want/", 1), "testdata/"), after)
		onlyResources(t, file, before, after)
	}
	again, _, err := InPlace(changed, inPlaceChanges(t), "batch")
	if err != nil || len(again) > 0 {
		t.Errorf("InPlace of the result changed %d files, %v, want none", len(again), err)
	}
}

// TestInPlaceIsRead has the manifests read as a report reads them, before and after.
func TestInPlaceIsRead(t *testing.T) {
	files := inPlaceInput(t)
	changed, _, err := InPlace(files, inPlaceChanges(t), "batch")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]recommender.Container{}
	for _, c := range inPlaceLoad(t, files) {
		want[c.ID.String()] = c
	}
	for _, c := range inPlaceChanges(t) {
		id := recommender.ID{Namespace: c.Workload.Namespace, Kind: c.Workload.Kind, Workload: c.Workload.Name, Container: c.Container}
		container := want[id.String()]
		for r := range recommender.NumResources {
			container.Spec[r].Request = c.Values[r].Request.Or(container.Spec[r].Request)
			container.Spec[r].Limit = c.Values[r].Limit.Or(container.Spec[r].Limit)
		}
		want[id.String()] = container
	}
	got := map[string]recommender.Container{}
	for _, c := range inPlaceLoad(t, changed) {
		got[c.ID.String()] = c
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(recommender.Value{})); diff != "" || len(got) != 8 {
		t.Errorf("%d containers after InPlace, want 8 (-want +got):\n%s", len(got), diff)
	}
}

func inPlaceLoad(t *testing.T, files map[string][]byte) []recommender.Container {
	t.Helper()
	folder := t.TempDir()
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inventory, err := workload.Load(context.Background(), []string{folder}, workload.Options{Namespace: "batch"})
	if err != nil {
		t.Fatal(err)
	}
	var all []recommender.Container
	for _, w := range inventory.Workloads {
		all = append(all, w.Containers...)
	}
	return all
}

var resourceLine = regexp.MustCompile(`^\s*"?(resources|resources\.job|requests|limits|cpu|memory)"?:( |\r|$)`)

// onlyResources wants all lines that are not about resources as they were, each with its line end.
func onlyResources(t *testing.T, file string, before, after []byte) {
	t.Helper()
	rest := func(text []byte) (lines []string) {
		for line := range strings.Lines(string(text)) {
			if !resourceLine.MatchString(strings.TrimRight(line, "\n")) {
				lines = append(lines, line)
			}
		}
		return lines
	}
	if diff := cmp.Diff(rest(before), rest(after)); diff != "" {
		t.Errorf("%s: other lines than those of resources changed (-before +after):\n%s", file, diff)
	}
	endings := func(text []byte) [2]bool {
		return [2]bool{strings.Contains(string(text), "\r\n"), strings.HasSuffix(string(text), "\n")}
	}
	if got, want := endings(after), endings(before); got != want {
		t.Errorf("%s: CRLF and final line end are %v, want %v", file, got, want)
	}
}

const inPlaceDeployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: web
        resources: RESOURCES
`

func TestInPlaceRefuses(t *testing.T) {
	web := inPlaceChange(t, "default", "Deployment", "web", "web", "100m", "64Mi", "-", "")
	deployment := func(resources string) string { return strings.Replace(inPlaceDeployment, "RESOURCES", resources, 1) }
	for _, test := range []struct{ name, file, text, want string }{
		{"flow", "a.yaml", deployment("{requests: {cpu: 1}}"), "a.yaml:10: the value is in flow style"},
		{"flow below", "a.yaml", deployment("\n          requests: {cpu: 1}"), "a.yaml:11: the value is in flow style"},
		{"an alias", "a.yaml", "x: &x {}\n---\n" + "small: &small\n  cpu: 1\n" + deployment("\n          requests: *small"), "a.yaml:15: the value is an alias (*small)"},
		{"an anchor", "a.yaml", deployment("&r\n          requests:\n            cpu: 1") + "      - name: other\n        resources: *r\n", "a.yaml:10: the value has an anchor (&r) that line 14 refers to"},
		{"a merge key", "a.yaml", "small: &small\n  requests:\n    cpu: 1\n" + deployment("\n          <<: *small"), "a.yaml:14: requests comes through a merge key (<<)"},
		{"JSON", "a.json", `{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
			"spec": {"template": {"spec": {"containers": [{"name": "web"}]}}}}]}`, "JSON is not edited in place: convert the file to YAML"},
		{"declared twice", "a.yaml", deployment("{}") + "---\n" + deployment("{}"), "a.yaml:12: deployment/web in namespace default is declared twice: the first time at a.yaml:1"},
		{"a container twice", "a.yaml", deployment("{}") + "      - name: web\n", `a.yaml:11: container "web" is declared twice`},
		{"not YAML", "a.yaml", "a: [", "reading a.yaml: not YAML"},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed, _, err := InPlace(map[string][]byte{test.file: []byte(test.text)}, []Change{web}, "default")
			if err == nil || !strings.Contains(err.Error(), test.want) || changed != nil {
				t.Errorf("InPlace = %q, %v, want %q", changed, err, test.want)
			}
		})
	}
}

func TestInPlaceRefusesAll(t *testing.T) {
	files := map[string][]byte{
		"good.yaml": []byte(strings.NewReplacer("RESOURCES", "", "name: web", "name: good").Replace(inPlaceDeployment)),
		"a.yaml":    []byte(strings.Replace(inPlaceDeployment, "RESOURCES", "{limits: {cpu: 1}}", 1)),
	}
	changed, _, err := InPlace(files, []Change{
		inPlaceChange(t, "default", "Deployment", "good", "good", "1", "-", "-", "-"),
		inPlaceChange(t, "default", "Deployment", "web", "web", "1", "-", "-", "-"),
	}, "default")
	var refusal *splice.Refusal
	if !errors.As(err, &refusal) || refusal.File != "a.yaml" || refusal.Line != 10 || changed != nil {
		t.Errorf("InPlace = %q, %v, want a Refusal of a.yaml:10 and nothing else", changed, err)
	}
}

func TestInPlaceLeavesAlone(t *testing.T) {
	text := strings.Replace(inPlaceDeployment, "RESOURCES", "{requests: {cpu: 0.1, memory: \"67108864\"}, limits: {cpu: ~}}", 1)
	for _, test := range []struct {
		name, want string
		change     Change
	}{
		{"the same quantities", "", inPlaceChange(t, "default", "Deployment", "web", "web", "100m", "64Mi", "", "")},
		{"no advice", "", inPlaceChange(t, "default", "Deployment", "web", "web", "-", "-", "-", "-")},
		{
			"an injected sidecar", "a.yaml:1: deployment/web has no container istio-proxy in its template: left alone",
			inPlaceChange(t, "default", "Deployment", "web", "istio-proxy", "1", "-", "-", "-"),
		},
		{
			"another namespace", "deployment/web in namespace shop is not declared in the manifests: left alone",
			inPlaceChange(t, "shop", "Deployment", "web", "web", "1", "-", "-", "-"),
		},
		{
			"another kind", "rollout/web in namespace default is not declared in the manifests: left alone",
			inPlaceChange(t, "default", "Rollout", "web", "web", "1", "-", "-", "-"),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed, notes, err := InPlace(map[string][]byte{"a.yaml": []byte(text)}, []Change{test.change}, "default")
			if err != nil || len(changed) > 0 || strings.Join(notes, "\n") != test.want {
				t.Errorf("InPlace = %q, %q, %v, want no change and the note %q", changed, notes, err, test.want)
			}
		})
	}
}

func TestInPlaceFilesRefuses(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte("resources: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		folder: "it has a kustomization: patch it with --into " + folder,
		"-":    "standard input cannot be edited",
		filepath.Join(folder, "kustomization.yaml"): "it is a kustomization: give the folder that it is in",
		filepath.Join(folder, "none.yaml"):          "no such file",
	} {
		if files, err := InPlaceFiles(context.Background(), []string{path}, true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("InPlaceFiles(%s) = %v, %v, want %q", path, files, err, want)
		}
	}
}
