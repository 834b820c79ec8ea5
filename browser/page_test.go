package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
)

// shown are the names of the rows that can be seen, from top to bottom.
func (b *tab) shown() []string {
	b.t.Helper()
	return eval[[]string](b, `[...document.querySelectorAll("#containers > tbody")].filter(r => r.getClientRects().length).map(r => r.querySelector("th > bdi").textContent + "/" + r.querySelector("th b").textContent)`)
}

func (b *tab) wantShown(when string, want ...string) {
	b.t.Helper()
	if got := b.shown(); !slices.Equal(got, want) {
		b.t.Errorf("%s the rows are %q, want %q", when, got, want)
	}
}

const (
	cards = "deployment/cards/app"
	agent = "daemonset/agent/agent"
	api   = "deployment/api/api"
	web   = "deployment/web/app"
	store = "statefulset/store/postgres"
	tidy  = "cronjob/tidy/tidy"
)

// again loads the page anew at the address that it has come to, as one who was sent the link does.
func (b *tab) again() {
	b.t.Helper()
	b.load(eval[string](b, "location.href"))
}

// toFragment does what leads to another fragment, and waits until the page has heard of it: browsers tell it after the click
// is over.
func (b *tab) toFragment(action chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`void (window.followed = new Promise(r => addEventListener("hashchange", () => setTimeout(() => r(true)), {once: true})))`), action)
	eval2(b, "window.followed")
}

func TestClickingAHeadSorts(t *testing.T) {
	b := open(t, shop())
	b.wantShown("at first", cards, agent, api, web, store, tidy)
	sorted := func() string {
		return eval[string](b, `[...document.querySelectorAll("th[aria-sort]")].map(h => h.dataset.sort + " " + h.getAttribute("aria-sort")).join()`)
	}
	b.do(chromedp.Click(chromedp.CSS(`th[data-sort="severity"] button`)))
	if got := sorted(); got != "severity descending" {
		t.Errorf("sorted by %q", got)
	}
	down := b.shown()
	if down[0] != api || !slices.Contains(down[4:], store) {
		t.Errorf("by severity the rows are %q, want the one in danger first and the one that was not read at the end", down)
	}
	b.again()
	b.wantShown("loaded anew", down...)
	b.do(chromedp.Focus(chromedp.CSS(`th[data-sort="severity"] button`)), chromedp.KeyEvent(kb.Enter))
	if got := sorted(); got != "severity ascending" {
		t.Errorf("by keyboard, sorted by %q", got)
	}
	if got := b.shown(); got[len(got)-1] != api {
		t.Errorf("upwards the rows are %q, want the one in danger last", got)
	}
	b.do(chromedp.Click(chromedp.CSS(`th[data-sort="name"] button`)))
	b.wantShown("by name", cards, agent, api, web, store, tidy)
}

func TestFiltering(t *testing.T) {
	b := open(t, shop())
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name="text"]`), "app"))
	b.wantShown("with app typed", cards, web)
	if got := eval[string](b, `document.getElementById("count").textContent`); got != "2 of 6" {
		t.Errorf("the count is %q, want 2 of 6", got)
	}
	b.do(chromedp.SendKeys(chromedp.CSS(`select[name="namespace"]`), "pay"))
	b.wantShown("and a namespace chosen", cards)
	b.again()
	b.wantShown("loaded anew", cards)
	b.do(chromedp.SendKeys(chromedp.CSS(`select[name="kind"]`), "CronJob"))
	b.wantShown("with nothing that fits")
	if !eval[bool](b, `document.getElementById("empty").getClientRects().length > 0`) {
		t.Error("nothing says that no container is like that")
	}
	b.do(chromedp.Click(chromedp.CSS(`button[type="reset"]`)))
	b.wantShown("cleared", cards, agent, api, web, store, tidy)
	for state, want := range map[string]string{"danger": api, "error": store} {
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(s => { s.value = %q; s.dispatchEvent(new Event("input", {bubbles: true})); })(document.querySelector("select[name=state]"))`, state)))
		b.wantShown("of the state "+state, want)
	}
}

// A link that is followed while another filter is on shows what it says and nothing else.
func TestAnotherFragmentIsAnotherFilter(t *testing.T) {
	b := open(t, shop())
	for _, c := range []struct {
		fragment string
		want     []string
	}{
		{"#kind=CronJob", []string{tidy}},
		{"#state=danger", []string{api}},
		{"#sort=-name", []string{tidy, store, web, api, agent, cards}},
		{"#", []string{cards, agent, api, web, store, tidy}},
	} {
		b.toFragment(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("location.hash = %q", c.fragment)))
		b.wantShown("after "+c.fragment, c.want...)
	}
}

