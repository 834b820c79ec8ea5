// Package patch turns recommendations into changes to declared specs: kustomize patches, edits of plain
// manifests and of Helm values files, and the reverse of each.
package patch

import (
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// Change is what one container is to be given instead of what it declares.
type Change struct {
	Workload  workload.Ref
	Container string

	// Values are what to set, in the resource's unit, or to unset. No advice leaves a request or a limit
	// as it is.
	Values [recommender.NumResources]recommender.Bounds

	Slot        workload.Slot // where the container is declared, and what it declares now
	APIVersion  string        // of the workload's object
	Unqualified bool          // the object does not name its namespace
}

// none says that nothing is to change.
func (c Change) none() bool {
	return c.Values == [recommender.NumResources]recommender.Bounds{}
}
