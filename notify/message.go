package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

// Message is what is posted.
type Message struct {
	Text   string // what a phone shows of it, and a screen reader reads
	Blocks []slack.Block
	Files  []File // the whole report, where files can be posted
}

// File is a file to post with a message.
type File struct{ Name, Title, Content string }

// Slack's limits, in characters and items (https://docs.slack.dev/reference/block-kit/blocks). A message has 50
// blocks at most, of which newMessage uses 9, and 13,200 characters, which nothing documents.
const (
	maxHeader  = 150
	maxSection = 3000
	maxContext = 500 // of one of its 10 elements: by our own wish, to keep the message short
)

// maxChanges is how many changes are shown: more are not read, and the files have them all.
const maxChanges = 10

// newMessage says of a report what a tired person has to know: what can be saved, what is in danger, what to
// change first, what nothing is known about. since is what has changed, nil where that is not known.
func newMessage(r report.Report, since *comparison) (Message, error) {
	w := writer{report: r, digest: digestOf(r), since: since}
	w.namespaces = namespaces(r)
	m := Message{Text: w.fallback(), Blocks: w.blocks()}
	for _, f := range []struct{ format, name, title string }{
		{"csv", "report.csv", "Report as CSV"},
		{"markdown", "report.md", "Report as Markdown"},
	} {
		format, ok := report.Lookup(f.format)
		if !ok {
			return m, fmt.Errorf("there is no format %s", f.format)
		}
		var b bytes.Buffer
		if err := format.Write(&b, r, report.Options{}); err != nil {
			return m, fmt.Errorf("writing %s: %w", f.name, err)
		}
		m.Files = append(m.Files, File{f.name, f.title, b.String()})
	}
	return m, nil
}

