package promquery

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
)

// exportedPrefix is what Prometheus puts before a scraped label when the target has one of the same name and
// honor_labels is off: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config
const exportedPrefix = "exported_"

// own is the workload's value of a label: the exported one where there is one, for the plain one is then the
// scrape target's.
func own[M ~map[model.LabelName]model.LabelValue](labels M, name model.LabelName) string {
	if v := labels[exportedPrefix+name]; v != "" {
		return string(v)
	}
	return string(labels[name])
}

// form says which of a metric's labels hold the workload's namespace, pod and container.
type form struct{ namespace, pod, container string }

var plain = form{"namespace", "pod", "container"}

// formOf is the form of one series. Where a series has neither the exported nor the plain label, the plain
// one stands for it.
func formOf(labels model.LabelSet) form {
	name := func(n string) string {
		if labels[model.LabelName(exportedPrefix+n)] != "" {
			return exportedPrefix + n
		}
		return n
	}
	return form{name("namespace"), name("pod"), name("container")}
}

// formsOf lists the forms that series come in, in a fixed order; plain where there are none. There are several where a scrape
// configuration changed within the window.
//
// A series whose pod is exported and whose container is not has no container of its own if others export
// theirs: what is in its container label is the scrape target's. It is a pod's cgroup, so its form is left out.
func formsOf(sets []model.LabelSet) forms {
	seen := map[form]bool{}
	exportsContainer := false
	for _, labels := range sets {
		f := formOf(labels)
		seen[f] = true
		exportsContainer = exportsContainer || f.container != plain.container
	}
	maps.DeleteFunc(seen, func(f form, _ bool) bool {
		return exportsContainer && f.container == plain.container && f != plain
	})
	if len(seen) == 0 {
		seen[plain] = true
	}
	return forms{exported: true, list: slices.SortedFunc(maps.Keys(seen), func(a, b form) int {
		return strings.Compare(b.by(), a.by()) // plain first
	})}
}

// by is the label list of an aggregation that keeps containers apart.
func (f form) by() string { return f.namespace + ", " + f.pod + ", " + f.container }

// forms are those that a namespace's series come in.
type forms struct {
	list []form // at least one

	// exported says that there are exported labels about, so that a plain one may be a scrape target's. Selectors
	// must then say which form they mean.
	exported bool
}

// selection is what a query is about: a metric's series of some pods of a namespace.
type selection struct {
	namespace string
	pods      []string // nil is every pod
	forms     forms
}

// selectors are the PromQL selectors of a metric's containers, one for each form. No series matches two.
// The extra matchers are PromQL too, such as `reason="OOMKilled"`.
func (s selection) selectors(metric string, extra ...string) []string {
	out := make([]string, len(s.forms.list))
	for i, f := range s.forms.list {
		out[i] = s.selector(f, metric, extra)
	}
	return out
}

func (s selection) selector(f form, metric string, extra []string) string {
	var texts []string
	for i, m := range s.matchers(f) {
		texts = append(texts, m.String())
		if i == 0 {
			texts = append(texts, extra...)
		}
	}
	return metric + "{" + strings.Join(texts, ",") + "}"
}

// matchers hold for the selection's containers of one form.
func (s selection) matchers(f form) []Matcher {
	list := []Matcher{{f.namespace, Equal, s.namespace}, {f.container, NotEqual, ""}, {f.container, NotEqual, "POD"}}
	if s.forms.exported {
		list = append(list, f.othersEmpty()...)
	}
	if s.pods != nil {
		list = append(list, Matcher{f.pod, Regexp, anyOf(s.pods)})
	}
	return list
}

// othersEmpty are matchers that hold for this form alone.
func (f form) othersEmpty() []Matcher {
	var out []Matcher
	for _, n := range []string{f.namespace, f.pod, f.container} {
		if !strings.HasPrefix(n, exportedPrefix) {
			out = append(out, Matcher{exportedPrefix + n, Equal, ""})
		}
	}
	return out
}

// Matcher is a condition on a label of a series. A label that is not there has the value "".
type Matcher struct {
	Name  string
	Op    MatchOp
	Value string // a regular expression that the whole of the label must match, for Regexp
}

// MatchOp is how a Matcher compares, as PromQL writes it.
type MatchOp string

// The operators that are used.
const (
	Equal    MatchOp = "="
	NotEqual MatchOp = "!="
	Regexp   MatchOp = "=~"
)

// String is the matcher in PromQL.
func (m Matcher) String() string { return m.Name + string(m.Op) + quote(m.Value) }

// maxBy is an expression that has one series per container: the highest of its duplicates at each point.
// inner is the expression of one selector.
func (s selection) maxBy(inner func(selector string) string, metric string, extra ...string) string {
	terms := s.selectors(metric, extra...)
	for i, f := range s.forms.list {
		terms[i] = "max by (" + f.by() + ") (" + inner(terms[i]) + ")"
	}
	return strings.Join(terms, " or ")
}

// itself is the inner expression of a metric that is read as it is.
func itself(selector string) string { return selector }

// ofNamespace are selectors of every series of a namespace, whatever its form.
func ofNamespace(namespace, metric string, extra ...string) []string {
	rest := ""
	for _, m := range extra {
		rest += "," + m
	}
	return []string{
		metric + "{" + equals("namespace", namespace) + `,exported_namespace=""` + rest + "}",
		metric + "{" + equals("exported_namespace", namespace) + rest + "}",
	}
}

func equals(label, value string) string { return label + "=" + quote(value) }

// quote is a PromQL string, which follows Go's escaping rules.
func quote(s string) string { return strconv.Quote(s) }

// anyOf is the regular expression that matches just these names.
func anyOf(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = regexp.QuoteMeta(n)
	}
	return strings.Join(quoted, "|")
}
