package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rightsize/rightsize/backtest"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
)

const (
	// minWidth is the narrowest that anything is made for: the table of the backtest is as wide.
	minWidth = 60

	// twoColumns is the width from which memory and CPU stand next to each other.
	twoColumns = 150

	gap = 4 // between them
)

// Options are what a terminal is like.
type Options struct {
	Width int  // in columns
	Color bool // ANSI colours
}

// Write writes explanations for people, a screen each.
func Write(w io.Writer, all []Explanation, o Options) error {
	o.Width = max(o.Width, minWidth)
	var b strings.Builder
	for i, e := range all {
		if i > 0 {
			b.WriteString("\n" + strings.Repeat("═", o.Width) + "\n\n")
		}
		for _, l := range e.lines(o.Width) {
			l.write(&b, o.Color)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (e Explanation) lines(width int) []line {
	out := e.head(width)
	if e.Item.Err != nil {
		return append(out, wrap(span{"error: ", red}, recommender.Printable(e.Item.Err.Error()), width)...)
	}
	out = append(out, line{})
	resources := []recommender.Resource{recommender.Memory, recommender.CPU}
	if width >= twoColumns {
		half := (width - gap) / 2
		out = append(out, beside(e.panel(resources[0], half), e.panel(resources[1], half), half+gap)...)
		out = append(out, line{})
	} else {
		for _, r := range resources {
			out = append(append(out, e.panel(r, width)...), line{})
		}
	}
	for _, section := range [][]line{e.around(width), e.tried(width), e.pasted(width)} {
		if section != nil {
			out = append(append(out, section...), line{})
		}
	}
	return out[:len(out)-1]
}

// head says what is explained, and what it was made from.
func (e Explanation) head(width int) []line {
	const minute = "2006-01-02 15:04"
	w := e.Report.Window
	kind := "container "
	if e.Item.Init {
		kind = "init container "
	}
	out := wrap(span{}, "namespace "+e.Item.ID.Namespace+", "+e.Item.ID.Ref()+", "+kind+e.Item.ID.Container, width)
	for _, l := range out {
		for i := range l {
			l[i].ink = strong
		}
	}
	out = append(out, wrap(span{}, fmt.Sprintf("%s up to %s UTC by %s, policy %s: %s", recommender.ShortDuration(w.Length), w.Until.UTC().Format(minute),
		e.Report.Source.Read, e.policyName(), recommender.Printable(report.DescribeRules(e.policy()))), width)...)
	out = append(out, wrap(span{}, e.ownership(), width)...)
	if len(e.Usage.Pods) > 0 {
		out = append(out, line{{text: "█", ink: blue}, {text: " median of the pods  "}, {text: "░", ink: blue}, {text: " the highest  "}, {string(newRune), green}, {text: " new  "}, {string(nowRune), yellow}, {text: " now  "}, {text: "UTC", ink: faint}})
	}
	return out
}

// policyName is that of the policy, with the rule of the policy file that made it so.
func (e Explanation) policyName() string {
	p := e.policy()
	if p.Rule != "" {
		return p.Name + " (rule " + p.Rule + " of --config)"
	}
	return p.Name
}

// ownership says whose pods were looked at, and how that is known.
func (e Explanation) ownership() string {
	var parts []string
	switch n := e.Item.Replicas; {
	case e.Item.ID.Kind == "CronJob":
	case n == recommender.UnknownReplicas:
		parts = append(parts, "replicas are not declared")
	case n == 1:
		parts = append(parts, "1 replica now")
	default:
		parts = append(parts, fmt.Sprintf("%d replicas now", n))
	}
	o := e.Usage.Ownership
	ways := []string{}
	for _, way := range []struct {
		n    int
		text string
	}{{o.ByOwner, "recorded owner"}, {o.ByObject, "the cluster's objects"}, {o.ByName, "name"}} {
		if way.n > 0 {
			ways = append(ways, fmt.Sprintf("%d by %s", way.n, way.text))
		}
	}
	if pods := o.ByOwner + o.ByObject + o.ByName; pods > 0 {
		parts = append(parts, fmt.Sprintf("%s with usage, known %s", recommender.Count(pods, "pod"), strings.Join(ways, ", ")))
	}
	if e.Item.Owner != "" {
		parts = append(parts, "managed by "+recommender.Printable(e.Item.Owner))
	}
	if e.Item.RunsToCompletion() {
		parts = append(parts, recommender.Count(e.Item.Runs, "run"))
	}
	return strings.Join(parts, "; ")
}

// panel is all about one resource.
func (e Explanation) panel(r recommender.Resource, width int) []line {
	request, limit := report.Changes(e.Item, r)
	title := span{strings.ToUpper(r.String()) + "  ", strong}
	text := "request " + request + ", limit " + limit
	if advice := e.Item.Advice[r].Bounds; !advice.Request.IsAdvice() && !advice.Limit.IsAdvice() {
		text += ": nothing is recommended"
	}
	out := wrap(title, text, width)
	evidence := e.Item.Evidence[r]
	if evidence.Samples == 0 {
		out = append(out, plain("  no samples in the window"))
		return append(out, e.notes(r, width)...)
	}
	out = append(out, e.drawn(r, width)...)
	out = append(out, wrap(span{"  ", ""}, e.percentiles(r), width)...)
	out = append(out, wrap(span{"  peak ", ""}, recommender.Printable(r.DescribePeak(evidence.Peak)), width)...)
	out = append(out, wrap(span{"  from ", ""}, e.samples(r), width)...)
	out = append(out, e.spread(r, width)...)
	out = append(out, e.derived(r, width)...)
	return append(out, e.notes(r, width)...)
}

// percentiles are of all samples of all pods.
func (e Explanation) percentiles(r recommender.Resource) string {
	v := e.Item.Evidence[r]
	var parts []string
	for _, p := range []struct {
		name  string
		value float64
	}{{"P50", v.P50}, {"P90", v.P90}, {"P95", v.P95}, {"P99", v.P99}, {"max", v.Peak.Value}} {
		parts = append(parts, p.name+" "+r.Approximate(p.value))
	}
	return strings.Join(parts, ", ")
}

func (e Explanation) samples(r recommender.Resource) string {
	v := e.Item.Evidence[r]
	text := fmt.Sprintf("%s of %s in %s of the %s", recommender.Count(v.Samples, "sample"), recommender.Count(v.Pods, "pod"),
		recommender.ShortDuration(v.Covered), recommender.ShortDuration(e.Report.Window.Length))
	if e.Item.RunsToCompletion() {
		text = fmt.Sprintf("%s of %s", recommender.Count(v.Samples, "sample"), recommender.Count(v.Pods, "pod"))
	}
	if v.Dropped > 0 {
		text += fmt.Sprintf("; %d were not finite", v.Dropped)
	}
	return text
}

// spread is the distribution in two lines: how often what was used, and where the middle and the 99th percentile are.
func (e Explanation) spread(r recommender.Resource, width int) []line {
	samples := e.Usage.History.Usage[r].Samples
	if samples.Len() == 0 {
		return nil
	}
	low, high := samples.Min(), samples.Max()
	before, behind := "  "+r.Approximate(low)+" ", " "+r.Approximate(high)
	n := min(width-len(before)-len(behind), 60)
	switch {
	case low == high:
		return []line{plain(before + "in all samples")}
	case n < 10:
		return nil
	}
	counts := histogram(samples, n)
	most := slices.Max(counts)
	bars := make([]rune, n)
	for i, c := range counts {
		bars[i] = eighths()[0]
		if c > 0 { // one sample is one to be seen
			bars[i] = eighths()[1+7*c/(most+1)]
		}
	}
	marks := []rune(strings.Repeat(" ", n+4))
	for _, m := range []struct {
		name  string
		value float64
	}{{"^P99", e.Item.Evidence[r].P99}, {"^P50", e.Item.Evidence[r].P50}} {
		copy(marks[part(m.value, low, high, n):], []rune(m.name))
	}
	return []line{
		{{text: before}, {string(bars), blue}, {text: behind}},
		{{text: strings.Repeat(" ", len(before))}, {string(marks), faint}},
	}
}

// derived is which rule gave what, and which guard changed it.
func (e Explanation) derived(r recommender.Resource, width int) (out []line) {
	advice, rules := e.Item.Advice[r], e.policy().Rules[r]
	told := map[string]bool{}
	for _, side := range []struct {
		name string
		rule recommender.Rule
		of   func(recommender.Bounds) recommender.Value
	}{
		{"request", rules.Request, func(b recommender.Bounds) recommender.Value { return b.Request }},
		{"limit", rules.Limit, func(b recommender.Bounds) recommender.Value { return b.Limit }},
	} {
		text := fmt.Sprintf("%s gives %s", side.rule, valueText(r, side.of(advice.Formula)))
		out = append(out, wrap(span{fmt.Sprintf("  %-8s", side.name), strong}, text, width)...)
		for _, s := range advice.Steps {
			if side.of(s.From) == side.of(s.To) {
				continue
			}
			head := span{"    -> ", ""}
			why := because(advice, s.Guard, side.name)
			if told[why] {
				why = " too"
			}
			told[why] = true
			out = append(out, wrap(head, valueText(r, side.of(s.To))+" by "+s.Guard+why, width)...)
		}
	}
	return out
}

// because is the note that a guard left, where it is about this side: a guard may have left one for each.
func because(a recommender.Advice, guard, side string) string {
	var texts []string
	for _, n := range a.Notes {
		if n.Code == guard {
			texts = append(texts, n.Text)
		}
	}
	about := slices.DeleteFunc(slices.Clone(texts), func(t string) bool { return !strings.Contains(t, side) })
	if len(texts) > 1 && len(about) > 0 {
		texts = about
	}
	if len(texts) == 0 {
		return ""
	}
	return ": " + recommender.Printable(strings.Join(texts, "; "))
}

// valueText is an amount, or what stands where there is none.
func valueText(r recommender.Resource, v recommender.Value) string {
	if amount, ok := v.Amount(); ok {
		return r.Quantity(amount)
	}
	if v.IsUnset() {
		return "none"
	}
	return "no advice"
}

// notes are those of the resource that no step has told already.
func (e Explanation) notes(r recommender.Resource, width int) (out []line) {
	advice := e.Item.Advice[r]
	for _, n := range advice.Notes {
		text := n.Code + ": " + recommender.Printable(n.Text)
		switch {
		case slices.ContainsFunc(advice.Steps, func(s recommender.Step) bool { return s.Guard == n.Code }):
			continue
		case r == recommender.CPU && slices.Contains(e.Item.Advice[recommender.Memory].Notes, n):
			text = n.Code + ": as of memory"
		}
		out = append(out, wrap(span{"  ! ", yellow}, text, width)...)
	}
	return out
}

// tried is how policies did in time that they had not learnt from.
func (e Explanation) tried(width int) []line {
	plan, result := e.Trial.Plan, e.Trial.Result
	head := []line{{{text: "BACKTEST", ink: strong}}}
	if len(e.Trial.Policies) == 0 {
		return nil
	}
	if result.Reason != "" {
		return append(head, wrap(span{"  ", ""}, "not enough data: "+recommender.Printable(result.Reason), width)...)
	}
	head = wrap(span{"BACKTEST  ", strong}, fmt.Sprintf("each policy learns from %s and is held against the next %s, %s", recommender.ShortDuration(plan.Train),
		recommender.ShortDuration(plan.Test), recommender.Count(max(result.Folds[recommender.Memory], result.Folds[recommender.CPU]), "time")), width)
	rows := [][]string{{"", "MEMORY LIMIT", "HIT", "CPU REQUEST", "DEMAND ABOVE"}}
	censored := false
	for i, p := range e.Trial.Policies {
		name := p.Name
		if p.Censored {
			name, censored = name+"*", true
		}
		rows = append(rows, append([]string{name}, trialRow(result, i)...))
	}
	for _, row := range aligned(rows) {
		head = append(head, plain("  "+row))
	}
	if censored {
		head = append(head, wrap(span{"  * ", ""}, "in force while usage was measured, which could not exceed it", width)...)
	}
	if !e.Usage.Expressions.Sampled() {
		head = append(head, wrap(span{"  ", ""}, "at the points of the grid: peaks between them were neither learnt from nor counted", width)...)
	}
	return head
}

// trialRow is the mean limit of memory and how often it was hit, and the mean request of CPU and the share of demand above it;
// "-" where the policy set nothing.
func trialRow(result backtest.Result, policy int) []string {
	memory, cpu := result.Scores[policy][recommender.Memory], result.Scores[policy][recommender.CPU]
	row := []string{"-", "-", "-", "-"}
	switch {
	case result.Folds[recommender.Memory] == 0:
		row[0] = "not enough data"
	case memory.Limit.Points > 0:
		row[0] = recommender.Memory.Approximate(memory.Limit.Set / memory.Limit.Points)
		row[1] = recommender.Count(int(memory.Breaches), "time")
	}
	switch {
	case result.Folds[recommender.CPU] == 0:
		row[2] = "not enough data"
	case cpu.Request.Points > 0:
		row[2] = recommender.CPU.Approximate(cpu.Request.Set / cpu.Request.Points)
		row[3] = fmt.Sprintf("%.1f%%", 100*cpu.Request.ExcessShare())
	}
	return row
}

// aligned puts cells in columns two blanks apart.
func aligned(rows [][]string) (out []string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], len(c))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, c := range row {
			fmt.Fprintf(&b, "%-*s  ", widths[i], c)
		}
		out = append(out, b.String())
	}
	return out
}

