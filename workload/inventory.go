package workload

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/rightsize/rightsize/recommender"
)

// Inventory is everything that is declared in one place: a cluster, or a set of manifests.
type Inventory struct {
	Workloads []Workload // by namespace, name and kind
	Warnings  []string   // what could not be read or looks wrong, one line each, in the order it was met

	// FromMetrics says that the workloads are those that kube-state-metrics knows pods of, in Namespaces.
	FromMetrics bool

	// Podless are those of FromMetrics that are there and have no pods, so that their containers are not known.
	Podless []Ref

	// Owners is who owns which ReplicaSet, Job and pod now, by namespace. Manifests do not know.
	Owners map[string]recommender.Owners

	// Hints are what is not known either, to nobody's surprise.
	Hints []string

	// Unlisted are the kinds that may not be listed, as RBAC writes them: "cronjobs.batch".
	Unlisted []string

	// Skipped counts objects that were read and declare no workload of their own: other kinds, and what
	// belongs to a controller.
	Skipped int

	// Manifests says that the workloads are from manifests, and Namespaces lists the namespaces of all
	// their objects, sorted. A cluster is asked instead which namespaces it has.
	Manifests  bool
	Namespaces []string

	seen sightings // of a cluster
}

// Selector says which containers are meant. The zero Selector means all of them.
type Selector struct {
	Namespaces []string        // any of these; none means all
	Refs       []string        // any of these KIND/NAME, in kubectl's spellings; none means all
	Labels     labels.Selector // of the workloads' own labels; nil means all
	Containers []string        // any of these names; none means all
	System     bool            // the system's own workloads too, where neither they nor their namespace is named
}

// Selection is the containers that a Selector means.
type Selection struct {
	Containers []recommender.Container // in the order of their IDs

	// Unlisted are the kinds that may not be listed, though all workloads are meant: some may be missing.
	Unlisted []string

	// System are the system's own workloads that would be meant, but for not being named.
	System []Ref

	// Workloads holds, by namespace, every workload of each namespace that has a selected container, the
	// ones that are not selected too: whose a pod is by its name depends on all its neighbours.
	Workloads map[string][]Workload

	Owners map[string]recommender.Owners // who owns what now, by namespace; see Inventory
}

// In is every workload of the namespace.
func (inv *Inventory) In(namespace string) []Workload {
	lo, _ := slices.BinarySearchFunc(inv.Workloads, namespace, byNamespace)
	hi, _ := slices.BinarySearchFunc(inv.Workloads, namespace+"\x00", byNamespace)
	return inv.Workloads[lo:hi:hi]
}

func byNamespace(w Workload, namespace string) int { return strings.Compare(w.Namespace, namespace) }

// sort puts the workloads in order.
func (inv *Inventory) sort() {
	slices.SortStableFunc(inv.Workloads, func(a, b Workload) int { return a.Compare(b.Ref) })
}

// Select finds the containers that are meant. Something asked for by name that is not there is a
// *NotFoundError; a KIND/NAME that cannot be read is an error that says how to write it. Labels or a
// namespace of a cluster that nothing is in select nothing, which is no error.
func (inv *Inventory) Select(s Selector) (*Selection, error) {
	meant, err := inv.inNamespaces(s.Namespaces)
	if err != nil {
		return nil, err
	}
	if meant, err = s.named(meant); err != nil {
		return nil, err
	}
	if meant, err = s.labelled(meant); err != nil {
		return nil, err
	}
	sel := &Selection{Workloads: map[string][]Workload{}, Owners: inv.Owners}
	meant = filter(meant, func(w Workload) bool {
		if s.asksFor(w) {
			return true
		}
		sel.System = append(sel.System, w.Ref)
		return false
	})
	if len(s.Refs) == 0 {
		sel.Unlisted = inv.Unlisted
	}
	for _, w := range meant {
		for _, c := range w.Containers {
			if len(s.Containers) > 0 && !slices.Contains(s.Containers, c.ID.Container) {
				continue
			}
			sel.Containers = append(sel.Containers, c)
			if _, ok := sel.Workloads[w.Namespace]; !ok {
				sel.Workloads[w.Namespace] = inv.In(w.Namespace)
			}
		}
	}
	if err := s.haveContainers(meant); err != nil {
		return nil, err
	}
	slices.SortStableFunc(sel.Containers, func(a, b recommender.Container) int { return a.ID.Compare(b.ID) })
	sel.Containers = together(sel.Containers)
	return sel, nil
}

// asksFor says whether a workload is meant that may be the system's own. Namespaces that begin with kube-, and
// priority classes that begin with system-, are reserved for Kubernetes
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/,
// https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/): who sizes these too small takes
// the cluster with them.
func (s Selector) asksFor(w Workload) bool {
	if s.System || len(s.Refs) > 0 {
		return true
	}
	if strings.HasPrefix(w.Namespace, "kube-") {
		return slices.Contains(s.Namespaces, w.Namespace)
	}
	return !strings.HasPrefix(w.Priority, "system-")
}

