package notify

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
)

// Secret is a webhook's URL or a token. It is kept in a function, so that nothing which prints, dumps or
// encodes a value shows it, not even as an unexported field of something else. The zero Secret is empty.
type Secret struct{ reveal func() string }

// NewSecret hides the text.
func NewSecret(text string) Secret { return Secret{func() string { return text }} }

const hidden = "[hidden]"

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText keeps the secret out of JSON, YAML and logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

func (s Secret) text() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// hide takes the secrets out of a text that somebody else wrote: a server's answer, a library's error. It has
// to come before anything is cut from the text, or half a secret stays.
func hide(text string, secrets ...Secret) string {
	var parts []string
	for _, s := range secrets {
		parts = append(parts, s.parts()...)
	}
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	for _, part := range parts {
		text = strings.ReplaceAll(text, part, hidden)
	}
	return text
}

// minPart is the shortest part of a secret that is looked for: "services" in a webhook's path is no secret, and
// the last part, which is, has 24 characters.
const minPart = 9

// parts are the secret as it is and as a form would hold it, and of a URL also its path, its query and each of
// their parts, since servers like to quote these.
func (s Secret) parts() []string {
	whole := s.text()
	if whole == "" {
		return nil
	}
	parts := []string{url.QueryEscape(whole)}
	if u, err := url.Parse(whole); err == nil && u.Host != "" {
		parts = append(parts, u.Path, u.EscapedPath(), u.RawQuery)
		parts = append(parts, strings.FieldsFunc(u.EscapedPath()+"/"+u.Path+"/"+u.RawQuery, func(r rune) bool { return strings.ContainsRune("/&=", r) })...)
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return len(part) < minPart })
	return append(parts, whole)
}
