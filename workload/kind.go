package workload

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kindInfo is a kind of workload, spelled in the ways that people and the API server spell it.
type kindInfo struct {
	name     string // as Kubernetes spells it: StatefulSet
	resource string // in URLs and RBAC rules: statefulsets
	group    string // its API group; empty for the core group
	version  string // of its API
	short    string // kubectl's short name
}

// kinds lists every kind of workload that is sized by its own name, in the order that listings report them.
func kinds() []kindInfo { return append(builtIn(), templatedKinds()...) }

// builtIn are Kubernetes's own.
func builtIn() []kindInfo {
	return []kindInfo{
		{"Deployment", "deployments", "apps", "v1", "deploy"},
		{"StatefulSet", "statefulsets", "apps", "v1", "sts"},
		{"DaemonSet", "daemonsets", "apps", "v1", "ds"},
		{"CronJob", "cronjobs", "batch", "v1", "cj"},
		{"Job", "jobs", "batch", "v1", "job"},
		{"ReplicaSet", "replicasets", "apps", "v1", "rs"},
		{"Pod", "pods", "", "v1", "po"},
	}
}

// templatedKinds are those of others that are known to keep a pod's template where a Deployment does.
func templatedKinds() []kindInfo {
	return []kindInfo{
		{"Rollout", "rollouts", "argoproj.io", "v1alpha1", "ro"},
		{"DeploymentConfig", "deploymentconfigs", "apps.openshift.io", "v1", "dc"},
	}
}

// apiVersion is as objects of the kind have it.
func (k kindInfo) apiVersion() string {
	return schema.GroupVersion{Group: k.group, Version: k.version}.String()
}

// at is where the API server keeps them.
func (k kindInfo) at() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: k.group, Version: k.version, Resource: k.resource}
}

// isKind says that the API version and kind are those of a kind in kinds, in any version.
func isKind(apiVersion, kind string) bool {
	version, err := schema.ParseGroupVersion(apiVersion)
	return err == nil && slices.ContainsFunc(kinds(), func(k kindInfo) bool { return k.name == kind && k.group == version.Group })
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
// returns the kind as Kubernetes spells it. The error says what is allowed; it is an *UnknownKindError where the kind is
// none of ours, which may still be that of an owner in a cluster.
func ParseRef(s string) (kind, name string, err error) {
	given, name, ok := strings.Cut(s, "/")
	if !ok || given == "" || name == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("invalid workload %q: want KIND/NAME, such as deployment/web", s)
	}
	all := kinds()
	i := slices.IndexFunc(all, func(k kindInfo) bool { return k.spelled(given) })
	if i < 0 {
		return "", "", &UnknownKindError{Arg: s, Kind: given}
	}
	return all[i].name, name, nil
}

// UnknownKindError says that a workload was asked for by a kind that nothing has.
type UnknownKindError struct{ Arg, Kind string }

// Error names the kinds that there are.
func (e *UnknownKindError) Error() string {
	return fmt.Sprintf("invalid workload %q: unknown kind %q: want %s", e.Arg, e.Kind, kindNames())
}

// CheckRef says what is wrong with a KIND/NAME as far as that can be told before anything is listed: operators' kinds
// are known by what they own.
func CheckRef(s string) error {
	var unknown *UnknownKindError
	if _, _, err := ParseRef(s); !errors.As(err, &unknown) {
		return err
	}
	return nil
}

func kindNames() string {
	var names []string
	for _, k := range kinds() {
		names = append(names, strings.ToLower(k.name))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// ResourceOf is where the API server keeps objects of the kind: workloads, and what scales them.
func ResourceOf(apiVersion, kind string) (at schema.GroupVersionResource, ok bool) {
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return at, false
	}
	switch kind {
	case "HorizontalPodAutoscaler":
		return version.WithResource("horizontalpodautoscalers"), true
	case "ScaledObject":
		return version.WithResource("scaledobjects"), true
	}
	for _, k := range kinds() {
		if k.name == kind && k.group == version.Group {
			return version.WithResource(k.resource), true
		}
	}
	return at, false
}

// TemplatePath is where a kind keeps the template of its pods; it is empty where it is one itself.
func TemplatePath(kind string) []string {
	path := podSpecPath(kind)
	return path[:len(path)-1]
}
