package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
)

// gateError is a report that did not pass its gate.
type gateError struct{ error }

func (e gateError) Unwrap() error { return e.error }

func (o *options) gateFlags() flagGroup {
	gate := newFlagGroup("A gate for CI")
	gate.Var(value(&o.gate, "CONDITIONS", o.addConditions, nil), "fail-on", "exit with code 4 if one holds for a container: "+conditionNames()+"; several with commas between them, or repeated")
	return gate
}

func conditionNames() string {
	var names []string
	for _, c := range report.Conditions() {
		name := c.Name
		if c.TakesShare {
			name += "[:PERCENT]"
		}
		names = append(names, name)
	}
	return oneOf(names)
}

// addConditions takes the conditions behind those of earlier flags, each once.
func (o *options) addConditions(s string) ([]report.Condition, error) {
	conditions := o.gate
	for text := range strings.SplitSeq(s, ",") {
		c, err := parseCondition(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(conditions, func(other report.Condition) bool { return other.String() == c.String() }) {
			conditions = append(conditions, c)
		}
	}
	return conditions, nil
}

func parseCondition(text string) (report.Condition, error) {
	name, share, hasShare := strings.Cut(text, ":")
	i := slices.IndexFunc(report.Conditions(), func(c report.Condition) bool { return c.Name == name })
	if i < 0 {
		return report.Condition{}, fmt.Errorf("%q is not a condition: want %s", text, conditionNames())
	}
	c := report.Conditions()[i]
	switch {
	case !hasShare:
		return c, nil
	case !c.TakesShare:
		return report.Condition{}, fmt.Errorf("%s takes no percentage", name)
	}
	x, err := parsePercent(share)
	if err != nil {
		return report.Condition{}, fmt.Errorf("%q: %w", text, err)
	}
	c.Share = &x
	return c, nil
}

// maxTrips is how many lines stderr has of each condition: JSON and Markdown have them all.
const maxTrips = 20

// judged says what tripped the gate, if anything did, and returns an error for it, unless there is a worse one
// already: that has an exit code of its own, and what tripped is said all the same, but to those who have gone.
func judged(std streams, r report.Report, err error) error {
	var stopped signalError
	if r.Gate == nil || len(r.Gate.Trips) == 0 || errors.As(err, &stopped) || errors.Is(err, syscall.EPIPE) {
		return err
	}
	tripped := gateError{fmt.Errorf("the gate tripped: %s of %d", strings.Join(sayTrips(std, r.Gate), ", "), len(r.Items))}
	if err != nil {
		std.log.warn(tripped.Error())
		return err
	}
	return tripped
}

// sayTrips says what tripped the gate, and returns it in a few words for each condition.
func sayTrips(std streams, g *report.Gate) (sums []string) {
	for _, c := range g.Conditions {
		trips := g.Tripped(c)
		if len(trips) == 0 {
			continue
		}
		sums = append(sums, fmt.Sprintf("%s holds for %s", c, recommender.Count(report.Containers(trips), "container")))
		for _, t := range trips[:min(len(trips), maxTrips)] {
			std.log.warn(fmt.Sprintf("%s: %s", c, t))
		}
		if more := len(trips) - maxTrips; more > 0 {
			std.log.warn(fmt.Sprintf("%s: and %d more: -o json, yaml and markdown have them all", c, more))
		}
	}
	return sums
}
