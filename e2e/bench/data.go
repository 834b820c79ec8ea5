package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/e2e/history"
)

// A deployment has three pods of two containers each, and has been rolled out four times in the eight days: for each
// live container there were five in all.
const (
	replicas      = 3
	perDeployment = replicas * len("ab")
	generations   = 5
	perNamespace  = 25 // deployments
	perNode       = 10 // deployments
	days          = 8
	stamp         = "VERSION"
)

// until is where the data end, and the window of all reports.
func until() time.Time { return time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC) }

//go:embed data.go
var sources embed.FS

// dataSet is a folder with blocks and the manifests of what they are about.
type dataSet struct {
	dir        string
	containers int // live ones
}

func (d dataSet) blocks() string    { return filepath.Join(d.dir, "tsdb") }
func (d dataSet) manifests() string { return filepath.Join(d.dir, "manifests.json") }

// declared is how many containers have a recommendation: those of the manifests.
func (d dataSet) declared() int { return d.containers / replicas }

// prepare makes a data set, unless it is there in this version.
func prepare(ctx context.Context, c *cluster.Cluster, parent string, containers int) (dataSet, error) {
	d := dataSet{filepath.Join(parent, fmt.Sprint(containers)), containers}
	version, err := version()
	if err != nil {
		return d, err
	}
	text, err := os.ReadFile(filepath.Join(d.dir, stamp))
	if err == nil && string(text) == version {
		return d, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	defer c.Task(fmt.Sprintf("generating %d live containers", containers))()
	return d, d.generate(ctx, version)
}

// daysAtOnce is how many days are in memory while so many containers are written: all of 3,000 containers, and fewer of more,
// since all of 10,002 take more than 24 GB.
func daysAtOnce(containers int) int { return max((days+1)*3000/containers, 1) }

// version names what is generated: a hash of the sources that say so.
func version() (string, error) {
	samples, err := history.Version()
	if err != nil {
		return "", err
	}
	plan, err := sources.ReadFile("data.go")
	return fmt.Sprintf("%s-%x", samples, sha256.Sum256(plan))[:32], err
}

// generate writes the version last, so that a data set is there whole or not at all.
func (d dataSet) generate(ctx context.Context, version string) error {
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	if err := plan(d.containers).WriteBlocksInPasses(ctx, d.blocks(), daysAtOnce(d.containers)); err != nil {
		return err
	}
	manifests, err := json.Marshal(declare(d.containers))
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.manifests(), manifests, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.dir, stamp), []byte(version), 0o644)
}

// deployment is one of the made-up workloads.
type deployment int

func (d deployment) name() string      { return fmt.Sprintf("app-%04d", int(d)) }
func (d deployment) namespace() string { return fmt.Sprintf("team-%02d", int(d)/perNamespace) }

// random is a number below n that follows from the deployment and names.
func (d deployment) random(n int, names ...any) int {
	h := fnv.New64a()
	fmt.Fprint(h, int(d), names)
	return int(h.Sum64() >> 8 % uint64(n))
}

// suffix is letters as in generated names.
func (d deployment) suffix(n int, names ...any) string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	var b strings.Builder
	for i := range n {
		b.WriteByte(alphabet[d.random(len(alphabet), append(names, i)...)])
	}
	return b.String()
}

// replicaSet is the name of a generation's, whose hash is decimal digits in letters as Kubernetes has them.
func (d deployment) replicaSet(generation int) string {
	const digits = "bcdf456789"
	var b strings.Builder
	for i := range 9 {
		b.WriteByte(digits[d.random(len(digits), "rs", generation, i)])
	}
	return d.name() + "-" + b.String()
}

// plan is all that ran.
func plan(containers int) history.History {
	h := history.History{From: until().Add(-days * 24 * time.Hour), Until: until()}
	for i := range containers / perDeployment {
		d := deployment(i)
		from := h.From
		for g := range generations {
			to := h.Until
			if g+1 < generations {
				each := h.Until.Sub(h.From) / generations
				to = h.From.Add(time.Duration(g)*each + each/2 + time.Duration(d.random(int(each/time.Second), "rollout", g))*time.Second)
			}
			owned := history.Owned{Namespace: d.namespace(), Name: d.replicaSet(g), Owner: history.Owner{Kind: "Deployment", Name: d.name()}, From: from, Until: h.Until}
			h.ReplicaSets = append(h.ReplicaSets, owned)
			for pod := range replicas {
				h.Pods = append(h.Pods, d.pod(g, pod, from, to))
			}
			from = to
		}
	}
	return h
}

func (d deployment) pod(generation, number int, from, to time.Time) history.Pod {
	name := d.replicaSet(generation) + "-" + d.suffix(5, "pod", generation, number)
	return history.Pod{
		Namespace: d.namespace(), Name: name, UID: "uid-" + name, Node: fmt.Sprint("worker-", int(d)/perNode), From: from, Until: to,
		Owner:      history.Owner{Kind: "ReplicaSet", Name: d.replicaSet(generation)},
		Containers: []history.Container{d.container("app"), d.container("sidecar")},
	}
}

func (d deployment) container(name string) history.Container {
	cores, bytes := 0.02+float64(d.random(1000, name, "cpu"))/1000, float64(32+d.random(1500, name, "memory"))*(1<<20)
	return history.Container{
		Name: name, Image: "registry.example/" + d.name() + "/" + name + ":1", Cores: cores, Bytes: bytes,
		CPURequest: 0.5, MemoryRequest: 512 << 20, MemoryLimit: 4 << 30,
	}
}

// declare is the manifests, as a List.
func declare(containers int) any {
	var items []any
	for i := range containers / perDeployment {
		items = append(items, deployment(i).declared())
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": items}
}

func (d deployment) declared() *appsv1.Deployment {
	labels := map[string]string{"app": d.name()}
	spec := corev1.PodSpec{}
	for _, name := range []string{"app", "sidecar"} {
		spec.Containers = append(spec.Containers, corev1.Container{
			Name: name, Image: d.container(name).Image,
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{"cpu": resource.MustParse("500m"), "memory": resource.MustParse("512Mi")},
				Limits:   corev1.ResourceList{"memory": resource.MustParse("4Gi")},
			},
		})
	}
	n := int32(replicas)
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace(), Name: d.name()},
		Spec: appsv1.DeploymentSpec{
			Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}
}
