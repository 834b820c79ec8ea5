package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rightsize/rightsize/backtest"
	"github.com/rightsize/rightsize/explain"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

const explainLong = `explain shows why a workload's containers get what is recommended for them, a screen for
each: what they used and when, next to requests and limits now and after; percentiles and
the peak; which rule gave what and which guard changed it; the notes; what days that were
held out say of the policy in use, of its peers and of what is declared; what scales or
bounds the workload; and the PromQL that gives the same numbers.

It is as wide as the terminal (COLUMNS), and puts memory and CPU next to each other from
150 columns on. Colours are for terminals, and for none with --no-color or NO_COLOR.`

const explainExample = `  rightsize explain deployment/api -n shop
  rightsize explain deployment/web -n shop -c app     # one container
  rightsize explain sts/db --tsdb snapshot/ -f manifests/ -o json
  rightsize explain deployment/api -n shop --policy safe | less`

// explainOptions are the flags that only explain has.
type explainOptions struct {
	json    bool
	noColor bool
}

func newExplain(std streams) *cobra.Command {
	o := options{log: std.log}
	var x explainOptions
	cmd := &cobra.Command{
		Use:     "explain KIND/NAME [-c CONTAINER]",
		Short:   "Show why a workload gets what is recommended for it",
		Long:    explainLong,
		Example: explainExample,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return x.run(cmd.Context(), &o, std, args)
		},
	}
	o.setDefaults()
	where := o.whereFlags()
	where.Lookup("container").Shorthand = "c"
	show := newFlagGroup("How to show it")
	show.VarP(value(&x.json, "FORMAT", parseExplainOutput, func(json bool) string {
		if json {
			return "json"
		}
		return "text"
	}), "output", "o", "text or json")
	show.BoolVar(&x.noColor, "no-color", false, "no colours, on a terminal either (NO_COLOR)")
	groups := []flagGroup{show, where, o.usageFlags(), o.ruleFlags(), o.timeFlags(), o.log.flags(), o.kubeFlags()}
	for _, g := range groups {
		cmd.Flags().AddFlagSet(g.FlagSet)
	}
	setUsage(cmd, groups)
	return cmd
}

func parseExplainOutput(s string) (json bool, err error) {
	if s != "text" && s != "json" {
		return false, errors.New("want text or json")
	}
	return s == "json", nil
}

// run prints the explanations. Nothing is written to std.out before they are whole.
func (x *explainOptions) run(ctx context.Context, o *options, std streams, args []string) error {
	if len(args) == 0 {
		return usagef("what is to be explained? Give a workload: rightsize explain deployment/api")
	}
	ctx, cancel := o.bounded(ctx)
	defer cancel()
	p, err := o.prepare(ctx, std, args)
	if err != nil {
		return err
	}
	defer p.usage.close()
	seen := seeAll(&p.plan)
	r, err := p.read(ctx, std, o.queryTimeout)
	if err != nil {
		return late(ctx, err)
	}
	r.Warnings, r.Unlisted = append(p.warnings, r.Warnings...), p.selection.Unlisted
	all, err := o.explanations(r, seen)
	if err != nil {
		return err
	}
	if err := x.write(std, r, all); err != nil {
		return err
	}
	return incomplete(std, r)
}

// sight is what was seen of a container, and what came of policies on it.
type sight struct {
	usage scan.Timeline
	trial explain.Trial
}

// seeAll has the plan's timelines kept and tried, by container. A week of one container takes some hundred kilobytes a pod.
func seeAll(plan *scan.Plan) map[recommender.ID]sight {
	seen := map[recommender.ID]sight{}
	folds := backtest.Plan{Train: heldOutTrain, Test: heldOutTest, MinTrain: plan.Policy.MinCoverage, Start: plan.Window.Start(), Until: plan.Window.Until}
	plan.Replay = func(t scan.Timeline) {
		inUse := plan.Policy
		if t.Item.Policy != nil {
			inUse = *t.Item.Policy
		}
		trial := explain.Trial{Plan: folds, Policies: tried(inUse)}
		trial.Result = replay(t, plan.Window, folds, trial.Policies, t.Item.Policy)
		seen[t.Item.ID] = sight{t, trial}
	}
	return seen
}

// tried are what is declared, the policy in use and the others that have a name.
func tried(inUse recommender.Policy) []backtest.Policy {
	policies := []backtest.Policy{backtest.Current(), backtest.Of(inUse.Name, "in use", inUse)}
	for _, p := range recommender.Policies() {
		if p.Name != inUse.Name {
			policies = append(policies, backtest.Of(p.Name, "the policy "+p.Name, p))
		}
	}
	return policies
}

// explanations are those of a report's containers, in its order.
func (o *options) explanations(r report.Report, seen map[recommender.ID]sight) ([]explain.Explanation, error) {
	d, err := o.backend.dialect()
	if err != nil {
		return nil, err
	}
	translate := d.Query
	if d.IsZero() {
		translate = nil
	}
	var all []explain.Explanation
	for _, item := range r.Items {
		s := seen[item.ID]
		e, err := explain.New(r, item, s.usage, s.trial, translate)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func (x *explainOptions) write(std streams, r report.Report, all []explain.Explanation) error {
	var text bytes.Buffer
	var err error
	if x.json {
		err = explain.WriteJSON(&text, r, all)
	} else {
		err = explain.Write(&text, all, explain.Options{Width: widthOf(std.out), Color: useColor(std.out) && !x.noColor})
	}
	if err == nil {
		_, err = std.out.Write(text.Bytes())
	}
	if err != nil {
		return fmt.Errorf("writing the explanation: %w", err)
	}
	return nil
}

const (
	// pipeWidth is what is taken where nobody knows how wide the output is shown.
	pipeWidth = 100

	// maxWidth is the widest that text is made for: lines that are longer are hard to follow.
	maxWidth = 240
)

// widthOf is how many columns text for w is made for.
func widthOf(w io.Writer) int {
	if n, ok := knownWidth(w); ok {
		return min(n, maxWidth)
	}
	return pipeWidth
}

// knownWidth is how many columns w shows: COLUMNS, where it is a number, or what the terminal says; 0 and false elsewhere.
func knownWidth(w io.Writer) (int, bool) {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n, true
	}
	f, ok := w.(interface{ Fd() uintptr })
	if !ok {
		return 0, false
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil || n <= 0 {
		return 0, false
	}
	return n, true
}