func TestDetailsOpen(t *testing.T) {
	b := open(t, shop())
	opened := func() []string {
		return eval[[]string](b, `[...document.querySelectorAll("tr.details")].filter(r => r.getClientRects().length).map(r => r.parentElement.querySelector("th b").textContent)`)
	}
	if got := opened(); len(got) > 0 {
		t.Errorf("at first open: %q", got)
	}
	b.do(chromedp.Focus(chromedp.CSS(`#c1 .toggle`)), chromedp.KeyEvent(" "))
	if got := opened(); !slices.Equal(got, []string{"agent"}) {
		t.Errorf("by keyboard open: %q, want the agent", got)
	}
	if !eval[bool](b, `[...document.querySelectorAll("#c1 svg")].length === 2 && [...document.querySelectorAll("#c1 svg path")].every(p => p.getBoundingClientRect().width > 100)`) {
		t.Error("its two plots are not drawn")
	}
	b.do(chromedp.Click(chromedp.CSS(`#c1 .toggle`)))
	if got := opened(); len(got) > 0 {
		t.Errorf("closed again, open: %q", got)
	}
	b.do(chromedp.SendKeys(chromedp.CSS(`select[name="namespace"]`), "pay"))
	b.toFragment(chromedp.Click(chromedp.CSS(`a[href="#c2"]`)))
	if got := opened(); !slices.Equal(got, []string{"api"}) {
		t.Errorf("the link to what was filtered out opened %q, want api", got)
	}
	if got := eval2(b, `new Promise(r => setTimeout(() => r(location.hash === "#c2")))`); !got {
		t.Error("the address forgot which row it led to")
	}
	if !eval[bool](b, `(r => r.top > -1 && r.top < innerHeight)(document.getElementById("c2").getBoundingClientRect())`) {
		t.Error("the link did not lead to its row")
	}
}

// An attachment may be opened where scripts do not run: then all is there, and nothing that would not work.
func TestWithoutScript(t *testing.T) {
	b := start(t)
	call(b, "no scripts", func() error {
		_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
	b.load(write(t, shop()))
	b.wantShown("without script", cards, agent, api, web, store, tidy)
	if n := eval[int](b, `[...document.querySelectorAll("tr.details")].filter(r => r.getClientRects().length).length`); n != 6 {
		t.Errorf("%d of 6 details are shown", n)
	}
	if n := eval[int](b, `[...document.querySelectorAll("form, .toggle")].filter(r => r.getClientRects().length).length`); n != 0 {
		t.Errorf("%d controls are shown that do nothing", n)
	}
}

// Names are what others chose. A browser shows them, and obeys none.
func TestHostileNames(t *testing.T) {
	names := []string{
		`<script>window.hacked=1</script>`, `</style></script><img src=x onerror="window.hacked=1">`, `"><svg onload=window.hacked=1>`, `' onmouseover='window.hacked=1`,
		`javascript:window.hacked=1`, `{{.Policy}}`, "\u202egnp.exe", strings.Repeat("long-", 50), `a&amp;b#state=danger`,
	}
	r := report.Report{}
	for i, name := range names {
		it := item(recommender.ID{Namespace: name, Kind: name, Workload: name, Container: name}, 0.1, float64(1800+i)*mi)
		it.Advice[recommender.CPU].Notes = []recommender.Note{{Code: name, Text: name}}
		r.Items = append(r.Items, it)
	}
	r = reportOf(r.Items...)
	r.Source.Address, r.Warnings, r.Queries, r.Unlisted = names[0], names, names, names
	b := open(t, r)
	if eval[bool](b, `"hacked" in window`) || eval[int](b, `document.images.length + document.scripts.length`) != 1 {
		t.Error("a name became part of the page")
	}
	if got := eval[string](b, `getComputedStyle(document.querySelector(".cards")).display`); got != "grid" {
		t.Errorf("a name ended the style: the cards are laid out as %q", got)
	}
	for i, want := range names {
		want = recommender.Printable(want) // without what reorders text
		got := eval[string](b, fmt.Sprintf(`document.querySelector("#c%d th b").textContent`, i))
		if got != want {
			t.Errorf("a container called %q is shown as %q", want, got)
		}
	}
	for _, name := range names {
		name = recommender.Printable(name)
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(s => { s.value = %q; s.dispatchEvent(new Event("input", {bubbles: true})); })(document.querySelector("select[name=namespace]"))`, name)))
		b.again()
		if got := b.shown(); len(got) != 1 {
			t.Errorf("filtered by the namespace %q and loaded anew, %d rows are shown, want 1", name, len(got))
		}
	}
	if eval[bool](b, `"hacked" in window`) {
		t.Error("a name was run")
	}
	b.wantFits("with hostile names")
}

// Even what got into the page could neither run nor tell anybody.
func TestThePolicyHolds(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	b := open(t, shop())
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(function () {
		const add = (tag, set) => document.body.append(Object.assign(document.createElement(tag), set));
		add("script", {textContent: "window.hacked = 1"});
		add("script", {src: %[1]q});
		add("img", {src: %[1]q});
		add("iframe", {src: %[1]q});
		add("p", {innerHTML: '<img src=x onerror="window.hacked = 1"><b style="position: fixed">x</b>'});
		add("form", {action: %[1]q, method: "post"});
		document.forms[document.forms.length - 1].submit();
	})()`, server.URL)))
	refused := eval2(b, fmt.Sprintf(`fetch(%q).then(() => false, () => true)`, server.URL))
	if !refused || eval[bool](b, `"hacked" in window`) || eval[string](b, `getComputedStyle(document.querySelector("p > b")).position`) != "static" {
		t.Error("the page let in what its policy forbids")
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("a server was asked %d times", n)
	}
	if says := b.takes(); len(says) < 6 {
		t.Errorf("the browser refused %d things, want at least 6: %q", len(says), says)
	}
	b.mu.Lock()
	b.requests = nil // Chromium announces what it then refuses; the server knows better
	b.mu.Unlock()
}

