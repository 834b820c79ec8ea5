package promquery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// word is what a server says when it refuses a query, and what is then to be done.
type word struct {
	server string // whose it is
	status int
	kind   string // errorType; "" where the answer is text
	text   string
	want   remedy
}

// words were seen in answers of servers that were really run with low limits: Prometheus 2.42 and 3.15, VictoriaMetrics
// 1.122 and Thanos 0.42. e2e's TestLimits runs the limits of samples again, but Thanos's.
func words() []word {
	const tooMany = "query processing would load too many samples into memory in query execution"
	const resolution = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"
	var out []word
	for _, p := range []string{"Prometheus 2.42", "Prometheus 3.15"} {
		out = append(out,
			word{p, 422, "execution", tooMany, askLess},
			word{p, 400, "bad_data", resolution, askLess},
			word{p, 422, "execution", "expanding series: context deadline exceeded", askLess},
			word{p, 503, "timeout", "query timed out in expression evaluation", askLess},
			word{p, 400, "bad_data", `invalid parameter "query": 1:6: parse error: unclosed left parenthesis`, final},
			word{p, 422, "execution", `found duplicate series for the match group {namespace="kube-system"} on the right hand-side of the operation`, final},
			word{p, 400, "", "snappy: corrupt input", final},
			word{p, 404, "", "404 page not found", final},
		)
	}
	out = append(out,
		word{"Prometheus 2.42", 503, "timeout", "query timed out in query queue", askLater},
		word{"Prometheus 3.15", 422, "execution", "context deadline exceeded", askLess}, // of the queue too, at times
	)
	const search = `search error after reading 0 data blocks: error when searching for tagFilters=[{__name__="m"}] on the time range [2026-01-26T23:50:00Z..2026-01-27T05:00:00Z]: ` +
		`error when searching for metricIDs in the current indexdb: the number of matching timeseries exceeds 3; either narrow down the search or increase -search.max* command-line flag values`
	const victoria, thanos = "VictoriaMetrics 1.122", "Thanos 0.42"
	long := `cannot execute "max(kube_pod_container_status_restarts_total{pod=~\"` + strings.Repeat("report-29914200-7kx2p|", 200) + `\"})": `
	return append(out,
		word{victoria, 422, "422", search, askLess},
		word{victoria, 422, "422", long + "cannot select more than -search.maxSamplesPerQuery=15000 samples; possible solutions: increase the -search.maxSamplesPerQuery", askLess}, // its end was not looked at
		word{victoria, 422, "422", "cannot select more than -search.maxSamplesPerQuery=100 samples; possible solutions: increase the -search.maxSamplesPerQuery; reduce time range for the query; use more specific label filters in order to select fewer series", askLess},
		word{victoria, 422, "422", "too many points for the given start=1769472000000, end=1769490000000 and step=100: 180001; the maximum number of points is 30000; (see -search.maxPointsPerTimeseries command-line flag)", askLess},
		word{victoria, 422, "422", "too long query; got 20161 bytes; mustn't exceed `-search.maxQueryLen=16384` bytes", askFewer},
		word{thanos, 422, "execution", `expanding series: proxy Series(): fetch series for {r="a"} Addr: 127.0.0.1:10901 MinTime: 1769299202000 MaxTime: 9223372036854775807: rpc error: code = DeadlineExceeded desc = context deadline exceeded`, askLess},
		word{thanos, 422, "execution", "proxy Series(): rpc error: code = Aborted desc = receive series from Addr: 127.0.0.1:10901: rpc error: code = DeadlineExceeded desc = stream terminated by RST_STREAM with error code: CANCEL", askLess},
		word{thanos, 422, "execution", "expanding series: proxy Series(): No StoreAPIs available", askLater},
	)
}

