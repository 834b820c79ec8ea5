package main

import (
	"context"
	"fmt"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/rightsize/rightsize/workload"
)

// extend adds to a cluster's inventory what is beyond Kubernetes's own kinds.
func (o *options) extend(ctx context.Context, inventory *workload.Inventory, client kubernetes.Interface, objects dynamic.Interface, namespace string) error {
	config, err := o.clusterConfig()
	if err != nil {
		return err
	}
	heads, err := metadata.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	return inventory.Extend(ctx, client, objects, heads, namespace)
}
