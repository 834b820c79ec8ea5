// Package dialect asks servers that name labels in their own way, or that hold the series of several clusters. It
// rewrites each query on its way out, by Prometheus's own parser, and the labels of the answer on its way back: who
// composes queries need not know.
package dialect

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/rightsize/rightsize/promquery"
)

// exportedPrefix is what Prometheus puts before a scraped label where honor_labels is off; see promquery.
const exportedPrefix = "exported_"

// Label says that a server calls one of the labels that queries use by another name.
type Label struct{ Name, Theirs string }

// Names are the labels that may be renamed: those by which our queries select, aggregate or tell series apart.
func Names() []string {
	return []string{
		"namespace", "pod", "container", "node", "resource", "reason", "replicaset", "job_name", "owner_kind", "owner_name", "owner_is_controller",
	}
}

// ParseLabel reads NAME=THEIRS.
func ParseLabel(s string) (Label, error) {
	name, theirs, ok := strings.Cut(s, "=")
	switch {
	case !ok || theirs == "":
		return Label{}, errors.New("want NAME=THEIRS, such as namespace=kubernetes_namespace")
	case !slices.Contains(Names(), name):
		return Label{}, fmt.Errorf("want one of %s before the =", strings.Join(Names(), ", "))
	case !isName(theirs):
		return Label{}, errors.New("want the name of a label after the =")
	}
	return Label{name, theirs}, nil
}

// ParseCluster reads LABEL=VALUE, a condition on the series of one cluster.
func ParseCluster(s string) (promquery.Matcher, error) {
	name, v, ok := strings.Cut(s, "=")
	switch {
	case !ok || !isName(name) || v == "":
		return promquery.Matcher{}, errors.New("want LABEL=VALUE, such as cluster=prod")
	case strings.HasPrefix(v, "~"):
		return promquery.Matcher{}, errors.New("want LABEL=VALUE: the report is of one cluster, so a regular expression is not taken")
	}
	return promquery.Matcher{Name: name, Op: promquery.Equal, Value: v}, nil
}

// isName says whether a label may be called so, in UTF-8 as Prometheus 3 has it. Names with __ before them are its own.
func isName(s string) bool {
	return model.UTF8Validation.IsValidLabelName(s) && !strings.HasPrefix(s, model.ReservedLabelPrefix) && !strings.ContainsAny(s, "\"\\\n")
}

// Dialect is how one server's labels differ from those that queries are composed with. The zero value is no difference.
type Dialect struct {
	theirs  map[string]string // by our name; with those that are exported
	ours    map[string]string // by theirs
	cluster []promquery.Matcher
}

// New makes a dialect. It is an error to name a label twice, or to give two labels one name.
func New(renamed []Label, cluster []promquery.Matcher) (Dialect, error) {
	d := Dialect{theirs: map[string]string{}, ours: map[string]string{}, cluster: cluster}
	for _, l := range renamed {
		if _, twice := d.theirs[l.Name]; twice {
			return d, fmt.Errorf("--label %s is given twice", l.Name)
		}
		if other, twice := d.ours[l.Theirs]; twice {
			return d, fmt.Errorf("--label gives %s and %s the same name %s", other, l.Name, l.Theirs)
		}
		d.add(l.Name, l.Theirs)
		d.add(exportedPrefix+l.Name, exportedPrefix+l.Theirs)
	}
	for _, n := range Names() {
		if _, renamed := d.theirs[n]; d.ours[n] != "" && !renamed {
			return d, fmt.Errorf("--label %s=%s takes the name of the label %[2]s, which queries use: rename that too", d.ours[n], n)
		}
	}
	for i, m := range cluster {
		if slices.ContainsFunc(cluster[:i], func(other promquery.Matcher) bool { return other.Name == m.Name }) {
			return d, fmt.Errorf("--cluster-label %s is given twice: no series has two values of one label", m.Name)
		}
	}
	return d, nil
}

func (d Dialect) add(ours, theirs string) { d.theirs[ours], d.ours[theirs] = theirs, ours }

// IsZero says whether queries go out as they are.
func (d Dialect) IsZero() bool { return len(d.theirs) == 0 && len(d.cluster) == 0 }

// Query is a query as the server is asked it: every selector has the matchers of the cluster, and every label its name
// there.
func (d Dialect) Query(query string) (string, error) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return "", fmt.Errorf("renaming the labels of a query: %w", err)
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			d.rewrite(n)
		case *parser.AggregateExpr:
			d.renameAll(n.Grouping)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				d.renameAll(n.VectorMatching.MatchingLabels)
				d.renameAll(n.VectorMatching.Include)
			}
		case *parser.Call:
			d.renameArguments(n)
		}
		return nil
	})
	return expr.String(), nil
}

// rewrite changes one selector. Its matchers are its own: the parser has made them just now.
func (d Dialect) rewrite(s *parser.VectorSelector) {
	for _, m := range s.LabelMatchers {
		m.Name = d.name(m.Name)
	}
	for _, m := range d.cluster {
		s.LabelMatchers = append(s.LabelMatchers, &labels.Matcher{Type: labels.MatchEqual, Name: m.Name, Value: m.Value})
	}
}

// renameArguments renames the labels in the arguments of the functions that take some.
func (d Dialect) renameArguments(c *parser.Call) {
	for i, a := range c.Args {
		text, ok := a.(*parser.StringLiteral)
		takes := c.Func.Name == "label_replace" && (i == 1 || i == 3) || c.Func.Name == "label_join" && (i == 1 || i >= 3)
		if ok && takes {
			text.Val = d.name(text.Val)
		}
	}
}

func (d Dialect) renameAll(names []string) {
	for i, n := range names {
		names[i] = d.name(n)
	}
}

// name is what the server calls a label.
func (d Dialect) name(ours string) string { return cmp.Or(d.theirs[ours], ours) }

// matchers are those of a selector, and the cluster's.
func (d Dialect) matchers(list []promquery.Matcher) []promquery.Matcher {
	out := slices.Clone(list)
	for i := range out {
		out[i].Name = d.name(out[i].Name)
	}
	return append(out, d.cluster...)
}

// back gives labels their names here again. What the server calls by a name that means another label there is left out.
func back[M ~map[model.LabelName]model.LabelValue](d Dialect, theirs M) M {
	out := make(M, len(theirs))
	for name, v := range theirs {
		if ours, renamed := d.ours[string(name)]; renamed {
			out[model.LabelName(ours)] = v
		} else if _, hidden := d.theirs[string(name)]; !hidden {
			out[name] = v
		}
	}
	return out
}
