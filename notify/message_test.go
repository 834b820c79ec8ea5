package notify

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/notify/slacktest"
	"github.com/rightsize/rightsize/prices"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/testdata/golden"
)

func payloadOf(t *testing.T, r report.Report, since *comparison) []byte {
	t.Helper()
	m, err := newMessage(r, since)
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.payload("")
	if err != nil {
		t.Fatal(err)
	}
	if err := slacktest.Check(text); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return text
}

func TestMessage(t *testing.T) {
	last := &state{Scope: "x", Until: until().Add(-7 * 24 * time.Hour), Open: map[string][2]float64{"gone": {1, 1}}}
	for _, i := range sample().Items[:2] {
		last.Open[key(i.ID)] = sums(i)
	}
	last.Open[key(sample().Items[2].ID)] = [2]float64{1, 1} // without advice now
	since, _ := compare(last, sample(), "x")
	golden.Compare(t, "message.json", append(payloadOf(t, sample(), &since), '\n'))
}

func TestMessageOfNothing(t *testing.T) {
	text := string(payloadOf(t, reportOf(), &comparison{first: true}))
	if !strings.Contains(text, "there is nothing to look at") {
		t.Errorf("message of nothing:\n%s", text)
	}
}

func TestMessageOfNothingToSay(t *testing.T) {
	fits := bounds(0.1, 0.2)
	text := string(payloadOf(t, reportOf(item("web", fits, fits, bounds(64*mi, 128*mi), bounds(64*mi, 128*mi))), nil))
	for _, want := range []string{"shop: requests fit what is used", "nothing was seen"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, not := range []string{"To change", "Without advice", "Since"} {
		if strings.Contains(text, not) {
			t.Errorf("%q in\n%s", not, text)
		}
	}
}

// Without any data nothing is known to fit, and nothing to be out of danger.
func TestMessageOfNoData(t *testing.T) {
	r := reportOf(silent("images"), failed("db"))
	r.Warnings = []string{"PARTIAL_RESPONSE: <store> is away"}
	text := string(payloadOf(t, r, nil))
	for _, want := range []string{"shop: no advice for any of 2 containers", "*Warnings*: 1", "`PARTIAL_RESPONSE: &lt;store&gt; is away`", "*Without advice*: 2 of 2"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, not := range []string{"fit what is used", "requested*", "nothing was seen"} {
		if strings.Contains(text, not) {
			t.Errorf("%q in\n%s", not, text)
		}
	}
}

// What may not be listed stands before what is known of the rest.
func TestMessageOfAPart(t *testing.T) {
	r := sample()
	r.Unlisted = []string{"deployments.apps"}
	r.Warnings = slices.Repeat([]string{"not allowed to list deployments.apps"}, 7)
	text := string(payloadOf(t, r, nil))
	warned, danger := strings.Index(text, "*Warnings*: 7"), strings.Index(text, "*In danger*")
	if !strings.Contains(text, "could be saved, as far as is known") || warned < 0 || warned > danger || !strings.Contains(text, "…and 2 more") {
		t.Errorf("not told what is missing:\n%s", text)
	}
	fits := bounds(0.1, 0.2)
	r.Items = []scan.Item{item("web", fits, fits, bounds(64*mi, 128*mi), bounds(64*mi, 128*mi))}
	if text = string(payloadOf(t, r, nil)); !strings.Contains(text, "nothing was seen in what is known") {
		t.Errorf("a part is told to be out of danger as if it were all:\n%s", text)
	}
	r.Items = nil
	if text = string(payloadOf(t, r, nil)); !strings.Contains(text, "there is nothing in what may be listed") {
		t.Errorf("what may not be listed is told to be nothing:\n%s", text)
	}
}

func TestHeadline(t *testing.T) {
	for _, c := range []struct {
		cpu, cpuAdvice, memory, memoryAdvice float64
		want                                 string
	}{
		{2, 1, 4096 * mi, 1024 * mi, "shop: 2 cores and 6 GiB could be saved"},
		{2, 1, 100 * mi, 200 * mi, "shop: 2 cores could be saved, 200 MiB more are needed"},
		{1, 1, 100 * mi, 200 * mi, "shop: 200 MiB more are needed"},
		{1, 1.001, mi, mi, "shop: requests fit what is used"},
		{2, 1.75, mi, mi, "shop: 0.5 cores could be saved"},
		{600, 1, mi, mi, "shop: 1198 cores could be saved"},
	} {
		r := reportOf(item("web", bounds(c.cpu, c.cpu), bounds(c.cpuAdvice, c.cpuAdvice), bounds(c.memory, c.memory), bounds(c.memoryAdvice, c.memoryAdvice)))
		if got := (writer{report: r, digest: digestOf(r), namespaces: namespaces(r)}).headline(); got != c.want {
			t.Errorf("headline = %q, want %q", got, c.want)
		}
	}
}

// A policy that wants no CPU limits is not told every week that there are none.
func TestLimitsThatNobodyWantsAreNotMissing(t *testing.T) {
	r := reportOf(item("web", recommender.Bounds{Request: recommender.Set(1), Limit: recommender.Unset()}, bounds(1, 1), bounds(mi, mi), bounds(mi, mi)))
	if text := string(payloadOf(t, r, nil)); !strings.Contains(text, "*1* without a CPU limit") {
		t.Errorf("no CPU limit, and no word of it:\n%s", text)
	}
	rule, err := recommender.ParseRule("none")
	if err != nil {
		t.Fatal(err)
	}
	r.Policy.Rules[recommender.CPU].Limit = rule
	if text := string(payloadOf(t, r, nil)); strings.Contains(text, "without a CPU limit") {
		t.Errorf("a limit that nobody wants is missing:\n%s", text)
	}
}

func TestChangesAreTheGreatestFirst(t *testing.T) {
	var items []scan.Item
	for n := range 25 {
		items = append(items, item(fmt.Sprintf("w%02d", n), bounds(float64(n+1), 50), bounds(0.1, 50), bounds(mi, mi), bounds(mi, mi)))
	}
	text := string(payloadOf(t, reportOf(items...), nil))
	last := -1
	for n := 24; n > 14; n-- {
		at := strings.Index(text, fmt.Sprintf("`deployment/w%02d app`: cpu", n))
		if at <= last {
			t.Fatalf("w%02d is not where it belongs:\n%s", n, text)
		}
		last = at
	}
	if strings.Contains(text, "w14 app`: cpu") || !strings.Contains(text, "…and 15 more") {
		t.Errorf("not ten changes and the number of the others:\n%s", text)
	}
}

// hostile makes reports of anything: names with markup, of any length, amounts of any size.
func hostile(g *rand.Rand, n int) report.Report {
	words := []string{"=1+1", "api", "<!channel>", "&amp;", "`", "*", "_~", "<https://x|y>", "\n", "\u202e", "😀", "é", "a|b", "\xff", ":fire:", "@here", "&&&&&&&&&&&&&&&&&&&&", strings.Repeat("<", 300)}
	text := func() (s string) {
		for range g.IntN(12) {
			s += words[g.IntN(len(words))]
		}
		return s
	}
	value := func() recommender.Value {
		switch g.IntN(5) {
		case 0:
			return recommender.Unset()
		case 1:
			return recommender.Value{}
		case 2:
			return recommender.Set(0)
		default:
			return recommender.Set(g.ExpFloat64() * []float64{1e-9, 1, 1e9, 1e18}[g.IntN(4)])
		}
	}
	pair := func() recommender.Bounds { return recommender.Bounds{Request: value(), Limit: value()} }
	var items []scan.Item
	for range n {
		i := item(text(), pair(), pair(), pair(), pair())
		i.ID.Namespace, i.ID.Container, i.ID.Kind, i.ID.Cluster = text(), text(), text(), []string{"", text()}[g.IntN(2)]
		i.Replicas = g.IntN(1000) - 1
		i.Evidence[recommender.Memory].Peak.Value = g.ExpFloat64() * 1e9
		i.Evidence[g.IntN(2)].Samples *= g.IntN(2)
		if g.IntN(4) == 0 {
			i.OOMKills = make([]recommender.OOMKill, 1+g.IntN(5))
		}
		if g.IntN(6) == 0 {
			i.Err = fmt.Errorf("%s", text())
		}
		items = append(items, i)
	}
	r := reportOf(items...)
	r.Policy.Name = text()
	return r
}

// FuzzMessage holds messages of anything to Slack's rules: limits, escaping, nothing empty.
func FuzzMessage(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed, uint16(seed%40), "<!here> & `x`")
	}
	f.Add(uint64(1), uint16(10_000), "all namespaces")
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, scope string) {
		g := rand.New(rand.NewPCG(seed, 1))
		before := hostile(g, int(n)%10_001)
		first, s := compare(nil, before, scope)
		payloadOf(t, before, &first)
		after := hostile(g, int(n)%200)
		after.Items = append(after.Items, before.Items[:len(before.Items)/2]...)
		second, _ := compare(&s, after, []string{scope, ""}[seed%2])
		payloadOf(t, after, &second)
	})
}

