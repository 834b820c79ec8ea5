package backtest

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/rightsize/rightsize/recommender"
)

// The plot's measures, in pixels.
const (
	plotWidth, plotHeight = 620.0, 360.0
	plotLeft, plotRight   = 64.0, 130.0 // the right is for labels
	plotTop, plotBottom   = 46.0, 48.0
	labelHeight           = 13.0
)

// panel is one resource of one report: slack to the right, harm upwards. The best place is the lower left.
type panel struct {
	title, x, y string
	points      []mark
}

// mark is one policy.
type mark struct {
	name       string
	slack      Estimate
	harm       Estimate
	atX, atY   float64
	label      float64 // y of its name
	isCensored bool
}

// WriteSVG draws slack against harm, a panel for each report and resource that has data: of memory the slack of limits
// against the share of breached tests, of CPU the slack of requests against the share of demand above them. Thin lines
// are the intervals. It has no script and refers to nothing.
func WriteSVG(w io.Writer, reports []Report) error {
	var panels []panel
	for _, r := range reports {
		for _, res := range []recommender.Resource{recommender.Memory, recommender.CPU} {
			if p := r.panel(res); len(p.points) > 0 {
				panels = append(panels, p)
			}
		}
	}
	var b strings.Builder
	height := plotHeight * math.Max(float64(len(panels)), 1)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="11">`+"\n",
		plotWidth, height, plotWidth, height)
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="#fff"/>`+"\n", plotWidth, height)
	for i, p := range panels {
		p.draw(&b, float64(i)*plotHeight)
	}
	if len(panels) == 0 {
		text(&b, plotLeft, plotTop, "start", 13, "not enough data to draw")
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) panel(res recommender.Resource) panel {
	p := panel{title: fmt.Sprintf("%s: %s", recommender.Printable(r.Source), res), x: "slack of limits, 1 - use/limit", y: "tests with a breach"}
	slack, harm := "limitSlack", "breached"
	if res == recommender.CPU {
		p.x, p.y = "slack of requests, 1 - use/request", "demand above the request"
		slack, harm = "requestSlack", "demandAboveRequest"
	}
	metrics := Metrics(res)
	find := func(name string) int { return slices.IndexFunc(metrics, func(m Metric) bool { return m.Name == name }) }
	for i, policy := range r.Policies {
		e := r.Estimates(i, res)
		m := mark{name: policy.Name, slack: e[find(slack)], harm: e[find(harm)], isCensored: policy.Censored}
		if !math.IsNaN(m.slack.Value) && !math.IsNaN(m.harm.Value) {
			p.points = append(p.points, m)
		}
	}
	return p
}

// axis maps values to pixels.
type axis struct{ low, high, step, from, to float64 }

func (a axis) at(v float64) float64 { return a.from + (v-a.low)/(a.high-a.low)*(a.to-a.from) }

// around is an axis with room for all values and their intervals, and with round ends.
func around(from, to float64, estimates []Estimate, zero bool) axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, e := range estimates {
		for _, v := range []float64{e.Value, e.Low, e.High} {
			if !math.IsNaN(v) {
				low, high = math.Min(low, v), math.Max(high, v)
			}
		}
	}
	if zero {
		low = 0
	}
	step := tick(high - low)
	low = math.Floor(low/step) * step
	return axis{low, math.Max(math.Ceil(high/step)*step, low+step), step, from, to}
}

// tick is a round step that parts a span into at most six.
func tick(span float64) float64 {
	if !(span > 0) {
		return 0.01
	}
	step := math.Pow(10, math.Floor(math.Log10(span)))
	for _, part := range []float64{0.2, 0.5} {
		if span/(step*part) <= 6.5 {
			return step * part
		}
	}
	return step
}

func (p panel) draw(b *strings.Builder, top float64) {
	var slacks, harms []Estimate
	for _, m := range p.points {
		slacks, harms = append(slacks, m.slack), append(harms, m.harm)
	}
	x := around(plotLeft, plotWidth-plotRight, slacks, false)
	y := around(top+plotHeight-plotBottom, top+plotTop, harms, true)
	text(b, plotLeft, top+20, "start", 13, p.title)
	text(b, plotLeft, top+36, "start", 11, p.y)
	text(b, (x.from+x.to)/2, top+plotHeight-12, "middle", 11, p.x)
	grid(b, x, y)
	p.place(x, y)
	for _, m := range p.points {
		m.draw(b, x, y)
	}
}

func grid(b *strings.Builder, x, y axis) {
	for v := x.low; v <= x.high+x.step/2; v += x.step {
		line(b, x.at(v), y.from, x.at(v), y.to, "#e4e4e4")
		text(b, x.at(v), y.from+15, "middle", 11, fmt.Sprintf("%.4g%%", 100*v))
	}
	for v := y.low; v <= y.high+y.step/2; v += y.step {
		line(b, x.from, y.at(v), x.to, y.at(v), "#e4e4e4")
		text(b, x.from-6, y.at(v)+4, "end", 11, fmt.Sprintf("%.4g%%", 100*v))
	}
}

// place finds places for the names, from the bottom up, so that none covers another.
func (p panel) place(x, y axis) {
	order := make([]int, len(p.points))
	for i := range p.points {
		m := &p.points[i]
		m.atX, m.atY, order[i] = x.at(m.slack.Value), y.at(m.harm.Value), i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return int(math.Copysign(1, p.points[b].atY-p.points[a].atY))
	})
	for n, i := range order {
		m := &p.points[i]
		m.label = m.atY - 3
		for _, j := range order[:n] {
			other := p.points[j]
			if m.besides(other) && other.label-m.label < labelHeight {
				m.label = math.Min(m.label, other.label-labelHeight)
			}
		}
	}
}

// besides says that the names would cover one another on the same height.
func (m mark) besides(other mark) bool {
	const letter = 6.5 // about as wide as one is
	return m.atX < other.atX+letter*float64(len(other.name)+1) && other.atX < m.atX+letter*float64(len(m.name)+1)
}

func (m mark) draw(b *strings.Builder, x, y axis) {
	color := "#1f5fa8"
	switch {
	case m.isCensored:
		color = "#999999"
	case m.name == "safe":
		color = "#b3261e"
	}
	if !math.IsNaN(m.slack.Low) {
		line(b, x.at(m.slack.Low), m.atY, x.at(m.slack.High), m.atY, color)
	}
	if !math.IsNaN(m.harm.Low) {
		line(b, m.atX, y.at(m.harm.Low), m.atX, y.at(m.harm.High), color)
	}
	fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", m.atX, m.atY, color)
	text(b, m.atX+8, m.label, "start", 11, m.name)
}

func line(b *strings.Builder, x1, y1, x2, y2 float64, color string) {
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, color)
}

func text(b *strings.Builder, x, y float64, anchor string, size int, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d">`, x, y, anchor, size)
	_ = xml.EscapeText(b, []byte(s)) // into memory
	b.WriteString("</text>\n")
}
