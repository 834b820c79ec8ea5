package check

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
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

// Every query of the dashboard and of the alerts parses, and asks for metrics and labels that rightsize exports, as
// docs/serve.md lists them.
func TestQueriesAskForWhatIsThere(t *testing.T) {
	asked := queries(t)
	for _, a := range alerts(t) {
		asked["alert "+a.Alert] = a.Expr
	}
	known := documentedMetrics(t)
	for where, query := range asked {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
		if err != nil {
			t.Errorf("%s: %v: %s", where, err, query)
			continue
		}
		for name, matched := range selected(expr) {
			labels, found := known[name]
			if !found {
				t.Errorf("%s asks for %s, which docs/serve.md does not list", where, name)
				continue
			}
			for _, label := range matched {
				if !slices.Contains(labels, label) {
					t.Errorf("%s asks for the label %s of %s, which has %q", where, label, name, labels)
				}
			}
		}
	}
}

// selected are the metrics that an expression asks for, and the labels that it matches of each.
func selected(expr parser.Expr) map[string][]string {
	found := map[string][]string{}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if v, is := node.(*parser.VectorSelector); is {
			var names []string
			for _, m := range v.LabelMatchers {
				if m.Name != labels.MetricName {
					names = append(names, m.Name)
				}
			}
			found[v.Name] = append(found[v.Name], names...)
		}
		return nil
	})
	return found
}

// documentedMetrics are the metrics in the tables of docs/serve.md, and their labels.
func documentedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	quoted := regexp.MustCompile("`([a-z_]+)`")
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.Contains(cells[1], "`") {
			continue
		}
		var labels []string
		for _, l := range quoted.FindAllStringSubmatch(cells[3], -1) {
			labels = append(labels, l[1])
		}
		for _, name := range quoted.FindAllStringSubmatch(cells[1], -1) {
			found[name[1]] = labels
		}
	}
	// What client_golang's collectors for the process and for Go add.
	for _, name := range []string{"process_resident_memory_bytes", "process_cpu_seconds_total", "go_memstats_heap_inuse_bytes"} {
		found[name] = nil
	}
	if len(found) < 10 {
		t.Fatalf("docs/serve.md lists only %q", slices.Sorted(maps.Keys(found)))
	}
	return found
}
