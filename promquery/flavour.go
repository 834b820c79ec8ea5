package promquery

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Flavour is what a server says it is.
type Flavour struct {
	Backend Backend
	Version string // "" where it does not say, or says another server's
}

// Flavour finds out what the server is, by what only one kind of server has: the name of its application in
// /api/v1/status/buildinfo (Mimir), a list of stores (Thanos), a vector for a scalar (VictoriaMetrics). What is none of
// these is called Prometheus.
func (h *HTTP) Flavour(ctx context.Context) (Flavour, error) {
	var build struct{ Application, Version string }
	err := h.get(ctx, "/api/v1/status/buildinfo", &build)
	var refused *ServerError
	if err != nil && !errors.As(err, &refused) {
		return Flavour{}, err
	}
	name, version := "prometheus", build.Version
	switch application := strings.ToLower(build.Application); {
	case strings.Contains(application, "mimir"), strings.Contains(application, "enterprise metrics"):
		name = "mimir"
	case strings.Contains(application, "cortex"):
		name = "cortex"
	case h.isVector(ctx):
		name, version = "victoriametrics", "" // it gives a Prometheus's
	case h.get(ctx, "/api/v1/stores", new(json.RawMessage)) == nil:
		name = "thanos"
	}
	backend, err := BackendNamed(name)
	return Flavour{backend, version}, err
}

// isVector says whether the number 1 is a vector to the server.
func (h *HTTP) isVector(ctx context.Context) bool {
	value, _, _, err := h.Query(ctx, "1", time.Unix(0, 0))
	return err == nil && value.Type() == model.ValVector
}

// Sends says whether each request has the backend's parameters, whoever gave them.
func (h *HTTP) Sends(b Backend) bool {
	params := h.inner.URL("/", nil).Query()
	for name := range b.Params {
		if !params.Has(name) {
			return false
		}
	}
	return true
}

// get decodes the data of an answer of the API.
func (h *HTTP) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.inner.URL(path, nil).String(), nil)
	if err != nil {
		return h.clean(ctx, err)
	}
	resp, body, err := h.inner.Do(ctx, req)
	if err != nil {
		return h.clean(ctx, err)
	}
	_ = resp.Body.Close() // it has been read
	var answer struct {
		Status string
		Data   json.RawMessage
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" {
		return &ServerError{Status: http.StatusOK, Text: h.address + " answered what is not a result of Prometheus's API"}
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		return &ServerError{Status: http.StatusOK, Text: h.address + " answered what is not a result of Prometheus's API"}
	}
	return nil
}
