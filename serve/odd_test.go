package serve

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// raw is the status and the header of the answer to what no client of Go would send. The connection is closed.
func raw(t *testing.T, address, request string) (int, http.Header) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%.100q: %v", request, err)
	}
	if err := resp.Body.Close(); err != nil { // reads it
		t.Fatalf("%.100q: %v", request, err)
	}
	return resp.StatusCode, resp.Header
}

// Whatever is asked for, and however, the answer is what is there or that there is nothing, never elsewhere.
func TestOddRequests(t *testing.T) {
	s := start(t, "http", server(finds(found(t))))
	eventually(t, "it is ready", func() bool { return status(t, s.url+"/health/ready") == 200 })
	address := strings.TrimPrefix(s.url, "http://")
	for _, c := range []struct {
		method, target string
		want           int
		location       string
	}{
		{"GET", "/../../etc/passwd", 307, "/etc/passwd"},
		{"GET", "//evil.example/", 307, "/evil.example/"},
		{"GET", "/%5cevil.example/..", 307, "/"},
		{"GET", "/static/..%2f..%2fmetrics", 404, ""},
		{"GET", "/static/", 404, ""},
		{"GET", "/pages/layout.html", 404, ""},
		{"GET", "/health/%2e%2e/metrics", 404, ""},
		{"GET", "/namespaces/shop%2F..%2Fblog", 404, ""},
		{"GET", "/namespaces/%00", 404, ""},
		{"GET", "/namespaces/%zz", 400, ""},
		{"GET", "/%0d%0aSet-Cookie:%20a=b", 404, ""},
		{"GET", "/api/v1/patch/shop/deployment/..%2f%22%0d%0aX-Evil:1", 404, ""},
		{"GET", "http://evil.example/health/live", 200, ""},
		{"GET", "*", 400, ""},
		{"HEAD", "/", 200, ""},
		{"OPTIONS", "*", 405, ""},
		{"OPTIONS", "/", 405, ""},
		{"TRACE", "/", 405, ""},
		{"CONNECT", "evil.example:80", 405, ""},
		{"POST", "/api/v1/report", 405, ""},
		{"BREW", "/", 405, ""},
	} {
		code, header := raw(t, address, c.method+" "+c.target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if code != c.want || header.Get("Location") != c.location {
			t.Errorf("%s %s gives %d %q, want %d %q", c.method, c.target, code, header.Get("Location"), c.want, c.location)
		}
		if header.Get("Set-Cookie")+header.Get("X-Evil") != "" {
			t.Errorf("%s %s sets headers: %v", c.method, c.target, header)
		}
		if c.target != "/namespaces/%zz" && header.Get("Content-Security-Policy") == "" { // which net/http refuses by itself
			t.Errorf("%s %s has no policy", c.method, c.target)
		}
		if c.want == 405 && header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s allows %q", c.method, c.target, header.Get("Allow"))
		}
	}
}

// A client that does not come to an end is cut off, and one that sends what is never read is answered first.
func TestSlowHeaders(t *testing.T) {
	s := start(t, "http", server(finds(found(t))))
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(c); err != nil || strings.Contains(string(text), "200 OK") {
		t.Errorf("headers without an end: %q, %v", text, err)
	}
	code, _ := raw(t, strings.TrimPrefix(s.url, "http://"), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
	if code != http.StatusMethodNotAllowed {
		t.Errorf("a body that does not come: %d", code)
	}
}

// A filter that cannot be read is refused, rather than all of the report shown as if it were what was asked for.
func TestParametersThatCannotBeRead(t *testing.T) {
	s := scanned(t, finds(found(t)))
	many := strings.Repeat("&namespace=a", 10_001)[1:] // net/url reads no more than 10,000
	for _, query := range []string{"namespace=%zz", "namespace=shop;only=cpu", many, "namespace=shop&%"} {
		for _, path := range []string{"/", "/namespaces/shop", "/api/v1/report", "/api/v1/recommendations/shop/deployment/api"} {
			if w := get(s, path+"?"+query); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "reading the parameters") {
				t.Errorf("%s?%.40s gives %d %.200s", path, query, w.Code, w.Body)
			}
		}
	}
}

