package workload

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/rightsize/rightsize/recommender"
)

// Metric is one of kube-state-metrics' series, with the labels that it gives them.
type Metric struct {
	Name   string
	Labels map[string]string
	Value  float64

	// Gone says that it is from earlier, of a pod that is there no more: see PastPods.
	Gone bool
}

// Metrics are the names of kube-state-metrics' series that FromMetrics reads of a namespace.
// https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics
func Metrics() []string {
	return []string{
		podInfo, initInfo, "kube_pod_info", "kube_pod_owner", "kube_replicaset_owner", "kube_job_owner", "kube_pod_status_phase", createdMetric,
		"kube_pod_container_resource_requests", "kube_pod_container_resource_limits",
		"kube_pod_init_container_resource_requests", "kube_pod_init_container_resource_limits",
		"kube_deployment_spec_replicas", surgeMetric, "kube_statefulset_replicas", "kube_daemonset_status_desired_number_scheduled",
		"kube_replicaset_spec_replicas", "kube_job_status_active", "kube_cronjob_info",
		"kube_limitrange", "kube_horizontalpodautoscaler_info", "kube_horizontalpodautoscaler_spec_target_metric",
	}
}

const (
	podInfo  = "kube_pod_container_info"
	initInfo = "kube_pod_init_container_info"

	createdMetric = "kube_pod_created"

	surgeMetric = "kube_deployment_spec_strategy_rollingupdate_max_surge" // in pods, whatever it is declared in
)

// ClusterMetrics are those that are no namespace's.
func ClusterMetrics() []string { return []string{"kube_node_status_allocatable", webhookInfo} }

const webhookInfo = "kube_mutatingwebhookconfiguration_info"

// FromMetrics makes out what is declared from kube-state-metrics alone. It sees pods, and so the workloads that have some:
// others are named in a warning. What it sees is what was admitted. That is what is declared, unless somebody changed
// it on the way; where that shows, or cannot be told, the container says so (recommender.Container.Admitted).
func FromMetrics(metrics []Metric) *Inventory {
	m := newMetricsReader()
	for _, x := range metrics {
		m.take(x)
	}
	inv := &Inventory{FromMetrics: true, Owners: m.owners}
	for _, ref := range slices.SortedFunc(maps.Keys(m.byWorkload()), Ref.Compare) {
		inv.Workloads = append(inv.Workloads, m.workload(ref))
	}
	inv.Podless = m.podless()
	inv.Warnings = slices.Concat(podlessText(inv.Podless), m.strayText(), m.webhookText())
	inv.Hints = []string{metricsHint}
	inv.Namespaces = slices.Sorted(maps.Keys(m.owners))
	inv.sort()
	m.surround()
	m.around.attach(inv.Workloads)
	m.noteDefaults(inv.Workloads)
	return inv
}

// metricsReader puts together what single series say.
type metricsReader struct {
	pods     map[podName]*seenPod
	owners   map[string]recommender.Owners
	replicas map[Ref]int
	surges   map[Ref]int
	webhooks map[string]bool
	around   *surroundings

	ranges map[Ref]*corev1.LimitRangeItem // by the LimitRange
	hpas   map[Ref]*seenHPA
	nodes  map[string]*recommender.Room

	workloads map[Ref][]*seenPod  // see byWorkload
	strays    map[string][]string // pods of nobody who is known, by namespace
}

type podName struct{ namespace, name string }

// seenPod is a pod as its series tell.
type seenPod struct {
	podName
	created    float64 // Unix seconds; 0 where it is not known
	phase      corev1.PodPhase
	priority   string // its class
	gone       bool
	containers map[string]*seenContainer
}

// seenContainer is a container with what was admitted of it.
type seenContainer struct {
	init, sidecar bool
	spec          [recommender.NumResources]recommender.Bounds
}

