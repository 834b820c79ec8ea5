// Package splice edits YAML text where a node stands, and leaves every other byte as it is: comments, blank
// lines, indents, quotes, line ends. YAML's own printers would lay the whole file out anew.
//
// The text is parsed, the lines of the edited paths are changed, and the result is parsed again and compared,
// node by node, with what was wanted. What is not exactly that is an error, never a text.
package splice

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Refusal is an edit that cannot be made without touching more than it should, and why.
type Refusal struct {
	File string
	Line int // from 1
	Why  string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s:%d: %s", r.File, r.Line, r.Why) }

// refusals are all that stands against a change, in the order of their lines.
type refusals []*Refusal

func (r refusals) Error() string {
	var s []string
	for _, one := range r {
		s = append(s, one.Error())
	}
	return strings.Join(s, "; ")
}

func (r refusals) Unwrap() []error {
	var errs []error
	for _, one := range r {
		errs = append(errs, one)
	}
	return errs
}

// File is a parsed YAML file.
type File struct {
	// Documents are its documents, each with its root as the only Content. They are not to be changed.
	Documents []*yaml.Node

	name    string
	text    []byte             // without the byte order mark
	mark    []byte             // the byte order mark, where there is one
	newline string             // how its first line ends
	lines   []int              // where each line starts
	aliases map[*yaml.Node]int // the line of the first alias of a node that has any
}

// Parse reads YAML. Name is what errors call the file.
func Parse(name string, text []byte) (*File, error) {
	f := &File{name: name, text: text, newline: "\n", lines: []int{0}, aliases: map[*yaml.Node]int{}}
	if rest, ok := bytes.CutPrefix(text, []byte("\ufeff")); ok {
		f.mark, f.text = text[:len(text)-len(rest)], rest
	}
	if !utf8.Valid(f.text) {
		return nil, fmt.Errorf("reading %s: it is not UTF-8", name)
	}
	for i, b := range f.text {
		if b == '\n' {
			f.lines = append(f.lines, i+1)
		}
	}
	if len(f.lines) > 1 && bytes.HasSuffix(f.text[:f.lines[1]], []byte("\r\n")) {
		f.newline = "\r\n"
	}
	return f, f.decode()
}

func (f *File) decode() error {
	decoder := yaml.NewDecoder(bytes.NewReader(f.text))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: not YAML: %s", f.name, strings.TrimPrefix(err.Error(), "yaml: "))
		}
		f.Documents = append(f.Documents, &document)
		f.noteAliases(&document)
	}
}

func (f *File) noteAliases(n *yaml.Node) {
	if n.Kind == yaml.AliasNode && f.aliases[n.Alias] == 0 {
		f.aliases[n.Alias] = n.Line
	}
	for _, child := range n.Content {
		f.noteAliases(child)
	}
}

func (f *File) refuse(line int, format string, args ...any) *Refusal {
	return &Refusal{f.name, line, fmt.Sprintf(format, args...)}
}

// oddBreak is the line of the first line end that YAML 1.1 knows and this package does not, or 0: a carriage
// return alone, U+0085, U+2028 and U+2029. The parser counts lines by them.
func (f *File) oddBreak() int {
	text := bytes.ReplaceAll(f.text, []byte("\r\n"), []byte("\n"))
	at := bytes.IndexAny(text, "\r\u0085\u2028\u2029")
	if at < 0 {
		return 0
	}
	return 1 + bytes.Count(text[:at], []byte("\n"))
}

// offset is where a node starts in the text: its anchor or tag, where it has one. Columns count characters.
func (f *File) offset(n *yaml.Node) int {
	if n.Line > len(f.lines) {
		return len(f.text)
	}
	at := f.lines[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(f.text[at:])
		at += size
	}
	return at
}

// line is the number of the line that the offset is in, from 1.
func (f *File) line(at int) int { return sort.SearchInts(f.lines, at+1) }

func (f *File) lineStart(at int) int { return f.lines[f.line(at)-1] }

// lineEnd is where the line's text ends, before its line end.
func (f *File) lineEnd(at int) int {
	end := f.nextLine(at)
	return at + len(bytes.TrimRight(f.text[at:end], "\r\n"))
}

// nextLine is where the next line starts, or the end of the text.
func (f *File) nextLine(at int) int {
	if n := f.line(at); n < len(f.lines) {
		return f.lines[n]
	}
	return len(f.text)
}
