package recommender

import (
	"fmt"
	"math"
)

// The codes of the notes about LimitRanges that no guard leaves.
const (
	NoteOutsideLimitRange = "outside-limit-range"
	NoteLimitRangeDefault = "limit-range-default"
)

// demand is an amount that a LimitRange asks for, and which one. The zero demand is none.
type demand struct {
	Value
	by string
}

// demands are what all LimitRanges of a namespace together ask of one resource of a container.
type demands struct {
	min, max       demand // the strictest
	ratio          demand // of the limit to the request
	request, limit demand // what they fill in: the first does, as in admission
}

// demands are what the container's LimitRanges ask of a resource.
func (f Facts) demands(r Resource) (d demands) {
	for _, l := range f.Ranges {
		of := l.Of[r]
		d.min.stricter(of.Min, l.Name, func(a, b float64) bool { return a > b })
		d.max.stricter(of.Max, l.Name, func(a, b float64) bool { return a < b })
		if of.MaxRatio > 0 {
			d.ratio.stricter(Set(of.MaxRatio), l.Name, func(a, b float64) bool { return a < b })
		}
		never := func(float64, float64) bool { return false }
		d.request.stricter(of.DefaultRequest, l.Name, never)
		d.limit.stricter(of.DefaultLimit, l.Name, never)
	}
	return d
}

// stricter takes a value where it is set and there is none yet, or a less strict one.
func (d *demand) stricter(v Value, by string, than func(a, b float64) bool) {
	amount, ok := v.Amount()
	if held, holds := d.Amount(); ok && (!holds || than(amount, held)) {
		*d = demand{v, "LimitRange " + by}
	}
}

// admitted is what a pod's container has where a template declares b: the API server takes a limit for a request that is
// missing (SetDefaults_Pod), then LimitRanges fill in what is missing still (mergeContainerResources in its
// plug-in limitranger).
func (d demands) admitted(b Bounds) Bounds {
	if !b.Request.isSet() {
		b.Request = b.Limit
	}
	if !b.Request.isSet() {
		b.Request = d.request.Value
	}
	if !b.Limit.isSet() {
		b.Limit = d.limit.Value
	}
	return b
}

func (v Value) isSet() bool { return v.state == set }

// inForce is what the template would declare: the advice, or what it declares now where there is no advice.
func (j *judgement) inForce(r Resource) Bounds {
	return j.advice[r].Bounds.or(j.container.Spec[r])
}

// advises says that there is advice on a resource's request or on its limit.
func (j *judgement) advises(r Resource) bool {
	b := j.advice[r].Bounds
	return b.Request.IsAdvice() || b.Limit.IsAdvice()
}

// limitRange moves what is advised to where LimitRanges admit it. What is declared already and kept is not ours to
// move.
func limitRange(j *judgement) {
	for r := range NumResources {
		d := j.container.Facts.demands(r)
		if d == (demands{}) || !j.advises(r) {
			continue
		}
		b := &j.advice[r].Bounds
		j.clamp(r, "request", &b.Request, d)
		j.clamp(r, "limit", &b.Limit, d)
		j.replaceDefaultLimit(r, d)
		j.narrow(r, d)
		j.lowerRequest(r, d)
	}
}

// clamp moves a value that is set between the least and the most that are allowed, exactly: a round number above the
// most would be refused.
func (j *judgement) clamp(r Resource, side string, v *Value, d demands) {
	x, ok := v.Amount()
	if !ok {
		return
	}
	if least, demanded := d.min.Amount(); demanded && x < least {
		*v = Set(least)
		j.note(r, GuardLimitRange, "%s raised from %s to %s, the min of %s", side, r.Quantity(x), r.Quantity(least), d.min.by)
	}
	if most, demanded := d.max.Amount(); demanded && x > most {
		*v = Set(most)
		j.note(r, GuardLimitRange, "%s lowered from %s to %s, the max of %s%s", side, r.Quantity(x), r.Quantity(most), d.max.by, j.danger(r, side))
	}
}