func newMetricsReader() *metricsReader {
	return &metricsReader{
		pods: map[podName]*seenPod{}, owners: map[string]recommender.Owners{}, replicas: map[Ref]int{}, around: newSurroundings(),
		surges: map[Ref]int{}, webhooks: map[string]bool{},
		ranges: map[Ref]*corev1.LimitRangeItem{}, hpas: map[Ref]*seenHPA{}, nodes: map[string]*recommender.Room{}, strays: map[string][]string{},
	}
}

func (m *metricsReader) take(x Metric) {
	namespace := x.Labels["namespace"]
	switch x.Name {
	case podInfo, initInfo:
		c := m.container(x)
		c.init = x.Name == initInfo
		c.sidecar = x.Labels["restart_policy"] == string(corev1.ContainerRestartPolicyAlways)
	case "kube_pod_info":
		m.pod(x).priority = x.Labels["priority_class"]
	case "kube_pod_owner":
		m.pod(x)
		m.ownersOf(namespace).Pods[x.Labels["pod"]] = ownerIn(x, m.ownersOf(namespace).Pods[x.Labels["pod"]])
	case "kube_replicaset_owner":
		sets := m.ownersOf(namespace).ReplicaSets
		sets[x.Labels["replicaset"]] = ownerIn(x, sets[x.Labels["replicaset"]])
	case "kube_job_owner":
		jobs := m.ownersOf(namespace).Jobs
		jobs[x.Labels["job_name"]] = ownerIn(x, jobs[x.Labels["job_name"]])
	case "kube_pod_status_phase":
		if x.Value == 1 {
			m.pod(x).phase = corev1.PodPhase(x.Labels["phase"])
		}
	case createdMetric:
		m.pod(x).created = x.Value
	case "kube_pod_container_resource_requests", "kube_pod_init_container_resource_requests":
		m.amount(x, func(b *recommender.Bounds) *recommender.Value { return &b.Request })
	case "kube_pod_container_resource_limits", "kube_pod_init_container_resource_limits":
		m.amount(x, func(b *recommender.Bounds) *recommender.Value { return &b.Limit })
	case surgeMetric:
		m.surges[Ref{namespace, "Deployment", x.Labels["deployment"]}] = int(x.Value)
	case webhookInfo:
		m.webhooks[x.Labels["mutatingwebhookconfiguration"]] = true
	case "kube_limitrange":
		m.limitRange(x)
	case "kube_horizontalpodautoscaler_info":
		m.hpa(x).of = Ref{namespace, x.Labels["scaletargetref_kind"], x.Labels["scaletargetref_name"]}
	case "kube_horizontalpodautoscaler_spec_target_metric":
		m.hpaMetric(x)
	case "kube_node_status_allocatable":
		m.node(x)
	default:
		m.wanted(x)
	}
}

// wanted takes how many replicas a workload is to have.
func (m *metricsReader) wanted(x Metric) {
	for metric, kind := range map[string]struct{ kind, label string }{
		"kube_deployment_spec_replicas":                  {"Deployment", "deployment"},
		"kube_statefulset_replicas":                      {"StatefulSet", "statefulset"},
		"kube_daemonset_status_desired_number_scheduled": {"DaemonSet", "daemonset"},
		"kube_replicaset_spec_replicas":                  {"ReplicaSet", "replicaset"},
		"kube_job_status_active":                         {"Job", "job_name"},
	} {
		if x.Name == metric {
			m.replicas[Ref{x.Labels["namespace"], kind.kind, x.Labels[kind.label]}] = int(x.Value)
		}
	}
	if x.Name == "kube_cronjob_info" {
		m.replicas[Ref{x.Labels["namespace"], "CronJob", x.Labels["cronjob"]}] = 0
	}
}

func (m *metricsReader) pod(x Metric) *seenPod {
	name := podName{x.Labels["namespace"], x.Labels["pod"]}
	p := m.pods[name]
	if p == nil {
		p = &seenPod{podName: name, gone: x.Gone, containers: map[string]*seenContainer{}}
		m.pods[name] = p
	}
	return p
}

