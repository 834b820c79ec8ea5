package recommender

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// ranged is a container of a namespace with one LimitRange for a resource.
func ranged(r Resource, demanded Range) Container {
	c := deployment()
	l := LimitRange{Name: "sizes"}
	l.Of[r] = demanded
	c.Facts.Ranges = []LimitRange{l}
	return c
}

// cores is a usage whose P50 is the first and whose P99 the second of them.
func cores(p50, p99 float64) Usage { return usage(append(repeat(90, p50), repeat(10, p99)...)...) }

func TestLimitRange(t *testing.T) {
	for _, c := range []struct {
		name         string
		r            Resource
		demanded     Range
		spec         Bounds // unset where zero
		usage        Usage
		rules        string // of the request and the limit; the default's where empty
		want         Bounds
		note, absent string
	}{
		{
			name: "inside", r: CPU, demanded: Range{Min: Set(0.05), Max: Set(4), MaxRatio: 4}, usage: cores(0.1, 0.2),
			want: bounds(0.1, 0.24), absent: GuardLimitRange,
		},
		{
			name: "below min", r: CPU, demanded: Range{Min: Set(0.15)}, usage: cores(0.05, 0.1),
			want: bounds(0.15, 0.15), note: "limit-range:request raised from 50m to 150m, the min of LimitRange sizes",
		},
		{
			name: "above max, which is no round number", r: Memory, demanded: Range{Max: Set(100e6)}, usage: cores(50*mi, 90*mi),
			want: bounds(50*mi, 100e6), note: "limit-range:limit lowered from 108Mi to 100M, the max of LimitRange sizes",
		},
		{
			name: "max below the peak says what that means", r: Memory, demanded: Range{Max: Set(80 * mi)}, usage: cores(50*mi, 90*mi),
			want: bounds(50*mi, 80*mi), note: "limit-range:limit lowered from 108Mi to 80Mi, the max of LimitRange sizes, though usage peaked at 90Mi and would be killed there",
		},
		{
			name: "the ratio raises the request, since a lower limit might kill", r: Memory, demanded: Range{MaxRatio: 1.5}, usage: cores(50*mi, 100*mi),
			want: bounds(80*mi, 120*mi), note: "limit-range:request raised from 50Mi to 80Mi: LimitRange sizes allows a limit of at most 1.5 x the request",
		},
		{
			name: "the ratio of no round number is kept", r: CPU, demanded: Range{MaxRatio: 1.7}, usage: cores(0.1, 1),
			want: bounds(0.706, 1.2), note: "limit-range:at most 1.7 x",
		},
		{
			name: "the ratio lowers the limit where the request is kept", r: CPU, demanded: Range{MaxRatio: 2}, usage: cores(0.1, 1), spec: bounds(0.2, 0.3), rules: "keep p99",
			want: Bounds{NoAdvice(), Set(0.4)}, note: "limit-range:limit lowered from 1 to 400m: LimitRange sizes allows at most 2 x the request, which is kept",
		},
		{
			name: "the ratio of a limit that is kept", r: CPU, demanded: Range{MaxRatio: 2}, usage: cores(0.1, 0.1), spec: bounds(1, 2), rules: "p50 keep",
			want: Bounds{Set(1), NoAdvice()}, note: "limit-range:request raised from 100m to 1",
		},
		{
			name: "no limit where one is filled in that is high enough", r: CPU, demanded: Range{DefaultLimit: Set(2), DefaultRequest: Set(0.05)}, usage: cores(0.1, 0.2), rules: "p50 none",
			want: Bounds{Set(0.1), Unset()}, note: "limit-range-default:LimitRange sizes gives it a limit of 2, since none is declared",
		},
		{
			name: "no limit where one is filled in that is below the request", r: CPU, demanded: Range{DefaultLimit: Set(0.5), DefaultRequest: Set(0.05), Max: Set(3)}, usage: cores(1, 2), rules: "p50 none",
			want: bounds(1, 3), note: "limit-range:limit set to 3: without one, LimitRange sizes would fill in 500m, which is below the request",
		},
		{
			name: "the same without a max: what was used is the least", r: Memory, demanded: Range{DefaultLimit: Set(20 * mi)}, usage: cores(50*mi, 90*mi), rules: "p50 none",
			want: bounds(50*mi, 90*mi), note: "limit-range:limit set to 90Mi",
		},
		{
			name: "no limit where a ratio asks for one", r: CPU, demanded: Range{MaxRatio: 4}, usage: cores(0.1, 0.2), rules: "p50 none",
			want: bounds(0.1, 0.4), note: "limit-range:limit set to 400m: without one, LimitRange sizes allows at most 4 x the request",
		},
		{
			name: "no request is the limit", r: CPU, demanded: Range{Min: Set(0.05), DefaultRequest: Set(0.05), MaxRatio: 2}, usage: cores(0.1, 1), rules: "none p99",
			want: Bounds{Unset(), Set(1)}, absent: GuardLimitRange,
		},
		{
			name: "what is kept is not ours to move, but is said", r: CPU, demanded: Range{Max: Set(1)}, usage: cores(0.1, 0.2), spec: bounds(0.5, 2), rules: "p50 keep",
			want: Bounds{Set(0.1), NoAdvice()}, note: "outside-limit-range:the limit of 2 is above 1, the max of LimitRange sizes: Kubernetes would refuse its pods",
		},
		{
			name: "without advice nothing is judged", r: CPU, demanded: Range{Max: Set(1)}, usage: cores(0.1, 0.2), spec: bounds(0.5, 2), rules: "keep keep",
			want: Bounds{}, absent: NoteOutsideLimitRange,
		},
		{
			name: "what is filled in where nothing is declared", r: CPU, demanded: Range{DefaultLimit: Set(1), DefaultRequest: Set(0.05)}, rules: "keep keep", usage: cores(0.1, 0.2),
			want: Bounds{}, note: "limit-range-default:LimitRange sizes gives it a request of 50m, since none is declared",
		},
		{
			name: "a kept request above the max cannot be put right", r: CPU, demanded: Range{Max: Set(1)}, usage: cores(0.1, 2), spec: bounds(1.5, 2), rules: "keep p99",
			want: Bounds{NoAdvice(), Set(1)}, note: "outside-limit-range:the request of 1500m is above 1",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			container, h, p := ranged(c.r, c.demanded), History{}, DefaultPolicy()
			if c.spec != (Bounds{}) {
				container.Spec[c.r] = c.spec
			}
			h.Usage[c.r] = c.usage
			if request, limit, given := strings.Cut(c.rules, " "); given {
				p.Rules[c.r] = rules(t, request, limit)
			}
			got := Recommend(container, h, p).Advice[c.r]
			if got.Bounds != c.want {
				t.Errorf("bounds %v, want %v; notes %v", got.Bounds, c.want, got.Notes)
			}
			if c.absent != "" && slices.Contains(codes(got), c.absent) {
				t.Errorf("notes %v, want none of %s", got.Notes, c.absent)
			}
			if c.note != "" {
				checkNote(t, got, c.note)
			}
		})
	}
}

