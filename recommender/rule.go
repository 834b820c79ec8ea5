package recommender

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Rule turns a Usage into one value. The zero Rule keeps what is declared.
type Rule struct {
	base    ruleBase
	percent float64  // of a percentile rule, 0 .. 100
	factor  float64  // of the rules that measure; never 0
	of      *[2]Rule // of the rule that gives the lower of two
}

type ruleBase uint8

const (
	ruleKeep ruleBase = iota
	ruleNone
	ruleRequest
	ruleMean
	ruleMax
	rulePercentile
	ruleRecent // a percentile of what was used of late
	ruleLeast
)

// RuleSyntax is what ParseRule takes, for messages and help.
const RuleSyntax = "p0 to p100, recent0 to recent100, max or mean, each with an optional *FACTOR (p99*1.2), or min(RULE,RULE) of two of these; none, keep, or for a limit request"

// maxFactor is far beyond use; it keeps amounts finite.
const maxFactor = 1000

// ParseRule reads a rule: "p50", "p99.5*1.2", "recent90", "max*1.15", "mean", "min(max*1.15,p99*2)", "none", "keep" or "request".
// Its errors name the text and what is allowed.
func ParseRule(text string) (Rule, error) {
	s := strings.ToLower(strings.Join(strings.Fields(text), ""))
	switch s {
	case "keep":
		return Rule{}, nil
	case "none":
		return Rule{base: ruleNone}, nil
	case "request":
		return Rule{base: ruleRequest}, nil
	}
	if inner, ok := strings.CutPrefix(s, "min("); ok {
		return parseLeast(inner)
	}
	return parseMeasure(s)
}

// parseLeast reads what stands behind "min(".
func parseLeast(s string) (Rule, error) {
	inner, closed := strings.CutSuffix(s, ")")
	first, second, two := strings.Cut(inner, ",")
	if !closed || !two {
		return Rule{}, fmt.Errorf("%q is not a rule: want %s", "min("+s, RuleSyntax)
	}
	a, err := parseMeasure(first)
	if err != nil {
		return Rule{}, err
	}
	b, err := parseMeasure(second)
	if err != nil {
		return Rule{}, err
	}
	return least(a, b), nil
}

// parseMeasure reads a rule that measures.
func parseMeasure(s string) (Rule, error) {
	base, factor, scaled := strings.Cut(s, "*")
	rule, err := parseBase(base)
	if err != nil {
		return Rule{}, fmt.Errorf("%w: want %s", err, RuleSyntax)
	}
	if scaled {
		rule.factor, err = parseNumber(factor)
		if err != nil || rule.factor <= 0 || rule.factor > maxFactor {
			return Rule{}, fmt.Errorf("factor %q is not a number above 0 and up to %d: want %s", factor, maxFactor, RuleSyntax)
		}
	}
	return rule, nil
}

func parseBase(s string) (Rule, error) {
	switch s {
	case "mean":
		return Rule{base: ruleMean, factor: 1}, nil
	case "max":
		return Rule{base: ruleMax, factor: 1}, nil
	}
	kind := rulePercentile
	number, ok := strings.CutPrefix(s, "p")
	if !ok {
		kind = ruleRecent
		number, ok = strings.CutPrefix(s, "recent")
	}
	if !ok {
		return Rule{}, fmt.Errorf("%q is not a rule", s)
	}
	percent, err := parseNumber(number)
	if err != nil || percent < 0 || percent > 100 {
		return Rule{}, fmt.Errorf("%q is not a percentile", s)
	}
	return Rule{base: kind, percent: percent, factor: 1}, nil
}

// parseNumber takes plain decimals alone: ParseFloat would also take "0x1p-2", "1e3", "inf" and "+1".
func parseNumber(s string) (float64, error) {
	if strings.Trim(s, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return strconv.ParseFloat(s, 64)
}

// String is the rule as ParseRule reads it.
func (r Rule) String() string {
	var s string
	switch r.base {
	case ruleKeep:
		return "keep"
	case ruleNone:
		return "none"
	case ruleRequest:
		return "request"
	case ruleMean:
		s = "mean"
	case ruleMax:
		s = "max"
	case rulePercentile:
		s = "p" + strconv.FormatFloat(r.percent, 'f', -1, 64)
	case ruleRecent:
		s = "recent" + strconv.FormatFloat(r.percent, 'f', -1, 64)
	case ruleLeast:
		s = "min(" + r.of[0].String() + "," + r.of[1].String() + ")"
	}
	if r.factor != 1 {
		s += "*" + strconv.FormatFloat(r.factor, 'f', -1, 64)
	}
	return s
}

// value is what the rule gives for usage, not rounded. The request rule is resolved by its caller.
func (r Rule) value(u Usage) Value {
	switch r.base {
	case ruleNone:
		return Unset()
	case ruleMean:
		return amount(u.Samples.Mean() * r.factor)
	case ruleMax:
		return amount(u.highest() * r.factor)
	case rulePercentile:
		return amount(u.Samples.Quantile(r.percent/100) * r.factor)
	case ruleRecent:
		return amount(u.recent(r.percent) * r.factor)
	case ruleLeast:
		return lesser(r.of[0].value(u), r.of[1].value(u))
	default:
		return NoAdvice()
	}
}

// lesser is the lower of two amounts, and no advice where one is none.
func lesser(a, b Value) Value {
	x, ok := a.Amount()
	y, both := b.Amount()
	if !ok || !both {
		return NoAdvice()
	}
	return Set(min(x, y))
}

// amount is x where it is a possible request or limit, and no advice where it is not a number.
func amount(x float64) Value {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return NoAdvice()
	}
	return Set(max(x, 0))
}

// highest is the highest sample known, off the grid too; NaN without samples.
func (u Usage) highest() float64 {
	if u.Samples.Len() == 0 {
		return math.NaN()
	}
	return max(u.Samples.Max(), u.Peak.Value)
}

// Rules are the rules for one resource.
type Rules struct{ Request, Limit Rule }

// formula is what the rules alone give for usage, rounded up to the resource's unit. A limit that equals
// the request follows the one declared where the request is kept.
func (rs Rules) formula(r Resource, u Usage, spec Bounds) Bounds {
	b := Bounds{Request: r.roundUp(rs.Request.value(u)), Limit: r.roundUp(rs.Limit.value(u))}
	if rs.Limit.base != ruleRequest {
		return b
	}
	b.Limit = b.Request
	if kept, ok := spec.Request.Amount(); ok && !b.Request.IsAdvice() {
		b.Limit = Set(kept)
	}
	return b
}

// unitsPerOne is how many of the units that amounts are rounded up to make a core or a byte: a thousand
// of 1m, and 2^-20 of 1Mi. As a divisor it gives the float64 nearest to n/1000, as a factor 0.001 does not.
func (r Resource) unitsPerOne() float64 {
	if r == CPU {
		return 1000
	}
	return 1.0 / (1 << 20)
}

// roundingSlack is how far above a whole unit an amount may be and still count as that unit: float
// arithmetic makes 0.1 * 1.2 a little more than 120m, and that must not become 121m. It is relative to
// the amount, 1e-9 as in the accuracy that the quantiles are held to.
const roundingSlack = 1e-9

// roundUp rounds up to whole units. CPU becomes the float64 nearest to so many thousandths.
func (r Resource) roundUp(v Value) Value {
	x, ok := v.Amount()
	if !ok {
		return v
	}
	units := math.Ceil(x * r.unitsPerOne() * (1 - roundingSlack))
	return Set(units / r.unitsPerOne())
}
