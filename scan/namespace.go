package scan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// pods is a namespace's pods with usage, sorted out by workload.
type pods struct {
	index    promquery.Index
	declared map[key]bool              // every container that a template declares
	owned    map[workload.Ref][]string // sorted names
	match    map[string]workload.Match
	counts   Ownership
}

// scanNamespace fills n in.
func (s *scanner) scanNamespace(ctx context.Context, n *namespaceScan) {
	index, err := s.source.Index(ctx, n.name, s.plan.Window)
	n.warnings = append(n.warnings, index.Warnings...)
	if err != nil {
		n.fail(s.plan, n.containers, err)
		s.stepDone(n.name)
		return
	}
	p := sortOut(index, s.plan.Declared[n.name], s.plan.Owners[n.name])
	n.ownership = p.counts
	n.unrecorded = len(index.Containers) > 0 && len(index.Owners.Pods) == 0
	n.warnings = append(n.warnings, p.warnings(n.name)...)

	batches := s.batches(n, p)
	s.addWork(len(batches))
	s.stepDone(n.name)
	for _, b := range batches {
		s.scanBatch(ctx, n, p, b)
		s.stepDone(n.name)
	}
}

func sortOut(index promquery.Index, declared []workload.Workload, live recommender.Owners) *pods {
	p := &pods{
		index: index, declared: make(map[key]bool),
		owned: make(map[workload.Ref][]string), match: make(map[string]workload.Match, len(index.Containers)),
	}
	resolver := workload.NewResolver(declared, index.Owners, live)
	isDeclared := make(map[workload.Ref]bool, len(declared))
	for _, w := range declared {
		isDeclared[w.Ref] = true
		p.declare(w)
	}
	for pod := range index.Containers {
		m := resolver.Resolve(pod)
		p.match[pod] = m
		switch {
		case m.Way == workload.Ambiguous:
			p.counts.Ambiguous++
		case m.Way == workload.Unknown || !isDeclared[m.Ref]:
			p.counts.Unknown++
		case m.Way == workload.ByOwner:
			p.counts.ByOwner++
		case m.Way == workload.ByObject:
			p.counts.ByObject++
		default:
			p.counts.ByName++
		}
		if m.Way != workload.Ambiguous && m.Way != workload.Unknown {
			p.owned[m.Ref] = append(p.owned[m.Ref], pod)
		}
	}
	for _, names := range p.owned {
		slices.Sort(names)
	}
	return p
}

// containers counts the namespace's containers with usage, over all its pods.
func (p *pods) containers() (n int) {
	for _, names := range p.index.Containers {
		n += len(names)
	}
	return n
}

func (p *pods) declare(w workload.Workload) {
	for _, c := range w.Containers {
		p.declared[key{w.Ref, c.ID.Container}] = true
	}
}

// warnings names the pods whose names fit several workloads: leaving them out silently would be a guess.
func (p *pods) warnings(namespace string) []string {
	if p.counts.Ambiguous == 0 {
		return nil
	}
	var names []string
	for pod, m := range p.match {
		if m.Way == workload.Ambiguous {
			names = append(names, pod)
		}
	}
	slices.Sort(names)
	return []string{fmt.Sprintf("namespace %s: %d pods left out, whose names fit several workloads and whose owners were not recorded: %s (kube-state-metrics' kube_pod_owner would tell)",
		namespace, len(names), firstOf(names, 3))}
}

// firstOf lists up to n names and says how many more there are.
func firstOf(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}

// batch is some workloads of a namespace that are read at once.
type batch struct {
	containers []recommender.Container
	pods       []string
}

func ref(id recommender.ID) workload.Ref {
	return workload.Ref{Namespace: id.Namespace, Kind: id.Kind, Name: id.Workload}
}

// batches groups whole workloads, in order, until a batch has enough pods. A workload's pods are never
// split: a percentile of them all needs all their samples together.
func (s *scanner) batches(n *namespaceScan, p *pods) []batch {
	most := s.plan.podsPerBatch()
	var all []batch
	var current batch
	for i, c := range n.containers {
		if i == 0 || ref(c.ID) != ref(n.containers[i-1].ID) {
			owned := p.owned[ref(c.ID)]
			if len(current.pods) > 0 && len(current.pods)+len(owned) > most {
				all, current = append(all, current), batch{}
			}
			current.pods = append(current.pods, owned...)
		}
		current.containers = append(current.containers, c)
	}
	return append(all, current)
}

// selection is the batch as the source is asked for it: without naming pods where most of the namespace's
// are wanted anyway, since every name makes the query longer and saves the server nothing. A namespace too
// big for one request is always asked for by names, which can be split.
func (b batch) selection(namespace string, p *pods, w recommender.Window, runs map[key]bool) promquery.Batch {
	sel := promquery.Batch{Namespace: namespace, Pods: b.pods, Runs: make(map[promquery.Container]bool)}
	if 2*len(b.pods) >= len(p.index.Containers) && promquery.Unnamed(p.containers(), w) {
		sel.Pods = nil
		sel.Containers = p.containers()
	}
	for _, pod := range b.pods {
		for _, name := range p.index.Containers[pod] {
			if runs[key{p.match[pod].Ref, name}] {
				sel.Runs[promquery.Container{Pod: pod, Name: name}] = true
			}
		}
	}
	return sel
}

// runs says which of the batch's containers run to completion.
func (b batch) runs() map[key]bool {
	runs := make(map[key]bool)
	for _, c := range b.containers {
		if c.RunsToCompletion() {
			runs[key{ref(c.ID), c.ID.Container}] = true
		}
	}
	return runs
}

func (s *scanner) scanBatch(ctx context.Context, n *namespaceScan, p *pods, b batch) {
	var failed map[string]error
	histories := newPool(s.plan.Window, b, p)
	histories.keepsRecent = s.plan.needsRecent()
	visit, recorded := histories.addSeries, histories.recording()
	if s.plan.Replay != nil {
		visit = recorded.addSeries
	}
	if len(b.pods) > 0 {
		facts, err := s.source.Read(ctx, b.selection(n.name, p, s.plan.Window, b.runs()), s.plan.Window, visit)
		n.warnings = appendNew(n.warnings, facts.Warnings)
		if err != nil {
			n.fail(s.plan, b.containers, err)
			return
		}
		failed = facts.Failed
		histories.addFacts(facts)
		n.queries = appendNew(n.queries, facts.Queries)
	}
	for _, c := range b.containers {
		if err := p.failure(c, failed); err != nil {
			n.fail(s.plan, []recommender.Container{c}, err)
			continue
		}
		own := s.plan.Policies[c.ID]
		rec := recommender.Recommend(c, histories.history(c), *cmp.Or(own, &s.plan.Policy))
		s.replay(recorded, c, rec.OOMKills)
		s.explainGaps(ctx, &rec, p)
		n.items[c.ID] = Item{Recommendation: rec, Policy: own}
	}
	n.warnings = appendNew(n.warnings, histories.undeclared())
}

// failure is why a container cannot be recommended for: one of its pods could not be read, and percentiles of the others
// would be another workload's.
func (p *pods) failure(c recommender.Container, failed map[string]error) error {
	var first error
	more := 0
	for _, pod := range p.owned[ref(c.ID)] {
		err := failed[pod]
		if err == nil || !slices.Contains(p.index.Containers[pod], c.ID.Container) {
			continue
		}
		if first == nil {
			first = err
		} else {
			more++
		}
	}
	if more > 0 {
		return fmt.Errorf("%w (and so are %d more of its pods)", first, more)
	}
	return first
}
