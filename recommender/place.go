package recommender

import "fmt"

// SizedBy names the annotations of a pod's template by which what is injected into its pods is sized.
type SizedBy struct{ Request, Limit string }

// The codes of the notes about where a container comes from, and where its resources are to be changed.
const (
	NoteManaged             = "managed"
	NoteInjected            = "injected"
	NoteOutsidePodResources = "outside-pod-resources"
)

// notePlace says where the resource is to be changed, if not in the workload's template, and what the pod as a whole
// has no room for.
func (j *judgement) notePlace(r Resource) {
	advised := j.advice[r].Bounds
	if !advised.Request.IsAdvice() && !advised.Limit.IsAdvice() {
		return
	}
	c := j.container
	if why := c.outsidePod(r, advised); why != "" {
		j.note(r, NoteOutsidePodResources, "%s, which Kubernetes may refuse: the pod has resources of its own (spec.resources)", why)
	}
	by := c.SizedBy[r]
	switch {
	case c.Injected && by != SizedBy{}:
		j.note(r, NoteInjected, "injected into the pods, and sized by annotations of their template: %s and %s", by.Request, by.Limit)
	case c.Injected:
		j.note(r, NoteInjected, "injected into the pods, and sized by whatever injects it: it is not in their template")
	case c.Owner != "":
		j.note(r, NoteManaged, "belongs to %s, whose controller sets what it requests: change it there", c.Owner)
	}
}

// podResources keeps a container within what its pod declares as a whole. Kubernetes wants all requests together within
// the pod's, and each limit within the pod's (validatePodResources in pkg/apis/core/validation). What the other
// containers are advised is not known here, so that a request may only fall.
func podResources(j *judgement) {
	for r := range NumResources {
		b, spec := &j.advice[r].Bounds, j.container.Spec[r]
		before := *b
		b.Limit = atMost(b.Limit, j.container.Pod[r].Limit)
		if j.container.rises(r, *b) {
			b.Request = NoAdvice()
		}
		if j.container.rises(r, *b) || *b != before && above(b.or(spec)) {
			b.Limit = NoAdvice()
		}
		if *b != before && above(b.or(spec)) {
			b.Request = NoAdvice()
		}
		if *b != before {
			j.note(r, GuardPodResources, "the pod has resources of its own (spec.resources: %s), which its containers share: %s",
				describeBounds(r, j.container.Pod[r]), kept(r, before, *b))
		}
	}
}

// above says that the request is above the limit.
func above(b Bounds) bool {
	request, has := b.Request.Amount()
	limit, bounded := b.Limit.Amount()
	return has && bounded && request > limit
}

func atMost(v, most Value) Value {
	amount, ok := v.Amount()
	if bound, bounded := most.Amount(); ok && bounded && amount > bound {
		return most
	}
	return v
}

// rises says that the container would take more of what the pod requests than now. A limit without a request is one, and
// a pod's limit without a request bounds what its containers request together.
func (c Container) rises(r Resource, advised Bounds) bool {
	if pod := c.Pod[r]; !pod.Request.isSet() && !pod.Limit.isSet() {
		return false
	}
	requested := func(b Bounds) float64 {
		if b.Request.isSet() {
			return b.Request.amount
		}
		amount, _ := b.Limit.Amount()
		return amount
	}
	return requested(advised.or(c.Spec[r])) > requested(c.Spec[r])
}

// outsidePod is what the pod as a whole has no room for, or nothing.
func (c Container) outsidePod(r Resource, advised Bounds) string {
	most, bounded := c.Pod[r].Limit.Amount()
	limit, set := advised.Limit.Amount()
	switch {
	case bounded && set && limit > most:
		return fmt.Sprintf("the limit of %s is above the pod's of %s", r.Quantity(limit), r.Quantity(most))
	case c.rises(r, advised):
		return "the request takes more than now of the pod's"
	}
	return ""
}

// kept says what the guard did.
func kept(r Resource, before, after Bounds) (text string) {
	for _, side := range []struct {
		name     string
		from, to Value
	}{{"request", before.Request, after.Request}, {"limit", before.Limit, after.Limit}} {
		from, _ := side.from.Amount()
		to, set := side.to.Amount()
		switch {
		case side.from == side.to:
			continue
		case text != "":
			text += ", "
		}
		if set {
			text += fmt.Sprintf("%s lowered from %s to %s", side.name, r.Quantity(from), r.Quantity(to))
		} else {
			text += fmt.Sprintf("%s left as it is instead of %s", side.name, r.Quantity(from))
		}
	}
	return text
}

func describeBounds(r Resource, b Bounds) (text string) {
	for s := range numSides {
		if amount, ok := s.of(b).Amount(); ok {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%s.%s %s", s, r, r.Quantity(amount))
		}
	}
	return text
}

// whole is what the pod declares as a whole; ok is false where it declares nothing of the kind.
func (t Template) whole(r Resource, s side) (amount float64, ok bool) {
	if len(t.Containers) == 0 {
		return 0, false
	}
	return s.of(t.Containers[0].Pod[r]).Amount()
}
