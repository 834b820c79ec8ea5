package recommender

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// simWindow is a week that ends on a Monday, as the demo's does.
func simWindow() Window {
	return Window{Until: time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC), Length: 7 * day, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
}

// simPod is a pod that lives in (from, to] of the window and uses a level, bytes or cores, that depends on the time
// and its age.
type simPod struct {
	name, revision string
	from, to       time.Duration // since the window's start
	restarts       []time.Duration
	level          func(at time.Time, age time.Duration) float64
}

// simulate is the history of pods of one resource.
func simulate(r Resource, pods ...simPod) History {
	w, h := simWindow(), History{}
	u := &h.Usage[r]
	covered := map[int]bool{}
	restarts := 0
	for _, p := range pods {
		use := PodUsage{Pod: p.name, Generation: p.revision, Restarts: len(p.restarts)}
		restarts += len(p.restarts)
		born, lives := p.from, p.restarts
		var samples []float64
		for k := 1; k <= w.Points(); k++ {
			since := time.Duration(k) * w.Step
			if since <= p.from || since > p.to {
				continue
			}
			for len(lives) > 0 && since > lives[0] {
				born, lives = lives[0], lives[1:]
			}
			v := p.level(w.Time(k), since-born)
			samples = append(samples, v)
			if r == Memory {
				use.Lows = w.Lows(use.Lows, []int{k}, []float64{v})
			}
			if use.First.IsZero() {
				use.First = w.Time(k)
			}
			use.Last, covered[k] = w.Time(k), true
		}
		use.Covered = time.Duration(len(samples)) * w.Step
		u.add(samples...)
		slices.Sort(samples)
		use.Samples = Pool(samples)
		h.Pods[r] = append(h.Pods[r], use)
	}
	h.Restarts = &restarts
	u.Covered, u.Pods = time.Duration(len(covered))*w.Step, len(pods)
	return h
}

// observe are the notes of one resource that change nothing, as "code: text".
func observe(c Container, h History, r Resource) (notes []string) {
	for _, n := range Recommend(c, h, DefaultPolicy()).Advice[r].Notes {
		if slices.Contains(Observations(), n.Code) && n.Code != NoteNoLimits {
			notes = append(notes, n.Code+": "+n.Text)
		}
	}
	return notes
}

// daily is a load that is least at 4 and most at 16 o'clock: 0.1 to 1.
func daily(at time.Time) float64 {
	hours := float64(at.Hour()) + float64(at.Minute())/60
	return 0.1 + 0.9*(1-math.Cos(2*math.Pi*(hours-4)/24))/2
}

func weekend(at time.Time) bool { return at.Weekday() == time.Saturday || at.Weekday() == time.Sunday }

func flat(v float64) func(time.Time, time.Duration) float64 {
	return func(time.Time, time.Duration) float64 { return v }
}

// growth is memory that begins at base and grows so much an hour, with some noise.
func growth(rnd *rand.Rand, base, perHour float64) func(time.Time, time.Duration) float64 {
	return func(at time.Time, age time.Duration) float64 {
		return base + perHour*age.Hours() + 0.1*base*daily(at) + 0.02*base*rnd.Float64()
	}
}

// replicas are pods of a whole week.
func replicas(n int, level func(i int) func(time.Time, time.Duration) float64) (pods []simPod) {
	for i := range n {
		pods = append(pods, simPod{name: fmt.Sprintf("web-%d", i), to: 7 * day, level: level(i)})
	}
	return pods
}

func every(length time.Duration) (at []time.Duration) {
	for t := length / 2; t < 7*day; t += length {
		at = append(at, t)
	}
	return at
}

