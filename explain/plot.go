package explain

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rightsize/rightsize/recommender"
)

const (
	plotRows  = 8
	axisWidth = 7  // of the numbers on the left
	nameWidth = 18 // of the names of the levels on the right, at least: "request now 1500m"
)

// level is a request or a limit that is drawn across the plot.
type level struct {
	name   string
	amount float64
	rune   rune
	ink    ink
}

// The characters of levels that are declared and that are recommended.
const (
	nowRune = '┄'
	newRune = '─'
)

// levels are what is declared and what is recommended; one where both are the same.
func (e Explanation) levels(r recommender.Resource) (all []level) {
	spec, advice := e.Item.Spec[r], e.Item.Advice[r].Bounds
	for _, side := range []struct {
		name       string
		now, after recommender.Value
	}{{"limit", spec.Limit, advice.Limit}, {"request", spec.Request, advice.Request}} {
		now, declared := side.now.Amount()
		after, advised := side.after.Amount()
		if advised {
			all = append(all, level{side.name + " " + r.Quantity(after), after, newRune, green})
		}
		if declared && (!advised || now != after) {
			all = append(all, level{side.name + " now " + r.Quantity(now), now, nowRune, yellow})
		}
	}
	return all
}

// plot is what is drawn of one resource.
type plot struct {
	resource recommender.Resource
	window   recommender.Window
	bins     bins
	levels   []level // those that are on the scale, the highest first
	above    []level // those that would leave nothing to be seen of the rest
	top      float64 // the highest amount on the scale
	cells    [plotRows][]span
}

// tooHigh is how many times as high as all that is used and recommended a declared level must be to be left off the scale.
const tooHigh = 2.5

// drawn is the plot in lines of at most width.
func (e Explanation) drawn(r recommender.Resource, width int) []line {
	w, names := e.Report.Window, nameWidth // of both resources, so that one's days stand below the other's
	for other := range recommender.NumResources {
		p := e.scaled(other)
		for _, name := range p.names() {
			names = max(names, 1+utf8.RuneCountInString(name.text))
		}
	}
	p := e.scaled(r)
	p.window, p.bins = w, binned(w, e.Usage.Pods, r, e.Item.Evidence[r].Peak, max(width-axisWidth-1-names, 10))
	p.fill()
	out := p.lines(width)
	out = append(out, p.times())
	if marks := e.marks(r, len(p.bins.middle)); marks != nil {
		out = append(out, marks)
	}
	return out
}

// scaled is the plot with its levels and its top, before there are columns.
func (e Explanation) scaled(r recommender.Resource) plot {
	p := plot{resource: r, top: e.Item.Evidence[r].Peak.Value}
	for _, pod := range e.Usage.Pods {
		for _, v := range pod.Values[r] {
			p.top = max(p.top, v)
		}
	}
	p.scale(e.levels(r))
	return p
}

// scale settles what the plot's top is, which is that of usage so far.
func (p *plot) scale(levels []level) {
	for _, l := range levels {
		if l.rune == newRune {
			p.top = max(p.top, l.amount)
		}
	}
	most := p.top
	for _, l := range levels {
		if most > 0 && l.amount > tooHigh*most {
			p.above = append(p.above, l)
			continue
		}
		p.levels, p.top = append(p.levels, l), max(p.top, l.amount)
	}
	if p.top == 0 {
		p.top = 1
	}
	for _, list := range [][]level{p.levels, p.above} {
		slices.SortStableFunc(list, func(a, b level) int { return cmp.Compare(b.amount, a.amount) })
	}
}

// row is the row from above that an amount is in.
func (p *plot) row(amount float64) int {
	return min(max(plotRows-int(math.Ceil(amount/p.top*plotRows)), 0), plotRows-1)
}

// eighths are the lower eighths of a cell.
func eighths() []rune { return []rune(" ▁▂▃▄▅▆▇█") }

// fill draws the bars, and the levels over them, the lowest first.
func (p *plot) fill() {
	for i := range p.cells {
		p.cells[i] = make([]span, len(p.bins.middle))
		for column := range p.cells[i] {
			p.cells[i][column] = p.bar(column, plotRows-1-i)
		}
	}
	for _, l := range slices.Backward(p.levels) {
		row := p.cells[p.row(l.amount)]
		for column, cell := range row {
			// Where usage ends in this row, its end says more than the line does. Two lines in one row take turns.
			other := cell.text == string(nowRune) || cell.text == string(newRune)
			if cell.text == " " || cell.text == "█" || other && column%2 == 0 {
				row[column] = span{string(l.rune), l.ink}
			}
		}
	}
}

