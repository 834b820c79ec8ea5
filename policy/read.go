package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rightsize/rightsize/recommender"
)

// Invalid is a file that cannot be carried out, with all that is wrong with it: "rightsize.yaml:7: rules[0].memory:
// unknown key limits: want request, limit, floor, ceiling".
type Invalid struct{ Problems []string }

// Error is the first problem, and how many more there are.
func (e *Invalid) Error() string {
	if n := len(e.Problems) - 1; n > 0 {
		return fmt.Sprintf("%s (and %d more: rightsize config check lists them)", e.Problems[0], n)
	}
	return e.Problems[0]
}

// maxFile is how long a file may be, in bytes.
const maxFile = 1 << 20

// Parse reads a file, which messages call by this name. The error is an *Invalid.
func Parse(name string, text []byte) (*File, error) {
	r := &reader{name: name}
	root := r.document(text)
	if root == nil {
		return nil, &Invalid{r.problems}
	}
	var f File
	readObject(r, &f, fileFields(), root, "")
	r.checkRules(&f, root)
	if len(r.problems) > 0 {
		return nil, &Invalid{r.problems}
	}
	return &f, nil
}

// reader collects what is wrong, so that somebody who mends a file sees all of it.
type reader struct {
	name     string
	problems []string
}

// wrong notes a problem of what is at a node; at is its place in the file, empty for the file itself.
func (r *reader) wrong(n *yaml.Node, at, format string, args ...any) {
	if at != "" {
		at += ": "
	}
	r.problems = append(r.problems, fmt.Sprintf("%s:%d: %s%s", r.name, n.Line, at, fmt.Sprintf(format, args...)))
}

// document is the file's one document; nil, with a problem, where there is none.
func (r *reader) document(text []byte) *yaml.Node {
	if len(text) > maxFile {
		r.problems = append(r.problems, fmt.Sprintf("%s: has %d bytes, and at most %d are read", r.name, len(text), maxFile))
		return nil
	}
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && (len(doc.Content) == 0 || doc.Content[0].Tag == "!!null"):
		r.problems = append(r.problems, r.name+": is empty: it begins with version: "+version)
		return nil
	case err != nil:
		r.syntax(err)
		return nil
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		r.wrong(&more, "", "there is a second document: want one")
		return nil
	case !errors.Is(err, io.EOF):
		r.syntax(err)
		return nil
	}
	return doc.Content[0]
}

// syntax notes what is no YAML, with the line first, as all other problems have it.
func (r *reader) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if line, rest, ok := strings.Cut(strings.TrimPrefix(text, "line "), ": "); ok && strings.HasPrefix(text, "line ") {
		text = line + ": " + rest
	} else {
		text = " " + text
	}
	r.problems = append(r.problems, r.name+":"+text)
}

// followed is what an alias stands for.
func followed(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// readObject reads an object by the table of its fields, and says whether it is one.
func readObject[T any](r *reader, into *T, fields []field[T], n *yaml.Node, at string) bool {
	n = followed(n)
	known := names(fields, func(f field[T]) string { return f.name })
	if n.Kind != yaml.MappingNode {
		r.wrong(n, at, "want an object with %s", strings.Join(known, ", "))
		return false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := followed(n.Content[i]), n.Content[i+1]
		at := strings.TrimPrefix(at+"."+key.Value, ".")
		which := slices.Index(known, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || which < 0:
			r.wrong(n.Content[i], strings.TrimSuffix(strings.TrimSuffix(at, key.Value), "."), "unknown key %s: want %s", key.Value, strings.Join(known, ", "))
		case seen[key.Value]:
			r.wrong(n.Content[i], at, "is there twice")
		default:
			fields[which].read(r, into, value, at)
		}
		seen[key.Value] = true
	}
	for _, f := range fields {
		if f.required && !seen[f.name] {
			r.wrong(n, at, "%s is missing", f.name)
		}
	}
	return true
}

// list is what is in a list.
func (r *reader) list(n *yaml.Node, at string) []*yaml.Node {
	n = followed(n)
	if n.Kind != yaml.SequenceNode {
		r.wrong(n, at, "want a list")
		return nil
	}
	return n.Content
}

// scalar is the text of anything but an object, a list and nothing at all.
func (r *reader) scalar(n *yaml.Node, at, want string) (string, bool) {
	n = followed(n)
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.wrong(n, at, "%s", want)
		return "", false
	}
	return n.Value, true
}

// maxText is how long a name or a reason may be, in bytes.
const maxText = 200

// text is something for people to read, on one line. A number is a name too; true is no reason.
func (r *reader) text(n *yaml.Node, at, want string) string {
	s, ok := r.scalar(n, at, want)
	if !ok {
		return ""
	}
	s = strings.Join(strings.Fields(s), " ")
	switch {
	case s == "" || followed(n).Tag == "!!bool":
		r.wrong(n, at, "%s", want)
	case recommender.Printable(s) != s:
		r.wrong(n, at, "has characters that cannot be shown")
	case len(s) > maxText:
		r.wrong(n, at, "has %d bytes, and at most %d are taken", len(s), maxText)
	}
	return s
}

// readScalar parses a text, and is the zero value where that fails.
func readScalar[T any](r *reader, n *yaml.Node, at string, parse func(string) (T, error)) (zero T) {
	s, ok := r.scalar(n, at, "want a text")
	if !ok {
		return zero
	}
	v, err := parse(s)
	if err != nil {
		r.wrong(n, at, "invalid %q: %v", s, err)
		return zero
	}
	return v
}

func readPointer[T any](r *reader, n *yaml.Node, at string, parse func(string) (T, error)) *T {
	before := len(r.problems)
	v := readScalar(r, n, at, parse)
	if len(r.problems) > before {
		return nil
	}
	return &v
}

// checkRules looks at what rules are to each other, and whether each can be carried out.
func (r *reader) checkRules(f *File, root *yaml.Node) {
	if len(r.problems) > 0 {
		return // what follows from these would be noise
	}
	if p, err := f.Policy(nil); err == nil {
		if err := p.Validate(); err != nil {
			r.wrong(root, "defaults", "%v", err)
			return
		}
	}
	for i := range f.Rules {
		rule := &f.Rules[i]
		at, node := fmt.Sprintf("rules[%d]", i), &yaml.Node{Line: rule.line}
		for j := range f.Rules[:i] {
			if f.Rules[j].Name == rule.Name {
				r.wrong(node, at, "the name %s is taken by rules[%d]", rule.Name, j)
			} else if f.Rules[j].Match.covers(rule.Match) {
				r.wrong(node, at, "%s never holds: %s above it matches all that it does", rule.Name, f.Rules[j].Name)
			}
		}
		if rule.Exempt != "" && !rule.empty() {
			r.wrong(node, at, "%s is exempt, so its other settings would have no effect: leave one or the other out", rule.Name)
		}
		if rule.Exempt == "" && rule.empty() {
			r.wrong(node, at, "%s changes nothing: want exempt, or some settings", rule.Name)
		}
		if p, err := f.Policy(rule); err == nil {
			if err := p.Validate(); err != nil {
				r.wrong(node, at, "%v", err)
			}
		}
	}
}

func (s Settings) empty() bool { return s == Settings{} }
