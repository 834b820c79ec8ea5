package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/e2e/history"
)

// KindsNamespace is where the workloads of others' kinds are.
const KindsNamespace = "kinds"

const (
	argo     = "argoproj.io/v1alpha1"
	postgres = "postgres-operator.crunchydata.com/v1beta1"
	kafka    = "kafka.strimzi.io/v1beta2"
	strimzi  = "core.strimzi.io/v1beta2"
)

// KindsWorkloads is the manifest of what somebody declares there.
func KindsWorkloads() ([]byte, error) { return manifests.ReadFile("manifests/kinds.yaml") }

// CreateKinds makes that, and what the controllers of these kinds would: of web's pods, one has an Istio proxy that its
// template does not have. It waits until all of it runs.
func CreateKinds(ctx context.Context, c *cluster.Cluster) error {
	crds, err := manifests.ReadFile("manifests/kinds-crds.yaml")
	if err != nil {
		return err
	}
	workloads, err := KindsWorkloads()
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, crds); err != nil {
		return err
	}
	// The CRDs are not served at once.
	if err := cluster.Eventually(ctx, time.Minute, func(ctx context.Context) error { return c.Apply(ctx, workloads) }); err != nil {
		return err
	}
	if err := kindsPods(ctx, c); err != nil {
		return err
	}
	return cluster.Eventually(ctx, time.Minute, func(ctx context.Context) error {
		list, err := c.Pods(ctx, KindsNamespace)
		if err != nil {
			return err
		}
		for _, p := range list {
			if p.Status.Phase != corev1.PodRunning || metav1.GetControllerOfNoCopy(&p) == nil {
				return fmt.Errorf("pod %s is %s, of %v", p.Name, p.Status.Phase, p.OwnerReferences)
			}
		}
		if len(list) != 6 { // web 2, and one each of api, pooled, db and log
			return fmt.Errorf("namespace %s has %d pods, want 6", KindsNamespace, len(list))
		}
		return nil
	})
}

// kindsPods makes what is below the objects of others' kinds.
func kindsPods(ctx context.Context, c *cluster.Cluster) error {
	web, err := owner(ctx, c, argo, "rollouts", "Rollout", "web")
	if err != nil {
		return err
	}
	api, err := owner(ctx, c, argo, "rollouts", "Rollout", "api")
	if err != nil {
		return err
	}
	db, err := owner(ctx, c, postgres, "postgresclusters", "PostgresCluster", "db")
	if err != nil {
		return err
	}
	log, err := owner(ctx, c, kafka, "kafkas", "Kafka", "log")
	if err != nil {
		return err
	}
	always := corev1.ContainerRestartPolicyAlways
	app := corev1.PodSpec{
		Containers:     []corev1.Container{asking("app", "500m", "1Gi")},
		InitContainers: []corev1.Container{asking("tail", "100m", "128Mi")},
	}
	app.InitContainers[0].RestartPolicy = &always
	meshed := *app.DeepCopy()
	meshed.Containers = append(meshed.Containers, asking("istio-proxy", "100m", "128Mi"))
	set := statefulSet("db-instance1", asking("postgres", "1", "2Gi"), db)
	podSet := &unstructured.Unstructured{Object: map[string]any{"apiVersion": strimzi, "kind": "StrimziPodSet"}}
	podSet.SetName("log-kafka")
	podSet.SetNamespace(KindsNamespace)
	podSet.SetOwnerReferences([]metav1.OwnerReference{log})
	// The ReplicaSet takes over pods that it finds, so that nobody has to inject anything.
	for _, obj := range []runtime.Object{
		pod("web-6d9f8c7b54-7kx2p", "web", meshed), pod("web-6d9f8c7b54-bd9wq", "web", meshed), replicaSet("web-6d9f8c7b54", "web", 2, app, web),
		replicaSet("api-7c6d5b4f98", "api", 1, corev1.PodSpec{Containers: []corev1.Container{asking("api", "500m", "1Gi")}}, api),
		set, podSet,
	} {
		if err := apply(ctx, c, obj); err != nil {
			return err
		}
	}
	pods, err := owner(ctx, c, strimzi, "strimzipodsets", "StrimziPodSet", "log-kafka")
	if err != nil {
		return err
	}
	broker := pod("log-kafka-0", "log", corev1.PodSpec{Containers: []corev1.Container{asking("kafka", "1", "2Gi")}})
	broker.OwnerReferences = []metav1.OwnerReference{pods}
	return apply(ctx, c, broker)
}

func apply(ctx context.Context, c *cluster.Cluster, obj runtime.Object) error {
	text, err := json.Marshal(obj)
	if err != nil {
		return err
	}
	return c.Apply(ctx, text)
}

// owner is a reference to a controller.
func owner(ctx context.Context, c *cluster.Cluster, apiVersion, plural, kind, name string) (metav1.OwnerReference, error) {
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return metav1.OwnerReference{}, err
	}
	list, err := c.List(ctx, KindsNamespace, version.WithResource(plural))
	if err != nil {
		return metav1.OwnerReference{}, err
	}
	for _, item := range list.Items {
		if item.GetName() == name {
			return *metav1.NewControllerRef(&item, version.WithKind(kind)), nil
		}
	}
	return metav1.OwnerReference{}, fmt.Errorf("there is no %s %s", kind, name)
}

func asking(name, cpu, memory string) corev1.Container {
	return corev1.Container{
		Name: name, Image: "registry.example/kinds/" + name + ":1",
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
		}},
	}
}

