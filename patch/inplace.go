package patch

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/rightsize/rightsize/patch/splice"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// InPlaceFiles reads the manifests that InPlace changes: files, and folders as workload.Load reads them, but
// neither kustomizations nor standard input.
func InPlaceFiles(ctx context.Context, paths []string, recursive bool) (map[string][]byte, error) {
	names, err := workload.PlainFiles(ctx, paths, recursive)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[name], err = os.ReadFile(name); err != nil {
			return nil, fmt.Errorf("reading %w", err)
		}
	}
	return files, nil
}

// InPlace makes the changes where plain manifests declare them. Files are the manifests' texts by path, and
// changed those of them that came out different, whole: nothing but lines of resources differs in them.
// Objects without a namespace are in defaultNamespace. What the manifests do not declare is left alone with a
// note. An error, such as a *splice.Refusal with its line, means that nothing is to be written.
func InPlace(files map[string][]byte, changes []Change, defaultNamespace string) (changed map[string][]byte, notes []string, err error) {
	m, err := inPlaceRead(files, defaultNamespace)
	if err != nil {
		return nil, nil, err
	}
	edits := map[string][]splice.Edit{}
	for _, c := range changes {
		at, ok := m.declared[c.Workload]
		if !ok {
			notes = append(notes, fmt.Sprintf("%s in namespace %s is not declared in the manifests: left alone", c.Workload, c.Workload.Namespace))
			continue
		}
		container, err := at.container(c.Container)
		switch {
		case err != nil:
			return nil, nil, err
		case container == nil:
			notes = append(notes, fmt.Sprintf("%s: %s has no container %s in its template: left alone", at, c.Workload, c.Container))
			continue
		}
		edits[at.file] = append(edits[at.file], inPlaceEdits(at.root(), at.document, append(container, "resources"), c.Values, 2)...)
	}
	changed = map[string][]byte{}
	for _, file := range slices.Sorted(maps.Keys(edits)) {
		text, err := m.files[file].Apply(edits[file])
		if err != nil {
			return nil, nil, inPlaceAdvice(file, err)
		}
		if string(text) != string(files[file]) {
			changed[file] = text
		}
	}
	return changed, notes, nil
}

// inPlaceAdvice adds what to do about a file that is no YAML in block style at all.
func inPlaceAdvice(file string, err error) error {
	if filepath.Ext(file) == ".json" {
		return fmt.Errorf("%w (JSON is not edited in place: convert the file to YAML, or patch it with kustomize)", err)
	}
	return err
}

// inPlaceManifests are what files declare.
type inPlaceManifests struct {
	namespace string // of objects without one
	files     map[string]*splice.File
	declared  map[workload.Ref]inPlaceObject
}

// inPlaceObject is where a workload is declared.
type inPlaceObject struct {
	file     string
	parsed   *splice.File
	document int
	object   []any // the path to it in the document: empty, or that of a list's item
	pod      []any // the path to its pod's spec in the document
}

func (d inPlaceObject) root() *yaml.Node { return d.parsed.Documents[d.document] }

func (d inPlaceObject) String() string {
	return fmt.Sprintf("%s:%d", d.file, splice.Lookup(d.root(), d.object...).Line)
}

