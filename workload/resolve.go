package workload

import (
	"slices"

	"github.com/rightsize/rightsize/recommender"
)

// Way is how it was found out which workload a pod belongs to.
type Way uint8

// The ways to find a pod's workload, or not to.
const (
	Unknown   Way = iota // nothing that is declared could have made the pod
	ByOwner              // recorded owners lead there all the way
	ByObject             // the cluster's objects had to help, as they are now
	ByName               // the pod's name, or its ReplicaSet's or Job's, had to help
	Ambiguous            // several declared workloads could have made a pod of this name
)

// String is the way in one word: "unknown", "owner", "object", "name" or "ambiguous".
func (w Way) String() string {
	switch w {
	case ByOwner:
		return "owner"
	case ByObject:
		return "object"
	case ByName:
		return "name"
	case Ambiguous:
		return "ambiguous"
	default:
		return "unknown"
	}
}

// Match is the workload that a pod belongs to.
type Match struct {
	// Ref is the workload, with ByOwner declared or not: a Deployment that is gone, a kind that is not
	// sized, a static pod's Node. With Unknown it is the last owner known, if any; it is zero with Ambiguous.
	Ref Ref

	// Run tells the runs of a CronJob or a Job apart: the name of the CronJob's Job, or of a Job's pod. It
	// is the pod where the Job's name is cut off in it, and empty for other kinds.
	Run string

	Way        Way
	Candidates []Ref // with Ambiguous: who could have made it, in order
}

// Resolver knows whose the pods of one namespace are.
type Resolver struct {
	namespace string
	recorded  recommender.Owners    // in the window
	live      recommender.Owners    // now
	names     map[string][]Workload // by name; several kinds may share one

	// beginnings is the workloads with names so long that pods' names hold only their beginning, by each
	// beginning that can occur: see the constants in names.go.
	beginnings map[string][]Workload

	whole map[Ref]Ref // the workloads of parts
}

// NewResolver takes every workload of one namespace, the ones that are of no further interest too, and who
// owned what in it: as was recorded in the window, and as the cluster has it now.
func NewResolver(workloads []Workload, recorded, live recommender.Owners) *Resolver {
	r := &Resolver{recorded: recorded, live: live, names: map[string][]Workload{}, beginnings: map[string][]Workload{}, whole: map[Ref]Ref{}}
	for _, w := range withParts(workloads, r.whole) {
		r.namespace = w.Namespace
		r.names[w.Name] = append(r.names[w.Name], w)
		for n := shortestBeginning; n <= min(longestBase, len(w.Name)); n++ {
			r.beginnings[w.Name[:n]] = append(r.beginnings[w.Name[:n]], w)
		}
	}
	return r
}

// shortestBeginning is what is left of an Indexed Job's name before the highest "-<index>-".
const shortestBeginning = longestBase - longestIndex - 2

// Resolve finds the workload of a pod: by its owners where they are known, else by its name. It never
// guesses: a longer name beats a shorter one that could have made the pod too, and what is still open then
// is Ambiguous.
func (r *Resolver) Resolve(pod string) Match {
	if o, way := owner(pod, r.recorded.Pods, r.live.Pods); way != Unknown {
		return r.ofWhole(r.byOwner(pod, o, way))
	}
	return r.ofWhole(r.byName(pod))
}

// owner is who owned an object, and how that is known; Unknown where it is not. What was recorded in the window comes
// first, but for an object that nobody owned then and somebody does now: it was adopted.
func owner(name string, recorded, live map[string]recommender.Owner) (recommender.Owner, Way) {
	o, ok := recorded[name]
	now, lives := live[name]
	switch {
	case lives && o.Kind == "" && now.Kind != "", lives && !ok:
		return now, ByObject
	case ok:
		return o, ByOwner
	}
	return o, Unknown
}

