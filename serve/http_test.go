package serve

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

// paths are one for each route.
func paths() []string {
	return []string{
		"/", "/namespaces/shop", "/workloads/shop/deployment/api", "/static/style.css", "/api/v1/report",
		"/api/v1/recommendations/shop/deployment/api", "/api/v1/patch/shop/deployment/api", "/metrics", "/health/live", "/health/ready", "/health/started",
	}
}

// Each route answers GET and HEAD, with headers that keep browsers strict, and nothing that could change something.
func TestRoutes(t *testing.T) {
	s := scanned(t, finds(found(t)))
	if n := len(s.routes()); n != len(paths()) {
		t.Errorf("there are %d routes, and paths for %d", n, len(paths()))
	}
	for _, path := range append(paths(), "/nothing", "/api/v1/nothing") {
		want := http.StatusOK
		if strings.HasSuffix(path, "nothing") {
			want = http.StatusNotFound
		}
		for method, want := range map[string]int{http.MethodGet: want, http.MethodHead: want, http.MethodPost: 405, http.MethodPut: 405, http.MethodDelete: 405, "PROPFIND": 405, http.MethodOptions: 405} {
			w := ask(s, method, path)
			if w.Code != want {
				t.Errorf("%s %s: %d, want %d: %s", method, path, w.Code, want, w.Body)
			}
			for name, part := range map[string]string{
				"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
				"Referrer-Policy": "no-referrer", "X-Request-Id": "", "Cache-Control": "",
			} {
				if got := w.Header().Get(name); path != "/metrics" && (got == "" || !strings.Contains(got, part)) {
					t.Errorf("%s %s: %s is %q", method, path, name, got)
				}
			}
			if csp := w.Header().Get("Content-Security-Policy"); strings.Contains(csp, "script") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") {
				t.Errorf("the policy allows scripts or frames: %s", csp)
			}
		}
	}
}

// docs/serve.md lists the routes and the parameters, and no others.
func TestRoutesAreDocumented(t *testing.T) {
	text := readDoc(t)
	var routes []string
	for _, r := range scanned(t, finds(found(t))).routes() {
		routes = append(routes, strings.TrimSuffix(r.pattern, "{$}"))
	}
	if diff := cmp.Diff(sorted(routes), sorted(firstCells(text, "## What it serves", "/"))); diff != "" {
		t.Errorf("the paths of docs/serve.md differ (-served +documented):\n%s", diff)
	}
	if diff := cmp.Diff(sorted(parameters()), sorted(firstCells(text, "Pages and JSON take", ""))); diff != "" {
		t.Errorf("the parameters of docs/serve.md differ (-taken +documented):\n%s", diff)
	}
}

func readDoc(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// firstCells are the names in the first cells of the first table behind a text, those that begin so.
func firstCells(doc, behind, prefix string) (names []string) {
	_, rest, _ := strings.Cut(doc, behind)
	_, rest, _ = strings.Cut(rest, "|---|")
	table, _, _ := strings.Cut(rest, "\n\n")
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) > 1 {
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
				if strings.HasPrefix(m[1], prefix) {
					names = append(names, m[1])
				}
			}
		}
	}
	return names
}

