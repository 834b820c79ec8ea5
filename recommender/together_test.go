package recommender

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// templateOf is a workload of containers a, b, ... that declare the first and are recommended the second of each pair.
func templateOf(pairs ...[2][NumResources]Bounds) (t Template) {
	for i, p := range pairs {
		c := deployment()
		c.ID.Container = string(rune('a' + i))
		c.Spec = p[0]
		t.Containers = append(t.Containers, c)
		rec := &Recommendation{Container: c}
		for r := range NumResources {
			rec.Advice[r].Bounds = p[1][r]
		}
		t.Advised = append(t.Advised, rec)
	}
	return t
}

// addInit adds init containers that nobody asked for.
func (t *Template) addInit(specs ...[NumResources]Bounds) {
	for _, spec := range specs {
		c := deployment()
		c.ID.Container, c.Init, c.Spec = "init", true, spec
		t.Containers = append(t.Containers, c)
	}
}

// both is the same bounds in cores and in so many times 1Gi.
func both(request, limit Value) [NumResources]Bounds {
	gi := func(v Value) Value {
		if x, ok := v.Amount(); ok {
			return Set(x * 1024 * mi)
		}
		return v
	}
	return [NumResources]Bounds{{request, limit}, {gi(request), gi(limit)}}
}

func noted(t Template) (all []string) {
	for _, rec := range t.Advised {
		for r := range NumResources {
			for _, n := range rec.Advice[r].Notes {
				all = append(all, rec.ID.Container+" "+r.String()+" "+n.Code+": "+n.Text)
			}
		}
	}
	return all
}

