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
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
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
	client, err := c.resource(c.dynamic, obj)
	if err != nil {
		return err
	}
	if _, err := client.Apply(ctx, obj.GetName(), obj, metav1.ApplyOptions{FieldManager: "e2e", Force: true}); err != nil {
		return err
	}
	return c.nodeStatus(ctx, obj)
}

// Delete removes an object that was applied.
func (c *Cluster) Delete(ctx context.Context, obj *unstructured.Unstructured) error {
	client, err := c.resource(c.dynamic, obj)
	if err == nil {
		err = client.Delete(ctx, obj.GetName(), metav1.DeleteOptions{})
	}
	if err != nil {
		return fmt.Errorf("deleting %s %s: %w", obj.GetKind(), obj.GetName(), err)
	}
	return nil
}

// resource is where objects of obj's kind and namespace are.
func (c *Cluster) resource(client dynamic.Interface, obj *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	gvk := obj.GroupVersionKind()
	resources, err := c.Client.Discovery().ServerResourcesForGroupVersion(gvk.GroupVersion().String())
	if err != nil {
		return nil, err
	}
	for _, r := range resources.APIResources {
		if r.Kind != gvk.Kind || strings.Contains(r.Name, "/") {
			continue
		}
		all := client.Resource(gvk.GroupVersion().WithResource(r.Name))
		if !r.Namespaced {
			return all, nil
		}
		return all.Namespace(obj.GetNamespace()), nil
	}
	return nil, fmt.Errorf("the API server does not know kind %s", gvk)
}

// DryRun asks whether the API server, with all its admission, would take an object. Warnings are what it says about one
// that it takes.
func (c *Cluster) DryRun(ctx context.Context, obj *unstructured.Unstructured) (warnings []string, err error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig(Admin))
	if err != nil {
		return nil, err
	}
	config.WarningHandler = collect{&warnings}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	objects, err := c.resource(client, obj)
	if err != nil {
		return nil, err
	}
	_, err = objects.Apply(ctx, obj.GetName(), obj, metav1.ApplyOptions{FieldManager: "e2e", Force: true, DryRun: []string{metav1.DryRunAll}})
	return warnings, err
}

// collect is a rest.WarningHandler.
type collect struct{ texts *[]string }

func (c collect) HandleWarningHeader(_ int, _ string, text string) { *c.texts = append(*c.texts, text) }

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
