package promquery

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rightsize/rightsize/recommender"
)

const secret = "hunter2-hunter2"

func answer(code int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

func hour() recommender.Window {
	return recommender.Window{Until: time.Unix(7200, 0), Length: time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
}

// impatient is a reader that does not wait between tries.
func impatient(r *Reader) *Reader {
	r.patience.wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return r
}

// readFrom reads from a server and gives the error with the server's address as URL.
func readFrom(t *testing.T, o HTTPOptions, timeout time.Duration) string {
	t.Helper()
	api, err := NewHTTP(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = impatient(&Reader{API: api, RequestTimeout: timeout}).Read(t.Context(), Batch{Namespace: "shop"}, hour(), func(Series) {})
	if err == nil {
		t.Fatal("no error")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than a line: %s", err)
	}
	return strings.ReplaceAll(err.Error(), api.String(), "URL")
}

func TestFaults(t *testing.T) {
	const login = "<!DOCTYPE html><html>Sign in</html>"
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"html":            {answer(200, "text/html", login), "URL answered 200 OK: an HTML page: this is not Prometheus's API: is the path in --prometheus-url right?"},
		"text":            {answer(200, "text/plain", "hello\n\x00there"), "URL answered 200 OK: hello; there: this is not Prometheus's API: is the path in --prometheus-url right?"},
		"nothing":         {answer(204, "", ""), "URL answered 204 No Content: this is not Prometheus's API: is the path in --prometheus-url right?"},
		"404":             {answer(404, "text/plain", "404 page not found\n"), "URL answered 404 Not Found: 404 page not found: is the path in --prometheus-url right?"},
		"401":             {answer(401, "text/plain", "Unauthorized\n"), "URL answered 401 Unauthorized: Unauthorized: give credentials with --prometheus-config or --header"},
		"401 tenant":      {answer(401, "text/plain", "no org id"), "URL answered 401 Unauthorized: no org id: give credentials with --prometheus-config or --header"},
		"403":             {answer(403, "text/html", login), "URL answered 403 Forbidden: an HTML page: the credentials in --prometheus-config or --header may not query it"},
		"500":             {answer(500, "application/json", `{"status":"error","errorType":"internal","error":"boom"}`), "URL answered 500 Internal Server Error: internal: boom"},
		"503":             {answer(503, "application/json", `{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}`), "URL answered 503 Service Unavailable: timeout: query timed out in expression evaluation"},
		"502":             {answer(502, "text/html", login), "URL answered 502 Bad Gateway: an HTML page"},
		"422":             {answer(422, "application/json", `{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory in query execution"}`), "URL answered 422 Unprocessable Entity: execution: query processing would load too many samples into memory in query execution"},
		"400":             {answer(400, "application/json", `{"status":"error","errorType":"bad_data","error":"invalid parameter"}`), "URL answered 400 Bad Request: bad_data: invalid parameter"},
		"error with 200":  {answer(200, "application/json", `{"status":"error","errorType":"execution","error":"no"}`), "URL answered what is not a result of Prometheus's API: no"},
		"other json":      {answer(200, "application/json", `{"status":"success","data":7}`), "URL answered what is not a result of Prometheus's API: json: cannot unmarshal number into Go struct field apiResponse.data of type []model.LabelSet"},
		"empty object":    {answer(200, "application/json", `{}`), "URL answered 200 OK: {}: this is not Prometheus's API: is the path in --prometheus-url right?"},
		"no data field":   {answer(200, "application/json", `{"status":"success"}`), `URL answered 200 OK: {"status":"success"}: this is not Prometheus's API: is the path in --prometheus-url right?`},
		"long other json": {answer(200, "application/json", `{"items":["`+strings.Repeat("x", 100_000)+`"]}`), `URL answered 200 OK: {"items":["` + strings.Repeat("x", 289) + "...: this is not Prometheus's API: is the path in --prometheus-url right?"},
		"broken json":     {answer(200, "application/json", `{"status":"success","data":[{"a`), "URL answered what is not a result of Prometheus's API: unexpected end of JSON input"},
		"login redirect":  {http.RedirectHandler("https://login.example/?token=x", http.StatusFound).ServeHTTP, "URL answered 302 Found: give the address that has /api/v1 as --prometheus-url, it redirects to https://login.example"},
		"elsewhere":       {http.RedirectHandler("https://other.example/x", http.StatusTemporaryRedirect).ServeHTTP, "URL answered 307 Temporary Redirect: give the address that has /api/v1 as --prometheus-url, it redirects to https://other.example/x"},
		"cut":             {cut, "the answer of URL was cut off: a proxy before it may have a limit of size or time"},
		"hung up":         {hangUp, "the answer of URL was cut off: a proxy before it may have a limit of size or time"},
		"repeats secrets": {answer(400, "text/plain", "bad token "+secret), "URL answered 400 Bad Request: bad token <hidden>"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			got := readFrom(t, HTTPOptions{URL: server.URL + "/prom/", Headers: []string{"Authorization: Bearer " + secret}}, 0)
			if diff := cmp.Diff("reading labels of namespace shop: "+c.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, `{"status":"success","data":[`)
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestRemarksHideSecrets(t *testing.T) {
	server := httptest.NewServer(answer(200, "application/json",
		`{"status":"success","data":{"resultType":"scalar","result":[0,"1"]},"warnings":["used `+secret+` \u001b[31mtwice\nhere"],"infos":["so did `+secret+`"]}`))
	defer server.Close()
	api, err := NewHTTP(HTTPOptions{URL: server.URL, Headers: []string{"Authorization: Bearer " + secret}})
	if err != nil {
		t.Fatal(err)
	}
	_, warnings, infos, err := api.Query(t.Context(), "1", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	got := append([]string(warnings), infos...)
	if diff := cmp.Diff([]string{"used <hidden> [31mtwice; here", "so did <hidden>"}, got); diff != "" {
		t.Errorf("remarks (-want +got):\n%s", diff)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := readFrom(t, HTTPOptions{URL: "http://user:" + secret + "@" + address + "/?key=" + secret}, 0)
	want := "reading labels of namespace shop: cannot reach URL: dial tcp " + address + ": connect: connection refused: is --prometheus-url right?"
	if got != want {
		t.Errorf("unreachable: %s\nwant %s", got, want)
	}
}

func TestTLSFaults(t *testing.T) {
	secure := httptest.NewUnstartedServer(answer(200, "application/json", "{}"))
	secure.Config.ErrorLog = nil
	secure.StartTLS()
	defer secure.Close()
	got := readFrom(t, HTTPOptions{URL: secure.URL}, 0)
	const want = "reading labels of namespace shop: no TLS connection to URL: tls: failed to verify certificate: x509: certificate signed by unknown authority: set tls_config in the --prometheus-config file, or correct --prometheus-url"
	if got != want {
		t.Errorf("unknown authority: %s\nwant %s", got, want)
	}
	insecure := httptest.NewServer(answer(200, "application/json", "{}"))
	defer insecure.Close()
	got = readFrom(t, HTTPOptions{URL: strings.Replace(insecure.URL, "http:", "https:", 1)}, 0)
	if want := "reading labels of namespace shop: URL does not speak TLS: write http:// in --prometheus-url"; got != want {
		t.Errorf("no TLS: %s\nwant %s", got, want)
	}
}

func TestSlowAndCancelled(t *testing.T) {
	begun := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // a server notices that the client has gone once the body is read
		begun <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	const want = "reading labels of namespace shop: no answer within 50ms: ask for less with a shorter --window or a longer --step, or wait longer with --query-timeout"
	if got := readFrom(t, HTTPOptions{URL: server.URL}, 50*time.Millisecond); got != want {
		t.Errorf("slow: %s\nwant %s", got, want)
	}
	<-begun
	api, err := NewHTTP(HTTPOptions{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	if _, err := (&Reader{API: api}).Index(ctx, "shop", hour()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestCredentials looks at what the server gets.
func TestCredentials(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		answer(200, "application/json", `{"status":"success","data":[]}`)(w, r)
	}))
	defer server.Close()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), secret)
	write(t, filepath.Join(dir, "http.yml"), "authorization: {credentials_file: token}\n")
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:p@ss"))
	for _, c := range []struct {
		options HTTPOptions
		want    string
	}{
		{HTTPOptions{URL: server.URL}, ""},
		{HTTPOptions{URL: strings.Replace(server.URL, "//", "//me:p%40ss@", 1)}, basic},
		{HTTPOptions{URL: server.URL, ConfigFile: filepath.Join(dir, "http.yml")}, "Bearer " + secret},
		{HTTPOptions{URL: server.URL, Headers: []string{"authorization:  Token x", "X-Scope-OrgID: a:b"}}, "Token x"},
	} {
		api, err := NewHTTP(c.options)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (&Reader{API: api}).Namespaces(t.Context(), hour()); err != nil {
			t.Fatal(err)
		}
		if a := got.Header.Get("Authorization"); a != c.want || got.UserAgent() != "rightsize" {
			t.Errorf("%v: Authorization %q, User-Agent %q, want %q", c.options, a, got.UserAgent(), c.want)
		}
		if len(c.options.Headers) == 2 && got.Header.Get("X-Scope-OrgID") != "a:b" {
			t.Errorf("headers %v", got.Header)
		}
		if api.String() != server.URL {
			t.Errorf("address %s, want %s", api, server.URL)
		}
	}
}

// TestRedirectKeepsCredentials checks that another host never sees them.
func TestRedirectKeepsCredentials(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") }))
	defer other.Close()
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	server := httptest.NewServer(http.RedirectHandler(elsewhere, http.StatusTemporaryRedirect))
	defer server.Close()
	got := readFrom(t, HTTPOptions{URL: server.URL, Headers: []string{"X-Key: " + secret}}, 0)
	if !strings.Contains(got, "it redirects to "+elsewhere) {
		t.Errorf("redirect: %s", got)
	}
}

func TestInvalidOptions(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		write(t, path, content)
		return path
	}
	const url = "http://localhost:9090"
	const wantURL = ": want http:// or https:// with a host, such as http://localhost:9090"
	for _, c := range []struct {
		options HTTPOptions
		want    string
	}{
		{HTTPOptions{}, `invalid --prometheus-url ""` + wantURL},
		{HTTPOptions{URL: "localhost:9090"}, `invalid --prometheus-url "localhost:9090"` + wantURL},
		{HTTPOptions{URL: "ftp://host"}, `invalid --prometheus-url "ftp://host"` + wantURL},
		{HTTPOptions{URL: "http://:9090"}, `invalid --prometheus-url "http://:9090"` + wantURL},
		{HTTPOptions{URL: "http://me:" + secret + "@host:port"}, `invalid --prometheus-url` + wantURL},
		{HTTPOptions{URL: "me:" + secret + "@host"}, `invalid --prometheus-url` + wantURL},
		{HTTPOptions{URL: url, Headers: []string{"A: b", secret}}, `invalid --header (number 2): want "Name: value"`},
		{HTTPOptions{URL: url, Headers: []string{"A b: " + secret}}, `invalid --header (number 1): want "Name: value"`},
		{HTTPOptions{URL: url, Headers: []string{"A: x\n" + secret}}, `invalid --header "A": its value has a control character`},
		{HTTPOptions{URL: url, ConfigFile: filepath.Join(dir, "none")}, "reading --prometheus-config: open DIR/none: no such file or directory"},
		{HTTPOptions{URL: url, ConfigFile: file("key", "follow_redirects: true\nbasic_auht: {password: "+secret+"}\n")}, "reading --prometheus-config DIR/key: line 2: field basic_auht not found"},
		{HTTPOptions{URL: url, ConfigFile: file("type", "basic_auth: "+secret+"\n")}, "reading --prometheus-config DIR/type: line 1: cannot unmarshal !!str"},
		{HTTPOptions{URL: url, ConfigFile: file("two", "bearer_token: "+secret+"\nbasic_auth: {username: a, password: "+secret+"}\n")}, "reading --prometheus-config DIR/two: at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured"},
		{HTTPOptions{URL: url, ConfigFile: file("ca", "tls_config: {ca_file: ca.pem}\n")}, "reading --prometheus-config DIR/ca: unable to read CA cert: unable to read file DIR/ca.pem: open DIR/ca.pem: no such file or directory"},
		{HTTPOptions{URL: "http://me:" + secret + "@host", ConfigFile: file("both", "basic_auth: {username: a, password: b}\n")}, "credentials are both in --prometheus-url and in --prometheus-config DIR/both: leave out one"},
	} {
		_, err := NewHTTP(c.options)
		if err == nil {
			t.Errorf("NewHTTP: no error, want %s", c.want)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the secret is in %s", err)
		}
		if got := strings.ReplaceAll(err.Error(), dir, "DIR"); got != c.want {
			t.Errorf("NewHTTP: %s\nwant %s", got, c.want)
		}
	}
	if _, err := NewHTTP(HTTPOptions{URL: url, ConfigFile: file("empty", "\n")}); err != nil {
		t.Errorf("an empty configuration file: %v", err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
