package report

import (
	"encoding/json"
	"io"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// SchemaVersion names the fields of the JSON and YAML reports. Fields may be added under it; none is
// renamed, removed or given another meaning.
const SchemaVersion = "rightsize/v1"

type wireReport struct {
	SchemaVersion string               `json:"schemaVersion"`
	Source        wireSource           `json:"source"`
	Window        wireWindow           `json:"window"`
	Policy        wirePolicy           `json:"policy"`
	Rules         []wireRule           `json:"policyRules,omitempty"` // of the policy file, that hold for some container
	Ownership     wireOwnership        `json:"ownership"`
	Totals        map[string]wireTotal `json:"totals"`
	Selection     wireSelection        `json:"selection"`
	Gate          *wireGate            `json:"gate,omitempty"`
	Containers    []wireContainer      `json:"containers"`
	Retargets     []wireRetarget       `json:"retargets,omitempty"` // with --hpa retarget
	Queries       []string             `json:"queries"`
	Warnings      []string             `json:"warnings"`
	Unlisted      []string             `json:"unlisted"` // kinds whose containers are missing, for want of a permission
}

type wireSource struct {
	Kind    string `json:"kind"`
	Address string `json:"address"`
	Read    string `json:"read"`
}

type wireWindow struct {
	Start      time.Time `json:"start"` // not part of the window itself
	Until      time.Time `json:"until"`
	Length     string    `json:"length"`
	Step       string    `json:"step"`
	RateWindow string    `json:"rateWindow"`
}

type wirePolicy struct {
	Name        string               `json:"name"`
	Rules       map[string]wireRules `json:"rules"`
	Guards      []string             `json:"guards"`
	MinCoverage string               `json:"minCoverage"`
	MinRuns     int                  `json:"minRuns"`
	Floor       map[string]string    `json:"floor"`
	Ceiling     map[string]string    `json:"ceiling,omitempty"`
}

// wireRule is a rule of the policy file, and how many containers it holds for. What is exempt has no policy.
type wireRule struct {
	Name       string      `json:"name"`
	Containers int         `json:"containers"`
	Exempt     string      `json:"exempt,omitempty"` // why they are left alone
	Policy     *wirePolicy `json:"policy,omitempty"`
}

type wireRules struct {
	Request string `json:"request"`
	Limit   string `json:"limit"`
}

type wireOwnership struct {
	ByOwner   int `json:"byOwner"`
	ByObject  int `json:"byObject"`
	ByName    int `json:"byName"`
	Ambiguous int `json:"ambiguous"`
	Unknown   int `json:"unknown"`
}

type wireTotal struct {
	RequestedNow      float64 `json:"requestedNow"`
	RequestedAfter    float64 `json:"requestedAfter"`
	ContainersWithout int     `json:"containersWithoutRequest"`      // without a limit either, which would count as one
	Uncounted         int     `json:"containersUncounted,omitempty"` // whose pods could not be counted
}

type wireContainer struct {
	Cluster   string                  `json:"cluster,omitempty"`
	Namespace string                  `json:"namespace"`
	Kind      string                  `json:"kind"`
	Workload  string                  `json:"workload"`
	Container string                  `json:"container"`
	Init      bool                    `json:"init,omitempty"`     // an init container that is no sidecar
	Replicas  *int                    `json:"replicas,omitempty"` // absent where the declaration cannot say
	Runs      int                     `json:"runs,omitempty"`
	OOMKills  []wireKill              `json:"oomKills,omitempty"`
	Error     string                  `json:"error,omitempty"`
	Resources map[string]wireResource `json:"resources"`
	Restarts  *int                    `json:"restarts,omitempty"` // absent where nobody counted
	QoS       *wireQoS                `json:"qos,omitempty"`      // absent where it is not known
	Rule      string                  `json:"policyRule,omitempty"`
}

// wireQoS is the QoS class of the container's pods.
type wireQoS struct {
	Now   recommender.QoS `json:"now"`
	After recommender.QoS `json:"after"`
}

// wireRetarget is an autoscaler's target that is to change together with the requests of these containers.
type wireRetarget struct {
	Namespace  string   `json:"namespace"`
	APIVersion string   `json:"apiVersion"` // of the autoscaler
	Kind       string   `json:"kind"`
	Name       string   `json:"name"`
	Path       string   `json:"path"` // the JSON pointer to the target in it
	From       int      `json:"from"` // per cent
	To         int      `json:"to"`
	Resource   string   `json:"resource"`
	Workload   string   `json:"workload"` // as KIND/NAME
	Containers []string `json:"containers"`
}

func retargetsToWire(r Report) (out []wireRetarget) {
	for _, a := range r.Retargets {
		if r.View.Shows(a.Resource) {
			id := recommender.ID{Kind: a.Kind, Workload: a.Workload}
			out = append(out, wireRetarget{
				a.Namespace, a.Target.APIVersion, a.Target.Kind, a.Target.Name, a.Target.Path, a.Percent, a.To,
				a.Resource.String(), id.Ref(), orEmpty(a.Containers),
			})
		}
	}
	return out
}

type wireKill struct {
	Pod   string    `json:"pod"`
	At    time.Time `json:"at"`
	Limit float64   `json:"limitBytes,omitempty"` // absent where it was not recorded
}

type wireResource struct {
	Status      Status       `json:"status"`
	Current     wireBounds   `json:"current"`
	Formula     wireBounds   `json:"formula"`     // the rules alone
	Recommended wireBounds   `json:"recommended"` // what stands after the guards
	Notes       []wireNote   `json:"notes"`
	Evidence    wireEvidence `json:"evidence"`
	Severity    int          `json:"severity"` // 0 to 100
}

type wireBounds struct {
	Request wireValue `json:"request"`
	Limit   wireValue `json:"limit"`
}

// wireValue's state is "set", "unset" or "no-advice"; the other fields go with "set" alone.
type wireValue struct {
	State    string   `json:"state"`
	Amount   *float64 `json:"amount,omitempty"` // cores or bytes
	Quantity string   `json:"quantity,omitempty"`
}

type wireNote struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

type wireEvidence struct {
	Samples         int       `json:"samples"`
	Dropped         int       `json:"dropped"`
	Pods            int       `json:"pods"`
	Running         int       `json:"running"`
	CoverageSeconds int       `json:"coverageSeconds"`
	Mean            float64   `json:"mean"`
	P50             float64   `json:"p50"`
	P90             float64   `json:"p90"`
	P95             float64   `json:"p95"`
	P99             float64   `json:"p99"`
	Peak            *wirePeak `json:"peak,omitempty"`

	// ThrottledShare is of CPU alone, 0 to 1; absent where no periods were seen.
	ThrottledShare *float64 `json:"throttledShare,omitempty"`
}

type wirePeak struct {
	Value         float64    `json:"value"`
	Pod           string     `json:"pod,omitempty"`
	At            *time.Time `json:"at,omitempty"`
	WithinSeconds int        `json:"withinSeconds"` // it was in the so many seconds before at
}

func writeJSON(w io.Writer, r Report, _ Options) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(toWire(r))
}

