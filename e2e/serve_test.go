package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/recommender"
)

// served is the served report under way, as the container of an overlay's Deployment: with its files, its user, its
// environment, its arguments, and its account's token.
type served struct {
	*job
	variables  []string // of its environment
	process    *cluster.Process
	log        *lockedText
	url        string
	prometheus *breakable
	apiServer  *breakable
}

// lockedText is written by the process and read by the test.
type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String implements fmt.Stringer.
func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// inItsPlace are the arguments of a Deployment that would take a test too long, or a port that is not free, and what the test
// has for them.
func inItsPlace() map[string]string {
	return map[string]string{"--listen": "127.0.0.1:0", "--interval": "1s", "--shutdown-delay": "2s"}
}

// newServed is that of an overlay, whose rights it has until the test ends, and whose servers can be broken.
func newServed(t *testing.T, overlay string) *served {
	t.Helper()
	prepareServed(t)
	objects := deployed(t, overlay, "")
	awaitServedRights(t, objects)
	d := deploymentOf(t, objects)
	pod := &corev1.Pod{ObjectMeta: *d.Spec.Template.ObjectMeta.DeepCopy(), Spec: *d.Spec.Template.Spec.DeepCopy()}
	pod.Namespace = d.Namespace
	s := &served{job: jobOf(t, objects, pod), log: &lockedText{}}
	s.prometheus = breakableTo(t, strings.TrimPrefix(env.prometheus.URL(), "http://"))
	s.apiServer = breakableTo(t, strings.TrimPrefix(env.cluster.APIServerURL(), "https://"))
	variables, expand := s.environment(t)
	_, port, _ := strings.Cut(s.apiServer.address, ":")
	s.variables = append(variables, "PROMETHEUS_URL=http://"+s.prometheus.address, "KUBERNETES_SERVICE_PORT="+port)
	for i, arg := range s.container.Args {
		s.container.Args[i] = expand.Replace(arg)
		flag, _, _ := strings.Cut(arg, "=")
		if other, is := inItsPlace()[flag]; is {
			s.container.Args[i] = flag + "=" + other
		}
	}
	return s
}

