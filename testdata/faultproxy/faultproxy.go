// Package faultproxy stands between a client and a server in tests, and spoils what passes as networks, proxies and
// servers under load do.
package faultproxy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Answer is a whole answer of the server behind.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Fault is what becomes of an answer. The server has been asked by then.
type Fault func(w http.ResponseWriter, r *http.Request, a Answer)

// Plan chooses the fault of the n-th request, counted from 0; nil is none. It is called by one request at a time.
type Plan func(n int, r *http.Request) Fault

// Proxy is a proxy under way.
type Proxy struct {
	*httptest.Server
	transport http.RoundTripper

	mu     sync.Mutex
	target *url.URL
	plan   Plan
	n      int
}

// New starts a proxy before the server at an address. It is to be closed.
func New(target string, plan Plan) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	p := &Proxy{transport: &http.Transport{DisableCompression: true}, target: u, plan: plan}
	p.Server = httptest.NewServer(p)
	return p, nil
}

// Requests is how many have come.
func (p *Proxy) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(content)) // for the plan to look at
	p.mu.Lock()
	fault := p.plan(p.n, r)
	p.n++
	p.mu.Unlock()
	if fault == nil {
		fault = Pass
	}
	a, err := p.ask(r, content)
	if err != nil {
		a = Answer{Status: http.StatusBadGateway, Body: []byte("Bad Gateway")}
	}
	fault(w, r, a)
}

// ask has the whole answer of the server behind.
func (p *Proxy) ask(r *http.Request, content []byte) (Answer, error) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = p.target.Scheme, p.target.Host, "", ""
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
	resp, err := p.transport.RoundTrip(out)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	body, err := io.ReadAll(resp.Body)
	return Answer{resp.StatusCode, resp.Header, body}, err
}

// Always is a plan of one fault.
func Always(f Fault) Plan { return func(int, *http.Request) Fault { return f } }

// Sometimes is a plan of one fault for a share of the requests, always the same ones.
func Sometimes(share float64, f Fault) Plan {
	random := rand.New(rand.NewPCG(7, 11))
	return func(int, *http.Request) Fault {
		if random.Float64() < share {
			return f
		}
		return nil
	}
}

// Burst is a plan of one fault for some requests in a row, counted from 0.
func Burst(first, last int, f Fault) Plan {
	return func(n int, _ *http.Request) Fault {
		if first <= n && n <= last {
			return f
		}
		return nil
	}
}

// After is a plan that lets so many requests pass, and spoils all others.
func After(n int, f Fault) Plan { return Burst(n, int(^uint(0)>>1), f) }

// Only is a plan for those requests whose path ends so.
func Only(suffix string, plan Plan) Plan {
	seen := 0
	return func(_ int, r *http.Request) Fault {
		if !strings.HasSuffix(r.URL.Path, suffix) {
			return nil
		}
		seen++
		return plan(seen-1, r)
	}
}

// Pass is no fault.
func Pass(w http.ResponseWriter, _ *http.Request, a Answer) { write(w, a, a.Body) }

func write(w http.ResponseWriter, a Answer, body []byte) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.Status)
	_, _ = w.Write(body) // the client may have gone
}

// Latency is an answer that comes later.
func Latency(d time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, a Answer) {
		pause(r, d)
		Pass(w, r, a)
	}
}

func pause(r *http.Request, d time.Duration) {
	select {
	case <-r.Context().Done():
	case <-time.After(d):
	}
}

// Reset breaks the connection before anything of the answer.
func Reset(w http.ResponseWriter, _ *http.Request, _ Answer) { reset(w) }

// ResetHalfway breaks the connection in the middle of the answer.
func ResetHalfway(w http.ResponseWriter, _ *http.Request, a Answer) {
	begin(w, a, len(a.Body)/2)
	reset(w)
}

// reset closes the connection so that the client sees a reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // what is not sent is dropped, as it should be
	}
	_ = conn.Close()
}

// begin sends the first bytes of an answer that says it is longer.
func begin(w http.ResponseWriter, a Answer, n int) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body[:min(n, len(a.Body))]) // the client may have gone
	_ = http.NewResponseController(w).Flush()
}

// Cut ends answers after so many bytes, though they say that they are longer. Shorter ones pass.
func Cut(n int) Fault {
	return func(w http.ResponseWriter, r *http.Request, a Answer) {
		if len(a.Body) <= n {
			Pass(w, r, a)
			return
		}
		begin(w, a, n)
		panic(http.ErrAbortHandler)
	}
}

// Truncate ends answers after so many bytes, and says that this is all.
func Truncate(n int) Fault {
	return func(w http.ResponseWriter, _ *http.Request, a Answer) { write(w, a, a.Body[:min(n, len(a.Body))]) }
}

// CutChecksum ends a stream of frames in the middle of the checksum of its last but one frame, or of its only one, and
// says that this is all.
func CutChecksum(w http.ResponseWriter, _ *http.Request, a Answer) {
	at, next := 0, 0
	for next < len(a.Body) {
		size, n := binary.Uvarint(a.Body[next:])
		if n <= 0 || size > uint64(len(a.Body)) {
			break
		}
		const half = 2
		at = next + n + half
		next += n + 2*half + int(size)
	}
	write(w, a, a.Body[:min(at, len(a.Body))])
}

// Flip changes a bit in the middle of the answer.
func Flip(w http.ResponseWriter, _ *http.Request, a Answer) {
	if len(a.Body) > 0 {
		a.Body[len(a.Body)/2] ^= 0x10
	}
	write(w, a, a.Body)
}

// Refuse answers for the server.
func Refuse(status int, contentType, body string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ Answer) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// TooMany is a 429 that wants to be left alone for a second.
func TooMany(w http.ResponseWriter, _ *http.Request, _ Answer) {
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusTooManyRequests)
}

// Login is a login page.
func Login(w http.ResponseWriter, r *http.Request, a Answer) {
	Refuse(http.StatusOK, "text/html", "<!DOCTYPE html><html>Sign in</html>")(w, r, a)
}

// Redirect sends to a login page.
func Redirect(w http.ResponseWriter, r *http.Request, _ Answer) {
	http.Redirect(w, r, "/login", http.StatusFound)
}

// Garbage is what is no gzip, though it says so.
func Garbage(w http.ResponseWriter, _ *http.Request, a Answer) {
	w.Header().Set("Content-Type", a.Header.Get("Content-Type"))
	w.Header().Set("Content-Encoding", "gzip")
	fmt.Fprint(w, "\x1f\x8b\x08\x00garbage garbage garbage")
}

// ContentType is an answer of another type.
func ContentType(name string) Fault {
	return func(w http.ResponseWriter, r *http.Request, a Answer) {
		a.Header.Set("Content-Type", name)
		Pass(w, r, a)
	}
}

// Drip sends so many bytes at a time, with a pause after each.
func Drip(n int, d time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, a Answer) {
		begin(w, a, 0)
		for rest := a.Body; len(rest) > 0 && r.Context().Err() == nil; {
			m := min(n, len(rest))
			if _, err := w.Write(rest[:m]); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			rest = rest[m:]
			pause(r, d)
		}
	}
}

// Hang never answers.
func Hang(_ http.ResponseWriter, r *http.Request, _ Answer) { <-r.Context().Done() }