func inPlaceRead(files map[string][]byte, namespace string) (*inPlaceManifests, error) {
	m := &inPlaceManifests{namespace: namespace, files: map[string]*splice.File{}, declared: map[workload.Ref]inPlaceObject{}}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		parsed, err := splice.Parse(file, files[file])
		if err != nil {
			return nil, err
		}
		m.files[file] = parsed
		for i, document := range parsed.Documents {
			if err := m.object(inPlaceObject{file: file, parsed: parsed, document: i}, document, "", ""); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// object takes in an object, or the objects of a list; apiVersion and kind are what its list says of it.
func (m *inPlaceManifests) object(at inPlaceObject, n *yaml.Node, apiVersion, kind string) error {
	if s := inPlaceText(n, "apiVersion"); s != "" {
		apiVersion = s
	}
	if s := inPlaceText(n, "kind"); s != "" {
		kind = s
	}
	if items := splice.Lookup(n, "items"); strings.HasSuffix(kind, "List") && items != nil && items.Kind == yaml.SequenceNode {
		return m.items(at, items, apiVersion, strings.TrimSuffix(kind, "List"))
	}
	pod := inPlacePod(apiVersion, kind)
	ref := workload.Ref{Namespace: inPlaceText(n, "metadata", "namespace"), Kind: kind, Name: inPlaceText(n, "metadata", "name")}
	if pod == nil || ref.Name == "" {
		return nil
	}
	if ref.Namespace == "" {
		ref.Namespace = m.namespace
	}
	if before, ok := m.declared[ref]; ok {
		return fmt.Errorf("%s: %s in namespace %s is declared twice: the first time at %s", at, ref, ref.Namespace, before)
	}
	at.pod = slices.Concat(at.object, pod)
	m.declared[ref] = at
	return nil
}

func (m *inPlaceManifests) items(at inPlaceObject, items *yaml.Node, apiVersion, kind string) error {
	if kind == "" { // a List of anything: what its items leave out is nowhere
		apiVersion = ""
	}
	for i, item := range items.Content {
		in := at
		in.object = slices.Concat(at.object, []any{"items", i})
		if err := m.object(in, item, apiVersion, kind); err != nil {
			return err
		}
	}
	return nil
}

// inPlaceText is the scalar at the path, or nothing.
func inPlaceText(n *yaml.Node, path ...any) string {
	if n = splice.Lookup(n, path...); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// inPlacePod is where an object keeps its pods' spec, or nil where it is no workload.
func inPlacePod(apiVersion, kind string) []any {
	group, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group = "" // the core group, of which only the version is written
	}
	switch group + "/" + kind {
	case "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet", "batch/Job",
		"argoproj.io/Rollout", "apps.openshift.io/DeploymentConfig":
		return []any{"spec", "template", "spec"}
	case "batch/CronJob":
		return []any{"spec", "jobTemplate", "spec", "template", "spec"}
	case "/Pod":
		return []any{"spec"}
	}
	return nil
}

// container is the path to a container in the document, or nil where the template has none of that name.
func (d inPlaceObject) container(name string) ([]any, error) {
	var found []any
	for _, list := range []string{"containers", "initContainers"} {
		containers := splice.Lookup(d.root(), slices.Concat(d.pod, []any{list})...)
		if containers == nil || containers.Kind != yaml.SequenceNode {
			continue
		}
		for i, c := range containers.Content {
			if inPlaceText(c, "name") != name {
				continue
			}
			if found != nil {
				return nil, fmt.Errorf("%s:%d: container %q is declared twice", d.file, c.Line, name)
			}
			found = slices.Concat(d.pod, []any{list, i})
		}
	}
	return found, nil
}

// inPlaceEdits are what gives the resources at path these values. What is the same quantity already, however
// it is written, is left alone. Prune is how many mappings go with the last value in them.
func inPlaceEdits(root *yaml.Node, document int, path []any, values [recommender.NumResources]recommender.Bounds, prune int) []splice.Edit {
	var edits []splice.Edit
	for _, side := range []string{"requests", "limits"} {
		for r := range recommender.NumResources {
			value := values[r].Request
			if side == "limits" {
				value = values[r].Limit
			}
			edit := splice.Edit{Document: document, Path: slices.Concat(path, []any{side, r.String()}), Delete: value.IsUnset(), Prune: prune}
			amount, ok := value.Amount()
			if ok {
				edit.Value = r.Quantity(amount)
			}
			if value.IsAdvice() && !inPlaceSame(splice.Lookup(root, edit.Path...), edit) {
				edits = append(edits, edit)
			}
		}
	}
	return edits
}

// inPlaceSame says that the node already is what the edit makes of it: the same quantity, as "0.5" and "500m"
// are, or null, which is as good as deleted.
func inPlaceSame(n *yaml.Node, edit splice.Edit) bool {
	if edit.Delete || n == nil || n.Kind != yaml.ScalarNode {
		return edit.Delete && (n == nil || n.Tag == "!!null")
	}
	is, err := resource.ParseQuantity(n.Value)
	if err != nil {
		return false
	}
	want, err := resource.ParseQuantity(edit.Value)
	return err == nil && is.Cmp(want) == 0
}
