package workload_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// series reads lines such as `kube_pod_owner{pod="a",owner_kind="Node"} 1`, all of namespace shop unless they name one.
func series(t testing.TB, text string) (metrics []workload.Metric) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, rest, _ := strings.Cut(line, "{")
		inside, value, ok := strings.Cut(rest, "} ")
		v, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			t.Fatalf("bad line %q", line)
		}
		labels := map[string]string{"namespace": "shop"}
		for pair := range strings.SplitSeq(inside, ",") {
			key, quoted, _ := strings.Cut(pair, "=")
			if labels[key], err = strconv.Unquote(quoted); err != nil {
				t.Fatalf("bad line %q", line)
			}
		}
		metrics = append(metrics, workload.Metric{Name: name, Labels: labels, Value: v})
	}
	return metrics
}

// pod has the series of a pod of one container.
func pod(name, owner, container string, created int, request, limit string) string {
	kind, by, _ := strings.Cut(owner, "/")
	lines := []string{
		fmt.Sprintf(`kube_pod_owner{pod=%q,owner_kind=%q,owner_name=%q,owner_is_controller="true"} 1`, name, kind, by),
		fmt.Sprintf(`kube_pod_created{pod=%q} %d`, name, created),
		fmt.Sprintf(`kube_pod_container_info{pod=%q,container=%q} 1`, name, container),
	}
	if request != "" {
		lines = append(lines, fmt.Sprintf(`kube_pod_container_resource_requests{pod=%q,container=%q,resource="cpu",unit="core"} %s`, name, container, request))
	}
	if limit != "" {
		lines = append(lines, fmt.Sprintf(`kube_pod_container_resource_limits{pod=%q,container=%q,resource="cpu",unit="core"} %s`, name, container, limit))
	}
	return strings.Join(lines, "\n") + "\n"
}

func set(kind, name, owner string) string {
	by, of, _ := strings.Cut(owner, "/")
	label := map[string]string{"replicaset": "replicaset", "job": "job_name"}[kind]
	return fmt.Sprintf("kube_%s_owner{%s=%q,owner_kind=%q,owner_name=%q,owner_is_controller=\"true\"} 1\n", kind, label, name, by, of)
}

