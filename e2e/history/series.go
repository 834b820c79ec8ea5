package history

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

// Series is all samples of one series.
type Series struct {
	Labels labels.Labels
	Times  []int64 // Unix milliseconds, ascending
	Values []float64
}

// Each makes every series of the history, one after the other.
func (h History) Each(visit func(Series) error) error {
	for _, p := range h.Pods {
		if err := h.usage(p, visit); err != nil {
			return err
		}
		if p.Unrecorded {
			continue
		}
		if err := h.state(p, visit); err != nil {
			return err
		}
	}
	for _, rs := range h.ReplicaSets {
		if rs.Unrecorded {
			continue
		}
		if err := visit(h.owned("kube_replicaset_owner", "replicaset", rs)); err != nil {
			return err
		}
	}
	for _, o := range h.Objects {
		if err := visit(h.constant(o.Value, h.From, h.Until, o.Metric, o.Labels)); err != nil {
			return err
		}
	}
	for _, j := range h.Jobs {
		if j.Unrecorded {
			continue
		}
		if err := visit(h.owned("kube_job_owner", "job_name", j)); err != nil {
			return err
		}
	}
	return nil
}

// usage makes a pod's series of its node's kubelet: for each run of each container, and for the pod's own
// cgroup, whose container is "" and which holds the sum.
func (h History) usage(p Pod, visit func(Series) error) error {
	times := kubeletScrapes(p.Node, later(p.From, h.From), earlier(p.Until, h.Until))
	sum := newTwin(len(times))
	for _, c := range p.Containers {
		own := times[:lasted(p, c, times)]
		cpu, memory := samples(p, c, own)
		sum.add(cpu, memory)
		for attempt, run := range runs(c, own) {
			for _, s := range containerSeries(p, c, attempt, own[run.lo:run.hi], cpu[run.lo:run.hi], memory[run.lo:run.hi]) {
				if err := visit(s); err != nil {
					return err
				}
			}
		}
	}
	for _, s := range sum.series(p, times) {
		if err := visit(s); err != nil {
			return err
		}
	}
	return nil
}

// lasted is how many of its pod's times a container was there.
func lasted(p Pod, c Container, times []int64) int {
	if c.InitFor == 0 {
		return len(times)
	}
	n, _ := slices.BinarySearch(times, p.From.Add(c.InitFor).UnixMilli())
	return n
}

// samples are a container's usage at some times: cumulative cores, and bytes.
func samples(p Pod, c Container, times []int64) (cpu, memory []float64) {
	seed := hash(p.Name + "/" + c.Name)
	cpu, memory = make([]float64, len(times)), make([]float64, len(times))
	for i, t := range times {
		load := wave(seed, t)
		memory[i] = math.Round(c.Bytes * (0.75 + 0.25*load))
		if i > 0 {
			cpu[i] = cpu[i-1] + c.Cores*load*float64(t-times[i-1])/1000
		}
	}
	return cpu, memory
}

// span is a range of indices, hi excluded.
type span struct{ lo, hi int }

// runs cuts the times at the container's restarts.
func runs(c Container, times []int64) []span {
	var out []span
	lo := 0
	for _, at := range c.Restarts {
		hi := lo
		for hi < len(times) && times[hi] < at.UnixMilli() {
			hi++
		}
		out = append(out, span{lo, hi})
		lo = hi
	}
	return append(out, span{lo, len(times)})
}

// containerSeries are the series of one run of a container. A restarted container has another cgroup, thus
// another id and series, whose counter begins at zero.
func containerSeries(p Pod, c Container, attempt int, times []int64, cpu, memory []float64) []Series {
	if len(times) == 0 {
		return nil
	}
	fromZero := make([]float64, len(cpu))
	for i, v := range cpu {
		fromZero[i] = v - cpu[0]
	}
	name := map[string]string{
		"namespace": p.Namespace, "pod": p.Name, "container": c.Name, "image": c.Image,
		"id":   "/kubepods.slice/pod" + p.UID + "/" + c.Name + "-" + strconv.Itoa(attempt),
		"node": p.Node, "instance": p.Node, "job": "kubelet", "metrics_path": "/metrics/cadvisor",
	}
	out := []Series{
		{metric("container_cpu_usage_seconds_total", name), times, fromZero},
		{metric("container_memory_working_set_bytes", name), times, memory},
	}
	if c.CPULimit > 0 {
		periods, throttled := cpuPeriods(times, c.Throttled)
		out = append(out,
			Series{metric("container_cpu_cfs_periods_total", name), times, periods},
			Series{metric("container_cpu_cfs_throttled_periods_total", name), times, throttled})
	}
	if c.SecondSeries {
		name["job"] = "kubelet-of-another-scraper"
		out = append(out,
			Series{metric("container_cpu_usage_seconds_total", name), times, fromZero},
			Series{metric("container_memory_working_set_bytes", name), times, memory})
	}
	return out
}

// cpuPeriods are counters of the periods of 100 ms in which a container that always wants to run did, and of those
// in which it was throttled.
func cpuPeriods(times []int64, share float64) (total, throttled []float64) {
	for _, t := range times {
		n := float64((t - times[0]) / 100)
		total, throttled = append(total, n), append(throttled, math.Round(share*n))
	}
	return total, throttled
}

