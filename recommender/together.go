package recommender

import (
	"cmp"
	"fmt"
	"slices"
)

// Template is what a workload's pods are made from, with what is recommended for those of its containers that were
// asked for. What depends on whole pods is judged by it.
type Template struct {
	Containers []Container // in the order of the template, init containers last
	Surge      int         // pods that a rollout adds for a while
	PodLevel   bool        // the pod as a whole has resources of its own

	Advised []*Recommendation // some of the Containers, which Together adds to
}

// QoS is the quality-of-service class that Kubernetes gives a pod, by which it chooses whom to evict and to kill first.
// The empty QoS is not known.
type QoS string

// The classes, from who goes first to who goes last.
const (
	BestEffort QoS = "BestEffort"
	Burstable  QoS = "Burstable"
	Guaranteed QoS = "Guaranteed"
)

// QoSChange is a pod's class by what is declared, and by what is recommended.
type QoSChange struct{ Now, After QoS }

// The codes of the notes about whole pods and namespaces.
const (
	NoteQoS             = "qos-class"
	NoteLargerThanNodes = "larger-than-nodes"
	NoteQuota           = "quota-exceeded"
	NoteOutsideQuota    = "outside-quota"
)

// Together judges what no container shows by itself, and leaves notes with those that it concerns: the QoS class of
// the pods, whether a node has room for one, and whether the namespace's quotas have room for all. It changes no value.
// All templates are of one namespace, those too that nothing is recommended for.
func Together(templates []Template) {
	for _, t := range templates {
		t.classify()
		t.noteNodes()
		t.noteMissing()
	}
	noteQuotas(templates)
}

// sized is one container's bounds, as admission leaves them.
type sized [NumResources]Bounds

// containers are the bounds of all; after says with what is recommended.
func (t Template) containers(after bool) (all []sized) {
	for _, c := range t.Containers {
		all = append(all, c.admitted(t.bounds(c, after)))
	}
	return all
}

// lasting are those that run as long as the pod does, and so together.
func (t Template) lasting() []Container {
	return slices.DeleteFunc(slices.Clone(t.Containers), func(c Container) bool { return c.Init })
}

// bounds are what the template declares of the container, or would.
func (t Template) bounds(c Container, after bool) [NumResources]Bounds {
	i := slices.IndexFunc(t.Advised, func(r *Recommendation) bool { return r.ID == c.ID })
	if !after || i < 0 || c.Injected { // no patch of the template changes what is injected
		return c.Spec
	}
	b := c.Spec
	for r := range NumResources {
		b[r] = t.Advised[i].inForce(r)
	}
	return b
}

// inForce is what the template would declare: the advice, or what it declares now where there is none.
func (rec *Recommendation) inForce(r Resource) Bounds { return rec.Advice[r].Bounds.or(rec.Spec[r]) }

func (c Container) admitted(declared [NumResources]Bounds) (b sized) {
	for r := range NumResources {
		b[r] = c.Facts.demands(r).admitted(declared[r])
	}
	return b
}

// changes says that the resource's request or limit is to be another one.
func (rec *Recommendation) changes(r Resource) bool { return rec.inForce(r) != rec.Spec[r] }

// note leaves a note, once: a container may stand in several templates of one owner.
func (rec *Recommendation) note(r Resource, code, format string, args ...any) {
	if n := (Note{code, fmt.Sprintf(format, args...)}); !slices.Contains(rec.Advice[r].Notes, n) {
		rec.Advice[r].Notes = append(rec.Advice[r].Notes, n)
	}
}

// classify tells the QoS class with all containers of the pod, and marks where it changes: with memory, for whose sake
// pods are killed by their class, or with CPU where memory stays as it is.
func (t Template) classify() {
	if t.PodLevel || len(t.Containers) == 0 {
		return // https://kubernetes.io/docs/tasks/configure-pod-container/assign-pod-level-resources/: by these alone
	}
	qos := QoSChange{qosOf(t.containers(false)), qosOf(t.containers(true))}
	for _, rec := range t.Advised {
		rec.QoS = qos
		r := Memory
		if !rec.changes(r) {
			r = CPU
		}
		if qos.Now != qos.After && rec.changes(r) {
			rec.note(r, NoteQoS, "the QoS class of its pods becomes %s instead of %s: %s", qos.After, qos.Now, qos.After.meaning())
		}
	}
}

