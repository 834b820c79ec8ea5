package promquery

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"golang.org/x/oauth2"
)

// ServerError is an answer that refuses a request.
type ServerError struct {
	Status int    // of HTTP
	Type   string // Prometheus's errorType; "" where the answer is not its API's
	Text   string // one line, without credentials

	// RetryAfter is how long the server wants to be left alone; 0 where it does not say.
	RetryAfter time.Duration

	cut  bool   // what came looks like the beginning of a better answer
	said string // all that the server said, for remedy alone: Text may lack the middle, and this may hold credentials
}

// Error is the whole line: who refused, with what, and what to do.
func (e *ServerError) Error() string { return e.Text }

// client judges answers before client_golang decodes them, since it keeps neither the status nor what a server
// that is not Prometheus said.
type client struct {
	api.Client
	http    *http.Client
	address string
	secrets *secrets

	forbidden string // what to do about a status of 403, where that is not what it is elsewhere
}

// Do implements api.Client. With an error it still returns the response, whose status makes client_golang fall
// back from POST to GET.
func (c *client) Do(ctx context.Context, req *http.Request) (*http.Response, []byte, error) {
	if into, ok := ctx.Value(matrixKey{}).(*matrixAnswer); ok {
		return c.doMatrix(ctx, req, into)
	}
	resp, body, err := c.Client.Do(ctx, req)
	if err != nil {
		return resp, nil, c.transportError(ctx, err, resp != nil)
	}
	if resp.StatusCode/100 == 2 && isAnswer(body) {
		return resp, warnOfPart(body), nil
	}
	return resp, nil, c.refusal(resp, body)
}

// partialWarning is said of an answer that is marked as a part, as a cluster of VictoriaMetrics does whose storage nodes
// do not all answer: https://docs.victoriametrics.com/victoriametrics/cluster-victoriametrics/#cluster-availability. It has
// no warning of its own.
const partialWarning = "the server's answer is partial: some of its storage nodes did not answer (--backend victoriametrics makes that an error)"

// warnOfPart puts the warning into an answer that is marked as a part. The mark comes before the data.
func warnOfPart(body []byte) []byte {
	const begin = 256
	before, after, marked := bytes.Cut(body[:min(len(body), begin)], []byte(`"isPartial":true`))
	if !marked || bytes.Contains(before, []byte(`"data"`)) {
		return body
	}
	warning := fmt.Sprintf(`"warnings":[%q]`, partialWarning)
	return slices.Concat(before, []byte(warning), after, body[min(len(body), begin):])
}

// isAnswer tells an answer of Prometheus's API from any other JSON, which client_golang would take for one
// without data. A long one is known by its first field: nobody sends so much that means nothing.
func isAnswer(body []byte) bool {
	const long = 64 << 10
	if len(body) > long {
		begin := bytes.TrimSpace(body[:256])
		return bytes.HasPrefix(begin, []byte("{")) && (bytes.Contains(begin, []byte(`"status"`)) || bytes.Contains(begin, []byte(`"data"`)))
	}
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return false
	}
	var answer struct {
		Status string
		Data   json.RawMessage
	}
	if json.Unmarshal(body, &answer) != nil {
		return true // client_golang says what is wrong with it
	}
	return answer.Status == "error" || answer.Status == "success" && len(answer.Data) > 0
}

// transportError is why there is no answer, or, where it began, no whole one.
func (c *client) transportError(ctx context.Context, err error, began bool) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking %s: %w", c.address, ctx.Err())
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // the rest of it is the URL
	}
	var token *oauth2.RetrieveError
	var network *net.OpError
	var name *net.DNSError
	switch {
	case errors.As(err, &token): // its text holds the whole answer, which may repeat the credentials in any form
		return fmt.Errorf("no token for %s: the oauth2 token_url answered %s: correct oauth2 in the --prometheus-config file", c.address,
			strings.TrimSpace(token.Response.Status+" "+token.ErrorCode))
	case isTLS(err):
		return fmt.Errorf("no TLS connection to %s: %s: set tls_config in the --prometheus-config file, or correct --prometheus-url", c.address, oneLine(err.Error()))
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%s does not speak TLS: write http:// in --prometheus-url", c.address)
	case errors.As(err, &network) && network.Op == "dial", errors.As(err, &name):
		return &BrokenError{Text: fmt.Sprintf("cannot reach %s: %s: is --prometheus-url right?", c.address, oneLine(err.Error())), Unreached: true}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &BrokenError{Text: fmt.Sprintf("the answer of %s was cut off: a proxy before it may have a limit of size or time", c.address), Began: began}
	case began, passes(err):
		return &BrokenError{Text: fmt.Sprintf("asking %s: %s", c.address, oneLine(err.Error())), Began: began}
	}
	return fmt.Errorf("asking %s: %s", c.address, oneLine(err.Error()))
}

