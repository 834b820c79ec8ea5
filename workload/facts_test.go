package workload_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// facts writes the facts of every container down, those that have any.
func facts(inv *workload.Inventory) string {
	var b strings.Builder
	for _, w := range inv.Workloads {
		for _, c := range w.Containers {
			for _, l := range c.Facts.Ranges {
				for r, of := range l.Of {
					if of != (recommender.Range{}) {
						fmt.Fprintf(&b, "%s: LimitRange %s %s %s to %s, default %s to %s, ratio %v\n", c.ID, l.Name, recommender.Resource(r), of.Min, of.Max, of.DefaultRequest, of.DefaultLimit, of.MaxRatio)
					}
				}
			}
			for _, a := range c.Facts.Autoscalers {
				fmt.Fprintf(&b, "%s: %s, %d%% of the %s of %q\n", c.ID, a.Name, a.Percent, a.Resource, a.Container)
			}
			for _, v := range c.Facts.Resizers {
				fmt.Fprintf(&b, "%s: %s, %s, cpu %t, memory %t\n", c.ID, v.Name, v.Mode, v.Sets[recommender.CPU], v.Sets[recommender.Memory])
			}
		}
	}
	return b.String()
}

const around = `
apiVersion: v1
kind: LimitRange
metadata: {name: sizes, namespace: shop}
spec:
  limits:
  - {type: Pod, max: {cpu: "1"}}
  - type: Container
    min: {cpu: 5m, memory: 16Mi}
    max: {cpu: "4"}
    defaultRequest: {cpu: 50m}
    maxLimitRequestRatio: {memory: "1.5"}
---
apiVersion: v1
kind: LimitRange
metadata: {name: elsewhere, namespace: other}
spec: {limits: [{type: Container, max: {cpu: "1"}}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: api, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: api}
  maxReplicas: 9
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}
  - {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 100Mi}}}
  - {type: ContainerResource, containerResource: {name: memory, container: log, target: {type: Utilization, averageUtilization: 70}}}
  - {type: External, external: {metric: {name: queue}, target: {type: Value, value: "30"}}}
---
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: db, namespace: shop}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: db}, maxReplicas: 9, targetCPUUtilizationPercentage: 55}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: bare, namespace: shop}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: bare}, maxReplicas: 9}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: worker, namespace: shop}
spec:
  scaleTargetRef: {name: worker}
  triggers:
  - {type: kafka, metadata: {topic: orders, value: "5"}}
  - {type: cpu, metadata: {value: "65"}}
  - {type: memory, metricType: AverageValue, metadata: {value: 500Mi}}
  - {type: memory, metadata: {type: Utilization, value: "75", containerName: app}}
---
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: {name: api, namespace: shop}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: api}
  resourcePolicy:
    containerPolicies:
    - {containerName: log, mode: "Off"}
    - {containerName: "*", controlledResources: [memory]}
---
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: {name: db, namespace: shop}
spec: {targetRef: {apiVersion: apps/v1, kind: StatefulSet, name: db}, updatePolicy: {updateMode: "Off"}}
---
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: {name: worker, namespace: shop}
spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: worker}, updatePolicy: {updateMode: Initial}}
`

// object is a workload of these containers.
func object(kind, namespace, name, containers string) string {
	return fmt.Sprintf("---\napiVersion: apps/v1\nkind: %s\nmetadata: {name: %s, namespace: %s}\nspec: {template: {spec: {containers: [%s]}}}\n", kind, name, namespace, containers)
}

