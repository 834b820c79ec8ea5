package promquery_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/dialect"
	"github.com/rightsize/rightsize/promquery/remote"
	"github.com/rightsize/rightsize/recommender"
)

// foreign is the fixture as another server has it: under other labels, whose usual names mean something else there,
// among the series of a second cluster with ten times the usage.
func foreign(f *fixture) *fixture {
	theirs := map[string]string{
		"namespace": "kubernetes_namespace", "pod": "k8s.pod.name", "container": "container_name", "replicaset": "rs",
		"exported_namespace": "exported_kubernetes_namespace", "exported_pod": "exported_k8s.pod.name", "exported_container": "exported_container_name",
	}
	out := &fixture{}
	for _, s := range f.series {
		b := labels.NewBuilder(labels.EmptyLabels())
		s.labels.Range(func(l labels.Label) {
			if name := theirs[l.Name]; name != "" {
				b.Set(name, l.Value)
			} else {
				b.Set(l.Name, l.Value)
			}
		})
		for _, name := range []string{"namespace", "pod", "container", "exported_pod"} {
			b.Set(name, "collector")
		}
		here := &rawSeries{labels: b.Set("cluster", `pr"od`).Labels(), points: s.points}
		there := &rawSeries{labels: b.Set("cluster", "staging").Labels(), points: slices.Clone(s.points)}
		for i := range there.points {
			there.points[i].v *= 10 // a stale marker stays a NaN
		}
		out.series = append(out.series, here, there)
	}
	return out
}

func theirs(t *testing.T) dialect.Dialect {
	t.Helper()
	d, err := dialect.New([]dialect.Label{
		{Name: "namespace", Theirs: "kubernetes_namespace"},
		{Name: "pod", Theirs: "k8s.pod.name"},
		{Name: "container", Theirs: "container_name"},
		{Name: "replicaset", Theirs: "rs"},
	}, []promquery.Matcher{{Name: "cluster", Op: promquery.Equal, Value: `pr"od`}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDialectConformance holds servers with other labels, and with several clusters, to what a plain one gives.
func TestDialectConformance(t *testing.T) {
	f := newFixture()
	dir := foreign(f).write(t)
	d := theirs(t)
	db := openFolder(t, dir)
	server := openServer(t, dir)
	for _, w := range []struct {
		name string
		api  promquery.API
		raw  promquery.Raw
	}{
		{"tsdb", db, nil},
		{"remote read", server, remote.New(server)},
	} {
		t.Run(w.name, func(t *testing.T) {
			s := suite{fixture: f, api: &counting{API: d.API(w.api)}}
			if w.raw != nil {
				s.raw = &countingRaw{Raw: d.Raw(w.raw)}
			}
			t.Run("namespaces", s.testNamespaces)
			t.Run("index", s.testIndex)
			t.Run("memory", s.testMemory)
			t.Run("cpu", s.testCPU)
			t.Run("peaks", s.testPeaks)
			t.Run("runs", s.testRuns)
			t.Run("init containers", s.testInit)
			t.Run("kills", s.testKills)
			t.Run("throttling", s.testThrottling)
			t.Run("restarts", s.testRestarts)
			t.Run("pods", s.testPods)
			t.Run("odd names", s.testOddNames)
			t.Run("exported", s.testExported)
			t.Run("nothing", s.testNothing)
		})
	}
}

// Reports show the queries that were really asked.
func TestDialectIsShown(t *testing.T) {
	db := openFolder(t, foreign(newFixture()).write(t))
	d := theirs(t)
	for name, r := range map[string]*promquery.Reader{"queries": {API: d.API(db)}, "chunks": {API: d.API(db), Raw: d.Raw(db)}} {
		w := recommender.Window{Until: until(), Length: time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
		facts, err := r.Read(t.Context(), promquery.Batch{Namespace: "shop", Pods: []string{"web-1"}}, w, func(promquery.Series) {})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range facts.Queries {
			if !strings.Contains(q, `"k8s.pod.name"=~"web-1"`) || !strings.Contains(q, `kubernetes_namespace="shop"`) || !strings.Contains(q, `cluster="pr\"od"`) || strings.Contains(q, " pod") {
				t.Errorf("%s: %s", name, q)
			}
		}
		if len(facts.Queries) < 4 {
			t.Errorf("%s: only %q were asked", name, facts.Queries)
		}
	}
}