func (m *metricsReader) container(x Metric) *seenContainer {
	containers, name := m.pod(x).containers, x.Labels["container"]
	c := containers[name]
	if c == nil {
		c = &seenContainer{}
		for r := range recommender.NumResources {
			c.spec[r] = recommender.Bounds{Request: recommender.Unset(), Limit: recommender.Unset()}
		}
		containers[name] = c
	}
	return c
}

func (m *metricsReader) amount(x Metric, side func(*recommender.Bounds) *recommender.Value) {
	for r := range recommender.NumResources {
		if x.Labels["resource"] == r.String() {
			*side(&m.container(x).spec[r]) = recommender.Set(x.Value)
		}
	}
}

func (m *metricsReader) ownersOf(namespace string) recommender.Owners {
	o, ok := m.owners[namespace]
	if !ok {
		o = recommender.NewOwners()
		m.owners[namespace] = o
	}
	return o
}

// ownerIn is the owner that a series names, if it is the controller, or what was known before.
func ownerIn(x Metric, before recommender.Owner) recommender.Owner {
	kind, name := x.Labels["owner_kind"], x.Labels["owner_name"]
	if kind == "" || kind == "<none>" || x.Labels["owner_is_controller"] == "false" {
		return before
	}
	return recommender.Owner{Kind: kind, Name: name}
}

// byWorkload sorts the pods out by the top of their owners. Static pods are their nodes', as in a listing.
func (m *metricsReader) byWorkload() map[Ref][]*seenPod {
	if m.workloads != nil {
		return m.workloads
	}
	m.workloads = map[Ref][]*seenPod{}
	resolvers := m.resolvers()
	for name, p := range m.pods {
		if len(p.containers) == 0 {
			continue
		}
		match := resolvers[name.namespace].Resolve(name.name)
		switch {
		case match.Way == Unknown || match.Way == Ambiguous:
			m.strays[name.namespace] = append(m.strays[name.namespace], name.name)
		case match.Ref.Kind != "Node":
			m.workloads[match.Ref] = append(m.workloads[match.Ref], p)
		}
	}
	return m.workloads
}

// workload is as its newest pod was admitted. Metrics do not tell the order of containers.
func (m *metricsReader) workload(ref Ref) Workload {
	pods := m.workloads[ref]
	slices.SortFunc(pods, func(a, b *seenPod) int {
		return cmp.Or(cmp.Compare(ended(a), ended(b)), cmp.Compare(b.created, a.created), strings.Compare(a.name, b.name))
	})
	w := Workload{Ref: ref}
	w.Surge = m.surges[ref]
	running := 0
	for _, p := range pods {
		running += 1 - ended(p)
	}
	replicas, known := m.replicas[ref]
	if !known {
		replicas = running
	}
	newest := pods[0]
	w.Priority = newest.priority
	for _, name := range newest.names() {
		c := newest.containers[name]
		out := recommender.Container{
			ID:   recommender.ID{Namespace: ref.Namespace, Kind: ref.Kind, Workload: ref.Name, Container: name},
			Spec: c.spec, Replicas: replicas, Init: c.init && !c.sidecar,
		}
		for r := range recommender.NumResources {
			out.Admitted[r] = m.changed(ref, pods, name, r)
		}
		w.Containers = append(w.Containers, out)
	}
	return w
}

// names are those of the pod's containers, init containers last.
func (p *seenPod) names() (names []string) {
	var inits []string
	for _, name := range slices.Sorted(maps.Keys(p.containers)) {
		if p.containers[name].init {
			inits = append(inits, name)
		} else {
			names = append(names, name)
		}
	}
	return append(names, inits...)
}

// ended is 1 for a pod that is over.
func ended(p *seenPod) int {
	if p.gone || p.phase == corev1.PodSucceeded || p.phase == corev1.PodFailed {
		return 1
	}
	return 0
}