// danger is what a lowered memory limit means where more than that was used, or the container was killed.
func (j *judgement) danger(r Resource, side string) string {
	limit, _ := j.advice[r].Bounds.Limit.Amount()
	used := j.history.Usage[Memory].highest()
	switch {
	case r != Memory || side != "limit":
		return ""
	case used > limit:
		return fmt.Sprintf(", though usage peaked at %s and would be killed there: raise that first", Memory.Approximate(used))
	case len(j.history.OOMKills) > 0:
		return ", though it was OOM killed: raise that first"
	}
	return ""
}

// replaceDefaultLimit sets a limit where none is advised, and the one that would be filled in is below the request,
// or some limit is asked for and none filled in. The highest that is allowed comes closest to none, and what was used
// is the least.
func (j *judgement) replaceDefaultLimit(r Resource, d demands) {
	b := &j.advice[r].Bounds
	now := d.admitted(j.inForce(r))
	request, requested := now.Request.Amount()
	limit, filled := now.Limit.Amount()
	var why string
	switch {
	case !b.Limit.IsUnset() || !requested:
		return
	case filled && limit < request:
		why = fmt.Sprintf("%s would fill in %s, which is below the request", d.limit.by, r.Quantity(limit))
	case !filled && d.ratio.isSet():
		why = fmt.Sprintf("%s allows at most %s x the request", d.ratio.by, plain(d.ratio.amount))
	default:
		return
	}
	to := max(request, j.highestUsed(r))
	if most, demanded := d.max.Amount(); demanded {
		to = most
	} else if ratio, demanded := d.ratio.Amount(); demanded {
		to = max(to, r.roundDown(request*ratio))
	}
	b.Limit = Set(to)
	j.note(r, GuardLimitRange, "limit set to %s: without one, %s%s", r.Quantity(to), why, j.danger(r, "limit"))
}

// highestUsed is the highest sample, rounded up; 0 where there is none.
func (j *judgement) highestUsed(r Resource) float64 {
	u := j.history.Usage[r]
	if u.Samples.Len() == 0 {
		return 0
	}
	return r.roundUp(Set(u.highest())).amount
}

// narrow brings the limit and the request closer where their ratio is too high. The request gives way, which costs
// something and endangers nothing; only one that is kept makes the limit do so.
func (j *judgement) narrow(r Resource, d demands) {
	ratio, demanded := d.ratio.Amount()
	b := &j.advice[r].Bounds
	now := d.admitted(j.inForce(r))
	request, requested := now.Request.Amount()
	limit, limited := now.Limit.Amount()
	if !demanded || !requested || !limited || within(limit, request, ratio) {
		return
	}
	switch {
	case b.Request.IsAdvice():
		to := min(r.roundUpTo(limit, ratio), limit)
		b.Request = Set(to)
		j.note(r, GuardLimitRange, "request raised from %s to %s: %s allows a limit of at most %s x the request", r.Quantity(request), r.Quantity(to), d.ratio.by, plain(ratio))
	case b.Limit.isSet():
		to := max(r.roundDown(request*ratio), request)
		b.Limit = Set(to)
		j.note(r, GuardLimitRange, "limit lowered from %s to %s: %s allows at most %s x the request, which is kept%s", r.Quantity(limit), r.Quantity(to), d.ratio.by, plain(ratio), j.danger(r, "limit"))
	}
}

// lowerRequest holds a request down to a limit that could not be moved.
func (j *judgement) lowerRequest(r Resource, d demands) {
	b := &j.advice[r].Bounds
	now := d.admitted(j.inForce(r))
	request, requested := now.Request.Amount()
	limit, limited := now.Limit.Amount()
	if requested && limited && request > limit && b.Request.isSet() {
		b.Request = Set(limit)
		j.note(r, GuardLimitRange, "request lowered from %s to the limit of %s", r.Quantity(request), r.Quantity(limit))
	}
}

// within says that a ratio holds as the API server compares it, in whole thousandths or bytes.
func within(limit, request, ratio float64) bool { return limit <= ratio*request*(1+roundingSlack) }

