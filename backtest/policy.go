package backtest

import (
	"fmt"
	"strings"

	"github.com/rightsize/rightsize/recommender"
)

// Policy is a way to get from usage to requests and limits.
type Policy struct {
	Name string
	Doc  string // one sentence: what it sets

	// Censored is of what was in force while usage was measured, which could not exceed it.
	Censored bool

	// Advise sees the training and nothing else. What it has no advice on is not judged.
	Advise func(Training) Bounds
}

// Policies are all policies that are compared: what is declared, the recommender's policy in use with its guards and
// bare, and those of others.
func Policies(inUse recommender.Policy) []Policy {
	bare := inUse
	bare.Guards = nil
	ours := []Policy{
		Current(),
		Of(inUse.Name, "the policy in use: "+rulesOf(inUse), inUse),
		Of(inUse.Name+"-bare", "the same without guards", bare),
	}
	safe := Safe()
	if inUse.Name == safe.Name {
		safe.Name += "-no-floor"
	}
	return append(ours, safe, KRR(), VPA(), Autopilot(), AutopilotMax())
}

func rulesOf(p recommender.Policy) string {
	var parts []string
	for r := range recommender.NumResources {
		parts = append(parts, fmt.Sprintf("%s request %s, limit %s", r, p.Rules[r].Request, p.Rules[r].Limit))
	}
	return strings.Join(parts, "; ")
}

// names lists the policies' names.
func names(policies []Policy) string {
	var list []string
	for _, p := range policies {
		list = append(list, p.Name)
	}
	return strings.Join(list, ", ")
}

// Choose is the policies of the names, in the order of all. Its error lists what there is.
func Choose(all []Policy, wanted []string) ([]Policy, error) {
	chosen := make(map[string]bool)
	for _, name := range wanted {
		chosen[strings.TrimSpace(name)] = true
	}
	var out []Policy
	for _, p := range all {
		if chosen[p.Name] {
			out = append(out, p)
			delete(chosen, p.Name)
		}
	}
	for _, name := range wanted {
		if chosen[strings.TrimSpace(name)] {
			return nil, fmt.Errorf("%q is not a policy: want some of %s", name, names(all))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("none is named: want some of %s", names(all))
	}
	return out, nil
}