// Of several LimitRanges the strictest counts, and the first to fill something in.
func TestSeveralLimitRanges(t *testing.T) {
	c := deployment()
	wide, narrow := LimitRange{Name: "wide"}, LimitRange{Name: "narrow"}
	wide.Of[CPU] = Range{Min: Set(0.2), Max: Set(8), DefaultLimit: Set(1)}
	narrow.Of[CPU] = Range{Min: Set(0.1), Max: Set(2), MaxRatio: 5, DefaultLimit: Set(2)}
	c.Facts.Ranges = []LimitRange{wide, narrow}
	h := History{}
	h.Usage[CPU] = cores(0.05, 4)
	got := Recommend(c, h, DefaultPolicy()).Advice[CPU]
	if want := bounds(0.4, 2); got.Bounds != want {
		t.Errorf("bounds %v, want %v", got.Bounds, want)
	}
	for _, text := range []string{"the min of LimitRange wide", "the max of LimitRange narrow", "LimitRange narrow allows a limit of at most 5 x"} {
		if !slices.ContainsFunc(got.Notes, func(n Note) bool { return n.Code == GuardLimitRange && strings.Contains(n.Text, text) }) {
			t.Errorf("notes %v lack %q", got.Notes, text)
		}
	}
}

// Without the guard what would be refused is marked.
func TestOutsideLimitRangeWithoutGuard(t *testing.T) {
	c, h, p := ranged(CPU, Range{Max: Set(0.1), MaxRatio: 2}), History{}, DefaultPolicy()
	h.Usage[CPU], p.Guards = cores(0.05, 1), nil
	got := Recommend(c, h, p).Advice[CPU]
	if got.Bounds != got.Formula {
		t.Errorf("bounds %v, want the formula %v", got.Bounds, got.Formula)
	}
	checkNote(t, got, "outside-limit-range:the limit of 1200m is above 100m, the max of LimitRange sizes")
}

