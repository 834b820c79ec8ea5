package report

import "github.com/rightsize/rightsize/recommender"

// heldOutText is a line on how the policy in use did in time that it had not learnt from; empty where nothing was tried, or
// nothing had enough data: few data would make a number that says more than anybody knows.
func (r Report) heldOutText() string {
	if r.HeldOut == nil || r.HeldOut.Containers == 0 || !r.View.Shows(recommender.Memory) {
		return ""
	}
	return "Held out: " + r.HeldOut.String()
}

// wireHeldOut is how the policy in use did in time that it had not learnt from.
type wireHeldOut struct {
	Train         string `json:"train"`
	Test          string `json:"test"`
	Containers    int    `json:"containers"`       // with enough data, and a memory limit
	Others        int    `json:"containersOthers"` // without
	ContainersHit int    `json:"containersHit"`    // of containers, that used more than their limit
	Hits          int    `json:"hits"`             // contiguous times above it
}

func heldOutToWire(r Report) *wireHeldOut {
	h := r.HeldOut
	if h == nil || !r.View.Shows(recommender.Memory) {
		return nil
	}
	return &wireHeldOut{recommender.ShortDuration(h.Train), recommender.ShortDuration(h.Test), h.Containers, h.Others, h.Hit, h.Hits}
}