func TestFactsOfManifests(t *testing.T) {
	text := around + object("Deployment", "shop", "api", "{name: app}, {name: log}") + object("StatefulSet", "shop", "db", "{name: db}") +
		object("Deployment", "shop", "bare", "{name: app}") + object("Deployment", "shop", "worker", "{name: app}") +
		object("Deployment", "third", "api", "{name: app}") + object("StatefulSet", "other", "api", "{name: app}")
	inv := load(t, workload.Options{}, folder(t, map[string]string{"all.yaml": text}))
	if len(inv.Warnings) > 0 {
		t.Errorf("warnings %q", inv.Warnings)
	}
	// What is not given is as the API server fills it in: the default limit of CPU is the max, the default
	// request of memory the min.
	sizes := func(id string) string {
		return id + ": LimitRange sizes cpu 0.005 to 4, default 0.05 to 4, ratio 0\n" +
			id + ": LimitRange sizes memory 1.6777216e+07 to no advice, default 1.6777216e+07 to no advice, ratio 1.5\n"
	}
	want := `other/statefulset/api/app: LimitRange elsewhere cpu no advice to 1, default 1 to 1, ratio 0
` + sizes("shop/deployment/api/app") + `shop/deployment/api/app: HorizontalPodAutoscaler api, 60% of the cpu of ""
shop/deployment/api/app: HorizontalPodAutoscaler api, 70% of the memory of "log"
shop/deployment/api/app: VerticalPodAutoscaler api, Auto, cpu false, memory true
` + sizes("shop/deployment/api/log") + `shop/deployment/api/log: HorizontalPodAutoscaler api, 60% of the cpu of ""
shop/deployment/api/log: HorizontalPodAutoscaler api, 70% of the memory of "log"
shop/deployment/api/log: VerticalPodAutoscaler api, Auto, cpu false, memory false
` + sizes("shop/deployment/bare/app") + `shop/deployment/bare/app: HorizontalPodAutoscaler bare, 80% of the cpu of ""
` + sizes("shop/statefulset/db/db") + `shop/statefulset/db/db: HorizontalPodAutoscaler db, 55% of the cpu of ""
` + sizes("shop/deployment/worker/app") + `shop/deployment/worker/app: ScaledObject worker, 65% of the cpu of ""
shop/deployment/worker/app: ScaledObject worker, 75% of the memory of "app"
shop/deployment/worker/app: VerticalPodAutoscaler worker, Initial, cpu true, memory true
`
	if diff := cmp.Diff(want, facts(inv)); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

// What bears on workloads and cannot be read is a warning with its place: the workloads are there all the same.
func TestBrokenFacts(t *testing.T) {
	for _, kind := range []string{"v1/LimitRange", "autoscaling/v2/HorizontalPodAutoscaler", "autoscaling/v1/HorizontalPodAutoscaler", "keda.sh/v1alpha1/ScaledObject", "autoscaling.k8s.io/v1/VerticalPodAutoscaler"} {
		version, name := kind[:strings.LastIndex(kind, "/")], kind[strings.LastIndex(kind, "/")+1:]
		text := web + "---\napiVersion: " + version + "\nkind: " + name + "\nmetadata: {name: x}\nspec: [no, fields]\n"
		inv := load(t, workload.Options{}, folder(t, map[string]string{"a.yaml": text}))
		if len(inv.Warnings) != 1 || !strings.Contains(inv.Warnings[0], "a.yaml:6: a "+name+" is not looked at: spec: got array, want ") || len(inv.Workloads) != 1 {
			t.Errorf("%s: warnings %q", kind, inv.Warnings)
		}
	}
}

// surrounded is a cluster with an HPA, KEDA's among them, a LimitRange and VPAs.
func surrounded() (*fake.Clientset, *dynamicfake.FakeDynamicClient) {
	sixty, yes := int32(60), true
	hpa := func(name, target string) *autoscalingv2.HorizontalPodAutoscaler {
		return &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: meta("shop", name),
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: target},
				Metrics:        []autoscalingv2.MetricSpec{{Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu", Target: autoscalingv2.MetricTarget{AverageUtilization: &sixty}}}},
			},
		}
	}
	keda := hpa("keda-hpa-web", "web")
	keda.OwnerReferences = []metav1.OwnerReference{{Kind: "ScaledObject", Name: "web", Controller: &yes}}
	limits := &corev1.LimitRange{ObjectMeta: meta("shop", "sizes")}
	limits.Spec.Limits = []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{"memory": resource.MustParse("8Gi")}}}
	client := fake.NewSimpleClientset(append(cluster(), keda, limits)...)
	vpa := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "autoscaling.k8s.io/v1", "kind": "VerticalPodAutoscaler", "metadata": map[string]any{"name": "web", "namespace": "shop"},
		"spec": map[string]any{"targetRef": map[string]any{"kind": "Deployment", "name": "web"}, "updatePolicy": map[string]any{"updateMode": "InPlaceOrRecreate"}},
	}}
	return client, dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		{Group: "autoscaling.k8s.io", Version: "v1", Resource: "verticalpodautoscalers"}: "VerticalPodAutoscalerList",
	}, vpa)
}