// pasted is the PromQL: what to draw, and what gives the numbers.
func (e Explanation) pasted(width int) []line {
	var out []line
	proofs := false
	for _, r := range []recommender.Resource{recommender.Memory, recommender.CPU} {
		for _, q := range e.Queries[r] {
			if q.Share {
				proofs = true
				continue
			}
			doc := r.String() + " " + q.Doc
			if text := q.gives(r); text != "" {
				doc += " = " + text
			}
			out = append(out, line{{"  # " + doc, faint}})
			out = append(out, wrapQuery(q.PromQL, 2, width)...)
		}
	}
	if proofs {
		out = append(out, comment("percentiles are of all pods' samples together, which quantile_over_time cannot give of several series: -o json has queries that prove them", width)...)
	}
	if out == nil {
		return nil
	}
	head := []line{{{"PROMQL", strong}, {text: "  to paste into Prometheus"}}}
	if !e.named() {
		head = append(head, wrap(span{"  ", ""}, "pods are selected by the beginning of their names, since there are too many to name: others may begin so too", width)...)
	}
	return append(head, out...)
}

// comment is a text in PromQL's comments.
func comment(text string, width int) []line {
	out := wrap(span{"  # ", faint}, text, width)
	for i := range out {
		out[i][0] = span{"  # ", faint}
		for k := range out[i] {
			out[i][k].ink = faint
		}
	}
	return out
}

// gives is what a query answers.
func (q Query) gives(r recommender.Resource) string {
	switch {
	case q.Gives == nil:
		return ""
	case q.Share:
		return fmt.Sprintf("%.4f", *q.Gives)
	default:
		return r.Approximate(*q.Gives)
	}
}
