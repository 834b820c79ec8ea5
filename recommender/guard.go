package recommender

import (
	"fmt"
	"slices"
	"strings"
)

// Guard is a check that comes after the rules and may change what they gave. It leaves a note, under its
// own name, that says what it did and why.
type Guard struct {
	Name string
	Doc  string // one sentence
	act  func(*judgement)
}

// The names of the guards, which are also the codes of their notes.
const (
	GuardTooLittleData      = "too-little-data"
	GuardAutoscaled         = "autoscaled"
	GuardObservedPeak       = "observed-peak"
	GuardOOMKilled          = "oom-killed"
	GuardRuntimeHeap        = "runtime-heap"
	GuardFloor              = "floor"
	GuardCeiling            = "ceiling"
	GuardRequestWithinLimit = "request-within-limit"
	GuardLimitRange         = "limit-range"
	GuardPodResources       = "pod-resources"
)

// The codes of the notes that no guard leaves.
const (
	NoteNoData            = "no-data"
	NoteRequestAboveLimit = "request-above-limit"
	NoteRunsTooShort      = "runs-shorter-than-two-scrapes"
	NoteDroppedSamples    = "dropped-samples"
)

// AllGuards are the guards in the order in which they act: first whether the data can be trusted, then
// what raises values, then what keeps the result acceptable to Kubernetes.
func AllGuards() []Guard {
	return []Guard{
		{GuardTooLittleData, "gives no advice for a container with less than --min-coverage of the window, or a Job, CronJob or init container with fewer than 3 runs", tooLittleData},
		{GuardAutoscaled, "keeps a request that a HorizontalPodAutoscaler measures use against (--hpa)", autoscaled},
		{GuardObservedPeak, "keeps a memory limit at or above the highest sample seen", observedPeak},
		{GuardOOMKilled, "keeps a memory limit at or above 1.2 x the limit at which the container was OOM killed", oomKilled},
		{GuardRuntimeHeap, "keeps a memory limit from dropping below what the settings of a JVM, Node.js or Go let it take", runtimeHeap},
		{GuardFloor, "keeps every value at or above 10m of CPU and 16Mi of memory, or what --config says", floor},
		{GuardCeiling, "keeps every value at or below what --config says, where it says so", ceiling},
		{GuardRequestWithinLimit, "keeps a request at or below its limit, which Kubernetes insists on", requestWithinLimit},
		{GuardLimitRange, "keeps every value within what the LimitRanges of the namespace allow", limitRange},
		{GuardPodResources, "keeps the containers of a pod with resources of its own (spec.resources) within these", podResources},
	}
}

// ParseGuards reads "all", "none" or names with commas between them; whatever their order, they act in
// that of AllGuards. Its error lists what is allowed.
func ParseGuards(text string) ([]Guard, error) {
	switch text {
	case "all":
		return AllGuards(), nil
	case "none":
		return nil, nil
	}
	want := strings.Split(text, ",")
	for i := range want {
		want[i] = strings.TrimSpace(want[i])
	}
	var guards []Guard
	var names []string
	for _, g := range AllGuards() {
		names = append(names, g.Name)
		if slices.Contains(want, g.Name) {
			guards = append(guards, g)
		}
	}
	for _, name := range want {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("%q is not a guard: want all, none, or some of %s", name, strings.Join(names, ","))
		}
	}
	return guards, nil
}

// judgement is one container on its way through the guards.
type judgement struct {
	container Container
	history   History
	policy    Policy
	advice    [NumResources]Advice
}

func (j *judgement) note(r Resource, code, format string, args ...any) {
	j.advice[r].Notes = append(j.advice[r].Notes, Note{code, fmt.Sprintf(format, args...)})
}

// withhold takes back the advice for a resource: its formula says nothing that can be trusted.
func (j *judgement) withhold(r Resource) { j.advice[r].Bounds = Bounds{} }

// raise lifts the value to at least amount, rounded up, and says whether it had to. A value that is not
// set stays as it is.
func raise(r Resource, v *Value, amount float64) (from float64, raised bool) {
	old, ok := v.Amount()
	to := r.roundUp(Set(amount))
	if !ok || old >= to.amount {
		return old, false
	}
	*v = to
	return old, true
}

func tooLittleData(j *judgement) {
	if j.container.RunsToCompletion() {
		tooFewRuns(j)
		return
	}
	for r := range NumResources {
		u := j.history.Usage[r]
		if u.Samples.Len() > 0 && u.Covered < j.policy.MinCoverage {
			j.withhold(r)
			j.note(r, GuardTooLittleData, "only %s of the window has samples and %s are needed: wait, or lower --min-coverage",
				ShortDuration(u.Covered), ShortDuration(j.policy.MinCoverage))
		}
	}
}

