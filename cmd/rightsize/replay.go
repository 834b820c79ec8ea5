package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rightsize/rightsize/backtest"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// replayCluster judges what the flags and arguments select, one container at a time.
func (o *options) replayCluster(ctx context.Context, std streams, plan backtest.Plan, policies []backtest.Policy, args []string) (backtest.Report, error) {
	r := backtest.Report{Plan: plan, Policies: policies}
	if err := o.validate(args); err != nil {
		return r, err
	}
	policy, err := o.policy()
	if err != nil {
		return r, err
	}
	window, err := o.grid(policy, time.Now())
	if err != nil {
		return r, err
	}
	if window.Length < plan.Train+plan.Test/2 {
		return r, usagef("--window %s is shorter than --train %s and half of --test %s: make it longer, or one of them shorter",
			recommender.ShortDuration(window.Length), recommender.ShortDuration(plan.Train), recommender.ShortDuration(plan.Test))
	}
	usage, err := o.openUsage(std.scratch)
	if err != nil {
		return r, err
	}
	defer usage.close()
	selection, warnings, err := o.selectContainers(ctx, std, args)
	if warning, yes := usage.endedBefore(window); yes {
		warnings = append(warnings, warning)
	}
	for _, w := range warnings {
		std.log.warn(w)
	}
	if err != nil {
		return r, err
	}
	r.Source = fmt.Sprintf("%s of %s up to %s", recommender.ShortDuration(window.Length), usage.described.Address, window.Until.Format(time.RFC3339))
	plan.Start, plan.Until = window.Start(), window.Until
	read, err := read(ctx, std, usage, scan.Plan{
		Containers: selection.Containers, Declared: selection.Workloads, Window: window, Policy: policy, Workers: o.concurrency,
		Replay: func(t scan.Timeline) { r.Results = append(r.Results, replay(t, window, plan, policies)) },
	}, o.queryTimeout)
	if err != nil {
		return r, err
	}
	slices.SortFunc(r.Results, func(a, b backtest.Result) int { return cmp.Compare(a.Name, b.Name) })
	read.Unlisted = selection.Unlisted
	return r, incomplete(std, read)
}

// replay judges the policies on one container.
func replay(t scan.Timeline, window recommender.Window, plan backtest.Plan, policies []backtest.Policy) backtest.Result {
	if t.Container.RunsToCompletion() {
		// A run is judged by whether it finishes, and which of them a limit would have stopped says little about the next.
		return backtest.Result{Name: t.Container.ID.String(), Reason: "its pods are runs, which end by themselves", Scores: make([]backtest.Tallies, len(policies))}
	}
	c := backtest.Container{Name: t.Container.ID.String(), Declared: t.Container, Step: window.Step, OOMKills: t.OOMKills}
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
