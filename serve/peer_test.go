package serve

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// What a server answers is counted by its code, and the last of it is kept in words that are our own.
func TestPeer(t *testing.T) {
	var code int
	var fault error
	s := server(finds(Found{}))
	p := s.peers.Prometheus
	client := &http.Client{Transport: p.Watch(roundTrip(func(*http.Request) (*http.Response, error) {
		if fault != nil {
			return nil, fault
		}
		return &http.Response{StatusCode: code, Body: http.NoBody}, nil
	}))}
	if got := p.lastAnswer(); got.String() != "not asked" || got.good() {
		t.Errorf("before any request: %s", got)
	}
	for _, c := range []struct {
		answers int
		breaks  error
		last    string
		good    bool
		code    string
	}{
		{200, nil, "200 OK", true, "200"},
		{422, nil, "422 Unprocessable Entity", true, "422"},
		{503, nil, "503 Service Unavailable", false, "503"},
		{0, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "no answer: connection refused", false, "none"},
		{0, &net.DNSError{Name: "s3cret"}, "no answer: its name is not found", false, "none"},
		{0, context.DeadlineExceeded, "no answer: timeout", false, "none"},
		{0, errors.New("s3cret"), "no answer: the connection broke", false, "none"},
	} {
		before := testutil.ToFloat64(s.metrics.queries.WithLabelValues(c.code))
		code, fault = c.answers, c.breaks
		if resp, err := client.Get("http://prometheus/api/v1/query?token=s3cret"); err == nil {
			_ = resp.Body.Close()
		}
		last := p.lastAnswer()
		if last.String() != c.last || last.good() != c.good || testutil.ToFloat64(s.metrics.queries.WithLabelValues(c.code)) != before+1 {
			t.Errorf("the last answer is %q, good %t, want %q", last, last.good(), c.last)
		}
	}
}

// A server that goes away in the middle of its answer is gone, well though it began. The answer is counted once.
func TestPeerThatBreaksOff(t *testing.T) {
	for _, c := range []struct {
		name   string
		breaks bool
		last   string
		good   bool
	}{{"whole", false, "200 OK", true}, {"half", true, "no answer: the connection broke", false}} {
		t.Run(c.name, func(t *testing.T) {
			peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "half of ")
				_ = http.NewResponseController(w).Flush()
				if c.breaks {
					panic(http.ErrAbortHandler)
				}
			}))
			defer peer.Close()
			s := server(finds(Found{}))
			p := s.peers.Kubernetes
			resp, err := (&http.Client{Transport: p.Watch(http.DefaultTransport)}).Get(peer.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			if text, err := io.ReadAll(resp.Body); (err != nil) != c.breaks || string(text) != "half of " {
				t.Errorf("it answers %q, %v", text, err)
			}
			if last := p.lastAnswer(); last.String() != c.last || last.good() != c.good {
				t.Errorf("the last answer is %q, good %t, want %q", last, last.good(), c.last)
			}
			if ok, none := testutil.ToFloat64(s.metrics.calls.WithLabelValues("200")), testutil.ToFloat64(s.metrics.calls.WithLabelValues("none")); ok != 1 || none != 0 {
				t.Errorf("%v answers of 200 and %v of none are counted, want 1 and 0", ok, none)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A request that we stopped is nobody's fault.
func TestPeerOfStoppedRequests(t *testing.T) {
	asked := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(asked)
		<-r.Context().Done()
	}))
	defer silent.Close()
	p := server(finds(Found{})).peers.Kubernetes
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, silent.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-asked
		if got := p.lastAnswer(); got.String() != "asked, and has not answered yet" || !p.check().OK {
			t.Errorf("meanwhile the last answer is %s", got)
		}
		cancel()
	}()
	if resp, err := p.Watch(http.DefaultTransport).RoundTrip(req); err == nil {
		_ = resp.Body.Close()
		t.Error("it was answered")
	}
	if got := p.lastAnswer().String(); !strings.HasPrefix(got, "not asked") {
		t.Errorf("the last answer is %s", got)
	}
}
