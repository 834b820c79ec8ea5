package backtest

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rightsize/rightsize/recommender"
)

// Report is what the policies came to on the containers of one source.
type Report struct {
	Source   string // the trace, or where usage was read from
	Plan     Plan
	Policies []Policy
	Results  []Result // in the order of reading
}

// Metric is one figure of a tally.
type Metric struct {
	Name string // in JSON
	Head string // of a table's column
	Doc  string // one sentence
	Unit Unit
	Of   func(Tally) float64 // NaN where there is nothing to tell
}

// Unit is how a figure is written.
type Unit uint8

// The units of figures.
const (
	Share  Unit = iota // of 1, below 0 too, written in per cent
	Part               // of tests, which are counted, written in per cent
	Factor             // of mean use
	Rate               // of times in 100 days of a pod
	Amount             // in the resource's unit
)

// Metrics are the figures of a resource, in the order of the table's columns.
func Metrics(r recommender.Resource) []Metric {
	limit := []Metric{
		{"timeAboveRequest", "TIME>REQ", "share of time with usage above the request", Share, func(t Tally) float64 { return t.Request.AboveShare() }},
		{"requestSlack", "REQ SLACK", "1 - use/request", Share, func(t Tally) float64 { return t.Request.Slack() }},
		{"limitSlack", "LIMIT SLACK", "1 - use/limit", Share, func(t Tally) float64 { return t.Limit.Slack() }},
		{"requestCost", "REQ/USE", "mean request over mean use", Factor, func(t Tally) float64 { return t.Request.Cost() }},
		{"limitCost", "LIMIT/USE", "mean limit over mean use", Factor, func(t Tally) float64 { return t.Limit.Cost() }},
		{"requested", "REQUESTED", "requested by all pods, on average", Amount, func(t Tally) float64 { return set(t.Request) }},
		{"limit", "LIMIT", "limit of all pods, on average", Amount, func(t Tally) float64 { return set(t.Limit) }},
	}
	if r == recommender.CPU {
		return append([]Metric{
			{"demandAboveRequest", "DEMAND>REQ", "share of demand above the request", Share, func(t Tally) float64 { return t.Request.ExcessShare() }},
			{"demandAboveLimit", "DEMAND>LIMIT", "share of demand above the limit, a lower bound on throttling", Share, func(t Tally) float64 { return t.Limit.ExcessShare() }},
		}, limit...)
	}
	return append([]Metric{
		{"breached", "BREACHED", "share of containers and tests with usage above the limit, which would have been an OOM kill", Part, Tally.BreachedShare},
		{"breachesPer100Days", "PER 100D", "times above the limit in 100 days of a pod", Rate, func(t Tally) float64 { return 100 * t.BreachesPerDay() }},
	}, limit...)
}

// set is the side's amount, and NaN where nothing is set.
func set(s Side) float64 {
	if s.Points == 0 {
		return math.NaN()
	}
	return s.Amount
}

// Estimate is a figure with its 95 % interval, which is of containers like these: they are drawn again and again, with
// replacement, and whole, so that folds of one container count as one.
type Estimate struct{ Value, Low, High float64 }

const (
	resamples = 1000

	// MinContainers is how many containers an interval needs. From fewer it would say more than anybody knows.
	MinContainers = 5
)

// Judged is how many containers have enough data of the resource.
func (r Report) Judged(res recommender.Resource) (n int) {
	for _, result := range r.Results {
		if result.Folds[res] > 0 {
			n++
		}
	}
	return n
}

// tallies are the policy's tallies of the containers that have enough data, each with its amounts averaged over folds.
func (r Report) tallies(policy int, res recommender.Resource) []Tally {
	var out []Tally
	for _, result := range r.Results {
		if result.Folds[res] == 0 {
			continue
		}
		t := result.Scores[policy][res]
		t.Request.Amount /= t.Folds
		t.Limit.Amount /= t.Folds
		out = append(out, t)
	}
	return out
}

// Estimates are the figures of one policy, in the order of Metrics.
func (r Report) Estimates(policy int, res recommender.Resource) []Estimate {
	metrics := Metrics(res)
	figures := func(t Tally) []float64 {
		values := make([]float64, len(metrics))
		for i, m := range metrics {
			values[i] = m.Of(t)
		}
		return values
	}
	tallies := r.tallies(policy, res)
	estimates := bootstrap(len(metrics), len(tallies), func(drawn []int) []float64 { return figures(sum(tallies, drawn)) })
	for k, m := range metrics {
		told := 0
		for _, t := range tallies {
			if !math.IsNaN(m.Of(t)) {
				told++
			}
		}
		estimates[k] = estimates[k].unseen(m, told)
	}
	return estimates
}

