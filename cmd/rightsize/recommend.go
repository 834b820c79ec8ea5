package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/workload"
)

// recommend prints the report. Nothing is written to std.out before the report is whole.
func (o *options) recommend(ctx context.Context, std streams, args []string) error {
	if err := o.slack.validate(args); err != nil {
		return err
	}
	if o.format.Name == kustomizeOutput && o.hpa == recommender.HPARetarget {
		return usagef("--hpa retarget: a strategic merge patch would replace an autoscaler's list of metrics: give rightsize patch --output-dir DIR instead of -o kustomize")
	}
	if o.plan {
		return o.printPlan(ctx, std, args)
	}
	r, selection, err := o.report(ctx, std, args)
	if err != nil {
		return err
	}
	return judged(std, r, o.deliver(ctx, std, args, r, selection))
}

// report is what the flags and arguments ask for, with what was selected for it. Its warnings have been said.
func (o *options) report(ctx context.Context, std streams, args []string) (report.Report, *workload.Selection, error) {
	ctx, cancel := o.bounded(ctx)
	defer cancel()
	p, err := o.prepare(ctx, std, args)
	if err != nil {
		return report.Report{}, nil, err
	}
	defer p.usage.close()
	r, err := o.finish(ctx, std, &p)
	return r, p.selection, err
}

// finish reads usage for what is prepared.
func (o *options) finish(ctx context.Context, std streams, p *prepared) (report.Report, error) {
	heldOut := o.holdOut(&p.plan)
	r, err := p.read(ctx, std, o.queryTimeout)
	r.HeldOut = heldOut
	r.Warnings, r.Unlisted = append(p.warnings, r.Warnings...), p.selection.Unlisted
	r.Least, r.View, r.Prices = o.view.min, o.view.view(), o.money.list()
	if len(o.gate) > 0 {
		r.Gate = r.Judge(o.gate)
	}
	return r, late(ctx, err)
}

// prepared is what a run is about, before any usage is read.
type prepared struct {
	usage     *usageSource // whoever has it closes it
	selection *workload.Selection
	plan      scan.Plan
	warnings  []string // which have been said
	note      string   // of how usage is read, once connected
}

// prepare opens what the flags name and lists what they ask for. Its warnings have been said.
func (o *options) prepare(ctx context.Context, std streams, args []string) (prepared, error) {
	if err := o.validate(args); err != nil {
		return prepared{}, err
	}
	policies, err := o.policies()
	if err != nil {
		return prepared{}, err
	}
	window, err := o.grid(policies.own, time.Now())
	if err != nil {
		return prepared{}, err
	}
	usage, err := o.openUsage(ctx, std)
	if err != nil {
		return prepared{}, err
	}
	selection, warnings, err := o.selectContainers(ctx, std, usage, window, args)
	if warning, yes := usage.endedBefore(window); yes {
		warnings = append(warnings, warning)
	}
	for _, w := range warnings {
		std.log.warn(w)
	}
	if err != nil {
		usage.close()
		return prepared{}, late(ctx, err)
	}
	plan := scan.Plan{
		Containers: selection.Containers, Declared: selection.Workloads, Owners: selection.Owners, Window: window,
		Policy: policies.own, Policies: policies.assign(std.log, selection), Workers: o.concurrency, Curves: o.format.Curves,
		Discreet: o.discreet, Dialect: o.backend.flags(),
	}
	return prepared{usage: usage, selection: selection, plan: plan, warnings: warnings}, nil
}

// connect asks the server something cheap first: one that cannot be reached is then said once, at once. Then it
// settles how usage is read.
func (p *prepared) connect(ctx context.Context, std streams, queryTimeout time.Duration) error {
	if len(p.plan.Containers) > 0 {
		err := p.usage.check(ctx, p.plan.Window.Until, queryTimeout)
		if err == nil {
			p.note, err = p.usage.choose(ctx, p.plan.Window.Until, queryTimeout)
		}
		if err != nil {
			return err
		}
	}
	p.plan.SampleInterval = p.usage.interval()
	std.log.info("reading usage", "containers", len(p.plan.Containers), "source", p.usage.described.Address, "until", p.plan.Window.Until.Format(time.RFC3339))
	return nil
}

