package splice

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// plainNumber is a number that YAML 1.1, YAML 1.2 and JSON read alike.
var plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// written is the value as text, in the quotes of what it stands in for: ', " or anything else for none, and
// then quoted where it has to be.
func written(value string, quote byte) string {
	switch {
	case quote == '\'' && !strings.ContainsFunc(value, unprintable):
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	case quote == '\'' || quote == '"':
		return encoded(value, yaml.DoubleQuotedStyle)
	case plainNumber.MatchString(value):
		return value
	default:
		return writtenKey(value)
	}
}

// writtenKey is a string in plain style where all readers of YAML then see a string, else in quotes.
func writtenKey(key string) string {
	s := encoded(key, 0)
	if strings.ContainsAny(s, "\n") || strings.HasPrefix(s, "|") || strings.HasPrefix(s, ">") {
		return encoded(key, yaml.DoubleQuotedStyle)
	}
	return s
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

// encoded is the string as the YAML encoder writes it: it knows what YAML 1.1 takes for a boolean, a number
// or a time.
func encoded(s string, style yaml.Style) string {
	text, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: style})
	if err != nil {
		return "" // a string is always encoded; were it not, the comparison would say so
	}
	return strings.TrimSuffix(string(text), "\n")
}

// writtenTag is the type that the value has once it is written where old was, which is nil for a new one.
func writtenTag(value string, old *yaml.Node) string {
	quoted := old != nil && old.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	if quoted || !plainNumber.MatchString(value) {
		return "!!str"
	}
	return (&yaml.Node{Kind: yaml.ScalarNode, Value: value}).ShortTag()
}
