package workload_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

const manifests = `
{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, namespace: shop, labels: {team: web}}, spec: {template: {spec: {containers: [{name: app}, {name: proxy}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: api-v2, namespace: shop}, spec: {template: {spec: {containers: [{name: app}]}}}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: shop, labels: {team: data}}, spec: {template: {spec: {containers: [{name: postgres}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, namespace: shop-eu}, spec: {template: {spec: {containers: [{name: app}]}}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: empty}}
`

func selector(t *testing.T, s string) labels.Selector {
	t.Helper()
	l, err := labels.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestSystemWorkloadsAreForThoseWhoAsk(t *testing.T) {
	workloadOf := func(namespace, name, priority string) workload.Workload {
		ref := workload.Ref{Namespace: namespace, Kind: "Deployment", Name: name}
		id := recommender.ID{Namespace: namespace, Kind: ref.Kind, Workload: name, Container: "app"}
		return workload.Workload{Ref: ref, Priority: priority, Containers: []recommender.Container{{ID: id}}}
	}
	inv := &workload.Inventory{Workloads: []workload.Workload{
		workloadOf("kube-system", "dns", ""), workloadOf("shop", "ingress", "system-cluster-critical"), workloadOf("shop", "web", "high"),
	}}
	for name, c := range map[string]struct {
		selector workload.Selector
		want     string
		left     int
	}{
		"all":          {workload.Selector{}, "web", 2},
		"asked":        {workload.Selector{System: true}, "dns ingress web", 0},
		"by namespace": {workload.Selector{Namespaces: []string{"kube-system"}}, "dns", 0},
		"by another":   {workload.Selector{Namespaces: []string{"shop"}}, "web", 1},
		"by name":      {workload.Selector{Refs: []string{"deployment/ingress"}}, "ingress", 0},
	} {
		sel, err := inv.Select(c.selector)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range sel.Containers {
			got = append(got, c.ID.Workload)
		}
		if strings.Join(got, " ") != c.want || len(sel.System) != c.left {
			t.Errorf("%s: %q and %d left out, want %q and %d", name, got, len(sel.System), c.want, c.left)
		}
	}
}

func TestSelect(t *testing.T) {
	inv := load(t, workload.Options{Stdin: strings.NewReader(manifests)}, "-")
	ns := []string{"shop"}
	tests := []struct {
		selector workload.Selector
		want     string // containers, or the error
	}{
		{workload.Selector{}, "shop/deployment/api/app shop/deployment/api/proxy shop/deployment/api-v2/app shop/statefulset/db/postgres shop-eu/deployment/api/app"},
		{workload.Selector{Namespaces: []string{"shop-eu", "shop-eu"}}, "shop-eu/deployment/api/app"},
		{workload.Selector{Namespaces: []string{"empty"}}, ""},
		{workload.Selector{Refs: []string{"Deploy/api"}}, "shop/deployment/api/app shop/deployment/api/proxy shop-eu/deployment/api/app"},
		{workload.Selector{Namespaces: ns, Refs: []string{"statefulsets.apps/db", "sts/db"}}, "shop/statefulset/db/postgres"},
		{workload.Selector{Labels: selector(t, "team in (web, data)"), Containers: []string{"app", "postgres"}}, "shop/deployment/api/app shop/statefulset/db/postgres"},
		{workload.Selector{Labels: selector(t, "team=none")}, ""},

		{workload.Selector{Namespaces: []string{"shp"}}, `namespace "shp" is not in the manifests; did you mean "shop"? (namespaces: empty, shop, shop-eu)`},
		{workload.Selector{Namespaces: ns, Refs: []string{"deployment/apii"}}, "deployment/apii is not in namespace shop; did you mean deployment/api?"},
		{workload.Selector{Namespaces: ns, Refs: []string{"sts/api"}}, "statefulset/api is not in namespace shop; did you mean deployment/api?"},
		{workload.Selector{Refs: []string{"ds/bd"}}, "daemonset/bd is not in any namespace (workloads: deployment/api, deployment/api-v2, statefulset/db)"},
		{workload.Selector{Refs: []string{"ds/dbb"}}, "daemonset/dbb is not in any namespace; did you mean statefulset/db?"},
		{workload.Selector{Refs: []string{"db"}}, `invalid workload "db": want KIND/NAME, such as deployment/web`},
		{workload.Selector{Refs: []string{"svc/db"}}, `invalid workload "svc/db": unknown kind "svc": want deployment, statefulset, daemonset, cronjob, job, replicaset, pod, rollout or deploymentconfig`},
		{workload.Selector{Refs: []string{"sts/db"}, Labels: selector(t, "team=web")}, "none of the named workloads has labels team=web"},
		{workload.Selector{Namespaces: ns, Containers: []string{"prxy"}}, `container "prxy" is in none of the selected workloads; did you mean "proxy"? (containers: app, postgres, proxy)`},
	}
	for _, tt := range tests {
		sel, err := inv.Select(tt.selector)
		got := fmt.Sprint(err)
		if err == nil {
			var ids []string
			for _, c := range sel.Containers {
				ids = append(ids, c.ID.String())
			}
			got = strings.Join(ids, " ")
		}
		if got != tt.want {
			t.Errorf("Select(%+v)\n got %s\nwant %s", tt.selector, got, tt.want)
		}
	}
}

func TestSelectKeepsNeighbours(t *testing.T) {
	inv := load(t, workload.Options{Stdin: strings.NewReader(manifests)}, "-")
	sel, err := inv.Select(workload.Selector{Namespaces: []string{"shop"}, Refs: []string{"deploy/api"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := refs(sel.Workloads["shop"]), "deployment/api deployment/api-v2 statefulset/db"; got != want || len(sel.Workloads) != 1 {
		t.Errorf("neighbours %s of %d namespaces, want %s of one", got, len(sel.Workloads), want)
	}
}

func TestSelectLiveNamespace(t *testing.T) {
	inv, err := workload.List(t.Context(), fake.NewSimpleClientset(cluster()...), "default")
	if err != nil {
		t.Fatal(err)
	}
	// It exists and is empty: the cluster has been asked, so this is no error.
	if sel, err := inv.Select(workload.Selector{Namespaces: []string{"default"}, Containers: []string{"app"}}); err != nil || len(sel.Containers) > 0 {
		t.Errorf("selection %+v, error %v, want nothing", sel, err)
	}
	var missing *workload.NotFoundError
	if _, err := inv.Select(workload.Selector{Namespaces: []string{"default"}, Refs: []string{"deploy/web"}}); !errors.As(err, &missing) {
		t.Errorf("error %v, want a NotFoundError", err)
	}
}

func TestParseRef(t *testing.T) {
	for kind, spellings := range map[string]string{
		"Deployment":  "deployment deployments deploy DEPLOY deployment.apps Deployments.v1.apps deploy.apps",
		"StatefulSet": "statefulset statefulsets sts StatefulSets.apps",
		"DaemonSet":   "daemonset daemonsets ds",
		"CronJob":     "cronjob cronjobs cj cronjobs.batch",
		"Job":         "job jobs jobs.batch",
		"ReplicaSet":  "replicaset replicasets rs",
		"Pod":         "pod pods po",
	} {
		for spelling := range strings.FieldsSeq(spellings) {
			if k, name, err := workload.ParseRef(spelling + "/web.x"); k != kind || name != "web.x" || err != nil {
				t.Errorf("ParseRef(%s/web.x) = %s, %s, %v, want %s, web.x", spelling, k, name, err, kind)
			}
		}
	}
	for _, bad := range []string{"", "/", "web", "deploy/", "/web", "deploy/a/b", "deploy.batch/web", "pods.apps/web", "deployment./web"} {
		if _, _, err := workload.ParseRef(bad); err == nil {
			t.Errorf("ParseRef(%q): no error", bad)
		}
	}
}

func TestNotFoundErrorIsShort(t *testing.T) {
	e := &workload.NotFoundError{Problem: "x is gone", What: "names"}
	for i := range 14 {
		e.Known = append(e.Known, fmt.Sprint(i))
	}
	if want := "x is gone (names: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 4 more)"; e.Error() != want {
		t.Errorf("%s, want %s", e, want)
	}
}
