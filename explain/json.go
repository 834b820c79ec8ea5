package explain

import (
	"encoding/json"
	"io"
	"math"
	"time"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
)

// wireBins is in how many equal parts of the window JSON tells what was used: those of a week are an hour long.
const wireBins = 168

// wireParts is how many equal parts of what was used, from the lowest to the highest, JSON counts samples in.
const wireParts = 60

type wireExplanation struct {
	SchemaVersion string          `json:"schemaVersion"`
	Kind          string          `json:"kind"` // Explanation
	Source        wireSource      `json:"source"`
	Window        wireWindow      `json:"window"`
	Containers    []wireContainer `json:"containers"`
	Warnings      []string        `json:"warnings"`
}

type wireSource struct {
	Kind    string `json:"kind"`
	Address string `json:"address"`
	Read    string `json:"read"`
}

type wireWindow struct {
	Start  time.Time `json:"start"` // not part of the window itself
	Until  time.Time `json:"until"`
	Length string    `json:"length"`
	Step   string    `json:"step"`
}

type wireContainer struct {
	Container any                     `json:"container"` // as in the report's JSON
	Policy    string                  `json:"policy"`
	Ownership wireOwnership           `json:"ownership"`
	Resources map[string]wireResource `json:"resources"`
	Around    []string                `json:"around"`
	Backtest  wireBacktest            `json:"backtest"`
}

// wireOwnership counts the workload's pods with usage by the way they were known to be its own.
type wireOwnership struct {
	ByOwner  int    `json:"byOwner"`
	ByObject int    `json:"byObject"`
	ByName   int    `json:"byName"`
	Managed  string `json:"managedBy,omitempty"`
}

type wireResource struct {
	Rules     wireRules      `json:"rules"`
	Steps     []wireStep     `json:"steps"`
	Usage     []wireBin      `json:"usage"`
	Histogram *wireHistogram `json:"histogram,omitempty"` // absent where there are no samples
	PromQL    []wireQuery    `json:"promql"`
}

type wireRules struct {
	Request string `json:"request"`
	Limit   string `json:"limit"`
}

// wireStep is what one guard changed. A value is null where nothing is set.
type wireStep struct {
	Guard   string     `json:"guard"`
	Request wireChange `json:"request"`
	Limit   wireChange `json:"limit"`
}

type wireChange struct {
	From *float64 `json:"from"`
	To   *float64 `json:"to"`
}

// wireBin is what all pods used in a part of the window that ends at a time. Parts without samples are left out.
type wireBin struct {
	Until  time.Time `json:"until"`
	Median float64   `json:"median"`
	Max    float64   `json:"max"`
}

type wireHistogram struct {
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Counts []int   `json:"counts"` // in equal parts from low to high
}

type wireQuery struct {
	Doc   string   `json:"doc"`
	Query string   `json:"query"`
	Gives *float64 `json:"gives,omitempty"` // absent where it is not the very number
}

type wireBacktest struct {
	Train         string         `json:"train"`
	Test          string         `json:"test"`
	NotEnoughData string         `json:"notEnoughData,omitempty"` // why nothing was tried
	Tests         map[string]int `json:"tests"`                   // by resource
	Policies      []wireTrial    `json:"policies"`
}

// wireTrial has null where nothing was set, or was tried.
type wireTrial struct {
	Policy             string   `json:"policy"`
	Censored           bool     `json:"censored,omitempty"` // usage was measured under it and could not exceed it
	MemoryLimit        *float64 `json:"memoryLimit"`        // of a pod, on average
	MemoryHits         *int     `json:"memoryHits"`
	CPURequest         *float64 `json:"cpuRequest"`
	DemandAboveRequest *float64 `json:"demandAboveRequest"` // a share
}

