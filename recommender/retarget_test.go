package recommender

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// at is a place for a target.
func at() Target {
	return Target{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Name: "web", Path: "/spec/metrics/0/resource/target/averageUtilization"}
}

// scaler is an autoscaler of CPU that is patched where it is declared.
func scaler(percent int, container string) Autoscaler {
	return Autoscaler{Name: "HorizontalPodAutoscaler web", Resource: CPU, Container: container, Percent: percent, Target: at()}
}

// used is what a container of a test declares of CPU and used of it; 0 where nobody asks for it.
type used struct {
	spec Bounds
	p50  float64
}

// retargeted is a workload of containers a, b, ... that declare these bounds of CPU and used so much of it, with the
// policy of --hpa retarget.
func retargeted(t *testing.T, scalers []Autoscaler, containers ...used) Template {
	t.Helper()
	p := DefaultPolicy()
	p.HPA = HPARetarget
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	var template Template
	for i, in := range containers {
		c, h := deployment(), History{}
		c.ID.Container = string(rune('a' + i))
		c.Spec[CPU], c.Facts.Autoscalers = in.spec, scalers
		template.Containers = append(template.Containers, c)
		if in.p50 == 0 {
			continue
		}
		h.Usage[CPU] = cores(in.p50, 2*in.p50)
		rec := Recommend(c, h, p)
		template.Advised = append(template.Advised, &rec)
	}
	return template
}

func TestRetarget(t *testing.T) {
	nowhere := scaler(60, "")
	nowhere.Target = Target{}
	for _, c := range []struct {
		name       string
		scalers    []Autoscaler
		containers []used
		want       []int    // new shares
		requests   []string // of the containers, advised
		note       string   // of the first container
	}{
		{
			"half the request, twice the share",
			[]Autoscaler{scaler(60, "")},
			[]used{{bounds(0.4, 2), 0.2}},
			[]int{120},
			[]string{"200m"},
			"retargeted: HorizontalPodAutoscaler web is to scale on 120% instead of 60% of the new request, so that it wants another pod at the same use: apply both together",
		},
		{"of the pod's sum", []Autoscaler{scaler(60, "")}, []used{{bounds(0.5, 2), 0.2}, {bounds(0.5, 2), 0.05}}, []int{240}, []string{"200m", "50m"}, "240%"},
		{"a container that nobody asked for counts", []Autoscaler{scaler(60, "")}, []used{{bounds(0.5, 2), 0.25}, {bounds(0.5, 2), 0}}, []int{80}, []string{"250m", ""}, "80%"},
		{"one container alone", []Autoscaler{scaler(60, "a")}, []used{{bounds(0.4, 2), 0.2}, {bounds(0.5, 2), 0.05}}, []int{120}, []string{"200m", "50m"}, "120%"},
		{"the pod, and one of its containers", []Autoscaler{scaler(60, "a"), scaler(50, "")}, []used{{bounds(0.4, 2), 0.2}, {bounds(0.4, 2), 0.2}}, []int{120, 100}, []string{"200m", "200m"}, "120%"},
		{"nothing changes", []Autoscaler{scaler(60, "")}, []used{{bounds(0.2, 2), 0.2}}, nil, []string{"200m"}, ""},
		{
			"no request",
			[]Autoscaler{scaler(60, "")},
			[]used{{bounds(0.4, 2), 0.2}, {Bounds{Unset(), Unset()}, 0}},
			nil,
			[]string{"no advice", ""},
			"autoscaled: --hpa retarget cannot move HorizontalPodAutoscaler web: container b has no request of cpu, without which it does not scale",
		},
		{
			"rounding",
			[]Autoscaler{scaler(10, "")},
			[]used{{bounds(0.1, 8), 0.38}},
			nil,
			[]string{"no advice"},
			"autoscaled: --hpa retarget cannot move HorizontalPodAutoscaler web: its target would be 2.63%, and a whole number is too far from that",
		},
		{
			"the limit",
			[]Autoscaler{scaler(80, "")},
			[]used{{bounds(1, 2), 0.1}},
			nil,
			[]string{"no advice"},
			"autoscaled: --hpa retarget cannot move HorizontalPodAutoscaler web: it would scale at 800m, which the limit of 240m does not let be used",
		},
		{"nobody knows where", []Autoscaler{nowhere}, []used{{bounds(0.4, 2), 0.2}}, nil, []string{"no advice"}, "where its target is declared is not known"},
		{"the pod's cannot, so its container's does not", []Autoscaler{scaler(60, "a"), nowhere}, []used{{bounds(0.4, 2), 0.2}}, nil, []string{"no advice"}, "where its target is declared is not known"},
		{
			"a container's cannot, and the pod's sum has the old request",
			[]Autoscaler{func() Autoscaler { a := nowhere; a.Container = "a"; return a }(), scaler(60, "")},
			[]used{{bounds(0.4, 4), 0.2}, {bounds(0.8, 4), 0.4}},
			[]int{90},
			[]string{"no advice", "400m"},
			"where its target is declared is not known",
		},
		{"a limit is the request", []Autoscaler{scaler(60, "")}, []used{{Bounds{Unset(), Set(2)}, 0.8}}, []int{150}, []string{"800m"}, "150%"},
	} {
		t.Run(c.name, func(t *testing.T) {
			template := retargeted(t, c.scalers, c.containers...)
			if !strings.Contains(c.note, "the limit of") { // room to scale up to
				for _, rec := range template.Advised {
					if rec.Advice[CPU].Bounds.Limit.IsAdvice() {
						rec.Advice[CPU].Bounds.Limit = Set(4)
					}
				}
			}
			var got []int
			for _, a := range template.Retargets() {
				got = append(got, a.To)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("shares %v, want %v; notes %q", got, c.want, noted(template))
			}
			for i, container := range template.Containers {
				text := ""
				if rec := template.advisedOf(container); rec != nil {
					text = rec.Advice[CPU].Bounds.Request.String()
					if x, ok := rec.Advice[CPU].Bounds.Request.Amount(); ok {
						text = CPU.Quantity(x)
					}
				}
				if text != c.requests[i] {
					t.Errorf("container %d is to request %s, want %s", i, text, c.requests[i])
				}
			}
			if all := strings.Join(noted(template), "\n"); !strings.Contains(all, c.note) || c.note == "" && strings.Contains(all, "retarget") {
				t.Errorf("notes %s, want %q", all, c.note)
			}
		})
	}
}

