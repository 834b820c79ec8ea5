package serve

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
)

// Reason is what made a scan fail: a label of rightsize_scan_failures_total.
type Reason string

// The reasons.
const (
	Configuration Reason = "configuration" // flags and files do not fit what is there
	Kubernetes    Reason = "kubernetes"    // the API server, or what else says what is declared
	Prometheus    Reason = "prometheus"    // it, or its data folder
	TimedOut      Reason = "timeout"       // --timeout was over
	Incomplete    Reason = "incomplete"    // more containers failed than were read
	Other         Reason = "other"
)

func reasons() []Reason {
	return []Reason{Configuration, Kubernetes, Prometheus, TimedOut, Incomplete, Other}
}

// Failure is the error of a scan, with its reason.
type Failure struct {
	Reason Reason
	Err    error
}

// Error implements error.
func (f Failure) Error() string { return f.Err.Error() }

// Unwrap implements the interface of package errors.
func (f Failure) Unwrap() error { return f.Err }

// The results of scans: the label of rightsize_scans_total.
const (
	complete = "complete"
	partial  = "partial" // shown, with what it lacks
	failed   = "failed"  // the report before it stays
)

func results() []string { return []string{complete, partial, failed} }

// judge says how a scan ended. One that could not list what is declared, or read nothing, has failed, and so has one
// that read fewer containers than it failed to: half a Prometheus that dies in the middle must not replace a report that
// is whole. One that lacks less is news, and shown with what it lacks: else a single namespace that cannot be read for a
// month would keep every other one a month old.
func judge(found Found, err error) (result string, failure *Failure) {
	if err != nil {
		var known Failure
		if errors.As(err, &known) {
			return failed, &known
		}
		return failed, &Failure{Other, err}
	}
	lost := 0
	failures := found.Report.Failures()
	for _, f := range failures {
		lost += f.Containers
	}
	if all := len(found.Report.Items); lost > all-lost {
		return failed, &Failure{Incomplete, fmt.Errorf("%d of %s could not be read: %w", lost, recommender.Count(all, "container"), failures[0].Err)}
	}
	if found.Report.Incomplete() != "" {
		return partial, nil
	}
	return complete, nil
}

// attempt is a scan that has ended.
type attempt struct {
	Started time.Time
	Took    time.Duration
	Result  string
	Failure *Failure // of a failed one
}

// journal is what is known of the scans. Its zero value is that of a server that has not begun.
type journal struct {
	mu       sync.Mutex
	last     *attempt // nil before the first has ended
	inARow   int      // failures since the last good one
	running  time.Time
	upcoming time.Time // when the next begins; zero while one runs
}

// Scans is a copy of what is known of the scans.
type scanState struct {
	Last     *attempt
	InARow   int
	Running  time.Time // when the one that runs began; zero where none does
	Upcoming time.Time
}

func (j *journal) state() scanState {
	j.mu.Lock()
	defer j.mu.Unlock()
	return scanState{j.last, j.inARow, j.running, j.upcoming}
}

func (j *journal) begin(at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running, j.upcoming = at, time.Time{}
}

func (j *journal) end(a attempt) (failures int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last, j.running = &a, time.Time{}
	if j.inARow++; a.Result != failed {
		j.inARow = 0
	}
	return j.inARow
}

// stop is the end of one that does not count, and after which none comes.
func (j *journal) stop() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running = time.Time{}
}

func (j *journal) plan(at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.upcoming = at
}

// keepScanning scans at once and then again and again, one at a time, until ctx ends.
func (s *Server) keepScanning(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		failures, stopped := s.scanOnce(ctx)
		if stopped {
			return
		}
		wait := max(nextIn(s.options.Interval, failures)-sinceIfGood(began, failures), 0)
		s.scans.plan(time.Now().Add(wait))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

// sinceIfGood is what a scan took, which counts towards the interval; a server that has just failed gets its whole rest.
func sinceIfGood(began time.Time, failures int) time.Duration {
	if failures > 0 {
		return 0
	}
	return time.Since(began)
}

// firstRest is how long the first rest after a failure is at most; each further one is twice as long, up to the interval.
const firstRest = 15 * time.Second

// nextIn is the time to the next scan, give or take a tenth: services that were started together would else ask
// Prometheus together for ever.
func nextIn(interval time.Duration, failures int) time.Duration {
	d := interval
	if failures > 0 {
		d = min(interval, firstRest<<min(failures-1, 20))
	}
	return d*9/10 + rand.N(d/5+1)
}

// scanOnce makes a report, and shows it where it is good. It says how many scans have failed in a row, or that ctx ended,
// which is no failure.
func (s *Server) scanOnce(ctx context.Context) (failures int, stopped bool) {
	began := time.Now()
	s.scans.begin(began)
	spanned, span := s.traces.tracer.Start(ctx, "scan")
	defer span.End()
	found, err := s.options.Scan(spanned, s.peers)
	if ctx.Err() != nil {
		span.SetStatus(codes.Error, "stopped")
		s.scans.stop()
		return 0, true
	}
	result, failure := judge(found, err)
	a := attempt{began, time.Since(began), result, failure}
	if failure == nil {
		s.show(newSnapshot(found, began, s.options.MaxSeries))
	}
	span.SetAttributes(attribute.String("rightsize.result", result), attribute.Int("rightsize.containers", len(found.Report.Items)))
	if failure != nil {
		span.SetStatus(codes.Error, string(failure.Reason))
	}
	failures = s.scans.end(a)
	s.metrics.ended(a, found.Report, failures)
	s.tell(a, found.Report, failures)
	return failures, false
}

// show puts a report in the place of the one before it.
func (s *Server) show(n *snapshot) {
	s.latest.Store(n)
	if n.leftOut > 0 {
		s.log.Warn(fmt.Sprintf("%d series of recommendations are not exported, of the containers whose changes matter least: --max-series is %d", n.leftOut, s.options.MaxSeries))
	}
}

// tell logs how a scan ended.
func (s *Server) tell(a attempt, r report.Report, failures int) {
	took := a.Took.Round(time.Millisecond).String()
	if a.Failure != nil {
		s.log.Error("scan failed: "+recommender.Printable(a.Failure.Error()), "reason", string(a.Failure.Reason), "took", took, "failuresInARow", failures, "reportKept", s.latest.Load() != nil)
		return
	}
	for _, f := range r.Failures() {
		s.log.Warn(fmt.Sprintf("no recommendation for %s: %s", recommender.Count(f.Containers, "container"), recommender.Printable(f.Err.Error())))
	}
	s.log.Info("scan done", "result", a.Result, "containers", len(r.Items), "took", took)
}
