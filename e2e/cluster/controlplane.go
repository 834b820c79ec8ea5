package cluster

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// config holds kwok's stages and metrics, and the API server's audit policy.
//
//go:embed config
var config embed.FS

// startControlPlane starts what makes a Kubernetes cluster, in the order in which they need each other.
func (c *Cluster) startControlPlane(ctx context.Context) error {
	if err := c.startEtcd(ctx); err != nil {
		return err
	}
	if err := c.startAPIServer(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.startControllerManager(ctx) })
	g.Go(func() error { return c.startScheduler(ctx) })
	g.Go(func() error { return c.startKwok(ctx) })
	g.Go(func() error { return c.startKubeStateMetrics(ctx) })
	return g.Wait()
}

func (c *Cluster) startEtcd(ctx context.Context) (err error) {
	c.etcd, err = c.group.serve(ctx, spec{
		name:   "etcd",
		binary: c.bin["etcd"],
		ports:  2,
		args: func(ports []int) ([]string, error) {
			client, peer := loopback(ports[0]), loopback(ports[1])
			return []string{
				"--name=e2e", "--data-dir=" + filepath.Join(c.Dir, "etcd"), "--log-level=warn",
				"--unsafe-no-fsync", // the data need not outlive the run
				"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
				"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=e2e=" + peer,
			}, nil
		},
		ready: func(ctx context.Context, ports []int) error { return healthy(ctx, loopback(ports[0])+"/health") },
	})
	return err
}

func (c *Cluster) startAPIServer(ctx context.Context) (err error) {
	pki := filepath.Join(c.Dir, "pki")
	cert, key, err := c.serverPair.write(pki, "kube-apiserver")
	if err != nil {
		return err
	}
	files, err := c.writeAPIServerFiles(pki)
	if err != nil {
		return err
	}
	c.APIServer, err = c.group.serve(ctx, spec{
		name:   "kube-apiserver",
		binary: c.bin["kube-apiserver"],
		ports:  1,
		args: func(ports []int) ([]string, error) {
			return []string{
				"--etcd-servers=" + c.etcd.URL(),
				"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[0]),
				// Endpoints on loopback are not valid, so the API server must not publish its own.
				"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
				"--tls-cert-file=" + cert, "--tls-private-key-file=" + key, "--cert-dir=" + pki,
				"--client-ca-file=" + files.ca, "--token-auth-file=" + files.tokens, "--authorization-mode=RBAC",
				"--service-account-issuer=https://kubernetes.default.svc",
				"--service-account-key-file=" + files.signing + ".crt", "--service-account-signing-key-file=" + files.signing + ".key",
				"--service-cluster-ip-range=10.96.0.0/16", "--profiling=false",
				"--allow-privileged=true", // as clusters have it: Pod Security is what refuses such pods
				"--audit-policy-file=" + files.audit, "--audit-log-path=" + c.auditLog(),
				// The scale test makes many objects; fairness would only slow it down.
				"--enable-priority-and-fairness=false", "--max-requests-inflight=2000", "--max-mutating-requests-inflight=1000",
			}, nil
		},
		ready: func(ctx context.Context, ports []int) error { return c.connect(ctx, ports[0]) },
	})
	return err
}

// apiServerFiles are paths of files that the API server reads.
type apiServerFiles struct{ ca, tokens, signing, audit string }

func (c *Cluster) writeAPIServerFiles(dir string) (apiServerFiles, error) {
	f := apiServerFiles{
		ca:      filepath.Join(dir, "ca.crt"),
		tokens:  filepath.Join(dir, "tokens.csv"),
		signing: filepath.Join(dir, "service-accounts"),
		audit:   filepath.Join(dir, "audit.yaml"),
	}
	signing, err := signingKey()
	if err != nil {
		return f, err
	}
	if _, _, err := signing.write(dir, filepath.Base(f.signing)); err != nil {
		return f, err
	}
	var tokens strings.Builder
	for _, u := range staticTokens() {
		fmt.Fprintf(&tokens, "%s,%s,%s\n", Token(u), u, u)
	}
	audit, err := config.ReadFile("config/audit.yaml")
	if err != nil {
		return f, err
	}
	for path, text := range map[string][]byte{f.ca: c.authority.pem, f.tokens: []byte(tokens.String()), f.audit: audit} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return f, err
		}
	}
	return f, nil
}

