package prices

import (
	"strings"
	"testing"

	"github.com/rightsize/rightsize/recommender"
)

const file = `version: 1
currency: EUR
cpu: 0.03
memory: 0.004
namespaces:
  batch: {cpu: 0.01, memory: 0}
`

func TestParse(t *testing.T) {
	list, err := Parse("prices.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if list.Currency != "EUR" || list.Of("shop") != (Rate{0.03, 0.004}) || list.Of("batch") != (Rate{0.01, 0}) {
		t.Errorf("Parse = %+v", list)
	}
	want := "0.03 EUR a core-hour, 0.004 EUR a GiB-hour; namespace batch: 0.01 EUR a core-hour, 0 EUR a GiB-hour"
	if got := list.String(); got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
}

func TestOnly(t *testing.T) {
	list, err := Parse("prices.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := list.Only([]string{"shop", "shop"}).String(), "0.03 EUR a core-hour, 0.004 EUR a GiB-hour"; got != want {
		t.Errorf("of shop: %q, want %q", got, want)
	}
	if got := list.Only([]string{"shop", "batch"}); got.String() != list.String() || got.Of("batch") != list.Of("batch") {
		t.Errorf("of both: %q, want %q", got, list)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                                 "p: is empty",
		"# nothing\n":                                      "p: is empty",
		"version: 1\ncpu: 1\n":                             "p:1: memory is missing",
		"version: 2\ncpu: 1\nmemory: 1\n":                  "p:1: version: want 1",
		"[]":                                               "p:1: want an object with version, cpu, memory, currency or namespaces",
		"version: 1\ncpu: 1\nram: 1\n":                     "p:3: unknown key ram: want version",
		"version: 1\ncpu: 1\ncpu: 1\n":                     "p:3: cpu is there twice",
		"version: 1\ncpu: -1\nmemory: 1\n":                 `p:2: cpu: invalid "-1": want a price`,
		"version: 1\ncpu: 1\nmemory: .nan\n":               `p:3: memory: invalid ".nan"`,
		"version: 1\ncpu: .inf\nmemory: 1\n":               `p:2: cpu: invalid ".inf"`,
		"version: 1\ncpu: [1]\nmemory: 1\n":                "p:2: cpu: want a number",
		"version: 1\ncpu: 1\nmemory:\n":                    `p:3: memory: invalid ""`,
		file + "  batch: {cpu: 1, memory: 1}\n":            "p:7: namespaces.batch: is there twice",
		file + "  web: {cpu: 1}\n":                         "p:7: namespaces.web: memory is missing",
		file + "  web: 3\n":                                "p:7: namespaces.web: want an object with cpu or memory",
		file + "---\nversion: 1\n":                         "p: there is something behind the first document",
		"version: 1\ncpu: 1\nmemory: 1\ncurrency: 'U D'\n": "p:4: currency: want a code",
		"version: 1\ncpu: 1\nmemory: 1\nnamespaces: x\n":   "p:4: namespaces: want an object",
		"a: [":                     "p: line 1",
		strings.Repeat("#", 1<<21): "p: has 2097152 bytes",
	} {
		if _, err := Parse("p", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Parse(%.60q) = %v, want %q", text, err, want)
		}
	}
}

func TestParsePrice(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "-0": 0, "0.0316": 0.0316, "1e-6": 1e-6, "1000000": 1e6} {
		if x, err := ParsePrice(text); err != nil || x != want {
			t.Errorf("ParsePrice(%q) = %v, %v, want %v", text, x, err, want)
		}
	}
	for _, text := range []string{"", "-1", "NaN", "Inf", "-inf", "1e400", "1000001", "0x1p2", "1_0", "$3", "0,03", " 1"} {
		if x, err := ParsePrice(text); err == nil {
			t.Errorf("ParsePrice(%q) = %v, want an error", text, x)
		}
	}
}

func TestParseCurrency(t *testing.T) {
	for _, text := range []string{"USD", "€", "zł"} {
		if _, err := ParseCurrency(text); err != nil {
			t.Errorf("ParseCurrency(%q): %v", text, err)
		}
	}
	for _, text := range []string{"", "US D", "1", "\x1b[31m", "ABCDEFGHI", "U-D"} {
		if _, err := ParseCurrency(text); err == nil {
			t.Errorf("ParseCurrency(%q) is allowed", text)
		}
	}
}

// A core for a month at 0.03 an hour is 21.90, as is 8 GiB at 0.00375.
func TestMonth(t *testing.T) {
	r := Rate{0.03, 0.00375}
	for res, amount := range [recommender.NumResources]float64{1, 8 << 30} {
		if got := r.Month(recommender.Resource(res), amount); got < 21.899 || got > 21.901 {
			t.Errorf("Month(%v, %v) = %v, want 21.90", recommender.Resource(res), amount, got)
		}
	}
}

// Whatever is read has prices that can be counted with.
func FuzzParse(f *testing.F) {
	f.Add([]byte(file))
	f.Add([]byte("version: 1\ncpu: &a 1\nmemory: *a\n"))
	f.Add([]byte("- null\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := Parse("p", text)
		if err != nil {
			return
		}
		for _, r := range append([]Rate{list.Default}, list.Of("batch")) {
			for _, x := range r {
				if !(x >= 0 && x <= maxPrice) {
					t.Fatalf("price %v", x)
				}
			}
		}
	})
}
