package patch

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// direct is the objects of a job without an overlay, by the names that they are declared with. Qualified ones
// name their namespace where their declaration does.
func (j Job) direct(qualified bool) (objects []object) {
	for _, c := range j.Changes {
		i := slices.IndexFunc(objects, func(o object) bool { return o.ref == c.Workload })
		if i < 0 {
			t := target{apiVersion: c.APIVersion, kind: c.Workload.Kind, name: c.Workload.Name}
			if qualified && !c.Unqualified {
				t.namespace = c.Workload.Namespace
			}
			i, objects = len(objects), append(objects, object{ref: c.Workload, target: t})
		}
		one := container{name: c.Container, slot: c.Slot, from: c.Slot.Resources, restore: c.Slot.Resources}
		one.to = one.from.with(c.Values)
		objects[i].containers = append(objects[i].containers, one)
	}
	return objects
}

// directComponent is the job's files without an overlay. The cluster runs what the patches of earlier runs
// say, or does not yet, so that what they change stays in them until this run changes it.
func (j Job) directComponent(c *component) (result Result, err error) {
	earlier := j.earlier(c)
	several := j.severalNamespaces(earlier)
	objects := j.direct(several)
	var files []file
	refused := map[string]bool{}
	for _, described := range slices.Sorted(maps.Keys(earlier)) {
		before := earlier[described]
		if several && before.entry.Target.Namespace == "" {
			before.entry.Target.Namespace = regexp.QuoteMeta(namespaceOf(described))
		}
		i := slices.IndexFunc(objects, func(o object) bool { return describe(o.ref) == described })
		o, ok := j.declared(described, several)
		if ok {
			o, err = j.after(o, before.text)
		}
		switch {
		case ok && err == nil && i >= 0:
			objects[i] = o
		case ok && err == nil:
			objects = append(objects, o)
		case i >= 0:
			result.Refused = append(result.Refused, fmt.Sprintf("%s is not patched: %s: %v", described, before.entry.Path, err))
			objects[i].containers, refused[described] = nil, true
			fallthrough
		default:
			files = append(files, before)
		}
	}
	objects = slices.DeleteFunc(objects, object.empty)
	written, err := style{as: j.Type, basis: j.Basis, qualified: several}.write(objects, c.files)
	if err != nil {
		return result, err
	}
	files = append(files, written...)
	aims := slices.DeleteFunc(j.aims(several), func(o object) bool { return refused[describe(o.scales)] })
	aims, kept, err := c.keptAims(aims, files)
	if err != nil {
		return result, err
	}
	if written, err = (style{as: j.Type, basis: j.Basis, qualified: several}).write(aims, c.files); err != nil {
		return result, err
	}
	files, objects = append(append(files, written...), kept...), append(objects, aims...)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.entry.Path, b.entry.Path) })
	result.Patched, result.rollback = len(files), objects
	if len(files) > 0 || c.there() {
		result.Files, err = c.changes(files)
	}
	return result, err
}

// earlier are the component's patches of workloads that still stand, by the workload that they are for.
func (j Job) earlier(c *component) map[string]file {
	files := map[string]file{}
	for _, e := range c.entries {
		text := c.files[e.Path]
		if described, ok := workloadOf(text); ok && j.stands(described) {
			files[described] = file{e, text}
		}
	}
	return files
}

// declared is the object of that workload, without containers; ok is false where nobody looked for it.
func (j Job) declared(described string, qualified bool) (o object, ok bool) {
	for _, w := range j.Declared[namespaceOf(described)] {
		if describe(w.Ref) == described {
			o = object{ref: w.Ref, target: target{apiVersion: w.APIVersion, kind: w.Kind, name: w.Name}}
			if qualified && !w.Unqualified {
				o.target.namespace = w.Namespace
			}
			return o, true
		}
	}
	return object{}, false
}

func namespaceOf(described string) string {
	_, namespace, _ := strings.Cut(described, ", namespace ")
	return namespace
}

// stands says that the workload is still declared, as far as that is known: nobody looked at other namespaces.
func (j Job) stands(described string) bool {
	in, looked := j.Declared[namespaceOf(described)]
	return !looked || slices.ContainsFunc(in, func(w workload.Workload) bool { return describe(w.Ref) == described })
}

// severalNamespaces says that targets have to name theirs to be told apart.
func (j Job) severalNamespaces(earlier map[string]file) bool {
	seen := map[string]bool{}
	for _, c := range j.Changes {
		seen[c.Workload.Namespace] = true
	}
	for described := range earlier {
		seen[namespaceOf(described)] = true
	}
	return len(seen) > 1
}

// after is the object with what an earlier patch changes in it, where this run does not change that.
func (j Job) after(o object, text []byte) (object, error) {
	changed, as, err := readPatch(text)
	switch {
	case err != nil:
		return object{}, err
	case as != o.target.as(j.Type):
		return object{}, fmt.Errorf("it is a %s patch: give that --patch-type, or remove the file", as)
	}
	all := object{ref: o.ref, target: o.target}
	for _, w := range j.Declared[o.ref.Namespace] {
		if w.Ref != o.ref {
			continue
		}
		for i, c := range w.Containers[:min(len(w.Slots), len(w.Containers))] {
			live := resources(w.Slots[i].Resources)
			one := container{name: c.ID.Container, slot: w.Slots[i], restore: live}
			steps := live.seen(changed[one.name])
			one.to = live.apply(j.standing(c.ID, live, steps)).changed(j.Changes, o.ref, one.name)
			one.from = live.undo(steps, one.to, as)
			all.containers = append(all.containers, one)
		}
	}
	return all.pruned(), nil
}

