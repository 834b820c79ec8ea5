package recommender

import (
	"math"
	"strings"
	"testing"
	"time"
)

// The lower of two rules, and percentiles of recent use, read back what they print.
func TestParseLeast(t *testing.T) {
	for text, want := range map[string]string{
		"min(max*1.15, p99*2)":          "min(max*1.15,p99*2)",
		"MIN(recent90*1.25,recent98.5)": "min(recent90*1.25,recent98.5)",
		"recent90":                      "recent90",
		"recent100 * 1.1":               "recent100*1.1",
	} {
		rule, err := ParseRule(text)
		if err != nil || rule.String() != want {
			t.Errorf("ParseRule(%q) = %v, %v, want %s", text, rule, err, want)
		}
	}
	for _, text := range []string{"min(p50)", "min(p50,p60", "min(p50,p60)*2", "min(none,p50)", "min(p50,keep)", "min(p50,min(p60,p70))", "min(,)", "min(p1,p2,p3)", "recent", "recent101", "min("} {
		if rule, err := ParseRule(text); err == nil || !strings.Contains(err.Error(), "want p0 to p100") {
			t.Errorf("ParseRule(%q) = %v, %v, want an error that says what is allowed", text, rule, err)
		}
	}
}

func TestLeastValue(t *testing.T) {
	var u Usage
	for i := range 101 {
		u.add(float64(i + 1))
	}
	for text, want := range map[string]Value{
		"min(max*1.15,p50*2)": Set(102),
		"min(p50*2,max)":      Set(101),
		"recent90":            Set(91), // of all, where nobody kept what is recent
		"recent98.5*2":        Set(199),
	} {
		rule, err := ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := CPU.roundUp(rule.value(u)); got != want {
			t.Errorf("%s of 1..101 = %v, want %v", text, got, want)
		}
		if got := rule.value(Usage{}); got != NoAdvice() {
			t.Errorf("%s of nothing = %v, want no advice", text, got)
		}
	}
}

// What is two days older weighs half.
func TestRecent(t *testing.T) {
	var r Recent
	for range 100 {
		r.Add(1, 0)
		r.Add(5, 48*time.Hour)
		r.Add(9, 96*time.Hour)
	}
	for q, want := range map[float64]float64{0.5: 1, 0.57: 1, 0.58: 5, 0.85: 5, 0.86: 9, 1: 9} { // 4/7 and 6/7 of all weight
		if got := r.quantile(q); math.Abs(got-want) > 0.005*want {
			t.Errorf("the %v-quantile = %v, want %v", q, got, want)
		}
	}
	var none *Recent
	if v := none.quantile(0.5); !math.IsNaN(v) {
		t.Errorf("of nothing: %v", v)
	}
	var odd Recent
	for _, v := range []float64{math.NaN(), math.Inf(1), -1} {
		odd.Add(v, 0)
	}
	if v := odd.quantile(0.5); !math.IsNaN(v) {
		t.Errorf("of what is none: %v", v)
	}
	odd.Add(0, 0)
	odd.Add(math.MaxFloat64, 0)
	odd.Add(5e-324, 0)
	if low, high := odd.quantile(0.5), odd.quantile(1); low != 0 || math.IsNaN(high) {
		t.Errorf("of the smallest and the largest: %v, %v", low, high)
	}
}

// A quantile of what weighs the same is within 0.5 % of the sample that it falls on, whatever its size.
func TestRecentIsExactEnough(t *testing.T) {
	for _, scale := range []float64{1e-5, 0.001, 0.7, 64, 3e11} {
		var r Recent
		var u Usage
		for i := range 1000 {
			v := scale * (1 + float64(i)/100)
			r.Add(v, time.Hour)
			u.add(v)
		}
		for q := 0.01; q < 1; q += 0.01 {
			got, want := r.quantile(q), u.Samples.Quantile(q)
			if math.Abs(got-want) > 0.016*want { // half a bucket, and the gap between two samples
				t.Errorf("%v-quantile at %v = %v, want %v", q, scale, got, want)
			}
		}
	}
}

func TestSafePolicy(t *testing.T) {
	p, err := PolicyNamed("safe")
	if err != nil || p.Validate() != nil || !p.NeedsRecent() || DefaultPolicy().NeedsRecent() {
		t.Fatalf("PolicyNamed(safe) = %v, %v", p, err)
	}
	h := History{}
	for r := range NumResources {
		u := &h.Usage[r]
		u.Covered, u.Recent = 7*day, new(Recent)
		for i := range 1000 {
			v := float64(i+1) / 1000
			if r == Memory {
				v *= 1 << 30
			}
			u.add(v)
			u.Recent.Add(v, 0)
		}
	}
	rec := Recommend(deployment(), h, p)
	if got := rec.Advice[CPU].Bounds; !got.Limit.IsUnset() || math.Abs(got.Request.amount-0.98) > 0.006 {
		t.Errorf("cpu = %v, want P98 and no limit", got)
	}
	want := Memory.roundUp(Set(1.15 * (1 << 30)))
	if got := rec.Advice[Memory].Bounds; got.Request != want || got.Limit != want {
		t.Errorf("memory = %v, want %v for both", got, want)
	}
}
