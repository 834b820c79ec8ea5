// Package cluster builds and runs a real Kubernetes control plane, kube-state-metrics and Prometheus, and
// what speaks Prometheus's language, on loopback and without containers.
//
// Nodes and kubelets are kwok's: pods are scheduled, run and complete, and no container ever starts.
package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
)

// Namespace is the one that kube-state-metrics watches and Prometheus knows.
const Namespace = "shop"

// Cluster is a running cluster. Stop ends it.
type Cluster struct {
	Dir       string // of everything that the run writes
	Rightsize string // the path of the product's command, built from the working tree
	Client    kubernetes.Interface
	APIServer *Server

	tools                        *tools
	bin                          map[string]string
	group                        *Group
	progress                     *progress
	authority                    *authority
	serverPair                   keyPair
	apiPort                      int
	dynamic                      dynamic.Interface
	etcd, kwok, kubeStateMetrics *Server
}

// New prepares a run: folders, certificates, no process yet. root is the repository's folder; progress is
// told to w.
func New(root string, w io.Writer) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "rightsize-e2e-")
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"logs", "pki", "kubeconfig", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	cache, err := cacheFolder()
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir, group: NewGroup(filepath.Join(dir, "logs")), progress: &progress{w, 30 * time.Second}}
	c.tools = &tools{source: filepath.Join(root, "e2e", "tools"), cache: cache, group: c.group, progress: c.progress}
	if c.authority, err = newAuthority("e2e"); err != nil {
		return nil, err
	}
	if c.serverPair, err = c.authority.server(); err != nil {
		return nil, err
	}
	c.Rightsize = filepath.Join(dir, "rightsize")
	return c, c.tools.binary(root, c.Rightsize)
}

// Start builds what the cache does not have and starts the control plane, kwok and kube-state-metrics.
func (c *Cluster) Start(ctx context.Context) error {
	c.bin = map[string]string{}
	for _, set := range clusterTools() {
		paths, err := c.tools.build(set)
		if err != nil {
			return err
		}
		for name, path := range paths {
			c.bin[name] = path
		}
	}
	defer c.Task("starting the cluster")()
	return c.startControlPlane(ctx)
}

// Task tells whoever waits that something takes its time. Call the result when it is done.
func (c *Cluster) Task(what string) (end func()) { return c.progress.task(what) }

// Group is the processes of the run.
func (c *Cluster) Group() *Group { return c.group }

// Stop ends every process. With keepLogs only their logs stay, and it says where; else nothing does.
func (c *Cluster) Stop(keepLogs bool) error {
	end := c.Task("stopping the cluster")
	c.group.Stop()
	end()
	if !keepLogs {
		return os.RemoveAll(c.Dir)
	}
	entries, err := os.ReadDir(c.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == "logs" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(c.Dir, e.Name())); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.progress.w, "e2e: logs are in %s\n", filepath.Join(c.Dir, "logs"))
	return nil
}

func (c *Cluster) auditLog() string { return filepath.Join(c.Dir, "logs", "audit.log") }
