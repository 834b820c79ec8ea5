package patch

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/rightsize/rightsize/workload"
)

// Verify sends each of the job's patches to the API server as a dry run, and then a pod of the patched template, since
// LimitRanges, quotas and Pod Security look at pods alone. Nothing is changed. Refused says of each workload, in a line,
// what the API server did not take; notes, what could not be tried.
//
// A dry run needs the right to do it in earnest: patch on the workloads, create on pods.
func (j Job) Verify(ctx context.Context, client dynamic.Interface) (refused, notes []string, err error) {
	untried := map[string]bool{}
	for _, o := range append(j.direct(true), j.aims(true)...) {
		at, ok := workload.ResourceOf(o.target.apiVersion, o.target.kind)
		if !ok {
			notes = append(notes, describe(o.ref)+" was not tried: its kind is not known")
			continue
		}
		patched, err := o.dryRun(ctx, client.Resource(at).Namespace(o.ref.Namespace))
		if err == nil && immutable(o.ref) == "" {
			err = dryRunPod(ctx, client, o, patched)
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, nil, fmt.Errorf("verifying patches: %w", context.Cause(ctx))
		case apierrors.IsForbidden(err) && isMissingRight(err):
			if text := "not verified, for want of a right: " + err.Error(); !untried[text] {
				untried[text], notes = true, append(notes, text)
			}
		case apierrors.ReasonForError(err) == metav1.StatusReasonUnknown: // no answer of an API server's
			return nil, nil, fmt.Errorf("verifying the patch of %s: %w", describe(o.ref), err)
		default:
			refused = append(refused, fmt.Sprintf("%s: the API server refuses it: %v", describe(o.ref), err))
		}
	}
	return refused, notes, nil
}

// isMissingRight tells a missing permission from an admission plug-in that refuses, which answers 403 too
// (NewForbidden in apiserver's pkg/endpoints/handlers/responsewriters).
func isMissingRight(err error) bool {
	return strings.Contains(err.Error(), " cannot patch resource ") || strings.Contains(err.Error(), " cannot create resource ")
}

// dryRun sends the patch. A strategic merge patch says what the containers are to have, whatever order they are in.
func (o object) dryRun(ctx context.Context, at dynamic.ResourceInterface) (*unstructured.Unstructured, error) {
	body, err := json.Marshal(o.data(Strategic))
	if err != nil {
		return nil, fmt.Errorf("writing its patch: %w", err)
	}
	as := types.StrategicMergePatchType
	if o.target.as(Strategic) == JSON6902 {
		as = types.JSONPatchType
	}
	return at.Patch(ctx, o.target.name, as, body, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: "rightsize"})
}

// dryRunPod makes a pod of the object's template. An autoscaler has none.
func dryRunPod(ctx context.Context, client dynamic.Interface, o object, patched *unstructured.Unstructured) error {
	path := workload.TemplatePath(o.ref.Kind)
	template, ok, err := unstructured.NestedMap(patched.Object, path...)
	if err != nil || !ok || scales(o.ref.Kind) {
		return nil //nolint:nilerr // it has no template to try
	}
	template = runtime.DeepCopyJSON(template)
	pod := &unstructured.Unstructured{Object: template}
	pod.SetAPIVersion("v1")
	pod.SetKind("Pod")
	pod.SetNamespace(o.ref.Namespace)
	pod.SetGenerateName("rightsize-dry-run-")
	_, err = client.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(o.ref.Namespace).
		Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: "rightsize"})
	if err != nil {
		return fmt.Errorf("a pod of it: %w", err)
	}
	return nil
}
