package recommender

import (
	"fmt"
	"strings"
	"time"
)

// Policy is a named set of rules and guards, and the bounds that the guards keep.
type Policy struct {
	Name   string
	Rules  [NumResources]Rules
	Guards []Guard // in the order in which they act

	MinCoverage time.Duration         // of the window, below which too-little-data gives no advice
	MinRuns     int                   // of a Job, CronJob or init container, likewise
	Floor       [NumResources]float64 // cores and bytes, below which floor lets no value go
	Ceiling     [NumResources]float64 // cores and bytes, above which ceiling lets no value go; 0 is none

	HPA HPAMode // what autoscaled does

	Rule   string // of the policy file, that made the policy what it is; empty where none did
	Exempt string // why nothing is recommended; empty where something is
}

// DefaultPolicy is P50 requests and P99 x 1.2 limits for both resources, with every guard.
func DefaultPolicy() Policy {
	rules := Rules{
		Request: Rule{base: rulePercentile, percent: 50, factor: 1},
		Limit:   Rule{base: rulePercentile, percent: 99, factor: 1.2},
	}
	return Policy{
		Name:        "default",
		Rules:       [NumResources]Rules{CPU: rules, Memory: rules},
		Guards:      AllGuards(),
		MinCoverage: 24 * time.Hour,
		MinRuns:     3,
		Floor:       [NumResources]float64{CPU: 0.010, Memory: 16 << 20},
	}
}

// Policies are the policies that have a name, the default first.
func Policies() []Policy { return []Policy{DefaultPolicy(), SafePolicy()} }

// PolicyNamed is the policy of that name. The error lists the names that there are.
func PolicyNamed(name string) (Policy, error) {
	var names []string
	for _, p := range Policies() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Policy{}, fmt.Errorf("want %s", strings.Join(names, ", "))
}

// Validate says what in the policy cannot be carried out.
func (p Policy) Validate() error {
	for r := range NumResources {
		if p.Rules[r].Request.base == ruleRequest {
			return fmt.Errorf("the %s request cannot follow itself: the rule \"request\" is for limits", r)
		}
		if c := p.Ceiling[r]; c > 0 && c < p.Floor[r] && p.Has(GuardCeiling) {
			return fmt.Errorf("the %s ceiling of %s is below the floor of %s", r, r.Quantity(c), r.Quantity(p.Floor[r]))
		}
	}
	if p.HPA == HPARetarget && !p.Has(GuardAutoscaled) {
		return fmt.Errorf("--hpa retarget needs the guard %s, for what cannot be retargeted", GuardAutoscaled)
	}
	return nil
}

// Has says whether the policy has the guard of that name.
func (p Policy) Has(guard string) bool {
	for _, g := range p.Guards {
		if g.Name == guard {
			return true
		}
	}
	return false
}
