package patch

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/rightsize/rightsize/recommender"
)

// resources are a container's resources as they are declared, in JSON's types; nil where it has none.
type resources map[string]any

// sides are the keys under which the request and the limit of a Bounds are.
func sides(b recommender.Bounds) map[string]recommender.Value {
	return map[string]recommender.Value{"requests": b.Request, "limits": b.Limit}
}

func (r resources) clone() resources {
	if r == nil {
		return nil
	}
	return runtime.DeepCopyJSON(r)
}

// side is the requests or the limits; nil where there are none.
func (r resources) side(name string) map[string]any {
	side, _ := r[name].(map[string]any)
	return side
}

// with is the resources once the values are set. Requests, limits and the whole mapping go with the last of
// what is in them.
func (r resources) with(values [recommender.NumResources]recommender.Bounds) resources {
	r = r.clone()
	for res := range recommender.NumResources {
		for side, v := range sides(values[res]) {
			if amount, ok := v.Amount(); ok {
				r = r.set(side, res.String(), res.Quantity(amount))
			} else if v.IsUnset() {
				r = r.unset(side, res.String())
			}
		}
	}
	return r
}

func (r resources) set(side, key string, value any) resources {
	if r == nil {
		r = resources{}
	}
	if r.side(side) == nil {
		r[side] = map[string]any{}
	}
	r.side(side)[key] = value
	return r
}

func (r resources) unset(side, key string) resources {
	if _, ok := r.side(side)[key]; !ok {
		return r
	}
	delete(r.side(side), key)
	if len(r.side(side)) == 0 {
		delete(r, side)
	}
	if len(r) == 0 {
		return nil
	}
	return r
}

// step is one difference between two resources: the requests or limits, or one of their keys, or, without
// both, all resources.
type step struct {
	side, key string
	from, to  any
	had, has  bool
}

// steps lead from r to other. Something that is empty counts as not being there, so that a JSON patch may add
// it whichever it is. Claims are not touched.
func (r resources) steps(other resources) []step {
	if len(r) == 0 && len(other) == 0 {
		return nil
	}
	if len(r) == 0 || other == nil {
		return []step{{from: map[string]any(r), to: map[string]any(other), had: len(r) > 0, has: len(other) > 0}}
	}
	var steps []step
	for _, name := range []string{"requests", "limits"} {
		from, to := r.side(name), other.side(name)
		switch {
		case len(from) == 0 && len(to) == 0:
		case len(from) == 0 || to == nil:
			steps = append(steps, step{side: name, from: from, to: to, had: len(from) > 0, has: len(to) > 0})
		default:
			steps = append(steps, keySteps(name, from, to)...)
		}
	}
	return steps
}

func keySteps(side string, from, to map[string]any) (steps []step) {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(from)), maps.Keys(to))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		before, had := from[key]
		after, has := to[key]
		if had != has || !reflect.DeepEqual(before, after) {
			steps = append(steps, step{side: side, key: key, from: before, to: after, had: had, has: has})
		}
	}
	return steps
}

// merge is the steps as a strategic merge patch of resources: null takes something away.
func merge(steps []step) any {
	patch := map[string]any{}
	for _, s := range steps {
		switch {
		case s.side == "":
			return s.value()
		case s.key == "":
			patch[s.side] = s.value()
		default:
			side, ok := patch[s.side].(map[string]any)
			if !ok {
				side = map[string]any{}
				patch[s.side] = side
			}
			side[s.key] = s.value()
		}
	}
	return patch
}

// value is what comes instead, nil for nothing.
func (s step) value() any {
	if !s.has {
		return nil
	}
	return s.to
}

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `yaml:"op" json:"op"`
	Path  string `yaml:"path" json:"path"`
	Value any    `yaml:"value,omitempty" json:"value,omitempty"`
}

// operations are the steps as a JSON patch; pointer is the container's. Its name is tested first: in a list
// that has changed since, the operations after it would hit another container.
func operations(pointer, name string, steps []step) []operation {
	ops := []operation{{Op: "test", Path: pointer + "/name", Value: name}}
	for _, s := range steps {
		op := operation{Op: "replace", Path: pointer + "/resources", Value: s.value()}
		for _, field := range []string{s.side, s.key} {
			if field != "" {
				op.Path += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(field)
			}
		}
		switch {
		case !s.has:
			op.Op = "remove"
		case !s.had:
			op.Op = "add"
		}
		ops = append(ops, op)
	}
	return ops
}

// apply is the resources after the steps, as far as they have what is taken away.
func (r resources) apply(steps []step) resources {
	r = r.clone()
	for _, s := range steps {
		for _, leaf := range s.leaves() {
			if leaf.has {
				r = r.set(leaf.side, leaf.key, leaf.to)
			} else {
				r = r.unset(leaf.side, leaf.key)
			}
		}
	}
	return r
}

// leaves are the step's differences one by one.
func (s step) leaves() (leaves []step) {
	switch {
	case s.key != "":
		return []step{s}
	case s.side != "":
		from, _ := s.from.(map[string]any)
		to, _ := s.to.(map[string]any)
		return keySteps(s.side, from, to)
	}
	for _, side := range []string{"requests", "limits"} {
		from, _ := s.from.(map[string]any)
		to, _ := s.to.(map[string]any)
		leaves = append(leaves, keySteps(side, resources(from).side(side), resources(to).side(side))...)
	}
	return leaves
}

// tidy is the resources without what is empty; nil for none.
func (r resources) tidy() resources {
	r = r.clone()
	for name, value := range r {
		if side, ok := value.(map[string]any); value == nil || ok && len(side) == 0 {
			delete(r, name)
		}
	}
	if len(r) == 0 {
		return nil
	}
	return r
}
