package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/rightsize/rightsize/backtest"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/testdata/golden"
)

const mi = 1 << 20

func until() time.Time { return time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC) }

func week() recommender.Window {
	return recommender.Window{Until: until(), Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
}

func declared(kind, name, container string, replicas int, cpu, memory recommender.Bounds) recommender.Container {
	return recommender.Container{
		ID:       recommender.ID{Namespace: "shop", Kind: kind, Workload: name, Container: container},
		Spec:     [recommender.NumResources]recommender.Bounds{cpu, memory},
		Replicas: replicas,
	}
}

func bounds(request, limit float64) recommender.Bounds {
	return recommender.Bounds{Request: recommender.Set(request), Limit: recommender.Set(limit)}
}

func none() recommender.Bounds {
	return recommender.Bounds{Request: recommender.Unset(), Limit: recommender.Unset()}
}

// history is a week of samples that rise evenly from half to three halves of the given values.
func history(cores, bytes float64) recommender.History {
	var h recommender.History
	for r, middle := range [recommender.NumResources]float64{recommender.CPU: cores, recommender.Memory: bytes} {
		u := &h.Usage[r]
		var samples []float64
		for k := range 2017 {
			samples = append(samples, middle*(0.5+float64(k)/2016))
		}
		u.Samples = recommender.Pool(samples)
		u.Covered, u.Pods, u.Running = 7*24*time.Hour, 3, 2
		u.Peak = recommender.Peak{Value: middle * 1.6, Pod: "web-5d9c7b6f8-bbbbb", At: until().Add(-30 * time.Hour), Within: time.Hour}
	}
	return h
}

// sample is a report with everything in it that a report can hold.
func sample() Report {
	policy := recommender.DefaultPolicy()
	recommend := func(c recommender.Container, h recommender.History) scan.Item {
		return scan.Item{Recommendation: recommender.Recommend(c, h, policy)}
	}
	small := history(0.001, 5*mi)
	killed := history(0.2, 200*mi)
	killed.OOMKills = []recommender.OOMKill{{Pod: "api-1", At: until().Add(-50 * time.Hour), Limit: 256 * mi}, {Pod: "api-1", At: until().Add(-49 * time.Hour)}}
	restarts := 3
	killed.Restarts, killed.Throttling = &restarts, recommender.Throttling{Periods: 6_048_000, Throttled: 846_720}
	young := history(0.1, 100*mi)
	for r := range recommender.NumResources {
		young.Usage[r].Covered = 3 * time.Hour
	}
	failed := declared("StatefulSet", "db", "postgres", 2, bounds(1, 2), bounds(4096*mi, 4096*mi))
	silent := recommend(declared("Deployment", "idle", "app", 0, bounds(0.1, 0.2), none()), recommender.History{})
	for r := range recommender.NumResources {
		silent.Advice[r].Notes = []recommender.Note{{Code: recommender.NoteNoData, Text: "no pod of deployment/idle has usage in the window: it is scaled to 0"}}
	}
	items := []scan.Item{
		recommend(declared("DaemonSet", "agent", "agent", recommender.UnknownReplicas, bounds(0.1, 0.1), bounds(64*mi, 64*mi)), small),
		recommend(declared("Deployment", "api", "api", 2, bounds(0.25, 1), bounds(128*mi, 256*mi)), killed),
		{Recommendation: recommender.Recommendation{Container: failed}, Err: errors.New("reading memory of namespace shop: http://prometheus:9090 answered 503:\nquery timed out")},
		silent,
		recommend(declared("Deployment", "naked", "main", 3, none(), none()), history(0.1, 100*mi)),
		recommend(declared("Deployment", "young", "app", 1, bounds(0.5, 1), bounds(1024*mi, 1024*mi)), young),
	}
	r := New(scan.Result{
		Items:     items,
		Ownership: scan.Ownership{ByOwner: 12, ByObject: 4, ByName: 3, Ambiguous: 1, Unknown: 2},
		Queries:   []string{`max by (namespace, pod, container) (container_memory_working_set_bytes{namespace="shop",container!="",container!="POD"})`},
		Warnings:  []string{"container istio-proxy ran in pods of shop/deployment/web, whose template does not declare it: not reported"},
	}, Source{Kind: "prometheus", Address: "http://prometheus:9090", Read: "query_range"}, week(), policy)
	r.HeldOut = &backtest.OutOfSample{Policy: "default", Train: 5 * 24 * time.Hour, Test: 48 * time.Hour, Containers: 48, Others: 3, Hit: 2, Hits: 5}
	return r
}

func render(t *testing.T, name string, r Report, o Options) string {
	t.Helper()
	format, ok := Lookup(name)
	if !ok {
		t.Fatalf("there is no format %s", name)
	}
	var b bytes.Buffer
	if err := format.Write(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, f := range Formats() {
		t.Run(f.Name, func(t *testing.T) { golden.Compare(t, f.Name+".golden", render(t, f.Name, sample(), Options{})) })
	}
}

func TestNamespacesAreColumnsOnlyWhereThereAreSeveral(t *testing.T) {
	r := sample()
	other := r.Items[1]
	other.ID.Namespace = "stage"
	r.Items = append(r.Items, other)
	lines := strings.Split(render(t, "table", r, Options{}), "\n")
	if !strings.HasPrefix(lines[0], "NAMESPACE   WORKLOAD") || !strings.HasPrefix(lines[13], "stage       deployment/api") {
		t.Errorf("table of two namespaces:\n%s", strings.Join(lines, "\n"))
	}
}

// Colours must not move a column: without them the text is the same.
func TestColorHasNoWidth(t *testing.T) {
	colored := render(t, "wide", sample(), Options{Color: true})
	if !strings.Contains(colored, "\x1b[31merror\x1b[0m") || !strings.Contains(colored, "\x1b[32m") {
		t.Errorf("no colours in:\n%q", colored)
	}
	trailing := regexp.MustCompile(`(?m) +$`)
	bare := trailing.ReplaceAllString(regexp.MustCompile(`\x1b\[[0-9]*m`).ReplaceAllString(colored, ""), "")
	if want := render(t, "wide", sample(), Options{}); bare != want {
		t.Errorf("without its colours the table is\n%s\nwant\n%s", bare, want)
	}
}

func TestTableWithoutItemsIsEmpty(t *testing.T) {
	for _, name := range []string{"table", "wide"} {
		if got := render(t, name, Report{}, Options{}); got != "" {
			t.Errorf("%s of nothing = %q, want nothing: stderr says why", name, got)
		}
	}
}

func TestPlainTableCapsItsNotes(t *testing.T) {
	r := sample()
	for i := range 30 {
		item := r.Items[3]
		item.ID.Workload = fmt.Sprintf("idle-%d", i)
		for res := range recommender.NumResources {
			item.Advice[res].Notes = []recommender.Note{{Code: "no-data", Text: fmt.Sprintf("reason %d", i)}}
		}
		r.Items = append(r.Items, item)
	}
	if got := render(t, "table", r, Options{}); !strings.Contains(got, "more: -o wide, json or yaml has them all") || strings.Contains(got, "reason 29") {
		t.Errorf("the plain table explains everything:\n%s", got)
	}
	if got := render(t, "wide", r, Options{}); !strings.Contains(got, "reason 29") {
		t.Errorf("wide leaves notes out:\n%s", got)
	}
}

func TestJSONAndYAMLHoldTheSame(t *testing.T) {
	var fromJSON, fromYAML any
	if err := json.Unmarshal([]byte(render(t, "json", sample(), Options{})), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(render(t, "yaml", sample(), Options{})), &fromYAML); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(fromJSON)
	b, _ := json.Marshal(fromYAML)
	if !bytes.Equal(a, b) {
		t.Errorf("json and yaml differ:\n%s\n%s", a, b)
	}
}

// A list that is empty is [] in JSON: null breaks `jq '.containers[]'`.
func TestJSONOfNothing(t *testing.T) {
	got := render(t, "json", Report{Window: week()}, Options{})
	if strings.Contains(got, "null") || !strings.Contains(got, `"containers": []`) {
		t.Errorf("json of nothing = %s", got)
	}
}

func TestCSVIsRectangular(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(render(t, "csv", sample(), Options{}))).ReadAll()
	if err != nil || len(rows) != 1+2*len(sample().Items) {
		t.Errorf("%d rows, %v, want a header and two a container", len(rows), err)
	}
}

func TestTotals(t *testing.T) {
	cpu := sample().Totals()[recommender.CPU]
	// agent 2 x 0.1 (seen running), api 2 x 0.25, db 2 x 1, idle 0, naked 3 x nothing, young 0.5
	if want := 0.2 + 0.5 + 2 + 0.5; cpu.Now < want-1e-9 || cpu.Now > want+1e-9 || cpu.Unset != 1 {
		t.Errorf("cpu = %+v, want %v now and one without", cpu, want)
	}
	// agent at the floor 2 x 10m, api 2 x 200m, db kept, naked 3 x 100m, young kept
	if want := 0.02 + 0.4 + 2 + 0.3 + 0.5; cpu.After < want-1e-9 || cpu.After > want+1e-9 {
		t.Errorf("cpu = %+v, want %v after", cpu, want)
	}
}

// An init container counts by what it requests more than the others of its pod together, who start when it is over.
func TestInitContainersInTotals(t *testing.T) {
	item := func(name string, init bool, replicas int, now, after float64) scan.Item {
		item := scan.Item{Recommendation: recommender.Recommendation{Container: declared("DaemonSet", "agent", name, replicas, bounds(now, 4), none())}}
		item.Init = init
		item.Advice[recommender.CPU].Bounds = bounds(after, 4)
		return item
	}
	beside := func(item scan.Item, sidecars ...string) scan.Item {
		item.Beside = sidecars
		return item
	}
	const unknown = recommender.UnknownReplicas
	for _, c := range []struct {
		name  string
		items []scan.Item
		want  Total
	}{
		{"smaller than the others", []scan.Item{item("app", false, 3, 1, 0.5), item("proxy", false, 3, 1, 0.5), item("setup", true, 3, 1.5, 0.1)}, Total{Now: 6, After: 3}},
		{"larger, and the largest counts", []scan.Item{item("app", false, 3, 1, 0.5), item("a", true, 3, 2, 0.6), item("b", true, 3, 1, 1.5)}, Total{Now: 6, After: 4.5}},
		{"with the sidecars before it", []scan.Item{item("app", false, 3, 1, 0.5), item("proxy", false, 3, 1, 0.5), beside(item("setup", true, 3, 2, 1), "proxy")}, Total{Now: 9, After: 4.5}},
		{"of as many pods as were seen", []scan.Item{item("app", false, unknown, 1, 1), item("setup", true, unknown, 2, 2)}, Total{Now: 10, After: 10}},
	} {
		for i := range c.items {
			if !c.items[i].Init {
				c.items[i].Evidence[recommender.CPU].Running = 5
			}
		}
		r := Report{Items: c.items, Window: week()}
		if got := r.Totals()[recommender.CPU]; got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		for format, want := range map[string]string{"table": " (init) ", "markdown": " (init) ", "json": `"init": true`, "yaml": "init: true", "csv": ",true\n"} {
			if got := render(t, format, r, Options{}); !strings.Contains(got, want) {
				t.Errorf("%s does not tell init containers:\n%s", format, got)
			}
		}
	}
}

// Who takes from an init container that is smaller than the others of its pod together saves nothing.
func TestInitContainersInRequestedMore(t *testing.T) {
	item := func(name string, init bool, now, after float64) scan.Item {
		item := scan.Item{Recommendation: recommender.Recommendation{Container: declared("Deployment", "web", name, 3, bounds(now, 4), none())}}
		item.Init = init
		item.Advice[recommender.CPU].Bounds = bounds(after, 4)
		return item
	}
	r := Report{Items: []scan.Item{item("app", false, 2, 0.5), item("large", true, 3, 1), item("small", true, 1, 0.1)}, Window: week()}
	for i, want := range []float64{-4.5, -3, 0} {
		if got := r.RequestedMore(r.Items[i], recommender.CPU); got != want {
			t.Errorf("%s requests %v more, want %v", r.Items[i].ID.Container, got, want)
		}
	}
}

// An init container that nobody saw is not what a gate is for: no pod may have started in the window.
func TestGateOfInitContainers(t *testing.T) {
	item := scan.Item{Recommendation: recommender.Recommendation{Container: declared("Deployment", "web", "setup", 1, bounds(1, 1), bounds(mi, mi))}}
	for init, want := range map[bool]int{false: 2, true: 0} {
		item.Init = init
		all := Conditions()
		noData := all[slices.IndexFunc(all, func(c Condition) bool { return c.Name == WithoutData })]
		if got := len((Report{Items: []scan.Item{item}, Window: week()}).Judge([]Condition{noData}).Tripped(noData)); got != want {
			t.Errorf("init %t: %d trips, want %d", init, got, want)
		}
	}
}

// A limit without a request is requested by Kubernetes: counting nothing for it showed savings as increases.
func TestLimitWithoutRequestIsRequested(t *testing.T) {
	limitOnly := recommender.Bounds{Request: recommender.Unset(), Limit: recommender.Set(2)}
	item := scan.Item{Recommendation: recommender.Recommendation{Container: declared("Deployment", "web", "app", 3, limitOnly, none())}}
	item.Advice[recommender.CPU].Bounds = bounds(0.5, 1)
	r := Report{Items: []scan.Item{item}, Window: week()}
	if got, want := r.Totals()[recommender.CPU], (Total{Now: 6, After: 1.5}); got != want {
		t.Errorf("totals = %+v, want %+v", got, want)
	}
	if got := render(t, "table", r, Options{}); !strings.Contains(got, "none (=2) -> 500m     -75%") {
		t.Errorf("the table does not show what is requested now:\n%s", got)
	}
	r.Items[0].Advice[recommender.CPU].Bounds = recommender.Bounds{}
	if got, want := r.Totals()[recommender.CPU], (Total{Now: 6, After: 6}); got != want {
		t.Errorf("totals without advice = %+v, want %+v", got, want)
	}
}

func TestPodsAreCountedOnceForBothResources(t *testing.T) {
	item := scan.Item{Recommendation: recommender.Recommendation{Container: declared("DaemonSet", "agent", "agent", recommender.UnknownReplicas, bounds(1, 1), bounds(mi, mi))}}
	r := Report{Items: []scan.Item{item}, Window: week()}
	if got := r.Totals()[recommender.CPU]; got.Uncounted != 1 || got.Now != 0 {
		t.Errorf("cpu = %+v, want one container that could not be counted", got)
	}
	r.Items[0].Evidence[recommender.Memory].Running = 4
	if got := r.Totals()[recommender.CPU]; got.Uncounted != 0 || got.Now != 4 {
		t.Errorf("cpu = %+v, want 4 cores, the pods having been seen by their memory", got)
	}
}

func TestFailuresAreCounted(t *testing.T) {
	r := sample()
	if f := r.Failures(); len(f) != 1 || f[0].Containers != 1 || !r.Succeeded() {
		t.Errorf("failures = %v, succeeded %v", f, r.Succeeded())
	}
	r.Items = []scan.Item{r.Items[2], r.Items[2]}
	if f := r.Failures(); len(f) != 1 || f[0].Containers != 2 || r.Succeeded() {
		t.Errorf("failures = %v, succeeded %v", f, r.Succeeded())
	}
}

func TestChange(t *testing.T) {
	set := recommender.Set
	for _, c := range []struct {
		now, after recommender.Value
		want       string
	}{
		{set(1), set(1), "="},
		{set(1), set(0.12), "-88%"},
		{set(1), set(2.5), "+150%"},
		{set(1000), set(1001), "+0.1%"},
		{set(1000), set(999), "-0.1%"},
		{recommender.Unset(), set(1), "new"},
		{set(0), set(1), "new"},
		{set(1), recommender.Unset(), "removed"},
		{set(1), recommender.NoAdvice(), ""},
		{recommender.Unset(), recommender.Unset(), "="},
		{set(0.001), set(2), ">+999%"},
	} {
		if got := diff(recommender.CPU, quantity(recommender.CPU, c.now), c.now, c.after)[1].text; got != c.want {
			t.Errorf("change from %v to %v = %q, want %q", c.now, c.after, got, c.want)
		}
	}
}

// Names and servers' words are not ours: whatever they hold, the table keeps its columns and nothing is markup.
func TestMarkdownOfHostileNames(t *testing.T) {
	r := sample()
	for i, name := range []string{"a|b", "`x`", "<img src=x>", "a\nb", `back\slash|`, "[l](http://x)", "*b* _i_ ~s~", "@all &lt;"} {
		r.Items[i%len(r.Items)].ID.Container = name
		r.Items[i%len(r.Items)].ID.Workload = name
		text := render(t, "markdown", r, Options{})
		for line := range strings.Lines(text) {
			bare := regexp.MustCompile(`\\[[:punct:]]`).ReplaceAllString(line, "")
			if n := strings.Count(bare, "|"); n != 0 && n != 9 {
				t.Errorf("%q: a row with %d bars, want 9: %s", name, n, line)
			}
			if strings.ContainsAny(strings.ReplaceAll(bare, "**", ""), "`<*[&@~") {
				t.Errorf("%q is markup in %s", name, line)
			}
		}
	}
}