func TestLeak(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	leaking := func(int) func(time.Time, time.Duration) float64 { return growth(rnd, 100*mi, mi) }
	steady := func(int) func(time.Time, time.Duration) float64 { return growth(rnd, 100*mi, 0) }
	crashing := func(length time.Duration, perHour float64) []simPod {
		pods := replicas(2, func(int) func(time.Time, time.Duration) float64 { return growth(rnd, 100*mi, perHour) })
		for i := range pods {
			pods[i].restarts = every(length)
		}
		return pods
	}
	unexplained := crashing(24*time.Hour, 13*mi)
	giving := simulate(Memory, unexplained...)
	for i := range giving.Pods[Memory] {
		giving.Pods[Memory][i].Restarts = 0 // the program gives memory back by itself
	}
	filling := func(over time.Duration) func(int) func(time.Time, time.Duration) float64 {
		return func(int) func(time.Time, time.Duration) float64 {
			return func(_ time.Time, age time.Duration) float64 {
				return mi * (4000 + 900*min(1, age.Hours()/over.Hours()) + 20*rnd.Float64())
			}
		}
	}
	slowing := func(int) func(time.Time, time.Duration) float64 { // a third less each day
		return func(_ time.Time, age time.Duration) float64 { return mi * (400 + 900*(1-math.Exp(-age.Hours()/60))) }
	}
	rolled := replicas(2, leaking)
	for i := range rolled {
		rolled[i].from = 4 * day
	}
	for name, c := range map[string]struct {
		history History
		want    string
	}{
		"rises for a week":            {simulate(Memory, replicas(3, leaking)...), "leak: the lowest usage of a day rose every day, in 3 of 3 pods: in pod web-"},
		"most pods":                   {simulate(Memory, append(replicas(2, leaking), replicas(1, steady)...)...), "leak: the lowest usage of a day rose every day, in 2 of 3 pods"},
		"crashes every day":           {simulate(Memory, crashing(24*time.Hour, 13*mi)...), "leak: memory rises until the container restarts, in 2 of 2 pods: in pod web-"},
		"crashes every other day":     {simulate(Memory, crashing(44*time.Hour, 13*mi)...), "leak: memory rises until the container restarts"},
		"one pod of many is no leak":  {simulate(Memory, append(replicas(1, leaking), replicas(3, steady)...)...), ""},
		"gives memory back by itself": {giving, ""},
		"crashes without growing":     {simulate(Memory, crashing(24*time.Hour, 0)...), ""},
		"a cache that fills in 60 h":  {simulate(Memory, replicas(2, filling(60*time.Hour))...), ""},
		"a cache that fills in a day": {simulate(Memory, replicas(2, filling(24*time.Hour))...), ""},
		"one that fills ever slower":  {simulate(Memory, replicas(2, slowing)...), ""},
		"seen for three days":         {simulate(Memory, rolled...), ""},
		"little of much":              {simulate(Memory, replicas(2, func(int) func(time.Time, time.Duration) float64 { return growth(rnd, 9000*mi, mi) })...), ""},
		"flat":                        {simulate(Memory, replicas(3, func(int) func(time.Time, time.Duration) float64 { return flat(100 * mi) })...), ""},
	} {
		checkObserved(t, name, observe(deployment(), c.history, Memory), c.want)
	}
}

// checkObserved wants one note that begins so, or none.
func checkObserved(t *testing.T, name string, got []string, want string) {
	t.Helper()
	if want == "" && len(got) == 0 || want != "" && len(got) == 1 && strings.HasPrefix(got[0], want) {
		return
	}
	t.Errorf("%s: notes = %q, want %q", name, got, want)
}

func TestLeakTellsItsNumbers(t *testing.T) {
	h := simulate(Memory, replicas(1, func(int) func(time.Time, time.Duration) float64 {
		return func(_ time.Time, age time.Duration) float64 { return 100*mi + 2*mi*age.Hours() }
	})...)
	const want = "leak: the lowest usage of a day rose every day, in 1 of 1 pod: in pod web-0 from 100Mi to 388Mi within 7 days, by 48Mi a day"
	if got := observe(deployment(), h, Memory); !slices.Equal(got, []string{want}) {
		t.Errorf("notes = %q, want %q", got, want)
	}
}

func TestPodSkew(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	noisy := func(v float64) func(time.Time, time.Duration) float64 {
		return func(at time.Time, _ time.Duration) float64 { return v * (daily(at) + 0.3*rnd.Float64()) }
	}
	many := func(n int, hot ...int) []simPod {
		return replicas(n, func(i int) func(time.Time, time.Duration) float64 {
			if slices.Contains(hot, i) {
				return noisy(4)
			}
			return noisy(0.4)
		})
	}
	young := many(60, 7)
	young[7].from = 6*day + 12*time.Hour
	for name, c := range map[string]struct {
		pods []simPod
		want string
	}{
		"one of sixty":            {many(60, 7), "pod-skew: 1 of 60 pods usually used more than the P99 of all, which is "},
		"one of three is in P99":  {many(3, 1), ""},
		"all alike":               {many(60), ""},
		"seen for half a day":     {young, ""},
		"many are in P99 as well": {many(60, 1, 2, 3), ""},
	} {
		checkObserved(t, name, observe(deployment(), simulate(CPU, c.pods...), CPU), c.want)
	}
	job := deployment()
	job.ID.Kind = "CronJob"
	checkObserved(t, "runs differ", observe(job, simulate(CPU, many(60, 7)...), CPU), "")
}

