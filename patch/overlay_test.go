package patch

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// tree writes files, given as a txtar-like map, into a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.TrimPrefix(text, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// objectsOf is what a folder's kustomization builds, by namespace/kind/name.
func objectsOf(t *testing.T, dir string) map[string]map[string]any {
	t.Helper()
	resources, err := workload.Kustomize(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]map[string]any{}
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		var object map[string]any
		if err := yaml.Unmarshal(text, &object); err != nil {
			t.Fatal(err)
		}
		objects[r.GetNamespace()+"/"+r.GetKind()+"/"+r.GetName()] = object
	}
	return objects
}

func cpu(request, limit recommender.Value) [recommender.NumResources]recommender.Bounds {
	return [recommender.NumResources]recommender.Bounds{recommender.CPU: {Request: request, Limit: limit}}
}

func memory(request, limit recommender.Value) [recommender.NumResources]recommender.Bounds {
	return [recommender.NumResources]recommender.Bounds{recommender.Memory: {Request: request, Limit: limit}}
}

func change(namespace, kind, name, container string, values [recommender.NumResources]recommender.Bounds) Change {
	return Change{Workload: workload.Ref{Namespace: namespace, Kind: kind, Name: name}, Container: container, Values: values}
}

var (
	set    = recommender.Set
	unset  = recommender.Unset()
	noIdea = recommender.NoAdvice()
)

const mi = 1 << 20

func testBasis() Basis {
	return Basis{
		window: recommender.Window{Until: time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC), Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute},
		policy: recommender.DefaultPolicy(),
	}
}

func controller(apiVersion, kind, name string, containers ...string) string {
	return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata:\n  name: " + name +
		"\n  annotations: {team: web}\nspec:\n  selector: {matchLabels: {app: x}}\n  template:\n    metadata: {labels: {app: x}}\n    spec:\n      containers:\n" + strings.Join(containers, "")
}

const (
	apiContainer = `      - name: api
        image: api:1
        resources:
          requests: {cpu: 0.5, memory: 64Mi, ephemeral-storage: 1Gi}
          limits: {memory: 134217728}
        ports: [{containerPort: 80}]
`
	bareContainer = "      - name: bare\n        image: bare:1\n"
	cronJob       = `apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 0 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - {name: job, image: job, resources: {limits: {cpu: 1}}}
`
	sidecarPod = `apiVersion: v1
kind: Pod
metadata: {name: lone, namespace: own}
spec:
  containers:
  - {name: app, image: app}
  initContainers:
  - {name: first, image: first}
  - {name: proxy, image: proxy, restartPolicy: Always, resources: {claims: [{name: nic}]}}
`
)

// overlayCase is a kustomization, and changes of what it builds.
type overlayCase struct {
	name    string
	files   map[string]string // the overlay is in "prod"
	changes []Change
	want    map[string]string // resources in YAML, by namespace/kind/name/container as built
}

