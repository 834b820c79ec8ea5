package recommender

import (
	"fmt"
	"strings"
)

// Facts are what is declared around a container and bears on what it may be given. The zero Facts are nothing.
type Facts struct {
	Ranges      []LimitRange // of its namespace, for containers, by name
	Autoscalers []Autoscaler // that scale its workload by the share used of what it requests
	Resizers    []Resizer    // that set its requests themselves
	Quotas      []Quota      // of its namespace, by name
	Nodes       []Room       // Largest of the cluster's nodes; nil where they are not known
}

// LimitRange is what one LimitRange demands of every container of its namespace.
type LimitRange struct {
	Name string
	Of   [NumResources]Range
}

// Range is what a LimitRange demands of one resource of a container, in its unit. What is not set demands nothing.
type Range struct {
	Min, Max Value

	// DefaultRequest and DefaultLimit are what admission fills in where a container has none.
	DefaultRequest, DefaultLimit Value

	MaxRatio float64 // of the limit to the request; 0 demands nothing
}

// Autoscaler scales a workload's pods by the share that they use of what they request of a resource, so that another
// request is another number of pods.
type Autoscaler struct {
	Name      string // as it is to be shown: "HorizontalPodAutoscaler web"
	Resource  Resource
	Container string // whose share it is; empty for that of all containers of the pod together
	Percent   int    // the share to keep to
	Target    Target // where that is declared
}

// Target is where an object declares the share that it scales on. It may not be known, and then has no Path.
type Target struct {
	APIVersion, Kind, Name string

	Path string // the JSON pointer to the share: /spec/metrics/0/resource/target/averageUtilization
	Text bool   // it is written as a text, as KEDA has it

	// Check and Is are where the object says what the share is of, for a patch to test that it still is; both are
	// empty where the path says so itself.
	Check, Is string
}

// Resizer is a VerticalPodAutoscaler that changes requests itself.
type Resizer struct {
	Name string // as it is to be shown: "VerticalPodAutoscaler web"
	Mode string // its updateMode
	Sets [NumResources]bool
}

// NoteVPA says that something else sets the requests of the container.
const NoteVPA = "vpa-conflict"

// noteResizers warns of advice that a VerticalPodAutoscaler would undo, or that would undo its own.
func (j *judgement) noteResizers(r Resource) {
	advised := j.advice[r].Bounds
	if !advised.Request.IsAdvice() && !advised.Limit.IsAdvice() {
		return
	}
	for _, v := range j.container.Facts.Resizers {
		if v.Sets[r] && !j.container.Init { // which VerticalPodAutoscalers leave alone
			j.note(r, NoteVPA, "%s sets the %s of its pods itself (updateMode %s): leave them to it, or set its updateMode to Off before you apply this", v.Name, r, v.Mode)
		}
	}
}

// autoscaled keeps a request that an autoscaler measures use against: half of it would be twice the pods.
func autoscaled(j *judgement) {
	if j.policy.HPA != HPAKeep {
		return
	}
	for r := range NumResources {
		if by := j.container.autoscalers(r); len(by) > 0 {
			j.keepRequest(r, by)
		}
	}
}

// autoscalers are those that act on the container's request, which of an init container none does, as "HorizontalPodAutoscaler web scales on 80% of it".
func (c Container) autoscalers(r Resource) (by []string) {
	for _, a := range c.Facts.Autoscalers {
		if !c.Init && a.Resource == r && (a.Container == "" || a.Container == c.ID.Container) {
			by = append(by, fmt.Sprintf("%s scales on %d%% of it", a.Name, a.Percent))
		}
	}
	return by
}

// keepRequest takes back the advice for the request, and with it for a limit that stands for the request. A limit that is
// to equal the request follows the one declared.
func (j *judgement) keepRequest(r Resource, by []string) {
	advised := &j.advice[r].Bounds
	if !advised.Request.IsAdvice() {
		return
	}
	const otherwise = "another request would be another number of pods (--hpa ignore)"
	why := strings.Join(by, ", and ")
	spec := j.container.Spec[r]
	kept, declared := spec.Request.Amount()
	if !declared {
		limit, limited := spec.Limit.Amount()
		j.withhold(r)
		if limited {
			j.note(r, GuardAutoscaled, "left as declared: the request is the limit of %s, since none is declared, and %s: %s", r.Quantity(limit), why, otherwise)
		} else {
			j.note(r, GuardAutoscaled, "no request is recommended, since none is declared and %s: choose one together with its target (--hpa ignore)", why)
		}
		return
	}
	formula := "no request"
	if x, ok := advised.Request.Amount(); ok {
		formula = r.Quantity(x)
	}
	advised.Request = NoAdvice()
	if j.policy.Rules[r].Limit.base == ruleRequest {
		advised.Limit = Set(kept)
	}
	j.note(r, GuardAutoscaled, "request left at %s instead of %s: %s, so that %s", r.Quantity(kept), formula, why, otherwise)
}

// HPAMode says what is done about a request that an autoscaler measures use against. The zero HPAMode is HPAKeep.
type HPAMode uint8

// The ways to treat autoscaled requests.
const (
	HPAKeep     HPAMode = iota // leave the request
	HPAIgnore                  // recommend one as if there were no autoscaler
	HPARetarget                // recommend one, and the share of it at which as many pods are wanted as before
)

// HPAModes are all modes, the default first.
func HPAModes() []HPAMode { return []HPAMode{HPAKeep, HPARetarget, HPAIgnore} }

// String is the mode as ParseHPAMode reads it.
func (m HPAMode) String() string {
	switch m {
	case HPAIgnore:
		return "ignore"
	case HPARetarget:
		return "retarget"
	default:
		return "keep"
	}
}

// ParseHPAMode reads "keep", "retarget" or "ignore".
func ParseHPAMode(s string) (HPAMode, error) {
	for _, m := range HPAModes() {
		if m.String() == s {
			return m, nil
		}
	}
	return 0, fmt.Errorf("want %s, %s or %s", HPAKeep, HPARetarget, HPAIgnore)
}