// Pods that an autoscaler adds for the busy hours of each day are as busy as the others then.
func TestAutoscaledPodsAreNoSkew(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	level := func(at time.Time, _ time.Duration) float64 { return daily(at) + 0.1*rnd.Float64() }
	pods := replicas(8, func(int) func(time.Time, time.Duration) float64 { return level })
	for d := range 7 {
		for i := range 20 {
			start := time.Duration(d)*day + 12*time.Hour
			pods = append(pods, simPod{name: fmt.Sprintf("busy-%d-%d", d, i), revision: "r1", from: start, to: start + 8*time.Hour, level: level})
		}
	}
	checkObserved(t, "autoscaled", observe(deployment(), simulate(CPU, pods...), CPU), "")
}

func TestLevelChange(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 4))
	level := func(v float64) func(time.Time, time.Duration) float64 {
		return func(at time.Time, _ time.Duration) float64 { return v * mi * (1 + 0.1*daily(at) + 0.05*rnd.Float64()) }
	}
	rollout := func(at time.Duration, before, after float64) []simPod {
		return []simPod{
			{name: "web-a-1", revision: "web-a", to: at, level: level(before)},
			{name: "web-a-2", revision: "web-a", to: at, level: level(before)},
			{name: "web-b-1", revision: "web-b", from: at, to: 7 * day, level: level(after)},
			{name: "web-b-2", revision: "web-b", from: at, to: 7 * day, level: level(after)},
		}
	}
	rolledBack := rollout(4*day, 100, 300)
	rolledBack[2].to, rolledBack[3].to = 6*day, 6*day
	for i := range 2 {
		rolledBack = append(rolledBack, simPod{name: fmt.Sprintf("web-a-%d", 3+i), revision: "web-a", from: 6 * day, to: 7 * day, level: level(100)})
	}
	unknown := rollout(4*day, 100, 300)
	for i := range unknown {
		unknown[i].revision = ""
	}
	for name, c := range map[string]struct {
		pods []simPod
		want string
	}{
		"twice as much":             {rollout(4*day, 100, 200), "level-change: pods of the newest revision (web-b, since 2026-01-30 00:05 UTC) use "},
		"half as much":              {rollout(3*day, 200, 100), "level-change: pods of the newest revision"},
		"much more since yesterday": {rollout(5*day+23*time.Hour, 100, 300), "level-change: "},
		"since some hours":          {rollout(6*day+12*time.Hour, 100, 300), ""},
		"little more":               {rollout(4*day, 100, 130), ""},
		"the same":                  {rollout(4*day, 100, 100), ""},
		"little of little":          {rollout(4*day, 4, 12), ""},
		"rolled back":               {rolledBack, ""},
		"revisions are not known":   {unknown, ""},
	} {
		checkObserved(t, name, observe(deployment(), simulate(Memory, c.pods...), Memory), c.want)
	}
}

// A rollout on a Friday evening is followed by a weekend, and one on a Monday preceded by one: what nobody uses then
// says nothing about the program.
func TestWeekendsAreNoLevelChange(t *testing.T) {
	office := func(at time.Time, _ time.Duration) float64 {
		if weekend(at) {
			return 0.02
		}
		return 0.05 + daily(at)
	}
	for at := 6 * time.Hour; at < 7*day; at += 6 * time.Hour {
		pods := []simPod{
			{name: "web-a-1", revision: "web-a", to: at, level: office},
			{name: "web-b-1", revision: "web-b", from: at, to: 7 * day, level: office},
		}
		checkObserved(t, fmt.Sprintf("rollout after %s", at), observe(deployment(), simulate(CPU, pods...), CPU), "")
	}
}

// Whatever is steady, noisy, daily, spiky or restarted now and then, nothing is said of it.
func TestNoFalseObservations(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	for n := range 400 {
		base, noise, wave, collect := (20+rnd.Float64()*2000)*mi, rnd.Float64(), rnd.Float64()*3, 1+rnd.IntN(600)
		quiet := 1.0
		if n%2 == 0 {
			quiet = 0.3
		}
		level := func(at time.Time, age time.Duration) float64 {
			load := wave * daily(at)
			if weekend(at) {
				load *= quiet
			}
			warm := 1 - 0.3*math.Exp(-age.Hours())
			garbage := 0.3 * math.Mod(age.Minutes()/float64(collect), 1)
			return base * (warm + garbage + load + noise*rnd.Float64()*rnd.Float64())
		}
		var pods []simPod
		revision, rollout := "web-a", time.Duration(rnd.IntN(8*24))*time.Hour
		for i := range 1 + rnd.IntN(6) {
			var crashes []time.Duration
			if rnd.IntN(2) == 0 {
				crashes = every(time.Duration(3+rnd.IntN(40)) * time.Hour)
			}
			pods = append(pods, simPod{name: fmt.Sprintf("web-a-%d", i), revision: revision, to: min(rollout, 7*day), restarts: crashes, level: level})
			if rollout < 7*day {
				pods = append(pods, simPod{name: fmt.Sprintf("web-b-%d", i), revision: "web-b", from: rollout, to: 7 * day, level: level})
			}
		}
		if got := observe(deployment(), simulate(Memory, pods...), Memory); len(got) > 0 {
			t.Errorf("run %d, base %.0f Mi, noise %.2f, wave %.2f, rollout %s: notes = %q, want none", n, base/mi, noise, wave, rollout, got)
		}
	}
}