// qosOf is the class of a pod with these containers, as ComputePodQOS in Kubernetes's pkg/apis/core/helper/qos has it:
// an amount of zero counts as none.
func qosOf(containers []sized) QoS {
	guaranteed, bounded := true, false
	for _, c := range containers {
		for r := range NumResources {
			request, _ := c[r].Request.Amount()
			limit, _ := c[r].Limit.Amount()
			guaranteed = guaranteed && limit > 0 && request == limit
			bounded = bounded || request > 0 || limit > 0
		}
	}
	switch {
	case !bounded:
		return BestEffort
	case guaranteed:
		return Guaranteed
	default:
		return Burstable
	}
}

// meaning is what a change to the class brings.
func (q QoS) meaning() string {
	switch q {
	case BestEffort:
		return "when their node runs out of memory they are the first to go"
	case Guaranteed:
		return "when their node runs out of memory they are the last to go"
	default:
		return "when their node runs out of memory they go after BestEffort pods and before Guaranteed ones"
	}
}

// total is what one pod counts for with the scheduler and with quotas: its containers together, or the largest of its
// init containers. One that has no value counts as none, and what the pod declares as a whole counts instead of all.
func (t Template) total(r Resource, side side, after bool) float64 {
	if pod, ok := t.whole(r, side); ok {
		return pod
	}
	var sum, first float64
	for i, b := range t.containers(after) {
		x, _ := side.of(b[r]).Amount()
		if t.Containers[i].Init {
			first = max(first, x)
		} else {
			sum += x
		}
	}
	return max(sum, first)
}

// side is the request or the limit of a resource.
type side uint8

const (
	requests side = iota
	limits
	numSides
)

// String is as quotas have it: "requests".
func (s side) String() string {
	if s == limits {
		return "limits"
	}
	return "requests"
}

func (s side) of(b Bounds) Value {
	if s == limits {
		return b.Limit
	}
	return b.Request
}

// noteNodes marks pods that would request more than any one node has to give.
func (t Template) noteNodes() {
	if len(t.Containers) == 0 || len(t.Containers[0].Facts.Nodes) == 0 {
		return
	}
	nodes := t.Containers[0].Facts.Nodes
	var pod, largest Room
	for r := range NumResources {
		pod[r] = t.total(r, requests, true)
		for _, n := range nodes {
			largest[r] = max(largest[r], n[r])
		}
	}
	if slices.ContainsFunc(nodes, pod.fits) {
		return
	}
	what := fmt.Sprintf("which no node has together: at most %s and %s", CPU.Approximate(largest[CPU]), Memory.Approximate(largest[Memory]))
	for _, rec := range t.Advised {
		for r := range NumResources {
			alone := pod[r] > largest[r]
			if rec.Advice[r].Bounds.Request.IsAdvice() && (alone || pod[1-r] <= largest[1-r]) {
				rec.note(r, NoteLargerThanNodes, "each pod would request %s of CPU and %s of memory, %s: it would stay pending",
					CPU.Approximate(pod[CPU]), Memory.Approximate(pod[Memory]), what)
			}
		}
	}
}

// fits says that a pod that requests this much may run on an empty node with that much.
func (pod Room) fits(node Room) bool {
	for r := range NumResources {
		if pod[r] > node[r]*(1+roundingSlack) {
			return false
		}
	}
	return true
}

// replicas is how many pods count, as far as that is known: as declared, or as were seen at the window's end.
func (t Template) replicas() float64 {
	n := UnknownReplicas
	if len(t.Containers) > 0 {
		n = t.Containers[0].Replicas
	}
	if n != UnknownReplicas {
		return float64(n)
	}
	n = 0
	for _, rec := range t.Advised {
		n = max(n, rec.Evidence[CPU].Running, rec.Evidence[Memory].Running)
	}
	return float64(n)
}

// rolls says that a rollout is to come: some container's template changes.
func (t Template) rolls() bool {
	return slices.ContainsFunc(t.Advised, func(rec *Recommendation) bool { return rec.changes(CPU) || rec.changes(Memory) })
}

