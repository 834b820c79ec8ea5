package promquery_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rightsize/rightsize/testdata/faultproxy"
	"github.com/rightsize/rightsize/testdata/promserver"
)

// disturbance is what a proxy before the server does. Where it does not pass, what is said is the error's text.
type disturbance struct {
	name string
	plan func() faultproxy.Plan
	said string // "" where the answer must be as if nothing had been
	only string // "query" or "remote"; "" is both
}

func disturbances() []disturbance {
	sometimes := func(f faultproxy.Fault) func() faultproxy.Plan {
		return func() faultproxy.Plan { return faultproxy.Sometimes(0.2, f) }
	}
	always := func(f faultproxy.Fault) func() faultproxy.Plan {
		return func() faultproxy.Plan { return faultproxy.Always(f) }
	}
	burst := func(f faultproxy.Fault) func() faultproxy.Plan {
		return func() faultproxy.Plan { return faultproxy.Burst(3, 6, f) }
	}
	halfway := func(f faultproxy.Fault) func() faultproxy.Plan {
		return func() faultproxy.Plan { return faultproxy.After(5, f) }
	}
	reads := func(f faultproxy.Fault) func() faultproxy.Plan {
		return func() faultproxy.Plan { return faultproxy.Only("/api/v1/read", faultproxy.Sometimes(0.3, f)) }
	}
	laterReads := func(f faultproxy.Fault) func() faultproxy.Plan {
		return func() faultproxy.Plan { return faultproxy.Only("/api/v1/read", faultproxy.After(1, f)) }
	}
	const notPrometheus = "this is not Prometheus's API"
	return []disturbance{
		{name: "latency", plan: sometimes(faultproxy.Latency(20 * time.Millisecond))},
		{name: "resets", plan: sometimes(faultproxy.Reset)},
		{name: "resets halfway", plan: sometimes(faultproxy.ResetHalfway)},
		{name: "429", plan: sometimes(faultproxy.TooMany)},
		{name: "500 in a burst", plan: burst(faultproxy.Refuse(500, "text/plain", "oops"))},
		{name: "502 in a burst", plan: burst(faultproxy.Refuse(502, "text/html", "<html>Bad Gateway</html>"))},
		{name: "503 in a burst", plan: burst(faultproxy.Refuse(503, "text/plain", "Service Unavailable"))},
		{name: "504 now and then", plan: sometimes(faultproxy.Refuse(504, "text/plain", "upstream request timeout"))},
		{name: "drips", plan: sometimes(faultproxy.Drip(4096, time.Millisecond))},
		{name: "gzip garbage", plan: sometimes(faultproxy.Garbage), only: "query"},
		{name: "cut now and then", plan: sometimes(faultproxy.Cut(100))},
		{name: "truncated now and then", plan: sometimes(faultproxy.Truncate(100))},
		{name: "all cut after 30 kB", plan: always(faultproxy.Cut(30_000))},
		{name: "all truncated after 30 kB", plan: always(faultproxy.Truncate(30_000))},
		{name: "another content type of JSON", plan: always(faultproxy.ContentType("text/plain")), only: "query"}, // as some proxies have it
		{name: "frames cut in their checksum", plan: reads(faultproxy.CutChecksum), only: "remote"},
		{name: "wrong bits", plan: reads(faultproxy.Flip), only: "remote"},

		{name: "503 for good", plan: halfway(faultproxy.Refuse(503, "text/plain", "Service Unavailable")), said: "503 Service Unavailable"},
		{name: "all reset", plan: halfway(faultproxy.Reset), said: "connection reset by peer"},
		{name: "all cut after 10 bytes", plan: halfway(faultproxy.Cut(10)), said: "was cut off"},
		{name: "login page", plan: laterReads(faultproxy.Login), said: "Sign in", only: "remote"},
		{name: "login page for queries", plan: halfway(faultproxy.Login), said: notPrometheus, only: "query"},
		{name: "login redirect", plan: halfway(faultproxy.Redirect), said: "302 Found"},
		{name: "all garbage", plan: halfway(faultproxy.Garbage), said: "garbage"},
		{name: "another content type of frames", plan: laterReads(faultproxy.ContentType("text/plain")), said: `Content-Type "text/plain"`, only: "remote"},
	}
}

