package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/kustomize/kyaml/kio"

	"github.com/rightsize/rightsize/testdata/promserver"
	"github.com/rightsize/rightsize/testdata/shop"
)

// TestServe runs the real binary as a service, in front of a real Prometheus's API and an API server that lists the demo's
// shop.
func TestServe(t *testing.T) {
	demo := filepath.Join(t.TempDir(), "demo")
	if _, err := shop.Build(t.Context(), demo); err != nil {
		t.Fatal(err)
	}
	prometheus, err := promserver.Open(filepath.Join(demo, "tsdb"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := world{prometheus: prometheus, cluster: shopServer(t, demo)}
	t.Run("secrets", func(t *testing.T) { testServeKeepsSecrets(t, w) })
	t.Run("one namespace", func(t *testing.T) { testServeOneNamespace(t, w) })
	t.Run("faults", func(t *testing.T) { testServeFaults(t, w) })
	t.Run("held out", func(t *testing.T) { testServeHeldOut(t, w) })
	t.Run("second signal", func(t *testing.T) { testServeSecondSignal(t, w) })
	plain := buildPlain(t) // the detector of races multiplies what is measured
	t.Run("load", func(t *testing.T) { testServeLoad(t, w, plain) })
	t.Run("soak", func(t *testing.T) { testServeSoak(t, w, plain) })
	if err := prometheus.Close(); err != nil {
		t.Error(err)
	}
}

// buildPlain builds the command as it is shipped.
func buildPlain(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rightsize")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	return path
}

// world is what a service is in front of.
type world struct {
	prometheus http.Handler
	cluster    http.Handler
}

// breakable is a server that can be stopped and started again at the same address.
type breakable struct {
	handler http.Handler
	tls     bool
	address string
	server  *httptest.Server
}

func (b *breakable) start(t *testing.T) {
	t.Helper()
	if b.address == "" {
		b.address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	b.address = l.Addr().String()
	b.server = &httptest.Server{Listener: l, Config: &http.Server{Handler: b.handler, ReadHeaderTimeout: time.Minute}}
	if b.tls {
		b.server.StartTLS()
		return
	}
	b.server.Start()
}

func (b *breakable) stop() {
	b.server.CloseClientConnections()
	b.server.Close()
}

// shopServer is as much of an API server as a scan lists. It wants a token.
func shopServer(t *testing.T, demo string) http.Handler {
	t.Helper()
	nodes, err := kio.LocalPackageReader{PackagePath: filepath.Join(demo, "manifests"), OmitReaderAnnotations: true}.Read()
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string][]json.RawMessage{}
	for _, n := range nodes {
		if err := n.SetNamespace("shop"); err != nil {
			t.Fatal(err)
		}
		text, err := n.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		objects[n.GetKind()] = append(objects[n.GetKind()], text)
	}
	kinds := map[string]string{
		"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "replicasets": "ReplicaSet", "cronjobs": "CronJob", "jobs": "Job",
		"pods": "Pod", "limitranges": "LimitRange", "horizontalpodautoscalers": "HorizontalPodAutoscaler", "resourcequotas": "ResourceQuota", "nodes": "Node", "namespaces": "Namespace",
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		kind := kinds[parts[len(parts)-1]]
		version := parts[1]
		if parts[0] == "apis" {
			version = strings.Join(parts[1:min(3, len(parts))], "/")
		}
		switch {
		case r.Header.Get("Authorization") != "Bearer "+clusterToken:
			refuse(w, http.StatusUnauthorized, "who are you?")
		case kind == "":
			refuse(w, http.StatusNotFound, "there is no "+r.URL.Path)
		default:
			items := objects[kind]
			if items == nil {
				items = []json.RawMessage{}
			}
			reply(w, http.StatusOK, map[string]any{"kind": kind + "List", "apiVersion": version, "metadata": map[string]any{}, "items": items})
		}
	})
}

// served is a rightsize serve under way.
type served struct {
	cmd    *exec.Cmd
	url    string
	log    *lockedBuffer
	exited chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startService runs rightsize serve in front of the servers, on a port of its own choice. It is stopped when the test ends.
func startService(t *testing.T, prometheus string, cluster *breakable, env []string, args ...string) *served {
	t.Helper()
	return startBinary(t, "rightsize", prometheus, cluster, env, args...)
}

func startBinary(t *testing.T, binary, prometheus string, cluster *breakable, env []string, args ...string) *served {
	t.Helper()
	args = append([]string{
		"serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--shutdown-delay", "0", "--prometheus-url", prometheus,
		"--until", shop.Until.Format(time.RFC3339),
	}, args...)
	s := &served{cmd: exec.Command(binary, args...), log: &lockedBuffer{}, exited: make(chan struct{})}
	s.cmd.Env = append(append(os.Environ(), "KUBECONFIG="+kubeconfigOf(t, cluster), "NO_PROXY=127.0.0.1"), env...)
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // the state is looked at where it matters
		close(s.exited)
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.exited
		if t.Failed() {
			text := s.log.String()
			t.Logf("its log ends with\n%s", text[max(0, len(text)-4000):])
		}
	})
	listening := regexp.MustCompile(`"msg":"listening","address":"([^"]+)"`)
	eventually(t, "it listens", func() bool { return listening.MatchString(s.log.String()) })
	s.url = "http://" + listening.FindStringSubmatch(s.log.String())[1]
	return s
}

