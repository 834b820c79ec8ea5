package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/rightsize/rightsize/recommender"
)

// writeMarkdown writes the table as GitHub shows tables (https://github.github.com/gfm/#tables-extension-), with all
// notes below it.
func writeMarkdown(w io.Writer, r Report, _ Options) error {
	t := newTable(r, Options{}, false)
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", markdown(r.title()))
	if len(r.Items) > 0 {
		if len(t.shown) > 0 {
			markdownTable(&b, t)
		}
		b.WriteString("\n")
		markdownSummary(&b, t)
		markdownGate(&b, t)
		markdownNotes(&b, t)
	}
	markdownWarnings(&b, r)
	_, err := io.WriteString(w, b.String())
	return err
}

func markdownTable(b *strings.Builder, t table) {
	header := t.header()
	b.WriteString("\n")
	markdownRow(b, header)
	for _, c := range header {
		if c.text == "CHANGE" || c.text == "SEVERITY" {
			b.WriteString("|--:")
		} else {
			b.WriteString("|---")
		}
	}
	b.WriteString("|\n")
	for _, item := range t.shown {
		for _, r := range t.View.Resources() {
			markdownRow(b, t.row(item, r))
		}
	}
}

func markdownRow(b *strings.Builder, cells []cell) {
	for _, c := range cells {
		fmt.Fprintf(b, "| %s ", markdown(c.text))
	}
	b.WriteString("|\n")
}

// markdownSummary is the table's, a list item a line.
func markdownSummary(b *strings.Builder, t table) {
	var text strings.Builder
	t.summary(&text)
	for line := range strings.Lines(strings.TrimSpace(text.String())) {
		fmt.Fprintf(b, "- %s\n", markdown(line))
	}
}

// markdownGate names what tripped the gate: Markdown goes where nobody sees what stderr said.
func markdownGate(b *strings.Builder, t table) {
	if t.Gate == nil {
		return
	}
	b.WriteString("\n## Gate\n\n")
	for _, c := range t.Gate.Conditions {
		trips := t.Gate.Tripped(c)
		fmt.Fprintf(b, "- **%s**: %s\n", markdown(c.String()), recommender.Count(Containers(trips), "container"))
		for _, trip := range trips {
			fmt.Fprintf(b, "  - %s\n", markdown(trip.String()))
		}
	}
}

func markdownWarnings(b *strings.Builder, r Report) {
	if len(r.Warnings) == 0 {
		return
	}
	b.WriteString("\n## Warnings\n\n")
	for _, w := range r.Warnings {
		fmt.Fprintf(b, "- %s\n", markdown(w))
	}
}

func markdownNotes(b *strings.Builder, t table) {
	lines := t.explanations()
	if len(lines) == 0 {
		return
	}
	b.WriteString("\n## Notes\n\n")
	for _, e := range lines {
		fmt.Fprintf(b, "- **%s**: %s\n", markdown(e.who(true)), markdown(e.text))
	}
}

// markdown is text on one line in which Markdown sees nothing to format. It escapes by a backslash, as may be
// done with any ASCII punctuation (https://github.github.com/gfm/#backslash-escapes).
func markdown(text string) string {
	var b strings.Builder
	for _, r := range recommender.Printable(text) {
		if strings.ContainsRune("\\`*_{}[]<|~&$@", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// DescribeRules is what a policy's rules are, in words: "requests p50, limits p99*1.2".
func DescribeRules(p recommender.Policy) string { return policyText(p) }
