package splice

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Edit sets or deletes one scalar.
type Edit struct {
	Document int   // from 0
	Path     []any // keys (string) and indexes of items (int)

	// Value is what to set: a string that is quoted where YAML would take it for something else, or for a
	// number in an unusual notation. Mappings that lack on the way to it are added.
	Value string

	// Delete takes the key away instead. Prune is how many of the mappings above it go with it when
	// nothing is left in them; the next one then stays as {}.
	Delete bool
	Prune  int
}

// Apply makes all edits, or returns an error, which is made of *Refusal where an edit is possible only by
// hand. What already is as wanted is not touched.
func Apply(name string, text []byte, edits []Edit) ([]byte, error) {
	f, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	return f.Apply(edits)
}

// Apply is the package's Apply for a file that is parsed.
func (f *File) Apply(edits []Edit) ([]byte, error) {
	trees := map[int]*tree{}
	for _, e := range edits {
		if trees[e.Document] == nil {
			trees[e.Document] = &tree{}
		}
		t, err := trees[e.Document].grow(e.Path)
		if err == nil {
			err = t.set(e)
		}
		if err != nil {
			return nil, fmt.Errorf("editing %s: %s: %w", f.name, PathString(e.Path), err)
		}
	}
	return f.apply(trees)
}

// AppendItem adds an item, in YAML of one or more lines, to the block sequence at path in the file's first
// document. A sequence that is not there is added as the last key of its mapping. An item that the sequence
// has is not added again.
func AppendItem(name string, text []byte, path []any, item string) ([]byte, error) {
	f, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	parsed, err := Parse("the item", []byte(item))
	if err != nil {
		return nil, err
	}
	if len(parsed.Documents) != 1 {
		return nil, fmt.Errorf("editing %s: %q is not one item", name, item)
	}
	root := &tree{}
	t, err := root.grow(path)
	if err != nil {
		return nil, fmt.Errorf("editing %s: %w", name, err)
	}
	t.item = parsed.Documents[0].Content[0]
	t.itemLines = strings.Split(strings.TrimRight(strings.ReplaceAll(item, "\r\n", "\n"), "\n"), "\n")
	return f.apply(map[int]*tree{0: root})
}

// tree is the edits of a document, ordered by their paths.
type tree struct {
	keys     []any // in the order of the edits
	children map[any]*tree

	// At most one of these, and only where there are no children.
	value  *string
	remove bool
	item   *yaml.Node // to append

	prune     int // of remove
	itemLines []string
}

// grow is the tree at the path, made where it is not there.
func (t *tree) grow(path []any) (*tree, error) {
	if len(path) == 0 {
		return nil, errors.New("the path is empty")
	}
	for _, key := range path {
		switch k := key.(type) {
		case string, int:
		default:
			return nil, fmt.Errorf("%v (%T) in the path is no key and no index", k, k)
		}
		if t.leaf() {
			return nil, errConflict
		}
		if t.children[key] == nil {
			if t.children == nil {
				t.children = map[any]*tree{}
			}
			t.keys, t.children[key] = append(t.keys, key), &tree{}
		}
		t = t.children[key]
	}
	return t, nil
}

var errConflict = errors.New("two edits contradict each other")

func (t *tree) leaf() bool { return t.value != nil || t.remove || t.item != nil }

func (t *tree) set(e Edit) error {
	same := t.value != nil && !e.Delete && *t.value == e.Value || t.remove && e.Delete && t.prune == e.Prune
	if len(t.keys) > 0 || t.leaf() && !same {
		return errConflict
	}
	if t.remove, t.prune = e.Delete, e.Prune; !e.Delete {
		t.value = &e.Value
	}
	return nil
}

// adds says that something is to be there, rather than only gone.
func (t *tree) adds() bool {
	if t.value != nil || t.item != nil {
		return true
	}
	for _, child := range t.children {
		if child.adds() {
			return true
		}
	}
	return false
}

// pruned is how many more mappings go when what is above the tree is empty; below 0 the tree itself stays.
func (t *tree) pruned() int {
	if t.leaf() {
		return t.prune
	}
	least := t.children[t.keys[0]].pruned()
	for _, child := range t.children {
		least = min(least, child.pruned())
	}
	return least - 1
}

// done says that the node already is what the tree wants. A nil node is one that is not there.
func (t *tree) done(n *yaml.Node) bool {
	n = resolve(n)
	switch {
	case n == nil:
		return !t.adds()
	case t.remove:
		return false
	case t.value != nil:
		return n.Kind == yaml.ScalarNode && n.Value == *t.value && slices.Contains([]string{"!!str", "!!int", "!!float"}, n.ShortTag())
	case t.item != nil:
		return n.Kind == yaml.SequenceNode && has(n, t.item)
	}
	for _, key := range t.keys {
		if repeats(n, key) || !t.children[key].done(child(n, key)) {
			return false
		}
	}
	return true
}

func has(sequence, item *yaml.Node) bool {
	for _, one := range sequence.Content {
		if equal(one, item) {
			return true
		}
	}
	return false
}

// PathString is a path for people, as --map takes it: .spec.containers[0]."a.b".
func PathString(path []any) string {
	var s strings.Builder
	for _, key := range path {
		switch k := key.(type) {
		case string:
			if k == "" || strings.ContainsAny(k, ".[]\"= \t") {
				k = strconv.Quote(k)
			}
			s.WriteString("." + k)
		default:
			fmt.Fprintf(&s, "[%v]", k)
		}
	}
	return s.String()
}
