package promquery

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/recommender"
)

// fake answers each range with one container's samples at all its points, shifted by offset, and nothing else.
type fake struct {
	offset time.Duration
	points int // the most that a request asked for
	span   time.Duration
}

func (f *fake) QueryRange(_ context.Context, _ string, r v1.Range, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	stream := &model.SampleStream{Metric: model.Metric{"pod": "p", "container": "c"}}
	for at := r.Start; !at.After(r.End); at = at.Add(r.Step) {
		t := model.TimeFromUnixNano(at.Add(f.offset).UnixNano())
		stream.Values = append(stream.Values, model.SamplePair{Timestamp: t, Value: model.SampleValue(t)})
	}
	f.points, f.span = max(f.points, len(stream.Values)), max(f.span, r.End.Sub(r.Start))
	return model.Matrix{stream}, v1.Warnings{"beware"}, v1.Infos{"by the way"}, nil
}

func (*fake) Query(context.Context, string, time.Time, ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	return model.Vector{}, v1.Warnings{"beware"}, nil, nil
}

func (*fake) Series(context.Context, []string, time.Time, time.Time, ...v1.Option) ([]model.LabelSet, v1.Warnings, v1.Infos, error) {
	return nil, nil, nil, nil
}

func checkEveryPointOnce(t *testing.T, w recommender.Window) {
	t.Helper()
	f := &fake{}
	var next [recommender.NumResources]int
	facts, err := (&Reader{API: f}).Read(t.Context(), Batch{Namespace: "n"}, w, func(s Series) {
		for i, k := range s.Points {
			next[s.Resource]++
			if k != next[s.Resource] || s.Values[i] != float64(w.Time(k).UnixMilli()) {
				t.Fatalf("%+v: point %d with %v, want %d with %d", w, k, s.Values[i], next[s.Resource], w.Time(k).UnixMilli())
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := [recommender.NumResources]int{w.Points(), w.Points()}; next != want {
		t.Errorf("%+v: %v points of cpu and memory, want %v", w, next, want)
	}
	if f.points >= 11_000 || f.span > 7*24*time.Hour {
		t.Errorf("%+v: a request for %d points over %s", w, f.points, f.span)
	}
	if diff := cmp.Diff([]string{"beware", "by the way"}, facts.Warnings); diff != "" {
		t.Errorf("Warnings (-want +got):\n%s", diff)
	}
}

func TestEveryPointOnce(t *testing.T) {
	until := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for _, w := range []recommender.Window{
		{Until: until, Length: day, Step: time.Second, RateWindow: time.Minute}, // 86,400 points
		{Until: until, Length: 7 * day, Step: 5 * time.Minute, RateWindow: time.Minute},
		{Until: until, Length: 30 * day, Step: 2 * day, RateWindow: time.Minute},
		{Until: until, Length: time.Minute, Step: time.Minute, RateWindow: time.Minute},
		{Until: until, Length: recommender.MaxWindow, Step: day, RateWindow: time.Minute},
	} {
		checkEveryPointOnce(t, w)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		step := time.Duration(1+rnd.IntN(4000)) * time.Second
		w := recommender.Window{Until: until.Add(time.Duration(rnd.IntN(1e6)) * time.Millisecond), Step: step, RateWindow: time.Minute}
		w.Length = step * time.Duration(1+rnd.IntN(25_000))
		checkEveryPointOnce(t, w)
	}
}

// TestHoursCoverWindow checks that the peaks' ranges touch, do not overlap and cover just the window.
func TestHoursCoverWindow(t *testing.T) {
	until := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, length := range []time.Duration{time.Minute, time.Hour, 90 * time.Minute, 170 * time.Hour, 400*time.Hour + time.Second} {
		w := recommender.Window{Until: until, Length: length, Step: time.Minute, RateWindow: time.Minute}
		api := &spans{fake: &fake{}, at: w.Start()}
		rd := &reading{reader: &Reader{API: api}, window: w, facts: Facts{Peaks: map[Container]recommender.Peak{}}}
		s := selection{namespace: "n", forms: forms{list: []form{plain}}}
		if _, err := rd.readPeaks(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if !api.at.Equal(until) || api.wrong != "" {
			t.Errorf("window %s: peaks are read up to %s: %s", length, api.at, api.wrong)
		}
	}
}

// spans follows the ranges that peaks are asked for, from the left.
type spans struct {
	*fake
	at    time.Time
	wrong string
}

func (s *spans) Query(ctx context.Context, q string, at time.Time, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	if !strings.Contains(q, "["+promDuration(at.Sub(s.at))+"]") {
		s.wrong = q
	}
	s.at = at
	return s.fake.Query(ctx, q, at, opts...)
}

func (s *spans) QueryRange(ctx context.Context, q string, r v1.Range, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	if !strings.Contains(q, "[1h]") || !r.Start.Add(-time.Hour).Equal(s.at) {
		s.wrong = q
	}
	s.at = r.End
	return s.fake.QueryRange(ctx, q, r, opts...)
}

func TestOffGrid(t *testing.T) {
	w := recommender.Window{Until: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Length: time.Hour, Step: 5 * time.Minute, RateWindow: time.Minute}
	_, err := (&Reader{API: &fake{offset: time.Second}}).Read(t.Context(), Batch{Namespace: "n"}, w, func(Series) {})
	const want = "reading memory of namespace n: pod p, container c: the server answered a sample at 2026-02-28T23:05:01Z, which is not one of the points asked for (2026-02-28T23:05:00Z to 2026-03-01T00:00:00Z by 5m0s)"
	if err == nil || err.Error() != want {
		t.Errorf("a sample off the grid: %v\nwant %s", err, want)
	}
}

func TestMergeMax(t *testing.T) {
	nan := math.NaN()
	points, values := mergeMax([]int{1, 3, 4, 6}, []float64{1, 5, nan, nan}, []int{2, 3, 4, 6, 7}, []float64{9, 2, 3, nan, 8})
	if diff := cmp.Diff([]int{1, 2, 3, 4, 6, 7}, points); diff != "" {
		t.Error(diff)
	}
	if values[2] != 5 || values[3] != 3 || !math.IsNaN(values[4]) || values[5] != 8 {
		t.Errorf("mergeMax = %v", values)
	}
}

func TestChunkedPods(t *testing.T) {
	pods := make([]string, 5000)
	for i := range pods {
		pods[i] = strings.Repeat("x", i%7) + string(rune('a'+i%26)) + promDuration(time.Duration(i+1)*time.Millisecond)
	}
	for _, step := range []time.Duration{time.Second, 5 * time.Minute, time.Hour} {
		rd := &reading{reader: &Reader{}, batch: Batch{Pods: pods}, window: recommender.Window{Length: 7 * 24 * time.Hour, Step: step}}
		seen := map[string]int{}
		for _, g := range rd.groups() {
			if n := len(g) * containersPerPod * pointsPerSlice(rd.window.Points(), step); len(g) > maxPodsPerRequest || n > SamplesPerRequest {
				t.Errorf("step %s: a request for %d pods, %d samples", step, len(g), n)
			}
			for _, p := range g {
				seen[p]++
			}
		}
		for _, p := range pods {
			if seen[p] != 1 {
				t.Errorf("step %s: pod %s is asked for %d times", step, p, seen[p])
			}
		}
	}
}

func TestMeanCores(t *testing.T) {
	at := func(pairs ...float64) []model.SamplePair {
		var out []model.SamplePair
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, model.SamplePair{Timestamp: model.Time(pairs[i] * 1000), Value: model.SampleValue(pairs[i+1])})
		}
		return out
	}
	for _, c := range []struct {
		samples []model.SamplePair
		want    float64
		ok      bool
	}{
		{at(), 0, false},
		{at(0, 5), 0, false},
		{at(0, 5, 10, 10), 0.5, true},
		{at(0, 5, 10, 10, 20, 2, 30, 5), 10.0 / 30, true}, // 5, a reset to 2, 3
		{at(0, 5, 10, math.NaN(), 20, 10), 0.25, true},
		{at(0, 5, 0, 10), 0, false},
	} {
		if got, ok := meanCores(c.samples); got != c.want || ok != c.ok {
			t.Errorf("meanCores(%v) = %v, %v, want %v, %v", c.samples, got, ok, c.want, c.ok)
		}
	}
}

func TestOwnersOfSeveral(t *testing.T) {
	set := func(kind, name, controller string) model.LabelSet {
		return model.LabelSet{
			"__name__": "kube_pod_owner", "pod": "p", "owner_kind": model.LabelValue(kind),
			"owner_name": model.LabelValue(name), "owner_is_controller": model.LabelValue(controller),
		}
	}
	none, empty := set("<none>", "<none>", "<none>"), set("", "", "")
	controller, other := set("ReplicaSet", "b", "true"), set("Other", "a", "false")
	for _, c := range []struct {
		sets []model.LabelSet
		want recommender.Owner
	}{
		{[]model.LabelSet{none}, recommender.Owner{}},
		{[]model.LabelSet{empty}, recommender.Owner{}},
		{[]model.LabelSet{none, other, controller}, recommender.Owner{Kind: "ReplicaSet", Name: "b"}},
		{[]model.LabelSet{controller, other, none}, recommender.Owner{Kind: "ReplicaSet", Name: "b"}},
		{[]model.LabelSet{none, other}, recommender.Owner{Kind: "Other", Name: "a"}},
	} {
		if got := resolveOwners(c.sets).Pods["p"]; got != c.want {
			t.Errorf("owner of %v = %v, want %v", c.sets, got, c.want)
		}
	}
}

func TestKills(t *testing.T) {
	w := recommender.Window{Until: time.Unix(1000, 0).UTC(), Length: 100 * time.Second, Step: 10 * time.Second}
	line := func(values ...float64) timeline {
		var tl timeline
		for i, v := range values {
			if !math.IsNaN(v) {
				tl.add(i+1, v)
			}
		}
		return tl
	}
	no := math.NaN()
	since := func(before float64, values ...float64) timeline { // with a value from before the window
		var tl timeline
		tl.add(0, before)
		for _, c := range line(values...).changes {
			if !c.absent {
				tl.add(c.point, c.value)
			}
		}
		return tl
	}
	for name, c := range map[string]struct {
		status status
		want   []int
	}{
		"rise":                {status{restarts: line(0, 0, 1, 1), lastOOM: line(no, no, 1, 1)}, []int{3}},
		"rise by two":         {status{restarts: line(0, 2), lastOOM: line(no, 1)}, []int{2, 2}},
		"sticky":              {status{restarts: line(1, 1, 1), lastOOM: line(1, 1, 1)}, nil},
		"other reason":        {status{restarts: line(0, 1, 2), lastOOM: line(no, no, 1)}, []int{3}},
		"flag 0":              {status{restarts: line(0, 1), lastOOM: line(0, 0)}, nil},
		"gap":                 {status{restarts: line(1, no, no, 2), lastOOM: line(1, no, no, 1)}, []int{4}},
		"gap without a rise":  {status{restarts: line(1, no, no, 1), lastOOM: line(1, no, no, 1)}, nil},
		"new, restarted":      {status{restarts: line(no, 3, 3), lastOOM: line(no, 1, 1)}, []int{2}},
		"new, then killed":    {status{restarts: line(no, 3, 4), lastOOM: line(no, 1, 1)}, []int{2, 3}},
		"never restarted":     {status{restarts: line(0, 0, 0), nowOOM: line(no, 1, 1)}, []int{2}},
		"terminated before":   {status{restarts: line(0, 0), nowOOM: line(1, 1)}, nil},
		"terminated, 0 first": {status{restarts: line(0, 0), nowOOM: line(0, 1)}, []int{2}},
		"back-off counts one": {status{restarts: line(0, 0, 1), nowOOM: line(no, 1), lastOOM: line(no, no, 1)}, []int{3}},
		"there before":        {status{restarts: since(1, no, 1, 1), lastOOM: line(no, 1, 1)}, nil},
		"killed in a gap":     {status{restarts: since(0, no, 1, 1), lastOOM: line(no, 1, 1)}, []int{2}},
		"ended before":        {status{restarts: line(no, 0), nowOOM: since(1, no, 1)}, nil},
		"nothing":             {status{}, nil},
	} {
		var got []int
		for _, k := range c.status.kills("p", w) {
			got = append(got, int(k.At.Sub(w.Start())/w.Step))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTimeline(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		values := map[int]float64{}
		var tl timeline
		for k := 1; k <= 30; k++ {
			if rnd.IntN(3) > 0 {
				values[k] = float64(rnd.IntN(3))
				tl.add(k, values[k])
			}
		}
		for k := 0; k <= 31; k++ {
			want, there := values[k]
			if got, ok := tl.at(k); got != want || ok != there {
				t.Fatalf("at(%d) = %v, %v of %v", k, got, ok, values)
			}
		}
	}
}

func TestQuotingParses(t *testing.T) {
	s := selection{`a"b\c`, []string{`x.y|z`, `\d`}, forms{list: []form{plain}}}
	const want = `m{namespace="a\"b\\c",container!="",container!="POD",pod=~"x\\.y\\|z|\\\\d"}`
	if got := s.selectors("m")[0]; got != want {
		t.Errorf("selector = %s, want %s", got, want)
	}
}
