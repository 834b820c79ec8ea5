package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rightsize/rightsize/backtest"
	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/testdata/golden"
)

const mi = 1 << 20

func week() recommender.Window {
	return recommender.Window{
		Until: time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC), Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute,
	}
}

// declared is a container that much bears on.
func declared() recommender.Container {
	set := recommender.Set
	c := recommender.Container{
		ID:       recommender.ID{Namespace: "shop", Kind: "Deployment", Workload: "web", Container: "app"},
		Spec:     [recommender.NumResources]recommender.Bounds{{Request: set(0.25), Limit: set(4)}, {Request: set(256 * mi), Limit: set(512 * mi)}},
		Replicas: 2, Owner: "Site example",
		Heap: recommender.Heap{By: "-Xmx in JAVA_TOOL_OPTIONS", Bytes: 400 * mi, Share: recommender.HeapOfProcess},
	}
	c.Facts.Autoscalers = []recommender.Autoscaler{{Name: "HorizontalPodAutoscaler web", Resource: recommender.CPU, Percent: 80}}
	c.Facts.Resizers = []recommender.Resizer{{Name: "VerticalPodAutoscaler web", Mode: "Auto", Sets: [recommender.NumResources]bool{recommender.CPU: true}}}
	c.Facts.Ranges = []recommender.LimitRange{{Name: "limits", Of: [recommender.NumResources]recommender.Range{
		recommender.Memory: {Min: set(64 * mi), Max: set(4096 * mi), DefaultLimit: set(512 * mi), MaxRatio: 4},
	}}}
	c.Facts.Quotas = []recommender.Quota{{
		Name: "team", Hard: [recommender.NumResources]recommender.Bounds{recommender.Memory: {Request: set(8192 * mi)}},
		Used: [recommender.NumResources]recommender.Bounds{recommender.Memory: {Request: set(6144 * mi)}},
	}}
	return c
}

// seen is a week of two pods: the days go up and down, and one of them is killed.
func seen(w recommender.Window, pods ...string) scan.Timeline {
	t := scan.Timeline{Ownership: scan.Ownership{ByOwner: len(pods)}, Expressions: promquery.NewExpressions("shop", w)}
	h := &t.History
	for r, unit := range [recommender.NumResources]float64{recommender.CPU: 0.1, recommender.Memory: 100 * mi} {
		u := &h.Usage[r]
		for i, name := range pods {
			if i == len(t.Pods) {
				t.Pods = append(t.Pods, scan.PodTimeline{Pod: name})
			}
			p := &t.Pods[i]
			for k := 1; k <= w.Points(); k++ {
				v := unit * (2 + float64(i)/4 + math.Sin(2*math.Pi*float64(k)*w.Step.Hours()/24))
				p.Points[r], p.Values[r] = append(p.Points[r], k), append(p.Values[r], v)
				if v > u.Peak.Value {
					u.Peak = recommender.Peak{Value: v, Pod: name, At: w.Time(k), Within: time.Hour}
				}
			}
		}
		u.Samples = pooled(t.Pods, recommender.Resource(r))
		u.Covered, u.Pods, u.Running = w.Length, len(pods), len(pods)
	}
	restarts := 3
	h.Restarts, h.Throttling = &restarts, recommender.Throttling{Periods: 1000, Throttled: 300}
	return t
}