// citedWords were not seen but read in the sources named: nobody ran these servers for us.
func citedWords() []word {
	const adjust = " Consider reducing the time range and/or number of series selected by the query."
	const mimir = "Mimir, cited from pkg/util/limiter, pkg/util/globalerror/user.go and pkg/util/validation/errors.go"
	const cortex = "Cortex, cited from pkg/util/limiter/query_limiter.go, pkg/util/validation/errors.go and pkg/frontend/transport/handler.go"
	return []word{
		{"Prometheus 3, cited from promql/engine.go", 503, "timeout", "query timed out in query queue", askLater},
		{"Prometheus 3, cited from web/api/v1/api.go", 499, "canceled", "query was canceled in expression evaluation", askLater},
		{"Prometheus, cited from storage/remote/codec.go", 400, "", "exceeded sample limit (1000)", askLess},
		{"Prometheus that reads its write-ahead log, cited from web/web.go", 503, "", "Service Unavailable", askLater},
		{mimir, 422, "execution", "the query exceeded the maximum number of chunks (limit: 2000000 chunks) (err-mimir-max-chunks-per-query)." + adjust, askLess},
		{mimir, 422, "execution", "the query exceeded the maximum number of series (limit: 100000 series) (err-mimir-max-series-per-query)." + adjust, askLess},
		{mimir, 422, "execution", "the query exceeded the aggregated chunks size limit (limit: 1000 bytes) (err-mimir-max-chunks-bytes-per-query)." + adjust, askLess},
		{mimir, 422, "execution", "the query exceeded the maximum allowed estimated amount of memory consumed by a single query (limit: 11 bytes) (err-mimir-max-estimated-memory-consumption-per-query)." + adjust, askLess},
		{mimir, 422, "execution", "the query time range exceeds the limit (query length: 1h0m0s, limit: 1m0s) (err-mimir-max-query-length).", askLess},
		{mimir, 422, "bad_data", "the total query time range exceeds the limit (query length: 1h0m0s, limit: 1m0s) (err-mimir-max-total-query-length).", askLess},
		{mimir, 422, "bad_data", "the raw query size in bytes exceeds the limit (query size: 10, limit: 20) (err-mimir-max-query-expression-size-bytes). To adjust the related per-tenant limit, configure -query-frontend.max-query-expression-size-bytes", askFewer},
		{mimir, 429, "too_many_requests", "the request has been rejected because the tenant exceeded the request rate limit, set to 1 requests/s across all distributors with a maximum allowed burst of 2", askLater},
		{mimir, 413, "too_large_entry", "http: request body too large", askLess},
		{cortex, 422, "execution", "the query hit the max number of series limit (limit: 10 series)", askLess},
		{cortex, 422, "execution", "the query hit the max number of chunks limit (limit: 10 chunks)", askLess},
		{cortex, 422, "execution", "the query hit the aggregated chunks size limit (limit: 10 bytes)", askLess},
		{cortex, 422, "execution", "the query time range exceeds the limit (query length: 168h0m0s, limit: 1h0m0s)", askLess},
		{cortex, 422, "execution", "exceeded series limit", askLess}, // of its store gateway
		{cortex, 413, "", "response larger than the max message size (5 vs 4)", askLess},
		{"gRPC in Thanos, Mimir and Cortex, cited from grpc-go's rpc_util.go", 422, "execution", "expanding series: rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5252105 vs. 4194304)", askLess},
		{"gRPC in Thanos, Mimir and Cortex, cited from grpc-go's stream.go", 500, "internal", "rpc error: code = ResourceExhausted desc = trying to send message larger than max (5252105 vs. 4194304)", askLess},
		{cortex, 429, "", "too many outstanding requests", askLater},
		{cortex, 504, "", "context deadline exceeded", askLess},
		{"Thanos, cited from pkg/store/limiter.go", 422, "execution", "rpc error: code = Unknown desc = failed to send series: limit 2 violated (got 3)", askLess},
		{"Thanos, cited from pkg/store/bucket.go", 422, "execution", "rpc error: code = ResourceExhausted desc = exceeded chunks limit: limit 2 violated (got 3)", askLess},
		{"VictoriaMetrics, cited from app/vmselect/main.go", 503, "503", "couldn't start executing the request in 10.000 seconds, since -search.maxConcurrentRequests=16 concurrent requests are executed", askLater},
		{"a gateway", 504, "", "upstream request timeout", onceMore},
		{"a gateway", 502, "", "", askLater},
		{"a gateway", 429, "", "slow down", askLater},
		{"a gateway", 413, "", "", askLess},
		{"a gateway", 414, "", "", askFewer},
		{"a gateway", 401, "", "", final},
		{"a gateway", 403, "", "", final},
		{"a gateway", 302, "", "", final},
		{"a gateway", 501, "", "", final},
	}
}

