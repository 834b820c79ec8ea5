package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

func writeTable(w io.Writer, r Report, o Options) error { return newTable(r, o, false).write(w) }

func writeWide(w io.Writer, r Report, o Options) error { return newTable(r, o, true).write(w) }

// table writes a row for each container and resource, then what they come to, then the notes.
type table struct {
	Report
	Options
	wide  bool
	shown []scan.Item
}

func newTable(r Report, o Options, wide bool) table { return table{r, o, wide, r.Shown()} }

// maxNotes is how many notes the plain table explains; all of them would bury it. wide explains each.
const maxNotes = 20

func (t table) write(w io.Writer) error {
	var b strings.Builder
	if len(t.Items) > 0 {
		rows := [][]cell{t.header()}
		for _, item := range t.shown {
			for _, r := range t.View.Resources() {
				rows = append(rows, t.row(item, r))
			}
		}
		if len(t.shown) > 0 {
			align(&b, rows, t.Color)
		}
		t.summary(&b)
		t.notes(&b)
		t.warnings(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell is a text and the colour that a terminal shows it in.
type cell struct {
	text  string
	color string // an SGR parameter; empty for the terminal's own
	right bool
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

func plain(texts ...string) (cells []cell) {
	for _, s := range texts {
		cells = append(cells, cell{text: s})
	}
	return cells
}

// namespaced says that rows of several namespaces have to be told apart.
func (t table) namespaced() bool {
	return slices.ContainsFunc(t.Items, func(i scan.Item) bool { return i.ID.Namespace != t.Items[0].ID.Namespace })
}

func (t table) header() []cell {
	row := plain("WORKLOAD", "CONTAINER", "RESOURCE", "REQUEST", "CHANGE", "LIMIT", "CHANGE")
	if t.namespaced() {
		row = append(plain("NAMESPACE"), row...)
	}
	if t.wide {
		row = append(row, plain("P50", "P99", "PEAK", "SAMPLES", "COVERAGE", "PODS", "RESTARTS", "THROTTLED")...)
	}
	if t.View.Sort == BySeverity {
		row = append(row, plain("SEVERITY")...)
	}
	return append(row, plain("NOTES")...)
}

func (t table) row(item scan.Item, r recommender.Resource) []cell {
	row := plain(item.ID.Ref(), containerText(item), r.String())
	if t.namespaced() {
		row = append(plain(item.ID.Namespace), row...)
	}
	spec, advice := item.Spec[r], item.Advice[r].Bounds
	row = append(row, diff(r, requestNow(r, spec), Requested(spec), advice.Request)...)
	row = append(row, diff(r, quantity(r, spec.Limit), spec.Limit, advice.Limit)...)
	if t.wide {
		row = append(row, plain(t.evidence(item, r)...)...)
		row = append(row, plain(stability(item, r)...)...)
	}
	if t.View.Sort == BySeverity {
		row = append(row, cell{text: t.severity(item, r), right: true})
	}
	return append(row, codes(item, r))
}

// containerText is the container's name, behind which an init container says that it is one.
func containerText(item scan.Item) string {
	if item.Init {
		return item.ID.Container + " (init)"
	}
	return item.ID.Container
}

// severity is empty where nothing is worth changing.
func (t table) severity(item scan.Item, r recommender.Resource) string {
	if s := Severity(item, r, t.Least); s > 0 {
		return strconv.Itoa(wholeSeverity(s))
	}
	return ""
}

// requestNow is what is declared, and where that is only a limit what Kubernetes makes of it: "none (=2)".
func requestNow(r recommender.Resource, spec recommender.Bounds) string {
	if _, ok := Requested(spec).Amount(); ok && Requested(spec) != spec.Request {
		return "none (=" + quantity(r, spec.Limit) + ")"
	}
	return quantity(r, spec.Request)
}

// diff is "500m -> 62m" and "-88%". text is the value now as it is shown.
func diff(r recommender.Resource, text string, now, after recommender.Value) []cell {
	if !after.IsAdvice() {
		return []cell{{text: text}, {right: true}}
	}
	if now == after {
		if text != quantity(r, now) {
			text += " -> " + quantity(r, after)
		}
		return []cell{{text: text}, {text: "=", right: true}}
	}
	c := cell{text: change(now, after), color: yellow, right: true}
	if strings.HasPrefix(c.text, "-") {
		c.color = green
	}
	return []cell{{text: text + " -> " + quantity(r, after)}, c}
}

// quantity is "none" where there is no request or limit.
func quantity(r recommender.Resource, v recommender.Value) string {
	if amount, ok := v.Amount(); ok {
		return r.Quantity(amount)
	}
	return "none"
}

// change is how much more or less it is, in per cent of what it was.
func change(now, after recommender.Value) string {
	from, declared := now.Amount()
	to, stays := after.Amount()
	switch {
	case !stays:
		return "removed"
	case !declared || from == 0:
		return "new"
	default:
		return percent(from, to)
	}
}

// percent shows changes below 1 % with a decimal: "+0%" would read as none.
func percent(from, to float64) string {
	p := (to/from - 1) * 100
	if to == from {
		return "="
	}
	if math.Abs(p) < 1 {
		return fmt.Sprintf("%+.1f%%", p)
	}
	if p > maxPercent {
		return fmt.Sprintf(">+%d%%", maxPercent)
	}
	return fmt.Sprintf("%+.0f%%", p)
}

// maxPercent is the greatest increase that is shown as it is: beyond it the column says nothing but "a lot".
const maxPercent = 999

func (t table) evidence(item scan.Item, r recommender.Resource) []string {
	e := item.Evidence[r]
	if e.Samples == 0 {
		return []string{"-", "-", "-", "0", "0%", "0"}
	}
	coverage := 100 * e.Covered.Seconds() / t.Window.Length.Seconds()
	return []string{
		r.Approximate(e.P50), r.Approximate(e.P99), r.Approximate(e.Peak.Value),
		fmt.Sprint(e.Samples), fmt.Sprintf("%.0f%%", coverage), fmt.Sprint(e.Pods),
	}
}

// stability is the restarts of all pods, and of CPU the share of its periods that were throttled.
func stability(item scan.Item, r recommender.Resource) []string {
	restarts, throttled := "-", "-"
	if item.Restarts != nil {
		restarts = strconv.Itoa(*item.Restarts)
	}
	if share, ok := throttledShare(item, r); ok {
		throttled = fmt.Sprintf("%.0f%%", 100*share)
	}
	return []string{restarts, throttled}
}

func codes(item scan.Item, r recommender.Resource) cell {
	if item.Err != nil {
		return cell{text: "error", color: red}
	}
	var names []string
	for _, n := range item.Advice[r].Notes {
		if !slices.Contains(names, n.Code) {
			names = append(names, n.Code)
		}
	}
	return cell{text: strings.Join(names, ","), color: yellow}
}

// align writes rows in columns three blanks apart. Colours come after the padding is known, since a
// terminal shows them without width.
func align(b *strings.Builder, rows [][]cell, color bool) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text))
			text := paint(c, color)
			if c.right {
				line.WriteString(padding + text)
			} else {
				line.WriteString(text + padding)
			}
			line.WriteString("   ")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

func paint(c cell, color bool) string {
	if !color || c.color == "" || c.text == "" {
		return c.text
	}
	return "\x1b[" + c.color + "m" + c.text + "\x1b[0m"
}

// summary says what the rows come to and what they were made from.
func (t table) summary(b *strings.Builder) {
	totals := t.Totals()
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	if text := t.selection(t.shown); text != "" {
		fmt.Fprintf(b, "Shown: %s; totals count all\n", text)
	}
	for _, r := range t.View.Resources() {
		fmt.Fprintf(b, "Requested over all replicas: %s\n", total(r, totals[r]))
	}
	const minute = "2006-01-02 15:04"
	fmt.Fprintf(b, "From usage of %s to %s UTC (%s) by %s, policy %s: %s\n",
		t.Window.Start().Format(minute), t.Window.Until.Format(minute), recommender.ShortDuration(t.Window.Length),
		t.Source.Read, t.Policy.Name, policyText(t.Policy))
	for _, use := range t.Policies()[1:] {
		fmt.Fprintf(b, "Rule %s, %s: %s\n", use.Rule, recommender.Count(use.Containers, "container"), recommender.Printable(policyText(use.Policy)))
	}
	o := t.Ownership
	fmt.Fprintf(b, "Pods with usage: %d known by their recorded owner, %d by the cluster's objects, %d by their name, %d ambiguous, %d of nothing declared\n", o.ByOwner, o.ByObject, o.ByName, o.Ambiguous, o.Unknown)
}

func total(r recommender.Resource, t Total) string {
	unit := ""
	if r == recommender.CPU {
		unit = " cores"
	}
	s := fmt.Sprintf("%s %s -> %s%s", r, totalAmount(r, t.Now), totalAmount(r, t.After), unit)
	if t.Now > 0 {
		s += " (" + percent(t.Now, t.After) + ")"
	}
	if t.Unset > 0 {
		s += fmt.Sprintf(", counting none for %s without request and limit", recommender.Count(t.Unset, "container"))
	}
	if t.Uncounted > 0 {
		s += fmt.Sprintf(", without %s whose pods could not be counted", recommender.Count(t.Uncounted, "container"))
	}
	return s
}

// totalAmount is in cores even below one, since it stands before the word.
func totalAmount(r recommender.Resource, x float64) string {
	if r == recommender.CPU {
		return fmt.Sprintf("%.2f", x)
	}
	return r.Approximate(x)
}

// policyText is "requests p50, limits p99*1.2", by resource where they differ, with what else is not as it always is.
func policyText(p recommender.Policy) string {
	if p.Exempt != "" {
		return "left alone: " + p.Exempt
	}
	cpu, memory := p.Rules[recommender.CPU], p.Rules[recommender.Memory]
	text := func(rs recommender.Rules) string { return fmt.Sprintf("requests %s, limits %s", rs.Request, rs.Limit) }
	s := text(cpu)
	if cpu != memory {
		s = "cpu " + s + "; memory " + text(memory)
	}
	for _, r := range []recommender.Resource{recommender.CPU, recommender.Memory} {
		if x := p.Floor[r]; x != recommender.DefaultPolicy().Floor[r] {
			s += fmt.Sprintf("; %s floor %s", r, r.Quantity(x))
		}
		if x := p.Ceiling[r]; x > 0 {
			s += fmt.Sprintf("; %s ceiling %s", r, r.Quantity(x))
		}
	}
	if len(p.Guards) == 0 {
		return s + "; no guards"
	}
	return s
}

// notes explains the codes of the rows: errors first, then notes, each text once with all that it holds for.
func (t table) notes(b *strings.Builder) {
	lines := t.explanations()
	if len(lines) == 0 {
		return
	}
	b.WriteString("\nNotes:\n")
	for i, e := range lines {
		if i == maxNotes && !t.wide {
			fmt.Fprintf(b, "  and %d more: -o wide, json or yaml has them all\n", len(lines)-i)
			return
		}
		fmt.Fprintf(b, "  %s: %s\n", e.who(t.wide), e.text)
	}
}

// warnings stand where they are seen last, and in what is kept of a run whose standard error nobody kept.
func (t table) warnings(b *strings.Builder) {
	if len(t.Warnings) == 0 {
		return
	}
	b.WriteString("\nWarnings:\n")
	for _, w := range t.Warnings {
		fmt.Fprintf(b, "  %s\n", recommender.Printable(w))
	}
}

// explanation is a text and the containers, and where it is not for both their resources, that it is for.
type explanation struct {
	text     string
	subjects []string
}

// who names everything in wide, and in the plain table no more than three.
func (e explanation) who(all bool) string {
	if n := len(e.subjects) - 3; n > 0 && !all {
		return fmt.Sprintf("%s and %d more", strings.Join(e.subjects[:3], ", "), n)
	}
	return strings.Join(e.subjects, ", ")
}

func (t table) explanations() []explanation {
	var errors, notes explanations
	for _, item := range t.shown {
		name := item.ID.Ref() + " " + item.ID.Container
		if t.namespaced() {
			name = item.ID.Namespace + " " + name
		}
		if item.Err != nil {
			errors.add(name, "error: "+recommender.Printable(item.Err.Error()))
			continue
		}
		resources := t.View.Resources()
		for _, r := range resources {
			for _, n := range item.Advice[r].Notes {
				text := n.Code + ": " + n.Text
				switch both := len(resources) > 1 && slices.Contains(item.Advice[1-r].Notes, n); {
				case !both:
					notes.add(name+" "+r.String(), text)
				case r == 0:
					notes.add(name, text)
				}
			}
		}
	}
	return append(errors.list, notes.list...)
}

// explanations are in the order in which their texts were first met.
type explanations struct {
	list []explanation
	at   map[string]int
}

func (e *explanations) add(subject, text string) {
	i, ok := e.at[text]
	if !ok {
		if e.at == nil {
			e.at = make(map[string]int)
		}
		i, e.at[text] = len(e.list), len(e.list)
		e.list = append(e.list, explanation{text: text})
	}
	e.list[i].subjects = append(e.list[i].subjects, subject)
}
