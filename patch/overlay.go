package patch

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	strictjson "sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/rightsize/rightsize/workload"
)

// overlay is a kustomization that can be built in variants, none of which is written to the disk.
type overlay struct {
	given     string         // the folder as it was given, for messages
	folder    string         // absolute and without links, as kustomize sees it
	file      string         // the kustomization in it
	fields    map[string]any // of the kustomization, in JSON's types
	namespace string         // of objects that do not name one

	// forbidden is a folder that no variant may read from, and why.
	forbidden string
}

func openOverlay(folder, namespace string) (*overlay, error) {
	path := workload.KustomizationFile(folder)
	if path == "" {
		return nil, fmt.Errorf("%s has no kustomization", folder)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the kustomization: %w", err)
	}
	o := &overlay{given: folder, namespace: namespace}
	if err := yaml.Unmarshal(text, &o.fields); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if o.folder, err = realPath(folder); err != nil {
		return nil, err
	}
	o.file = filepath.Join(o.folder, filepath.Base(path))
	return o, nil
}

// realPath is the path as kustomize sees it: absolute, every link followed. What is not there has the real
// path of the folder that it would be in.
func realPath(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", path, err)
	}
	resolved, err := filepath.EvalSymlinks(absolute)
	switch parent := filepath.Dir(absolute); {
	case err == nil:
		return resolved, nil
	case errors.Is(err, os.ErrNotExist) && parent != absolute:
		parent, err = realPath(parent)
		return filepath.Join(parent, filepath.Base(absolute)), err
	}
	return "", fmt.Errorf("finding %s: %w", path, err)
}

// built is an object that a kustomization builds.
type built struct {
	ref    workload.Ref // in the cluster
	target target
	object map[string]any
}

// build builds the overlay with these fields in its kustomization, and with these files beside those on the
// disk.
func (o *overlay) build(fields map[string]any, files map[string][]byte) ([]built, error) {
	text, err := yaml.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("writing a kustomization: %w", err)
	}
	disk := &layered{FileSystem: filesys.MakeFsOnDisk(), files: map[string][]byte{o.file: text}, forbidden: o.forbidden}
	maps.Copy(disk.files, files)
	resources, err := workload.Kustomize(disk, o.folder)
	if disk.read {
		return nil, fmt.Errorf("%s is part of what %s is built from, not of its own components: patches in it would rest on themselves", o.forbidden, o.given)
	}
	if err != nil {
		return nil, fmt.Errorf("%s (kustomization): %w", o.given, err)
	}
	var all []built
	for _, r := range resources.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("%s: building %s: %w", o.given, r.CurId(), err)
		}
		b, err := o.read(text)
		if err != nil {
			return nil, fmt.Errorf("%s: building %s: %w", o.given, r.CurId(), err)
		}
		all = append(all, b)
	}
	return all, nil
}

func (o *overlay) read(text []byte) (built, error) {
	var object map[string]any
	if err := strictjson.UnmarshalCaseSensitivePreserveInts(text, &object); err != nil {
		return built{}, err
	}
	var t target
	metadata, _ := object["metadata"].(map[string]any)
	t.apiVersion, _ = object["apiVersion"].(string)
	t.kind, _ = object["kind"].(string)
	t.name, _ = metadata["name"].(string)
	t.namespace, _ = metadata["namespace"].(string)
	ref := workload.Ref{Namespace: t.namespace, Kind: t.kind, Name: t.name}
	if ref.Namespace == "" {
		ref.Namespace = o.namespace
	}
	return built{ref, t, object}, nil
}

// annotations of an object.
func (b built) annotations() map[string]any {
	metadata, _ := b.object["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	return annotations
}

// layered is a file system with files on top of it that it does not have.
type layered struct {
	filesys.FileSystem
	files     map[string][]byte // by absolute path
	forbidden string            // a folder
	read      bool              // something in it was read
}

// ReadFile implements filesys.FileSystem.
func (l *layered) ReadFile(path string) ([]byte, error) {
	if l.forbidden != "" && filepath.Dir(path) == l.forbidden {
		l.read = true
	}
	if text, ok := l.files[filepath.Clean(path)]; ok {
		return text, nil
	}
	return l.FileSystem.ReadFile(path)
}

// CleanedAbs implements filesys.FileSystem: it is how kustomize finds files and folders.
func (l *layered) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	path = filepath.Clean(path)
	if _, ok := l.files[path]; ok {
		return filesys.ConfirmedDir(filepath.Dir(path)), filepath.Base(path), nil
	}
	for name := range l.files {
		if filepath.Dir(name) == path {
			return filesys.ConfirmedDir(path), "", nil
		}
	}
	return l.FileSystem.CleanedAbs(path)
}

