package patch

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// resolver turns changes of what an overlay builds into patches of what it builds that from.
type resolver struct {
	*overlay
	site    site
	style   style
	changes []Change

	retargets []recommender.Retarget

	before  []built              // what our patches find
	present []built              // what those on the disk leave
	source  map[workload.Ref]int // in before, by the name in the cluster
	final   []built              // what the overlay builds without patches of ours
	refused map[workload.Ref]string
}

// resolve is the objects to patch, and their patches, which a build of the overlay has proved. What cannot be
// changed here is in refused.
func (r *resolver) resolve(there map[string][]byte) (objects []object, files []file, err error) {
	r.refused = map[workload.Ref]string{}
	if err := r.builds(); err != nil {
		return nil, nil, err
	}
	for range 2 { // again without what the first proof refuses
		objects = r.objects()
		if files, err = r.style.write(objects, there); err != nil {
			return nil, nil, err
		}
		wrong, err := r.prove(objects, files)
		if err != nil {
			return nil, nil, err
		}
		if len(wrong) == 0 {
			return objects, files, nil
		}
		for _, ref := range wrong {
			r.refused[ref] = "its resources would not come out as wanted: " + r.site.late()
		}
	}
	return nil, nil, fmt.Errorf("patches of %s do not have the effect that they should, on %s", r.given, listRefs(r.refused))
}

func listRefs(refs map[workload.Ref]string) string {
	var names []string
	for ref := range refs {
		names = append(names, describe(ref))
	}
	slices.Sort(names)
	return strings.Join(names, "; ")
}

// builds builds what objects and prove look at.
func (r *resolver) builds() (err error) {
	without := r.site.without()
	if r.before, err = r.build(only(without, r.site.acting()), nil); err != nil {
		return err
	}
	if r.final, err = r.build(without, nil); err != nil {
		return err
	}
	present, err := r.site.present()
	if err != nil {
		return err
	}
	open := *r.overlay
	open.forbidden = ""
	if r.present, err = open.build(only(present, r.site.acting()), nil); err != nil {
		return fmt.Errorf("with the patches that are there: %w", err)
	}
	return r.probe()
}

// probe finds what becomes of each object: patches of the same targets as ours set an annotation on it, which
// is still there when it has its final name. A target that fits two objects shows so.
func (r *resolver) probe() error {
	var probes []file
	for i, b := range r.before {
		if len(workload.Slots(b.target.kind, b.object)) == 0 && !scales(b.target.kind) {
			continue
		}
		text := fmt.Sprintf("apiVersion: %q\nkind: %q\nmetadata:\n  name: %q\n  annotations:\n    %s%d: \"\"\n",
			b.target.apiVersion, b.target.kind, b.target.name, probePrefix, i)
		probes = append(probes, file{entry{fmt.Sprintf("probe-%d.yaml", i), b.target.selector()}, []byte(text)})
	}
	fields := r.site.without()
	files, err := r.site.attach(fields, probes)
	if err != nil {
		return err
	}
	final, err := r.build(fields, files)
	if err != nil {
		return err
	}
	hits := map[int][]workload.Ref{} // what each probe reached
	reached := map[workload.Ref][]int{}
	for _, b := range final {
		for name := range b.annotations() {
			var i int
			if _, err := fmt.Sscanf(name, probePrefix+"%d", &i); err == nil {
				hits[i] = append(hits[i], b.ref)
				reached[b.ref] = append(reached[b.ref], i)
			}
		}
	}
	r.identify(hits, reached)
	return nil
}

const probePrefix = "probe.rightsize.invalid/"

// identify keeps what one probe and no other reached, where that reached nothing else.
func (r *resolver) identify(hits map[int][]workload.Ref, reached map[workload.Ref][]int) {
	r.source = map[workload.Ref]int{}
	for ref, probes := range reached {
		switch i := probes[0]; {
		case len(probes) > 1:
			r.refused[ref] = fmt.Sprintf("%s and %s cannot be told apart by a patch's target", r.named(probes[0]), r.named(probes[1]))
		case len(hits[i]) > 1:
			var names []string
			for _, h := range hits[i] {
				names = append(names, describe(h))
			}
			slices.Sort(names)
			r.refused[ref] = "a patch's target that fits it fits all of " + strings.Join(names, "; ")
		default:
			r.source[ref] = i
		}
	}
}

func (r *resolver) named(i int) string {
	t := r.before[i].target
	name := strings.ToLower(t.kind) + "/" + t.name
	if t.namespace != "" {
		name += ", namespace " + t.namespace
	}
	return name
}