func writeYAML(w io.Writer, r Report, _ Options) error {
	text, err := yaml.Marshal(toWire(r))
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func toWire(r Report) wireReport {
	out := wireReport{
		SchemaVersion: SchemaVersion,
		Source:        wireSource(r.Source),
		Window: wireWindow{
			Start: r.Window.Start(), Until: r.Window.Until, Length: recommender.ShortDuration(r.Window.Length),
			Step: recommender.ShortDuration(r.Window.Step), RateWindow: recommender.ShortDuration(r.Window.RateWindow),
		},
		Policy:     policyToWire(r.Policy),
		Rules:      rulesToWire(r),
		Ownership:  wireOwnership(r.Ownership),
		Totals:     make(map[string]wireTotal),
		Selection:  selectionToWire(r),
		Gate:       gateToWire(r.Gate),
		Containers: make([]wireContainer, 0, len(r.Items)),
		Retargets:  retargetsToWire(r),
		Queries:    orEmpty(r.Queries),
		Warnings:   orEmpty(r.Warnings),
		Unlisted:   orEmpty(r.Unlisted),
	}
	totals := r.Totals()
	for _, res := range r.View.Resources() {
		t := totals[res]
		out.Totals[res.String()] = wireTotal{t.Now, t.After, t.Unset, t.Uncounted}
	}
	for _, item := range r.Shown() {
		out.Containers = append(out.Containers, itemToWire(item, r))
	}
	return out
}

// orEmpty makes a list that nothing is in "[]" rather than "null".
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func policyToWire(p recommender.Policy) wirePolicy {
	out := wirePolicy{
		Name: p.Name, Rules: make(map[string]wireRules), Guards: []string{},
		MinCoverage: recommender.ShortDuration(p.MinCoverage), MinRuns: p.MinRuns,
		Floor: make(map[string]string), Ceiling: make(map[string]string),
	}
	for r := range recommender.NumResources {
		out.Rules[r.String()] = wireRules{p.Rules[r].Request.String(), p.Rules[r].Limit.String()}
		out.Floor[r.String()] = r.Quantity(p.Floor[r])
		if p.Ceiling[r] > 0 {
			out.Ceiling[r.String()] = r.Quantity(p.Ceiling[r])
		}
	}
	for _, g := range p.Guards {
		out.Guards = append(out.Guards, g.Name)
	}
	return out
}

func rulesToWire(r Report) (out []wireRule) {
	for _, use := range r.Policies()[1:] {
		rule := wireRule{Name: use.Rule, Containers: use.Containers, Exempt: use.Exempt}
		if rule.Exempt == "" {
			p := policyToWire(use.Policy)
			rule.Policy = &p
		}
		out = append(out, rule)
	}
	return out
}

func itemToWire(item scan.Item, report Report) wireContainer {
	out := wireContainer{
		Cluster: item.ID.Cluster, Namespace: item.ID.Namespace, Kind: item.ID.Kind, Workload: item.ID.Workload,
		Container: item.ID.Container, Init: item.Init, Runs: item.Runs, Resources: make(map[string]wireResource), Restarts: item.Restarts,
	}
	if item.Replicas != recommender.UnknownReplicas {
		out.Replicas = &item.Replicas
	}
	if item.Policy != nil {
		out.Rule = item.Policy.Rule
	}
	if item.QoS.Now != "" {
		out.QoS = &wireQoS{item.QoS.Now, item.QoS.After}
	}
	if item.Err != nil {
		out.Error = recommender.Printable(item.Err.Error())
	}
	for _, k := range item.OOMKills {
		out.OOMKills = append(out.OOMKills, wireKill{k.Pod, k.At.UTC(), k.Limit})
	}
	for _, r := range report.View.Resources() {
		out.Resources[r.String()] = resourceToWire(item, r, report.Least)
	}
	return out
}

func resourceToWire(item scan.Item, r recommender.Resource, least recommender.Significance) wireResource {
	advice := item.Advice[r]
	out := wireResource{
		Status:      StatusOf(item, r),
		Current:     boundsToWire(r, item.Spec[r]),
		Formula:     boundsToWire(r, advice.Formula),
		Recommended: boundsToWire(r, advice.Bounds),
		Notes:       []wireNote{},
		Evidence:    evidenceToWire(item.Evidence[r]),
		Severity:    wholeSeverity(Severity(item, r, least)),
	}
	if share, ok := throttledShare(item, r); ok {
		out.Evidence.ThrottledShare = &share
	}
	for _, n := range advice.Notes {
		out.Notes = append(out.Notes, wireNote(n))
	}
	return out
}

// throttledShare is of CPU alone.
func throttledShare(item scan.Item, r recommender.Resource) (share float64, ok bool) {
	if r != recommender.CPU {
		return 0, false
	}
	return item.Throttling.Share()
}

func boundsToWire(r recommender.Resource, b recommender.Bounds) wireBounds {
	return wireBounds{valueToWire(r, b.Request), valueToWire(r, b.Limit)}
}

func valueToWire(r recommender.Resource, v recommender.Value) wireValue {
	if amount, ok := v.Amount(); ok {
		return wireValue{"set", &amount, r.Quantity(amount)}
	}
	if v.IsUnset() {
		return wireValue{State: "unset"}
	}
	return wireValue{State: "no-advice"}
}

func evidenceToWire(e recommender.Evidence) wireEvidence {
	out := wireEvidence{
		Samples: e.Samples, Dropped: e.Dropped, Pods: e.Pods, Running: e.Running, CoverageSeconds: int(e.Covered.Seconds()),
		Mean: e.Mean, P50: e.P50, P90: e.P90, P95: e.P95, P99: e.P99,
	}
	if e.Samples > 0 {
		out.Peak = &wirePeak{Value: e.Peak.Value, Pod: e.Peak.Pod, WithinSeconds: int(e.Peak.Within.Seconds())}
		if !e.Peak.At.IsZero() {
			at := e.Peak.At.UTC()
			out.Peak.At = &at
		}
	}
	return out
}
