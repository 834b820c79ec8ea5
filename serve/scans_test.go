package serve

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestJudge(t *testing.T) {
	all := found(t)
	if n := len(all.Report.Items); n != 5 {
		t.Fatalf("%d containers, the cases below are for 5", n)
	}
	unlisted := all
	unlisted.Report.Unlisted = []string{"cronjobs.batch"}
	nothing := all
	nothing.Report.Items = nil
	for name, c := range map[string]struct {
		found  Found
		err    error
		result string
		reason Reason
	}{
		"whole":                      {all, nil, complete, ""},
		"nothing is declared":        {nothing, nil, complete, ""},
		"less than half is lost":     {lacking(all, 2), nil, partial, ""},
		"more than half is lost":     {lacking(all, 3), nil, failed, Incomplete},
		"kinds may not be listed":    {unlisted, nil, partial, ""},
		"an error with its reason":   {Found{}, Failure{Kubernetes, errors.New("403")}, failed, Kubernetes},
		"an error with none":         {Found{}, errors.New("x"), failed, Other},
		"an error of a whole report": {all, errors.New("x"), failed, Other},
	} {
		result, failure := judge(c.found, c.err)
		var reason Reason
		if failure != nil {
			reason = failure.Reason
		}
		if result != c.result || reason != c.reason {
			t.Errorf("%s: judge = %s, %q, want %s, %q", name, result, reason, c.result, c.reason)
		}
	}
}

// A failed scan leaves the report before it, with its age; pages say what went wrong until one is good again.
func TestFailedScanKeepsTheReport(t *testing.T) {
	good, next := found(t), Scan(nil)
	s := server(func(ctx context.Context, p Peers) (Found, error) { return next(ctx, p) })

	next = fails(Prometheus, "connection refused")
	s.scanOnce(t.Context())
	wantText(t, "the page without a report", wantStatus(t, s, "/", 503), "connection refused", "as soon as a scan is done")
	wantText(t, "the API without a report", wantStatus(t, s, "/api/v1/report", 503), "connection refused")

	next = finds(good)
	s.scanOnce(t.Context())
	before, made := wantStatus(t, s, "/api/v1/report", 200), s.latest.Load().made

	for _, bad := range []Scan{fails(Prometheus, "no route"), finds(lacking(good, 3)), fails(Kubernetes, "403 <b>no</b>")} {
		next = bad
		s.scanOnce(t.Context())
		if wantStatus(t, s, "/api/v1/report", 200) != before || s.latest.Load().made != made {
			t.Error("a failed scan replaced the report")
		}
	}
	wantText(t, "the page after failures", wantStatus(t, s, "/", 200), "deployment/api", "The last scan, at ", "failed (kubernetes): 403 &lt;b&gt;no", "(3 failures in a row; this page shows the last good report)")
	wantStatus(t, s, "/health/ready", 200)

	next = finds(lacking(good, 1))
	s.scanOnce(t.Context())
	wantText(t, "the page of a partial report", wantStatus(t, s, "/", 200), "This report is not complete: it lacks 1 container of 5", "No recommendation for 1 container: reading cpu: 503")

	next = finds(good)
	s.scanOnce(t.Context())
	if page := wantStatus(t, s, "/", 200); strings.Contains(page, `class="alert"`) || s.scans.state().InARow != 0 {
		t.Errorf("it has not recovered: %s", page)
	}
}

// times are when scans began, since the first.
type times struct {
	began   []time.Time
	running atomic.Int32
}

func (s *times) scan(t *testing.T, takes time.Duration, fails func(n int) bool) Scan {
	return func(ctx context.Context, _ Peers) (Found, error) {
		if s.running.Add(1) > 1 {
			t.Error("two scans at once")
		}
		defer s.running.Add(-1)
		s.began = append(s.began, time.Now())
		select {
		case <-ctx.Done():
			return Found{}, ctx.Err()
		case <-time.After(takes):
		}
		if fails(len(s.began)) {
			return Found{}, errors.New("no")
		}
		return Found{}, nil
	}
}

func (s *times) gaps() (gaps []time.Duration) {
	for i := range s.began[1:] {
		gaps = append(gaps, s.began[i+1].Sub(s.began[i]))
	}
	return gaps
}

// Scans begin at once, then an interval apart whatever they take, one at a time.
func TestIntervals(t *testing.T) {
	for name, c := range map[string]struct{ takes, least, most time.Duration }{
		"short":                  {time.Minute, 54 * time.Minute, 66 * time.Minute},
		"longer than the others": {2 * time.Hour, 2 * time.Hour, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen times
				s := server(seen.scan(t, c.takes, func(int) bool { return false }))
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Hour)
				defer cancel()
				s.keepScanning(ctx)
				if len(seen.began) < 40 || !seen.began[0].Equal(began) {
					t.Errorf("%d scans, the first after %s, want 40 or more, the first at once", len(seen.began), seen.began[0].Sub(began))
				}
				for _, gap := range seen.gaps() {
					if gap < c.least || gap > c.most {
						t.Errorf("a scan began %s after the one before it, want %s to %s", gap, c.least, c.most)
					}
				}
			})
		})
	}
}

// After failures scans come sooner, at growing distances, and at the interval again after a good one.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen times
		s := server(seen.scan(t, 0, func(n int) bool { return n <= 10 }))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Hour)
		defer cancel()
		s.keepScanning(ctx)
		gaps := seen.gaps()
		want := []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour, time.Hour, time.Hour}
		for i, w := range want {
			if gaps[i] < w*9/10 || gaps[i] > w*11/10 {
				t.Errorf("gap %d is %s, want %s give or take a tenth", i, gaps[i], w)
			}
		}
	})
}

// A scan that is under way ends with the server, and is not counted as a failure.
func TestStoppedScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen times
		s := server(seen.scan(t, time.Hour, func(int) bool { return true }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		s.keepScanning(ctx)
		if took := time.Since(began); took != time.Minute || s.scans.state().Last != nil {
			t.Errorf("it ended after %s with %v, want at once and nothing", took, s.scans.state().Last)
		}
		if says := s.scans.state().String(); says != "" {
			t.Errorf("pages say until it is gone: %s", says)
		}
	})
}
