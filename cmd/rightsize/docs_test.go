package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/rightsize/rightsize/recommender"
)

func readDoc(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// README shows the demo's output as the script test pins it.
func TestReadmeShowsTheDemo(t *testing.T) {
	script := txtar.Parse([]byte(readDoc(t, "testdata", "scripts", "report_table.txtar")))
	golden := string(script.Files[0].Data)
	if golden == "" || !strings.Contains(readDoc(t, "README.md"), "$ make demo\n"+golden+"```") {
		t.Errorf("README does not show the demo's output, which is now:\n%s", golden)
	}
}

// docs/cli.md is the help itself.
func TestCLIDocs(t *testing.T) {
	help, err := exec.Command("rightsize", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "# Command line\n\n`rightsize --help` prints:\n\n```\n" + string(help) + "```\n"
	path := filepath.Join("..", "..", "docs", "cli.md")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if readDoc(t, "docs", "cli.md") != want {
		t.Error("docs/cli.md is not what --help says: make golden writes it anew")
	}
}

// Flags in the documents exist.
func TestDocsNameRealFlags(t *testing.T) {
	known := options{log: newLogs(io.Discard)}
	known.setDefaults()
	flags := map[string]bool{"http.config.file": true, "help": true, "version": true} // promtool's, and cobra's own
	for _, g := range known.flagGroups() {
		for _, line := range strings.Split(g.FlagUsages(), "\n") {
			if m := regexp.MustCompile(`--([a-z][a-z-]*)`).FindStringSubmatch(line); m != nil {
				flags[m[1]] = true
			}
		}
	}
	for _, doc := range []string{"README.md", "CONTRIBUTING.md", "docs/notes.md", "docs/architecture.md", "docs/backends.md", "CHANGELOG.md"} {
		for _, m := range regexp.MustCompile("[ `(|]--([a-z][a-z.-]*[a-z])").FindAllStringSubmatch(readDoc(t, doc), -1) {
			if !flags[m[1]] {
				t.Errorf("%s names the flag --%s, which does not exist", doc, m[1])
			}
		}
	}
}

// Every note has its paragraph.
func TestEveryNoteIsDocumented(t *testing.T) {
	notes := readDoc(t, "docs", "notes.md")
	codes := []string{
		recommender.NoteNoData, recommender.NoteRequestAboveLimit, recommender.NoteRunsTooShort, recommender.NoteDroppedSamples,
	}
	for _, g := range recommender.AllGuards() {
		codes = append(codes, g.Name)
		if !strings.Contains(readDoc(t, "README.md"), "`"+g.Name+"`") {
			t.Errorf("README lacks the guard %s", g.Name)
		}
	}
	for _, code := range codes {
		if !strings.Contains(notes, "\n## "+code+"\n") {
			t.Errorf("docs/notes.md lacks a heading for %s", code)
		}
	}
}

// The rooms and what each may import of ours: only what is below it.
func TestImportsPointDown(t *testing.T) {
	const module = "github.com/rightsize/rightsize/"
	below := map[string][]string{
		"recommender":    {},
		"promquery":      {"recommender"},
		"promquery/tsdb": {"promquery"},
		"workload":       {"recommender"},
		"scan":           {"recommender", "promquery", "workload"},
		"report":         {"recommender", "scan"},
		"notify":         {"recommender", "scan", "report"},
		"patch":          {"recommender", "workload", "scan", "report", "patch/splice"},
		"patch/splice":   {},
		"cmd/rightsize":  {"recommender", "promquery", "promquery/tsdb", "workload", "scan", "report", "notify", "patch"},

		"deploy":           {}, // manifests and their tests
		"notify/slacktest": {}, // for tests
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(out) {
		name, imports, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		name = strings.TrimPrefix(name, module)
		allowed, known := below[name]
		if !known {
			t.Errorf("package %s has no place in this test and in docs/architecture.md", name)
		}
		for path := range strings.FieldsSeq(imports) {
			checkImport(t, name, path, allowed)
		}
	}
}

func checkImport(t *testing.T, name, path string, allowed []string) {
	t.Helper()
	ours, isOurs := strings.CutPrefix(path, "github.com/rightsize/rightsize/")
	switch {
	case isOurs && !slices.Contains(allowed, ours):
		t.Errorf("%s imports %s, which is not below it", name, ours)
	case strings.HasPrefix(path, "github.com/prometheus/prometheus/") && name != "promquery/tsdb":
		t.Errorf("%s imports %s: only promquery/tsdb may know Prometheus's engine", name, path)
	case strings.HasPrefix(path, "github.com/spf13/") && name != "cmd/rightsize":
		t.Errorf("%s imports %s: cobra lives in cmd only", name, path)
	case name == "recommender" && strings.Contains(path, ".") && !strings.HasPrefix(path, "gonum.org/"):
		t.Errorf("the core imports %s: it may know the standard library and gonum only", path)
	}
}
