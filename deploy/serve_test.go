package deploy

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// servedOverlays are those of the served report.
func servedOverlays(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(everyOverlay(t), func(overlay string) bool { return !isServed(overlay) })
}

// What each overlay is made of. All names end alike, so that the scheduled report can be next to it.
func TestServedOverlays(t *testing.T) {
	base := []string{
		"Deployment rightsize", "NetworkPolicy rightsize", "NetworkPolicy rightsize-callers", "NetworkPolicy rightsize-to-api-server",
		"NetworkPolicy rightsize-to-prometheus", "PodDisruptionBudget rightsize", "Service rightsize", "ServiceAccount rightsize",
	}
	cluster := slices.Concat(base, []string{"ClusterRole rightsize", "ClusterRoleBinding rightsize", "Namespace rightsize"})
	want := map[string][]string{
		"serve":                 cluster,
		"serve-monitoring":      slices.Concat(cluster, []string{"ConfigMap rightsize-dashboard", "PrometheusRule rightsize", "ServiceMonitor rightsize"}),
		"serve-namespace":       slices.Concat(base, []string{"Role rightsize", "RoleBinding rightsize"}),
		"serve-external-secret": slices.Concat(cluster, []string{"ExternalSecret rightsize-prometheus-config", "ExternalSecret rightsize-web-config"}),
	}
	for _, overlay := range servedOverlays(t) {
		t.Run(overlay, func(t *testing.T) {
			objects := build(t, overlay)
			var got []string
			for _, o := range objects {
				name, served := strings.CutSuffix(o.GetName(), "-serve")
				if served == (o.GetKind() == "Namespace") {
					t.Errorf("%s is called %s", o.GetKind(), o.GetName())
				}
				got = append(got, o.GetKind()+" "+name)
				checkPlace(t, overlay, o)
			}
			if overlay != "serve-namespace" && got[0] != "Namespace rightsize" {
				t.Errorf("%s comes first, want the namespace that the rest is in", got[0])
			}
			slices.Sort(got)
			if diff := cmp.Diff(slices.Sorted(slices.Values(want[overlay])), got); diff != "" {
				t.Errorf("its objects differ (-want +got):\n%s", diff)
			}
		})
	}
}

// No object of the served report is one of the scheduled report's too, but for the namespace: who takes the one away
// leaves the other whole.
func TestServedNextToScheduled(t *testing.T) {
	for scheduled, served := range map[string]string{"secret": "serve-monitoring", "namespace": "serve-namespace"} {
		there := map[string]bool{}
		for _, o := range build(t, scheduled) {
			there[o.GetKind()+" "+o.GetName()] = o.GetKind() != "Namespace"
		}
		for _, o := range build(t, served) {
			if there[o.GetKind()+" "+o.GetName()] {
				t.Errorf("%s %s is in %s and in %s", o.GetKind(), o.GetName(), scheduled, served)
			}
		}
		pod, _ := podOf(t, build(t, scheduled))
		for _, p := range all[*networkingv1.NetworkPolicy](build(t, served)) {
			if len(p.Spec.Ingress) > 0 && selects(p.Spec.PodSelector.MatchLabels, pod.Labels) {
				t.Errorf("%s lets callers in to the pod of %s", p.Name, scheduled)
			}
		}
	}
}

// One pod, whose successor has to be ready before it goes.
func TestDeployment(t *testing.T) {
	none, one := intstr.FromInt32(0), intstr.FromInt32(1)
	for _, overlay := range servedOverlays(t) {
		t.Run(overlay, func(t *testing.T) {
			objects := build(t, overlay)
			d := only[*appsv1.Deployment](t, objects)
			if *d.Spec.Replicas != 1 {
				t.Errorf("there are %d replicas, each of which scans", *d.Spec.Replicas)
			}
			want := appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &one, MaxUnavailable: &none},
			}
			if diff := cmp.Diff(want, d.Spec.Strategy); diff != "" {
				t.Errorf("the strategy differs (-want +got):\n%s", diff)
			}
			if *d.Spec.ProgressDeadlineSeconds <= d.Spec.MinReadySeconds || *d.Spec.RevisionHistoryLimit < 1 {
				t.Errorf("progressDeadlineSeconds %d, minReadySeconds %d, revisionHistoryLimit %d", *d.Spec.ProgressDeadlineSeconds, d.Spec.MinReadySeconds, *d.Spec.RevisionHistoryLimit)
			}
			selectors := map[string]map[string]string{
				"Deployment": d.Spec.Selector.MatchLabels,
				"Service":    only[*corev1.Service](t, objects).Spec.Selector,
				"budget":     only[*policyv1.PodDisruptionBudget](t, objects).Spec.Selector.MatchLabels,
			}
			for who, selector := range selectors {
				if len(selector) == 0 || !selects(selector, d.Spec.Template.Labels) || selects(selector, labels("secret")) {
					t.Errorf("the %s selects %v, the pod has %v", who, selector, d.Spec.Template.Labels)
				}
			}
		})
	}
}

