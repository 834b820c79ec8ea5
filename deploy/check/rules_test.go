package check

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// rule is an alert as the PrometheusRule has it.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type ruleGroups struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

const rulesFile = "../components/monitoring/prometheusrule.yaml"

// rulesSpec is what the operator hands on to Prometheus: the spec of the PrometheusRule.
func rulesSpec(t *testing.T) (text []byte, groups ruleGroups) {
	t.Helper()
	whole, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		Spec map[string]any `json:"spec"`
	}
	if err := yaml.Unmarshal(whole, &o); err != nil {
		t.Fatal(err)
	}
	if text, err = yaml.Marshal(o.Spec); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &groups); err != nil {
		t.Fatal(err)
	}
	return text, groups
}

// alerts are all rules, in order.
func alerts(t *testing.T) (all []rule) {
	t.Helper()
	_, groups := rulesSpec(t)
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// promtool builds Prometheus's own promtool, of the version in go.mod.
func promtool(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "promtool")
	command(t, "", "go", "build", "-tags", "remove_all_sd", "-o", path, "github.com/prometheus/prometheus/cmd/promtool")
	return path
}

func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("%s %q: %v\n%s", filepath.Base(name), args, err, &out)
	}
}

// promtool has no objection to the rules, not even a lint's, and its unit tests in testdata say of each alert when it
// fires, with which words, and when it does not.
func TestAlerts(t *testing.T) {
	tool, dir := promtool(t), t.TempDir()
	spec, _ := rulesSpec(t)
	write(t, filepath.Join(dir, "rules.yaml"), spec)
	command(t, dir, tool, "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")
	for _, test := range ruleTests(t) {
		text, err := os.ReadFile(test)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.Base(test)), text)
		command(t, dir, tool, "test", "rules", filepath.Base(test))
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func ruleTests(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("testdata/alerts_*.yaml")
	if err != nil || len(found) == 0 {
		t.Fatalf("there are no tests of the rules (%v)", err)
	}
	return found
}

// Each alert is tested both ways: it fires in one of promtool's tests, and does not in another.
func TestEveryAlertIsTested(t *testing.T) {
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, path := range ruleTests(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Tests []struct {
				Cases []struct {
					Name string `json:"alertname"`
					Exp  []any  `json:"exp_alerts"`
				} `json:"alert_rule_test"`
			} `json:"tests"`
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		for _, test := range file.Tests {
			for _, c := range test.Cases {
				fires[c.Name] = fires[c.Name] || len(c.Exp) > 0
				silent[c.Name] = silent[c.Name] || len(c.Exp) == 0
			}
		}
	}
	for _, a := range alerts(t) {
		if !fires[a.Alert] || !silent[a.Alert] {
			t.Errorf("%s: fires in a test: %t; is silent in a test: %t", a.Alert, fires[a.Alert], silent[a.Alert])
		}
	}
}

// Whoever is woken is told what it is, and what to do.
func TestAlertsHaveRunbooks(t *testing.T) {
	runbook, err := os.ReadFile("../../docs/production.md")
	if err != nil {
		t.Fatal(err)
	}
	severities := []string{"critical", "warning", "info"}
	for _, a := range alerts(t) {
		if !slices.Contains(severities, a.Labels["severity"]) || a.For == "" {
			t.Errorf("%s: severity %q, for %q", a.Alert, a.Labels["severity"], a.For)
		}
		for _, name := range []string{"summary", "description"} {
			if text := a.Annotations[name]; !strings.HasSuffix(text, ".") {
				t.Errorf("%s: its %s is no sentence: %q", a.Alert, name, text)
			}
		}
		want := "https://github.com/rightsize/rightsize/blob/main/docs/production.md#" + strings.ToLower(a.Alert)
		if got := a.Annotations["runbook_url"]; got != want {
			t.Errorf("%s: the runbook is %s, want %s", a.Alert, got, want)
		}
		section := "\n### " + a.Alert + "\n"
		_, after, found := strings.Cut(string(runbook), section)
		if body, _, _ := strings.Cut(after, "\n#"); !found || !strings.Contains(body, "**Check.**") || !strings.Contains(body, "**Do.**") {
			t.Errorf("docs/production.md does not say of %s what it means, what to check and what to do", a.Alert)
		}
	}
}
