package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	strictjson "sigs.k8s.io/json"

	"github.com/rightsize/rightsize/recommender"
)

// surroundings are what objects other than workloads say about these.
type surroundings struct {
	ranges      map[string][]recommender.LimitRange // by namespace
	autoscalers map[Ref][]scaler                    // by what they scale
	resizers    map[Ref][]resizer                   // by what they size
	quotas      map[string][]recommender.Quota      // by namespace
	nodes       []recommender.Room

	scaledObjects map[Ref]bool // those that are known
}

func newSurroundings() *surroundings {
	return &surroundings{
		ranges: map[string][]recommender.LimitRange{}, autoscalers: map[Ref][]scaler{},
		resizers: map[Ref][]resizer{}, quotas: map[string][]recommender.Quota{}, scaledObjects: map[Ref]bool{},
	}
}

// attach gives each container the facts that concern it.
func (s *surroundings) attach(workloads []Workload) {
	for _, ranges := range s.ranges {
		slices.SortStableFunc(ranges, func(a, b recommender.LimitRange) int { return strings.Compare(a.Name, b.Name) })
	}
	for _, quotas := range s.quotas {
		slices.SortStableFunc(quotas, func(a, b recommender.Quota) int { return strings.Compare(a.Name, b.Name) })
	}
	largest := recommender.Largest(s.nodes)
	for _, w := range workloads {
		for i := range w.Containers {
			c := &w.Containers[i]
			c.Facts = recommender.Facts{
				Ranges: s.ranges[w.Namespace], Quotas: s.quotas[w.Namespace], Nodes: largest,
			}
			for _, ref := range w.refs() {
				c.Facts.Autoscalers = append(c.Facts.Autoscalers, s.autoscalersOf(ref)...)
				for _, r := range s.resizers[ref] {
					c.Facts.Resizers = append(c.Facts.Resizers, r.of(c.ID.Container))
				}
			}
		}
	}
}

// limitRange takes what a LimitRange demands of containers. Of pods and claims it demands more, which is not looked at.
func (s *surroundings) limitRange(o *corev1.LimitRange) {
	for _, item := range o.Spec.Limits {
		if item.Type != corev1.LimitTypeContainer {
			continue
		}
		l := recommender.LimitRange{Name: o.Name}
		for r := range recommender.NumResources {
			l.Of[r] = rangeOf(item, corev1.ResourceName(r.String()))
		}
		s.ranges[o.Namespace] = append(s.ranges[o.Namespace], l)
	}
}

// rangeOf fills in what the API server does when a LimitRange is applied (SetDefaults_LimitRangeItem): a default limit is
// the max, and a default request the default limit, or else the min.
func rangeOf(item corev1.LimitRangeItem, name corev1.ResourceName) recommender.Range {
	set := func(list corev1.ResourceList) recommender.Value {
		if v := value(list, name); !v.IsUnset() {
			return v
		}
		return recommender.NoAdvice()
	}
	out := recommender.Range{Min: set(item.Min), Max: set(item.Max)}
	out.DefaultLimit = set(item.Default).Or(out.Max)
	out.DefaultRequest = set(item.DefaultRequest).Or(out.DefaultLimit).Or(out.Min)
	out.MaxRatio, _ = set(item.MaxLimitRequestRatio).Amount()
	return out
}

// defaultUtilization is the target of an HPA that has no metrics (autoscaling.DefaultCPUUtilization).
const defaultUtilization = 80