func TestQoSClass(t *testing.T) {
	none, keep := both(Unset(), Unset()), [NumResources]Bounds{}
	equal, wide := both(Set(1), Set(1)), both(Set(1), Set(2))
	memoryOnly := [NumResources]Bounds{Memory: {Set(mi), Set(2 * mi)}}
	limited := both(Unset(), Set(1))
	for _, c := range []struct {
		name   string
		pairs  [][2][NumResources]Bounds
		init   [][NumResources]Bounds
		ranged Range
		want   QoSChange
		notes  []string
	}{
		{"nothing becomes something", [][2][NumResources]Bounds{{none, wide}}, nil, Range{}, QoSChange{BestEffort, Burstable}, []string{
			"a memory qos-class: the QoS class of its pods becomes Burstable instead of BestEffort: when their node runs out of memory they go after BestEffort pods and before Guaranteed ones",
		}},
		{"equal ones do not stay so", [][2][NumResources]Bounds{{equal, wide}, {equal, keep}}, nil, Range{}, QoSChange{Guaranteed, Burstable}, []string{
			"a memory qos-class: the QoS class of its pods becomes Burstable instead of Guaranteed: when their node runs out of memory they go after BestEffort pods and before Guaranteed ones",
		}},
		{"cpu alone changes", [][2][NumResources]Bounds{{wide, {CPU: {Set(2), Set(2)}}}, {equal, keep}}, nil, Range{}, QoSChange{Burstable, Burstable}, nil},
		{"cpu is what makes them equal", [][2][NumResources]Bounds{{{CPU: {Set(1), Set(2)}, Memory: equal[Memory]}, {CPU: {Set(2), Set(2)}}}}, nil, Range{}, QoSChange{Burstable, Guaranteed}, []string{
			"a cpu qos-class: the QoS class of its pods becomes Guaranteed instead of Burstable: when their node runs out of memory they are the last to go",
		}},
		{"one neighbour is enough", [][2][NumResources]Bounds{{equal, equal}, {none, keep}}, nil, Range{}, QoSChange{Burstable, Burstable}, nil},
		{"an init container is enough", [][2][NumResources]Bounds{{wide, equal}}, [][NumResources]Bounds{none}, Range{}, QoSChange{Burstable, Burstable}, nil},
		{"a limit is the request", [][2][NumResources]Bounds{{limited, keep}}, nil, Range{}, QoSChange{Guaranteed, Guaranteed}, nil},
		{"memory alone", [][2][NumResources]Bounds{{none, memoryOnly}}, nil, Range{}, QoSChange{BestEffort, Burstable}, []string{
			"a memory qos-class: the QoS class of its pods becomes Burstable instead of BestEffort: when their node runs out of memory they go after BestEffort pods and before Guaranteed ones",
		}},
		{"what a LimitRange fills in", [][2][NumResources]Bounds{{none, keep}}, nil, Range{DefaultRequest: Set(1)}, QoSChange{Burstable, Burstable}, nil},
		{"all is taken away", [][2][NumResources]Bounds{{equal, none}}, nil, Range{}, QoSChange{Guaranteed, BestEffort}, []string{
			"a memory qos-class: the QoS class of its pods becomes BestEffort instead of Guaranteed: when their node runs out of memory they are the first to go",
		}},
		{"zero is nothing", [][2][NumResources]Bounds{{both(Set(0), Unset()), keep}}, nil, Range{}, QoSChange{BestEffort, BestEffort}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			template := templateOf(c.pairs...)
			template.addInit(c.init...)
			for i := range template.Containers {
				l := LimitRange{Name: "sizes"}
				l.Of[CPU] = c.ranged
				template.Containers[i].Facts.Ranges = []LimitRange{l}
			}
			Together([]Template{template})
			if got := template.Advised[0].QoS; got != c.want {
				t.Errorf("class %v, want %v", got, c.want)
			}
			if diff := cmp.Diff(c.notes, noted(template)); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("the pod has resources of its own", func(t *testing.T) {
		template := templateOf([2][NumResources]Bounds{none, wide})
		template.PodLevel = true
		Together([]Template{template})
		if got := template.Advised[0].QoS; got != (QoSChange{}) || noted(template) != nil {
			t.Errorf("class %v, notes %q", got, noted(template))
		}
	})
}

func TestLargerThanNodes(t *testing.T) {
	gi := float64(1024 * mi)
	nodes := Largest([]Room{{4, 8 * gi}, {2, 32 * gi}, {1, 1 * gi}, {4, 8 * gi}, {4, 4 * gi}})
	if want := []Room{{4, 8 * gi}, {2, 32 * gi}}; !slices.Equal(nodes, want) {
		t.Fatalf("nodes that matter %v, want %v", nodes, want)
	}
	for _, c := range []struct {
		name          string
		cpu, memory   float64 // Gi, of each of two containers
		init          float64
		nodes         []Room
		cpuN, memoryN bool
	}{
		{"fits", 2, 4, 0, nodes, false, false},
		{"fits the other", 1, 16, 0, nodes, false, false},
		{"too much memory", 0.5, 17, 0, nodes, false, true},
		{"too much cpu", 2.1, 1, 0, nodes, true, false},
		{"not both at once", 2, 5, 0, nodes, true, true},
		{"too large an init container", 1, 1, 33, nodes, false, true},
		{"unknown", 100, 100, 0, nil, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := [NumResources]Bounds{{Set(c.cpu), Unset()}, {Set(c.memory * gi), Unset()}}
			template := templateOf([2][NumResources]Bounds{both(Unset(), Unset()), b}, [2][NumResources]Bounds{both(Unset(), Unset()), b})
			template.addInit([NumResources]Bounds{CPU: {Unset(), Unset()}, Memory: {Set(c.init * gi), Unset()}})
			for i := range template.Containers {
				template.Containers[i].Facts.Nodes = c.nodes
			}
			Together([]Template{template})
			for _, rec := range template.Advised {
				for r, want := range []bool{c.cpuN, c.memoryN} {
					if got := slices.Contains(codes(rec.Advice[r]), NoteLargerThanNodes); got != want {
						t.Errorf("%s %s is noted: %t, want %t; notes %q", rec.ID.Container, Resource(r), got, want, noted(template))
					}
				}
			}
		})
	}
	t.Run("says what there is", func(t *testing.T) {
		template := templateOf([2][NumResources]Bounds{both(Unset(), Unset()), both(Set(6), Unset())})
		template.Containers[0].Facts.Nodes = nodes
		Together([]Template{template})
		want := "a cpu larger-than-nodes: each pod would request 6 of CPU and 6Gi of memory, which no node has together: at most 4 and 32Gi: it would stay pending"
		if !slices.Contains(noted(template), want) {
			t.Errorf("notes %q, want %s", noted(template), want)
		}
	})
}

func TestQuota(t *testing.T) {
	now, more, less := both(Set(1), Set(2)), both(Set(1.5), Set(2)), both(Set(0.5), Set(2))
	for _, c := range []struct {
		name  string
		quota Quota
		to    [NumResources]Bounds
		surge int
		want  string // of cpu; memory has no quota
	}{
		{"room for it", Quota{Hard: [NumResources]Bounds{{Request: Set(3)}}}, more, 0, ""},
		{
			"no room for it",
			Quota{Hard: [NumResources]Bounds{{Request: Set(2.9)}}},
			more, 0,
			"ResourceQuota q allows 2900m of requests.cpu, and with all that is recommended the namespace would take 3: pods beyond the quota are not made",
		},
		{
			"no room for a rollout",
			Quota{Hard: [NumResources]Bounds{{Request: Set(3)}}},
			more, 1,
			"ResourceQuota q allows 3 of requests.cpu, and with all that is recommended the namespace would take 3, and 1.5 more while it rolls out: pods beyond the quota are not made",
		},
		{"no rollout", Quota{Hard: [NumResources]Bounds{{Request: Set(2)}}}, [NumResources]Bounds{}, 1, ""},
		{
			"others take the rest",
			Quota{Hard: [NumResources]Bounds{{Request: Set(10)}}, Used: [NumResources]Bounds{{Request: Set(9.5)}}},
			more, 0,
			"ResourceQuota q allows 10 of requests.cpu, and with all that is recommended the namespace would take 10.5: pods beyond the quota are not made",
		},
		{"less than now makes room", Quota{Hard: [NumResources]Bounds{{Request: Set(10)}}, Used: [NumResources]Bounds{{Request: Set(10)}}}, less, 2, ""},
		{
			"less than now, and still too much",
			Quota{Hard: [NumResources]Bounds{{Request: Set(8)}}, Used: [NumResources]Bounds{{Request: Set(10)}}},
			less, 0,
			"ResourceQuota q allows 8 of requests.cpu, and with all that is recommended the namespace would take 9: pods beyond the quota are not made",
		},
		{"limits are not requests", Quota{Hard: [NumResources]Bounds{{Limit: Set(4)}}}, more, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			template := templateOf([2][NumResources]Bounds{now, c.to}) // of 2 replicas
			template.Surge = c.surge
			c.quota.Name = "q"
			template.Containers[0].Facts.Quotas = []Quota{c.quota}
			Together([]Template{{}, template})
			got := ""
			for _, n := range template.Advised[0].Advice[CPU].Notes {
				if n.Code == NoteQuota {
					got = n.Text
				}
			}
			if got != c.want {
				t.Errorf("note %q, want %q", got, c.want)
			}
			if slices.Contains(codes(template.Advised[0].Advice[Memory]), NoteQuota) {
				t.Errorf("memory has no quota: %q", noted(template))
			}
		})
	}
}

