package report

import (
	"bytes"
	"html/template"

	"github.com/rightsize/rightsize/scan"
)

// Style is what the page of -o html looks like, for pages of others that show its parts.
func Style() string { return pageStyle }

// Cards are the page's cards about the report: what is requested, what it costs, and what is in danger.
func Cards(r Report) (template.HTML, error) {
	return fragment("cards", newTable(r, Options{}, true).cards())
}

// Details are what the page shows of a container where it is opened: its plots, evidence and notes.
func Details(r Report, item scan.Item) (template.HTML, error) {
	return fragment("details", newTable(r, Options{}, true).pageRow(0, item, 0, 0))
}

// HeldOut is a line on how the policy in use did in time that it had not learnt from; empty where nothing was tried, or where
// nothing had enough data.
func HeldOut(r Report) string { return r.heldOutText() }

// fragment is a part of the page by its name.
func fragment(name string, data any) (template.HTML, error) {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil //nolint:gosec // html/template has just escaped it
}