// eval2 is what a promise comes to.
func eval2(b *tab, expression string) bool {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// contrasts lists the texts whose contrast with what is behind them is below 4.5, as WCAG 2.2 reckons it
// (https://www.w3.org/TR/WCAG22/#contrast-minimum).
const contrasts = `(function () {
	const rgba = c => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
	const luminance = c => { const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255, 1]; };
	const bad = new Set();
	for (const e of document.querySelectorAll("body *")) {
		if (!e.getClientRects().length || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
		const a = luminance(rgba(getComputedStyle(e).color)), b = luminance(behind(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) bad.add(e.tagName + "." + e.className + " " + ratio.toFixed(2));
	}
	return [...bad];
})()`

func TestDarkAndLight(t *testing.T) {
	b := open(t, shop())
	b.do(chromedp.Click(chromedp.CSS(`#c1 .toggle`)))
	backgrounds := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		b.prefers(scheme)
		backgrounds[scheme] = eval[string](b, "getComputedStyle(document.body).backgroundColor")
		if bad := eval[[]string](b, contrasts); len(bad) > 0 {
			t.Errorf("%s: hard to read: %q", scheme, bad)
		}
	}
	if backgrounds["light"] != "rgb(255, 255, 255)" || backgrounds["dark"] == backgrounds["light"] {
		t.Errorf("the backgrounds are %v", backgrounds)
	}
}

// wantFits looks whether a page is wider than its window; tables scroll by themselves.
func (b *tab) wantFits(when string) {
	b.t.Helper()
	for _, width := range []int64{1280, 768, 390} {
		b.do(chromedp.EmulateViewport(width, 800))
		if got := eval[int64](b, "document.documentElement.scrollWidth"); got > width {
			b.t.Errorf("%s the page is %d wide in a window of %d", when, got, width)
		}
	}
}

func TestFitsItsWindow(t *testing.T) {
	b := open(t, shop())
	b.do(chromedp.Click(chromedp.CSS(`#c1 .toggle`)))
	b.wantFits("with a container open")
}

