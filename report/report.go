// Package report shows what a scan found: as a table for people, as JSON, YAML and CSV for programs.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// Report is a scan's result with what it was made from. It is a plain value, sorted once, by its scan.
type Report struct {
	Source    Source
	Window    recommender.Window
	Policy    recommender.Policy
	Items     []scan.Item
	Retargets []recommender.Retarget // what autoscalers are to scale on once the items' requests hold
	Ownership scan.Ownership
	Queries   []string
	Warnings  []string
	Unlisted  []string // kinds that may not be listed, as RBAC writes them: their containers are missing

	Least recommender.Significance // which changes are worth making
	View  View                     // what formats show of the items
	Gate  *Gate                    // nil where none was asked for
}

// Source says where usage came from and how it was read.
type Source struct {
	Kind    string // "prometheus" or "tsdb"
	Address string // the URL without credentials, or the folder
	Read    string // "query_range", "remote_read" or "chunks"
}

// Status is how far a recommendation got.
type Status string

// The statuses, from good to bad.
const (
	OK            Status = "ok"
	TooLittleData Status = "too-little-data"
	NoData        Status = "no-data"
	Failed        Status = "error"
	Exempt        Status = "exempt" // left alone, as the policy file has it
)

// StatusOf is the status of one resource of an item.
func StatusOf(item scan.Item, r recommender.Resource) Status {
	switch advice := item.Advice[r]; {
	case item.Err != nil:
		return Failed
	case item.Exempt():
		return Exempt
	case item.Evidence[r].Samples == 0:
		return NoData
	case slices.ContainsFunc(advice.Notes, func(n recommender.Note) bool { return n.Code == recommender.GuardTooLittleData }):
		return TooLittleData
	default:
		return OK
	}
}

// Failures are the errors of the items, each once with the number of containers that it concerns.
func (r Report) Failures() []Failure {
	var failures []Failure
	for _, item := range r.Items {
		if item.Err == nil {
			continue
		}
		i := slices.IndexFunc(failures, func(f Failure) bool { return f.Err.Error() == item.Err.Error() })
		if i < 0 {
			failures, i = append(failures, Failure{Err: item.Err}), len(failures)
		}
		failures[i].Containers++
	}
	return failures
}

// Incomplete says in a few words what the report lacks that it should have; it is empty where that is nothing.
func (r Report) Incomplete() string {
	var lacks []string
	failed := 0
	for _, f := range r.Failures() {
		failed += f.Containers
	}
	if failed > 0 {
		lacks = append(lacks, fmt.Sprintf("it lacks %s of %d", recommender.Count(failed, "container"), len(r.Items)))
	}
	if len(r.Unlisted) > 0 {
		lacks = append(lacks, "not allowed to list "+strings.Join(r.Unlisted, ", "))
	}
	return strings.Join(lacks, "; ")
}

// Failure is one error and the number of containers that have no recommendation for it.
type Failure struct {
	Err        error
	Containers int
}

// Total is what the containers of a report request together, over their replicas, in cores or bytes. Runs
// of Jobs and CronJobs count while they are active only.
type Total struct {
	Now, After float64
	Unset      int // containers that request nothing now, and have no limit either: they count as 0
	Uncounted  int // containers of which neither the declaration nor the samples tell how many there are
}

// Totals sums requests over replicas. Where there is no advice, what is declared stays. A container with a
// limit and no request requests its limit, as Kubernetes has it
// (https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/). Init containers count by what the
// largest of a pod requests more than the others together
// (https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers).
func (r Report) Totals() (totals [recommender.NumResources]Total) {
	for rest := r.Items; len(rest) > 0; {
		n := 1
		for n < len(rest) && sameWorkload(rest[n].ID, rest[0].ID) {
			n++
		}
		for res := range recommender.NumResources {
			totals[res].add(rest[:n], res)
		}
		rest = rest[n:]
	}
	return totals
}

func sameWorkload(a, b recommender.ID) bool {
	b.Container = a.Container
	return a == b
}