func kubeconfigOf(t *testing.T, cluster *breakable) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cluster.server.Certificate().Raw})
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: cluster.server.URL, CertificateAuthorityData: authority}
	config.AuthInfos["me"] = &clientcmdapi.AuthInfo{Token: clusterToken}
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "me", Namespace: "shop"}
	config.CurrentContext = "c"
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within two minutes", what)
		}
	}
}

// get is the status and the text of an answer; 0 where there is none.
func (s *served) get(path string) (int, string) {
	resp, err := http.Get(s.url + path)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// metric is the sum of a metric's series, 0 where it has none. labels is a part of what is between the braces.
func (s *served) metric(name, labels string) (sum float64) {
	_, text := s.get("/metrics")
	for line := range strings.Lines(text) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if base, rest, _ := strings.Cut(series, "{"); base != name || !strings.Contains(rest, labels) {
			continue
		}
		if x, err := strconv.ParseFloat(value, 64); err == nil {
			sum += x
		}
	}
	return sum
}

func (s *served) ready() bool { code, _ := s.get("/health/ready"); return code == http.StatusOK }

// end sends a signal and returns the exit code.
func (s *served) end(t *testing.T, signals ...syscall.Signal) int {
	t.Helper()
	for _, signal := range signals {
		if err := s.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-s.exited:
	case <-time.After(2 * time.Minute):
		t.Fatal("it has not ended within two minutes")
	}
	return s.cmd.ProcessState.ExitCode()
}

// servers are both that a service asks, started.
func (w world) servers(t *testing.T) (prometheus, cluster *breakable) {
	t.Helper()
	prometheus, cluster = &breakable{handler: w.prometheus}, &breakable{handler: w.cluster, tls: true}
	for _, b := range []*breakable{prometheus, cluster} {
		b.start(t)
		t.Cleanup(b.stop)
	}
	return prometheus, cluster
}

func (b *breakable) url() string { return "http://" + b.address + promserver.Prefix }

// A password in the address, parameters, tokens and headers are in no page, no metric, no line of the log and no span, also
// where servers repeat what they were sent.
func testServeKeepsSecrets(t *testing.T, w world) {
	spans := &lockedBuffer{}
	collector := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(spans, r.Body); err == nil {
			http.Error(rw, "not with "+r.Header.Get("X-Key"), http.StatusForbidden)
		}
	}))
	defer collector.Close()
	var wrong atomic.Bool
	w.prometheus = lockedWhile(&wrong, w.prometheus)
	prometheus, cluster := w.servers(t)
	address := "http://reader:s3cret-word@" + prometheus.address + promserver.Prefix + "?token=par4meter-word"
	s := startService(t, address, cluster, []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_EXPORTER_OTLP_HEADERS=x-key=c0llector-word", "OTEL_BSP_SCHEDULE_DELAY=100",
	}, "--header", "X-Own: he4der-word", "--interval", "300ms", "--timeout", "10s")
	eventually(t, "it is ready", s.ready)
	wrong.Store(true)
	eventually(t, "a scan has failed", func() bool { return s.metric("rightsize_scan_failures_total", "") > 0 })
	eventually(t, "spans were sent", func() bool {
		return strings.Contains(spans.String(), "prometheus POST") && strings.Contains(spans.String(), "kubernetes GET")
	})
	eventually(t, "the collector's answer is logged", func() bool { return strings.Contains(s.log.String(), "traces: ") })
	for _, path := range []string{"/", "/namespaces/shop", "/workloads/shop/deployment/api", "/api/v1/report", "/metrics", "/health/ready", "/api/v1/patch/shop/deployment/api", "/nothing"} {
		_, text := s.get(path)
		wantNoSecrets(t, path, text)
	}
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
	wantNoSecrets(t, "the log", s.log.String())
	wantNoSecrets(t, "the spans", spans.String())
	if !strings.Contains(s.log.String(), "wrong password") {
		t.Error("the log does not say what the server said")
	}
}