// withVPAs makes the API server know their kind.
func withVPAs(client *fake.Clientset) {
	client.Resources = []*metav1.APIResourceList{{GroupVersion: "autoscaling.k8s.io/v1", APIResources: []metav1.APIResource{{Name: "verticalpodautoscalers"}}}}
}

func TestSurround(t *testing.T) {
	const (
		limits = "shop/deployment/web/app: LimitRange sizes memory no advice to 8.589934592e+09, default 8.589934592e+09 to 8.589934592e+09, ratio 0\n"
		hpa    = "shop/deployment/web/app: HorizontalPodAutoscaler keda-hpa-web of ScaledObject web, 60% of the cpu of \"\"\n"
		vpa    = "shop/deployment/web/app: VerticalPodAutoscaler web, InPlaceOrRecreate, cpu true, memory true\n"
	)
	for _, tt := range []struct {
		name      string
		vpas      bool
		forbidden []string
		want      string
		warnings  []string
	}{
		{"without VPAs", false, nil, limits + hpa, nil},
		{"with VPAs", true, nil, limits + hpa + vpa, nil},
		{"forbidden", true, []string{"limitranges", "horizontalpodautoscalers", "verticalpodautoscalers"}, "", []string{
			"not allowed to list limitranges in namespace shop: what LimitRanges refuse is not known; grant list on limitranges",
			"not allowed to list horizontalpodautoscalers.autoscaling in namespace shop: requests that they scale on are not kept; grant list on horizontalpodautoscalers.autoscaling",
			"not allowed to list verticalpodautoscalers.autoscaling.k8s.io in namespace shop: conflicts with them are not known; grant list on verticalpodautoscalers.autoscaling.k8s.io",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, objects := surrounded()
			if tt.vpas {
				withVPAs(client)
			}
			for _, f := range []interface {
				PrependReactor(string, string, clienttesting.ReactionFunc)
			}{client, objects} {
				for _, r := range tt.forbidden {
					f.PrependReactor("list", r, func(a clienttesting.Action) (bool, runtime.Object, error) {
						return true, nil, apierrors.NewForbidden(a.GetResource().GroupResource(), "", errors.New("no"))
					})
				}
			}
			inv, err := workload.List(t.Context(), client, "shop")
			if err != nil {
				t.Fatal(err)
			}
			if err := inv.Surround(t.Context(), client, objects, "shop"); err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for line := range strings.Lines(facts(inv)) {
				if strings.HasPrefix(line, "shop/deployment/web/") {
					got.WriteString(line)
				}
			}
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.warnings, inv.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// Without workloads there is nothing to surround, and nothing is asked for.
func TestSurroundNothing(t *testing.T) {
	client, objects := surrounded()
	if err := (&workload.Inventory{}).Surround(t.Context(), client, objects, ""); err != nil || len(client.Actions()) > 0 {
		t.Errorf("%v, asked for %v", err, client.Actions())
	}
}

// What goes wrong otherwise is an error that says what was asked for.
func TestSurroundError(t *testing.T) {
	client, objects := surrounded()
	client.PrependReactor("list", "limitranges", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewInternalError(errors.New("etcd is away"))
	})
	inv, err := workload.List(t.Context(), client, "")
	if err != nil {
		t.Fatal(err)
	}
	err = inv.Surround(t.Context(), client, objects, "")
	if want := "listing limitranges in all namespaces: Internal error occurred: etcd is away"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
