package backtest

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/rightsize/rightsize/recommender"
)

// censored is what a reader of the current specs' figures must know.
const censored = "censored: usage could not exceed it"

// WriteTable writes a report for people: a table for each resource, then what is compared, then what was left out.
func WriteTable(w io.Writer, r Report) error {
	var b strings.Builder
	test := recommender.ShortDuration(r.Plan.Test)
	fmt.Fprintf(&b, "%s: policies learn from %s and are held against the next %s, again and again %s later\n", recommender.Printable(r.Source), recommender.ShortDuration(r.Plan.Train), test, test)
	if len(r.Results) == 0 {
		b.WriteString("\nthere is no container to judge\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	for _, res := range []recommender.Resource{recommender.Memory, recommender.CPU} {
		r.writeResource(&b, res)
	}
	r.writeHits(&b)
	r.writeComparisons(&b)
	r.writeReasons(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) writeResource(b *strings.Builder, res recommender.Resource) {
	judged := r.Judged(res)
	if judged == 0 {
		fmt.Fprintf(b, "\n%s: not enough data in any of %s\n", res, recommender.Count(len(r.Results), "container"))
		return
	}
	fmt.Fprintf(b, "\n%s, %d of %s, %s", res, judged, recommender.Count(len(r.Results), "container"), recommender.Count(r.folds(res), "test"))
	if judged < MinContainers {
		fmt.Fprintf(b, "; fewer than %d containers are not enough data for intervals", MinContainers)
	}
	b.WriteString("\n")
	metrics := Metrics(res)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "POLICY")
	for _, m := range metrics {
		fmt.Fprint(t, "\t", m.Head)
	}
	fmt.Fprintln(t)
	for i, p := range r.Policies {
		advised := r.advised(i, res)
		if advised == 0 {
			if !p.Censored { // of a trace, which declares nothing
				fmt.Fprintf(t, "%s%s\tno advice\n", p.Name, strings.Repeat("\t-", len(metrics)))
			}
			continue
		}
		fmt.Fprint(t, p.Name)
		for k, e := range r.Estimates(i, res) {
			fmt.Fprint(t, "\t", metrics[k].Unit.text(res, e))
		}
		if p.Censored {
			fmt.Fprint(t, "\t", censored)
		}
		if tests := r.folds(res); advised < tests {
			fmt.Fprintf(t, "\tadvice in %d of %s", advised, recommender.Count(tests, "test"))
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // into memory
}

// advised is in how many tests the policy had set anything.
func (r Report) advised(policy int, res recommender.Resource) (n int) {
	for _, result := range r.Results {
		n += int(result.Scores[policy][res].Advised)
	}
	return n
}

func (r Report) folds(res recommender.Resource) (n int) {
	for _, result := range r.Results {
		n += result.Folds[res]
	}
	return n
}

// text is a figure with its interval, and "-" where there is none.
func (u Unit) text(res recommender.Resource, e Estimate) string {
	if math.IsNaN(e.Value) {
		return "-"
	}
	s := u.number(res, e.Value)
	if !math.IsNaN(e.Low) && u != Amount {
		s += " (" + u.bare(e.Low) + ".." + u.bare(e.High) + ")"
	}
	return s
}

func (u Unit) number(res recommender.Resource, v float64) string {
	switch u {
	case Share, Part:
		return u.bare(v) + "%"
	case Amount:
		return res.Approximate(v)
	default:
		return u.bare(v)
	}
}

// bare is a number without its unit.
func (u Unit) bare(v float64) string {
	switch u {
	case Share, Part:
		return digits(100 * v)
	case Rate:
		return digits(v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// digits keeps what tells small shares apart.
func digits(v float64) string {
	if a := math.Abs(v); a > 0 && a < 0.995 {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// Pairs are what a report compares: our policies against the best known of each resource.
func (r Report) Pairs() []Comparison {
	var out []Comparison
	for _, pair := range []struct {
		res     recommender.Resource
		against string
	}{{recommender.Memory, "krr"}, {recommender.CPU, "vpa"}} {
		if c, ok := r.Compare(pair.res, "safe", pair.against); ok {
			out = append(out, c)
		}
	}
	return out
}

func (r Report) writeComparisons(b *strings.Builder) {
	for i, c := range r.Pairs() {
		if i == 0 {
			b.WriteString("\n")
		}
		what, harm := "limits", "breached"
		if c.Resource == recommender.CPU {
			what, harm = "requests", "demand above"
		}
		fmt.Fprintf(b, "%s %s, %s against %s: cost x %s, %s %s%% against %s%%, which is %s points%s; less in %s, more in %d\n", c.Resource, what, c.Policy, c.Against,
			Factor.text(c.Resource, c.Cost), harm, Part.bare(c.OwnHarm), Part.bare(c.AgainstsHarm), signed(c.Harm.Value), between(c.Harm), recommender.Count(c.Better, "container"), c.Worse)
	}
}

func signed(share float64) string { return fmt.Sprintf("%+.2f", 100*share) }

// between is nothing where all containers differ by the same: that is certain of them alone.
func between(e Estimate) string {
	if math.IsNaN(e.Low) || e.Low == e.High {
		return ""
	}
	return fmt.Sprintf(" (%s to %s)", signed(e.Low), signed(e.High))
}

// writeHits says how the policy in use did, and which containers its memory limits would have hit, the most often hit first.
func (r Report) writeHits(b *strings.Builder) {
	policy := r.inUse()
	h, ok := r.HeldOut(policy)
	if !ok {
		return
	}
	text := h.String()
	fmt.Fprintf(b, "\n%s\n", strings.ToUpper(text[:1])+text[1:])
	i := slices.IndexFunc(r.Policies, func(p Policy) bool { return p.Name == policy })
	memory := func(result Result) Tally { return result.Scores[i][recommender.Memory] }
	hit := slices.DeleteFunc(slices.Clone(r.Results), func(result Result) bool { return memory(result).Breached == 0 })
	slices.SortStableFunc(hit, func(x, y Result) int { return cmp.Compare(memory(y).Breaches, memory(x).Breaches) })
	var lines []string
	for _, result := range hit {
		m := memory(result)
		lines = append(lines, fmt.Sprintf("%s: %s, in %d of %s", recommender.Printable(result.Name), recommender.Count(int(m.Breaches), "time"), int(m.Breached), recommender.Count(int(m.Trials), "test")))
	}
	writeSome(b, lines)
}

func (r Report) writeReasons(b *strings.Builder) {
	var lines []string
	for _, result := range r.Results {
		if result.Reason != "" {
			lines = append(lines, recommender.Printable(result.Name)+": "+recommender.Printable(result.Reason))
		}
	}
	if len(lines) > 0 {
		b.WriteString("\nNot enough data:\n")
	}
	writeSome(b, lines)
}

// maxLines is how many containers of a kind are named; JSON has all.
const maxLines = 10

func writeSome(b *strings.Builder, lines []string) {
	for _, line := range lines[:min(len(lines), maxLines)] {
		fmt.Fprintf(b, "  %s\n", line)
	}
	if left := len(lines) - maxLines; left > 0 {
		fmt.Fprintf(b, "  and %d more: -o json names them\n", left)
	}
}