// payload is the JSON that a webhook takes, and with a channel what chat.postMessage takes.
func (m Message) payload(channel string) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(struct {
		Channel string        `json:"channel,omitempty"`
		Text    string        `json:"text"`
		Blocks  []slack.Block `json:"blocks"`
	}{channel, m.Text, m.Blocks})
	if err != nil {
		return nil, fmt.Errorf("encoding the message: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// writer puts a digest into words.
type writer struct {
	report     report.Report
	digest     digest
	since      *comparison
	namespaces []string // of the report, each once, in its order
}

func namespaces(r report.Report) (list []string) {
	seen := map[string]bool{}
	for _, item := range r.Items {
		if !seen[item.ID.Namespace] {
			seen[item.ID.Namespace] = true
			list = append(list, item.ID.Namespace)
		}
	}
	return list
}

func (w writer) blocks() []slack.Block {
	header := slack.NewTextBlockObject(slack.PlainTextType, w.headline(), false, false)
	blocks := []slack.Block{slack.NewHeaderBlock(header)}
	if !w.blind() {
		blocks = append(blocks, w.fields())
	}
	texts := []string{w.dangers(), w.news(), w.changes(), w.gaps()}
	if w.blind() || w.report.Incomplete() != "" {
		texts = append([]string{w.warnings()}, texts...) // they say why
	} else {
		texts = append(texts, w.warnings())
	}
	for _, text := range texts {
		if text != "" {
			blocks = append(blocks, slack.NewSectionBlock(mrkdwn(text), nil, nil))
		}
	}
	return append(blocks, w.context())
}

// mrkdwn is verbatim, so that Slack does not look for links and names in it.
func mrkdwn(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}

// where is the namespace, or how many there are.
func (w writer) where() string {
	if len(w.namespaces) == 1 {
		return recommender.Printable(w.namespaces[0])
	}
	return recommender.Count(len(w.namespaces), "namespace")
}

// headline is what could be saved: "shop: 8.93 cores and 11.1 GiB could be saved".
func (w writer) headline() string {
	switch {
	case len(w.report.Items) == 0 && len(w.report.Unlisted) > 0:
		return "rightsize: there is nothing in what may be listed"
	case len(w.report.Items) == 0:
		return "rightsize: there is nothing to look at"
	case w.blind():
		return cut(cut(w.where(), maxName)+": no advice for any of "+recommender.Count(len(w.report.Items), "container"), maxHeader)
	}
	text := cut(w.where(), maxName) + ": " + w.outcome()
	if w.report.Incomplete() != "" {
		text += ", as far as is known"
	}
	return cut(text, maxHeader)
}

// blind says that there is advice for nothing: what is declared is then no sign that it fits.
func (w writer) blind() bool { return w.digest.mute == len(w.report.Items) }

// maxWarnings is how many are shown; the files have them all.
const maxWarnings = 5

// warnings are what the numbers have to be read with: what may not be listed, what Prometheus left out.
func (w writer) warnings() string {
	all := w.report.Warnings
	if len(all) == 0 {
		return ""
	}
	lines := []string{fmt.Sprintf(":warning: *Warnings*: %d", len(all))}
	for _, text := range all[:min(len(all), maxWarnings)] {
		lines = append(lines, "• "+code(text, maxContext))
	}
	return fit(lines, len(all)-min(len(all), maxWarnings), maxSection)
}

// outcome tells savings from what is needed on top. Less than a hundredth of what is requested is neither.
func (w writer) outcome() string {
	var saved, needed []string
	for r, t := range w.digest.totals {
		less := t.Now - t.After
		switch {
		case math.Abs(less) < 0.01*max(t.Now, t.After) || less == 0:
		case less > 0:
			saved = append(saved, amount(recommender.Resource(r), less))
		default:
			needed = append(needed, amount(recommender.Resource(r), less))
		}
	}
	switch {
	case len(saved) > 0 && len(needed) > 0:
		return fmt.Sprintf("%s could be saved, %s more are needed", saved[0], needed[0])
	case len(saved) > 0:
		return strings.Join(saved, " and ") + " could be saved"
	case len(needed) > 0:
		return strings.Join(needed, " and ") + " more are needed"
	default:
		return "requests fit what is used"
	}
}

// fallback is the message in a line.
func (w writer) fallback() string {
	text := w.headline()
	if n := len(w.digest.kills); n > 0 {
		text += fmt.Sprintf("; OOM killed: %s", recommender.Count(n, "container"))
	}
	if n := len(w.digest.changes); n > 0 {
		text += fmt.Sprintf("; %s to change", recommender.Count(n, "container"))
	}
	if n := w.digest.silent; n > 0 {
		text += fmt.Sprintf("; %s without advice", recommender.Count(n, "container"))
	}
	return escape(text)
}

func (w writer) fields() slack.Block {
	var fields []*slack.TextBlockObject
	for r, t := range w.digest.totals {
		resource := recommender.Resource(r)
		title := "CPU requested"
		if resource == recommender.Memory {
			title = "Memory requested"
		}
		text := fmt.Sprintf("*%s*\n%s → %s", title, amount(resource, t.Now), amount(resource, t.After))
		if t.Now > 0 {
			text += fmt.Sprintf(" (%+.0f%%)", 100*(t.After/t.Now-1))
		}
		fields = append(fields, mrkdwn(text))
	}
	return slack.NewSectionBlock(nil, fields, nil)
}

// dangers are what may wake somebody up.
func (w writer) dangers() string {
	if len(w.report.Items) == 0 {
		return ""
	}
	var lines []string
	add := func(items []scan.Item, what string, detail func(scan.Item) string) {
		if len(items) == 0 {
			return
		}
		var named []string
		for _, item := range items[:min(len(items), maxNamed)] {
			named = append(named, name(item.ID, len(w.namespaces) > 1)+detail(item))
		}
		lines = append(lines, fmt.Sprintf("• *%d* %s: %s", len(items), what, and(named, len(items)-len(named))))
	}
	add(w.digest.kills, "OOM killed", kills)
	add(w.digest.tight, "with usage up to the memory limit", func(i scan.Item) string {
		return fmt.Sprintf(" (limit %s)", quantity(recommender.Memory, i.Spec[recommender.Memory].Limit))
	})
	add(w.digest.bare[recommender.Memory], "without a memory limit", nothing)
	add(w.digest.bare[recommender.CPU], "without a CPU limit", nothing)
	switch {
	case len(lines) == 0 && w.blind():
		return "" // nobody looked
	case len(lines) == 0 && w.report.Incomplete() != "":
		return "*In danger*: nothing was seen in what is known. No OOM kills, no usage up to a memory limit, no limits missing"
	case len(lines) == 0:
		return "*In danger*: nothing was seen. No OOM kills, no usage up to a memory limit, no limits missing"
	}
	return fit(append([]string{":warning: *In danger*"}, lines...), 0, maxSection)
}

func nothing(scan.Item) string { return "" }

func kills(item scan.Item) string {
	n := len(item.OOMKills)
	return fmt.Sprintf(" (%s, last %s UTC)", times(n), item.OOMKills[n-1].At.UTC().Format("Jan 2 15:04"))
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// news is what has changed since the last message.
func (w writer) news() string {
	if w.since == nil {
		return ""
	}
	return w.since.text(len(w.namespaces) > 1)
}

// changes are those to make first.
func (w writer) changes() string {
	all := w.digest.changes
	if len(all) == 0 {
		return ""
	}
	shown := all[:min(len(all), maxChanges)]
	lines := []string{fmt.Sprintf("*To change*: %d of %s", len(all), recommender.Count(len(w.report.Items), "container"))}
	for _, c := range shown {
		lines = append(lines, w.change(c))
	}
	return fit(lines, len(all)-len(shown), maxSection)
}

// change is "• -3.67 cores, -7.2 GiB  `deployment/search search`: cpu 2 → 166m, memory 4Gi → 418Mi, 2 pods".
func (w writer) change(c change) string {
	var total, each []string
	for r := range recommender.NumResources {
		if text := signed(r, c.more[r]); text != "" && c.differ[r].Request {
			total = append(total, text)
		}
		if text := c.words(r); text != "" {
			each = append(each, text)
		}
	}
	if len(total) == 0 {
		total = []string{"±0 requested"}
	}
	pods := recommender.Count(report.Replicas(c.item), "pod")
	return fmt.Sprintf("• *%s* %s: %s, %s", strings.Join(total, ", "), name(c.item.ID, len(w.namespaces) > 1), strings.Join(each, ", "), pods)
}

// signed is empty for what is not worth a message.
func signed(r recommender.Resource, more float64) string {
	switch {
	case math.Abs(more) < recommender.DefaultSignificance().Amount[r]/10:
		return ""
	case more < 0:
		return "-" + amount(r, more)
	default:
		return "+" + amount(r, more)
	}
}

// words are the request's change, or where only the limit's is worth making that one's.
func (c change) words(r recommender.Resource) string {
	spec, advice := c.item.Spec[r], c.item.Advice[r].Bounds
	switch {
	case c.differ[r].Request:
		return fmt.Sprintf("%s %s → %s", r, quantity(r, report.Requested(spec)), quantity(r, advice.Request))
	case c.differ[r].Limit:
		return fmt.Sprintf("%s limit %s → %s", r, quantity(r, spec.Limit), quantity(r, advice.Limit))
	default:
		return ""
	}
}

// quantity is "none" where there is no request or limit, as in the table.
func quantity(r recommender.Resource, v recommender.Value) string {
	if amount, ok := v.Amount(); ok {
		return r.Quantity(amount)
	}
	return "none"
}

// gaps are the containers that nothing is said about, by why.
func (w writer) gaps() string {
	if w.digest.silent == 0 {
		return ""
	}
	lines := []string{fmt.Sprintf("*Without advice*: %d of %s", w.digest.silent, recommender.Count(len(w.report.Items), "container"))}
	for _, g := range w.digest.gaps {
		line := fmt.Sprintf("• *%d* %s: %s", len(g.items), code(g.code, maxName), some(g.items, len(w.namespaces) > 1))
		if g.why != "" {
			line += ": " + code(g.why, maxQuote)
		}
		lines = append(lines, line)
	}
	return fit(lines, 0, maxSection)
}

// context is what the numbers were made from.
func (w writer) context() slack.Block {
	const minute = "2006-01-02 15:04"
	r := w.report
	texts := []string{fmt.Sprintf("Usage of %s to %s UTC (%s), %s in %s", r.Window.Start().Format(minute), r.Window.Until.Format(minute),
		recommender.ShortDuration(r.Window.Length), recommender.Count(len(r.Items), "container"), w.where())}
	texts = append(texts, "Policy "+r.Policy.Name+": "+report.DescribeRules(r.Policy))
	if rules := r.Policies()[1:]; len(rules) > 0 {
		ruled := 0
		for _, rule := range rules {
			ruled += rule.Containers
		}
		texts = append(texts, fmt.Sprintf("%s of the policy file for %s", recommender.Count(len(rules), "rule"), recommender.Count(ruled, "container")))
	}
	texts = append(texts, w.uncounted()...)
	texts = append(texts, w.money()...)
	var elements []slack.MixedElement
	for _, text := range texts {
		// Plain, since the asterisks of two rules would make bold what is between them.
		elements = append(elements, slack.NewTextBlockObject(slack.PlainTextType, cut(recommender.Printable(text), maxContext), false, false))
	}
	return slack.NewContextBlock("", elements...)
}

// uncounted says what the totals leave out.
func (w writer) uncounted() (texts []string) {
	for r, t := range w.digest.totals {
		if t.Unset > 0 {
			texts = append(texts, fmt.Sprintf("%s: %s without request and limit counted as none", recommender.Resource(r), recommender.Count(t.Unset, "container")))
		}
		if t.Uncounted > 0 {
			texts = append(texts, fmt.Sprintf("%s: without %s whose pods could not be counted", recommender.Resource(r), recommender.Count(t.Uncounted, "container")))
		}
	}
	return texts
}

// money is what the requests cost, where there are prices; what is saved of it is possible, not certain.
func (w writer) money() []string {
	m := w.report.Money()
	if m == nil {
		return nil
	}
	text := m.Summary()
	if m.Total().Saved() > 0 {
		text += ", if nodes go"
	}
	return []string{text}
}
