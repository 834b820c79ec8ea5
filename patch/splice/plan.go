package splice

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// cut replaces text[from:to].
type cut struct {
	from, to int
	text     string
}

// plan collects what has to be changed in the text.
type plan struct {
	*File
	cuts     []cut
	refusals refusals
}

func (p *plan) refused(n *yaml.Node, format string, args ...any) {
	p.refusals = append(p.refusals, p.refuse(n.Line, format, args...))
}

// spliced is the text with the cuts made. Of insertions in one place the innermost comes first.
func (p *plan) spliced() []byte {
	slices.SortStableFunc(p.cuts, func(a, b cut) int { return cmp.Compare(a.from, b.from) })
	var out bytes.Buffer
	at := 0
	for _, c := range p.cuts {
		if c.from > at {
			out.Write(p.text[at:c.from])
		}
		out.WriteString(c.text)
		at = max(at, c.to)
	}
	out.Write(p.text[at:])
	if len(p.text) > 0 && !bytes.HasSuffix(p.text, []byte("\n")) {
		return bytes.TrimSuffix(out.Bytes(), []byte(p.newline)) // as it was
	}
	return out.Bytes()
}

const (
	whyFlow = "the value is in flow style ({...} or [...]): write it as a block, one key a line"
	whyTag  = "the value has a tag (%s): edit it by hand"
)

// document edits a whole document, nil for that of an empty file.
func (p *plan) document(n *yaml.Node, t *tree) {
	if n == nil {
		p.insert(len(p.text), p.block(t, 0))
		return
	}
	root := n.Content[0]
	end, ok := p.end(root, around{})
	switch {
	case implicit(root) && len(p.Documents) == 1:
		p.insert(len(p.text), p.block(t, 0))
	case emptyFlow(root) && root.Column == 1 && p.bare(root) && ok && p.line(end) == root.Line:
		p.cuts = append(p.cuts, cut{p.offset(root), end, strings.Join(p.block(t, 0), p.newline)})
	default:
		if p.inside(root, t) {
			p.refused(root, "nothing would be left of the document")
		}
	}
}

// inside edits what is in a collection, and says whether nothing is left in it.
func (p *plan) inside(n *yaml.Node, t *tree) (emptied bool) {
	switch {
	case p.shared(n):
	case n.Kind == yaml.ScalarNode:
		p.refused(n, "the value is %q: want a mapping to edit in", n.Value)
	case n.Style&yaml.FlowStyle != 0:
		p.refused(n, whyFlow)
	case n.Kind == yaml.SequenceNode:
		p.sequence(n, t)
	default:
		return p.mapping(n, t)
	}
	return false
}

// shared refuses a node that stands in more than one place.
func (p *plan) shared(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		p.refused(n, "the value is an alias (*%s) of what stands in line %d: write it out, or change it there by hand", n.Value, n.Alias.Line)
	case p.aliases[n] > 0:
		p.refused(n, "the value has an anchor (&%s) that line %d refers to, which would change with it: edit it by hand", n.Anchor, p.aliases[n])
	default:
		return false
	}
	return true
}

func (p *plan) sequence(n *yaml.Node, t *tree) {
	for _, key := range t.keys {
		i, ok := key.(int)
		sub := t.children[key]
		switch {
		case !ok:
			p.refused(n, "there is a sequence where key %q is looked for", key)
		case sub.done(child(n, i)):
		case i < 0 || i >= len(n.Content):
			p.refused(n, "there is no item %d, counted from 0", i)
		case sub.remove:
			p.refused(n.Content[i], "an item of a sequence is not deleted: edit it by hand")
		case sub.value != nil:
			p.scalar(n.Content[i], *sub.value)
		case sub.item != nil:
			p.item(n.Content[i], sub)
		case p.inside(n.Content[i], sub):
			p.refused(n.Content[i], "nothing would be left of the item")
		}
	}
}

// mapping edits the entries of a block mapping. If none is left it changes nothing and says so.
func (p *plan) mapping(m *yaml.Node, t *tree) (emptied bool) {
	var removed []int // in m.Content
	missing := &tree{children: t.children}
	for _, key := range t.keys {
		name, ok := key.(string)
		i, sub := index(m, name), t.children[key]
		merge, _ := merged(m, name, map[*yaml.Node]bool{})
		switch {
		case !ok:
			p.refused(m, "there is a mapping where item %v of a sequence is looked for", key)
		case repeats(m, key):
			p.refused(m.Content[i], "the key %s is there twice", name)
		case sub.done(child(m, key)):
		case i < 0 && merge != nil:
			p.refused(merge, "%s comes through a merge key (<<): write it out, or change it by hand", name)
		case i < 0:
			missing.keys = append(missing.keys, key)
		case p.entry(m.Content[i], m.Content[i+1], sub):
			if merge != nil {
				p.refused(merge, "without %s in line %d the one of this merge key (<<) would come to light: edit it by hand", name, m.Content[i].Line)
			}
			removed = append(removed, i)
		}
	}
	if len(missing.keys) == 0 && 2*len(removed) == len(m.Content) {
		return true
	}
	for _, i := range removed {
		p.remove(m.Content[i], m.Content[i+1], around{indent: m.Content[0].Column - 1})
	}
	p.append(m, missing)
	return false
}

// entry edits one entry of a mapping. It says whether the entry is to be removed, which is left to the
// mapping.
func (p *plan) entry(key, value *yaml.Node, t *tree) (removed bool) {
	empty := implicit(value) || value.Kind == yaml.ScalarNode && value.Tag == "!!null" || emptyFlow(value)
	switch {
	case t.remove:
		p.unaliased(value)
		return true
	case t.value != nil:
		p.scalar(value, *t.value)
	case empty && p.aliases[value] == 0:
		p.fill(key, value, t)
	case t.item != nil:
		p.item(value, t)
	case !p.inside(value, t):
	case t.pruned() >= 0:
		p.unaliased(value)
		return true
	default:
		p.empty(key, value)
	}
	return false
}

// unaliased refuses to take away a node that something refers to.
func (p *plan) unaliased(n *yaml.Node) {
	if line := p.aliases[n]; line > 0 {
		p.refused(n, "line %d refers to the anchor (&%s) in what is to be deleted: edit it by hand", line, n.Anchor)
	}
	for _, child := range n.Content {
		p.unaliased(child)
	}
}

// emptyFlow says that the node is {} or [].
func emptyFlow(n *yaml.Node) bool {
	return (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && n.Style&yaml.FlowStyle != 0 && len(n.Content) == 0
}

// bare says that the node has neither anchor nor tag.
func (p *plan) bare(n *yaml.Node) bool { return p.properties(n) == p.offset(n) }
