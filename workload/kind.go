package workload

import (
	"fmt"
	"slices"
	"strings"
)

// kindInfo is a kind of workload, spelled in the ways that people and the API server spell it.
type kindInfo struct {
	name     string // as Kubernetes spells it: StatefulSet
	resource string // in URLs and RBAC rules: statefulsets
	group    string // its API group; empty for the core group
	short    string // kubectl's short name
}

// kinds lists every kind of workload that is sized, in the order that listings report them.
func kinds() []kindInfo {
	return []kindInfo{
		{"Deployment", "deployments", "apps", "deploy"},
		{"StatefulSet", "statefulsets", "apps", "sts"},
		{"DaemonSet", "daemonsets", "apps", "ds"},
		{"CronJob", "cronjobs", "batch", "cj"},
		{"Job", "jobs", "batch", "job"},
		{"ReplicaSet", "replicasets", "apps", "rs"},
		{"Pod", "pods", "", "po"},
	}
}

// mostlyOwned says that objects of the kind are rarely workloads: most belong to an object of another kind.
func (k kindInfo) mostlyOwned() bool { return k.name == "ReplicaSet" || k.name == "Pod" }

// groupResource is the kind as RBAC and kubectl write it: "cronjobs.batch", "pods".
func (k kindInfo) groupResource() string {
	if k.group == "" {
		return k.resource
	}
	return k.resource + "." + k.group
}

// spelled says whether s, in any case and with or without the kind's API group, means the kind.
func (k kindInfo) spelled(s string) bool {
	s = strings.ToLower(s)
	if k.group != "" {
		if bare, group, ok := strings.Cut(s, "."); ok && (group == k.group || strings.HasSuffix(group, "."+k.group)) {
			s = bare
		}
	}
	return s == strings.ToLower(k.name) || s == k.resource || s == k.short
}

// ParseRef reads KIND/NAME with kubectl's spellings of the kind ("deploy/web", "StatefulSets.apps/db") and
// returns the kind as Kubernetes spells it. The error says what is allowed.
func ParseRef(s string) (kind, name string, err error) {
	given, name, ok := strings.Cut(s, "/")
	if !ok || given == "" || name == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("invalid workload %q: want KIND/NAME, such as deployment/web", s)
	}
	all := kinds()
	i := slices.IndexFunc(all, func(k kindInfo) bool { return k.spelled(given) })
	if i < 0 {
		return "", "", fmt.Errorf("invalid workload %q: unknown kind %q: want %s", s, given, kindNames())
	}
	return all[i].name, name, nil
}

func kindNames() string {
	var names []string
	for _, k := range kinds() {
		names = append(names, strings.ToLower(k.name))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
