package splice

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// apply makes the edits of each document.
func (f *File) apply(trees map[int]*tree) ([]byte, error) {
	p := &plan{File: f}
	if line := f.oddBreak(); line > 0 && !f.done(trees) {
		return nil, f.refuse(line, "the line ends in a character that only YAML 1.1 takes for a line end (a carriage return alone, U+0085, U+2028, U+2029): escape it")
	}
	wanted := slices.Clone(f.Documents)
	if len(wanted) == 0 {
		wanted = []*yaml.Node{nil}
	}
	for i := range wanted {
		t := trees[i]
		delete(trees, i)
		if t == nil || t.done(wanted[i]) {
			continue
		}
		p.document(wanted[i], t)
		wanted[i] = wantDocument(wanted[i], t)
	}
	for i := range trees {
		return nil, fmt.Errorf("editing %s: there is no document %d in it, counted from 0", f.name, i)
	}
	return p.result(wanted)
}

// done says that there is nothing to edit.
func (f *File) done(trees map[int]*tree) bool {
	for i, document := range f.Documents {
		if trees[i] != nil && !trees[i].done(document) {
			return false
		}
	}
	return true
}

func (p *plan) result(wanted []*yaml.Node) ([]byte, error) {
	switch {
	case len(p.refusals) > 0:
		return nil, p.refusals
	case len(p.cuts) == 0:
		return slices.Concat(p.mark, p.text), nil
	}
	text := slices.Concat(p.mark, p.spliced())
	after, err := Parse(p.name, text)
	if err != nil || !slices.EqualFunc(after.Documents, wanted, equal) {
		return nil, p.refuse(p.line(p.cuts[0].from), "what is written there cannot be changed without changing something else: edit it by hand")
	}
	return text, nil
}

func wantDocument(n *yaml.Node, t *tree) *yaml.Node {
	document := &yaml.Node{Kind: yaml.DocumentNode}
	if n != nil {
		n = n.Content[0]
	}
	root, _ := want(n, t)
	document.Content = []*yaml.Node{root}
	return document
}

// want is the node as the edits would have it; removed says that it should be gone. The node itself is not
// changed.
func want(n *yaml.Node, t *tree) (wanted *yaml.Node, removed bool) {
	switch {
	case t.remove:
		return nil, true
	case t.done(n):
		return n, n == nil
	}
	w := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if n != nil {
		w.Anchor = n.Anchor
	}
	switch {
	case t.value != nil:
		w.Kind, w.Tag, w.Value = yaml.ScalarNode, writtenTag(*t.value, n), *t.value
		return w, false
	case t.item != nil:
		w.Kind, w.Tag = yaml.SequenceNode, "!!seq"
	}
	if n != nil && n.Kind != yaml.ScalarNode {
		w.Kind, w.Tag, w.Content = n.Kind, n.Tag, slices.Clone(n.Content)
	}
	if t.item != nil {
		w.Content = append(w.Content, t.item)
		return w, false
	}
	for _, key := range t.keys {
		wantChild(w, key, t.children[key])
	}
	return w, len(w.Content) == 0 && t.pruned() >= 0
}

// wantChild edits one entry of a mapping or one item of a sequence.
func wantChild(w *yaml.Node, key any, t *tree) {
	i, isIndex := key.(int)
	name, _ := key.(string)
	if !isIndex {
		i = index(w, name) + 1
	}
	switch {
	case t.done(child(w, key)): // also through a merge key
	case isIndex && (i < 0 || i >= len(w.Content)): // refused
	case isIndex:
		w.Content[i], _ = want(w.Content[i], t)
	case i > 0:
		value, removed := want(w.Content[i], t)
		if w.Content[i] = value; removed {
			w.Content = slices.Delete(w.Content, i-1, i+1)
		}
	case t.adds():
		value, _ := want(nil, t)
		w.Content = append(w.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, value)
	}
}

// equal says that two nodes mean the same and are spelled the same but for style, comments and position. An
// alias is equal to one of the same name, no matter what that stands for.
func equal(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.Value == b.Value && a.Anchor == b.Anchor &&
		a.ShortTag() == b.ShortTag() && slices.EqualFunc(a.Content, b.Content, equal)
}