// read runs the plan.
func (p *prepared) read(ctx context.Context, std streams, queryTimeout time.Duration) (report.Report, error) {
	if err := p.connect(ctx, std, queryTimeout); err != nil {
		return report.Report{}, err
	}
	progress := bar{w: std.err, on: isTerminal(std.err) && !std.log.json}
	result, err := scan.Run(ctx, p.usage.source, p.plan, progress.show)
	progress.clear()
	if err != nil {
		return report.Report{}, err
	}
	if p.note != "" {
		result.Warnings = append([]string{p.note}, result.Warnings...)
	}
	r := report.New(result, p.usage.described, p.plan.Window, p.plan.Policy)
	for _, w := range r.Warnings {
		std.log.warn(w)
	}
	return r, failures(std, r)
}

// failures is an error if nothing at all could be read; print says what is missing from the rest.
func failures(std streams, r report.Report) error {
	failed := r.Failures()
	if len(failed) == 0 || r.Succeeded() {
		return nil
	}
	for _, f := range failed[1:] {
		std.log.warn(f.Err.Error())
	}
	return failed[0].Err
}

func (o *options) print(std streams, r report.Report, selection *workload.Selection) error {
	if o.format.Name == kustomizeOutput {
		return o.writeKustomize(std, r, selection)
	}
	var text bytes.Buffer
	if err := o.format.Write(&text, r, report.Options{Color: useColor(std.out)}); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if _, err := std.out.Write(text.Bytes()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	std.log.info("report written", "containers", len(r.Items), "format", o.format.Name)
	return incomplete(std, r)
}

// incomplete is an error if the report lacks something, which it says.
func incomplete(std streams, r report.Report) error {
	for _, f := range r.Failures() {
		std.log.warn(fmt.Sprintf("no recommendation for %s: %v", recommender.Count(f.Containers, "container"), f.Err))
	}
	if lacks := r.Incomplete(); lacks != "" {
		return partialError{errors.New("the report is not complete: " + lacks)}
	}
	return nil
}

// selectContainers lists what is declared and picks what the command line asks for. Its warnings tell what
// could not be listed.
func (o *options) selectContainers(ctx context.Context, std streams, usage *usageSource, window recommender.Window, args []string) (*workload.Selection, []string, error) {
	inventory, namespaces, err := o.inventory(ctx, std, usage, window)
	if err != nil {
		return nil, nil, err
	}
	for _, h := range inventory.Hints {
		std.log.info(h)
	}
	selection, err := inventory.Select(workload.Selector{Namespaces: namespaces, Refs: args, Labels: o.selector, Containers: o.containers, System: o.system})
	var unknown *workload.UnknownKindError
	if errors.As(err, &unknown) {
		err = usageError{err}
	}
	if err != nil {
		return nil, inventory.Warnings, err
	}
	if n := len(selection.System); n > 0 {
		// Of no report: it holds each time, and is no reason for doubt.
		std.log.warn(fmt.Sprintf("%s of the system left out, such as %s/%s: name them or their namespace, or give --system",
			recommender.Count(n, "workload"), selection.System[0].Namespace, selection.System[0]))
	}
	if len(selection.Containers) == 0 {
		nothing := nothingSelected(namespaces, o.selector.String())
		if len(inventory.Unlisted) > 0 {
			nothing += " among what may be listed"
		}
		return selection, append(inventory.Warnings, nothing), nil
	}
	return selection, inventory.Warnings, nil
}

func nothingSelected(namespaces []string, labels string) string {
	where := "in any namespace"
	if len(namespaces) > 0 {
		where = "in namespace " + namespaces[0]
	}
	if labels != "" {
		where += " with labels " + labels
	}
	return "there are no workloads " + where
}
