package recommender

import (
	"math"
)

// Recommend applies the policy's rules to what was seen of a container, and its guards to what the rules
// gave, and notes what else was seen that bears on them. A resource without samples gets no advice, whatever its rules.
func Recommend(c Container, h History, p Policy) Recommendation {
	if p.Exempt != "" {
		return exempt(c, h, p)
	}
	rec := recommend(c, h, p)
	if p.HPA == HPARetarget && len(c.Facts.Autoscalers) > 0 {
		p.HPA = HPAKeep
		kept := recommend(c, h, p)
		rec.Kept = &kept.Advice
	}
	return rec
}

func recommend(c Container, h History, p Policy) Recommendation {
	j := judgement{container: c, history: h, policy: p}
	for r := range NumResources {
		j.applyRules(r)
	}
	for _, guard := range p.Guards {
		j.apply(guard)
	}
	for r := range NumResources {
		j.noteAdmitted(r)
		j.noteRefusal(r)
		j.noteOutsideRange(r)
		j.noteResizers(r)
		j.notePlace(r)
	}
	j.noteHeapFollows()
	for _, o := range observations() {
		o.look(&j)
	}
	return j.recommendation()
}

// apply has a guard act, and notes what it changed.
func (j *judgement) apply(guard Guard) {
	before := j.advice
	guard.act(j)
	for r := range NumResources {
		if from, to := before[r].Bounds, j.advice[r].Bounds; from != to {
			j.advice[r].Steps = append(j.advice[r].Steps, Step{guard.Name, from, to})
		}
	}
}

// recommendation is what the judgement came to, with what it rests on.
func (j *judgement) recommendation() Recommendation {
	h := j.history
	rec := Recommendation{
		Container: j.container, Advice: j.advice, OOMKills: h.OOMKills, Runs: h.Runs, Restarts: h.Restarts, Throttling: h.Throttling,
	}
	for r := range NumResources {
		rec.Evidence[r] = h.Usage[r].summarize()
	}
	return rec
}

// NoteExempt says why a container is left alone.
const NoteExempt = "exempt"

// exempt leaves the container alone: what was seen of it is shown, and nothing is made of it.
func exempt(c Container, h History, p Policy) Recommendation {
	j := judgement{container: c, history: h, policy: p}
	for r := range NumResources {
		j.note(r, NoteExempt, "left alone by the rule %s: %s", p.Rule, p.Exempt)
	}
	return j.recommendation()
}

func (j *judgement) applyRules(r Resource) {
	u := j.history.Usage[r]
	if r == CPU && j.history.RunsUnmeasured > 0 {
		j.note(r, NoteRunsTooShort, "%d of %s ended before Prometheus had scraped them twice, which a rate needs: scrape more often, or set cpu by hand",
			j.history.RunsUnmeasured, Count(j.history.Runs, "run"))
	}
	if u.Dropped > 0 {
		j.note(r, NoteDroppedSamples, "%s left out that were not finite numbers", Count(u.Dropped, "sample"))
	}
	if u.Samples.Len() == 0 {
		return
	}
	j.advice[r].Formula = j.policy.Rules[r].formula(r, u, j.container.Spec[r])
	j.advice[r].Bounds = j.advice[r].Formula
}

// NoteAdmitted says that what is declared now may be something else.
const NoteAdmitted = "as-admitted"

func (j *judgement) noteAdmitted(r Resource) {
	if why := j.container.Admitted[r]; why != "" {
		j.note(r, NoteAdmitted, "as admitted, not as declared: %s", why)
	}
}

// noteRefusal marks what Kubernetes would refuse, where no guard has put it right.
func (j *judgement) noteRefusal(r Resource) {
	if request, limit, above := j.requestAboveLimit(r); above {
		j.note(r, NoteRequestAboveLimit, "the request of %s is above the limit of %s, which Kubernetes refuses", r.Quantity(request), r.Quantity(limit))
	}
}

func (u Usage) summarize() Evidence {
	e := Evidence{Samples: u.Samples.Len(), Dropped: u.Dropped, Pods: u.Pods, Running: u.Running, Covered: u.Covered, Peak: u.Peak}
	if u.Samples.Len() == 0 {
		return e
	}
	e.Mean = u.Samples.Mean()
	for _, p := range []struct {
		to *float64
		q  float64
	}{{&e.P50, 0.50}, {&e.P90, 0.90}, {&e.P95, 0.95}, {&e.P99, 0.99}} {
		*p.to = u.Samples.Quantile(p.q)
	}
	e.Peak.Value = math.Max(e.Peak.Value, u.highest())
	return e
}

// CoverageBelow says that the window itself is shorter than the policy wants to see of it, so that no
// long-running container could get advice.
func (p Policy) CoverageBelow(w Window) bool {
	return p.Has(GuardTooLittleData) && w.Length < p.MinCoverage
}