// unseen mends the interval of what was seen in none of n containers, or in all of them: draws of these differ by
// nothing, and would say that nothing else can be. Of counted tests it is the exact one (Clopper and Pearson 1934), as if
// all of a container's were one: up to 34 % of nine containers, 9 % of 38. Of anything else that was never seen there is none,
// since nobody knows how much of it there would be.
func (e Estimate) unseen(m Metric, n int) Estimate {
	if math.IsNaN(e.Low) || e.Value != 0 && e.Value != 1 {
		return e
	}
	const tail = 0.025
	room := 1 - math.Pow(tail, 1/float64(n))
	switch m.Unit {
	case Part:
		return Estimate{e.Value, math.Max(0, e.Value-room), math.Min(1, e.Value+room)}
	case Share, Rate:
		if e.Low == e.High {
			return Estimate{e.Value, math.NaN(), math.NaN()}
		}
	}
	return e
}

func sum(tallies []Tally, drawn []int) (total Tally) {
	for _, i := range drawn {
		total = total.plus(tallies[i])
	}
	return total
}

// bootstrap gives the figures of all n containers, and intervals from those of containers drawn again: the percentile
// method (Efron and Tibshirani 1993, chapter 13). It draws the same each time.
func bootstrap(figures, n int, of func(drawn []int) []float64) []Estimate {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	out := make([]Estimate, figures)
	for k, v := range of(all) {
		out[k] = Estimate{v, math.NaN(), math.NaN()}
	}
	if n < MinContainers {
		return out
	}
	samples := make([][]float64, figures)
	random := rand.New(rand.NewPCG(1, 1))
	drawn := make([]int, n)
	for range resamples {
		for i := range drawn {
			drawn[i] = random.IntN(n)
		}
		for k, v := range of(drawn) {
			if !math.IsNaN(v) {
				samples[k] = append(samples[k], v)
			}
		}
	}
	for k, s := range samples {
		slices.Sort(s)
		out[k].Low, out[k].High = recommender.Quantile(0.025, s), recommender.Quantile(0.975, s)
	}
	return out
}

// Comparison is one policy against another on the same containers: intervals are of pairs, and so much narrower than
// those of each alone.
type Comparison struct {
	Resource        recommender.Resource
	Policy, Against string
	Containers      int

	// Cost is that of the one over that of the other: of memory limits, or of CPU requests. Harm is that of the one less
	// that of the other: the breached share of memory, or the share of CPU demand above the request.
	Cost, Harm            Estimate
	OwnHarm, AgainstsHarm float64
	Better, Worse         int // containers with less harm by the one than by the other, and with more
}

// costOf is what a policy is compared by, together with harmOf.
func costOf(res recommender.Resource, t Tally) float64 {
	if res == recommender.CPU {
		return t.Request.Cost()
	}
	return t.Limit.Cost()
}

func harmOf(res recommender.Resource, t Tally) float64 {
	if res == recommender.CPU {
		return t.Request.ExcessShare()
	}
	return t.BreachedShare()
}

// Compare holds one policy against another, and says whether both are in the report and have figures.
func (r Report) Compare(res recommender.Resource, policy, against string) (Comparison, bool) {
	c := Comparison{Resource: res, Policy: policy, Against: against}
	index := func(name string) int {
		return slices.IndexFunc(r.Policies, func(p Policy) bool { return p.Name == name })
	}
	i, j := index(policy), index(against)
	if i < 0 || j < 0 {
		return c, false
	}
	ours, theirs := r.tallies(i, res), r.tallies(j, res)
	c.Containers = len(ours)
	estimates := bootstrap(2, c.Containers, func(drawn []int) []float64 {
		a, b := sum(ours, drawn), sum(theirs, drawn)
		return []float64{ratio(costOf(res, a), costOf(res, b)), harmOf(res, a) - harmOf(res, b)}
	})
	c.Cost, c.Harm = estimates[0], estimates[1]
	for k := range ours {
		switch a, b := harmOf(res, ours[k]), harmOf(res, theirs[k]); {
		case a < b:
			c.Better++
		case a > b:
			c.Worse++
		}
	}
	all := make([]int, len(ours))
	for k := range all {
		all[k] = k
	}
	c.OwnHarm, c.AgainstsHarm = harmOf(res, sum(ours, all)), harmOf(res, sum(theirs, all))
	return c, !math.IsNaN(c.Cost.Value)
}
