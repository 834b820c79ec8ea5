package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The External Secrets Operator, for nothing but its CRDs. The sum is go.sum's.
const (
	externalSecrets    = "github.com/external-secrets/external-secrets@v1.3.2"
	externalSecretsSum = "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ="
)

// ExternalSecrets makes the API server know the operator's ExternalSecrets, from the CRD in its Go module.
func (c *Cluster) ExternalSecrets(ctx context.Context) error {
	module, err := c.download(externalSecrets, externalSecretsSum)
	if err != nil {
		return err
	}
	crd, err := os.ReadFile(filepath.Join(module, "config", "crds", "bases", "external-secrets.io_externalsecrets.yaml"))
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, crd); err != nil {
		return err
	}
	return c.awaitKind(ctx, "external-secrets.io/v1", "ExternalSecret")
}

// Argo Rollouts, for nothing but its CRD. The sum is go.sum's.
const (
	argoRollouts    = "github.com/argoproj/argo-rollouts@v1.8.3"
	argoRolloutsSum = "h1:blbtQva4IK9r6gFh+dWkCrLnFdPOWiv9ubQYu36qeaA="
)

// Rollouts makes the API server know Argo's Rollouts, from the CRD in Argo's Go module.
func (c *Cluster) Rollouts(ctx context.Context) error {
	module, err := c.download(argoRollouts, argoRolloutsSum)
	if err != nil {
		return err
	}
	crd, err := os.ReadFile(filepath.Join(module, "manifests", "crds", "rollout-crd.yaml"))
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, crd); err != nil {
		return err
	}
	return c.awaitKind(ctx, "argoproj.io/v1alpha1", "Rollout")
}

// awaitKind waits until the API server serves a kind whose CRD it has.
func (c *Cluster) awaitKind(ctx context.Context, apiVersion, kind string) error {
	known := &unstructured.Unstructured{}
	known.SetAPIVersion(apiVersion)
	known.SetKind(kind)
	return Eventually(ctx, time.Minute, func(context.Context) error {
		_, err := c.resource(c.dynamic, known)
		return err
	})
}

// download is the folder of a Go module of that sum.
func (c *Cluster) download(module, sum string) (dir string, err error) {
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = filepath.Join(c.Dir, "tmp") // in a module of ours it might change go.sum
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := c.group.Run(cmd)
	if err != nil {
		return "", err
	}
	var found struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &found); err != nil {
		return "", fmt.Errorf("reading what go mod download says of %s: %w", module, err)
	}
	if found.Sum != sum {
		return "", fmt.Errorf("%s has the sum %s, want %s", module, found.Sum, sum)
	}
	return found.Dir, nil
}

// KubeScore is the path of kube-score, which says what is wrong with manifests.
func (c *Cluster) KubeScore() (string, error) {
	paths, err := c.tools.build(kubeScoreTools())
	return paths["kube-score"], err
}