func (inv *Inventory) inNamespaces(names []string) ([]Workload, error) {
	if len(names) == 0 {
		return inv.Workloads, nil
	}
	var in []Workload
	for _, n := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if inv.Manifests && !slices.Contains(inv.Namespaces, n) {
			return nil, missingNamespace(n, "is not in the manifests", inv.Namespaces)
		}
		if inv.FromMetrics && !slices.Contains(inv.Namespaces, n) {
			return nil, missingNamespace(n, "has no pods that kube-state-metrics knows of", inv.Namespaces)
		}
		in = append(in, inv.In(n)...)
	}
	return in, nil
}

// named keeps the workloads that Refs name, each of which has to be there.
func (s Selector) named(among []Workload) ([]Workload, error) {
	if len(s.Refs) == 0 {
		return among, nil
	}
	wanted := map[Ref]bool{} // without the namespace
	for _, r := range s.Refs {
		ref, err := refAmong(r, among)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(among, func(w Workload) bool { return w.answersTo(ref) }) {
			return nil, s.missingWorkload(ref, among)
		}
		wanted[ref] = true
	}
	return filter(among, func(w Workload) bool {
		return slices.ContainsFunc(w.refs(), func(r Ref) bool { return wanted[r.anywhere()] })
	}), nil
}

// anywhere is the workload without its namespace.
func (r Ref) anywhere() Ref { return Ref{Kind: r.Kind, Name: r.Name} }

// where says in which namespaces was looked: "in namespace shop".
func (s Selector) where() string {
	switch len(s.Namespaces) {
	case 0:
		return "in any namespace"
	case 1:
		return "in namespace " + s.Namespaces[0]
	default:
		return "in namespaces " + strings.Join(s.Namespaces, ", ")
	}
}

// missingWorkload suggests the same name of another kind first, then names alike of the same kind, then
// those of any kind.
func (s Selector) missingWorkload(ref Ref, among []Workload) *NotFoundError {
	e := &NotFoundError{Problem: fmt.Sprintf("%s is not %s", ref, s.where()), What: "workloads"}
	var all []string
	near := map[bool][]string{} // by whether the kind is the one that was asked for
	for _, w := range among {
		all = append(all, w.String())
		near[w.Kind == ref.Kind] = append(near[w.Kind == ref.Kind], w.Name)
		if w.Name == ref.Name {
			e.Near = append(e.Near, w.String())
		}
	}
	for _, sameKind := range []bool{true, false} {
		if len(e.Near) > 0 {
			break
		}
		for _, n := range nearest(ref.Name, near[sameKind]) {
			e.Near = append(e.Near, spellings(n, ref.Kind, sameKind, among)...)
		}
	}
	e.Near = distinct(e.Near, 3)
	if len(e.Near) == 0 {
		e.Known = slices.Compact(slices.Sorted(slices.Values(all)))
	}
	return e
}

// spellings is the workloads of that name, of the kind or of all others.
func spellings(name, kind string, sameKind bool, among []Workload) []string {
	var refs []string
	for _, w := range among {
		if w.Name == name && (w.Kind == kind) == sameKind {
			refs = append(refs, w.String())
		}
	}
	return refs
}

// labelled keeps the workloads with the labels. One that was named and does not have them is an error, or
// the two would silently select nothing.
func (s Selector) labelled(among []Workload) ([]Workload, error) {
	if s.Labels == nil || s.Labels.Empty() {
		return among, nil
	}
	have := filter(among, func(w Workload) bool { return s.Labels.Matches(labels.Set(w.Labels)) })
	if len(s.Refs) > 0 && len(have) == 0 {
		return nil, &NotFoundError{Problem: fmt.Sprintf("none of the named workloads has labels %s", s.Labels)}
	}
	return have, nil
}

// haveContainers wants each container name to be in at least one of the workloads.
func (s Selector) haveContainers(among []Workload) error {
	if len(among) == 0 {
		return nil // nothing is selected to begin with
	}
	var all []string
	for _, w := range among {
		for _, c := range w.Containers {
			all = append(all, c.ID.Container)
		}
	}
	all = slices.Compact(slices.Sorted(slices.Values(all)))
	for _, name := range s.Containers {
		if slices.Contains(all, name) {
			continue
		}
		e := &NotFoundError{
			Problem: fmt.Sprintf("container %q is in none of the selected workloads", name),
			What:    "containers",
			Known:   all,
		}
		for _, n := range nearest(name, all) {
			e.Near = append(e.Near, fmt.Sprintf("%q", n))
		}
		return e
	}
	return nil
}

func filter(ws []Workload, keep func(Workload) bool) []Workload {
	var kept []Workload
	for _, w := range ws {
		if keep(w) {
			kept = append(kept, w)
		}
	}
	return kept
}

// distinct is the first n different names, in their order.
func distinct(names []string, n int) []string {
	var out []string
	for _, name := range names {
		if len(out) < n && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
