package scan

import (
	"maps"
	"slices"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// together judges whole pods and namespaces, once all containers are there.
func (p Plan) together(items []Item) (retargets []recommender.Retarget) {
	advised := map[workload.Ref][]*recommender.Recommendation{}
	for i := range items {
		if id := items[i].ID; items[i].Err == nil {
			ref := workload.Ref{Namespace: id.Namespace, Kind: id.Kind, Name: id.Workload}
			advised[ref] = append(advised[ref], &items[i].Recommendation)
		}
	}
	for _, namespace := range slices.Sorted(maps.Keys(p.Declared)) {
		var templates []recommender.Template
		for _, w := range p.Declared[namespace] {
			templates = append(templates, recommender.Template{
				Containers: w.Containers, Surge: w.Surge, PodLevel: w.PodLevel, Advised: advisedOf(w, advised[w.Ref]),
			})
		}
		if p.Policy.HPA == recommender.HPARetarget {
			for _, t := range templates {
				retargets = append(retargets, t.Retargets()...)
			}
		}
		recommender.Together(templates)
	}
	return retargets
}

// advisedOf are those of the workload's own containers: several objects of an operator go by its name.
func advisedOf(w workload.Workload, all []*recommender.Recommendation) (own []*recommender.Recommendation) {
	for _, rec := range all {
		if slices.ContainsFunc(w.Containers, func(c recommender.Container) bool { return c.ID == rec.ID }) {
			own = append(own, rec)
		}
	}
	return own
}
