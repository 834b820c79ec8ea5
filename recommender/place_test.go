package recommender

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// partOf is a container of a pod that declares this much as a whole of both resources, in cores and Gi.
func partOf(pod, spec Bounds) Container {
	c := deployment()
	gi := func(b Bounds) [NumResources]Bounds { return both(b.Request, b.Limit) }
	c.Pod, c.Spec = gi(pod), gi(spec)
	return c
}

func TestPodResources(t *testing.T) {
	none := Bounds{Unset(), Unset()}
	for _, tt := range []struct {
		name      string
		pod, spec Bounds
		used      float64 // cores, all the time: the formula's request, and its limit / 1.2
		want      Bounds
		note      string // its end
	}{
		{"no resources of its own", Bounds{}, none, 2, bounds(2, 2.4), ""},
		{"room for less", bounds(4, 4), bounds(3, 3), 2, bounds(2, 2.4), ""},
		{"a request may not rise", bounds(4, 4), bounds(1, 3), 2, Bounds{NoAdvice(), Set(2.4)}, "(spec.resources: requests.cpu 4, limits.cpu 4), which its containers share: request left as it is instead of 2"},
		{"nor begin", bounds(4, 4), none, 2, Bounds{}, "request left as it is instead of 2, limit left as it is instead of 2400m"},
		{"a limit no higher than the pod's", bounds(4, 4), bounds(4, 4), 3.6, bounds(3.6, 4), "limit lowered from 4320m to 4"},
		{"a limit of the pod alone bounds requests too", Bounds{Limit: Set(4)}, none, 2, Bounds{}, "limits.cpu 4), which its containers share: request left as it is instead of 2, limit left as it is instead of 2400m"},
		{"a request of the pod alone bounds no limit", Bounds{Request: Set(2)}, bounds(2, 4), 2, bounds(2, 2.4), ""},
		{"a kept request is not above the limit", bounds(8, 8), bounds(4, 8), 5, Bounds{NoAdvice(), Set(6)}, "request left as it is instead of 5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := History{}
			h.Usage[CPU] = usage(repeat(100, tt.used)...)
			p := DefaultPolicy()
			got := Recommend(partOf(tt.pod, tt.spec), h, p).Advice[CPU]
			if got.Bounds != tt.want {
				t.Errorf("advice %v, want %v", got.Bounds, tt.want)
			}
			i := slices.IndexFunc(got.Notes, func(n Note) bool { return n.Code == GuardPodResources })
			if (i >= 0) != (tt.note != "") || i >= 0 && !strings.HasSuffix(got.Notes[i].Text, tt.note) {
				t.Errorf("notes %v, want %q", got.Notes, tt.note)
			}
			if slices.Contains(codes(got), NoteOutsidePodResources) {
				t.Errorf("notes %v: the guard left something outside", got.Notes)
			}
		})
	}
}

func TestOutsidePodResourcesWithoutGuard(t *testing.T) {
	h := History{}
	h.Usage[CPU], h.Usage[Memory] = usage(repeat(100, 2)...), usage(repeat(100, 1e10)...)
	p := DefaultPolicy()
	p.Guards = nil
	rec := Recommend(partOf(bounds(4, 4), bounds(1, 4)), h, p)
	for r, want := range []string{
		"the request takes more than now of the pod's, which Kubernetes may refuse: the pod has resources of its own (spec.resources)",
		"the limit of 11445Mi is above the pod's of 4Gi, which Kubernetes may refuse: the pod has resources of its own (spec.resources)",
	} {
		if n := rec.Advice[r].Notes; !slices.Contains(n, Note{NoteOutsidePodResources, want}) {
			t.Errorf("%s: notes %v, want %q", Resource(r), n, want)
		}
	}
}

// Whatever is used, containers that Kubernetes takes together with their pod's resources are taken as they are advised.
func TestPodResourcesAreKept(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 5))
	maybe := func(v float64) Value {
		if random.IntN(3) == 0 {
			return Unset()
		}
		return Set(v)
	}
	policies := []string{"p50", "p99", "none", "keep"}
	for range 3000 {
		pod := Bounds{Set(4), maybe(4 + 4*random.Float64())}
		if random.IntN(4) == 0 {
			pod.Request = NoAdvice()
		}
		if pod.Limit.IsUnset() {
			pod.Limit = NoAdvice()
		}
		p := DefaultPolicy()
		p.Rules[CPU] = rules(t, policies[random.IntN(4)], []string{"p99*1.2", "max", "none", "keep", "request"}[random.IntN(5)])
		var total, before float64
		for range 3 {
			request := maybe(random.Float64())
			limit := maybe(1 + random.Float64()*0.3)
			c := partOf(pod, Bounds{request, limit})
			c.Pod, c.Spec = [NumResources]Bounds{pod}, [NumResources]Bounds{{request, limit}, {Unset(), Unset()}}
			h := History{}
			h.Usage[CPU] = usage(repeat(20, 3*random.Float64())...)
			got := Recommend(c, h, p).Advice[CPU].Bounds.or(c.Spec[CPU])
			before += requestOrLimit(c.Spec[CPU])
			total += requestOrLimit(got)
			request1, has := got.Request.Amount()
			limit1, bounded := got.Limit.Amount()
			most, podBounded := pod.Limit.Amount()
			if has && bounded && request1 > limit1 || podBounded && bounded && limit1 > most {
				t.Fatalf("%v of a pod of %v becomes %v", c.Spec[CPU], pod, got)
			}
		}
		if most := requestOrLimit(pod); (pod.Request.isSet() || pod.Limit.isSet()) && before <= most && total > most {
			t.Fatalf("all together %v of the pod's %v become %v", before, most, total)
		}
	}
}

