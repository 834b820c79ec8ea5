package shop

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/prometheus/prometheus/model/labels"
)

// kubeState is kube-state-metrics, scraped with honor_labels: where a series has no pod or container of its
// own, it carries those of kube-state-metrics itself.
type kubeState struct {
	base    labels.Labels
	objects []*fact
	pods    []*podState
}

// fact is a series of one value, there in [start, end).
type fact struct {
	*series
	value      float64
	start, end int64
}

// podState is what kube-state-metrics says of a pod.
type podState struct {
	*pod
	facts      []*series // of value 1
	phases     []*series // as in phases
	containers []*containerState
}

type containerState struct {
	*container
	amounts  []fact // requests and limits
	restarts *series
	info     []*series          // one a run
	ended    map[string]*series // kube_pod_container_status_last_terminated_reason, by reason
}

func newKubeStateMetrics(c *cluster) *kubeState {
	k := &kubeState{base: labels.FromStrings("endpoint", "http", "job", "kube-state-metrics", "service", "kube-state-metrics")}
	for _, p := range c.pods {
		if p.namespace == "kube-system" && p.containers[0].Name == "kube-state-metrics" {
			k.base = labels.NewBuilder(k.base).Set("instance", p.ip+":8080").Set("namespace", p.namespace).
				Set("pod", p.name).Set("container", p.containers[0].Name).Labels()
		}
	}
	k.addObjects(c)
	for _, p := range c.pods {
		k.pods = append(k.pods, k.newPodState(p))
	}
	return k
}

func (k *kubeState) target() *target {
	return &target{name: "kube-state-metrics", offset: 2_480, spread: 45, every: 2, collect: k.collect}
}

func (k *kubeState) addObjects(c *cluster) {
	for _, d := range c.declared {
		k.addDeclared(c, d)
	}
	for _, rs := range c.replicaSets {
		pairs := append([]string{"namespace", rs.namespace, "replicaset", rs.name}, ownerLabels(rs.owner)...)
		k.add("kube_replicaset_owner", 1, rs.start, rs.end, pairs...)
	}
	for _, j := range c.jobs {
		pairs := append([]string{"namespace", j.namespace, "job_name", j.name}, ownerLabels(j.owner)...)
		k.add("kube_job_owner", 1, j.start, j.end, pairs...)
	}
}

// addDeclared adds what is said of a workload itself: how many replicas it wants, or its schedule.
func (k *kubeState) addDeclared(c *cluster, d declared) {
	start := births(d, 0)[0].at - 2*second
	switch d.kind {
	case "Deployment":
		k.add("kube_deployment_spec_replicas", float64(d.replicas), start, never, "namespace", d.namespace, "deployment", d.name)
	case "StatefulSet":
		k.add("kube_statefulset_replicas", float64(d.replicas), start, never, "namespace", d.namespace, "statefulset", d.name)
	case "DaemonSet":
		k.add("kube_daemonset_status_desired_number_scheduled", float64(len(c.nodes)), start, never,
			"namespace", d.namespace, "daemonset", d.name)
	case "CronJob":
		k.add("kube_cronjob_info", 1, start, never, "namespace", d.namespace, "cronjob", d.name,
			"schedule", d.schedule, "concurrency_policy", "Allow")
	}
}

func (k *kubeState) add(name string, v float64, start, end int64, pairs ...string) {
	k.objects = append(k.objects, &fact{newSeries(name, k.base, pairs), v, start, end})
}

// ownerLabels are empty where nobody owns the object.
func ownerLabels(o owner) []string {
	controller := ""
	if o != (owner{}) {
		controller = "true"
	}
	return []string{"owner_kind", o.kind, "owner_name", o.name, "owner_is_controller", controller}
}

