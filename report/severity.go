package report

import (
	"math"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// Worth is which of a resource's changes are worth making.
type Worth struct{ Request, Limit bool }

// WorthOf compares what is recommended with what is declared; a request that is not declared is what Kubernetes
// takes for it (Requested). An item with an error has no advice, so nothing is worth making of it.
func WorthOf(item scan.Item, r recommender.Resource, least recommender.Significance) Worth {
	spec, advice := item.Spec[r], item.Advice[r].Bounds
	return Worth{
		Request: least.Reached(r, Requested(spec), advice.Request),
		Limit:   least.Reached(r, spec.Limit, advice.Limit),
	}
}

// Endangered says that the container would be in danger under the memory limit that it has now: its limit is to
// rise, since it used more than that, or was OOM killed and the guard asks for more than the rule.
func Endangered(item scan.Item) bool {
	advice := item.Advice[recommender.Memory]
	limit, limited := item.Spec[recommender.Memory].Limit.Amount()
	to, _ := advice.Bounds.Limit.Amount()
	if !limited || to <= limit {
		return false
	}
	formula, _ := advice.Formula.Limit.Amount()
	killed := len(item.OOMKills) > 0 && to > formula
	return killed || item.Evidence[recommender.Memory].Peak.Value > limit
}

// maxSeverity is the severity of a container in danger. Nothing else reaches it.
const maxSeverity = 100

// Severity is how much a container's change of one resource matters, from 0, where it is not worth making, to
// 100, where it is endangered. In between it is the geometric mean of two shares, so that a change has to be
// great by both to be severe:
//
//	relative: the change / the greater of what is declared and recommended
//	absolute: x / (1 + x), where x = the change over all pods / (1 core or 4 GiB)
//
// 500 MiB off a request of 1 GiB is 23; off 64 GiB it would be 3, and is 0, being less than a tenth. A limit
// reserves nothing, so its change counts half; of the two, the greater one is taken.
func Severity(item scan.Item, r recommender.Resource, least recommender.Significance) float64 {
	if r == recommender.Memory && Endangered(item) {
		return maxSeverity
	}
	spec, advice, worth := item.Spec[r], item.Advice[r].Bounds, WorthOf(item, r, least)
	pods := max(Replicas(item), 1) // a CronJob's runs and a DaemonSet's pods that nobody counted are at least one
	var severity float64
	if worth.Request {
		severity = weigh(r, Requested(spec), advice.Request, pods)
	}
	if worth.Limit {
		severity = max(severity, weigh(r, spec.Limit, advice.Limit, pods)/2)
	}
	return severity
}

// wholeSeverity is how formats show it: 0 and 100 are kept for what they mean.
func wholeSeverity(s float64) int {
	if s <= 0 || s >= maxSeverity {
		return int(s)
	}
	return min(max(int(math.Round(s)), 1), maxSeverity-1)
}

// weigh is the severity of changing one value, where unset counts as nothing.
func weigh(r recommender.Resource, now, after recommender.Value, pods int) float64 {
	from, _ := now.Amount()
	to, _ := after.Amount()
	change := math.Abs(to - from)
	if change == 0 {
		return 0
	}
	x := change * float64(pods) / severityUnit(r)
	return maxSeverity * math.Sqrt(change/max(from, to)*(x/(1+x)))
}

// severityUnit is what counts as half of the greatest absolute change: a core, and the memory that goes with one
// on the usual nodes of clouds (4 GiB), so that both resources are measured alike.
func severityUnit(r recommender.Resource) float64 {
	if r == recommender.CPU {
		return 1
	}
	return 4 << 30
}