// explained is an explanation of the container by the usage.
func explained(t *testing.T, c recommender.Container, usage scan.Timeline, w recommender.Window) Explanation {
	t.Helper()
	policy := recommender.DefaultPolicy()
	usage.Item = scan.Item{Recommendation: recommender.Recommend(c, usage.History, policy)}
	r := report.Report{Source: report.Source{Kind: "tsdb", Address: "demo", Read: "query_range"}, Window: w, Policy: policy, Items: []scan.Item{usage.Item}}
	trial := Trial{Plan: backtest.Plan{Train: 5 * 24 * time.Hour, Test: 2 * 24 * time.Hour, MinTrain: 24 * time.Hour}}
	trial.Policies = []backtest.Policy{backtest.Current(), backtest.Of("default", "", policy), backtest.Of("safe", "", recommender.SafePolicy())}
	history := backtest.Container{Name: "web", Declared: c, Step: w.Step}
	for _, p := range usage.Pods {
		pod := backtest.Pod{Name: p.Pod}
		for res := range recommender.NumResources {
			for _, k := range p.Points[res] {
				pod.Usage[res].Times = append(pod.Usage[res].Times, w.Time(k).Unix())
			}
			pod.Usage[res].Values = p.Values[res]
		}
		history.Pods = append(history.Pods, pod)
	}
	trial.Result = trial.Plan.Run(history, trial.Policies)
	e, err := New(r, usage.Item, usage, trial, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func killed(w recommender.Window) scan.Timeline {
	usage := seen(w, "web-7f9-aaaaa", "web-7f9-bbbbb")
	for i := range 5 {
		usage.History.OOMKills = append(usage.History.OOMKills, recommender.OOMKill{Pod: "web-7f9-aaaaa", At: w.Time(300 + 100*i), Limit: 512 * mi})
	}
	return usage
}

func text(t *testing.T, width int, color bool, all ...Explanation) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, all, Options{Width: width, Color: color}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A person reads these at the widths of terminals.
func TestText(t *testing.T) {
	e := explained(t, declared(), killed(week()), week())
	for _, width := range []int{60, 80, 160} {
		golden.Compare(t, fmt.Sprintf("text%d.golden", width), text(t, width, false, e))
	}
}

// No line is wider than the terminal but for a word that cannot be broken, and nothing is coloured that should not be.
func TestTextKeepsToItsWidth(t *testing.T) {
	short, long := week(), week()
	short.Length, long.Length, long.Step = 40*time.Minute, 90*24*time.Hour, time.Hour
	for _, w := range []recommender.Window{week(), short, long} {
		for name, e := range map[string]Explanation{
			"killed": explained(t, declared(), killed(w), w),
			"bare":   explained(t, recommender.Container{ID: declared().ID}, seen(w, "a"), w),
			"none":   explained(t, declared(), scan.Timeline{}, w),
		} {
			for _, width := range []int{0, 60, 61, 79, 80, 120, 149, 150, 200, 240} {
				out := text(t, width, false, e, e)
				for l := range strings.Lines(out) {
					l = strings.TrimSuffix(l, "\n")
					if n := utf8.RuneCountInString(l); n > max(width, minWidth) && strings.ContainsAny(strings.TrimLeft(l, " "), " ") {
						t.Errorf("%s at %d: a line of %d: %q", name, width, n, l)
					}
					if strings.HasSuffix(l, " ") {
						t.Errorf("%s at %d: blanks at the end of %q", name, width, l)
					}
				}
				if strings.ContainsAny(out, "\x1b\r\t") || !utf8.ValidString(out) {
					t.Errorf("%s at %d: colours or control characters", name, width)
				}
				colored := text(t, width, true, e, e)
				for l := range strings.Lines(colored) {
					if strings.Count(l, "\x1b[") != 2*strings.Count(l, "\x1b[0m") {
						t.Errorf("%s at %d: a colour without an end: %q", name, width, l)
					}
				}
				plain := strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[2m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[36m", "").Replace(colored)
				if plain != out {
					t.Errorf("%s at %d: colours change the text", name, width)
				}
			}
		}
	}
}

// What others wrote reaches the terminal as text.
func TestTextIsPrintable(t *testing.T) {
	c := declared()
	c.Owner, c.Facts.Autoscalers[0].Name, c.Heap.By = "\x1b[31mSite", "\x1bHPA", "\aheap"
	usage := killed(week())
	usage.History.OOMKills[4].Pod = "\x1b]0;pod\a"
	for r := range recommender.NumResources {
		usage.History.Usage[r].Peak.Pod = "\x1b[2Jpod"
	}
	e := explained(t, c, usage, week())
	e.Item.Advice[0].Notes = append(e.Item.Advice[0].Notes, recommender.Note{Code: "leak", Text: "\x1b[5m"})
	failed := e
	failed.Item.Err = errors.New("\x1b[7mtimeout")
	if out := text(t, 80, false, e, failed); strings.ContainsAny(out, "\x1b\a") || !strings.Contains(out, "timeout") {
		t.Errorf("it holds control characters: %q", out)
	}
}

func TestJSON(t *testing.T) {
	e, failed := explained(t, declared(), killed(week()), week()), explained(t, declared(), scan.Timeline{}, week())
	failed.Item.Err = errors.New("timeout")
	var b bytes.Buffer
	if err := WriteJSON(&b, e.Report, []Explanation{e, failed}); err != nil {
		t.Fatal(err)
	}
	var got wireExplanation
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.SchemaVersion != "rightsize/v1" || got.Kind != "Explanation" || len(got.Containers) != 2 {
		t.Fatalf("%s", b.String())
	}
	memory := got.Containers[0].Resources["memory"]
	samples := 0
	for _, n := range memory.Histogram.Counts {
		samples += n
	}
	if want := e.Item.Evidence[recommender.Memory].Samples; samples != want || len(memory.Histogram.Counts) != wireParts || len(memory.Usage) != wireBins {
		t.Errorf("%d samples in the histogram, want %d; %d bins of usage", samples, want, len(memory.Usage))
	}
	var steps []string
	for _, s := range memory.Steps {
		steps = append(steps, s.Guard)
		if s.Limit.From == nil || s.Limit.To == nil || *s.Limit.From == *s.Limit.To {
			t.Errorf("%s changes the limit from %v to %v", s.Guard, s.Limit.From, s.Limit.To)
		}
	}
	if fmt.Sprint(steps) != "[oom-killed]" {
		t.Errorf("guards %v, want that of OOM kills", steps)
	}
	if hits := got.Containers[0].Backtest.Policies[1].MemoryHits; hits == nil {
		t.Error("the backtest of the policy in use says nothing of hits")
	}
	if failed := got.Containers[1]; failed.Resources["memory"].Histogram != nil || len(failed.Resources["memory"].PromQL) != 0 {
		t.Errorf("there is something of what could not be read: %+v", failed)
	}
}

// A query that is said to give a number is one that names every pod, of series that can be put together.
func TestQueries(t *testing.T) {
	w := week()
	one, two := explained(t, declared(), seen(w, "a"), w), explained(t, declared(), seen(w, "a", "b"), w)
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf("web-%02d", i))
	}
	many := explained(t, declared(), seen(w, names...), w)
	rolled := seen(w, "a", "b")
	for r := range recommender.NumResources { // b takes over from a
		half := len(rolled.Pods[0].Points[r]) / 2
		rolled.Pods[0].Points[r], rolled.Pods[1].Points[r] = rolled.Pods[0].Points[r][:half], rolled.Pods[1].Points[r][half:]
		rolled.History.Usage[r].Samples = pooled(rolled.Pods, r)
	}
	apart := explained(t, declared(), rolled, w)
	for _, tt := range []struct {
		name string
		e    Explanation
		docs string
		form string
	}{
		{"one", one, "[what was used? p50 p99 max]", "quantile_over_time(0.5, (max by"},
		{"apart", apart, "[what was used? p50 p99 max]", "quantile_over_time(0.5, (max(max by"},
		{"two", two, "[what was used? share up to p50 share up to p99 max]", "sum(count_over_time("},
		{"many", many, "[what was used? share up to p50? share up to p99? max?]", "sum(count_over_time("},
	} {
		for r := range recommender.NumResources {
			var docs []string
			for _, q := range tt.e.Queries[r] {
				if q.Gives == nil {
					q.Doc += "?"
				}
				docs = append(docs, q.Doc)
			}
			if fmt.Sprint(docs) != tt.docs || !strings.HasPrefix(tt.e.Queries[r][1].PromQL, tt.form) {
				t.Errorf("%s, %s: %v %s, want %s %s", tt.name, r, docs, tt.e.Queries[r][1].PromQL, tt.docs, tt.form)
			}
		}
	}
}

// New hands every query to whoever knows the server's words.
func TestQueriesAreTranslated(t *testing.T) {
	e := explained(t, declared(), seen(week(), "a"), week())
	n := 0
	e, err := New(e.Report, e.Item, e.Usage, e.Trial, func(s string) (string, error) { n++; return "T" + s, nil })
	if err != nil || n != len(e.Queries[0])+len(e.Queries[1]) || !strings.HasPrefix(e.Queries[1][0].PromQL, "Tmax") {
		t.Errorf("%d queries were translated, %v: %v", n, err, e.Queries)
	}
	if _, err := New(e.Report, e.Item, e.Usage, e.Trial, func(string) (string, error) { return "", errors.New("no") }); err == nil {
		t.Error("an error of the translation is lost")
	}
}

func TestBinned(t *testing.T) {
	w := recommender.Window{Until: time.Unix(36000, 0), Length: 10 * time.Hour, Step: time.Hour}
	pods := []scan.PodTimeline{{Pod: "a"}, {Pod: "b"}}
	pods[0].Points[0], pods[0].Values[0] = []int{1, 2, 3, 10}, []float64{1, 2, 3, 9}
	pods[1].Points[0], pods[1].Values[0] = []int{1, 2}, []float64{5, 6}
	b := binned(w, pods, recommender.CPU, recommender.Peak{Value: 20, Pod: "a", At: w.Time(9)}, 5)
	const none = "NaN"
	if got := fmt.Sprint(b.middle); got != fmt.Sprintf("[3.5 3 %s %s 9]", none, none) {
		t.Errorf("medians %s", got)
	}
	if got := fmt.Sprint(b.highest); got != fmt.Sprintf("[6 3 %s %s 20]", none, none) {
		t.Errorf("highest %s", got)
	}
	if n := len(binned(w, nil, recommender.CPU, recommender.Peak{}, 50).middle); n != 10 {
		t.Errorf("%d bins of 10 points", n)
	}
}

// pooled are the pods' samples.
func pooled(pods []scan.PodTimeline, r recommender.Resource) recommender.Samples {
	var lists [][]float64
	for _, p := range pods {
		lists = append(lists, slices.Sorted(slices.Values(p.Values[r][:len(p.Points[r])])))
	}
	return recommender.Pool(lists...)
}

// A name of 19 letters lost its unit: "request now 256".
func TestLevelsAreNamedInFull(t *testing.T) {
	c := declared()
	c.Spec[recommender.Memory] = recommender.Bounds{Request: recommender.Set(16384 * mi), Limit: recommender.Set(65537 * mi)}
	for _, width := range []int{80, 160} {
		got := text(t, width, false, explained(t, c, seen(week(), "a"), week()))
		for _, want := range []string{"↑ limit now 65537Mi", "↑ request now 16Gi"} {
			if !strings.Contains(got, want) {
				t.Errorf("%d columns lack %q:\n%s", width, want, got)
			}
		}
	}
}

// What is recommended hid what is declared where both fell into a row, which was named as declared and drawn as recommended.
func TestLinesInOneRowTakeTurns(t *testing.T) {
	p := plot{top: 512, levels: []level{{"limit now 512Mi", 512, nowRune, yellow}, {"limit 487Mi", 487, newRune, green}}}
	p.bins.middle, p.bins.highest = make([]float64, 4), make([]float64, 4)
	p.fill()
	got := ""
	for _, cell := range p.cells[0] {
		got += cell.text
	}
	if want := "┄─┄─"; got != want {
		t.Errorf("the row is %q, want %q", got, want)
	}
}

func TestHistogram(t *testing.T) {
	for _, tt := range []struct {
		samples []float64
		want    string
	}{
		{nil, "[0 0 0 0]"},
		{[]float64{7, 7}, "[0 0 0 2]"},
		{[]float64{0, 1, 2, 3, 4}, "[1 1 1 2]"},
	} {
		if got := fmt.Sprint(histogram(recommender.Pool(tt.samples), 4)); got != tt.want {
			t.Errorf("histogram(%v) = %s, want %s", tt.samples, got, tt.want)
		}
	}
	if got := shareUpTo(recommender.Pool([]float64{1, 2}, []float64{2, 3}), 2); got != 0.75 {
		t.Errorf("share up to 2 = %v", got)
	}
}

// PromQL is broken where it may be, and is the same query on one line.
func TestWrapQuery(t *testing.T) {
	const query = `sum(rate(m{a="x y, z", b="\" q", c="d"}[5m])) / count(n) <= 5`
	for width := 5; width < 90; width++ {
		var words []string
		for _, l := range wrapQuery(query, 2, width) {
			words = append(words, strings.TrimSpace(l[0].text))
		}
		if got := strings.Join(words, " "); got != query {
			t.Fatalf("at %d it is %s", width, got)
		}
	}
}