// list is "deployment/api/api x2 cpu 0.5/1", with what was admitted.
func list(inv *workload.Inventory) (lines []string) {
	for _, w := range inv.Workloads {
		for _, c := range w.Containers {
			line := fmt.Sprintf("%s/%s x%d cpu %s/%s", c.ID.Ref(), c.ID.Container, c.Replicas, c.Spec[recommender.CPU].Request, c.Spec[recommender.CPU].Limit)
			if c.Init {
				line += " init"
			}
			if why := c.Admitted[recommender.CPU]; why != "" {
				line += ": " + why
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func TestFromMetrics(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
		warns      string
	}{
		{
			"a Deployment", pod("api-1-a", "ReplicaSet/api-1", "api", 10, "0.5", "1") + pod("api-1-b", "ReplicaSet/api-1", "api", 11, "0.5", "1") +
				set("replicaset", "api-1", "Deployment/api") + `kube_deployment_spec_replicas{deployment="api"} 3`,
			[]string{"deployment/api/api x3 cpu 0.5/1"},
			"",
		},
		{
			"a rollout under way", pod("api-1-a", "ReplicaSet/api-1", "api", 10, "0.5", "1") + pod("api-2-b", "ReplicaSet/api-2", "api", 11, "0.7", "") +
				set("replicaset", "api-1", "Deployment/api") + set("replicaset", "api-2", "Deployment/api"),
			[]string{"deployment/api/api x2 cpu 0.7/unset"},
			"",
		},
		{
			"one pod was resized", pod("db-0", "StatefulSet/db", "pg", 10, "0.5", "1") + pod("db-1", "StatefulSet/db", "pg", 11, "0.7", "1"),
			[]string{"statefulset/db/pg x2 cpu 0.7/1: pods db-1 and db-0 differ, though one StatefulSet made both"},
			"",
		},
		{
			"a mesh", pod("api-1-a", "ReplicaSet/api-1", "api", 10, "0.5", "") + `kube_pod_container_info{pod="api-1-a",container="istio-proxy"} 1` + "\n" + set("replicaset", "api-1", "Deployment/api"),
			[]string{"deployment/api/api x1 cpu 0.5/unset", "deployment/api/istio-proxy x1 cpu unset/unset: Istio puts this container into pods"},
			"",
		},
		{
			"some pods have one more", pod("db-0", "StatefulSet/db", "pg", 10, "1", "") + pod("db-1", "StatefulSet/db", "pg", 11, "1", "") + `kube_pod_container_info{pod="db-1",container="debug"} 1`,
			[]string{"statefulset/db/debug x2 cpu unset/unset: pod db-0 has no such container, and pod db-1 of the same StatefulSet has", "statefulset/db/pg x2 cpu 1/unset"},
			"",
		},
		{
			"a LimitRange fills in", pod("api-1-a", "ReplicaSet/api-1", "api", 10, "0.05", "1") + set("replicaset", "api-1", "Deployment/api") +
				`kube_limitrange{limitrange="defaults",type="Container",constraint="default",resource="cpu"} 1`,
			[]string{"deployment/api/api x1 cpu 0.05/1: LimitRange defaults may have filled it in, whose default it is"},
			"",
		},
		{
			"runs of a CronJob, over", pod("report-1-x", "Job/report-1", "report", 10, "0.1", "") + `kube_pod_status_phase{pod="report-1-x",phase="Succeeded"} 1` + "\n" +
				set("job", "report-1", "CronJob/report") + `kube_cronjob_info{cronjob="report"} 1`,
			[]string{"cronjob/report/report x0 cpu 0.1/unset"},
			"",
		},
		{
			"init containers and sidecars", pod("db-0", "StatefulSet/db", "pg", 10, "1", "") + "kube_pod_init_container_info{pod=\"db-0\",container=\"migrate\"} 1\n" +
				`kube_pod_init_container_info{pod="db-0",container="proxy",restart_policy="Always"} 1`,
			[]string{"statefulset/db/pg x1 cpu 1/unset", "statefulset/db/migrate x1 cpu unset/unset init", "statefulset/db/proxy x1 cpu unset/unset"},
			"",
		},
		{"nobody's pod", "kube_pod_owner{pod=\"shell\",owner_kind=\"<none>\",owner_name=\"<none>\",owner_is_controller=\"<none>\"} 1\n" + `kube_pod_container_info{pod="shell",container="sh"} 1`, []string{"pod/shell/sh x1 cpu unset/unset"}, ""},
		{"a static pod", pod("etcd-n1", "Node/n1", "etcd", 1, "1", ""), nil, ""},
		{"an operator's pod", pod("pg-1", "Cluster/pg", "postgres", 1, "1", ""), []string{"cluster/pg/postgres x1 cpu 1/unset"}, ""},
		{
			"a ReplicaSet whose owner nobody recorded", pod("api-5d9c-x2x4z", "ReplicaSet/api-5d9c", "api", 10, "0.5", "") + "kube_replicaset_spec_replicas{replicaset=\"api-5d9c\"} 1\n" +
				`kube_deployment_spec_replicas{deployment="api"} 2`,
			[]string{"deployment/api/api x2 cpu 0.5/unset"},
			"",
		},
		{
			"and no Deployment of that name", pod("api-5d9c-x2x4z", "ReplicaSet/api-5d9c", "api", 10, "0.5", "") + pod("api-5d9c-x2x4w", "ReplicaSet/api-5d9c", "api", 10, "0.5", "") +
				"kube_replicaset_spec_replicas{replicaset=\"api-5d9c\"} 1\n",
			nil, "namespace shop: the workload of 2 pods such as api-5d9c-x2x4w is not known and left out: does kube-state-metrics expose kube_pod_owner, kube_replicaset_owner and kube_job_owner?",
		},
		{
			"a pod whose owner nobody recorded", `kube_pod_container_info{pod="db-0",container="pg"} 1` + "\n" + `kube_statefulset_replicas{statefulset="db"} 1`,
			[]string{"statefulset/db/pg x1 cpu unset/unset"},
			"",
		},
		{
			"webhooks", pod("db-0", "StatefulSet/db", "pg", 10, "1", "") + `kube_mutatingwebhookconfiguration_info{mutatingwebhookconfiguration="istio"} 1` + "\n" +
				`kube_mutatingwebhookconfiguration_info{mutatingwebhookconfiguration="certs"} 1`,
			[]string{"statefulset/db/pg x1 cpu 1/unset"},
			"mutating webhooks may have changed what pods declare, which metrics do not show: certs, istio",
		},
		{
			"no pods", "kube_deployment_spec_replicas{deployment=\"idle\"} 0\n" + set("job", "report-1", "CronJob/report") + "kube_job_status_active{job_name=\"report-1\"} 0\n",
			nil, "namespace shop: no pod of deployment/idle is there, so metrics do not tell its containers: left out",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			metrics := series(t, c.text)
			inv := workload.FromMetrics(metrics)
			if diff := cmp.Diff(c.want, list(inv)); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
			if got := strings.Join(inv.Warnings, "\n"); got != c.warns {
				t.Errorf("warnings %q, want %q", got, c.warns)
			}
			// The order of series is the server's, and each may come twice.
			slices.Reverse(metrics)
			if diff := cmp.Diff(list(inv), list(workload.FromMetrics(append(metrics, metrics...)))); diff != "" {
				t.Errorf("in another order, and twice (-once +again):\n%s", diff)
			}
		})
	}
}

// What bears on workloads is taken from metrics too.
func TestFromMetricsSurroundings(t *testing.T) {
	inv := workload.FromMetrics(series(t, pod("api-1-a", "ReplicaSet/api-1", "api", 10, "0.5", "1")+set("replicaset", "api-1", "Deployment/api")+`
		kube_horizontalpodautoscaler_info{horizontalpodautoscaler="api",scaletargetref_kind="Deployment",scaletargetref_name="api"} 1
		kube_horizontalpodautoscaler_spec_target_metric{horizontalpodautoscaler="api",metric_name="cpu",metric_target_type="utilization"} 70
		kube_horizontalpodautoscaler_spec_target_metric{horizontalpodautoscaler="api",metric_name="memory",metric_target_type="average"} 1000
		kube_horizontalpodautoscaler_info{horizontalpodautoscaler="queue",scaletargetref_kind="Deployment",scaletargetref_name="api"} 1
		kube_limitrange{limitrange="small",type="Container",constraint="max",resource="memory"} 1073741824
		kube_limitrange{limitrange="small",type="Pod",constraint="max",resource="cpu"} 1
		kube_node_status_allocatable{node="n1",resource="cpu",unit="core"} 4
		kube_node_status_allocatable{node="n1",resource="memory",unit="byte"} 1000
		kube_node_status_allocatable{node="n1",resource="pods",unit="integer"} 110`))
	facts := inv.Workloads[0].Containers[0].Facts
	if len(facts.Autoscalers) != 1 || facts.Autoscalers[0].Percent != 70 || facts.Autoscalers[0].Resource != recommender.CPU || facts.Autoscalers[0].Name != "HorizontalPodAutoscaler api" {
		t.Errorf("autoscalers %+v", facts.Autoscalers)
	}
	if len(facts.Ranges) != 1 || facts.Ranges[0].Of[recommender.Memory].Max != recommender.Set(1<<30) || facts.Ranges[0].Of[recommender.CPU].Max.IsAdvice() {
		t.Errorf("ranges %+v", facts.Ranges)
	}
	if want := []recommender.Room{{4, 1000}}; !slices.Equal(facts.Nodes, want) {
		t.Errorf("nodes %v, want %v", facts.Nodes, want)
	}
}

// An autoscaler's share is that of one container where its metric says so, and both of one resource stand.
func TestFromMetricsAutoscalersOfContainers(t *testing.T) {
	metrics := series(t, pod("api-1-a", "ReplicaSet/api-1", "api", 10, "0.5", "1")+set("replicaset", "api-1", "Deployment/api")+`
		kube_horizontalpodautoscaler_info{horizontalpodautoscaler="api",scaletargetref_kind="Deployment",scaletargetref_name="api"} 1
		kube_horizontalpodautoscaler_spec_target_metric{horizontalpodautoscaler="api",metric_name="cpu",metric_target_type="utilization",container="api"} 70
		kube_horizontalpodautoscaler_spec_target_metric{horizontalpodautoscaler="api",metric_name="cpu",metric_target_type="utilization",container="kube-state-metrics"} 80
		kube_horizontalpodautoscaler_spec_target_metric{horizontalpodautoscaler="api",metric_name="memory",metric_target_type="utilization",container=""} 60`)
	for range 20 { // maps have no order
		var got []string
		for _, a := range workload.FromMetrics(metrics).Workloads[0].Containers[0].Facts.Autoscalers {
			got = append(got, fmt.Sprintf("%s of %q %d", a.Resource, a.Container, a.Percent))
		}
		if want := []string{`cpu of "api" 70`, `cpu of "" 80`, `memory of "" 60`}; !slices.Equal(got, want) {
			t.Fatalf("autoscalers %q, want %q", got, want)
		}
	}
}

// The system's own workloads are told by their priority, and what a rollout adds is known.
func TestFromMetricsPriorityAndSurge(t *testing.T) {
	w := workload.FromMetrics(series(t, pod("api-1-a", "ReplicaSet/api-1", "api", 10, "0.5", "1")+set("replicaset", "api-1", "Deployment/api")+`
		kube_pod_info{pod="api-1-a",priority_class="system-cluster-critical"} 1
		kube_deployment_spec_strategy_rollingupdate_max_surge{deployment="api"} 2`)).Workloads[0]
	if w.Priority != "system-cluster-critical" || w.Surge != 2 {
		t.Errorf("priority %q and surge %d", w.Priority, w.Surge)
	}
}

// What has no pods is as its last pod was, and says so.
func TestFromMetricsOfGonePods(t *testing.T) {
	now := series(t, `kube_cronjob_info{cronjob="report"} 1
		kube_deployment_spec_replicas{deployment="idle"} 0
		kube_deployment_spec_replicas{deployment="never"} 1`)
	inv := workload.FromMetrics(now)
	owners := recommender.Owners{
		Pods: map[string]recommender.Owner{
			"report-29000000-aaaaa": {Kind: "Job", Name: "report-29000000"},
			"idle-4-bbbbb":          {Kind: "ReplicaSet", Name: "idle-4"},
			"idle-5-bbbbb":          {Kind: "ReplicaSet", Name: "idle-5"},
			"other-0":               {Kind: "StatefulSet", Name: "other"},
		},
		ReplicaSets: map[string]recommender.Owner{"idle-4": {Kind: "Deployment", Name: "idle"}, "idle-5": {Kind: "Deployment", Name: "idle"}},
		Jobs:        map[string]recommender.Owner{},
	}
	for i := range 60 {
		job := fmt.Sprintf("report-%d", 28000000+i)
		owners.Jobs[job] = recommender.Owner{Kind: "CronJob", Name: "report"}
		owners.Pods[job+"-aaaaa"] = recommender.Owner{Kind: "Job", Name: job}
	}
	past := workload.PastPods(inv.Podless, owners)
	if runs := past[workload.Ref{Namespace: "shop", Kind: "CronJob", Name: "report"}]; len(runs) != 50 || runs[49] != "report-29000000-aaaaa" {
		t.Errorf("%d runs, the last %s", len(runs), runs[len(runs)-1])
	}
	newest := workload.Newest(past, series(t, `kube_pod_created{pod="idle-4-bbbbb"} 20
		kube_pod_created{pod="idle-5-bbbbb"} 10`))
	if want := []string{"idle-4-bbbbb", "report-29000000-aaaaa"}; !slices.Equal(newest, want) {
		t.Fatalf("newest %q, want %q", newest, want)
	}
	gone := series(t, `kube_pod_container_info{pod="idle-4-bbbbb",container="app"} 1
		kube_pod_container_info{pod="report-29000000-aaaaa",container="report"} 1
		kube_pod_container_resource_limits{pod="report-29000000-aaaaa",container="report",resource="cpu",unit="core"} 2`)
	for i := range gone {
		gone[i].Gone = true
	}
	got := list(workload.FromMetrics(slices.Concat(now, gone, workload.OwnerMetrics("shop", newest, owners))))
	want := []string{
		"deployment/idle/app x0 cpu unset/unset: it has no pod now, and this is of idle-4-bbbbb, which it had last",
		"cronjob/report/report x0 cpu unset/2: it has no pod now, and this is of report-29000000-aaaaa, which it had last",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
}

// Series of any kind and number make no panic, and each container that is seen once is there once.
func FuzzFromMetrics(f *testing.F) {
	f.Add(uint64(1), "db-0", "StatefulSet", "db")
	f.Add(uint64(7), "", "", "")
	f.Fuzz(func(t *testing.T, seed uint64, name, kind, owner string) {
		var metrics []workload.Metric
		names := append(workload.Metrics(), workload.ClusterMetrics()...)
		for i := range 40 {
			n := (seed >> (i % 48)) + uint64(i)
			labels := map[string]string{
				"namespace": "shop", "pod": name, "container": "c" + strconv.Itoa(int(n%3)), "resource": []string{"cpu", "memory", owner}[n%3],
				"owner_kind": kind, "owner_name": owner, "replicaset": owner, "job_name": owner, "deployment": owner, "type": "Container", "constraint": "default",
			}
			metrics = append(metrics, workload.Metric{Name: names[n%uint64(len(names))], Labels: maps.Clone(labels), Value: float64(n), Gone: n%5 == 0})
		}
		seen := map[recommender.ID]bool{}
		for _, w := range workload.FromMetrics(metrics).Workloads {
			for _, c := range w.Containers {
				if seen[c.ID] {
					t.Errorf("%s is there twice", c.ID)
				}
				seen[c.ID] = true
			}
		}
	})
}