// hpa takes the metrics of an HPA that depend on what pods request. AverageValue, and metrics that are no resource's, do
// not. One that KEDA made is KEDA's to change.
func (s *surroundings) hpa(o *autoscalingv2.HorizontalPodAutoscaler) {
	at := scaler{of: Ref{o.Namespace, o.Spec.ScaleTargetRef.Kind, o.Spec.ScaleTargetRef.Name}, name: "HorizontalPodAutoscaler " + o.Name}
	if owner := metav1.GetControllerOfNoCopy(o); owner != nil && owner.Kind == "ScaledObject" {
		at.owner = Ref{o.Namespace, owner.Kind, owner.Name}
		at.name += " of ScaledObject " + owner.Name
	}
	target := func(i int, field string) recommender.Target {
		if at.owner != (Ref{}) {
			return recommender.Target{}
		}
		metric := fmt.Sprintf("/spec/metrics/%d/%s", i, field)
		return recommender.Target{
			APIVersion: cmp.Or(o.APIVersion, "autoscaling/v2"), Kind: "HorizontalPodAutoscaler", Name: o.Name,
			Path: metric + "/target/averageUtilization", Check: metric + "/name",
		}
	}
	for i, m := range o.Spec.Metrics {
		switch {
		case m.Resource != nil:
			s.scaled(at, string(m.Resource.Name), "", m.Resource.Target.AverageUtilization, target(i, "resource"))
		case m.ContainerResource != nil:
			s.scaled(at, string(m.ContainerResource.Name), m.ContainerResource.Container, m.ContainerResource.Target.AverageUtilization, target(i, "containerResource"))
		}
	}
	if len(o.Spec.Metrics) == 0 {
		percent := int32(defaultUtilization)
		s.scaled(at, recommender.CPU.String(), "", &percent, recommender.Target{})
	}
}

// scaler is an autoscaler that was read.
type scaler struct {
	of    Ref // what it scales
	name  string
	owner Ref // the ScaledObject that made it; zero where somebody wrote it
	recommender.Autoscaler
}

// scaled takes one metric, unless its target is no utilization.
func (s *surroundings) scaled(at scaler, resource, container string, percent *int32, target recommender.Target) {
	for r := range recommender.NumResources {
		if percent == nil || r.String() != resource {
			continue
		}
		if target.Check != "" {
			target.Is = resource
		}
		at.Autoscaler = recommender.Autoscaler{Name: at.name, Resource: r, Container: container, Percent: int(*percent), Target: target}
		s.autoscalers[at.of] = append(s.autoscalers[at.of], at)
	}
}

// autoscalersOf are those of a workload. What KEDA made is left out where the ScaledObject itself is known.
func (s *surroundings) autoscalersOf(w Ref) (all []recommender.Autoscaler) {
	for _, a := range s.autoscalers[w] {
		if !s.scaledObjects[a.owner] {
			all = append(all, a.Autoscaler)
		}
	}
	return all
}

// hpaV1 takes an HPA of autoscaling/v1, which knows CPU alone.
func (s *surroundings) hpaV1(o *autoscalingv1.HorizontalPodAutoscaler) {
	at := scaler{of: Ref{o.Namespace, o.Spec.ScaleTargetRef.Kind, o.Spec.ScaleTargetRef.Name}, name: "HorizontalPodAutoscaler " + o.Name}
	percent, target := int32(defaultUtilization), recommender.Target{}
	if o.Spec.TargetCPUUtilizationPercentage != nil {
		percent = *o.Spec.TargetCPUUtilizationPercentage
		target = recommender.Target{
			APIVersion: "autoscaling/v1", Kind: "HorizontalPodAutoscaler", Name: o.Name, Path: "/spec/targetCPUUtilizationPercentage",
		}
	}
	s.scaled(at, recommender.CPU.String(), "", &percent, target)
}

// targetRef names what an object of another kind acts on.
type targetRef struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// scaledObject is the part of KEDA's kind that bears on requests (keda.sh/v1alpha1).
type scaledObject struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ScaleTargetRef targetRef `json:"scaleTargetRef"`
		Triggers       []struct {
			Type       string            `json:"type"`
			MetricType string            `json:"metricType"`
			Metadata   map[string]string `json:"metadata"`
		} `json:"triggers"`
	} `json:"spec"`
}

// keda takes the triggers that KEDA makes metrics of utilization of: cpu and memory, unless told otherwise by their
// metricType or, before KEDA 2.18, by type in their metadata.
func (s *surroundings) keda(o *scaledObject) {
	at := scaler{of: Ref{o.Namespace, o.Spec.ScaleTargetRef.Kind, o.Spec.ScaleTargetRef.Name}, name: "ScaledObject " + o.Name}
	if at.of.Kind == "" {
		at.of.Kind = "Deployment"
	}
	s.scaledObjects[Ref{o.Namespace, "ScaledObject", o.Name}] = true
	for i, t := range o.Spec.Triggers {
		kind := t.MetricType
		if kind == "" {
			kind = t.Metadata["type"]
		}
		if kind != "" && kind != string(autoscalingv2.UtilizationMetricType) {
			continue
		}
		if percent, err := strconv.ParseInt(t.Metadata["value"], 10, 32); err == nil {
			whole := int32(percent)
			trigger := fmt.Sprintf("/spec/triggers/%d", i)
			s.scaled(at, t.Type, t.Metadata["containerName"], &whole, recommender.Target{
				APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: o.Name,
				Path: trigger + "/metadata/value", Text: true, Check: trigger + "/type",
			})
		}
	}
}

