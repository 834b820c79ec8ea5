package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
)

// trippedBy is a report with a gate that n resources tripped.
func trippedBy(n int) report.Report {
	c := report.Conditions()[0]
	r := report.Report{Gate: &report.Gate{Conditions: []report.Condition{c}}}
	for i := range n {
		id := recommender.ID{Namespace: "shop", Kind: "Deployment", Workload: fmt.Sprintf("web-%d", i), Container: "app"}
		r.Gate.Trips = append(r.Gate.Trips, report.Trip{Condition: c, ID: id, Why: "a\nb"})
	}
	return r
}

// The first that applies of signal, 2, 1, 3 and 4; what tripped the gate is said with each, but to nobody who has gone.
func TestPrecedenceOfExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code int
		said bool
	}{
		"nothing else":  {nil, 4, true},
		"done in part":  {partialError{errors.New("broken")}, 3, true},
		"failed":        {errors.New("posting: refused"), 1, true},
		"wrong usage":   {usagef("no"), 2, true},
		"signal":        {signalError{os.Interrupt}, 130, false},
		"closed output": {fmt.Errorf("writing: %w", syscall.EPIPE), 1, false}, // which written makes 141
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			err := judged(streams{log: newLogs(&stderr)}, trippedBy(3), c.err)
			if code := exitCode(err); code != c.code {
				t.Errorf("exit %d, want %d", code, c.code)
			}
			if said := strings.Contains(stderr.String(), "warning: under-provisioned: shop/deployment/web-2/app cpu: a b\n"); said != c.said {
				t.Errorf("what tripped it is said: %v, want %v; stderr %s", said, c.said, stderr.String())
			}
		})
	}
	if err := judged(streams{log: newLogs(io.Discard)}, trippedBy(0), nil); err != nil {
		t.Errorf("a gate that nothing tripped is an error: %v", err)
	}
}

func TestGateSaysTwentyLinesAtMost(t *testing.T) {
	var stderr strings.Builder
	err := judged(streams{log: newLogs(&stderr)}, trippedBy(maxTrips+7), nil)
	if n := strings.Count(stderr.String(), "\n"); n != maxTrips+1 || !strings.Contains(stderr.String(), "under-provisioned: and 7 more: -o json") {
		t.Errorf("%d lines, want %d and how many more:\n%s", n, maxTrips, stderr.String())
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("under-provisioned holds for %d containers", maxTrips+7)) {
		t.Errorf("error %q does not count all", err)
	}
}

// What is taken reads back as itself.
func TestParseCondition(t *testing.T) {
	for text, want := range map[string]string{
		"under-provisioned": "under-provisioned", "no-limits": "no-limits", "no-data": "no-data",
		"over-provisioned": "over-provisioned", "over-provisioned:50%": "over-provisioned:50%", "over-provisioned:29%": "over-provisioned:29%",
		"over-provisioned:1e1%": "over-provisioned:10%", "over-provisioned:12.5%": "over-provisioned:12.5%", "over-provisioned:0%": "over-provisioned:0%",
	} {
		c, err := parseCondition(text)
		if err != nil || c.String() != want {
			t.Errorf("parseCondition(%q) = %s, %v, want %s", text, c, err, want)
		}
		if again, err := parseCondition(c.String()); err != nil || again.String() != want {
			t.Errorf("parseCondition(%q) = %s, %v, want itself", c, again, err)
		}
	}
	for _, text := range []string{"", ":", "over", "over-provisioned:", "over-provisioned:%", "over-provisioned:nan%", "over-provisioned:101%", "over-provisioned:-1%", "no-data:5%", "no-limits:"} {
		if c, err := parseCondition(text); err == nil {
			t.Errorf("parseCondition(%q) = %s, want an error", text, c)
		}
	}
}

// A message is compared with its like: other rules and thresholds call other containers changes.
func TestScopeHasWhatMessagesDependOn(t *testing.T) {
	var o options
	o.setDefaults()
	o.allNamespaces = true
	r := report.Report{Policy: recommender.DefaultPolicy()}
	if got, want := o.scope(nil, r), "all namespaces"; got != want {
		t.Errorf("scope = %q, want %q", got, want)
	}
	if err := o.view.flags().Set("min-change", "29%"); err != nil {
		t.Fatal(err)
	}
	if got, want := o.scope(nil, r), "all namespaces, changes of 29%, 10m and 16Mi"; got != want {
		t.Errorf("scope = %q, want %q", got, want)
	}
	rule, err := recommender.ParseRule("p90")
	if err != nil {
		t.Fatal(err)
	}
	r.Policy.Rules[recommender.CPU].Request = rule
	if got := o.scope(nil, r); !strings.Contains(got, "p90") {
		t.Errorf("scope = %q, want it to have the rule p90", got)
	}
}
