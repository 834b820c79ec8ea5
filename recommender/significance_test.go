package recommender

import "testing"

func TestSignificance(t *testing.T) {
	const mi = 1 << 20
	for _, c := range []struct {
		resource         Resource
		declared, advice Value
		want             bool
	}{
		{CPU, Set(0.1), Set(0.11), true}, // exactly both
		{CPU, Set(0.1), Set(0.109), false},
		{CPU, Set(0.01), Set(0.015), false}, // half as much again, of little
		{CPU, Set(2), Set(1.9), false},      // 100m, of much
		{CPU, Set(2), Set(1.8), true},
		{Memory, Set(64 * mi), Set(80 * mi), true},
		{Memory, Set(64 * mi), Set(79 * mi), false},
		{Memory, Set(64 * mi), Set(64 * mi), false},
		{CPU, Set(0), Set(0.01), true},
		{Memory, Unset(), NoAdvice(), false},
		{Memory, Unset(), Set(1), true},
		{Memory, Set(1), Unset(), true},
		{Memory, Unset(), Unset(), false},
		{Memory, Set(1), NoAdvice(), false},
	} {
		if got := DefaultSignificance().Reached(c.resource, c.declared, c.advice); got != c.want {
			t.Errorf("%s from %v to %v: %v, want %v", c.resource, c.declared, c.advice, got, c.want)
		}
	}
	if (Significance{}).Reached(CPU, Set(1), Set(1)) || !(Significance{}).Reached(CPU, Set(1), Set(1.001)) {
		t.Error("without thresholds every change is worth making, and none is none")
	}
}