func requestOrLimit(b Bounds) float64 {
	amount, ok := b.Request.Amount()
	if !ok {
		amount, _ = b.Limit.Amount()
	}
	return amount
}

func TestPlaces(t *testing.T) {
	istio := [NumResources]SizedBy{{"a/proxyCPU", "a/proxyCPULimit"}, {"a/proxyMemory", "a/proxyMemoryLimit"}}
	h := History{}
	h.Usage[CPU] = usage(repeat(100, 1)...)
	for _, tt := range []struct {
		name string
		c    func(*Container)
		want Note
	}{
		{"of an operator", func(c *Container) { c.Owner = "Kafka log" }, Note{NoteManaged, "belongs to Kafka log, whose controller sets what it requests: change it there"}},
		{"injected, and known", func(c *Container) { c.Injected, c.SizedBy = true, istio }, Note{NoteInjected, "injected into the pods, and sized by annotations of their template: a/proxyCPU and a/proxyCPULimit"}},
		{"injected by somebody", func(c *Container) { c.Injected, c.Owner = true, "Kafka log" }, Note{NoteInjected, "injected into the pods, and sized by whatever injects it: it is not in their template"}},
	} {
		c := deployment()
		tt.c(&c)
		rec := Recommend(c, h, DefaultPolicy())
		if !slices.Contains(rec.Advice[CPU].Notes, tt.want) {
			t.Errorf("%s: notes %v, want %v", tt.name, rec.Advice[CPU].Notes, tt.want)
		}
		if got := codes(rec.Advice[Memory]); slices.Contains(got, NoteManaged) || slices.Contains(got, NoteInjected) {
			t.Errorf("%s: notes %v of a resource without advice", tt.name, got)
		}
	}
}

// What is injected stays as it is when the template changes: the pod's class and an autoscaler's target count it so.
func TestInjectedStays(t *testing.T) {
	one := templateOf([2][NumResources]Bounds{both(Set(1), Set(1)), both(Set(1), Set(1))}, [2][NumResources]Bounds{both(Set(1), Set(2)), both(Set(1), Set(1))})
	one.Containers[1].Injected, one.Advised[1].Injected = true, true
	Together([]Template{one})
	if got := one.Advised[0].QoS; got != (QoSChange{Burstable, Burstable}) {
		t.Errorf("QoS %v, want it as the proxy has it", got)
	}
	a := Autoscaler{Name: "HorizontalPodAutoscaler web", Resource: CPU, Percent: 60, Target: Target{Path: "/spec"}}
	two := templateOf([2][NumResources]Bounds{both(Set(2), Set(8)), both(Set(1), Set(8))}, [2][NumResources]Bounds{both(Set(1), Set(8)), both(Set(3), Set(8))})
	two.Containers[1].Injected, two.Advised[1].Injected = true, true
	for i := range two.Containers {
		two.Containers[i].Facts.Autoscalers = []Autoscaler{a}
	}
	got := two.Retargets()
	if len(got) != 1 || got[0].To != 90 || !slices.Equal(got[0].Containers, []string{"a"}) {
		t.Errorf("retargets %+v, want 60%% of 2 + 1 to become 90%% of 1 + 1 for container a", got)
	}
	pod := [NumResources]Bounds{CPU: {Request: Set(4)}}
	two.Containers[0].Pod, two.Containers[1].Pod = pod, pod
	if got := two.Retargets(); len(got) != 0 {
		t.Errorf("retargets %+v of a pod that has a request of its own", got)
	}
}

// A pod's own resources are what it takes of nodes and quotas.
func TestPodResourcesCount(t *testing.T) {
	one := templateOf([2][NumResources]Bounds{both(Set(1), Unset()), both(Set(0.5), Set(0.6))})
	one.PodLevel = true
	one.Containers[0].Pod = [NumResources]Bounds{{Request: Set(3)}, {Request: Set(1 << 30)}}
	if got := one.total(CPU, requests, true); got != 3 {
		t.Errorf("a pod with a request of 3 takes %v", got)
	}
	if got := one.total(CPU, limits, true); got != 0.6 {
		t.Errorf("a pod without a limit has one of %v, want that of its container", got)
	}
}
