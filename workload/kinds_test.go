package workload_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

const rollouts = `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, namespace: shop}
spec:
  replicas: 6
  strategy: {canary: {maxSurge: 50%, steps: [{setWeight: 20}]}}
  template:
    spec:
      containers:
      - {name: app, resources: {requests: {cpu: 100m}}}
      initContainers:
      - {name: tail, restartPolicy: Always, resources: {requests: {memory: 16Mi}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: api, namespace: shop}
spec:
  replicas: 4
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: api-template}
  strategy: {blueGreen: {activeService: api}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api-template, namespace: shop}
spec: {template: {spec: {containers: [{name: api, resources: {limits: {memory: 1Gi}}}]}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: lost, namespace: shop}
spec: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: nowhere}}
---
apiVersion: apps.openshift.io/v1
kind: DeploymentConfig
metadata: {name: legacy, namespace: shop}
spec:
  replicas: 2
  selector: {app: legacy}
  strategy: {type: Rolling, rollingParams: {maxSurge: 1}}
  triggers: [{type: ConfigChange}]
  template: {spec: {containers: [{name: app}]}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: web}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: api, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: api-template}
  metrics: [{type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 70}}}]
`

func TestLoadRollouts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rollouts.yaml")
	if err := os.WriteFile(file, []byte(rollouts), 0o600); err != nil {
		t.Fatal(err)
	}
	inv := load(t, workload.Options{}, file)
	const want = `shop/rollout/api/api x4 cpu unset/unset memory unset/1.073741824e+09
shop/deploymentconfig/legacy/app x2 cpu unset/unset memory unset/unset
shop/rollout/web/app x6 cpu 0.1/unset memory unset/unset
shop/rollout/web/tail x6 cpu unset/unset memory 1.6777216e+07/unset
`
	if diff := cmp.Diff(want, lines(inv)); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
	if len(inv.Warnings) != 1 || !strings.Contains(inv.Warnings[0], "rollout/lost in namespace shop is left out: its workloadRef, deployment/nowhere, ") {
		t.Errorf("warnings %q, want one of the lost reference", inv.Warnings)
	}
	if got := facts(inv); !strings.Contains(got, "shop/rollout/web/app: HorizontalPodAutoscaler web, 60%") || !strings.Contains(got, "shop/rollout/api/api: HorizontalPodAutoscaler api, 70%") {
		t.Errorf("facts %s, want the autoscalers of a Rollout and of what it refers to", got)
	}
	for i, surge := range map[int]int{0: 4, 1: 1, 2: 3} {
		if w := inv.Workloads[i]; w.Surge != surge {
			t.Errorf("%s surges by %d, want %d", w.Ref, w.Surge, surge)
		}
	}
	api, web := inv.Workloads[0], inv.Workloads[2]
	if api.APIVersion != "apps/v1" || api.Template.String() != "deployment/api-template" || web.APIVersion != "argoproj.io/v1alpha1" {
		t.Errorf("api is %s %s and web %s", api.APIVersion, api.Template, web.APIVersion)
	}
	if at := api.AtTemplate(); at.String() != "deployment/api-template" || at.Containers[0].ID.String() != "shop/deployment/api-template/api" || api.Containers[0].ID.Kind != "Rollout" {
		t.Errorf("at its template it is %s with %s, and it became %s", at, at.Containers[0].ID, api.Containers[0].ID)
	}
	if got := web.Slots[1].Pointer(); got != "/spec/template/spec/initContainers/0" {
		t.Errorf("the native sidecar is at %s", got)
	}
	for _, ref := range []string{"rollout/api", "rollouts.argoproj.io/api", "deploy/api-template"} {
		sel, err := inv.Select(workload.Selector{Refs: []string{ref}})
		if err != nil || len(sel.Containers) != 1 || sel.Containers[0].ID.Kind != "Rollout" {
			t.Errorf("Select(%s) = %v, %v, want the Rollout's container", ref, sel, err)
		}
	}
}

