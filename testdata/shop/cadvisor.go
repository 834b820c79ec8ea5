package shop

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// node is a node and its kubelet.
type node struct {
	number   int
	name, ip string
	docker   bool // an old runtime: other cgroup paths, container="POD" series and time stamps of its own

	addresses int   // of pods so far
	usec      int64 // microseconds of CPU that pods have used
}

func newNodes() []*node {
	var nodes []*node
	for i := 1; i <= 3; i++ {
		nodes = append(nodes, &node{number: i, name: fmt.Sprint("worker-", i), ip: fmt.Sprint("10.0.1.", 10+i), docker: i == 3})
	}
	return nodes
}

// advance brings a run's counters up to t and finds its working set then.
func (c *container) advance(r *run, t int64) {
	m := moment{at: t, age: float64(t-r.start) / second, load: traffic(c.traffic, t), seed: r.seed, replica: c.replica}
	c.advanceCPU(r, m)
	memory := c.usage.memory(m)
	if r.reason == oomKilled {
		memory = surge(memory, c.memLimit, r.end-t)
	}
	if c.memLimit > 0 {
		memory = min(memory, 0.998*c.memLimit)
	}
	r.memory = int64(memory) / 4096 * 4096
}

// surge is the memory of a container that will be killed for it in some milliseconds: in its last 8 minutes
// it rises to the limit.
func surge(memory, limit float64, left int64) float64 {
	const length = 8 * minute
	if left >= length {
		return memory
	}
	done := 1 - float64(left)/length
	return memory + (limit-memory)*min(1, done*1.05)
}

// advanceCPU counts the CPU that the container gets of what it wants, and where it has a limit the periods of
// 100 ms in which it was throttled: some already below the limit, since usage is uneven within a second.
func (c *container) advanceCPU(r *run, m moment) {
	want := max(0, c.usage.cpu(m))
	got, passed := want, m.at-r.last
	if c.cpuLimit > 0 {
		got = min(got, 0.99*c.cpuLimit)
		share := min(0.97, max(0, 1.5*(want/c.cpuLimit-0.7)))
		r.periods += passed / 100
		r.throttled += int64(share * float64(passed) / 100)
	}
	used := int64(got * float64(passed) * 1000)
	r.usec += used
	c.pod.usec += used
	c.pod.node.usec += used
	r.last = m.at
}

// cadvisor is what one scrape job sees of a node's kubelet, /metrics/cadvisor.
type cadvisor struct {
	node  *node
	pods  []*pod // by start
	name  string
	base  labels.Labels
	delay int64 // of its scrapes in the interval, milliseconds

	second bool // it is newSecondJob's

	cgroups map[string]*cgroup // by cgroup path
}

// cgroup are the series of one cgroup.
type cgroup struct {
	memory, cpu, started, periods, throttled *series
}

// newCadvisor is the job that scrapes all of a node, labelled as the Prometheus operator does.
func newCadvisor(c *cluster, n *node) *cadvisor {
	return &cadvisor{
		node: n, name: "kubelet/" + n.name, delay: int64(4_310 + 5_170*n.number), cgroups: map[string]*cgroup{},
		pods: podsWhere(c, func(p *pod) bool { return p.node == n }),
		base: labels.FromStrings(
			"endpoint", "https-metrics", "instance", n.ip+":10250", "job", "kubelet", "metrics_path", "/metrics/cadvisor",
			"namespace", "kube-system", "node", n.name, "service", "kubelet"),
	}
}

// newSecondJob is a job that somebody left behind. It scrapes one pod of cart a second time, with other labels:
// those of its target are as in the example configuration of Prometheus, and it drops id, name and image to
// save series, so that a container's counters go back to 0 within a series when it restarts.
func newSecondJob(c *cluster) *cadvisor {
	pods := podsWhere(c, func(p *pod) bool { return p.containers[0].Name == "cart" && !p.node.docker })[:1]
	n := pods[0].node
	return &cadvisor{
		node: n, name: "kubernetes-cadvisor", delay: 23_640, cgroups: map[string]*cgroup{}, second: true, pods: pods,
		base: labels.FromStrings("instance", n.name, "job", "kubernetes-cadvisor", "node", n.name),
	}
}

func podsWhere(c *cluster, keep func(*pod) bool) []*pod {
	return slices.DeleteFunc(slices.Clone(c.pods), func(p *pod) bool { return !keep(p) })
}

func (k *cadvisor) target() *target {
	t := &target{name: k.name, offset: k.delay, spread: 45, collect: k.collect}
	if k.node.docker {
		t.stamped, t.spread, t.missed = true, 4_000, 0.01
	}
	return t
}

