package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Peers are the servers that a scan asks.
type Peers struct {
	Prometheus *Peer
	Kubernetes *Peer
}

// Peer watches requests to a server: it counts them, keeps the last answer and makes a span of each. It looks at
// nothing but methods, paths and status codes: parameters, headers, bodies and the texts of errors may hold credentials.
type Peer struct {
	name   string
	counts *prometheus.CounterVec
	traces *Traces

	mu      sync.Mutex
	last    answer
	waiting int // requests that have not been answered yet
}

// answer is what a server said last. The zero answer is that nobody has asked.
type answer struct {
	At      time.Time
	Status  int    // of HTTP; 0 is none
	Fault   string // why there is none
	Waiting bool   // for the answer to another request
}

func newPeer(name string, counts *prometheus.CounterVec, traces *Traces) *Peer {
	return &Peer{name: name, counts: counts, traces: traces}
}

// Watch is a transport that tells the peer what comes of its requests.
func (p *Peer) Watch(next http.RoundTripper) http.RoundTripper { return watched{p, next} }

func (p *Peer) answered(status int, fault string) {
	code := "none"
	if fault == "" {
		code = strconv.Itoa(status)
	}
	p.counts.WithLabelValues(code).Inc()
	p.keep(answer{At: time.Now(), Status: status, Fault: fault})
}

// asks is a request that begins or, by -1, ends.
func (p *Peer) asks(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting += n
}

func (p *Peer) keep(a answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = a
}

func (p *Peer) lastAnswer() answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.last
	last.Waiting = p.waiting > 0
	return last
}

// good says that the server answered, and not with an error of its own. That it refuses a request is an answer.
func (a answer) good() bool {
	return a.Fault == "" && a.Status != 0 && a.Status < http.StatusInternalServerError
}

func (a answer) String() string {
	switch {
	case a.At.IsZero() && a.Waiting:
		return "asked, and has not answered yet"
	case a.At.IsZero():
		return "not asked"
	case a.Fault != "":
		return "no answer: " + a.Fault
	}
	return fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status))
}

type watched struct {
	peer *Peer
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper. The span and the trace's headers are our own: instrumentation libraries put the
// whole URL into the span, and an address may have a token among its parameters.
func (w watched) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, span := w.peer.traces.tracer.Start(req.Context(), w.peer.name+" "+req.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", req.Method),
		attribute.String("server.address", req.URL.Hostname()),
		attribute.String("url.path", req.URL.Path),
	))
	defer span.End()
	if span.SpanContext().IsValid() {
		req = req.Clone(ctx)
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	}
	w.peer.asks(1)
	resp, err := w.next.RoundTrip(req)
	w.peer.asks(-1)
	switch {
	case errors.Is(req.Context().Err(), context.Canceled):
		span.SetStatus(codes.Error, "stopped") // by us: the server is not to blame
	case err != nil:
		fault := faultOf(err)
		w.peer.answered(0, fault)
		span.SetStatus(codes.Error, fault)
	default:
		w.peer.answered(resp.StatusCode, "")
		resp.Body = watchedBody{resp.Body, req.Context(), w.peer}
		span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
		if resp.StatusCode >= http.StatusBadRequest {
			span.SetStatus(codes.Error, "")
		}
	}
	return resp, err
}

// watchedBody tells the peer where an answer that began well breaks off. It has been counted by its code.
type watchedBody struct {
	io.ReadCloser
	ctx  context.Context
	peer *Peer
}

// Read implements io.Reader.
func (b watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(b.ctx.Err(), context.Canceled) {
		b.peer.keep(answer{At: time.Now(), Fault: faultOf(err)})
	}
	return n, err
}

// CloseIdleConnections lets http.Client close the connections below.
func (w watched) CloseIdleConnections() {
	if c, ok := w.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// WrappedRoundTripper lets client-go reach the transport below.
func (w watched) WrappedRoundTripper() http.RoundTripper { return w.next }

// faultOf is why there was no answer, in words of our own: an error's may repeat what was sent.
func faultOf(err error) string {
	var lookup *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &lookup):
		return "its name is not found"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "the connection broke"
}
