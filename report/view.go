package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// View is which containers of a report are shown, and in which order. Every format shows the same ones. It
// changes no number: totals count every container of the report, and so do Failures and the gate. The zero View
// shows everything.
type View struct {
	Hidden      [recommender.NumResources]bool // leaves a resource out of rows, totals and the gate: --only
	Sort        Order
	Top         int  // shows the first so many only; 0 for all
	Significant bool // shows only what is worth changing by Least, what is in danger, and errors
}

// Shows says that the resource is not hidden.
func (v View) Shows(r recommender.Resource) bool { return !v.Hidden[r] }

// Resources are those that are shown.
func (v View) Resources() (list []recommender.Resource) {
	for r := range recommender.NumResources {
		if v.Shows(r) {
			list = append(list, r)
		}
	}
	return list
}

// Order is what a report is sorted by. The zero Order is ByName.
type Order string

// The orders. All but the first begin with the greatest.
const (
	ByName     Order = "name"     // cluster, namespace, workload, kind, container
	BySeverity Order = "severity" // the greater one of the shown resources
	ByCPU      Order = "cpu"      // what all pods together would request more or less
	ByMemory   Order = "memory"
)

// Orders are all orders, the default first.
func Orders() []Order { return []Order{ByName, BySeverity, ByCPU, ByMemory} }

// Severity is the greatest one of an item's shown resources.
func (r Report) Severity(item scan.Item) (severity float64) {
	for _, res := range r.View.Resources() {
		severity = max(severity, Severity(item, res, r.Least))
	}
	return severity
}

// Shown are the items that the view shows, in its order. What has no advice has severity 0, so it comes last
// where the report is sorted by it; equals are in the order of their names.
func (r Report) Shown() []scan.Item {
	type ranked struct {
		item scan.Item
		rank float64
	}
	var list []ranked
	for _, item := range r.Items {
		if !r.View.Significant || item.Err != nil || r.Severity(item) > 0 {
			list = append(list, ranked{item, r.rank(item)})
		}
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Compare(b.rank, a.rank) })
	if top := r.View.Top; top > 0 && top < len(list) {
		list = list[:top]
	}
	items := make([]scan.Item, len(list))
	for i := range list {
		items[i] = list[i].item
	}
	return items
}

// rank is what the view sorts by, the greatest first; all are equal by name, since that is how they come.
func (r Report) rank(item scan.Item) float64 {
	switch r.View.Sort {
	case BySeverity:
		return r.Severity(item)
	case ByCPU:
		return math.Abs(r.RequestedMore(item, recommender.CPU))
	case ByMemory:
		return math.Abs(r.RequestedMore(item, recommender.Memory))
	default:
		return 0
	}
}

// RequestedMore is what all pods of an item would request on top, in cores or bytes; negative is saved. An init container
// requests nothing but what it takes more than the others of its pod together.
func (r Report) RequestedMore(item scan.Item, res recommender.Resource) float64 {
	if !item.Init {
		before, _ := Requested(item.Spec[res]).Amount()
		after, _ := Requested(inForce(item, res)).Amount()
		return (after - before) * float64(Replicas(item))
	}
	var pod []scan.Item
	for _, other := range r.Items {
		if !sameWorkload(other.ID, item.ID) {
			continue
		}
		if other.ID != item.ID {
			other.Advice[res].Bounds = recommender.Bounds{}
		}
		pod = append(pod, other)
	}
	var t Total
	t.add(pod, res)
	return t.After - t.Now
}

// inForce is what would hold once the advice is taken: where there is none, what is declared stays.
func inForce(item scan.Item, r recommender.Resource) recommender.Bounds {
	spec, advice := item.Spec[r], item.Advice[r].Bounds
	return recommender.Bounds{Request: advice.Request.Or(spec.Request), Limit: advice.Limit.Or(spec.Limit)}
}

// selection says what the view leaves out; empty where it is nothing. shown are its items.
func (r Report) selection(shown []scan.Item) string {
	resources := r.View.Resources()
	if len(shown) == len(r.Items) && len(resources) == int(recommender.NumResources) {
		return ""
	}
	text := fmt.Sprintf("%d of %s", len(shown), recommender.Count(len(r.Items), "container"))
	if by := r.View.Sort; by != "" && by != ByName {
		text += " by " + string(by)
	}
	var how []string
	if len(resources) == 1 {
		how = append(how, resources[0].String()+" only")
	}
	if r.View.Significant {
		how = append(how, "changes of "+describeLeast(r.Least, resources)+", dangers and errors")
	}
	if len(how) > 0 {
		text += ": " + strings.Join(how, ", ")
	}
	if n := r.withoutAdvice() - countWithoutAdvice(shown, resources); n > 0 {
		text += fmt.Sprintf("; of those left out, %d without advice", n)
	}
	return text
}

func (r Report) withoutAdvice() int { return countWithoutAdvice(r.Items, r.View.Resources()) }

// countWithoutAdvice counts the items that nothing is recommended for, for want of data or for an error.
func countWithoutAdvice(items []scan.Item, resources []recommender.Resource) (n int) {
	for _, item := range items {
		if !slices.ContainsFunc(resources, func(r recommender.Resource) bool { return StatusOf(item, r) == OK }) {
			n++
		}
	}
	return n
}

// describeLeast is "at least 10% and 10m or 16Mi".
func describeLeast(s recommender.Significance, resources []recommender.Resource) string {
	var amounts []string
	for _, r := range resources {
		amounts = append(amounts, r.Quantity(s.Amount[r]))
	}
	return fmt.Sprintf("at least %s and %s", share(s.Share), strings.Join(amounts, " or "))
}

// share is "10%", to four digits, so that 0.29 is not 28.999999999999996.
func share(x float64) string { return fmt.Sprintf("%.4g%%", x*100) }
