package recommender

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	mi  = 1 << 20
	day = 24 * time.Hour
)

// usage is a week of it, unless the test says otherwise.
func usage(samples ...float64) Usage {
	u := Usage{Covered: 7 * day, Pods: 1}
	u.add(samples...)
	return u
}

// add pools samples with those that are there, one list more, and drops what is not finite.
func (u *Usage) add(samples ...float64) {
	var list []float64
	for _, v := range samples {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			list = append(list, v)
		}
	}
	u.Dropped += len(samples) - len(list)
	slices.Sort(list)
	u.Samples = Join(u.Samples, Pool(list))
}

func repeat(n int, v float64) []float64 { return slices.Repeat([]float64{v}, n) }

func bounds(request, limit float64) Bounds { return Bounds{Set(request), Set(limit)} }

func deployment() Container {
	unset := Bounds{Unset(), Unset()}
	return Container{
		ID:   ID{Namespace: "shop", Kind: "Deployment", Workload: "web", Container: "app"},
		Spec: [NumResources]Bounds{unset, unset}, Replicas: 2,
	}
}

func codes(a Advice) (codes []string) {
	for _, n := range a.Notes {
		codes = append(codes, n.Code)
	}
	return codes
}

func rules(t *testing.T, request, limit string) Rules {
	t.Helper()
	var rs Rules
	for _, p := range []struct {
		to   *Rule
		text string
	}{{&rs.Request, request}, {&rs.Limit, limit}} {
		rule, err := ParseRule(p.text)
		if err != nil {
			t.Fatal(err)
		}
		*p.to = rule
	}
	return rs
}

func TestRecommendDefault(t *testing.T) {
	h := History{}
	for i := range 101 {
		h.Usage[CPU].add(float64(i) / 100)
		h.Usage[Memory].add(float64(i) * mi)
	}
	for r := range NumResources {
		h.Usage[r].Covered = 7 * day
	}
	rec := Recommend(deployment(), h, DefaultPolicy())
	if got, want := rec.Advice[CPU].Bounds, bounds(0.5, 1.188); got != want {
		t.Errorf("cpu = %v, want %v", got, want)
	}
	if got, want := rec.Advice[Memory].Bounds, bounds(50*mi, 119*mi); got != want { // 118.8
		t.Errorf("memory = %v, want %v", got, want)
	}
	e := rec.Evidence[Memory]
	if e.Samples != 101 || e.P50 != 50*mi || !nearly(e.P90, 90*mi) || !nearly(e.P99, 99*mi) || e.Peak.Value != 100*mi || !nearly(e.Mean, 50*mi) {
		t.Errorf("evidence = %+v", e)
	}
	for r, a := range rec.Advice {
		if got := codes(a); !slices.Equal(got, []string{NoteNoLimits}) {
			t.Errorf("%s: notes = %v, want that it has no limit alone", Resource(r), got)
		}
	}
}

func nearly(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }

