package patch

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/testdata/golden"
	"github.com/rightsize/rightsize/workload"
)

// loaded reads manifests as the command does.
func loaded(t *testing.T, dir string) map[string][]workload.Workload {
	t.Helper()
	inv, err := workload.Load(t.Context(), []string{dir}, workload.Options{Namespace: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]workload.Workload{"shop": inv.In("shop")}
}

// advised is the report of what Load read, with this advice for container api of deployment api.
func advised(declared map[string][]workload.Workload, advice [recommender.NumResources]recommender.Bounds, notes ...recommender.Note) report.Report {
	r := report.Report{
		Window: recommender.Window{Until: time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC), Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute},
		Policy: recommender.DefaultPolicy(),
	}
	for _, w := range declared["shop"] {
		for _, c := range w.Containers {
			item := scan.Item{Recommendation: recommender.Recommendation{Container: c}}
			if w.Kind == "Deployment" && w.Name == "api" && c.ID.Container == "api" {
				for res, b := range advice {
					item.Advice[res].Bounds = b
				}
				item.Advice[recommender.Memory].Notes = notes
			}
			r.Items = append(r.Items, item)
		}
	}
	return r
}

func direct(t *testing.T, dir string, as Type, advice [recommender.NumResources]recommender.Bounds) Job {
	t.Helper()
	declared := loaded(t, dir)
	r := advised(declared, advice,
		recommender.Note{Code: recommender.GuardObservedPeak, Text: "limit raised from 100Mi to 200Mi: usage peaked\nat 199Mi, in pod api-1\x1b[31m"},
		recommender.Note{Code: "dropped-samples", Text: "is no guard"})
	changes, _ := Plan(r, declared, recommender.DefaultSignificance())
	return Job{Changes: changes, Basis: BasisOf(r), Type: as, Declared: declared}
}

func manifests() map[string]string {
	return map[string]string{
		"api.yaml": controller("apps/v1", "Deployment", "api", bareContainer, apiContainer),
		"web.yaml": controller("apps/v1", "Deployment", "web", bareContainer),
	}
}

// TestGolden is for reading: what a patch of each type says.
func TestGolden(t *testing.T) {
	dir := tree(t, manifests())
	advice := [recommender.NumResources]recommender.Bounds{{Request: set(0.25), Limit: set(1)}, {Request: unset, Limit: set(200 * mi)}}
	for _, as := range []Type{Strategic, JSON6902} {
		result, err := direct(t, dir, as, advice).Component("out")
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, string(as)+".golden", result.Files["out/deployment-api.yaml"])
		golden.Compare(t, "component.golden", result.Files["out/kustomization.yaml"])
	}
}

func TestWrite(t *testing.T) {
	dir := tree(t, map[string]string{
		"prod/kustomization.yaml": "namePrefix: prod-\nresources: [api.yaml, rollout.yaml]\n", "prod/api.yaml": controller("apps/v1", "Deployment", "api", bareContainer, apiContainer),
		"prod/rollout.yaml": controller("argoproj.io/v1alpha1", "Rollout", "api", bareContainer),
	})
	job := Job{Basis: testBasis(), Overlay: filepath.Join(dir, "prod"), Namespace: "shop", Changes: []Change{
		change("shop", "Deployment", "prod-api", "api", cpu(set(0.25), set(1))),
		change("shop", "Rollout", "prod-api", "bare", cpu(set(0.25), set(1))),
		change("shop", "Deployment", "other", "api", cpu(set(0.25), set(1))),
	}}
	var text bytes.Buffer
	refused, err := job.Write(&text)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "write.golden", text.Bytes())
	if len(refused) != 1 || !strings.HasPrefix(refused[0], "deployment/other, namespace shop is not patched: ") {
		t.Errorf("refused %q", refused)
	}
}

