package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// krrThreads is how many queries KRR makes at a time, as in the figures of docs/performance.md.
const krrThreads = 6

// krrQueries are after what KRR's strategy "simple" asks for one container, over our window instead of its two weeks: its owners and
// pods, then usage by subqueries at its step of 75 s. https://github.com/robusta-dev/krr, robusta_krr/core/integrations/prometheus.
func krrQueries(d deployment, container string) []string {
	var sets, pods []string
	for g := range generations {
		sets = append(sets, d.replicaSet(g))
		for n := range replicas {
			pods = append(pods, d.pod(g, n, until(), until()).Name)
		}
	}
	in := fmt.Sprintf(`namespace="%s", pod=~"%s"`, d.namespace(), strings.Join(pods, "|"))
	of := fmt.Sprintf(`%s, container="%s"`, in, container)
	const span, by = "7d", "by (container, pod, job)"
	return []string{
		fmt.Sprintf(`last_over_time(kube_replicaset_owner{owner_name="%s", owner_kind="Deployment", namespace="%s"}[%s])`, d.name(), d.namespace(), span),
		fmt.Sprintf(`last_over_time(kube_pod_owner{owner_name=~"%s", owner_kind="ReplicaSet", namespace="%s"}[%s])`, strings.Join(sets, "|"), d.namespace(), span),
		fmt.Sprintf(`present_over_time(kube_pod_status_phase{phase="Running", %s}[75s])`, in),
		fmt.Sprintf(`quantile_over_time(0.95, max(rate(container_cpu_usage_seconds_total{%s}[75s])) %s[%s:75s])`, of, by, span),
		fmt.Sprintf(`count_over_time(max(container_cpu_usage_seconds_total{%s}) %s[%s:75s])`, of, by, span),
		fmt.Sprintf(`max_over_time(max(container_memory_working_set_bytes{%s}) %s[%s:75s])`, of, by, span),
		fmt.Sprintf(`count_over_time(max(container_memory_working_set_bytes{%s}) %s[%s:75s])`, of, by, span),
	}
}

// askAsKRR asks for some of a data set's containers, evenly spread, and throws the answers away.
func askAsKRR(ctx context.Context, address string, deployments, sample int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(krrThreads)
	for i := range sample {
		d, container := deployment(i*deployments/sample), []string{"app", "sidecar"}[i%2]
		for _, query := range krrQueries(d, container) {
			g.Go(func() error { return instant(ctx, address, query) })
		}
	}
	return g.Wait()
}

func instant(ctx context.Context, address, query string) error {
	form := url.Values{"query": {query}, "time": {fmt.Sprint(until().Unix())}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/api/v1/query", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return fetch(request)
}

// fetch makes a request and throws its answer away.
func fetch(request *http.Request) error {
	client := &http.Client{Timeout: 5 * time.Minute}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 300))
		return fmt.Errorf("%s %s: %s: %s", request.Method, request.URL.Path, response.Status, text)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
