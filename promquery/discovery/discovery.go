// Package discovery finds the servers in a cluster that answer Prometheus's query API, by the labels and ports that
// operators and charts give their services.
package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Service is a service that answers Prometheus's query API, to all appearances.
type Service struct {
	Namespace, Name string
	Port            int32
	TLS             bool
	Path            string // under which the server has its /api/v1
	Kind            string // whose service it is, in words; "" where it is not a known one
	Backend         string // a name of promquery.Backends
}

// String is the service as --prometheus-service takes it.
func (s Service) String() string {
	return fmt.Sprintf("%s/%s:%d", s.Namespace, s.Name, s.Port)
}

func (s Service) scheme() string {
	if s.TLS {
		return "https"
	}
	return "http"
}

// URL is the server's address by the cluster's DNS, for who is inside.
func (s Service) URL() string {
	return fmt.Sprintf("%s://%s.%s.svc:%d%s", s.scheme(), s.Name, s.Namespace, s.Port, s.Path)
}

// ProxyURL is the server's address behind the service proxy of the API server at an address:
// https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls
func (s Service) ProxyURL(apiServer *url.URL) *url.URL {
	return apiServer.JoinPath("api/v1/namespaces", s.Namespace, "services", fmt.Sprintf("%s:%s:%d", s.scheme(), s.Name, s.Port), "proxy", s.Path)
}

// Grant is what the service proxy needs.
func (s Service) Grant() string {
	return "grant get and create on services/proxy in namespace " + s.Namespace
}

// Ref is what names a service: NAMESPACE/NAME or NAMESPACE/NAME:PORT, with https: before it where the server speaks TLS.
type Ref struct {
	Namespace, Name, Port string
	TLS                   bool
}

// String is the reference as it is parsed.
func (r Ref) String() string {
	if r.Name == "" {
		return ""
	}
	s := r.Namespace + "/" + r.Name
	if r.Port != "" {
		s += ":" + r.Port
	}
	if r.TLS {
		s = "https:" + s
	}
	return s
}

// ParseRef reads a reference.
func ParseRef(s string) (Ref, error) {
	rest, secure := strings.CutPrefix(s, "https:")
	namespace, rest, ok := strings.Cut(rest, "/")
	name, port, hasPort := strings.Cut(rest, ":")
	if !ok || !isDNSLabel(namespace) || !isDNSLabel(name) || hasPort && !isDNSLabel(port) {
		return Ref{}, errors.New("want NAMESPACE/NAME or NAMESPACE/NAME:PORT, such as monitoring/prometheus-k8s:9090")
	}
	return Ref{namespace, name, port, secure}, nil
}

// isDNSLabel says whether s may be the name of a namespace, a service or a port, or a port's number.
func isDNSLabel(s string) bool {
	return s != "" && len(s) <= 63 && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < '0' || '9' < r) && (r < 'a' || 'z' < r)
	})
}

// ForbiddenError says that services may not be read, and what to grant.
type ForbiddenError struct{ Verb, Where string }

// Error implements error.
func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("not allowed to %s services %s: grant %[1]s on services", e.Verb, e.Where)
}

// pageSize is how many objects are asked for at a time, as kubectl does.
const pageSize = 500

// Find lists the known servers of a cluster, sorted by namespace and name. Several services of the same pods count once.
func Find(ctx context.Context, client kubernetes.Interface) ([]Service, error) {
	var found []match
	page := metav1.ListOptions{Limit: pageSize}
	for {
		list, err := client.CoreV1().Services(metav1.NamespaceAll).List(ctx, page)
		if apierrors.IsForbidden(err) {
			return nil, &ForbiddenError{"list", "in all namespaces"}
		}
		if err != nil {
			return nil, fmt.Errorf("listing services: %w", err)
		}
		for i := range list.Items {
			if m, ok := identify(&list.Items[i]); ok {
				found = append(found, m)
			}
		}
		if page.Continue = list.Continue; page.Continue == "" {
			return distinct(found), nil
		}
	}
}

