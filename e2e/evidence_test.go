package e2e

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// TestEvidence compares what a real Prometheus tells of restarts and throttling with what the history made: through
// restarts, which give a container a new series, and a rollout.
func TestEvidence(t *testing.T) {
	r := rightsize(t, as(cluster.Tool, "-o", "json")...)
	r.wantCode(t, 0)
	var report struct {
		Containers []struct {
			Kind, Workload, Container string
			Restarts                  *int
			Resources                 map[string]struct {
				Evidence struct{ ThrottledShare *float64 }
				Notes    []struct{ Code string }
			}
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		restarts  int
		throttled float64 // of its CPU periods
		note      string  // of any resource
	}{
		"db/postgres": {restarts: 2, throttled: 0},
		"api/api":     {restarts: 2, throttled: 0.25, note: "throttled"},
		"agent/agent": {restarts: 0, throttled: 0},
		"plain/app":   {restarts: 0, throttled: 0, note: "no-limits"},
	} {
		found := false
		for _, c := range report.Containers {
			if c.Workload+"/"+c.Container != name {
				continue
			}
			found = true
			if c.Restarts == nil || *c.Restarts != want.restarts {
				t.Errorf("%s: restarts %s, want %d", name, asJSON(t, c.Restarts), want.restarts)
			}
			share := c.Resources["cpu"].Evidence.ThrottledShare
			if share == nil || math.Abs(*share-want.throttled) > 0.01 {
				t.Errorf("%s: throttled %s, want %g", name, asJSON(t, share), want.throttled)
			}
			var codes []string
			for _, advice := range c.Resources {
				for _, n := range advice.Notes {
					codes = append(codes, n.Code)
				}
			}
			if want.note != "" && !slices.Contains(codes, want.note) || want.note == "" && slices.Contains(codes, "throttled") {
				t.Errorf("%s: notes %q, want %q", name, codes, want.note)
			}
		}
		if !found {
			t.Errorf("%s is not in the report", name)
		}
	}
}
