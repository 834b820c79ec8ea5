package deploy

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each row of docs/production.md says how to see that it is so, and what it names is there: tests in this repository,
// targets of the Makefile, objects of the overlays, commands of the tool.
func TestProductionNamesWhatIsThere(t *testing.T) {
	known := testNames(t)
	rows := productionRows(t)
	if len(rows) < 25 {
		t.Fatalf("docs/production.md has %d rows", len(rows))
	}
	for _, row := range rows {
		proofs := quotedIn(row.proof)
		if len(proofs) == 0 {
			t.Errorf("%q names neither a test nor a command", row.concern)
		}
		for _, proof := range proofs {
			if why := missing(t, proof, known); why != "" {
				t.Errorf("%q names %s: %s", row.concern, proof, why)
			}
		}
	}
}

// The document has all parts of the list, and what to do when something goes wrong.
func TestProductionSections(t *testing.T) {
	doc := read(t, root, "docs", "production.md")
	for _, section := range []string{"Reliability", "Security", "Observability", "Operations", "Runbook", "Roll back"} {
		if !strings.Contains(doc, "\n## "+section+"\n") {
			t.Errorf("docs/production.md has no section %s", section)
		}
	}
}

// Objects that the runbook's commands name are in the overlays.
func TestRunbookNamesObjects(t *testing.T) {
	there := servedObjects(t)
	doc := read(t, root, "docs", "production.md")
	for _, m := range regexp.MustCompile(`\b(deployment|service|services|cronjob|configmap)/(rightsize[a-z-]*)`).FindAllStringSubmatch(doc, -1) {
		if kind := strings.TrimSuffix(m[1], "s"); !there[kind+" "+m[2]] {
			t.Errorf("docs/production.md names %s, which no overlay has", m[0])
		}
	}
	for _, m := range regexp.MustCompile("`(rightsize-[a-z-]+-serve)`").FindAllStringSubmatch(doc, -1) {
		if !there["networkpolicy "+m[1]] {
			t.Errorf("docs/production.md names the network policy %s, which no overlay has", m[1])
		}
	}
}

type productionRow struct{ concern, proof string }

// productionRows are the rows of the tables.
func productionRows(t *testing.T) (rows []productionRow) {
	t.Helper()
	for line := range strings.Lines(read(t, root, "docs", "production.md")) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || strings.Contains(line, "| see it |") {
			continue
		}
		if len(cells) != 3 {
			t.Fatalf("a row has %d cells: %s", len(cells), line)
		}
		rows = append(rows, productionRow{strings.TrimPrefix(cells[0], "| "), strings.TrimSuffix(strings.TrimSpace(cells[2]), " |")})
	}
	return rows
}

func quotedIn(text string) (found []string) {
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// missing says what is wrong about a test or a command that a row names; nothing, if it is there.
func missing(t *testing.T, proof string, tests map[string]bool) string {
	t.Helper()
	words := strings.Fields(proof)
	switch {
	case strings.HasPrefix(proof, "Test"):
		if !tests[proof] {
			return "there is no such test"
		}
	case words[0] == "make":
		if !strings.Contains(read(t, root, "Makefile"), "\n"+words[1]+": ") && !strings.Contains(read(t, root, "Makefile"), "\n"+words[1]+":\n") {
			return "the Makefile has no such target"
		}
	case words[0] == "rightsize":
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(proof, -1) {
			if !strings.Contains(read(t, root, "docs", "cli.md"), " "+flag) {
				return "docs/cli.md does not list " + flag
			}
		}
	case words[0] == "kubectl":
		verbs := []string{"apply", "auth", "delete", "describe", "get", "logs", "port-forward", "rollout"}
		if !slices.Contains(verbs, words[1]) {
			return "kubectl " + words[1] + " is not among " + strings.Join(verbs, ", ")
		}
	case strings.HasPrefix(proof, "/health/"): // what to look at with the command before it
	default:
		return "it is neither a test nor a command"
	}
	return ""
}

// testNames are all test functions of the repository.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			if err == nil {
				return filepath.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// servedObjects are all objects of all overlays, as kubectl names them.
func servedObjects(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, overlay := range everyOverlay(t) {
		for _, o := range build(t, overlay) {
			found[strings.ToLower(o.GetKind())+" "+o.GetName()] = true
		}
	}
	return found
}
