package patch

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rightsize/rightsize/patch/splice"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// Job is what to write patches for.
type Job struct {
	Changes []Change
	Basis   Basis
	Type    Type

	Retargets []recommender.Retarget // what autoscalers are to scale on with the changes; not for Write

	// Overlay is the folder of the kustomization that the workloads were read from. It is empty where they are
	// a cluster's or plain manifests': patches then name them as they are there.
	Overlay   string
	Namespace string // of the overlay's objects that do not name one; "default" if empty

	// Declared are the workloads of the namespaces that were looked at, for a job without an overlay.
	Declared map[string][]workload.Workload
}

// Result is the files of a job, for Commit, and what could not be done.
type Result struct {
	Files    map[string][]byte // to write or, where nil, to remove; without those that stay as they are
	Patched  int               // workloads with a patch of ours, those of earlier runs too
	Refused  []string          // a line for each workload that is to be changed and cannot be
	Notes    []string
	rollback []object
}

// Write writes strategic merge patches, one YAML document a workload. Of kinds that kustomize's schema does
// not have it writes a comment.
func (j Job) Write(w io.Writer) (refused []string, err error) {
	objects := j.direct(true)
	if j.Overlay != "" {
		r, err := j.component(&component{dir: filepath.Join(j.Overlay, nowhere)})
		if err != nil {
			return nil, err
		}
		r.forbidden = "" // nothing is there
		if objects, _, err = r.resolve(nil); err != nil {
			return nil, err
		}
		refused = r.refusals()
	}
	var text bytes.Buffer
	for _, o := range objects {
		text.WriteString("---\n")
		if !o.target.mergeable() {
			fmt.Fprintf(&text, "# %s: a strategic merge patch would replace its list of containers.\n# rightsize patch --output-dir DIR writes a JSON patch for it.\n", describe(o.ref))
			continue
		}
		patch, err := o.render(Strategic, j.Basis, false)
		if err != nil {
			return nil, err
		}
		text.Write(bytes.TrimPrefix(patch, []byte(marker)))
	}
	if _, err := w.Write(text.Bytes()); err != nil {
		return nil, fmt.Errorf("writing patches: %w", err)
	}
	return refused, nil
}

// Component is the files of a kustomize component in the folder, which need not be there: a patch for each
// workload, and a kustomization.yaml that names them. Patches of earlier runs stay for what this run leaves
// as it is.
func (j Job) Component(dir string) (Result, error) {
	c, err := openComponent(dir)
	if err != nil {
		return Result{}, err
	}
	if j.Overlay == "" {
		return j.directComponent(c)
	}
	r, err := j.component(c)
	if err != nil {
		return Result{}, err
	}
	objects, files, err := r.resolve(c.files)
	if err != nil {
		return Result{}, err
	}
	result := Result{Patched: len(objects), Refused: r.refusals(), rollback: objects}
	if len(files) > 0 || c.there() {
		result.Files, err = c.changes(files)
	}
	return result, err
}

func (j Job) component(c *component) (*resolver, error) {
	o, err := openOverlay(j.Overlay, j.namespace())
	if err != nil {
		return nil, err
	}
	if o.forbidden, err = realPath(c.dir); err != nil {
		return nil, err
	}
	if o.forbidden == o.folder {
		return nil, fmt.Errorf("%s is the kustomization itself, and a component needs a folder of its own: give another, or --into", c.dir)
	}
	return &resolver{overlay: o, site: componentSite{o, c}, style: style{as: j.Type, basis: j.Basis}, changes: j.Changes, retargets: j.Retargets}, nil
}

func (j Job) namespace() string {
	if j.Namespace == "" {
		return "default"
	}
	return j.Namespace
}