// The API's report is what -o json prints, whole or in part.
func TestAPIReport(t *testing.T) {
	f := found(t)
	s := scanned(t, finds(f))
	var want bytes.Buffer
	if err := writeJSON(&want, f.Report); err != nil {
		t.Fatal(err)
	}
	if got := wantStatus(t, s, "/api/v1/report", 200); got != want.String() {
		t.Error("the report is not what -o json prints")
	}
	for query, containers := range map[string][]string{
		"":                                  {"front", "api", "app", "proxy", "run"},
		"?namespace=blog":                   {"front"},
		"?namespace=blog&namespace=shop":    {"front", "api", "app", "proxy", "run"},
		"?namespace=":                       {"front", "api", "app", "proxy", "run"},
		"?kind=deployment&workload=web":     {"app", "proxy"},
		"?container=proxy":                  {"proxy"},
		"?q=WEB/app":                        {"app"},
		"?namespace=other":                  {},
		"?sort=severity&top=1":              {"api"},
		"?top=1":                            {"api"},
		"?changes=significant&kind=CronJob": {},
	} {
		if diff := cmp.Diff(sorted(containers), sorted(containersOf(t, wantStatus(t, s, "/api/v1/report"+query, 200)))); diff != "" {
			t.Errorf("%s: containers differ (-want +got):\n%s", query, diff)
		}
	}
	if diff := cmp.Diff([]string{"app", "proxy"}, containersOf(t, wantStatus(t, s, "/api/v1/recommendations/shop/Deployment/web", 200))); diff != "" {
		t.Errorf("one workload's containers differ (-want +got):\n%s", diff)
	}
	for _, query := range []string{"?name=x", "?only=disk", "?sort=size", "?top=0", "?top=x", "?changes=some", "?top=1&top=2", "?only=cpu&sort=memory"} {
		wantStatus(t, s, "/api/v1/report"+query, 400)
		wantStatus(t, s, "/"+query, 400)
		wantStatus(t, s, "/api/v1/recommendations/shop/deployment/api"+query, 400)
	}
	if text := wantStatus(t, s, "/api/v1/report?only=cpu", 200); strings.Contains(text, `"memory": {
          "status"`) || !strings.Contains(text, `"cpu": {
          "status"`) {
		t.Error("only=cpu has memory")
	}
}

func containersOf(t *testing.T, text string) []string {
	t.Helper()
	var r struct{ Containers []struct{ Container string } }
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, c := range r.Containers {
		names = append(names, c.Container)
	}
	return names
}

// A client that has the report is told so, until it is another one.
func TestETag(t *testing.T) {
	f := found(t)
	s := scanned(t, finds(f))
	whole, part := get(s, "/api/v1/report").Header().Get("ETag"), get(s, "/api/v1/report?namespace=shop").Header().Get("ETag")
	if whole == part || !regexp.MustCompile(`^W/"[0-9a-f]{32}"$`).MatchString(whole) {
		t.Errorf("the tags are %s and %s", whole, part)
	}
	same := get(s, "/api/v1/report?namespace=shop&q=").Header().Get("ETag")
	if same != part {
		t.Error("an empty parameter makes another tag")
	}
	for header, want := range map[string]int{
		whole: 304, strings.TrimPrefix(whole, "W/"): 304, `"x", ` + whole: 304, "*": 304, `"x"`: 200, part: 200, "": 200,
	} {
		w := get(s, "/api/v1/report", "If-None-Match", header, "Accept-Encoding", "gzip")
		if w.Code != want || want == 304 && w.Body.Len() > 0 {
			t.Errorf("If-None-Match %s: %d with %d bytes, want %d", header, w.Code, w.Body.Len(), want)
		}
	}
	s.scanOnce(t.Context())
	if got := get(s, "/api/v1/report").Header().Get("ETag"); got != whole {
		t.Error("the same report has another tag")
	}
	f.Report.Warnings = []string{"other"}
	s.options.Scan = finds(f)
	s.scanOnce(t.Context())
	if got := get(s, "/api/v1/report").Header().Get("ETag"); got == whole {
		t.Error("another report has the same tag")
	}
}

func TestGzip(t *testing.T) {
	s := scanned(t, finds(found(t)))
	for _, path := range []string{"/", "/api/v1/report", "/metrics"} {
		plain, packed := get(s, path), get(s, path, "Accept-Encoding", "gzip")
		if packed.Header().Get("Content-Encoding") != "gzip" || plain.Header().Get("Content-Encoding") != "" || !strings.Contains(plain.Header().Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: the headers are %v and %v", path, plain.Header(), packed.Header())
		}
		z, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(z); err != nil || path == "/api/v1/report" && string(text) != plain.Body.String() {
			t.Errorf("%s: %v, or another text", path, err)
		}
	}
}

