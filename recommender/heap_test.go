package recommender

import "testing"

func TestRuntimeHeap(t *testing.T) {
	const gi = 1024 * mi
	xmx := Heap{By: "-Xmx in args", Bytes: 3 * gi, Share: HeapOfProcess}
	for name, c := range map[string]struct {
		heap     Heap
		declared Value
		want     float64
		note     string
	}{
		"drops below the heap":   {xmx, Set(8 * gi), 4 * gi, "runtime-heap:limit raised from 108Mi to 4Gi: -Xmx in args lets the heap take 3Gi, with what else it needs"},
		"was below the heap":     {xmx, Set(2 * gi), 2 * gi, "runtime-heap:limit raised from 108Mi to 2Gi: -Xmx in args lets the heap take 3Gi, so it is left as declared"},
		"no limit":               {xmx, Unset(), 4 * gi, "runtime-heap:limit raised from 108Mi to 4Gi"},
		"small heap":             {Heap{By: "-Xmx in args", Bytes: 50 * mi, Share: HeapOfProcess}, Set(8 * gi), 108 * mi, ""},
		"Go":                     {Heap{By: "GOMEMLIMIT", Bytes: 900 * mi, Share: HeapOfGo}, Set(8 * gi), 1000 * mi, "runtime-heap:limit raised from 108Mi to 1000Mi"},
		"nothing":                {Heap{}, Set(8 * gi), 108 * mi, ""},
		"follows the limit":      {Heap{By: "-XX:MaxRAMPercentage in args", Percent: 75}, Set(8 * gi), 108 * mi, "heap-follows-limit:-XX:MaxRAMPercentage in args makes the heap 75% of the limit: it goes from 6Gi to 81Mi with the recommended limit"},
		"follows an equal limit": {Heap{By: "-XX:MaxRAMPercentage in args", Percent: 75}, Set(108 * mi), 108 * mi, ""},
		"follows where none was": {Heap{By: "GOMEMLIMIT", Percent: 50}, Unset(), 108 * mi, "heap-follows-limit:GOMEMLIMIT makes the heap 50% of the limit: it goes to 54Mi"},
	} {
		t.Run(name, func(t *testing.T) {
			container, h := deployment(), History{}
			container.Heap = c.heap
			container.Spec[Memory] = Bounds{Request: Set(64 * mi), Limit: c.declared}
			h.Usage[Memory] = cores(50*mi, 90*mi)
			got := Recommend(container, h, DefaultPolicy()).Advice[Memory]
			if limit, _ := got.Bounds.Limit.Amount(); limit != c.want {
				t.Errorf("limit %s, want %s", Memory.Quantity(limit), Memory.Quantity(c.want))
			}
			if c.note != "" {
				checkNote(t, got, c.note)
				return
			}
			for _, n := range got.Notes {
				if n.Code == GuardRuntimeHeap || n.Code == NoteHeapFollows {
					t.Errorf("note %v, want none", n)
				}
			}
		})
	}
}
