package workload

import (
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
	autoscalers map[Ref][]recommender.Autoscaler    // by what they scale
	resizers    map[Ref][]resizer                   // by what they size
}

func newSurroundings() *surroundings {
	return &surroundings{map[string][]recommender.LimitRange{}, map[Ref][]recommender.Autoscaler{}, map[Ref][]resizer{}}
}

// attach gives each container the facts that concern it.
func (s *surroundings) attach(workloads []Workload) {
	for namespace, ranges := range s.ranges {
		slices.SortStableFunc(ranges, func(a, b recommender.LimitRange) int { return strings.Compare(a.Name, b.Name) })
		s.ranges[namespace] = ranges
	}
	for _, w := range workloads {
		for i := range w.Containers {
			c := &w.Containers[i]
			c.Facts = recommender.Facts{Ranges: s.ranges[w.Namespace], Autoscalers: s.autoscalers[w.Ref]}
			for _, r := range s.resizers[w.Ref] {
				c.Facts.Resizers = append(c.Facts.Resizers, r.of(c.ID.Container))
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
// not.
func (s *surroundings) hpa(o *autoscalingv2.HorizontalPodAutoscaler) {
	target := Ref{o.Namespace, o.Spec.ScaleTargetRef.Kind, o.Spec.ScaleTargetRef.Name}
	name := "HorizontalPodAutoscaler " + o.Name
	if owner := metav1.GetControllerOfNoCopy(o); owner != nil && owner.Kind == "ScaledObject" {
		name += " of ScaledObject " + owner.Name
	}
	for _, m := range o.Spec.Metrics {
		switch {
		case m.Resource != nil:
			s.scaled(target, name, string(m.Resource.Name), "", m.Resource.Target.AverageUtilization)
		case m.ContainerResource != nil:
			s.scaled(target, name, string(m.ContainerResource.Name), m.ContainerResource.Container, m.ContainerResource.Target.AverageUtilization)
		}
	}
	if len(o.Spec.Metrics) == 0 {
		percent := int32(defaultUtilization)
		s.scaled(target, name, recommender.CPU.String(), "", &percent)
	}
}

// scaled takes one metric, unless its target is no utilization.
func (s *surroundings) scaled(target Ref, name, resource, container string, percent *int32) {
	for r := range recommender.NumResources {
		if percent != nil && r.String() == resource {
			s.autoscalers[target] = append(s.autoscalers[target], recommender.Autoscaler{Name: name, Resource: r, Container: container, Percent: int(*percent)})
		}
	}
}

// hpaV1 takes an HPA of autoscaling/v1, which knows CPU alone.
func (s *surroundings) hpaV1(o *autoscalingv1.HorizontalPodAutoscaler) {
	percent := int32(defaultUtilization)
	if o.Spec.TargetCPUUtilizationPercentage != nil {
		percent = *o.Spec.TargetCPUUtilizationPercentage
	}
	target := Ref{o.Namespace, o.Spec.ScaleTargetRef.Kind, o.Spec.ScaleTargetRef.Name}
	s.scaled(target, "HorizontalPodAutoscaler "+o.Name, recommender.CPU.String(), "", &percent)
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
	target := Ref{o.Namespace, o.Spec.ScaleTargetRef.Kind, o.Spec.ScaleTargetRef.Name}
	if target.Kind == "" {
		target.Kind = "Deployment"
	}
	for _, t := range o.Spec.Triggers {
		kind := t.MetricType
		if kind == "" {
			kind = t.Metadata["type"]
		}
		if kind != "" && kind != string(autoscalingv2.UtilizationMetricType) {
			continue
		}
		if percent, err := strconv.ParseInt(t.Metadata["value"], 10, 32); err == nil {
			whole := int32(percent)
			s.scaled(target, "ScaledObject "+o.Name, t.Type, t.Metadata["containerName"], &whole)
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
