package policy

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/rightsize/rightsize/recommender"
)

// field is one key of an object in the file: how it is read, printed and described in the schema. One table for all
// three keeps them from drifting apart.
type field[T any] struct {
	name, about string
	required    bool
	schema      map[string]any
	read        func(*reader, *T, *yaml.Node, string)
	print       func(T) *yaml.Node // nil where there is nothing to print
}

// version is the file's format. Keys may be added under it; none is renamed, removed or given another meaning.
const version = "1"

func fileFields() []field[File] {
	return []field[File]{
		{
			name: "version", about: "the format of the file", required: true, schema: map[string]any{"const": 1},
			read: func(r *reader, _ *File, n *yaml.Node, at string) {
				if text, ok := r.scalar(n, at, "want "+version); ok && text != version {
					r.wrong(n, at, "%q is not known: want %s", text, version)
				}
			},
			print: func(File) *yaml.Node { return plain(version) },
		},
		{
			name: "defaults", about: "what holds for every container, unless a rule says otherwise", schema: objectSchema(settingsFields()),
			read: func(r *reader, f *File, n *yaml.Node, at string) {
				readObject(r, &f.Defaults, settingsFields(), n, at)
			},
			print: func(f File) *yaml.Node { return printObject(f.Defaults, settingsFields()) },
		},
		{
			name: "rules", about: "the first rule that matches a container holds for it", schema: map[string]any{"type": "array", "items": objectSchema(ruleFields())},
			read: readRules, print: printRules,
		},
	}
}

func readRules(r *reader, f *File, n *yaml.Node, at string) {
	for i, item := range r.list(n, at) {
		rule := Rule{line: item.Line}
		readObject(r, &rule, ruleFields(), item, fmt.Sprintf("%s[%d]", at, i))
		f.Rules = append(f.Rules, rule)
	}
}

