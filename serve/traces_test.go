package serve

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is an OTLP receiver in this process.
type receiver struct {
	mu      sync.Mutex
	spans   []*tracev1.Span
	raw     bytes.Buffer // all that was sent
	headers http.Header
	service string
	status  int
}

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = r.Header
	if c.status != 0 {
		http.Error(w, "not with "+r.Header.Get("Authorization"), c.status)
		return
	}
	c.raw.Write(body)
	var sent collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &sent); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, resource := range sent.GetResourceSpans() {
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				c.service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (c *receiver) named(name string) (spans []*tracev1.Span) {
	for _, s := range c.spans {
		if s.GetName() == name {
			spans = append(spans, s)
		}
	}
	return spans
}

// A scan is a span, and its requests are below it, which carry the trace on to Prometheus. Nothing of a parameter, a
// header or an error's text is in any of them.
func TestTraces(t *testing.T) {
	c := &receiver{}
	at := httptest.NewServer(c)
	defer at.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", at.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20c0llector-word")
	traces, err := TracesFromEnvironment(t.Context(), "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	var parents []string
	prometheus := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		parents = append(parents, r.Header.Get("Traceparent"))
	}))
	defer prometheus.Close()
	f := found(t)
	s := scanned(t, func(ctx context.Context, to Peers) (Found, error) {
		client := &http.Client{Transport: to.Prometheus.Watch(http.DefaultTransport)}
		for _, url := range []string{prometheus.URL + "/api/v1/query?token=s3cret-word", "http://127.0.0.1:1/?x=s3cret-word"} {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return Found{}, err
			}
			req.Header.Set("Authorization", "Bearer s3cret-word")
			if resp, err := client.Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}
		return f, nil
	}, func(o *Options) { o.Traces = traces })
	id := get(s, "/?q=s3cret-word", "Authorization", "Bearer s3cret-word", "Cookie", "s3cret-word").Header().Get("X-Request-Id")
	get(s, "/health/ready")
	get(s, "/metrics")
	traces.flush()

	scans, asked, answered := c.named("scan"), c.named("prometheus GET"), c.named("GET /")
	if len(scans) != 1 || len(asked) != 2 || len(answered) != 1 || len(c.spans) != 4 {
		t.Fatalf("the spans are %v", c.spans)
	}
	for _, span := range asked {
		if !bytes.Equal(span.GetParentSpanId(), scans[0].GetSpanId()) || span.GetKind() != tracev1.Span_SPAN_KIND_CLIENT {
			t.Errorf("%v is not below the scan", span)
		}
	}
	said := map[string]string{}
	for _, a := range answered[0].GetAttributes() {
		said[a.GetKey()] = a.GetValue().GetStringValue()
	}
	if said["http.route"] != "/" || said["rightsize.request_id"] != id || id == "" {
		t.Errorf("the span says %v, want its route and the id of the log, %s", said, id)
	}
	if len(parents) != 1 || !strings.HasPrefix(parents[0], "00-") {
		t.Errorf("Prometheus was told %q", parents)
	}
	if c.service != "rightsize" || c.headers.Get("Authorization") != "Bearer c0llector-word" {
		t.Errorf("the service is %q, the headers %v", c.service, c.headers)
	}
	if strings.Contains(c.raw.String(), "s3cret-word") {
		t.Errorf("a secret is in the spans: %v", c.spans)
	}
}

// Traces are off unless the variables name an endpoint, and say so where they ask for what there is not.
func TestTracesFromEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		on   bool
		want string // of the error
	}{
		"nothing":         {nil, false, ""},
		"an endpoint":     {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, true, ""},
		"one for traces":  {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, true, ""},
		"disabled":        {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, false, ""},
		"no exporter":     {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		"a good protocol": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, true, ""},
		"no address":      {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "::s3cret"}, false, "invalid OTEL_EXPORTER_OTLP_ENDPOINT: want an http or https address, such as http://collector:4318"},
		"no scheme":       {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "collector:4318"}, false, "invalid OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: want an http or https address, such as http://collector:4318"},
		"headers":         {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_HEADERS": "a=b%20c, d=,"}, true, ""},
		"a bare header":   {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_HEADERS": "a=b,s3cret"}, false, "invalid OTEL_EXPORTER_OTLP_HEADERS: want NAME=VALUE, several with commas between, values as in an address (%20 for a space)"},
		"a broken header": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a=s3cret%zz"}, false, "invalid OTEL_EXPORTER_OTLP_TRACES_HEADERS: want NAME=VALUE, several with commas between, values as in an address (%20 for a space)"},
		"gRPC":            {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, `invalid OTEL_EXPORTER_OTLP_PROTOCOL "grpc": want http/protobuf`},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			traces, err := TracesFromEnvironment(t.Context(), "v1")
			if c.want != "" {
				if err == nil || err.Error() != c.want {
					t.Errorf("error %v, want %s", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, span := traces.tracer.Start(t.Context(), "x")
			if span.IsRecording() != c.on {
				t.Errorf("recording is %t, want %t", span.IsRecording(), c.on)
			}
		})
	}
}

// A collector's answer is shown without what was sent to it.
func TestHideTraceSecrets(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20c0llector-word,x=abcd%3D")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:pass-word@collector/?key=k3y-word")
	text := HideTraceSecrets(`failed to send to https://me:pass-word@collector/?key=k3y-word: 401 "not with Bearer c0llector-word or c0llector-word abcd="`)
	for _, secret := range []string{"c0llector-word", "pass-word", "k3y-word", "abcd="} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows %s", text, secret)
		}
	}
	wantText(t, "the rest", text, "failed to send to", "401")
}
