package scan

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// pool gathers what the pods of each workload used, per container name.
type pool struct {
	window   recommender.Window
	match    map[string]workload.Match
	declared map[key]bool
	entries  map[key]*entry                   // of the containers that are asked for
	strays   map[string]map[workload.Ref]bool // container that no template declares -> where it ran
}

type key struct {
	workload  workload.Ref
	container string
}

// entry is one container of one workload.
type entry struct {
	usage      [recommender.NumResources]recommender.Usage
	covered    [recommender.NumResources][]uint64 // a bit a grid point
	pods       [recommender.NumResources]map[string]bool
	runs       map[string]bool // the runs, by name, with a sample in the window
	unmeasured map[string]bool // those of them that no CPU rate could be taken of
	kills      []recommender.OOMKill
}

func newPool(w recommender.Window, b batch, p *pods) *pool {
	h := &pool{
		window: w, match: p.match, declared: p.declared,
		entries: make(map[key]*entry), strays: make(map[string]map[workload.Ref]bool),
	}
	for _, c := range b.containers {
		h.entries[key{ref(c.ID), c.ID.Container}] = newEntry(w)
	}
	for _, pod := range b.pods {
		h.findStrays(pod, p.index.Containers[pod])
	}
	return h
}

func newEntry(w recommender.Window) *entry {
	e := &entry{runs: make(map[string]bool), unmeasured: make(map[string]bool)}
	for r := range recommender.NumResources {
		e.covered[r] = make([]uint64, (w.Points()+63)/64)
		e.pods[r] = make(map[string]bool)
	}
	return e
}

// findStrays notes which of a pod's containers nobody declared.
func (h *pool) findStrays(pod string, containers []string) {
	m := h.match[pod]
	for _, name := range containers {
		if h.declared[key{m.Ref, name}] {
			continue
		}
		if h.strays[name] == nil {
			h.strays[name] = make(map[workload.Ref]bool)
		}
		h.strays[name][m.Ref] = true
	}
}

// entry is where usage of a pod's container belongs, nil if nobody asked for it.
func (h *pool) entry(pod, container string) *entry {
	m, ok := h.match[pod]
	if !ok || m.Way == workload.Ambiguous || m.Way == workload.Unknown {
		return nil
	}
	return h.entries[key{m.Ref, container}]
}

func (h *pool) addSeries(s promquery.Series) {
	e := h.entry(s.Pod, s.Container)
	if e == nil {
		return
	}
	u := &e.usage[s.Resource]
	u.Add(s.Values...)
	e.runs[h.match[s.Pod].Run] = true
	e.pods[s.Resource][s.Pod] = true
	covered := s.Covered
	if covered == nil {
		covered = s.Points
	}
	for _, k := range covered {
		e.covered[s.Resource][(k-1)/64] |= 1 << ((k - 1) % 64)
	}
	if n := len(covered); n > 0 && covered[n-1] == h.window.Points() {
		u.Running++
	}
	if s.Resource == recommender.CPU {
		for i, k := range s.Points {
			// The peak of CPU is a rate, known to its window.
			u.Peak = higher(u.Peak, recommender.Peak{Value: s.Values[i], Pod: s.Pod, At: h.window.Time(k), Within: h.window.RateWindow + s.Within})
		}
	}
}

// higher is the higher of two peaks; of equals the earlier, then the first pod by name, so that the
// answer does not hang on the order of reading. What is not a number is never higher.
func higher(a, b recommender.Peak) recommender.Peak {
	switch {
	case b.Value > a.Value, a.Pod == "" && b.Value >= a.Value:
		return b
	case b.Value == a.Value && (b.At.Before(a.At) || b.At.Equal(a.At) && b.Pod < a.Pod):
		return b
	}
	return a
}

func (h *pool) addFacts(f promquery.Facts) {
	for c, peak := range f.Peaks {
		if e := h.entry(c.Pod, c.Name); e != nil {
			u := &e.usage[recommender.Memory]
			u.Peak = higher(u.Peak, peak)
		}
	}
	for c, run := range f.Runs {
		if e := h.entry(c.Pod, c.Name); e != nil {
			e.addShortRun(c.Pod, h.match[c.Pod].Run, run, f.Peaks[c])
		}
	}
	for c, kills := range f.OOMKills {
		if e := h.entry(c.Pod, c.Name); e != nil {
			e.kills = append(e.kills, kills...)
		}
	}
}

// addShortRun adds a run that the grid cannot show: its memory is its peak, its CPU the mean over the run.
func (e *entry) addShortRun(pod, name string, run promquery.Run, peak recommender.Peak) {
	// A run is counted by its samples: labels alone may be those of one that ended before the window.
	e.runs[name] = true
	if peak.Pod != "" {
		e.usage[recommender.Memory].Add(peak.Value)
		e.pods[recommender.Memory][pod] = true
	}
	if !run.Measured {
		e.unmeasured[name] = true
		return
	}
	u := &e.usage[recommender.CPU]
	u.Add(run.CPU)
	e.pods[recommender.CPU][pod] = true
	u.Peak = higher(u.Peak, recommender.Peak{Value: run.CPU, Pod: pod, At: peak.At, Within: peak.Within})
}

// history is what was gathered for the container, ready for Recommend. The zero History is nothing.
func (h *pool) history(id recommender.ID) recommender.History {
	e := h.entries[key{ref(id), id.Container}]
	out := recommender.History{OOMKills: e.kills}
	slices.SortFunc(out.OOMKills, func(a, b recommender.OOMKill) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.Pod, b.Pod)
	})
	if id.Kind == "Job" || id.Kind == "CronJob" {
		out.Runs, out.RunsUnmeasured = len(e.runs), len(e.unmeasured)
	}
	for r := range recommender.NumResources {
		u := e.usage[r]
		u.Sort()
		u.Pods = len(e.pods[r])
		u.Covered = h.window.Step * time.Duration(ones(e.covered[r]))
		out.Usage[r] = u
	}
	return out
}

func ones(set []uint64) (n int) {
	for _, word := range set {
		n += bits.OnesCount64(word)
	}
	return n
}

// undeclared names the containers that ran in the pods of workloads whose templates lack them: injected
// sidecars, or containers of a former template.
func (h *pool) undeclared() []string {
	var lines []string
	for name, refs := range h.strays {
		var where []string
		for r := range refs {
			where = append(where, r.Namespace+"/"+r.String())
		}
		slices.Sort(where)
		lines = append(lines, fmt.Sprintf("container %s ran in pods of %s, whose template does not declare it: not reported", name, firstOf(where, 3)))
	}
	slices.Sort(lines)
	return lines
}
