// Package recommender decides what a container should request and be limited to, given what it has used.
//
// It is pure: no clock, no input or output, nothing but the standard library. Everything it
// needs is in its arguments, so a recommendation can be repeated, tested and replayed against history.
package recommender

import (
	"fmt"
	"strings"
	"time"
)

// Resource is what a container can request and be limited to. It indexes arrays of NumResources.
type Resource uint8

// The resources that are sized. CPU is measured in cores, memory in bytes.
const (
	CPU Resource = iota
	Memory
	NumResources
)

// String is the resource's name in a Kubernetes container spec: "cpu" or "memory".
func (r Resource) String() string {
	switch r {
	case CPU:
		return "cpu"
	case Memory:
		return "memory"
	default:
		return fmt.Sprintf("Resource(%d)", uint8(r))
	}
}

// ID names one container of one workload. Cluster is empty where a single cluster is read.
type ID struct {
	Cluster   string
	Namespace string
	Kind      string // as Kubernetes spells it: Deployment, CronJob, Rollout
	Workload  string
	Container string
}

// Ref is the workload as kubectl writes it: "deployment/web".
func (id ID) Ref() string { return strings.ToLower(id.Kind) + "/" + id.Workload }

// String is the whole name: "shop/deployment/web/app", behind "cluster:" where the cluster is named.
func (id ID) String() string {
	s := id.Namespace + "/" + id.Ref() + "/" + id.Container
	if id.Cluster != "" {
		s = id.Cluster + ":" + s
	}
	return s
}

// Compare orders IDs by cluster, namespace, workload, kind and container, and is 0 only for equal ones.
func (id ID) Compare(other ID) int {
	for _, pair := range [][2]string{
		{id.Cluster, other.Cluster},
		{id.Namespace, other.Namespace},
		{id.Workload, other.Workload},
		{id.Kind, other.Kind},
		{id.Container, other.Container},
	} {
		if c := strings.Compare(pair[0], pair[1]); c != 0 {
			return c
		}
	}
	return 0
}

// Value is one request or limit. It is set to an amount, unset (a spec does not have it, a patch deletes
// it), or no advice (a patch leaves it alone). The zero Value is no advice; an amount of zero is none of
// the other two.
type Value struct {
	state  valueState
	amount float64
}

type valueState uint8

const (
	noAdvice valueState = iota
	unset
	set
)

// Set is the amount in the resource's unit: cores or bytes.
func Set(amount float64) Value { return Value{set, amount} }

// Unset is no request, or no limit.
func Unset() Value { return Value{state: unset} }

// NoAdvice is what stands where nothing is recommended.
func NoAdvice() Value { return Value{} }

// Amount is the amount, and whether there is one.
func (v Value) Amount() (amount float64, ok bool) { return v.amount, v.state == set }

// IsUnset says that there is, or should be, no such request or limit.
func (v Value) IsUnset() bool { return v.state == unset }

// IsAdvice says that the value is set or unset, rather than no advice.
func (v Value) IsAdvice() bool { return v.state != noAdvice }

// Or is v where it is advice, and fallback where it is not.
func (v Value) Or(fallback Value) Value {
	if v.IsAdvice() {
		return v
	}
	return fallback
}

// String is for messages of tests: "0.25", "unset" or "no advice".
func (v Value) String() string {
	switch v.state {
	case set:
		return fmt.Sprint(v.amount)
	case unset:
		return "unset"
	default:
		return "no advice"
	}
}

// Bounds are the request and the limit of one resource, in its unit.
type Bounds struct{ Request, Limit Value }

// or is b where it is advice, and spec where it is not.
func (b Bounds) or(spec Bounds) Bounds {
	return Bounds{b.Request.Or(spec.Request), b.Limit.Or(spec.Limit)}
}

