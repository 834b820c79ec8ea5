package dialect

import (
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/rightsize/rightsize/promquery"
)

func TestQuery(t *testing.T) {
	d, err := New([]Label{{"namespace", "ns"}, {"pod", "k8s.pod"}, {"container", "pod"}}, []promquery.Matcher{{Name: "cluster", Op: promquery.Equal, Value: "a\\b"}})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		`1`:                                     `1`,
		`up`:                                    `up{cluster="a\\b"}`,
		`m{namespace="shop",container!=""}`:     `m{cluster="a\\b",ns="shop",pod!=""}`,
		`m{exported_namespace=""}`:              `m{cluster="a\\b",exported_ns=""}`,
		`{__name__=~"a|b",pod=~"x"}`:            `{"k8s.pod"=~"x",__name__=~"a|b",cluster="a\\b"}`,
		`max by (namespace, pod, id) (m)`:       `max by (ns, "k8s.pod", id) (m{cluster="a\\b"})`,
		`sum without (pod) (rate(m[5m]))`:       `sum without ("k8s.pod") (rate(m{cluster="a\\b"}[5m]))`,
		`a * on (pod) group_left (container) b`: `a{cluster="a\\b"} * on ("k8s.pod") group_left (pod) b{cluster="a\\b"}`,
		`sum_over_time(clamp_min((a) - (a offset 5m), 0)[7d:5m])`: `sum_over_time(clamp_min((a{cluster="a\\b"}) - (a{cluster="a\\b"} offset 5m), 0)[1w:5m])`,
		`label_replace(a, "pod", "$1 pod", "container", "(.*)")`:  `label_replace(a{cluster="a\\b"}, "k8s.pod", "$1 pod", "pod", "(.*)")`,
		`label_join(a, "x", "pod", "pod", "namespace")`:           `label_join(a{cluster="a\\b"}, "x", "pod", "k8s.pod", "ns")`,
	} {
		got, err := d.Query(query)
		if err != nil || got != want {
			t.Errorf("Query(%s) = %s, %v\nwant %s", query, got, err, want)
		}
		if _, err := parser.NewParser(parser.Options{}).ParseExpr(got); err != nil {
			t.Errorf("%s does not parse: %v", got, err)
		}
	}
	if _, err := d.Query("max by ("); err == nil || !strings.HasPrefix(err.Error(), "renaming the labels of a query: 1:9: parse error") {
		t.Errorf("a broken query: %v", err)
	}
}

func TestNew(t *testing.T) {
	for _, c := range []struct {
		labels  []Label
		cluster []string
		want    string
	}{
		{nil, nil, ""},
		{[]Label{{"pod", "container"}, {"container", "pod"}}, []string{"a", "b"}, ""},
		{[]Label{{"pod", "a"}, {"pod", "b"}}, nil, "--label pod is given twice"},
		{[]Label{{"pod", "a"}, {"container", "a"}}, nil, "--label gives pod and container the same name a"},
		{[]Label{{"pod", "container"}}, nil, "--label pod=container takes the name of the label container, which queries use: rename that too"},
		{nil, []string{"a", "a"}, "--cluster-label a is given twice: no series has two values of one label"},
	} {
		var cluster []promquery.Matcher
		for _, name := range c.cluster {
			cluster = append(cluster, promquery.Matcher{Name: name, Op: promquery.Equal, Value: "x"})
		}
		d, err := New(c.labels, cluster)
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("New(%v, %v): %v, want %s", c.labels, c.cluster, err, c.want)
		}
		if err == nil && d.IsZero() != (len(c.labels)+len(c.cluster) == 0) {
			t.Errorf("New(%v, %v) is zero: %v", c.labels, c.cluster, d.IsZero())
		}
	}
}

func TestParse(t *testing.T) {
	for s, want := range map[string]string{
		"namespace=kubernetes_namespace": "", "pod=k8s.pod.name": "", "owner_kind=x": "",
		"namespace": "want NAME=THEIRS", "namespace=": "want NAME=THEIRS", "namepsace=a": "want one of namespace, pod", "=a": "want one of",
		"pod=__name__": "want the name", "pod=a\"b": "want the name", "pod=\xff": "want the name",
	} {
		if _, err := ParseLabel(s); want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("ParseLabel(%q): %v, want %s", s, err, want)
		}
	}
	for s, want := range map[string]string{
		"cluster=prod": "", "cluster=a=b": "", "cluster": "want LABEL=VALUE", "=a": "want LABEL=VALUE", "cluster=": "want LABEL=VALUE",
		"cluster=~a|b": "want LABEL=VALUE: the report", "__name__=a": "want LABEL=VALUE",
	} {
		if _, err := ParseCluster(s); want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("ParseCluster(%q): %v, want %s", s, err, want)
		}
	}
}

// FuzzQuery checks that a value cannot get out of its quotes, and that what is written parses to what was meant.
func FuzzQuery(f *testing.F) {
	f.Add("kubernetes_namespace", "cluster", "prod")
	f.Add("k8s.namespace", "cluster", `a"} or up{x="`)
	f.Add("ns", "a.b", "\\\n\xff")
	f.Fuzz(func(t *testing.T, name, cluster, v string) {
		l, err := ParseLabel("namespace=" + name)
		if err != nil {
			return
		}
		m, err := ParseCluster(cluster + "=" + v)
		if err != nil {
			return
		}
		d, err := New([]Label{l}, []promquery.Matcher{m})
		if err != nil {
			return
		}
		got, err := d.Query(`max by (namespace) (metric{namespace="shop"})`)
		if err != nil {
			t.Fatal(err)
		}
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(got)
		if err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		selectors := parser.ExtractSelectors(expr)
		if len(selectors) != 1 || len(selectors[0]) != 3 {
			t.Fatalf("%s has selectors %v", got, selectors)
		}
		found := map[string]string{}
		for _, m := range selectors[0] {
			found[m.Name] = m.Value
		}
		if m.Name != l.Theirs && (found[m.Name] != m.Value || found[l.Theirs] != "shop") {
			t.Fatalf("%s means %v", got, found)
		}
	})
}
