package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/rightsize/rightsize/workload"
)

// clusterError says of an API server's error which server it was, and what to do about it. Errors that say
// so themselves are left alone.
func (o *options) clusterError(err error) error {
	var forbidden *workload.ForbiddenError
	var missing *workload.NotFoundError
	if err == nil || errors.As(err, &forbidden) || errors.As(err, &missing) {
		return err
	}
	server, context := o.clusterNames()
	var request *url.Error
	var status apierrors.APIStatus
	switch {
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the API server %s does not accept the credentials of %s: log in again, or choose another --context", server, context)
	case errors.As(err, &status):
		return fmt.Errorf("asking the API server %s: %w", server, err)
	case errors.As(err, &request):
		return fmt.Errorf("cannot reach the API server %s of %s: %w: is the --context right? (-f reads manifests without a cluster)", server, context, cause(request))
	default:
		return err
	}
}

// cause leaves out the method and the URL of the request: the server has been named.
func cause(request *url.Error) error {
	var op *net.OpError
	if errors.As(request, &op) {
		return op
	}
	return request.Err
}

// clusterNames are the server and the context in words, as far as they are known.
func (o *options) clusterNames() (server, context string) {
	server, context = "", "the current context"
	if config, err := o.kube.ToRESTConfig(); err == nil {
		server = config.Host
	}
	if raw, err := o.kube.ToRawKubeConfigLoader().RawConfig(); err == nil && raw.CurrentContext != "" {
		context = fmt.Sprintf("context %q", raw.CurrentContext)
	}
	if o.kube.Context != nil && *o.kube.Context != "" {
		context = fmt.Sprintf("context %q", *o.kube.Context)
	}
	return server, context
}
