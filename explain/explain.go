// Package explain shows one container: what it used and when, which rule gave what, which guard changed it, what days that
// were held out say of it, and the PromQL that gives the same numbers.
package explain

import (
	"github.com/rightsize/rightsize/backtest"
	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

// Explanation is all there is to say of one container. It is a plain value; the writers change nothing of it.
type Explanation struct {
	Report report.Report // of all that was asked for
	Item   scan.Item
	Usage  scan.Timeline // zero where it could not be read
	Trial  Trial

	Queries [recommender.NumResources][]Query
}

// Trial is how policies did on the container, in time that they had not learnt from.
type Trial struct {
	Plan     backtest.Plan
	Policies []backtest.Policy
	Result   backtest.Result
}

// Query is PromQL to paste.
type Query struct {
	Doc    string   // what it gives: "p50"
	PromQL string   // it says itself at what time
	Gives  *float64 // in cores or bytes, or a share; nil for what is to be drawn, and where it is not the very number
	Share  bool     // that what it gives is a share
}

// New explains an item of a report. translate makes of PromQL what the server understands; nil leaves it as it is.
func New(r report.Report, item scan.Item, usage scan.Timeline, trial Trial, translate func(string) (string, error)) (Explanation, error) {
	e := Explanation{Report: r, Item: item, Usage: usage, Trial: trial}
	for res := range recommender.NumResources {
		if item.Err != nil || item.Evidence[res].Samples == 0 {
			continue
		}
		e.Queries[res] = e.queries(res)
		for i := range e.Queries[res] {
			q := &e.Queries[res][i]
			if translate == nil {
				continue
			}
			var err error
			if q.PromQL, err = translate(q.PromQL); err != nil {
				return e, err
			}
		}
	}
	return e, nil
}

// policy is what the container is judged by.
func (e Explanation) policy() recommender.Policy { return e.Report.PolicyOf(e.Item) }

// pods are the names of those that used the resource.
func (e Explanation) pods(res recommender.Resource) (names []string) {
	for _, p := range e.Usage.Pods {
		if len(p.Points[res]) > 0 {
			names = append(names, p.Pod)
		}
	}
	return names
}

// queries are what to draw first, then what gives the numbers.
func (e Explanation) queries(res recommender.Resource) []Query {
	pods, name, x := e.pods(res), e.Item.ID.Container, e.Usage.Expressions
	all := []Query{{Doc: "what was used", PromQL: x.Usage(res, name, pods)}}
	exact := promquery.AllNamed(pods)
	if !e.Item.RunsToCompletion() {
		all = append(all, e.quantiles(res, pods, exact)...)
	}
	peak := Query{Doc: "max", PromQL: x.Peak(res, name, pods)}
	// A short run's CPU is not on the grid.
	if exact && (res == recommender.Memory || !e.Item.RunsToCompletion()) {
		peak.Gives = &e.Item.Evidence[res].Peak.Value
	}
	return append(all, peak)
}

// quantiles are those of the default rules. Quantiles of pods that ran at the same time are those of no series: the share of
// samples below each takes their place.
func (e Explanation) quantiles(res recommender.Resource, pods []string, exact bool) []Query {
	x, name, evidence := e.Usage.Expressions, e.Item.ID.Container, &e.Item.Evidence[res]
	apart := evidence.Covered == e.Report.Window.Step*timesOf(evidence.Samples)
	var all []Query
	for _, q := range []struct {
		doc string
		q   float64
		is  *float64
	}{{"p50", 0.5, &evidence.P50}, {"p99", 0.99, &evidence.P99}} {
		query := Query{Doc: q.doc, Gives: q.is}
		switch {
		case len(pods) == 1:
			query.PromQL = x.Quantile(q.q, res, name, pods)
		case apart:
			query.PromQL = x.Merged(q.q, res, name, pods)
		default:
			share := shareUpTo(e.Usage.History.Usage[res].Samples, *q.is)
			query.Doc, query.Share, query.Gives = "share up to "+q.doc, true, &share
			query.PromQL = x.Share(*q.is, res, name, pods)
			if x.Sampled() && res == recommender.Memory {
				query.Gives = nil // the report saw more samples than the grid has
			}
		}
		if !exact {
			query.Gives = nil
		}
		all = append(all, query)
	}
	return all
}
