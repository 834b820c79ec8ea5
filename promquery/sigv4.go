package promquery

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/api"
	"github.com/prometheus/common/config"
	"github.com/prometheus/sigv4"
)

// clientConfig is what a configuration file holds: promtool's keys, and those that sign requests for AWS as
// Prometheus's remote_write has them.
type clientConfig struct {
	HTTP  config.HTTPClientConfig `yaml:",inline"`
	SigV4 *sigv4.SigV4Config      `yaml:"sigv4,omitempty"`
}

// UnmarshalYAML does for the inlined part what its own would do, which is not called then.
func (c *clientConfig) UnmarshalYAML(unmarshal func(any) error) error {
	*c = clientConfig{HTTP: config.DefaultHTTPClientConfig}
	type plain clientConfig
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	if err := c.HTTP.Validate(); err != nil {
		return err
	}
	if c.SigV4 != nil && (c.HTTP.BasicAuth != nil || c.HTTP.Authorization != nil || c.HTTP.OAuth2 != nil) {
		return errors.New("at most one of basic_auth, authorization, oauth2 and sigv4 must be configured")
	}
	return nil
}

// signed signs requests for AWS. It looks for credentials when the first is sent, since that may need connections.
type signed struct {
	cfg  *sigv4.SigV4Config
	next http.RoundTripper

	mu     sync.Mutex
	signer http.RoundTripper
}

func newSigned(cfg *sigv4.SigV4Config, next http.RoundTripper) http.RoundTripper {
	if cfg == nil {
		return next
	}
	return &signed{cfg: cfg, next: next}
}

// RoundTrip implements http.RoundTripper.
func (s *signed) RoundTrip(req *http.Request) (*http.Response, error) {
	signer, err := s.ready(req)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as a RoundTripper must; nothing was read of it
		}
		return nil, fmt.Errorf("no AWS credentials to sign requests with: %w: set sigv4 in the --prometheus-config file, or what the AWS CLI takes", err)
	}
	return signer.RoundTrip(req)
}

// ready makes the signer, again if that did not work the last time.
func (s *signed) ready(req *http.Request) (http.RoundTripper, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.signer != nil {
		return s.signer, nil
	}
	var err error
	s.signer, err = sigv4.NewSigV4RoundTripper(s.cfg, s.next, sigv4.WithContext(req.Context()))
	if err != nil {
		s.signer = nil
	}
	return s.signer, err
}

// CloseIdleConnections lets http.Client close the connections below.
func (s *signed) CloseIdleConnections() {
	if c, ok := s.next.(api.CloseIdler); ok {
		c.CloseIdleConnections()
	}
}

// sigV4Secrets are the parts of a signature's header that are nobody's business: the key's name and the signature.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func sigV4Secrets(fields []string) []string {
	var out []string
	for _, f := range fields {
		name, v, _ := strings.Cut(strings.TrimRight(f, ","), "=")
		switch name {
		case "Credential":
			key, _, _ := strings.Cut(v, "/")
			out = append(out, key)
		case "Signature":
			out = append(out, v)
		}
	}
	return out
}

// isSigV4 says whether a header's fields are a signature.
func isSigV4(fields []string) bool { return len(fields) > 1 && fields[0] == "AWS4-HMAC-SHA256" }
