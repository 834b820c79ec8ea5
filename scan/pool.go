package scan

import (
	"cmp"
	"fmt"
	"maps"
	"math"
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
	window recommender.Window
	match  map[string]workload.Match

	keepsRecent bool // a rule asks for it
	keepsCurves bool
	keepsTimes  bool // somebody wants timelines

	packAbove int // samples
	plain     int // samples that are not packed

	sorter      recommender.Sorter
	room        []float64 // for one pod's samples at a time
	expressions promquery.Expressions

	owners   recommender.Owners
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
	pods       [recommender.NumResources]map[string]*gathered
	runs       map[string]bool // the runs, by name, with a sample in the window
	unmeasured map[string]bool // those of them that no CPU rate could be taken of
	kills      []recommender.OOMKill
	restarts   map[string]int // by pod; those that were counted
	throttling recommender.Throttling
	recent     [recommender.NumResources]recommender.Recent
	times      map[string]*podTimes                // by pod; where somebody wants timelines
	curves     [recommender.NumResources]*outliner // nil where nobody asked for them
}

func newPool(plan Plan, b batch, p *pods) *pool {
	h := &pool{
		window: plan.Window, match: p.match, owners: p.index.Owners, declared: p.declared,
		packAbove:   cmp.Or(plan.PackAbove, packAbove),
		keepsRecent: plan.needsRecent(), keepsCurves: plan.Curves, keepsTimes: plan.Replay != nil,
		entries: make(map[key]*entry), strays: make(map[string]map[workload.Ref]bool),
	}
	for _, c := range b.containers {
		h.entries[key{ref(c.ID), c.ID.Container}] = h.newEntry()
	}
	for _, pod := range b.pods {
		h.findStrays(pod, p.index.Containers[pod])
	}
	return h
}

func (h *pool) newEntry() *entry {
	e := &entry{runs: make(map[string]bool), unmeasured: make(map[string]bool), restarts: make(map[string]int), times: make(map[string]*podTimes)}
	for r := range recommender.NumResources {
		e.covered[r] = make([]uint64, (h.window.Points()+63)/64)
		if h.keepsCurves {
			e.curves[r] = newOutliner(h.window)
		}
		e.pods[r] = make(map[string]*gathered)
	}
	return e
}

// pod is where a pod's samples of a resource are kept. They stay apart until history pools them.
func (e *entry) pod(r recommender.Resource, name string) *gathered {
	p := e.pods[r][name]
	if p == nil {
		p = &gathered{PodUsage: recommender.PodUsage{Pod: name}}
		e.pods[r][name] = p
	}
	return p
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
	e.runs[h.run(s.Pod)] = true
	own := e.pod(s.Resource, s.Pod)
	if h.keepsTimes {
		e.timesOf(s.Pod)[s.Resource].add(own.n, s.Points)
	}
	h.addToPod(own, s)
	if h.keepsRecent {
		for i, k := range s.Points {
			e.recent[s.Resource].Add(s.Values[i], h.window.Until.Sub(h.window.Time(k)))
		}
	}
	if o := e.curves[s.Resource]; o != nil {
		for i, k := range s.Points {
			o.add(k, s.Values[i])
		}
	}
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
		// The peak of CPU is a rate, known to its window. That of memory comes with the facts.
		if i := highest(s.Values); i >= 0 {
			u.Peak = higher(u.Peak, recommender.Peak{Value: s.Values[i], Pod: s.Pod, At: h.window.Time(s.Points[i]), Within: h.window.RateWindow + s.Within})
		}
	}
}

// highest is where the first of the highest finite values is; -1 of none.
func highest(values []float64) int {
	at, best := -1, math.Inf(-1)
	for i, v := range values {
		if v > best && v <= math.MaxFloat64 {
			at, best = i, v
		}
	}
	return at
}

// addToPod adds the samples as they are: what is not finite is sorted out when they are pooled.
func (h *pool) addToPod(p *gathered, s promquery.Series) {
	p.add(s.Values...)
	h.packMany(len(s.Values))
	if len(s.Points) == 0 {
		return
	}
	first, last := h.window.Time(s.Points[0]), h.window.Time(s.Points[len(s.Points)-1])
	if p.First.IsZero() || first.Before(p.First) {
		p.First = first
	}
	if last.After(p.Last) {
		p.Last = last
	}
	if s.Resource == recommender.Memory {
		p.Lows = h.window.Lows(p.Lows, s.Points, s.Values)
	}
}

// higher is the higher of two peaks; of equals the earlier, then the first pod by name, so that the
// answer does not hang on the order of reading. What is not a finite number is never higher.
func higher(a, b recommender.Peak) recommender.Peak {
	switch {
	case notFinite(b.Value):
		return a
	case b.Value > a.Value, a.Pod == "" && b.Value >= a.Value:
		return b
	case b.Value == a.Value && (b.At.Before(a.At) || b.At.Equal(a.At) && b.Pod < a.Pod):
		return b
	}
	return a
}