// The budget allows the draining of the node that the only pod is on, ready or not.
func TestDisruptionBudget(t *testing.T) {
	for _, overlay := range servedOverlays(t) {
		budget := only[*policyv1.PodDisruptionBudget](t, build(t, overlay)).Spec
		if budget.MinAvailable != nil || budget.MaxUnavailable.IntValue() != 1 || *budget.UnhealthyPodEvictionPolicy != policyv1.AlwaysAllow {
			t.Errorf("%s: the budget is %v", overlay, budget)
		}
	}
}

// Each probe asks what it is for, at the port that is listened on, and by TLS where the web configuration has it.
func TestProbes(t *testing.T) {
	for _, overlay := range servedOverlays(t) {
		t.Run(overlay, func(t *testing.T) {
			objects := build(t, overlay)
			_, c := podOf(t, objects)
			var scheme corev1.URIScheme
			protocol := "http"
			if overlay == "serve-external-secret" {
				scheme, protocol = corev1.URISchemeHTTPS, "https"
			}
			for path, probe := range map[string]*corev1.Probe{"/health/started": c.StartupProbe, "/health/live": c.LivenessProbe, "/health/ready": c.ReadinessProbe} {
				want := &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("http"), Scheme: scheme}
				if diff := cmp.Diff(want, probe.HTTPGet); diff != "" {
					t.Errorf("the probe of %s differs (-want +got):\n%s", path, diff)
				}
			}
			port := c.Ports[0]
			if got := argument(t, c, "--listen"); len(c.Ports) != 1 || port.Name != "http" || got != ":"+strconv.Itoa(int(port.ContainerPort)) {
				t.Errorf("listens on %s, the port is %v", got, c.Ports)
			}
			service := only[*corev1.Service](t, objects).Spec
			if p := service.Ports[0]; len(service.Ports) != 1 || p.Name != "http" || p.TargetPort.StrVal != port.Name || *p.AppProtocol != protocol {
				t.Errorf("the Service has the ports %v", service.Ports)
			}
			if service.Type != corev1.ServiceTypeClusterIP {
				t.Errorf("the Service is a %s, open to outside", service.Type)
			}
		})
	}
}

// argument is the value of a flag of the container's.
func argument(t *testing.T, c corev1.Container, flag string) string {
	t.Helper()
	for _, arg := range c.Args {
		if value, found := strings.CutPrefix(arg, flag+"="); found {
			return value
		}
	}
	t.Fatalf("the container has no %s: %q", flag, c.Args)
	return ""
}

func duration(t *testing.T, c corev1.Container, flag string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(argument(t, c, flag))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The kernel's signal comes after the program has ended by itself, endpoints are told before it stops to listen, and
// the first report may take as long as a rollout.
func TestTimesFit(t *testing.T) {
	for _, overlay := range servedOverlays(t) {
		pod, c := podOf(t, build(t, overlay))
		delay, grace := duration(t, c, "--shutdown-delay"), duration(t, c, "--grace-period")
		if most := time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second; most < delay+grace+5*time.Second {
			t.Errorf("%s: is killed after %s, and takes up to %s and %s", overlay, most, delay, grace)
		}
		ready := c.ReadinessProbe
		if seen := time.Duration(ready.PeriodSeconds*ready.FailureThreshold) * time.Second; seen > delay {
			t.Errorf("%s: is seen not to be ready after %s, and stops to listen after %s", overlay, seen, delay)
		}
		if interval, most := duration(t, c, "--interval"), duration(t, c, "--max-report-age"); most < 12*interval {
			t.Errorf("%s: scans each %s, and its report goes after %s: a Prometheus that is down for a night takes the last good one away", overlay, interval, most)
		}
		for _, probe := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, ready} {
			if probe.TimeoutSeconds > probe.PeriodSeconds || probe.FailureThreshold < 2 {
				t.Errorf("%s: one slow answer is the end: %v", overlay, probe)
			}
		}
	}
}