func TestGuards(t *testing.T) {
	at := time.Date(2026, 1, 30, 14, 0, 0, 0, time.UTC)
	flat := append(repeat(998, 100*mi), 100*mi, 100*mi)
	for _, c := range []struct {
		name      string
		resource  Resource
		container func(*Container)
		history   func(*History)
		policy    func(*testing.T, *Policy)
		want      Bounds
		formula   Bounds
		note      string // its code and what its text must say, with a colon between them; empty: no notes
	}{
		{
			name: "observed-peak raises the limit to the peak between two grid points", resource: Memory,
			history: func(h *History) {
				h.Usage[Memory] = usage(flat...)
				h.Usage[Memory].Peak = Peak{Value: 180.5 * mi, Pod: "web-1", At: at, Within: time.Hour}
			},
			formula: bounds(100*mi, 120*mi), want: bounds(100*mi, 181*mi),
			note: "observed-peak:limit raised from 120Mi to 181Mi: usage peaked at 180Mi, in pod web-1 within 1h before 2026-01-30 14:00 UTC",
		},
		{
			name: "observed-peak knows the grid's own highest sample", resource: Memory,
			history: func(h *History) { h.Usage[Memory] = usage(append(repeat(1000, 100*mi), 300*mi)...) },
			formula: bounds(100*mi, 120*mi), want: bounds(100*mi, 300*mi), note: "observed-peak:usage peaked at 300Mi",
		},
		{
			name: "a peak of CPU is throttled, not killed", resource: CPU,
			history: func(h *History) { h.Usage[CPU] = usage(append(repeat(1000, 0.1), 4)...) },
			formula: bounds(0.1, 0.12), want: bounds(0.1, 0.12),
		},
		{
			name: "oom-killed goes by the limit that killed, not by the one declared", resource: Memory,
			container: func(c *Container) { c.Spec[Memory] = bounds(64*mi, 4096*mi) },
			history: func(h *History) {
				h.Usage[Memory] = usage(flat...)
				h.OOMKills = []OOMKill{{At: at, Limit: 200 * mi}, {At: at.Add(time.Hour), Limit: 256 * mi}}
			},
			formula: bounds(100*mi, 120*mi), want: bounds(100*mi, 308*mi), // 307.2
			note: "oom-killed:OOM killed 2 times at a limit of 256Mi, last at 2026-01-30 15:00 UTC: limit raised from 120Mi to 308Mi",
		},
		{
			name: "oom-killed says so where the formula is high enough", resource: Memory,
			history: func(h *History) {
				h.Usage[Memory] = usage(flat...)
				h.OOMKills = []OOMKill{{At: at, Limit: 64 * mi}}
			},
			formula: bounds(100*mi, 120*mi), want: bounds(100*mi, 120*mi), note: "oom-killed:the new limit is high enough",
		},
		{
			name: "oom-killed without a recorded limit goes by the highest sample", resource: Memory,
			history: func(h *History) {
				h.Usage[Memory] = usage(append(repeat(10000, 10*mi), 100*mi)...)
				h.OOMKills = []OOMKill{{At: at}}
			},
			policy:  func(_ *testing.T, p *Policy) { p.Guards = onlyGuard(GuardOOMKilled) },
			formula: bounds(10*mi, 12*mi), want: bounds(10*mi, 120*mi), note: "oom-killed:1 time at a limit that was not recorded, after using 100Mi",
		},
		{
			name: "oom-killed leaves no limit alone", resource: Memory,
			history: func(h *History) {
				h.Usage[Memory] = usage(flat...)
				h.OOMKills = []OOMKill{{At: at, Limit: 64 * mi}}
			},
			policy:  func(t *testing.T, p *Policy) { p.Rules[Memory] = rules(t, "p50", "none") },
			formula: Bounds{Set(100 * mi), Unset()}, want: Bounds{Set(100 * mi), Unset()}, note: "oom-killed:there will be no limit",
		},
		{
			name: "oom-killed tells of kills where the limit is kept", resource: Memory,
			history: func(h *History) {
				h.Usage[Memory] = usage(flat...)
				h.OOMKills = []OOMKill{{At: at, Limit: 64 * mi}}
			},
			policy:  func(t *testing.T, p *Policy) { p.Rules[Memory] = rules(t, "p50", "keep") },
			formula: Bounds{Request: Set(100 * mi)}, want: Bounds{Request: Set(100 * mi)}, note: "oom-killed:the limit is left as it is",
		},
		{
			name: "floor of CPU", resource: CPU,
			history: func(h *History) { h.Usage[CPU] = usage(repeat(100, 0.001)...) },
			formula: bounds(0.001, 0.002), want: bounds(0.010, 0.010), note: "floor:request raised from 1m to the floor of 10m",
		},
		{
			name: "floor of memory", resource: Memory,
			history: func(h *History) { h.Usage[Memory] = usage(repeat(100, 15*mi)...) },
			formula: bounds(15*mi, 18*mi), want: bounds(16*mi, 18*mi), note: "floor:request raised from 15Mi to the floor of 16Mi",
		},
		{
			name: "too little data", resource: Memory,
			history: func(h *History) { h.Usage[Memory] = usage(flat...); h.Usage[Memory].Covered = 3 * time.Hour },
			formula: bounds(100*mi, 120*mi), want: Bounds{}, note: "too-little-data:only 3h of the window has samples and 1d are needed",
		},
		{
			name: "exactly enough data", resource: Memory,
			history: func(h *History) { h.Usage[Memory] = usage(flat...); h.Usage[Memory].Covered = day },
			formula: bounds(100*mi, 120*mi), want: bounds(100*mi, 120*mi),
		},
		{
			name: "too few runs", resource: Memory,
			container: func(c *Container) { c.ID.Kind = "CronJob" },
			history:   func(h *History) { h.Usage[Memory] = usage(100*mi, 100*mi); h.Runs = 2 },
			formula:   bounds(100*mi, 120*mi), want: Bounds{}, note: "too-little-data:only 2 runs in the window and 3 are needed",
		},
		{
			name: "too few runs with a rate", resource: CPU,
			container: func(c *Container) { c.ID.Kind = "CronJob" },
			history:   func(h *History) { h.Usage[CPU] = usage(0.1); h.Runs, h.RunsUnmeasured = 3, 2 },
			formula:   bounds(0.1, 0.12), want: Bounds{}, note: "too-little-data:only 1 measured run in the window and 3 are needed",
		},
		{
			name: "enough short runs cover little of a week", resource: Memory,
			container: func(c *Container) { c.ID.Kind = "CronJob" },
			history: func(h *History) {
				h.Usage[Memory] = usage(repeat(7, 100*mi)...)
				h.Runs = 7
				h.Usage[Memory].Covered = 0
			},
			formula: bounds(100*mi, 120*mi), want: bounds(100*mi, 120*mi),
		},
		{
			name: "runs that no rate could be taken of", resource: CPU,
			container: func(c *Container) { c.ID.Kind = "CronJob" },
			history:   func(h *History) { h.Usage[Memory] = usage(repeat(7, 100*mi)...); h.Runs = 7; h.RunsUnmeasured = 7 },
			want:      Bounds{}, note: "runs-shorter-than-two-scrapes:7 of 7 runs ended before",
		},
		{
			name: "an advised limit gives way to the request", resource: CPU,
			history: func(h *History) { h.Usage[CPU] = usage(repeat(100, 0.1)...) },
			policy:  func(t *testing.T, p *Policy) { p.Rules[CPU] = rules(t, "p50*2", "p50") },
			formula: bounds(0.2, 0.1), want: bounds(0.2, 0.2), note: "request-within-limit:limit raised from 100m to the request of 200m",
		},
		{
			name: "a kept limit holds the request down", resource: CPU,
			container: func(c *Container) { c.Spec[CPU] = bounds(0.01, 0.05) },
			history:   func(h *History) { h.Usage[CPU] = usage(repeat(100, 0.1)...) },
			policy:    func(t *testing.T, p *Policy) { p.Rules[CPU] = rules(t, "p50", "keep") },
			formula:   Bounds{Set(0.1), NoAdvice()}, want: Bounds{Set(0.05), NoAdvice()}, note: "request-within-limit:request lowered from 100m to the limit of 50m",
		},
		{
			name: "a kept request lifts the limit", resource: CPU,
			container: func(c *Container) { c.Spec[CPU] = bounds(1, 2) },
			history:   func(h *History) { h.Usage[CPU] = usage(repeat(100, 0.1)...) },
			policy:    func(t *testing.T, p *Policy) { p.Rules[CPU] = rules(t, "keep", "p99") },
			formula:   Bounds{NoAdvice(), Set(0.1)}, want: Bounds{NoAdvice(), Set(1)}, note: "request-within-limit:limit raised",
		},
		{
			name: "without guards what Kubernetes refuses is marked", resource: CPU,
			history: func(h *History) { h.Usage[CPU] = usage(repeat(100, 0.1)...) },
			policy:  func(t *testing.T, p *Policy) { p.Rules[CPU] = rules(t, "p50*2", "p50"); p.Guards = nil },
			formula: bounds(0.2, 0.1), want: bounds(0.2, 0.1), note: "request-above-limit:the request of 200m is above the limit of 100m",
		},
		{
			name: "a limit that follows a kept request", resource: Memory,
			container: func(c *Container) { c.Spec[Memory] = Bounds{Set(500 * mi), Unset()} },
			history:   func(h *History) { h.Usage[Memory] = usage(flat...) },
			policy:    func(t *testing.T, p *Policy) { p.Rules[Memory] = rules(t, "keep", "request") },
			formula:   Bounds{NoAdvice(), Set(500 * mi)}, want: Bounds{NoAdvice(), Set(500 * mi)},
		},
		{
			name: "a limit that follows a kept request that is not there", resource: Memory,
			history: func(h *History) { h.Usage[Memory] = usage(flat...) },
			policy:  func(t *testing.T, p *Policy) { p.Rules[Memory] = rules(t, "keep", "request") },
			formula: Bounds{}, want: Bounds{},
		},
		{
			name: "no samples, no advice, whatever the rules", resource: Memory,
			container: func(c *Container) { c.Spec[Memory] = bounds(64*mi, 64*mi) },
			history:   func(h *History) { h.OOMKills = []OOMKill{{At: at, Limit: 64 * mi}} },
			policy:    func(t *testing.T, p *Policy) { p.Rules[Memory] = rules(t, "none", "none") },
			formula:   Bounds{}, want: Bounds{}, note: "oom-killed:OOM killed 1 time",
		},
		{
			name: "samples that are no numbers", resource: Memory,
			history: func(h *History) { h.Usage[Memory] = usage(append(flat, math.NaN(), math.Inf(1))...) },
			formula: bounds(100*mi, 120*mi), want: bounds(100*mi, 120*mi), note: "dropped-samples:2 samples left out",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			container, h, p := deployment(), History{}, DefaultPolicy()
			if c.container != nil {
				c.container(&container)
			}
			c.history(&h)
			if c.policy != nil {
				c.policy(t, &p)
			}
			got := Recommend(container, h, p).Advice[c.resource]
			if got.Formula != c.formula || got.Bounds != c.want {
				t.Errorf("formula %v, bounds %v, want %v, %v", got.Formula, got.Bounds, c.formula, c.want)
			}
			got.Notes = slices.DeleteFunc(got.Notes, func(n Note) bool { return slices.Contains(Observations(), n.Code) })
			checkNote(t, got, c.note)
		})
	}
}

