package promquery_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/remote"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/testdata/faultproxy"
	"github.com/rightsize/rightsize/testdata/promserver"
)

// answers are what a Read gave.
type answers struct {
	Values map[key]map[int][]float64
	Facts  promquery.Facts
}

// gather reads, and forgets what may differ: how it was asked for.
func gather(ctx context.Context, r *promquery.Reader, b promquery.Batch, w recommender.Window) (answers, error) {
	a := answers{Values: map[key]map[int][]float64{}}
	var err error
	a.Facts, err = r.Read(ctx, b, w, func(s promquery.Series) {
		k := key{s.Pod, s.Container, s.Resource}
		if a.Values[k] == nil {
			a.Values[k] = map[int][]float64{}
		}
		for i, p := range s.Points {
			a.Values[k][p] = append(a.Values[k][p], s.Values[i])
		}
	})
	a.Facts.Queries = nil
	return a, err
}

// twoDays is a window that is quick to read again and again, of all kinds of pods.
func twoDays() recommender.Window {
	return recommender.Window{Until: until().Add(-time.Hour), Length: 2 * day, Step: time.Minute, RateWindow: 5 * time.Minute}
}

func shopBatch() promquery.Batch {
	return promquery.Batch{Namespace: "shop", Runs: runsOf("dump", "backup-1", "backup-2", "backup-3"), Containers: 5}
}

// TestFaultsOfServers has one folder for all that reads from servers with limits and faults, for it takes long to make.
func TestFaultsOfServers(t *testing.T) {
	f := newFixture()
	begin := until().Add(-3*day - 2*time.Hour).UnixMilli()
	for _, s := range f.series {
		s.points = slices.DeleteFunc(s.points, func(p point) bool { return p.t < begin })
	}
	f.series = slices.DeleteFunc(f.series, func(s *rawSeries) bool { return len(s.points) == 0 })
	dir := f.write(t)
	t.Run("refused requests are parted", func(t *testing.T) { testRefusedRequestsAreParted(t, dir) })
	t.Run("a pod that is too much fails", func(t *testing.T) { testPodThatIsTooMuchFails(t, dir) })
	t.Run("refused raw requests are parted", func(t *testing.T) { testRefusedRawRequestsAreParted(t, dir) })
	t.Run("queries that are too long are parted", func(t *testing.T) { testLongQueriesAreParted(t, dir) })
	t.Run("max samples", func(t *testing.T) { testMaxSamples(t, dir) })
	t.Run("expected", func(t *testing.T) { testExpect(t, dir) })
	t.Run("disturbed", func(t *testing.T) { testAllDisturbed(t, dir) })
	t.Run("silent", func(t *testing.T) { testSilentServer(t, dir) })
	t.Run("parted look-ups", func(t *testing.T) { testPartedLookUps(t, dir) })
}

// same fails the test unless two Reads gave the same; finding the difference is slow, so it is looked for only then.
func same(t *testing.T, what string, want, got answers) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		t.Errorf("%s: the numbers are others (-want +got):\n%s", what, cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true })))
	}
}

