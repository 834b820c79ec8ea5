package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// observability is a Service of Prometheus as kube-prometheus has it. Its pod, which nobody schedules, is at an
// address of this machine: the API server's proxy goes by Endpoints, and to addresses of pods alone.
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
kind: Pod
metadata: {name: prometheus-k8s-0, namespace: observability}
spec: {schedulerName: nobody, containers: [{name: prometheus, image: prometheus}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: prometheus-k8s, namespace: observability}
subsets: [{addresses: [{ip: %q, targetRef: {kind: Pod, namespace: observability, name: prometheus-k8s-0}}], ports: [{name: web, port: %d}]}]
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
		r.wantErrors(t, name+" answered 403 Forbidden", `cannot get resource "services/proxy"`, "grant get and create on services/proxy in namespace observability")
	})
	t.Run("with just these rights", func(t *testing.T) {
		// With get alone short queries pass, since those that are refused as POST are tried as GET.
		apply(t, fmt.Sprintf(proxyRights, "[get]"))
		r := rightsize(t, found(cluster.Viewer, "--read", "remote")...)
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
	proxy := httputil.NewSingleHostReverseProxy(target)
	forwarder := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Else an answer's first byte closes the request, which the proxy may not have sent to its end.
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		proxy.ServeHTTP(w, r)
	}))
	if err := forwarder.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	forwarder.Listener = listener
	forwarder.Start()
	t.Cleanup(forwarder.Close)
	manifest := fmt.Sprintf(observability, ip, listener.Addr().(*net.TCPAddr).Port)
	eventually(t, func(ctx context.Context) error { // the namespace's service account takes a moment
		return env.cluster.Apply(ctx, []byte(manifest))
	})
	t.Cleanup(func() { // the endpoints go with it
		if err := env.cluster.Client.CoreV1().Services("observability").Delete(context.Background(), "prometheus-k8s", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	pods := env.cluster.Client.CoreV1().Pods("observability")
	pod, err := pods.Get(t.Context(), "prometheus-k8s-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod.Status.PodIP, pod.Status.PodIPs = ip, []corev1.PodIP{{IP: ip}}
	if _, err := pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		_, err := env.cluster.Client.CoreV1().Services("observability").ProxyGet("http", "prometheus-k8s", "9090", "-/ready", nil).DoRaw(ctx)
		return err
	})
}

func eventually(t *testing.T, ask func(context.Context) error) {
	t.Helper()
	if err := cluster.Eventually(t.Context(), 30*time.Second, ask); err != nil {
		t.Fatal(err)
	}
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
