package report

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/prices"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// curve is a week in bins of two hours, with a gap in it.
func curve(mean, highest float64) scan.Curve {
	c := scan.Curve{Bin: 2 * time.Hour}
	for i := range 84 {
		m, h := mean, highest
		if i >= 10 && i < 20 {
			m, h = math.NaN(), math.NaN()
		}
		c.Mean, c.Highest = append(c.Mean, m), append(c.Highest, h)
	}
	return c
}

// drawn is the sample with curves.
func drawn() Report {
	r := sample()
	for i := range r.Items {
		r.Items[i].Curves = [recommender.NumResources]scan.Curve{curve(0.1, 0.3), curve(100*mi, 300*mi)}
	}
	return r
}

// The policy lets the page's own style and script through by their hashes, as they stand in it, and nothing else.
func TestPageHoldsToItsPolicy(t *testing.T) {
	got := render(t, "html", drawn(), Options{})
	policy := html.UnescapeString(regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(got)[1])
	for _, tag := range []string{"style", "script"} {
		parts := regexp.MustCompile(`(?s)<`+tag+`>(.*?)</`+tag+`>`).FindAllStringSubmatch(got, -1)
		if len(parts) != 1 {
			t.Fatalf("%d elements %s, want 1", len(parts), tag)
		}
		sum := sha256.Sum256([]byte(parts[0][1]))
		if want := tag + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if !strings.HasPrefix(policy, "default-src 'none'; ") {
		t.Errorf("the policy begins otherwise: %s", policy)
	}
	for _, bad := range []string{` style="`, ` src=`, ` onclick`, `href="http`, `url(`, `@import`, "ZgotmplZ"} {
		if strings.Contains(got, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
}

func TestPageShowsWhatTheTableDoes(t *testing.T) {
	r := drawn()
	got := html.UnescapeString(render(t, "html", r, Options{}))
	for _, want := range []string{
		"128Mi → 200Mi", ">+56%<", "none → 100m", `title="sort by the change, over all pods">CPU limit<`, "CPU requested, cores", "3.20 → 3.22", "<h1>Requests and limits of shop</h1>", "What could not be read", "http://prometheus:9090 answered 503: query timed out",
		"In danger", "memory limit 256Mi, should be 358Mi, OOM killed 2 times", "container istio-proxy ran in pods", "no pod of deployment/idle has usage in the window",
		"Pods with usage: 12 known", `data-states="error"`, `data-states="change danger"`, `data-states="silent"`, "Above the plot: limit now", "peak 320Mi, in pod web-5d9c7b6f8-bbbbb",
		`container_memory_working_set_bytes{namespace="shop"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(got, "<svg "); n != 8 { // of the four containers with usage
		t.Errorf("%d plots, want 8", n)
	}
	r.View = View{Top: 2, Sort: BySeverity, Hidden: [recommender.NumResources]bool{recommender.CPU: true}}
	got = render(t, "html", r, Options{})
	if strings.Contains(got, "CPU request") || strings.Count(got, `<tr><th scope="row" class="name">`) != 2 || !strings.Contains(got, "Shown: 2 of 6 containers by severity") {
		t.Error("the page does not keep to the view")
	}
	r.Items = nil
	if got = render(t, "html", r, Options{}); !strings.Contains(got, "Nothing is shown.") {
		t.Error("a page of nothing does not say so")
	}
}

// What could be saved is named by what it is worth where prices are known, and never promised.
func TestPageTellsWhatMayBeSaved(t *testing.T) {
	r := drawn()
	r.Items = r.Items[:1]
	r.Prices = &prices.List{Currency: "EUR", Default: prices.Rate{0, 0.01}}
	got := html.UnescapeString(render(t, "html", r, Options{}))
	for _, want := range []string{"<li>Cost a month, EUR<b>", "shop/daemonset/agent/agent</bdi></a>: cpu 180m, memory 96Mi, 0.68 EUR a month</li>", "0.68 less, possible if nodes go"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q: %s", want, regexp.MustCompile(`(?s)<ul class="cards">.*?<h2>Containers`).FindString(got))
		}
	}
}

// A report of several namespaces does not name them all.
func TestTitle(t *testing.T) {
	r := sample()
	if got := r.title(); got != "Requests and limits of shop" {
		t.Errorf("title = %q", got)
	}
	r.Items[0].ID.Namespace = "pay"
	if got := r.title(); got != "Requests and limits of 2 namespaces" {
		t.Errorf("title of two = %q", got)
	}
	r.Items = nil
	if got := r.title(); got != "Requests and limits" {
		t.Errorf("title of nothing = %q", got)
	}
}

// Names and notes are not ours, and a browser obeys what it is sent.
func TestPageEscapes(t *testing.T) {
	hostile := `"><script>alert(1)</script></style><img src=x onerror=alert(1)>` + "\u202e'&"
	r := drawn()
	for i := range r.Items {
		r.Items[i].ID.Container, r.Items[i].ID.Namespace, r.Items[i].ID.Kind, r.Items[i].ID.Workload = hostile, hostile+fmt.Sprint(i), hostile, hostile
		r.Items[i].Advice[recommender.CPU].Notes = []recommender.Note{{Code: hostile, Text: hostile}}
	}
	r.Source.Address, r.Warnings, r.Queries, r.Unlisted = hostile, []string{hostile}, []string{hostile}, []string{hostile}
	got := render(t, "html", r, Options{})
	if strings.Count(got, "<script") != 1 || strings.Count(got, "</style") != 1 || strings.Contains(got, "<img") {
		t.Error("what is hostile is not escaped")
	}
}

// 2,000 containers stay below 10 MB.
func TestPageOfManyContainers(t *testing.T) {
	r := drawn()
	base := r.Items
	r.Items = nil
	for i := range 2000 {
		item := base[i%len(base)]
		item.ID.Workload = fmt.Sprintf("workload-of-some-length-%d", i)
		for res := range recommender.NumResources {
			c := curve(1, 1)
			for k := range c.Mean { // as rough as can be
				c.Mean[k], c.Highest[k] = item.Evidence[res].P50*float64(1+k%7)/7, item.Evidence[res].Peak.Value*float64(1+k%13)/13
			}
			item.Curves[res] = c
		}
		r.Items = append(r.Items, item)
	}
	got := render(t, "html", r, Options{})
	if n := len(got); n > 10_000_000 {
		t.Errorf("%d bytes, want at most 10 MB", n)
	}
	t.Logf("%d bytes", len(got))
}

// A path has a step for each change, and a piece for each stretch with samples.
func TestPathsOfPlots(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		values     []float64
		area, mean string
	}{
		{[]float64{1, 1, 2, 0}, "M0 100V90h252v-10h126v20h126V100Z", "M0 90V90h252v-10h126v20h126"},
		{[]float64{nan, 5, nan, nan}, "M126 100V50h126V100Z", "M126 50V50h126"},
		{[]float64{10, nan, nan, 1}, "M0 100V0h126V100ZM378 100V90h126V100Z", "M0 0V0h126M378 90V90h126"},
		{[]float64{nan, nan}, "", ""},
	} {
		p := plot{curve: scan.Curve{Mean: c.values, Highest: c.values}, scale: 10}
		if got := p.area(); got != c.area {
			t.Errorf("area of %v is %s, want %s", c.values, got, c.area)
		}
		if got := p.mean(); got != c.mean {
			t.Errorf("mean of %v is %s, want %s", c.values, got, c.mean)
		}
	}
}

// Whatever a report is sorted by, the column of names sorts by name.
func TestPageSortsNamesAsNames(t *testing.T) {
	r := drawn()
	r.View.Sort = BySeverity
	for i, item := range r.Shown() {
		rank := slices.IndexFunc(r.Items, func(other scan.Item) bool { return other.ID == item.ID })
		if got := newPage(r).Rows[i].Keys; !strings.HasPrefix(got, fmt.Sprintf("%d ", rank)) {
			t.Errorf("row %d, %s, has the keys %q, want the first to be %d", i, item.ID, got, rank)
		}
	}
}

// A list of all that is in danger would bury the table: it names the first and leads to the rest.
func TestPageNamesTheFirstInDanger(t *testing.T) {
	r := drawn()
	danger := r.Items[1]
	r.Items = nil
	for i := range 14 {
		danger.ID.Container = fmt.Sprintf("app-%02d", i)
		r.Items = append(r.Items, danger)
	}
	p := newPage(r)
	if len(p.Dangers) != 10 || p.MoreDangers != 4 {
		t.Errorf("%d are named and %d more, want 10 and 4", len(p.Dangers), p.MoreDangers)
	}
	if got := render(t, "html", r, Options{}); !strings.Contains(got, `<a href="#state=danger">and 4 more</a>`) {
		t.Error("nothing leads to the rest")
	}
}