// generating are the fields that make resources, and that say how they refer to each other.
func generating() []string {
	return []string{
		"apiVersion", "kind", "resources", "bases", "components", "crds", "configurations", "openapi", "generators", "generatorOptions",
		"configMapGenerator", "secretGenerator", "helmCharts", "helmChartInflationGenerator", "helmGlobals",
	}
}

// only is a copy of the fields with these names.
func only(fields map[string]any, names []string) map[string]any {
	kept := runtime.DeepCopyJSON(fields)
	maps.DeleteFunc(kept, func(name string, _ any) bool { return !slices.Contains(names, name) })
	return kept
}

// site is where in an overlay our patches are. All fields that it gives are copies.
type site interface {
	// without are the overlay's fields without our patches, present those with our patches on the disk.
	without() map[string]any
	present() (map[string]any, error)
	// attach adds patches to the fields, and returns the files that it takes.
	attach(fields map[string]any, patches []file) (map[string][]byte, error)
	// acting are the fields that act before our patches do.
	acting() []string
	// late says what might set resources after our patches, and what to do about it.
	late() string
}

// componentSite is a component in a folder of its own.
type componentSite struct {
	*overlay
	dir *component
}

// nowhere is a folder that only variants have.
const nowhere = ".rightsize-in-memory"

func (s componentSite) acting() []string { return generating() }

func (s componentSite) late() string {
	return "the overlay's own patches set them after a component: give --into " + s.given + " instead of --output-dir"
}

func (s componentSite) without() map[string]any {
	fields := runtime.DeepCopyJSON(s.fields)
	listed, _ := fields["components"].([]any)
	dir, err := realPath(s.dir.dir)
	fields["components"] = slices.DeleteFunc(listed, func(item any) bool {
		path, _ := item.(string)
		if !filepath.IsAbs(path) {
			path = filepath.Join(s.folder, path)
		}
		there, failed := realPath(path)
		return err == nil && failed == nil && there == dir
	})
	return fields
}

func (s componentSite) present() (map[string]any, error) {
	fields := s.without()
	if !s.dir.there() {
		return fields, nil
	}
	dir, err := realPath(s.dir.dir)
	if err != nil {
		return nil, err
	}
	path, err := filepath.Rel(s.folder, dir)
	if err != nil {
		return nil, fmt.Errorf("finding the way from %s to %s: %w", s.given, s.dir.dir, err)
	}
	fields["components"] = append(fields["components"].([]any), filepath.ToSlash(path))
	return fields, nil
}

func (s componentSite) attach(fields map[string]any, patches []file) (map[string][]byte, error) {
	listed, _ := fields["components"].([]any)
	fields["components"] = append(listed, nowhere)
	text, err := componentText(patches)
	files := map[string][]byte{filepath.Join(s.folder, nowhere, componentFile): text}
	for _, f := range patches {
		files[filepath.Join(s.folder, nowhere, f.entry.Path)] = f.text
	}
	return files, err
}

// patchesSite is the overlay's own list of patches, ours at its end.
type patchesSite struct {
	*overlay
	files map[string][]byte // ours, by their paths in the list
}

func (s patchesSite) acting() []string {
	return append(generating(), "patchesStrategicMerge", "patches")
}

func (s patchesSite) late() string {
	return "something in the overlay sets them after its patches: its replacements, transformers or patchesJson6902"
}

func (s patchesSite) present() (map[string]any, error) { return runtime.DeepCopyJSON(s.fields), nil }

func (s patchesSite) without() map[string]any {
	fields := runtime.DeepCopyJSON(s.fields)
	listed, _ := fields["patches"].([]any)
	fields["patches"] = slices.DeleteFunc(listed, func(item any) bool {
		patch, _ := item.(map[string]any)
		path, _ := patch["path"].(string)
		return s.files[path] != nil
	})
	return fields
}

func (s patchesSite) attach(fields map[string]any, patches []file) (map[string][]byte, error) {
	files := map[string][]byte{}
	listed, _ := fields["patches"].([]any)
	for _, f := range patches {
		// Names of their own: what is on the disk under theirs may be older.
		path := nowhere + "-" + strings.ReplaceAll(f.entry.Path, "/", "-")
		item, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&entry{path, f.entry.Target})
		if err != nil {
			return nil, fmt.Errorf("listing the patch %s: %w", f.entry.Path, err)
		}
		listed = append(listed, item)
		files[filepath.Join(s.folder, path)] = f.text
	}
	fields["patches"] = listed
	return files, nil
}
