package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// TestPolicyFile has rules by what a real API server says of workloads: their labels, kinds and names.
func TestPolicyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rightsize.yaml")
	const text = `version: 1
rules:
- name: front
  match: {labels: "team in (front)", container: "pro?y"}
  cpu: {limit: none}
  memory: {request: max}
- name: data
  match: {kind: statefulset, namespace: "sh*"}
  exempt: its owners size it
- name: back
  match: {labels: team=back}
  memory: {ceiling: 64Mi}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	plain, ruled := reportOf(t, as(cluster.Tool)...), reportOf(t, as(cluster.Tool, "--config", path)...)
	rules := map[string]string{"deployment/web/proxy": "front", "statefulset/db/postgres": "data", "deployment/api/api": "back", "deployment/api-v2/api": "back"}
	for _, name := range plain.names() {
		before, after := plain.container(t, name), ruled.container(t, name)
		if after.PolicyRule != rules[name] {
			t.Errorf("%s: rule %q, want %q", name, after.PolicyRule, rules[name])
		}
		for _, resource := range []string{"cpu", "memory"} {
			if b, a := before.Resources[resource].Recommended, after.Resources[resource].Recommended; rules[name] == "" && b != a {
				t.Errorf("%s %s: no rule holds, and %+v becomes %+v", name, resource, b, a)
			}
		}
	}
	proxy := ruled.container(t, "deployment/web/proxy").Resources
	if proxy["cpu"].Recommended.Limit.State != "unset" || proxy["memory"].Recommended.Request.Amount < proxy["memory"].Evidence.P99 {
		t.Errorf("proxy: %+v", proxy)
	}
	db := ruled.container(t, "statefulset/db/postgres")
	if db.Resources["memory"].Recommended.Limit.State != "no-advice" || !slices.Contains(db.notes("cpu"), "exempt") || db.Resources["memory"].Evidence.Samples == 0 {
		t.Errorf("db is left alone, and shown: %+v", db)
	}
	if api := ruled.container(t, "deployment/api/api"); !slices.Contains(api.notes("memory"), "ceiling") {
		t.Errorf("api has no note of its ceiling: %s", api.allNotes())
	}

	dir := filepath.Join(t.TempDir(), "out")
	patched := rightsize(t, append([]string{"patch", "--config", path, "--output-dir", dir}, as(cluster.Tool)...)...)
	patched.wantCode(t, 0)
	if strings.Contains(patched.stdout, "statefulset-db") || !strings.Contains(patched.stdout, "deployment-web.yaml") {
		t.Errorf("patched: %s", patched.stdout)
	}
}
