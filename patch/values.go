package patch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rightsize/rightsize/patch/splice"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// Mapping says where a Helm values file keeps the resources of a container.
type Mapping struct {
	Kind, Workload, Container string
	Path                      []any // keys (string) and indexes (int)

	text string // as it was given
}

const mappingForm = "want KIND/NAME:CONTAINER=PATH, such as deployment/api:api=.api.resources"

// ParseMapping reads "deployment/api:api=.api.resources". A path is made of keys and indexes; a key with other
// characters than a name's is quoted: .a.b[0]."c.d". The kind may be any, in kubectl's spellings where it is
// one of Kubernetes' own.
func ParseMapping(s string) (Mapping, error) {
	target, path, ok := strings.Cut(s, "=")
	ref, container, named := strings.Cut(target, ":")
	kind, name, slash := strings.Cut(ref, "/")
	if !ok || !named || !slash || kind == "" || name == "" || container == "" || strings.ContainsAny(name+container, "/:") {
		return Mapping{}, fmt.Errorf("invalid mapping %q: %s", s, mappingForm)
	}
	if known, _, err := workload.ParseRef(ref); err == nil {
		kind = known
	}
	keys, err := parseValuesPath(path)
	if err != nil {
		return Mapping{}, fmt.Errorf("invalid mapping %q: path %q: %w", s, path, err)
	}
	return Mapping{Kind: kind, Workload: name, Container: container, Path: keys, text: s}, nil
}

// parseValuesPath reads the path of a mapping.
func parseValuesPath(s string) ([]any, error) {
	var path []any
	if !strings.HasPrefix(s, ".") {
		return nil, fmt.Errorf("want a dot at its start, as in .api.resources")
	}
	for rest := s; rest != ""; {
		var key any
		var err error
		switch rest[0] {
		case '[':
			key, rest, err = valuesIndex(rest[1:])
		case '.':
			key, rest, err = valuesKey(rest[1:])
		default:
			err = fmt.Errorf(`want a dot or a bracket before %q`, rest)
		}
		if err != nil {
			return nil, err
		}
		path = append(path, key)
	}
	return path, nil
}

func valuesIndex(s string) (key any, rest string, err error) {
	digits, rest, ok := strings.Cut(s, "]")
	n, err := strconv.ParseUint(digits, 10, 31)
	if !ok || err != nil {
		return nil, "", fmt.Errorf("want a number in brackets, as in [0], got %q", "["+s)
	}
	return int(n), rest, nil
}

func valuesKey(s string) (key any, rest string, err error) {
	if quoted, err := strconv.QuotedPrefix(s); err == nil && quoted[0] == '"' {
		unquoted, err := strconv.Unquote(quoted)
		return unquoted, s[len(quoted):], err
	}
	end := strings.IndexAny(s, ".[")
	if end < 0 {
		end = len(s)
	}
	if name := s[:end]; name == "" || strings.ContainsAny(name, "]\"'`= \t\n") {
		return nil, "", fmt.Errorf(`want a key behind each dot, in double quotes where it is no plain name (."a.b"), got %q`, s)
	}
	return s[:end], s[end:], nil
}

// Values makes the changes in a Helm values file, where the mappings say, and adds what is missing there. It
// changes no other line. Known are all containers of the report, with changes or without: a mapping to none
// of them is an error, a change without a mapping a note. A deleted value leaves resources: {} behind.
func Values(file string, text []byte, mappings []Mapping, changes []Change, known []recommender.ID) (changed []byte, notes []string, err error) {
	f, err := splice.Parse(file, text)
	if err != nil {
		return nil, nil, err
	}
	if n := len(f.Documents); n > 1 {
		return nil, nil, fmt.Errorf("editing %s: it has %d YAML documents: Helm reads one", file, n)
	}
	if err := checkMappings(mappings, known); err != nil {
		return nil, nil, err
	}
	var edits []splice.Edit
	for _, c := range changes {
		mapped := false
		for _, m := range mappings {
			if m.of(c.Workload.Kind, c.Workload.Name, c.Container) {
				mapped = true
				edits = append(edits, m.edits(f, c)...)
			}
		}
		if !mapped {
			notes = append(notes, fmt.Sprintf("%s:%s has no --map: left alone", c.Workload, c.Container))
		}
	}
	notes = append(notes, deletedDefaults(file, f, edits)...)
	changed, err = f.Apply(edits)
	return changed, notes, err
}

func (m Mapping) edits(f *splice.File, c Change) []splice.Edit {
	if len(f.Documents) == 0 {
		return inPlaceEdits(nil, 0, m.Path, c.Values, 1)
	}
	return inPlaceEdits(f.Documents[0], 0, m.Path, c.Values, 1)
}

// deletedDefaults says of each deletion that it does not hide what the chart itself sets.
func deletedDefaults(file string, f *splice.File, edits []splice.Edit) []string {
	var notes []string
	for _, e := range edits {
		if e.Delete && len(f.Documents) > 0 && splice.Lookup(f.Documents[0], e.Path...) != nil {
			notes = append(notes, fmt.Sprintf("%s: %s is deleted: if the chart's own values set it, write null there by hand", file, splice.PathString(e.Path)))
		}
	}
	return notes
}

// of says that the mapping is the container's. Kinds are compared as kubectl does, in any case.
func (m Mapping) of(kind, name, container string) bool {
	return strings.EqualFold(m.Kind, kind) && m.Workload == name && m.Container == container
}

// checkMappings wants each mapping to mean one container of the report, and each path one mapping.
func checkMappings(mappings []Mapping, known []recommender.ID) error {
	for i, m := range mappings {
		var namespaces []string
		for _, id := range known {
			if m.of(id.Kind, id.Workload, id.Container) {
				namespaces = append(namespaces, id.Namespace)
			}
		}
		switch len(namespaces) {
		case 0:
			return fmt.Errorf("mapping %q: there is no such container: %s", m.text, knownContainers(known))
		case 1:
		default:
			return fmt.Errorf("mapping %q: there is one in each of the namespaces %s: choose one with --namespace", m.text, strings.Join(namespaces, ", "))
		}
		for _, other := range mappings[:i] {
			short := min(len(m.Path), len(other.Path))
			if slices.Equal(m.Path[:short], other.Path[:short]) {
				return fmt.Errorf("mapping %q: its path is that of %q, or in it: want a path for each container", m.text, other.text)
			}
		}
	}
	return nil
}

// knownContainers lists what a mapping can be for, and not more than a person reads.
func knownContainers(known []recommender.ID) string {
	if len(known) == 0 {
		return "the report has none"
	}
	const most = 10
	var names []string
	for _, id := range known {
		names = append(names, id.Ref()+":"+id.Container)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if rest := len(names) - most; rest > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", rest))
	}
	return "want one of " + strings.Join(names, ", ")
}