// changed says how it shows that what was admitted of a container may not be what is declared.
func (m *metricsReader) changed(ref Ref, pods []*seenPod, container string, r recommender.Resource) string {
	if known := injectors()[container]; known.name != "" {
		return known.name + " puts this container into pods"
	}
	newest := pods[0]
	if newest.gone {
		return fmt.Sprintf("it has no pod now, and this is of %s, which it had last", newest.name)
	}
	for _, p := range pods[1:] {
		if ended(p) > ended(newest) || m.maker(p) != m.maker(newest) {
			continue
		}
		switch c := p.containers[container]; {
		case c == nil:
			return fmt.Sprintf("pod %s has no such container, and pod %s of the same %s has", p.name, newest.name, m.maker(p).Kind)
		case c.spec[r] != newest.containers[container].spec[r]:
			return fmt.Sprintf("pods %s and %s differ, though one %s made both", newest.name, p.name, cmp.Or(m.maker(p).Kind, ref.Kind))
		}
	}
	return ""
}

// maker is the controller that made the pod: one ReplicaSet makes all pods of a template.
func (m *metricsReader) maker(p *seenPod) recommender.Owner {
	return m.owners[p.namespace].Pods[p.name]
}

// noteDefaults marks what a LimitRange may have filled in: its default and what is there are the same.
func (m *metricsReader) noteDefaults(workloads []Workload) {
	for _, w := range workloads {
		for i := range w.Containers {
			c := &w.Containers[i]
			for r := range recommender.NumResources {
				for _, l := range c.Facts.Ranges {
					of := l.Of[r]
					if c.Admitted[r] == "" && (same(of.DefaultRequest, c.Spec[r].Request) || same(of.DefaultLimit, c.Spec[r].Limit)) {
						c.Admitted[r] = "LimitRange " + l.Name + " may have filled it in, whose default it is"
					}
				}
			}
		}
	}
}

func same(a, b recommender.Value) bool {
	x, has := a.Amount()
	y, too := b.Amount()
	return has && too && x == y
}

// limitRange takes one number of one resource of a LimitRange.
func (m *metricsReader) limitRange(x Metric) {
	if x.Labels["type"] != string(corev1.LimitTypeContainer) {
		return
	}
	ref := Ref{x.Labels["namespace"], "LimitRange", x.Labels["limitrange"]}
	item := m.ranges[ref]
	if item == nil {
		item = &corev1.LimitRangeItem{
			Type: corev1.LimitTypeContainer, Min: corev1.ResourceList{}, Max: corev1.ResourceList{}, Default: corev1.ResourceList{},
			DefaultRequest: corev1.ResourceList{}, MaxLimitRequestRatio: corev1.ResourceList{},
		}
		m.ranges[ref] = item
	}
	lists := map[string]corev1.ResourceList{
		"min": item.Min, "max": item.Max, "default": item.Default, "defaultRequest": item.DefaultRequest, "maxLimitRequestRatio": item.MaxLimitRequestRatio,
	}
	if list, ok := lists[x.Labels["constraint"]]; ok {
		list[corev1.ResourceName(x.Labels["resource"])] = quantityOf(x.Value)
	}
}

// quantityOf is the number as a quantity, which has decimals to the thousandth at least.
func quantityOf(v float64) resource.Quantity {
	q, err := resource.ParseQuantity(strconv.FormatFloat(v, 'f', -1, 64))
	if err != nil {
		return resource.Quantity{} // of what is no number
	}
	return q
}

func (m *metricsReader) node(x Metric) {
	room := m.nodes[x.Labels["node"]]
	if room == nil {
		room = &recommender.Room{}
		m.nodes[x.Labels["node"]] = room
	}
	for r := range recommender.NumResources {
		if x.Labels["resource"] == r.String() {
			room[r] = x.Value
		}
	}
}

// surround hands on what bears on workloads. Where an autoscaler's targets stand in its object is not told.
func (m *metricsReader) surround() {
	for ref, item := range m.ranges {
		l := &corev1.LimitRange{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{*item}}}
		l.Namespace, l.Name = ref.Namespace, ref.Name
		m.around.limitRange(l)
	}
	m.surroundHPAs()
	for _, room := range m.nodes {
		m.around.nodes = append(m.around.nodes, *room)
	}
}
