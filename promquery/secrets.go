package promquery

import (
	"cmp"
	"context"
	"encoding/base64"
	"html"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/common/config"
)

// secrets are texts that must not be shown: credentials of the configuration, and those that were really sent,
// which come from files and from token services and change while we run.
type secrets struct {
	files []string // what they hold is secret too

	mu    sync.Mutex
	texts []string
}

// secretsOf collects the credentials in all that a client is made of.
func secretsOf(u *url.URL, cfg *clientConfig, header http.Header) *secrets {
	s := &secrets{}
	s.addUser(u)
	for _, values := range u.Query() {
		s.add(values...)
	}
	for _, values := range header {
		s.addHeader(values...)
	}
	s.addConfig(&cfg.HTTP)
	if cfg.SigV4 != nil {
		s.add(cfg.SigV4.AccessKey, string(cfg.SigV4.SecretKey), cfg.SigV4.ExternalID)
	}
	return s
}

// addUser adds the password in an address, or the name where it stands alone, since then it is a token.
func (s *secrets) addUser(u *url.URL) {
	if u == nil || u.User == nil {
		return
	}
	password, _ := u.User.Password()
	s.add(cmp.Or(password, u.User.Username()))
}

func (s *secrets) addConfig(cfg *config.HTTPClientConfig) {
	s.add(string(cfg.BearerToken))
	s.addFile(cfg.BearerTokenFile)
	if basic := cfg.BasicAuth; basic != nil {
		s.add(string(basic.Password))
		s.addFile(basic.PasswordFile)
	}
	if a := cfg.Authorization; a != nil {
		s.add(string(a.Credentials))
		s.addFile(a.CredentialsFile)
	}
	if o := cfg.OAuth2; o != nil {
		s.add(string(o.ClientSecret), string(o.ClientCertificateKey))
		s.addFile(o.ClientSecretFile)
		s.addUser(o.ProxyURL.URL)
	}
	s.addUser(cfg.ProxyURL.URL)
	for _, values := range cfg.ProxyConnectHeader {
		for _, v := range values {
			s.addHeader(string(v))
		}
	}
	if cfg.HTTPHeaders == nil {
		return
	}
	for _, h := range cfg.HTTPHeaders.Headers {
		for _, v := range h.Secrets {
			s.addHeader(string(v))
		}
	}
}

func (s *secrets) addFile(file string) {
	if file != "" {
		s.files = append(s.files, file)
	}
}

// addHeader adds values of a header, whole and by their fields; of RFC 7617's basic authentication the password
// too.
func (s *secrets) addHeader(values ...string) {
	for _, v := range values {
		fields := strings.Fields(v)
		s.add(v)
		if isSigV4(fields) {
			s.add(sigV4Secrets(fields)...)
			continue
		}
		s.add(fields...)
		if len(fields) != 2 || !strings.EqualFold(fields[0], "Basic") {
			continue
		}
		if pair, err := base64.StdEncoding.DecodeString(fields[1]); err == nil {
			_, password, _ := strings.Cut(string(pair), ":")
			s.add(password)
		}
	}
}

// shortestSecret is the length from which texts are hidden: shorter ones would take words apart.
const shortestSecret = 4

// schemes of authentication are no secrets: https://www.iana.org/assignments/http-authschemes.
func isScheme(text string) bool {
	return slices.ContainsFunc([]string{"Basic", "Bearer", "Digest"}, func(s string) bool { return strings.EqualFold(s, text) })
}

func (s *secrets) add(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range texts {
		if len(t) >= shortestSecret && !isScheme(t) && !slices.Contains(s.texts, t) {
			s.texts = append(s.texts, t)
		}
	}
	// Longest first, so that a secret that holds another is hidden whole.
	slices.SortFunc(s.texts, func(a, b string) int { return len(b) - len(a) })
}

// watch makes a request tell what it sends, below all that adds credentials to it.
func (s *secrets) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaderField: func(name string, values []string) {
		if !isOpen(name) {
			s.addHeader(values...)
		}
	}})
}

// isOpen says whether a header of ours may be shown. All others are taken for credentials.
func isOpen(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Accept", "Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Host", "Transfer-Encoding", "User-Agent",
		"Traceparent", "Tracestate", "X-Amz-Content-Sha256", "X-Amz-Date", "X-Prometheus-Remote-Read-Version", tenantHeader:
		return true
	}
	return strings.HasPrefix(name, ":") // HTTP/2's method, scheme, authority and path
}

// hide replaces secrets in a text: as they are, in base64, and as URLs and HTML escape them.
func (s *secrets) hide(text string) string {
	for _, file := range s.files {
		if content, err := os.ReadFile(file); err == nil {
			s.add(strings.TrimSpace(string(content)))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.texts {
		encoded := strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "=")
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret), encoded} {
			text = strings.ReplaceAll(text, form, "<hidden>")
		}
	}
	return text
}

// excerpt is the beginning of what a server said, on one line, without secrets: hidden first, since half of one
// would not be known.
func (s *secrets) excerpt(text string) string { return excerpt(s.hide(text)) }

// ends are the beginning and the end of an error's text: some begin with the whole query, and what is wrong with it comes last.
func (s *secrets) ends(text string) string {
	text = s.hide(text)
	if len(text) <= excerptBytes {
		return excerpt(text)
	}
	rest := text[max(excerptBytes, len(text)-excerptBytes):]
	return excerpt(text) + " " + excerpt(strings.ToValidUTF8(rest, ""))
}
