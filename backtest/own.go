package backtest

import (
	"slices"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// Current is what is declared. Its figures flatter it: usage was measured under these very limits and could not exceed
// them, so it is marked as censored wherever it is shown.
func Current() Policy {
	return Policy{
		Name:     "current",
		Doc:      "what is declared today; censored: usage could not exceed it",
		Censored: true,
		Advise:   func(t Training) Bounds { return t.Declared.Spec },
	}
}

// Safe is the recommender's policy of that name without its floors, which are left out of all policies of the
// comparison but the one in use.
func Safe() Policy {
	p := recommender.SafePolicy()
	p.Guards = slices.DeleteFunc(p.Guards, func(g recommender.Guard) bool { return g.Name == recommender.GuardFloor })
	return Of(p.Name, "the policy safe: "+rulesOf(p), p)
}

// Of is a policy of the recommender, under a name and with the sentence that explains it. What the recommender is told
// of the training is what it would have been told then, but that memory peaks are those of the grid.
func Of(name, doc string, p recommender.Policy) Policy {
	return Policy{Name: name, Doc: doc, Advise: func(t Training) Bounds {
		rec := recommender.Recommend(t.Declared, t.history(p.NeedsRecent()), p)
		var b Bounds
		for r := range recommender.NumResources {
			b[r] = rec.Advice[r].Bounds
		}
		return b
	}}
}

// history is the training as the recommender sees it: but for what each pod used, which notes rest on and no value does.
func (t Training) history(recent bool) recommender.History {
	h := recommender.History{OOMKills: t.OOMKills}
	var sorter recommender.Sorter
	for r := range recommender.NumResources {
		u := &h.Usage[r]
		if recent {
			u.Recent = new(recommender.Recent)
		}
		var samples [][]float64
		for _, p := range t.Pods {
			points := p.Usage[r]
			if len(points.Values) == 0 {
				continue
			}
			u.Pods++
			sorted := slices.Clone(points.Values)
			sorter.Sort(sorted)
			samples = append(samples, sorted)
			if recent {
				for i, v := range points.Values {
					u.Recent.Add(v, time.Duration(t.Until-points.Times[i])*time.Second)
				}
			}
			if v := slices.Max(points.Values); v > u.Peak.Value {
				at := points.Times[slices.Index(points.Values, v)]
				u.Peak = recommender.Peak{Value: v, Pod: p.Name, At: time.Unix(at, 0), Within: t.Step}
			}
		}
		u.Samples = recommender.Pool(samples...)
		u.Covered = t.covered(r)
	}
	return h
}
