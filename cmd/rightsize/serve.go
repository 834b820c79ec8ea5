package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"
	"k8s.io/client-go/rest"

	"github.com/rightsize/rightsize/policy"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	service "github.com/rightsize/rightsize/serve"
)

const serveLong = `serve makes a report at once and then again and again (--interval), and serves the last good
one: as pages under /, as JSON under /api/v1/report, as patches to download, and as metrics
under /metrics. A scan that fails does not replace it: the pages say how old it is, and
what went wrong. It keeps nothing on disk and changes nothing anywhere.

/health/live, /health/ready and /health/started are for probes. A termination signal makes
it not ready at once; it takes requests for --shutdown-delay, finishes those under way
within --grace-period, and ends with code 0. A second signal ends it at once.

Traces go by OTLP over HTTP to where OTEL_EXPORTER_OTLP_ENDPOINT says; without it there are
none. docs/serve.md lists pages, metrics and what each probe means.`

const serveExample = `  rightsize serve -n shop                             # http://127.0.0.1:8080
  rightsize serve -A --listen :8080 --log-format json # in a pod
  rightsize serve -A --interval 6h --web-config web-config.yaml`

// serveOptions are the flags that only serve has.
type serveOptions struct {
	listen, webConfig, pprof string
	interval, maxAge         time.Duration
	shutdownDelay, grace     time.Duration
	maxSeries                int
}

// watch puts something around the transports to the servers that are asked; nil is nothing.
type watch struct {
	usage, cluster func(http.RoundTripper) http.RoundTripper
}

func newServe(std streams) *cobra.Command {
	o := options{log: std.log}
	s := serveOptions{
		listen: "127.0.0.1:8080", interval: time.Hour, maxAge: 24 * time.Hour,
		shutdownDelay: 5 * time.Second, grace: 20 * time.Second, maxSeries: 20_000,
	}
	cmd := &cobra.Command{
		Use:     "serve [KIND/NAME ...]",
		Short:   "Serve the report as pages, JSON and metrics, and keep it up to date",
		Long:    serveLong,
		Example: serveExample,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("log-level") {
				std.log.level = slog.LevelInfo
			}
			return s.run(cmd.Context(), &o, std, args)
		},
	}
	o.setDefaults()
	logging := o.log.flags()
	logging.Lookup("log-level").DefValue = logLevelText(slog.LevelInfo) // what a service does is worth a line
	how := s.flags()
	o.heldOutFlag(how)
	groups := []flagGroup{how, o.view.serveFlags(), o.money.flags(), o.whereFlags(), o.usageFlags(), o.ruleFlags(), o.timeFlags(), logging, o.kubeFlags()}
	for _, g := range groups {
		cmd.Flags().AddFlagSet(g.FlagSet)
	}
	setUsage(cmd, groups)
	return cmd
}

func (s *serveOptions) flags() flagGroup {
	how := newFlagGroup("How to serve")
	how.StringVar(&s.listen, "listen", s.listen, "`ADDRESS` to listen on, as HOST:PORT; :8080 is every address of the machine")
	how.Var(duration(&s.interval), "interval", "how long after the beginning of a scan the next one begins, give or take a tenth; sooner after one that failed")
	how.Var(duration(&s.maxAge), "max-report-age", "how old the report may be before the service is no longer ready")
	how.Var(pause(&s.shutdownDelay), "shutdown-delay", "how long requests are taken after a termination signal, while load balancers learn that it is not ready")
	how.Var(duration(&s.grace), "grace-period", "how long requests under way may take after that")
	how.Var(value(&s.maxSeries, "N", parseSeries, strconv.Itoa), "max-series", "how many series of recommendations /metrics has at most; what matters least is left out")
	how.StringVar(&s.webConfig, "web-config", "", "TLS and passwords: a `FILE` as Prometheus's exporters take it (--web.config.file)")
	how.StringVar(&s.pprof, "pprof", "", "also serve Go's profiles under /debug/pprof/ on this `ADDRESS`, which must be a loopback one such as 127.0.0.1:6060")
	return how
}

// serveFlags are those of the view that are not in the pages' own addresses.
func (v *viewOptions) serveFlags() flagGroup {
	which := newFlagGroup("Which changes are worth making")
	which.Var(v.share(percent), "min-change", "those of at least this share of what is declared")
	which.Var(v.amount(recommender.CPU, recommender.CPU.Quantity), "min-change-cpu", "and of at least this much CPU")
	which.Var(v.amount(recommender.Memory, recommender.Memory.Quantity), "min-change-memory", "or this much memory")
	return which
}

// pause is a duration that may be none.
func pause(to *time.Duration) *typed[time.Duration] {
	return &typed[time.Duration]{to, "DURATION", func(s string) (time.Duration, error) {
		if s == "0" || s == "0s" {
			return 0, nil
		}
		return policy.ParseDuration(s)
	}, recommender.ShortDuration}
}

func parseSeries(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, errors.New("want a number of series, 0 for none")
	}
	return n, nil
}

