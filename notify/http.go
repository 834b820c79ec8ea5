package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// fault is why something was not done: what Slack said, or that it said nothing. Its text holds no secret.
type fault struct {
	text   string
	retry  bool          // nothing was done, and it may go better next time
	unsure bool          // it may go better next time, but may have been done
	after  time.Duration // that the server asks to wait; 0 where it does not say
}

func (f *fault) Error() string { return f.text }

// client does requests to Slack. Whatever it returns is free of the secrets.
type client struct {
	http      http.Client
	userAgent string
	timeout   time.Duration // of one request, its answer included
	secrets   []Secret
}

const (
	// requestTimeout is longer than Slack ever takes; a file of 10 MB takes as long on a slow line.
	requestTimeout = 30 * time.Second

	// maxAnswer bounds what is read of an answer, in bytes. Slack's have a few kB.
	maxAnswer = 1 << 20
)

func newClient(userAgent string, secrets ...Secret) *client {
	return &client{
		// The webhook's path is its password and the API's header holds the token: neither is for whoever a
		// redirect names.
		http:      http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		userAgent: userAgent,
		timeout:   requestTimeout,
		secrets:   secrets,
	}
}

// Do sends the request and reads the answer whole. An answer other than 200 is a *fault.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), c.timeout)
	defer cancel()
	var sent atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}
	traced := req.WithContext(httptrace.WithClientTrace(ctx, trace))
	traced.Header.Set("User-Agent", c.userAgent)
	answer, err := c.http.Do(traced)
	if err != nil {
		return nil, c.silence(req.Context(), err, sent.Load())
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, c.silence(req.Context(), err, true)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, c.refusal(answer, body)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}

// silence is a request without an answer. Once it has been sent nobody knows what became of it, and a message
// is better missing than there twice.
func (c *client) silence(ctx context.Context, err error, sent bool) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // without the URL
	}
	var untrusted *tls.CertificateVerificationError
	var timeout net.Error
	f := &fault{text: hide(err.Error(), c.secrets...), retry: !sent && !errors.As(err, &untrusted)}
	if errors.As(err, &timeout) && timeout.Timeout() {
		f.text = fmt.Sprintf("no answer within %s", c.timeout)
	}
	if sent {
		f.text += ": it may have been posted all the same, so it is not sent again"
	}
	return f
}

// refusal is an answer that is not 200. 429 and 503 say that nothing was done. A server that failed (500), or
// whose gateway got no good answer (502), may have done it, and a gateway that timed out (504) likely has.
func (c *client) refusal(answer *http.Response, body []byte) error {
	f := &fault{text: answer.Status}
	if answer.StatusCode/100 == 3 {
		f.text = fmt.Sprintf("%s to %s: redirects are not followed", answer.Status, host(answer.Header.Get("Location")))
		return f
	}
	if said := c.quote(body); said != "" {
		f.text += ": " + said
	}
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		f.retry = true
	case http.StatusInternalServerError, http.StatusBadGateway:
		f.unsure = true
		f.text += " (it may have been done all the same)"
	}
	f.after = retryAfter(answer.Header.Get("Retry-After"), time.Now())
	return f
}

// host is all that is told of where a redirect leads: its path may be that of the webhook.
func host(location string) string {
	if u, err := url.Parse(location); err == nil && u.Host != "" {
		return u.Host
	}
	return "nowhere"
}

// maxQuote is how much is quoted of an answer, in characters: Slack's words are shorter, a proxy's page is not.
const maxQuote = 200

// quote is the beginning of an answer on one line.
func (c *client) quote(body []byte) string {
	return cut(recommender.Printable(hide(string(body), c.secrets...)), maxQuote)
}

// retryAfter reads the header: seconds, or a date. It is 0 where there is none.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(strings.TrimSpace(header)); err == nil {
		return time.Duration(min(max(seconds, 0), 1<<30)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
