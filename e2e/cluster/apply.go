package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Apply creates or changes the objects of a manifest, in its order.
func (c *Cluster) Apply(ctx context.Context, manifest []byte) error {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096)
	for {
		obj := &unstructured.Unstructured{}
		err := decoder.Decode(obj)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading a manifest: %w", err)
		case len(obj.Object) == 0: // a comment between two ---
			continue
		}
		if err := c.applyOne(ctx, obj); err != nil {
			return fmt.Errorf("applying %s %s: %w", obj.GetKind(), obj.GetName(), err)
		}
	}
}

func (c *Cluster) applyOne(ctx context.Context, obj *unstructured.Unstructured) error {
	gvk := obj.GroupVersionKind()
	resources, err := c.Client.Discovery().ServerResourcesForGroupVersion(gvk.GroupVersion().String())
	if err != nil {
		return err
	}
	options := metav1.ApplyOptions{FieldManager: "e2e", Force: true}
	for _, r := range resources.APIResources {
		if r.Kind != gvk.Kind || strings.Contains(r.Name, "/") {
			continue
		}
		client := c.dynamic.Resource(gvk.GroupVersion().WithResource(r.Name))
		if !r.Namespaced {
			if _, err := client.Apply(ctx, obj.GetName(), obj, options); err != nil {
				return err
			}
			return c.nodeStatus(ctx, obj)
		}
		_, err := client.Namespace(obj.GetNamespace()).Apply(ctx, obj.GetName(), obj, options)
		return err
	}
	return fmt.Errorf("the API server does not know kind %s", gvk)
}

// nodeStatus applies the room of a node, which is in its status.
func (c *Cluster) nodeStatus(ctx context.Context, obj *unstructured.Unstructured) error {
	if obj.GetKind() != "Node" {
		return nil
	}
	nodes := c.dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "nodes"})
	_, err := nodes.ApplyStatus(ctx, obj.GetName(), obj, metav1.ApplyOptions{FieldManager: "e2e", Force: true})
	return err
}

// Pods lists the pods of a namespace.
func (c *Cluster) Pods(ctx context.Context, namespace string) ([]corev1.Pod, error) {
	list, err := c.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the pods of %s: %w", namespace, err)
	}
	return list.Items, nil
}

// List lists objects of any kind as they are, with their kind and API version.
func (c *Cluster) List(ctx context.Context, namespace string, r schema.GroupVersionResource) (*unstructured.UnstructuredList, error) {
	list, err := c.dynamic.Resource(r).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing %s of %s: %w", r.Resource, namespace, err)
	}
	return list, nil
}
