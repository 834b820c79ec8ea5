package slacktest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// payload is a message as JSON. Strict about what it has: Slack refuses fields that a block does not know.
type payload struct {
	Channel string  `json:"channel"`
	Text    string  `json:"text"`
	Blocks  []block `json:"blocks"`
}

type block struct {
	Type     string `json:"type"`
	Text     *text  `json:"text"`
	Fields   []text `json:"fields"`
	Elements []text `json:"elements"`
}

type text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Emoji    *bool  `json:"emoji"`
	Verbatim bool   `json:"verbatim"`
}

// The limits are of https://docs.slack.dev/reference/block-kit/blocks, in characters and items. maxTotal is what
// msg_blocks_too_long was seen to stand for (https://github.com/slackapi/bolt-js/issues/2509).
const (
	maxBlocks   = 50
	maxHeader   = 150
	maxSection  = 3000
	maxFields   = 10
	maxField    = 2000
	maxElements = 10
	maxElement  = 3000
	maxText     = 4000
	maxTotal    = 13_200
)

// Check holds a message to Slack's rules, and to ours: there is a text for phones, and whatever comes from
// elsewhere is escaped, so that nothing can mention a channel or hide a link.
func Check(message []byte) error {
	if !utf8.Valid(message) {
		return fmt.Errorf("the payload is not UTF-8")
	}
	decoder := json.NewDecoder(strings.NewReader(string(message)))
	decoder.DisallowUnknownFields()
	var p payload
	if err := decoder.Decode(&p); err != nil {
		return fmt.Errorf("decoding the payload: %w", err)
	}
	if err := checkText("text", text{Type: "mrkdwn", Text: p.Text}, maxText); err != nil {
		return err
	}
	if n := len(p.Blocks); n == 0 || n > maxBlocks {
		return fmt.Errorf("%d blocks, want 1 to %d", n, maxBlocks)
	}
	total := 0
	for i, b := range p.Blocks {
		if err := b.check(); err != nil {
			return fmt.Errorf("/blocks/%d: %w", i, err)
		}
		total += b.length()
	}
	if total > maxTotal {
		return fmt.Errorf("the blocks have %d characters, want at most %d", total, maxTotal)
	}
	return nil
}

func (b block) length() (n int) {
	for _, t := range append(append([]text(nil), b.Fields...), b.Elements...) {
		n += length(t.Text)
	}
	if b.Text != nil {
		n += length(b.Text.Text)
	}
	return n
}

func (b block) check() error {
	switch b.Type {
	case "header":
		if b.Text == nil || b.Text.Type != "plain_text" {
			return fmt.Errorf("a header wants plain text")
		}
		return checkText("text", *b.Text, maxHeader)
	case "section":
		return b.checkSection()
	case "context":
		return checkTexts("elements", b.Elements, maxElements, maxElement)
	case "divider":
		return nil
	default:
		return fmt.Errorf("unknown type %q", b.Type)
	}
}

func (b block) checkSection() error {
	if b.Text == nil && b.Fields == nil {
		return fmt.Errorf("a section wants text or fields")
	}
	if b.Text != nil {
		if err := checkText("text", *b.Text, maxSection); err != nil {
			return err
		}
	}
	if b.Fields != nil {
		return checkTexts("fields", b.Fields, maxFields, maxField)
	}
	return nil
}

func checkTexts(what string, texts []text, most, longest int) error {
	if len(texts) == 0 || len(texts) > most {
		return fmt.Errorf("%d %s, want 1 to %d", len(texts), what, most)
	}
	for i, t := range texts {
		if err := checkText(fmt.Sprintf("%s/%d", what, i), t, longest); err != nil {
			return err
		}
	}
	return nil
}

func checkText(where string, t text, longest int) error {
	if t.Type != "plain_text" && t.Type != "mrkdwn" {
		return fmt.Errorf("%s: unknown type %q", where, t.Type)
	}
	if t.Type == "mrkdwn" && t.Emoji != nil {
		return fmt.Errorf("%s: emoji goes with plain text", where)
	}
	if n := length(t.Text); strings.TrimSpace(t.Text) == "" || n > longest {
		return fmt.Errorf("%s: %d characters, want 1 to %d", where, n, longest)
	}
	if t.Type == "mrkdwn" {
		return checkEscaped(where, t.Text)
	}
	return nil
}

func checkEscaped(where, text string) error {
	bare := regexp.MustCompile(`&(amp|lt|gt);`).ReplaceAllString(text, "")
	if i := strings.IndexAny(bare, "&<>"); i >= 0 {
		return fmt.Errorf("%s: %q is not escaped", where, bare[i])
	}
	return nil
}

// length is in UTF-16 units, which are never fewer than Slack's characters.
func length(s string) int { return len(utf16.Encode([]rune(s))) }
