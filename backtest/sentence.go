package backtest

import (
	"fmt"
	"slices"

	"github.com/rightsize/rightsize/recommender"
)

// HeldOut says in a line how often memory went above the limits of a policy in time that it had not learnt from, and
// whether there is anything to say: a policy that set no limit, or is not in the report, was not tried.
func (r Report) HeldOut(policy string) (text string, ok bool) {
	i := slices.IndexFunc(r.Policies, func(p Policy) bool { return p.Name == policy })
	if i < 0 {
		return "", false
	}
	var total Tally
	containers, hit := 0, 0
	for _, t := range r.tallies(i, recommender.Memory) {
		if t.Trials == 0 {
			continue
		}
		containers++
		if t.Breached > 0 {
			hit++
		}
		total = total.plus(t)
	}
	if containers == 0 {
		return "", false
	}
	return fmt.Sprintf("memory limits of %s, learnt from %s, would have been hit %s in the %s after it, in %d of %s", policy, recommender.ShortDuration(r.Plan.Train),
		recommender.Count(int(total.Breaches), "time"), recommender.ShortDuration(r.Plan.Test), hit, recommender.Count(containers, "container")), true
}

// inUse is the name of the policy in use: the first that is not what is declared.
func (r Report) inUse() string {
	for _, p := range r.Policies {
		if !p.Censored {
			return p.Name
		}
	}
	return ""
}
