package patch

import (
	"slices"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/workload"
)

// AtTemplates is the report, and what is declared, by the objects that have the templates: a Rollout with a workloadRef
// stands as the Deployment that it refers to, since that is what a patch is for. What both say is not changed.
func AtTemplates(r report.Report, declared map[string][]workload.Workload) (report.Report, map[string][]workload.Workload) {
	moved := map[workload.Ref]workload.Ref{}
	all := make(map[string][]workload.Workload, len(declared))
	for namespace, workloads := range declared {
		workloads = slices.Clone(workloads)
		for i, w := range workloads {
			if w.Template != (workload.Ref{}) {
				moved[w.Ref] = w.Template
				workloads[i] = w.AtTemplate()
			}
		}
		all[namespace] = workloads
	}
	if len(moved) == 0 {
		return r, declared
	}
	r.Items, r.Retargets = slices.Clone(r.Items), slices.Clone(r.Retargets)
	for i, item := range r.Items {
		if to, ok := moved[workload.Ref{Namespace: item.ID.Namespace, Kind: item.ID.Kind, Name: item.ID.Workload}]; ok {
			r.Items[i] = movedTo(item, to)
		}
	}
	for i, a := range r.Retargets {
		if to, ok := moved[scaled(a)]; ok {
			r.Retargets[i].Kind, r.Retargets[i].Workload = to.Kind, to.Name
		}
	}
	return withoutTwins(r), all
}

func movedTo(item scan.Item, to workload.Ref) scan.Item {
	item.ID.Kind, item.ID.Workload = to.Kind, to.Name
	return item
}

// withoutTwins leaves out containers whose template an earlier Rollout had already: one patch for each.
func withoutTwins(r report.Report) report.Report {
	seen := map[recommender.ID]bool{}
	r.Items = slices.DeleteFunc(r.Items, func(item scan.Item) bool {
		twice := seen[item.ID]
		seen[item.ID] = true
		return twice
	})
	return r
}