// What servers say is told apart: too much, too busy, or just wrong. It goes the way of a real answer.
func TestRemedies(t *testing.T) {
	for _, w := range append(words(), citedWords()...) {
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			body := w.text
			if w.kind != "" {
				rw.Header().Set("Content-Type", "application/json")
				body = fmt.Sprintf(`{"status":"error","errorType":%q,"error":%q}`, w.kind, w.text)
			}
			rw.WriteHeader(w.status)
			fmt.Fprint(rw, body)
		}))
		api, err := NewHTTP(HTTPOptions{URL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, _, _, err = api.Query(t.Context(), "1", time.Unix(0, 0))
		if got := remedyOf(err); got != w.want {
			t.Errorf("%s: %d %s %s: remedy %d, want %d", w.server, w.status, w.kind, w.text, got, w.want)
		}
		resp, err := api.Post(t.Context(), "/api/v1/read", nil, nil)
		if remedyOf(err) != w.want {
			t.Errorf("%s by remote read: %d %s: %v", w.server, w.status, w.text, err)
		}
		if err == nil {
			_ = resp.Body.Close() // nobody reads it
		}
		server.Close()
	}
}

// Of a long text both ends are shown, each once.
func TestEndsOfErrors(t *testing.T) {
	s := &secrets{}
	for n, want := range map[int]int{0: 0, 300: 300, 301: 305, 599: 603, 600: 604, 10_000: 604} {
		text := strings.Repeat("é", n/2) + strings.Repeat("x", n%2)
		if got := s.ends(text); len(got) < want-4 || len(got) > want {
			t.Errorf("the ends of %d bytes have %d, want about %d", n, len(got), want)
		}
	}
	if got := s.ends(strings.Repeat("a", 5000) + "the reason"); !strings.HasSuffix(got, "the reason") || !strings.HasPrefix(got, "aaa") {
		t.Errorf("the ends are %q", got)
	}
}

// Errors that are not a server's own.
func TestRemediesOfTransport(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want remedy
	}{
		"none":                   {nil, final},
		"--query-timeout":        {fmt.Errorf("x: %w", slowError(time.Second)), askLess},
		"cancelled":              {fmt.Errorf("x: %w", context.Canceled), final},
		"the run's deadline":     {fmt.Errorf("x: %w", context.DeadlineExceeded), final},
		"the engine of a folder": {errors.New("query processing would load too many samples into memory in query execution"), askLess},
		"reset":                  {&BrokenError{}, askLater},
		"refused":                {&BrokenError{Unreached: true}, reach},
		"cut":                    {&BrokenError{Began: true}, reread},
		"a page":                 {&BrokenError{Began: true, Other: true}, final},
		"said in a stream":       {&BrokenError{Began: true, Text: "a stream that ends within a frame: expanding series: context deadline exceeded"}, askLess},
		"busy, said in a stream": {&BrokenError{Began: true, Text: "a frame whose checksum is wrong: query timed out in query queue"}, askLater},
	} {
		if got := remedyOf(c.err); got != c.want {
			t.Errorf("%s: remedy %d, want %d", name, got, c.want)
		}
	}
}

// serve answers the n-th request with the n-th handler, and then with the last.
func serve(t *testing.T, handlers ...http.HandlerFunc) (*Reader, *int) {
	t.Helper()
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		h := handlers[min(n, len(handlers)-1)]
		n++
		h(w, r)
	}))
	t.Cleanup(server.Close)
	api, err := NewHTTP(HTTPOptions{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return &Reader{API: api}, &n
}

func one() http.HandlerFunc {
	return answer(200, "application/json", `{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}`)
}

func afterwards(code int, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", value)
		w.WriteHeader(code)
	}
}

