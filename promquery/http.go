package promquery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
)

// userAgent is what servers see us as.
const userAgent = "rightsize"

// HTTPOptions say which server to ask, and how.
type HTTPOptions struct {
	// URL is the address under which the server has its /api/v1, such as http://prometheus:9090 or
	// https://mimir/prometheus. A user and password in it become basic authentication.
	URL string

	// ConfigFile is an HTTP client configuration file as Prometheus's own tools take it; "" is none.
	ConfigFile string

	// Headers are sent with each request, each as "Name: value". They win over ConfigFile's.
	Headers []string

	// Backend is what kind of server it is; the zero value is a Prometheus.
	Backend Backend

	// Tenant is whose data are asked for, in a server that keeps several apart; "" is nobody's in particular.
	Tenant string

	// Via is how the server is reached where that is not by plain HTTP; ConfigFile is then "".
	Via *Via

	// Wrap puts something around the transport that sees each request as it is sent, and its answer; nil is nothing.
	Wrap func(http.RoundTripper) http.RoundTripper

	// PerSecond is how many requests are sent a second at most; 0 is no limit.
	PerSecond float64
}

// HTTP asks a server over HTTP. Its errors are one line each, say what to do, and hold no credentials.
type HTTP struct {
	api     v1.API
	inner   *client
	address string // without credentials
	secrets *secrets
}

var _ API = (*HTTP)(nil)

// NewHTTP makes an API of a server. It does not connect. Certificates are verified unless ConfigFile says not to.
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	address, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	cfg, err := loadConfig(o.ConfigFile)
	if err != nil {
		return nil, err
	}
	header, err := parseHeaders(o.Headers)
	if err != nil {
		return nil, err
	}
	hidden := secretsOf(address, cfg, header)
	if err := addTenant(header, o.Tenant); err != nil {
		return nil, err
	}
	if err := basicAuth(cfg, address, o.ConfigFile); err != nil {
		return nil, err
	}
	address.User = nil
	o.Backend.addTo(address)
	httpClient, err := newClient(*cfg, o.Via, address, header, hidden)
	if err != nil {
		return nil, fmt.Errorf("reading --prometheus-config %s: %s", o.ConfigFile, hidden.hide(oneLine(err.Error())))
	}
	if o.Wrap != nil {
		httpClient.Transport = o.Wrap(httpClient.Transport)
	}
	httpClient.Transport = newPaced(o.PerSecond, httpClient.Transport)
	inner, err := api.NewClient(api.Config{Address: address.String(), Client: httpClient})
	if err != nil {
		return nil, fmt.Errorf("invalid --prometheus-url %s", redact(address))
	}
	h := &HTTP{address: redact(address), secrets: hidden}
	h.inner = &client{Client: inner, http: httpClient, secrets: hidden}
	if o.Via != nil {
		h.address, h.inner.forbidden = o.Via.Name, o.Via.Forbidden
	}
	h.inner.address = h.address
	h.api = v1.NewAPI(h.inner)
	return h, nil
}

// String is the server's address, without credentials.
func (h *HTTP) String() string { return h.address }

// Close closes connections that are kept for further requests. Who makes an HTTP again and again needs it.
func (h *HTTP) Close() { h.inner.http.CloseIdleConnections() }

// Query is v1.API's.
func (h *HTTP) Query(ctx context.Context, query string, ts time.Time, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	value, warnings, infos, err := h.api.Query(ctx, query, ts, opts...)
	return value, cleaned(h, warnings), cleaned(h, infos), h.clean(ctx, err)
}

// QueryRange is v1.API's.
func (h *HTTP) QueryRange(ctx context.Context, query string, r v1.Range, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	var answer matrixAnswer
	value, warnings, infos, err := h.api.QueryRange(context.WithValue(ctx, matrixKey{}, &answer), query, r, opts...)
	return answer.in(value), cleaned(h, warnings), cleaned(h, infos), h.clean(ctx, err)
}