// What is not there is a problem that names what is.
func TestNotFound(t *testing.T) {
	s := scanned(t, finds(found(t)))
	for path, there := range map[string][]string{
		"/api/v1/recommendations/nope/deployment/api": {"blog", "shop"},
		"/api/v1/recommendations/shop/deployment/no":  {"deployment/api", "cronjob/web", "deployment/web"},
		"/api/v1/patch/blog/deployment/front":         {"rollout/front"},
		"/workloads/shop/statefulset/api":             {"deployment/api", "cronjob/web", "deployment/web"},
		"/namespaces/nope":                            {"blog", "shop"},
	} {
		w := get(s, path)
		text := w.Body.String()
		if w.Code != 404 {
			t.Errorf("%s: %d, want 404", path, w.Code)
		}
		wantText(t, path, text, there...)
		if !strings.HasPrefix(path, "/api/") {
			continue
		}
		var p problem
		if err := json.Unmarshal([]byte(text), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" || p.Status != 404 || p.RequestID == "" {
			t.Errorf("%s: %v, %s %s", path, err, w.Header().Get("Content-Type"), text)
		}
		if diff := cmp.Diff(there, p.There); diff != "" {
			t.Errorf("%s: what is there differs (-want +got):\n%s", path, diff)
		}
	}
}

// A patch changes what is recommended and nothing else, in the way that its kind takes.
func TestPatch(t *testing.T) {
	f := found(t)
	s := scanned(t, finds(f))
	w := get(s, "/api/v1/patch/shop/deployment/api")
	if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="deployment-api.yaml"` {
		t.Errorf("Content-Disposition is %s", got)
	}
	var patch struct {
		Kind     string
		Metadata struct{ Name, Namespace string }
		Spec     struct {
			Template struct {
				Spec struct{ Containers []map[string]any }
			}
		}
	}
	if err := yaml.Unmarshal(w.Body.Bytes(), &patch); err != nil || patch.Kind != "Deployment" || patch.Metadata.Namespace != "shop" || len(patch.Spec.Template.Spec.Containers) != 1 {
		t.Errorf("%v: %+v of %s", err, patch, w.Body)
	}
	wantText(t, "a Rollout's patch", wantStatus(t, s, "/api/v1/patch/blog/rollout/front", 200), "op: test", "/spec/template/spec/containers/0/name")
	wantText(t, "no patch", wantStatus(t, s, "/api/v1/patch/shop/cronjob/web", 404), "nothing is to be changed")
	f.Report.Retargets = []recommender.Retarget{{Namespace: "shop", Kind: "Deployment", Workload: "api"}}
	wantText(t, "with an autoscaler", wantStatus(t, scanned(t, finds(f)), "/api/v1/patch/shop/deployment/api", 409), "autoscaler")
	f.Declared = nil
	wantText(t, "not declared", wantStatus(t, scanned(t, finds(f)), "/api/v1/patch/shop/deployment/web", 404), "not in the workload's template")
}

// Names and notes are text to a browser, whatever is in them.
func TestPagesEscape(t *testing.T) {
	f := found(t)
	const evil = `<script>alert(1)</script>"'`
	for i := range f.Report.Items {
		item := &f.Report.Items[i]
		item.ID.Workload, item.ID.Container = evil, evil
		item.Advice[recommender.CPU].Notes = append(item.Advice[recommender.CPU].Notes, recommender.Note{Code: evil, Text: evil})
	}
	f.Report.Warnings = []string{evil}
	s := scanned(t, finds(f))
	s.scans.end(attempt{time.Now(), 0, failed, &Failure{Prometheus, io.EOF}})
	for _, path := range []string{"/", "/?q=" + url.QueryEscape(evil), "/namespaces/shop", "/workloads/shop/deployment/" + url.PathEscape(evil), "/workloads/shop/x/" + url.PathEscape(evil), "/" + url.PathEscape(evil)} {
		if text := get(s, path).Body.String(); strings.Contains(text, "<script") || strings.Contains(text, `alert(1)</script>`) {
			t.Errorf("%s runs what a name says:\n%s", path, text)
		}
	}
}

