package splice

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// scalar replaces a scalar where it stands.
func (p *plan) scalar(n *yaml.Node, value string) {
	if p.unlike(n) {
		return
	}
	from := p.properties(n)
	to, ok := p.end(n, around{})
	switch {
	case !ok || p.line(from) != p.line(to):
		p.refused(n, "the value goes over several lines: write it on one")
	case implicit(n):
		p.cuts = append(p.cuts, cut{from, from, " " + written(value, 0)})
	default:
		p.cuts = append(p.cuts, cut{from, to, written(value, p.text[from])})
	}
}

// unlike refuses a node that is not one value, written out on one line.
func (p *plan) unlike(n *yaml.Node) bool {
	switch {
	case p.shared(n):
	case n.Kind != yaml.ScalarNode:
		p.refused(n, "the value is a mapping or a sequence: want a single value")
	case n.Style&yaml.TaggedStyle != 0:
		p.refused(n, whyTag, n.Tag)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		p.refused(n, "the value is a block of text (| or >): write it on one line")
	default:
		return false
	}
	return true
}

// fill writes a block below a key that has null, {} or [] for a value.
func (p *plan) fill(key, value *yaml.Node, t *tree) {
	if value.Style&yaml.TaggedStyle != 0 {
		p.refused(value, whyTag, value.Tag)
		return
	}
	colon, ok := p.colon(key)
	end, ended := p.end(value, around{})
	if !ok || !ended || p.line(colon) != p.line(end) {
		p.refused(value, "the value does not stand behind its key: edit it by hand")
		return
	}
	if from := p.properties(value); colon <= from && from < end {
		blank := len(strings.TrimRight(string(p.text[colon:from]), " \t"))
		p.cuts = append(p.cuts, cut{colon + blank, end, ""})
	}
	indent := key.Column - 1
	if t.item != nil {
		p.insert(p.nextLine(end), itemLines(t, indent+p.sequenceIndent()))
		return
	}
	p.insert(p.nextLine(end), p.block(t, indent+p.step()))
}

// empty leaves {} of a block mapping that nothing is left in.
func (p *plan) empty(key, value *yaml.Node) {
	colon, ok := p.colon(key)
	end, ended := p.end(value, around{indent: key.Column - 1})
	first := p.offset(value.Content[0])
	if !ok || !ended || p.line(colon) == p.line(first) {
		p.refused(value, "nothing would be left of the value")
		return
	}
	if !p.bare(value) {
		colon = p.properties(value)
	}
	p.cuts = append(p.cuts, cut{colon, colon, " {}"}, cut{p.nextLine(colon), p.nextLine(end), ""})
}

// remove takes the lines of an entry away.
func (p *plan) remove(key, value *yaml.Node, in around) {
	from := p.lineStart(p.offset(key))
	end, ok := p.end(value, in)
	switch {
	case strings.TrimSpace(string(p.text[from:p.offset(key)])) != "":
		p.refused(key, "%s stands behind a dash: put another key there to have it deleted", key.Value)
	case !ok:
		p.refused(value, "it cannot be told where the value ends: edit it by hand")
	default:
		p.cuts = append(p.cuts, cut{from, p.nextLine(end), ""})
	}
}

// append writes entries behind the last one of a block mapping.
func (p *plan) append(m *yaml.Node, t *tree) {
	if len(t.keys) == 0 {
		return
	}
	first, last := m.Content[0], m.Content[len(m.Content)-1]
	before := p.text[p.lineStart(p.offset(first)):p.offset(first)]
	end, ok := p.end(last, around{indent: first.Column - 1})
	switch {
	case strings.Trim(string(before), " -") != "" || !ok:
		p.refused(first, "it cannot be told where the mapping ends: edit it by hand")
	default:
		p.insert(p.nextLine(end), p.block(t, first.Column-1))
	}
}

// item appends to a block sequence.
func (p *plan) item(n *yaml.Node, t *tree) {
	end, ok := p.end(n, around{})
	switch {
	case p.shared(n):
	case n.Kind != yaml.SequenceNode:
		p.refused(n, "the value is no sequence")
	case n.Style&yaml.FlowStyle != 0:
		p.refused(n, whyFlow)
	case !p.bare(n) || !ok:
		p.refused(n, "it cannot be told where the sequence ends: edit it by hand")
	default:
		p.insert(p.nextLine(end), itemLines(t, n.Column-1))
	}
}

// insert writes lines at the start of a line, or behind a last line that has no end.
func (p *plan) insert(at int, lines []string) {
	text := strings.Join(lines, p.newline)
	if at > 0 && p.text[at-1] != '\n' {
		text = p.newline + text
	} else {
		text += p.newline
	}
	p.cuts = append(p.cuts, cut{at, at, text})
}

// colon is where the key's colon ends.
func (p *plan) colon(key *yaml.Node) (at int, ok bool) {
	end, ok := p.end(key, around{})
	if !ok {
		return 0, false
	}
	at = p.skip(end, " \t")
	return at + 1, at < len(p.text) && p.text[at] == ':'
}

// block is the lines of the tree's children, so many characters in.
func (p *plan) block(t *tree, indent int) []string {
	var lines []string
	for _, key := range t.keys {
		name, ok := key.(string)
		child := t.children[key]
		if !ok {
			p.refusals = append(p.refusals, p.refuse(len(p.lines), "there is no sequence to have an item %v", key))
			continue
		}
		if !child.adds() {
			continue
		}
		line := strings.Repeat(" ", indent) + writtenKey(name) + ":"
		switch {
		case child.value != nil:
			lines = append(lines, line+" "+written(*child.value, 0))
		case child.item != nil:
			lines = append(append(lines, line), itemLines(child, indent+p.sequenceIndent())...)
		default:
			lines = append(append(lines, line), p.block(child, indent+p.step())...)
		}
	}
	return lines
}

func itemLines(t *tree, indent int) []string {
	var lines []string
	for i, line := range t.itemLines {
		lead := "  "
		if i == 0 {
			lead = "- "
		}
		if line != "" {
			line = strings.Repeat(" ", indent) + lead + line
		}
		lines = append(lines, line)
	}
	return lines
}

// step is by how much the file indents a mapping in a mapping: 2, where it does not tell.
func (p *plan) step() int { return p.indentOf(yaml.MappingNode, 1, 2) }

// sequenceIndent is by how much the file indents a sequence in a mapping: not at all, where it does not tell.
func (p *plan) sequenceIndent() int { return p.indentOf(yaml.SequenceNode, 0, 0) }

func (p *plan) indentOf(kind yaml.Kind, least, otherwise int) int {
	for _, document := range p.Documents {
		if n := p.firstIndent(document, kind); n >= least {
			return n
		}
	}
	return otherwise
}

// firstIndent is by how much the first block collection of the kind is indented against its key, or -1.
func (p *plan) firstIndent(n *yaml.Node, kind yaml.Kind) int {
	for i, child := range n.Content {
		value := n.Kind == yaml.MappingNode && i%2 == 1
		if value && child.Kind == kind && child.Style&yaml.FlowStyle == 0 && len(child.Content) > 0 && p.bare(child) {
			return blockColumn(child) - n.Content[i-1].Column
		}
		if found := p.firstIndent(child, kind); found >= 0 {
			return found
		}
	}
	return -1
}
