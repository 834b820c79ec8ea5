package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/rightsize/rightsize/backtest"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/serve"
	"github.com/rightsize/rightsize/workload"
)

// service serves a report on a port of its own, until its test ends.
type service struct {
	url   string
	fails atomic.Bool // whether scans do
}

// serving waits until the report is there.
func serving(t *testing.T, r report.Report) *service {
	t.Helper()
	s := &service{}
	found := serve.Found{Report: r, Declared: declaredOf(t, r)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + listener.Addr().String()
	server := serve.New(serve.Options{
		Scan: func(context.Context, serve.Peers) (serve.Found, error) {
			if s.fails.Load() {
				return serve.Found{}, serve.Failure{Reason: serve.Prometheus, Err: errors.New("reading memory of namespace shop: <b>connection refused</b>")}
			}
			return found, nil
		},
		Interval: 200 * time.Millisecond, MaxAge: time.Hour, GracePeriod: 10 * time.Second, MaxSeries: 1000, Log: slog.New(slog.DiscardHandler), Version: "v1.2.3",
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	eventually(t, "it is ready", func() bool { return statusOf(s.url+"/health/ready") == http.StatusOK })
	return s
}

func statusOf(url string) int {
	resp, err := http.Get(url)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 300 {
		if holds() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s: not within 30 seconds", what)
}

// declaredOf are objects that say what the report's containers say, for patches. A name that no object can have has none.
func declaredOf(t *testing.T, r report.Report) map[string][]workload.Workload {
	t.Helper()
	var text strings.Builder
	for _, item := range r.Items {
		id := item.ID
		if !slices.Contains([]string{"Deployment", "DaemonSet", "StatefulSet"}, id.Kind) {
			continue
		}
		fmt.Fprintf(&text, "apiVersion: apps/v1\nkind: %s\nmetadata: {name: %s, namespace: %s}\nspec: {template: {spec: {containers: [{name: %s, resources: "+
			"{requests: {cpu: 2, memory: 1Gi}, limits: {cpu: 4, memory: 2Gi}}}]}}}\n---\n", id.Kind, id.Workload, id.Namespace, id.Container)
	}
	file := filepath.Join(t.TempDir(), "all.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if text.Len() == 0 {
		return nil
	}
	inventory, err := workload.Load(t.Context(), []string{file}, workload.Options{})
	if err != nil {
		t.Fatal(err)
	}
	selection, err := inventory.Select(workload.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	return selection.Workloads
}

// visit opens a served page in a Chromium of its own. When the test ends it must have asked for nothing elsewhere, and the
// console be empty.
func visit(t *testing.T, s *service, path string) *tab {
	t.Helper()
	b := start(t)
	b.site = s.url
	b.load(s.url + path)
	return b
}

// click follows what a selector finds, and waits for the page that it leads to.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.follow(chromedp.Click(chromedp.CSS(selector)))
}

// follow does what leads to another page, and waits until that is loaded.
func (b *tab) follow(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void]("window.left = true"))
	b.do(steps...)
	eventually(b.t, "another page", func() bool {
		there, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`!window.left && document.readyState === "complete"`))
		return err == nil && there
	})
}

// rows are the containers and resources that a served page lists, from top to bottom.
func (b *tab) rows() []string {
	b.t.Helper()
	return eval[[]string](b, `[...document.querySelectorAll('[aria-label="Containers"] tbody tr')].map(r => {
		const first = r.querySelector('a[href^="/workloads/"]')?.closest("td").cellIndex ?? 0;
		return [...r.cells].slice(first, first + 3).map(c => c.innerText).join(" ");
	})`)
}

func (b *tab) wantText(parts ...string) {
	b.t.Helper()
	text := eval[string](b, "document.body.innerText")
	for _, p := range parts {
		if !strings.Contains(text, p) {
			b.t.Errorf("%s does not say %q:\n%s", eval[string](b, "location.pathname"), p, text)
		}
	}
}

