package patch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/workload"
)

// Type is how patches are written.
type Type string

// The types. A strategic merge patch names what it changes; a JSON patch (RFC 6902) counts to it, and tests
// the name there.
const (
	Strategic Type = "strategic"
	JSON6902  Type = "json6902"
)

// ParseType reads a Type; its error lists them.
func ParseType(s string) (Type, error) {
	if t := Type(s); t == Strategic || t == JSON6902 {
		return t, nil
	}
	return "", fmt.Errorf("want %s or %s", Strategic, JSON6902)
}

// Basis is what the changes rest on, for the comments in patches.
type Basis struct {
	window recommender.Window
	policy recommender.Policy
	why    map[recommender.ID][]string // the container's own rules, and the notes of the guards that acted
	advice map[recommender.ID][recommender.NumResources]recommender.Bounds
}

// BasisOf is what the report rests on.
func BasisOf(r report.Report) Basis {
	b := Basis{
		window: r.Window, policy: r.Policy, why: map[recommender.ID][]string{},
		advice: map[recommender.ID][recommender.NumResources]recommender.Bounds{},
	}
	for _, item := range r.Items {
		var all [recommender.NumResources]recommender.Bounds
		for _, res := range r.View.Resources() { // of the others, what an earlier run wrote stays
			advice := item.Advice[res]
			all[res] = advice.Bounds
			if own := item.Policy; own != nil {
				rules := own.Rules[res]
				b.why[item.ID] = append(b.why[item.ID], fmt.Sprintf("%s by the rule %s: request %s, limit %s", res, own.Rule, rules.Request, rules.Limit))
			}
			for _, n := range advice.Notes {
				if isGuard(n.Code) {
					b.why[item.ID] = append(b.why[item.ID], fmt.Sprintf("%s %s: %s", res, n.Code, n.Text))
				}
			}
		}
		b.advice[item.ID] = all
	}
	return b
}

func isGuard(code string) bool {
	return slices.ContainsFunc(recommender.AllGuards(), func(g recommender.Guard) bool { return g.Name == code })
}

// target is an object by the name that it has where the patch is applied.
type target struct {
	apiVersion, kind, name string
	namespace              string // empty where the object does not name one
}

// object is one workload, and what its containers are to be given.
type object struct {
	ref        workload.Ref // in the cluster
	target     target
	containers []container

	// An autoscaler has no containers, but the workload that it scales and what it is to scale on.
	scales workload.Ref
	aims   []aim
}

// container is one of an object.
type container struct {
	name    string
	slot    workload.Slot
	from    resources // what the patch finds
	to      resources // what it leaves
	restore resources // what a rollback leaves
}

// reversed are the objects that take back what these do.
func reversed(objects []object) []object {
	var back []object
	for _, o := range objects {
		o.containers = slices.Clone(o.containers)
		for i, c := range o.containers {
			o.containers[i].from, o.containers[i].to = c.to, c.restore
		}
		o.aims = slices.Clone(o.aims)
		for i, a := range o.aims {
			o.aims[i].from, o.aims[i].to = a.to, a.restore
		}
		back = append(back, o.pruned())
	}
	return slices.DeleteFunc(back, object.empty)
}

// pruned is the object without containers and targets that nothing changes.
func (o object) pruned() object {
	o.containers = slices.DeleteFunc(slices.Clone(o.containers), func(c container) bool { return len(c.from.steps(c.to)) == 0 })
	o.aims = slices.DeleteFunc(slices.Clone(o.aims), func(a aim) bool { return reflect.DeepEqual(a.from, a.to) || a.to == unknown{} })
	return o
}

func (o object) empty() bool { return len(o.containers) == 0 && len(o.aims) == 0 }

// mergeable says that kustomize knows the kind's lists of containers: merged into any other kind, a strategic
// merge patch would replace the whole list.
func (t target) mergeable() bool {
	switch t.apiVersion + "/" + t.kind {
	case "apps/v1/Deployment", "apps/v1/StatefulSet", "apps/v1/DaemonSet", "apps/v1/ReplicaSet", "batch/v1/CronJob", "batch/v1/Job", "v1/Pod":
		return true
	}
	return false
}

// as is the type that the object's patch can have.
func (t target) as(wanted Type) Type {
	if t.mergeable() {
		return wanted
	}
	return JSON6902
}

