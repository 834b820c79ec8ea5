package backtest

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/rightsize/rightsize/recommender"
)

// censored is what a reader of the current specs' figures must know.
const censored = "censored: usage could not exceed it"

// WriteTable writes a report for people: a table for each resource, then what is compared, then what was left out. Tables that
// are wider than so many characters have their intervals below the figures; 0 is any width.
func WriteTable(w io.Writer, r Report, width int) error {
	var b strings.Builder
	test := recommender.ShortDuration(r.Plan.Test)
	fmt.Fprintf(&b, "%s: policies learn from %s and are held against the next %s, again and again %s later\n", recommender.Printable(r.Source), recommender.ShortDuration(r.Plan.Train), test, test)
	if len(r.Results) == 0 {
		b.WriteString("\nthere is no container to judge\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	for _, res := range []recommender.Resource{recommender.Memory, recommender.CPU} {
		r.writeResource(&b, res, width)
	}
	r.writeHits(&b)
	r.writeComparisons(&b)
	r.writeReasons(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) writeResource(b *strings.Builder, res recommender.Resource, width int) {
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
	rows := r.rows(res)
	if text := aligned(rows, true); width == 0 || widest(text) <= width {
		b.WriteString(text)
		return
	}
	b.WriteString(aligned(rows, false))
	for _, row := range rows {
		if row.note != "" {
			fmt.Fprintf(b, "%s: %s\n", row.cells[0].value, row.note)
		}
	}
}

// row is a line of the table.
type row struct {
	cells []cell
	note  string
}

// cell is a figure and its interval, which may be empty.
type cell struct{ value, interval string }

func (r Report) rows(res recommender.Resource) []row {
	metrics := Metrics(res)
	head := row{cells: []cell{{value: "POLICY"}}}
	for _, m := range metrics {
		head.cells = append(head.cells, cell{value: m.Head})
	}
	rows := []row{head}
	for i, p := range r.Policies {
		line, advised, tests := row{cells: []cell{{value: p.Name}}}, r.advised(i, res), r.folds(res)
		for k, e := range r.Estimates(i, res) {
			line.cells = append(line.cells, metrics[k].Unit.cell(res, e))
		}
		var notes []string
		switch {
		case advised == 0 && p.Censored: // of a trace, which declares nothing
			continue
		case advised == 0:
			notes = append(notes, "no advice")
		case p.Censored:
			notes = append(notes, censored)
		}
		if advised > 0 && advised < tests {
			notes = append(notes, fmt.Sprintf("advice in %d of %s", advised, recommender.Count(tests, "test")))
		}
		line.note = strings.Join(notes, "  ")
		rows = append(rows, line)
	}
	return rows
}

// aligned writes rows in columns: with intervals and notes behind figures, or, without room for these, with intervals below
// figures and no notes.
func aligned(rows []row, beside bool) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(texts []string) { fmt.Fprintln(t, strings.Join(texts, "\t")) }
	for _, row := range rows {
		var values, intervals []string
		for _, c := range row.cells {
			if beside && c.interval != "" {
				c.value += " (" + c.interval + ")"
			}
			values, intervals = append(values, c.value), append(intervals, c.interval)
		}
		if beside && row.note != "" {
			values = append(values, row.note)
		}
		line(values)
		if !beside && strings.Join(intervals, "") != "" {
			line(intervals)
		}
	}
	_ = t.Flush() // into memory
	var out strings.Builder
	for line := range strings.Lines(b.String()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n") // empty intervals leave blanks
	}
	return out.String()
}

// widest is how many characters the longest line has.
func widest(text string) (n int) {
	for line := range strings.Lines(text) {
		n = max(n, utf8.RuneCountInString(strings.TrimRight(line, "\n")))
	}
	return n
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

// cell is a figure with its interval, and "-" where there is none.
func (u Unit) cell(res recommender.Resource, e Estimate) cell {
	if math.IsNaN(e.Value) {
		return cell{value: "-"}
	}
	c := cell{value: u.number(res, e.Value)}
	if !math.IsNaN(e.Low) && u != Amount {
		c.interval = u.bare(e.Low) + ".." + u.bare(e.High)
	}
	return c
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
		figure := Factor.cell(c.Resource, c.Cost)
		cost := figure.value
		if figure.interval != "" {
			cost += " (" + figure.interval + ")"
		}
		fmt.Fprintf(b, "%s %s, %s against %s: cost x %s, %s %s%% against %s%%, which is %s points%s; less in %s, more in %d\n", c.Resource, what, c.Policy, c.Against,
			cost, harm, Part.bare(c.OwnHarm), Part.bare(c.AgainstsHarm), signed(c.Harm.Value), between(c.Harm), recommender.Count(c.Better, "container"), c.Worse)
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
