package recommender

import (
	"fmt"
	"math"
	"time"
)

// observation looks for one thing that a reader of the advice should know, and changes nothing.
type observation struct {
	code string
	look func(*judgement)
}

// The codes of the notes that observations leave.
const (
	NoteNoLimits       = "no-limits"
	NoteLimitBelowPeak = "limit-below-peak"
	NoteThrottled      = "throttled"
	NotePodSkew        = "pod-skew"
	NoteLevelChange    = "level-change"
	NoteLeak           = "leak"
)

// observations are in the order in which their notes stand: the limits first, then whether the week is what it
// seems.
func observations() []observation {
	return []observation{
		{NoteNoLimits, noLimits},
		{NoteLimitBelowPeak, limitBelowPeak},
		{NoteThrottled, throttled},
		{NotePodSkew, podSkew},
		{NoteLevelChange, levelChange},
		{NoteLeak, leak},
	}
}

// Observations are the codes of the notes that change no value, in the order in which they stand.
func Observations() (codes []string) {
	for _, o := range observations() {
		codes = append(codes, o.code)
	}
	return codes
}

// noLimits has the same text for all, so that a report can say it once. A policy whose rule is none wants no limit.
func noLimits(j *judgement) {
	for r := range NumResources {
		seen := j.history.Usage[r].Samples.Len() > 0
		if seen && j.container.Spec[r].Limit.IsUnset() && j.policy.Rules[r].Limit.base != ruleNone {
			j.note(r, NoteNoLimits, "no limit is declared: nothing but its node stops the container")
		}
	}
}

// limitTolerance is by how much a measured peak may be above the limit that held it, as a share of that. A rate is
// extrapolated, and a quota of CPU is given out by 5 ms a core: both can add some per cent. Memory is counted exactly.
func limitTolerance(r Resource) float64 {
	if r == CPU {
		return 0.1
	}
	return 0
}

// limitBelowPeak compares with what is declared: no container can use more than the limit that it runs with, so it
// has been lowered since, or is about to be.
func limitBelowPeak(j *judgement) {
	for r := range NumResources {
		u := j.history.Usage[r]
		limit, ok := j.container.Spec[r].Limit.Amount()
		if !ok || u.Samples.Len() == 0 {
			continue
		}
		peak := u.Peak
		peak.Value = math.Max(peak.Value, u.highest())
		if peak.Value > limit*(1+limitTolerance(r)) {
			what := map[Resource]string{CPU: "would be throttled", Memory: "would be OOM killed"}[r]
			j.note(r, NoteLimitBelowPeak, "the declared limit of %s is below what was used: usage peaked at %s; at that limit it %s", r.Quantity(limit), r.DescribePeak(peak), what)
		}
	}
}

const (
	// throttledShare is the share of periods from which on throttling is noted. The alert CPUThrottlingHigh of
	// kubernetes-mixin wants 25 % of a quarter of an hour; a container that reaches that for ten hours of each
	// day has 10 % of the week.
	throttledShare = 0.10

	// throttledPeriods is how many periods make a share worth telling: ten minutes of them.
	throttledPeriods = 10 * 60 * 10
)

func throttled(j *judgement) {
	t := j.history.Throttling
	share, ok := t.Share()
	if !ok || share < throttledShare || t.Periods < throttledPeriods {
		return
	}
	text := fmt.Sprintf("%.0f%% of the CPU periods were throttled, so it wanted more CPU than was measured", 100*share)
	if limit, ok := j.container.Spec[CPU].Limit.Amount(); ok {
		text += ", at a limit declared as " + CPU.Quantity(limit)
	}
	if to, ok := j.advice[CPU].Bounds.Limit.Amount(); ok {
		text += "; the recommended " + CPU.Quantity(to) + " may be too low as well"
	}
	j.note(CPU, NoteThrottled, "%s", text)
}

const (
	// minPodTime is what must have been seen of a pod to compare it with others: a whole day, since usage follows
	// the time of day.
	minPodTime = 24 * time.Hour

	// minPodShare is how much of the time that the workload was seen for it must be. A pod that lived for longer
	// than 2 % of it in the busiest hours, as busy as its neighbours, has not got half of its samples among the
	// highest 1 %: these would be more than that.
	minPodShare = 0.05
)

// podSkew looks for pods whose usual usage is above the P99 of all: pooling has drowned them, and the limit is for
// the others. At most 2 % of the samples can be of such pods, so there are at least 50 times as many of all. Less
// than the floor between the two is not worth a word.
func podSkew(j *judgement) {
	if j.container.RunsToCompletion() {
		return
	}
	for r := range NumResources {
		u := j.history.Usage[r]
		if u.Samples.Len() == 0 {
			continue
		}
		p99, least := u.Samples.Quantile(0.99), max(minPodTime, time.Duration(minPodShare*float64(u.Covered)))
		var worst PodUsage
		var worstP50 float64
		above := 0
		for _, p := range j.history.Pods[r] {
			if p.Covered < least {
				continue
			}
			if p50 := p.Samples.Quantile(0.5); p50 > p99 && p50-p99 >= DefaultPolicy().Floor[r] {
				above++
				if p50 > worstP50 {
					worst, worstP50 = p, p50
				}
			}
		}
		if above > 0 {
			j.note(r, NotePodSkew, "%d of %s usually used more than the P99 of all, which is %s: the P50 of pod %s alone is %s",
				above, Count(len(j.history.Pods[r]), "pod"), r.Approximate(p99), worst.Pod, r.Approximate(worstP50))
		}
	}
}
