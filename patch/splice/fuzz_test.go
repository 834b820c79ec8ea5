package splice

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// FuzzApply makes random edits in any YAML: they are refused, or they do what they say and no more.
func FuzzApply(f *testing.F) {
	for _, seed := range []string{
		"a: 1\n", "", "# c\n", "{}\n", "a:\n", "- a: 1\n  b: 2\n-\n- - c: {}\n",
		"c:\n- name: x # n\n  resources:\n    limits: {cpu: 1, memory: 2}\n    requests:\n      cpu: \"1\"\n      # m\n      memory: 64Mi\n\n- name: y\n",
		"a: &a\n  b: 1\nc:\n  <<: *a\n  d: *a\ne: [x, {y: z}]\nf: |+\n  t\n\n  u\n\ng: >-\n   v\n# end\n",
		"a:\r\n  b: 'x'\r\n  c: one\r\n    two # c\r\n---\r\nd:\r\n    e: \"f\\\n     g\"", "\ufeff%YAML 1.1\n---\na: ~\n...\n---\né: {ü: \"ö\"} # x\n",
		"a: {b: 1,\n# c\n c: 2}\nd:\n  - e: !!str 1\n    f: &g 2\n  - h\n", "? a\n: b\n? [c]\n: d\n", "{\n# c\n}", "\ufeff",
	} {
		for n := range uint64(20) {
			f.Add(seed, n)
		}
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		file, err := Parse("a.yaml", []byte(text))
		if err != nil || len(text) > 1<<14 {
			return
		}
		r := &random{rand.New(rand.NewPCG(seed, 0))}
		edits := r.edits(file)
		got, err := Apply("a.yaml", []byte(text), edits)
		if err != nil {
			return
		}
		checkMeaning(t, text, string(got), edits)
		checkLines(t, file, text, string(got), edits)
		again, err := Apply("a.yaml", got, edits)
		if err != nil || string(again) != string(got) {
			t.Errorf("Apply(%q, %v) = %q, then %q, %v, want no change", text, edits, got, again, err)
		}
	})
}

// random makes up edits.
type random struct{ *rand.Rand }

func (r *random) edits(f *File) []Edit {
	var edits []Edit
	prune := r.IntN(4)
	for range 1 + r.IntN(3) {
		e := Edit{Value: r.pick("1", "250m", "true", "a: b", "", "1.5", "- x", "#", "'", "\"", "a\nb", "ü", "null")}
		if r.IntN(3) == 0 {
			e = Edit{Delete: true, Prune: prune}
		}
		if len(f.Documents) > 0 {
			e.Document = r.IntN(len(f.Documents))
			e.Path = r.path(f.Documents[e.Document].Content[0])
		}
		if len(e.Path) == 0 || r.IntN(3) == 0 {
			e.Path = append(e.Path, r.pick("new", "a", "b"))
		}
		if r.IntN(4) == 0 {
			e.Path = append(e.Path, r.pick("cpu", "x y"))
		}
		edits = append(edits, e)
		if e.Delete && prune > 0 {
			break // several of them together prune no more than each of them would
		}
	}
	return edits
}

func (r *random) pick(from ...string) string { return from[r.IntN(len(from))] }

// path leads to a random node that is there.
func (r *random) path(n *yaml.Node) []any {
	var path []any
	for n = resolve(n); len(n.Content) > 0 && (len(path) == 0 || r.IntN(5) > 0) && len(path) < 20; n = resolve(n) {
		if n.Kind == yaml.SequenceNode {
			i := r.IntN(len(n.Content))
			path, n = append(path, i), n.Content[i]
			continue
		}
		i := r.IntN(len(n.Content)/2) * 2
		path, n = append(path, n.Content[i].Value), n.Content[i+1]
	}
	return path
}