// lockedWhile wants the password, and refuses it while wrong.
func lockedWhile(wrong *atomic.Bool, h http.Handler) http.Handler {
	open := locked(h)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); wrong.Load() {
			http.Error(rw, "wrong password "+password+" "+r.URL.RawQuery+" "+r.Header.Get("X-Own"), http.StatusUnauthorized)
			return
		}
		open.ServeHTTP(rw, r)
	})
}

func wantNoSecrets(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range []string{"s3cret-word", "par4meter-word", "he4der-word", "c0llector-word", clusterToken, base64.StdEncoding.EncodeToString([]byte("reader:s3cret-word"))} {
		if strings.Contains(text, secret) {
			t.Errorf("%s has %s", what, secret)
		}
	}
}

// With a namespace nothing of others is shown, not as a hint either.
func testServeOneNamespace(t *testing.T, w world) {
	prometheus, cluster := w.servers(t)
	hints := []string{"shop"} // what the demo has usage of
	for _, c := range []struct {
		args []string
		says bool
	}{{[]string{"-n", "empty"}, false}, {[]string{"-A"}, true}} {
		manifest := filepath.Join(t.TempDir(), "empty.yaml")
		const text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: empty}\nspec: {template: {spec: {containers: [{name: app}]}}}\n"
		if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := startService(t, prometheus.url(), cluster, nil, append(c.args, "-f", manifest)...)
		eventually(t, "it is ready", s.ready)
		said := false
		for _, path := range []string{"/", "/workloads/empty/deployment/web", "/api/v1/report", "/metrics", "/health/ready", "/namespaces/nope", "/api/v1/recommendations/nope/a/b"} {
			_, text := s.get(path)
			said = said || strings.Contains(text, hints[0])
		}
		if said != c.says {
			t.Errorf("%q: it names another namespace: %t", c.args, said)
		}
		if code := s.end(t, os.Interrupt.(syscall.Signal)); code != 0 {
			t.Errorf("exit %d", code)
		}
	}
}

// Prometheus and then the API server stop in the middle of a scan. The last good page stays, with its age and what is
// wrong, and it stays ready; when they are back it goes on by itself.
func testServeFaults(t *testing.T, w world) {
	var armed atomic.Pointer[func()]
	trip := func(h http.Handler, part string) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if f := armed.Load(); f != nil && strings.Contains(r.URL.Path, part) && armed.CompareAndSwap(f, nil) {
				(*f)()
			}
			h.ServeHTTP(rw, r)
		})
	}
	cutting := map[string]string{"prometheus": "/query_range", "kubernetes": "/deployments"}
	w.prometheus, w.cluster = trip(w.prometheus, cutting["prometheus"]), trip(w.cluster, cutting["kubernetes"])
	prometheus, cluster := w.servers(t)
	s := startService(t, prometheus.url(), cluster, nil, "--interval", "200ms", "--timeout", "15s", "--request-timeout", "5s", "deployment/api")
	eventually(t, "it is ready", s.ready)
	for name, b := range map[string]*breakable{"prometheus": prometheus, "kubernetes": cluster} {
		stopped := make(chan struct{})
		stop := func() {
			go func() { b.stop(); close(stopped) }()
			<-time.After(50 * time.Millisecond) // the listener is closed at once, the rest waits for us
		}
		armed.Store(&stop)
		<-stopped
		before := s.metric("rightsize_scan_failures_total", "")
		eventually(t, name+": scans fail", func() bool { return s.metric("rightsize_scan_failures_total", "") > before })
		if code, page := s.get("/"); code != 200 || !strings.Contains(page, "deployment/api") || !strings.Contains(page, " old. ") || !strings.Contains(page, "The last scan, at ") {
			t.Errorf("%s is gone: the page is %d %s", name, code, page)
		}
		code, body := s.get("/health/ready")
		if code != 200 || !strings.Contains(body, `"name":"`+name+`","ok":false,"required":false`) {
			t.Errorf("%s is gone: readiness is %d %s", name, code, body)
		}
		first := s.metric("rightsize_report_age_seconds", "")
		if second := s.metric("rightsize_report_age_seconds", ""); second <= first {
			t.Errorf("%s is gone: the age is %v and then %v", name, first, second)
		}
		if code, _ := s.get("/health/live"); code != 200 {
			t.Errorf("%s is gone: it is not alive: %d", name, code)
		}
		b.start(t)
		eventually(t, name+" is back: it recovers", func() bool {
			_, page := s.get("/")
			return s.ready() && !strings.Contains(page, `class="alert"`)
		})
	}
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// A second signal ends it at once, whatever the first one waits for.
func testServeSecondSignal(t *testing.T, w world) {
	prometheus, cluster := w.servers(t)
	s := startService(t, prometheus.url(), cluster, nil, "--shutdown-delay", "1h")
	eventually(t, "it is ready", s.ready)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is not ready", func() bool { code, _ := s.get("/health/ready"); return code == http.StatusServiceUnavailable })
	if code, _ := s.get("/"); code != 200 {
		t.Errorf("the page while it is stopping: %d", code)
	}
	if code := s.end(t, syscall.SIGTERM); code != 143 {
		t.Errorf("exit %d, want 143", code)
	}
}

