// Package shop is the world of the tests: a namespace with a workload of every kind, made by the real
// controllers, and a week of history for its pods and for those of earlier rollouts.
package shop

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rightsize/rightsize/e2e/cluster"
)

//go:embed manifests/*.yaml
var manifests embed.FS

// pods is how many pods the workloads of shop.yaml have: web 3, api 2, db 2, agent 3, legacy 2, and one each of
// api-v2, fresh, unseen, plain, toolbox, migrate and report.
const pods = 19

// Create makes the workloads, with web rolled out twice, and waits until all their pods run or are done.
func Create(ctx context.Context, c *cluster.Cluster) error {
	defer c.Task("creating the workloads of namespace shop")()
	around, err := manifests.ReadFile("manifests/cluster.yaml")
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, around); err != nil {
		return err
	}
	if err := c.Rollouts(ctx); err != nil {
		return err
	}
	for _, version := range []string{"1.4.1", Version} {
		if err := rollOut(ctx, c, version); err != nil {
			return err
		}
	}
	if err := runReport(ctx, c); err != nil {
		return err
	}
	if err := c.ToolToken(ctx, "tool", "tool"); err != nil {
		return err
	}
	return cluster.Eventually(ctx, time.Minute, func(ctx context.Context) error { return settled(ctx, c) })
}

// Version is web's at the end.
const Version = "1.4.2"

// Workloads is the manifest of all workloads, with a version of web.
func Workloads(version string) ([]byte, error) {
	text, err := manifests.ReadFile("manifests/shop.yaml")
	return bytes.ReplaceAll(text, []byte("WEB_VERSION"), []byte(version)), err
}

// rollOut applies the workloads with a version of web, and waits until the Deployment's pods have it.
func rollOut(ctx context.Context, c *cluster.Cluster, version string) error {
	text, err := Workloads(version)
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, text); err != nil {
		return err
	}
	return cluster.Eventually(ctx, time.Minute, func(ctx context.Context) error {
		d, err := c.Client.AppsV1().Deployments(cluster.Namespace).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if s := d.Status; s.ObservedGeneration < d.Generation || s.UpdatedReplicas != 3 || s.AvailableReplicas != 3 || s.Replicas != 3 {
			return fmt.Errorf("deployment web is not rolled out: %d updated, %d available of %d", s.UpdatedReplicas, s.AvailableReplicas, s.Replicas)
		}
		return nil
	})
}

// runReport makes a run of the CronJob, as kubectl create job --from does.
func runReport(ctx context.Context, c *cluster.Cluster) error {
	cron, err := c.Client.BatchV1().CronJobs(cluster.Namespace).Get(ctx, "report", metav1.GetOptions{})
	if err != nil {
		return err
	}
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name:            fmt.Sprintf("report-%d", time.Now().Unix()/60),
			Annotations:     map[string]string{"cronjob.kubernetes.io/instantiate": "manual"},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(cron, batchv1.SchemeGroupVersion.WithKind("CronJob"))},
		},
		Spec: cron.Spec.JobTemplate.Spec,
	}
	_, err = c.Client.BatchV1().Jobs(cluster.Namespace).Create(ctx, job, metav1.CreateOptions{})
	return err
}

// settled says whether all pods are there, and none is on its way.
func settled(ctx context.Context, c *cluster.Cluster) error {
	list, err := c.Pods(ctx, cluster.Namespace)
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.DeletionTimestamp != nil || p.Status.Phase != corev1.PodRunning && p.Status.Phase != corev1.PodSucceeded {
			return fmt.Errorf("pod %s is %s", p.Name, p.Status.Phase)
		}
	}
	if len(list) != pods {
		return fmt.Errorf("namespace shop has %d pods, want %d", len(list), pods)
	}
	return nil
}
