package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

//go:embed html/page.html
var pageText string

//go:embed html/style.css
var pageStyle string

//go:embed html/script.js
var pageScript string

// writeHTML writes the report as one file that needs nothing else: no network, and no script but its own, by whose hash
// its policy lets it run. Without scripts everything is shown, unsorted and unfiltered.
func writeHTML(w io.Writer, r Report, _ Options) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, newPage(r)); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// page is what the template shows.
type page struct {
	Title, Basis, Policy string
	Style                template.CSS
	Script               template.JS
	Alerts               []pageAlert
	Cards                []pageCard
	Dangers, Savings     []pageMention
	MoreDangers          int // that are not mentioned
	Namespaces, Kinds    []string
	States               []pageState
	Columns              []pageColumn
	Rows                 []pageRow
	Summary, Queries     []string
}

type pageAlert struct {
	Head  string
	Lines []string
}

type pageCard struct{ Name, Value, Class, Text string }

// pageMention is a line that leads to a row.
type pageMention struct{ Anchor, Name, Text string }

type pageState struct{ Value, Text string }

// pageColumn has a hint that says what it is sorted by.
type pageColumn struct{ Key, Head, Hint string }

// pageRow is a container.
type pageRow struct {
	Anchor, Name              string
	Namespace, Kind, States   string
	Space, Owner, Workload    string // Owner is its kind and the slash behind it
	Container, Keys, Severity string
	Values                    []pageValue
	Tags                      []pageTag
	Span                      int
	Plots                     []plot
	Width, Height             int // of a plot
	EvidenceHeads             []string
	Evidence                  []pageEvidence
	Notes                     []pageNote
}

type pageValue struct{ Text, Change, Class string }

type pageTag struct {
	Code string
	Bad  bool
}

type pageEvidence struct {
	Name  string
	Cells []string
}

type pageNote struct{ Code, For, Text string }

// The states that rows can be filtered by.
const (
	stateChange  = "change"
	stateDanger  = "danger"
	stateSilent  = "silent"
	stateError   = "error"
	mostMentions = 10
)

func newPage(r Report) page {
	t := newTable(r, Options{}, true)
	p := page{
		Title: r.title(), Policy: pagePolicy(), Style: template.CSS(pageStyle), Script: template.JS(pageScript),
		Basis: t.basis(), Queries: r.Queries, Alerts: t.alerts(), Summary: t.pageSummary(),
		States: []pageState{
			{stateChange, "worth changing"}, {stateDanger, "in danger"}, {stateSilent, "without advice"}, {stateError, "could not be read"},
		},
		Columns: []pageColumn{{"name", "Container", "sort by name"}},
	}
	for _, res := range t.View.Resources() {
		for _, side := range []string{"request", "limit"} {
			p.Columns = append(p.Columns, pageColumn{res.String() + "-" + side, title(res) + " " + side, "sort by the change, over all pods"})
		}
	}
	p.Columns = append(p.Columns, pageColumn{"severity", "Severity", "sort by severity: 100 is in danger, below that the greater the change the higher"})
	byName := make(map[recommender.ID]int, len(t.Items)) // the report's items are in the order of their names
	for i, item := range t.Items {
		byName[item.ID] = i
	}
	for i, item := range t.shown {
		row := t.pageRow(i, item, byName[item.ID], len(p.Columns)+1)
		p.Rows = append(p.Rows, row)
		p.Namespaces = append(p.Namespaces, row.Namespace)
		p.Kinds = append(p.Kinds, row.Kind)
	}
	p.Namespaces, p.Kinds = distinct(p.Namespaces), distinct(p.Kinds)
	p.Cards = t.cards()
	p.Dangers, p.Savings = t.mentions(p.Rows)
	if n := len(p.Dangers) - mostMentions; n > 0 {
		p.Dangers, p.MoreDangers = p.Dangers[:mostMentions], n
	}
	return p
}

