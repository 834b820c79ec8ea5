package check

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// dashboard is what the tests look at of a Grafana dashboard.
type dashboard struct {
	UID        string `json:"uid"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
	Panels []struct {
		ID          int    `json:"id"`
		Type        string `json:"type"`
		Title       string `json:"title"`
		Description string `json:"description"`
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct {
			Expr  string `json:"expr"`
			RefID string `json:"refId"`
		} `json:"targets"`
	} `json:"panels"`
}

func readDashboard(t *testing.T) (d dashboard, text []byte) {
	t.Helper()
	text, err := os.ReadFile("../dashboards/rightsize.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d, text
}

// The file is as json.Indent has it, so that a change to it is read in its diff.
func TestDashboardIsStable(t *testing.T) {
	_, text := readDashboard(t)
	var again bytes.Buffer
	if err := json.Indent(&again, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Bytes(), text) {
		t.Error("deploy/dashboards/rightsize.json is not indented by two spaces")
	}
}

// No panel lies on another or beyond the edge, and each has a number and a title of its own.
func TestDashboardPanels(t *testing.T) {
	d, _ := readDashboard(t)
	taken := map[[2]int]string{}
	seen := map[any]bool{}
	for _, p := range d.Panels {
		if seen[p.ID] || seen[p.Title] || p.Title == "" {
			t.Errorf("panel %d %q is there twice, or has no title", p.ID, p.Title)
		}
		seen[p.ID], seen[p.Title] = true, true
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s is beyond the right edge", p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, there := taken[[2]int{x, y}]; there {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s asks for nothing", p.Title)
		}
	}
}

// queries are all that the dashboard asks, by where, with Grafana's variables as Grafana fills them in.
func queries(t *testing.T) map[string]string {
	t.Helper()
	d, _ := readDashboard(t)
	fill := strings.NewReplacer("$namespace", ".*", "$__rate_interval", "5m")
	found := map[string]string{}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			found[p.Title+" "+q.RefID] = fill.Replace(q.Expr)
		}
	}
	for _, v := range d.Templating.List {
		if name, of := strings.CutPrefix(v.Definition, "label_values("); of {
			found["variable "+v.Name], _, _ = strings.Cut(name, ",")
		}
	}
	return found
}

// Every query of the dashboard and of the alerts parses, and asks for metrics and labels that are listed.
func TestQueriesAskForWhatIsThere(t *testing.T) {
	asked := queries(t)
	for _, a := range alerts(t) {
		asked["alert "+a.Alert] = a.Expr
	}
	known, used := listedMetrics(t), map[string]bool{}
	for where, query := range asked {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
		if err != nil {
			t.Errorf("%s: %v: %s", where, err, query)
			continue
		}
		for name, matched := range selected(expr) {
			used[name] = true
			labels, found := known[name]
			if !found {
				t.Errorf("%s asks for %s, which testdata/metrics.txt does not list", where, name)
			}
			for _, label := range matched {
				if !slices.Contains(labels, label) {
					t.Errorf("%s asks for the label %s of %s, which has %q", where, label, name, labels)
				}
			}
		}
	}
	for name := range known {
		if !used[name] {
			t.Errorf("testdata/metrics.txt lists %s, for which nothing asks", name)
		}
	}
}

// What is listed is what docs/serve.md says of rightsize's own metrics, by the same labels. Another test holds that
// document to what is exported.
func TestMetricsAreDocumented(t *testing.T) {
	documented := documentedMetrics(t)
	for name, labels := range listedMetrics(t) {
		if !strings.HasPrefix(name, "rightsize_") {
			continue // what client_golang's own collectors add
		}
		got, found := documented[name]
		if !found {
			t.Errorf("docs/serve.md does not list %s", name)
		}
		for _, label := range labels {
			if found && !slices.Contains(got, label) {
				t.Errorf("docs/serve.md does not list the label %s of %s", label, name)
			}
		}
	}
}

// selected are the metrics that an expression asks for, and the labels that it matches of each.
func selected(expr parser.Expr) map[string][]string {
	found := map[string][]string{}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		v, is := node.(*parser.VectorSelector)
		if !is {
			return nil
		}
		matched := found[v.Name]
		for _, m := range v.LabelMatchers {
			if m.Name != model.MetricNameLabel {
				matched = append(matched, m.Name)
			}
		}
		found[v.Name] = matched
		return nil
	})
	return found
}

// listedMetrics are the metrics of testdata/metrics.txt and their labels.
func listedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	text := readFile(t, "testdata/metrics.txt")
	found := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); words[0] != "#" {
			found[words[0]] = words[1:]
		}
	}
	return found
}

// documentedMetrics are the metrics in the tables of docs/serve.md and the labels in their rows.
func documentedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	text := readFile(t, "../../docs/serve.md")
	found := map[string][]string{}
	names := regexp.MustCompile("rightsize_[a-z_]+")
	words := regexp.MustCompile("[a-z_]+")
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "|") {
			continue
		}
		for _, name := range names.FindAllString(line, -1) {
			found[name] = append(found[name], words.FindAllString(line, -1)...)
		}
	}
	return found
}

// The panels' queries give what they say in Prometheus's own engine: two pods of a rollout export one container whose memory
// limit is too low and whose requests are too high, and one that has no limit.
func TestDashboardShowsWhatIsThere(t *testing.T) {
	storage := promqltest.LoadedStorage(t, string(readFile(t, "testdata/exported.txt")))
	engine := promqltest.NewTestEngine(t, false, 0, 10000)
	got := map[string]string{}
	for where, query := range queries(t) {
		q, err := engine.NewInstantQuery(t.Context(), storage, nil, query, time.Unix(3600, 0))
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		result := q.Exec(t.Context())
		if result.Err != nil {
			t.Errorf("%s: %v", where, result.Err)
			continue
		}
		got[where] = strings.ReplaceAll(result.String(), " @[3600000]", "")
	}
	for where, want := range map[string]string{
		"Age of the report A":                    `{} => 60`,
		"Failed scans, last 6 hours A":           `{} => 1`,
		"Series left out A":                      `{} => 0`,
		"Memory limits in danger A":              `{} => 1`,
		"CPU asked for and not needed A":         `{} => 1.5`,
		"Memory asked for and not needed A":      `{} => 100`,
		"Memory limit too low, by how much A":    `{container="app", namespace="shop", workload="api", workload_kind="Deployment"} => 200`,
		"Memory request too low, by how much A":  `{container="job", namespace="batch", workload="nightly", workload_kind="CronJob"} => 50`,
		"Memory request too high, by how much A": `{container="app", namespace="shop", workload="api", workload_kind="Deployment"} => 100`,
		"CPU request too high, by how much A":    `{container="app", namespace="shop", workload="api", workload_kind="Deployment"} => 1.5`,
	} {
		if got[where] != want {
			t.Errorf("%s gives\n%s\nwant\n%s", where, got[where], want)
		}
	}
	for where, result := range got {
		if result == "" {
			t.Errorf("%s shows nothing", where)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