func checkNote(t *testing.T, a Advice, want string) {
	t.Helper()
	code, text, _ := strings.Cut(want, ":")
	if code == "" {
		if len(a.Notes) > 0 {
			t.Errorf("notes %v, want none", a.Notes)
		}
		return
	}
	i := slices.Index(codes(a), code)
	if i < 0 || !strings.Contains(a.Notes[i].Text, text) {
		t.Errorf("notes %v, want %q with %q", a.Notes, code, text)
	}
}

func onlyGuard(name string) []Guard {
	return slices.DeleteFunc(AllGuards(), func(g Guard) bool { return g.Name != name })
}

// Ten weekly runs after one kill: the first raises the limit, the others change nothing, although the
// limit declared has risen meanwhile.
func TestOneOOMKillRaisesTheLimitOnce(t *testing.T) {
	c := deployment()
	c.Spec[Memory] = bounds(64*mi, 256*mi)
	h := History{OOMKills: []OOMKill{{At: time.Unix(0, 0), Limit: 256 * mi}}}
	h.Usage[Memory] = usage(repeat(1000, 100*mi)...)
	for week := range 10 {
		c.Spec[Memory] = Recommend(c, h, DefaultPolicy()).Advice[Memory].Bounds
		if want := Set(308 * mi); c.Spec[Memory].Limit != want {
			t.Fatalf("week %d: limit = %v, want %v", week, c.Spec[Memory].Limit, want)
		}
	}
}

