package report

import (
	"fmt"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// Condition is what a gate refuses to pass. It judges one resource of one container.
type Condition struct {
	Name string
	Doc  string // one line

	// Share is how much of what is declared over-provisioned means; nil for the report's Least.
	Share *float64

	TakesShare bool
	holds      func(subject) (why string, yes bool)
}

// String is the condition as --fail-on takes it: "over-provisioned:50%".
func (c Condition) String() string {
	if c.Share == nil {
		return c.Name
	}
	return c.Name + ":" + share(*c.Share)
}

// The names of the conditions.
const (
	UnderProvisioned = "under-provisioned"
	NoLimits         = "no-limits"
	OverProvisioned  = "over-provisioned"
	WithoutData      = "no-data"
)

// Conditions are all that a gate can be closed by.
func Conditions() []Condition {
	return []Condition{
		{Name: UnderProvisioned, Doc: "a request or limit is to rise by --min-change, usage reached the memory limit, or it killed the container", holds: underProvisioned},
		{Name: NoLimits, Doc: "no limit is declared, and the policy has one", holds: noLimits},
		{Name: OverProvisioned, Doc: "the request could fall by that share of it, or by --min-change", TakesShare: true, holds: overProvisioned},
		{Name: WithoutData, Doc: "there is not one sample", holds: withoutData},
	}
}

// Gate is what a report was judged by, and what tripped it.
type Gate struct {
	Conditions []Condition
	Trips      []Trip // by condition, then in the order of the report's items
}

// Trip is one resource of one container that a condition holds for.
type Trip struct {
	Condition Condition
	ID        recommender.ID
	Resource  recommender.Resource
	Why       string // with the numbers
}

// Judge judges every item of the report, whatever part of them the view shows; but a resource that it hides is
// not looked at. What could not be read is an error of its own and trips nothing but no-limits, which needs no
// usage. Exempt containers trip nothing.
func (r Report) Judge(conditions []Condition) *Gate {
	g := &Gate{Conditions: conditions}
	for _, c := range conditions {
		least := r.Least
		if c.Share != nil {
			least.Share = *c.Share
		}
		for _, item := range r.Items {
			if item.Exempt() {
				continue
			}
			for _, res := range r.View.Resources() {
				if why, yes := c.holds(subject{item, res, r.PolicyOf(item), least}); yes {
					g.Trips = append(g.Trips, Trip{c, item.ID, res, why})
				}
			}
		}
	}
	return g
}

// Tripped are the trips of one condition.
func (g Gate) Tripped(c Condition) (trips []Trip) {
	for _, t := range g.Trips {
		if t.Condition.String() == c.String() {
			trips = append(trips, t)
		}
	}
	return trips
}

// Containers counts each container of the trips once.
func Containers(trips []Trip) int {
	seen := map[recommender.ID]bool{}
	for _, t := range trips {
		seen[t.ID] = true
	}
	return len(seen)
}

// subject is what a condition looks at.
type subject struct {
	item   scan.Item
	r      recommender.Resource
	policy recommender.Policy
	least  recommender.Significance
}

// underProvisioned begins with what has happened, which needs no advice: too little data to recommend anything
// are enough to see a kill.
func underProvisioned(s subject) (why string, yes bool) {
	if s.r == recommender.Memory {
		if why, yes = s.atLimit(); yes {
			return why, yes
		}
	}
	now, spec := Requested(s.item.Spec[s.r]), s.item.Spec[s.r]
	to := Requested(inForce(s.item, s.r))
	if why, yes = s.rises("request", now, to); yes {
		return why, yes
	}
	if _, limited := spec.Limit.Amount(); limited { // what has no limit is no-limits' business
		return s.rises("limit", spec.Limit, s.item.Advice[s.r].Bounds.Limit)
	}
	return "", false
}

// atLimit says that the memory limit of today was reached, or that the container was OOM killed at it. A limit
// that has been raised since the kill is not held against anybody: a gate that stays shut for a week after the
// repair would be switched off.
func (s subject) atLimit() (why string, yes bool) {
	limit, limited := s.item.Spec[s.r].Limit.Amount()
	evidence := s.item.Evidence[s.r]
	if !limited || s.item.Err != nil {
		return "", false
	}
	killedAt := 0.0
	for _, k := range s.item.OOMKills {
		killedAt = max(killedAt, k.Limit)
	}
	switch {
	case killedAt >= limit && killedAt > 0:
		return fmt.Sprintf("OOM killed %s at a limit of %s, and it is %s", recommender.Count(len(s.item.OOMKills), "time"),
			s.r.Approximate(killedAt), s.r.Quantity(limit)), true
	case evidence.Samples > 0 && evidence.Peak.Value >= limit:
		return fmt.Sprintf("usage peaked at %s, and the limit is %s", s.r.Approximate(evidence.Peak.Value), s.r.Quantity(limit)), true
	}
	return "", false
}

// rises says that an amount is to rise by enough. Nothing declared counts as 0, of which no share can be taken.
func (s subject) rises(what string, now, to recommender.Value) (why string, yes bool) {
	from, _ := now.Amount()
	after, advised := to.Amount()
	if !advised || after <= from || !s.least.Reached(s.r, recommender.Set(from), to) {
		return "", false
	}
	return fmt.Sprintf("%s %s, recommended %s", what, quantity(s.r, now), s.r.Quantity(after)), true
}

// noLimits is Kubernetes's own view: a LimitRange's defaults are in the pods, not in what is declared.
func noLimits(s subject) (why string, yes bool) {
	if !s.item.Spec[s.r].Limit.IsUnset() || s.policy.Rules[s.r].Limit.String() == "none" {
		return "", false
	}
	if to, ok := s.item.Advice[s.r].Bounds.Limit.Amount(); ok {
		return "no limit, recommended " + s.r.Quantity(to), true
	}
	return "no limit", true
}

// overProvisioned looks at requests alone: a limit reserves nothing.
func overProvisioned(s subject) (why string, yes bool) {
	now, to := Requested(s.item.Spec[s.r]), Requested(inForce(s.item, s.r))
	from, _ := now.Amount()
	after, advised := to.Amount()
	if !advised || after >= from || !s.least.Reached(s.r, now, to) {
		return "", false
	}
	return fmt.Sprintf("request %s, recommended %s (%s)", s.r.Quantity(from), s.r.Quantity(after), percent(from, after)), true
}

// withoutData is the report's no-data: not an error, and not too little. An init container is seen only where a pod
// starts.
func withoutData(s subject) (why string, yes bool) {
	if StatusOf(s.item, s.r) != NoData || s.item.Init {
		return "", false
	}
	for _, n := range s.item.Advice[s.r].Notes {
		if n.Code == recommender.NoteNoData || n.Code == recommender.NoteRunsTooShort {
			return n.Text, true
		}
	}
	return "no samples", true
}

// String is the trip without its condition: "shop/deployment/api/api memory: request 128Mi, recommended 256Mi".
func (t Trip) String() string {
	return fmt.Sprintf("%s %s: %s", t.ID, t.Resource, recommender.Printable(t.Why))
}