// Container is one container as it is declared.
type Container struct {
	ID   ID
	Spec [NumResources]Bounds // unset where the spec has none; never no advice

	// Replicas is how many of its pods are meant to run at once, as far as that reserves anything: the
	// active pods of a Job, 0 for a CronJob. UnknownReplicas where the declaration does not say (a
	// DaemonSet in a manifest).
	Replicas int

	// Init says that it is an init container, and no sidecar: it is over before those that it stands before start.
	Init bool

	// Beside names the native sidecars that an init container stands behind, which run already; none where the order is
	// not known.
	Beside []string

	// Pod is what spec.resources of its pods declares for all their containers together; no advice where that is nothing.
	Pod [NumResources]Bounds

	Owner    string                // the operator's object that manages its workload: "PostgresCluster db"; empty where none does
	Injected bool                  // it is put into the pods as they are made, and is not in their template
	SizedBy  [NumResources]SizedBy // how one that is injected can be sized, where that is known

	// Admitted says of each resource how it shows that Spec is what was admitted and perhaps not what is declared;
	// empty where it is what is declared.
	Admitted [NumResources]string

	Facts Facts // what is declared around it
	Heap  Heap  // of the runtime in it, where the template sets it
}

// UnknownReplicas stands in Container.Replicas where a declaration cannot say.
const UnknownReplicas = -1

// RunsToCompletion says that the container ends by itself: its pods are runs of a Job or a CronJob, or it is an init
// container, whose runs are the starts of its pods.
func (c Container) RunsToCompletion() bool {
	return c.Init || c.ID.Kind == "Job" || c.ID.Kind == "CronJob"
}

// Owner is the object that a pod, a ReplicaSet or a Job belongs to.
type Owner struct{ Kind, Name string }

// Owners is who owned what in one namespace, by name. A ReplicaSet, a Job or a pod that belongs to
// nobody maps to the zero Owner; one that is not in its map is not known.
type Owners struct {
	Pods        map[string]Owner
	ReplicaSets map[string]Owner
	Jobs        map[string]Owner
}

// NewOwners has no objects yet.
func NewOwners() Owners {
	return Owners{Pods: map[string]Owner{}, ReplicaSets: map[string]Owner{}, Jobs: map[string]Owner{}}
}

// Of is the owner of a pod, a ReplicaSet or a Job; ok is false where it is not known.
func (o Owners) Of(object Owner) (owner Owner, ok bool) {
	switch object.Kind {
	case "Pod":
		owner, ok = o.Pods[object.Name]
	case "ReplicaSet":
		owner, ok = o.ReplicaSets[object.Name]
	case "Job":
		owner, ok = o.Jobs[object.Name]
	}
	return owner, ok
}

// Window is the time that usage is read from: (Until - Length, Until], sampled at Until - Length + k x
// Step for k = 1 .. Length/Step. CPU rates are taken over RateWindow before each of these points.
type Window struct {
	Until                    time.Time
	Length, Step, RateWindow time.Duration
}

// Validate says what is wrong with the window, in terms of the flags that set it.
func (w Window) Validate() error {
	switch {
	case w.Step < time.Second || w.Step%time.Second != 0:
		return fmt.Errorf("invalid --step %q: want whole seconds, at least 1s", w.Step)
	case w.RateWindow < time.Second || w.RateWindow%time.Second != 0:
		return fmt.Errorf("invalid --rate-window %q: want whole seconds, at least 1s", w.RateWindow)
	case w.RateWindow > w.Length:
		return fmt.Errorf("invalid --rate-window %q: want at most the --window (%s)", ShortDuration(w.RateWindow), ShortDuration(w.Length))
	case w.Length < w.Step:
		return fmt.Errorf("invalid --window %q: want at least one --step (%s)", ShortDuration(w.Length), ShortDuration(w.Step))
	case w.Length > MaxWindow:
		return fmt.Errorf("invalid --window %q: want at most %s", ShortDuration(w.Length), ShortDuration(MaxWindow))
	}
	return nil
}

// MaxWindow is the longest window that can be asked for: two years.
const MaxWindow = 2 * 365 * 24 * time.Hour

// Align floors Until to a multiple of the step and Length to a whole number of steps, so that the grid
// is the one that Prometheus's subqueries use, and that days of it can be read one by one.
func (w Window) Align() Window {
	// From 1970, as Prometheus counts: Truncate counts from the year 1, which differs for steps of 7m.
	seconds, step := w.Until.Unix(), int64(w.Step/time.Second)
	w.Until = time.Unix(seconds-seconds%step, 0).UTC()
	w.Length = w.Length.Truncate(w.Step)
	return w
}