func printRules(f File) *yaml.Node {
	if len(f.Rules) == 0 {
		return nil
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, rule := range f.Rules {
		list.Content = append(list.Content, printObject(rule, ruleFields()))
	}
	return list
}

func ruleFields() []field[Rule] {
	fields := []field[Rule]{
		{
			name: "name", about: "what reports call the rule; no two have the same", required: true, schema: textSchema(),
			read:  func(r *reader, to *Rule, n *yaml.Node, at string) { to.Name = r.text(n, at, "want a name") },
			print: func(rule Rule) *yaml.Node { return text(rule.Name) },
		},
		{
			name: "match", about: "which containers are meant: all that is given has to hold", required: true, schema: matchSchema(),
			read: func(r *reader, to *Rule, n *yaml.Node, at string) {
				if readObject(r, &to.Match, matchTable(), n, at) && len(n.Content) == 0 {
					r.wrong(n, at, "would hold for every container: put what does into defaults")
				}
			},
			print: func(rule Rule) *yaml.Node { return printObject(rule.Match, matchTable()) },
		},
		{
			name: "exempt", about: "leaves the containers alone, for this reason", schema: textSchema(),
			read: func(r *reader, to *Rule, n *yaml.Node, at string) {
				to.Exempt = r.text(n, at, "want the reason, which reports show")
			},
			print: func(rule Rule) *yaml.Node { return text(rule.Exempt) },
		},
	}
	for _, f := range settingsFields() {
		fields = append(fields, field[Rule]{
			name: f.name, about: f.about, schema: f.schema,
			read:  func(r *reader, to *Rule, n *yaml.Node, at string) { f.read(r, &to.Settings, n, at) },
			print: func(rule Rule) *yaml.Node { return f.print(rule.Settings) },
		})
	}
	return fields
}

func matchTable() (fields []field[Match]) {
	for i, f := range [numLists]struct{ name, about string }{
		{"namespace", "patterns of namespaces"},
		{"kind", "patterns of kinds, in any case: deployment, CronJob"},
		{"workload", "patterns of workloads' names"},
		{"container", "patterns of containers' names"},
	} {
		fields = append(fields, field[Match]{
			name: f.name, about: f.about, schema: patternsSchema(),
			read: func(r *reader, to *Match, n *yaml.Node, at string) {
				*to.lists()[i] = r.patterns(n, at, f.name == "kind")
			},
			print: func(m Match) *yaml.Node { return texts(*m.lists()[i]) },
		})
	}
	return append(fields, field[Match]{
		name: "labels", about: "a selector of the workload's own labels, as kubectl's -l has it: team=web,tier!=cache", schema: textSchema(),
		read: func(r *reader, to *Match, n *yaml.Node, at string) {
			to.Labels = readScalar(r, n, at, labelSelector)
		},
		print: func(m Match) *yaml.Node {
			if m.Labels == nil {
				return nil
			}
			return text(m.Labels.String())
		},
	})
}

// labelSelector takes no empty selector, which would hold for everything.
func labelSelector(s string) (labels.Selector, error) {
	selector, err := labels.Parse(s)
	if err == nil && selector.Empty() {
		return nil, errors.New("want labels such as team=web,tier!=cache")
	}
	return selector, err
}

func settingsFields() []field[Settings] {
	fields := []field[Settings]{{
		name: "policy", about: "a named policy, whose rules and guards replace those so far", schema: map[string]any{"enum": names(recommender.Policies(), func(p recommender.Policy) string { return p.Name })},
		read: func(r *reader, to *Settings, n *yaml.Node, at string) {
			to.Base = readScalar(r, n, at, func(s string) (string, error) {
				p, err := recommender.PolicyNamed(s)
				return p.Name, err
			})
		},
		print: func(s Settings) *yaml.Node { return text(s.Base) },
	}}
	for res := range recommender.NumResources {
		fields = append(fields, field[Settings]{
			name: res.String(), about: "what of " + res.String() + " is given", schema: objectSchema(sizesFields(res)),
			read: func(r *reader, to *Settings, n *yaml.Node, at string) {
				readObject(r, &to.Sizes[res], sizesFields(res), n, at)
			},
			print: func(s Settings) *yaml.Node { return printObject(s.Sizes[res], sizesFields(res)) },
		})
	}
	return append(fields, field[Settings]{
		name: "guards", about: "all, none, or a list of guards", schema: guardsSchema(), read: readGuards, print: printGuards,
	}, field[Settings]{
		name: "minCoverage", about: "how much of the window must have samples before anything is recommended: 1d, 36h", schema: map[string]any{"type": "string", "pattern": durationPattern},
		read: func(r *reader, to *Settings, n *yaml.Node, at string) {
			to.MinCoverage = readPointer(r, n, at, ParseDuration)
		},
		print: printPointer(func(s Settings) *time.Duration { return s.MinCoverage }, recommender.ShortDuration),
	}, field[Settings]{
		name: "minRuns", about: "how many runs of a Job, CronJob or init container must have been seen before anything is recommended", schema: map[string]any{"type": "integer", "minimum": 1},
		read:  func(r *reader, to *Settings, n *yaml.Node, at string) { to.MinRuns = readPointer(r, n, at, parseRuns) },
		print: printPointer(func(s Settings) *int { return s.MinRuns }, strconv.Itoa),
	})
}

// ParseDuration reads a duration above 0 as Prometheus writes it: 7d, 36h, 1h30m.
func ParseDuration(s string) (time.Duration, error) {
	d, err := model.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, errors.New("want a duration above 0 such as 7d, 36h or 1h30m")
	}
	return time.Duration(d), nil
}

func parseRuns(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, errors.New("want a number of runs, at least 1")
	}
	return n, nil
}

func sizesFields(res recommender.Resource) []field[Sizes] {
	rule := func(name string, in func(*Sizes) **recommender.Rule) field[Sizes] {
		return field[Sizes]{
			name: name, about: "the rule for the " + name + ": " + recommender.RuleSyntax, schema: textSchema(),
			read: func(r *reader, to *Sizes, n *yaml.Node, at string) {
				*in(to) = readPointer(r, n, at, recommender.ParseRule)
			},
			print: printPointer(func(s Sizes) *recommender.Rule { return *in(&s) }, recommender.Rule.String),
		}
	}
	bound := func(name, about string, least float64, in func(*Sizes) **float64) field[Sizes] {
		return field[Sizes]{
			name: name, about: about, schema: map[string]any{"type": []string{"string", "number"}},
			read: func(r *reader, to *Sizes, n *yaml.Node, at string) {
				*in(to) = readPointer(r, n, at, func(s string) (float64, error) { return parseBound(res, s, least) })
			},
			print: printPointer(func(s Sizes) *float64 { return *in(&s) }, res.Quantity),
		}
	}
	unit := map[recommender.Resource]float64{recommender.CPU: 0.001, recommender.Memory: 1 << 20}[res]
	return []field[Sizes]{
		rule("request", func(s *Sizes) **recommender.Rule { return &s.Request }),
		rule("limit", func(s *Sizes) **recommender.Rule { return &s.Limit }),
		bound("floor", "no request or limit goes below this; 0 is none", 0, func(s *Sizes) **float64 { return &s.Floor }),
		bound("ceiling", "no request or limit goes above this; 0 is none", unit, func(s *Sizes) **float64 { return &s.Ceiling }),
	}
}

