package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rightsize/rightsize/policy"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// policies are what containers are judged by: the policy file's, with what the flags change in them.
type policies struct {
	own   recommender.Policy // of all that no rule of the file holds for
	file  *policy.File       // nil where there is none
	rules []recommender.Policy
}

func (o *options) policies() (*policies, error) {
	p := &policies{file: o.policyFile}
	if p.file == nil {
		p.file = &policy.File{}
	}
	var err error
	if p.own, err = o.policy(p.file, nil); err != nil {
		return nil, usageError{err}
	}
	for i := range p.file.Rules {
		rule, err := o.policy(p.file, &p.file.Rules[i])
		if err != nil {
			return nil, usagef("the rule %s of --config: %w", p.file.Rules[i].Name, err)
		}
		p.rules = append(p.rules, rule)
	}
	return p, nil
}

// policy is what the file says, changed by the flags.
func (o *options) policy(f *policy.File, rule *policy.Rule) (recommender.Policy, error) {
	p, err := f.Policy(rule)
	if err == nil {
		p, err = o.settings.Apply(p)
	}
	p.HPA = o.hpa
	if err != nil {
		return p, err
	}
	return p, p.Validate()
}

// assign finds the containers that rules hold for. It tells the log of rules that hold for none.
func (p *policies) assign(log *logs, s *workload.Selection) map[recommender.ID]*recommender.Policy {
	if len(p.rules) == 0 {
		return nil
	}
	labels := map[workload.Ref]map[string]string{}
	for _, workloads := range s.Workloads {
		for _, w := range workloads {
			labels[w.Ref] = w.Labels
		}
	}
	assigned, used := map[recommender.ID]*recommender.Policy{}, map[string]bool{}
	for _, c := range s.Containers {
		ref := workload.Ref{Namespace: c.ID.Namespace, Kind: c.ID.Kind, Name: c.ID.Workload}
		i := p.file.RuleFor(c.ID, labels[ref])
		if i < 0 {
			continue
		}
		assigned[c.ID] = &p.rules[i]
		used[p.rules[i].Rule] = true
	}
	for _, rule := range p.rules {
		if !used[rule.Rule] {
			log.info("a rule of the policy file holds for nothing here", "rule", rule.Rule)
		}
	}
	return assigned
}

func readPolicyFile(path string) (*policy.File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return policy.Parse(path, text)
}

func parsePolicy(name string) (string, error) {
	p, err := recommender.PolicyNamed(name)
	return p.Name, err
}

func parseMinCoverage(s string) (*time.Duration, error) {
	d, err := policy.ParseDuration(s)
	return &d, err
}

const configLong = `config looks at policy files, which say what is recommended for which containers: rules,
guards, floors and ceilings by namespace, kind, name, container and label, and what is left
alone. docs/policy.md describes them; rightsize --config FILE uses one.`

// newConfig is the command that looks at policy files. It reads nothing else.
func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Check and print policy files", Long: configLong, Args: noArgs,
		Example: "  rightsize config check rightsize.yaml",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use: "check FILE", Short: "Say what is wrong with a policy file, each problem with its line", Args: oneFile, RunE: checkConfig,
	}, &cobra.Command{
		Use: "print FILE", Short: "Print a policy file with every setting that is in force", Args: oneFile, RunE: printConfig,
	}, &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of policy files", Args: noArgs, RunE: printSchema,
	})
	return cmd
}

func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usagef("%s takes one policy file: %s FILE", cmd.CommandPath(), cmd.CommandPath())
	}
	return nil
}

// openConfig reads the file that is named. It prints all that is wrong with it, as compilers do.
func openConfig(cmd *cobra.Command, path string) (*policy.File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the policy file: %w", err)
	}
	f, err := policy.Parse(path, text)
	var invalid *policy.Invalid
	if !errors.As(err, &invalid) {
		return f, err
	}
	var out bytes.Buffer
	for _, problem := range invalid.Problems {
		fmt.Fprintln(&out, recommender.Printable(problem))
	}
	if _, err := cmd.OutOrStdout().Write(out.Bytes()); err != nil {
		return nil, fmt.Errorf("writing what is wrong: %w", err)
	}
	return nil, usagef("%s cannot be used: %s", path, recommender.Count(len(invalid.Problems), "problem"))
}

func checkConfig(cmd *cobra.Command, args []string) error {
	f, err := openConfig(cmd, args[0])
	if err != nil {
		return err
	}
	exempting := 0
	for _, rule := range f.Rules {
		if rule.Exempt != "" {
			exempting++
		}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s can be used: %s, of which %d exempt\n", args[0], recommender.Count(len(f.Rules), "rule"), exempting)
	return err
}

func printConfig(cmd *cobra.Command, args []string) error {
	f, err := openConfig(cmd, args[0])
	if err != nil {
		return err
	}
	text, err := f.YAML()
	if err != nil {
		return err
	}
	_, err = cmd.OutOrStdout().Write(text)
	return err
}

func printSchema(cmd *cobra.Command, _ []string) error {
	text, err := policy.Schema()
	if err != nil {
		return err
	}
	_, err = cmd.OutOrStdout().Write(text)
	return err
}
