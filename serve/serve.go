// Package serve keeps a report up to date in the background and serves the last good one: as pages, as JSON, as patches
// and as metrics. It keeps nothing on disk: who starts it again gets the next scan's report.
package serve

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/workload"
)

// Found is what one scan found.
type Found struct {
	Report   report.Report
	Declared map[string][]workload.Workload // by namespace, for patches; as patch.Plan takes it
}

// Scan makes one report. It asks servers through the peers, so that what they answer is counted, traced and told by
// /health/ready. Its errors hold no credentials: they are shown. An error of type Failure says what it was that failed.
type Scan func(ctx context.Context, to Peers) (Found, error)

// Options are what a Server is told. Zero durations are those that say so.
type Options struct {
	Scan     Scan
	Interval time.Duration // from the beginning of a scan to that of the next, give or take a tenth
	MaxAge   time.Duration // of a report; an older one is shown, but is no reason to be ready

	ShutdownDelay time.Duration // how long it goes on taking requests after it has said that it is not ready
	GracePeriod   time.Duration // how long requests under way may take after that

	MaxSeries int // how many series of recommendations it exports at most
	WebConfig string
	Pprof     net.Listener // where profiles are served; nil is nowhere

	Traces  *Traces // nil is none
	Log     *slog.Logger
	Version string
}

// Server is the service. Make one by New.
type Server struct {
	options Options
	log     *slog.Logger
	peers   Peers
	metrics *metrics
	traces  *Traces

	templates func() (map[string]*template.Template, error)

	turns    chan struct{}            // holds one for each request that is answered
	latest   atomic.Pointer[snapshot] // the last good report; nil before there is one
	scans    journal
	stopping atomic.Bool
	local    string       // the port, where it listens on loopback alone; set before it serves
	underWay atomic.Int64 // requests that are being answered
}

// New makes a server that has not scanned yet.
func New(o Options) *Server {
	s := &Server{options: o, log: o.Log, traces: cmp.Or(o.Traces, noTraces()), templates: sync.OnceValues(parseTemplates), turns: make(chan struct{}, mostAtOnce)}
	s.metrics = newMetrics(s)
	s.peers = Peers{
		Prometheus: newPeer("prometheus", s.metrics.queries, s.traces),
		Kubernetes: newPeer("kubernetes", s.metrics.calls, s.traces),
	}
	return s
}

// Run serves on l and scans until ctx ends. Then it is not ready at once, takes requests for ShutdownDelay, and gives
// those that are under way GracePeriod. Its error is what kept it from serving, or that requests were cut off.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	scanning, stopScans := context.WithCancel(ctx)
	defer stopScans()
	scansDone := make(chan struct{})
	go func() {
		defer close(scansDone)
		s.keepScanning(scanning)
	}()
	s.local = localPort(l.Addr())
	server := s.httpServer()
	failed := make(chan error, 1)
	go func() { failed <- s.listen(server, l) }()
	defer s.profiles()()

	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("serving on %s: %w", l.Addr(), err)
	case <-ctx.Done():
		err = s.stop(server)
	}
	stopScans()
	<-scansDone
	s.traces.flush()
	return err
}

// stop ends the serving as Run says.
func (s *Server) stop(server *http.Server) error {
	s.stopping.Store(true)
	s.log.Info("stopping: not ready from now on", "shutdownDelay", s.options.ShutdownDelay.String(), "gracePeriod", s.options.GracePeriod.String())
	time.Sleep(s.options.ShutdownDelay)
	ctx, cancel := context.WithTimeout(context.Background(), s.options.GracePeriod)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		cut := s.underWay.Load()
		_ = server.Close() // the same connections, by force
		if cut == 0 {      // browsers open some to spare, which Shutdown waits 5 seconds for
			s.log.Info("stopped")
			return nil
		}
		return fmt.Errorf("requests were cut off after --grace-period %s", s.options.GracePeriod)
	}
	s.log.Info("stopped")
	return nil
}

// The limits of requests: no answer is so big, and no request so slow, that an honest client would meet them.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 2 * time.Minute // for a report of tens of megabytes over a slow line
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
	maxBody       = 1 << 10 // none is read
)

func (s *Server) httpServer() *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,

		DisableGeneralOptionsHandler: true, // which would answer OPTIONS * by itself
		ErrorLog:                     s.errorLog(),
	}
}
