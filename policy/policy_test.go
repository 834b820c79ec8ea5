package policy

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/rightsize/rightsize/recommender"
)

// whole has every key that there is.
const whole = `version: 1
defaults:
  policy: default
  cpu: {request: p50, limit: none, floor: 20m, ceiling: 4}
  memory: {request: p90, limit: max*1.2, floor: 32Mi, ceiling: 8Gi}
  guards: all
  minCoverage: 2d
  minRuns: 5
rules:
- name: legacy
  match: {namespace: [legacy, old-*]}
  exempt: moves to the new cluster in March
- name: databases
  match: {kind: StatefulSet, labels: "tier in (db),!canary"}
  memory: {request: max, ceiling: 0}
  guards: [too-little-data, observed-peak]
- name: proxies
  match: {namespace: shop, workload: "web-?", container: "*-proxy"}
  cpu: {floor: 0}
  minCoverage: 12h
`

func parsed(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("rightsize.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFirstRuleThatMatchesHolds(t *testing.T) {
	f := parsed(t, whole)
	for _, c := range []struct {
		id     string // namespace/kind/workload/container
		labels map[string]string
		want   string
	}{
		{"legacy/Deployment/web/app", nil, "legacy"},
		{"old-shop/StatefulSet/db/db", map[string]string{"tier": "db"}, "legacy"},
		{"older/StatefulSet/db/db", map[string]string{"tier": "db"}, "databases"},
		{"shop/StatefulSet/db/db", map[string]string{"tier": "db", "canary": "yes"}, ""},
		{"shop/Deployment/db/db", map[string]string{"tier": "db"}, ""},
		{"shop/StatefulSet/db/db", nil, ""},
		{"shop/Deployment/web-1/auth-proxy", nil, "proxies"},
		{"shop/Deployment/web-10/auth-proxy", nil, ""},
		{"shop/Deployment/web-1/app", nil, ""},
		{"shop-2/Deployment/web-1/auth-proxy", nil, ""},
	} {
		parts := strings.Split(c.id, "/")
		got := ""
		if i := f.RuleFor(recommender.ID{Namespace: parts[0], Kind: parts[1], Workload: parts[2], Container: parts[3]}, c.labels); i >= 0 {
			got = f.Rules[i].Name
		}
		if got != c.want {
			t.Errorf("%s %v: rule %q, want %q", c.id, c.labels, got, c.want)
		}
	}
}

func TestPolicyOfRule(t *testing.T) {
	f := parsed(t, whole)
	for i, want := range []string{
		"", // exempt: what else it has does not matter
		"cpu p50 none 20m 4; memory max max*1.2 32Mi 0; 2 guards; 2d; 5",
		"cpu p50 none 0 4; memory p90 max*1.2 32Mi 8Gi; 10 guards; 12h; 5",
	} {
		p, err := f.Policy(&f.Rules[i])
		if err != nil {
			t.Fatal(err)
		}
		if p.Rule != f.Rules[i].Name || p.Exempt != f.Rules[i].Exempt || p.Name != "default" {
			t.Errorf("policy %+v", p)
		}
		if got := describe(p); want != "" && got != want {
			t.Errorf("%s: %s, want %s", p.Rule, got, want)
		}
	}
	// A named policy takes back what the defaults say of rules, and nothing else.
	f = parsed(t, "version: 1\ndefaults: {cpu: {limit: none, ceiling: 2}, minRuns: 7}\nrules: [{name: as-always, match: {namespace: a}, policy: default}]\n")
	p, err := f.Policy(&f.Rules[0])
	if want := "cpu p50 p99*1.2 10m 2; memory p50 p99*1.2 16Mi 0; 10 guards; 1d; 7"; err != nil || describe(p) != want {
		t.Errorf("%s, %v, want %s", describe(p), err, want)
	}
}

func describe(p recommender.Policy) string {
	var parts []string
	for r := range recommender.NumResources {
		parts = append(parts, strings.Join([]string{
			r.String(), p.Rules[r].Request.String(), p.Rules[r].Limit.String(), r.Quantity(p.Floor[r]), r.Quantity(p.Ceiling[r]),
		}, " "))
	}
	return strings.Join(append(parts, recommender.Count(len(p.Guards), "guard"), recommender.ShortDuration(p.MinCoverage),
		recommender.Count(p.MinRuns, "")[:1]), "; ")
}

func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // after "rightsize.yaml:"
	}{
		"empty":            {"", []string{" is empty: it begins with version: 1"}},
		"a comment":        {"# nothing\n", []string{" is empty: it begins with version: 1"}},
		"no YAML":          {"version: 1\n\tdefaults:\n", []string{"2: found a tab character that violates indentation"}},
		"two documents":    {"version: 1\n---\nversion: 1\n", []string{"2: there is a second document: want one"}},
		"a list":           {"- version: 1\n", []string{"1: want an object with version, defaults, rules"}},
		"no version":       {"defaults: {}\n", []string{"1: version is missing"}},
		"version 2":        {"version: 2\n", []string{`1: version: "2" is not known: want 1`}},
		"unknown key":      {"version: 1\n\nrule: []\n", []string{"3: unknown key rule: want version, defaults, rules"}},
		"unknown deep":     {"version: 1\ndefaults:\n  memory:\n    limts: p99\n", []string{"4: defaults.memory: unknown key limts: want request, limit, floor, ceiling"}},
		"twice":            {"version: 1\ndefaults: {minRuns: 1, minRuns: 2}\n", []string{"2: defaults.minRuns: is there twice"}},
		"merge key":        {"version: 1\ndefaults: &d {minRuns: 1}\nrules:\n- name: a\n  match: {namespace: a}\n  <<: *d\n", []string{"6: rules[0]: unknown key <<"}},
		"null":             {"version: 1\ndefaults: {cpu: {floor: }}\n", []string{"2: defaults.cpu.floor: want a text"}},
		"a bad rule":       {"version: 1\ndefaults: {cpu: {request: p101}}\n", []string{`2: defaults.cpu.request: invalid "p101": "p101" is not a percentile`}},
		"a rule of itself": {"version: 1\ndefaults: {cpu: {request: request}}\n", []string{"1: defaults: the cpu request cannot follow itself"}},
		"negative floor":   {"version: 1\ndefaults: {cpu: {floor: -1}}\n", []string{`2: defaults.cpu.floor: invalid "-1": want a quantity such as 10m or 0.5`}},
		"tiny ceiling":     {"version: 1\ndefaults: {memory: {ceiling: 16}}\n", []string{`2: defaults.memory.ceiling: invalid "16": want at least 1Mi, or 0 for none`}},
		"ceiling < floor":  {"version: 1\nrules:\n- name: a\n  match: {namespace: a}\n  memory: {floor: 2Gi, ceiling: 1Gi}\n", []string{"3: rules[0]: the memory ceiling of 1Gi is below the floor of 2Gi"}},
		"guards":           {"version: 1\ndefaults: {guards: [observed-peek]}\n", []string{`2: defaults.guards: "observed-peek" is not a guard: want all, none, or some of too-little-data`}},
		"policy":           {"version: 1\ndefaults: {policy: mine}\n", []string{`2: defaults.policy: invalid "mine": want default`}},
		"coverage":         {"version: 1\ndefaults: {minCoverage: 1 day}\n", []string{`2: defaults.minCoverage: invalid "1 day": want a duration above 0`}},
		"runs":             {"version: 1\ndefaults: {minRuns: 0}\n", []string{`2: defaults.minRuns: invalid "0": want a number of runs, at least 1`}},
		"rule, bare":       {"version: 1\nrules: [{}]\n", []string{"2: rules[0]: name is missing", "2: rules[0]: match is missing"}},
		"matches all":      {"version: 1\nrules: [{name: a, match: {}, minRuns: 1}]\n", []string{"2: rules[0].match: would hold for every container: put what does into defaults"}},
		"pattern":          {"version: 1\nrules: [{name: a, match: {namespace: 'a[', workload: []}, minRuns: 1}]\n", []string{`2: rules[0].match.namespace: invalid "a[": want a name, which may have * and ? and [a-z] in it`, "2: rules[0].match.workload: is empty"}},
		"labels":           {"version: 1\nrules: [{name: a, match: {labels: 'a in b'}, minRuns: 1}]\n", []string{`2: rules[0].match.labels: invalid "a in b"`}},
		"no reason":        {"version: 1\nrules: [{name: a, match: {namespace: a}, exempt: true}]\n", []string{"2: rules[0].exempt: want the reason, which reports show"}},
		"escapes":          {"version: 1\nrules: [{name: \"a\\e[31m\", match: {namespace: a}, exempt: \"b\\u202e\"}]\n", []string{"2: rules[0].name: has characters that cannot be shown", "2: rules[0].exempt: has characters that cannot be shown"}},
		"both":             {"version: 1\nrules: [{name: a, match: {namespace: a}, exempt: old, minRuns: 4}]\n", []string{"2: rules[0]: a is exempt, so its other settings would have no effect"}},
		"neither":          {"version: 1\nrules: [{name: a, match: {namespace: a}}]\n", []string{"2: rules[0]: a changes nothing: want exempt, or some settings"}},
		"same name":        {"version: 1\nrules:\n- {name: a, match: {namespace: a}, minRuns: 4}\n- {name: a, match: {namespace: b}, minRuns: 4}\n", []string{"4: rules[1]: the name a is taken by rules[0]"}},
		"never reached":    {"version: 1\nrules:\n- {name: a, match: {namespace: '*'}, minRuns: 4}\n- {name: b, match: {namespace: b, kind: Job}, minRuns: 5}\n", []string{"4: rules[1]: b never holds: a above it matches all that it does"}},
		"all of it":        {"version: 1\ndefaults: {cpu: {floor: x}, minRuns: y}\n", []string{"2: defaults.cpu.floor: invalid", "2: defaults.minRuns: invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("rightsize.yaml", []byte(c.text))
			var invalid *Invalid
			if !errors.As(err, &invalid) || len(invalid.Problems) != len(c.want) {
				t.Fatalf("problems %v, want %q", err, c.want)
			}
			for i, want := range c.want {
				if got := invalid.Problems[i]; !strings.HasPrefix(got, "rightsize.yaml:"+want) {
					t.Errorf("problem %q, want %q", got, "rightsize.yaml:"+want)
				}
			}
			if more := len(c.want) > 1; strings.Contains(err.Error(), "more: rightsize config check lists them") != more {
				t.Errorf("error %q", err)
			}
		})
	}
}