// roundUpTo is the least whole unit that limit is at most ratio times of.
func (r Resource) roundUpTo(limit, ratio float64) float64 {
	units := math.Ceil(limit / ratio * r.unitsPerOne() * (1 - roundingSlack))
	if limit > ratio*units/r.unitsPerOne()*(1+roundingSlack) {
		units++
	}
	return units / r.unitsPerOne()
}

// roundDown is the highest whole unit that is not above x.
func (r Resource) roundDown(x float64) float64 {
	return math.Floor(x*r.unitsPerOne()*(1+roundingSlack)) / r.unitsPerOne()
}

// plain is a ratio as it was written: "4", "1.5".
func plain(x float64) string { return trimZeros(fmt.Sprintf("%.3f", x)) }

// Refusal is why the LimitRanges of the namespace would refuse a container of a template that declares these bounds.
func (f Facts) Refusal(r Resource, b Bounds) (why string, refused bool) {
	return f.demands(r).refusal(r, b)
}

// refusal follows minConstraint, maxConstraint and limitRequestRatioConstraint of the API server's plug-in
// limitranger, and the validation of pods that comes after it.
func (d demands) refusal(r Resource, declared Bounds) (why string, refused bool) {
	now := d.admitted(declared)
	request, requested := now.Request.Amount()
	limit, limited := now.Limit.Amount()
	least, hasMin := d.min.Amount()
	most, hasMax := d.max.Amount()
	ratio, hasRatio := d.ratio.Amount()
	switch {
	case hasMin && !requested:
		return fmt.Sprintf("there is no request, which %s asks for", d.min.by), true
	case hasMin && request < least:
		return fmt.Sprintf("the request of %s is below %s, the min of %s", r.Quantity(request), r.Quantity(least), d.min.by), true
	case hasMin && limited && limit < least:
		return fmt.Sprintf("the limit of %s is below %s, the min of %s", r.Quantity(limit), r.Quantity(least), d.min.by), true
	case hasMax && !limited:
		return fmt.Sprintf("there is no limit, which %s asks for", d.max.by), true
	case hasMax && limit > most:
		return fmt.Sprintf("the limit of %s is above %s, the max of %s", r.Quantity(limit), r.Quantity(most), d.max.by), true
	case hasMax && requested && request > most:
		return fmt.Sprintf("the request of %s is above %s, the max of %s", r.Quantity(request), r.Quantity(most), d.max.by), true
	case hasRatio && (!requested || !limited || request == 0 || limit == 0):
		return fmt.Sprintf("a request or a limit is missing, of whose ratio %s allows at most %s", d.ratio.by, plain(ratio)), true
	case hasRatio && !within(limit, request, ratio):
		return fmt.Sprintf("the limit of %s is more than %s x the request of %s, the most that %s allows", r.Quantity(limit), plain(ratio), r.Quantity(request), d.ratio.by), true
	case !declared.Limit.isSet() && limited && requested && request > limit:
		return fmt.Sprintf("the request of %s is above the limit of %s that %s fills in", r.Quantity(request), r.Quantity(limit), d.limit.by), true
	}
	return "", false
}

// noteOutsideRange marks what LimitRanges would refuse, where no guard has put it right or could, and says what they
// fill in.
func (j *judgement) noteOutsideRange(r Resource) {
	d, now := j.container.Facts.demands(r), j.inForce(r)
	if why, refused := d.refusal(r, now); refused && j.advises(r) {
		j.note(r, NoteOutsideLimitRange, "%s: Kubernetes would refuse its pods", why)
		return
	}
	filled := d.admitted(now)
	if x, ok := filled.Request.Amount(); ok && !now.Request.isSet() && !now.Limit.isSet() {
		j.note(r, NoteLimitRangeDefault, "%s gives it a request of %s, since none is declared", d.request.by, r.Quantity(x))
	}
	if x, ok := filled.Limit.Amount(); ok && !now.Limit.isSet() {
		j.note(r, NoteLimitRangeDefault, "%s gives it a limit of %s, since none is declared", d.limit.by, r.Quantity(x))
	}
}
