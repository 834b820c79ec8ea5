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

	"github.com/spf13/cobra"
	"golang.org/x/tools/txtar"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
)

func readDoc(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// README shows what the scripts pin: each of their files whose name begins with "readme".
func TestReadmeShowsRealOutput(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join("..", "..", "testdata", "scripts", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	shown, readme := 0, readDoc(t, "README.md")
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if !strings.HasPrefix(f.Name, "readme") {
				continue
			}
			shown++
			if !strings.Contains(readme, string(f.Data)+"```") {
				t.Errorf("README does not show %s of %s, which is now:\n%s", f.Name, filepath.Base(script), f.Data)
			}
		}
	}
	if shown < 3 {
		t.Errorf("README shows %d outputs, want those of the report, of patches and of Slack", shown)
	}
}

// docs/cli.md is the help itself.
func TestCLIDocs(t *testing.T) {
	want := "# Command line\n"
	for _, args := range [][]string{{"--help"}, {"explain", "--help"}, {"patch", "--help"}, {"config", "--help"}, {"backtest", "--help"}, {"doctor", "--help"}, {"serve", "--help"}} {
		help, err := exec.Command("rightsize", args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		want += "\n`rightsize " + strings.Join(args, " ") + "` prints:\n\n```\n" + string(help) + "```\n"
	}
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
	foreign := map[string]bool{ // promtool's, cobra's own, kubectl's and docker's
		"http.config.file": true, "web.config.file": true, "help": true, "version": true, "from": true, "tag": true, "build-arg": true,
		"max-old-space-size": true, // of Node.js
		// kubectl's and Helm's, in docs/deploy.md and docs/production.md.
		"as": true, "create-namespace": true, "list": true, "replicas": true, "since": true,
	}
	root := newRoot(streams{log: newLogs(io.Discard)})
	isFlag := func(name string) bool {
		return foreign[name] || slices.ContainsFunc(append(root.Commands(), root), func(c *cobra.Command) bool { return c.Flags().Lookup(name) != nil })
	}
	docs, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil || len(docs) < 6 {
		t.Fatalf("documents: %q, %v", docs, err)
	}
	for _, doc := range append(docs, filepath.Join("..", "..", "README.md"), filepath.Join("..", "..", "CONTRIBUTING.md"), filepath.Join("..", "..", "CHANGELOG.md")) {
		for _, m := range regexp.MustCompile("[ `(|]--([a-z][a-z.-]*[a-z])").FindAllStringSubmatch(readDoc(t, strings.TrimPrefix(doc, filepath.Join("..", "..")+"/")), -1) {
			if !isFlag(m[1]) {
				t.Errorf("%s names the flag --%s, which does not exist", filepath.Base(doc), m[1])
			}
		}
	}
}

// Every note has its paragraph.
func TestEveryNoteIsDocumented(t *testing.T) {
	notes := readDoc(t, "docs", "notes.md")
	codes := []string{
		recommender.NoteNoData, recommender.NoteRequestAboveLimit, recommender.NoteRunsTooShort, recommender.NoteDroppedSamples,
		recommender.NoteOutsideLimitRange, recommender.NoteLimitRangeDefault, recommender.NoteVPA, recommender.NoteHeapFollows,
		recommender.NoteExempt, recommender.NoteAdmitted, recommender.NoteRetargeted, recommender.NoteQoS, recommender.NoteLargerThanNodes, recommender.NoteQuota, recommender.NoteOutsideQuota,
		recommender.NoteManaged, recommender.NoteInjected, recommender.NoteOutsidePodResources,
	}
	for _, code := range recommender.Observations() {
		codes = append(codes, code)
		if !strings.Contains(readDoc(t, "README.md"), "`"+code+"`") {
			t.Errorf("README lacks the note %s", code)
		}
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

// Every condition has its row, and every order is named.
func TestGateIsDocumented(t *testing.T) {
	text := readDoc(t, "docs", "gate.md")
	for _, c := range report.Conditions() {
		if !strings.Contains(text, "\n| `"+c.Name) {
			t.Errorf("docs/gate.md lacks a row for %s", c.Name)
		}
	}
	for _, o := range report.Orders() {
		if !strings.Contains(text, "`"+string(o)+"`") {
			t.Errorf("docs/gate.md lacks the order %s", o)
		}
	}
}

// The rooms and what each may import of ours: only what is below it.
func TestImportsPointDown(t *testing.T) {
	const module = "github.com/rightsize/rightsize/"
	below := map[string][]string{
		"recommender":    {},
		"policy":         {"recommender"},
		"promquery":      {"recommender", "promquery/chunks"},
		"promquery/tsdb": {"promquery", "promquery/chunks"},
		"workload":       {"recommender"},
		"scan":           {"recommender", "promquery", "workload"},
		"prices":         {"recommender"},
		"report":         {"recommender", "scan", "prices", "backtest"},
		"notify":         {"recommender", "scan", "report"},
		"patch":          {"recommender", "workload", "scan", "report", "patch/splice"},
		"patch/splice":   {},
		"cmd/rightsize":  {"recommender", "promquery", "promquery/remote", "promquery/tsdb", "promquery/dialect", "promquery/discovery", "doctor", "policy", "prices", "workload", "scan", "report", "notify", "patch", "backtest", "explain", "serve"},

		"serve": {"recommender", "workload", "scan", "report", "patch"}, // the served report

		"backtest": {"recommender"},

		"explain": {"recommender", "promquery", "scan", "report", "backtest"}, // above the report, whose words it uses

		"promquery/chunks": {}, // in which raw samples come
		"promquery/remote": {"promquery", "promquery/chunks"},

		"promquery/dialect":   {"promquery"}, // other labels
		"doctor":              {"recommender", "promquery"},
		"promquery/discovery": {}, // services of a cluster

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

// mayImportPrometheus says whether a package may import this one of Prometheus's: promquery/tsdb any, what decodes
// chunks the encodings and the labels, what rewrites queries the parser.
func mayImportPrometheus(name, path string) bool {
	switch strings.TrimPrefix(path, "github.com/prometheus/prometheus/") {
	case "promql/parser":
		return name == "promquery/tsdb" || name == "promquery/dialect"
	case "tsdb/chunkenc", "model/labels", "model/value", "prompb":
		return strings.HasPrefix(name, "promquery/")
	}
	return name == "promquery/tsdb"
}

func checkImport(t *testing.T, name, path string, allowed []string) {
	t.Helper()
	ours, isOurs := strings.CutPrefix(path, "github.com/rightsize/rightsize/")
	switch {
	case isOurs && !slices.Contains(allowed, ours):
		t.Errorf("%s imports %s, which is not below it", name, ours)
	case strings.HasPrefix(path, "github.com/prometheus/prometheus/") && !mayImportPrometheus(name, path):
		t.Errorf("%s imports %s: only promquery/tsdb may know Prometheus's engine", name, path)
	case strings.HasPrefix(path, "github.com/spf13/") && name != "cmd/rightsize":
		t.Errorf("%s imports %s: cobra lives in cmd only", name, path)
	case name == "recommender" && strings.Contains(path, "."):
		t.Errorf("the core imports %s: it may know the standard library only", path)
	}
}
