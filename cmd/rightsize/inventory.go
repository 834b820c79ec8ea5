package main

import (
	"context"
	"fmt"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// inventory lists what is declared, and the namespaces to look at; none means all.
func (o *options) inventory(ctx context.Context, std streams, usage *usageSource, window recommender.Window) (*workload.Inventory, []string, error) {
	switch {
	case o.fromMetrics:
		return o.fromState(ctx, std, usage, window)
	case len(o.files) > 0:
		return o.fromManifests(ctx, std)
	}
	return o.fromCluster(ctx)
}

// fromManifests looks at every namespace of the manifests unless one is asked for. Objects that name none
// are in the one asked for, or in the current context's, as kubectl apply would put them.
func (o *options) fromManifests(ctx context.Context, std streams) (*workload.Inventory, []string, error) {
	namespace, asked, err := o.namespace()
	if err != nil {
		namespace = "default"
		std.log.warn(err.Error() + ": objects without a namespace are taken to be in \"default\": give --namespace")
	}
	inventory, err := workload.Load(ctx, o.files, workload.Options{Namespace: namespace, Recursive: o.recursive, Stdin: std.in})
	if err != nil || !asked || o.allNamespaces {
		return inventory, nil, err
	}
	return inventory, []string{namespace}, nil
}

func (o *options) fromCluster(ctx context.Context) (*workload.Inventory, []string, error) {
	namespace, _, err := o.namespace()
	if err != nil {
		return nil, nil, err
	}
	asked := []string{namespace}
	if o.allNamespaces {
		namespace, asked = "", nil
	}
	client, objects, err := o.clusterClients()
	if err != nil {
		return nil, nil, err
	}
	inventory, err := workload.List(ctx, client, namespace)
	if err == nil {
		err = o.extend(ctx, inventory, client, objects, namespace)
	}
	if err == nil {
		err = inventory.Surround(ctx, client, objects, namespace)
	}
	return inventory, asked, o.clusterError(err)
}

// namespace is kubectl's: the flag, the context's, "default"; and whether the flag gave it.
func (o *options) namespace() (name string, asked bool, err error) {
	if *o.kube.Namespace != "" {
		return *o.kube.Namespace, true, nil // no kubeconfig is needed to know it, nor a good one
	}
	name, _, err = o.kube.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", false, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return name, false, nil
}

func (o *options) clusterClient() (kubernetes.Interface, error) {
	client, _, err := o.clusterClients()
	return client, err
}

// clusterClients are one for what is Kubernetes's own, and one for all else.
func (o *options) clusterClients() (kubernetes.Interface, dynamic.Interface, error) {
	config, err := o.clusterConfig()
	if err != nil {
		return nil, nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return client, objects, nil
}

// clusterConfig is how the cluster is asked.
func (o *options) clusterConfig() (*rest.Config, error) {
	config, err := o.kube.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w (give -f for manifests without a cluster)", err)
	}
	if config.Timeout, err = clientcmd.ParseTimeout(o.requestTimeout); err != nil {
		return nil, err // validate has looked at it
	}
	config.UserAgent = "rightsize/" + version()
	config.WarningHandler = rest.NoWarnings{} // of deprecated APIs: for whoever applies objects
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	// We list some ten kinds, page by page: client-go's own brake of 5 requests a second only costs time.
	config.QPS, config.Burst = 50, 100
	if o.watch.cluster != nil {
		config.Wrap(o.watch.cluster)
	}
	return config, nil
}
