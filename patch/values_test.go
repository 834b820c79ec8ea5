package patch

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/testdata/golden"
)

// inPlaceAmount reads a quantity; "-" is no advice and "" is unset.
func inPlaceAmount(t *testing.T, s string) recommender.Value {
	t.Helper()
	switch s {
	case "-":
		return recommender.NoAdvice()
	case "":
		return recommender.Unset()
	}
	q, err := resource.ParseQuantity(s)
	if err != nil {
		t.Fatal(err)
	}
	return recommender.Set(q.AsApproximateFloat64())
}

func parseMappings(t *testing.T, texts ...string) (all []Mapping) {
	t.Helper()
	for _, s := range texts {
		m, err := ParseMapping(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func TestParseMapping(t *testing.T) {
	for text, want := range map[string]Mapping{
		"deployment/api:api=.api.resources": {Kind: "Deployment", Workload: "api", Container: "api", Path: []any{"api", "resources"}},
		`sts/db.x:db=.a-b[0]."c.d"[12].e_f`: {Kind: "StatefulSet", Workload: "db.x", Container: "db", Path: []any{"a-b", 0, "c.d", 12, "e_f"}},
		`Rollout/canary:app=.""."\"="`:      {Kind: "Rollout", Workload: "canary", Container: "app", Path: []any{"", `"=`}},
	} {
		want.text = text
		got, err := ParseMapping(text)
		if err != nil {
			t.Errorf("ParseMapping(%q): %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Mapping{})); diff != "" {
			t.Errorf("ParseMapping(%q) (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseMappingErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                         `invalid mapping "": want KIND/NAME:CONTAINER=PATH, such as deployment/api:api=.api.resources`,
		"deployment/api:api":       "want KIND/NAME:CONTAINER=PATH",
		"deployment/api=.a":        "want KIND/NAME:CONTAINER=PATH",
		"api:api=.a":               "want KIND/NAME:CONTAINER=PATH",
		"a/b/c:d=.a":               "want KIND/NAME:CONTAINER=PATH",
		"deployment/api:api=":      `path "": want a dot at its start`,
		"deployment/api:api=a.b":   "want a dot at its start",
		"deployment/api:api=.":     "want a key behind each dot",
		"deployment/api:api=.a..":  "want a key behind each dot",
		"deployment/api:api=.a b":  "want a key behind each dot",
		`deployment/api:api=."a`:   "want a key behind each dot",
		"deployment/api:api=.a[x]": `want a number in brackets, as in [0], got "[x]"`,
		"deployment/api:api=.a[0":  "want a number in brackets",
		`deployment/api:api=."a"b`: `want a dot or a bracket before "b"`,
	} {
		if m, err := ParseMapping(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseMapping(%q) = %v, %v, want %q", text, m, err, want)
		}
	}
}

func FuzzParseMapping(f *testing.F) {
	f.Add(`deployment/api:api=.a[0]."c.d"`)
	f.Add("x/y:z=.")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMapping(text)
		if err != nil {
			return
		}
		if m.Kind == "" || m.Workload == "" || m.Container == "" || len(m.Path) == 0 {
			t.Errorf("ParseMapping(%q) = %+v", text, m)
		}
	})
}

func knownIDs(changes []Change) (ids []recommender.ID) {
	for _, c := range changes {
		ids = append(ids, recommender.ID{Namespace: c.Workload.Namespace, Kind: c.Workload.Kind, Workload: c.Workload.Name, Container: c.Container})
	}
	return ids
}

func TestValues(t *testing.T) {
	in, err := os.ReadFile("testdata/values/in.yaml")
	if err != nil {
		t.Fatal(err)
	}
	changes := []Change{
		inPlaceChange(t, "shop", "Deployment", "api", "api", "120m", "1Gi", "-", "1200Mi"),
		inPlaceChange(t, "shop", "Deployment", "worker", "worker", "10m", "-", "", ""),
		inPlaceChange(t, "shop", "CronJob", "clean", "clean", "-", "-", "", ""),
		inPlaceChange(t, "shop", "CronJob", "none", "none", "20m", "32Mi", "-", "-"),
		inPlaceChange(t, "shop", "StatefulSet", "db", "db", "1", "1Gi", "-", "-"),
		inPlaceChange(t, "shop", "Deployment", "api", "proxy", "1", "1Gi", "-", "-"),
	}
	m := parseMappings(t, "deployment/api:api=.api.resources", "deploy/worker:worker=.worker.resources", `cj/clean:clean=.jobs[0]."resources.job"`,
		`cj/none:none=.jobs[1]."resources.job"`, "sts/db:db=.db.resources")
	got, notes, err := Values("values.yaml", in, m, changes, knownIDs(changes))
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "values/want.yaml", got)
	wantNotes := []string{
		"deployment/api:proxy has no --map: left alone",
		`values.yaml: .jobs[0]."resources.job".limits.cpu is deleted: if the chart's own values set it, write null there by hand`,
		`values.yaml: .jobs[0]."resources.job".limits.memory is deleted: if the chart's own values set it, write null there by hand`,
	}
	if diff := cmp.Diff(wantNotes, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	again, notes, err := Values("values.yaml", got, m, changes, knownIDs(changes))
	if err != nil || string(again) != string(got) || len(notes) != 1 {
		t.Errorf("Values of the result = %q, %q, %v, want no change", again, notes, err)
	}
}

func TestValuesOfNothing(t *testing.T) {
	changes := []Change{inPlaceChange(t, "shop", "Deployment", "api", "api", "120m", "1Gi", "-", "")}
	for in, want := range map[string]string{
		"":                        "api:\n  resources:\n    requests:\n      cpu: 120m\n      memory: 1Gi\n",
		"# none\n{}\n":            "# none\napi:\n  resources:\n    requests:\n      cpu: 120m\n      memory: 1Gi\n",
		"api:\n  resources: {}\n": "api:\n  resources:\n    requests:\n      cpu: 120m\n      memory: 1Gi\n",
		"api: # none\nb: 1\n":     "api: # none\n  resources:\n    requests:\n      cpu: 120m\n      memory: 1Gi\nb: 1\n",
	} {
		got, notes, err := Values("values.yaml", []byte(in), parseMappings(t, "deployment/api:api=.api.resources"), changes, knownIDs(changes))
		if err != nil || len(notes) > 0 || string(got) != want {
			t.Errorf("Values(%q) = %q, %q, %v, want %q", in, got, notes, err, want)
		}
	}
}

func TestValuesErrors(t *testing.T) {
	changes := []Change{
		inPlaceChange(t, "shop", "Deployment", "api", "api", "120m", "1Gi", "-", ""),
		inPlaceChange(t, "shop", "Deployment", "web", "web", "1", "-", "-", "-"),
	}
	twice := append(knownIDs(changes), recommender.ID{Namespace: "test", Kind: "Deployment", Workload: "web", Container: "web"})
	for _, test := range []struct {
		name, in, want string
		maps           []string
		known          []recommender.ID
	}{
		{"no such container", "", `mapping "deployment/api:app=.a": there is no such container: want one of deployment/api:api, deployment/web:web`, []string{"deployment/api:app=.a"}, knownIDs(changes)},
		{"no containers", "", "the report has none", []string{"deployment/api:app=.a"}, nil},
		{"two namespaces", "", "one in each of the namespaces shop, test: choose one with --namespace", []string{"deployment/web:web=.a"}, twice},
		{"one path for two", "", `mapping "deployment/web:web=.a": its path is that of "deployment/api:api=.a", or in it`, []string{"deployment/api:api=.a", "deployment/web:web=.a"}, knownIDs(changes)},
		{"one path in another", "", "or in it", []string{"deployment/api:api=.a.b", "deployment/web:web=.a"}, knownIDs(changes)},
		{"two documents", "a: 1\n---\na: 1\n", "it has 2 YAML documents: Helm reads one", nil, nil},
		{"flow", "b: 1\na: {requests: {cpu: 1}}\n", "values.yaml:2: the value is in flow style", []string{"deployment/api:api=.a"}, knownIDs(changes)},
		{"a scalar", "a: small\n", `values.yaml:1: the value is "small": want a mapping`, []string{"deployment/api:api=.a"}, knownIDs(changes)},
		{"no such item", "a:\n- b: 1\n", "values.yaml:2: there is no item 1", []string{"deployment/api:api=.a[1]"}, knownIDs(changes)},
		{"not YAML", "a: {{ .Values.a }}\nb: [", "reading values.yaml: not YAML", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _, err := Values("values.yaml", []byte(test.in), parseMappings(t, test.maps...), changes, test.known)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Values = %q, %v, want %q", got, err, test.want)
			}
		})
	}
}