// byOwner goes up from a pod whose owner is known in this way.
func (r *Resolver) byOwner(pod string, o recommender.Owner, way Way) Match {
	switch o.Kind {
	case "":
		return Match{Ref: r.ref("Pod", pod), Way: way}
	case "ReplicaSet":
		return r.byUpper(o, way, r.recorded.ReplicaSets, r.live.ReplicaSets)
	case "Job":
		m := r.byUpper(o, way, r.recorded.Jobs, r.live.Jobs)
		m.Run = o.Name
		if m.Ref.Kind == "Job" {
			m.Run = pod
		}
		return m
	case "ReplicationController":
		if dc, ok := configOf(r.ref(o.Kind, o.Name)); ok {
			if w, ok := r.declared(dc.Kind, dc.Name); ok {
				return Match{Ref: w.Ref, Way: way}
			}
		}
	}
	return Match{Ref: r.ref(o.Kind, o.Name), Way: way}
}

// byUpper goes one further up from a ReplicaSet or a Job: to its owner, to itself if it has none, and by its name if
// that is not known. The weaker of two ways counts.
func (r *Resolver) byUpper(o recommender.Owner, way Way, recorded, live map[string]recommender.Owner) Match {
	switch up, how := owner(o.Name, recorded, live); {
	case how != Unknown && up.Kind != "":
		return Match{Ref: r.ref(up.Kind, up.Name), Way: max(way, how)}
	case how != Unknown:
		return Match{Ref: r.ref(o.Kind, o.Name), Way: max(way, how)}
	}
	// The name is whole here, and names of one kind are unique: one that is declared under it is it, and
	// else there is only one way to take a hash or minutes off.
	if w, ok := r.declared(o.Kind, o.Name); ok {
		return Match{Ref: w.Ref, Way: ByName}
	}
	if before, after, ok := lastDash(o.Name); ok {
		for _, w := range r.names[before] {
			if hashes(w) && o.Kind == "ReplicaSet" && isHash(after) {
				return Match{Ref: w.Ref, Way: ByName}
			}
		}
		if w, ok := r.declared("CronJob", before); ok && o.Kind == "Job" && isMinutes(after) {
			return Match{Ref: w.Ref, Way: ByName}
		}
	}
	return Match{Ref: r.ref(o.Kind, o.Name), Way: Unknown}
}

func (r *Resolver) ref(kind, name string) Ref {
	return Ref{Namespace: r.namespace, Kind: kind, Name: name}
}

func (r *Resolver) declared(kind, name string) (Workload, bool) {
	for _, w := range r.names[name] {
		if w.Kind == kind {
			return w, true
		}
	}
	return Workload{}, false
}

// maker is a workload that could have made a pod.
type maker struct {
	Ref
	run string
	cut bool // the pod's name holds only a beginning of what it was generated from
}

func (r *Resolver) byName(pod string) Match {
	makers := r.fixed(pod)
	if base, ok := generated(pod); ok {
		makers = append(makers, r.plain(base, pod)...)
		makers = append(makers, r.indexed(base, pod)...)
	}
	makers = r.distinct(decide(makers))
	switch len(makers) {
	case 0:
		return Match{Way: Unknown}
	case 1:
		return Match{Ref: makers[0].Ref, Run: makers[0].run, Way: ByName}
	}
	m := Match{Way: Ambiguous}
	for _, k := range makers {
		m.Candidates = append(m.Candidates, k.Ref)
	}
	return m
}

// decide leaves the makers with the longest name, each once (as it was found first: whole before cut) and in
// order. Where a name is cut off, the
// longest one need not be the right one, and all stay.
func decide(makers []maker) []maker {
	slices.SortStableFunc(makers, func(a, b maker) int { return a.Compare(b.Ref) })
	makers = slices.CompactFunc(makers, func(a, b maker) bool { return a.Ref == b.Ref })
	longest := 0
	for _, m := range makers {
		if m.cut {
			return makers
		}
		longest = max(longest, len(m.Name))
	}
	return slices.DeleteFunc(makers, func(m maker) bool { return len(m.Name) < longest })
}