// From the first page to the namespace, to the workload, to its patch on disk.
func TestWalkThroughServedPages(t *testing.T) {
	r := shop()
	r.HeldOut = &backtest.OutOfSample{Policy: "default", Train: 5 * 24 * time.Hour, Test: 2 * 24 * time.Hour, Containers: 5, Hit: 1, Hits: 2}
	s := serving(t, r)
	b := visit(t, s, "/")
	b.wantText("Report of ", " old. ", "CPU requested", "Held out: memory limits of default", "could not be read: reading memory of namespace shop: answered 503")
	b.click(`a[href="/namespaces/shop"]`)
	b.wantText("deployment/api", "cronjob/tidy")
	if text := eval[string](b, "document.body.innerText"); strings.Contains(text, "cards") {
		t.Errorf("the page of namespace shop has something of namespace pay:\n%s", text)
	}
	b.click(`a[href="/workloads/shop/deployment/api"]`)
	b.wantText("Container api", "P99", "Patch", "kind: Deployment")
	drawn := eval[int](b, `[...document.querySelectorAll("svg")].filter(s => s.getBoundingClientRect().height > 50 && [...s.querySelectorAll("path")].some(p => p.getBoundingClientRect().width > 100)).length`)
	if drawn != 2 {
		t.Errorf("%d plots are drawn, want 2", drawn)
	}
	if got := eval[[]string](b, `[...new Set([...document.querySelectorAll("svg .area, svg .mean")].map(p => getComputedStyle(p).fill + getComputedStyle(p).stroke))]`); len(got) != 2 {
		t.Errorf("what is shaded and the line look alike, or the style did not reach them: %q", got)
	}
	dir := t.TempDir()
	call(b, "downloads", func() error {
		_, err := chromedp.Call(b.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{Behavior: "allow", DownloadPath: dir})
		return err
	})
	b.do(chromedp.Click(chromedp.CSS(`a[href="/api/v1/patch/shop/deployment/api"]`)))
	var patch []byte
	eventually(t, "the patch is there", func() bool {
		files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		if err != nil || len(files) != 1 {
			return false
		}
		patch, err = os.ReadFile(files[0])
		return err == nil && len(patch) > 0
	})
	if shown := eval[string](b, `document.querySelector("pre").textContent`); string(patch) != shown {
		t.Errorf("the patch on disk is\n%s\nand that on the page\n%s", patch, shown)
	}
	b.click(`h1 a[href="/"]`)
	b.wantText("Namespaces")
}

