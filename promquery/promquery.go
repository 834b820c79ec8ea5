// Package promquery reads what containers used from anything that answers Prometheus's query API.
package promquery

import (
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// The metrics that usage is read from: cAdvisor's, in bytes and in seconds of CPU time.
const (
	MemoryMetric = "container_memory_working_set_bytes"
	CPUMetric    = "container_cpu_usage_seconds_total"
)

// MetricOf is the metric that a resource's usage is read from.
func MetricOf(r recommender.Resource) string {
	if r == recommender.CPU {
		return CPUMetric
	}
	return MemoryMetric
}

// Index is what a namespace has in a window, read from labels alone, without any sample.
type Index struct {
	Containers map[string][]string // pod -> its containers with usage, sorted
	Owners     recommender.Owners  // as kube-state-metrics recorded them; empty maps where it is not scraped
	Series     int                 // of these containers
	Warnings   []string            // Prometheus's own
}

// Batch is what one Read is asked for.
type Batch struct {
	Namespace string
	Pods      []string           // only these; nil is every pod of the namespace
	Runs      map[Container]bool // those that end by themselves: of a Job's pods, and init containers

	// Containers is about how many containers with usage it is for, which sizes requests; 0 is not known.
	Containers int
}

// Series is part of what one container of one pod used of one resource: its values at some points of the
// window's grid, or, read sample by sample, at times between them. The slices are valid until the function that was
// given them returns.
type Series struct {
	Pod, Container string
	Resource       recommender.Resource
	Points         []int     // k of Window.Time(k), ascending: of each value the first point at or after it
	Values         []float64 // cores or bytes, one a point

	// Covered are the grid points that the values speak for, ascending; nil is Points.
	Covered []int

	// Within is how long before its point a value may be.
	Within time.Duration
}

// Container names a container of a pod.
type Container struct{ Pod, Name string }

// Run is a whole run of a container that ends by itself and is too short for the grid: less than two rate windows.
type Run struct {
	CPU      float64 // mean cores between its first and last sample
	Measured bool    // whether it has the two samples that CPU needs
}

// Facts are what Read learns besides the series.
type Facts struct {
	Peaks    map[Container]recommender.Peak      // of memory, over every raw sample
	Runs     map[Container]Run                   // of those in Batch.Runs that are too short for the grid
	OOMKills map[Container][]recommender.OOMKill // in order of time
	// Restarts counts those in the window. A container that kube-state-metrics said nothing of is not there.
	Restarts   map[Container]int
	Throttling map[Container]Periods // of those with a CPU limit
	// Failed are the pods that even the smallest request was refused for, and why; what the rest of the facts says of
	// them, and what was handed on, is not whole.
	Failed   map[string]error
	Queries  []string // the PromQL that was asked, in order; of raw samples what would give them
	Warnings []string // Prometheus's own
}
