package backtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// OutOfSample is how often memory went above the limits of a policy in time that it had not learnt from.
type OutOfSample struct {
	Policy      string
	Train, Test time.Duration

	Containers int // that set a limit and had enough data
	Others     int // that did not
	Hit        int // of Containers, with memory above the limit at some time
	Hits       int // contiguous times above it, of all of them, each of which would have been an OOM kill
}

// Add adds what came of the policy on one container. The zero Tally is of one without enough data.
func (h *OutOfSample) Add(memory Tally) {
	if memory.Trials == 0 {
		h.Others++
		return
	}
	h.Containers++
	h.Hits += int(memory.Breaches)
	if memory.Breached > 0 {
		h.Hit++
	}
}

// String is a sentence without its capital.
func (h OutOfSample) String() string {
	return fmt.Sprintf("memory limits of %s, learnt from %s, would have been hit %s in the %s after it, in %d of %s", h.Policy, recommender.ShortDuration(h.Train),
		recommender.Count(h.Hits, "time"), recommender.ShortDuration(h.Test), h.Hit, recommender.Count(h.Containers, "container"))
}

// HeldOut is what came of a policy, and whether there is anything to say: one that set no limit, or is not in the report,
// was not tried.
func (r Report) HeldOut(policy string) (h OutOfSample, ok bool) {
	i := slices.IndexFunc(r.Policies, func(p Policy) bool { return p.Name == policy })
	if i < 0 {
		return OutOfSample{}, false
	}
	h = OutOfSample{Policy: policy, Train: r.Plan.Train, Test: r.Plan.Test}
	for _, result := range r.Results {
		h.Add(result.Scores[i][recommender.Memory])
	}
	return h, h.Containers > 0
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