// What the form asks for stands in the address: who is sent it sees the same.
func TestServedFilters(t *testing.T) {
	s := serving(t, shop())
	b := visit(t, s, "/")
	all := b.rows()
	if len(all) != 12 {
		t.Fatalf("the rows are %q, want two for each of 6 containers", all)
	}
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name="q"]`), "ap"), chromedp.SendKeys(chromedp.CSS(`select[name="only"]`), "memory"), chromedp.SendKeys(chromedp.CSS(`select[name="sort"]`), "name"))
	b.follow(chromedp.Focus(chromedp.CSS("form button")), chromedp.KeyEvent(kb.Enter))
	want := []string{"deployment/cards app memory", "deployment/api api memory", "deployment/web app memory"}
	if got := b.rows(); !slices.Equal(got, want) {
		t.Errorf("the rows are %q, want %q", got, want)
	}
	address := eval[string](b, "location.search")
	for _, part := range []string{"q=ap", "only=memory", "sort=name"} {
		if !strings.Contains(address, part) {
			t.Errorf("the address is %q, without %s", address, part)
		}
	}
	b.again()
	if got := b.rows(); !slices.Equal(got, want) {
		t.Errorf("loaded anew, the rows are %q, want %q", got, want)
	}
	if got := eval[string](b, `document.querySelector("input[name=q]").value + document.querySelector("select[name=only]").value`); got != "apmemory" {
		t.Errorf("loaded anew, the form has %q", got)
	}
	b.load(s.url + "/?q=nothing-like-that")
	b.wantText("No container is like that.")
	b.load(s.url + "/?sort=size")
	b.wantText(`invalid sort "size": want `)
	if says := b.takes(); len(says) != 1 || !strings.Contains(says[0], "400") {
		t.Errorf("the console got %q, want only that this is a 400", says)
	}
}

// A scan that fails leaves the page as it was, but for what it says on top; one that works takes that away.
func TestServedFailure(t *testing.T) {
	s := serving(t, shop())
	b := visit(t, s, "/workloads/shop/deployment/api")
	alarms := func() int { return eval[int](b, `document.querySelectorAll(".alert").length`) }
	calm := alarms() // of the container that could not be read
	s.fails.Store(true)
	eventually(t, "the page is alarmed", func() bool {
		b.load(b.url)
		return alarms() > calm
	})
	b.wantText("The last scan, at ", "failed (prometheus): reading memory of namespace shop: <b>connection refused</b>", "this page shows the last good report)", " old. ", "Container api", "Download the patch")
	if !eval[bool](b, `(r => r.top >= 0 && r.bottom < innerHeight)(document.querySelector(".alert").getBoundingClientRect())`) {
		t.Error("the alarm is not where one looks first")
	}
	s.fails.Store(false)
	eventually(t, "the page is calm", func() bool {
		b.load(b.url)
		return alarms() == calm
	})
}

// Names are what others chose, and so are addresses. A browser shows them and obeys none.
func TestServedHostileNames(t *testing.T) {
	names := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `' onmouseover='alert(1)`, `../../metrics`, `{{.Rows}}`}
	var r report.Report
	for i, name := range names {
		it := item(recommender.ID{Namespace: name, Kind: "Widget", Workload: name, Container: name}, 0.1, float64(1800+i)*mi)
		it.Advice[recommender.CPU].Notes = []recommender.Note{{Code: name, Text: name}}
		r.Items = append(r.Items, it)
	}
	r = reportOf(r.Items...)
	r.Warnings, r.Unlisted = names, names
	s := serving(t, r)
	b := visit(t, s, "/")
	wantTame := func() {
		t.Helper()
		if n := eval[int](b, `document.scripts.length + document.images.length + document.querySelectorAll("[onerror],[onmouseover]").length`); n != 0 {
			t.Errorf("%s: a name became part of the page", eval[string](b, "location.href"))
		}
	}
	wantTame()
	for i, name := range names {
		b.load(s.url + "/")
		links := eval[[]string](b, `[...document.querySelectorAll('[aria-label="Containers"] a[href^="/workloads/"]')].map(a => a.innerText)`)
		if !slices.Contains(links, "widget/"+name) {
			t.Errorf("no link is called %q: %q", "widget/"+name, links)
		}
		b.load(s.url + eval[string](b, fmt.Sprintf(`[...document.querySelectorAll('a[href^="/workloads/"]')].find(a => a.innerText === %q).getAttribute("href")`, "widget/"+name)))
		b.wantText("Container " + names[i])
		wantTame()
	}
	b.load(s.url + "/%3Cscript%3Ealert(1)%3C/script%3E?q=%3Cscript%3Ealert(1)%3C/script%3E")
	wantTame()
	b.load(s.url + "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
	wantTame()
	b.wantFits("with hostile names")
	if says := slices.DeleteFunc(b.takes(), func(s string) bool { return strings.Contains(s, "404") }); len(says) > 0 {
		t.Errorf("the console got %q", says)
	}
}

// Even what got into a page could neither run nor tell anybody.
func TestServedPolicyHolds(t *testing.T) {
	var asked atomic.Int32
	elsewhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(elsewhere) }()
	defer func() { _ = server.Close() }()
	url := "http://" + elsewhere.Addr().String()
	b := visit(t, serving(t, shop()), "/")
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(function () {
		const add = (tag, set) => document.body.append(Object.assign(document.createElement(tag), set));
		add("script", {textContent: "window.hacked = 1"});
		add("script", {src: %[1]q});
		add("img", {src: %[1]q});
		add("iframe", {src: %[1]q});
		add("p", {innerHTML: '<b style="position: fixed">x</b>'});
	})()`, url)))
	refused := eval2(b, fmt.Sprintf(`fetch(%q).then(() => false, () => true)`, url)) && eval2(b, `fetch("/api/v1/report").then(() => false, () => true)`)
	if !refused || eval[bool](b, `"hacked" in window`) || eval[string](b, `getComputedStyle(document.querySelector("p > b")).position`) != "static" {
		t.Error("the page let in what its policy forbids")
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("a server was asked %d times", n)
	}
	if says := b.takes(); len(says) < 5 {
		t.Errorf("the browser refused %d things, want at least 5: %q", len(says), says)
	}
	b.mu.Lock()
	b.requests = nil // Chromium announces what it then refuses; the server knows better
	b.mu.Unlock()
}

