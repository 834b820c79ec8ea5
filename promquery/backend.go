package promquery

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Backend is a kind of server, as far as asking it differs from asking Prometheus. It is configuration alone.
type Backend struct {
	Name string

	// Params are sent with each request, unless the address has its own of the same name.
	Params map[string]string
}

// Backends lists what is known by name, Prometheus first, which needs nothing.
func Backends() []Backend {
	return []Backend{
		{Name: "prometheus"},
		// https://thanos.io/tip/components/query.md: replicas count once; a store that does not answer is an error, not a
		// report without its part; and raw samples, never downsampled ones.
		{Name: "thanos", Params: map[string]string{"dedup": "true", "partial_response": "false", "max_source_resolution": "0s"}},
		{Name: "mimir"},
		{Name: "cortex"},
		// https://docs.victoriametrics.com/victoriametrics/#prometheus-querying-api-enhancements: its cache would round
		// start and end to the step. A storage node of a cluster that does not answer is an error (503), not a report without its part:
		// https://docs.victoriametrics.com/victoriametrics/cluster-victoriametrics/#cluster-availability
		{Name: "victoriametrics", Params: map[string]string{"nocache": "1", "deny_partial_response": "1"}},
	}
}

// BackendNamed finds a backend; its error says which there are.
func BackendNamed(name string) (Backend, error) {
	var names []string
	for _, b := range Backends() {
		if b.Name == name {
			return b, nil
		}
		names = append(names, b.Name)
	}
	last := len(names) - 1
	return Backend{}, fmt.Errorf("want %s or %s", strings.Join(names[:last], ", "), names[last])
}

// addTo adds the backend's parameters to an address.
func (b Backend) addTo(u *url.URL) {
	params := u.Query()
	for name, v := range b.Params {
		if !params.Has(name) {
			params.Set(name, v)
		}
	}
	u.RawQuery = params.Encode()
}

// tenantHeader says whose data are asked for, in Mimir, Cortex and Loki.
const tenantHeader = "X-Scope-Orgid" // as Go spells it

// maxTenant is how long a tenant's name may be: https://grafana.com/docs/mimir/latest/configure/about-tenant-ids/
const maxTenant = 150

// CheckTenant says what is wrong with the name of a tenant, or with one of several that have | between them.
func CheckTenant(s string) error {
	for _, name := range strings.Split(s, "|") {
		switch {
		case name == "":
			return errors.New("want a tenant, or several with | between them")
		case name == "." || name == "..":
			return errors.New("a tenant cannot be called . or .. alone")
		case len(name) > maxTenant:
			return fmt.Errorf("want at most %d characters a tenant", maxTenant)
		case strings.ContainsFunc(name, func(r rune) bool { return !isTenantRune(r) }):
			return errors.New("want letters, digits and ! - _ . * ' ( ) in a tenant, and | between several")
		}
	}
	return nil
}

func isTenantRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!-_.*'()", r)
}

// addTenant sets the tenant's header. It is no secret, unlike what else is in headers.
func addTenant(header http.Header, tenant string) error {
	if tenant == "" {
		return nil
	}
	if err := CheckTenant(tenant); err != nil {
		return fmt.Errorf("invalid --tenant %q: %w", tenant, err)
	}
	if header.Get(tenantHeader) != "" {
		return errors.New("--tenant and --header X-Scope-OrgID are the same: leave out one")
	}
	header.Set(tenantHeader, tenant)
	return nil
}

// Via is a way to a server that has connections and credentials of its own, such as the API server's service proxy.
type Via struct {
	Transport http.RoundTripper

	// Name is what messages call the server.
	Name string

	// Forbidden is what to do about an answer of status 403.
	Forbidden string
}
