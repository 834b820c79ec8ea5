package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/rightsize/rightsize/recommender"
)

// YAML is the file with every setting in force written out: the defaults complete, and so each rule. It is a policy
// file that means the same.
func (f *File) YAML() ([]byte, error) {
	whole := File{}
	p, err := f.Policy(nil)
	if err != nil {
		return nil, err
	}
	whole.Defaults = settingsOf(p)
	for i := range f.Rules {
		rule := f.Rules[i]
		p, err := f.Policy(&rule)
		if err != nil {
			return nil, err
		}
		if rule.Exempt == "" {
			rule.Settings = settingsOf(p)
		}
		whole.Rules = append(whole.Rules, rule)
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(printObject(whole, fileFields())); err != nil {
		return nil, fmt.Errorf("writing the policy: %w", err)
	}
	return b.Bytes(), nil
}

// Fingerprint tells files apart that do not mean the same.
func (f *File) Fingerprint() (string, error) {
	text, err := f.YAML()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6]), nil
}

// settingsOf are all settings of a policy.
func settingsOf(p recommender.Policy) Settings {
	s := Settings{Base: p.Name, Guards: &p.Guards, MinCoverage: &p.MinCoverage, MinRuns: &p.MinRuns}
	for r := range recommender.NumResources {
		s.Sizes[r] = Sizes{&p.Rules[r].Request, &p.Rules[r].Limit, &p.Floor[r], &p.Ceiling[r]}
	}
	return s
}

// Schema is the JSON Schema of the file.
func Schema() ([]byte, error) {
	s := objectSchema(fileFields())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "rightsize policy"
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(text, '\n'), nil
}

// printObject is nil where nothing is set.
func printObject[T any](v T, fields []field[T]) *yaml.Node {
	object := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range fields {
		if value := f.print(v); value != nil {
			object.Content = append(object.Content, plain(f.name), value)
		}
	}
	if len(object.Content) == 0 {
		return nil
	}
	return object
}

// printPointer prints what a pointer in a T points to.
func printPointer[T, V any](in func(T) *V, text func(V) string) func(T) *yaml.Node {
	return func(v T) *yaml.Node {
		if p := in(v); p != nil {
			return plain(text(*p))
		}
		return nil
	}
}

// plain is a word that needs no quotes.
func plain(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

// text is a string, quoted where YAML would take it for something else; nil for none.
func text(s string) *yaml.Node {
	if s == "" {
		return nil
	}
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

// texts are a list on one line; nil for none.
func texts(list []string) *yaml.Node {
	if len(list) == 0 {
		return nil
	}
	out := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, s := range list {
		out.Content = append(out.Content, text(s))
	}
	return out
}