func TestThrottled(t *testing.T) {
	limited := deployment()
	limited.Spec[CPU] = bounds(0.1, 0.5)
	for name, c := range map[string]struct {
		throttling Throttling
		container  Container
		want       string
	}{
		"a quarter": {
			Throttling{100_000, 25_000},
			limited,
			"throttled: 25% of the CPU periods were throttled, so it wanted more CPU than was measured, at a limit declared as 500m; the recommended 360m may be too low as well",
		},
		"the limit is gone": {Throttling{100_000, 25_000}, deployment(), "throttled: 25% of the CPU periods were throttled, so it wanted more CPU than was measured; the recommended"},
		"a tenth":           {Throttling{100_000, 10_000}, limited, "throttled: 10%"},
		"less":              {Throttling{100_000, 9_999}, limited, ""},
		"hardly ran":        {Throttling{5_999, 5_999}, limited, ""},
		"no limit":          {Throttling{}, limited, ""},
	} {
		h := History{Throttling: c.throttling}
		h.Usage[CPU] = usage(repeat(100, 0.3)...)
		checkObserved(t, name, observe(c.container, h, CPU), c.want)
	}
}

func TestLimitBelowPeak(t *testing.T) {
	for name, c := range map[string]struct {
		r           Resource
		peak, limit float64
		want        string
	}{
		"memory":          {Memory, 300 * mi, 200 * mi, "limit-below-peak: the declared limit of 200Mi is below what was used: usage peaked at 300Mi; at that limit it would be OOM killed"},
		"memory at it":    {Memory, 200 * mi, 200 * mi, ""},
		"cpu":             {CPU, 0.6, 0.5, "limit-below-peak: the declared limit of 500m is below what was used: usage peaked at 600m; at that limit it would be throttled"},
		"cpu, by a burst": {CPU, 0.54, 0.5, ""},
	} {
		container, h := deployment(), History{}
		container.Spec[c.r] = bounds(c.limit/2, c.limit)
		h.Usage[c.r] = usage(append(repeat(99, c.limit/3), c.peak)...)
		checkObserved(t, name, observe(container, h, c.r), c.want)
	}
}

func TestNoLimits(t *testing.T) {
	h := History{}
	h.Usage[CPU], h.Usage[Memory] = usage(repeat(100, 0.3)...), usage(repeat(100, 100*mi)...)
	p := DefaultPolicy()
	p.Rules[CPU] = rules(t, "p50", "none")
	container := deployment()
	rec := Recommend(container, h, p)
	if got := codes(rec.Advice[CPU]); len(got) != 0 {
		t.Errorf("cpu: notes = %q, want none: the policy wants no limit", got)
	}
	if got := codes(rec.Advice[Memory]); !slices.Equal(got, []string{NoteNoLimits}) {
		t.Errorf("memory: notes = %q, want no-limits", got)
	}
	container.Spec[Memory] = bounds(mi, 1000*mi)
	if got := codes(Recommend(container, h, p).Advice[Memory]); len(got) != 0 {
		t.Errorf("memory with a limit: notes = %q, want none", got)
	}
	if got := codes(Recommend(deployment(), History{}, p).Advice[Memory]); len(got) != 0 {
		t.Errorf("without samples: notes = %q, want none", got)
	}
}

// Lows may be handed over piece by piece, and leave out what belongs to no whole span.
func TestLows(t *testing.T) {
	w := Window{Until: time.Unix(0, 0).UTC(), Length: 9 * time.Hour, Step: time.Hour}
	var points []int
	var values []float64
	for k := 1; k <= 9; k++ {
		points, values = append(points, k), append(values, float64(10*k))
	}
	values[6] = math.NaN()
	want := []float64{20, 60} // hours 2 to 5, and 6 to 9
	whole := w.Lows(nil, points, values)
	pieces := w.Lows(w.Lows(nil, points[:5], values[:5]), points[5:], values[5:])
	if !slices.Equal(whole, want) || !slices.Equal(pieces, want) {
		t.Errorf("Lows = %v, in pieces %v, want %v", whole, pieces, want)
	}
}
