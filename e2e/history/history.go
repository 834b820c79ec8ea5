// Package history makes up what Prometheus would have stored of pods over days: the kubelets' usage series
// and kube-state-metrics' series, for pods that exist and for pods that are long gone. The same History gives
// the same samples each time.
package history

import (
	"hash/fnv"
	"math"
	"slices"
	"time"
)

// History is what there is to tell, from From until Until.
type History struct {
	From, Until time.Time
	Pods        []Pod
	ReplicaSets []Owned // by Deployments, those that are gone too
	Jobs        []Owned // by CronJobs, or by nobody
	Objects     []State // of all others
}

// State is what kube-state-metrics says of an object that was always there.
type State struct {
	Metric string
	Labels map[string]string
	Value  float64
}

// Owner is the controller of an object; the zero Owner is nobody.
type Owner struct{ Kind, Name string }

// Owned is a ReplicaSet or a Job with its owner, and when kube-state-metrics saw it.
type Owned struct {
	Namespace   string // shop if empty
	Name        string
	Owner       Owner
	From, Until time.Time
	Unrecorded  bool // kube-state-metrics was not there
}

// Pod is a pod that runs from From until Until.
type Pod struct {
	Namespace, Name, UID, Node string
	Owner                      Owner
	From, Until                time.Time
	Containers                 []Container
	Unrecorded                 bool // by kube-state-metrics; the kubelet saw it
}

// Container is a container with its requests and limits; 0 where it has none.
type Container struct {
	Name, Image                string
	CPURequest, CPULimit       float64 // cores
	MemoryRequest, MemoryLimit float64 // bytes
	Cores, Bytes               float64 // about what it uses, at the middle of its daily wave
	Restarts                   []time.Time
	OOMKilled                  bool    // its restarts came from reaching the memory limit
	Throttled                  float64 // share of its CPU periods; those with a CPU limit have them
	SecondSeries               bool    // a second kubelet job scrapes it too

	InitFor time.Duration // an init container, which is over so long after its pod began; 0 is none
}

// Unrecorded is the history of which kube-state-metrics has missed some pods, and the ReplicaSets and Jobs that owned
// them.
func (h History) Unrecorded(missed func(Pod) bool) History {
	out, owners := h, map[Owner]bool{}
	out.Pods = slices.Clone(h.Pods)
	for i, p := range out.Pods {
		if missed(p) {
			out.Pods[i].Unrecorded, owners[p.Owner] = true, true
		}
	}
	owned := func(kind string, list []Owned) []Owned {
		list = slices.Clone(list)
		for i := range list {
			list[i].Unrecorded = owners[Owner{kind, list[i].Name}]
		}
		return list
	}
	out.ReplicaSets, out.Jobs = owned("ReplicaSet", h.ReplicaSets), owned("Job", h.Jobs)
	return out
}

// Without is the history without some of its pods, as if nobody had looked for them.
func (h History) Without(left func(Pod) bool) History {
	kept := h
	kept.Pods = nil
	for _, p := range h.Pods {
		if !left(p) {
			kept.Pods = append(kept.Pods, p)
		}
	}
	return kept
}

// Scrape intervals. Each target has its own offset, so that no sample lies on a grid of whole minutes.
const (
	kubeletInterval = 30 * time.Second
	stateInterval   = time.Minute
	stateOffset     = 7741 * time.Millisecond
)

// scrapes are the times, in Unix milliseconds, at which a target was scraped in [from, until).
func scrapes(from, until time.Time, every, offset time.Duration) []int64 {
	var times []int64
	for t := from.Truncate(every).Add(offset); t.Before(until); t = t.Add(every) {
		if !t.Before(from) {
			times = append(times, t.UnixMilli())
		}
	}
	return times
}

// kubeletScrapes are those of a node's kubelet: cAdvisor stamps its samples itself, a bit before the scrape.
func kubeletScrapes(node string, from, until time.Time) []int64 {
	offset := 2*time.Second + time.Duration(hash(node)%25000)*time.Millisecond
	times := scrapes(from, until, kubeletInterval, offset)
	for i, t := range times {
		times[i] = t - int64(hash(node, i)%900)
	}
	return times
}

// wave is a day's load around 1, with noise of its own for each container.
func wave(seed uint64, at int64) float64 {
	const day = 86_400_000
	daily := 0.35 * math.Sin(2*math.Pi*float64(at%day)/day-math.Pi/2)
	return 1 + daily + 0.25*(unit(seed, at)-0.5) + burst(seed, at)
}

// burst doubles the load for a quarter of an hour now and then: it is what a P99 sees and a P50 does not.
func burst(seed uint64, at int64) float64 {
	const quarter = 900_000
	if unit(seed, at/quarter) < 0.02 {
		return 1.2
	}
	return 0
}

// unit is a number in [0, 1) that follows from a seed and a number.
func unit(seed uint64, n int64) float64 {
	x := seed ^ uint64(n)*0x9e3779b97f4a7c15
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11) / (1 << 53)
}

// hash follows from names and numbers.
func hash(name string, numbers ...int) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	for _, n := range numbers {
		h.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	}
	return h.Sum64()
}