// parseBound reads a quantity that is 0 or at least so much.
func parseBound(res recommender.Resource, s string, least float64) (float64, error) {
	want := map[recommender.Resource]string{recommender.CPU: "10m or 0.5", recommender.Memory: "16Mi or 1Gi"}[res]
	q, err := resource.ParseQuantity(s)
	if err != nil || q.Sign() < 0 {
		return 0, errors.New("want a quantity such as " + want + ", or 0 for none")
	}
	x := q.AsApproximateFloat64()
	if math.IsInf(x, 0) || x > 0 && x < least {
		return 0, fmt.Errorf("want at least %s, or 0 for none", res.Quantity(least))
	}
	return x, nil
}

func readGuards(r *reader, to *Settings, n *yaml.Node, at string) {
	n = followed(n)
	words := n.Value
	if n.Kind == yaml.SequenceNode {
		names := []string{}
		for i, item := range r.list(n, at) {
			names = append(names, r.text(item, fmt.Sprintf("%s[%d]", at, i), "want the name of a guard"))
		}
		if words = strings.Join(names, ","); len(names) == 0 {
			words = "none"
		}
	} else if _, ok := r.scalar(n, at, "want all, none, or a list of guards"); !ok {
		return
	}
	guards, err := recommender.ParseGuards(words)
	if err != nil {
		r.wrong(n, at, "%v", err)
		return
	}
	to.Guards = &guards
}

func printGuards(s Settings) *yaml.Node {
	if s.Guards == nil {
		return nil
	}
	switch len(*s.Guards) {
	case 0:
		return plain("none")
	case len(recommender.AllGuards()):
		return plain("all")
	}
	return texts(names(*s.Guards, func(g recommender.Guard) string { return g.Name }))
}

func names[T any](list []T, name func(T) string) (out []string) {
	for _, x := range list {
		out = append(out, name(x))
	}
	return out
}

// patterns are one pattern, or a list of them.
func (r *reader) patterns(n *yaml.Node, at string, lower bool) (patterns []string) {
	n = followed(n)
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = r.list(n, at)
		if len(items) == 0 {
			r.wrong(n, at, "is empty: want a pattern, or leave it out for any")
		}
	}
	for _, item := range items {
		pattern := readScalar(r, item, at, func(s string) (string, error) {
			if _, err := path.Match(s, ""); err != nil || s == "" || strings.Contains(s, "/") {
				return "", errors.New("want a name, which may have * and ? and [a-z] in it")
			}
			return s, nil
		})
		if lower {
			pattern = strings.ToLower(pattern)
		}
		if !slices.Contains(patterns, pattern) {
			patterns = append(patterns, pattern)
		}
	}
	return patterns
}

// The parts of the schema: https://json-schema.org/draft/2020-12

const durationPattern = "^([0-9]+(y|w|d|h|ms|m|s))+$"

func textSchema() map[string]any { return map[string]any{"type": "string", "minLength": 1} }

func patternsSchema() map[string]any {
	pattern := map[string]any{"type": "string", "pattern": "^[^/]+$"}
	return map[string]any{"oneOf": []any{pattern, map[string]any{"type": "array", "minItems": 1, "items": pattern}}}
}

func matchSchema() map[string]any {
	s := objectSchema(matchTable())
	s["minProperties"] = 1
	return s
}

func guardsSchema() map[string]any {
	guards := names(recommender.AllGuards(), func(g recommender.Guard) string { return g.Name })
	return map[string]any{"oneOf": []any{
		map[string]any{"enum": []string{"all", "none"}},
		map[string]any{"type": "array", "items": map[string]any{"enum": guards}},
	}}
}

func objectSchema[T any](fields []field[T]) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range fields {
		described := map[string]any{"description": f.about}
		maps.Copy(described, f.schema)
		properties[f.name] = described
		if f.required {
			required = append(required, f.name)
		}
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}
