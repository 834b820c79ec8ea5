package main

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/rightsize/rightsize/testdata/promserver"
)

// explained is what the tests look at of an explanation's JSON.
type explained struct {
	Containers []struct {
		Container struct{ Workload, Container string }
		Resources map[string]struct {
			PromQL []struct {
				Doc, Query string
				Gives      *float64
			}
		}
	}
}

// What is to be pasted into Prometheus gives the very numbers that it is said to give, whichever way the report was read.
func testPromQL(t *testing.T, demo string) {
	prometheus, err := promserver.Open(filepath.Join(demo, "tsdb"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	address := serve(t, prometheus) + promserver.Prefix
	for _, read := range []string{"query", "auto"} {
		proved := map[string]int{}
		for _, workload := range []string{"deploy/api", "deploy/checkout", "deploy/web", "deploy/recommendations", "sts/db", "cronjob/report", "job/migrate", "ds/node-agent"} {
			stdout, stderr, code := rightsize(t, demo, "explain", workload, "--tsdb", filepath.Join(demo, "tsdb"), "--read", read, "-o", "json")
			if code != 0 {
				t.Fatalf("%s: exit code %d: %s", workload, code, stderr)
			}
			var got explained
			if err := json.Unmarshal([]byte(stdout), &got); err != nil {
				t.Fatal(err)
			}
			for _, c := range got.Containers {
				for resource, r := range c.Resources {
					for _, q := range r.PromQL {
						values := ask(t, address, q.Query)
						if q.Gives == nil {
							continue
						}
						proved[q.Doc]++
						if len(values) != 1 || math.Abs(values[0]-*q.Gives) > 1e-9*math.Abs(*q.Gives) {
							t.Errorf("--read %s: %s %s, %s: %s\ngives %v, want %v", read, workload, resource, q.Doc, q.Query, values, *q.Gives)
						}
					}
				}
			}
		}
		for _, doc := range []string{"p50", "p99", "max", "share up to p50", "share up to p99"} {
			if proved[doc] == 0 {
				t.Errorf("--read %s: no query is said to give %s", read, doc)
			}
		}
	}
	if err := prometheus.Close(); err != nil {
		t.Error(err)
	}
}

// docs/explain.md shows what its script pins.
func TestExplainDocShowsRealOutput(t *testing.T) {
	archive, err := txtar.ParseFile(filepath.Join("..", "..", "testdata", "scripts", "explain.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name == "docs_explain.golden" && !strings.Contains(readDoc(t, "docs", "explain.md"), string(f.Data)+"```") {
			t.Errorf("docs/explain.md does not show the screen of explain.txtar, which is now:\n%s", f.Data)
		}
	}
}

// ask is the values of an instant query, a series each.
func ask(t *testing.T, address, query string) (values []float64) {
	t.Helper()
	answer, err := http.PostForm(address+"/api/v1/query", url.Values{"query": {query}, "time": {"1770000000"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var got struct {
		Status, Error string
		Data          struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || got.Status != "success" {
		t.Fatalf("%s: %v %s", query, err, got.Error)
	}
	for _, series := range got.Data.Result {
		v, err := strconv.ParseFloat(series.Value[1].(string), 64)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	return values
}