// tooFewRuns counts the runs that the resource was measured in: one may be long enough for a sample of
// memory and too short for a rate.
func tooFewRuns(j *judgement) {
	for r := range NumResources {
		runs, noun := j.history.Runs, "run"
		if r == CPU && j.history.RunsUnmeasured > 0 {
			runs, noun = runs-j.history.RunsUnmeasured, "measured run"
		}
		if j.history.Usage[r].Samples.Len() > 0 && runs < j.policy.MinRuns {
			j.withhold(r)
			j.note(r, GuardTooLittleData, "only %s in the window and %d are needed: wait, or read a longer --window", Count(runs, noun), j.policy.MinRuns)
		}
	}
}

func observedPeak(j *judgement) {
	u := j.history.Usage[Memory]
	if u.Samples.Len() == 0 {
		return
	}
	peak := u.Peak
	peak.Value = u.highest()
	if from, raised := raise(Memory, &j.advice[Memory].Bounds.Limit, peak.Value); raised {
		j.note(Memory, GuardObservedPeak, "limit raised from %s to %s: usage peaked at %s", Memory.Quantity(from),
			Memory.Quantity(j.advice[Memory].Bounds.Limit.amount), Memory.DescribePeak(peak))
	}
}

// oomMargin is how far above the limit that killed a container its new one must be: beyond that limit
// nobody knows what it would have used. 1.2 is the margin of the default limit over P99.
const oomMargin = 1.2

// oomKilled holds the limit against the one in force at the kill, never against the one declared today:
// that would raise the limit again at every run after a single kill.
func oomKilled(j *judgement) {
	kills := j.history.OOMKills
	if len(kills) == 0 {
		return
	}
	limit := &j.advice[Memory].Bounds.Limit
	reached, how := highestLimit(kills), "at a limit of "
	if reached == 0 {
		reached, how = j.history.Usage[Memory].highest(), "at a limit that was not recorded, after using "
	}
	killed := fmt.Sprintf("OOM killed %s %s%s, last at %s UTC", Count(len(kills), "time"), how,
		Memory.Approximate(reached), kills[len(kills)-1].At.UTC().Format("2006-01-02 15:04"))
	if from, raised := raise(Memory, limit, reached*oomMargin); raised {
		j.note(Memory, GuardOOMKilled, "%s: limit raised from %s to %s", killed, Memory.Quantity(from), Memory.Quantity(limit.amount))
		return
	}
	verdict := "the new limit is high enough"
	switch {
	case limit.IsUnset():
		verdict = "there will be no limit"
	case !limit.IsAdvice():
		verdict = "the limit is left as it is"
	}
	j.note(Memory, GuardOOMKilled, "%s: %s", killed, verdict)
}

// highestLimit is the highest limit in force at a kill, 0 where none is known.
func highestLimit(kills []OOMKill) float64 {
	var highest float64
	for _, k := range kills {
		highest = max(highest, k.Limit)
	}
	return highest
}

func floor(j *judgement) {
	for r := range NumResources {
		b := &j.advice[r].Bounds
		for _, side := range []struct {
			name  string
			value *Value
		}{{"request", &b.Request}, {"limit", &b.Limit}} {
			if from, raised := raise(r, side.value, j.policy.Floor[r]); raised {
				j.note(r, GuardFloor, "%s raised from %s to the floor of %s", side.name, r.Quantity(from), r.Quantity(side.value.amount))
			}
		}
	}
}

// requestWithinLimit compares what would be in force: the advice, or the spec where there is no advice. A
// limit that is advised gives way; one that is kept holds the request down, below the floor if need be,
// since the API server would refuse anything else.
func requestWithinLimit(j *judgement) {
	for r := range NumResources {
		b := &j.advice[r].Bounds
		request, limit, above := j.requestAboveLimit(r)
		switch {
		case !above:
		case b.Limit.IsAdvice():
			b.Limit = Set(request)
			j.note(r, GuardRequestWithinLimit, "limit raised from %s to the request of %s", r.Quantity(limit), r.Quantity(request))
		default:
			b.Request = Set(limit)
			j.note(r, GuardRequestWithinLimit, "request lowered from %s to the limit of %s, which is kept", r.Quantity(request), r.Quantity(limit))
		}
	}
}

// requestAboveLimit is the request and the limit that would be in force, and whether Kubernetes would
// refuse them. What is declared already, with no advice on either, is not ours to judge.
func (j *judgement) requestAboveLimit(r Resource) (request, limit float64, above bool) {
	advised, spec := j.advice[r].Bounds, j.container.Spec[r]
	if !advised.Request.IsAdvice() && !advised.Limit.IsAdvice() {
		return 0, 0, false
	}
	request, hasRequest := advised.Request.Or(spec.Request).Amount()
	limit, hasLimit := advised.Limit.Or(spec.Limit).Amount()
	return request, limit, hasRequest && hasLimit && request > limit
}
