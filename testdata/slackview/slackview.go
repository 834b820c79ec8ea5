// Package slackview draws a Slack message as an SVG picture, for the documents: roughly as Slack would show it, and
// always from the payload itself.
package slackview

import (
	"encoding/json"
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The picture's measures, in pixels, and how many characters of the body's size fit a line.
const (
	width   = 900
	left    = 76
	line    = 22
	columns = 96
)

type text struct{ Type, Text string }

type block struct {
	Type     string
	Text     *text
	Fields   []text
	Elements []text
}

// Draw makes a picture of a webhook's payload.
func Draw(payload []byte) (string, error) {
	var message struct{ Blocks []block }
	if err := json.Unmarshal(payload, &message); err != nil {
		return "", fmt.Errorf("decoding the payload: %w", err)
	}
	c := canvas{y: 34}
	c.text(left, 15, "bold", "*rightsize*  APP")
	c.y += 6
	for _, b := range message.Blocks {
		c.block(b)
	}
	const head = `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="Lato, Helvetica, Arial, 'DejaVu Sans', sans-serif" fill="#1d1c1d">
<rect width="100%%" height="100%%" fill="#ffffff"/>
<rect x="24" y="20" width="38" height="38" rx="6" fill="#4a154b"/>
<text x="43" y="45" text-anchor="middle" font-size="17" font-weight="bold" fill="#ffffff">rs</text>
`
	return fmt.Sprintf(head, width, c.y) + c.out.String() + "</svg>\n", nil
}

// canvas grows downwards.
type canvas struct {
	out strings.Builder
	y   int
}

func (c *canvas) block(b block) {
	switch b.Type {
	case "header":
		c.y += 8
		c.text(left, 19, "bold", b.Text.Text)
	case "context":
		c.wrapped(13, "#616061", texts(b.Elements, "   "), columns*15/13)
	case "section":
		if b.Text != nil {
			c.wrapped(15, "", b.Text.Text, columns)
		}
		c.fields(b.Fields)
	}
	c.y += 10
}

func texts(list []text, between string) string {
	var all []string
	for _, t := range list {
		all = append(all, t.Text)
	}
	return strings.Join(all, between)
}

// fields are in two columns.
func (c *canvas) fields(fields []text) {
	for i := 0; i < len(fields); i += 2 {
		top, bottom := c.y, c.y
		for k, f := range fields[i:min(i+2, len(fields))] {
			c.y = top
			for _, l := range strings.Split(f.Text, "\n") {
				c.text(left+k*(width-left)/2, 15, "", l)
			}
			bottom = max(bottom, c.y)
		}
		c.y = bottom
	}
}

// wrapped breaks lines between words. What follows is indented under a bullet.
func (c *canvas) wrapped(size int, fill, text string, most int) {
	for _, l := range strings.Split(text, "\n") {
		indent := 0
		for l != "" {
			var now string
			now, l = breakAt(l, most)
			c.styled(left+indent, size, fill, now)
			if strings.HasPrefix(now, "•") {
				indent = 12
			}
		}
	}
}

// breakAt leaves what is between backticks whole.
func breakAt(l string, most int) (now, rest string) {
	if utf8.RuneCountInString(l) <= most {
		return l, ""
	}
	at, inCode, n := 0, false, 0
	for i, r := range l {
		if n++; n > most && at > 0 {
			break
		}
		switch {
		case r == '`':
			inCode = !inCode
		case r == ' ' && !inCode:
			at = i
		}
	}
	if at == 0 {
		return l, ""
	}
	return l[:at], l[at+1:]
}

func (c *canvas) text(x, size int, weight, text string) {
	if weight == "bold" {
		text = "*" + strings.ReplaceAll(text, "*", "") + "*"
	}
	c.styled(x, size, "", text)
}

// styled writes a line of mrkdwn: bold, code, and the one emoji that there is.
func (c *canvas) styled(x, size int, fill, text string) {
	if fill != "" {
		fill = fmt.Sprintf(" fill=%q", fill)
	}
	text = html.EscapeString(html.UnescapeString(text))
	text = strings.ReplaceAll(text, ":warning:", `<tspan fill="#de9b00">⚠</tspan>`)
	text = regexp.MustCompile("`([^`]*)`").ReplaceAllString(text, `<tspan font-family="Monaco, Menlo, 'DejaVu Sans Mono', monospace" font-size="12.5" fill="#c01343">$1</tspan>`)
	text = regexp.MustCompile(`(^|[ (])\*([^*]+)\*`).ReplaceAllString(text, `$1<tspan font-weight="bold">$2</tspan>`)
	c.y += line
	fmt.Fprintf(&c.out, `<text x="%d" y="%d" font-size="%d"%s xml:space="preserve">%s</text>`+"\n", x, c.y, size, fill, text)
}