// data is the patch, for YAML.
func (o object) data(as Type) any {
	if o.target.as(as) == JSON6902 {
		ops := o.operations()
		for _, c := range o.containers {
			ops = append(ops, operations(c.slot.Pointer(), c.name, c.from.steps(c.to))...)
		}
		if o.empty() { // kustomize wants at least one
			ops = append(ops, operation{Op: "test", Path: "/kind", Value: o.target.kind})
		}
		return ops
	}
	metadata := map[string]any{"name": o.target.name}
	if o.target.namespace != "" {
		metadata["namespace"] = o.target.namespace
	}
	doc := map[string]any{"apiVersion": o.target.apiVersion, "kind": o.target.kind, "metadata": metadata}
	for _, c := range o.containers {
		for _, name := range c.slot.Before {
			appendNew(doc, c.slot.List, map[string]any{"name": name})
		}
		appendNew(doc, c.slot.List, map[string]any{"name": c.name, "resources": merge(c.from.steps(c.to))})
	}
	return doc
}

// appendNew appends a container that the list does not have yet to the list at the path, which is made where
// it is not there. Those before a changed one are named with it: kustomize moves what a patch names to the
// front, and init containers run in their order.
func appendNew(doc map[string]any, path []string, container map[string]any) {
	for _, field := range path[:len(path)-1] {
		next, ok := doc[field].(map[string]any)
		if !ok {
			next = map[string]any{}
			doc[field] = next
		}
		doc = next
	}
	last := path[len(path)-1]
	list, _ := doc[last].([]any)
	there := func(item any) bool { return item.(map[string]any)["name"] == container["name"] }
	if !slices.ContainsFunc(list, there) {
		doc[last] = append(list, container)
	}
}

// marker begins every file that is ours to change and to remove.
const marker = "# Written by rightsize patch, which changes this file when it runs again.\n"

// aboutWorkload begins the comment that says whose patch it is.
const aboutWorkload = "# Workload: "

// render is the patch with comments that say why.
func (o object) render(as Type, b Basis, rollback bool) ([]byte, error) {
	var text bytes.Buffer
	text.WriteString(marker)
	text.WriteString(o.about() + "\n")
	if rollback {
		text.WriteString("# Takes back what rightsize changed:\n")
	} else {
		b.write(&text)
	}
	if o.empty() {
		text.WriteString("#\n# Nothing is left to change: the file and its entry in the kustomization can go.\n")
	}
	for _, a := range o.aims {
		fmt.Fprintf(&text, "#\n# %s: %v -> %v\n", a.path, a.from, a.to)
	}
	for _, c := range o.containers {
		fmt.Fprintf(&text, "#\n# Container %s:\n", c.name)
		for _, line := range c.differences() {
			fmt.Fprintf(&text, "#   %s\n", recommender.Printable(line))
		}
		if rollback {
			continue
		}
		id := recommender.ID{Namespace: o.ref.Namespace, Kind: o.ref.Kind, Workload: o.ref.Name, Container: c.name}
		for _, line := range b.why[id] {
			fmt.Fprintf(&text, "#   %s\n", recommender.Printable(line))
		}
	}
	if err := writeYAML(&text, o.data(as)); err != nil {
		return nil, fmt.Errorf("writing the patch of %s: %w", describe(o.ref), err)
	}
	return text.Bytes(), nil
}

// describe names a workload as it is in the cluster.
func describe(ref workload.Ref) string { return ref.String() + ", namespace " + ref.Namespace }

func (b Basis) write(w io.Writer) {
	fmt.Fprintf(w, "# Usage: %s up to %s, a sample every %s\n", recommender.ShortDuration(b.window.Length),
		b.window.Until.UTC().Format("2006-01-02T15:04:05Z"), recommender.ShortDuration(b.window.Step))
	for r := range recommender.NumResources {
		rules := b.policy.Rules[r]
		fmt.Fprintf(w, "# Policy %s, %s: request %s, limit %s\n", b.policy.Name, r, rules.Request, rules.Limit)
	}
}

// differences are the old and new values, each in a line.
func (c container) differences() (lines []string) {
	for r := range recommender.NumResources {
		for _, side := range []string{"requests", "limits"} {
			from, to := c.from.side(side)[r.String()], c.to.side(side)[r.String()]
			if !reflect.DeepEqual(from, to) {
				lines = append(lines, fmt.Sprintf("%s %s: %s -> %s", r, strings.TrimSuffix(side, "s"), orNone(from), orNone(to)))
			}
		}
	}
	return lines
}

func orNone(quantity any) string {
	if quantity == nil {
		return "none"
	}
	return fmt.Sprint(quantity)
}

func writeYAML(w io.Writer, data any) error {
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	return errors.Join(encoder.Encode(data), encoder.Close())
}

// ownedText says that the text is a file of ours.
func ownedText(text []byte) bool { return bytes.HasPrefix(text, []byte(marker)) }

// workloadOf is the workload that a patch of ours says that it is for.
func workloadOf(text []byte) (described string, ok bool) {
	for line := range strings.Lines(string(text)) {
		if described, ok = strings.CutPrefix(strings.TrimRight(line, "\r\n"), aboutWorkload); ok {
			return described, true
		}
	}
	return "", false
}
