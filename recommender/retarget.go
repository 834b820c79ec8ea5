package recommender

import (
	"fmt"
	"math"
	"slices"
)

// Retarget is another share for an autoscaler to keep to, so that it wants another pod at the same use as before,
// though what is requested changes.
type Retarget struct {
	Namespace, Kind, Workload string // what it scales
	Autoscaler
	To         int      // the share, in per cent of what will be requested
	Containers []string // whose request is to change with it, or not at all
}

// NoteRetargeted says that an autoscaler's target is to change with the request.
const NoteRetargeted = "retargeted"

// maxRounding is how far a whole number of per cents may move the point at which an autoscaler wants another pod.
const maxRounding = 0.01

// Retargets finds the new targets for the autoscalers of a workload, by the policy that Recommend was given HPARetarget
// in. Where a target cannot be moved the requests that it depends on stay as they are, as with HPAKeep.
func (t Template) Retargets() (all []Retarget) {
	for r := range NumResources {
		all = append(all, t.retargets(r)...)
	}
	return all
}

// retargets looks at autoscalers of single containers first: a request that they keep counts in the sum of the pod.
func (t Template) retargets(r Resource) (all []Retarget) {
	if len(t.Containers) == 0 {
		return nil
	}
	for _, whole := range []bool{false, true} {
		for _, a := range t.Containers[0].Facts.Autoscalers {
			if a.Resource != r || (a.Container == "") != whole || !t.moves(a) {
				continue
			}
			to, why := t.newShare(a)
			if why != "" {
				t.keep(a, why)
				all = slices.DeleteFunc(all, func(before Retarget) bool { return a.Container == "" || before.Container == a.Container })
				continue
			}
			all = append(all, t.retarget(a, to))
		}
	}
	for _, a := range all {
		t.noteRetarget(a)
	}
	return all
}

// under are the containers whose use an autoscaler holds against their request: of init containers it knows nothing.
func (t Template) under(a Autoscaler) []Container {
	if a.Container == "" {
		return t.lasting()
	}
	i := slices.IndexFunc(t.Containers, func(c Container) bool { return c.ID.Container == a.Container && !c.Init })
	if i < 0 {
		return nil
	}
	return t.Containers[i : i+1]
}

// advisedOf is what is recommended for the container; nil where nobody asked.
func (t Template) advisedOf(c Container) *Recommendation {
	i := slices.IndexFunc(t.Advised, func(rec *Recommendation) bool { return rec.ID == c.ID })
	if i < 0 {
		return nil
	}
	return t.Advised[i]
}

// moves says that a request is to change that the autoscaler depends on.
func (t Template) moves(a Autoscaler) bool {
	return slices.ContainsFunc(t.under(a), func(c Container) bool {
		rec := t.advisedOf(c)
		return rec != nil && rec.admitted(t.bounds(c, true))[a.Resource].Request != rec.admitted(c.Spec)[a.Resource].Request
	})
}

// newShare is the share at which the autoscaler wants another pod when as much is used as now, or why it cannot be
// moved: new share = old share x old requests / new requests.
func (t Template) newShare(a Autoscaler) (to int, why string) {
	var old, requested, limited float64
	bounded := true
	for _, c := range t.under(a) {
		before, b := c.admitted(c.Spec)[a.Resource], c.admitted(t.bounds(c, true))[a.Resource]
		was, declared := before.Request.Amount()
		is, stays := b.Request.Amount()
		limit, has := b.Limit.Amount()
		if !declared || !stays || was == 0 || is == 0 {
			return 0, fmt.Sprintf("container %s has no request of %s, without which it does not scale", c.ID.Container, a.Resource)
		}
		if rec := t.advisedOf(c); rec != nil && !c.Injected && rec.refusedBefore(a.Resource) {
			return 0, fmt.Sprintf("Kubernetes would refuse what is recommended for container %s", c.ID.Container)
		}
		old, requested, limited, bounded = old+was, requested+is, limited+limit, bounded && has
	}
	exact := float64(a.Percent) * old / requested
	share := math.Round(exact)
	switch point := share / 100 * requested; {
	case t.Containers[0].Pod[a.Resource].Request.isSet():
		return 0, "it scales on what the pod requests as a whole (spec.resources)"
	case a.Target.Path == "":
		return 0, "where its target is declared is not known"
	case math.Abs(share-exact) > maxRounding*exact || share < 1 || share > math.MaxInt32:
		return 0, fmt.Sprintf("its target would be %.2f%%, and a whole number is too far from that", exact)
	case bounded && point >= limited:
		return 0, fmt.Sprintf("it would scale at %s, which the limit of %s does not let be used", a.Resource.Approximate(point), a.Resource.Approximate(limited))
	}
	return int(share), ""
}

// refusedBefore says that no patch will be made of the advice, since its pods would be refused.
func (rec *Recommendation) refusedBefore(r Resource) bool {
	return slices.ContainsFunc(rec.Advice[r].Notes, func(n Note) bool {
		return n.Code == NoteRequestAboveLimit || n.Code == NoteOutsideLimitRange || n.Code == NoteOutsidePodResources
	}) || len(rec.missing(r)) > 0
}

// keep leaves the requests as they are that the autoscaler depends on.
func (t Template) keep(a Autoscaler, why string) {
	for _, c := range t.under(a) {
		rec := t.advisedOf(c)
		if rec == nil || rec.Kept == nil {
			continue
		}
		rec.Advice[a.Resource] = rec.Kept[a.Resource]
		rec.Advice[a.Resource].Notes = slices.Clone(rec.Advice[a.Resource].Notes)
		if slices.ContainsFunc(rec.Advice[a.Resource].Notes, func(n Note) bool { return n.Code == GuardAutoscaled }) {
			rec.note(a.Resource, GuardAutoscaled, "--hpa retarget cannot move %s: %s", a.Name, why)
		}
	}
}

func (t Template) retarget(a Autoscaler, to int) Retarget {
	id := t.Containers[0].ID
	out := Retarget{Namespace: id.Namespace, Kind: id.Kind, Workload: id.Workload, Autoscaler: a, To: to}
	for _, c := range t.under(a) {
		if rec := t.advisedOf(c); rec != nil && !c.Injected && rec.inForce(a.Resource).Request != rec.Spec[a.Resource].Request {
			out.Containers = append(out.Containers, c.ID.Container)
		}
	}
	return out
}

func (t Template) noteRetarget(a Retarget) {
	if a.To == a.Percent {
		return
	}
	for _, c := range t.under(a.Autoscaler) {
		if rec := t.advisedOf(c); slices.Contains(a.Containers, c.ID.Container) {
			rec.note(a.Resource, NoteRetargeted, "%s is to scale on %d%% instead of %d%% of the new request, so that it wants another pod at the same use: apply both together", a.Name, a.To, a.Percent)
		}
	}
}