// unknown is a quantity that was declared before a patch of ours replaced it.
type unknown struct{}

func (unknown) String() string { return "as before an earlier run" }

// seen are the steps of an earlier patch, with what they would take away from what there is now.
func (r resources) seen(steps []step) []step {
	steps = slices.Clone(steps)
	for i, s := range steps {
		switch {
		case s.key != "":
		case s.side != "":
			steps[i].from = r.side(s.side)
		default:
			steps[i].from = map[string]any(r)
		}
	}
	return steps
}

// inForce says that r is as after the step, rather than before it.
func (s step) inForce(r resources) bool {
	there := len(r) > 0
	switch {
	case s.key != "":
		var value any
		if value, there = r.side(s.side)[s.key]; s.has && s.had {
			return reflect.DeepEqual(value, s.to)
		}
	case s.side != "":
		there = len(r.side(s.side)) > 0
	}
	return there == s.has
}

// standing are the steps of an earlier patch that stay. One that is not in force goes where this run has
// advice: that is for what there is now, and what it does not change is right as it is.
func (j Job) standing(id recommender.ID, live resources, steps []step) (stay []step) {
	for _, s := range steps {
		for _, leaf := range s.leaves() {
			if leaf.inForce(live) || !j.Basis.judges(id, leaf) {
				stay = append(stay, leaf)
			}
		}
	}
	return stay
}

// judges says that the report has advice for what the step changes.
func (b Basis) judges(id recommender.ID, s step) bool {
	for r := range recommender.NumResources {
		if r.String() == s.key && sides(b.advice[id][r])[s.side].IsAdvice() {
			return true
		}
	}
	return false
}

// undo is what there was before an earlier patch, as far as the patch tells. A patch from there to the
// wanted resources changes at least what the earlier one did.
func (r resources) undo(steps []step, to resources, as Type) resources {
	live := r
	r = r.clone()
	for _, s := range steps {
		switch {
		case !s.inForce(live):
		case s.key != "" && (s.had || as == Strategic):
			r = r.set(s.side, s.key, unknown{})
		case s.key != "":
			r = r.unset(s.side, s.key)
		default:
			r = r.undoWhole(s, to, as)
		}
	}
	return r
}

// undoWhole undoes what a patch did to all requests, all limits, or all resources. Where they are to be there
// again a JSON patch adds them, which replaces what is there, and a strategic merge patch names each key.
func (r resources) undoWhole(s step, to resources, as Type) resources {
	names := []string{s.side}
	if s.side == "" {
		names = []string{"requests", "limits"}
	}
	for _, name := range names {
		delete(r, name)
		switch {
		case !s.had && as == JSON6902:
		case len(to.side(name)) == 0:
			r = r.set(name, "", unknown{})
		case as == Strategic:
			for res := range recommender.NumResources {
				r = r.set(name, res.String(), unknown{})
			}
		}
	}
	if len(r) == 0 {
		return nil
	}
	return r
}

// readPatch reads what a patch of ours changes, by container.
func readPatch(text []byte) (map[string][]step, Type, error) {
	var ops []operation
	if err := yaml.Unmarshal(text, &ops); err == nil {
		steps, err := readOperations(ops)
		return steps, JSON6902, err
	}
	var doc map[string]any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, "", err
	}
	kind, _ := doc["kind"].(string)
	steps := map[string][]step{}
	for name, slot := range workload.Slots(kind, doc) {
		steps[name] = readMerge(slot.Resources)
	}
	return steps, Strategic, nil
}

// readMerge reads the resources of a strategic merge patch.
func readMerge(patch map[string]any) (steps []step) {
	if patch == nil {
		return []step{{had: true}}
	}
	for _, side := range []string{"requests", "limits"} {
		value, there := patch[side]
		keys, _ := value.(map[string]any)
		switch {
		case !there:
		case value == nil:
			steps = append(steps, step{side: side, had: true})
		default:
			for key, to := range keys {
				steps = append(steps, step{side: side, key: key, to: to, had: true, has: to != nil})
			}
		}
	}
	return steps
}

var operationPath = regexp.MustCompile(`^(/.*/\d+)/(name|resources)(?:/(requests|limits)(?:/([^/]+))?)?$`)

// readOperations reads a JSON patch of ours: the test of a container's name, then what changes in it.
func readOperations(ops []operation) (map[string][]step, error) {
	steps := map[string][]step{}
	names := map[string]string{} // by the pointer
	for _, op := range ops {
		m := operationPath.FindStringSubmatch(op.Path)
		switch {
		case m == nil && op.Op == "test":
		case m == nil:
			return nil, fmt.Errorf("%s %s is not ours: remove the file", op.Op, op.Path)
		case op.Op == "test":
			names[m[1]], _ = op.Value.(string)
		default:
			name := names[m[1]]
			steps[name] = append(steps[name], step{side: m[3], key: m[4], to: op.Value, has: op.Op != "remove", had: op.Op != "add"})
		}
	}
	return steps, nil
}