// TestWriteDirect names the namespace where the manifest does.
func TestWriteDirect(t *testing.T) {
	for unqualified, want := range map[bool]string{false: "metadata:\n  name: api\n  namespace: shop\n", true: "metadata:\n  name: api\nspec:"} {
		one := change("shop", "Deployment", "api", "api", cpu(set(1), unset))
		one.APIVersion, one.Unqualified, one.Slot = "apps/v1", unqualified, workload.Slot{List: []string{"spec", "template", "spec", "containers"}}
		var text bytes.Buffer
		if _, err := (Job{Basis: testBasis(), Changes: []Change{one}}).Write(&text); err != nil || !strings.Contains(text.String(), want) {
			t.Errorf("unqualified %v: %v, got\n%s", unqualified, err, text.String())
		}
	}
}

// TestDirectNamespaces adds a workload of the same name in another namespace: each target then names its own.
func TestDirectNamespaces(t *testing.T) {
	sized := filepath.Join(t.TempDir(), "sized")
	for _, namespace := range []string{"a", "b"} {
		one := change(namespace, "Deployment", "api", "api", cpu(set(1), noIdea))
		one.APIVersion, one.Slot = "apps/v1", workload.Slot{List: []string{"spec", "template", "spec", "containers"}}
		result, err := Job{Basis: testBasis(), Changes: []Change{one}}.Component(sized)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, result.Files)
	}
	base := func(namespace string) string {
		return "namespace: " + namespace + "\nresources: [api.yaml]\n"
	}
	deployment := controller("apps/v1", "Deployment", "api", "      - {name: api, image: api}\n")
	top := tree(t, map[string]string{
		"top/kustomization.yaml": "resources: [../a, ../b, ../c]\n", "a/kustomization.yaml": base("a"), "a/api.yaml": deployment,
		"b/kustomization.yaml": base("b"), "b/api.yaml": deployment, "c/kustomization.yaml": base("c"), "c/api.yaml": deployment,
	})
	before := objectsOf(t, filepath.Join(top, "top"))
	list(t, filepath.Join(top, "top"), relative(t, filepath.Join(top, "top"), sized))
	want := overlayCase{want: map[string]string{"a/Deployment/api/api": "{requests: {cpu: '1'}}", "b/Deployment/api/api": "{requests: {cpu: '1'}}"}}
	diffObjects(t, objectsOf(t, filepath.Join(top, "top")), want.expect(t, before))
}

// TestDirectAgain patches manifests without an overlay, once before and once after the patches are in force.
// Each run changes something else; what the first one changed stays.
func TestDirectAgain(t *testing.T) {
	for _, as := range []Type{Strategic, JSON6902} {
		for _, c := range []struct {
			name          string
			first, second [recommender.NumResources]recommender.Bounds
			want          string
		}{
			{"other values", cpu(set(0.25), set(1)), memory(set(100*mi), noIdea), "{requests: {cpu: 250m, memory: 100Mi, ephemeral-storage: 1Gi}, limits: {cpu: '1', memory: 134217728}}"},
			{"the same value", cpu(set(0.25), set(1)), cpu(set(0.125), noIdea), "{requests: {cpu: 125m, memory: 64Mi, ephemeral-storage: 1Gi}, limits: {cpu: '1', memory: 134217728}}"},
			{"what was added goes", cpu(set(0.25), set(1)), cpu(noIdea, unset), "{requests: {cpu: 250m, memory: 64Mi, ephemeral-storage: 1Gi}, limits: {memory: 134217728}}"},
			{"what was removed comes back", memory(noIdea, unset), [recommender.NumResources]recommender.Bounds{{Limit: set(2)}, {Limit: set(400 * mi)}}, "{requests: {cpu: 0.5, memory: 64Mi, ephemeral-storage: 1Gi}, limits: {cpu: '2', memory: 400Mi}}"},
			{"something else comes instead", memory(noIdea, unset), cpu(noIdea, set(2)), "{requests: {cpu: 0.5, memory: 64Mi, ephemeral-storage: 1Gi}, limits: {cpu: '2'}}"},
		} {
			for _, inForce := range []bool{false, true} {
				t.Run(c.name+"/"+string(as)+map[bool]string{true: "/in force"}[inForce], func(t *testing.T) {
					dir := tree(t, manifests())
					sized := filepath.Join(t.TempDir(), "sized")
					run := func(from string, advice [recommender.NumResources]recommender.Bounds) {
						result, err := direct(t, from, as, advice).Component(sized)
						if err != nil || len(result.Refused) > 0 {
							t.Fatal(err, result.Refused)
						}
						commit(t, result.Files)
					}
					run(dir, c.first)
					top := tree(t, map[string]string{"kustomization.yaml": "resources: [api.yaml, web.yaml]\n", "api.yaml": manifests()["api.yaml"], "web.yaml": manifests()["web.yaml"]})
					base := objectsOf(t, top)
					list(t, top, relative(t, top, sized))
					from := dir
					if inForce {
						from = top
					}
					run(from, c.second)
					diffObjects(t, objectsOf(t, top), overlayCase{want: map[string]string{"/Deployment/api/api": c.want}}.expect(t, base))
				})
			}
		}
	}
}