func distinct(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// pagePolicy lets nothing load and nothing run but what the page itself holds.
func pagePolicy() string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; style-src " + hash(pageStyle) + "; script-src " + hash(pageScript) + "; base-uri 'none'; form-action 'none'"
}

func title(r recommender.Resource) string {
	if r == recommender.CPU {
		return "CPU"
	}
	return "Memory"
}

func (t table) basis() string {
	const minute = "2006-01-02 15:04"
	return fmt.Sprintf("From usage of %s to %s UTC (%s), read from %s by %s", t.Window.Start().UTC().Format(minute), t.Window.Until.UTC().Format(minute),
		recommender.ShortDuration(t.Window.Length), recommender.Printable(t.Source.Address), t.Source.Read)
}

// title says what the report is of, since it may be passed on without a word.
func (r Report) title() string {
	var names []string
	for _, item := range r.Items {
		names = append(names, strings.TrimPrefix(item.ID.Cluster+"/"+item.ID.Namespace, "/"))
	}
	switch names = distinct(names); len(names) {
	case 0:
		return "Requests and limits"
	case 1:
		return "Requests and limits of " + recommender.Printable(names[0])
	default:
		return "Requests and limits of " + recommender.Count(len(names), "namespace")
	}
}

// alerts are what must not be overlooked: what is missing from the report, its gate, and its warnings.
func (t table) alerts() (alerts []pageAlert) {
	var failures []string
	for _, f := range t.Failures() {
		failures = append(failures, recommender.Count(f.Containers, "container")+": "+recommender.Printable(f.Err.Error()))
	}
	if len(failures) > 0 {
		alerts = append(alerts, pageAlert{"What could not be read", failures})
	}
	if len(t.Unlisted) > 0 {
		alerts = append(alerts, pageAlert{"What may not be listed, and is missing", t.Unlisted})
	}
	if t.Gate != nil {
		for _, c := range t.Gate.Conditions {
			var lines []string
			for _, trip := range t.Gate.Tripped(c) {
				lines = append(lines, trip.String())
			}
			if len(lines) > 0 {
				alerts = append(alerts, pageAlert{"Gate " + c.String() + " holds for " + recommender.Count(Containers(t.Gate.Tripped(c)), "container"), lines})
			}
		}
	}
	var warnings []string
	for _, w := range t.Warnings {
		warnings = append(warnings, recommender.Printable(w))
	}
	if len(warnings) > 0 {
		alerts = append(alerts, pageAlert{"Warnings", warnings})
	}
	return alerts
}

