package backtest

import (
	"encoding/json"
	"io"
	"math"

	"github.com/rightsize/rightsize/recommender"
)

// SchemaVersion names the fields of the JSON. Fields may be added under it; none is renamed, removed or given another
// meaning.
const SchemaVersion = "rightsize/v1"

type wireBacktest struct {
	SchemaVersion string       `json:"schemaVersion"`
	Kind          string       `json:"kind"` // Backtest
	Train         string       `json:"train"`
	Test          string       `json:"test"`
	MinTrain      string       `json:"minCoverage"`
	Policies      []wirePolicy `json:"policies"`
	Sources       []wireSource `json:"sources"`
}

type wirePolicy struct {
	Name     string `json:"name"`
	Doc      string `json:"doc"`
	Censored bool   `json:"censored,omitempty"` // usage was measured under it and could not exceed it
}

type wireSource struct {
	Source     string                  `json:"source"`
	Resources  map[string]wireResource `json:"resources"`
	Against    []wireComparison        `json:"comparisons"`
	Containers []wireContainer         `json:"containers"`
}

type wireResource struct {
	Judged   int                                `json:"judged"` // containers with enough data
	Tests    int                                `json:"tests"`  // of all of them
	Policies map[string]map[string]wireEstimate `json:"policies"`
}

// wireEstimate has null where there is nothing to tell, or too little for an interval.
type wireEstimate struct {
	Value *float64 `json:"value"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
}

type wireComparison struct {
	Resource string       `json:"resource"`
	Policy   string       `json:"policy"`
	Against  string       `json:"against"`
	Cost     wireEstimate `json:"costRatio"`
	Harm     wireEstimate `json:"harmDifference"`
	Less     int          `json:"containersWithLessHarm"`
	More     int          `json:"containersWithMoreHarm"`
}

type wireContainer struct {
	Name      string                                    `json:"name"`
	Tests     map[string]int                            `json:"tests"`
	Reason    string                                    `json:"notEnoughData,omitempty"`
	Resources map[string]map[string]map[string]*float64 `json:"resources,omitempty"` // resource, policy, figure
}

// WriteJSON writes reports of one plan and the same policies.
func WriteJSON(w io.Writer, plan Plan, policies []Policy, reports []Report) error {
	out := wireBacktest{
		SchemaVersion: SchemaVersion, Kind: "Backtest", Train: recommender.ShortDuration(plan.Train), Test: recommender.ShortDuration(plan.Test),
		MinTrain: recommender.ShortDuration(plan.MinTrain), Policies: []wirePolicy{}, Sources: []wireSource{},
	}
	for _, p := range policies {
		out.Policies = append(out.Policies, wirePolicy{p.Name, p.Doc, p.Censored})
	}
	for _, r := range reports {
		out.Sources = append(out.Sources, r.wire())
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

func (r Report) wire() wireSource {
	out := wireSource{Source: r.Source, Resources: map[string]wireResource{}, Against: []wireComparison{}, Containers: []wireContainer{}}
	for res := range recommender.NumResources {
		judged := wireResource{Judged: r.Judged(res), Tests: r.folds(res), Policies: map[string]map[string]wireEstimate{}}
		for i, p := range r.Policies {
			figures := map[string]wireEstimate{}
			for k, e := range r.Estimates(i, res) {
				figures[Metrics(res)[k].Name] = e.wire()
			}
			judged.Policies[p.Name] = figures
		}
		out.Resources[res.String()] = judged
	}
	for _, c := range r.Pairs() {
		out.Against = append(out.Against, wireComparison{c.Resource.String(), c.Policy, c.Against, c.Cost.wire(), c.Harm.wire(), c.Better, c.Worse})
	}
	for _, result := range r.Results {
		out.Containers = append(out.Containers, r.wireContainer(result))
	}
	return out
}

func (r Report) wireContainer(result Result) wireContainer {
	out := wireContainer{Name: result.Name, Reason: result.Reason, Tests: map[string]int{}}
	for res := range recommender.NumResources {
		out.Tests[res.String()] = result.Folds[res]
		if result.Folds[res] == 0 {
			continue
		}
		policies := map[string]map[string]*float64{}
		for i, p := range r.Policies {
			tally := result.Scores[i][res]
			tally.Request.Amount /= tally.Folds
			tally.Limit.Amount /= tally.Folds
			figures := map[string]*float64{}
			for _, m := range Metrics(res) {
				figures[m.Name] = number(m.Of(tally))
			}
			policies[p.Name] = figures
		}
		if out.Resources == nil {
			out.Resources = map[string]map[string]map[string]*float64{}
		}
		out.Resources[res.String()] = policies
	}
	return out
}

func (e Estimate) wire() wireEstimate {
	return wireEstimate{number(e.Value), number(e.Low), number(e.High)}
}

// number is nil for what is none, which JSON cannot say.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