// twin is the pod's cgroup: the sum of its containers.
type twin struct{ cpu, memory []float64 }

func newTwin(n int) twin { return twin{make([]float64, n), make([]float64, n)} }

func (t twin) add(cpu, memory []float64) {
	for i := range cpu {
		t.cpu[i] += cpu[i]
		t.memory[i] += memory[i]
	}
	for i := len(cpu); i < len(t.cpu) && len(cpu) > 0; i++ {
		t.cpu[i] += cpu[len(cpu)-1] // of one that is over
	}
}

func (t twin) series(p Pod, times []int64) []Series {
	name := map[string]string{
		"namespace": p.Namespace, "pod": p.Name, "id": "/kubepods.slice/pod" + p.UID,
		"node": p.Node, "instance": p.Node, "job": "kubelet", "metrics_path": "/metrics/cadvisor",
	}
	return []Series{
		{metric("container_cpu_usage_seconds_total", name), times, t.cpu},
		{metric("container_memory_working_set_bytes", name), times, t.memory},
	}
}

// state makes what kube-state-metrics shows of a pod.
func (h History) state(p Pod, visit func(Series) error) error {
	name := map[string]string{"namespace": p.Namespace, "pod": p.Name, "uid": p.UID}
	all := []Series{
		h.constant(1, p.From, p.Until, "kube_pod_owner", with(name, ownerLabels(p.Owner))),
		h.constant(1, p.From, p.Until, "kube_pod_status_phase", with(name, map[string]string{"phase": "Running"})),
		h.constant(float64(p.From.Unix()), p.From, p.Until, "kube_pod_created", name),
	}
	for _, c := range p.Containers {
		all = append(all, h.specs(p, c, with(name, map[string]string{"container": c.Name}))...)
	}
	for _, s := range all {
		if err := visit(s); err != nil {
			return err
		}
	}
	return nil
}

// specs makes what kube-state-metrics shows of a container.
func (h History) specs(p Pod, c Container, name map[string]string) []Series {
	kind := "kube_pod_container_"
	if c.InitFor > 0 {
		kind = "kube_pod_init_container_"
	}
	out := []Series{h.constant(1, p.From, p.Until, kind+"info", with(name, map[string]string{"image": c.Image}))}
	for _, s := range []struct {
		metric, resource, unit string
		amount                 float64
	}{
		{"resource_requests", "cpu", "core", c.CPURequest},
		{"resource_limits", "cpu", "core", c.CPULimit},
		{"resource_requests", "memory", "byte", c.MemoryRequest},
		{"resource_limits", "memory", "byte", c.MemoryLimit},
	} {
		if s.amount > 0 {
			more := map[string]string{"node": p.Node, "resource": s.resource, "unit": s.unit}
			out = append(out, h.constant(s.amount, p.From, p.Until, kind+s.metric, with(name, more)))
		}
	}
	restarts := h.constant(0, p.From, p.Until, kind+"status_restarts_total", name)
	for i, t := range restarts.Times {
		if !value.IsStaleNaN(restarts.Values[i]) {
			restarts.Values[i] = restartsAt(c, t)
		}
	}
	out = append(out, restarts)
	if c.OOMKilled && len(c.Restarts) > 0 {
		reason := with(name, map[string]string{"reason": "OOMKilled"})
		out = append(out, h.constant(1, c.Restarts[0], p.Until, kind+"status_last_terminated_reason", reason))
	}
	return out
}

func restartsAt(c Container, t int64) float64 {
	n := 0.0
	for _, at := range c.Restarts {
		if at.UnixMilli() <= t {
			n++
		}
	}
	return n
}

func (h History) owned(name, label string, o Owned) Series {
	return h.constant(1, o.From, o.Until, name, with(map[string]string{"namespace": cmp.Or(o.Namespace, "shop"), label: o.Name}, ownerLabels(o.Owner)))
}

// constant is a series of kube-state-metrics that does not change, and ends in a stale marker if its object
// went away.
func (h History) constant(v float64, from, until time.Time, name string, set map[string]string) Series {
	times := scrapes(later(from, h.From), earlier(until, h.Until), stateInterval, stateOffset)
	values := make([]float64, len(times))
	for i := range values {
		values[i] = v
	}
	if n := len(times); n > 0 && until.Before(h.Until) {
		times = append(times, times[n-1]+stateInterval.Milliseconds())
		values = append(values, math.Float64frombits(value.StaleNaN))
	}
	return Series{metric(name, with(set, map[string]string{"job": "kube-state-metrics", "instance": "kube-state-metrics:8080"})), times, values}
}

// ownerLabels are as kube-state-metrics has them: empty where there is no owner, thus not there at all.
func ownerLabels(o Owner) map[string]string {
	if o == (Owner{}) {
		return nil
	}
	return map[string]string{"owner_kind": o.Kind, "owner_name": o.Name, "owner_is_controller": "true"}
}

func metric(name string, set map[string]string) labels.Labels {
	return labels.FromMap(with(set, map[string]string{model.MetricNameLabel: name}))
}

// with is the union of two sets of labels; neither is changed.
func with(a, b map[string]string) map[string]string {
	out := make(map[string]string, len(a)+len(b))
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		out[k] = v
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