// Whatever was used, and whatever a LimitRange that the API server takes asks for: advice on both sides is admitted,
// by the API server's own arithmetic.
func FuzzLimitRange(f *testing.F) {
	f.Add(uint32(50), uint32(4000), uint16(3000), uint32(100), uint32(900), true)
	f.Add(uint32(0), uint32(0), uint16(1700), uint32(77), uint32(5000), true)
	f.Add(uint32(10), uint32(100), uint16(0), uint32(200), uint32(300), false)
	f.Add(uint32(33), uint32(34), uint16(1001), uint32(33), uint32(333), false)
	f.Fuzz(func(t *testing.T, least, most uint32, ratioMilli uint16, p50, p99 uint32, limited bool) {
		// As ValidateLimitRange has it: min <= max, a ratio of at least 1 and at most max / min.
		if most > 0 && least > most || ratioMilli > 0 && ratioMilli < 1000 || most > 0 && uint64(ratioMilli)*uint64(least) > 1000*uint64(most) && least > 0 {
			return
		}
		p99 = max(p50, p99)
		for r, unit := range [NumResources]float64{1000, 1.0 / 1024} { // thousandths of a core, and KiB
			demanded := Range{MaxRatio: float64(ratioMilli) / 1000}
			if least > 0 {
				demanded.Min = Set(float64(least) / unit)
			}
			if most > 0 {
				demanded.Max, demanded.DefaultLimit = Set(float64(most)/unit), Set(float64(most)/unit)
			}
			demanded.DefaultRequest = demanded.Min.Or(demanded.DefaultLimit)
			resource := Resource(r)
			h, p := History{}, DefaultPolicy()
			h.Usage[resource] = cores(float64(p50)/unit, float64(p99)/unit)
			if !limited {
				p.Rules[resource].Limit = Rule{base: ruleNone}
			}
			got := Recommend(ranged(resource, demanded), h, p).Advice[resource]
			if why := refusedByServer(resource, demanded, got.Bounds); why != "" {
				t.Errorf("%s %v under %+v: %s; notes %v", resource, got.Bounds, demanded, why, got.Notes)
			}
			if slices.Contains(codes(got), NoteOutsideLimitRange) {
				t.Errorf("%s %v is marked: %v", resource, got.Bounds, got.Notes)
			}
		}
	})
}

// refusedByServer is limitRequestRatioConstraint and its like, in whole thousandths of cores and in bytes.
func refusedByServer(r Resource, demanded Range, b Bounds) string {
	whole := func(v Value) (int64, bool) {
		x, ok := v.Amount()
		if r == CPU {
			x *= 1000
		}
		return int64(math.Round(x)), ok
	}
	if !b.Limit.isSet() {
		b.Limit = demanded.DefaultLimit
	}
	request, _ := whole(b.Request)
	limit, limited := whole(b.Limit)
	if least, ok := whole(demanded.Min); ok && (request < least || limited && limit < least) {
		return "below min"
	}
	if most, ok := whole(demanded.Max); ok && (request > most || !limited || limit > most) {
		return "above max"
	}
	if demanded.MaxRatio > 0 && (request == 0 || !limited || float64(limit)/float64(request)*1000 > math.Round(demanded.MaxRatio*1000)) {
		return "above ratio"
	}
	if limited && request > limit {
		return "request above limit"
	}
	return ""
}

func scaled(r Resource, container string) Facts {
	return Facts{Autoscalers: []Autoscaler{{Name: "HorizontalPodAutoscaler web", Resource: r, Container: container, Percent: 60}}}
}

