package explain

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// ink is an SGR parameter; empty for the terminal's own.
type ink string

const (
	strong ink = "1"
	faint  ink = "2"
	red    ink = "31"
	green  ink = "32"
	yellow ink = "33"
	blue   ink = "36"
)

// span is a text in one ink.
type span struct {
	text string
	ink  ink
}

// line is one line on a terminal. Widths are counted in runes: all that is written here is one column wide.
type line []span

func plain(text string) line { return line{{text: text}} }

func (l line) width() (n int) {
	for _, s := range l {
		n += utf8.RuneCountInString(s.text)
	}
	return n
}

// write writes the line without blanks at its end.
func (l line) write(b *strings.Builder, color bool) {
	l = slices.Clone(l)
	for n := len(l) - 1; n >= 0; n-- {
		if l[n].text = strings.TrimRight(l[n].text, " "); l[n].text != "" {
			break
		}
	}
	l = slices.DeleteFunc(l, func(s span) bool { return s.text == "" })
	for i, s := range l {
		inked := color && s.ink != ""
		if inked && (i == 0 || l[i-1].ink != s.ink) {
			b.WriteString("\x1b[" + string(s.ink) + "m")
		}
		b.WriteString(s.text)
		if inked && (i == len(l)-1 || l[i+1].ink != s.ink) {
			b.WriteString("\x1b[0m")
		}
	}
	b.WriteString("\n")
}

// padded is the line filled up with blanks.
func (l line) padded(width int) line {
	if n := width - l.width(); n > 0 {
		return append(l[:len(l):len(l)], span{text: strings.Repeat(" ", n)})
	}
	return l
}

// beside puts two columns of lines next to each other, the right one from column width on.
func beside(left, right []line, width int) (out []line) {
	for i := range max(len(left), len(right)) {
		var l line
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			l = append(l.padded(width), right[i]...)
		}
		out = append(out, l)
	}
	return out
}

// wrap breaks a text at blanks into lines of at most width, the first of which begins with head, the others with as many
// blanks. A word that is longer stands alone and is not broken: it may be a name that somebody wants to copy.
func wrap(head span, text string, width int) (out []line) {
	indent := utf8.RuneCountInString(head.text)
	current, n := line{head}, 0
	for word := range strings.FieldsSeq(text) {
		size := utf8.RuneCountInString(word)
		if n > 0 && indent+n+1+size > width {
			out, current, n = append(out, current), plain(strings.Repeat(" ", indent)), 0
		}
		if n > 0 {
			word = " " + word
			size++
		}
		current, n = append(current, span{text: word}), n+size
	}
	return append(out, current)
}

// wrapQuery breaks PromQL at the blanks that stand behind its commas and operators, and nowhere in a string. It stays
// PromQL, which takes a new line for a blank.
func wrapQuery(query string, indent, width int) (out []line) {
	var words []string
	start, quoted := 0, false
	for i := 0; i < len(query); i++ {
		switch query[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ' ':
			if !quoted {
				words, start = append(words, query[start:i]), i+1
			}
		}
	}
	words = append(words, query[start:])
	margin := strings.Repeat(" ", indent)
	current := margin
	for _, w := range words {
		if len(current) > indent && utf8.RuneCountInString(current)+1+utf8.RuneCountInString(w) > width {
			out, current = append(out, plain(current)), margin+"  "
		} else if len(current) > indent {
			current += " "
		}
		current += w
	}
	return append(out, plain(current))
}
