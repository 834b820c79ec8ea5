package shop

import (
	"cmp"
	"embed"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// cluster is all that ever was in the history.
type cluster struct {
	declared    []declared
	nodes       []*node
	pods        []*pod // by start
	replicaSets []object
	jobs        []object
}

// object is a ReplicaSet or a Job.
type object struct {
	namespace, name string
	owner           owner
	start, end      int64
}

// owner controls an object. The zero owner is none.
type owner struct{ kind, name string }

// pod is one pod. Its container series live in [start, end) and its kube-state-metrics series in [start, gone).
type pod struct {
	namespace, name, uid, ip string
	owner                    owner
	node                     *node
	qos                      corev1.PodQOSClass
	hostNetwork, completes   bool
	start, end, gone         int64
	containers               []*container

	pause int64 // bytes that the sandbox uses
	usec  int64 // microseconds of CPU that its containers have used, past runs included
}

// container is one container of a pod, run by run.
type container struct {
	corev1.Container
	pod      *pod
	usage    usage
	traffic  uint64 // seed, the same for all pods of the workload
	replica  int
	cpuLimit float64 // cores, 0 is none
	memLimit float64 // bytes, 0 is none
	runs     []*run
}

// run is one life of a container, in [start, end): a cgroup with counters that begin at 0.
type run struct {
	attempt    int
	id         string
	seed       uint64
	start, end int64
	reason     string // why it ended

	last               int64 // when the counters below were read
	usec               int64 // microseconds of CPU
	periods, throttled int64 // of 100 ms
	memory             int64 // bytes
}

// at is the run that is under way at t, nil where the container is between two.
func (c *container) at(t int64) *run {
	for _, r := range c.runs {
		if r.start <= t && t < r.end {
			return r
		}
	}
	return nil
}

// plan lays out every pod of the history.
func plan() (*cluster, error) {
	c := &cluster{nodes: newNodes()}
	stories := pasts()
	for _, files := range []embed.FS{Manifests, neighbours} {
		all, err := readDeclared(files)
		if err != nil {
			return nil, err
		}
		c.declared = append(c.declared, all...)
	}
	for i := range c.declared {
		d := &c.declared[i]
		var ok bool
		if d.past, ok = stories[d.namespace+"/"+d.name]; !ok {
			return nil, fmt.Errorf("%s %s/%s has a manifest but no past", d.kind, d.namespace, d.name)
		}
		if err := c.add(*d); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(c.pods, func(a, b *pod) int { return cmp.Compare(a.start, b.start) })
	return c, nil
}

func (c *cluster) add(d declared) error {
	for _, declared := range d.spec.Containers {
		if _, ok := d.past.usage[declared.Name]; !ok {
			return fmt.Errorf("container %s of %s %s/%s has no usage", declared.Name, d.kind, d.namespace, d.name)
		}
	}
	switch d.kind {
	case "CronJob":
		c.addCronJob(d)
	case "Job":
		c.addJob(d, d.name, owner{}, d.past.created, never)
	case "Pod":
		c.addPod(d)
	default:
		c.addReplicas(d)
	}
	return nil
}

// birth is when a replica's next pod starts, and at which revision of its workload.
type birth struct {
	at       int64
	revision int
}

// births are when the pods of one replica start. Rollouts reach one replica after the other.
func births(d declared, replica int) []birth {
	created := d.past.created
	if created == 0 {
		created = ago(9*day) - int64(unit(hash(d.namespace, d.name), 0)*72*hour)
	}
	late := int64(replica) * 40 * second
	all := []birth{{created + late/10, 0}}
	for i, at := range d.past.rollouts {
		all = append(all, birth{at + late, i + 1})
	}
	for _, m := range d.past.moves {
		if m.replica == replica {
			all = append(all, birth{m.at, -1})
		}
	}
	slices.SortFunc(all, func(a, b birth) int { return cmp.Compare(a.at, b.at) })
	for i := range all {
		if all[i].revision < 0 {
			all[i].revision = all[i-1].revision
		}
	}
	return all
}

// addReplicas adds the pods of a Deployment, a StatefulSet or a DaemonSet.
func (c *cluster) addReplicas(d declared) {
	if d.kind == "DaemonSet" {
		d.replicas = len(c.nodes)
	}
	if d.kind == "Deployment" {
		c.addReplicaSets(d)
	}
	for replica := range d.replicas {
		all := births(d, replica)
		for i, b := range all {
			end := never
			if i+1 < len(all) {
				end = all[i+1].at + handover(d.kind)
			}
			c.addReplica(d, replica, i, b, end)
		}
	}
}

// handover is how long a pod stays after its successor has started: Deployments surge, others make room first.
func handover(kind string) int64 {
	if kind == "Deployment" {
		return 25 * second
	}
	return -15 * second
}

func (c *cluster) addReplicaSets(d declared) {
	d.past.moves = nil // they need none
	for _, b := range births(d, 0) {
		c.replicaSets = append(c.replicaSets, object{
			namespace: d.namespace, name: replicaSetName(d, b.revision), owner: owner{"Deployment", d.name},
			start: b.at - second, end: never,
		})
	}
}

func replicaSetName(d declared, revision int) string {
	return d.name + "-" + templateHash(hash(d.namespace, d.name, fmt.Sprint("revision ", revision)))
}

func (c *cluster) addReplica(d declared, replica, n int, b birth, end int64) {
	seed := hash(d.namespace, d.name, fmt.Sprint("pod ", replica, n))
	own, name := owner{d.kind, d.name}, fmt.Sprint(d.name, "-", replica)
	at := c.nodes[replica%len(c.nodes)]
	switch d.kind {
	case "Deployment":
		own = owner{"ReplicaSet", replicaSetName(d, b.revision)}
		name = own.name + "-" + podSuffix(seed)
		at = c.nodes[(hash(d.namespace, d.name)+uint64(replica+n))%uint64(len(c.nodes))]
	case "DaemonSet":
		name = d.name + "-" + podSuffix(seed)
	}
	o := object{d.namespace, name, own, b.at, end}
	c.newPod(d, o, at, seed, replica, len(d.past.rollouts)-b.revision)
}

// addPod adds a pod that has no controller.
func (c *cluster) addPod(d declared) {
	own := owner{}
	if d.static {
		own = owner{"Node", d.node}
	}
	o := object{d.namespace, d.name, own, births(d, 0)[0].at, never}
	for _, n := range c.nodes {
		if n.name == d.node {
			c.newPod(d, o, n, hash(d.namespace, d.name), 0, 0)
		}
	}
}

// keptRuns is how many finished Jobs a CronJob keeps: successfulJobsHistoryLimit.
const keptRuns = 3

// addCronJob adds a Job and its pod for each run. A run is deleted when the keptRuns-th after it has finished.
func (c *cluster) addCronJob(d declared) {
	every := d.past.every.Milliseconds()
	for at := ago(9 * day); at < Until.UnixMilli(); at += every {
		gone := at + keptRuns*every + d.past.length.Milliseconds() + 20*second
		if gone >= Until.UnixMilli() {
			gone = never
		}
		name := fmt.Sprint(d.name, "-", at/minute)
		start := at + 3*second + int64(unit(hash(d.name), uint64(at))*2*second)
		c.addJob(d, name, owner{"CronJob", d.name}, start, gone)
	}
}

func (c *cluster) addJob(d declared, name string, own owner, start, gone int64) {
	c.jobs = append(c.jobs, object{d.namespace, name, own, start - second, gone})
	seed := hash(d.namespace, name)
	end := start + d.past.length.Milliseconds() + int64(noise(seed, 1)*8*second)
	o := object{d.namespace, name + "-" + podSuffix(seed), owner{"Job", name}, start, end}
	added := c.newPod(d, o, c.nodes[seed%uint64(len(c.nodes))], seed, 0, 0)
	added.gone, added.completes = gone, true
}

// newPod adds a pod that is so many revisions older than the manifest.
func (c *cluster) newPod(d declared, o object, at *node, seed uint64, replica, older int) *pod {
	added := &pod{
		namespace: o.namespace, name: o.name, uid: newUID(seed), owner: o.owner, node: at,
		qos: qosClass(d.spec), hostNetwork: d.spec.HostNetwork,
		start: o.start, end: o.end, gone: o.end,
		pause: (60 + int64(unit(seed, 2)*120)) * 4096,
	}
	at.addresses++
	added.ip = fmt.Sprintf("10.244.%d.%d", at.number, 1+at.addresses)
	if added.hostNetwork {
		added.ip = at.ip
	}
	if o.end != never {
		added.gone = o.end + 2*second
	}
	for i, declared := range d.spec.Containers {
		declared.Image = olderImage(declared.Image, older)
		added.containers = append(added.containers, newContainer(declared, d, added, replica, i))
	}
	c.pods = append(c.pods, added)
	return added
}

// olderImage is the image of an earlier revision: one of the release candidates.
func olderImage(image string, older int) string {
	if older == 0 {
		return image
	}
	return fmt.Sprint(image, "-rc.", 9-older)
}

func newContainer(spec corev1.Container, d declared, of *pod, replica, index int) *container {
	c := &container{
		Container: spec, pod: of, usage: d.past.usage[spec.Name], replica: replica, traffic: hash(d.namespace, d.name, "traffic"),
		cpuLimit: spec.Resources.Limits.Cpu().AsApproximateFloat64(),
		memLimit: spec.Resources.Limits.Memory().AsApproximateFloat64(),
	}
	start := of.start + 1500 + int64(index)*400
	for _, r := range d.past.restarts {
		if r.container == spec.Name && r.replica == replica && r.at > start && r.at < of.end {
			c.addRun(start, r.at, r.reason)
			start = r.at + 12*second
		}
	}
	c.addRun(start, of.end, "")
	return c
}

func (c *container) addRun(start, end int64, reason string) {
	attempt := len(c.runs)
	seed := hash(c.pod.uid, c.Name, fmt.Sprint("run ", attempt))
	c.runs = append(c.runs, &run{
		attempt: attempt, id: containerID(seed), seed: seed, start: start, end: end, reason: reason, last: start,
	})
}

// qosClass is the class that Kubernetes gives the pod: guaranteed where every container has limits, equal to
// its requests, best effort where none has anything.
func qosClass(spec corev1.PodSpec) corev1.PodQOSClass {
	guaranteed, bestEffort := true, true
	for _, c := range spec.Containers {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			request, limit := c.Resources.Requests[name], c.Resources.Limits[name]
			bestEffort = bestEffort && request.IsZero() && limit.IsZero()
			guaranteed = guaranteed && !limit.IsZero() && request.Cmp(limit) == 0
		}
	}
	switch {
	case guaranteed:
		return corev1.PodQOSGuaranteed
	case bestEffort:
		return corev1.PodQOSBestEffort
	default:
		return corev1.PodQOSBurstable
	}
}

// cgroup is the path of the pod's cgroup, as the node's driver spells it.
func (p *pod) cgroup() string {
	class := strings.ToLower(string(p.qos))
	if p.node.docker {
		if p.qos == corev1.PodQOSGuaranteed {
			return "/kubepods/pod" + p.uid
		}
		return "/kubepods/" + class + "/pod" + p.uid
	}
	uid := strings.ReplaceAll(p.uid, "-", "_")
	if p.qos == corev1.PodQOSGuaranteed {
		return "/kubepods.slice/kubepods-pod" + uid + ".slice"
	}
	return "/kubepods.slice/kubepods-" + class + ".slice/kubepods-" + class + "-pod" + uid + ".slice"
}