// checkMeaning compares what a reader makes of the texts, through aliases and merge keys, with the edits made
// in the values rather than in the nodes.
func checkMeaning(t *testing.T, before, after string, edits []Edit) {
	t.Helper()
	want, err := values(before)
	if err != nil {
		return // keys that repeat, or that no map takes
	}
	got, err := values(after)
	if err != nil {
		t.Fatalf("Apply(%q, %v) = %q: %v", before, edits, after, err)
	}
	if len(want) == 0 && len(got) > 0 {
		want = []any{nil}
	}
	for _, e := range edits {
		if !e.Delete {
			want[e.Document] = setValue(want[e.Document], e.Path, e.Value)
		}
	}
	for _, e := range edits {
		if e.Delete && len(want) > 0 {
			deleteValue(want[e.Document], e.Path, e.Prune)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Apply(%q, %+v) = %q\nwhich is %v\nwant     %v", before, edits, after, got, want)
	}
}

// values are the documents with all scalars but null as strings: how they are quoted is not compared.
func values(text string) ([]any, error) {
	f, err := Parse("", []byte(text))
	if err != nil {
		return nil, err
	}
	var all []any
	for _, document := range f.Documents {
		var v any
		if err := document.Decode(&v); err != nil {
			return nil, err
		}
		if oddKeys(document) {
			return nil, errors.New("keys that are no strings")
		}
		all = append(all, plainValue(v))
	}
	return all, nil
}

func oddKeys(n *yaml.Node) bool {
	for i, child := range n.Content {
		key := n.Kind == yaml.MappingNode && i%2 == 0
		if key && child.ShortTag() != "!!str" && child.ShortTag() != mergeTag || oddKeys(child) {
			return true
		}
	}
	return false
}

func plainValue(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case map[string]any:
		m := map[string]any{}
		for key, value := range v {
			m[key] = plainValue(value)
		}
		return m
	case []any:
		var s []any
		for _, item := range v {
			s = append(s, plainValue(item))
		}
		return s
	default:
		return fmt.Sprint(v)
	}
}

// setValue is v with the value at the path.
func setValue(v any, path []any, value string) any {
	if len(path) == 0 {
		return value
	}
	if i, ok := path[0].(int); ok {
		v.([]any)[i] = setValue(v.([]any)[i], path[1:], value)
		return v
	}
	m, _ := v.(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	key := path[0].(string)
	m[key] = setValue(m[key], path[1:], value)
	return m
}

// deleteValue deletes in v. It says whether v itself has to go, and then how many more above it may.
func deleteValue(v any, path []any, prune int) (gone bool, left int) {
	if len(path) == 0 {
		return true, prune
	}
	switch key := path[0].(type) {
	case int:
		if s, ok := v.([]any); ok && key < len(s) {
			deleteValue(s[key], path[1:], prune)
		}
	case string:
		m, _ := v.(map[string]any)
		value, ok := m[key]
		if !ok {
			return false, 0
		}
		if gone, left = deleteValue(value, path[1:], prune); gone {
			delete(m, key)
			return len(m) == 0 && left > 0, left - 1
		}
	}
	return false, 0
}

// checkLines wants every line of the old text in the new one, in order, but for those of the edited paths.
func checkLines(t *testing.T, f *File, before, after string, edits []Edit) {
	t.Helper()
	edited := map[int]bool{}
	for _, e := range edits {
		if e.Document < len(f.Documents) {
			mark(edited, f, f.Documents[e.Document].Content[0], e)
		}
	}
	left := strings.Split(strings.TrimPrefix(after, "\ufeff"), "\n")
	for i, line := range strings.Split(string(f.text), "\n") {
		if edited[i+1] {
			continue
		}
		at := slices.IndexFunc(left, func(s string) bool { return strings.TrimRight(s, "\r") == strings.TrimRight(line, "\r") })
		if at < 0 {
			t.Fatalf("Apply(%q, %+v) = %q: line %d is gone", before, edits, after, i+1)
		}
		left = left[at+1:]
	}
}

// mark notes the lines that an edit may change: that of the last thing on its path, or all of what it deletes.
func mark(edited map[int]bool, f *File, n *yaml.Node, e Edit) {
	first := n.Line
	edited[first] = true
	for depth, key := range e.Path {
		next := child(n, key)
		if name, ok := key.(string); ok && index(n, name) >= 0 {
			edited[n.Content[index(n, name)].Line] = true
			if e.Delete && depth >= len(e.Path)-1-e.Prune-1 {
				for line := n.Content[index(n, name)].Line; line < after(f, next); line++ {
					edited[line] = true
				}
			}
		}
		if next == nil {
			return
		}
		n = next
	}
	edited[n.Line] = true
}

// after is the line of the first node behind n and what is in it.
func after(f *File, n *yaml.Node) int {
	last := n
	for len(last.Content) > 0 {
		last = last.Content[len(last.Content)-1]
	}
	line := len(f.lines) + 1
	var walk func(*yaml.Node)
	walk = func(m *yaml.Node) {
		if m.Line > last.Line {
			line = min(line, m.Line)
		}
		for _, c := range m.Content {
			walk(c)
		}
	}
	for _, document := range f.Documents {
		walk(document)
	}
	return line
}
