package promquery

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/rightsize/rightsize/recommender"
)

// Expressions makes PromQL about what a namespace's containers used, for people to paste.
type Expressions struct {
	namespace string
	forms     forms
	window    recommender.Window
	raw       bool
}

// NewExpressions are those of a namespace of whose series nothing is known.
func NewExpressions(namespace string, w recommender.Window) Expressions {
	return Expressions{namespace: namespace, window: w}
}

// Sampled says that usage was read sample by sample, and not at the points of the grid.
func (e Expressions) Sampled() bool { return e.raw }

// Usage is what a container used in some pods: cores or bytes, a series a pod.
func (e Expressions) Usage(r recommender.Resource, container string, pods []string) string {
	inner := itself
	if r == recommender.CPU {
		inner = func(selector string) string {
			return "rate(" + selector + "[" + promDuration(e.window.RateWindow) + "])"
		}
	}
	return e.join(r, container, pods, inner)
}

// Peak is the highest of all samples of memory in the window, and of CPU the highest rate on its grid.
func (e Expressions) Peak(r recommender.Resource, container string, pods []string) string {
	if r == recommender.CPU {
		return "max(max_over_time(" + e.line(e.Usage(r, container, pods)) + "))"
	}
	return "max(" + e.join(r, container, pods, func(selector string) string {
		return "max_over_time(" + selector + "[" + promDuration(e.window.Length) + "]" + e.at() + ")"
	}) + ")"
}

// Quantile is a quantile of one pod's samples; of several it is a series each, which nothing can put together.
func (e Expressions) Quantile(q float64, r recommender.Resource, container string, pods []string) string {
	return fmt.Sprintf("quantile_over_time(%v, %s)", q, e.samples(r, container, pods))
}

// samples is a range vector of all that a rule saw.
func (e Expressions) samples(r recommender.Resource, container string, pods []string) string {
	if e.raw && r == recommender.Memory && len(e.forms.list) == 1 {
		return e.selector(r, e.forms.list[0], container, pods) + "[" + promDuration(e.window.Length) + "]" + e.at()
	}
	return e.line(e.Usage(r, container, pods))
}

// Merged is a quantile of the samples of pods of which no two are at the same point of the grid.
func (e Expressions) Merged(q float64, r recommender.Resource, container string, pods []string) string {
	return fmt.Sprintf("quantile_over_time(%v, %s)", q, e.line("max("+e.Usage(r, container, pods)+")"))
}

// Share is the share of all pods' samples that are no higher than an amount. Where no quantile can be had of several pods, it
// proves one that is known.
func (e Expressions) Share(amount float64, r recommender.Resource, container string, pods []string) string {
	usage := e.Usage(r, container, pods)
	return fmt.Sprintf("sum(count_over_time(%s)) / sum(count_over_time(%s))", e.line(fmt.Sprintf("(%s) <= %v", usage, amount)), e.line(usage))
}

// line is an expression over the grid of the window.
func (e Expressions) line(expr string) string {
	return "(" + expr + ")[" + promDuration(e.window.Length) + ":" + promDuration(e.window.Step) + "]" + e.at()
}

func (e Expressions) at() string { return fmt.Sprintf(" @ %d", e.window.Until.Unix()) }

func (e Expressions) join(r recommender.Resource, container string, pods []string, inner func(string) string) string {
	terms := make([]string, len(e.list()))
	for i, f := range e.list() {
		terms[i] = "max by (" + f.by() + ") (" + inner(e.selector(r, f, container, pods)) + ")"
	}
	return strings.Join(terms, " or ")
}

func (e Expressions) list() []form {
	if len(e.forms.list) == 0 {
		return []form{plain}
	}
	return e.forms.list
}

// selector names what is asked for and, where series come in several forms, which one is meant.
func (e Expressions) selector(r recommender.Resource, f form, container string, pods []string) string {
	list := []Matcher{{f.namespace, Equal, e.namespace}, {f.container, Equal, container}}
	switch n := len(pods); {
	case n == 0:
	case n == 1:
		list = append(list, Matcher{f.pod, Equal, pods[0]})
	case AllNamed(pods):
		list = append(list, Matcher{f.pod, Regexp, anyOf(pods)})
	default:
		list = append(list, Matcher{f.pod, Regexp, regexp.QuoteMeta(beginning(pods)) + ".*"})
	}
	if len(e.forms.list) > 1 {
		list = append(list, f.othersEmpty()...)
	}
	texts := make([]string, len(list))
	for i, m := range list {
		texts[i] = m.String()
	}
	metric := MemoryMetric
	if r == recommender.CPU {
		metric = CPUMetric
	}
	return metric + "{" + strings.Join(texts, ", ") + "}"
}

// maxNamed is how many pods an expression names one by one: more could not be read any more.
const maxNamed = 20

// AllNamed says that expressions select just these pods, and not all whose names begin as theirs do.
func AllNamed(pods []string) bool { return len(pods) <= maxNamed }

// beginning is what all names begin with.
func beginning(names []string) string {
	common := names[0]
	for _, n := range names[1:] {
		for !strings.HasPrefix(n, common) {
			common = common[:len(common)-1]
		}
	}
	return common
}

// expressions are those of a batch whose forms are known.
func (rd *reading) expressions() Expressions {
	return Expressions{rd.batch.Namespace, rd.forms, rd.window, rd.reader.Raw != nil}
}
