package promquery

import (
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/api"
	"golang.org/x/time/rate"
)

// paced lets so many requests a second through, evenly; the others wait.
type paced struct {
	limiter *rate.Limiter
	next    http.RoundTripper
}

func newPaced(perSecond float64, next http.RoundTripper) http.RoundTripper {
	if perSecond <= 0 {
		return next
	}
	return &paced{rate.NewLimiter(rate.Limit(perSecond), 1), next}
}

// RoundTrip implements http.RoundTripper.
func (p *paced) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := p.limiter.Wait(req.Context()); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as a RoundTripper must; nothing was read of it
		}
		if ctx := req.Context().Err(); ctx != nil {
			return nil, ctx
		}
		return nil, errors.New("a request's turn comes after its --query-timeout or the run's --timeout: give a higher --qps, a lower --concurrency or more time")
	}
	return p.next.RoundTrip(req)
}

// CloseIdleConnections lets http.Client close the connections below.
func (p *paced) CloseIdleConnections() {
	if c, ok := p.next.(api.CloseIdler); ok {
		c.CloseIdleConnections()
	}
}