// The table of a phone scrolls, and what a container opens does not go with it: a plot that is as wide as the table has its
// end, and the whole of the second one, where nobody sees them.
func TestDetailsFitTheirWindow(t *testing.T) {
	b := open(t, shop())
	b.do(chromedp.Click(chromedp.CSS(`#c1 .toggle`)))
	const inside = `(function () {
		const s = document.querySelector(".scroll").getBoundingClientRect();
		return [...document.querySelectorAll("#c1 svg, #c1 figcaption, #c1 .legend")].every(e => { const r = e.getBoundingClientRect(); return r.left >= s.left && r.right <= s.right; });
	})()`
	for _, width := range []int64{1280, 768, 390} {
		b.do(chromedp.EmulateViewport(width, 800))
		for _, scrolled := range []int{0, 200} {
			b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(".scroll").scrollLeft = %d`, scrolled)))
			if !eval[bool](b, inside) {
				t.Errorf("in a window of %d, with the table scrolled by %d, some of what is open is cut off", width, scrolled)
			}
		}
	}
}

// Who does not see the page hears what its controls and plots are.
func TestEverythingHasAName(t *testing.T) {
	b := open(t, shop())
	b.do(chromedp.Click(chromedp.CSS(`#c1 .toggle`)))
	tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, n := range tree.Nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		role := strings.Trim(string(n.Role.Value), `"`)
		if !slices.Contains([]string{"button", "searchbox", "combobox", "image", "img", "link", "region", "rowheader", "columnheader"}, role) {
			continue
		}
		seen[role]++
		if n.Name == nil || strings.Trim(string(n.Name.Value), `" `) == "" {
			t.Errorf("a %s has no name", role)
		}
	}
	for _, role := range []string{"button", "searchbox", "combobox", "link", "rowheader", "columnheader"} {
		if seen[role] == 0 {
			t.Errorf("the page has no %s: %v", role, seen)
		}
	}
}

// Paper has no buttons: all is printed open, and the screen is as before afterwards.
func TestPrinting(t *testing.T) {
	b := open(t, shop())
	b.do(chromedp.Click(chromedp.CSS(`#c1 .toggle`)))
	open := func() int {
		return eval[int](b, `[...document.querySelectorAll("tr.details")].filter(r => r.getClientRects().length).length`)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`window.dispatchEvent(new Event("beforeprint"))`))
	if n := open(); n != 6 {
		t.Errorf("%d of 6 containers are open on paper", n)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`window.dispatchEvent(new Event("afterprint"))`))
	if n := open(); n != 1 {
		t.Errorf("after printing %d containers are open, want the 1 that was", n)
	}
	if _, err := chromedp.Run(b.ctx, chromedp.PrintToPDF()); err != nil {
		t.Error(err)
	}
}

// Paper is white, whatever its reader likes on a screen: it got light grey letters. And Chromium prints no buttons in the
// heads that it repeats on each page.
func TestPaperIsWhite(t *testing.T) {
	b := open(t, shop())
	b.do(chromedp.Click(chromedp.CSS(`#c1 .toggle`)))
	call(b, "print and prefers-color-scheme", func() error {
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: "print", Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
		})
		return err
	})
	if got := eval[string](b, "getComputedStyle(document.body).backgroundColor"); got != "rgb(255, 255, 255)" {
		t.Errorf("the page is printed on %s", got)
	}
	if bad := eval[[]string](b, contrasts); len(bad) > 0 {
		t.Errorf("hard to read on paper: %q", bad)
	}
	if got := eval[string](b, `getComputedStyle(document.querySelector("thead button")).display`); got != "contents" {
		t.Errorf("the heads are printed as %q", got)
	}
}

func TestNothingToShow(t *testing.T) {
	b := open(t, reportOf())
	if got := eval[string](b, "document.body.innerText"); !strings.Contains(got, "Nothing is shown.") {
		t.Errorf("a page without containers says %q", got)
	}
}

// 2,000 containers open, sort and filter. How long that took is told and not judged, since it depends on the machine: what
// is judged is that the browser lays out the first rows only, until it is asked for more.
func TestManyContainers(t *testing.T) {
	b := start(t)
	call(b, "counting the time of processors", func() error {
		_, err := chromedp.Call(b.ctx, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks})
		return err
	})
	b.load(write(t, many(2000)))
	metrics, err := chromedp.Call(b.ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range metrics.Metrics {
		if m.Name == "TaskDuration" {
			t.Logf("2,000 containers: %.0f ms of a processor", m.Value*1000)
		}
	}
	t.Logf("loaded and laid out after %.0f ms", eval[float64](b, `performance.getEntriesByType("navigation")[0].loadEventEnd`))
	if got := len(b.shown()); got != 200 {
		t.Errorf("%d rows are laid out, want 200", got)
	}
	const timed = `(function (act) { const start = performance.now(); act(); document.body.getBoundingClientRect(); return performance.now() - start; })`
	t.Logf("sorted after %.0f ms", eval[float64](b, timed+`(() => document.querySelector("th[data-sort=severity] button").click())`))
	t.Logf("filtered after %.0f ms", eval[float64](b, timed+`(() => { const i = document.querySelector("input[name=text]"); i.value = "length-19"; i.dispatchEvent(new Event("input", {bubbles: true})); })`))
	if got := len(b.shown()); got != 111 { // 19, 190 to 199, 1900 to 1999
		t.Errorf("%d rows are shown, want 111", got)
	}
	b.load(b.url + "#c1500")
	if n := eval[int](b, `document.querySelectorAll("#c1500.open").length`); n != 1 || len(b.shown()) != 201 {
		t.Errorf("a link to a row beyond the first opened it %d times, among %d rows", n, len(b.shown()))
	}
	b.do(chromedp.Click(chromedp.CSS("#rest")))
	if got := len(b.shown()); got != 2000 {
		t.Errorf("asked for all, %d rows are shown", got)
	}
}
