package workload

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/rightsize/rightsize/recommender"
)

// declared is the workload that an object declares; ok is false where it declares none: a kind that is not
// sized, an object that belongs to a controller which is the workload itself, a static pod's mirror. Live
// says that the object's status is a cluster's, not whatever a manifest holds.
func declared(obj runtime.Object, live bool) (w Workload, ok bool) {
	switch o := obj.(type) {
	case *appsv1.Deployment:
		w = declare("Deployment", o.ObjectMeta, o.Spec.Template.Spec, orOne(o.Spec.Replicas))
		w.Surge = surge(o.Spec.Strategy, orOne(o.Spec.Replicas))
		return w, true
	case *appsv1.StatefulSet:
		return declare("StatefulSet", o.ObjectMeta, o.Spec.Template.Spec, orOne(o.Spec.Replicas)), true
	case *appsv1.DaemonSet:
		return declare("DaemonSet", o.ObjectMeta, o.Spec.Template.Spec, daemons(o.Status, live)), true
	case *appsv1.ReplicaSet:
		return declare("ReplicaSet", o.ObjectMeta, o.Spec.Template.Spec, orOne(o.Spec.Replicas)), !controlled(o)
	case *batchv1.CronJob:
		w = declare("CronJob", o.ObjectMeta, o.Spec.JobTemplate.Spec.Template.Spec, 0)
		w.Indexed = indexed(o.Spec.JobTemplate.Spec)
		return w, true
	case *batchv1.Job:
		w = declare("Job", o.ObjectMeta, o.Spec.Template.Spec, int(o.Status.Active))
		w.Indexed = indexed(o.Spec)
		return w, !controlled(o)
	case *corev1.Pod:
		return declare("Pod", o.ObjectMeta, o.Spec, running(o.Status)), !controlled(o) && !mirror(o)
	case *templated:
		return o.declare(), true
	}
	return Workload{}, false
}

func declare(kind string, meta metav1.ObjectMeta, spec corev1.PodSpec, replicas int) Workload {
	w := Workload{
		Ref:    Ref{Namespace: meta.Namespace, Kind: kind, Name: meta.Name},
		Labels: maps.Clone(meta.Labels),
		Slots:  slotsOf(kind, spec),

		Priority: spec.PriorityClassName,
		PodLevel: spec.Resources != nil,
	}
	w.APIVersion = apiVersion(kind)
	w.controller = metav1.GetControllerOf(&meta)
	pod := podBounds(spec)
	for i, c := range slices.Concat(spec.Containers, spec.InitContainers) {
		w.Containers = append(w.Containers, recommender.Container{
			ID:       recommender.ID{Namespace: meta.Namespace, Kind: kind, Workload: meta.Name, Container: c.Name},
			Spec:     bounds(c.Resources),
			Replicas: replicas,
			Heap:     heapOf(c),
			Pod:      pod,
			Init:     i >= len(spec.Containers) && !sidecar(c),
		})
	}
	return w
}

// podBounds is what the pod as a whole declares, of which its containers are parts; no advice where it declares nothing.
func podBounds(spec corev1.PodSpec) (b [recommender.NumResources]recommender.Bounds) {
	if spec.Resources == nil {
		return b
	}
	b = bounds(*spec.Resources)
	for r := range b {
		for _, v := range []*recommender.Value{&b[r].Request, &b[r].Limit} {
			if v.IsUnset() {
				*v = recommender.NoAdvice()
			}
		}
	}
	return b
}

// sidecar says whether an init container is a native sidecar.
func sidecar(c corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// bounds is what is declared, and only that: where there is a limit but no request the API server fills the
// request in on pods, not on templates, so it stays unset here.
func bounds(r corev1.ResourceRequirements) [recommender.NumResources]recommender.Bounds {
	var b [recommender.NumResources]recommender.Bounds
	for resource, name := range [recommender.NumResources]corev1.ResourceName{
		recommender.CPU:    corev1.ResourceCPU,
		recommender.Memory: corev1.ResourceMemory,
	} {
		b[resource] = recommender.Bounds{Request: value(r.Requests, name), Limit: value(r.Limits, name)}
	}
	return b
}

func value(list corev1.ResourceList, name corev1.ResourceName) recommender.Value {
	q, ok := list[name]
	if !ok {
		return recommender.Unset()
	}
	return recommender.Set(amount(q))
}

// amount is the float64 nearest to the quantity, so that 350m is 0.35 and nothing beside it. As the API
// server does with resource lists (SetDefaults_ResourceList), it rounds up to thousandths first.
func amount(q resource.Quantity) float64 {
	q = q.DeepCopy()
	q.RoundUp(resource.Milli)
	f, err := strconv.ParseFloat(q.AsDec().String(), 64)
	if err != nil {
		return q.AsApproximateFloat64() // a decimal always parses; this is for form's sake
	}
	return f
}

// surge is how many pods a rollout of a Deployment adds: a quarter unless it says otherwise, rounded up. StatefulSets
// add none, and DaemonSets none that counts.
func surge(s appsv1.DeploymentStrategy, replicas int) int {
	if s.Type == appsv1.RecreateDeploymentStrategyType {
		return 0
	}
	if s.RollingUpdate == nil {
		return surgeOf(nil, replicas)
	}
	return surgeOf(s.RollingUpdate.MaxSurge, replicas)
}

// surgeOf is a maxSurge in pods: a quarter of the replicas where there is none, rounded up.
func surgeOf(most *intstr.IntOrString, replicas int) int {
	quarter := intstr.FromString("25%")
	n, err := intstr.GetScaledValueFromIntOrPercent(cmp.Or(most, &quarter), replicas, true)
	if err != nil {
		return 0 // which whoever reads it refuses
	}
	return n
}

func orOne(replicas *int32) int {
	if replicas == nil {
		return 1 // the API server's default
	}
	return int(*replicas)
}

func daemons(status appsv1.DaemonSetStatus, live bool) int {
	if live || status.ObservedGeneration > 0 {
		return int(status.DesiredNumberScheduled)
	}
	return recommender.UnknownReplicas
}

// running is 1 for a pod that reserves its requests, and 0 for one that has ended.
func running(status corev1.PodStatus) int {
	if status.Phase == corev1.PodSucceeded || status.Phase == corev1.PodFailed {
		return 0
	}
	return 1
}

func indexed(spec batchv1.JobSpec) bool {
	return spec.CompletionMode != nil && *spec.CompletionMode == batchv1.IndexedCompletion
}

func controlled(o metav1.Object) bool { return metav1.GetControllerOfNoCopy(o) != nil }

// mirror says that the pod stands for a static one, which the kubelet reads from a file on its node.
func mirror(p *corev1.Pod) bool {
	_, ok := p.Annotations[corev1.MirrorPodAnnotationKey]
	return ok
}
