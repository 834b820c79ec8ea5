package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rightsize/rightsize/backtest"
	"github.com/rightsize/rightsize/recommender"
)

const backtestLong = `backtest replays recommendations against usage that they did not see. Each policy learns
from the first part of a container's history (--train), is held against what came next
(--test), and again --test later for as long as there is data. Compared are what is
declared now, the policy in use (--policy and the rules) with its guards and without, and
what KRR, the VerticalPodAutoscaler and Autopilot would have set.

Usage comes from where the report's comes from, over --window; or with --trace from a CSV
file, gzip'd or not, with the columns ` + backtest.TraceColumns + `,
sorted by series and time, empty where nothing was measured.

Intervals are of 95 %, for containers like these. docs/quality.md explains every figure.`

const backtestExample = `  rightsize backtest -n shop --window 14d              # the policy in use and its peers
  rightsize backtest -n shop deployment/api -o json
  rightsize backtest -n shop --memory-limit 'max*1.15' # what another rule would have done
  rightsize backtest --trace jobs.csv.gz --plot slack.svg`

// backtestOptions are the flags of backtest.
type backtestOptions struct {
	train, test time.Duration
	traces      []string
	half        backtest.Half
	dropSpikes  bool
	policies    []string
	output      string
	plot        string

	elsewhere []flagGroup // flags that say where usage comes from, none of which a trace has a use for
}

func newBacktest(std streams) *cobra.Command {
	o := options{log: std.log}
	b := backtestOptions{train: 5 * 24 * time.Hour, test: 2 * 24 * time.Hour, half: backtest.All, output: "table"}
	cmd := &cobra.Command{
		Use:     "backtest [KIND/NAME ...] [--trace FILE]",
		Short:   "Hold recommendations against usage that they did not see",
		Long:    backtestLong,
		Example: backtestExample,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return b.run(cmd.Context(), &o, std, args)
		},
	}
	o.setDefaults()
	b.elsewhere = []flagGroup{o.whereFlags(), o.usageFlags(), o.timeFlags(), o.kubeFlags()}
	groups := []flagGroup{b.flags(), b.elsewhere[0], b.elsewhere[1], o.ruleFlags(), b.elsewhere[2], o.log.flags(), b.elsewhere[3]}
	for _, g := range groups {
		cmd.Flags().AddFlagSet(g.FlagSet)
	}
	setUsage(cmd, groups)
	return cmd
}

func (b *backtestOptions) flags() flagGroup {
	what := newFlagGroup("What to hold against what")
	what.Var(duration(&b.train), "train", "how much of the history policies learn from")
	what.Var(duration(&b.test), "test", "how much of what came next they are held against")
	what.StringArrayVar(&b.traces, "trace", nil, "read usage from a CSV `FILE` with the columns "+backtest.TraceColumns+", gzip'd or not; may be repeated")
	what.StringSliceVar(&b.policies, "policies", nil, "only these `NAMES` of current, the policy in use, the same with -bare, "+strings.Join(peers(), ", "))
	what.Var(value(&b.half, "HALF", backtest.ParseHalf, func(h backtest.Half) string { return string(h) }), "half", "all, or the half of the containers that policies are developed on (development), or the other (held-out)")
	what.BoolVar(&b.dropSpikes, "drop-spikes", false, "leave out samples at which memory is 1.5 times as high as just before and after: tasks that a trace counted twice")
	what.VarP(value(&b.output, "FORMAT", parseBacktestOutput, func(s string) string { return s }), "output", "o", "table or json")
	what.StringVar(&b.plot, "plot", "", "also draw slack against harm into an SVG `FILE`")
	return what
}

// peers are the policies that are the same whatever is in use.
func peers() (names []string) {
	for _, p := range backtest.Policies(recommender.DefaultPolicy())[3:] {
		names = append(names, p.Name)
	}
	return names
}

func parseBacktestOutput(s string) (string, error) {
	if s == "table" || s == "json" {
		return s, nil
	}
	return "", errors.New("want table or json")
}

// run prints the comparison. Nothing is written to std.out before it is whole.
func (b *backtestOptions) run(ctx context.Context, o *options, std streams, args []string) error {
	if err := b.validate(args); err != nil {
		return err
	}
	inUse, err := o.policies()
	if err != nil {
		return err
	}
	policies, err := b.compared(inUse.own)
	if err != nil {
		return err
	}
	plan := backtest.Plan{Train: b.train, Test: b.test, MinTrain: inUse.own.MinCoverage}
	if err := plan.Validate(); err != nil {
		return usageError{err}
	}
	reports, err := b.reports(ctx, o, std, plan, inUse, args)
	var partial partialError
	if err != nil && !errors.As(err, &partial) {
		return err
	}
	if failed := b.write(std, plan, policies, reports); failed != nil {
		return failed
	}
	return err
}