func pod(name, app string, spec corev1.PodSpec) *corev1.Pod {
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: KindsNamespace, Labels: map[string]string{"app": app}},
		Spec:       spec,
	}
}

func replicaSet(name, app string, replicas int32, spec corev1.PodSpec, by metav1.OwnerReference) *appsv1.ReplicaSet {
	labels := map[string]string{"app": app}
	return &appsv1.ReplicaSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSet"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: KindsNamespace, Labels: labels, OwnerReferences: []metav1.OwnerReference{by}},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}
}

func statefulSet(name string, container corev1.Container, by metav1.OwnerReference) *appsv1.StatefulSet {
	labels := map[string]string{"app": name}
	return &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: KindsNamespace, Labels: labels, OwnerReferences: []metav1.OwnerReference{by}},
		Spec: appsv1.StatefulSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{container}}},
		},
	}
}

// kindsUsage is what containers use there.
func kindsUsage() map[string]use {
	return map[string]use{
		"app": {0.06, 180}, "tail": {0.004, 40}, "istio-proxy": {0.02, 60}, "api": {0.2, 300}, "one": {0.1, 600}, "two": {0.1, 200},
		"postgres": {0.3, 900}, "kafka": {0.4, 800},
	}
}

// KindsInitRuns is how many of the pods that are gone had web's init container.
const KindsInitRuns = 6

// KindsPast is eight days of that namespace up to until, with a ReplicaSet of web's that is gone.
func KindsPast(ctx context.Context, c *cluster.Cluster, until time.Time) (history.History, error) {
	h := history.History{From: until.Add(-8 * day), Until: until.Add(2 * time.Minute)}
	live, err := c.Pods(ctx, KindsNamespace)
	if err != nil {
		return h, err
	}
	sets, err := c.Client.AppsV1().ReplicaSets(KindsNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return h, fmt.Errorf("listing the replicasets of %s: %w", KindsNamespace, err)
	}
	for _, rs := range sets.Items {
		h.ReplicaSets = append(h.ReplicaSets, history.Owned{Namespace: KindsNamespace, Name: rs.Name, Owner: ownerOf(rs.ObjectMeta), From: h.From, Until: h.Until})
	}
	for _, p := range live {
		one := history.Pod{Namespace: p.Namespace, Name: p.Name, UID: string(p.UID), Node: p.Spec.NodeName, Owner: ownerOf(p.ObjectMeta), From: h.From, Until: h.Until}
		for _, c := range append(p.Spec.Containers, p.Spec.InitContainers...) {
			u := kindsUsage()[c.Name]
			one.Containers = append(one.Containers, history.Container{Name: c.Name, Image: c.Image, Cores: u.cores, Bytes: u.mebibytes * (1 << 20)})
		}
		h.Pods = append(h.Pods, one)
	}
	gone := until.Add(-3 * day)
	h.ReplicaSets = append(h.ReplicaSets, history.Owned{Namespace: KindsNamespace, Name: "web-5f6d8c7b94", Owner: history.Owner{Kind: "Rollout", Name: "web"}, From: h.From, Until: gone})
	for i := range KindsInitRuns {
		from := gone.Add(time.Duration(i-KindsInitRuns) * 6 * time.Hour)
		h.Pods = append(h.Pods, history.Pod{
			Namespace: KindsNamespace, Name: fmt.Sprintf("web-5f6d8c7b94-in%cts", "bcdfgh"[i]), UID: fmt.Sprintf("init-%d", i), Node: "node-1",
			Owner: history.Owner{Kind: "ReplicaSet", Name: "web-5f6d8c7b94"}, From: from, Until: from.Add(6 * time.Hour),
			Containers: []history.Container{
				{Name: "app", Image: "registry.example/kinds/web:0", Cores: 0.06, Bytes: 180 << 20},
				{
					Name: "migrate", Image: "registry.example/kinds/migrate:0", Cores: 0.5, Bytes: 300 << 20, InitFor: 100 * time.Second, MemoryLimit: 400 << 20,
					Restarts: []time.Time{from.Add(50 * time.Second)}, OOMKilled: i == 0,
				},
			},
		})
	}
	h.Pods = append(h.Pods, history.Pod{
		Namespace: KindsNamespace, Name: "web-5f6d8c7b94-zt4mv", UID: "gone-web", Node: "node-1", Owner: history.Owner{Kind: "ReplicaSet", Name: "web-5f6d8c7b94"},
		From: h.From, Until: gone, Containers: []history.Container{{Name: "app", Image: "registry.example/kinds/web:0", Cores: 0.3, Bytes: 500 << 20}},
	})
	return h, nil
}

// DeleteKinds removes the namespace, and waits until it is gone: other tests read all that there are.
func DeleteKinds(ctx context.Context, c *cluster.Cluster) error {
	now := int64(0)
	if err := c.Client.CoreV1().Pods(KindsNamespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("deleting the pods of %s: %w", KindsNamespace, err)
	}
	if err := c.Client.CoreV1().Namespaces().Delete(ctx, KindsNamespace, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("deleting namespace %s: %w", KindsNamespace, err)
	}
	return cluster.Eventually(ctx, 2*time.Minute, func(ctx context.Context) error {
		_, err := c.Client.CoreV1().Namespaces().Get(ctx, KindsNamespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("looking for namespace %s: %w", KindsNamespace, err)
		}
		return fmt.Errorf("namespace %s is still there", KindsNamespace)
	})
}