func (k *cadvisor) collect(t int64, emit func(*series, float64)) {
	var total int64
	for _, p := range k.pods {
		if p.start <= t && t < p.end {
			total += k.collectPod(p, t, emit)
		}
	}
	if !k.second {
		k.collectRoot(t, total, emit)
	}
}

// collectPod emits the series of a pod's containers, of its sandbox where the runtime shows that, and of its
// cgroup, which holds them all. It returns the cgroup's memory.
func (k *cadvisor) collectPod(p *pod, t int64, emit func(*series, float64)) int64 {
	memory, usec := p.pause, int64(23_000)
	for _, c := range p.containers {
		if r := c.at(t); r != nil {
			c.advance(r, t)
			k.emitContainer(c, r, emit)
			memory += r.memory
		}
	}
	if k.node.docker {
		pod := k.cgroup(p.cgroup()+"/"+containerID(hash(p.uid)), sandboxLabels(p))
		emit(pod.memory, float64(p.pause))
		emit(pod.cpu, float64(usec)/1e6)
	}
	twin := k.cgroup(p.cgroup(), []string{"namespace", p.namespace, "pod", p.name})
	emit(twin.memory, float64(memory))
	emit(twin.cpu, float64(p.usec+usec)/1e6)
	return memory
}

func (k *cadvisor) emitContainer(c *container, r *run, emit func(*series, float64)) {
	g := k.cgroup(c.cgroup(r), containerLabels(c, r))
	emit(g.memory, float64(r.memory))
	emit(g.cpu, float64(r.usec)/1e6)
	emit(g.started, math.Floor(float64(r.start)/second))
	if c.cpuLimit > 0 {
		emit(g.periods, float64(r.periods))
		emit(g.throttled, float64(r.throttled))
	}
}

// collectRoot emits the node's own cgroup, which belongs to no pod: all pods and a system of 1.5 GiB.
func (k *cadvisor) collectRoot(t, pods int64, emit func(*series, float64)) {
	root := k.cgroup("/", nil)
	system := int64(1.5*gib*(1+0.01*noise(hash(k.name), uint64(t)))) / 4096 * 4096
	emit(root.memory, float64(pods+system))
	emit(root.cpu, float64(k.node.usec+(t-ago(12*day))*60)/1e6)
}

// cgroup is the path of the run's cgroup.
func (c *container) cgroup(r *run) string {
	if c.pod.node.docker {
		return c.pod.cgroup() + "/" + r.id
	}
	return c.pod.cgroup() + "/cri-containerd-" + r.id + ".scope"
}

func containerLabels(c *container, r *run) []string {
	name := r.id
	if c.pod.node.docker {
		name = fmt.Sprintf("k8s_%s_%s_%s_%s_%d", c.Name, c.pod.name, c.pod.namespace, c.pod.uid, r.attempt)
	}
	return []string{"container", c.Name, "image", c.Image, "name", name, "namespace", c.pod.namespace, "pod", c.pod.name}
}

func sandboxLabels(p *pod) []string {
	return []string{
		"container", "POD", "image", "registry.k8s.io/pause:3.2", "namespace", p.namespace, "pod", p.name,
		"name", fmt.Sprintf("k8s_POD_%s_%s_%s_0", p.name, p.namespace, p.uid),
	}
}

// cgroup is the series of a cgroup, made at its first scrape.
func (k *cadvisor) cgroup(id string, pairs []string) *cgroup {
	if g, ok := k.cgroups[id]; ok {
		return g
	}
	pairs = append(pairs, "id", id)
	if k.second {
		pairs = append(pairs, "id", "", "name", "", "image", "")
	}
	cpu := append(slices.Clone(pairs), "cpu", "total")
	g := &cgroup{
		memory:    newSeries("container_memory_working_set_bytes", k.base, pairs),
		cpu:       newSeries("container_cpu_usage_seconds_total", k.base, cpu),
		started:   newSeries("container_start_time_seconds", k.base, pairs),
		periods:   newSeries("container_cpu_cfs_periods_total", k.base, pairs),
		throttled: newSeries("container_cpu_cfs_throttled_periods_total", k.base, pairs),
	}
	k.cgroups[id] = g
	return g
}

// newSeries is a series with the labels of its target, over which its own win, as with honor_labels. Empty
// labels are none.
func newSeries(name string, base labels.Labels, pairs []string) *series {
	b := labels.NewBuilder(base).Set(model.MetricNameLabel, name)
	for i := 0; i < len(pairs); i += 2 {
		b.Set(pairs[i], pairs[i+1])
	}
	return &series{labels: b.Labels()}
}

func sortedByOffset(all []*target) []*target {
	slices.SortFunc(all, func(a, b *target) int { return cmp.Compare(a.offset, b.offset) })
	return all
}
