package serve

import (
	"fmt"
	"net/http"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// health is the body of the probes.
type health struct {
	Status string  `json:"status"` // ok or failed
	Checks []check `json:"checks,omitempty"`
}

// check is one thing that readiness looks at. One that is not required tells, and decides nothing.
type check struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Required bool   `json:"required"`
	Detail   string `json:"detail"`
	At       string `json:"at,omitempty"` // when it was so, RFC 3339
}

// live says that the process answers, whatever Prometheus does.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	writeBody(w, http.StatusOK, health{Status: "ok"})
}

// hasStarted says that it listens, which it does once the configuration has been read.
func (s *Server) hasStarted(w http.ResponseWriter, _ *http.Request) {
	writeBody(w, http.StatusOK, health{Status: "ok"})
}

// ready says whether to send users here.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	h := health{Status: "ok", Checks: s.checks()}
	code := http.StatusOK
	for _, c := range h.Checks {
		if c.Required && !c.OK {
			h.Status, code = "failed", http.StatusServiceUnavailable
		}
	}
	writeBody(w, code, h)
}

func (s *Server) checks() []check {
	return append(s.reportChecks(),
		check{Name: "shutdown", OK: !s.stopping.Load(), Required: true, Detail: map[bool]string{false: "none under way", true: "under way"}[s.stopping.Load()]},
		s.scanCheck(),
		s.peers.Prometheus.check(),
		s.peers.Kubernetes.check(),
	)
}

// reportChecks are that there is a report, and that it is young enough.
func (s *Server) reportChecks() []check {
	there := check{Name: "report", Required: true, Detail: "none yet"}
	young := check{Name: "report-age", Required: true, Detail: "there is no report"}
	if n := s.latest.Load(); n != nil {
		there.OK, there.At, there.Detail = true, stamp(n.made), recommender.Count(len(n.Report.Items), "container")
		young.OK, young.Detail = !s.tooOld(n), age(time.Since(n.made))+" of "+recommender.ShortDuration(s.options.MaxAge)
	}
	return []check{there, young}
}

func (s *Server) scanCheck() check {
	state := s.scans.state()
	c := check{Name: "last-scan", OK: true, Detail: "none has ended yet"}
	if last := state.Last; last != nil {
		c.At, c.Detail = stamp(last.Started.Add(last.Took)), last.Result
		if last.Failure != nil {
			c.OK = false
			c.Detail = fmt.Sprintf("failed (%s), %s in a row", last.Failure.Reason, recommender.Count(state.InARow, "time"))
		}
	}
	return c
}

// check is the server's last answer: it decides nothing, since the last good report is there all the same.
func (p *Peer) check() check {
	last := p.lastAnswer()
	c := check{Name: p.name, OK: last.good() || last.At.IsZero(), Detail: last.String()}
	if !last.At.IsZero() {
		c.At = stamp(last.At)
	}
	return c
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