// The first page shows what matters most, and a filter that the form has is kept in it.
func TestPages(t *testing.T) {
	s := scanned(t, finds(found(t)))
	page := wantStatus(t, s, "/", 200)
	wantText(t, "the first page", page, "<a href=\"/namespaces/blog\"><bdi>blog</bdi></a>", "/workloads/shop/deployment/api", "Requested over all replicas", "In danger", "class=\"cards\"", "64Mi \u2192 160Mi")
	if i, j := strings.Index(page, ">deployment/api<"), strings.Index(page, ">deployment/web<"); i > j {
		t.Error("what is in danger does not come first")
	}
	part := wantStatus(t, s, "/?namespace=blog&only=cpu&sort=name&changes=significant&q=fro", 200)
	wantText(t, "a part", part, "<option selected>blog</option>", "<option selected>cpu</option>", "<option selected>name</option>", `value="significant" selected`, `value="fro"`, "rollout/front")
	if strings.Contains(part, "deployment/api") {
		t.Error("the filter lets another namespace through")
	}
	wantText(t, "nothing", wantStatus(t, s, "/?q=nowhere", 200), "No container is like that.")
	wantText(t, "a workload", wantStatus(t, s, "/workloads/shop/deployment/api", 200), "Container <bdi>api</bdi>", "limit-below-peak", "limits:", "/api/v1/patch/shop/deployment/api")
	wantText(t, "a workload without a patch", wantStatus(t, s, "/workloads/shop/cronjob/web", 200), "nothing is to be changed")
}

// An id of the caller's is kept where it does no harm.
func TestRequestIDs(t *testing.T) {
	s := scanned(t, finds(found(t)))
	for given, kept := range map[string]bool{"abc-1.2_3": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "a b": false, "a\nb": false, "": false, `"><x`: false} {
		got := get(s, "/health/live", "X-Request-Id", given).Header().Get("X-Request-Id")
		if (got == given) != kept || got == "" {
			t.Errorf("X-Request-Id %q: the answer has %q", given, got)
		}
	}
	if a, b := get(s, "/").Header().Get("X-Request-Id"), get(s, "/").Header().Get("X-Request-Id"); a == b {
		t.Errorf("two requests are called %s", a)
	}
}

// A filter as a query means the same filter, and no query makes anything fail but with an error.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{"", "namespace=a&namespace=b&kind=x", "q=%00&top=3", "sort=severity&only=cpu", "changes=significant", "top=-1", "namespace=&q=", "%zz", "only=cpu&sort=memory"} {
		f.Add(seed)
	}
	whole := found(f).Report
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		parsed, err := parseFilter(values)
		if err != nil {
			return
		}
		again, err := parseFilter(parsed.query())
		if err != nil || again.query().Encode() != parsed.query().Encode() {
			t.Errorf("%q: %q, %v as a query again", parsed.query().Encode(), again.query().Encode(), err)
		}
		var b bytes.Buffer
		if err := writeJSON(&b, parsed.of(whole)); err != nil {
			t.Error(err)
		}
	})
}

// A filter changes no number of a container.
func TestFilterKeepsNumbers(t *testing.T) {
	whole := found(t).Report
	for _, f := range []filter{{Namespaces: []string{"shop"}}, {Sort: report.BySeverity, Top: 2}, {Search: "web"}, {Significant: true}} {
		for _, item := range f.of(whole).Shown() {
			i := slices.IndexFunc(whole.Items, func(other scan.Item) bool { return other.ID == item.ID })
			if i < 0 || whole.Items[i].Advice[0].Bounds != item.Advice[0].Bounds || whole.Items[i].Advice[1].Bounds != item.Advice[1].Bounds {
				t.Errorf("%v changes %s", f, item.ID)
			}
		}
	}
}

// So many requests are answered at once, others wait for their turn, and give up; probes and scrapes go through.
func TestCrowded(t *testing.T) {
	s := scanned(t, finds(found(t)))
	for range mostAtOnce {
		s.turns <- struct{}{}
	}
	waiting := make(chan int, 1)
	go func() { waiting <- get(s, "/api/v1/report").Code }()
	for _, path := range []string{"/health/ready", "/health/live", "/metrics"} {
		wantStatus(t, s, path, 200)
	}
	select {
	case code := <-waiting:
		t.Errorf("it did not wait, and gives %d", code)
	default:
	}
	<-s.turns
	if code := <-waiting; code != 200 {
		t.Errorf("its turn gives %d", code)
	}
	s.turns <- struct{}{}
	if w := get(s, "/"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("without a turn: %d %v", w.Code, w.Header())
	}
	for range mostAtOnce {
		<-s.turns
	}
	wantStatus(t, s, "/", 200)
}
