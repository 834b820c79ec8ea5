// Package policy reads the policy file: which containers get which rules, guards, floors and ceilings, and which are
// left alone, with the reason.
package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/rightsize/rightsize/recommender"
)

// File is a policy file that can be carried out.
type File struct {
	Defaults Settings
	Rules    []Rule // the first that matches a container holds for it
}

// Rule is what holds for the containers that it matches.
type Rule struct {
	Name  string // one of its own
	Match Match
	Settings
	Exempt string // why they are left alone; empty where they are not

	line int // that it begins in
}

// Match says which containers are meant: all that is set has to hold. A pattern may have * for any characters, ? for
// one, and [a-z] for one of these.
type Match struct {
	Namespace, Kind, Workload, Container []string        // patterns, one of which has to fit; none is any
	Labels                               labels.Selector // of the workload itself, not of its pods; nil is any
}

// Settings are changes to a policy. What is nil or empty is left as it is.
type Settings struct {
	Base        string // the name of a policy whose rules and guards replace those so far
	Sizes       [recommender.NumResources]Sizes
	Guards      *[]recommender.Guard
	MinCoverage *time.Duration
	MinRuns     *int
}

// Sizes are changes to what one resource is given, in cores or bytes. A Ceiling of 0 is none.
type Sizes struct {
	Request, Limit *recommender.Rule
	Floor, Ceiling *float64
}

// Apply changes the policy.
func (s Settings) Apply(p recommender.Policy) (recommender.Policy, error) {
	if s.Base != "" {
		base, err := recommender.PolicyNamed(s.Base)
		if err != nil {
			return p, fmt.Errorf("invalid policy %q: %w", s.Base, err)
		}
		p.Name, p.Rules, p.Guards = base.Name, base.Rules, base.Guards
	}
	for r, sizes := range s.Sizes {
		setTo(&p.Rules[r].Request, sizes.Request)
		setTo(&p.Rules[r].Limit, sizes.Limit)
		setTo(&p.Floor[r], sizes.Floor)
		setTo(&p.Ceiling[r], sizes.Ceiling)
	}
	setTo(&p.Guards, s.Guards)
	setTo(&p.MinCoverage, s.MinCoverage)
	setTo(&p.MinRuns, s.MinRuns)
	return p, nil
}

func setTo[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// Policy is what holds for the containers of the rule, or without one for all others.
func (f *File) Policy(rule *Rule) (recommender.Policy, error) {
	p, err := f.Defaults.Apply(recommender.DefaultPolicy())
	if err != nil || rule == nil {
		return p, err
	}
	p, err = rule.Apply(p)
	p.Rule, p.Exempt = rule.Name, rule.Exempt
	return p, err
}

// RuleFor is the index of the rule that holds for a container of a workload with these labels; negative where it is
// the defaults.
func (f *File) RuleFor(id recommender.ID, workload map[string]string) int {
	return slices.IndexFunc(f.Rules, func(r Rule) bool { return r.Match.holds(id, workload) })
}

func (m Match) holds(id recommender.ID, workload map[string]string) bool {
	names := [numLists]string{id.Namespace, strings.ToLower(id.Kind), id.Workload, id.Container}
	for i, patterns := range m.lists() {
		if len(*patterns) > 0 && !anyFits(*patterns, names[i]) {
			return false
		}
	}
	return m.Labels == nil || m.Labels.Matches(labels.Set(workload))
}

func anyFits(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		fits, err := path.Match(p, name) // names have no slash in them; Parse refuses bad patterns
		return fits && err == nil
	})
}

const numLists = 4

// lists are the patterns of namespace, kind, workload and container, in this order.
func (m *Match) lists() [numLists]*[]string {
	return [numLists]*[]string{&m.Namespace, &m.Kind, &m.Workload, &m.Container}
}

// covers says that m holds wherever other does, as far as that can be seen from the patterns alone.
func (m Match) covers(other Match) bool {
	others := other.lists()
	for i, list := range m.lists() {
		mine, theirs := *list, *others[i]
		if len(mine) == 0 || slices.Contains(mine, "*") {
			continue
		}
		if len(theirs) == 0 || slices.ContainsFunc(theirs, func(p string) bool { return !slices.Contains(mine, p) }) {
			return false
		}
	}
	return m.Labels == nil || other.Labels != nil && m.Labels.String() == other.Labels.String()
}
