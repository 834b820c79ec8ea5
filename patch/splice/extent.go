package splice

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The parser says where nodes start. Where they end is found here. A wrong end is no danger, for the result
// is compared; it only is an edit that is refused.

// around is what a node is in.
type around struct {
	indent int  // of the innermost block collection, in characters
	flow   bool // it is in a flow collection
}

// end is where a node's text ends, without what is behind it on its line; ok is false where it cannot be told.
func (f *File) end(n *yaml.Node, in around) (at int, ok bool) {
	switch {
	case n.Kind == yaml.AliasNode:
		return f.offset(n) + len("*") + len(n.Value), true
	case n.Kind == yaml.ScalarNode:
		return f.scalarEnd(n, in)
	case n.Style&yaml.FlowStyle != 0:
		return f.flowEnd(n, in)
	case len(n.Content) == 0:
		return 0, false
	}
	if n.Kind == yaml.MappingNode || f.properties(n) == f.offset(n) {
		in.indent = blockColumn(n) - 1
	}
	return f.end(n.Content[len(n.Content)-1], in)
}

// blockColumn is where the entries of a block collection start. A mapping's own position is its anchor's.
func blockColumn(n *yaml.Node) int {
	if n.Kind == yaml.MappingNode {
		return n.Content[0].Column
	}
	return n.Column
}

// properties is where the node goes on behind its anchor and tag. It stays at their end if nothing follows
// on the line.
func (f *File) properties(n *yaml.Node) int {
	at := f.offset(n)
	for at < len(f.text) && (f.text[at] == '&' || f.text[at] == '!') {
		end := at
		for end < len(f.text) && !bytes.ContainsRune([]byte(" \t\r\n"), rune(f.text[end])) {
			end++
		}
		next := f.skip(end, " \t")
		if next == f.lineEnd(next) || f.text[next] == '#' {
			return end
		}
		at = next
	}
	return at
}

// skip goes over the characters.
func (f *File) skip(at int, characters string) int {
	for at < len(f.text) && strings.IndexByte(characters, f.text[at]) >= 0 {
		at++
	}
	return at
}

func (f *File) flowEnd(n *yaml.Node, in around) (int, bool) {
	at := f.properties(n)
	if at == len(f.text) {
		return 0, false
	}
	brackets := f.text[at] == '{' || f.text[at] == '['
	if brackets {
		at++
	}
	if len(n.Content) > 0 {
		in.flow = true
		end, ok := f.end(n.Content[len(n.Content)-1], in)
		if !ok || !brackets { // [a: b] holds a mapping without brackets of its own
			return end, ok
		}
		at = end
	}
	for {
		at = f.skip(at, " \t\r\n,:?")
		switch {
		case at == len(f.text):
			return 0, false
		case f.text[at] == '#':
			at = f.nextLine(at)
		default:
			return at + 1, f.text[at] == '}' || f.text[at] == ']'
		}
	}
}

func (f *File) scalarEnd(n *yaml.Node, in around) (int, bool) {
	at := f.properties(n)
	if implicit(n) {
		return at, true
	}
	if at == len(f.text) {
		return 0, false
	}
	switch f.text[at] {
	case '\'':
		return f.singleQuotedEnd(at + 1)
	case '"':
		return f.doubleQuotedEnd(at + 1)
	case '|', '>':
		return f.literalEnd(at, in.indent), true
	default:
		return f.plainEnd(at, n.Value, in.flow)
	}
}

// implicit says that the node is the null that stands for nothing at all, right behind its colon or dash.
func implicit(n *yaml.Node) bool {
	const written = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&written == 0
}

func (f *File) singleQuotedEnd(at int) (int, bool) {
	for ; at < len(f.text); at++ {
		if f.text[at] != '\'' {
			continue
		}
		if at++; at == len(f.text) || f.text[at] != '\'' {
			return at, true
		}
	}
	return 0, false
}

func (f *File) doubleQuotedEnd(at int) (int, bool) {
	for ; at < len(f.text); at++ {
		switch f.text[at] {
		case '\\':
			at++
		case '"':
			return at + 1, true
		}
	}
	return 0, false
}

// plainEnd reads on, folding lines as YAML does, until it has the value.
func (f *File) plainEnd(at int, value string, flow bool) (int, bool) {
	read := ""
	for {
		rest := f.text[at:f.lineEnd(at)]
		part, whole := plainPart(rest, flow)
		if read += part; read == value {
			return at + len(part), true
		}
		if !whole || len(read) >= len(value) {
			return 0, false
		}
		next, breaks := f.nextText(at)
		if breaks == 0 {
			return 0, false
		}
		at = next
		read += fold(breaks)
	}
}

// nextText is where the next line that is not empty has its text, and how many lines on that is; 0 if there
// is none.
func (f *File) nextText(at int) (text, lines int) {
	for f.line(at) < len(f.lines) {
		at = f.nextLine(at)
		lines++
		if text := f.skip(at, " \t"); text < f.lineEnd(at) {
			return text, lines
		}
	}
	return 0, 0
}

// fold is what so many line ends in a plain scalar stand for.
func fold(breaks int) string {
	if breaks == 1 {
		return " "
	}
	return strings.Repeat("\n", breaks-1)
}

// plainPart is what of a line belongs to a plain scalar; whole says that nothing ends the scalar in it.
func plainPart(line []byte, flow bool) (part string, whole bool) {
	end := len(line)
	for i, b := range line {
		next := byte(' ')
		if i+1 < len(line) {
			next = line[i+1]
		}
		comment := b == '#' && i > 0 && (line[i-1] == ' ' || line[i-1] == '\t')
		colon := b == ':' && (next == ' ' || next == '\t' || flow && strings.IndexByte(",[]{}", next) >= 0)
		if comment || colon || flow && strings.IndexByte(",[]{}", b) >= 0 {
			end = i
			break
		}
	}
	return string(bytes.TrimRight(line[:end], " \t")), end == len(line)
}

// literalEnd is the end of a literal or folded scalar whose header is at at. Empty lines behind it are its
// own only if the header keeps them ("|+").
func (f *File) literalEnd(at, parent int) int {
	end := f.lineEnd(at)
	header, _, _ := strings.Cut(string(f.text[at:end]), "#")
	keep, indent := strings.Contains(header, "+"), 0
	if digit := strings.IndexAny(header, "123456789"); digit >= 0 {
		indent = max(parent, 0) + int(header[digit]-'0')
	}
	for next := f.nextLine(at); next < len(f.text); next = f.nextLine(next) {
		spaces, eol := f.skip(next, " ")-next, f.lineEnd(next)
		empty := next+spaces == eol
		switch {
		case empty && (indent == 0 || spaces <= indent):
			if keep {
				end = eol
			}
			continue
		case indent == 0 && !empty:
			indent = max(spaces, parent+1, 1)
		}
		if spaces < indent {
			return end
		}
		end = eol
	}
	return end
}
