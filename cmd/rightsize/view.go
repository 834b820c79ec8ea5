package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
)

// viewOptions are the flags that say which part of the report is shown, and which changes are worth making.
type viewOptions struct {
	sort report.Order // empty for the default
	top  int
	only *recommender.Resource
	min  recommender.Significance

	minGiven bool // then the report shows nothing less
}

func (v *viewOptions) flags() flagGroup {
	which := newFlagGroup("Which part of it")
	which.Var(value(&v.sort, "ORDER", parseOrder, nil), "sort", "by "+orders()+", the greatest first (default name, or severity with --top)")
	which.Var(value(&v.top, "N", parseTop, nil), "top", "show only the first `N` containers in that order")
	v.onlyFlag(which, "show and judge this resource alone: cpu or memory")
	which.Var(v.share(nil), "min-change", "show only containers with a change of at least this share of what is declared. It says for --fail-on, --slack and -o kustomize too what is worth changing, by default 10%")
	which.Var(v.amount(recommender.CPU, nil), "min-change-cpu", "and of at least this much CPU, by default 10m")
	which.Var(v.amount(recommender.Memory, nil), "min-change-memory", "or this much memory, by default 16Mi")
	return which
}

// patchFlags are those of them that patch has: what it writes has no order, and the rest of it stays in force.
func (v *viewOptions) patchFlags() flagGroup {
	which := newFlagGroup("Which changes")
	v.onlyFlag(which, "write this resource alone: cpu or memory")
	which.Var(v.share(percent), "min-change", "leave changes below this share of what is declared alone")
	which.Var(v.amount(recommender.CPU, recommender.CPU.Quantity), "min-change-cpu", "and those of CPU below this")
	which.Var(v.amount(recommender.Memory, recommender.Memory.Quantity), "min-change-memory", "and those of memory below this")
	return which
}

func (v *viewOptions) onlyFlag(to flagGroup, usage string) {
	to.Var(value(&v.only, "RESOURCE", parseResource, nil), "only", usage)
}

// share and amount are the flags of what is worth changing; that one is given is kept too.
func (v *viewOptions) share(text func(float64) string) *typed[float64] {
	return &typed[float64]{&v.min.Share, "PERCENT", given(v, parsePercent), text}
}

func (v *viewOptions) amount(r recommender.Resource, text func(float64) string) *typed[float64] {
	return &typed[float64]{&v.min.Amount[r], "QUANTITY", given(v, parseQuantity), text}
}

func given(v *viewOptions, parse func(string) (float64, error)) func(string) (float64, error) {
	return func(s string) (float64, error) {
		v.minGiven = true
		return parse(s)
	}
}

// view is what formats are told.
func (v *viewOptions) view() report.View {
	out := report.View{Sort: v.sort, Top: v.top, Significant: v.minGiven}
	if out.Sort == "" && v.top > 0 {
		out.Sort = report.BySeverity
	}
	for r := range recommender.NumResources {
		out.Hidden[r] = v.only != nil && *v.only != r
	}
	return out
}

// describe is what is worth changing: "10%, 10m and 16Mi".
func (v *viewOptions) describe() string {
	return fmt.Sprintf("%s, %s and %s", percent(v.min.Share), recommender.CPU.Quantity(v.min.Amount[recommender.CPU]), recommender.Memory.Quantity(v.min.Amount[recommender.Memory]))
}

// validate refuses an order by what is not shown.
func (v *viewOptions) validate() error {
	for r, order := range map[recommender.Resource]report.Order{recommender.CPU: report.ByCPU, recommender.Memory: report.ByMemory} {
		if v.sort == order && v.only != nil && *v.only != r {
			return usagef("--sort %s and --only %s exclude each other: what is sorted by would not be shown", v.sort, *v.only)
		}
	}
	return nil
}

func orders() string {
	var names []string
	for _, o := range report.Orders() {
		names = append(names, string(o))
	}
	return oneOf(names)
}

// oneOf is "a, b or c".
func oneOf(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

func parseOrder(s string) (report.Order, error) {
	for _, o := range report.Orders() {
		if string(o) == s {
			return o, nil
		}
	}
	return "", fmt.Errorf("want %s", orders())
}

func parseTop(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, errors.New("want a number of containers, at least 1")
	}
	return n, nil
}

func parseResource(s string) (*recommender.Resource, error) {
	for r := range recommender.NumResources {
		if r.String() == s {
			return &r, nil
		}
	}
	return nil, errors.New("want cpu or memory")
}

func parsePercent(s string) (float64, error) {
	number, ok := strings.CutSuffix(s, "%")
	x, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(x >= 0 && x <= 100) {
		return 0, errors.New("want a percentage from 0% to 100%")
	}
	return x / 100, nil
}

// percent is to four digits: 0.29 times 100 is 28.999999999999996.
func percent(x float64) string { return fmt.Sprintf("%.4g%%", x*100) }

func parseQuantity(s string) (float64, error) {
	q, err := resource.ParseQuantity(s)
	if err != nil || q.Sign() < 0 {
		return 0, errors.New("want a quantity such as 10m or 16Mi")
	}
	return q.AsApproximateFloat64(), nil
}

// viewCompletions are the values of the flags of views and gates.
func viewCompletions() map[string][]cobra.Completion {
	values := map[string][]cobra.Completion{"only": {recommender.CPU.String(), recommender.Memory.String()}}
	for _, o := range report.Orders() {
		values["sort"] = append(values["sort"], string(o))
	}
	for _, c := range report.Conditions() {
		values["fail-on"] = append(values["fail-on"], cobra.CompletionWithDesc(c.Name, c.Doc))
	}
	return values
}
