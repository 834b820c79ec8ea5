// Package backtest replays recommendations against usage that they did not see: policies learn from the first part
// of a history and are judged by the rest.
//
// It is pure as recommender is: no clock, and no input or output but the readers and writers that it is handed.
package backtest

import (
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// Points is what one pod used of one resource: values in cores or bytes, finite and not negative, at ascending times.
type Points struct {
	Times  []int64 // seconds since 1970
	Values []float64
}

// between is the part of p in (after, until].
func (p Points) between(after, until int64) Points {
	first := sort.Search(len(p.Times), func(i int) bool { return p.Times[i] > after })
	end := sort.Search(len(p.Times), func(i int) bool { return p.Times[i] > until })
	return Points{p.Times[first:end], p.Values[first:end]}
}

// Pod is what one pod used in one container.
type Pod struct {
	Name  string
	Usage [recommender.NumResources]Points
}

// Container is one container and the usage of all its pods.
type Container struct {
	Name     string                // of the report: "shop/deployment/web/app", or a trace's series
	Declared recommender.Container // its specs are no advice where nothing is declared, as in a trace
	Step     time.Duration         // time between the points of its grid
	Pods     []Pod
	OOMKills []recommender.OOMKill // in order of time
}

// between is the container as it was in (after, until].
func (c Container) between(after, until int64) Container {
	part := c
	part.Pods, part.OOMKills = nil, nil
	for _, p := range c.Pods {
		cut := Pod{Name: p.Name}
		for r := range recommender.NumResources {
			cut.Usage[r] = p.Usage[r].between(after, until)
		}
		part.Pods = append(part.Pods, cut)
	}
	for _, k := range c.OOMKills {
		if k.At.Unix() > after && k.At.Unix() <= until {
			part.OOMKills = append(part.OOMKills, k)
		}
	}
	return part
}

// span is the time from one step before the first point of any pod to the last one, and whether there is any point.
func (c Container) span() (after, until int64, ok bool) {
	for _, p := range c.Pods {
		for r := range recommender.NumResources {
			times := p.Usage[r].Times
			if len(times) == 0 {
				continue
			}
			first, last := times[0]-int64(c.Step/time.Second), times[len(times)-1]
			if !ok {
				after, until, ok = first, last, true
			}
			after, until = min(after, first), max(until, last)
		}
	}
	return after, until, ok
}

// covered is the time for which at least one pod has a point of the resource.
func (c Container) covered(r recommender.Resource) time.Duration {
	var times []int64
	for _, p := range c.Pods {
		times = union(times, p.Usage[r].Times)
	}
	return time.Duration(len(times)) * c.Step
}

// union is the times of two ascending lists, each once.
func union(a, b []int64) []int64 {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := make([]int64, 0, max(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		next := min(a[0], b[0])
		if a[0] == next {
			a = a[1:]
		}
		if b[0] == next {
			b = b[1:]
		}
		out = append(out, next)
	}
	return append(append(out, a...), b...)
}

// Plan is how a history is parted: Train, then Test, and again one Test later for as long as there is data.
type Plan struct {
	Train, Test time.Duration

	// MinTrain is how much of Train must have samples for a container to be judged; half of Test must have them too.
	MinTrain time.Duration

	// Start is where the first Train begins; zero is the first sample of each container. Until is where the last Test
	// ends at the latest; zero is its last sample.
	Start, Until time.Time
}

// Validate says what is wrong with the plan, in terms of the flags that set it.
func (p Plan) Validate() error {
	switch {
	case p.Train < time.Hour || p.Train%time.Second != 0:
		return fmt.Errorf("invalid --train %q: want whole seconds, at least 1h", recommender.ShortDuration(p.Train))
	case p.Test < time.Hour || p.Test%time.Second != 0:
		return fmt.Errorf("invalid --test %q: want whole seconds, at least 1h", recommender.ShortDuration(p.Test))
	case p.MinTrain > p.Train:
		return fmt.Errorf("--train %s is shorter than --min-coverage %s, so nothing could be learnt: make one longer or the other shorter",
			recommender.ShortDuration(p.Train), recommender.ShortDuration(p.MinTrain))
	}
	return nil
}

// Fold is one train and the test behind it: (After, Split] and (Split, Until], in seconds since 1970.
type Fold struct{ After, Split, Until int64 }

// errShort is of a history that is too short for a single fold.
var errShort = errors.New("its samples span less than --train and half of --test")

// folds are the folds that a container's data reach. The last may have half of a test, never less.
func (p Plan) folds(c Container) ([]Fold, error) {
	after, until, ok := c.span()
	if !ok {
		return nil, errors.New("it has no samples")
	}
	if !p.Start.IsZero() {
		after = p.Start.Unix()
	}
	if !p.Until.IsZero() {
		until = p.Until.Unix()
	}
	train, test := int64(p.Train/time.Second), int64(p.Test/time.Second)
	var folds []Fold
	for split := after + train; split+test/2 <= until; split += test {
		folds = append(folds, Fold{split - train, split, min(split+test, until)})
	}
	if len(folds) == 0 {
		return nil, errShort
	}
	return folds, nil
}

// Training is what a policy sees: a container in (After, Until], and nothing of what came later.
type Training struct {
	Container
	After, Until int64 // seconds since 1970
}

// Bounds are the requests and limits of all resources.
type Bounds [recommender.NumResources]recommender.Bounds

// Result is how the policies did on one container, over all its folds.
type Result struct {
	Name   string
	Folds  [recommender.NumResources]int // that had enough data
	Reason string                        // why there are none of any resource; empty where there is one
	Scores []Tallies                     // by policy, in the order of the policies
}

// Tallies are what came of one policy, by resource.
type Tallies [recommender.NumResources]Tally

// Run replays the policies on one container.
func (p Plan) Run(c Container, policies []Policy) Result {
	result := Result{Name: c.Name, Scores: make([]Tallies, len(policies))}
	folds, err := p.folds(c)
	if err != nil {
		result.Reason = err.Error()
		return result
	}
	for _, fold := range folds {
		p.judge(&result, c, fold, policies)
	}
	if result.Folds == [recommender.NumResources]int{} {
		result.Reason = fmt.Sprintf("no %s of its history has samples for %s, with half of the following %s",
			recommender.ShortDuration(p.Train), recommender.ShortDuration(p.MinTrain), recommender.ShortDuration(p.Test))
	}
	return result
}

// judge adds one fold to the result.
func (p Plan) judge(result *Result, c Container, fold Fold, policies []Policy) {
	train := Training{c.between(fold.After, fold.Split), fold.After, fold.Split}
	test := c.between(fold.Split, fold.Until)
	var enough [recommender.NumResources]bool
	for r := range recommender.NumResources {
		enough[r] = train.covered(r) >= max(p.MinTrain, c.Step) && 2*test.covered(r) >= p.Test
		if enough[r] {
			result.Folds[r]++
		}
	}
	if enough == [recommender.NumResources]bool{} {
		return
	}
	for i, policy := range policies {
		bounds := policy.Advise(train)
		for r := range recommender.NumResources {
			if enough[r] {
				result.Scores[i][r].judge(r, test, bounds[r], fold)
			}
		}
	}
}
