package recommender

import (
	"strings"
	"testing"
	"time"
)

// steady is a container whose memory peaks at this many Mi, with limits of four times that by the rules.
func steady(peak float64, kills ...OOMKill) (Container, History, Policy) {
	p := DefaultPolicy()
	p.Rules[Memory].Limit = Rule{base: ruleMax, factor: 4}
	p.Rules[CPU].Limit = Rule{base: ruleMax, factor: 4}
	var h History
	for r, x := range [NumResources]float64{CPU: 1, Memory: peak * (1 << 20)} {
		h.Usage[r] = Usage{Samples: Pool([]float64{x, x}), Covered: 48 * time.Hour, Pods: 1}
	}
	h.OOMKills = kills
	return Container{ID: ID{Kind: "Deployment"}}, h, p
}

func TestCeiling(t *testing.T) {
	const mi = 1 << 20
	for _, c := range []struct {
		name    string
		peak    float64 // Mi
		kills   []OOMKill
		heap    Heap
		guards  string
		ceiling [NumResources]float64
		request [NumResources]Value
		limit   [NumResources]Value
		says    string
	}{
		{"none", 100, nil, Heap{}, "all", [NumResources]float64{}, [NumResources]Value{Set(1), Set(100 * mi)}, [NumResources]Value{Set(4), Set(400 * mi)}, ""},
		{"above all", 100, nil, Heap{}, "all", [NumResources]float64{4, 400 * mi}, [NumResources]Value{Set(1), Set(100 * mi)}, [NumResources]Value{Set(4), Set(400 * mi)}, ""},
		{"limits alone", 100, nil, Heap{}, "all", [NumResources]float64{2, 200 * mi}, [NumResources]Value{Set(1), Set(100 * mi)}, [NumResources]Value{Set(2), Set(200 * mi)}, "limit lowered from 400Mi to the ceiling of 200Mi"},
		{"CPU below use", 100, nil, Heap{}, "all", [NumResources]float64{CPU: 0.5}, [NumResources]Value{Set(0.5), Set(100 * mi)}, [NumResources]Value{Set(0.5), Set(400 * mi)}, "request lowered from 1 to the ceiling of 500m"},
		{"no whole unit", 100, nil, Heap{}, "all", [NumResources]float64{Memory: 200*mi + 5}, [NumResources]Value{Set(1), Set(100 * mi)}, [NumResources]Value{Set(4), Set(200 * mi)}, "limit lowered"},
		{"memory below the peak", 100, nil, Heap{}, "all", [NumResources]float64{Memory: 80 * mi}, [NumResources]Value{Set(1), Set(80 * mi)}, [NumResources]Value{Set(4), NoAdvice()}, "the limit is left as it is: usage peaked at 100Mi, which is above the ceiling of 80Mi"},
		{"and nobody minds", 100, nil, Heap{}, "ceiling", [NumResources]float64{Memory: 80 * mi}, [NumResources]Value{Set(1), Set(80 * mi)}, [NumResources]Value{Set(4), Set(80 * mi)}, "limit lowered from 400Mi"},
		{"killed above it", 100, []OOMKill{{Limit: 190 * mi}}, Heap{}, "all", [NumResources]float64{Memory: 200 * mi}, [NumResources]Value{Set(1), Set(100 * mi)}, [NumResources]Value{Set(4), NoAdvice()}, "it was OOM killed at a limit of 190Mi"},
		{"a heap above it", 100, nil, Heap{By: "-Xmx", Bytes: 300 * mi, Share: 0.75}, "all", [NumResources]float64{Memory: 200 * mi}, [NumResources]Value{Set(1), Set(100 * mi)}, [NumResources]Value{Set(4), NoAdvice()}, "-Xmx lets the heap take 300Mi"},
		{"the guard is off", 100, nil, Heap{}, "none", [NumResources]float64{2, 200 * mi}, [NumResources]Value{Set(1), Set(100 * mi)}, [NumResources]Value{Set(4), Set(400 * mi)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			container, h, p := steady(c.peak, c.kills...)
			container.Heap, p.Ceiling = c.heap, c.ceiling
			var err error
			if p.Guards, err = ParseGuards(c.guards); err != nil {
				t.Fatal(err)
			}
			rec := Recommend(container, h, p)
			said := ""
			for r := range NumResources {
				if got, want := rec.Advice[r].Bounds, (Bounds{c.request[r], c.limit[r]}); got != want {
					t.Errorf("%s: %v, want %v", r, got, want)
				}
				for _, n := range rec.Advice[r].Notes {
					if n.Code == GuardCeiling {
						said += n.Text + "\n"
					}
				}
			}
			if !strings.Contains(said, c.says) || c.says == "" && said != "" {
				t.Errorf("says %q, want %q", said, c.says)
			}
		})
	}
}

// What is left alone has its evidence, and a note that says why.
func TestExempt(t *testing.T) {
	c, h, p := steady(100, OOMKill{Limit: 50 << 20})
	p.Rule, p.Exempt = "legacy", "moves in March"
	rec := Recommend(c, h, p)
	for r := range NumResources {
		if a := rec.Advice[r]; a.Bounds != (Bounds{}) || len(a.Notes) != 1 || a.Notes[0] != (Note{NoteExempt, "left alone by the rule legacy: moves in March"}) {
			t.Errorf("%s: %+v", r, a)
		}
		if rec.Evidence[r].Samples != 2 {
			t.Errorf("%s: evidence %+v", r, rec.Evidence[r])
		}
	}
}

func TestCeilingBelowFloor(t *testing.T) {
	p := DefaultPolicy()
	p.Ceiling[CPU] = 0.005
	if err := p.Validate(); err == nil || !strings.Contains(err.Error(), "the cpu ceiling of 5m is below the floor of 10m") {
		t.Errorf("error %v", err)
	}
}