// The arguments of each overlay, and where it finds Prometheus: where the scheduled report does.
func TestServedArguments(t *testing.T) {
	common := []string{"serve", "--listen=:8080", "--interval=1h", "--max-report-age=24h", "--shutdown-delay=10s", "--grace-period=20s", "--log-format=json"}
	want := map[string][]string{
		"serve":            {"--all-namespaces"},
		"serve-monitoring": {"--all-namespaces"},
		"serve-namespace":  {"--namespace=$(POD_NAMESPACE)"},
		"serve-external-secret": {
			"--all-namespaces", "--web-config=/etc/rightsize/web/web-config.yaml", "--prometheus-config=/etc/rightsize/prometheus/prometheus-config.yaml",
		},
	}
	_, scheduled := podOf(t, build(t, "secret"))
	for _, overlay := range servedOverlays(t) {
		_, c := podOf(t, build(t, overlay))
		if diff := cmp.Diff(slices.Concat(common, want[overlay]), c.Args); diff != "" {
			t.Errorf("%s: the arguments differ (-want +got):\n%s", overlay, diff)
		}
		if got, want := environment(c)["PROMETHEUS_URL"].Value, environment(scheduled)["PROMETHEUS_URL"].Value; got != want || got == "" {
			t.Errorf("%s: PROMETHEUS_URL is %q, and %q for the scheduled report", overlay, got, want)
		}
		if c.Command != nil || c.Image != scheduled.Image {
			t.Errorf("%s: runs %q of %s, the scheduled report %s", overlay, c.Command, c.Image, scheduled.Image)
		}
	}
}

// The ingress controller and Prometheus may call, at the one port, and nobody else.
func TestCallers(t *testing.T) {
	in := func(name string) map[string]string { return map[string]string{"kubernetes.io/metadata.name": name} }
	callers := []peer{
		{"the ingress controller", in("ingress-nginx"), map[string]string{"app.kubernetes.io/name": "ingress-nginx"}, "", "TCP", 8080, true},
		{"Prometheus", in("monitoring"), map[string]string{"app.kubernetes.io/name": "prometheus"}, "", "TCP", 8080, true},
		{"another pod of monitoring", in("monitoring"), map[string]string{"app.kubernetes.io/name": "grafana"}, "", "TCP", 8080, false},
		{"a workload", in("shop"), map[string]string{"app.kubernetes.io/name": "prometheus"}, "", "TCP", 8080, false},
		{"a pod next to it", in("rightsize"), map[string]string{}, "", "TCP", 8080, false},
		{"Prometheus at another port", in("monitoring"), map[string]string{"app.kubernetes.io/name": "prometheus"}, "", "TCP", 6060, false},
	}
	for _, overlay := range servedOverlays(t) {
		objects := build(t, overlay)
		_, container := podOf(t, objects)
		for _, p := range callers {
			let := slices.ContainsFunc(all[*networkingv1.NetworkPolicy](objects), func(n *networkingv1.NetworkPolicy) bool { return p.letIn(n, container) })
			if let != p.allowed {
				t.Errorf("%s: %s: allowed is %t, want %t", overlay, p.name, let, p.allowed)
			}
		}
	}
}

// letIn says whether a policy lets the peer call a port of the container, which the policy may name.
func (p peer) letIn(policy *networkingv1.NetworkPolicy, c corev1.Container) bool {
	return slices.ContainsFunc(policy.Spec.Ingress, func(rule networkingv1.NetworkPolicyIngressRule) bool {
		port := slices.ContainsFunc(rule.Ports, func(n networkingv1.NetworkPolicyPort) bool {
			return string(*n.Protocol) == p.protocol && slices.ContainsFunc(c.Ports, func(cp corev1.ContainerPort) bool {
				return cp.Name == n.Port.StrVal && int(cp.ContainerPort) == p.port
			})
		})
		return port && slices.ContainsFunc(rule.From, func(from networkingv1.NetworkPolicyPeer) bool {
			return selects(from.NamespaceSelector.MatchLabels, p.namespace) && (from.PodSelector == nil || selects(from.PodSelector.MatchLabels, p.pod))
		})
	})
}

