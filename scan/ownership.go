package scan

import (
	"fmt"
)

// unrecorded is a note on namespaces that kube-state-metrics' owner series do not have; "" where there are none. Usage is then
// that of pods that are still there, and of those whose names give them away.
func unrecorded(namespaces []*namespaceScan) string {
	var names []string
	for _, n := range namespaces {
		if n.unrecorded {
			names = append(names, n.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("no owner series of kube-state-metrics (kube_pod_owner) for %s %s: whose the pods were is known from live objects and from names alone",
		plural(len(names), "namespace"), firstOf(names, 3))
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
