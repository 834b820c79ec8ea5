package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// Plan is what Run is to do.
type Plan struct {
	Containers []recommender.Container // to recommend for
	Window     recommender.Window      // aligned
	Policy     recommender.Policy

	// Policies are those of containers that have another one. Containers with the same one share it.
	Policies map[recommender.ID]*recommender.Policy

	// Declared holds, by namespace, every workload of the containers' namespaces, those that are not asked
	// for too: api must not claim api-v2's pods.
	Declared map[string][]workload.Workload

	// Owners is who owns what now, by namespace, for what kube-state-metrics has not recorded.
	Owners map[string]recommender.Owners

	Workers      int // batches read at once; at least 1
	PodsPerBatch int // bounds what one batch holds in memory; 0 is what samplesPerBatch allows

	// PackAbove is how many samples of a batch are kept as they came; 0 is 5 million. Packed ones take less memory and
	// more time, and give the same.
	PackAbove int

	// SampleInterval is about the time between samples that Source reads; 0 is the window's step.
	SampleInterval time.Duration

	// Discreet keeps notes from naming namespaces that the plan is not about, which a report may be shown without a right to.
	Discreet bool

	// Dialect is how series are asked for where that is not as Prometheus has them, as the user has said it; "" is as it has
	// them.
	Dialect string

	// Curves asks for the Curves of each item.
	Curves bool

	// Replay, where it is not nil, is handed what each container's pods used and when, one call at a time, of those that
	// could be read.
	Replay func(Timeline)

	Unreplayed [recommender.NumResources]bool // resources that Replay does not need the timelines of
}

const (
	// maxPodsPerBatch is how many pods a batch has at most.
	maxPodsPerBatch = 1000

	// samplesPerBatch keeps the samples of a batch near 64 MiB: 1,000 pods of two containers, all of them there
	// for a whole week of 5 minutes, are 2 x 2 x 2 million samples of 8 bytes.
	samplesPerBatch = maxPodsPerBatch * 2016
)

// needsRecent says that a rule of any policy looks at what was used of late.
func (p Plan) needsRecent() bool {
	for _, own := range p.Policies {
		if own.NeedsRecent() {
			return true
		}
	}
	return p.Policy.NeedsRecent()
}

// podsPerBatch is the fewer the finer the grid is, or the closer together the samples.
func (p Plan) podsPerBatch() int {
	if p.PodsPerBatch > 0 {
		return p.PodsPerBatch
	}
	samples := int(p.Window.Length / cmp.Or(p.SampleInterval, p.Window.Step))
	return min(max(samplesPerBatch/max(samples, 1), 1), maxPodsPerBatch)
}

// Item is what came of one container: a recommendation, or the error that kept it from being one. With
// an error the recommendation holds what is declared and nothing else.
type Item struct {
	recommender.Recommendation
	Policy *recommender.Policy // that it was made by, where it is not the plan's; nil where it is
	Err    error

	Curves [recommender.NumResources]Curve // empty where Plan.Curves does not ask for them
}

// Exempt says that the container is left alone.
func (i Item) Exempt() bool { return i.Policy != nil && i.Policy.Exempt != "" }

// Result is what Run found, in the order of the containers' IDs.
type Result struct {
	Items     []Item
	Retargets []recommender.Retarget // by namespace
	Ownership Ownership
	Queries   []string // the PromQL that was asked, each once
	Warnings  []string // Prometheus's own, and what was seen that nobody asked for
}

// Ownership counts the pods with usage by the way their workload was found.
type Ownership struct {
	ByOwner   int // by kube-state-metrics' owner series
	ByObject  int // by the cluster's objects, as they are now
	ByName    int // by the pod's name
	Ambiguous int // the name fits several workloads: the pod is left out
	Unknown   int // belongs to nothing that is declared
}

func (o *Ownership) add(other Ownership) {
	o.ByOwner += other.ByOwner
	o.ByObject += other.ByObject
	o.ByName += other.ByName
	o.Ambiguous += other.Ambiguous
	o.Unknown += other.Unknown
}

