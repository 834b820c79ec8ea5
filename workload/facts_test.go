package workload_test

import (
	"errors"
	"fmt"
	"slices"
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
			for _, q := range c.Facts.Quotas {
				fmt.Fprintf(&b, "%s: ResourceQuota %s %v of %v\n", c.ID, q.Name, q.Used, q.Hard)
			}
			if len(c.Facts.Nodes) > 0 {
				fmt.Fprintf(&b, "%s: nodes of %v\n", c.ID, c.Facts.Nodes)
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
	for _, kind := range []string{"v1/LimitRange", "v1/ResourceQuota", "autoscaling/v2/HorizontalPodAutoscaler", "autoscaling/v1/HorizontalPodAutoscaler", "keda.sh/v1alpha1/ScaledObject", "autoscaling.k8s.io/v1/VerticalPodAutoscaler"} {
		version, name := kind[:strings.LastIndex(kind, "/")], kind[strings.LastIndex(kind, "/")+1:]
		text := web + "---\napiVersion: " + version + "\nkind: " + name + "\nmetadata: {name: x}\nspec: [no, fields]\n"
		inv := load(t, workload.Options{}, folder(t, map[string]string{"a.yaml": text}))
		if len(inv.Warnings) != 1 || !strings.Contains(inv.Warnings[0], "a.yaml:6: a "+name+" is not looked at: spec: got array, want ") || len(inv.Workloads) != 1 {
			t.Errorf("%s: warnings %q", kind, inv.Warnings)
		}
	}
}

const quotaed = `
apiVersion: v1
kind: ResourceQuota
metadata: {name: z, namespace: shop}
spec: {hard: {cpu: "4", limits.memory: 8Gi, pods: "3"}}
status: {used: {cpu: 1500m, limits.memory: 1Gi, pods: "1"}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: a, namespace: shop}
spec: {hard: {requests.cpu: "5"}, scopes: [NotBestEffort]}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: runs, namespace: shop}
spec: {hard: {requests.cpu: "1"}, scopes: [Terminating]}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: important, namespace: shop}
spec: {hard: {requests.cpu: "1"}, scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: In, values: [high]}]}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: objects, namespace: shop}
spec: {hard: {pods: "3"}}
---
apiVersion: v1
kind: Node
metadata: {name: large}
status: {allocatable: {cpu: 3920m, memory: 16Gi, pods: "110"}}
---
apiVersion: v1
kind: Node
metadata: {name: small}
status: {allocatable: {cpu: "2", memory: 8Gi, pods: "110"}}
---
apiVersion: v1
kind: Node
metadata: {name: new}
`

func TestQuotasAndNodesOfManifests(t *testing.T) {
	inv := load(t, workload.Options{}, folder(t, map[string]string{"all.yaml": quotaed + object("Deployment", "shop", "api", "{name: app}")}))
	want := `shop/deployment/api/app: ResourceQuota a [{no advice no advice} {no advice no advice}] of [{5 no advice} {no advice no advice}]
shop/deployment/api/app: ResourceQuota z [{1.5 no advice} {no advice 1.073741824e+09}] of [{4 no advice} {no advice 8.589934592e+09}]
shop/deployment/api/app: nodes of [[3.92 1.7179869184e+10]]
`
	if diff := cmp.Diff(want, facts(inv)); diff != "" || len(inv.Warnings) > 0 {
		t.Errorf("warnings %q, facts (-want +got):\n%s", inv.Warnings, diff)
	}
}

// What a rollout adds, and what the pod has besides its containers, come from the template.
func TestTemplateOfPods(t *testing.T) {
	for _, tt := range []struct {
		replicas, strategy string
		want               int
	}{
		{"4", "", 1},
		{"5", "", 2},
		{"1", "", 1},
		{"0", "", 0},
		{"4", "strategy: {type: Recreate}, ", 0},
		{"4", "strategy: {rollingUpdate: {maxSurge: 3}}, ", 3},
		{"4", "strategy: {rollingUpdate: {maxSurge: 100%}}, ", 4},
		{"4", "strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}, ", 0},
		{"4", "strategy: {rollingUpdate: {maxSurge: lots}}, ", 0},
	} {
		text := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: " + tt.replicas + ", " + tt.strategy +
			"template: {spec: {initContainers: [{name: init, resources: {requests: {cpu: 2}}}], containers: [{name: app}]}}}\n"
		w := load(t, workload.Options{}, folder(t, map[string]string{"a.yaml": text})).Workloads[0]
		if w.Surge != tt.want {
			t.Errorf("%s replicas, %s: surge %d, want %d", tt.replicas, tt.strategy, w.Surge, tt.want)
		}
		if c := w.Containers[1]; len(w.Containers) != 2 || !c.Init || c.Spec[recommender.CPU].Request != recommender.Set(2) || w.Containers[0].Init || w.PodLevel {
			t.Errorf("containers %v, the pod's own resources %t", w.Containers, w.PodLevel)
		}
	}
	text := "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {resources: {requests: {cpu: 1}}, containers: [{name: app}]}\n"
	if w := load(t, workload.Options{}, folder(t, map[string]string{"a.yaml": text})).Workloads[0]; !w.PodLevel {
		t.Error("the pod has resources of its own")
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
	quota := &corev1.ResourceQuota{ObjectMeta: meta("shop", "all"), Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"requests.cpu": resource.MustParse("9")}}}
	node := &corev1.Node{ObjectMeta: meta("", "one"), Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{"cpu": resource.MustParse("4"), "memory": resource.MustParse("1000")}}}
	client := fake.NewSimpleClientset(append(cluster(), keda, limits, quota, node)...)
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
		quota  = "shop/deployment/web/app: ResourceQuota all [{no advice no advice} {no advice no advice}] of [{9 no advice} {no advice no advice}]\n"
		node   = "shop/deployment/web/app: nodes of [[4 1000]]\n"
		vpa    = "shop/deployment/web/app: VerticalPodAutoscaler web, InPlaceOrRecreate, cpu true, memory true\n"
	)
	for _, tt := range []struct {
		name      string
		vpas      bool
		forbidden []string
		want      string
		warnings  []string
	}{
		{"without VPAs", false, nil, limits + hpa + quota + node, nil},
		{"with VPAs", true, nil, limits + hpa + quota + node + vpa, nil},
		{"forbidden", true, []string{"limitranges", "horizontalpodautoscalers", "verticalpodautoscalers", "resourcequotas", "nodes"}, "", []string{
			"not allowed to list limitranges in namespace shop: what LimitRanges refuse is not known; grant list on limitranges",
			"not allowed to list horizontalpodautoscalers.autoscaling in namespace shop: requests that they scale on are not kept; grant list on horizontalpodautoscalers.autoscaling",
			"not allowed to list resourcequotas in namespace shop: whether they have room is not known; grant list on resourcequotas",
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
			// Who may read one namespace cannot be granted nodes.
			hints := []string{"not allowed to list nodes of the cluster: pods that no node has room for are not marked; grant list on nodes"}
			if slices.Contains(tt.forbidden, "nodes") != slices.Equal(inv.Hints, hints) {
				t.Errorf("hints %q", inv.Hints)
			}
			if diff := cmp.Diff(tt.warnings, inv.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// Who reads all namespaces is told what to grant.
func TestSurroundWithoutNodes(t *testing.T) {
	client, objects := surrounded()
	client.PrependReactor("list", "nodes", func(a clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(a.GetResource().GroupResource(), "", errors.New("no"))
	})
	inv, err := workload.List(t.Context(), client, "")
	if err != nil {
		t.Fatal(err)
	}
	err = inv.Surround(t.Context(), client, objects, "")
	if want := "not allowed to list nodes of the cluster: pods that no node has room for are not marked; grant list on nodes"; err != nil || len(inv.Hints) > 0 || !slices.Contains(inv.Warnings, want) {
		t.Errorf("error %v, hints %q, warnings %q", err, inv.Hints, inv.Warnings)
	}
}

// Where a target is declared is known, but for one that the API server would fill in, and one that KEDA made.
func TestTargets(t *testing.T) {
	inv := load(t, workload.Options{}, folder(t, map[string]string{"all.yaml": around + object("Deployment", "shop", "api", "{name: app}") +
		object("StatefulSet", "shop", "db", "{name: db}") + object("Deployment", "shop", "bare", "{name: app}") + object("Deployment", "shop", "worker", "{name: app}")}))
	var got []string
	for _, w := range inv.Workloads {
		for _, a := range w.Containers[0].Facts.Autoscalers {
			got = append(got, fmt.Sprintf("%s: %s %s %s %s %t, %s is %q", w.Name, a.Target.APIVersion, a.Target.Kind, a.Target.Name, a.Target.Path, a.Target.Text, a.Target.Check, a.Target.Is))
		}
	}
	want := []string{
		`api: autoscaling/v2 HorizontalPodAutoscaler api /spec/metrics/0/resource/target/averageUtilization false, /spec/metrics/0/resource/name is "cpu"`,
		`api: autoscaling/v2 HorizontalPodAutoscaler api /spec/metrics/2/containerResource/target/averageUtilization false, /spec/metrics/2/containerResource/name is "memory"`,
		`bare:     false,  is ""`,
		`db: autoscaling/v1 HorizontalPodAutoscaler db /spec/targetCPUUtilizationPercentage false,  is ""`,
		`worker: keda.sh/v1alpha1 ScaledObject worker /spec/triggers/1/metadata/value true, /spec/triggers/1/type is "cpu"`,
		`worker: keda.sh/v1alpha1 ScaledObject worker /spec/triggers/3/metadata/value true, /spec/triggers/3/type is "memory"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

// A ScaledObject stands for the autoscaler that KEDA made from it.
func TestSurroundWithKEDA(t *testing.T) {
	client, _ := surrounded()
	client.Resources = []*metav1.APIResourceList{{GroupVersion: "keda.sh/v1alpha1", APIResources: []metav1.APIResource{{Name: "scaledobjects"}}}}
	scaled := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": map[string]any{"name": "web", "namespace": "shop"},
		"spec": map[string]any{
			"scaleTargetRef": map[string]any{"name": "web"},
			"triggers":       []any{map[string]any{"type": "cpu", "metricType": "Utilization", "metadata": map[string]any{"value": "60"}}},
		},
	}}
	objects := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}: "ScaledObjectList",
	}, scaled)
	inv, err := workload.List(t.Context(), client, "shop")
	if err == nil {
		err = inv.Surround(t.Context(), client, objects, "shop")
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := facts(inv); !strings.Contains(got, "shop/deployment/web/app: ScaledObject web, 60% of the cpu") || strings.Contains(got, "keda-hpa") {
		t.Errorf("facts %s", got)
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