func TestParseGuards(t *testing.T) {
	names := func(gs []Guard) string {
		var s []string
		for _, g := range gs {
			s = append(s, g.Name)
		}
		return strings.Join(s, ",")
	}
	for text, want := range map[string]string{
		"none": "", "all": names(AllGuards()), "floor, observed-peak": "observed-peak,floor", "floor": "floor",
	} {
		got, err := ParseGuards(text)
		if err != nil || names(got) != want {
			t.Errorf("ParseGuards(%q) = %q, %v, want %q", text, names(got), err, want)
		}
	}
	for _, text := range []string{"", "flor", "floor,", "all,floor", "Floor"} {
		if got, err := ParseGuards(text); err == nil || !strings.Contains(err.Error(), "want all, none, or some of too-little-data,") {
			t.Errorf("ParseGuards(%q) = %v, %v, want an error that lists the guards", text, got, err)
		}
	}
}

func TestPolicyNamed(t *testing.T) {
	if p, err := PolicyNamed("default"); err != nil || p.Name != "default" || p.Validate() != nil {
		t.Errorf("PolicyNamed(default) = %v, %v", p, err)
	}
	if _, err := PolicyNamed("krrr"); err == nil || !strings.Contains(err.Error(), "want default") {
		t.Errorf("PolicyNamed(krrr): %v, want an error that lists the policies", err)
	}
	p := DefaultPolicy()
	p.Rules[Memory].Request = Rule{base: ruleRequest}
	if err := p.Validate(); err == nil || !strings.Contains(err.Error(), "memory request") {
		t.Errorf("Validate = %v, want an error", err)
	}
}