// What is kept is what --hpa keep gives, but for a note that says why.
func TestRetargetKeeps(t *testing.T) {
	nowhere := scaler(60, "")
	nowhere.Target = Target{}
	template := retargeted(t, []Autoscaler{nowhere}, used{bounds(0.4, 2), 0.2})
	template.Retargets()
	h := History{}
	h.Usage[CPU] = cores(0.2, 0.4)
	want := Recommend(template.Containers[0], h, DefaultPolicy()).Advice[CPU]
	got := template.Advised[0].Advice[CPU]
	if got.Bounds != want.Bounds || !slices.Equal(got.Notes[:len(got.Notes)-1], want.Notes) {
		t.Errorf("advice %v, want %v", got, want)
	}
}

func TestRetargetNeedsItsGuard(t *testing.T) {
	p := DefaultPolicy()
	p.HPA, p.Guards = HPARetarget, nil
	if err := p.Validate(); err == nil || err.Error() != "--hpa retarget needs the guard autoscaled, for what cannot be retargeted" {
		t.Errorf("error %v", err)
	}
}

// However requests change, the use at which another pod is wanted moves by no more than rounding does: half a per cent
// of what is requested, and one per cent of itself; and whatever cannot be moved is not changed.
func TestRetargetKeepsTheScalePoint(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	moved := 0
	for range 3000 {
		percent := 1 + random.IntN(200)
		var containers []used
		for range 1 + random.IntN(4) {
			c := used{Bounds{Set(math.Round(math.Exp(random.Float64()*8-5)*1000+1) / 1000), Unset()}, math.Exp(random.Float64()*8 - 5)}
			if random.IntN(5) == 0 {
				c.p50 = 0
			}
			if random.IntN(9) == 0 {
				c.spec.Request = Unset()
			}
			containers = append(containers, c)
		}
		template := retargeted(t, []Autoscaler{scaler(percent, "")}, containers...)
		for _, rec := range template.Advised {
			rec.Advice[CPU].Bounds.Limit = NoAdvice() // which is another test's
		}
		found := template.Retargets()
		old, requested := template.total(CPU, requests, false), template.total(CPU, requests, true)
		if len(found) == 0 {
			for _, rec := range template.Advised {
				if rec.inForce(CPU).Request != rec.Spec[CPU].Request {
					t.Fatalf("%v at %d%%: nothing is retargeted, and the request of %s changes to %v", containers, percent, rec.ID, rec.Advice[CPU].Bounds)
				}
			}
			continue
		}
		moved++
		before, after := float64(percent)/100*old, float64(found[0].To)/100*requested
		if math.Abs(after-before) > 0.005*requested+1e-9 || math.Abs(after-before) > 0.01*before+1e-9 {
			t.Fatalf("%v at %d%%: scaled at %v, and at %v with %d%%", containers, percent, before, after, found[0].To)
		}
	}
	if moved < 500 {
		t.Errorf("only %d of the cases were retargeted", moved)
	}
}

func TestRetargetOfNothing(t *testing.T) {
	if got := (Template{}).Retargets(); got != nil {
		t.Errorf("no containers are retargeted: %v", got)
	}
	template := retargeted(t, []Autoscaler{scaler(60, "sidecar")}, used{bounds(0.4, 2), 0.2})
	if diff := cmp.Diff([]Retarget(nil), template.Retargets()); diff != "" {
		t.Errorf("a container that is not there: %s", diff)
	}
}