// WriteJSON writes explanations of one report for programs.
func WriteJSON(w io.Writer, r report.Report, all []Explanation) error {
	out := wireExplanation{
		SchemaVersion: report.SchemaVersion, Kind: "Explanation", Source: wireSource(r.Source), Containers: []wireContainer{},
		Window: wireWindow{
			Start: r.Window.Start(), Until: r.Window.Until,
			Length: recommender.ShortDuration(r.Window.Length), Step: recommender.ShortDuration(r.Window.Step),
		},
		Warnings: append([]string{}, r.Warnings...),
	}
	for _, e := range all {
		out.Containers = append(out.Containers, e.wire())
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

func (e Explanation) wire() wireContainer {
	o := e.Usage.Ownership
	out := wireContainer{
		Container: e.Report.ContainerJSON(e.Item), Policy: e.policy().Name, Resources: map[string]wireResource{},
		Ownership: wireOwnership{o.ByOwner, o.ByObject, o.ByName, e.Item.Owner}, Around: append([]string{}, e.Around()...), Backtest: e.Trial.wire(),
	}
	for r := range recommender.NumResources {
		out.Resources[r.String()] = e.wireResource(r)
	}
	return out
}

func (e Explanation) wireResource(r recommender.Resource) wireResource {
	rules := e.policy().Rules[r]
	out := wireResource{
		Rules: wireRules{rules.Request.String(), rules.Limit.String()}, Steps: []wireStep{}, Usage: e.wireUsage(r), PromQL: []wireQuery{},
	}
	for _, s := range e.Item.Advice[r].Steps {
		out.Steps = append(out.Steps, wireStep{s.Guard, wireChange{amount(s.From.Request), amount(s.To.Request)}, wireChange{amount(s.From.Limit), amount(s.To.Limit)}})
	}
	if samples := e.Usage.History.Usage[r].Samples; samples.Len() > 0 {
		out.Histogram = &wireHistogram{samples.Min(), samples.Max(), histogram(samples, wireParts)}
	}
	for _, q := range e.Queries[r] {
		out.PromQL = append(out.PromQL, wireQuery{q.Doc, q.PromQL, q.Gives})
	}
	return out
}

func (e Explanation) wireUsage(r recommender.Resource) []wireBin {
	w := e.Report.Window
	b := binned(w, e.Usage.Pods, r, recommender.Peak{}, wireBins)
	out := []wireBin{}
	for i, v := range b.middle {
		if !math.IsNaN(v) {
			end := w.Start().Add(time.Duration(float64(w.Length) * float64(i+1) / float64(len(b.middle))))
			out = append(out, wireBin{end.UTC(), v, b.highest[i]})
		}
	}
	return out
}

// amount is nil where there is none.
func amount(v recommender.Value) *float64 {
	if x, ok := v.Amount(); ok {
		return &x
	}
	return nil
}

func (t Trial) wire() wireBacktest {
	out := wireBacktest{
		Train: recommender.ShortDuration(t.Plan.Train), Test: recommender.ShortDuration(t.Plan.Test), NotEnoughData: t.Result.Reason,
		Tests: map[string]int{}, Policies: []wireTrial{},
	}
	for r := range recommender.NumResources {
		out.Tests[r.String()] = t.Result.Folds[r]
	}
	if t.Result.Reason != "" {
		return out
	}
	for i, p := range t.Policies {
		memory, cpu := t.Result.Scores[i][recommender.Memory].Limit, t.Result.Scores[i][recommender.CPU].Request
		trial := wireTrial{Policy: p.Name, Censored: p.Censored}
		if memory.Points > 0 {
			limit, hits := memory.Set/memory.Points, int(t.Result.Scores[i][recommender.Memory].Breaches)
			trial.MemoryLimit, trial.MemoryHits = &limit, &hits
		}
		if cpu.Points > 0 {
			request, share := cpu.Set/cpu.Points, cpu.ExcessShare()
			trial.CPURequest, trial.DemandAboveRequest = &request, &share
			if math.IsNaN(share) { // of no use at all
				trial.DemandAboveRequest = nil
			}
		}
		out.Policies = append(out.Policies, trial)
	}
	return out
}
