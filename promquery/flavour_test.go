package promquery

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFlavour(t *testing.T) {
	const (
		scalar = `{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}`
		vector = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[0,"1"]}]}}`
	)
	for name, c := range map[string]struct {
		answers map[string]string
		want    Flavour
		sends   bool
	}{
		"prometheus":      {map[string]string{"status/buildinfo": `{"status":"success","data":{"version":"3.15.0"}}`, "query": scalar}, Flavour{Version: "3.15.0"}, true},
		"thanos":          {map[string]string{"status/buildinfo": `{"status":"success","data":{"version":"0.42.1"}}`, "query": scalar, "stores": `{"status":"success","data":{"sidecar":[]}}`}, Flavour{Version: "0.42.1"}, false},
		"mimir":           {map[string]string{"status/buildinfo": `{"status":"success","data":{"application":"Grafana Mimir","version":"2.16"}}`, "query": scalar}, Flavour{Version: "2.16"}, true},
		"cortex":          {map[string]string{"status/buildinfo": `{"status":"success","data":{"application":"Cortex","version":"1.18"}}`, "query": scalar}, Flavour{Version: "1.18"}, true},
		"victoriametrics": {map[string]string{"status/buildinfo": `{"status":"success","data":{"version":"2.24.0"}}`, "query": vector}, Flavour{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, ok := c.answers[strings.TrimPrefix(r.URL.Path, "/api/v1/")]
				if !ok {
					http.NotFound(w, r)
					return
				}
				answer(200, "application/json", body)(w, r)
			}))
			defer server.Close()
			api, err := NewHTTP(HTTPOptions{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			got, err := api.Flavour(t.Context())
			if err != nil || got.Backend.Name != name || got.Version != c.want.Version || api.Sends(got.Backend) != c.sends {
				t.Errorf("Flavour = %s %s, %v, sends %v; want %s %s, %v", got.Backend.Name, got.Version, err, api.Sends(got.Backend), name, c.want.Version, c.sends)
			}
		})
	}
	api, err := NewHTTP(HTTPOptions{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.Flavour(t.Context()); err == nil {
		t.Error("nobody there, and no error")
	}
}
