package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"html/template"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// running is a server that listens.
type running struct {
	*Server
	url  string
	stop func() error // as a signal does, and waits
}

// start runs a server on a free port. It is stopped when the test ends, if it has not been.
func start(t *testing.T, scheme string, s *Server) running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = stop() })
	return running{s, scheme + "://" + l.Addr().String(), stop}
}

// client opens a connection for each request, so that none is idle when a server stops.
func client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, DisableCompression: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a certificate of this test's
	}, Timeout: time.Minute}
}

func status(t *testing.T, url string, credentials ...string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(credentials) == 2 {
		req.SetBasicAuth(credentials[0], credentials[1])
	}
	resp, err := client().Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0
	}
	return resp.StatusCode
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// writeCertificate writes a certificate and its key into a folder.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: certificate}, "tls.key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// webConfig writes the example of docs/serve.md with a password of its own, and a certificate next to it.
func webConfig(t *testing.T, dir, password string, withTLS bool) string {
	t.Helper()
	writeCertificate(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	text := block(t, "yaml")
	i := strings.Index(text, "basic_auth_users")
	if i < 0 {
		t.Fatal("the example has no users")
	}
	users := fmt.Sprintf("basic_auth_users:\n  reader: %s\n", hash)
	if text = text[:i] + users; !withTLS {
		text = users
	}
	file := filepath.Join(dir, "web-config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TLS and passwords are those of the web configuration as it is now; the probes need no password.
func TestWebConfig(t *testing.T) {
	for scheme, withTLS := range map[string]bool{"http": false, "https": true} {
		t.Run(scheme, func(t *testing.T) {
			dir := t.TempDir()
			file := webConfig(t, dir, "pass-word", withTLS)
			if err := CheckWebConfig(file); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			s := start(t, scheme, server(finds(found(t)), func(o *Options) { o.WebConfig, o.Log = file, logTo(&log) }))
			eventually(t, "it is ready", func() bool { return status(t, s.url+"/health/ready") == 200 })
			for _, path := range []string{"/", "/api/v1/report", "/metrics", "/static/style.css", "/nothing", "/health/../metrics"} {
				if got := status(t, s.url+path); got != 401 {
					t.Errorf("%s without a password: %d", path, got)
				}
				if got := status(t, s.url+path, "reader", "wrong"); got != 401 {
					t.Errorf("%s with a wrong password: %d", path, got)
				}
			}
			if got := status(t, s.url+"/", "reader", "pass-word"); got != 200 {
				t.Errorf("with the password: %d", got)
			}
			webConfig(t, dir, "new-word", withTLS)
			if old, changed := status(t, s.url+"/", "reader", "pass-word"), status(t, s.url+"/", "reader", "new-word"); old != 401 || changed != 200 {
				t.Errorf("after a change the old password gives %d and the new one %d", old, changed)
			}
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			wantText(t, "the log", log.String(), `"path":"/nothing","status":401`, `"path":"/","status":200`)
			if n := answersBy(t, s.Server, "401"); n != 13 {
				t.Errorf("%d requests without the password are in the metrics, want 13", n)
			}
		})
	}
}

// answersBy is how many answers of that code the metrics have.
func answersBy(t *testing.T, s *Server, code string) (n uint64) {
	t.Helper()
	for _, m := range gathered(t, s)["rightsize_http_request_duration_seconds"].GetMetric() {
		if m.GetLabel()[0].GetValue() == code {
			n += m.GetHistogram().GetSampleCount()
		}
	}
	return n
}

// A file that cannot be read any more lets nobody in, and the log says so without what is in it: YAML's errors quote values,
// short ones whole.
func TestWebConfigThatBreaks(t *testing.T) {
	for scheme, says := range map[string]string{"http": "--web-config: Unable to parse configuration", "https": "TLS handshake error"} {
		t.Run(scheme, func(t *testing.T) {
			file := webConfig(t, t.TempDir(), "pass-word", scheme == "https")
			var log strings.Builder
			s := start(t, scheme, server(finds(found(t)), func(o *Options) { o.WebConfig, o.Log = file, logTo(&log) }))
			eventually(t, "it is ready", func() bool { return status(t, s.url+"/health/ready") == 200 })
			whole, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before, _, _ := strings.Cut(string(whole), "basic_auth_users")
			if err := os.WriteFile(file, []byte(before+"basic_auth_users: s3cret\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := status(t, s.url+"/", "reader", "pass-word"); got == 200 {
				t.Error("it lets people in by passwords that it cannot read")
			}
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			wantText(t, "the log", log.String(), says, "unmarshal")
			if strings.Contains(log.String(), "s3cret") {
				t.Errorf("the log has what is in the file: %s", &log)
			}
		})
	}
}

// A fault of ours is an error in the log, and costs the one request.
func TestPanic(t *testing.T) {
	var log strings.Builder
	faulty := server(finds(found(t)), func(o *Options) { o.Log = logTo(&log) })
	faulty.templates = func() (map[string]*template.Template, error) { panic("a fault") }
	s := start(t, "http", faulty)
	eventually(t, "it is ready", func() bool { return status(t, s.url+"/health/ready") == 200 })
	for path, want := range map[string]int{"/": 0, "/api/v1/report": 200} {
		if got := status(t, s.url+path); got != want {
			t.Errorf("%s gives %d, want %d", path, got, want)
		}
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	wantText(t, "the log", log.String(), `"level":"ERROR","msg":"http: panic serving `)
}

// What is wrong with the file is said without its values.
func TestCheckWebConfig(t *testing.T) {
	for text, want := range map[string]string{
		"basic_auth_users: s3cret-word":            "unmarshal",
		"basic_auth_users: {a: s3cret-word}":       "bcrypt",
		"tls_server_config: {cert_file: none.crt}": "key_file",
		"s3cret: x": "not found",
		"http_server_config: {headers: {X-Other: s3cret-word}}": "X-Other",
	} {
		file := filepath.Join(t.TempDir(), "web.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := CheckWebConfig(file)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret-word") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if err := CheckWebConfig(""); err != nil {
		t.Error(err)
	}
}

// A slow client's request that is under way is finished, while new ones are refused; readiness said so before.
func TestShutdown(t *testing.T) {
	f := found(t)
	f.Report.Warnings = []string{strings.Repeat("x", 16<<20)} // more than sockets hold
	const delay = time.Second
	s := start(t, "http", server(finds(f), func(o *Options) { o.ShutdownDelay, o.GracePeriod = delay, time.Minute }))
	eventually(t, "it is ready", func() bool { return status(t, s.url+"/health/ready") == 200 })
	resp, err := client().Get(s.url + "/api/v1/report")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	done := make(chan error, 1)
	go func() { done <- s.stop() }()
	eventually(t, "it is not ready", func() bool { return status(t, s.url+"/health/ready") == 503 })
	if got := status(t, s.url+"/"); got != 200 {
		t.Errorf("during the delay a page gives %d", got)
	}
	eventually(t, "it does not listen", func() bool { return status(t, s.url+"/health/live") == 0 })
	select {
	case err := <-done:
		t.Fatalf("it ended with a request under way: %v", err)
	default:
	}
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n < 16<<20 {
		t.Errorf("the request under way got %d bytes, %v", n, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A connection that is kept open is given up with the first answer after the signal, while new ones are still taken: else the
// end of listening closes it under a request that is on its way.
func TestShutdownOfKeptConnections(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			s := start(t, scheme, server(finds(found(t)), func(o *Options) {
				if scheme == "https" {
					o.WebConfig = webConfig(t, t.TempDir(), "pass-word", true)
				}
			}))
			kept := client()
			transport := kept.Transport.(*http.Transport)
			transport.DisableKeepAlives, transport.ForceAttemptHTTP2 = false, true
			reused := func() (again bool) {
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { again = c.Reused }})
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/health/live", nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := kept.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.Body.Close() != nil {
					t.Error(err)
				}
				return again
			}
			reused()
			if !reused() {
				t.Error("a connection is not kept")
			}
			s.stopping.Store(true) // as the signal does, for as long as this takes
			reused()
			eventually(t, "it is given up", func() bool { return !reused() })
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A request that takes longer than the grace period is cut off, and that is said.
func TestGracePeriod(t *testing.T) {
	f := found(t)
	f.Report.Warnings = []string{strings.Repeat("x", 16<<20)}
	s := start(t, "http", server(finds(f), func(o *Options) { o.GracePeriod = 50 * time.Millisecond }))
	eventually(t, "it is ready", func() bool { return status(t, s.url+"/health/ready") == 200 })
	resp, err := client().Get(s.url + "/api/v1/report")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := s.stop(); err == nil || !strings.Contains(err.Error(), "cut off after --grace-period 50ms") {
		t.Errorf("it ended with %v", err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); err == nil && n >= 16<<20 {
		t.Error("the request was finished")
	}
}

// A connection that a browser has opened to spare, and asked nothing by, is nobody's loss.
func TestGracePeriodOfSpareConnections(t *testing.T) {
	s := start(t, "http", server(finds(found(t)), func(o *Options) { o.GracePeriod = 50 * time.Millisecond }))
	eventually(t, "it is ready", func() bool { return status(t, s.url+"/health/ready") == 200 })
	spare, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = spare.Close() }()
	eventually(t, "it is accepted", func() bool { return status(t, s.url+"/health/live") == 200 })
	if err := s.stop(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// Who listens where somebody else does is told.
func TestListenFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := server(finds(found(t))).Run(t.Context(), l); err == nil || !strings.Contains(err.Error(), "serving on 127.0.0.1:") {
		t.Errorf("it ended with %v", err)
	}
}

// Headers that never end and bodies are not read.
func TestLimits(t *testing.T) {
	s := start(t, "http", server(finds(found(t))))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/health/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", 32<<10))
	resp, err := client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 32 KiB gives %d", resp.StatusCode)
	}
	h := s.httpServer()
	for name, d := range map[string]time.Duration{"header": h.ReadHeaderTimeout, "read": h.ReadTimeout, "write": h.WriteTimeout, "idle": h.IdleTimeout} {
		if d <= 0 {
			t.Errorf("the %s timeout is %s", name, d)
		}
	}
}

// Profiles are served where they are asked for, and there alone.
func TestProfiles(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, "http", server(finds(found(t)), func(o *Options) { o.Pprof = l }))
	eventually(t, "there are profiles", func() bool { return status(t, "http://"+l.Addr().String()+"/debug/pprof/heap") == 200 })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/debug/pprof/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example:" + strings.TrimPrefix(l.Addr().String(), "127.0.0.1:")
	resp, err := client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("profiles by a name of others: %d", resp.StatusCode)
	}
	if got := status(t, s.url+"/debug/pprof/"); got != 404 {
		t.Errorf("profiles next to the report: %d", got)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if got := status(t, "http://"+l.Addr().String()+"/debug/pprof/"); got != 0 {
		t.Errorf("profiles after the end: %d", got)
	}
}