// Start is the open left end of the window: nothing at or before it counts.
func (w Window) Start() time.Time { return w.Until.Add(-w.Length) }

// Points is the number of points in the grid.
func (w Window) Points() int { return int(w.Length / w.Step) }

// Time is the k-th point of the grid, k = 1 .. Points.
func (w Window) Time(k int) time.Time { return w.Start().Add(time.Duration(k) * w.Step) }

// Peak is the highest sample of a resource in the window.
type Peak struct {
	Value float64   // cores or bytes; 0 where there are no samples
	Pod   string    // the pod that it was seen in
	At    time.Time // it was seen in (At - Within, At]
	// Within is how exactly the time is known.
	Within time.Duration
}

// OOMKill is one time that the kernel killed the container for reaching its memory limit.
type OOMKill struct {
	Pod   string
	At    time.Time // the first grid point that shows it
	Limit float64   // the memory limit then in force, bytes; 0 where it is not known
}

// Usage is what all pods of a workload used of one resource in one container, pooled over the window.
type Usage struct {
	Samples Samples // in cores or bytes
	Dropped int     // samples left out because they were not finite

	Covered time.Duration // of the window: grid points with at least one sample, times the step
	Pods    int           // pods with at least one sample
	Running int           // pods with a sample at the window's last point
	Peak    Peak          // over every raw sample for memory, over the grid for CPU

	Recent *Recent // nil where no rule asks for it, and of runs
}

// History is what was seen of one container in the window.
type History struct {
	Usage [NumResources]Usage

	// Runs counts the runs of a Job or a CronJob, and RunsUnmeasured those too short for a CPU rate: they
	// have fewer than two samples. Zero for everything else.
	Runs, RunsUnmeasured int

	OOMKills []OOMKill // in order of time

	Restarts   *int // in the window, all pods together; nil where nobody counted
	Throttling Throttling

	// Pods is what each pod used. Its samples together are those of Usage; what needs them is not looked for
	// where there are none.
	Pods [NumResources][]PodUsage
}

// Throttling counts the CPU periods of 100 ms in which the pods wanted to run, and those of them in which their
// limit stopped them. The zero Throttling is of containers without a CPU limit, or without the metrics.
type Throttling struct{ Periods, Throttled float64 }

// Share is the share of periods that were throttled, and whether there were any.
func (t Throttling) Share() (share float64, ok bool) {
	if t.Periods <= 0 {
		return 0, false
	}
	return t.Throttled / t.Periods, true
}

// Note says one thing about a recommendation: which guard changed what and why, or what is missing.
type Note struct {
	Code string // stable: "observed-peak"; docs/notes.md has a paragraph for each
	Text string // one line, with the numbers
}

// Advice is the recommendation for one resource of one container.
type Advice struct {
	Formula Bounds // what the rules alone give, rounded up
	Bounds  Bounds // what stands after the guards
	Notes   []Note

	Steps []Step // from the one to the other
}

// Step is what one guard changed. Its note, where it left one, has the guard's name as its code.
type Step struct {
	Guard    string
	From, To Bounds
}

// Recommendation is the advice for one container together with what it rests on. It holds no samples.
type Recommendation struct {
	Container
	Advice   [NumResources]Advice
	Evidence [NumResources]Evidence
	OOMKills []OOMKill
	Runs     int // of a Job or a CronJob

	Restarts   *int // in the window, all pods together; nil where nobody counted
	Throttling Throttling

	QoS QoSChange // of its pods; Together fills it in

	Kept *[NumResources]Advice // what stands where an autoscaler's target cannot be moved; nil where there is nothing to move
}

// Evidence is a summary of a Usage: counts, the usual percentiles and the peak, in cores or bytes.
type Evidence struct {
	Samples, Dropped         int
	Pods, Running            int // in the window, and at its last point
	Covered                  time.Duration
	Mean, P50, P90, P95, P99 float64 // 0 where there are no samples
	Peak                     Peak
}
