package patch

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/workload"
)

// PlanRetargets is the changes with all that autoscalers' new targets need, and these targets: a target was computed
// with all requests that it depends on, so they change together, small changes too, or not at all. Those that no change
// needs are left out.
func PlanRetargets(r report.Report, declared map[string][]workload.Workload, changes []Change) ([]Change, []recommender.Retarget, []string) {
	var needed []recommender.Retarget
	var notes []string
	for _, a := range r.Retargets {
		live := slices.ContainsFunc(changes, func(c Change) bool { return under(c, a) && c.Values[a.Resource].Request.IsAdvice() })
		if !live {
			continue
		}
		all, ok := follow(r, declared, changes, a)
		if !ok {
			notes = append(notes, fmt.Sprintf("%s: the %s requests stay: not all that %s depends on is to be patched", scaled(a), a.Resource, a.Name))
			changes = withoutRequests(changes, a)
			continue
		}
		changes, needed = all, append(needed, a)
	}
	return changes, needed, notes
}

// scaled is the workload of an autoscaler.
func scaled(a recommender.Retarget) workload.Ref {
	return workload.Ref{Namespace: a.Namespace, Kind: a.Kind, Name: a.Workload}
}

// autoscaler is the object that has the target.
func autoscaler(a recommender.Retarget) workload.Ref {
	return workload.Ref{Namespace: a.Namespace, Kind: a.Target.Kind, Name: a.Target.Name}
}

// under says that the change is of a container whose request the new target was computed with.
func under(c Change, a recommender.Retarget) bool {
	return c.Workload == scaled(a) && slices.Contains(a.Containers, c.Container)
}

// follow makes the changes of all the containers' requests; ok is false where one of them is not in the report.
func follow(r report.Report, declared map[string][]workload.Workload, changes []Change, a recommender.Retarget) (all []Change, ok bool) {
	all = slices.Clone(changes)
	for _, name := range a.Containers {
		id := recommender.ID{Namespace: a.Namespace, Kind: a.Kind, Workload: a.Workload, Container: name}
		i := slices.IndexFunc(r.Items, func(item scan.Item) bool {
			return item.ID.Namespace == id.Namespace && item.ID.Kind == id.Kind && item.ID.Workload == id.Workload && item.ID.Container == name
		})
		if i < 0 || !r.View.Shows(a.Resource) {
			return nil, false
		}
		at := slices.IndexFunc(all, func(c Change) bool { return c.Workload == scaled(a) && c.Container == name })
		if at < 0 {
			c, found := declaredAt(r.Items[i].ID, declared)
			if !found {
				return nil, false
			}
			at, all = len(all), append(all, c)
		}
		item := r.Items[i]
		advice, spec := item.Advice[a.Resource].Bounds, item.Spec[a.Resource]
		values := &all[at].Values[a.Resource]
		values.Request = different(a.Resource, advice.Request, spec.Request)
		if inverted(*values, spec) || refused(item, a.Resource, *values) {
			values.Limit = different(a.Resource, advice.Limit, spec.Limit)
		}
	}
	return all, true
}

// withoutRequests leaves the resource of the autoscaler's containers as it is.
func withoutRequests(changes []Change, a recommender.Retarget) []Change {
	changes = slices.Clone(changes)
	for i, c := range changes {
		if under(c, a) {
			changes[i].Values[a.Resource] = recommender.Bounds{}
		}
	}
	return slices.DeleteFunc(changes, Change.none)
}

// aim is one target in an autoscaler.
type aim struct {
	path              string // the JSON pointer to it
	check, is         string // what a patch tests, and what is to be there; empty where nothing is
	from, to, restore any    // numbers, or texts where the kind has texts
}

// aimOf is the target that is to change.
func aimOf(a recommender.Retarget) aim {
	value := func(percent int) any {
		if a.Target.Text {
			return strconv.Itoa(percent)
		}
		return int64(percent)
	}
	return aim{a.Target.Path, a.Target.Check, a.Target.Is, value(a.Percent), value(a.To), value(a.Percent)}
}

// aims are the autoscalers that a job without an overlay changes.
func (j Job) aims(qualified bool) (objects []object) {
	for _, a := range j.Retargets {
		if a.To == a.Percent {
			continue
		}
		i := slices.IndexFunc(objects, func(o object) bool { return o.ref == autoscaler(a) })
		if i < 0 {
			t := target{apiVersion: a.Target.APIVersion, kind: a.Target.Kind, name: a.Target.Name}
			if qualified {
				t.namespace = a.Namespace
			}
			i, objects = len(objects), append(objects, object{ref: autoscaler(a), scales: scaled(a), target: t})
		}
		objects[i].aims = append(objects[i].aims, aimOf(a))
	}
	return objects
}

// aboutAutoscaler begins the comment that says which autoscaler a patch is for, and of which workload.
const aboutAutoscaler = "# Autoscaler: "

// about is the comment that says whose patch it is.
func (o object) about() string {
	if o.scales == (workload.Ref{}) {
		return aboutWorkload + describe(o.ref)
	}
	return aboutAutoscaler + o.ref.String() + " of " + describe(o.scales)
}

// autoscalerOf is what the patch of an autoscaler says that it is for.
func autoscalerOf(text []byte) (name, workload string, ok bool) {
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(strings.TrimRight(line, "\r\n"), aboutAutoscaler); found {
			return strings.Cut(rest, " of ")
		}
	}
	return "", "", false
}

