package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// replayed is the JSON of a backtest.
type replayed struct {
	Kind    string
	Sources []struct {
		Resources map[string]struct {
			Judged, Tests int
			Policies      map[string]map[string]struct{ Value *float64 }
		}
		Containers []struct {
			Name, NotEnoughData string
			Tests               map[string]int
		}
	}
}

// A live cluster's own week is replayed: five days to learn from, two to be judged by, each time the same.
func TestBacktest(t *testing.T) {
	args := append([]string{"backtest"}, as(cluster.Tool, "-o", "json")...)
	r := rightsize(t, args...)
	r.wantCode(t, 0)
	var got replayed
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || got.Kind != "Backtest" || len(got.Sources) != 1 {
		t.Fatalf("reading the backtest: %v\n%.2000s", err, r.stdout)
	}
	source, judged := got.Sources[0], map[string]string{}
	for _, c := range source.Containers {
		judged[c.Name] = c.NotEnoughData
		if c.NotEnoughData == "" && c.Tests["memory"]+c.Tests["cpu"] == 0 {
			t.Errorf("%s is neither judged nor left out", c.Name)
		}
	}
	for _, name := range []string{"shop/deployment/web/app", "shop/statefulset/db/postgres"} {
		if why, listed := judged[name]; !listed || why != "" {
			t.Errorf("%s is not judged: listed %v, %q", name, listed, why)
		}
	}
	for resource, x := range source.Resources {
		if x.Judged < 2 || x.Tests < x.Judged {
			t.Errorf("%s: %d containers judged in %d tests", resource, x.Judged, x.Tests)
		}
		for _, policy := range []string{"current", "default", "safe", "krr", "vpa", "autopilot"} {
			if cost := x.Policies[policy]["requestCost"].Value; cost == nil || *cost < 0.3 || *cost > 100 {
				t.Errorf("%s: what %s would have requested over what was used = %v", resource, policy, cost)
			}
		}
		if bare, krr := x.Policies["default-bare"]["requestCost"].Value, x.Policies["krr"]["requestCost"].Value; bare == nil || krr == nil || *bare >= *krr {
			t.Errorf("%s: medians cost %v, and KRR's requests %v", resource, bare, krr)
		}
	}
	if again := rightsize(t, args...); again.stdout != r.stdout {
		t.Errorf("the second backtest differs:\n%.1000s", again.stdout)
	}

	table := rightsize(t, append([]string{"backtest"}, as(cluster.Tool, "deployment/web")...)...)
	table.wantCode(t, 0)
	if !strings.Contains(table.stdout, "censored: usage could not exceed it") {
		t.Errorf("the current specs are not marked:\n%s", table.stdout)
	}
}
