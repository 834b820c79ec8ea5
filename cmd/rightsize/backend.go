package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/dialect"
	"github.com/rightsize/rightsize/promquery/discovery"
)

// backendOptions say what a server is, and how it names things.
type backendOptions struct {
	kind    *promquery.Backend // nil where no flag says
	tenant  string
	service discovery.Ref
	labels  []dialect.Label
	cluster []promquery.Matcher
}

func (b *backendOptions) addTo(flags *pflag.FlagSet) {
	flags.Var(value(&b.service, "SERVICE", discovery.ParseRef, discovery.Ref.String), "prometheus-service", "without a URL: the service to ask, as NAMESPACE/NAME or NAMESPACE/NAME:PORT, in place of the one that is found")
	flags.Var(value(&b.kind, "NAME", parseBackend, nil), "backend", "what it is: prometheus, thanos, mimir, cortex or victoriametrics (default prometheus, or what was found)")
	flags.Var(value(&b.tenant, "TENANT", parseTenant, func(s string) string { return s }), "tenant", "whose data to ask Mimir or Cortex for (X-Scope-OrgID)")
	flags.Var(value(&b.labels, "NAME=THEIRS", b.addLabel, nil), "label", "what it calls a label, such as namespace=kubernetes_namespace; may be repeated")
	flags.Var(value(&b.cluster, "LABEL=VALUE", b.addCluster, nil), "cluster-label", "of a store of several clusters: only series with this label, such as cluster=prod; may be repeated")
}

func parseBackend(s string) (*promquery.Backend, error) {
	b, err := promquery.BackendNamed(s)
	return &b, err
}

func parseTenant(s string) (string, error) { return s, promquery.CheckTenant(s) }

func (b *backendOptions) addLabel(s string) ([]dialect.Label, error) {
	l, err := dialect.ParseLabel(s)
	return append(b.labels, l), err
}

func (b *backendOptions) addCluster(s string) ([]promquery.Matcher, error) {
	m, err := dialect.ParseCluster(s)
	return append(b.cluster, m), err
}

// flags are those that say how the server names labels and which cluster is meant, as one would give them.
func (b *backendOptions) flags() string {
	var texts []string
	for _, m := range b.cluster {
		texts = append(texts, "--cluster-label "+m.Name+"="+m.Value)
	}
	for _, l := range b.labels {
		texts = append(texts, "--label "+l.Name+"="+l.Theirs)
	}
	return strings.Join(texts, " ")
}

// dialect is how the server names labels, and which cluster is meant.
func (b *backendOptions) dialect() (dialect.Dialect, error) {
	d, err := dialect.New(b.labels, b.cluster)
	if err != nil {
		return d, usageError{err}
	}
	return d, nil
}

// named is the backend that the flags say, else the one of this name.
func (b *backendOptions) named(found string) promquery.Backend {
	if b.kind != nil {
		return *b.kind
	}
	backend, err := promquery.BackendNamed(found)
	if err != nil {
		return promquery.Backend{} // not known: asked as a Prometheus is
	}
	return backend
}

// translated reads raw samples in a dialect, and asks whether they can be had without it.
type translated struct {
	promquery.Raw
	plain rawReader
}

// Probe implements rawReader.
func (t translated) Probe(ctx context.Context, at time.Time) error { return t.plain.Probe(ctx, at) }
