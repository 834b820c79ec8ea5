package discovery

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// service has labels and ports in the order name, number; its selector is its labels unless it is headless.
func service(name string, labels map[string]string, ports ...any) *corev1.Service {
	namespace, name, _ := strings.Cut(name, "/")
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}}
	s.Spec.ClusterIP, s.Spec.Selector = "10.0.0.1", map[string]string{"name": name}
	for i := 0; i < len(ports); i += 2 {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: ports[i].(string), Port: int32(ports[i+1].(int))})
	}
	return s
}

type labels = map[string]string

func TestWellKnown(t *testing.T) {
	for _, c := range []struct {
		service       *corev1.Service
		url, backend  string
		kindHas, show string
	}{
		{service("monitoring/kps-prometheus", labels{"app": "kube-prometheus-stack-prometheus", "self-monitor": "true"}, "http-web", 9090, "reloader-web", 8080), "http://kps-prometheus.monitoring.svc:9090", "prometheus", "stack", "monitoring/kps-prometheus:9090"},
		{service("monitoring/prometheus-operated", labels{"operated-prometheus": "true"}, "web", 9090), "http://prometheus-operated.monitoring.svc:9090", "prometheus", "operator", ""},
		{service("monitoring/prometheus-k8s", labels{nameLabel: "prometheus", componentLabel: "prometheus"}, "reloader-web", 8080, "web", 9090), "http://prometheus-k8s.monitoring.svc:9090", "prometheus", "kube-prometheus", ""},
		{service("prom/prometheus-server", labels{nameLabel: "prometheus", componentLabel: "server"}, "http", 80), "http://prometheus-server.prom.svc:80", "prometheus", "chart", "prom/prometheus-server:80"},
		{service("prom/old", labels{"app": "prometheus", "component": "server"}, "", 80), "http://old.prom.svc:80", "prometheus", "chart", ""},
		{service("thanos/thanos-query", labels{nameLabel: "thanos-query"}, "grpc", 10901, "http", 9090), "http://thanos-query.thanos.svc:9090", "thanos", "Thanos", ""},
		{service("thanos/bitnami", labels{nameLabel: "thanos", componentLabel: "query"}, "http", 9090), "http://bitnami.thanos.svc:9090", "thanos", "Thanos", ""},
		{service("openshift-monitoring/thanos-querier", labels{nameLabel: "thanos-query"}, "web", 9091), "http://thanos-querier.openshift-monitoring.svc:9091", "thanos", "Thanos", ""},
		{service("vm/single", labels{nameLabel: "victoria-metrics-single"}, "http", 8428), "http://single.vm.svc:8428", "victoriametrics", "VictoriaMetrics", ""},
		{service("vm/vmsingle-a", labels{nameLabel: "vmsingle"}, "http-alias", 8428), "http://vmsingle-a.vm.svc:8428", "victoriametrics", "VictoriaMetrics", ""},
		{service("vm/vmselect-a", labels{nameLabel: "vmselect"}, "http", 8481), "http://vmselect-a.vm.svc:8481/select/0/prometheus", "victoriametrics", "tenant 0", "vm/vmselect-a:8481"},
		{service("vm/chart", labels{nameLabel: "victoria-metrics-cluster", "app": "vmselect"}, "http", 8481), "http://chart.vm.svc:8481/select/0/prometheus", "victoriametrics", "tenant 0", ""},
		{service("mimir/gateway", labels{nameLabel: "mimir", componentLabel: "gateway"}, "http-metrics", 80), "http://gateway.mimir.svc:80/prometheus", "mimir", "Mimir", ""},
		{service("x/secure", labels{nameLabel: "prometheus", componentLabel: "server"}, "https", 443), "https://secure.x.svc:443", "prometheus", "chart", ""},
	} {
		found, err := Find(t.Context(), fake.NewClientset(c.service))
		if err != nil || len(found) != 1 {
			t.Errorf("%s: %v, %v", c.service.Name, found, err)
			continue
		}
		s := found[0]
		if s.URL() != c.url || s.Backend != c.backend || !strings.Contains(s.Kind, c.kindHas) || c.show != "" && s.String() != c.show {
			t.Errorf("%s is %s, %s %q at %s; want %s at %s", c.service.Name, s, s.Backend, s.Kind, s.URL(), c.backend, c.url)
		}
	}
}

func TestNotKnown(t *testing.T) {
	external := service("x/external", labels{nameLabel: "prometheus", componentLabel: "server"}, "http", 80)
	external.Spec.Type = corev1.ServiceTypeExternalName
	found, err := Find(t.Context(), fake.NewClientset(external,
		service("x/alertmanager", labels{"app": "kube-prometheus-stack-alertmanager", "self-monitor": "true"}, "http-web", 9093),
		service("x/node-exporter", labels{nameLabel: "prometheus-node-exporter"}, "http-metrics", 9100),
		service("x/sidecars", labels{"app": "kube-prometheus-stack-thanos-discovery"}, "grpc", 10901),
		service("x/vminsert", labels{nameLabel: "victoria-metrics-cluster", "app": "vminsert"}, "http", 8480),
		service("x/distributor", labels{nameLabel: "mimir", componentLabel: "distributor"}, "http-metrics", 8080),
		service("x/no-port", labels{nameLabel: "thanos-query"}, "grpc", 10901)))
	if err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
}

