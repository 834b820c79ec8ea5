package recommender

import (
	"testing"
	"time"
)

// Each guard's step begins where the one before it ended: the first at the formula, the last one ends at what stands.
func TestStepsLeadFromFormulaToBounds(t *testing.T) {
	c := Container{ID: ID{Kind: "Deployment"}, Spec: [NumResources]Bounds{CPU: {Unset(), Unset()}, Memory: {Set(1 << 30), Set(1 << 30)}}}
	c.Facts.Autoscalers = []Autoscaler{{Name: "HorizontalPodAutoscaler web", Resource: CPU, Percent: 80}}
	for name, covered := range map[string]time.Duration{"enough": 48 * time.Hour, "too little": time.Hour} {
		var h History
		for r, unit := range [NumResources]float64{CPU: 0.0001, Memory: 1 << 20} {
			u := &h.Usage[r]
			for k := range 500 {
				u.add(unit * float64(1+k%7))
			}
			u.Covered, u.Pods, u.Peak = covered, 1, Peak{Value: unit * 900, Pod: "a"}
		}
		h.OOMKills = []OOMKill{{Pod: "a", Limit: 2 << 30}}
		rec := Recommend(c, h, DefaultPolicy())
		if len(rec.Advice[Memory].Steps) == 0 {
			t.Fatalf("%s: no guard did anything: %+v", name, rec.Advice[Memory])
		}
		for r, a := range rec.Advice {
			at := a.Formula
			for _, s := range a.Steps {
				if s.From != at || s.To == s.From {
					t.Errorf("%s %s: %s goes from %v to %v, behind %v", name, Resource(r), s.Guard, s.From, s.To, at)
				}
				at = s.To
			}
			if at != a.Bounds {
				t.Errorf("%s %s: the steps end at %v, want %v", name, Resource(r), at, a.Bounds)
			}
		}
	}
}

// What each pod used makes notes and no value, which a backtest relies on.
func TestPodsChangeNoValue(t *testing.T) {
	h := History{}
	for r, unit := range [NumResources]float64{CPU: 0.1, Memory: 1 << 28} {
		u := &h.Usage[r]
		for pod, factor := range map[string]float64{"a": 1, "b": 9} {
			p := PodUsage{Pod: pod, Covered: 40 * time.Hour, Last: time.Unix(144000, 0), Generation: pod}
			var samples []float64
			for k := range 500 {
				samples = append(samples, factor*unit*(1+float64(k)/500))
			}
			u.add(samples...)
			p.Samples = Pool(samples)
			h.Pods[r] = append(h.Pods[r], p)
		}
		u.Covered, u.Pods = 48*time.Hour, 2
	}
	c := Container{ID: ID{Kind: "Deployment"}}
	for _, p := range Policies() {
		with := Recommend(c, h, p)
		bare := h
		bare.Pods = [NumResources][]PodUsage{}
		without := Recommend(c, bare, p)
		for r := range NumResources {
			if a, b := with.Advice[r].Bounds, without.Advice[r].Bounds; a != b {
				t.Errorf("%s %s: %v with the pods, %v without", p.Name, r, a, b)
			}
		}
	}
}