func relative(t *testing.T, from, to string) string {
	t.Helper()
	path, err := filepath.Rel(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDirectKeeps keeps what another run wrote for another workload, and drops it with the workload.
func TestDirectKeeps(t *testing.T) {
	dir, sized := tree(t, manifests()), filepath.Join(t.TempDir(), "sized")
	job := direct(t, dir, Strategic, cpu(set(0.25), set(1)))
	result, err := job.Component(sized)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, result.Files)
	job.Changes = []Change{change("shop", "Deployment", "web", "bare", cpu(set(1), noIdea))}
	job.Changes[0].APIVersion, job.Changes[0].Slot = "apps/v1", workload.Slot{List: []string{"spec", "template", "spec", "containers"}}
	if result, err = job.Component(sized); err != nil {
		t.Fatal(err)
	}
	commit(t, result.Files)
	if files := contents(t, sized); len(files) != 3 || result.Patched != 2 {
		t.Errorf("%d patches, files %q; want those of api and web", result.Patched, files)
	}
	job.Changes, job.Declared = nil, map[string][]workload.Workload{"shop": job.Declared["shop"][:1]} // web is gone
	if result, err = job.Component(sized); err != nil {
		t.Fatal(err)
	}
	if text, ok := result.Files[filepath.Join(sized, "deployment-web.yaml")]; !ok || text != nil {
		t.Errorf("the patch of a workload that is gone stays: %q", result.Files)
	}
	job.Changes = direct(t, dir, Strategic, cpu(set(0.3), set(2))).Changes
	job.Declared, job.Type = loaded(t, dir), JSON6902
	result, err = job.Component(sized)
	if err != nil || len(result.Refused) != 1 || !strings.Contains(result.Refused[0], "it is a strategic patch") {
		t.Errorf("another type over it: %q, %v", result.Refused, err)
	}
}

func TestFileNames(t *testing.T) {
	long := strings.Repeat("a.", 120) + "a"
	objects := []object{
		{ref: workload.Ref{Namespace: "shop", Kind: "Deployment", Name: "api"}},
		{ref: workload.Ref{Namespace: "shop-deployment", Kind: "Deployment", Name: "api"}},
		{ref: workload.Ref{Namespace: "shop", Kind: "Deployment", Name: "deployment-api"}},
		{ref: workload.Ref{Namespace: "shop", Kind: "Deployment", Name: long}},
		{ref: workload.Ref{Namespace: "shop", Kind: "Deployment", Name: long + "b"}},
		{ref: workload.Ref{Namespace: "shop", Kind: "Odd/../Kind", Name: "x"}},
	}
	seen := map[string]bool{}
	for i, name := range (style{}).fileNames(objects) {
		if seen[name] || len(name) > 255 || name != filepath.Base(name) {
			t.Errorf("%v gets the name %q", objects[i].ref, name)
		}
		seen[name] = true
	}
	if names := (style{prefix: intoPrefix}).fileNames(objects[:1]); names[0] != "rightsize-deployment-api.yaml" {
		t.Errorf("a single namespace is named in %q", names)
	}
}