func isTLS(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert)
}

// refusal is what an answer says that is no result.
func (c *client) refusal(resp *http.Response, body []byte) error {
	kind, said := c.words(resp, body)
	text := fmt.Sprintf("%s answered %s", c.address, statusText(resp.StatusCode))
	if said != "" {
		text += ": " + said
	}
	return &ServerError{
		Status: resp.StatusCode, Type: kind, Text: text + c.advice(resp, isHTML(resp, body)),
		RetryAfter: retryAfter(resp, time.Now()), cut: isCut(resp, body), said: string(body),
	}
}

// retryAfter is what an answer's Retry-After says, in seconds or as a time; 0 where it says nothing.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	text := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

func statusText(code int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
}

// advice is what to do about an answer, by its status.
func (c *client) advice(resp *http.Response, html bool) string {
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return ": give credentials with --prometheus-config or --header"
	case code == http.StatusForbidden && c.forbidden != "":
		return ": " + c.forbidden
	case code == http.StatusForbidden:
		return ": the credentials in --prometheus-config or --header may not query it"
	case code == http.StatusNotFound:
		return ": is the path in --prometheus-url right?"
	case code/100 == 3:
		return ": give the address that has /api/v1 as --prometheus-url" + redirectTarget(resp)
	case code/100 == 2:
		return ": this is not Prometheus's API: is the path in --prometheus-url right?"
	case html && code/100 == 4:
		return ": is --prometheus-url right?"
	}
	return ""
}

func redirectTarget(resp *http.Response) string {
	u, err := resp.Location()
	if err != nil {
		return ""
	}
	return ", it redirects to " + redact(u)
}

func isHTML(resp *http.Response, body []byte) bool {
	return strings.Contains(resp.Header.Get("Content-Type"), "html") || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// words are the server's own: Prometheus's errorType and error, or the beginning of what else it sent.
func (c *client) words(resp *http.Response, body []byte) (kind, said string) {
	var answer struct{ ErrorType, Error, Message string }
	switch {
	case json.Unmarshal(body, &answer) == nil && answer.Error+answer.Message != "":
		said = answer.Error
		if said == "" {
			said = answer.Message
		}
		if answer.ErrorType != "" {
			said = answer.ErrorType + ": " + said
		}
		return answer.ErrorType, c.secrets.ends(said)
	case len(bytes.TrimSpace(body)) == 0:
		return "", ""
	case isHTML(resp, body):
		return "", "an HTML page"
	}
	return "", c.secrets.excerpt(string(body))
}

// excerptBytes is how much of a text an excerpt has.
const excerptBytes = 300

// excerpt is the beginning of a text, on one line.
func excerpt(s string) string {
	if len(s) > excerptBytes {
		s = s[:excerptBytes]
		for !utf8.ValidString(s) && len(s) > excerptBytes-utf8.UTFMax {
			s = s[:len(s)-1]
		}
		s += "..."
	}
	return oneLine(strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s))
}

// clean is the error of a request with credentials hidden, should the server have repeated them.
func (h *HTTP) clean(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("asking %s: %w", h.address, ctx.Err())
	}
	var refused *ServerError
	if errors.As(err, &refused) {
		hidden := *refused
		hidden.Text = h.secrets.hide(refused.Text)
		return &hidden
	}
	var broken *BrokenError
	if errors.As(err, &broken) {
		hidden := *broken
		hidden.Text = h.secrets.hide(broken.Text)
		return &hidden
	}
	var decoding *v1.Error
	if errors.As(err, &decoding) {
		return h.undecodable(decoding)
	}
	return errors.New(h.secrets.hide(err.Error()))
}