// One Prometheus behind several services is one; two are two.
func TestDistinct(t *testing.T) {
	headless := service("prom/headless", labels{nameLabel: "prometheus", componentLabel: "server"}, "http", 80)
	headless.Spec.ClusterIP = corev1.ClusterIPNone
	server := service("prom/server", labels{nameLabel: "prometheus", componentLabel: "server"}, "http", 80)
	headless.Spec.Selector = server.Spec.Selector
	found, err := Find(t.Context(), fake.NewClientset(headless, server,
		service("monitoring/prometheus-operated", labels{"operated-prometheus": "true"}, "web", 9090),
		service("monitoring/kps-prometheus", labels{"app": "kps-prometheus", "self-monitor": "true"}, "web", 9090),
		service("monitoring/thanos", labels{nameLabel: "thanos-query"}, "http", 9090),
		// The community's chart beside a Prometheus of the operator's: the former was taken for both, and asked.
		service("both/prometheus-operated", labels{"operated-prometheus": "true"}, "web", 9090),
		service("both/prometheus-server", labels{nameLabel: "prometheus", componentLabel: "server"}, "http", 80),
		service("team/prometheus-operated", labels{"operated-prometheus": "true"}, "web", 9090)))
	var names []string
	for _, s := range found {
		names = append(names, s.String())
	}
	if diff := cmp.Diff([]string{"both/prometheus-operated:9090", "both/prometheus-server:80", "monitoring/kps-prometheus:9090", "monitoring/thanos:9090", "prom/server:80", "team/prometheus-operated:9090"}, names); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestGet(t *testing.T) {
	client := fake.NewClientset(
		service("a/two", nil, "http", 80, "admin", 81), service("a/one", nil, "", 9000),
		service("a/mimir", labels{nameLabel: "mimir", componentLabel: "gateway"}, "http-metrics", 80, "other", 81))
	for ref, want := range map[string]string{
		"a/one": "http://one.a.svc:9000", "https:a/one": "https://one.a.svc:9000", "a/two:admin": "http://two.a.svc:81", "a/two:80": "http://two.a.svc:80",
		"a/mimir": "http://mimir.a.svc:80/prometheus", "a/mimir:other": "http://mimir.a.svc:81/prometheus",
		"a/two":    "service a/two has the ports http 80, admin 81: say which with --prometheus-service a/two:PORT",
		"a/two:82": "service a/two has no port 82: it has http 80, admin 81",
		"a/none":   "there is no service none in namespace a: is --prometheus-service right?",
	} {
		r, err := ParseRef(ref)
		if err != nil {
			t.Fatal(err)
		}
		if r.String() != ref {
			t.Errorf("%s is written %s", ref, r)
		}
		s, err := Get(t.Context(), client, r)
		got := s.URL()
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("Get(%s) = %s, want %s", ref, got, want)
		}
	}
}

func TestForbidden(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("*", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "", errors.New("no"))
	})
	_, err := Find(t.Context(), client)
	if err == nil || err.Error() != "not allowed to list services in all namespaces: grant list on services" {
		t.Errorf("Find: %v", err)
	}
	if _, err = Get(t.Context(), client, Ref{Namespace: "a", Name: "b"}); err == nil || err.Error() != "not allowed to get services in namespace a: grant get on services" {
		t.Errorf("Get: %v", err)
	}
	s, err := Get(t.Context(), client, Ref{Namespace: "a", Name: "b", Port: "9090", TLS: true})
	if err != nil || s.URL() != "https://b.a.svc:9090" {
		t.Errorf("Get with a port: %v, %v", s, err)
	}
}

func TestParseRef(t *testing.T) {
	for _, s := range []string{"", "a", "a/", "/b", "a/b:", "a/b:9090/x", "a/b/c", "a/b?x", "http:a/b", "A/b", "a/../b", "a/" + strings.Repeat("b", 64)} {
		if r, err := ParseRef(s); err == nil {
			t.Errorf("ParseRef(%q) = %v", s, r)
		}
	}
}

func TestProxyURL(t *testing.T) {
	api := &url.URL{Scheme: "https", Host: "k8s:6443", Path: "/clusters/a"}
	s := Service{Namespace: "vm", Name: "select", Port: 8481, Path: "/select/0/prometheus"}
	if got, want := s.ProxyURL(api).String(), "https://k8s:6443/clusters/a/api/v1/namespaces/vm/services/http:select:8481/proxy/select/0/prometheus"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if s.Grant() != "grant get and create on services/proxy in namespace vm" {
		t.Error(s.Grant())
	}
}
