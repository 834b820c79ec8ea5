package recommender

import (
	"fmt"
	"math"
)

// ceiling lowers what is above the policy's ceiling. A memory limit below what the guards before it hold to be needed
// would kill the container, so such a limit is left as it is: somebody has to decide which of the two gives way.
func ceiling(j *judgement) {
	for r := range NumResources {
		most := j.policy.Ceiling[r]
		if most <= 0 {
			continue
		}
		b := &j.advice[r].Bounds
		if from, lowered := lower(r, &b.Request, most); lowered {
			j.note(r, GuardCeiling, "request lowered from %s to the ceiling of %s", r.Quantity(from), r.Quantity(most))
		}
		if _, set := b.Limit.Amount(); !set {
			continue
		}
		if needed, why := j.needed(); r == Memory && needed > most {
			b.Limit = NoAdvice()
			j.note(r, GuardCeiling, "the limit is left as it is: %s, which is above the ceiling of %s: raise the ceiling, or exempt the container", why, r.Quantity(most))
			continue
		}
		if from, lowered := lower(r, &b.Limit, most); lowered {
			j.note(r, GuardCeiling, "limit lowered from %s to the ceiling of %s", r.Quantity(from), r.Quantity(most))
		}
	}
}

// lower brings the value down to at most an amount, rounded down, and says whether it had to.
func lower(r Resource, v *Value, amount float64) (from float64, lowered bool) {
	old, ok := v.Amount()
	if !ok || old <= amount {
		return old, false
	}
	*v = Set(math.Floor(amount*r.unitsPerOne()*(1+roundingSlack)) / r.unitsPerOne())
	return old, true
}

// needed is the memory in bytes below which a limit is known to kill the container, as far as the policy's guards look
// at that, and why.
func (j *judgement) needed() (bytes float64, why string) {
	if u := j.history.Usage[Memory]; j.policy.Has(GuardObservedPeak) && u.Samples.Len() > 0 {
		bytes = u.highest()
		why = "usage peaked at " + Memory.Approximate(bytes)
	}
	if reached := highestLimit(j.history.OOMKills); j.policy.Has(GuardOOMKilled) && reached*oomMargin > bytes {
		bytes, why = reached*oomMargin, "it was OOM killed at a limit of "+Memory.Approximate(reached)
	}
	if h := j.container.Heap; j.policy.Has(GuardRuntimeHeap) && h.Bytes > bytes {
		bytes, why = h.Bytes, fmt.Sprintf("%s lets the heap take %s", h.By, Memory.Approximate(h.Bytes))
	}
	return bytes, why
}
