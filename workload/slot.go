package workload

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	strictjson "sigs.k8s.io/json"
)

// Slot is where a container stands in its object, and the resources that it declares there.
type Slot struct {
	List  []string // the fields that lead to its list: spec, template, spec, containers
	Index int      // in the list, from 0

	Before []string // the names of the containers that come before it in the list

	// Resources are as declared, in JSON's types: what is written as 0.5 stays so. It is nil where there are
	// none, and holds what is not sized too, such as claims.
	Resources map[string]any
}

// Pointer is the JSON pointer to the container: "/spec/template/spec/containers/0". No field has a slash.
func (s Slot) Pointer() string {
	return "/" + strings.Join(s.List, "/") + "/" + strconv.Itoa(s.Index)
}

// Slots are where the containers of an object stand, by their names, which are unique in a pod: those of every kind whose pod template
// is at spec.template, of a CronJob and of a Pod. The object is in JSON's types.
func Slots(kind string, object map[string]any) map[string]Slot {
	var spec any = object
	for _, field := range podSpecPath(kind) {
		spec = get(spec, field)
	}
	slots := map[string]Slot{}
	for _, list := range containerLists() {
		containers, _ := get(spec, list).([]any)
		var names []string
		for i, c := range containers {
			name, _ := get(c, "name").(string)
			resources, _ := get(c, "resources").(map[string]any)
			slots[name] = Slot{listPath(kind, list), i, slices.Clone(names), resources}
			names = append(names, name)
		}
	}
	return slots
}

func containerLists() []string { return []string{"containers", "initContainers"} }

func listPath(kind, list string) []string { return append(slices.Clone(podSpecPath(kind)), list) }

// slotsOf are the slots of the containers, in their order. Quantities are as Kubernetes writes
// them: what a manifest wrote is known to whoever has its text.
func slotsOf(kind string, spec corev1.PodSpec) (slots []Slot) {
	for i, c := range spec.Containers {
		slots = append(slots, Slot{listPath(kind, "containers"), i, names(spec.Containers[:i]), resourcesOf(c.Resources)})
	}
	for i, c := range spec.InitContainers {
		slots = append(slots, Slot{listPath(kind, "initContainers"), i, names(spec.InitContainers[:i]), resourcesOf(c.Resources)})
	}
	return slots
}

func names(containers []corev1.Container) (names []string) {
	for _, c := range containers {
		names = append(names, c.Name)
	}
	return names
}

func resourcesOf(r corev1.ResourceRequirements) map[string]any {
	resources := map[string]any{}
	for side, list := range map[string]corev1.ResourceList{"requests": r.Requests, "limits": r.Limits} {
		if len(list) == 0 {
			continue
		}
		quantities := map[string]any{}
		for name, q := range list {
			quantities[string(name)] = q.String()
		}
		resources[side] = quantities
	}
	if len(r.Claims) > 0 {
		var claims []any
		for _, c := range r.Claims {
			claim := map[string]any{"name": c.Name}
			if c.Request != "" {
				claim["request"] = c.Request
			}
			claims = append(claims, claim)
		}
		resources["claims"] = claims
	}
	if len(resources) == 0 {
		return nil
	}
	return resources
}

// locate takes from a manifest what its types do not tell: the version, whether it names its namespace, and
// its own spelling of quantities.
func (w *Workload) locate(h header, data []byte) error {
	var object map[string]any
	if err := strictjson.UnmarshalCaseSensitivePreserveInts(data, &object); err != nil {
		return err
	}
	w.APIVersion = h.APIVersion
	w.Unqualified = get(object["metadata"], "namespace") == nil
	slots := Slots(w.Kind, object)
	for i, c := range w.Containers {
		w.Slots[i] = slots[c.ID.Container]
	}
	return nil
}

// apiVersion is the one that a listed kind is read in.
func apiVersion(kind string) string {
	for _, k := range kinds() {
		if k.name == kind {
			return k.apiVersion()
		}
	}
	return "v1"
}