// serverOf serves a folder with limits.
func serverOf(t testing.TB, dir string, limits promserver.Limits) string {
	t.Helper()
	prometheus, err := promserver.OpenWith(limits, dir, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(prometheus)
	t.Cleanup(func() {
		server.Close()
		if err := prometheus.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL + promserver.Prefix
}

// readerOf reads from an address, without waiting between tries.
func readerOf(t testing.TB, url, read string) *promquery.Reader {
	t.Helper()
	api, err := promquery.NewHTTP(promquery.HTTPOptions{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	r := promquery.Impatient(&promquery.Reader{API: api})
	if read == "remote" {
		r.Raw = remote.New(api)
	}
	return r
}

// Requests that Prometheus's engine refuses as too big are parted, and change no number.
func testRefusedRequestsAreParted(t *testing.T, dir string) {
	free := serverOf(t, dir, promserver.Limits{})
	w := twoDays()
	w.Step = 30 * time.Second
	named := shopBatch()
	named.Pods = []string{"backup-1", "backup-2", "backup-3", "web-0", "web-1"}
	for _, limit := range []int{6200, 5850} { // for two days of one series, 5760 are needed at once
		url := serverOf(t, dir, promserver.Limits{Samples: limit})
		for _, b := range []promquery.Batch{shopBatch(), named} {
			want, err := gather(t.Context(), readerOf(t, free, "query"), b, w)
			if err != nil || len(want.Values) == 0 || len(want.Facts.Warnings) > 0 {
				t.Fatalf("undisturbed: %v, %d values, warnings %q", err, len(want.Values), want.Facts.Warnings)
			}
			got, err := gather(t.Context(), readerOf(t, url, "query"), b, w)
			if err != nil || len(got.Facts.Failed) > 0 {
				t.Fatalf("limit %d: %v, failed %v", limit, err, got.Facts.Failed)
			}
			const said = "namespace shop is read in smaller parts (--max-samples-per-query makes them so from the start): "
			if list := got.Facts.Warnings; len(list) != 1 || !strings.HasPrefix(list[0], said) || !strings.Contains(list[0], "would load too many samples") {
				t.Errorf("limit %d: warnings %q, want one that the requests were parted", limit, list)
			}
			got.Facts.Warnings = nil
			same(t, fmt.Sprintf("limit %d", limit), want, got)
		}
	}
}

// Queries whose text is too long for the server name fewer pods, never less time. VictoriaMetrics takes 16 KiB by default,
// which the names of some hundred pods reach.
func testLongQueriesAreParted(t *testing.T, dir string) {
	url := serverOf(t, dir, promserver.Limits{})
	named := shopBatch()
	named.Pods = []string{"backup-1", "backup-2", "backup-3", "web-0", "web-1"}
	want, err := gather(t.Context(), readerOf(t, url, "query"), named, twoDays())
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	long := func(_ int, r *http.Request) faultproxy.Fault {
		names := strings.Count(r.FormValue("query"), "backup-") + strings.Count(r.FormValue("query"), "web-")
		start, _ := strconv.ParseFloat(r.FormValue("start"), 64) // of a range query
		if end, _ := strconv.ParseFloat(r.FormValue("end"), 64); r.FormValue("query") != "" && end > start && end-start < (12*time.Hour).Seconds() {
			t.Errorf("a query of less time than the others: %s", r.FormValue("query"))
		}
		if names <= 4 { // those of one pod in the longest query
			return nil
		}
		refused++
		return faultproxy.Refuse(422, "application/json", `{"status":"error","errorType":"422","error":"too long query; got 30000 bytes; mustn't exceed `+"`-search.maxQueryLen=16384`"+` bytes"}`)
	}
	proxy, err := faultproxy.New(url, long)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	got, err := gather(t.Context(), readerOf(t, proxy.URL+promserver.Prefix, "query"), named, twoDays())
	if err != nil || refused == 0 || len(got.Facts.Failed) > 0 {
		t.Fatalf("%v, %d refused, failed %v", err, refused, got.Facts.Failed)
	}
	got.Facts.Warnings = nil // that requests were parted
	same(t, "long queries", want, got)
}

// A pod that is refused alone has failed, with the server's own words; the others stand.
func testPodThatIsTooMuchFails(t *testing.T, dir string) {
	want, err := gather(t.Context(), readerOf(t, serverOf(t, dir, promserver.Limits{}), "query"), shopBatch(), twoDays())
	if err != nil {
		t.Fatal(err)
	}
	// Of the pods, web-1 alone has CPU periods for two days, whose increase needs 5760 samples at once.
	got, err := gather(t.Context(), readerOf(t, serverOf(t, dir, promserver.Limits{Samples: 3000}), "query"), shopBatch(), twoDays())
	if err != nil {
		t.Fatal(err)
	}
	failed := got.Facts.Failed["web-1"]
	const words = "422 Unprocessable Entity: execution: query processing would load too many samples into memory in query execution"
	if len(got.Facts.Failed) != 1 || failed == nil || !strings.Contains(failed.Error(), words) || !strings.Contains(failed.Error(), "pod web-1") {
		t.Fatalf("failed pods: %v", got.Facts.Failed)
	}
	for k, values := range want.Values {
		if k.pod != "web-1" {
			if !reflect.DeepEqual(values, got.Values[k]) {
				t.Errorf("%v is another (-want +got):\n%s", k, cmp.Diff(values, got.Values[k]))
			}
		}
	}
	for c, run := range want.Facts.Runs {
		if got.Facts.Runs[c] != run {
			t.Errorf("run %v is %v, want %v", c, got.Facts.Runs[c], run)
		}
	}
}

// limited refuses to return more samples than so many, after some of them, or any of a pod.
type limited struct {
	promquery.Raw
	most    int
	pod     string
	refused atomic.Int32
}

func (l *limited) ReadRaw(ctx context.Context, q promquery.RawQuery, visit func(promquery.RawSeries) error) error {
	n := 0
	refusal := &promquery.ServerError{Status: http.StatusBadRequest, Text: fmt.Sprintf("URL answered 400 Bad Request: exceeded sample limit (%d)", l.most)}
	err := l.Raw.ReadRaw(ctx, q, func(s promquery.RawSeries) error {
		if n += s.Len(); n > l.most || s.Labels.Get("pod") == l.pod {
			return refusal
		}
		return visit(s)
	})
	if errors.Is(err, refusal) {
		l.refused.Add(1)
	}
	return err
}

// Remote reads that are refused are parted too, first by time and then by pods.
func testRefusedRawRequestsAreParted(t *testing.T, dir string) {
	url := serverOf(t, dir, promserver.Limits{})
	want, err := gather(t.Context(), readerOf(t, url, "remote"), shopBatch(), twoDays())
	if err != nil {
		t.Fatal(err)
	}
	// Parted by pods, it is asked about those with usage alone.
	maps.DeleteFunc(want.Facts.Restarts, func(c promquery.Container, _ int) bool { return c.Pod != "web-1" })
	for _, most := range []int{5000, 500, 240} { // an hour of web-1, seen twice, has 240
		r := readerOf(t, url, "remote")
		l := &limited{Raw: r.Raw, most: most}
		r.Raw = l
		got, err := gather(t.Context(), r, shopBatch(), twoDays())
		if err != nil || len(got.Facts.Failed) > 0 || l.refused.Load() == 0 || len(got.Facts.Warnings) != 1 {
			t.Fatalf("at most %d: %v, failed %v, %d refused, warnings %q", most, err, got.Facts.Failed, l.refused.Load(), got.Facts.Warnings)
		}
		got.Facts.Warnings = nil
		maps.DeleteFunc(got.Facts.Restarts, func(c promquery.Container, _ int) bool { return c.Pod != "web-1" })
		same(t, fmt.Sprintf("at most %d samples", most), want, got)
	}
	r := readerOf(t, url, "remote")
	r.Raw = &limited{Raw: r.Raw, most: 1 << 40, pod: "web-1"}
	got, err := gather(t.Context(), r, shopBatch(), twoDays())
	if err != nil || len(got.Facts.Failed) != 1 || got.Facts.Failed["web-1"] == nil {
		t.Fatalf("a pod that is always refused: %v, failed %v", err, got.Facts.Failed)
	}
	for k, values := range want.Values {
		if k.pod != "web-1" && !reflect.DeepEqual(values, got.Values[k]) {
			t.Errorf("%v is another (-want +got):\n%s", k, cmp.Diff(values, got.Values[k]))
		}
	}
}

// Smaller requests from the start change no number, and none is refused.
func testMaxSamples(t *testing.T, dir string) {
	url := serverOf(t, dir, promserver.Limits{})
	for _, read := range []string{"query", "remote"} {
		want, err := gather(t.Context(), readerOf(t, url, read), shopBatch(), twoDays())
		if err != nil {
			t.Fatal(err)
		}
		before := 0
		for _, most := range []int{100_000, 5000, 500} {
			proxy, err := faultproxy.New(url, faultproxy.Always(nil))
			if err != nil {
				t.Fatal(err)
			}
			r := readerOf(t, proxy.URL+promserver.Prefix, read)
			r.MaxSamples = most
			got, err := gather(t.Context(), r, shopBatch(), twoDays())
			proxy.Close()
			if err != nil {
				t.Fatal(err)
			}
			same(t, fmt.Sprintf("%s, at most %d samples", read, most), want, got)
			if n := proxy.Requests(); n <= before {
				t.Errorf("%s, at most %d samples: %d requests, want more than %d", read, most, n, before)
			} else {
				before = n
			}
		}
	}
}

// samples is how many values were handed on.
func (a answers) samples() (n int) {
	for _, points := range a.Values {
		for _, values := range points {
			n += len(values)
		}
	}
	return n
}

// tally counts the samples that are read.
type tally struct {
	promquery.Raw
	samples int
}

func (c *tally) ReadRaw(ctx context.Context, q promquery.RawQuery, visit func(promquery.RawSeries) error) error {
	return c.Raw.ReadRaw(ctx, q, func(s promquery.RawSeries) error {
		c.samples += s.Len()
		return visit(s)
	})
}

// What reading would take is told without reading: requests to within those that only reading can show, and samples as
// far as a few looks can tell.
func testExpect(t *testing.T, dir string) {
	url := serverOf(t, dir, promserver.Limits{})
	for _, read := range []string{"query", "remote"} {
		for _, b := range []promquery.Batch{{Namespace: "shop", Pods: []string{"web-0", "web-1"}}, {Namespace: "exp"}, {Namespace: "mix", Containers: 2}, {Namespace: "absent"}} {
			var paths []string
			proxy, err := faultproxy.New(url, func(_ int, r *http.Request) faultproxy.Fault {
				paths = append(paths, r.URL.Path)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			r := readerOf(t, proxy.URL+promserver.Prefix, read)
			want, err := r.Expect(t.Context(), b, twoDays())
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(paths, func(p string) bool { return strings.HasSuffix(p, "/read") }) {
				t.Errorf("%s of %s: %q, want no remote read", read, b.Namespace, paths)
			}
			asked := proxy.Requests()
			raw := &tally{Raw: r.Raw}
			if read == "remote" {
				r.Raw = raw
			}
			got, err := gather(t.Context(), r, b, twoDays())
			proxy.Close()
			if err != nil {
				t.Fatal(err)
			}
			samples := raw.samples
			if read == "query" {
				samples = got.samples()
			}
			requests := proxy.Requests() - asked
			if want.Requests > requests || want.Requests < requests/3 {
				t.Errorf("%s of %s: %d requests expected, there were %d", read, b.Namespace, want.Requests, requests)
			}
			if want.Samples < samples/2 || want.Samples > 3*samples {
				t.Errorf("%s of %s: %d samples expected, there were about %d", read, b.Namespace, want.Samples, samples)
			}
		}
	}
}
