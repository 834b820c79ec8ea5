package main

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rightsize/rightsize/recommender"
)

const rootLong = `rightsize reads a week of memory and CPU usage from Prometheus and recommends what each
container should request and be limited to: by default the median for requests, and
the 99th percentile and a fifth more for limits. It prints a diff against what is
declared now.

Workloads come from the current kubectl context, or from manifests with -f. Usage comes
from a Prometheus server (--prometheus-url, or PROMETHEUS_URL; without it the one that is
found in the cluster), or from its data folder or a snapshot of it (--tsdb).

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done in part (stderr names what failed),
4 a gate tripped (--fail-on; stderr names what by), the first that applies of 2, 1, 3, 4;
129, 130, 141 or 143 ended by a signal (hangup, interrupt, closed pipe, termination).`

const rootExample = `  rightsize -n shop                                   # a table diff against the current specs
  rightsize -A -l team=web -o wide                    # all namespaces, by label, with percentiles
  rightsize -n shop deployment/api --container api    # one container
  rightsize -n shop -o json > report.json
  rightsize -f overlays/prod -n shop --prometheus-url https://prometheus.example.com
  rightsize -n shop --tsdb /prometheus/snapshots/20260202T000000Z-1a2b -f manifests/
  rightsize -n shop --memory-limit 'max*1.15' --cpu-limit none
  rightsize -A --top 10 --only memory                 # what matters most
  rightsize -n shop --fail-on under-provisioned,over-provisioned:50%  # exit code 4, for CI`

func newRoot(std streams) *cobra.Command {
	o := options{log: std.log}
	cmd := &cobra.Command{
		Use:     "rightsize [KIND/NAME ...]",
		Short:   "Recommend resource requests and limits from what Prometheus saw containers use",
		Long:    rootLong,
		Example: rootExample,
		Version: version(),
		Args:    cobra.ArbitraryArgs,
		// Errors are for people: one line, and no page of flags above it.
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return noEmptyFlags(cmd)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.recommend(cmd.Context(), std, args)
		},
	}
	cmd.SetIn(std.in)
	cmd.SetOut(std.out)
	cmd.SetErr(std.err)
	cmd.SetFlagErrorFunc(flagError)
	cmd.SetVersionTemplate("rightsize {{.Version}}\n")
	o.setDefaults()
	groups := o.flagGroups()
	for _, g := range groups {
		cmd.Flags().AddFlagSet(g.FlagSet)
	}
	setUsage(cmd, groups)
	complete(cmd)
	cmd.AddCommand(newExplain(std), newPatch(std), newConfig(), newBacktest(std), newDoctor(std), newServe(std), newVersion())
	cmd.SetHelpCommand(newHelp())
	cmd.InitDefaultCompletionCmd()
	if completion, _, err := cmd.Find([]string{"completion"}); err == nil {
		for _, shell := range completion.Commands() {
			shell.Args = noArgs // cobra's own error would not count as wrong usage
		}
	}
	return cmd
}

// noEmptyFlags refuses what a variable leaves that is not set: --namespace "" would mean another namespace.
func noEmptyFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" && err == nil {
			err = usagef("invalid --%s \"\": give a value, or leave the flag out", f.Name)
		}
	})
	return err
}

// newHelp is cobra's, but that an unknown command is wrong usage.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Help for a command", Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("there is no command %q: see rightsize --help", strings.Join(args, " "))
			}
			return target.Help()
		},
	}
}

// complete tells shells the values of the flags that have few.
func complete(cmd *cobra.Command) {
	var policies []cobra.Completion
	for _, p := range recommender.Policies() {
		policies = append(policies, p.Name)
	}
	guards := []cobra.Completion{"all", "none"}
	for _, g := range recommender.AllGuards() {
		guards = append(guards, cobra.CompletionWithDesc(g.Name, g.Doc))
	}
	values := map[string][]cobra.Completion{"output": outputs(), "policy": policies, "guards": guards}
	maps.Copy(values, viewCompletions())
	for flag, values := range values {
		// It fails only for a flag that does not exist, which the tests would show.
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

// setUsage makes the command's own help show its flags in their groups.
func setUsage(cmd *cobra.Command, groups []flagGroup) {
	plain := cmd.UsageFunc()
	cmd.SetUsageFunc(func(c *cobra.Command) error {
		if c != cmd {
			return plain(c)
		}
		w := c.OutOrStderr()
		fmt.Fprintf(w, "Usage:\n  %s\n\nExamples:\n%s\n", c.UseLine(), c.Example)
		if c.HasAvailableSubCommands() {
			fmt.Fprint(w, "\nCommands:\n")
		}
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(w, "  %-12s %s\n", sub.Name(), sub.Short)
			}
		}
		for _, g := range groups {
			fmt.Fprintf(w, "\n%s:\n%s", g.title, g.FlagUsagesWrapped(helpWidth))
		}
		return nil
	})
}

// helpWidth is the widest line of help. 100 columns keep most flags on one line.
const helpWidth = 100

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "rightsize", version())
			return err
		},
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no arguments: %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// flagError turns pflag's words into ours: the flag, the value and what is allowed.
func flagError(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return usagef("invalid --%s %q: %w", invalid.GetFlag().Name, invalid.GetValue(), innermost(invalid))
	}
	return usagef("%w: see %s --help", err, cmd.CommandPath())
}

// innermost leaves out strconv's prefix, which repeats the value.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