// The Secrets that the operator makes are those that are mounted, for the group alone, and hold the files that the
// arguments name.
func TestServedExternalSecrets(t *testing.T) {
	objects := build(t, "serve-external-secret")
	pod, c := podOf(t, objects)
	made := map[string][]string{}
	for _, o := range objects {
		if o.GetKind() != "ExternalSecret" {
			continue
		}
		name, _, _ := unstructured.NestedString(o.Object, "spec", "target", "name")
		data, _, _ := unstructured.NestedSlice(o.Object, "spec", "data")
		for _, d := range data {
			made[name] = append(made[name], d.(map[string]any)["secretKey"].(string))
		}
	}
	want := map[string][]string{"rightsize-web-config": {"web-config.yaml", "tls.crt", "tls.key"}, "rightsize-prometheus-config": {"prometheus-config.yaml"}}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("the operator makes other files (-want +got):\n%s", diff)
	}
	for flag, path := range map[string]string{"--web-config": "/etc/rightsize/web", "--prometheus-config": "/etc/rightsize/prometheus"} {
		volume := mounted(t, pod.Spec, c, path).Secret
		file := strings.TrimPrefix(argument(t, c, flag), path+"/")
		if *volume.DefaultMode != 0o440 || !slices.Contains(made[volume.SecretName], file) {
			t.Errorf("%s is of the Secret %s with mode %o, which has %q", file, volume.SecretName, *volume.DefaultMode, made[volume.SecretName])
		}
	}
	if names := slices.Sorted(maps.Keys(environment(c))); slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "TOKEN") || strings.Contains(n, "PASSWORD") }) {
		t.Errorf("a secret is in the environment: %q", names)
	}
}

// What Prometheus scrapes is the Service's port, and the labels of what is recommended for stay what they are.
func TestServiceMonitor(t *testing.T) {
	objects := build(t, "serve-monitoring")
	service := only[*corev1.Service](t, objects)
	i := slices.IndexFunc(objects, func(o object) bool { return o.GetKind() == "ServiceMonitor" })
	selector, _, _ := unstructured.NestedStringMap(objects[i].Object, "spec", "selector", "matchLabels")
	endpoints, _, _ := unstructured.NestedSlice(objects[i].Object, "spec", "endpoints")
	if len(selector) == 0 || !selects(selector, service.Labels) || selects(selector, labels("secret")) {
		t.Errorf("selects %v, the Service has %v", selector, service.Labels)
	}
	want := []any{map[string]any{"port": service.Spec.Ports[0].Name, "path": "/metrics", "honorLabels": true, "interval": "1m", "scrapeTimeout": "30s"}}
	if diff := cmp.Diff(want, endpoints); diff != "" {
		t.Errorf("the endpoints differ (-want +got):\n%s", diff)
	}
}

// Who has TLS and a ServiceMonitor in one overlay is scraped by TLS.
func TestServiceMonitorByTLS(t *testing.T) {
	files := manifests(t)
	const own = `namespace: rightsize
nameSuffix: -serve
resources: [../../namespace, ../../serve]
components: [../../components/cluster, ../../components/monitoring, ../../components/web-config, ../../settings, ../../settings/serve]
`
	if err := files.WriteFile("overlays/own/kustomization.yaml", []byte(own)); err != nil {
		t.Fatal(err)
	}
	objects := buildFrom(t, files, "own")
	i := slices.IndexFunc(objects, func(o object) bool { return o.GetKind() == "ServiceMonitor" })
	endpoints, _, _ := unstructured.NestedSlice(objects[i].Object, "spec", "endpoints")
	if got := endpoints[0].(map[string]any); len(endpoints) != 1 || got["scheme"] != "https" || got["honorLabels"] != true {
		t.Errorf("the endpoints are %v", endpoints)
	}
	if _, c := podOf(t, objects); c.ReadinessProbe.HTTPGet.Scheme != corev1.URISchemeHTTPS {
		t.Errorf("the probe asks by %s", c.ReadinessProbe.HTTPGet.Scheme)
	}
}