// compared are the policies that are asked for, with what is in use.
func (b *backtestOptions) compared(inUse recommender.Policy) ([]backtest.Policy, error) {
	all := backtest.Policies(inUse)
	if b.policies == nil {
		return all, nil
	}
	chosen, err := backtest.Choose(all, b.policies)
	if err != nil {
		return nil, usagef("invalid --policies: %w", err)
	}
	if len(b.traces) > 0 && !slices.ContainsFunc(chosen, func(p backtest.Policy) bool { return !p.Censored }) {
		return nil, usagef("invalid --policies %q: it is what is declared, and a trace declares nothing", chosen[0].Name)
	}
	return chosen, nil
}

// validate looks at what no flag can check by itself.
func (b *backtestOptions) validate(args []string) error {
	if len(b.traces) == 0 {
		if b.dropSpikes {
			return usagef("--drop-spikes goes with --trace: what Prometheus saw of a container did happen")
		}
		if b.half != backtest.All {
			return usagef("--half goes with --trace: of a cluster choose workloads by name or label")
		}
		return nil
	}
	if len(args) > 0 {
		return usagef("--trace takes no workloads: %q", args[0])
	}
	var given []string
	for _, g := range b.elsewhere {
		g.VisitAll(func(f *pflag.Flag) {
			if f.Changed {
				given = append(given, f.Name)
			}
		})
	}
	if len(given) > 0 {
		return usagef("--%s and --trace exclude each other: a trace has its own containers and times", given[0])
	}
	return nil
}

func (b *backtestOptions) reports(ctx context.Context, o *options, std streams, plan backtest.Plan, inUse *policies, args []string) ([]backtest.Report, error) {
	if len(b.traces) == 0 {
		r, err := b.replayCluster(ctx, o, std, plan, inUse, args)
		return []backtest.Report{r}, err
	}
	policies, err := b.compared(inUse.own)
	if err != nil {
		return nil, err
	}
	var reports []backtest.Report
	for _, path := range b.traces {
		r, err := b.replayTrace(ctx, path, plan, policies)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// replayTrace judges the series of a trace one by one.
func (b *backtestOptions) replayTrace(ctx context.Context, path string, plan backtest.Plan, policies []backtest.Policy) (backtest.Report, error) {
	r := backtest.Report{Source: strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".csv"), Plan: plan, Policies: policies}
	f, err := os.Open(path)
	if err != nil {
		return r, fmt.Errorf("reading the trace: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	err = backtest.ReadTrace(f, func(c backtest.Container) error {
		if !b.half.Has(c.Name) {
			return ctx.Err()
		}
		if b.dropSpikes {
			c = c.WithoutSpikes()
		}
		r.Results = append(r.Results, plan.Run(c, policies))
		return ctx.Err()
	})
	switch {
	case ctx.Err() != nil:
		return r, context.Cause(ctx)
	case err != nil:
		return r, fmt.Errorf("reading the trace %s: %w", path, err)
	}
	return r, nil
}

func (b *backtestOptions) write(std streams, plan backtest.Plan, policies []backtest.Policy, reports []backtest.Report) error {
	var text bytes.Buffer
	if b.output == "json" {
		if err := backtest.WriteJSON(&text, plan, policies, reports); err != nil {
			return fmt.Errorf("writing the backtest: %w", err)
		}
	} else {
		width, _ := knownWidth(std.out)
		for i, r := range reports {
			if i > 0 {
				text.WriteString("\n")
			}
			if err := backtest.WriteTable(&text, r, width); err != nil {
				return fmt.Errorf("writing the backtest: %w", err)
			}
		}
	}
	if _, err := std.out.Write(text.Bytes()); err != nil {
		return fmt.Errorf("writing the backtest: %w", err)
	}
	return b.draw(reports)
}

// draw writes the plot, where one is asked for.
func (b *backtestOptions) draw(reports []backtest.Report) error {
	if b.plot == "" {
		return nil
	}
	var svg bytes.Buffer
	if err := backtest.WriteSVG(&svg, reports); err != nil {
		return fmt.Errorf("drawing the plot: %w", err)
	}
	if err := os.WriteFile(b.plot, svg.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the plot: %w", err)
	}
	return nil
}