// fixed finds the makers of names that are not generated: a bare Pod's own, and "<statefulset>-<n>".
func (r *Resolver) fixed(pod string) []maker {
	var makers []maker
	if w, ok := r.declared("Pod", pod); ok {
		makers = append(makers, maker{Ref: w.Ref})
	}
	if name, n, ok := lastDash(pod); ok && isIndex(n) {
		if w, ok := r.declared("StatefulSet", name); ok {
			makers = append(makers, maker{Ref: w.Ref})
		}
	}
	return makers
}

// plain finds the makers of pods generated from "<owner>-", cut at its end.
func (r *Resolver) plain(base, pod string) []maker {
	var makers []maker
	if owner := base[:len(base)-1]; base[len(base)-1] == '-' {
		makers = r.owned(owner, pod, false)
	}
	if len(base) == longestBase {
		makers = append(makers, r.cut(base, pod, false)...)
	}
	return makers
}

// indexed finds the makers of pods generated from "<job>-<index>-", cut at the Job's end.
func (r *Resolver) indexed(base, pod string) []maker {
	if base[len(base)-1] != '-' {
		return nil
	}
	owner, index, ok := lastDash(base[:len(base)-1])
	if !ok || !isIndex(index) {
		return nil
	}
	makers := r.owned(owner, pod, true)
	if len(base) == longestBase {
		makers = append(makers, r.cut(owner, pod, true)...)
	}
	return makers
}

// owned finds the workloads that are the object called owner, or whose ReplicaSet or Job it is. Indexed
// says whether the pod's name has a completion index, which only Indexed Jobs put there.
func (r *Resolver) owned(owner, pod string, indexed bool) []maker {
	var makers []maker
	for _, w := range r.names[owner] {
		if ownsItself(w, indexed) {
			makers = append(makers, maker{Ref: w.Ref, run: runOf(w, pod)})
		}
	}
	name, tail, ok := lastDash(owner)
	if !ok {
		return makers
	}
	for _, w := range r.names[name] {
		switch {
		case hashes(w) && !indexed && isHash(tail), w.Kind == "DeploymentConfig" && !indexed && isIndex(tail):
			makers = append(makers, maker{Ref: w.Ref})
		case w.Kind == "CronJob" && w.Indexed == indexed && isMinutes(tail):
			makers = append(makers, maker{Ref: w.Ref, run: owner})
		}
	}
	return makers
}

// ownsItself says that the workload's pods are named after itself, not after a ReplicaSet or Job of its.
func ownsItself(w Workload, indexed bool) bool {
	switch w.Kind {
	case "Job":
		return w.Indexed == indexed
	case "DaemonSet", "ReplicaSet":
		return !indexed
	}
	return false
}

// cut finds the workloads that are, or have, an owner of pods whose name begins with beginning and goes on.
func (r *Resolver) cut(beginning, pod string, indexed bool) []maker {
	var makers []maker
	for _, w := range r.beginnings[beginning] {
		switch {
		case ownsItself(w, indexed), (hashes(w) || w.Kind == "DeploymentConfig") && !indexed, w.Kind == "CronJob" && w.Indexed == indexed:
			makers = append(makers, maker{Ref: w.Ref, run: runOf(w, pod), cut: true})
		}
	}
	name, tail, ok := lastDash(beginning)
	if !ok {
		return makers
	}
	for _, w := range r.names[name] {
		switch {
		case hashes(w) && !indexed && startsHash(tail), w.Kind == "DeploymentConfig" && !indexed && (tail == "" || isIndex(tail)), w.Kind == "CronJob" && w.Indexed == indexed && startsMinutes(tail):
			makers = append(makers, maker{Ref: w.Ref, run: runOf(w, pod), cut: true})
		}
	}
	return makers
}

// runOf is the pod for a Job or for a CronJob whose Job's name is not whole.
func runOf(w Workload, pod string) string {
	if w.Kind == "Job" || w.Kind == "CronJob" {
		return pod
	}
	return ""
}