// awaitServedRights applies the overlay's rights until the test ends, and waits until its account has them.
func awaitServedRights(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	d := deploymentOf(t, objects)
	want := rights(applyRights(t, objects).Rules)
	as := clientOf(t, d.Namespace, d.Spec.Template.Spec.ServiceAccountName)
	err := cluster.Eventually(context.Background(), time.Minute, func(ctx context.Context) error {
		got, err := mayDo(ctx, as, d.Namespace)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("it may %q, want %q", got, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// command is the container's with other arguments.
func (s *served) command(args ...string) *exec.Cmd {
	cmd := exec.Command("/rightsize", args...)
	cmd.Dir, cmd.Env = "/", s.variables
	cluster.Confine(cmd, s.root, int(*s.container.SecurityContext.RunAsUser))
	return cmd
}

// start runs the service with the Deployment's arguments, over the tests' window, and waits until it is ready. It is gone
// when the test ends.
func (s *served) start(t *testing.T) {
	t.Helper()
	cmd := s.command(append(slices.Clone(s.container.Args), atUntil()...)...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	var err error
	if s.process, err = env.cluster.Group().Begin(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.process.Kill()
		if text := s.log.String(); t.Failed() {
			t.Logf("its log ends with\n%s", text[max(0, len(text)-4000):])
		}
		noSecrets(t, result{stderr: s.log.String()})
		for line := range strings.Lines(s.log.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("a line of its log is no JSON: %s", line)
			}
		}
	})
	listening := regexp.MustCompile(`"msg":"listening","address":"([^"]+)"`)
	s.await(t, "it is ready", func() error {
		found := listening.FindStringSubmatch(s.log.String())
		if found == nil {
			return errors.New("it does not listen yet")
		}
		s.url = "http://" + found[1]
		return s.wantStatus("/health/ready", http.StatusOK)
	})
}

func (s *served) await(t *testing.T, what string, ask func() error) {
	t.Helper()
	if err := cluster.Eventually(context.Background(), 2*time.Minute, func(context.Context) error { return ask() }); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// get is the status and the text of an answer; 0 where there is none.
func (s *served) get(path string) (int, string) {
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(s.url + path)
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

func (s *served) wantStatus(path string, want int) error {
	if code, text := s.get(path); code != want {
		return fmt.Errorf("%s answers %d, want %d: %.500s", path, code, want, text)
	}
	return nil
}

// page is the text of what answers 200.
func (s *served) page(t *testing.T, path string) string {
	t.Helper()
	code, text := s.get(path)
	if code != http.StatusOK {
		t.Fatalf("%s answers %d: %.500s", path, code, text)
	}
	return text
}

// series are the values of a metric's series by their labels, as they are written.
func (s *served) series(t *testing.T, name string) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for line := range strings.Lines(s.page(t, "/metrics")) {
		at := strings.LastIndexByte(line, ' ')
		labels, is := strings.CutPrefix(line[:max(at, 0)], name)
		if !is || labels != "" && labels[0] != '{' {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		if err != nil {
			t.Fatal(err)
		}
		all[labels] = value
	}
	return all
}

// The served report, with the Deployment's arguments, files and rights, says what the command says with the same rights: as
// JSON, on its pages and in its metrics. It asks the API server for nothing that it may not ask for.
func TestServe(t *testing.T) {
	s := newServed(t, "serve")
	began := requestsOf(t, func() { s.start(t) })
	for _, r := range began {
		if r.Resource != "" && (r.Code != 200 || r.Verb != "list") {
			t.Errorf("it asked for %s %s and got %d", r.Verb, r.URI, r.Code)
		}
	}
	if len(began) == 0 {
		t.Error("the audit log has nothing of it")
	}
	var stdout bytes.Buffer
	cmd := s.command(slices.Concat([]string{"--all-namespaces", "-o", "json"}, atUntil())...)
	cmd.Stdout = &stdout
	if usage, err := env.cluster.Group().Measure(cmd); err != nil || usage.ExitCode != 0 {
		t.Fatalf("the command: exit %d, %v", usage.ExitCode, err)
	}
	var want report
	text := s.page(t, "/api/v1/report")
	t.Run("as JSON", func(t *testing.T) {
		if diff := cmp.Diff(fields(t, stdout.String()), fields(t, text)); diff != "" {
			t.Errorf("it differs from what the command prints (-):\n%s", diff)
		}
	})
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Warnings) > 0 {
		t.Errorf("it warns of %q", want.Warnings)
	}
	t.Run("on pages", func(t *testing.T) { s.wantPages(t, want) })
	t.Run("in metrics", func(t *testing.T) { s.wantGauges(t, want) })
	if problems, err := promlint.New(strings.NewReader(s.page(t, "/metrics"))).Lint(); err != nil || len(ours(problems)) > 0 {
		t.Errorf("promlint: %v %v", ours(problems), err)
	}
	t.Run("at its end", func(t *testing.T) { s.wantEnd(t) })
}

// fields are a report's, each as Go has it.
func fields(t *testing.T, text string) (all map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("reading the report: %v\n%.2000s", err, text)
	}
	return all
}

func ours(problems []promlint.Problem) []promlint.Problem {
	return slices.DeleteFunc(problems, func(p promlint.Problem) bool { return !strings.HasPrefix(p.Metric, "rightsize_") })
}

// wantPages looks for each container's numbers on the page of its namespace and on its workload's.
func (s *served) wantPages(t *testing.T, want report) {
	t.Helper()
	overview := s.page(t, "/")
	for _, c := range want.Containers {
		if !strings.Contains(overview, `<a href="/namespaces/`+c.Namespace+`">`) {
			t.Errorf("the first page does not lead to namespace %s", c.Namespace)
		}
		workload := "/workloads/" + c.Namespace + "/" + strings.ToLower(c.Kind) + "/" + c.Workload
		for _, path := range []string{"/namespaces/" + c.Namespace, workload} {
			page := s.page(t, path)
			for r, name := range []string{"cpu", "memory"} {
				row := regexp.MustCompile(`(?s)<a href="` + regexp.QuoteMeta(workload) + `">[^\n]*<bdi>` + regexp.QuoteMeta(c.Container) + `( \([a-z]+\))?</bdi></td><td>` + name + `</td>[^\n]*`).FindString(page)
				for _, b := range []amount{c.Resources[name].Recommended.Request, c.Resources[name].Recommended.Limit} {
					if number := recommender.Resource(r).Quantity(b.Amount); b.State == "set" && !strings.Contains(row, number) {
						t.Errorf("%s: %s of %s is not %s: %q", path, name, c.name(), number, row)
					}
				}
			}
		}
	}
}

// wantGauges compares the recommendations' series with the report: none is missing, and there is no other.
func (s *served) wantGauges(t *testing.T, want report) {
	t.Helper()
	requests, limits := map[string]float64{}, map[string]float64{}
	for _, c := range want.Containers {
		for name, a := range c.Resources {
			labels := fmt.Sprintf(`{container=%q,namespace=%q,resource=%q,workload=%q,workload_kind=%q}`, c.Container, c.Namespace, name, c.Workload, c.Kind)
			if a.Recommended.Request.State == "set" {
				requests[labels] = a.Recommended.Request.Amount
			}
			if a.Recommended.Limit.State == "set" {
				limits[labels] = a.Recommended.Limit.Amount
			}
		}
	}
	if diff := cmp.Diff(requests, s.series(t, "rightsize_recommended_request")); diff != "" {
		t.Errorf("requests differ from the report (-):\n%s", diff)
	}
	if diff := cmp.Diff(limits, s.series(t, "rightsize_recommended_limit")); diff != "" {
		t.Errorf("limits differ from the report (-):\n%s", diff)
	}
}

// wantEnd ends it as a kubelet does: it is not ready at once, serves on for --shutdown-delay, and its exit code is 0.
func (s *served) wantEnd(t *testing.T) {
	t.Helper()
	code := make(chan int, 1)
	go func() { code <- s.process.Terminate(time.Minute) }()
	s.await(t, "it is not ready", func() error { return s.wantStatus("/health/ready", http.StatusServiceUnavailable) })
	for _, path := range []string{"/", "/health/live", "/metrics"} {
		if err := s.wantStatus(path, http.StatusOK); err != nil {
			t.Errorf("while it stops: %v", err)
		}
	}
	if got := <-code; got != 0 {
		t.Errorf("exit %d", got)
	}
}

// Prometheus and then the API server break off in the middle of their answers. The last good report stays, with its age
// and what failed; once they are back, it recovers by itself.
func TestServeOutlivesItsServers(t *testing.T) {
	s := newServed(t, "serve")
	s.start(t)
	for _, c := range []struct {
		name  string
		b     *breakable
		after int
	}{{"prometheus", s.prometheus, 20_000}, {"kubernetes", s.apiServer, 10_000}} {
		t.Run(c.name, func(t *testing.T) {
			failures := s.series(t, "rightsize_scan_failures_total")
			c.b.stopAfter(c.after)
			reason := `{reason="` + c.name + `"}`
			s.await(t, "a scan fails", func() error {
				if n := s.series(t, "rightsize_scan_failures_total")[reason]; n < failures[reason]+1 {
					return fmt.Errorf("%v have failed for this reason, and %v before", n, failures[reason])
				}
				return nil
			})
			s.wantOldReport(t, c.name)
			c.b.start()
			s.await(t, "it recovers", func() error {
				if page := s.page(t, "/"); strings.Contains(page, `class="alert"`) {
					return fmt.Errorf("the page is still alarmed: %s", alarms(page))
				}
				return nil
			})
			if code, body := s.get("/health/ready"); code != http.StatusOK || strings.Contains(body, `"ok":false`) {
				t.Errorf("it has recovered, and readiness is %d %s", code, body)
			}
		})
	}
	if got := s.process.Terminate(time.Minute); got != 0 {
		t.Errorf("exit %d", got)
	}
}

func alarms(page string) []string {
	return regexp.MustCompile(`class="alert"[^<]*<`).FindAllString(page, -1)
}

// wantOldReport looks at what is served while a server is gone.
func (s *served) wantOldReport(t *testing.T, gone string) {
	t.Helper()
	page := s.page(t, "/namespaces/shop")
	t.Log(alarms(page)) // what a person reads
	for _, part := range []string{"deployment/web", " old. ", "The last scan, at ", " failed (" + gone + "): ", "this page shows the last good report)"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not have %q", part)
		}
	}
	code, body := s.get("/health/ready")
	if code != http.StatusOK || !strings.Contains(body, `"name":"`+gone+`","ok":false,"required":false`) {
		t.Errorf("readiness is %d %s", code, body)
	}
	if err := s.wantStatus("/health/live", http.StatusOK); err != nil {
		t.Error(err)
	}
	first := s.series(t, "rightsize_report_age_seconds")[""]
	if second := s.series(t, "rightsize_report_age_seconds")[""]; second <= first || first <= 0 {
		t.Errorf("the report's age is %v and then %v", first, second)
	}
}

// Where it serves one namespace, nothing of another can be seen, not even its name. Its rights end there too.
func TestServeOneNamespace(t *testing.T) {
	s := newServed(t, "serve-namespace")
	s.start(t)
	others := regexp.MustCompile(`\b(kinds|kube-system|api-template|pooled)\b`)
	paths := []string{
		"/", "/namespaces/shop", "/namespaces/kinds", "/workloads/kinds/deployment/web", "/workloads/shop/deployment/web", "/?namespace=kinds", "/?q=kinds",
		"/api/v1/report", "/api/v1/report?namespace=kinds", "/api/v1/recommendations/kinds/deployment/web", "/api/v1/patch/kinds/deployment/web",
		"/metrics", "/health/ready", "/elsewhere",
	}
	for _, path := range paths {
		code, text := s.get(path)
		own := strings.NewReplacer(path, "", strings.ReplaceAll(path, "&", "&amp;"), "") // what was asked for may be repeated
		text = own.Replace(text)
		for _, repeated := range []string{"namespace kinds", "namespace=kinds", `"kinds"`, "namespaces/kinds", "q=kinds", "deployment/web in namespace kinds"} {
			if strings.Contains(path, "kinds") {
				text = strings.ReplaceAll(text, repeated, "")
			}
		}
		if code == 0 || others.MatchString(text) {
			t.Errorf("%s answers %d with %q", path, code, others.FindAllString(text, -1))
		}
	}
	for labels := range s.series(t, "rightsize_recommended_request") {
		if !strings.Contains(labels, `namespace="shop"`) {
			t.Errorf("there is a series of %s", labels)
		}
	}
	var r report
	if err := json.Unmarshal([]byte(s.page(t, "/api/v1/report")), &r); err != nil {
		t.Fatal(err)
	}
	if got, want := r.names(), reportOf(t, as(cluster.Tool)...).names(); !slices.Equal(got, want) {
		t.Errorf("it has %q, want %q", got, want)
	}
	if got := s.process.Terminate(time.Minute); got != 0 {
		t.Errorf("exit %d", got)
	}
}
