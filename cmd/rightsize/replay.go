package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rightsize/rightsize/backtest"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

// replayCluster judges what the flags and arguments select, one container at a time.
func (b *backtestOptions) replayCluster(ctx context.Context, o *options, std streams, plan backtest.Plan, inUse *policies, args []string) (r backtest.Report, err error) {
	r.Plan = plan
	if r.Policies, err = b.compared(inUse.own); err != nil {
		return r, err
	}
	window, err := o.grid(inUse.own, time.Now())
	if err != nil {
		return r, err
	}
	if window.Length < plan.Train+plan.Test/2 {
		return r, usagef("--window %s is shorter than --train %s and half of --test %s: make it longer, or one of them shorter",
			recommender.ShortDuration(window.Length), recommender.ShortDuration(plan.Train), recommender.ShortDuration(plan.Test))
	}
	ctx, cancel := o.bounded(ctx)
	defer cancel()
	p, err := o.prepare(ctx, std, args)
	if err != nil {
		return r, err
	}
	defer p.usage.close()
	until := p.plan.Window.Until
	r.Source = fmt.Sprintf("%s of %s up to %s", recommender.ShortDuration(p.plan.Window.Length), p.usage.described.Address, until.Format(time.RFC3339))
	read, err := b.replayAll(ctx, std, &p, &r, o.queryTimeout)
	if err != nil {
		return r, late(ctx, err)
	}
	read.Unlisted = p.selection.Unlisted
	return r, incomplete(std, read)
}

// replayAll reads what the plan says, and adds what comes of each container to r. The report that it returns tells what
// could not be read.
func (b *backtestOptions) replayAll(ctx context.Context, std streams, p *prepared, r *backtest.Report, timeout time.Duration) (report.Report, error) {
	folds, plan := r.Plan, &p.plan
	folds.Start, folds.Until = plan.Window.Start(), plan.Window.Until
	plan.Replay = func(t scan.Timeline) {
		compared, own := r.Policies, plan.Policies[t.Container.ID]
		if own != nil {
			named := *own
			named.Name = plan.Policy.Name // under which all that is in use is shown, and chosen
			if chosen, err := b.compared(named); err == nil {
				compared = chosen
			}
		}
		r.Results = append(r.Results, replay(t, plan.Window, folds, compared, own))
	}
	read, err := p.read(ctx, std, timeout)
	slices.SortFunc(r.Results, func(a, b backtest.Result) int { return cmp.Compare(a.Name, b.Name) })
	return read, err
}

// replay judges the policies on one container.
func replay(t scan.Timeline, window recommender.Window, plan backtest.Plan, policies []backtest.Policy, own *recommender.Policy) backtest.Result {
	name := t.Container.ID.String()
	none := backtest.Result{Name: name, Scores: make([]backtest.Tallies, len(policies))}
	switch {
	case own != nil && own.Exempt != "":
		none.Reason = "left alone by the policy file: " + own.Exempt
		return none
	case t.Container.RunsToCompletion():
		// A run is judged by whether it finishes, and which of them a limit would have stopped says little about the next.
		none.Reason = "it runs to completion, and is not there all the time"
		return none
	}
	c := backtest.Container{Name: name, Declared: t.Container, Step: window.Step, OOMKills: t.OOMKills}
	for _, p := range t.Pods {
		pod := backtest.Pod{Name: p.Pod}
		for r := range recommender.NumResources {
			for _, k := range p.Points[r] {
				pod.Usage[r].Times = append(pod.Usage[r].Times, window.Time(k).Unix())
			}
			pod.Usage[r].Values = p.Values[r]
		}
		c.Pods = append(c.Pods, pod)
	}
	return plan.Run(c, policies)
}