// No page has text that is hard to read, in the light or in the dark, or is wider than its window; all that can be used has
// a name for who does not see it; and paper has no form.
func TestServedPagesCanBeRead(t *testing.T) {
	s := serving(t, shop())
	s.fails.Store(true)
	b := visit(t, s, "/")
	eventually(t, "the page is alarmed", func() bool {
		b.load(b.url)
		return strings.Contains(eval[string](b, "document.body.innerText"), "The last scan, at ")
	})
	for _, path := range []string{"/", "/namespaces/shop", "/workloads/shop/deployment/api", "/workloads/shop/statefulset/store", "/namespaces/none"} {
		b.load(s.url + path)
		for _, scheme := range []string{"light", "dark"} {
			b.prefers(scheme)
			if bad := eval[[]string](b, contrasts); len(bad) > 0 {
				t.Errorf("%s, %s: hard to read: %q", path, scheme, bad)
			}
		}
		b.wantFits(path)
		b.wantNames(path)
		b.prints(path)
	}
	if says := slices.DeleteFunc(b.takes(), func(s string) bool { return strings.Contains(s, "404") }); len(says) > 0 {
		t.Errorf("the console got %q", says)
	}
}

// wantNames looks whether all that can be used on a page has a name.
func (b *tab) wantNames(when string) {
	b.t.Helper()
	tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, n := range tree.Nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		role := strings.Trim(string(n.Role.Value), `"`)
		if slices.Contains([]string{"button", "searchbox", "combobox", "image", "img", "link", "region", "columnheader"}, role) && (n.Name == nil || strings.Trim(string(n.Name.Value), `" `) == "") {
			b.t.Errorf("%s: a %s has no name", when, role)
		}
	}
}

// prints looks at a page as it is on paper.
func (b *tab) prints(when string) {
	b.t.Helper()
	media := func(name string) {
		call(b, "media", func() error {
			_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: name})
			return err
		})
	}
	media("print")
	defer media("")
	if n := eval[int](b, `[...document.querySelectorAll("form")].filter(r => r.getClientRects().length).length`); n != 0 {
		b.t.Errorf("%s: there is a form on paper", when)
	}
	if pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF()); err != nil || len(pdf) < 1000 {
		b.t.Errorf("%s: printed: %d bytes, %v", when, len(pdf), err)
	}
}

// Before the first scan has ended a page says so, and the next one has the report.
func TestServedBeforeTheFirstReport(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scanned := make(chan struct{})
	server := serve.New(serve.Options{
		Scan: func(ctx context.Context, _ serve.Peers) (serve.Found, error) {
			select {
			case <-scanned:
			case <-ctx.Done():
			}
			return serve.Found{Report: shop()}, ctx.Err()
		},
		Interval: time.Hour, MaxAge: time.Hour, GracePeriod: time.Second, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx, listener) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	s := &service{url: "http://" + listener.Addr().String()}
	eventually(t, "it listens", func() bool { return statusOf(s.url+"/health/live") == http.StatusOK })
	b := visit(t, s, "/")
	b.wantText("There is no report yet.", "A scan has been running for ")
	close(scanned)
	eventually(t, "the report is there", func() bool {
		b.load(b.url)
		return strings.Contains(eval[string](b, "document.body.innerText"), "deployment/api")
	})
	if says := slices.DeleteFunc(b.takes(), func(s string) bool { return strings.Contains(s, "503") }); len(says) > 0 {
		t.Errorf("the console got %q", says)
	}
}