// validate looks at what no flag can check by itself, and at what every scan would stumble over.
func (s *serveOptions) validate(ctx context.Context, o *options, std streams, args []string) error {
	if slices.Contains(o.files, "-") {
		return usagef("serve reads manifests at each scan, and standard input can be read once: give -f a file or a folder")
	}
	if err := o.validate(args); err != nil {
		return err
	}
	if err := checkListen(s.listen); err != nil {
		return err
	}
	policies, err := o.policies()
	if err != nil {
		return err
	}
	if _, err := o.grid(policies.own, time.Now()); err != nil {
		return err
	}
	if s.maxAge < s.interval {
		return usagef("--max-report-age %s is shorter than --interval %s, so it would be ready only at times: make one longer or the other shorter",
			recommender.ShortDuration(s.maxAge), recommender.ShortDuration(s.interval))
	}
	if err := service.CheckWebConfig(s.webConfig); err != nil {
		return usagef("reading --web-config %s: %w", s.webConfig, err)
	}
	return o.tryUsage(ctx, std)
}

// checkListen looks at what is wrong with an address on every machine.
func checkListen(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return usagef("invalid --listen %q: want HOST:PORT such as 127.0.0.1:8080, or :8080 for every address of the machine", address)
	}
	return nil
}

// tryUsage opens what usage is read from, where that asks nobody, and closes it: wrong flags are said at once.
func (o *options) tryUsage(ctx context.Context, std streams) error {
	if o.discovers() {
		return nil
	}
	usage, err := o.openUsage(ctx, std)
	if err != nil {
		return err
	}
	usage.close()
	return nil
}

// run serves until ctx ends.
func (s *serveOptions) run(ctx context.Context, o *options, std streams, args []string) error {
	if err := s.validate(ctx, o, std, args); err != nil {
		return err
	}
	log := std.log.logger()
	otel.SetLogger(logr.Discard()) // what is wrong with its variables is checked before, and it would repeat their values
	traces, err := service.TracesFromEnvironment(ctx, version())
	if err != nil {
		return usageError{err}
	}
	complain := func(text string) { log.Warn(service.HideTraceSecrets("traces: " + recommender.Printable(text))) }
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { complain(err.Error()) }))
	profiles, err := listenForProfiles(s.pprof)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("listening on --listen %s: %w", s.listen, err)
	}
	const spare = 5 * time.Second // for what is left to close
	std.farewell.needs(s.shutdownDelay + s.grace + spare)
	std.err, o.discreet = io.Discard, !o.allNamespaces
	o.format, _ = report.Lookup("html") // whose plots are on the pages
	server := service.New(service.Options{
		Scan: func(ctx context.Context, to service.Peers) (service.Found, error) {
			return o.scanOnce(ctx, std, to, args)
		},
		Interval: s.interval, MaxAge: s.maxAge, ShutdownDelay: s.shutdownDelay, GracePeriod: s.grace,
		MaxSeries: s.maxSeries, WebConfig: s.webConfig, Pprof: profiles,
		Traces: traces, Log: log, Version: version(),
	})
	log.Info("listening", "address", listener.Addr().String())
	defer runtime.KeepAlive(o.clusterTransport())
	return server.Run(ctx, listener)
}

// clusterTransport is what all scans' connections to the API server are kept in; nil without a cluster. client-go
// holds it weakly (transport.tlsTransportCache): where nobody else does, each scan leaves its connections behind.
func (o *options) clusterTransport() http.RoundTripper {
	config, err := o.clusterConfig()
	if err != nil {
		return nil // each scan says so
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil
	}
	return transport
}

// listenForProfiles listens where profiles are to be served; nil is nowhere.
func listenForProfiles(address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	if err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, usagef("invalid --pprof %q: want a loopback address and a port, such as 127.0.0.1:6060, since profiles need no password: kubectl port-forward reaches it in a pod", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on --pprof %s: %w", address, err)
	}
	return l, nil
}

// scanOnce makes one report, by what the flags say.
func (o *options) scanOnce(ctx context.Context, std streams, to service.Peers, args []string) (service.Found, error) {
	scan := *o
	scan.watch = watch{to.Prometheus.Watch, to.Kubernetes.Watch}
	ctx, cancel := scan.bounded(ctx)
	defer cancel()
	p, err := scan.prepare(ctx, std, args)
	if err != nil {
		return service.Found{}, failureOf(err, scan.declaredBy())
	}
	defer p.usage.close()
	r, err := scan.finish(ctx, std, &p)
	r.View = report.View{}
	if err != nil {
		return service.Found{}, failureOf(err, service.Prometheus)
	}
	return service.Found{Report: r, Declared: p.selection.Workloads}, nil
}

// declaredBy is what says which workloads there are.
func (o *options) declaredBy() service.Reason {
	switch {
	case o.fromMetrics:
		return service.Prometheus
	case len(o.files) > 0:
		return service.Configuration
	}
	return service.Kubernetes
}

// failureOf gives an error its reason: the stage's, unless the error tells another.
func failureOf(err error, stage service.Reason) error {
	var usage usageError
	var over timeoutError
	switch {
	case errors.As(err, &over):
		stage = service.TimedOut
	case errors.As(err, &usage):
		stage = service.Configuration
	}
	return service.Failure{Reason: stage, Err: err}
}