// Waits grow, are as long as the server wants, and end.
func TestPatience(t *testing.T) {
	for name, c := range map[string]struct {
		handlers []http.HandlerFunc
		requests int
		err      string          // "" is none
		waits    []time.Duration // the least of each
	}{
		"none":               {[]http.HandlerFunc{one()}, 1, "", nil},
		"a burst":            {[]http.HandlerFunc{answer(500, "", ""), answer(502, "", ""), answer(503, "", ""), one()}, 4, "", []time.Duration{250, 500, 1000}},
		"reset":              {[]http.HandlerFunc{hangUp, hangUp, one()}, 3, "", []time.Duration{250, 500}},
		"cut":                {[]http.HandlerFunc{cut, one()}, 2, "", []time.Duration{250}},
		"garbled":            {[]http.HandlerFunc{answer(200, "application/json", "\x1f\x8b\x00garbage\xff\xfe\xfd"), one()}, 2, "", []time.Duration{250}},
		"gzip garbage":       {[]http.HandlerFunc{gzipped, one()}, 2, "", []time.Duration{250}},
		"half an answer":     {[]http.HandlerFunc{answer(200, "application/json", `{"status":"suc`), one()}, 2, "", []time.Duration{250}},
		"Retry-After":        {[]http.HandlerFunc{afterwards(429, "7"), one()}, 2, "", []time.Duration{7000}},
		"Retry-After in 503": {[]http.HandlerFunc{afterwards(503, "9"), one()}, 2, "", []time.Duration{9000}},
		"too long":           {[]http.HandlerFunc{afterwards(429, "3600")}, 1, "429 Too Many Requests: it wants to be asked again only in 1h0m0s", nil},
		"for good":           {[]http.HandlerFunc{answer(503, "text/plain", "Service Unavailable")}, 8, "503 Service Unavailable", []time.Duration{250, 500, 1000, 2000, 4000, 8000, 10_000}},
		"cut for good":       {[]http.HandlerFunc{cut}, 3, "was cut off", []time.Duration{250, 500}},
		"a gateway's 504":    {[]http.HandlerFunc{answer(504, "", "")}, 2, "504 Gateway Timeout", []time.Duration{250}},
		"never twice":        {[]http.HandlerFunc{answer(400, "", "no")}, 1, "400 Bad Request", nil},
		"login page":         {[]http.HandlerFunc{answer(200, "text/html", "<html>")}, 1, "an HTML page", nil},
		"login redirect":     {[]http.HandlerFunc{http.RedirectHandler("/login", http.StatusFound).ServeHTTP}, 1, "302 Found", nil},
	} {
		r, n := serve(t, c.handlers...)
		var waits []time.Duration
		r.patience.wait = func(_ context.Context, d time.Duration) error {
			waits = append(waits, d)
			return nil
		}
		_, err := r.query(t.Context(), &log{}, "1", time.Unix(0, 0))
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
		if *n != c.requests || len(waits) != len(c.waits) {
			t.Errorf("%s: %d requests and %v, want %d and %d waits", name, *n, waits, c.requests, len(c.waits))
			continue
		}
		for i, least := range c.waits {
			if least *= time.Millisecond; waits[i] < least || waits[i] > 2*least {
				t.Errorf("%s: wait %d is %s, want %s to twice that", name, i, waits[i], least)
			}
		}
	}
}

func gzipped(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	fmt.Fprint(w, "this is no gzip")
}

// A server that has been given up is asked once for each further request, until it answers.
func TestPatienceEnds(t *testing.T) {
	unavailable := answer(503, "text/plain", "Service Unavailable")
	handlers := make([]http.HandlerFunc, 0, 20)
	for range 9 {
		handlers = append(handlers, unavailable)
	}
	r, n := serve(t, append(handlers, one(), unavailable)...)
	impatient(r)
	for i, want := range []int{8, 9, 10, 18} { // given up, once more, answered, given up again
		_, err := r.query(t.Context(), &log{}, "1", time.Unix(0, 0))
		if *n != want || (err == nil) != (want == 10) {
			t.Errorf("query %d: %d requests so far, want %d; %v", i, *n, want, err)
		}
	}
}

// Whoever waits when the run's time is over says so, and what the server said last.
func TestPatienceKeepsToTheRun(t *testing.T) {
	r, _ := serve(t, afterwards(503, "30"))
	over := errors.Join(errors.New("the run is over"), context.DeadlineExceeded)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, over)
	defer cancel()
	_, err := r.query(ctx, &log{}, "1", time.Unix(0, 0))
	if !errors.Is(err, over) || !strings.Contains(err.Error(), "503 Service Unavailable") {
		t.Errorf("a run that is over: %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-5": 0, "soon": 0, "99999999999999999999": 0,
		"Thu, 01 Jan 2026 00:00:30 GMT": 30 * time.Second, "Wed, 31 Dec 2025 23:00:00 GMT": 0,
	} {
		resp := &http.Response{Header: http.Header{"Retry-After": {text}}}
		if got := retryAfter(resp, now); got != want {
			t.Errorf("Retry-After %q is %s, want %s", text, got, want)
		}
	}
}
