package workload

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
)

// templated is the part of an Argo Rollout (argoproj.io/v1alpha1) or of an OpenShift DeploymentConfig
// (apps.openshift.io/v1) that says what its pods are like, and how many there are.
type templated struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Replicas    *int32                  `json:"replicas"`
		Template    *corev1.PodTemplateSpec `json:"template"`
		WorkloadRef *reference              `json:"workloadRef"` // of a Rollout, instead of a template
		Strategy    templatedStrategy       `json:"strategy"`
	} `json:"spec"`
}

// reference names an object of the same namespace.
type reference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
}

// templatedStrategy is a Rollout's (canary, blueGreen) or a DeploymentConfig's (type, rollingParams).
type templatedStrategy struct {
	Type          string      `json:"type"`
	RollingParams templatedBy `json:"rollingParams"`
	Canary        templatedBy `json:"canary"`
	BlueGreen     *struct {
		PreviewReplicaCount *int32 `json:"previewReplicaCount"`
	} `json:"blueGreen"`
}

type templatedBy struct {
	MaxSurge *intstr.IntOrString `json:"maxSurge"`
}

var _ runtime.Object = &templated{}

// DeepCopyObject implements runtime.Object. Nobody changes what was read.
func (o *templated) DeepCopyObject() runtime.Object {
	other := *o
	return &other
}

// declare is the workload. One that refers to its template has no containers until join finds it.
func (o *templated) declare() Workload {
	var spec corev1.PodSpec
	if o.Spec.Template != nil {
		spec = o.Spec.Template.Spec
	}
	replicas := orOne(o.Spec.Replicas)
	w := declare(o.Kind, o.ObjectMeta, spec, replicas)
	w.Surge = o.Spec.Strategy.surge(replicas)
	if ref := o.Spec.WorkloadRef; ref != nil && o.Kind == "Rollout" {
		w.refers, w.referring = ref, replicas
	}
	return w
}

// surge is how many pods a rollout adds: by maxSurge, a quarter unless it says otherwise; with blueGreen as many as there
// are, or are to be previewed; none where the old ones go first.
func (s templatedStrategy) surge(replicas int) int {
	switch {
	case s.Type == "Recreate":
		return 0
	case s.BlueGreen != nil && s.BlueGreen.PreviewReplicaCount != nil:
		return int(*s.BlueGreen.PreviewReplicaCount)
	case s.BlueGreen != nil:
		return replicas
	}
	return surgeOf(cmp.Or(s.Canary.MaxSurge, s.RollingParams.MaxSurge), replicas)
}

// inTemplate are the complaints about the pod's template: of the rest of the object no more is read than is needed.
func inTemplate(unknown []error) []error {
	return slices.DeleteFunc(slices.Clone(unknown), func(err error) bool { return !strings.Contains(err.Error(), `"spec.template.`) })
}

// listTemplated lists Rollouts and DeploymentConfigs where the API server knows them, which takes a request each to find
// out. A kind that may not be listed is left out with a warning.
func (inv *Inventory) listTemplated(ctx context.Context, client kubernetes.Interface, objects dynamic.Interface, namespace string) error {
	for _, k := range templatedKinds() {
		known, err := knows(ctx, discovery.ToDiscoveryInterfaceWithContext(client.Discovery()), k.at())
		if err != nil {
			return err
		}
		if !known {
			continue
		}
		err = inv.list(ctx, func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := objects.Resource(k.at()).Namespace(namespace).List(ctx, o)
			if err != nil {
				return nil, err
			}
			return typedList(list)
		})
		switch {
		case apierrors.IsForbidden(err):
			inv.unlisted(k, namespace)
		case err != nil && !apierrors.IsNotFound(err): // its CRD has just gone
			return fmt.Errorf("listing %s %s: %w", k.resource, within(namespace), err)
		}
	}
	return nil
}

// templatedList is a page of them.
type templatedList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []templated
}

// DeepCopyObject implements runtime.Object.
func (l *templatedList) DeepCopyObject() runtime.Object {
	other := *l
	return &other
}

func typedList(list *unstructured.UnstructuredList) (runtime.Object, error) {
	typed := &templatedList{Items: make([]templated, len(list.Items))}
	typed.Continue, typed.ResourceVersion = list.GetContinue(), list.GetResourceVersion()
	for i, item := range list.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &typed.Items[i]); err != nil {
			return nil, fmt.Errorf("reading %s %s/%s: %w", item.GetKind(), item.GetNamespace(), item.GetName(), err)
		}
	}
	return typed, nil
}

// join gives Rollouts with a workloadRef the template of what they refer to, which is then no workload of its own: the
// Rollout makes the pods. What is not there leaves the Rollout out, with a warning.
func (inv *Inventory) join() {
	templates := map[Ref]Workload{}
	for _, w := range inv.Workloads {
		templates[w.Ref] = w
	}
	taken := map[Ref]bool{}
	var kept []Workload
	for _, w := range inv.Workloads {
		if w.refers == nil {
			kept = append(kept, w)
			continue
		}
		ref := Ref{w.Namespace, w.refers.Kind, w.refers.Name}
		of, ok := templates[ref]
		if !ok {
			inv.Skipped++
			inv.Warnings = append(inv.Warnings, fmt.Sprintf("%s in namespace %s is left out: its workloadRef, %s, is not among the Deployments and ReplicaSets that were read", w.Ref, w.Namespace, ref))
			continue
		}
		taken[ref] = true
		kept = append(kept, w.joined(of, !inv.Manifests))
	}
	inv.Workloads = slices.DeleteFunc(kept, func(w Workload) bool { return taken[w.Ref] })
}

// joined is the workload with the containers of another. Live says that the other's replicas are those that are there: in
// a manifest, which leaves them to the Rollout, they are not.
func (w Workload) joined(of Workload, live bool) Workload {
	w.Containers, w.Slots = slices.Clone(of.Containers), of.Slots
	w.Priority, w.PodLevel, w.APIVersion, w.Unqualified = of.Priority, of.PodLevel, of.APIVersion, of.Unqualified
	w.Template, w.Parts, w.refers = of.Ref, append(w.Parts, of.Ref), nil
	for i := range w.Containers {
		c := &w.Containers[i]
		if !live {
			c.Replicas = 0
		}
		c.Replicas += w.referring
	}
	w.rename(w.Ref)
	return w
}

// rename makes it, and its containers, those of ref.
func (w *Workload) rename(ref Ref) {
	w.Ref = ref
	w.Containers = slices.Clone(w.Containers)
	for i := range w.Containers {
		id := &w.Containers[i].ID
		id.Namespace, id.Kind, id.Workload = ref.Namespace, ref.Kind, ref.Name
	}
}

// AtTemplate is the workload by the name of the object that has its template.
func (w Workload) AtTemplate() Workload {
	if w.Template != (Ref{}) {
		w.rename(w.Template)
		w.Template = Ref{}
	}
	return w
}