// A quota that counts limits refuses pods without one: nothing is recommended then that would be refused unsaid.
func TestOutsideQuota(t *testing.T) {
	quota := Quota{Name: "q", Hard: [NumResources]Bounds{{Limit: Set(10)}}}
	for _, c := range []struct {
		name   string
		advice Bounds
		filled Value
		want   bool
	}{
		{"a limit", bounds(1, 2), NoAdvice(), false},
		{"the limit that there is", Bounds{Request: Set(1)}, NoAdvice(), false},
		{"no limit", Bounds{Set(1), Unset()}, NoAdvice(), true},
		{"no limit, and one that is filled in", Bounds{Set(1), Unset()}, Set(3), false},
		{"no advice", Bounds{}, NoAdvice(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			template := templateOf([2][NumResources]Bounds{both(Set(1), Set(2)), {CPU: c.advice}})
			l := LimitRange{Name: "sizes"}
			l.Of[CPU].DefaultLimit = c.filled
			template.Advised[0].Facts = Facts{Quotas: []Quota{quota}, Ranges: []LimitRange{l}}
			Together([]Template{template})
			if got := slices.Contains(codes(template.Advised[0].Advice[CPU]), NoteOutsideQuota); got != c.want {
				t.Errorf("noted: %t, want %t: %q", got, c.want, noted(template))
			}
			if c.want && !strings.Contains(strings.Join(noted(template), "\n"), "ResourceQuota q counts limits.cpu, and there would be none: Kubernetes would refuse its pods") {
				t.Errorf("notes %q", noted(template))
			}
		})
	}
}
