package serve

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Traces are where spans go.
type Traces struct {
	provider trace.TracerProvider
	tracer   trace.Tracer
	shutdown func(context.Context) error
}

// scope names what makes the spans.
const scope = "github.com/rightsize/rightsize/serve"

func newTraces(p trace.TracerProvider, shutdown func(context.Context) error) *Traces {
	return &Traces{p, p.Tracer(scope), shutdown}
}

func noTraces() *Traces {
	return newTraces(noop.NewTracerProvider(), func(context.Context) error { return nil })
}

// TracesFromEnvironment sends spans by OTLP over HTTP where the standard variables name an endpoint
// (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT), unless OTEL_SDK_DISABLED is true or OTEL_TRACES_EXPORTER
// is none. Headers, timeouts, certificates, sampling and resource attributes are read from their own variables
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). It does not connect.
func TracesFromEnvironment(ctx context.Context, version string) (*Traces, error) {
	if !tracesWanted() {
		return noTraces(), nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := os.Getenv(name); p != "" && p != "http/protobuf" {
			return nil, fmt.Errorf("invalid %s %q: want http/protobuf", name, p)
		}
	}
	if err := checkExporter(); err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, errors.New("exporting traces: " + HideTraceSecrets(err.Error()))
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "rightsize"), attribute.String("service.version", version),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("reading OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return newTraces(p, p.Shutdown), nil
}

// checkExporter looks at what the exporter would leave out where it cannot read it. Its error names variables and repeats no
// value, which may be a credential.
func checkExporter() error {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		text := os.Getenv(name)
		if u, err := url.Parse(text); text != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return fmt.Errorf("invalid %s: want an http or https address, such as http://collector:4318", name)
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for pair := range strings.SplitSeq(os.Getenv(name), ",") {
			key, value, is := strings.Cut(pair, "=")
			_, err := url.PathUnescape(value)
			if strings.TrimSpace(pair) != "" && (!is || strings.TrimSpace(key) == "" || err != nil) {
				return fmt.Errorf("invalid %s: want NAME=VALUE, several with commas between, values as in an address (%%20 for a space)", name)
			}
		}
	}
	return nil
}

func tracesWanted() bool {
	return (os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "") &&
		!strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") && os.Getenv("OTEL_TRACES_EXPORTER") != "none"
}

// HideTraceSecrets replaces in a text what the OTEL_EXPORTER_OTLP_* variables hold of credentials: values of headers, and
// passwords and parameters of endpoints. The exporter repeats a collector's answer, which may repeat them.
func HideTraceSecrets(text string) string {
	var secrets []string
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for pair := range strings.SplitSeq(os.Getenv(name), ",") {
			_, value, _ := strings.Cut(pair, "=")
			plain, err := url.PathUnescape(value)
			if err != nil {
				plain = value
			}
			secrets = append(secrets, append(strings.Fields(plain), value, plain)...)
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		if u, err := url.Parse(os.Getenv(name)); err == nil {
			password, _ := u.User.Password()
			secrets = append(secrets, password, u.RawQuery)
		}
	}
	for _, secret := range secrets {
		const shortest = 4 // a shorter one would take words apart
		if len(secret) >= shortest && !strings.EqualFold(secret, "Bearer") && !strings.EqualFold(secret, "Basic") {
			text = strings.ReplaceAll(text, secret, "<hidden>")
		}
	}
	return text
}

// flushTime is how long the last spans may take to go out.
const flushTime = 3 * time.Second

// flush sends what is left. What goes wrong is told by OpenTelemetry's error handler, and is no reason to fail.
func (t *Traces) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	_ = t.shutdown(ctx)
}
