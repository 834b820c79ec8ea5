package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// Request is one that a service account of the tool made of the API server.
type Request struct {
	Verb, URI string
	Resource  string // with its API group: "cronjobs.batch", "pods"
	Code      int
}

// ToolRequests are all requests of the tool's service accounts so far, from the API server's audit log.
func (c *Cluster) ToolRequests() ([]Request, error) {
	text, err := os.ReadFile(c.auditLog())
	if err != nil {
		return nil, err
	}
	var out []Request
	for line := range bytes.Lines(text) {
		var event struct {
			Verb           string
			RequestURI     string
			ObjectRef      struct{ Resource, APIGroup string }
			ResponseStatus struct{ Code int }
		}
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		resource := event.ObjectRef.Resource
		if group := event.ObjectRef.APIGroup; group != "" {
			resource += "." + group
		}
		out = append(out, Request{event.Verb, event.RequestURI, resource, event.ResponseStatus.Code})
	}
	return out, nil
}