// Lines are there whole or not at all, and those that are not are counted.
func TestFit(t *testing.T) {
	lines := []string{"title", strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40)}
	for _, c := range []struct {
		hidden, most int
		want         string
	}{
		{0, 1000, strings.Join(lines, "\n")},
		{7, 1000, strings.Join(lines, "\n") + "\n…and 7 more"},
		{0, 100, "title\n" + lines[1] + "\n…and 2 more"},
		{7, 100, "title\n" + lines[1] + "\n…and 9 more"},
	} {
		if got := fit(lines, c.hidden, c.most); got != c.want || length(got) > c.most {
			t.Errorf("fit(%d, %d) = %q, want %q", c.hidden, c.most, got, c.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		give string
		most int
		want string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"é😀x", 4, "é😀x"},
		{"é😀xy", 4, "é😀…"},
		{"😀😀", 3, "😀…"},
		{"", 3, ""},
	} {
		if got := cut(c.give, c.most); got != c.want || length(got) > c.most {
			t.Errorf("cut(%q, %d) = %q, want %q", c.give, c.most, got, c.want)
		}
	}
	if got := code("a`b<c&d\n", 12); got != "`a'b&lt;c…`" {
		t.Errorf("code = %q", got)
	}
}

// With prices the small print says what requests cost, and that it is not certain to be saved.
func TestMessageOfMoney(t *testing.T) {
	var item scan.Item
	item.ID = recommender.ID{Namespace: "shop", Kind: "Deployment", Workload: "web", Container: "app"}
	item.Replicas = 1
	item.Spec[recommender.CPU].Request = recommender.Set(2)
	item.Advice[recommender.CPU].Bounds.Request = recommender.Set(1)
	r := report.Report{Items: []scan.Item{item}}
	if got := (writer{report: r}).money(); got != nil {
		t.Errorf("without prices: %q", got)
	}
	r.Prices = &prices.List{Currency: "EUR", Default: prices.Rate{0.03, 0.004}}
	if got, want := strings.Join((writer{report: r}).money(), ""), "Requests cost: 43.80 -> 21.90 EUR a month (21.90 less), if nodes go"; got != want {
		t.Errorf("money = %q, want %q", got, want)
	}
}