// add adds the containers of one workload.
func (t *Total) add(items []scan.Item, res recommender.Resource) {
	var now, after, firstNow, firstAfter float64 // the latter of one pod's init containers
	pods := 0
	for _, item := range items {
		x, declared := Requested(item.Spec[res]).Amount()
		y, _ := Requested(inForce(item, res)).Amount()
		n := Replicas(item)
		pods = max(pods, n)
		if item.Init {
			firstNow, firstAfter = max(firstNow, x), max(firstAfter, y)
			continue
		}
		now, after = now+x*float64(n), after+y*float64(n)
		if !declared && n > 0 {
			t.Unset++
		}
		if item.Replicas == recommender.UnknownReplicas && n == 0 {
			t.Uncounted++
		}
	}
	t.Now += max(now, firstNow*float64(pods))
	t.After += max(after, firstAfter*float64(pods))
}

// Requested is what the scheduler reserves: the request, or where there is none the limit.
func Requested(b recommender.Bounds) recommender.Value {
	if _, ok := b.Request.Amount(); !ok {
		return b.Limit
	}
	return b.Request
}

// Replicas is the number of pods that a container's request counts for: as declared, or as seen at the end
// of the window where a declaration cannot say.
func Replicas(item scan.Item) int {
	if item.Replicas == recommender.UnknownReplicas {
		return max(item.Evidence[recommender.CPU].Running, item.Evidence[recommender.Memory].Running)
	}
	return item.Replicas
}

// PolicyOf is what the item was made by.
func (r Report) PolicyOf(item scan.Item) recommender.Policy {
	if item.Policy != nil {
		return *item.Policy
	}
	return r.Policy
}

// PolicyUse is a policy and how many containers it was for.
type PolicyUse struct {
	recommender.Policy
	Containers int
}

// Policies are those that the items were made by, in the order in which they are first met; the report's own comes
// first.
func (r Report) Policies() []PolicyUse {
	uses := []PolicyUse{{Policy: r.Policy}}
	for _, item := range r.Items {
		p := r.PolicyOf(item)
		i := slices.IndexFunc(uses, func(u PolicyUse) bool { return u.Rule == p.Rule })
		if i < 0 {
			i, uses = len(uses), append(uses, PolicyUse{Policy: p})
		}
		uses[i].Containers++
	}
	return uses
}

// Options are what a format may be told.
type Options struct {
	Color bool // ANSI colours, for a terminal
}

// Format writes a report in one way. The report is not changed.
type Format struct {
	Name  string
	Doc   string // what it is for
	Write func(io.Writer, Report, Options) error
}

// Formats are all formats, the default first.
func Formats() []Format {
	return []Format{
		{"table", "a diff for people: what is declared, what is recommended, and why", writeTable},
		{"wide", "the table with percentiles, peak, samples, coverage and pods", writeWide},
		{"json", "everything, with schemaVersion " + SchemaVersion, writeJSON},
		{"yaml", "the same as json", writeYAML},
		{"csv", "a line for each container and resource", writeCSV},
		{"markdown", "the table as GitHub shows it, with all notes", writeMarkdown},
	}
}

// Names are the formats' names in order.
func Names() (names []string) {
	for _, f := range Formats() {
		names = append(names, f.Name)
	}
	return names
}

// Lookup is the format of that name.
func Lookup(name string) (f Format, ok bool) {
	i := slices.IndexFunc(Formats(), func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, false
	}
	return Formats()[i], true
}

// New puts together what a scan found and what it was made from.
func New(result scan.Result, source Source, w recommender.Window, p recommender.Policy) Report {
	return Report{
		Source: source, Window: w, Policy: p, Items: result.Items, Retargets: result.Retargets,
		Ownership: result.Ownership, Queries: result.Queries, Warnings: result.Warnings,
		Least: recommender.DefaultSignificance(),
	}
}

// Succeeded says whether anything could be read.
func (r Report) Succeeded() bool {
	return slices.ContainsFunc(r.Items, func(i scan.Item) bool { return i.Err == nil })
}
