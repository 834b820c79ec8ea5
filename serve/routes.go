package serve

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/felixge/httpsnoop"
	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// route is a path, what answers there, and what it is for.
type route struct {
	pattern string // as http.ServeMux takes it, without the method
	handler http.HandlerFunc
}

// routes are all there are. docs/serve.md lists them, and a test compares.
func (s *Server) routes() []route {
	return []route{
		{"/{$}", s.pageOverview},
		{"/namespaces/{namespace}", s.pageNamespace},
		{"/workloads/{namespace}/{kind}/{name}", s.pageWorkload},
		{"/static/style.css", serveStyle},
		{"/api/v1/report", s.apiReport},
		{"/api/v1/recommendations/{namespace}/{kind}/{name}", s.apiRecommendations},
		{"/api/v1/patch/{namespace}/{kind}/{name}", s.apiPatch},
		{"/metrics", s.serveMetrics()},
		{"/health/live", s.live},
		{"/health/ready", s.ready},
		{"/health/started", s.hasStarted},
	}
}

// Handler answers all requests, without TLS and passwords, which the listener adds.
func (s *Server) Handler() http.Handler { return s.observed(s.answers()) }

// answers is Handler, unobserved.
func (s *Server) answers() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.pattern, named(r.pattern, r.handler))
	}
	mux.HandleFunc("/", s.nothingThere)
	return strict(http.MaxBytesHandler(gzhttp.GzipHandler(onlyReading(notRebound(s.local, s.crowded(mux)))), maxBody))
}

// routeKey is under which a request's context has what the route is called.
type routeKey struct{}

// routeName is filled in once the route is known.
type routeName struct{ name string }

// named tells who observes the request which route it took: metrics and the span.
func named(pattern string, h http.HandlerFunc) http.Handler {
	name := strings.TrimSuffix(pattern, "{$}")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to, ok := r.Context().Value(routeKey{}).(*routeName); ok {
			to.name = name
		}
		span := trace.SpanFromContext(r.Context())
		span.SetName(r.Method + " " + name)
		span.SetAttributes(attribute.String("http.route", name), attribute.String("rightsize.request_id", requestID(r.Context())))
		h(w, r)
	})
}

// onlyReading refuses all methods that could change something.
func onlyReading(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeProblem(w, r, problemf(http.StatusMethodNotAllowed, "rightsize only reads: use GET or HEAD"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// How many requests are answered at once, and how long others wait for their turn: what a page or a report takes in memory
// while it is written, it takes no more often than that.
const (
	mostAtOnce   = 16
	mostPatience = 5 * time.Second
)

// crowded lets so many requests through at once. Probes and scrapes never wait.
func (s *Server) crowded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if routine(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		timer := time.NewTimer(mostPatience)
		defer timer.Stop()
		select {
		case s.turns <- struct{}{}:
			defer func() { <-s.turns }()
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		case <-timer.C:
			w.Header().Set("Retry-After", "5")
			writeProblem(w, r, problemf(http.StatusServiceUnavailable, "too many requests at once: try again in some seconds"))
		}
	})
}

// strict sets headers for browsers: nothing is loaded from elsewhere, no script is run, no other site may frame or embed
// it, and no address goes to other sites.
func strict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// requestKey is under which a request's context has its id.
type requestKey struct{}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// idOf is the id that the caller gave, where it is one that does no harm in a log, or a new one.
func idOf(r *http.Request) string {
	const header = "X-Request-Id"
	if id := r.Header.Get(header); regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`).MatchString(id) {
		return id
	}
	return rand.Text()
}

// observed gives each request an id, a span, a line in the log and its place in the metrics. Probes and scrapes, which
// come every few seconds, are in the metrics alone.
func (s *Server) observed(next http.Handler) http.Handler {
	traced := otelhttp.NewHandler(next, "request", otelhttp.WithTracerProvider(s.traces.provider), otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithFilter(func(r *http.Request) bool { return !routine(r.URL.Path) }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.underWay.Add(1)
		defer s.underWay.Add(-1)
		if s.stopping.Load() { // who keeps a connection open would meet its end with the next request under way
			w.Header().Set("Connection", "close")
		}
		id, to := idOf(r), &routeName{"none"}
		w.Header().Set("X-Request-Id", id)
		ctx := context.WithValue(context.WithValue(r.Context(), requestKey{}, id), routeKey{}, to)
		m := httpsnoop.CaptureMetrics(traced, w, r.WithContext(ctx))
		s.metrics.requests.WithLabelValues(to.name, strconv.Itoa(m.Code)).Observe(m.Duration.Seconds())
		if !routine(r.URL.Path) {
			s.log.Info("request", "requestId", id, "method", method(r), "path", r.URL.EscapedPath(), "status", m.Code, "bytes", m.Written, "took", m.Duration.String())
		}
	})
}

// method is the request's, where it is a known one: a method may be any word.
func method(r *http.Request) string {
	if slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}, r.Method) {
		return r.Method
	}
	return "other"
}

func routine(path string) bool { return path == "/metrics" || strings.HasPrefix(path, "/health/") }

// serveMetrics answers a scrape. What cannot be collected does not hide the rest.
func (s *Server) serveMetrics() http.HandlerFunc {
	h := promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: mostAtOnce,
		DisableCompression:  true, // all answers are compressed in one place
	})
	return h.ServeHTTP
}

// nothingThere names what is there: for a program where it asked for the API, else on a page.
func (s *Server) nothingThere(w http.ResponseWriter, r *http.Request) {
	var paths []string
	for _, r := range s.routes() {
		paths = append(paths, strings.TrimSuffix(r.pattern, "{$}"))
	}
	p := missing(paths, "there is nothing at %s", r.URL.EscapedPath())
	if strings.HasPrefix(r.URL.Path, "/api/") {
		writeProblem(w, r, p)
		return
	}
	s.pageProblem(w, r, p)
}
