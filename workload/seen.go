package workload

import (
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/rightsize/rightsize/recommender"
)

// sightings are what a listing showed besides workloads, as little of it as is needed: who controls what, and what pods
// are really like. The zero sightings are none.
type sightings struct {
	sets   map[Ref]replicaSet // those that a controller has
	jobs   map[Ref]Ref        // the controllers of Jobs
	newest map[Ref]podSeen    // by what controls the pod
	groups map[Ref]*podGroup  // pods that an object of no listed kind controls, by that object
}

type replicaSet struct {
	controller Ref
	containers []string // of its template
}

// podSeen is a pod as admission left it.
type podSeen struct {
	created    time.Time
	name       string
	containers []recommender.Container // without their workload
}

// podGroup is pods that one object made itself.
type podGroup struct {
	owner   metav1.OwnerReference
	created time.Time // of the newest
	Workload
}

func (s *sightings) take(obj runtime.Object, w Workload) {
	if s.newest == nil {
		*s = sightings{map[Ref]replicaSet{}, map[Ref]Ref{}, map[Ref]podSeen{}, map[Ref]*podGroup{}}
	}
	if w.controller == nil {
		return
	}
	controller := Ref{w.Namespace, w.controller.Kind, w.controller.Name}
	switch o := obj.(type) {
	case *appsv1.ReplicaSet:
		s.sets[w.Ref] = replicaSet{controller, containerNames(w)}
		if !isKind(w.controller.APIVersion, w.controller.Kind) {
			s.group(controller, o.ObjectMeta, w)
		}
	case *batchv1.Job:
		s.jobs[w.Ref] = controller
	case *corev1.Pod:
		s.pod(controller, o, w)
	}
}

func containerNames(w Workload) (names []string) {
	for _, c := range w.Containers {
		names = append(names, c.ID.Container)
	}
	return names
}

// pod keeps the newest pod of each controller, and counts those of objects that make pods themselves. The mirrors of
// static pods are their nodes', and pods that end by themselves are runs of something that has no name for them all.
func (s *sightings) pod(controller Ref, o *corev1.Pod, w Workload) {
	if mirror(o) {
		return
	}
	created := o.CreationTimestamp.Time
	if before, ok := s.newest[controller]; !ok || later(created, o.Name, before.created, before.name) {
		s.newest[controller] = podSeen{created, o.Name, w.Containers}
	}
	lasting := o.Spec.RestartPolicy == corev1.RestartPolicyAlways || o.Spec.RestartPolicy == ""
	if isKind(w.controller.APIVersion, w.controller.Kind) || !lasting || running(o.Status) == 0 {
		return
	}
	s.group(controller, o.ObjectMeta, w)
}

// later orders pods by age, and those of one second by name, so that the answer does not hang on the order of a list.
func later(a time.Time, name string, b time.Time, other string) bool {
	if c := a.Compare(b); c != 0 {
		return c > 0
	}
	return name > other
}

// group adds an object to those of its controller, of which the newest shows what they are like.
func (s *sightings) group(controller Ref, m metav1.ObjectMeta, w Workload) {
	g := s.groups[controller]
	if g == nil {
		g = &podGroup{owner: *w.controller}
		s.groups[controller] = g
	}
	replicas, parts, part := 0, g.Parts, w.Ref
	if len(g.Containers) > 0 {
		replicas = g.Containers[0].Replicas
	}
	if len(w.Containers) > 0 {
		replicas += w.Containers[0].Replicas
	}
	if g.Name == "" || later(m.CreationTimestamp.Time, w.Name, g.created, "") {
		g.Workload, g.created = w, m.CreationTimestamp.Time
	}
	g.rename(controller)
	for i := range g.Containers {
		g.Containers[i].Replicas = replicas
	}
	g.Parts = append(parts, part)
}

// made are the groups as workloads, in order. What an injector is known to put into pods is not their owner's.
func (s sightings) made() (all []*podGroup) {
	for _, ref := range slices.SortedFunc(maps.Keys(s.groups), Ref.Compare) {
		g := s.groups[ref]
		for i := range g.Containers {
			c := &g.Containers[i]
			c.SizedBy = injectors()[c.ID.Container].by
			c.Injected = c.SizedBy != [recommender.NumResources]recommender.SizedBy{}
		}
		slices.SortFunc(g.Parts, Ref.Compare)
		all = append(all, g)
	}
	return all
}

// maker is the controller of pods, or of the ReplicaSet or Job that has them, and the containers that a ReplicaSet's own
// template names.
func (s sightings) maker(controller Ref) (Ref, []string) {
	if set, ok := s.sets[controller]; ok {
		return set.controller, set.containers
	}
	if job, ok := s.jobs[controller]; ok {
		return job, nil
	}
	if dc, ok := configOf(controller); ok {
		return dc, nil
	}
	return controller, nil
}

// configOf is the DeploymentConfig that names its ReplicationControllers "<deploymentconfig>-<n>".
func configOf(controller Ref) (Ref, bool) {
	name, n, ok := lastDash(controller.Name)
	if controller.Kind != "ReplicationController" || !ok || !isIndex(n) {
		return Ref{}, false
	}
	return Ref{controller.Namespace, "DeploymentConfig", name}, true
}