// Of a Rollout no more is known than its template: what else it has is no reason for a warning, an unknown field there is.
func TestLoadRolloutWarnsOfItsTemplate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rollout.yaml")
	text := strings.Replace(strings.Split(rollouts, "---")[0], "{name: app, ", "{name: app, imagee: x, ", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	inv := load(t, workload.Options{}, file)
	if len(inv.Warnings) != 1 || !strings.Contains(inv.Warnings[0], `rollout/web: unknown field "spec.template.spec.containers[0].imagee"`) {
		t.Errorf("warnings %q, want one of imagee", inv.Warnings)
	}
}

func TestLoadPodLevelResources(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pod.yaml")
	text := `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {template: {spec: {
  resources: {requests: {cpu: "1"}, limits: {memory: 1Gi}}, containers: [{name: app}]}}}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w := load(t, workload.Options{}, file).Workloads[0]
	want := [recommender.NumResources]recommender.Bounds{{Request: recommender.Set(1)}, {Limit: recommender.Set(1 << 30)}}
	if !w.PodLevel || w.Containers[0].Pod != want {
		t.Errorf("PodLevel is %t with %v, want %v", w.PodLevel, w.Containers[0].Pod, want)
	}
}

// ofKind is of with an API version.
func ofKind(m metav1.ObjectMeta, apiVersion, kind, name string) metav1.ObjectMeta {
	m = of(m, kind, name)
	m.OwnerReferences[0].APIVersion = apiVersion
	return m
}

func aged(m metav1.ObjectMeta, minutes int) metav1.ObjectMeta {
	m.CreationTimestamp = metav1.NewTime(time.Unix(1_700_000_000, 0).Add(-time.Duration(minutes) * time.Minute))
	return m
}

func requesting(spec corev1.PodSpec, container int, cpu string) corev1.PodSpec {
	spec = *spec.DeepCopy()
	spec.Containers[container].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
	return spec
}

const (
	crunchy = "postgres-operator.crunchydata.com/v1beta1"
	strimzi = "core.strimzi.io/v1beta2"
)

// operated is a namespace in which others than Kubernetes's own controllers are at work.
func operated() []runtime.Object {
	template := func(containers ...string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{Spec: podSpec(containers...)}
	}
	set := func(name string) metav1.ObjectMeta {
		return ofKind(meta("shop", name), crunchy, "PostgresCluster", "db")
	}
	pod := func(m metav1.ObjectMeta, spec corev1.PodSpec) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: m, Spec: spec}
	}
	injected := podSpec("app", "istio-proxy")
	injected.InitContainers = []corev1.Container{{Name: "istio-init"}}
	argo := "argoproj.io/v1alpha1"
	three := int32(3)
	return []runtime.Object{
		&corev1.Namespace{ObjectMeta: meta("", "shop")},
		// A Rollout, whose newest pod has a proxy.
		&appsv1.ReplicaSet{ObjectMeta: ofKind(meta("shop", "web-5d9c7b6f8"), argo, "Rollout", "web"), Spec: appsv1.ReplicaSetSpec{Template: template("app")}},
		pod(aged(ofKind(meta("shop", "web-5d9c7b6f8-aaaaa"), "apps/v1", "ReplicaSet", "web-5d9c7b6f8"), 5), requesting(injected, 1, "20m")),
		pod(aged(ofKind(meta("shop", "web-5d9c7b6f8-bbbbb"), "apps/v1", "ReplicaSet", "web-5d9c7b6f8"), 90), podSpec("app", "gone")),
		// A Rollout that takes its template from a Deployment.
		&appsv1.Deployment{ObjectMeta: meta("shop", "api"), Spec: appsv1.DeploymentSpec{Replicas: new(int32), Template: template("api")}},
		&appsv1.ReplicaSet{ObjectMeta: ofKind(meta("shop", "api-5d9c7b6f8"), argo, "Rollout", "api"), Spec: appsv1.ReplicaSetSpec{Template: template("api")}},
		// A Deployment whose ReplicaSet still has a container that its template has no more.
		&appsv1.Deployment{ObjectMeta: meta("shop", "old"), Spec: appsv1.DeploymentSpec{Template: template("app")}},
		&appsv1.ReplicaSet{ObjectMeta: ofKind(meta("shop", "old-5d9c7b6f8"), "apps/v1", "Deployment", "old"), Spec: appsv1.ReplicaSetSpec{Template: template("app", "former")}},
		pod(ofKind(meta("shop", "old-5d9c7b6f8-aaaaa"), "apps/v1", "ReplicaSet", "old-5d9c7b6f8"), podSpec("app", "former")),
		// An operator's StatefulSets: two alike, one more, and one that declares a container otherwise; and its CronJob.
		&appsv1.StatefulSet{ObjectMeta: set("db-a"), Spec: appsv1.StatefulSetSpec{Replicas: &three, Template: template("postgres", "backup")}},
		&appsv1.StatefulSet{ObjectMeta: set("db-b"), Spec: appsv1.StatefulSetSpec{Template: template("postgres", "backup")}},
		&appsv1.Deployment{ObjectMeta: set("db-pool"), Spec: appsv1.DeploymentSpec{Template: template("pool")}},
		&batchv1.CronJob{ObjectMeta: set("db-full"), Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template("backup")}}}},
		&appsv1.StatefulSet{ObjectMeta: ofKind(meta("shop", "mq-a"), "mq.example/v1", "Broker", "mq"), Spec: appsv1.StatefulSetSpec{Template: template("mq")}},
		&appsv1.StatefulSet{ObjectMeta: ofKind(meta("shop", "mq-b"), "mq.example/v1", "Broker", "mq"), Spec: appsv1.StatefulSetSpec{Template: corev1.PodTemplateSpec{Spec: requesting(podSpec("mq"), 0, "2")}}},
		// Pods that an operator makes, two levels down; and a run.
		pod(aged(ofKind(meta("shop", "log-kafka-0"), strimzi, "StrimziPodSet", "log-kafka"), 9), podSpec("kafka")),
		pod(aged(ofKind(meta("shop", "log-kafka-1"), strimzi, "StrimziPodSet", "log-kafka"), 1), requesting(podSpec("kafka"), 0, "1")),
		pod(ofKind(meta("shop", "build-x7"), argo, "Workflow", "build"), corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "main"}}}),
		// A DeploymentConfig's.
		pod(ofKind(meta("shop", "legacy-3-x7k2p"), "v1", "ReplicationController", "legacy-3"), podSpec("app")),
	}
}

// operators is the clients for that namespace, of an API server that knows all these kinds.
func operators(t *testing.T) (*fake.Clientset, *dynamicfake.FakeDynamicClient, *metadatafake.FakeMetadataClient) {
	t.Helper()
	client := fake.NewSimpleClientset(operated()...)
	client.Resources = []*metav1.APIResourceList{
		{GroupVersion: "argoproj.io/v1alpha1", APIResources: []metav1.APIResource{{Name: "rollouts", Kind: "Rollout", Namespaced: true}}},
		{GroupVersion: "apps.openshift.io/v1", APIResources: []metav1.APIResource{{Name: "deploymentconfigs", Kind: "DeploymentConfig", Namespaced: true}}},
		{GroupVersion: crunchy, APIResources: []metav1.APIResource{{Name: "postgresclusters", Kind: "PostgresCluster", Namespaced: true}}},
		{GroupVersion: strimzi, APIResources: []metav1.APIResource{{Name: "strimzipodsets", Kind: "StrimziPodSet", Namespaced: true}}},
		{GroupVersion: "kafka.strimzi.io/v1beta2", APIResources: []metav1.APIResource{{Name: "kafkas/status", Kind: "Kafka"}, {Name: "kafkas", Kind: "Kafka", Namespaced: true}}},
	}
	var objects []runtime.Object
	for _, text := range strings.Split(rollouts, "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
			t.Fatal(err)
		}
		if name := u.GetName(); u.GetKind() == "Rollout" && name != "lost" || u.GetKind() == "DeploymentConfig" {
			if name == "api" {
				_ = unstructured.SetNestedField(u.Object, "api", "spec", "workloadRef", "name")
			}
			objects = append(objects, u)
		}
	}
	dynamic := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"}:          "RolloutList",
		{Group: "apps.openshift.io", Version: "v1", Resource: "deploymentconfigs"}: "DeploymentConfigList",
	}, objects...)
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	heads := metadatafake.NewSimpleMetadataClient(scheme,
		head(meta("shop", "db"), crunchy, "PostgresCluster"),
		head(ofKind(meta("shop", "log-kafka"), "kafka.strimzi.io/v1beta2", "Kafka", "log"), strimzi, "StrimziPodSet"),
		head(ofKind(meta("shop", "log"), "apps/v1", "Deployment", "operator"), "kafka.strimzi.io/v1beta2", "Kafka"),
	)
	return client, dynamic, heads
}

func head(m metav1.ObjectMeta, apiVersion, kind string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: kind}, ObjectMeta: m}
}

type reactor interface {
	PrependReactor(verb, resource string, reaction clienttesting.ReactionFunc)
}

func forbid(f reactor, resources ...string) {
	for _, r := range resources {
		f.PrependReactor("list", r, func(a clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(a.GetResource().GroupResource(), "", errors.New("no"))
		})
	}
}

// places says of each container what it is besides its name.
func places(inv *workload.Inventory) string {
	var b strings.Builder
	for _, w := range inv.Workloads {
		for i, c := range w.Containers {
			fmt.Fprintf(&b, "%s x%d", c.ID, c.Replicas)
			if c.Init {
				b.WriteString(" init")
			}
			if i < len(w.Slots) {
				fmt.Fprintf(&b, " in %s", w.APIVersion)
			}
			if c.Owner != "" {
				fmt.Fprintf(&b, " of %s", c.Owner)
			}
			if c.Injected {
				fmt.Fprintf(&b, " injected by %s", c.SizedBy[recommender.CPU].Request)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func TestExtend(t *testing.T) {
	const (
		own = `shop/rollout/api/api x4 in apps/v1
shop/postgrescluster/db/postgres x3 of PostgresCluster db
shop/postgrescluster/db/backup x3 of PostgresCluster db
shop/postgrescluster/db/postgres x1 of PostgresCluster db
shop/postgrescluster/db/backup x1 of PostgresCluster db
shop/postgrescluster/db/pool x1 of PostgresCluster db
shop/cronjob/db-full/backup x0 of PostgresCluster db
`
		legacy = "shop/deploymentconfig/legacy/app x2 in apps.openshift.io/v1\n"
		kafka  = "shop/kafka/log/kafka x2 of Kafka log\n"
		mq     = `shop/statefulset/mq-a/mq x1 of Broker mq
shop/statefulset/mq-b/mq x1 of Broker mq
shop/deployment/old/app x1 in apps/v1
`
		web = `shop/rollout/web/app x6 in argoproj.io/v1alpha1
shop/rollout/web/tail x6 in argoproj.io/v1alpha1
shop/rollout/web/istio-proxy x6 injected by sidecar.istio.io/proxyCPU
shop/rollout/web/istio-init x6 init injected by 
`
	)
	for _, tt := range []struct {
		name                string
		objects, heads      []string // that may not be listed
		want                string
		warnings, unlisted  string
		noPods, unknownKind bool
	}{
		{name: "all", want: own + legacy + kafka + mq + web},
		{
			name: "no rollouts", objects: []string{"rollouts"},
			want:     "shop/deployment/api/api x0 in apps/v1\n" + strings.TrimPrefix(own, "shop/rollout/api/api x4 in apps/v1\n") + legacy + kafka + mq,
			warnings: "not allowed to list rollouts.argoproj.io in namespace shop: Rollouts are left out; grant list on rollouts.argoproj.io",
			unlisted: "rollouts.argoproj.io",
		},
		{
			name: "no Kafkas", heads: []string{"kafkas"}, want: own + legacy + kafka + mq + web,
			warnings: "not allowed to list kafkas.kafka.strimzi.io in namespace shop: what they belong to is not known, and they stand for it; grant list on kafkas.kafka.strimzi.io",
		},
		{
			name: "no pod sets", heads: []string{"strimzipodsets"},
			want:     own + legacy + "shop/strimzipodset/log-kafka/kafka x2 of StrimziPodSet log-kafka\n" + mq + web,
			warnings: "not allowed to list strimzipodsets.core.strimzi.io in namespace shop: what they belong to is not known, and they stand for it; grant list on strimzipodsets.core.strimzi.io",
		},
		{
			name: "unknown to the server", unknownKind: true,
			want: "shop/deployment/api/api x0 in apps/v1\n" + strings.TrimPrefix(own, "shop/rollout/api/api x4 in apps/v1\n") +
				"shop/replicationcontroller/legacy-3/app x1 of ReplicationController legacy-3\nshop/strimzipodset/log-kafka/kafka x2 of StrimziPodSet log-kafka\n" + mq,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, dynamic, heads := operators(t)
			forbid(dynamic, tt.objects...)
			forbid(heads, tt.heads...)
			if tt.unknownKind {
				client.Resources = nil
			}
			inv, err := workload.List(t.Context(), client, "shop")
			if err == nil {
				err = inv.Extend(t.Context(), client, dynamic, heads, "shop")
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, places(inv)); diff != "" {
				t.Errorf("containers (-want +got):\n%s", diff)
			}
			if got := strings.Join(inv.Warnings, "\n"); got != tt.warnings || strings.Join(inv.Unlisted, " ") != tt.unlisted {
				t.Errorf("warnings %s, unlisted %s", got, inv.Unlisted)
			}
		})
	}
}

// What the pods are like is not all that they are: their values count, whose they are, and how they are asked for.
func TestExtended(t *testing.T) {
	client, dynamic, heads := operators(t)
	inv, err := workload.List(t.Context(), client, "shop")
	if err == nil {
		err = inv.Extend(t.Context(), client, dynamic, heads, "shop")
	}
	if err != nil {
		t.Fatal(err)
	}
	sel, err := inv.Select(workload.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) recommender.Container {
		i := slices.IndexFunc(sel.Containers, func(c recommender.Container) bool { return c.ID.String() == name })
		if i < 0 {
			t.Fatalf("there is no %s", name)
		}
		return sel.Containers[i]
	}
	if c := at("shop/postgrescluster/db/postgres"); c.Replicas != 4 {
		t.Errorf("two StatefulSets of 3 and 1 are %d replicas", c.Replicas)
	}
	if c := at("shop/rollout/web/istio-proxy"); c.Spec[recommender.CPU].Request != recommender.Set(0.02) || c.SizedBy[recommender.Memory].Limit != "sidecar.istio.io/proxyMemoryLimit" {
		t.Errorf("the proxy has %v and is sized by %v", c.Spec, c.SizedBy)
	}
	if c := at("shop/kafka/log/kafka"); c.Spec[recommender.CPU].Request != recommender.Set(1) {
		t.Errorf("kafka has %v, want what its newest pod has", c.Spec)
	}
	for i, c := range sel.Containers {
		if i > 0 && c.ID == sel.Containers[i-1].ID {
			t.Errorf("%s is there twice", c.ID)
		}
	}
	for ref, want := range map[string]string{
		"postgrescluster/db": "postgrescluster/db", "PostgresCluster.postgres-operator.crunchydata.com/db": "postgrescluster/db",
		"sts/db-b": "postgrescluster/db", "strimzipodset/log-kafka": "kafka/log", "pod/log-kafka-0": "kafka/log", "deploy/api": "rollout/api",
	} {
		sel, err := inv.Select(workload.Selector{Refs: []string{ref}})
		if err != nil || sel.Containers[0].ID.Ref() != want {
			t.Errorf("Select(%s) = %v, %v, want %s", ref, sel, err, want)
		}
	}
	var unknown *workload.UnknownKindError
	if _, err := inv.Select(workload.Selector{Refs: []string{"topic/orders"}}); !errors.As(err, &unknown) {
		t.Errorf("a kind that nothing has gives %v", err)
	}
}

// Pods lead to the same workloads by their owners and by their names.
func TestResolveParts(t *testing.T) {
	client, dynamic, heads := operators(t)
	inv, err := workload.List(t.Context(), client, "shop")
	if err == nil {
		err = inv.Extend(t.Context(), client, dynamic, heads, "shop")
	}
	if err != nil {
		t.Fatal(err)
	}
	o := recommender.Owners{Pods: map[string]recommender.Owner{}, ReplicaSets: map[string]recommender.Owner{}}
	byName := workload.NewResolver(inv.Workloads, recommender.Owners{}, recommender.Owners{})
	o.ReplicaSets["api-5d9c7b6f8"] = recommender.Owner{Kind: "Rollout", Name: "api"}
	for _, tt := range []struct{ pod, ownerKind, owner, want, named string }{
		{"web-5d9c7b6f8-x2x4z", "ReplicaSet", "web-5d9c7b6f8", "rollout/web by name", "rollout/web by name"},
		{"api-5d9c7b6f8-x2x4z", "ReplicaSet", "api-5d9c7b6f8", "rollout/api by owner", "rollout/api by name"},
		{"db-a-0", "StatefulSet", "db-a", "postgrescluster/db by owner", "postgrescluster/db by name"},
		{"db-b-0", "StatefulSet", "db-b", "postgrescluster/db by owner", "postgrescluster/db by name"},
		{"db-pool-5d9c7b6f8-x2x4z", "ReplicaSet", "db-pool-5d9c7b6f8", "postgrescluster/db by name", "postgrescluster/db by name"},
		{"mq-a-0", "StatefulSet", "mq-a", "statefulset/mq-a by owner", "statefulset/mq-a by name"},
		{"log-kafka-0", "StrimziPodSet", "log-kafka", "kafka/log by owner", "kafka/log by name"},
		{"log-kafka-7", "StrimziPodSet", "log-kafka", "kafka/log by owner", "unknown"},
		{"legacy-3-x7k2p", "ReplicationController", "legacy-3", "deploymentconfig/legacy by owner", "deploymentconfig/legacy by name"},
		{"legacy-2-x7k2p", "ReplicationController", "legacy-2", "deploymentconfig/legacy by owner", "deploymentconfig/legacy by name"},
		{"legacy-02-x7k2p", "ReplicationController", "legacy-02", "replicationcontroller/legacy-02 by owner", "unknown"},
	} {
		o.Pods[tt.pod] = recommender.Owner{Kind: tt.ownerKind, Name: tt.owner}
		if got := text(workload.NewResolver(inv.Workloads, o, recommender.Owners{}).Resolve(tt.pod)); got != tt.want {
			t.Errorf("Resolve(%s), owned by %s %s = %s, want %s", tt.pod, tt.ownerKind, tt.owner, got, tt.want)
		}
		if got := text(byName.Resolve(tt.pod)); got != tt.named {
			t.Errorf("Resolve(%s) = %s, want %s", tt.pod, got, tt.named)
		}
	}
}
