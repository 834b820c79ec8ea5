package report

import (
	"strings"
	"testing"

	"github.com/rightsize/rightsize/backtest"
	"github.com/rightsize/rightsize/recommender"
)

// How the policy did is told where there is something to tell, and where memory is shown.
func TestHeldOutIsToldOnlyWhereItIsKnown(t *testing.T) {
	for name, tt := range map[string]struct {
		held     *backtest.OutOfSample
		hidden   recommender.Resource
		line, js bool
	}{
		"known":         {&backtest.OutOfSample{Policy: "default", Containers: 1}, recommender.CPU, true, true},
		"not tried":     {nil, recommender.CPU, false, false},
		"too few data":  {&backtest.OutOfSample{Policy: "default", Others: 4}, recommender.CPU, false, true},
		"memory hidden": {&backtest.OutOfSample{Policy: "default", Containers: 1}, recommender.Memory, false, false},
	} {
		r := sample()
		r.HeldOut, r.View.Hidden[tt.hidden] = tt.held, true
		for _, format := range []string{"table", "wide", "markdown"} {
			if got := strings.Contains(render(t, format, r, Options{}), "Held out: memory limits of default"); got != tt.line {
				t.Errorf("%s: %s tells of it: %v, want %v", name, format, got, tt.line)
			}
		}
		for _, format := range []string{"json", "yaml"} {
			if got := strings.Contains(render(t, format, r, Options{}), "heldOut"); got != tt.js {
				t.Errorf("%s: %s tells of it: %v, want %v", name, format, got, tt.js)
			}
		}
	}
}