// objects are all that our patches are to change: what this run changes, and what an earlier one did.
func (r *resolver) objects() (objects []object) {
	for _, c := range r.changes {
		if _, ok := r.source[c.Workload]; !ok && r.refused[c.Workload] == "" {
			r.refused[c.Workload] = "it is not among what the patches of " + r.given + " can reach: something else in it makes or renames it"
		}
	}
	r.reachAutoscalers()
	for ref, i := range r.source {
		if scales(ref.Kind) {
			if o := r.aimed(ref, r.before[i]); !o.empty() {
				objects = append(objects, o)
			}
			continue
		}
		if o := r.object(ref, r.before[i]).pruned(); !o.empty() {
			objects = append(objects, o)
		}
	}
	slices.SortFunc(objects, func(a, b object) int { return a.ref.Compare(b.ref) })
	return objects
}

func (r *resolver) object(ref workload.Ref, b built) object {
	o := object{ref: ref, target: b.target}
	kept := map[string]workload.Slot{}
	if i := slices.IndexFunc(r.present, func(p built) bool { return p.target == b.target }); i >= 0 {
		kept = workload.Slots(b.target.kind, r.present[i].object)
	}
	for name, slot := range workload.Slots(b.target.kind, b.object) {
		to := resources(slot.Resources)
		if k, ok := kept[name]; ok {
			to = k.Resources
		}
		if r.refused[ref] == "" {
			to = to.changed(r.changes, ref, name)
		}
		o.containers = append(o.containers, container{name: name, slot: slot, from: slot.Resources, to: to, restore: slot.Resources})
	}
	slices.SortFunc(o.containers, inOrder)
	return o
}

// inOrder is the order of the object, regular containers first.
func inOrder(a, b container) int {
	return cmp.Or(strings.Compare(strings.Join(a.slot.List, "/"), strings.Join(b.slot.List, "/")), cmp.Compare(a.slot.Index, b.slot.Index))
}

// changed is the resources after the changes of that container.
func (r resources) changed(changes []Change, ref workload.Ref, name string) resources {
	for _, c := range changes {
		if c.Workload == ref && c.Container == name {
			r = r.with(c.Values)
		}
	}
	return r
}

// prove builds the overlay with the patches, and is the workloads that are not as without them but for exactly
// what is wanted.
func (r *resolver) prove(objects []object, files []file) (wrong []workload.Ref, err error) {
	fields := r.site.without()
	extra, err := r.site.attach(fields, files)
	if err != nil {
		return nil, err
	}
	got, err := r.build(fields, extra)
	if err != nil {
		return nil, err
	}
	if len(got) != len(r.final) {
		return nil, fmt.Errorf("%s builds %d objects with the patches and %d without", r.given, len(got), len(r.final))
	}
	for i, b := range r.final {
		want := built{b.ref, b.target, runtime.DeepCopyJSON(b.object)}
		if j := slices.IndexFunc(objects, func(o object) bool { return o.ref == b.ref }); j >= 0 {
			want.change(objects[j])
		}
		if !reflect.DeepEqual(want.tidy(), got[i].tidy()) {
			wrong = append(wrong, b.ref)
		}
	}
	return wrong, nil
}

// change makes the object's differences in what is built.
func (b built) change(o object) {
	slots := workload.Slots(b.target.kind, b.object)
	for _, c := range o.containers {
		if slot, ok := slots[c.name]; ok {
			setResources(b.object, slot, resources(slot.Resources).apply(c.from.steps(c.to)))
		}
	}
	for _, a := range o.aims {
		b.aim(a)
	}
}

// tidy is the object without requests, limits or resources that are empty: Kubernetes and kustomize do not
// tell them from none.
func (b built) tidy() map[string]any {
	object := runtime.DeepCopyJSON(b.object)
	for _, slot := range workload.Slots(b.target.kind, object) {
		setResources(object, slot, resources(slot.Resources).tidy())
	}
	return object
}

// setResources gives the container in the slot these resources.
func setResources(object map[string]any, slot workload.Slot, r resources) {
	for _, field := range slot.List[:len(slot.List)-1] {
		object, _ = object[field].(map[string]any)
	}
	list, _ := object[slot.List[len(slot.List)-1]].([]any)
	container, _ := list[slot.Index].(map[string]any)
	if r == nil {
		delete(container, "resources")
		return
	}
	container["resources"] = map[string]any(r)
}
