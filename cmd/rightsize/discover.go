package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/discovery"
)

// openDiscovered asks a server that the cluster has. It chooses none where there are several.
func (o *options) openDiscovered(ctx context.Context, log *logs) (*usageSource, error) {
	if !o.hasCluster() {
		return nil, usagef("where is usage to be read from? Give --prometheus-url URL (or %s), or --tsdb DIR for the data folder of a Prometheus; one is looked for in a cluster, but there is no kubeconfig", prometheusEnv)
	}
	service, err := o.findService(ctx)
	if err != nil {
		return nil, err
	}
	log.info("asking a service of the cluster", "service", service.String(), "kind", service.Kind)
	options := promquery.HTTPOptions{URL: service.URL(), Backend: o.backend.named(service.Backend)}
	if !o.inPod() {
		if options.URL, options.Via, err = o.serviceProxy(service); err != nil {
			return nil, err
		}
	}
	u, err := o.openServer(options)
	if err != nil {
		return nil, err
	}
	u.service, u.proxied = &service, options.Via != nil
	return u, nil
}

// findService is the service that --prometheus-service names, else the only one that is known.
func (o *options) findService(ctx context.Context) (discovery.Service, error) {
	client, err := o.clusterClient()
	if err != nil {
		return discovery.Service{}, err
	}
	if o.backend.service.Name != "" {
		service, err := discovery.Get(ctx, client, o.backend.service)
		return service, o.discoveryError(err)
	}
	found, err := discovery.Find(ctx, client)
	if err != nil {
		return discovery.Service{}, o.discoveryError(err)
	}
	switch len(found) {
	case 0:
		return discovery.Service{}, usagef("where is usage to be read from? No service of a known kind is in the cluster: give --prometheus-service NAMESPACE/NAME:PORT, --prometheus-url URL (or %s), or --tsdb DIR", prometheusEnv)
	case 1:
		return found[0], nil
	}
	var list []string
	for _, s := range found {
		list = append(list, fmt.Sprintf("%s (%s)", s, s.Kind))
	}
	return discovery.Service{}, usagef("usage could be read from %d services: %s: choose one with --prometheus-service", len(found), strings.Join(list, ", "))
}

// discoveryError says what else can be done where services may not be read.
func (o *options) discoveryError(err error) error {
	var forbidden *discovery.ForbiddenError
	switch {
	case errors.As(err, &forbidden) && forbidden.Verb == "list":
		return fmt.Errorf("looking for a Prometheus: %w, or give --prometheus-service NAMESPACE/NAME:PORT or --prometheus-url URL", err)
	case errors.As(err, &forbidden):
		return fmt.Errorf("looking for a Prometheus: %w, or give its port as a number, or --prometheus-url URL", err)
	}
	return o.clusterError(err)
}

// hasCluster says whether there is anything that says where the API server is.
func (o *options) hasCluster() bool {
	raw, err := o.kube.ToRawKubeConfigLoader().RawConfig()
	return err != nil || len(raw.Contexts)+len(raw.Clusters) > 0 || *o.kube.APIServer != "" || o.inPod()
}

// inPod says whether the cluster is the one that this process runs in, as client-go decides it.
func (o *options) inPod() bool {
	raw, err := o.kube.ToRawKubeConfigLoader().RawConfig()
	if err != nil || len(raw.Contexts)+len(raw.Clusters) > 0 || *o.kube.APIServer != "" {
		return false
	}
	_, err = rest.InClusterConfig()
	return err == nil && os.Getenv("KUBERNETES_SERVICE_HOST") != ""
}

// serviceProxy is the way to a service through the API server, with the kubeconfig's credentials.
func (o *options) serviceProxy(s discovery.Service) (address string, via *promquery.Via, err error) {
	if o.prometheusConfig != "" {
		return "", nil, usagef("--prometheus-config does not go with a service that is reached through the API server, which passes no credentials on: forward a port to %s and give --prometheus-url", s)
	}
	config, err := o.kube.ToRESTConfig()
	if err != nil {
		return "", nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.UserAgent = "rightsize/" + version()
	transport, err := rest.TransportFor(config)
	if err != nil {
		return "", nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return "", nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return s.ProxyURL(server).String(), &promquery.Via{
		Transport: transport,
		Name:      "service " + s.String(),
		Forbidden: s.Grant() + ", or forward a port to it and give --prometheus-url",
	}, nil
}