// connect makes the administrator's clients, and asks whether the API server is ready for them.
func (c *Cluster) connect(ctx context.Context, port int) error {
	if c.Client == nil || c.apiPort != port {
		c.apiPort = port
		if err := c.writeKubeconfigs(); err != nil {
			return permanent{err}
		}
		rest, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig(Admin))
		if err != nil {
			return permanent{err}
		}
		rest.QPS, rest.Burst = -1, -1 // no limit
		typed := *rest
		typed.ContentType = "application/vnd.kubernetes.protobuf" // half the API server's work at scale
		if c.Client, err = kubernetes.NewForConfig(&typed); err != nil {
			return permanent{err}
		}
		if c.dynamic, err = dynamic.NewForConfig(rest); err != nil {
			return permanent{err}
		}
	}
	_, err := c.Client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

// APIServerURL is where kubeconfigs point.
func (c *Cluster) APIServerURL() string { return fmt.Sprintf("https://127.0.0.1:%d", c.apiPort) }

func (c *Cluster) startControllerManager(ctx context.Context) error {
	_, err := c.group.serve(ctx, spec{
		name:   "kube-controller-manager",
		binary: c.bin["kube-controller-manager"],
		ports:  1,
		args: func(ports []int) ([]string, error) {
			return append(c.component("kube-controller-manager", ports[0]),
				"--use-service-account-credentials=true",
				"--service-account-private-key-file="+filepath.Join(c.Dir, "pki", "service-accounts.key"),
				"--root-ca-file="+filepath.Join(c.Dir, "pki", "ca.crt"), "--allocate-node-cidrs=false",
				"--concurrent-deployment-syncs=20", "--concurrent-replicaset-syncs=20"), nil
		},
		ready: func(ctx context.Context, ports []int) error { return healthz(ctx, ports[0]) },
	})
	return err
}

func (c *Cluster) startScheduler(ctx context.Context) error {
	_, err := c.group.serve(ctx, spec{
		name:   "kube-scheduler",
		binary: c.bin["kube-scheduler"],
		ports:  1,
		args: func(ports []int) ([]string, error) {
			return c.component("kube-scheduler", ports[0]), nil
		},
		ready: func(ctx context.Context, ports []int) error { return healthz(ctx, ports[0]) },
	})
	return err
}

// component are the flags that the controller manager and the scheduler share.
func (c *Cluster) component(name string, port int) []string {
	kubeconfig := c.Kubeconfig(User(name))
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port), "--cert-dir=" + filepath.Join(c.Dir, "pki", name),
		"--leader-elect=false", "--profiling=false", "--kube-api-qps=2000", "--kube-api-burst=4000",
	}
}

// healthz asks a component that shows a certificate of its own making whether it is well.
func healthz(ctx context.Context, port int) error {
	return healthy(ctx, fmt.Sprintf("https://127.0.0.1:%d/healthz", port))
}

func (c *Cluster) startKwok(ctx context.Context) (err error) {
	c.kwok, err = c.group.serve(ctx, spec{
		name:   "kwok",
		binary: c.bin["kwok"],
		ports:  1,
		args: func(ports []int) ([]string, error) {
			file := filepath.Join(c.Dir, "kwok.yaml")
			return []string{"--kubeconfig=" + c.Kubeconfig("kwok"), "--config=" + file}, writeKwokConfig(file, ports[0])
		},
		ready: func(ctx context.Context, ports []int) error { return healthy(ctx, loopback(ports[0])+"/healthz") },
	})
	return err
}

// writeKwokConfig puts the port into kwok's configuration, which has no other way to learn it.
func writeKwokConfig(file string, port int) error {
	text, err := config.ReadFile("config/kwok.yaml")
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "PORT", fmt.Sprint(port))), 0o600)
}

func (c *Cluster) startKubeStateMetrics(ctx context.Context) (err error) {
	c.kubeStateMetrics, err = c.group.serve(ctx, spec{
		name:   "kube-state-metrics",
		binary: c.bin["kube-state-metrics"],
		ports:  2,
		args: func(ports []int) ([]string, error) {
			return []string{
				"--kubeconfig=" + c.Kubeconfig("kube-state-metrics"), "--namespaces=" + Namespace,
				"--host=127.0.0.1", fmt.Sprintf("--port=%d", ports[0]),
				"--telemetry-host=127.0.0.1", fmt.Sprintf("--telemetry-port=%d", ports[1]),
			}, nil
		},
		ready: func(ctx context.Context, ports []int) error { return healthy(ctx, loopback(ports[0])+"/healthz") },
	})
	return err
}

func loopback(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }
