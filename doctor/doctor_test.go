package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"

	"github.com/rightsize/rightsize/doctor"
	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/tsdb"
	"github.com/rightsize/rightsize/recommender"
)

// folder is a data folder of what PromQL's test language says.
func folder(t *testing.T, load string) promquery.API {
	t.Helper()
	storage := promqltest.LoadedStorage(t, load)
	dir := t.TempDir()
	if err := storage.Snapshot(dir, true); err != nil {
		t.Fatal(err)
	}
	if err := storage.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := tsdb.Open(dir, tsdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// tenHours are from the beginning of time.
func tenHours() recommender.Window {
	return recommender.Window{Until: time.Unix(36000, 0), Length: 10 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
}

const state = `  up 1x600
  kube_pod_owner{namespace="shop",pod="a"} 1x600
  kube_replicaset_owner{namespace="shop",replicaset="a"} 1x600
  kube_job_owner{namespace="shop",job_name="a"} 1x600
  kube_pod_container_status_restarts_total{namespace="shop",pod="a",container="c"} 1x600
  kube_pod_container_resource_limits{namespace="shop",pod="a",container="c"} 1x600
`

// usage are all metrics of a container with these labels and values.
func usage(labels, values string) string {
	var b strings.Builder
	for _, m := range []string{"container_memory_working_set_bytes", "container_cpu_usage_seconds_total", "container_cpu_cfs_periods_total", "container_cpu_cfs_throttled_periods_total"} {
		b.WriteString("  " + m + "{" + labels + "} " + values + "\n")
	}
	return b.String()
}

const (
	shop  = `namespace="shop",pod="a",container="c"`
	cells = "100x600"
)

func TestExamine(t *testing.T) {
	for _, c := range []struct {
		name, load string
		window     func(*recommender.Window)
		worst      doctor.Status
		want       map[string]string // check: status found / do
	}{
		{"healthy", "load 1m\n" + usage(shop, cells) + state, nil, doctor.OK, map[string]string{
			"metrics": "ok memory, CPU and throttling are there", "labels": "ok namespace, pod and container of 1 series", "scrape interval": "ok about 1m",
			"retention": "ok usage goes back over the 10h of the window", "gaps": "ok none in looking every 1h", "duplicates": "ok each of 1 containers has one series",
			"clusters": "ok one, to all appearances", "kube-state-metrics": "ok owners, restarts and limits are there",
		}},
		{"renamed", "load 1m\n" + usage(`kubernetes_namespace="shop",pod_name="a",container_name="c"`, cells) + state, nil, doctor.Failed, map[string]string{
			"labels": "failed no series has the labels namespace, pod and container; one has container_name, kubernetes_namespace, pod_name / " +
				"give --label namespace=kubernetes_namespace --label pod=pod_name --label container=container_name",
			"kube-state-metrics": "ok owners, restarts and limits are there",
		}},
		{"no labels", "load 1m\n" + usage(`id="/"`, cells), nil, doctor.Failed, map[string]string{
			"labels": "failed no series has the labels namespace, pod and container; one has id / scrape the kubelets' /metrics/cadvisor without dropping labels, or say with --label what they are called",
		}},
		{"exported", "load 1m\n" + usage(`namespace="m",pod="x",exported_namespace="shop",exported_pod="a",exported_container="c"`, cells) + state, nil, doctor.OK, map[string]string{
			"labels": "note workloads are named by exported_ labels, since honor_labels is off where the kubelets are scraped; that is understood",
		}},
		{"another namespace", "load 1m\n" + usage(`namespace="web",pod="a",container="c"`, cells) + state, nil, doctor.Failed, map[string]string{
			"labels": "failed no container of namespace shop has usage, those of others have / correct --namespace, or --cluster-label",
		}},
		{"nothing", "load 1m\n  up 1x600\n", nil, doctor.Failed, map[string]string{
			"metrics": "failed no container_memory_working_set_bytes, container_cpu_usage_seconds_total in the two hours up to 1970-01-01T10:00:00Z / " +
				"scrape the kubelets' /metrics/cadvisor, or give --until a time that has data, or --tenant or --cluster-label those that have them",
			"kube-state-metrics": "problem none: whose a pod was goes by its name, and OOM kills and restarts are not known / scrape kube-state-metrics",
		}},
		{"clusters", "load 1m\n" + usage(shop+`,cluster="prod"`, cells) + usage(shop+`,cluster="staging"`, cells) + state, nil, doctor.Problem, map[string]string{
			"clusters":   "problem usage of 2 clusters, whose workloads of one name would be taken for one: cluster is prod, staging / give --cluster-label cluster=prod, or another of them",
			"duplicates": "note 1 of 1 containers have several series, which differ by cluster: the highest counts, once",
		}},
		{"gap", "load 1m\n" + usage(shop, "100x119 _x180 100x300") + state, nil, doctor.Problem, map[string]string{
			"retention": "ok usage goes back over the 10h of the window",
			"gaps":      "problem no usage at all from 1970-01-01T03:00:00Z to 1970-01-01T04:00:00Z / find out why nothing was scraped then: a report counts what was seen alone",
		}},
		{"ends", "load 1m\n" + usage(shop, "100x510") + state, nil, doctor.Failed, map[string]string{
			"labels": "failed no series has the labels namespace, pod and container at the window's end / give --until a time that has data",
		}},
		{"young", "load 1m\n" + usage(shop, "_x300 100x300") + state, nil, doctor.Problem, map[string]string{
			"retention": "problem usage begins at 1970-01-01T05:00:00Z, 5h into the window of 10h / wait, or give --window 5h; a Prometheus keeps as much as --storage.tsdb.retention.time says",
		}},
		{"seldom", "load 5m\n" + usage(shop, "100x120") + state, nil, doctor.Problem, map[string]string{
			"scrape interval": "problem about 5m, so that a --rate-window of 5m holds fewer than two samples / give --rate-window 20m",
		}},
		{"fine step", "load 1m\n" + usage(shop, cells) + state, func(w *recommender.Window) { w.Step = 30 * time.Second }, doctor.OK, map[string]string{
			"scrape interval": "note about 1m, which is longer than --step 30s: samples are repeated",
		}},
		{"no owners", "load 1m\n" + usage(shop, cells) + "  kube_pod_container_status_restarts_total 1x600\n", nil, doctor.Problem, map[string]string{
			"kube-state-metrics": "problem no kube_pod_owner, kube_replicaset_owner, kube_job_owner, kube_pod_container_resource_limits / let kube-state-metrics expose them (--metric-allowlist)",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := tenHours()
			if c.window != nil {
				c.window(&w)
			}
			r := doctor.Examine(t.Context(), doctor.Patient{
				Address: "here", API: folder(t, c.load), Window: w, Namespace: "shop", Reach: func(context.Context) error { return nil },
			})
			if r.Worst() != c.worst {
				t.Errorf("it is %s, want %s: %v", r.Worst(), c.worst, r.Checks)
			}
			for name, want := range c.want {
				if got := text(r, name); got != want {
					t.Errorf("%s: %s\nwant %s", name, got, want)
				}
			}
		})
	}
}

// text is a check in one line.
func text(r doctor.Report, name string) string {
	i := slices.IndexFunc(r.Checks, func(c doctor.Check) bool { return c.Name == name })
	if i < 0 {
		return "missing"
	}
	c := r.Checks[i]
	if c.Do == "" {
		return string(c.Status) + " " + c.Found
	}
	return string(c.Status) + " " + c.Found + " / " + c.Do
}

// What is asked besides usage.
func TestAround(t *testing.T) {
	thanos, err := promquery.BackendNamed("thanos")
	if err != nil {
		t.Fatal(err)
	}
	p := doctor.Patient{
		Address: "here", API: folder(t, "load 1m\n"+usage(shop, cells)+state), Window: tenHours(),
		Reach: func(context.Context) error { return nil },
		Flavour: func(context.Context) (promquery.Flavour, bool, error) {
			return promquery.Flavour{Backend: thanos, Version: "0.42.1"}, false, nil
		},
		RemoteRead: func(context.Context) error { return errors.New("404 Not Found") },
		Denied:     func(context.Context) (w, a []string, err error) { return nil, []string{"limitranges"}, nil },
	}
	r := doctor.Examine(t.Context(), p)
	for name, want := range map[string]string{
		"version":     "problem thanos 0.42.1, which is asked as if it were Prometheus / give --backend thanos",
		"remote read": "note none, so usage is read at the points of a grid, as by default: 404 Not Found",
		"permissions": "note all workloads may be listed; not what bears on them: limitranges / grant list on limitranges",
	} {
		if got := text(r, name); got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
	p.Denied = func(context.Context) (w, a []string, err error) {
		return []string{"pods"}, []string{"limitranges"}, nil
	}
	p.Reach = func(context.Context) error { return errors.New("nobody there") }
	r = doctor.Examine(t.Context(), p)
	if got, want := text(r, "permissions"), "problem workloads that may not be listed: pods / grant list on pods, limitranges"; got != want {
		t.Errorf("permissions: %s\nwant %s", got, want)
	}
	if len(r.Checks) != 2 || r.Worst() != doctor.Failed {
		t.Errorf("a server that cannot be reached: %v", r.Checks)
	}
}

func TestFormats(t *testing.T) {
	r := doctor.Report{Source: "http://a<b", Window: tenHours(), Checks: []doctor.Check{
		{Name: "server", Status: doctor.OK, Found: "here"}, {Name: "gaps", Status: doctor.Problem, Found: "some", Do: "look"},
	}}
	var table, wire bytes.Buffer
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	if want := "CHECK    STATUS    FOUND\nserver   ok        here\ngaps     problem   some\n\nTo do:\n  gaps: look\n"; table.String() != want {
		t.Errorf("table:\n%s\nwant\n%s", &table, want)
	}
	if err := r.WriteJSON(&wire); err != nil {
		t.Fatal(err)
	}
	var got struct {
		SchemaVersion, Source, Status, From, Window string
		Checks                                      []struct{ Name, Status, Found, Do string }
	}
	if err := json.Unmarshal(wire.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.SchemaVersion != "rightsize.doctor/v1" || got.Source != "http://a<b" || got.Status != "problem" || got.From != "1970-01-01T00:00:00Z" || got.Window != "10h" || len(got.Checks) != 2 || got.Checks[1].Do != "look" {
		t.Errorf("JSON: %+v", got)
	}
}
