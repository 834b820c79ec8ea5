package report

import "github.com/rightsize/rightsize/recommender"

// wireSelection says which of a report's containers the list has: totals count all of them.
type wireSelection struct {
	Containers int               `json:"containers"`     // of the report
	Shown      int               `json:"shown"`          // of them in the list
	Only       string            `json:"only,omitempty"` // the resource, where it is but one
	Sort       Order             `json:"sort"`
	Top        int               `json:"top,omitempty"`
	Changes    string            `json:"changes"` // all, or significant by minChange
	MinChange  wireMinimalChange `json:"minChange"`
}

// wireMinimalChange is what severity, the gate and a selection of significant changes go by.
type wireMinimalChange struct {
	Share  float64 `json:"share"` // of what is declared
	CPU    float64 `json:"cpuCores"`
	Memory float64 `json:"memoryBytes"`
}

type wireGate struct {
	Conditions []string   `json:"conditions"` // as they were given
	Tripped    []wireTrip `json:"tripped"`
}

type wireTrip struct {
	Condition string `json:"condition"`
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`
	Workload  string `json:"workload"`
	Container string `json:"container"`
	Resource  string `json:"resource"`
	Why       string `json:"why"`
}

func selectionToWire(r Report) wireSelection {
	out := wireSelection{
		Containers: len(r.Items), Shown: len(r.Shown()), Sort: r.View.Sort, Top: r.View.Top, Changes: "all",
		MinChange: wireMinimalChange{r.Least.Share, r.Least.Amount[recommender.CPU], r.Least.Amount[recommender.Memory]},
	}
	if out.Sort == "" {
		out.Sort = ByName
	}
	if resources := r.View.Resources(); len(resources) == 1 {
		out.Only = resources[0].String()
	}
	if r.View.Significant {
		out.Changes = "significant"
	}
	return out
}

func gateToWire(g *Gate) *wireGate {
	if g == nil {
		return nil
	}
	out := &wireGate{Conditions: []string{}, Tripped: []wireTrip{}}
	for _, c := range g.Conditions {
		out.Conditions = append(out.Conditions, c.String())
	}
	for _, t := range g.Trips {
		out.Tripped = append(out.Tripped, wireTrip{
			Condition: t.Condition.String(), Cluster: t.ID.Cluster, Namespace: t.ID.Namespace, Kind: t.ID.Kind,
			Workload: t.ID.Workload, Container: t.ID.Container, Resource: t.Resource.String(), Why: recommender.Printable(t.Why),
		})
	}
	return out
}
