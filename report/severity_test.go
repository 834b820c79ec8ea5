package report

import (
	"errors"
	"math"
	"testing"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// sized is an item with one pod whose request of a resource is to change.
func sized(r recommender.Resource, now, after recommender.Value) scan.Item {
	item := scan.Item{Recommendation: recommender.Recommendation{Container: declared("Deployment", "web", "app", 1, none(), none())}}
	item.Spec[r].Request, item.Advice[r].Bounds.Request = now, after
	return item
}

func severityOf(r recommender.Resource, now, after recommender.Value) float64 {
	return Severity(sized(r, now, after), r, recommender.DefaultSignificance())
}

// The numbers of docs/gate.md.
func TestSeverity(t *testing.T) {
	const gi = 1024 * mi
	set := recommender.Set
	for _, c := range []struct {
		resource   recommender.Resource
		now, after recommender.Value
		want       int
	}{
		{recommender.Memory, set(1 * gi), set(524 * mi), 23},
		{recommender.Memory, set(64 * gi), set(64*gi - 500*mi), 0}, // less than a tenth
		{recommender.Memory, set(64 * gi), set(32 * gi), 67},
		{recommender.CPU, set(0.02), set(0.05), 13}, // much of little
		{recommender.CPU, set(2), set(1.9), 0},      // little of much
		{recommender.CPU, set(4), set(0.5), 82},
		{recommender.CPU, set(0.5), set(4), 82}, // up as down
		{recommender.CPU, recommender.Unset(), set(1), 71},
		{recommender.CPU, set(1), recommender.NoAdvice(), 0},
		{recommender.CPU, set(0.1), set(0.11), 3},
		{recommender.CPU, set(1e6), set(0.01), 99}, // 100 is kept for danger
	} {
		if got := wholeSeverity(severityOf(c.resource, c.now, c.after)); got != c.want {
			t.Errorf("severity of %s from %v to %v = %d, want %d", c.resource, c.now, c.after, got, c.want)
		}
	}
}

func TestSeverityOfPodsAndLimits(t *testing.T) {
	least := recommender.DefaultSignificance()
	one := sized(recommender.CPU, recommender.Set(1), recommender.Set(0.5))
	many := one
	many.Replicas = 10
	if a, b := Severity(one, recommender.CPU, least), Severity(many, recommender.CPU, least); b <= a {
		t.Errorf("ten pods have severity %v, want more than one pod's %v", b, a)
	}
	cron := one
	cron.Replicas = 0
	if a, b := Severity(one, recommender.CPU, least), Severity(cron, recommender.CPU, least); a != b {
		t.Errorf("a CronJob has severity %v, want %v: a run of it matters as a pod does", b, a)
	}
	limit := sized(recommender.CPU, recommender.Unset(), recommender.NoAdvice())
	limit.Spec[recommender.CPU].Limit, limit.Advice[recommender.CPU].Bounds.Limit = recommender.Set(1), recommender.Set(0.5)
	limit.Spec[recommender.CPU].Request = recommender.Set(0.1)
	if a, b := Severity(one, recommender.CPU, least), Severity(limit, recommender.CPU, least); b != a/2 {
		t.Errorf("a limit has severity %v, want half of the request's %v", b, a)
	}
}

// A limit that has to rise because it was reached comes before everything, however little it is.
func TestDangerIsMostSevere(t *testing.T) {
	item := sized(recommender.Memory, recommender.Set(64*mi), recommender.NoAdvice())
	item.Spec[recommender.Memory].Limit, item.Advice[recommender.Memory].Bounds.Limit = recommender.Set(64*mi), recommender.Set(65*mi)
	if got := Severity(item, recommender.Memory, recommender.DefaultSignificance()); got != 0 {
		t.Errorf("severity %v of a mebibyte, want 0", got)
	}
	item.Evidence[recommender.Memory].Peak.Value = 65 * mi
	if got := Severity(item, recommender.Memory, recommender.DefaultSignificance()); got != maxSeverity {
		t.Errorf("severity %v though usage was above the limit, want %d", got, maxSeverity)
	}
	item.Evidence[recommender.Memory].Peak.Value, item.OOMKills = 0, []recommender.OOMKill{{}}
	if got := Severity(item, recommender.Memory, recommender.DefaultSignificance()); got != maxSeverity {
		t.Errorf("severity %v though it was killed, want %d", got, maxSeverity)
	}
}

func TestNothingIsWorthMakingOfAnError(t *testing.T) {
	item := scan.Item{Recommendation: recommender.Recommendation{Container: declared("Deployment", "web", "app", 1, bounds(1, 2), none())}, Err: errors.New("broken")}
	for r := range recommender.NumResources {
		if WorthOf(item, r, recommender.Significance{}) != (Worth{}) || Severity(item, r, recommender.Significance{}) != 0 {
			t.Errorf("%s of an item with an error is worth changing", r)
		}
	}
}

// FuzzSeverity holds what docs/gate.md says of it: from 0 to below 100, 0 exactly where nothing is worth changing,
// and the greater the change of one thing, the more severe.
func FuzzSeverity(f *testing.F) {
	f.Add(1.0, 0.5, 0.25, uint8(1), false)
	f.Add(0.02, 0.05, 3.0, uint8(200), true)
	f.Add(0.0, 1e-9, 1e15, uint8(0), true)
	f.Fuzz(func(t *testing.T, now, after, further float64, pods uint8, memory bool) {
		r := recommender.CPU
		if memory {
			r = recommender.Memory
		}
		for _, x := range []float64{now, after, further} {
			if !(x >= 0 && x <= 1e18) {
				return // no amount that a spec can have
			}
		}
		least := recommender.DefaultSignificance()
		of := func(to float64) (float64, bool) {
			item := sized(r, recommender.Set(now), recommender.Set(to))
			item.Replicas = int(pods)
			return Severity(item, r, least), WorthOf(item, r, least).Request
		}
		got, worth := of(after)
		if math.IsNaN(got) || got < 0 || got > maxSeverity || (got > 0) != worth {
			t.Fatalf("severity from %v to %v of %d pods = %v, worth making %v", now, after, pods, got, worth)
		}
		if (after > now) == (further > after) && after != now {
			if more, _ := of(further); more < got*(1-1e-9) && further != after {
				t.Fatalf("severity from %v to %v = %v, less than the %v to %v", now, further, more, got, after)
			}
		}
	})
}