// bar is a cell of a column: full up to the median of all pods, shaded up to the highest.
func (p *plot) bar(column, fromBelow int) span {
	middle, highest := p.bins.middle[column], p.bins.highest[column]
	low, size := p.top*float64(fromBelow)/plotRows, p.top/plotRows
	switch full := (middle - low) / size; {
	case full >= 1:
		return span{"█", blue}
	case full > 0 && math.Round(full*8) > 0:
		return span{string(eighths()[int(math.Round(full*8))]), blue}
	case highest > low:
		return span{"░", blue}
	}
	return span{text: " "}
}

// lines puts the scale on the left of the plot and the names of the levels on its right, each in its row or the nearest free one.
func (p *plot) lines(width int) (out []line) {
	names := p.names()
	for i, cells := range p.cells {
		axis := ""
		if i == 0 || i == plotRows/2 {
			axis = p.resource.Approximate(p.top * float64(plotRows-i) / plotRows)
		}
		l := line{{text: right(axis, axisWidth)}, {text: "│", ink: faint}}
		l = append(l, cells...)
		if names[i].text != "" {
			room := max(width-axisWidth-1-len(cells), 0)
			l = append(l, span{" " + cut(names[i].text, room-1), names[i].ink})
		}
		out = append(out, l)
	}
	return out
}

// names are those of the levels, by row. What is off the scale is named above all else.
func (p *plot) names() (at [plotRows]span) {
	next := 0
	for _, l := range p.above {
		if next < plotRows {
			at[next] = span{"↑ " + l.name, l.ink}
			next++
		}
	}
	for i, l := range p.levels {
		row := min(max(p.row(l.amount), next), plotRows-(len(p.levels)-i))
		if row >= next && row < plotRows {
			at[row] = span{l.name, l.ink}
			next = row + 1
		}
	}
	return at
}

// tick is a time on the axis.
type tick struct {
	every time.Duration
	form  string
}

// ticks are the distances of times on the axis, from small to large.
func ticks() []tick {
	const day = 24 * time.Hour
	return []tick{
		{5 * time.Minute, "15:04"},
		{time.Hour, "15:04"},
		{3 * time.Hour, "15:04"},
		{6 * time.Hour, "15:04"},
		{12 * time.Hour, "15:04"},
		{day, "Mon 2"},
		{2 * day, "Mon 2"},
		{7 * day, "Jan 2"},
		{14 * day, "Jan 2"},
		{28 * day, "Jan 2"},
		{91 * day, "Jan 2"},
		{364 * day, "Jan 2"},
	}
}

// times is the axis below the plot: as many labels as there is room for, at whole hours and days of UTC.
func (p *plot) times() line {
	n := len(p.bins.middle)
	text := []rune(strings.Repeat(" ", n))
	for _, t := range ticks() {
		if room := float64(n) * float64(t.every) / float64(p.window.Length); room < float64(1+len("Mon 26")) {
			continue
		}
		for at := p.window.Start().UTC().Truncate(t.every); !at.After(p.window.Until); at = at.Add(t.every) {
			column, label := int(math.Round(float64(at.Sub(p.window.Start()))/float64(p.window.Length)*float64(n))), []rune("╵"+at.Format(t.form))
			if column >= 0 && column+len(label) <= n {
				copy(text[column:], label)
			}
		}
		break
	}
	return line{{text: right("0", axisWidth)}, {text: "└", ink: faint}, {text: string(text), ink: faint}}
}

// marks are below the axis: where the peak was, and OOM kills. It is nil where there are none.
func (e Explanation) marks(r recommender.Resource, columns int) line {
	text := []rune(strings.Repeat(" ", columns))
	legend, w := "", e.Report.Window
	if b, ok := binOf(w, e.Item.Evidence[r].Peak.At, columns); ok {
		text[b], legend = '^', " ^ peak"
	}
	if r == recommender.Memory {
		for _, k := range e.Item.OOMKills {
			if b, ok := binOf(w, k.At, columns); ok {
				text[b] = 'x'
				if !strings.Contains(legend, "x") {
					legend += " x OOM kill"
				}
			}
		}
	}
	if legend == "" {
		return nil
	}
	return line{{text: strings.Repeat(" ", axisWidth+1)}, {string(text), red}, {legend, red}}
}

// right puts text at the right of so many columns.
func right(text string, width int) string {
	return strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0)) + text
}

// cut is no more than so many runes of a text.
func cut(text string, width int) string {
	if r := []rune(text); len(r) > max(width, 0) {
		return string(r[:max(width, 0)])
	}
	return text
}
