package serve

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

// filter is which part of the report a URL asks for. The zero filter is all of it.
type filter struct {
	Namespaces, Kinds, Workloads, Containers []string // any of each; none is all
	Search                                   string   // a part of the namespace, workload or container
	Only                                     string   // a resource
	Sort                                     report.Order
	Top                                      int
	Significant                              bool
}

// parameters are what a URL may say. Namespaces, kinds, workloads and containers may be repeated.
func parameters() []string {
	return []string{"namespace", "kind", "workload", "container", "q", "only", "sort", "top", "changes"}
}

// filterOf is what a request asks for. What cannot be read is an error: net/url would leave it out, and an answer to a part of
// the question looks like one to the whole. So is what the path says already: one of the two would be left out.
func filterOf(r *http.Request) (filter, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return filter{}, fmt.Errorf("reading the parameters: %w", err)
	}
	f, err := parseFilter(q)
	if err != nil {
		return f, err
	}
	for _, p := range []struct {
		name, inPath string
		given        []string
	}{{"namespace", "namespace", f.Namespaces}, {"kind", "kind", f.Kinds}, {"workload", "name", f.Workloads}} {
		if r.PathValue(p.inPath) != "" && len(p.given) > 0 {
			return f, fmt.Errorf("the address names the %s already: leave the parameter %s out", p.name, p.name)
		}
	}
	return f, nil
}

// unfiltered is the problem that a request has parameters where there is nothing to choose.
func unfiltered(r *http.Request) *problem {
	if r.URL.RawQuery == "" {
		return nil
	}
	return problemf(http.StatusBadRequest, "this is of one whole workload, and takes no parameters")
}

// parseFilter reads the parameters of a URL; empty ones, which forms send, are none. Its error says what is allowed.
func parseFilter(q url.Values) (f filter, err error) {
	for name, values := range q {
		if !slices.Contains(parameters(), name) {
			return f, fmt.Errorf("there is no parameter %q: want %s", name, strings.Join(parameters(), ", "))
		}
		if slices.Contains([]string{"q", "only", "sort", "top", "changes"}, name) && len(values) > 1 {
			return f, fmt.Errorf("%s is given twice", name)
		}
	}
	f = filter{Namespaces: filled(q["namespace"]), Kinds: filled(q["kind"]), Workloads: filled(q["workload"]), Containers: filled(q["container"]), Search: q.Get("q")}
	if f.Only, err = oneOf("only", q.Get("only"), recommender.CPU.String(), recommender.Memory.String()); err != nil {
		return f, err
	}
	var orders []string
	for _, o := range report.Orders() {
		orders = append(orders, string(o))
	}
	order, err := oneOf("sort", q.Get("sort"), orders...)
	if err != nil {
		return f, err
	}
	f.Sort = report.Order(order)
	changes, err := oneOf("changes", q.Get("changes"), "all", "significant")
	if err != nil {
		return f, err
	}
	f.Significant = changes == "significant"
	if top := q.Get("top"); top != "" {
		if f.Top, err = strconv.Atoi(top); err != nil || f.Top < 1 {
			return f, fmt.Errorf("invalid top %q: want a number of containers, at least 1", top)
		}
	}
	return f, f.consistent()
}

// consistent refuses an order by what is not shown, as the command line does.
func (f filter) consistent() error {
	if f.Only != "" && (f.Sort == report.ByCPU || f.Sort == report.ByMemory) && string(f.Sort) != f.Only {
		return fmt.Errorf("sort=%s and only=%s exclude each other: what is sorted by would not be shown", f.Sort, f.Only)
	}
	return nil
}

func filled(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
}

// oneOf is the value, which is empty or among those allowed.
func oneOf(name, value string, allowed ...string) (string, error) {
	if value != "" && !slices.Contains(allowed, value) {
		return "", fmt.Errorf("invalid %s %q: want %s", name, value, strings.Join(allowed, ", "))
	}
	return value, nil
}

// isZero says that the filter leaves the report as it is.
func (f filter) isZero() bool { return f.query().Encode() == "" }

// query is the filter as parameters, by which equal ones are equal.
func (f filter) query() url.Values {
	q := url.Values{}
	for name, values := range map[string][]string{"namespace": f.Namespaces, "kind": f.Kinds, "workload": f.Workloads, "container": f.Containers} {
		for _, v := range values {
			q.Add(name, v)
		}
	}
	for name, value := range map[string]string{"q": f.Search, "only": f.Only, "sort": string(f.Sort)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Top > 0 {
		q.Set("top", strconv.Itoa(f.Top))
	}
	if f.Significant {
		q.Set("changes", "significant")
	}
	return q
}

// of is the part of the report. Its totals are those of its containers, before top and changes leave some out, as with the
// command line's flags.
func (f filter) of(r report.Report) report.Report {
	if f.isZero() {
		return r
	}
	r.Items = slices.DeleteFunc(slices.Clone(r.Items), func(i scan.Item) bool { return !f.has(i.ID) })
	r.Retargets = slices.DeleteFunc(slices.Clone(r.Retargets), func(a recommender.Retarget) bool {
		return !f.has(recommender.ID{Namespace: a.Namespace, Kind: a.Kind, Workload: a.Workload})
	})
	if f.narrows() {
		r.HeldOut = nil // it counts containers of the whole report
	}
	r.View.Sort, r.View.Top, r.View.Significant = f.Sort, f.Top, f.Significant
	if f.Sort == "" && f.Top > 0 {
		r.View.Sort = report.BySeverity
	}
	for res := range recommender.NumResources {
		r.View.Hidden[res] = f.Only != "" && f.Only != res.String()
	}
	return r
}

// narrows says that the filter may leave containers out of the totals.
func (f filter) narrows() bool {
	return len(f.Namespaces)+len(f.Kinds)+len(f.Workloads)+len(f.Containers) > 0 || f.Search != ""
}

// has says whether the container is asked for; one without a name stands for those of its workload.
func (f filter) has(id recommender.ID) bool {
	return among(f.Namespaces, id.Namespace) && amongKinds(f.Kinds, id.Kind) && among(f.Workloads, id.Workload) &&
		(id.Container == "" || among(f.Containers, id.Container)) &&
		strings.Contains(strings.ToLower(id.String()), strings.ToLower(f.Search))
}

func among(wanted []string, name string) bool {
	return len(wanted) == 0 || slices.Contains(wanted, name)
}

// amongKinds does without capitals, as kubectl does.
func amongKinds(wanted []string, kind string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(k string) bool { return strings.EqualFold(k, kind) })
}