// noteMissing marks what a quota refuses, whatever room it has: pods without a value that it counts.
func (t Template) noteMissing() {
	for _, rec := range t.Advised {
		for r := range NumResources {
			if b := rec.Advice[r].Bounds; !b.Request.IsAdvice() && !b.Limit.IsAdvice() {
				continue
			}
			for _, text := range rec.missing(r) {
				rec.note(r, NoteOutsideQuota, "%s", text)
			}
		}
	}
}

// missing are the values that quotas count and that there would be none of.
func (rec *Recommendation) missing(r Resource) (texts []string) {
	after := rec.Facts.demands(r).admitted(rec.inForce(r))
	for _, q := range rec.Facts.Quotas {
		for s := range numSides {
			if s.of(q.Hard[r]).isSet() && !s.of(after).isSet() {
				texts = append(texts, fmt.Sprintf("ResourceQuota %s counts %s.%s, and there would be none: Kubernetes would refuse its pods", q.Name, s, r))
			}
		}
	}
	return texts
}

// noteQuotas marks what would bring a namespace above its quotas.
func noteQuotas(templates []Template) {
	i := slices.IndexFunc(templates, func(t Template) bool { return len(t.Containers) > 0 })
	if i < 0 {
		return
	}
	for _, q := range templates[i].Containers[0].Facts.Quotas {
		for r := range NumResources {
			for s := range numSides {
				q.judge(templates, r, s)
			}
		}
	}
}

// judge compares what a namespace takes once all that is recommended is there with the quota, during rollouts too,
// since all that is applied at once rolls out at once. It tells of what takes more than now, or where nothing does, of
// all that changes.
func (q Quota) judge(templates []Template, r Resource, s side) {
	hard, bounded := s.of(q.Hard[r]).Amount()
	if !bounded {
		return
	}
	used, counted := s.of(q.Used[r]).Amount()
	var rolling float64
	for _, t := range templates {
		now, after := t.total(r, s, false), t.total(r, s, true)
		if counted {
			used -= t.replicas() * now
		}
		used += t.replicas() * after
		if t.rolls() {
			rolling += float64(t.Surge) * after
		}
	}
	if used+rolling <= hard*(1+roundingSlack) {
		return
	}
	text := fmt.Sprintf("ResourceQuota %s allows %s of %s.%s, and with all that is recommended the namespace would take %s", q.Name, r.Quantity(hard), s, r, r.Approximate(used))
	if rolling > 0 {
		text += fmt.Sprintf(", and %s more while it rolls out", r.Approximate(rolling))
	}
	text += ": pods beyond the quota are not made"
	for _, rec := range q.concerned(templates, r, s) {
		rec.note(r, NoteQuota, "%s", text)
	}
}

// concerned are the containers whose value rises, or where none does all whose value changes.
func (q Quota) concerned(templates []Template, r Resource, s side) (list []*Recommendation) {
	var changing []*Recommendation
	for _, t := range templates {
		for _, rec := range t.Advised {
			d := rec.Facts.demands(r)
			now, _ := s.of(d.admitted(rec.Spec[r])).Amount()
			after, _ := s.of(d.admitted(rec.inForce(r))).Amount()
			if after > now {
				list = append(list, rec)
			}
			if after != now {
				changing = append(changing, rec)
			}
		}
	}
	if len(list) == 0 {
		return changing
	}
	return list
}

// Quota is what a ResourceQuota allows all pods of its namespace together.
type Quota struct {
	Name string
	Hard [NumResources]Bounds // no advice where it counts nothing
	Used [NumResources]Bounds // by all pods that there are now; no advice where nobody counted
}

// Room is what one node has to give to pods.
type Room [NumResources]float64

// Largest keeps of nodes those that some pod might need: without those that another has as much as of everything.
func Largest(nodes []Room) (kept []Room) {
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b Room) int { return -cmp.Or(cmp.Compare(a[CPU], b[CPU]), cmp.Compare(a[Memory], b[Memory])) })
	for _, n := range nodes {
		if len(kept) == 0 || n[Memory] > kept[len(kept)-1][Memory] {
			kept = append(kept, n)
		}
	}
	return kept
}