func TestAutoscaled(t *testing.T) {
	for _, c := range []struct {
		name  string
		facts Facts
		spec  Bounds
		rules string
		hpa   HPAMode
		want  Bounds
		note  string
	}{
		{
			name: "keeps the request", facts: scaled(CPU, ""), spec: bounds(0.25, 0.5), want: Bounds{NoAdvice(), Set(0.25)},
			note: "autoscaled:request left at 250m instead of 100m: HorizontalPodAutoscaler web scales on 60% of it, so that another request would be another number of pods (--hpa ignore)",
		},
		{name: "the limit may not fall below it", facts: scaled(CPU, ""), spec: bounds(0.25, 0.5), want: Bounds{NoAdvice(), Set(0.25)}, note: "request-within-limit:limit raised from 240m to the request of 250m"},
		{name: "another resource", facts: scaled(Memory, ""), spec: bounds(0.25, 0.5), want: bounds(0.1, 0.24)},
		{name: "this container", facts: scaled(CPU, "app"), spec: bounds(0.2, 0.5), want: Bounds{NoAdvice(), Set(0.24)}, note: "autoscaled:left at 200m"},
		{name: "another container", facts: scaled(CPU, "proxy"), spec: bounds(0.25, 0.5), want: bounds(0.1, 0.24)},
		{name: "ignored", facts: scaled(CPU, ""), spec: bounds(0.25, 0.5), hpa: HPAIgnore, want: bounds(0.1, 0.24)},
		{
			name: "a limit is the request where none is declared", facts: scaled(CPU, ""), spec: Bounds{Unset(), Set(0.5)}, want: Bounds{},
			note: "autoscaled:left as declared: the request is the limit of 500m",
		},
		{
			name: "nothing is declared", facts: scaled(CPU, ""), spec: Bounds{Unset(), Unset()}, want: Bounds{},
			note: "autoscaled:no request is recommended, since none is declared and HorizontalPodAutoscaler web scales on 60% of it",
		},
		{name: "a limit that equals the request equals the kept one", facts: scaled(CPU, ""), spec: bounds(0.05, 0.5), rules: "p50 request", want: Bounds{NoAdvice(), Set(0.05)}, note: "autoscaled:left at 50m"},
		{name: "a rule that removes the request", facts: scaled(CPU, ""), spec: bounds(0.25, 0.5), rules: "none p99", want: Bounds{NoAdvice(), Set(0.25)}, note: "autoscaled:left at 250m instead of no request"},
		{name: "a rule that keeps the request anyway", facts: scaled(CPU, ""), spec: bounds(0.1, 0.5), rules: "keep p99", want: Bounds{NoAdvice(), Set(0.2)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			container, h, p := deployment(), History{}, DefaultPolicy()
			container.Facts, container.Spec[CPU], p.HPA = c.facts, c.spec, c.hpa
			h.Usage[CPU] = cores(0.1, 0.2)
			if request, limit, given := strings.Cut(c.rules, " "); given {
				p.Rules[CPU] = rules(t, request, limit)
			}
			got := Recommend(container, h, p).Advice[CPU]
			if got.Bounds != c.want {
				t.Errorf("bounds %v, want %v; notes %v", got.Bounds, c.want, got.Notes)
			}
			checkNote(t, got, c.note)
		})
	}
}

// Too little data is said as such: an autoscaler has nothing to keep then.
func TestAutoscaledWithoutAdvice(t *testing.T) {
	container, h := deployment(), History{}
	container.Facts, container.Spec[CPU] = scaled(CPU, ""), bounds(0.25, 0.5)
	h.Usage[CPU] = cores(0.1, 0.2)
	h.Usage[CPU].Covered = time.Hour
	if got := Recommend(container, h, DefaultPolicy()).Advice[CPU]; !slices.Equal(codes(got), []string{GuardTooLittleData}) {
		t.Errorf("notes %v, want that of too little data alone", got.Notes)
	}
}

func TestParseHPAMode(t *testing.T) {
	for _, m := range []HPAMode{HPAKeep, HPAIgnore} {
		if got, err := ParseHPAMode(m.String()); err != nil || got != m {
			t.Errorf("ParseHPAMode(%q) = %v, %v", m, got, err)
		}
	}
	if _, err := ParseHPAMode("off"); err == nil || err.Error() != "want keep or ignore" {
		t.Errorf("ParseHPAMode(off): %v", err)
	}
}

func TestResizers(t *testing.T) {
	container, h := deployment(), History{}
	container.Facts.Resizers = []Resizer{{Name: "VerticalPodAutoscaler web", Mode: "Recreate", Sets: [NumResources]bool{CPU: true}}}
	h.Usage[CPU], h.Usage[Memory] = cores(0.1, 0.2), cores(50*mi, 90*mi)
	got := Recommend(container, h, DefaultPolicy()).Advice
	checkNote(t, got[CPU], "vpa-conflict:VerticalPodAutoscaler web sets the cpu of its pods itself (updateMode Recreate)")
	if got[CPU].Bounds != bounds(0.1, 0.24) {
		t.Errorf("bounds %v: a conflict is only said", got[CPU].Bounds)
	}
	if slices.Contains(codes(got[Memory]), NoteVPA) {
		t.Errorf("notes %v of memory, which it does not set", got[Memory].Notes)
	}
}
