package recommender

import "math"

// Significance says which changes are worth making. A change has to reach both thresholds: one of 50% is not
// worth a rollout where that is 2m, nor one of 100m where that is 1%.
type Significance struct {
	Share  float64               // of what is declared: 0.1 is 10%
	Amount [NumResources]float64 // in cores and bytes
}

// DefaultSignificance leaves changes below 10%, 10m or 16Mi alone: percentiles move by a few per cent every week.
func DefaultSignificance() Significance {
	return Significance{Share: 0.10, Amount: [NumResources]float64{CPU: 0.010, Memory: 16 << 20}}
}

// Reached says that what is recommended is worth making of what is declared. No advice never is; setting what
// was not set, and unsetting what was, always is.
func (s Significance) Reached(r Resource, declared, advice Value) bool {
	from, has := declared.Amount()
	to, stays := advice.Amount()
	switch {
	case !advice.IsAdvice():
		return false
	case has && stays:
		// A change of exactly the threshold counts: float arithmetic makes 0.11 - 0.1 a little less than 0.01.
		const slack = 1e-9
		by := math.Abs(to-from) * (1 + slack)
		return to != from && by >= s.Amount[r] && by >= s.Share*from
	default:
		return has != stays
	}
}