// keptAims are the autoscalers of this run and, where the workload that they scale is still patched, those of earlier
// runs: the requests that they were computed with are still in its patch.
func (c *component) keptAims(objects []object, workloads []file) ([]object, []file, error) {
	var kept []file
	for _, e := range c.entries {
		name, scales, ok := autoscalerOf(c.files[e.Path])
		patched := func(f file) bool { described, is := workloadOf(f.text); return is && described == scales }
		if !ok || !slices.ContainsFunc(workloads, patched) {
			continue
		}
		i := slices.IndexFunc(objects, func(o object) bool { return o.ref.String() == name && describe(o.scales) == scales })
		if i < 0 {
			kept = append(kept, file{e, c.files[e.Path]})
			continue
		}
		earlier, err := readAims(c.files[e.Path])
		if err != nil {
			return nil, nil, fmt.Errorf("reading %s: %w", e.Path, err)
		}
		for _, a := range earlier {
			if !slices.ContainsFunc(objects[i].aims, func(now aim) bool { return now.path == a.path }) {
				objects[i].aims = append(objects[i].aims, a)
			}
		}
	}
	return objects, kept, nil
}

// readAims reads a patch of ours of an autoscaler: what it tests, and what it replaces.
func readAims(text []byte) (aims []aim, err error) {
	var ops []operation
	if err := yaml.Unmarshal(text, &ops); err != nil {
		return nil, err
	}
	var test operation
	for _, op := range ops {
		if op.Op == "test" {
			test = op
			continue
		}
		a := aim{path: op.Path, from: unknown{}, to: op.Value, restore: unknown{}}
		if test.Path != "" {
			a.check, a.is = test.Path, fmt.Sprint(test.Value)
		}
		aims, test = append(aims, a), operation{}
	}
	return aims, nil
}

// operations are the aims as a JSON patch.
func (o object) operations() (ops []operation) {
	for _, a := range o.aims {
		if a.check != "" {
			ops = append(ops, operation{Op: "test", Path: a.check, Value: a.is})
		}
		ops = append(ops, operation{Op: "replace", Path: a.path, Value: a.to})
	}
	return ops
}

// aimed is the autoscaler with the targets that this run changes, and that an earlier one did.
func (r *resolver) aimed(ref workload.Ref, b built) object {
	o := object{ref: ref, target: b.target, scales: workload.Ref{Namespace: ref.Namespace}}
	o.scales.Kind, _ = lookup(b.object, "/spec/scaleTargetRef/kind").(string)
	o.scales.Name, _ = lookup(b.object, "/spec/scaleTargetRef/name").(string)
	if i := slices.IndexFunc(r.present, func(p built) bool { return p.target == b.target }); i >= 0 {
		for _, a := range places(b.object) {
			if to := lookup(r.present[i].object, a.path); to != nil && !reflect.DeepEqual(to, a.from) {
				a.to = to
				o.aims = append(o.aims, a)
			}
		}
	}
	for _, a := range r.retargets {
		if autoscaler(a) != ref || r.refused[scaled(a)] != "" {
			continue
		}
		o.scales = scaled(a)
		now := aimOf(a)
		if from := lookup(b.object, now.path); from != nil {
			now.from, now.restore = from, from
		}
		o.aims = append(slices.DeleteFunc(o.aims, func(before aim) bool { return before.path == now.path }), now)
	}
	return o.pruned()
}

// reachAutoscalers refuses workloads whose autoscaler no patch of this overlay can reach.
func (r *resolver) reachAutoscalers() {
	for _, a := range r.retargets {
		ref := autoscaler(a)
		if _, ok := r.source[ref]; (!ok || r.refused[ref] != "") && r.refused[scaled(a)] == "" {
			r.refused[scaled(a)] = fmt.Sprintf("its autoscaler %s, which is to scale on another share of the new requests, is not among what the patches of %s can reach", ref, r.given)
		}
	}
}

// scales says that objects of the kind have targets.
func scales(kind string) bool { return kind == "HorizontalPodAutoscaler" || kind == "ScaledObject" }

// places are the targets that an autoscaler's object has, as they are.
func places(object map[string]any) (all []aim) {
	add := func(path, check string) {
		if value := lookup(object, path); value != nil {
			is, _ := lookup(object, check).(string)
			all = append(all, aim{path, check, is, value, value, value})
		}
	}
	add("/spec/targetCPUUtilizationPercentage", "")
	metrics, _ := lookup(object, "/spec/metrics").([]any)
	for i := range metrics {
		for _, source := range []string{"resource", "containerResource"} {
			at := fmt.Sprintf("/spec/metrics/%d/%s", i, source)
			add(at+"/target/averageUtilization", at+"/name")
		}
	}
	triggers, _ := lookup(object, "/spec/triggers").([]any)
	for i := range triggers {
		at := fmt.Sprintf("/spec/triggers/%d", i)
		add(at+"/metadata/value", at+"/type")
	}
	return all
}

// lookup is what a JSON pointer without escapes points to, or nil.
func lookup(in any, pointer string) any {
	if pointer == "" {
		return nil
	}
	for field := range strings.SplitSeq(pointer[1:], "/") {
		switch parent := in.(type) {
		case map[string]any:
			in = parent[field]
		case []any:
			i, err := strconv.Atoi(field)
			if err != nil || i < 0 || i >= len(parent) {
				return nil
			}
			in = parent[i]
		default:
			return nil
		}
	}
	return in
}

// aim sets the target in what is built.
func (b built) aim(a aim) {
	i := strings.LastIndex(a.path, "/")
	if parent, ok := lookup(b.object, a.path[:i]).(map[string]any); ok {
		parent[a.path[i+1:]] = a.to
	}
}