// Whatever is printed is a policy file, and means the same.
func TestPrintedMeansTheSame(t *testing.T) {
	same(t, parsed(t, whole))
}

func same(t *testing.T, f *File) {
	t.Helper()
	text, err := f.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("printed", text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if twice, err := again.YAML(); err != nil || !bytes.Equal(twice, text) {
		t.Errorf("printed again, %v:\n%s", err, cmp.Diff(string(text), string(twice)))
	}
	if len(again.Rules) != len(f.Rules) {
		t.Fatalf("%d rules, want %d", len(again.Rules), len(f.Rules))
	}
	for i := -1; i < len(f.Rules); i++ {
		var a, b *Rule
		if i >= 0 {
			a, b = &f.Rules[i], &again.Rules[i]
		}
		p, err1 := f.Policy(a)
		q, err2 := again.Policy(b)
		if err1 != nil || err2 != nil || describe(p) != describe(q) || p.Exempt != q.Exempt {
			t.Errorf("rule %d: %s, then %s; %v, %v", i, describe(p), describe(q), err1, err2)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add("version: 1\ndefaults: &a {cpu: {request: *a}}\n")
	f.Add("version: 1\nrules: [{name: 1, match: {namespace: '[a-c]?'}, exempt: \"a\\nb\"}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("f", []byte(text))
		if err == nil {
			same(t, file)
			return
		}
		var invalid *Invalid
		if !errors.As(err, &invalid) || len(invalid.Problems) == 0 {
			t.Errorf("error %v", err)
		}
	})
}

// The schema takes what Parse takes, and refuses what it can see is wrong.
func TestSchema(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "docs", "policy.schema.json")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if published, err := os.ReadFile(path); err != nil || !bytes.Equal(published, text) {
		t.Errorf("docs/policy.schema.json is not the schema: make golden writes it anew (%v)", err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("policy.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	printed, err := parsed(t, whole).YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{whole, "version: 1\n", string(printed)} {
		if err := valid(text); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
	for _, text := range []string{
		"defaults: {}\n", "version: 2\n", "version: 1\nrule: []\n", "version: 1\ndefaults: {memory: {limts: p99}}\n",
		"version: 1\ndefaults: {guards: [observed-peek]}\n", "version: 1\ndefaults: {policy: mine}\n", "version: 1\ndefaults: {minCoverage: 1 day}\n",
		"version: 1\ndefaults: {minRuns: 0}\n", "version: 1\nrules: [{match: {namespace: a}}]\n", "version: 1\nrules: [{name: a, match: {}}]\n",
		"version: 1\nrules: [{name: a, match: {workload: []}}]\n",
	} {
		if valid(text) == nil {
			t.Errorf("the schema takes\n%s", text)
		}
	}
}

// The examples in the document can be used, and it names every key.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "policy.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		example, _, _ := strings.Cut(block, "```")
		same(t, parsed(t, example))
		examples++
	}
	if examples == 0 {
		t.Error("there is no example")
	}
	keys := names(fileFields(), func(f field[File]) string { return f.name })
	keys = append(keys, names(ruleFields(), func(f field[Rule]) string { return f.name })...)
	keys = append(keys, names(matchTable(), func(f field[Match]) string { return f.name })...)
	keys = append(keys, names(sizesFields(recommender.CPU), func(f field[Sizes]) string { return f.name })...)
	for _, key := range keys {
		if !strings.Contains(string(text), "`"+key+"`") {
			t.Errorf("docs/policy.md lacks the key %s", key)
		}
	}
}

func TestFingerprint(t *testing.T) {
	sum := func(text string) string {
		s, err := parsed(t, text).Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, spelt, other := sum("version: 1\n"), sum("# the same\nversion: 1\ndefaults: {minRuns: 3, guards: all}\n"), sum("version: 1\ndefaults: {minRuns: 4}\n")
	if a != spelt || a == other {
		t.Errorf("fingerprints %s, %s and %s", a, spelt, other)
	}
}
