package backtest

import (
	"math"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// Side is what came of a request or of a limit over test time. Its sums are over points, each of which stands for one
// step of one pod, so that tallies add up. Points where nothing is set count nowhere.
type Side struct {
	Points float64 // points of usage held against it
	Set    float64 // sum of what was set
	Use    float64 // sum of what was used
	Above  float64 // points with usage above it
	Excess float64 // sum of usage above it

	// Amount is what was set for all pods, averaged over the folds' time: cores or bytes.
	Amount float64
}

// Tally is what came of one policy for one resource. Tallies add up over folds and containers.
type Tally struct {
	Request, Limit Side

	Trials   float64 // containers and folds with a limit
	Breached float64 // those of them in which usage went above it
	Breaches float64 // contiguous times above it
	PodDays  float64 // of the test, with a limit
	Folds    float64 // containers and folds
	Advised  float64 // those of them with a request or a limit
}

// breachGap parts two breaches of one pod where it was not measured for so long: it may have been killed and come back.
const breachGap = time.Hour

// judge adds a fold's test to the tally.
func (t *Tally) judge(r recommender.Resource, test Container, b recommender.Bounds, fold Fold) {
	t.Folds++
	span := float64(fold.Until-fold.Split) / test.Step.Seconds() // points of a pod that is there all the time
	request, hasRequest := b.Request.Amount()
	limit, hasLimit := b.Limit.Amount()
	if hasRequest || hasLimit {
		t.Advised++
	}
	before := t.Breaches
	for _, p := range test.Pods {
		points := p.Usage[r]
		if hasRequest {
			t.Request.add(points.Values, request, span)
		}
		if hasLimit {
			t.Limit.add(points.Values, limit, span)
			t.Breaches += breaches(points, limit, test.Step)
			t.PodDays += float64(len(points.Values)) * test.Step.Hours() / 24
		}
	}
	if hasLimit {
		t.Trials++
		if t.Breaches > before {
			t.Breached++
		}
	}
}

func (s *Side) add(values []float64, amount, span float64) {
	for _, v := range values {
		s.Use += v
		if v > amount {
			s.Above++
			s.Excess += v - amount
		}
	}
	n := float64(len(values))
	s.Points += n
	s.Set += n * amount
	s.Amount += n / span * amount
}

// breaches counts the contiguous times above the limit. Each would have been an OOM kill: one, however long it lasts,
// since what a killed container would have used next is not known.
func breaches(p Points, limit float64, step time.Duration) (n float64) {
	gap := int64(max(breachGap, 2*step) / time.Second)
	above := false
	for i, v := range p.Values {
		if above && p.Times[i]-p.Times[i-1] > gap {
			above = false
		}
		if v > limit && !above {
			n++
		}
		above = v > limit
	}
	return n
}

// plus is the sum of two tallies.
func (t Tally) plus(o Tally) Tally {
	t.Request, t.Limit = t.Request.plus(o.Request), t.Limit.plus(o.Limit)
	t.Trials += o.Trials
	t.Breached += o.Breached
	t.Breaches += o.Breaches
	t.PodDays += o.PodDays
	t.Folds += o.Folds
	t.Advised += o.Advised
	return t
}

func (s Side) plus(o Side) Side {
	s.Points += o.Points
	s.Set += o.Set
	s.Use += o.Use
	s.Above += o.Above
	s.Excess += o.Excess
	s.Amount += o.Amount
	return s
}

// ratio is a/b, and NaN where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}

// Cost is the mean amount set over the mean use: 1.2 is a fifth more than was used.
func (s Side) Cost() float64 { return ratio(s.Set, s.Use) }

// Slack is 1 - use/amount, the share that was set and not used: Autopilot's relative slack (Rzadca et al., EuroSys
// 2020, section 4.1.1). It is below 0 where more was used than was set.
func (s Side) Slack() float64 { return 1 - ratio(s.Use, s.Set) }

// AboveShare is the share of time with usage above the amount.
func (s Side) AboveShare() float64 { return ratio(s.Above, s.Points) }

// ExcessShare is the share of demand above the amount. Of a CPU limit it is a lower bound on what throttling would hold
// back: samples are means over minutes, and throttling acts on periods of 100 ms.
func (s Side) ExcessShare() float64 { return ratio(s.Excess, s.Use) }

// BreachedShare is the share of containers and folds in which usage went above the limit.
func (t Tally) BreachedShare() float64 { return ratio(t.Breached, t.Trials) }

// BreachesPerDay is how often usage went above the limit in a day of one pod.
func (t Tally) BreachesPerDay() float64 { return ratio(t.Breaches, t.PodDays) }
