package recommender

import (
	"strings"
	"testing"
)

func TestParseRule(t *testing.T) {
	for text, want := range map[string]string{
		"p50": "p50", "P99 * 1.2": "p99*1.2", "p99.9*1.05": "p99.9*1.05", "p33.333333": "p33.333333", "p0": "p0", "p100": "p100",
		"max*1.15": "max*1.15", "max": "max", "mean": "mean", "mean*2": "mean*2", "p50*1": "p50",
		"none": "none", " keep ": "keep", "request": "request", "p95*0.5": "p95*0.5", "p99*1000": "p99*1000",
	} {
		rule, err := ParseRule(text)
		if err != nil || rule.String() != want {
			t.Errorf("ParseRule(%q) = %v, %v, want %v", text, rule, err, want)
		}
		again, err := ParseRule(rule.String())
		if err != nil || again != rule {
			t.Errorf("ParseRule(%q) = %v, %v: does not read its own text back", rule, again, err)
		}
	}
}

func TestParseRuleRefuses(t *testing.T) {
	for _, text := range []string{
		"", "p", "p101", "p-1", "pNaN", "pinf", "p1e1", "p0x10", "p99*-1", "p99*", "p99*0", "p99*inf", "p99*1e3",
		"p99*1001", "p99**2", "p99*1.2*1.2", "50", "median", "none*2", "keep*2", "request*2", "*2", "max*", "p99x1.2", "p+5", "p5.5.5",
	} {
		rule, err := ParseRule(text)
		if err == nil {
			t.Errorf("ParseRule(%q) = %v, want an error", text, rule)
			continue
		}
		if msg := err.Error(); !strings.Contains(msg, "want ") || strings.Contains(msg, "\n") {
			t.Errorf("ParseRule(%q): %q does not say what is allowed in one line", text, msg)
		}
	}
}

func FuzzParseRule(f *testing.F) {
	for _, seed := range []string{"p50", "p99*1.2", "max*1.15", "none", "p101", "p99*", "P 9 9", "p99.99999999*1.3333333"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := ParseRule(text)
		if err != nil {
			return
		}
		again, err := ParseRule(rule.String())
		if err != nil || again.String() != rule.String() {
			t.Errorf("ParseRule(%q) prints as %q, which reads as %q, %v", text, rule, again, err)
		}
	})
}

// Every rule on the samples 1 .. 101 cores, of which Pq is q+1.
func TestRuleValue(t *testing.T) {
	var u Usage
	for i := 101; i >= 1; i-- {
		u.add(float64(i))
	}
	u.Peak.Value = 110 // seen off the grid
	for text, want := range map[string]Value{
		"p50": Set(51), "p99*1.2": Set(120), "p100": Set(101), "max": Set(110), "max*1.5": Set(165),
		"mean": Set(51), "none": Unset(), "keep": NoAdvice(),
	} {
		rule, err := ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := CPU.roundUp(rule.value(u)); got != want {
			t.Errorf("%s of 1..101 = %v, want %v", text, got, want)
		}
	}
}

func TestRoundUp(t *testing.T) {
	const mi = 1 << 20
	for _, c := range []struct {
		r          Resource
		give, want float64
	}{
		{CPU, 0.1 * 1.2, 0.12}, // 0.12 in exact arithmetic, a little more in floats
		{CPU, 0.1200001, 0.121},
		{CPU, 0.0000001, 0.001},
		{CPU, 0, 0},
		{CPU, 1.9991, 2},
		{Memory, 1, mi},
		{Memory, mi, mi},
		{Memory, mi + 1, 2 * mi},
		{Memory, 300*mi - 1, 300 * mi},
		{Memory, 5 << 40, 5 << 40},
	} {
		if got := c.r.roundUp(Set(c.give)); got != Set(c.want) {
			t.Errorf("%s.roundUp(%v) = %v, want %v", c.r, c.give, got, c.want)
		}
	}
	for _, v := range []Value{Unset(), NoAdvice()} {
		if got := CPU.roundUp(v); got != v {
			t.Errorf("roundUp(%v) = %v", v, got)
		}
	}
}
