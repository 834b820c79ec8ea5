package splice

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func set(value string, path ...any) Edit { return Edit{Path: path, Value: value} }

func unset(prune int, path ...any) Edit { return Edit{Path: path, Delete: true, Prune: prune} }

func lines(s ...string) string { return strings.Join(s, "\n") + "\n" }

func TestApply(t *testing.T) {
	for _, test := range []struct {
		name     string
		in, want string
		edits    []Edit
	}{
		{"plain", "a: 1 # one\nb: 2\n", "a: 250m # one\nb: 2\n", []Edit{set("250m", "a")}},
		{"single quotes", "a:   '1'  # one\n", "a:   'it''s'  # one\n", []Edit{set("it's", "a")}},
		{"double quotes", "a: \"1 \\\" # no\" # one\n", "a: \"2\\\"\" # one\n", []Edit{set(`2"`, "a")}},
		{"a hash in plain text", "a: x#y # c\n", "a: z # c\n", []Edit{set("z", "a")}},
		{"a key in quotes", "\"a b\": 1\n'c': 2\n", "\"a b\": 3\n'c': 4\n", []Edit{set("3", "a b"), set("4", "c")}},
		{"characters, not bytes", "ключ: {}\nb: \"é\"\né: ü\n", "ключ: {}\nb: \"x\"\né: y\n", []Edit{set("x", "b"), set("y", "é")}},
		{"no value yet", "a:\nb:   # none\nc: &x\n", "a: 1\nb: 2   # none\nc: &x 3\n", []Edit{set("1", "a"), set("2", "b"), set("3", "c")}},
		{"null and tilde", "a: null # c\nb: ~\n", "a: 1 # c\nb: 2\n", []Edit{set("1", "a"), set("2", "b")}},
		{"an anchor that nothing refers to", "a: &x 1\n", "a: &x 2\n", []Edit{set("2", "a")}},
		{"the value below its key", "a:\n  1 # c\nb: 1\n", "a:\n  2 # c\nb: 1\n", []Edit{set("2", "a")}},
		{"behind a tab", "a:\t1\t# c\n", "a:\t2\t# c\n", []Edit{set("2", "a")}},
		{
			"needs quotes", "a: x\nb: x\nc: x\nd: x\n", "a: \"true\"\nb: 'a: b'\nc: \"1_000\"\nd: \"\"\n",
			[]Edit{set("true", "a"), set("a: b", "b"), set("1_000", "c"), set("", "d")},
		},
		{"an item of a sequence", "a:\n- x\n- y # c\n-\n", "a:\n- x\n- z # c\n- w\n", []Edit{set("z", "a", 1), set("w", "a", 2)}},
		{"CRLF", "a:\r\n  b: 1\r\nc: 2\r\n", "a:\r\n  b: 5\r\n  d: 6\r\nc: 2\r\n", []Edit{set("5", "a", "b"), set("6", "a", "d")}},
		{"no final line end", "a:\n  b: 1", "a:\n  b: 1\n  c: 2\nd:\n  e: 3", []Edit{set("2", "a", "c"), set("3", "d", "e")}},
		{"a byte order mark", "\ufeffa: 1\nb: 2\n", "\ufeffa: 3\nb: 2\n", []Edit{set("3", "a")}},
		{"an empty file", "", "a:\n  b: 1\n", []Edit{set("1", "a", "b")}},
		{"nothing but comments", "# values", "# values\na:\n  b: 1", []Edit{set("1", "a", "b")}},
		{"an empty document", "---\n# values\n", "---\n# values\na: 1\n", []Edit{set("1", "a")}},
		{"{} and no more", "# values\n{} # none\n", "# values\na:\n  b: 1 # none\n", []Edit{set("1", "a", "b")}},
		{"{} filled", "a: {} # c\nb: 1\n", "a: # c\n  x:\n    y: 1\nb: 1\n", []Edit{set("1", "a", "x", "y")}},
		{"null filled", "a: # c\n  # d\nb:\n    c: null\n", "a: # c\n    x: 1\n  # d\nb:\n    c:\n        y: 2\n", []Edit{set("1", "a", "x"), set("2", "b", "c", "y")}},
		{"added at the end of its mapping", lines(
			"c:", "- name: x", "  args: [a,", "  b] # c", "  # old: resources", "", "- name: y", "  text: |", "    a", "", "    b", "", "# end", "z: 1",
		), lines(
			"c:", "- name: x", "  args: [a,", "  b] # c", "  r:", "    p: 1", "    q: 2", "  # old: resources", "", "- name: y", "  text: |", "    a", "", "    b", "  r:", "    p: 3", "", "# end", "z: 1",
		), []Edit{set("1", "c", 0, "r", "p"), set("2", "c", 0, "r", "q"), set("3", "c", 1, "r", "p")}},
		{
			"after kept and indented text", lines("a:", "  b: |2+", "     x", "", "c: >-", "  folded", "  text", "", "d: 1"),
			lines("a:", "  b: |2+", "     x", "", "  e: 1", "c: >-", "  folded", "  text", "", "d: 1"),
			[]Edit{set("1", "a", "e")},
		},
		{
			"after text over several lines", lines("a:", "  b: one", "    two", "", "    three # c", "x:", "  y: 'one", "    it''s'", "z:", "  y: \"a", "   \\\" b\""),
			lines("a:", "  b: one", "    two", "", "    three # c", "  n: 1", "x:", "  y: 'one", "    it''s'", "  n: 2", "z:", "  y: \"a", "   \\\" b\"", "  n: 3"),
			[]Edit{set("1", "a", "n"), set("2", "x", "n"), set("3", "z", "n")},
		},
		{
			"after an alias and nested flow", lines("a: &a 1", "b:", "  c: *a # d", "e:", "  f: {g: [h, {i: it's}], j: , \"k\": 'l' # }", "    }", "g:", "  h: [a: b]"),
			lines("a: &a 1", "b:", "  c: *a # d", "  n: 1", "e:", "  f: {g: [h, {i: it's}], j: , \"k\": 'l' # }", "    }", "  n: 2", "g:", "  h: [a: b]", "  n: 3"),
			[]Edit{set("1", "b", "n"), set("2", "e", "n"), set("3", "g", "n")},
		},
		{
			"deleted", lines("r:", "  l: # limits", "    c: 1 # cpu", "    # memory", "    m: 2", "  q:", "    c: 3"),
			lines("r:", "  l: # limits", "    # memory", "    m: 2", "  q:", "    c: 3"),
			[]Edit{unset(2, "r", "l", "c")},
		},
		{
			"deleted with what is then empty", lines("x:", "- n: a", "  r:", "    l:", "      c: 1", "      m: 2", "    q: {}", "  z: 1"),
			lines("x:", "- n: a", "  r:", "    q: {}", "  z: 1"),
			[]Edit{unset(2, "x", 0, "r", "l", "c"), unset(2, "x", 0, "r", "l", "m")},
		},
		{
			"deleted up to what names it", lines("x:", "- n: a", "  r: # resources", "    l:", "      c: 1", "  z: 1"),
			lines("x:", "- n: a", "  z: 1"),
			[]Edit{unset(2, "x", 0, "r", "l", "c")},
		},
		{
			"{} left behind", lines("x:", "- n: a", "  r: # resources", "    l:", "      c: 1", "    # that was it", "  z: 1"),
			lines("x:", "- n: a", "  r: {} # resources", "    # that was it", "  z: 1"),
			[]Edit{unset(1, "x", 0, "r", "l", "c")},
		},
		{"deleted at the end without a line end", "a: 1\nb:\n  c: 1\n  d: 2", "a: 1", []Edit{unset(1, "b", "c"), unset(1, "b", "d")}},
		{"deleted and added", "r:\n  a: 1\n  b: 2\n", "r:\n  b: 3\n  c: 4\n", []Edit{unset(0, "r", "a"), set("3", "r", "b"), set("4", "r", "c")}},
		{"one for another", "r:\n  a: 1\nz: 1", "r:\n  b: 2\nz: 1", []Edit{unset(0, "r", "a"), set("2", "r", "b")}},
		{"nothing there to delete", "a: {b: 1}\n", "a: {b: 1}\n", []Edit{unset(2, "a", "c", "d"), unset(0, "b")}},
		{"equal already, however written", "a: {b: '1', c: *x}\n", "a: {b: '1', c: *x}\n", []Edit{set("1", "a", "b")}},
		{
			"equal through merge and alias", "d: &d {b: 1}\na: *d\nc:\n  <<: *d\n", "d: &d {b: 1}\na: *d\nc:\n  <<: *d\n",
			[]Edit{set("1", "a", "b"), set("1", "c", "b")},
		},
		{
			"what a merge key does not supply", "d: &d {b: 1}\nc:\n  <<: *d\n  e: 1\n", "d: &d {b: 1}\nc:\n  <<: *d\n  e: 2\n  f: 3\n",
			[]Edit{set("2", "c", "e"), set("3", "c", "f")},
		},
		{
			"directives and markers", "%YAML 1.1\n---\na: 1\n...\n---\na: 1 # c\n...\n", "%YAML 1.1\n---\na: 1\nb: 2\n...\n---\na: 3 # c\n...\n",
			[]Edit{set("2", "b"), {Document: 1, Path: []any{"a"}, Value: "3"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.Contains(test.in, "*x") {
				test.in, test.want = "x: &x 1\n"+test.in, "x: &x 1\n"+test.want
			}
			got, err := Apply("a.yaml", []byte(test.in), test.edits)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("Apply (-want +got):\n%s", diff)
			}
			again, err := Apply("a.yaml", got, test.edits)
			if err != nil || string(again) != string(got) {
				t.Errorf("Apply to the result = %q, %v, want no change", again, err)
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	for _, test := range []struct {
		name, in, want string
		edits          []Edit
	}{
		{"flow", "a:\n  b: {c: 1}\n", "a.yaml:2: the value is in flow style ({...} or [...]): write it as a block, one key a line", []Edit{set("2", "a", "b", "c")}},
		{"flow, deeper", "a: {b: {c: 1}}\n", "a.yaml:1: the value is in flow style", []Edit{set("2", "a", "b", "c")}},
		{"an alias", "x: &x 1\na: *x\n", "a.yaml:2: the value is an alias (*x) of what stands in line 1", []Edit{set("2", "a")}},
		{"an alias on the way", "x: &x\n  b: 1\na: *x\n", "a.yaml:3: the value is an alias (*x)", []Edit{set("2", "a", "b")}},
		{"an anchor in use", "a: &x 1\nb: *x\n", "a.yaml:1: the value has an anchor (&x) that line 2 refers to", []Edit{set("2", "a")}},
		{"an anchor in use above it", "a: &x\n  b: 1\nb: *x\n", "a.yaml:1: the value has an anchor (&x) that line 3 refers to", []Edit{set("2", "a", "b")}},
		{"an anchor in use below it", "a:\n  b: &x 1\nb: *x\n", "a.yaml:2: line 3 refers to the anchor (&x) in what is to be deleted", []Edit{unset(0, "a")}},
		{"a merge key", "x: &x {b: 1}\na:\n  <<: *x\n", "a.yaml:3: b comes through a merge key (<<)", []Edit{set("2", "a", "b")}},
		{"a merge key below", "x: &x {b: 1}\na:\n  c: 1\n  <<: [*x]\n  b: 2\n", "a.yaml:4: without b in line 5 the one of this merge key (<<) would come to light", []Edit{unset(0, "a", "b")}},
		{"a key twice", "a:\n  b: 1\n  b: 1\n", "a.yaml:2: the key b is there twice", []Edit{set("1", "a", "b")}},
		{"a block of text", "a: |\n  1\n", "a.yaml:1: the value is a block of text", []Edit{set("2", "a")}},
		{"several lines", "a: 'x\n  y'\nb: x\n  y\n", "a.yaml:1: the value goes over several lines: write it on one; a.yaml:3: the value goes over", []Edit{set("2", "a"), set("2", "b")}},
		{"a tag", "a: !!str 1\n", "a.yaml:1: the value has a tag (!!str)", []Edit{set("2", "a")}},
		{"a mapping", "a:\n  b: 1\n", "a.yaml:2: the value is a mapping or a sequence", []Edit{set("2", "a")}},
		{"not a mapping", "a: small\n", `a.yaml:1: the value is "small": want a mapping to edit in`, []Edit{set("2", "a", "b")}},
		{"no such item", "a:\n- b\n", "a.yaml:2: there is no item 1", []Edit{set("2", "a", 1)}},
		{"an item of nothing", "a:\n", "there is no sequence to have an item 1", []Edit{set("2", "a", 1)}},
		{"a key of a sequence", "a:\n- b\n", `a.yaml:2: there is a sequence where key "b" is looked for`, []Edit{set("2", "a", "b")}},
		{"behind the dash", "a:\n- b: 1\n  c: 2\n", "a.yaml:2: b stands behind a dash", []Edit{unset(0, "a", 0, "b")}},
		{"all of an item", "a:\n- b: 1\n", "a.yaml:2: nothing would be left of the item", []Edit{unset(5, "a", 0, "b")}},
		{"all of a document", "a:\n  b: 1\n", "a.yaml:1: nothing would be left of the document", []Edit{unset(5, "a", "b")}},
		{"explicit keys", "? a\n: b\n", "a.yaml:1: ", []Edit{set("1", "c")}},
		{"a line end of YAML 1.1", "# c\na: \"\u2028\"\nb: 1\n", "a.yaml:2: the line ends in a character", []Edit{set("2", "b")}},
		{"JSON", `{"a": 1}`, "a.yaml:1: the value is in flow style", []Edit{set("2", "a")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Apply("a.yaml", []byte(test.in), test.edits)
			var refusal *Refusal
			if err == nil || !strings.Contains(err.Error(), test.want) || !errors.As(err, &refusal) {
				t.Errorf("Apply = %q, %v, want a Refusal %q", got, err, test.want)
			}
			if got != nil {
				t.Errorf("Apply refused and gave %q", got)
			}
		})
	}
}

func TestApplyErrors(t *testing.T) {
	for _, test := range []struct {
		name, in, want string
		edits          []Edit
	}{
		{"not YAML", "a: [", "reading a.yaml: not YAML: ", []Edit{set("1", "a")}},
		{"not UTF-8", "a: \xff", "reading a.yaml: it is not UTF-8", []Edit{set("1", "a")}},
		{"no such document", "a: 1\n", "there is no document 1 in it", []Edit{{Document: 1, Path: []any{"a"}, Value: "2"}}},
		{"no path", "a: 1\n", "the path is empty", []Edit{{Value: "2"}}},
		{"no key", "a: 1\n", "1.5 (float64) in the path is no key and no index", []Edit{set("2", 1.5)}},
		{"two values", "a: 1\n", "editing a.yaml: .a: two edits contradict each other", []Edit{set("2", "a"), set("3", "a")}},
		{"set and below", "a: 1\n", "two edits contradict each other", []Edit{set("2", "a"), set("3", "a", "b")}},
		{"below and deleted", "a: 1\n", "two edits contradict each other", []Edit{set("2", "a", "b"), unset(0, "a")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Apply("a.yaml", []byte(test.in), test.edits)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Apply = %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestAppendItem(t *testing.T) {
	const two = "path: a.yaml\n\ntarget:\n  kind: Deployment\n"
	for _, test := range []struct {
		name, in, want, item string
		path                 []any
	}{
		{"to a sequence", "patches:\n- path: x.yaml # x\n# more\nb: 1\n", "patches:\n- path: x.yaml # x\n- path: a.yaml\n\n  target:\n    kind: Deployment\n# more\nb: 1\n", two, []any{"patches"}},
		{"to an indented one", "c:\n    - x\n    # y\n\nb: 1\n", "c:\n    - x\n    - z\n    # y\n\nb: 1\n", "z", []any{"c"}},
		{"to none", "a: 1", "a: 1\ncomponents:\n- ../x", "../x", []any{"components"}},
		{"to none where others are indented", "a:\n  - 1\n\n# end\n", "a:\n  - 1\ncomponents:\n  - ../x\n\n# end\n", "../x\n", []any{"components"}},
		{"to an empty one", "c: [] # none\nb: 1\n", "c: # none\n- x\nb: 1\n", "x", []any{"c"}},
		{"to null", "c:\r\nb: 1\r\n", "c:\r\n- x: 1\r\n  y: 2\r\nb: 1\r\n", "x: 1\r\ny: 2\r\n", []any{"c"}},
		{"below", "a: 1\n", "a: 1\nb:\n  c:\n  - x\n", "x", []any{"b", "c"}},
		{"there already", "c: [\"x\"]\n", "c: [\"x\"]\n", "x", []any{"c"}},
		{"to an empty file", "", "c:\n- x\n", "x", []any{"c"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := AppendItem("k.yaml", []byte(test.in), test.path, test.item)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("AppendItem (-want +got):\n%s", diff)
			}
			again, err := AppendItem("k.yaml", got, test.path, test.item)
			if err != nil || string(again) != string(got) {
				t.Errorf("AppendItem to the result = %q, %v, want no change", again, err)
			}
		})
	}
}

func TestAppendItemRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"c: [x]\n":              "k.yaml:1: the value is in flow style",
		"a: &a\n- x\nc: *a\n":   "k.yaml:3: the value is an alias (*a)",
		"c: &a\n- x\nb: *a\n":   "k.yaml:1: the value has an anchor",
		"c: text\n":             "k.yaml:1: the value is no sequence",
		"c:\n  x: 1\n":          "k.yaml:2: the value is no sequence",
		"c: {}\n":               "k.yaml:1: ",
		"a: &a\n  c: []\nb: *a": "k.yaml:1: ",
	} {
		path := []any{"c"}
		if strings.HasPrefix(in, "a: &a\n  c") {
			path = []any{"a", "c"}
		}
		got, err := AppendItem("k.yaml", []byte(in), path, "y")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("AppendItem(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	if got, err := AppendItem("k.yaml", nil, []any{"c"}, "a\n---\nb"); err == nil {
		t.Errorf("AppendItem of two documents = %q, want an error", got)
	}
}