func (k *kubeState) newPodState(p *pod) *podState {
	name := []string{"namespace", p.namespace, "pod", p.name, "uid", p.uid}
	s := &podState{pod: p}
	s.facts = []*series{
		newSeries("kube_pod_owner", k.base, append(slices.Clone(name), ownerLabels(p.owner)...)),
		newSeries("kube_pod_info", k.base, append(slices.Clone(name),
			"created_by_kind", p.owner.kind, "created_by_name", p.owner.name, "host_ip", p.node.ip,
			"host_network", fmt.Sprint(p.hostNetwork), "node", p.node.name, "pod_ip", p.ip)),
	}
	for _, phase := range phases() {
		s.phases = append(s.phases, newSeries("kube_pod_status_phase", k.base, append(slices.Clone(name), "phase", string(phase))))
	}
	for _, c := range p.containers {
		s.containers = append(s.containers, k.newContainerState(c, append(slices.Clone(name), "container", c.Name)))
	}
	return s
}

func (k *kubeState) newContainerState(c *container, name []string) *containerState {
	s := &containerState{container: c, ended: map[string]*series{}}
	s.restarts = newSeries("kube_pod_container_status_restarts_total", k.base, name)
	s.amounts = append(k.amounts(c, "requests", c.Resources.Requests, name), k.amounts(c, "limits", c.Resources.Limits, name)...)
	runtime := "containerd://"
	if c.pod.node.docker {
		runtime = "docker://"
	}
	for _, r := range c.runs {
		s.info = append(s.info, newSeries("kube_pod_container_info", k.base, append(slices.Clone(name), "container_id", runtime+r.id,
			"image", c.Image, "image_id", "registry.shop.example/"+c.Name+"@sha256:"+containerID(hash(c.Image)), "image_spec", c.Image)))
		if r.reason != "" {
			s.ended[r.reason] = newSeries("kube_pod_container_status_last_terminated_reason", k.base, append(slices.Clone(name), "reason", r.reason))
		}
	}
	return s
}

// amounts are the series of a container's requests or limits, in cores or bytes.
func (k *kubeState) amounts(c *container, which string, list corev1.ResourceList, name []string) []fact {
	var all []fact
	for _, r := range []struct {
		name corev1.ResourceName
		unit string
	}{{corev1.ResourceCPU, "core"}, {corev1.ResourceMemory, "byte"}} {
		if q, ok := list[r.name]; ok {
			pairs := append(slices.Clone(name), "node", c.pod.node.name, "resource", string(r.name), "unit", r.unit)
			all = append(all, fact{series: newSeries("kube_pod_container_resource_"+which, k.base, pairs), value: q.AsApproximateFloat64()})
		}
	}
	return all
}

func (k *kubeState) collect(t int64, emit func(*series, float64)) {
	for _, o := range k.objects {
		if o.start <= t && t < o.end {
			emit(o.series, o.value)
		}
	}
	for _, p := range k.pods {
		if p.start <= t && t < p.gone {
			p.collect(t, emit)
		}
	}
}

func (s *podState) collect(t int64, emit func(*series, float64)) {
	for _, f := range s.facts {
		emit(f, 1)
	}
	now := s.phase(t)
	for i, phase := range phases() {
		v := 0.0
		if phase == now {
			v = 1
		}
		emit(s.phases[i], v)
	}
	for _, c := range s.containers {
		c.collect(t, emit)
	}
}

// phases has a series each, of which one is 1.
func phases() [5]corev1.PodPhase {
	return [...]corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed, corev1.PodUnknown}
}

func (p *pod) phase(t int64) corev1.PodPhase {
	switch {
	case t < p.start+1500:
		return corev1.PodPending
	case p.completes && t >= p.end:
		return corev1.PodSucceeded
	default:
		return corev1.PodRunning
	}
}

func (s *containerState) collect(t int64, emit func(*series, float64)) {
	for _, a := range s.amounts {
		emit(a.series, a.value)
	}
	latest := s.runs[0]
	for _, r := range s.runs {
		if r.start <= t {
			latest = r
		}
	}
	emit(s.info[latest.attempt], 1)
	emit(s.restarts, float64(latest.attempt))
	if latest.attempt > 0 {
		emit(s.ended[s.runs[latest.attempt-1].reason], 1)
	}
}
