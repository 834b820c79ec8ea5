package notify

import (
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/rightsize/rightsize/recommender"
)

// escape leaves nothing that Slack takes for a link, a mention or an entity
// (https://docs.slack.dev/messaging/formatting-message-text#escaping).
func escape(text string) string {
	text = strings.ReplaceAll(text, "&", "&amp;")
	text = strings.ReplaceAll(text, "<", "&lt;")
	return strings.ReplaceAll(text, ">", "&gt;")
}

// maxName is how much is shown of a name, in characters. A name of Kubernetes' has 63, or 253.
const maxName = 100

// code is a name or somebody's words between backticks, where Slack formats nothing and links nothing. Between
// them are at most so many characters.
func code(text string, most int) string {
	text = strings.ReplaceAll(recommender.Printable(text), "`", "'")
	if text == "" {
		return ""
	}
	return "`" + escapeTo(text, most) + "`"
}

// escapeTo escapes as much of the text as fits, and never cuts an entity in two.
func escapeTo(text string, most int) string {
	if whole := escape(text); length(whole) <= most {
		return whole
	}
	var b strings.Builder
	n := 0
	for _, r := range text {
		escaped := escape(string(r))
		if n += length(escaped); n > most-1 {
			break
		}
		b.WriteString(escaped)
	}
	return strings.TrimSpace(b.String()) + "…"
}

// cut keeps at most that many characters of a text, the last of them an ellipsis where something is missing.
func cut(text string, most int) string {
	if length(text) <= most {
		return text
	}
	n := 0
	for i, r := range text {
		if n += utf16.RuneLen(r); n > most-1 {
			return strings.TrimSpace(text[:i]) + "…"
		}
	}
	return text
}

// length is in UTF-16 units, as JavaScript counts: never less than Slack's characters, which it does not define.
func length(text string) (n int) {
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// maxNamed is how many are named of those that something holds for.
const maxNamed = 3

func and(names []string, more int) string {
	text := strings.Join(names, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// fit joins whole lines up to a length, and says how many of them there is no room for. hidden counts those that
// are left out already.
func fit(lines []string, hidden, most int) string {
	const reserve = len("…and 1000000000 more") // in bytes, so a little more than enough
	var b strings.Builder
	n := 0
	for i, line := range lines {
		need := length(line) + 1
		if n+need > most-reserve {
			hidden += len(lines) - i
			break
		}
		n += need
		b.WriteString(line + "\n")
	}
	if hidden > 0 {
		fmt.Fprintf(&b, "…and %d more\n", hidden)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