// Whatever happens on the way, what is read is what an undisturbed server gives, or an error that names it.
func testAllDisturbed(t *testing.T, dir string) {
	url := serverOf(t, dir, promserver.Limits{})
	for _, read := range []string{"query", "remote"} {
		want, err := gather(t.Context(), readerOf(t, url, read), shopBatch(), twoDays())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range disturbances() {
			if d.only != "" && d.only != read {
				continue
			}
			t.Run(read+"/"+d.name, func(t *testing.T) { testDisturbed(t, url, read, d, want) })
		}
	}
}

func testDisturbed(t *testing.T, url, read string, d disturbance, want answers) {
	proxy, err := faultproxy.New(url, d.plan())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	got, err := gather(t.Context(), readerOf(t, proxy.URL+promserver.Prefix, read), shopBatch(), twoDays())
	if d.said != "" {
		if err == nil || !strings.Contains(err.Error(), d.said) || !strings.Contains(err.Error(), "namespace shop") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want one line with %q", err, d.said)
		}
		return
	}
	if err != nil || len(got.Facts.Failed) > 0 {
		t.Fatalf("%v, failed %v", err, got.Facts.Failed)
	}
	got.Facts.Warnings = nil // that requests were parted
	same(t, "disturbed", want, got)
}

// A server that never answers, and one that drips, cost no more than their time.
func testSilentServer(t *testing.T, dir string) {
	url := serverOf(t, dir, promserver.Limits{})
	for name, fault := range map[string]faultproxy.Fault{"hangs": faultproxy.Hang, "drips": faultproxy.Drip(1, time.Hour)} {
		for _, read := range []string{"query", "remote"} {
			proxy, err := faultproxy.New(url, faultproxy.Only("/api/v1/"+map[string]string{"query": "query_range", "remote": "read"}[read], faultproxy.Always(fault)))
			if err != nil {
				t.Fatal(err)
			}
			r := readerOf(t, proxy.URL+promserver.Prefix, read)
			r.RequestTimeout = time.Second
			batch, w := shopBatch(), twoDays()
			batch.Pods, w.Length = []string{"web-1"}, time.Hour // of which there is no smaller request
			got, err := gather(t.Context(), r, batch, w)
			if err != nil || len(got.Facts.Failed) != 1 || !strings.Contains(fmt.Sprint(got.Facts.Failed["web-1"]), "no answer within") || len(got.Values) > 0 {
				t.Errorf("%s, by %s: %v, failed %v, values of %d", name, read, err, got.Facts.Failed, len(got.Values))
			}
			proxy.Close()
		}
	}
}

// Look-ups of labels that are too much are parted by time, and give the same.
func testPartedLookUps(t *testing.T, dir string) {
	url := serverOf(t, dir, promserver.Limits{})
	want, err := readerOf(t, url, "query").Index(t.Context(), "shop", week())
	if err != nil {
		t.Fatal(err)
	}
	long := func(_ int, r *http.Request) faultproxy.Fault {
		from, err1 := strconv.ParseFloat(r.FormValue("start"), 64)
		to, err2 := strconv.ParseFloat(r.FormValue("end"), 64)
		if err1 == nil && err2 == nil && to-from <= (2*day).Seconds() {
			return nil
		}
		return faultproxy.Refuse(422, "application/json", `{"status":"error","errorType":"422","error":"the number of matching timeseries exceeds 3; either narrow down the search"}`)
	}
	proxy, err := faultproxy.New(url, long)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	got, err := readerOf(t, proxy.URL+promserver.Prefix, "query").Index(t.Context(), "shop", week())
	if err != nil {
		t.Fatal(err)
	}
	got.Series = want.Series
	if diff := cmp.Diff(want, got); diff != "" || proxy.Requests() < 4 {
		t.Errorf("after %d requests (-want +got):\n%s", proxy.Requests(), diff)
	}
}
