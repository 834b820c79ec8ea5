package workload

import (
	"cmp"
	"maps"
	"slices"

	"github.com/rightsize/rightsize/recommender"
)

// seenHPA is a HorizontalPodAutoscaler as its series tell: the shares that it keeps to.
type seenHPA struct {
	of      Ref
	percent map[share]int32
}

// share is what an autoscaler measures: of all containers, or of one. kube-state-metrics names that from 2.19 on; before, it
// counts for all.
type share struct{ resource, container string }

func (a share) compare(b share) int {
	return cmp.Or(cmp.Compare(a.resource, b.resource), cmp.Compare(a.container, b.container))
}

func (m *metricsReader) hpa(x Metric) *seenHPA {
	ref := Ref{x.Labels["namespace"], "HorizontalPodAutoscaler", x.Labels["horizontalpodautoscaler"]}
	h := m.hpas[ref]
	if h == nil {
		h = &seenHPA{percent: map[share]int32{}}
		m.hpas[ref] = h
	}
	return h
}

// hpaMetric takes a target of utilization. Its label container is the autoscaler's where the metric is of one; without
// honor_labels, or before 2.19, it may be kube-state-metrics' own, which is no container of the workload.
func (m *metricsReader) hpaMetric(x Metric) {
	if x.Labels["metric_target_type"] == "utilization" {
		m.hpa(x).percent[share{x.Labels["metric_name"], x.Labels["container"]}] = int32(x.Value)
	}
}

// surroundHPAs hands the autoscalers on.
func (m *metricsReader) surroundHPAs() {
	for _, ref := range slices.SortedFunc(maps.Keys(m.hpas), Ref.Compare) {
		h := m.hpas[ref]
		for _, of := range slices.SortedFunc(maps.Keys(h.percent), share.compare) {
			percent := h.percent[of]
			container := of.container
			if !m.runs(h.of, container) {
				container = ""
			}
			m.around.scaled(scaler{of: h.of, name: ref.Kind + " " + ref.Name}, of.resource, container, &percent, recommender.Target{})
		}
	}
}

// runs says whether a workload has a container of this name.
func (m *metricsReader) runs(w Ref, container string) bool {
	return slices.ContainsFunc(m.workloads[w], func(p *seenPod) bool { return p.containers[container] != nil })
}
