package patch

import (
	"fmt"
	"slices"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/workload"
)

// Plan is what to change so that the recommendations hold, in the report's order, and what is left as it is
// and why. A container without a recommendation, of which the report tells, is left as it is.
//
// A small change is made all the same where leaving it would keep a memory limit below what was used or
// above which it was OOM killed, a request above its limit, or what a LimitRange refuses.
func Plan(r report.Report, declared map[string][]workload.Workload, least recommender.Significance) (changes []Change, notes []string) {
	for _, item := range r.Items {
		if item.Err != nil {
			continue
		}
		c, ok := declaredAt(item.ID, declared)
		if !ok {
			notes = append(notes, fmt.Sprintf("%s is not patched: %s", item.ID, elsewhere(item)))
			continue
		}
		for _, res := range r.View.Resources() {
			values, note := choose(item, res, least)
			c.Values[res] = values
			if note != "" {
				notes = append(notes, fmt.Sprintf("%s: %s %s", item.ID, res, note))
			}
		}
		if c.none() {
			continue
		}
		changes = append(changes, c)
		if note := immutable(c.Workload); note != "" && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	return changes, notes
}

// elsewhere is why no template has the container's resources.
func elsewhere(item scan.Item) string {
	switch {
	case item.Injected:
		return "it is injected into the pods, and its note says what sizes it"
	case item.Owner != "":
		return fmt.Sprintf("%s has its resources: change them there", item.Owner)
	}
	return "it is not in the workload's template"
}

// immutable is what to do about workloads whose resources the API server does not let anybody apply anew.
func immutable(ref workload.Ref) string {
	switch ref.Kind {
	case "Pod", "Job":
		return fmt.Sprintf("%s: Kubernetes refuses other resources for a %s that is there already: delete it before the patch is applied", ref, ref.Kind)
	}
	return ""
}

// declaredAt is a change of the container that changes nothing yet.
func declaredAt(id recommender.ID, declared map[string][]workload.Workload) (Change, bool) {
	ref := workload.Ref{Namespace: id.Namespace, Kind: id.Kind, Name: id.Workload}
	for _, w := range declared[id.Namespace] {
		if w.Ref != ref {
			continue
		}
		i := slices.IndexFunc(w.Containers, func(c recommender.Container) bool { return c.ID.Container == id.Container })
		if i < 0 || i >= len(w.Slots) {
			continue // several objects of an operator go by one name
		}
		return Change{Workload: ref, Container: id.Container, Slot: w.Slots[i], APIVersion: w.APIVersion, Unqualified: w.Unqualified}, true
	}
	return Change{}, false
}

// choose is what to change of one resource, and why not where there is something to say.
func choose(item scan.Item, r recommender.Resource, least recommender.Significance) (values recommender.Bounds, note string) {
	advice, spec := item.Advice[r], item.Spec[r]
	all := recommender.Bounds{
		Request: different(r, advice.Bounds.Request, spec.Request),
		Limit:   different(r, advice.Bounds.Limit, spec.Limit),
	}
	if all == (recommender.Bounds{}) {
		return all, ""
	}
	for _, n := range advice.Notes {
		if slices.Contains([]string{recommender.NoteRequestAboveLimit, recommender.NoteOutsideLimitRange, recommender.NoteOutsideQuota, recommender.NoteOutsidePodResources}, n.Code) {
			return values, "is left as it is: Kubernetes would refuse what is recommended: " + n.Text
		}
	}
	values = all
	if !least.Reached(r, spec.Request, all.Request) {
		values.Request = recommender.NoAdvice()
	}
	inDanger := r == recommender.Memory && report.Endangered(item)
	if !least.Reached(r, spec.Limit, all.Limit) && !inDanger {
		values.Limit = recommender.NoAdvice()
	}
	if values != all && (inverted(values, spec) || refused(item, r, values)) {
		values = all
	}
	if values != (recommender.Bounds{}) && inverted(values, spec) {
		return recommender.Bounds{}, "is left as it is: its request would be above its limit"
	}
	return values, ""
}

// different is the advice where it would change the spec, and no advice where it would not.
func different(r recommender.Resource, advice, spec recommender.Value) recommender.Value {
	if !advice.IsAdvice() || same(r, advice, spec) {
		return recommender.NoAdvice()
	}
	return advice
}

// same says that both are set to what Kubernetes writes alike, or that neither is set.
func same(r recommender.Resource, a, b recommender.Value) bool {
	x, setX := a.Amount()
	y, setY := b.Amount()
	return setX == setY && r.Quantity(x) == r.Quantity(y)
}

// inverted says that the request would be above the limit once the values are set.
func inverted(values, spec recommender.Bounds) bool {
	request, requested := values.Request.Or(spec.Request).Amount()
	limit, limited := values.Limit.Or(spec.Limit).Amount()
	return requested && limited && request > limit
}

// refused says that LimitRanges would not admit what stands once the values are set.
func refused(item scan.Item, r recommender.Resource, values recommender.Bounds) bool {
	spec := item.Spec[r]
	_, yes := item.Facts.Refusal(r, recommender.Bounds{Request: values.Request.Or(spec.Request), Limit: values.Limit.Or(spec.Limit)})
	return yes
}