// Under 100 requests a second for 30 seconds, while it scans, nothing fails and its memory stays.
func testServeLoad(t *testing.T, w world, binary string) {
	prometheus, cluster := w.servers(t)
	s := startBinary(t, binary, prometheus.url(), cluster, nil, "--interval", "1s")
	eventually(t, "it is ready", s.ready)
	const perSecond, seconds = 100, 30
	paths := []string{"/", "/namespaces/shop?only=memory", "/workloads/shop/deployment/api", "/api/v1/report", "/api/v1/report?top=3", "/api/v1/recommendations/shop/deployment/web", "/api/v1/patch/shop/deployment/api", "/metrics", "/health/ready", "/?q=web"}
	var wrong atomic.Int64
	var requests sync.WaitGroup
	ticker, began := time.NewTicker(time.Second/perSecond), time.Now()
	defer ticker.Stop()
	var early, late uint64
	for i := range perSecond * seconds {
		<-ticker.C
		requests.Go(func() {
			if code, text := s.get(paths[i%len(paths)]); code != 200 && wrong.Add(1) == 1 {
				t.Errorf("%s gives %d %s", paths[i%len(paths)], code, text)
			}
		})
		switch size := residentMemory(t, s.cmd.Process.Pid); {
		case i%perSecond != 0:
		case i < perSecond*seconds/3:
			early = max(early, size)
		case i > perSecond*seconds*2/3:
			late = max(late, size)
		}
	}
	requests.Wait()
	took := time.Since(began)
	scans := s.metric("rightsize_scans_total", `"complete"`)
	failures := s.metric("rightsize_scan_failures_total", "")
	if wrong.Load() > 0 || scans < 3 || failures > 0 {
		t.Errorf("%d of %d requests went wrong; %v scans, %v failures", wrong.Load(), perSecond*seconds, scans, failures)
	}
	if late > early*13/10 {
		t.Errorf("resident memory grew from %d to %d bytes", early, late)
	}
	t.Logf("%d requests in %s, %v scans, resident memory at most %d MiB in the first third and %d MiB in the last", perSecond*seconds, took.Round(time.Second), scans, early>>20, late>>20)
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// residentMemory is what Linux says of a process, in bytes.
func residentMemory(t *testing.T, pid int) uint64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseUint(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * uint64(os.Getpagesize())
}

// Two hundred scans leave no goroutine, no file descriptor and no memory behind.
func testServeSoak(t *testing.T, w world, binary string) {
	prometheus, cluster := w.servers(t)
	profiles := "127.0.0.1:" + freePort(t)
	s := startBinary(t, binary, prometheus.url(), cluster, nil, "--interval", "1ms", "--pprof", profiles, "--container", "api", "deployment/api")
	scans := func() float64 { return s.metric("rightsize_scans_total", `"complete"`) }
	usage := func() map[string]float64 {
		if resp, err := http.Get("http://" + profiles + "/debug/pprof/heap?gc=1"); err != nil {
			t.Fatal(err)
		} else if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		all := map[string]float64{}
		for _, name := range []string{"go_goroutines", "process_open_fds", "go_memstats_heap_alloc_bytes"} {
			all[name] = s.metric(name, "")
		}
		return all
	}
	least := func() map[string]float64 { // a scan is under way at any moment: the least of some moments is what stays
		all := usage()
		const moments, over = 20, 5 // of scans: on a busy machine one may outlast all the moments
		for n, begun := 1, scans(); n < moments || scans() < begun+over; n++ {
			for name, x := range usage() {
				all[name] = min(all[name], x)
			}
		}
		return all
	}
	const warm, more = 30, 200
	eventually(t, "it has warmed up", func() bool { return scans() >= warm })
	before, from := least(), scans()
	eventually(t, "it has scanned", func() bool { return scans() >= from+more })
	after := least()
	for name, allowed := range map[string]float64{"go_goroutines": before["go_goroutines"] + 3, "process_open_fds": before["process_open_fds"] + 3, "go_memstats_heap_alloc_bytes": before["go_memstats_heap_alloc_bytes"] * 1.15} {
		if before[name] == 0 || after[name] > allowed {
			t.Errorf("%s was %v and is %v after %d scans", name, before[name], after[name], more)
		}
	}
	t.Logf("before %v, after %v", before, after)
	if n := s.metric("rightsize_scan_failures_total", ""); n > 0 {
		t.Errorf("%v scans failed", n)
	}
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	u, err := url.Parse("http://" + deadAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}
