package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// gated is the part of the JSON report that says what is shown of it, and what tripped its gate.
type gated struct {
	Totals    map[string]struct{ RequestedNow float64 }
	Selection struct{ Containers, Shown int }
	Gate      *struct {
		Tripped []struct{ Condition, Kind, Workload, Container, Resource, Why string }
	}
	Containers []weighed
}

// weighed is a container with the severity of each resource.
type weighed struct {
	Workload, Container string
	Resources           map[string]struct{ Severity int }
}

func (r result) gated(t *testing.T) gated {
	t.Helper()
	var out gated
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("reading the report: %v\n%.2000s", err, r.stdout)
	}
	return out
}

// A gate over a live cluster: each condition is tripped by what the history has in store for it, and the report
// is whole all the same.
func TestGate(t *testing.T) {
	whole := rightsize(t, as(cluster.Tool, "-o", "json")...)
	whole.wantCode(t, 0)
	if whole.gated(t).Gate != nil {
		t.Error("there is a gate that nobody asked for")
	}
	for condition, want := range map[string]struct {
		code              int
		tripped, notAtAll string // as "workload/container resource"
	}{
		"no-data":              {4, "unseen/app memory", "fresh/app memory"}, // too little is not none
		"no-limits":            {4, "plain/app memory", "web/app memory"},
		"over-provisioned:50%": {4, "agent/agent", "plain/app memory"},
		"under-provisioned":    {4, "db/postgres memory", "unseen/app memory"},
	} {
		t.Run(condition, func(t *testing.T) {
			r := rightsize(t, as(cluster.Tool, "-o", "json", "--fail-on", condition)...)
			t.Log(r.stderr)
			r.wantCode(t, want.code)
			r.wantStderr(t, "rightsize: warning: "+condition+": shop/", "rightsize: the gate tripped: "+condition+" holds for ")
			got := r.gated(t)
			if len(got.Containers) != len(whole.gated(t).Containers) {
				t.Errorf("the report has %d containers, want all", len(got.Containers))
			}
			var names []string
			for _, trip := range got.Gate.Tripped {
				names = append(names, trip.Workload+"/"+trip.Container+" "+trip.Resource)
			}
			if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, want.tripped) }) || slices.Contains(names, want.notAtAll) {
				t.Errorf("tripped by %q, want %q among them and not %q", names, want.tripped, want.notAtAll)
			}
		})
	}
	t.Run("nothing to trip it", func(t *testing.T) {
		r := rightsize(t, as(cluster.Tool, "statefulset/db", "--fail-on", "no-data,no-limits")...)
		r.wantCode(t, 0)
		if strings.Contains(r.stderr, "gate") {
			t.Errorf("stderr speaks of the gate: %s", r.stderr)
		}
	})
}

// The first of a report by severity are those of the whole one that have it, and totals do not shrink with what is
// shown.
func TestTopOfReport(t *testing.T) {
	all := rightsize(t, as(cluster.Tool, "-o", "json", "--sort", "severity")...)
	all.wantCode(t, 0)
	whole := all.gated(t)
	r := rightsize(t, as(cluster.Tool, "-o", "json", "--top", "3", "--only", "memory")...)
	r.wantCode(t, 0)
	top := r.gated(t)
	if top.Selection.Shown != 3 || len(top.Containers) != 3 || top.Selection.Containers != len(whole.Containers) {
		t.Errorf("the selection is %+v with %d containers, want 3 of %d", top.Selection, len(top.Containers), len(whole.Containers))
	}
	if top.Totals["memory"] != whole.Totals["memory"] {
		t.Errorf("memory requested is %v, want the %v of all containers", top.Totals["memory"], whole.Totals["memory"])
	}
	least := 100
	for _, c := range top.Containers {
		if _, has := c.Resources["cpu"]; has || c.Resources["memory"].Severity > least {
			t.Errorf("%s/%s has %+v, want memory alone and no more than %d", c.Workload, c.Container, c.Resources, least)
		}
		least = c.Resources["memory"].Severity
	}
	for _, c := range whole.Containers {
		shown := slices.ContainsFunc(top.Containers, func(o weighed) bool { return o.Workload == c.Workload && o.Container == c.Container })
		if c.Resources["memory"].Severity > least && !shown {
			t.Errorf("%s/%s has severity %d and is not among the first, which go down to %d", c.Workload, c.Container, c.Resources["memory"].Severity, least)
		}
	}
}
