package recommender

// SafePolicy costs less than the peers that it was chosen against at no more harm, as docs/quality.md shows with how it
// was found and what limits it:
//
//   - A memory limit of 15 % more than the highest sample, but no more than twice P99, never below the highest sample;
//     the request is the same.
//   - A CPU request of 15 % more than P91 of recent use, but no more than P98 of it; no limit.
//   - Recent is what was used of late: a sample loses half of its weight in two days.
func SafePolicy() Policy {
	p := DefaultPolicy()
	p.Name = "safe"
	memory := least(Rule{base: ruleMax, factor: 1.15}, Rule{base: rulePercentile, percent: 99, factor: 2})
	p.Rules = [NumResources]Rules{
		CPU: {
			Request: least(Rule{base: ruleRecent, percent: 91, factor: 1.15}, Rule{base: ruleRecent, percent: 98, factor: 1}),
			Limit:   Rule{base: ruleNone},
		},
		Memory: {Request: memory, Limit: memory},
	}
	return p
}

// least is the rule that gives the lower of two.
func least(a, b Rule) Rule { return Rule{base: ruleLeast, factor: 1, of: &[2]Rule{a, b}} }

// NeedsRecent says that a rule looks at Usage.Recent.
func (p Policy) NeedsRecent() bool {
	for _, rules := range p.Rules {
		if rules.Request.needsRecent() || rules.Limit.needsRecent() {
			return true
		}
	}
	return false
}

func (r Rule) needsRecent() bool {
	return r.base == ruleRecent || r.of != nil && (r.of[0].needsRecent() || r.of[1].needsRecent())
}
