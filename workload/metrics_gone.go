package workload

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rightsize/rightsize/recommender"
)

// metricsHint says what no metric tells.
const metricsHint = "--from-metrics: ResourceQuotas, VerticalPodAutoscalers, KEDA's ScaledObjects, heap settings and labels are not looked at, since kube-state-metrics does not tell them all"

// resolvers know whose the pods of each namespace are: by their owners, and by the names of what kube-state-metrics has
// replicas of where an owner was not recorded.
func (m *metricsReader) resolvers() map[string]*Resolver {
	known := map[string][]Workload{}
	for ref := range m.replicas {
		if m.standsAlone(ref) {
			known[ref.Namespace] = append(known[ref.Namespace], Workload{Ref: ref})
		}
	}
	out := map[string]*Resolver{}
	for name := range m.pods {
		if out[name.namespace] == nil {
			among := append(known[name.namespace], Workload{Ref: Ref{Namespace: name.namespace}})
			out[name.namespace] = NewResolver(among, m.owners[name.namespace], recommender.Owners{})
		}
	}
	return out
}

// standsAlone says that the object is a workload as far as is known: nobody owns it. Of a ReplicaSet or a Job that has to be
// recorded, since most belong to somebody.
func (m *metricsReader) standsAlone(ref Ref) bool {
	owners := m.ownersOf(ref.Namespace)
	owner, ok := recommender.Owner{}, true
	switch ref.Kind {
	case "ReplicaSet":
		owner, ok = owners.ReplicaSets[ref.Name]
	case "Job":
		owner, ok = owners.Jobs[ref.Name]
	}
	return ok && owner.Kind == ""
}

// podless are the workloads that are there and have no pods, in order.
func (m *metricsReader) podless() (refs []Ref) {
	for ref := range m.replicas {
		if len(m.workloads[ref]) == 0 && m.standsAlone(ref) {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, Ref.Compare)
	return refs
}

// podlessText names the workloads whose containers nothing tells, a line for each namespace.
func podlessText(refs []Ref) (lines []string) {
	names := map[string][]string{}
	for _, ref := range refs {
		names[ref.Namespace] = append(names[ref.Namespace], ref.String())
	}
	for _, namespace := range slices.Sorted(maps.Keys(names)) {
		slices.Sort(names[namespace])
		lines = append(lines, fmt.Sprintf("namespace %s: no pod of %s is there, so metrics do not tell its containers: left out", namespace, strings.Join(names[namespace], ", ")))
	}
	return lines
}

// strayText counts the pods that are left out since their workload is not known: guessing it would make up workloads.
func (m *metricsReader) strayText() (lines []string) {
	for _, namespace := range slices.Sorted(maps.Keys(m.strays)) {
		pods := slices.Sorted(slices.Values(m.strays[namespace]))
		lines = append(lines, fmt.Sprintf("namespace %s: the workload of %s such as %s is not known and left out: does kube-state-metrics expose kube_pod_owner, kube_replicaset_owner and kube_job_owner?",
			namespace, recommender.Count(len(pods), "pod"), pods[0]))
	}
	return lines
}

// webhookText names what may have changed pods without a trace. Which pods a webhook looks at, metrics do not tell.
func (m *metricsReader) webhookText() []string {
	if len(m.webhooks) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(m.webhooks))
	const most = 5
	if n := len(names) - most; n > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", n))
	}
	return []string{fmt.Sprintf("mutating webhooks may have changed what pods declare, which metrics do not show: %s", strings.Join(names, ", "))}
}

// mostPastPods is how many pods of a workload are looked at for its last one. Those of a CronJob's runs are the latest: their names
// hold the time.
const mostPastPods = 50

// PastPods are the pods that workloads of one namespace had, by who owned what over the window: of each the ones among which
// its last is to be found, in order.
func PastPods(refs []Ref, owners recommender.Owners) map[Ref][]string {
	of := map[Ref][]string{}
	var among []Workload
	for _, ref := range refs {
		among = append(among, Workload{Ref: ref})
	}
	r := NewResolver(among, owners, recommender.Owners{})
	for pod := range owners.Pods {
		if ref := r.Resolve(pod).Ref; slices.Contains(refs, ref) {
			of[ref] = append(of[ref], pod)
		}
	}
	for ref, pods := range of {
		slices.Sort(pods)
		of[ref] = pods[max(len(pods)-mostPastPods, 0):]
	}
	return of
}

// Newest is the pod of each workload that was created last, by kube_pod_created; of those of which nobody recorded it the last by
// name.
func Newest(of map[Ref][]string, metrics []Metric) []string {
	created := map[podName]float64{}
	for _, x := range metrics {
		if x.Name == createdMetric {
			created[podName{x.Labels["namespace"], x.Labels["pod"]}] = x.Value
		}
	}
	var newest []string
	for ref, pods := range of {
		newest = append(newest, slices.MaxFunc(pods, func(a, b string) int {
			return cmp.Or(cmp.Compare(created[podName{ref.Namespace, a}], created[podName{ref.Namespace, b}]), strings.Compare(a, b))
		}))
	}
	return slices.Sorted(slices.Values(newest))
}

// PodMetrics are those of Metrics that say what a pod is made of.
func PodMetrics() (names []string) {
	for _, name := range Metrics() {
		if strings.HasPrefix(name, "kube_pod_") && name != "kube_pod_owner" && name != "kube_pod_status_phase" {
			names = append(names, name)
		}
	}
	return names
}

// OwnerMetrics tell again who owned pods that are gone, and who their ReplicaSets and Jobs.
func OwnerMetrics(namespace string, pods []string, owners recommender.Owners) (metrics []Metric) {
	tell := func(metric, label, name string, o recommender.Owner) {
		metrics = append(metrics, Metric{Name: metric, Value: 1, Gone: true, Labels: map[string]string{
			"namespace": namespace, label: name, "owner_kind": o.Kind, "owner_name": o.Name,
		}})
	}
	for _, pod := range pods {
		owner := owners.Pods[pod]
		tell("kube_pod_owner", "pod", pod, owner)
		if up, ok := owners.Of(owner); ok {
			switch owner.Kind {
			case "ReplicaSet":
				tell("kube_replicaset_owner", "replicaset", owner.Name, up)
			case "Job":
				tell("kube_job_owner", "job_name", owner.Name, up)
			}
		}
	}
	return metrics
}
