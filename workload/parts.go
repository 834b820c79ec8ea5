package workload

import "slices"

// withParts adds to the workloads their parts, which pods are matched with as if they were declared themselves, and to
// whole what these belong to.
func withParts(workloads []Workload, whole map[Ref]Ref) []Workload {
	all := slices.Clone(workloads)
	for _, w := range workloads {
		for _, part := range w.Parts {
			whole[part] = w.Ref
			all = append(all, Workload{Ref: part, Indexed: w.Indexed})
		}
	}
	return all
}

// ofWhole is the match with the workload that a part belongs to.
func (r *Resolver) ofWhole(m Match) Match {
	m.Ref = r.top(m.Ref)
	return m
}

func (r *Resolver) top(ref Ref) Ref {
	if whole, ok := r.whole[ref]; ok {
		return whole
	}
	return ref
}

// distinct are the makers' workloads, in order and each once: a Rollout and the Deployment that has its template are one.
func (r *Resolver) distinct(makers []maker) []maker {
	for i := range makers {
		makers[i].Ref = r.top(makers[i].Ref)
	}
	slices.SortStableFunc(makers, func(a, b maker) int { return a.Compare(b.Ref) })
	return slices.CompactFunc(makers, func(a, b maker) bool { return a.Ref == b.Ref })
}

// hashes says that the workload's ReplicaSets are named after it and a hash of their template. Argo's controller makes
// hashes as Kubernetes does.
func hashes(w Workload) bool { return w.Kind == "Deployment" || w.Kind == "Rollout" }