// Series is v1.API's.
func (h *HTTP) Series(ctx context.Context, matches []string, start, end time.Time, opts ...v1.Option) ([]model.LabelSet, v1.Warnings, v1.Infos, error) {
	sets, warnings, infos, err := h.api.Series(ctx, matches, start, end, opts...)
	return sets, cleaned(h, warnings), cleaned(h, infos), h.clean(ctx, err)
}

// cleaned are what a server remarks, without the credentials that it may repeat.
func cleaned[L ~[]string](h *HTTP, remarks L) L {
	for i, r := range remarks {
		remarks[i] = h.secrets.excerpt(r)
	}
	return remarks
}

// parseURL checks the address. Its errors do not repeat one that may hold credentials.
func parseURL(s string) (*url.URL, error) {
	shown := ""
	if !strings.ContainsAny(s, "@?") {
		shown = fmt.Sprintf(" %q", s)
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("invalid --prometheus-url%s: want http:// or https:// with a host, such as http://localhost:9090", shown)
	}
	u.Fragment = ""
	return u, nil
}

// redact is the address without user, password and parameters.
func redact(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}
	return shown.String()
}

// basicAuth moves a user and password from the address into the configuration.
func basicAuth(from *clientConfig, u *url.URL, file string) error {
	if u.User == nil {
		return nil
	}
	cfg := &from.HTTP
	if from.SigV4 != nil || cfg.BasicAuth != nil || cfg.Authorization != nil || cfg.OAuth2 != nil {
		return fmt.Errorf("credentials are both in --prometheus-url and in --prometheus-config %s: leave out one", file)
	}
	password, _ := u.User.Password()
	cfg.BasicAuth = &config.BasicAuth{Username: u.User.Username(), Password: config.Secret(password)}
	return nil
}

// newClient makes the client that talks to the server at u, and learns what credentials it sends.
func newClient(cfg clientConfig, via *Via, u *url.URL, header http.Header, hidden *secrets) (*http.Client, error) {
	if via != nil {
		return &http.Client{
			Transport:     withHeader{header, hidden, via.Transport},
			CheckRedirect: func(next *http.Request, before []*http.Request) error { return followRedirect(next, before, u) },
		}, nil
	}
	c, err := config.NewClientFromConfig(cfg.HTTP, userAgent, config.WithUserAgent(userAgent))
	if err != nil {
		return nil, err
	}
	c.Transport = withHeader{header, hidden, newSigned(cfg.SigV4, c.Transport)}
	if cfg.HTTP.FollowRedirects {
		c.CheckRedirect = func(next *http.Request, via []*http.Request) error { return followRedirect(next, via, u) }
	}
	return c, nil
}

// followRedirect follows only what keeps the request whole and the credentials where they belong: a redirect
// that turns a POST into a GET drops the query, and is what a login page sends.
func followRedirect(next *http.Request, via []*http.Request, u *url.URL) error {
	downgrade := u.Scheme == "https" && next.URL.Scheme != "https"
	if next.Method != via[0].Method || next.URL.Hostname() != u.Hostname() || downgrade {
		return http.ErrUseLastResponse
	}
	const most = 10
	if len(via) >= most {
		return errors.New("redirected in a circle")
	}
	return nil
}

// withHeader adds headers to each request, and watches what is sent.
type withHeader struct {
	header http.Header
	hidden *secrets
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (w withHeader) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(w.hidden.watch(req.Context()))
	for name, values := range w.header {
		if name == "Host" {
			req.Host = values[0]
			continue
		}
		req.Header[name] = values
	}
	return w.next.RoundTrip(req)
}

// CloseIdleConnections lets http.Client close the connections below.
func (w withHeader) CloseIdleConnections() {
	if c, ok := w.next.(api.CloseIdler); ok {
		c.CloseIdleConnections()
	}
}