func (h *pool) addFacts(f promquery.Facts) {
	h.expressions = f.Expressions
	for c, peak := range f.Peaks {
		if e := h.entry(c.Pod, c.Name); e != nil {
			u := &e.usage[recommender.Memory]
			u.Peak = higher(u.Peak, peak)
		}
	}
	for c, run := range f.Runs {
		if e := h.entry(c.Pod, c.Name); e != nil {
			if h.keepsTimes {
				e.addRunTimes(c.Pod, h.gridPoint(f.Peaks[c].At), run, f.Peaks[c])
			}
			e.addShortRun(c.Pod, h.run(c.Pod), run, f.Peaks[c])
		}
	}
	for c, kills := range f.OOMKills {
		if e := h.entry(c.Pod, c.Name); e != nil {
			e.kills = append(e.kills, kills...)
		}
	}
	for c, n := range f.Restarts {
		if e := h.entry(c.Pod, c.Name); e != nil {
			e.restarts[c.Pod] = n
		}
	}
	for c, t := range f.Throttling {
		if e := h.entry(c.Pod, c.Name); e != nil {
			e.throttling.Periods += t.Total
			e.throttling.Throttled += t.Throttled
		}
	}
}

// run is the run that a pod is part of: a Job's, or else the pod is one, as its init containers have it.
func (h *pool) run(pod string) string { return cmp.Or(h.match[pod].Run, pod) }

// addShortRun adds a run that the grid cannot show: its memory is its peak, its CPU the mean over the run.
func (e *entry) addShortRun(pod, name string, run promquery.Run, peak recommender.Peak) {
	// A run is counted by its samples: labels alone may be those of one that ended before the window.
	e.runs[name] = true
	if peak.Pod != "" {
		p := e.pod(recommender.Memory, pod)
		p.add(peak.Value)
		if o := e.curves[recommender.Memory]; o != nil {
			o.addRun(peak.At, peak.Value)
		}
	}
	if !run.Measured {
		e.unmeasured[name] = true
		return
	}
	u := &e.usage[recommender.CPU]
	p := e.pod(recommender.CPU, pod)
	p.add(run.CPU)
	if o := e.curves[recommender.CPU]; o != nil && peak.Pod != "" {
		o.addRun(peak.At, run.CPU)
	}
	u.Peak = higher(u.Peak, recommender.Peak{Value: run.CPU, Pod: pod, At: peak.At, Within: peak.Within})
}

// addRunTimes notes when a run was that addShortRun is about to add.
func (e *entry) addRunTimes(pod string, point int, run promquery.Run, peak recommender.Peak) {
	for r, has := range [recommender.NumResources]bool{recommender.CPU: run.Measured && peak.Pod != "", recommender.Memory: peak.Pod != ""} {
		if r := recommender.Resource(r); has {
			e.timesOf(pod)[r].addPoint(e.pod(r, pod).n, int32(point))
		}
	}
}

// history is what was gathered for the container, ready for Recommend. The zero History is nothing. It can be had
// once: the pool lets go of the samples.
func (h *pool) history(c recommender.Container) recommender.History {
	e := h.entries[key{ref(c.ID), c.ID.Container}]
	out := recommender.History{OOMKills: e.kills, Throttling: e.throttling, Restarts: e.allRestarts()}
	slices.SortFunc(out.OOMKills, func(a, b recommender.OOMKill) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Pod, b.Pod))
	})
	if c.RunsToCompletion() {
		out.Runs, out.RunsUnmeasured = len(e.runs), len(e.unmeasured)
	}
	for r := range recommender.NumResources {
		u := e.usage[r]
		if h.keepsRecent && !c.RunsToCompletion() {
			u.Recent = &e.recent[r]
		}
		u.Pods = len(e.pods[r])
		out.Pods[r] = h.takePods(e, r, &u)
		u.Covered = h.window.Step * time.Duration(ones(e.covered[r]))
		out.Usage[r] = u
	}
	return out
}

// curves are the outlines of what was gathered for the container; empty where nobody asked for them.
func (h *pool) curves(c recommender.Container) (out [recommender.NumResources]Curve) {
	e := h.entries[key{ref(c.ID), c.ID.Container}]
	for r, o := range e.curves {
		if o != nil {
			o.addPeak(e.usage[r].Peak)
			out[r] = o.curve
		}
	}
	return out
}

// takePods pools the pods' samples into u, and gives each pod's own, in order of their names.
func (h *pool) takePods(e *entry, r recommender.Resource, u *recommender.Usage) []recommender.PodUsage {
	var out []recommender.PodUsage
	var samples []recommender.Samples
	for _, name := range slices.Sorted(maps.Keys(e.pods[r])) {
		own := e.pods[r][name]
		p, dropped := own.PodUsage, 0
		p.Samples, dropped = own.take(&h.sorter, &h.room)
		u.Dropped += dropped
		samples = append(samples, p.Samples)
		p.Covered = time.Duration(p.Samples.Len()) * h.window.Step
		p.Generation, p.Restarts = h.generation(name), e.restarts[name]
		out = append(out, p)
	}
	e.pods[r] = nil
	u.Samples = recommender.Join(samples...)
	return out
}

// notFinite says that v is NaN or infinite: of nothing else is the difference from itself not 0.
func notFinite(v float64) bool { return v-v != 0 }

// generation is the ReplicaSet of a Deployment's or Rollout's pod, which is one for each revision of its template. Of other kinds
// nothing recorded tells the revision.
func (h *pool) generation(pod string) string {
	if o := h.owners.Pods[pod]; o.Kind == "ReplicaSet" {
		return o.Name
	}
	if kind := h.match[pod].Ref.Kind; kind != "Deployment" && kind != "Rollout" {
		return ""
	}
	if i := strings.LastIndexByte(pod, '-'); i > 0 {
		return pod[:i]
	}
	return ""
}

// allRestarts is nil where none of the pods' were counted.
func (e *entry) allRestarts() *int {
	if len(e.restarts) == 0 {
		return nil
	}
	total := 0
	for _, n := range e.restarts {
		total += n
	}
	return &total
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
