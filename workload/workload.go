// Package workload knows what is declared: the workloads of a cluster or of manifests, the requests and
// limits of their containers, and which pods belong to them.
package workload

import (
	"cmp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rightsize/rightsize/recommender"
)

// Ref names a workload.
type Ref struct{ Namespace, Kind, Name string }

// Compare orders by namespace, name and kind, and is 0 only for equal ones.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(
		strings.Compare(r.Namespace, other.Namespace),
		strings.Compare(r.Name, other.Name),
		strings.Compare(r.Kind, other.Kind),
	)
}

// String is the workload as kubectl writes it, without its namespace: "deployment/web".
func (r Ref) String() string { return strings.ToLower(r.Kind) + "/" + r.Name }

// Workload is a declared workload: the top of an owner chain.
type Workload struct {
	Ref
	Labels     map[string]string       // its own, not its pods'
	Containers []recommender.Container // in the order of the pod template, init containers last and among them native sidecars
	Surge      int                     // pods that a rollout adds for a while
	PodLevel   bool                    // spec.resources sizes the pods as a whole

	APIVersion  string // of its object: apps/v1
	Slots       []Slot // where the Containers stand in it, in their order; none for those that it does not declare
	Priority    string // the priority class of its pods
	Unqualified bool   // its manifest does not name the namespace

	// Parts are the objects below it whose pods are its pods: a StatefulSet of an operator's object, a Deployment that a
	// Rollout takes its template from.
	Parts []Ref

	// Template is the object that declares the containers, and that a patch is for; zero where that is the workload
	// itself. APIVersion, Slots and Unqualified are then that object's.
	Template Ref

	controller *metav1.OwnerReference // of the object; nil where nothing controls it
	refers     *reference             // to what has the template, until that is found
	referring  int                    // the replicas of a workload that refers

	// Indexed says that a Job's pods, or those of a CronJob's runs, carry their completion index in their
	// names: completionMode Indexed.
	Indexed bool
}