// refusals are the workloads that were to be changed and cannot be.
func (r *resolver) refusals() (lines []string) {
	for _, c := range r.changes {
		line := describe(c.Workload) + " is not patched: " + r.refused[c.Workload]
		if r.refused[c.Workload] != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// Rollback is the files of a component that takes back what the result's patches do: behind the component
// that they are in, or on top of the overlay that they are in, it restores what was there without them.
func (j Job) Rollback(r Result, dir string) (map[string][]byte, error) {
	c, err := openComponent(dir)
	if err != nil {
		return nil, err
	}
	files, err := style{as: j.Type, basis: j.Basis, rollback: true}.write(reversed(r.rollback), c.files)
	if err != nil || len(files) == 0 && !c.there() {
		return nil, err
	}
	return c.changes(files)
}

// intoPrefix begins the names of our patches in somebody else's overlay.
const intoPrefix = "rightsize-"

// Into is the files of patches in the overlay itself, listed at the end of its patches.
func (j Job) Into() (Result, error) {
	o, err := openOverlay(j.Overlay, j.namespace())
	if err != nil {
		return Result{}, err
	}
	there, err := o.ours()
	if err != nil {
		return Result{}, err
	}
	r := &resolver{overlay: o, site: patchesSite{o, there}, style: style{as: j.Type, basis: j.Basis, prefix: intoPrefix}, changes: j.Changes, retargets: j.Retargets}
	objects, files, err := r.resolve(there)
	if err != nil {
		return Result{}, err
	}
	idle, err := r.idle(files, there)
	if err != nil {
		return Result{}, err
	}
	result := Result{Patched: len(objects), Refused: r.refusals()}
	if result.Files, err = o.list(append(files, idle...), there); err != nil {
		return Result{}, err
	}
	result.rollback, err = r.onTop(objects, files)
	return result, err
}

// ours are the patches that the overlay lists and that we wrote, by their paths in the list.
func (o *overlay) ours() (map[string][]byte, error) {
	there := map[string][]byte{}
	listed, _ := o.fields["patches"].([]any)
	for _, item := range listed {
		patch, _ := item.(map[string]any)
		path, _ := patch["path"].(string)
		if !strings.HasPrefix(path, intoPrefix) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(o.folder, path))
		if err != nil {
			return nil, fmt.Errorf("reading a patch of %s: %w", o.given, err)
		}
		if ownedText(text) {
			there[path] = text
		}
	}
	return there, nil
}

// idle are the patches of earlier runs that are to change nothing any more. Their entries in the list stay:
// they are somebody's to remove.
func (r *resolver) idle(files []file, there map[string][]byte) (idle []file, err error) {
	for ref, i := range r.source {
		o := object{ref: ref, target: r.before[i].target}
		if scales(ref.Kind) {
			o.scales = r.aimed(ref, r.before[i]).scales
		}
		one, err := r.style.write([]object{o}, there)
		if err != nil {
			return nil, err
		}
		path := one[0].entry.Path
		if there[path] != nil && !slices.ContainsFunc(files, func(f file) bool { return f.entry.Path == path }) {
			idle = append(idle, one...)
		}
	}
	return idle, nil
}

// list is the changed files of the overlay: ours, and the kustomization where it does not list them yet.
func (o *overlay) list(files []file, there map[string][]byte) (map[string][]byte, error) {
	path := filepath.Join(o.given, filepath.Base(o.file))
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the kustomization: %w", err)
	}
	listed, err := listedPatches(text)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	changed, before := map[string][]byte{}, text
	for _, f := range files {
		at := filepath.Join(o.given, f.entry.Path)
		if _, err := os.Lstat(at); err == nil && there[f.entry.Path] == nil {
			return nil, fmt.Errorf("%s is there, and it is not a patch that rightsize wrote and %s lists: move it away", at, path)
		}
		if !bytes.Equal(there[f.entry.Path], f.text) {
			changed[at] = f.text
		}
		i := slices.IndexFunc(listed, func(e entry) bool { return e.Path == f.entry.Path })
		switch {
		case i >= 0 && listed[i] == f.entry:
		case i >= 0:
			return nil, fmt.Errorf("%s lists %s for another target than %+v: remove the entry and the file, and run again", path, f.entry.Path, f.entry.Target)
		default:
			if text, err = appendEntry(path, text, f.entry); err != nil {
				return nil, err
			}
		}
	}
	if !bytes.Equal(text, before) {
		changed[path] = text
	}
	return changed, nil
}

func listedPatches(text []byte) ([]entry, error) {
	var k struct{ Patches []entry }
	err := yaml.Unmarshal(text, &k)
	return k.Patches, err
}

func appendEntry(path string, text []byte, e entry) ([]byte, error) {
	var item bytes.Buffer
	if err := writeYAML(&item, e); err != nil {
		return nil, fmt.Errorf("listing the patch %s: %w", e.Path, err)
	}
	return splice.AppendItem(path, text, []any{"patches"}, item.String())
}

// onTop are the objects for a component on top of the overlay, which sees their final names.
func (r *resolver) onTop(objects []object, files []file) ([]object, error) {
	fields := r.site.without()
	extra, err := r.site.attach(fields, files)
	if err != nil {
		return nil, err
	}
	patched, err := r.build(fields, extra)
	if err != nil {
		return nil, err
	}
	var final []object
	for i, b := range patched {
		j := slices.IndexFunc(objects, func(o object) bool { return o.ref == b.ref })
		if j < 0 {
			continue
		}
		o := object{ref: b.ref, target: b.target}
		restore := workload.Slots(b.target.kind, r.final[i].object)
		for name, slot := range workload.Slots(b.target.kind, b.object) {
			o.containers = append(o.containers, container{name: name, slot: slot, from: restore[name].Resources, to: slot.Resources, restore: restore[name].Resources})
		}
		slices.SortFunc(o.containers, inOrder)
		o.scales = objects[j].scales
		for _, a := range objects[j].aims {
			from := lookup(r.final[i].object, a.path)
			o.aims = append(o.aims, aim{a.path, a.check, a.is, from, lookup(b.object, a.path), from})
		}
		final = append(final, o.pruned())
	}
	return final, nil
}