// pageSummary is the table's, a line each.
func (t table) pageSummary() (lines []string) {
	var text strings.Builder
	t.summary(&text)
	for line := range strings.Lines(strings.TrimSpace(text.String())) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

func (t table) cards() (cards []pageCard) {
	if len(t.Items) == 0 {
		return nil
	}
	totals := t.Totals()
	for _, r := range t.View.Resources() {
		c := pageCard{Name: title(r) + " requested", Value: totalAmount(r, totals[r].Now) + " → " + totalAmount(r, totals[r].After)}
		if r == recommender.CPU {
			c.Name += ", cores"
		}
		if totals[r].Now > 0 {
			c.Text, c.Class = percent(totals[r].Now, totals[r].After), class(totals[r].Now, totals[r].After)
		}
		cards = append(cards, c)
	}
	if m := t.Money(); m != nil {
		total := m.Total()
		c := pageCard{"Cost a month, " + m.Prices.Currency, total.Now.String() + " → " + total.After.String(), class(total.Now.Float(), total.After.Float()), total.change()}
		if total.Saved() > 0 {
			c.Text += ", possible if nodes go"
		}
		cards = append(cards, c)
	}
	counts := map[string]int{}
	for _, item := range t.Items {
		for _, s := range t.states(item) {
			counts[s]++
		}
	}
	danger := pageCard{Name: "In danger", Value: strconv.Itoa(counts[stateDanger]), Text: "used more than their memory limit, or were OOM killed"}
	if counts[stateDanger] > 0 {
		danger.Class = "bad"
	}
	cards = append(cards, danger,
		pageCard{Name: "Worth changing", Value: fmt.Sprintf("%d of %d", counts[stateChange], len(t.Items)), Text: "containers", Class: "dim"})
	if n := counts[stateSilent]; n > 0 {
		cards = append(cards, pageCard{Name: "Without advice", Value: strconv.Itoa(n), Text: "too little data, none, or left alone", Class: "dim"})
	}
	if n := counts[stateError]; n > 0 {
		cards = append(cards, pageCard{Name: "Could not be read", Value: strconv.Itoa(n), Text: "containers", Class: "bad"})
	}
	return cards
}

func class(now, after float64) string {
	switch {
	case after > now:
		return "more"
	case after < now:
		return "less"
	default:
		return "dim"
	}
}

// states are those that the item can be found by.
func (t table) states(item scan.Item) (states []string) {
	if item.Err != nil {
		return []string{stateError}
	}
	if t.Severity(item) > 0 {
		states = append(states, stateChange)
	}
	if t.View.Shows(recommender.Memory) && Endangered(item) {
		states = append(states, stateDanger)
	}
	if !slices.ContainsFunc(t.View.Resources(), func(r recommender.Resource) bool { return StatusOf(item, r) == OK }) {
		states = append(states, stateSilent)
	}
	return states
}

// mentions lead to the rows that matter most: those in danger, and those that free most.
func (t table) mentions(rows []pageRow) (dangers, savings []pageMention) {
	type saving struct {
		pageMention
		share float64
	}
	totals := t.Totals()
	var saved []saving
	for i, item := range t.shown {
		m := pageMention{Anchor: rows[i].Anchor, Name: rows[i].Name}
		if slices.Contains(t.states(item), stateDanger) {
			m.Text = t.danger(item)
			dangers = append(dangers, m)
		}
		var texts []string
		share, money := 0.0, Cents(0)
		for _, r := range t.View.Resources() {
			if more := t.RequestedMore(item, r); more < 0 && WorthOf(item, r, t.Least).Request {
				texts = append(texts, fmt.Sprintf("%s %s", r, r.Approximate(-more)))
				share -= more / totals[r].Now
				if t.money != nil {
					money += t.money.Of(item.ID, r).Saved()
				}
			}
		}
		if t.money != nil {
			share = money.Float()
		}
		if money > 0 {
			texts = append(texts, fmt.Sprintf("%s %s a month", money, t.money.Prices.Currency))
		}
		if m.Text = strings.Join(texts, ", "); m.Text != "" {
			saved = append(saved, saving{m, share})
		}
	}
	slices.SortStableFunc(saved, func(a, b saving) int {
		switch {
		case a.share > b.share:
			return -1
		case a.share < b.share:
			return 1
		}
		return 0
	})
	for _, s := range saved[:min(len(saved), mostMentions)] {
		savings = append(savings, s.pageMention)
	}
	return dangers, savings
}

func (t table) danger(item scan.Item) string {
	limit, _ := item.Spec[recommender.Memory].Limit.Amount()
	to, _ := item.Advice[recommender.Memory].Bounds.Limit.Amount()
	text := fmt.Sprintf("memory limit %s, should be %s", recommender.Memory.Quantity(limit), recommender.Memory.Quantity(to))
	if n := len(item.OOMKills); n > 0 {
		text += ", OOM killed " + recommender.Count(n, "time")
	}
	return text
}

// pageRow is the i-th row; rank is the item's place in the order of names.
func (t table) pageRow(i int, item scan.Item, rank, span int) pageRow {
	row := pageRow{
		Anchor: "c" + strconv.Itoa(i), Name: recommender.Printable(item.ID.String()),
		Namespace: recommender.Printable(item.ID.Namespace), Kind: recommender.Printable(item.ID.Kind), States: strings.Join(t.states(item), " "),
		Container: recommender.Printable(containerText(item)), Span: span,
		Width: plotWidth, Height: plotHeight, EvidenceHeads: []string{"P50", "P99", "Peak", "Samples", "Coverage", "Pods", "Restarts", "Throttled"},
	}
	if t.namespaced() {
		row.Space = row.Namespace
	}
	kind, name, _ := strings.Cut(recommender.Printable(item.ID.Ref()), "/")
	row.Owner, row.Workload = kind+"/", name
	keys := []string{strconv.Itoa(rank)}
	for _, r := range t.View.Resources() {
		spec, advice := item.Spec[r], item.Advice[r].Bounds
		row.Values = append(row.Values, valueOf(r, requestNow(r, spec), Requested(spec), advice.Request), valueOf(r, quantity(r, spec.Limit), spec.Limit, advice.Limit))
		keys = append(keys, sortKey(t.RequestedMore(item, r)), sortKey(limitMore(item, r)))
		row.Evidence = append(row.Evidence, pageEvidence{title(r), append(t.evidence(item, r), stability(item, r)...)})
		if p, ok := t.plot(item, r); ok {
			row.Plots = append(row.Plots, p)
		}
	}
	severity := t.Severity(item)
	row.Keys = strings.Join(append(keys, sortKey(severity)), " ")
	if severity > 0 {
		row.Severity = strconv.Itoa(wholeSeverity(severity))
	}
	row.Tags, row.Notes = t.pageNotes(item)
	return row
}

func sortKey(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

// limitMore is how much more the limit of all pods would be; 0 where there is none before or after.
func limitMore(item scan.Item, r recommender.Resource) float64 {
	before, has := item.Spec[r].Limit.Amount()
	after, stays := inForce(item, r).Limit.Amount()
	if !has || !stays {
		return 0
	}
	return (after - before) * float64(max(Replicas(item), 1))
}

// valueOf is diff for the page.
func valueOf(r recommender.Resource, text string, now, after recommender.Value) pageValue {
	cells := diff(r, text, now, after)
	v := pageValue{Text: strings.Replace(cells[0].text, "->", "→", 1), Change: cells[1].text, Class: "more"}
	switch {
	case v.Change == "=":
		v.Class = "dim"
	case strings.HasPrefix(v.Change, "-"):
		v.Class = "less"
	}
	return v
}

// pageNotes are the item's notes, each once, and their codes.
func (t table) pageNotes(item scan.Item) (tags []pageTag, notes []pageNote) {
	if item.Err != nil {
		return []pageTag{{"error", true}}, []pageNote{{Code: "error", Text: recommender.Printable(item.Err.Error())}}
	}
	resources := t.View.Resources()
	for _, r := range resources {
		for _, n := range item.Advice[r].Notes {
			tag := pageTag{n.Code, slices.Contains([]string{recommender.NoteLimitBelowPeak, recommender.GuardOOMKilled}, n.Code)}
			if !slices.Contains(tags, tag) {
				tags = append(tags, tag)
			}
			both := len(resources) > 1 && slices.Contains(item.Advice[1-r].Notes, n)
			switch {
			case !both:
				notes = append(notes, pageNote{n.Code, r.String(), recommender.Printable(n.Text)})
			case r == 0:
				notes = append(notes, pageNote{n.Code, "", recommender.Printable(n.Text)})
			}
		}
	}
	return tags, notes
}

// The size of a plot, in its own units: it is stretched to what there is room for.
const (
	plotWidth  = 504
	plotHeight = 100
)

// plot is what one resource's usage was over the window, with its request and limit now and after.
type plot struct {
	Caption, Label   string
	From, Until, Top string
	Area, Mean       string // SVG paths: the highest of any pod, and the mean of all
	Lines            []plotLine
	Beyond           string // what is above the plot
	curve            scan.Curve
	scale            float64 // units of height in one of the resource's
}

type plotLine struct {
	Class string
	Y     int
}

// plot is of what the scan outlined; ok is false where it did not, or where there are no samples.
func (t table) plot(item scan.Item, r recommender.Resource) (p plot, ok bool) {
	curve, e := item.Curves[r], item.Evidence[r]
	if e.Samples == 0 || len(curve.Mean) == 0 {
		return p, false
	}
	spec, after := item.Spec[r], inForce(item, r)
	lines := []struct {
		name, class string
		value       recommender.Value
	}{
		{"request now", "req now", Requested(spec)},
		{"limit now", "lim now", spec.Limit},
		{"request after", "req", Requested(after)},
		{"limit after", "lim", after.Limit},
	}
	// What is declared may be a hundred times what is used, and would make a flat line of it: the plot ends at three times
	// the peak, or above what is recommended.
	top := e.Peak.Value
	for _, l := range lines {
		if x, set := l.value.Amount(); set && (x <= 3*e.Peak.Value || !strings.HasSuffix(l.class, "now")) {
			top = max(top, x)
		}
	}
	if top <= 0 {
		return p, false
	}
	p = plot{
		Caption: fmt.Sprintf("%s: shaded the highest of any pod, line the mean of all, by %s; peak %s", title(r), recommender.ShortDuration(curve.Bin), recommender.Printable(r.DescribePeak(e.Peak))),
		From:    t.Window.Start().UTC().Format("2006-01-02 15:04"), Until: t.Window.Until.UTC().Format("2006-01-02 15:04") + " UTC",
		Top: r.Approximate(top * plotMargin), curve: curve, scale: plotHeight / (top * plotMargin),
	}
	p.Label = title(r)
	var beyond []string
	for _, l := range lines {
		x, set := l.value.Amount()
		switch {
		case !set:
			continue
		case x > top:
			beyond = append(beyond, l.name+" "+r.Quantity(x))
		default:
			p.Lines = append(p.Lines, plotLine{l.class, p.y(x)})
		}
		p.Label += fmt.Sprintf(", %s %s", l.name, r.Quantity(x))
	}
	if len(beyond) > 0 {
		p.Beyond = "Above the plot: " + strings.Join(beyond, ", ")
	}
	p.Area, p.Mean = p.area(), p.mean()
	return p, true
}

// plotMargin is the room above the highest line.
const plotMargin = 1.08

// y is how far below the plot's top a value is.
func (p plot) y(value float64) int { return int(math.Round(plotHeight - value*p.scale)) }

// x is the left end of a bin.
func (p plot) x(bin int) int { return bin * plotWidth / len(p.curve.Mean) }

// area is a step for each bin that has samples, down to the bottom.
func (p plot) area() string {
	return p.steps(p.curve.Highest, func(int) int { return plotHeight }, fmt.Sprintf("V%dZ", plotHeight))
}

// mean is a line through the bins that have samples.
func (p plot) mean() string {
	return p.steps(p.curve.Mean, func(y int) int { return y }, "")
}

// steps is a path along the values, broken where there are none. Each piece begins at the height that begin gives for its
// first value's. Its steps are relative, which is the shorter way to say them: most of a page of many containers is paths.
func (p plot) steps(values []float64, begin func(y int) int, end string) string {
	var b strings.Builder
	from, last := -1, 0 // where and how high the step is that is not yet written; from is negative where there is none
	for i, v := range values {
		x, y := p.x(i), 0
		if !math.IsNaN(v) {
			y = p.y(v)
		}
		switch {
		case math.IsNaN(v) && from >= 0:
			fmt.Fprintf(&b, "h%d%s", x-from, end)
			from = -1
		case math.IsNaN(v):
		case from < 0:
			fmt.Fprintf(&b, "M%d %dV%d", x, begin(y), y)
			from, last = x, y
		case y != last:
			fmt.Fprintf(&b, "h%dv%d", x-from, y-last)
			from, last = x, y
		}
	}
	if from >= 0 {
		fmt.Fprintf(&b, "h%d%s", plotWidth-from, end)
	}
	return b.String()
}