// FuzzRecommend holds the properties of STYLE: it never panics; with guards floor <= request <= limit
// wherever both are set; without guards every value is the formula; more usage never lowers the advice.
func FuzzRecommend(f *testing.F) {
	f.Add(uint64(1), 100, 1.0, "p50", "p99*1.2", int64(0), int64(0), 0)
	f.Add(uint64(2), 1, 1e-9, "max*1.15", "request", int64(100), int64(200), 1)
	f.Add(uint64(3), 0, 1e9, "none", "none", int64(0), int64(1), 0)
	f.Add(uint64(4), 2016, 3.0, "p99", "p50*0.1", int64(1), int64(0), 2)
	f.Add(uint64(5), 50, 1e300, "mean", "keep", int64(5), int64(9), 2)
	f.Fuzz(func(t *testing.T, seed uint64, n int, scale float64, request, limit string, specRequest, specLimit int64, kills int) {
		rs, ok := fuzzRules(request, limit)
		if !ok || n < 0 || n > 5000 || kills < 0 || kills > 10 || specRequest < 0 || specLimit < 0 {
			return
		}
		c, h, p := deployment(), fuzzHistory(seed, n, scale, kills), DefaultPolicy()
		p.Rules = [NumResources]Rules{rs, rs}
		c.Spec[CPU] = declared(float64(specRequest)/1000, float64(specLimit)/1000)
		c.Spec[Memory] = declared(float64(specRequest), float64(specLimit))

		guarded := Recommend(c, h, p)
		bare := p
		bare.Guards = nil
		for r, advice := range Recommend(c, h, bare).Advice {
			if advice.Bounds != advice.Formula || advice.Formula != guarded.Advice[r].Formula {
				t.Errorf("without guards %v stands, the formula gives %v", advice.Bounds, advice.Formula)
			}
		}
		for r := range NumResources {
			checkOrder(t, c, r, guarded.Advice[r].Bounds, p)
		}
		checkMonotone(t, guarded, Recommend(c, more(h), p))
	})
}

func fuzzRules(request, limit string) (rs Rules, ok bool) {
	var errs [2]error
	rs.Request, errs[0] = ParseRule(request)
	rs.Limit, errs[1] = ParseRule(limit)
	return rs, errs == [2]error{} && rs.Request.base != ruleRequest
}

func fuzzHistory(seed uint64, n int, scale float64, kills int) History {
	rng := rand.New(rand.NewPCG(seed, 0))
	var h History
	for r := range NumResources {
		h.Usage[r].Covered = time.Duration(rng.Int64N(int64(2 * day)))
		samples := make([]float64, n)
		for i := range samples {
			samples[i] = math.Abs(rng.NormFloat64()) * scale
		}
		h.Usage[r].add(samples...)
	}
	for range kills {
		h.OOMKills = append(h.OOMKills, OOMKill{Limit: float64(rng.Int64N(1 << 34))})
	}
	return h
}

func declared(request, limit float64) Bounds {
	b := Bounds{Unset(), Unset()}
	if request > 0 {
		b.Request = Set(request)
	}
	if limit > 0 && limit >= request {
		b.Limit = Set(limit)
	}
	return b
}

// more is a history with every sample doubled, short of infinity.
func more(h History) History {
	for r := range NumResources {
		var doubled []float64
		for v := range h.Usage[r].Samples.All() {
			doubled = append(doubled, min(v*2, math.MaxFloat64))
		}
		slices.Sort(doubled)
		h.Usage[r].Samples = Pool(doubled)
	}
	return h
}

func checkOrder(t *testing.T, c Container, r Resource, b Bounds, p Policy) {
	t.Helper()
	request, hasRequest := b.Request.Amount()
	limit, hasLimit := b.Limit.Amount()
	heldDown := hasRequest && b.Request == c.Spec[r].Limit // a kept limit may be below the floor
	for _, v := range []float64{request, limit} {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			t.Errorf("%s = %v: not an amount", r, b)
		}
	}
	if hasRequest && request < p.Floor[r] && !heldDown || hasLimit && limit < p.Floor[r] {
		t.Errorf("%s = %v is below the floor %v", r, b, p.Floor[r])
	}
	if hasRequest && hasLimit && request > limit {
		t.Errorf("%s = %v: request above limit", r, b)
	}
	if effective, ok := b.Limit.Or(c.Spec[r].Limit).Amount(); ok && hasRequest && request > effective {
		t.Errorf("%s request %v is above the limit in force %v", r, request, effective)
	}
}

func checkMonotone(t *testing.T, less, more Recommendation) {
	t.Helper()
	for r := range NumResources {
		for _, pair := range [][2]Value{
			{less.Advice[r].Bounds.Request, more.Advice[r].Bounds.Request},
			{less.Advice[r].Bounds.Limit, more.Advice[r].Bounds.Limit},
		} {
			a, okA := pair[0].Amount()
			b, okB := pair[1].Amount()
			if okA && okB && b < a {
				t.Errorf("%s: more usage lowered the advice from %v to %v", r, a, b)
			}
		}
	}
}