// What the path names is not named again, and where there is nothing to choose nothing is chosen: the answer would be to
// another question than was asked.
func TestParametersThatDoNotBelong(t *testing.T) {
	s := scanned(t, finds(found(t)))
	for _, path := range []string{
		"/namespaces/shop?namespace=blog", "/api/v1/recommendations/shop/deployment/api?namespace=blog", "/api/v1/recommendations/shop/deployment/api?kind=job",
		"/api/v1/recommendations/shop/deployment/api?workload=web", "/workloads/shop/deployment/api?only=cpu", "/workloads/shop/deployment/api?x=y", "/workloads/shop/deployment/api?%zz",
		"/api/v1/patch/shop/deployment/api?container=api",
	} {
		wantStatus(t, s, path, http.StatusBadRequest)
	}
	for _, path := range []string{"/namespaces/shop?namespace=&kind=deployment", "/api/v1/recommendations/shop/deployment/api?container=api&only=cpu", "/workloads/shop/deployment/api?", "/health/live?x=1"} {
		wantStatus(t, s, path, http.StatusOK)
	}
}

// What a client does not accept it does not get, and errors read the same compressed.
func TestEncodings(t *testing.T) {
	f := found(t)
	s := scanned(t, finds(f))
	for accepts, want := range map[string]string{"": "", "identity": "", "gzip": "gzip", "gzip;q=0": "", "br": "", "zstd": "zstd", "br, gzip;q=0.5": "gzip", "*;q=0": ""} {
		w := get(s, "/api/v1/report", "Accept-Encoding", accepts)
		if got := w.Header().Get("Content-Encoding"); w.Code != 200 || got != want {
			t.Errorf("who accepts %q gets %d %q, want %q", accepts, w.Code, got, want)
		}
		if !strings.Contains(w.Header().Get("Vary"), "Accept-Encoding") {
			t.Errorf("who accepts %q: Vary is %q", accepts, w.Header().Get("Vary"))
		}
	}
	tag := get(s, "/api/v1/report").Header().Get("ETag")
	w := get(s, "/api/v1/report", "Accept-Encoding", "gzip", "If-None-Match", tag)
	if w.Code != http.StatusNotModified || w.Body.Len() > 0 || w.Header().Get("Content-Encoding") != "" || w.Header().Get("ETag") != tag {
		t.Errorf("304 with gzip: %d %v, %d bytes", w.Code, w.Header(), w.Body.Len())
	}
	for i := range 200 {
		f.Report.Items[i%len(f.Report.Items)].ID.Namespace = "shop"
	}
	many := f.Report.Items
	for i := range 100 {
		item := many[0]
		item.ID.Workload = fmt.Sprintf("workload-%d", i)
		f.Report.Items = append(f.Report.Items, item)
	}
	w = get(scanned(t, finds(f)), "/api/v1/recommendations/shop/deployment/none", "Accept-Encoding", "gzip")
	if w.Code != 404 || w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("a long 404: %d %v", w.Code, w.Header())
	}
}

// So many scrapes are answered at once, each of which holds all series, and no more.
func TestScrapesAtOnce(t *testing.T) {
	s := scanned(t, finds(found(t)))
	handler := s.Handler()
	slow := make(chan struct{})
	var all, begun sync.WaitGroup
	for range mostAtOnce {
		begun.Add(1)
		all.Go(func() {
			w := &slowWriter{ResponseRecorder: httptest.NewRecorder(), begun: begun.Done, reads: slow}
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		})
	}
	begun.Wait()
	if w := get(s, "/health/ready"); w.Code != 200 {
		t.Errorf("a probe meanwhile: %d", w.Code)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("one more: %d", w.Code)
	}
	close(slow)
	all.Wait()
}

// slowWriter is of a client that does not read yet.
type slowWriter struct {
	*httptest.ResponseRecorder
	once  sync.Once
	begun func()
	reads chan struct{}
}

// Write implements io.Writer.
func (w *slowWriter) Write(p []byte) (int, error) {
	w.once.Do(w.begun)
	<-w.reads
	return w.ResponseRecorder.Write(p)
}