// Get looks at one service. One that may not be read is taken at its word if its port's number is given.
func Get(ctx context.Context, client kubernetes.Interface, r Ref) (Service, error) {
	number, numeric := portNumber(r.Port)
	svc, err := client.CoreV1().Services(r.Namespace).Get(ctx, r.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err) && numeric:
		return Service{Namespace: r.Namespace, Name: r.Name, Port: number, TLS: r.TLS}, nil
	case apierrors.IsForbidden(err):
		return Service{}, &ForbiddenError{"get", "in namespace " + r.Namespace}
	case apierrors.IsNotFound(err):
		return Service{}, fmt.Errorf("there is no service %s in namespace %s: is --prometheus-service right?", r.Name, r.Namespace)
	case err != nil:
		return Service{}, fmt.Errorf("reading service %s/%s: %w", r.Namespace, r.Name, err)
	}
	found := Service{Namespace: svc.Namespace, Name: svc.Name}
	if m, ok := identify(svc); ok {
		found = m.Service
	}
	port, err := choosePort(svc, r.Port, found.Port)
	if err != nil {
		return Service{}, err
	}
	found.Port, found.TLS = port.Port, r.TLS || speaksTLS(port)
	return found, nil
}

func portNumber(s string) (int32, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err == nil && 0 < n && n < 1<<16
}

// choosePort is the port that is asked for by name or number, else the known one, else the only one.
func choosePort(svc *corev1.Service, asked string, known int32) (corev1.ServicePort, error) {
	var names []string
	for _, p := range svc.Spec.Ports {
		number := strconv.Itoa(int(p.Port))
		switch {
		case asked != "" && (p.Name == asked || number == asked):
			return p, nil
		case asked == "" && (p.Port == known || len(svc.Spec.Ports) == 1):
			return p, nil
		}
		names = append(names, strings.TrimPrefix(p.Name+" "+number, " "))
	}
	if asked != "" {
		return corev1.ServicePort{}, fmt.Errorf("service %s/%s has no port %s: it has %s", svc.Namespace, svc.Name, asked, strings.Join(names, ", "))
	}
	return corev1.ServicePort{}, fmt.Errorf("service %s/%s has the ports %s: say which with --prometheus-service %[1]s/%[2]s:PORT", svc.Namespace, svc.Name, strings.Join(names, ", "))
}

// speaksTLS goes by what a port is called, as the API server's own proxy does not.
func speaksTLS(p corev1.ServicePort) bool {
	return p.Name == "https" || strings.HasPrefix(p.Name, "https-") || p.AppProtocol != nil && *p.AppProtocol == "https"
}

// match is a service that was recognised.
type match struct {
	Service
	selector map[string]string
	headless bool
	operated bool // the operator's own, which is for every Prometheus of its namespace

	byOperator bool // of what the operator runs, unlike the community's chart
}

// distinct leaves one service for the same pods: of several with one selector the one with an address, and the
// operator's own only where no other is for its pods.
func distinct(found []match) []Service {
	slices.SortFunc(found, func(a, b match) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), compareBool(a.operated, b.operated), compareBool(a.headless, b.headless), strings.Compare(a.Name, b.Name))
	})
	var kept []match
	for _, m := range found {
		if !slices.ContainsFunc(kept, m.repeats) {
			kept = append(kept, m)
		}
	}
	out := make([]Service, len(kept))
	for i, m := range kept {
		out[i] = m.Service
	}
	slices.SortFunc(out, func(a, b Service) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return out
}

// repeats says whether another service already stands for the same pods.
func (m match) repeats(other match) bool {
	if m.Namespace != other.Namespace || m.Backend != other.Backend {
		return false
	}
	return m.operated && (other.byOperator || other.operated) || len(m.selector) > 0 && maps.Equal(m.selector, other.selector)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
