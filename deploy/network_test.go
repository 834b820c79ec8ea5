package deploy

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
)

// peer is who the pod wants to speak to: by the labels of its namespace and itself, or outside by its address.
type peer struct {
	name           string
	namespace, pod map[string]string
	address        string
	protocol       string
	port           int
	allowed        bool
}

// The policies together let out what a run needs, and nothing else.
func TestNetwork(t *testing.T) {
	system, monitoring := map[string]string{"kubernetes.io/metadata.name": "kube-system"}, map[string]string{"kubernetes.io/metadata.name": "monitoring"}
	dns, prometheus := map[string]string{"k8s-app": "kube-dns"}, map[string]string{"app.kubernetes.io/name": "prometheus", "prometheus": "k8s"}
	peers := []peer{
		{"DNS", system, dns, "", "UDP", 53, true},
		{"long DNS answers", system, dns, "", "TCP", 53, true},
		{"another port of DNS", system, dns, "", "TCP", 9153, false},
		{"another pod of kube-system", system, map[string]string{"k8s-app": "metrics-server"}, "", "TCP", 53, false},
		{"Prometheus", monitoring, prometheus, "", "TCP", 9090, true},
		{"Alertmanager", monitoring, map[string]string{"app.kubernetes.io/name": "alertmanager"}, "", "TCP", 9090, false},
		{"somebody else's Prometheus", map[string]string{"kubernetes.io/metadata.name": "shop"}, prometheus, "", "TCP", 9090, false},
		{"Slack", nil, nil, "3.68.170.153", "TCP", 443, true},
		{"Slack over IPv6", nil, nil, "2600:1f18::1", "TCP", 443, true},
		{"the internet without TLS", nil, nil, "3.68.170.153", "TCP", 80, false},
		{"QUIC", nil, nil, "3.68.170.153", "UDP", 443, false},
		{"the cloud's metadata", nil, nil, "169.254.169.254", "TCP", 443, false},
		{"its host, link-local", nil, nil, "fe80::1", "TCP", 443, false},
		{"a pod", nil, nil, "10.244.0.7", "TCP", 443, false},
		{"a node", nil, nil, "192.168.1.10", "TCP", 443, false},
		{"a Service", nil, nil, "172.20.0.1", "TCP", 443, false},
		{"a pod of a cloud with shared address space", nil, nil, "100.64.3.4", "TCP", 443, false},
		{"a pod over IPv6", nil, nil, "fd00::7", "TCP", 443, false},
		{"the API server", nil, nil, "10.0.0.10", "TCP", 6443, true},
		{"the API server's kubelet", nil, nil, "10.0.0.10", "TCP", 10250, false},
		{"another machine at the API server's port", nil, nil, "10.0.0.11", "TCP", 6443, false},
	}
	for _, overlay := range everyOverlay(t) {
		objects := build(t, overlay)
		pod, _ := podOf(t, objects)
		policies := all[*networkingv1.NetworkPolicy](objects)
		for _, p := range policies {
			if !selects(p.Spec.PodSelector.MatchLabels, pod.Labels) || len(p.Spec.PodSelector.MatchExpressions) > 0 {
				t.Errorf("%s: NetworkPolicy %s does not select the pod", overlay, p.Name)
			}
		}
		for _, p := range peers {
			want := p.allowed && (!isServed(overlay) || !strings.HasPrefix(p.name, "Slack")) // the served report posts nothing
			if got := slices.ContainsFunc(policies, p.letOut); got != want {
				t.Errorf("%s: %s: allowed is %t, want %t", overlay, p.name, got, want)
			}
		}
	}
}

// Nobody may call the pod of the scheduled report, and what no rule allows is refused, of the served one too.
func TestNetworkDeniesByDefault(t *testing.T) {
	for _, overlay := range everyOverlay(t) {
		types := map[networkingv1.PolicyType]bool{}
		for _, p := range all[*networkingv1.NetworkPolicy](build(t, overlay)) {
			if len(p.Spec.Ingress) > 0 && !isServed(overlay) {
				t.Errorf("%s: NetworkPolicy %s lets somebody in", overlay, p.Name)
			}
			for _, kind := range p.Spec.PolicyTypes {
				types[kind] = true
			}
		}
		if got := slices.Sorted(maps.Keys(types)); !slices.Equal(got, []networkingv1.PolicyType{"Egress", "Ingress"}) {
			t.Errorf("%s: the policies are for %v, want both ways", overlay, got)
		}
	}
}

// Until somebody sets the API server's address, no cluster accepts the policy: there is no valid default.
func TestAPIServerAddressMustBeSet(t *testing.T) {
	for _, p := range all[*networkingv1.NetworkPolicy](build(t, "secret")) {
		if p.Name != "rightsize-to-api-server" {
			continue
		}
		if _, err := netip.ParsePrefix(p.Spec.Egress[0].To[0].IPBlock.CIDR); err == nil {
			t.Errorf("%s is a valid CIDR", p.Spec.Egress[0].To[0].IPBlock.CIDR)
		}
		return
	}
	t.Error("there is no such policy")
}

func (p peer) letOut(policy *networkingv1.NetworkPolicy) bool {
	return slices.ContainsFunc(policy.Spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
		return slices.ContainsFunc(rule.Ports, p.atPort) && slices.ContainsFunc(rule.To, p.at)
	})
}

func (p peer) atPort(port networkingv1.NetworkPolicyPort) bool {
	return string(*port.Protocol) == p.protocol && port.Port.IntValue() == p.port && port.EndPort == nil
}

func (p peer) at(to networkingv1.NetworkPolicyPeer) bool {
	if to.IPBlock == nil {
		return p.pod != nil && selects(to.NamespaceSelector.MatchLabels, p.namespace) && selects(to.PodSelector.MatchLabels, p.pod)
	}
	if p.address == "" {
		return false
	}
	address := netip.MustParseAddr(p.address)
	inside := func(cidr string) bool {
		cidr = strings.Replace(cidr, "ADDRESS-OF-THE-API-SERVER", "10.0.0.10", 1) // as a user sets it
		return netip.MustParsePrefix(cidr).Contains(address)
	}
	return inside(to.IPBlock.CIDR) && !slices.ContainsFunc(to.IPBlock.Except, inside)
}

// selects says whether all labels that are asked for are there. An empty selector selects everything.
func selects(want, got map[string]string) bool {
	for name, value := range want {
		if got[name] != value {
			return false
		}
	}
	return true
}
