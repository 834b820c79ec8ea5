package promquery

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/config"
)

// loadConfig reads an HTTP client configuration file. Relative paths in it are relative to its folder. Its errors
// name the line, and no value.
func loadConfig(file string) (*config.HTTPClientConfig, error) {
	defaults := config.DefaultHTTPClientConfig
	if file == "" {
		return &defaults, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading --prometheus-config: %w", err)
	}
	if len(bytes.TrimSpace(content)) == 0 {
		return &defaults, nil
	}
	cfg, err := config.LoadHTTPConfig(string(content))
	if err != nil {
		return nil, fmt.Errorf("reading --prometheus-config %s: %s", file, yamlProblem(err))
	}
	cfg.SetDirectory(filepath.Dir(file))
	return cfg, nil
}

// yamlValue is how a YAML error repeats what it cannot read, which may be a secret; yamlType is the Go type that
// it names.
var (
	yamlValue = regexp.MustCompile("(?s) `.*?`")
	yamlType  = regexp.MustCompile(` (in|into) (type )?[a-zA-Z0-9]*\.[a-zA-Z0-9.]+`)
)

func yamlProblem(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:")
	text = yamlValue.ReplaceAllString(text, "")
	return oneLine(yamlType.ReplaceAllString(text, ""))
}

// oneLine joins lines by semicolons.
func oneLine(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// parseHeaders reads headers written as "Name: value". Its errors name no value.
func parseHeaders(list []string) (http.Header, error) {
	header := http.Header{}
	for i, h := range list {
		name, value, ok := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !ok || !isToken(name) {
			return nil, fmt.Errorf(`invalid --header (number %d): want "Name: value"`, i+1)
		}
		value = strings.TrimSpace(value)
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("invalid --header %q: its value has a control character", name)
		}
		header.Add(name, value)
	}
	return header, nil
}

// isToken says whether s may name a header: RFC 9110, section 5.6.2.
func isToken(s string) bool {
	const others = "!#$%&'*+-.^_`|~"
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !alphanumeric && !strings.ContainsRune(others, r)
	})
}

// secrets are texts that must not be shown.
type secrets []string

// secretsOf collects the credentials in all that a client is made of. Those in files are read at each request,
// and stay unknown.
func secretsOf(u *url.URL, cfg *config.HTTPClientConfig, header http.Header) secrets {
	var s secrets
	if u.User != nil {
		password, ok := u.User.Password()
		if !ok || password == "" {
			password = u.User.Username() // a token
		}
		s.add(password)
	}
	for _, values := range u.Query() {
		s.add(values...)
	}
	for _, values := range header {
		s.add(values...)
		for _, v := range values {
			s.add(strings.Fields(v)...)
		}
	}
	s.addConfig(cfg)
	// Longest first, so that a secret that holds another is hidden whole.
	slices.SortFunc(s, func(a, b string) int { return len(b) - len(a) })
	return s
}

func (s *secrets) addConfig(cfg *config.HTTPClientConfig) {
	s.add(string(cfg.BearerToken))
	if cfg.BasicAuth != nil {
		s.add(string(cfg.BasicAuth.Password))
	}
	if cfg.Authorization != nil {
		s.add(string(cfg.Authorization.Credentials))
	}
	if cfg.OAuth2 != nil {
		s.add(string(cfg.OAuth2.ClientSecret), string(cfg.OAuth2.ClientCertificateKey))
	}
	if cfg.HTTPHeaders != nil {
		for _, h := range cfg.HTTPHeaders.Headers {
			for _, v := range h.Secrets {
				s.add(string(v))
			}
		}
	}
}

// shortestSecret is the length from which texts are hidden: shorter ones would take words apart.
const shortestSecret = 4

func (s *secrets) add(texts ...string) {
	for _, t := range texts {
		if len(t) >= shortestSecret {
			*s = append(*s, t)
		}
	}
}

// hide replaces secrets in a text, as they are and as a URL escapes them.
func (s secrets) hide(text string) string {
	for _, secret := range s {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			text = strings.ReplaceAll(text, form, "<hidden>")
		}
	}
	return text
}
