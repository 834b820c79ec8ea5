package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/prices"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

func priced(r Report, cpu, memory float64) Report {
	r.Prices = &prices.List{Currency: "USD", Default: prices.Rate{cpu, memory}}
	return r
}

// advised is a container whose requests go from now to after, in cores and GiB.
func advised(namespace, name string, replicas int, now, after [2]float64) scan.Item {
	var item scan.Item
	item.ID = recommender.ID{Namespace: namespace, Kind: "Deployment", Workload: name, Container: "app"}
	item.Replicas = replicas
	for res, unit := range [recommender.NumResources]float64{1, 1 << 30} {
		item.Spec[res] = recommender.Bounds{Request: recommender.Set(now[res] * unit), Limit: recommender.Unset()}
		item.Advice[res].Bounds.Request = recommender.Set(after[res] * unit)
	}
	return item
}

func TestMoney(t *testing.T) {
	unset := advised("b", "new", 2, [2]float64{}, [2]float64{1, 1})
	unset.Spec[recommender.CPU], unset.Spec[recommender.Memory] = none(), none()
	cron := advised("b", "nightly", 0, [2]float64{4, 4}, [2]float64{1, 1}) // not active
	cron.ID.Kind = "CronJob"
	r := priced(Report{Items: []scan.Item{advised("a", "web", 2, [2]float64{1, 2}, [2]float64{0.5, 1}), unset, cron}}, 0.03, 0.004)
	r.Prices.Namespaces = map[string]prices.Rate{"b": {0.01, 0}}
	want := []string{
		"Requests cost: 55.48 -> 42.34 USD a month (13.14 less)",
		"Of that: cpu 43.80 -> 36.50 USD a month (7.30 less); memory 11.68 -> 5.84 USD a month (5.84 less)",
		"Namespace a: 55.48 -> 27.74 USD a month (27.74 less)",
		"Namespace b: 0.00 -> 14.60 USD a month (14.60 more)",
		"At 0.03 USD a core-hour, 0.004 USD a GiB-hour; namespace b: 0.01 USD a core-hour, 0 USD a GiB-hour; a month is 730 hours",
		"Counted as 0 now: cpu of 1 container without request and limit",
		"Counted as 0 now: memory of 1 container without request and limit",
		"Possible, not certain: the bill falls only if nodes go", // which nothing said: over all, more cores are requested than now
	}
	if got := r.MoneyLines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("MoneyLines:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// A file of all namespaces' prices is not told to each of them.
	r.Prices.Namespaces = map[string]prices.Rate{"elsewhere": {1, 1}}
	if got := r.MoneyLines()[4]; got != "At 0.03 USD a core-hour, 0.004 USD a GiB-hour; a month is 730 hours" {
		t.Errorf("the prices read %q", got)
	}
	r.Prices.Namespaces = map[string]prices.Rate{"b": {0.01, 0}}
	r.View.Hidden[recommender.CPU] = true
	if got := r.Money().Total(); got != (Cost{1168, 584}) {
		t.Errorf("of memory alone: %v", got)
	}
}

func TestMoneySaysWhatIsNotCertain(t *testing.T) {
	less := priced(Report{Items: []scan.Item{advised("a", "web", 2, [2]float64{2, 2}, [2]float64{1, 1})}}, 0.03, 0.004)
	if got := strings.Join(less.MoneyLines(), "\n"); !strings.Contains(got, "Possible, not certain: 2.00 cores and 2Gi of memory of requests would be free, and the bill falls only if nodes go") {
		t.Errorf("savings read\n%s", got)
	}
	more := priced(Report{Items: []scan.Item{advised("a", "web", 2, [2]float64{1, 1}, [2]float64{2, 2})}}, 0.03, 0.004)
	if got := strings.Join(more.MoneyLines(), "\n"); strings.Contains(got, "Possible") || !strings.Contains(got, "49.64 more") {
		t.Errorf("costs read\n%s", got)
	}
}

// Without prices no format says a word of money.
func TestNoPricesNoMoney(t *testing.T) {
	if r := sample(); r.Money() != nil || r.MoneyLines() != nil {
		t.Error("a report without prices has money")
	}
	for _, f := range Formats() {
		var without bytes.Buffer
		if err := f.Write(&without, sample(), Options{}); err != nil {
			t.Fatal(err)
		}
		if text := strings.ToLower(without.String()); strings.Contains(text, "money") || strings.Contains(text, "cost") {
			t.Errorf("%s speaks of money", f.Name)
		}
	}
}

// An init container costs what it requests more than the others together.
func TestMoneyOfInitContainers(t *testing.T) {
	app, first := advised("a", "web", 3, [2]float64{1, 1}, [2]float64{1, 1}), advised("a", "web", 3, [2]float64{2, 1}, [2]float64{1, 1})
	first.ID.Container, first.Init = "migrate", true
	m := priced(Report{Items: []scan.Item{app, first}}, 1, 1).Money()
	if got, want := m.Of(first.ID, recommender.CPU), (Cost{3 * 73000, 0}); got != want {
		t.Errorf("the init container costs %v, want %v", got, want)
	}
	if got, want := m.Resources[recommender.CPU], (Cost{6 * 73000, 3 * 73000}); got != want {
		t.Errorf("all cost %v, want %v", got, want)
	}
}

// randomReport has several namespaces, init containers, unset requests, huge ones, and prices down to fractions of cents.
func randomReport(random *rand.Rand) Report {
	r := priced(Report{Least: recommender.DefaultSignificance()}, random.Float64(), math.Pow(10, -9*random.Float64()))
	r.Prices.Namespaces = map[string]prices.Rate{"n1": {0, 0}, "n2": {1e6, 1e6}}
	for i := range 63 {
		amount := func() [2]float64 { return [2]float64{random.ExpFloat64(), math.Pow(10, 9*random.Float64()-6)} }
		item := advised(fmt.Sprintf("n%d", i/21), fmt.Sprintf("w%02d", i/3), random.IntN(9), amount(), amount())
		item.ID.Container = strconv.Itoa(i)
		item.Init = random.IntN(4) == 0
		if random.IntN(5) == 0 {
			item.Spec[recommender.CPU] = none()
		}
		r.Items = append(r.Items, item)
	}
	return r
}

// Savings never exceed what a namespace costs now, and sums are those of what is shown, to the cent.
func TestMoneyAddsUp(t *testing.T) {
	for seed := range uint64(200) {
		r := randomReport(rand.New(rand.NewPCG(seed, 7)))
		m := r.Money()
		var spaces, rows Cost
		for _, n := range m.Namespaces {
			spaces = spaces.plus(n.Cost)
			if n.Saved() > n.Now || n.Now < 0 || n.After < 0 {
				t.Fatalf("seed %d: namespace %s saves %v of %v", seed, n.Namespace, n.Saved(), n.Now)
			}
		}
		for _, item := range r.Items {
			for res := range recommender.NumResources {
				rows = rows.plus(m.Of(item.ID, res))
			}
		}
		if total := m.Total(); spaces != total || rows != total {
			t.Fatalf("seed %d: namespaces %v, rows %v, total %v", seed, spaces, rows, total)
		}
		totals := r.Totals()
		for res := range recommender.NumResources {
			var sum float64
			for rest := r.Items; len(rest) > 0; rest = rest[3:] {
				for _, c := range charges(rest[:3], res) {
					sum += c.now
				}
			}
			if math.Abs(sum-totals[res].Now) > 1e-9*totals[res].Now {
				t.Fatalf("seed %d: %v charges %v, Totals has %v", seed, res, sum, totals[res].Now)
			}
		}
	}
}

// The amounts that programs read add up too.
func TestMoneyInFormats(t *testing.T) {
	r := priced(sample(), 0.0316, 0.0042)
	var b bytes.Buffer
	if err := writeJSON(&b, r, Options{}); err != nil {
		t.Fatal(err)
	}
	var out wireReport
	if err := json.Unmarshal(b.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	cents := func(x float64) Cents { return Cents(math.Round(x * 100)) }
	var sum Cost
	for _, c := range out.Containers {
		for _, res := range c.Resources {
			sum = sum.plus(Cost{cents(res.Money.Now), cents(res.Money.After)})
		}
	}
	total := Cost{cents(out.Money.Total.Now), cents(out.Money.Total.After)}
	if sum != total || total.Now == 0 || total != r.Money().Total() {
		t.Errorf("JSON: containers %v, total %v, want %v", sum, total, r.Money().Total())
	}
	b.Reset()
	if err := writeCSV(&b, r, Options{}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	now := 0.0
	for _, row := range rows[1:] {
		x, err := strconv.ParseFloat(row[len(row)-2], 64)
		if err != nil {
			t.Fatal(err)
		}
		now += x
	}
	if cents(now) != total.Now {
		t.Errorf("CSV: %v, want %v", cents(now), total.Now)
	}
	for _, name := range []string{"table", "wide", "markdown"} {
		b.Reset()
		f, _ := Lookup(name)
		if err := f.Write(&b, r, Options{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), r.Money().Summary()[:20]) {
			t.Errorf("%s lacks %q", name, r.Money().Summary())
		}
	}
}

func TestCents(t *testing.T) {
	for c, want := range map[Cents]string{0: "0.00", 5: "0.05", -5: "-0.05", 123456: "1234.56", -100: "-1.00"} {
		if got := c.String(); got != want {
			t.Errorf("Cents(%d) = %q, want %q", c, got, want)
		}
	}
	if got := toCents(1e300); got != maxCents {
		t.Errorf("toCents(1e300) = %d, want %v", got, maxCents)
	}
	if got := toCents(0.004); got != 0 {
		t.Errorf("toCents(0.004) = %d, want 0", got)
	}
}