// verticalPodAutoscaler is the part of its kind that says what it changes (autoscaling.k8s.io/v1).
type verticalPodAutoscaler struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		TargetRef    targetRef `json:"targetRef"`
		UpdatePolicy struct {
			UpdateMode string `json:"updateMode"`
		} `json:"updatePolicy"`
		ResourcePolicy struct {
			ContainerPolicies []containerPolicy `json:"containerPolicies"`
		} `json:"resourcePolicy"`
	} `json:"spec"`
}

type containerPolicy struct {
	ContainerName       string   `json:"containerName"`
	Mode                string   `json:"mode"`
	ControlledResources []string `json:"controlledResources"` // nil for all
}

// resizer is a VPA that changes pods.
type resizer struct {
	name, mode string
	policies   []containerPolicy
}

// vpa takes a VPA unless it only recommends. Its default is to change pods.
func (s *surroundings) vpa(o *verticalPodAutoscaler) {
	mode := o.Spec.UpdatePolicy.UpdateMode
	if mode == "" {
		mode = "Auto"
	}
	if mode == "Off" {
		return
	}
	target := Ref{o.Namespace, o.Spec.TargetRef.Kind, o.Spec.TargetRef.Name}
	s.resizers[target] = append(s.resizers[target], resizer{"VerticalPodAutoscaler " + o.Name, mode, o.Spec.ResourcePolicy.ContainerPolicies})
}

// of is what the VPA does to a container: by the policy of its name, or that of "*".
func (r resizer) of(container string) recommender.Resizer {
	out := recommender.Resizer{Name: r.name, Mode: r.mode}
	var policy containerPolicy
	for _, p := range r.policies {
		if p.ContainerName == container || p.ContainerName == "*" && policy.ContainerName == "" {
			policy = p
		}
	}
	for res := range recommender.NumResources {
		all := policy.ControlledResources == nil
		out.Sets[res] = policy.Mode != "Off" && (all || slices.Contains(policy.ControlledResources, res.String()))
	}
	return out
}

// take takes an object in JSON if it is of a kind that bears on workloads. Its namespace is the one given. One that cannot
// be read changes nothing.
func (s *surroundings) take(apiVersion, kind, namespace string, data []byte) error {
	group, _, _ := strings.Cut(apiVersion, "/")
	var object metav1.Object
	var add func()
	switch group + "/" + kind {
	case "v1/LimitRange":
		o := &corev1.LimitRange{}
		object, add = o, func() { s.limitRange(o) }
	case "v1/ResourceQuota":
		o := &corev1.ResourceQuota{}
		object, add = o, func() { s.quota(o) }
	case "v1/Node":
		o := &corev1.Node{}
		object, add = o, func() { s.node(o) }
	case "autoscaling/HorizontalPodAutoscaler":
		if apiVersion == "autoscaling/v1" {
			o := &autoscalingv1.HorizontalPodAutoscaler{}
			object, add = o, func() { s.hpaV1(o) }
		} else {
			o := &autoscalingv2.HorizontalPodAutoscaler{}
			object, add = o, func() { s.hpa(o) }
		}
	case "keda.sh/ScaledObject":
		o := &scaledObject{}
		object, add = o, func() { s.keda(o) }
	case "autoscaling.k8s.io/VerticalPodAutoscaler":
		o := &verticalPodAutoscaler{}
		object, add = o, func() { s.vpa(o) }
	default:
		return nil
	}
	if err := strictjson.UnmarshalCaseSensitivePreserveInts(data, object); err != nil {
		return fmt.Errorf("a %s is not looked at: %s", kind, plainJSON(err))
	}
	object.SetNamespace(namespace)
	add()
	return nil
}
