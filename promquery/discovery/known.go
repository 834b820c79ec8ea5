package discovery

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// known is one way that a server is installed.
type known struct {
	kind, backend, path string
	ports               []string // by name, the best first
	fallback            int32    // the port's number where none has such a name
	is                  func(name string, labels map[string]string) bool
	operated            bool // the operator's own service
	byOperator          bool // a service of what the operator runs
}

// The labels that charts give, by Kubernetes's own recommendation.
const (
	nameLabel      = "app.kubernetes.io/name"
	componentLabel = "app.kubernetes.io/component"
)

// labelled is a condition on labels: pairs of a label and its value.
func labelled(pairs ...string) func(string, map[string]string) bool {
	return func(_ string, labels map[string]string) bool {
		for i := 0; i < len(pairs); i += 2 {
			if labels[pairs[i]] != pairs[i+1] {
				return false
			}
		}
		return true
	}
}

// either holds where one of several conditions does.
func either(list ...func(string, map[string]string) bool) func(string, map[string]string) bool {
	return func(name string, labels map[string]string) bool {
		return slices.ContainsFunc(list, func(is func(string, map[string]string) bool) bool { return is(name, labels) })
	}
}

// stack are the services of kube-prometheus-stack, whose name may be overridden, and of its predecessor.
func stack(_ string, labels map[string]string) bool {
	return strings.HasSuffix(labels["app"], "-prometheus") && labels["self-monitor"] != ""
}

// isMimir holds where Mimir's chart is asked for by its front door, or by query-frontend where there is none.
func isMimir(component string) func(string, map[string]string) bool {
	return either(labelled(nameLabel, "mimir", componentLabel, component), labelled(nameLabel, "enterprise-metrics", componentLabel, component))
}

// wellKnown lists the ways, the more particular first.
func wellKnown() []known {
	web := []string{"http-web", "web", "https-web", "http", "https", "server"}
	return []known{
		{kind: "Prometheus of kube-prometheus-stack", backend: "prometheus", ports: web, fallback: 9090, is: stack, byOperator: true},
		{
			kind: "Prometheus of its operator", backend: "prometheus", ports: web, fallback: 9090, operated: true,
			is: func(name string, labels map[string]string) bool {
				return name == "prometheus-operated" || labels["operated-prometheus"] == "true"
			},
		},
		{kind: "Prometheus of kube-prometheus", backend: "prometheus", ports: web, fallback: 9090, is: labelled(nameLabel, "prometheus", componentLabel, "prometheus"), byOperator: true},
		{
			kind: "Prometheus of the community's chart", backend: "prometheus", ports: web, fallback: 80,
			is: either(labelled(nameLabel, "prometheus", componentLabel, "server"), labelled("app", "prometheus", "component", "server")),
		},
		{
			kind: "Thanos query", backend: "thanos", ports: web, fallback: 9090,
			is: either(labelled(nameLabel, "thanos-query"), labelled(nameLabel, "thanos", componentLabel, "query"), labelled(nameLabel, "thanos", componentLabel, "querier")),
		},
		{
			kind: "VictoriaMetrics", backend: "victoriametrics", ports: web, fallback: 8428,
			is: either(labelled(nameLabel, "victoria-metrics-single"), labelled(nameLabel, "vmsingle")),
		},
		{
			kind: "VictoriaMetrics cluster (tenant 0)", backend: "victoriametrics", path: "/select/0/prometheus", ports: web, fallback: 8481,
			is: either(labelled(nameLabel, "vmselect"), labelled(nameLabel, "victoria-metrics-cluster", "app", "vmselect"), labelled(nameLabel, "victoria-metrics-cluster", componentLabel, "vmselect")),
		},
		{kind: "Mimir's gateway", backend: "mimir", path: "/prometheus", ports: []string{"http-metrics", "http"}, fallback: 80, is: either(isMimir("gateway"), isMimir("nginx"))},
	}
}

// identify says whose service it is, if it is one that may be asked.
func identify(svc *corev1.Service) (match, bool) {
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		return match{}, false
	}
	for _, k := range wellKnown() {
		if !k.is(svc.Name, svc.Labels) {
			continue
		}
		port, ok := k.port(svc)
		if !ok {
			continue
		}
		return match{
			Service: Service{
				Namespace: svc.Namespace, Name: svc.Name, Port: port.Port, TLS: speaksTLS(port),
				Path: k.path, Kind: k.kind, Backend: k.backend,
			},
			selector: svc.Spec.Selector, headless: svc.Spec.ClusterIP == corev1.ClusterIPNone, operated: k.operated, byOperator: k.byOperator,
		}, true
	}
	return match{}, false
}

func (k known) port(svc *corev1.Service) (corev1.ServicePort, bool) {
	for _, name := range k.ports {
		for _, p := range svc.Spec.Ports {
			if p.Name == name {
				return p, true
			}
		}
	}
	for _, p := range svc.Spec.Ports {
		if p.Port == k.fallback {
			return p, true
		}
	}
	return corev1.ServicePort{}, false
}
