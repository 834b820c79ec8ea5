// Package doctor looks at what a report would be made from, and says of each thing that stands in its way the one
// thing to do about it.
package doctor

import (
	"context"
	"fmt"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
)

// Status is how a check ended, from good to bad.
type Status string

// The statuses. They are words of the JSON.
const (
	OK      Status = "ok"
	Skipped Status = "skipped" // it could not be looked at, or does not apply
	Note    Status = "note"    // good to know: a report is whole without it
	Problem Status = "problem" // a report lacks something, or says something that is not so
	Failed  Status = "failed"  // there would be no report
)

// Check is one thing that was looked at.
type Check struct {
	Name   string
	Status Status
	Found  string // what was seen
	Do     string // the one thing to do; "" where there is nothing
}

// Report is all that was looked at, in order.
type Report struct {
	Source string // the server's address, without credentials
	Window recommender.Window
	Checks []Check
}

// Has says whether any check ended so.
func (r Report) Has(s Status) bool {
	for _, c := range r.Checks {
		if c.Status == s {
			return true
		}
	}
	return false
}

// Worst is the worst of the checks: failed, problem or ok.
func (r Report) Worst() Status {
	for _, s := range []Status{Failed, Problem} {
		if r.Has(s) {
			return s
		}
	}
	return OK
}

// Patient is what is looked at. API is asked as a report would ask it; what is nil is skipped.
type Patient struct {
	Address   string
	API       promquery.API
	Window    recommender.Window
	Namespace string // "" is all

	// Reach asks the server the cheapest thing there is.
	Reach func(context.Context) error

	// Flavour is what the server says it is, and whether it is asked as such.
	Flavour func(context.Context) (f promquery.Flavour, asked bool, err error)

	// RemoteRead says why there is none; nil where there is.
	RemoteRead func(context.Context) error

	// Denied are the resources that may not be listed: workloads, and what bears on them.
	Denied func(context.Context) (workloads, around []string, err error)
}

// examination is one Examine under way.
type examination struct {
	Patient
	report Report

	names names  // the labels that hold the workload's names
	usage string // the selector of memory of all containers that are looked at
}

// Examine runs all checks. One that cannot be made does not keep the others from being made, unless the server cannot
// be reached at all.
func Examine(ctx context.Context, p Patient) Report {
	e := &examination{Patient: p, report: Report{Source: p.Address, Window: p.Window}, names: plain}
	e.usage = e.names.selector(promquery.MemoryMetric, p.Namespace)
	if e.server(ctx) {
		e.flavour(ctx)
		if e.metrics(ctx) && e.labels(ctx) {
			e.interval(ctx)
			e.history(ctx)
			e.duplicates(ctx)
			e.clusters(ctx)
		}
		e.kubeState(ctx)
		e.remoteRead(ctx)
	}
	e.permissions(ctx)
	return e.report
}

func (e *examination) add(name string, status Status, found, do string) {
	e.report.Checks = append(e.report.Checks, Check{name, status, found, do})
}

// broken files a check that could not be made.
func (e *examination) broken(name string, err error) {
	e.add(name, Problem, "could not be looked at: "+err.Error(), "make the query work that failed: a report needs it, or others like it")
}

func (e *examination) server(ctx context.Context) bool {
	if err := e.Reach(ctx); err != nil {
		e.add("server", Failed, err.Error(), "correct --prometheus-url, or what stands between here and the server")
		return false
	}
	e.add("server", OK, e.Address+" answers queries", "")
	return true
}

func (e *examination) flavour(ctx context.Context) {
	const name = "version"
	if e.Flavour == nil {
		e.add(name, Skipped, "a data folder has none", "")
		return
	}
	f, asked, err := e.Flavour(ctx)
	if err != nil {
		e.broken(name, err)
		return
	}
	found := f.Backend.Name
	if f.Version != "" {
		found += " " + f.Version
	}
	if !asked {
		e.add(name, Problem, found+", which is asked as if it were Prometheus", fmt.Sprintf("give --backend %s", f.Backend.Name))
		return
	}
	e.add(name, OK, found, "")
}

func (e *examination) remoteRead(ctx context.Context) {
	const name = "remote read"
	if e.RemoteRead == nil {
		e.add(name, Skipped, "a data folder has every sample: --read auto reads them", "")
		return
	}
	if err := e.RemoteRead(ctx); err != nil {
		e.add(name, Note, "none, so usage is read at the points of a grid, as by default: "+err.Error(), "")
		return
	}
	e.add(name, OK, "there is one: --read auto reads every sample", "")
}

func (e *examination) permissions(ctx context.Context) {
	const name = "permissions"
	if e.Denied == nil {
		e.add(name, Skipped, "there is no cluster to ask: workloads would come from manifests (-f)", "")
		return
	}
	workloads, around, err := e.Denied(ctx)
	switch {
	case err != nil:
		e.add(name, Problem, err.Error(), "make the kubeconfig work, or read workloads from manifests with -f")
	case len(workloads) > 0:
		e.add(name, Problem, "workloads that may not be listed: "+join(workloads), "grant list on "+join(append(workloads, around...)))
	case len(around) > 0:
		e.add(name, Note, "all workloads may be listed; not what bears on them: "+join(around), "grant list on "+join(around))
	default:
		e.add(name, OK, "all that a report lists may be listed", "")
	}
}
