package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// observability is a Service of Prometheus as kube-prometheus has it. Its pods are elsewhere.
const observability = `
apiVersion: v1
kind: Namespace
metadata: {name: observability}
---
apiVersion: v1
kind: Service
metadata:
  name: prometheus-k8s
  namespace: observability
  labels: {app.kubernetes.io/name: prometheus, app.kubernetes.io/component: prometheus, app.kubernetes.io/part-of: kube-prometheus}
spec:
  ports: [{name: web, port: 9090, targetPort: web}, {name: reloader-web, port: 8080, targetPort: reloader-web}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: prometheus-k8s, namespace: observability}
subsets: [{addresses: [{ip: %q}], ports: [{name: web, port: %d}]}]
`

// proxyRights are what the service proxy takes, for a user, verb by verb.
const proxyRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: proxy, namespace: observability}
rules: [{apiGroups: [""], resources: [services/proxy], verbs: %s}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: proxy, namespace: observability}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: proxy}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}]
`

// TestDiscovery finds Prometheus by its service and asks it through the real API server's service proxy.
func TestDiscovery(t *testing.T) {
	publish(t)
	found := func(u cluster.User, more ...string) []string {
		return append(append(fromCluster(u), atUntil()...), more...)
	}
	const name = "service observability/prometheus-k8s:9090"
	want := reportOf(t, as(cluster.Admin)...)

	for _, read := range []string{"query", "remote"} {
		t.Run("by "+read, func(t *testing.T) {
			got := reportOf(t, found(cluster.Admin, "--read", read)...)
			if got.Source.Address != name {
				t.Errorf("usage is from %s, want %s", got.Source.Address, name)
			}
			if diff := cmp.Diff(want.Containers, got.Containers); read == "query" && diff != "" {
				t.Errorf("the report is another (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("without rights", func(t *testing.T) {
		r := rightsize(t, found(cluster.Nobody)...)
		r.wantCode(t, 1)
		r.wantErrors(t, "not allowed to list services in all namespaces", "--prometheus-service", "--prometheus-url")
	})
	t.Run("without the proxy", func(t *testing.T) {
		r := rightsize(t, found(cluster.Viewer)...)
		r.wantCode(t, 1)
		r.wantErrors(t, name+" answered 403 Forbidden", `cannot create resource "services/proxy"`, "grant get and create on services/proxy in namespace observability")
	})
	t.Run("with just these rights", func(t *testing.T) {
		apply(t, fmt.Sprintf(proxyRights, "[get]"))
		r := rightsize(t, found(cluster.Viewer)...)
		r.wantCode(t, 1)
		r.wantErrors(t, `cannot create resource "services/proxy"`)
		apply(t, fmt.Sprintf(proxyRights, "[get, create]"))
		if got := reportOf(t, found(cluster.Viewer)...).names(); !cmp.Equal(got, want.names()) {
			t.Errorf("the report has %q, want %q", got, want.names())
		}
		reportOf(t, found(cluster.Viewer, "--prometheus-service", "observability/prometheus-k8s:9090")...)
		r = rightsize(t, append([]string{"doctor", "-o", "json"}, found(cluster.Viewer)...)...)
		r.wantCode(t, 0)
	})
}

// publish makes the cluster have a Service that leads to Prometheus. Endpoints on loopback are refused, so a forwarder
// listens on this machine's own address.
func publish(t *testing.T) {
	t.Helper()
	ip := ownAddress(t)
	target, err := url.Parse(env.prometheus.URL())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	forwarder := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(target))
	if err := forwarder.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	forwarder.Listener = listener
	forwarder.Start()
	t.Cleanup(forwarder.Close)
	apply(t, fmt.Sprintf(observability, ip, listener.Addr().(*net.TCPAddr).Port))
	t.Cleanup(func() {
		if err := env.cluster.Client.CoreV1().Services("observability").Delete(context.Background(), "prometheus-k8s", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

func apply(t *testing.T, manifest string) {
	t.Helper()
	if err := env.cluster.Apply(t.Context(), []byte(manifest)); err != nil {
		t.Fatal(err)
	}
}

// ownAddress is an address of this machine that others could reach it by.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Fatal("this machine has no address besides loopback, which the API server refuses in Endpoints")
	return ""
}