func overlayCases() []overlayCase {
	deployment := controller("apps/v1", "Deployment", "api", apiContainer, bareContainer)
	base := "resources: [api.yaml]\n"
	change1 := cpu(set(0.25), set(1))
	changed := "{requests: {cpu: 250m, memory: 64Mi, ephemeral-storage: 1Gi}, limits: {cpu: '1', memory: 134217728}}"
	return []overlayCase{
		{
			"no namespace",
			map[string]string{"prod/kustomization.yaml": base, "prod/api.yaml": deployment},
			[]Change{change("default", "Deployment", "api", "api", change1), change("default", "Deployment", "api", "bare", memory(set(16*mi), set(32*mi)))},
			map[string]string{"/Deployment/api/api": changed, "/Deployment/api/bare": "{requests: {memory: 16Mi}, limits: {memory: 32Mi}}"},
		}, {
			"namespace transform",
			map[string]string{"prod/kustomization.yaml": "namespace: shop\n" + base, "prod/api.yaml": deployment},
			[]Change{change("shop", "Deployment", "api", "api", change1)},
			map[string]string{"shop/Deployment/api/api": changed},
		}, {
			"prefix, suffix, and a base with its own",
			map[string]string{
				"prod/kustomization.yaml": "namespace: shop\nnamePrefix: prod-\nnameSuffix: -v1\nresources: [../base]\nlabels: [{pairs: {a: b}}]\n",
				"base/kustomization.yaml": "namePrefix: base-\n" + base, "base/api.yaml": deployment,
			},
			[]Change{change("shop", "Deployment", "prod-base-api-v1", "api", change1)},
			map[string]string{"shop/Deployment/prod-base-api-v1/api": changed},
		}, {
			"one name in two namespaces",
			map[string]string{
				"prod/kustomization.yaml": "namePrefix: p-\nresources: [../a, ../b]\n",
				"a/kustomization.yaml":    "namespace: a\n" + base, "a/api.yaml": deployment,
				"b/kustomization.yaml": "namespace: b\n" + base, "b/api.yaml": deployment,
			},
			[]Change{change("a", "Deployment", "p-api", "api", change1), change("b", "Deployment", "p-api", "api", cpu(noIdea, set(2)))},
			map[string]string{
				"a/Deployment/p-api/api": changed,
				"b/Deployment/p-api/api": "{requests: {cpu: 0.5, memory: 64Mi, ephemeral-storage: 1Gi}, limits: {cpu: '2', memory: 134217728}}",
			},
		}, {
			"rollout with two containers",
			map[string]string{"prod/kustomization.yaml": "namePrefix: p-\n" + base, "prod/api.yaml": controller("argoproj.io/v1alpha1", "Rollout", "api", bareContainer, apiContainer)},
			[]Change{change("default", "Rollout", "p-api", "api", change1), change("default", "Rollout", "p-api", "bare", cpu(set(0.01), unset))},
			map[string]string{"/Rollout/p-api/api": changed, "/Rollout/p-api/bare": "{requests: {cpu: 10m}}"},
		}, {
			"DeploymentConfig without resources",
			map[string]string{"prod/kustomization.yaml": base, "prod/api.yaml": controller("apps.openshift.io/v1", "DeploymentConfig", "api", bareContainer)},
			[]Change{change("default", "DeploymentConfig", "api", "bare", change1)},
			map[string]string{"/DeploymentConfig/api/bare": "{requests: {cpu: 250m}, limits: {cpu: '1'}}"},
		}, {
			"native sidecar with claims, in a namespace of its own",
			map[string]string{"prod/kustomization.yaml": base, "prod/api.yaml": sidecarPod},
			[]Change{change("own", "Pod", "lone", "proxy", change1)},
			map[string]string{"own/Pod/lone/proxy": "{claims: [{name: nic}], requests: {cpu: 250m}, limits: {cpu: '1'}}"},
		}, {
			"CronJob whose only limit goes",
			map[string]string{"prod/kustomization.yaml": base, "prod/api.yaml": cronJob},
			[]Change{change("default", "CronJob", "nightly", "job", cpu(noIdea, unset))},
			map[string]string{"/CronJob/nightly/job": "null"},
		}, {
			"DaemonSet whose CPU limit goes, and whose memory stays",
			map[string]string{"prod/kustomization.yaml": base, "prod/api.yaml": controller("apps/v1", "DaemonSet", "api", apiContainer)},
			[]Change{change("default", "DaemonSet", "api", "api", [recommender.NumResources]recommender.Bounds{{Request: unset}, {Limit: unset}})},
			map[string]string{"/DaemonSet/api/api": "{requests: {memory: 64Mi, ephemeral-storage: 1Gi}}"},
		}, {
			"names that YAML takes for something else",
			map[string]string{"prod/kustomization.yaml": base, "prod/api.yaml": controller("apps/v1", "StatefulSet", `"1e3"`, strings.ReplaceAll(bareContainer, "name: bare", `name: "on"`), strings.ReplaceAll(bareContainer, "name: bare", `name: "0o7"`))},
			[]Change{change("default", "StatefulSet", "1e3", "on", change1), change("default", "StatefulSet", "1e3", "0o7", change1)},
			map[string]string{"/StatefulSet/1e3/on": "{requests: {cpu: 250m}, limits: {cpu: '1'}}", "/StatefulSet/1e3/0o7": "{requests: {cpu: 250m}, limits: {cpu: '1'}}"},
		}, {
			"a dot in a name is no other character",
			map[string]string{
				"prod/kustomization.yaml": "resources: [api.yaml, other.yaml]\n",
				"prod/api.yaml":           controller("apps/v1", "Deployment", "a.b", bareContainer),
				"prod/other.yaml":         controller("apps/v1", "Deployment", "acb", bareContainer),
			},
			[]Change{change("default", "Deployment", "a.b", "bare", change1)},
			map[string]string{"/Deployment/a.b/bare": "{requests: {cpu: 250m}, limits: {cpu: '1'}}"},
		},
	}
}

// expect is the objects with the wanted resources and otherwise as they were.
func (c overlayCase) expect(t *testing.T, objects map[string]map[string]any) map[string]map[string]any {
	t.Helper()
	expected := map[string]map[string]any{}
	for name, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		var fresh map[string]any
		if err := yaml.Unmarshal(text, &fresh); err != nil {
			t.Fatal(err)
		}
		expected[name] = fresh
	}
	for path, want := range c.want {
		i := strings.LastIndex(path, "/")
		object := expected[path[:i]]
		if object == nil {
			t.Fatalf("the overlay builds no %s, but %v", path[:i], slices.Sorted(maps.Keys(objects)))
		}
		var r resources
		if err := yaml.Unmarshal([]byte(want), &r); err != nil {
			t.Fatal(err)
		}
		slot, ok := workload.Slots(strings.Split(path, "/")[1], object)[path[i+1:]]
		if !ok {
			t.Fatalf("no container %s", path)
		}
		setResources(object, slot, r)
	}
	return expected
}

func diffObjects(t *testing.T, got, want map[string]map[string]any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	for name := range want {
		a, _ := yaml.Marshal(got[name])
		b, _ := yaml.Marshal(want[name])
		if string(a) != string(b) {
			t.Errorf("%s is\n%s\nwant\n%s", name, a, b)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d objects, want %d", len(got), len(want))
	}
}

// TestComponent builds base, base and component, and base, component and rollback, from the disk.
func TestComponent(t *testing.T) {
	for _, c := range overlayCases() {
		for _, as := range []Type{Strategic, JSON6902} {
			t.Run(c.name+"/"+string(as), func(t *testing.T) {
				dir := tree(t, c.files)
				base := objectsOf(t, filepath.Join(dir, "prod"))
				job := Job{Changes: c.changes, Basis: testBasis(), Type: as, Overlay: filepath.Join(dir, "prod")}
				result, err := job.Component(filepath.Join(dir, "sized"))
				if err != nil || len(result.Refused) > 0 {
					t.Fatal(err, result.Refused)
				}
				commit(t, result.Files)
				back, err := job.Rollback(result, filepath.Join(dir, "back"))
				if err != nil {
					t.Fatal(err)
				}
				commit(t, back)
				list(t, filepath.Join(dir, "prod"), "../sized")
				diffObjects(t, objectsOf(t, filepath.Join(dir, "prod")), c.expect(t, base))

				again, err := Job{Basis: testBasis(), Type: as, Overlay: filepath.Join(dir, "prod")}.Component(filepath.Join(dir, "sized"))
				if err != nil || len(again.Files) > 0 {
					t.Errorf("without changes Component = %q, %v; want no files", slices.Collect(maps.Keys(again.Files)), err)
				}
				list(t, filepath.Join(dir, "prod"), "../back")
				diffObjects(t, objectsOf(t, filepath.Join(dir, "prod")), base)
			})
		}
	}
}

func commit(t *testing.T, files map[string][]byte) {
	t.Helper()
	if err := Commit(files); err != nil {
		t.Fatal(err)
	}
}

// list adds a component to the kustomization.
func list(t *testing.T, dir, component string) {
	t.Helper()
	path := filepath.Join(dir, "kustomization.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "components:") {
		text = append(text, "components:\n"...)
	}
	if err := os.WriteFile(path, append(text, "- "+component+"\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestInto lists patches in the overlay itself, runs again, and takes them back on top of the overlay.
func TestInto(t *testing.T) {
	for _, c := range overlayCases() {
		for _, as := range []Type{Strategic, JSON6902} {
			t.Run(c.name+"/"+string(as), func(t *testing.T) {
				dir := tree(t, c.files)
				prod := filepath.Join(dir, "prod")
				base := objectsOf(t, prod)
				job := Job{Changes: c.changes, Basis: testBasis(), Type: as, Overlay: prod}
				result, err := job.Into()
				if err != nil || len(result.Refused) > 0 {
					t.Fatal(err, result.Refused)
				}
				commit(t, result.Files)
				diffObjects(t, objectsOf(t, prod), c.expect(t, base))
				for _, changes := range [][]Change{c.changes, nil} {
					again := Job{Changes: changes, Type: as, Overlay: prod}
					if r, err := again.Into(); err != nil || len(r.Files) > 0 {
						t.Errorf("a second Into = %q, %v; want no files", slices.Collect(maps.Keys(r.Files)), err)
					}
				}
				back, err := job.Rollback(result, filepath.Join(dir, "back"))
				if err != nil {
					t.Fatal(err)
				}
				commit(t, back)
				top := filepath.Join(dir, "top")
				commit(t, map[string][]byte{filepath.Join(top, "kustomization.yaml"): []byte("resources: [../prod]\ncomponents: [../back]\n")})
				diffObjects(t, objectsOf(t, top), base)
			})
		}
	}
}

// TestIntoUpdates changes one of two containers that an earlier run changed, and keeps the other.
func TestIntoUpdates(t *testing.T) {
	c := overlayCases()[0]
	dir := tree(t, c.files)
	prod := filepath.Join(dir, "prod")
	base := objectsOf(t, prod)
	first, err := Job{Changes: c.changes, Basis: testBasis(), Type: JSON6902, Overlay: prod}.Into()
	if err != nil {
		t.Fatal(err)
	}
	commit(t, first.Files)
	second, err := Job{Changes: []Change{change("default", "Deployment", "api", "bare", memory(unset, unset))}, Basis: testBasis(), Type: JSON6902, Overlay: prod}.Into()
	if err != nil {
		t.Fatal(err)
	}
	commit(t, second.Files)
	c.want = maps.Clone(c.want)
	c.want["/Deployment/api/bare"] = "null"
	diffObjects(t, objectsOf(t, prod), c.expect(t, base))
	if names := slices.Collect(maps.Keys(second.Files)); len(names) != 1 {
		t.Errorf("the second run changes %q, want the patch alone", names)
	}
	// Back to what the base declares: the patch stays listed and does nothing.
	third, err := Job{Changes: []Change{change("default", "Deployment", "api", "api", cpu(set(0.5), unset))}, Basis: testBasis(), Type: JSON6902, Overlay: prod}.Into()
	if err != nil {
		t.Fatal(err)
	}
	commit(t, third.Files)
	c.want["/Deployment/api/api"] = "{requests: {cpu: 500m, memory: 64Mi, ephemeral-storage: 1Gi}, limits: {memory: 134217728}}"
	diffObjects(t, objectsOf(t, prod), c.expect(t, base))
}

func TestRefused(t *testing.T) {
	deployment := controller("apps/v1", "Deployment", "api", apiContainer, bareContainer)
	one := []Change{change("default", "Deployment", "api", "api", cpu(set(0.25), set(1)))}
	for _, c := range []struct {
		name  string
		files map[string]string
		into  bool
		want  string // in Refused or in the error
	}{
		{
			"the overlay's own patch comes later", map[string]string{
				"prod/kustomization.yaml": "resources: [api.yaml]\npatches: [{path: own.yaml}]\n", "prod/api.yaml": deployment,
				"prod/own.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec: {template: {spec: {containers: [{name: api, resources: {requests: {cpu: 2}}}]}}}\n",
			}, false, "deployment/api, namespace default is not patched: its resources would not come out as wanted: the overlay's own patches set them after a component: give --into",
		}, {
			"a name that was another's first", map[string]string{
				"prod/kustomization.yaml": "resources: [api.yaml, ../a]\n", "prod/api.yaml": deployment,
				"a/kustomization.yaml": "namePrefix: a-\nresources: [api.yaml]\n", "a/api.yaml": deployment,
			}, false, "a patch's target that fits it fits all of deployment/a-api, namespace default; deployment/api, namespace default",
		}, {
			"replaced after the patches", map[string]string{
				"prod/kustomization.yaml": "resources: [api.yaml]\npatchesJson6902: [{target: {version: v1, group: apps, kind: Deployment, name: api}, patch: '[{\"op\": \"add\", \"path\": \"/spec/template/spec/containers/0/resources/requests/cpu\", \"value\": \"3\"}]'}]\n",
				"prod/api.yaml":           deployment,
			}, true, "something in the overlay sets them after its patches",
		}, {
			"part of the base", map[string]string{
				"prod/kustomization.yaml": "resources: [../base]\n", "base/kustomization.yaml": "resources: [api.yaml]\ncomponents: [../sized]\n", "base/api.yaml": deployment,
				"sized/kustomization.yaml": marker + "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: []\n",
			}, false, "patches in it would rest on themselves",
		}, {
			"somebody else's folder", map[string]string{
				"prod/kustomization.yaml": "resources: [api.yaml]\n", "prod/api.yaml": deployment, "sized/kustomization.yml": "resources: []\n",
			}, false, "kustomization.yml is there and rightsize did not write it",
		}, {
			"somebody else's file", map[string]string{
				"prod/kustomization.yaml": "resources: [api.yaml]\n", "prod/api.yaml": deployment, "sized/deployment-api.yaml": "a: b\n",
			}, false, "deployment-api.yaml is there and rightsize did not write it",
		}, {
			"a workload that is not there", map[string]string{
				"prod/kustomization.yaml": "resources: [api.yaml]\n", "prod/api.yaml": controller("apps/v1", "Deployment", "other", apiContainer),
			}, false, "deployment/api, namespace default is not patched: it is not among what the patches of",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tree(t, c.files)
			job := Job{Changes: one, Basis: testBasis(), Type: Strategic, Overlay: filepath.Join(dir, "prod")}
			run := func() (Result, error) { return job.Component(filepath.Join(dir, "sized")) }
			if c.into {
				run = job.Into
			}
			result, err := run()
			said := strings.Join(result.Refused, "\n")
			if err != nil {
				said += err.Error()
			}
			if !strings.Contains(said, c.want) {
				t.Errorf("refused %q, want %q", said, c.want)
			}
			if len(result.Files) > 0 {
				t.Errorf("files %q, want none", slices.Collect(maps.Keys(result.Files)))
			}
		})
	}
}

// TestIntoAfterOwnPatches counts containers behind those that the overlay's own patches add in front.
func TestIntoAfterOwnPatches(t *testing.T) {
	dir := tree(t, map[string]string{
		"prod/kustomization.yaml": "resources: [api.yaml]\npatches:\n  # ours\n  - path: own.yaml\n", "prod/api.yaml": controller("apps/v1", "Deployment", "api", apiContainer),
		"prod/own.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec: {template: {spec: {containers: [{name: first, image: first}, {name: api, resources: {limits: {cpu: 3}}}]}}}\n",
	})
	prod := filepath.Join(dir, "prod")
	base := objectsOf(t, prod)
	result, err := Job{Changes: []Change{change("default", "Deployment", "api", "api", cpu(set(1), set(2)))}, Basis: testBasis(), Type: JSON6902, Overlay: prod}.Into()
	if err != nil || len(result.Refused) > 0 {
		t.Fatal(err, result.Refused)
	}
	commit(t, result.Files)
	c := overlayCase{want: map[string]string{"/Deployment/api/api": "{requests: {cpu: '1', memory: 64Mi, ephemeral-storage: 1Gi}, limits: {cpu: '2', memory: 134217728}}"}}
	diffObjects(t, objectsOf(t, prod), c.expect(t, base))
	text, err := os.ReadFile(filepath.Join(prod, "kustomization.yaml"))
	if err != nil || !strings.HasPrefix(string(text), "resources: [api.yaml]\npatches:\n  # ours\n  - path: own.yaml\n  - path: rightsize-deployment-api.yaml\n") {
		t.Errorf("kustomization.yaml is now\n%s%v", text, err)
	}
}