// count counts a pod that was found in that way.
func (o *Ownership) count(way workload.Way) {
	switch way {
	case workload.Ambiguous:
		o.Ambiguous++
	case workload.Unknown:
		o.Unknown++
	case workload.ByOwner:
		o.ByOwner++
	case workload.ByObject:
		o.ByObject++
	default:
		o.ByName++
	}
}

// Progress is told after each step of a scan, from one goroutine at a time. Total grows while the
// namespaces are still being looked into.
type Progress func(done, total int, namespace string)

// Run reads usage and recommends. What fails is kept with the containers that it concerns; the only error
// returned is that of a cancelled context, and then there is no result. What is not read when a context's deadline is over
// has failed like anything else.
func Run(ctx context.Context, src Source, plan Plan, progress Progress) (Result, error) {
	s := &scanner{source: src, plan: plan, progress: progress}
	namespaces := s.split()
	s.total = len(namespaces)

	queue := make(chan *namespaceScan)
	var workers sync.WaitGroup
	for range max(plan.Workers, 1) {
		workers.Go(func() {
			for n := range queue {
				s.scanNamespace(ctx, n)
			}
		})
	}
	for _, n := range namespaces {
		queue <- n // never waits for long after a cancellation: every read then fails at once
	}
	close(queue)
	workers.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return Result{}, fmt.Errorf("reading usage: %w", context.Cause(ctx))
	}
	r := s.collect(namespaces)
	r.Retargets = plan.together(r.Items)
	if warning := s.shortData(ctx, r); warning != "" {
		r.Warnings = append(r.Warnings, warning)
	}
	return r, nil
}

// scanner is the state that the workers share.
type scanner struct {
	source Source
	plan   Plan

	mu          sync.Mutex // guards what follows
	progress    Progress
	done, total int

	replays sync.Mutex // held while Plan.Replay is called

	alikeOnce sync.Once // the namespaces with usage are looked up when the first is found empty
	alike     string
}

// namespaceScan is one namespace's part of the plan and of the result.
type namespaceScan struct {
	name       string
	containers []recommender.Container
	items      map[recommender.ID]Item
	ownership  Ownership
	unrecorded bool // pods have usage, and nobody recorded whose they are
	queries    []string
	warnings   []string
}

func (s *scanner) split() []*namespaceScan {
	byName := make(map[string]*namespaceScan)
	for _, c := range s.plan.Containers {
		n := byName[c.ID.Namespace]
		if n == nil {
			n = &namespaceScan{name: c.ID.Namespace, items: make(map[recommender.ID]Item)}
			byName[n.name] = n
		}
		n.containers = append(n.containers, c)
	}
	var ns []*namespaceScan
	for _, n := range byName {
		slices.SortFunc(n.containers, func(a, b recommender.Container) int { return a.ID.Compare(b.ID) })
		ns = append(ns, n)
	}
	slices.SortFunc(ns, func(a, b *namespaceScan) int { return cmp.Compare(a.name, b.name) })
	return ns
}

func (s *scanner) collect(namespaces []*namespaceScan) Result {
	var r Result
	for _, n := range namespaces {
		for _, c := range n.containers {
			r.Items = append(r.Items, n.items[c.ID])
		}
		r.Ownership.add(n.ownership)
		r.Queries = appendNew(r.Queries, n.queries)
		r.Warnings = appendNew(r.Warnings, n.warnings)
	}
	if note := unrecorded(namespaces); note != "" {
		r.Warnings = append(r.Warnings, note)
	}
	return r
}

// appendNew appends what is not there yet.
func appendNew(to, from []string) []string {
	for _, s := range from {
		if !slices.Contains(to, s) {
			to = append(to, s)
		}
	}
	return to
}

// addWork says that n more steps have been found.
func (s *scanner) addWork(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total += n
}

func (s *scanner) stepDone(namespace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done++
	if s.progress != nil {
		s.progress(s.done, s.total, namespace)
	}
}

// fail keeps an error with the containers that it concerns.
func (n *namespaceScan) fail(p Plan, cs []recommender.Container, err error) {
	for _, c := range cs {
		n.items[c.ID] = Item{Recommendation: recommender.Recommendation{Container: c}, Policy: p.Policies[c.ID], Err: err}
	}
}
