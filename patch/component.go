package patch

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entry is one of a kustomization's patches.
type entry struct {
	Path   string   `yaml:"path" json:"path"`
	Target selector `yaml:"target" json:"target"`
}

// selector picks the objects that a patch is for. Kustomize takes each field for a regular expression from end
// to end; an empty one fits everything.
type selector struct {
	Group     string `yaml:"group,omitempty" json:"group,omitempty"`
	Version   string `yaml:"version" json:"version"`
	Kind      string `yaml:"kind" json:"kind"`
	Name      string `yaml:"name" json:"name"`
	Namespace string `yaml:"namespace,omitempty" json:"namespace,omitempty"`
}

// selector picks the target and nothing else.
func (t target) selector() selector {
	group, version, ok := strings.Cut(t.apiVersion, "/")
	if !ok {
		group, version = "", t.apiVersion
	}
	return selector{
		Group: regexp.QuoteMeta(group), Version: regexp.QuoteMeta(version), Kind: regexp.QuoteMeta(t.kind),
		Name: regexp.QuoteMeta(t.name), Namespace: regexp.QuoteMeta(t.namespace),
	}
}

// file is a patch in a file of its own.
type file struct {
	entry entry
	text  []byte
}

// style is how patches are written.
type style struct {
	as       Type
	basis    Basis
	rollback bool
	prefix   string // of the files' names

	// qualified says that the files' names have their namespaces, which they have too where there are several.
	qualified bool
}

// write renders the objects, each into a file. What is there already stays as it is, comments too, where the
// patch in it is the same.
func (s style) write(objects []object, there map[string][]byte) ([]file, error) {
	names := s.fileNames(objects)
	var files []file
	for i, o := range objects {
		text, err := o.render(s.as, s.basis, s.rollback)
		if err != nil {
			return nil, err
		}
		if before, ok := there[names[i]]; ok && sameYAML(before, text) {
			text = before
		}
		files = append(files, file{entry{names[i], o.target.selector()}, text})
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.entry.Path, b.entry.Path) })
	return files, nil
}

// fileNames are "deployment-api.yaml", or "shop-deployment-api.yaml" where there are several namespaces.
func (s style) fileNames(objects []object) (names []string) {
	several := s.qualified || slices.ContainsFunc(objects, func(o object) bool { return o.ref.Namespace != objects[0].ref.Namespace })
	taken := map[string]bool{}
	for _, o := range objects {
		name := s.prefix + strings.ToLower(o.ref.Kind) + "-" + o.ref.Name
		if several {
			name = s.prefix + o.ref.Namespace + "-" + strings.ToLower(o.ref.Kind) + "-" + o.ref.Name
		}
		name = safeName(name)
		if taken[name] { // shop and deployment-api, or shop-deployment and api
			name = safeName(name + "-" + hashed(o.target.apiVersion+" "+describe(o.ref)))
		}
		taken[name] = true
		names = append(names, name+".yaml")
	}
	return names
}

// safeName is a name that every file system takes: of letters, digits, dots and dashes, and at most 200 long.
func safeName(name string) string {
	name = regexp.MustCompile(`[^a-z0-9.-]+`).ReplaceAllString(name, "-")
	if len(name) > 200 {
		return name[:180] + "-" + hashed(name)
	}
	return name
}

func hashed(s string) string {
	h := fnv.New32a()
	h.Write([]byte(s))
	return fmt.Sprintf("%08x", h.Sum32())
}

// sameYAML says that the texts differ in comments and layout at most.
func sameYAML(a, b []byte) bool {
	var x, y any
	return yaml.Unmarshal(a, &x) == nil && yaml.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

const componentFile = "kustomization.yaml"

// componentText is a kustomize component of the patches. Without any it still has its list: kustomize refuses
// an empty kustomization.
func componentText(files []file) ([]byte, error) {
	entries := make([]entry, 0, len(files))
	for _, f := range files {
		entries = append(entries, f.entry)
	}
	var text bytes.Buffer
	text.WriteString(marker)
	err := writeYAML(&text, struct {
		APIVersion string  `yaml:"apiVersion"`
		Kind       string  `yaml:"kind"`
		Patches    []entry `yaml:"patches"`
	}{"kustomize.config.k8s.io/v1alpha1", "Component", entries})
	return text.Bytes(), err
}

// component is a folder with a component of ours, as it is on the disk.
type component struct {
	dir     string
	files   map[string][]byte // of ours, by their names
	entries []entry
}

// openComponent reads the folder, which need not be there.
func openComponent(dir string) (*component, error) {
	c := &component{dir: dir, files: map[string][]byte{}}
	found, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the folder for patches: %w", err)
	}
	for _, f := range found {
		if f.IsDir() || filepath.Ext(f.Name()) != ".yaml" || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading the folder for patches: %w", err)
		}
		if ownedText(text) {
			c.files[f.Name()] = text
		}
	}
	var k struct{ Patches []entry }
	if err := yaml.Unmarshal(c.files[componentFile], &k); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, componentFile), err)
	}
	c.entries = k.Patches
	return c, nil
}

// there says that the folder holds a component of ours.
func (c *component) there() bool { return c.files[componentFile] != nil }

// changes are the files to write and, with nil, to remove, by their paths, so that the component has these
// patches and no others. A file that is not ours is not touched.
func (c *component) changes(files []file) (map[string][]byte, error) {
	text, err := componentText(files)
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{componentFile: text}
	for _, f := range files {
		all[f.entry.Path] = f.text
	}
	changed := map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := c.ours(name); err != nil {
			return nil, err
		}
		if !bytes.Equal(c.files[name], all[name]) {
			changed[filepath.Join(c.dir, name)] = all[name]
		}
	}
	for name := range c.files {
		if all[name] == nil {
			changed[filepath.Join(c.dir, name)] = nil
		}
	}
	return changed, nil
}

// ours refuses a file of that name that somebody else wrote. A kustomization may have other names too.
func (c *component) ours(name string) error {
	names := []string{name}
	if name == componentFile {
		names = append(names, "kustomization.yml", "Kustomization")
	}
	for _, n := range names {
		path := filepath.Join(c.dir, n)
		if _, err := os.Lstat(path); err == nil && c.files[n] == nil {
			return fmt.Errorf("%s is there and rightsize did not write it: give another folder, or move it away", path)
		}
	}
	return nil
}
