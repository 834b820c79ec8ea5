package workload

import (
	"slices"

	"github.com/rightsize/rightsize/recommender"
)

// injector is what puts a container into pods on their way.
type injector struct {
	name string
	by   [recommender.NumResources]recommender.SizedBy // annotations of a pod's template; none where it has none
}

// injectors are those that are known, by the names of their containers, with the annotations that their documentation
// gives: https://istio.io/latest/docs/reference/config/annotations/,
// https://linkerd.io/2/reference/proxy-configuration/.
func injectors() map[string]injector {
	return map[string]injector{
		"istio-init":   {name: "Istio"},
		"linkerd-init": {name: "Linkerd"},
		"istio-proxy": {"Istio", [recommender.NumResources]recommender.SizedBy{
			recommender.CPU:    {Request: "sidecar.istio.io/proxyCPU", Limit: "sidecar.istio.io/proxyCPULimit"},
			recommender.Memory: {Request: "sidecar.istio.io/proxyMemory", Limit: "sidecar.istio.io/proxyMemoryLimit"},
		}},
		"linkerd-proxy": {"Linkerd", [recommender.NumResources]recommender.SizedBy{
			recommender.CPU:    {Request: "config.linkerd.io/proxy-cpu-request", Limit: "config.linkerd.io/proxy-cpu-limit"},
			recommender.Memory: {Request: "config.linkerd.io/proxy-memory-request", Limit: "config.linkerd.io/proxy-memory-limit"},
		}},
	}
}

// addInjected adds to each workload the containers that its newest pod has and its template does not: something puts them
// in as pods are made. They are the last, and have no slots. Without the right to list pods there are none.
func (inv *Inventory) addInjected() {
	at := map[Ref]int{}
	for i, w := range inv.Workloads {
		refs := w.Parts
		if len(w.Parts) == 0 || w.Template != (Ref{}) {
			refs = w.refs()
		}
		for _, r := range refs {
			at[r] = i
		}
	}
	newest := map[int]podSeen{}
	former := map[int][]string{} // what the ReplicaSet of that pod declares, which may be of an earlier template
	for controller, pod := range inv.seen.newest {
		maker, declared := inv.seen.maker(controller)
		i, ok := at[maker]
		before, several := newest[i]
		if ok && (!several || later(pod.created, pod.name, before.created, before.name)) {
			newest[i], former[i] = pod, declared
		}
	}
	for i, pod := range newest {
		inv.Workloads[i].inject(pod, former[i])
	}
}

func (w *Workload) inject(pod podSeen, former []string) {
	if len(w.Containers) == 0 {
		return
	}
	declared := slices.Concat(containerNames(*w), former)
	w.Containers = slices.Clone(w.Containers)
	like := w.Containers[0]
	for _, c := range pod.containers {
		if slices.Contains(declared, c.ID.Container) {
			continue
		}
		name := c.ID.Container
		c.ID = like.ID
		c.ID.Container, c.Replicas, c.Owner, c.Pod = name, like.Replicas, like.Owner, like.Pod
		c.Injected, c.SizedBy = true, injectors()[name].by
		w.Containers = append(w.Containers, c)
	}
}
