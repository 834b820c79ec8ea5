package workload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	strictjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// raw is an object that has not been looked at.
type raw struct {
	place
	json []byte
}

// decode turns a document into JSON: one value of YAML, or any number of JSON ones.
func (d document) decode(source string) ([]raw, error) {
	at := place{source: source, line: d.content()}
	trimmed := bytes.TrimSpace(d.text)
	if bytes.HasPrefix(trimmed, []byte("{")) {
		objects, err := d.decodeJSON(source)
		if err == nil || strings.HasSuffix(source, ".json") {
			return objects, err
		}
		// What starts like JSON may still be YAML in flow style.
	}
	value, err := yaml.YAMLToJSONStrict(d.text)
	if err != nil {
		return nil, at.broken(err, d)
	}
	if string(value) == "null" {
		return nil, nil
	}
	return []raw{{at, value}}, nil
}

func (d document) decodeJSON(source string) ([]raw, error) {
	var objects []raw
	decoder := json.NewDecoder(bytes.NewReader(d.text))
	for {
		rest := d.text[decoder.InputOffset():]
		start := len(d.text) - len(bytes.TrimLeft(rest, " \t\r\n"))
		at := place{source: source, line: d.line + bytes.Count(d.text[:start], []byte("\n"))}
		var value json.RawMessage
		err := decoder.Decode(&value)
		var syntax *json.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			return objects, nil
		case errors.As(err, &syntax):
			end := min(max(int(syntax.Offset)-1, 0), len(d.text))
			at.line = d.line + bytes.Count(d.text[:end], []byte("\n"))
			return nil, at.errorf("not JSON: %w", err)
		case err != nil:
			return nil, at.errorf("not JSON: %w", err)
		}
		objects = append(objects, raw{at, value})
	}
}

// yamlLine is how the YAML decoder says where: the line in what it was given.
var yamlLine = regexp.MustCompile(`line (\d+): ([^\n]+)`)

// parserComplaint is what the YAML parser says. It counts lines from 0, where its scanner counts from 1.
var parserComplaint = regexp.MustCompile(`^did not find expected (node content|key|<document start>|'-' indicator|',' or )`)

// missingColon is noticed when the scanner has reached the next line.
const missingColon = "could not find expected ':'"

// broken is the decoder's first complaint, with the line in the file rather than in the document.
func (p place) broken(err error, d document) error {
	message := err.Error()
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		n, err := strconv.Atoi(m[1])
		switch message = m[2]; {
		case err != nil:
			n = 1
		case parserComplaint.MatchString(message):
			n++
		case message == missingColon:
			n--
		}
		p.line = d.line + min(n, d.lines()) - 1
	} else if _, after, ok := strings.Cut(message, "yaml: "); ok {
		message = after
	}
	return p.errorf("not YAML: %s", strings.Join(strings.Fields(message), " "))
}

// header is what every Kubernetes object has, and a list's items.
type header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Namespace    string `json:"namespace"`
		Name         string `json:"name"`
		GenerateName string `json:"generateName"`
	} `json:"metadata"`
	Items json.RawMessage `json:"items"`
}

// object takes in one object, or the objects of a list.
func (l *loader) object(at place, data []byte) error {
	h, err := readHeader(at, data)
	if err != nil {
		return err
	}
	if strings.HasSuffix(h.Kind, "List") && len(h.Items) > 0 {
		return l.items(at, h)
	}
	if h.Metadata.Namespace == "" {
		h.Metadata.Namespace = l.options.Namespace
	}
	l.inv.Namespaces = append(l.inv.Namespaces, namespaceOf(h))
	obj := newObject(h)
	if obj == nil {
		l.inv.Skipped++
		l.warnOldVersion(at, h)
		if err := l.around.take(h.APIVersion, h.Kind, h.Metadata.Namespace, data); err != nil {
			l.inv.Warnings = append(l.inv.Warnings, at.errorf("%w", err).Error())
		}
		return nil
	}
	return l.workload(at, h, obj, data)
}

func readHeader(at place, data []byte) (header, error) {
	var h header
	if len(data) == 0 || data[0] != '{' {
		return h, at.errorf("not a Kubernetes object: got %s, want apiVersion, kind and metadata", jsonType(data))
	}
	var typed struct {
		APIVersion any `json:"apiVersion"`
		Kind       any `json:"kind"`
	}
	if err := strictjson.UnmarshalCaseSensitivePreserveInts(data, &typed); err != nil {
		return h, at.errorf("not a Kubernetes object: %w", err)
	}
	for i, value := range []any{typed.APIVersion, typed.Kind} {
		if s, ok := value.(string); !ok || s == "" {
			field := []string{"apiVersion", "kind"}[i]
			return h, at.errorf("not a Kubernetes object: %s is missing or not a name; want apiVersion, kind and metadata", field)
		}
	}
	if err := strictjson.UnmarshalCaseSensitivePreserveInts(data, &h); err != nil {
		return h, at.errorf("%v: %s", typed.Kind, plainJSON(err))
	}
	return h, nil
}

// jsonType is what the value is, by its first byte.
func jsonType(data []byte) string {
	switch {
	case len(data) == 0:
		return "nothing"
	case data[0] == '"':
		return "a string"
	case data[0] == '[':
		return "a sequence"
	case data[0] == 't' || data[0] == 'f':
		return "a boolean"
	case data[0] == 'n':
		return "null"
	default:
		return "a number"
	}
}

// plainJSON is the decoder's complaint without its Go types.
func plainJSON(err error) string {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return fmt.Sprintf("%s: got %s, want %s", mismatch.Field, mismatch.Value, mismatch.Type)
	}
	return strings.ReplaceAll(strings.TrimPrefix(err.Error(), "json: "), "Go struct field ", "")
}

func (l *loader) items(at place, h header) error {
	var items []json.RawMessage
	if err := json.Unmarshal(h.Items, &items); err != nil {
		return at.errorf("%s: items is not a sequence", h.Kind)
	}
	for i, item := range items {
		in := at
		in.item = strings.TrimPrefix(fmt.Sprintf("%s.items[%d]", at.item, i), ".")
		item, err := typedItem(h, item)
		if err != nil {
			return in.errorf("not a Kubernetes object: %w", err)
		}
		if err := l.object(in, item); err != nil {
			return err
		}
	}
	return nil
}

// typedItem gives an item of a typed list (DeploymentList) the type that the API leaves out in items.
func typedItem(list header, item json.RawMessage) (json.RawMessage, error) {
	kind := strings.TrimSuffix(list.Kind, "List")
	if kind == "" || !bytes.HasPrefix(bytes.TrimSpace(item), []byte("{")) {
		return item, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(item, &fields); err != nil {
		return nil, err
	}
	for field, value := range map[string]string{"apiVersion": list.APIVersion, "kind": kind} {
		if _, ok := fields[field]; ok {
			continue
		}
		quoted, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		fields[field] = quoted
	}
	return json.Marshal(fields)
}

// namespaceOf is the namespace that the object is in, or is.
func namespaceOf(h header) string {
	if h.Kind == "Namespace" && h.APIVersion == "v1" {
		return h.Metadata.Name
	}
	return h.Metadata.Namespace
}

// newObject is what the manifest decodes into, or nil for kinds that are not sized.
func newObject(h header) runtime.Object {
	switch h.APIVersion + "/" + h.Kind {
	case "apps/v1/Deployment":
		return &appsv1.Deployment{}
	case "apps/v1/StatefulSet":
		return &appsv1.StatefulSet{}
	case "apps/v1/DaemonSet":
		return &appsv1.DaemonSet{}
	case "apps/v1/ReplicaSet":
		return &appsv1.ReplicaSet{}
	case "batch/v1/CronJob", "batch/v1beta1/CronJob": // the same fields, served until Kubernetes 1.24
		return &batchv1.CronJob{}
	case "batch/v1/Job":
		return &batchv1.Job{}
	case "v1/Pod":
		return &corev1.Pod{}
	}
	for _, k := range templatedKinds() {
		if h.Kind == k.name && h.APIVersion == k.apiVersion() {
			return &templated{}
		}
	}
	return nil
}

// warnOldVersion tells of a workload in an API version that is gone: leaving it out silently would look as
// if it did not exist.
func (l *loader) warnOldVersion(at place, h header) {
	group, _, _ := strings.Cut(h.APIVersion, "/")
	for _, k := range kinds() {
		if k.name == h.Kind && slices.Contains([]string{"apps", "batch", "extensions"}, group) {
			l.inv.Warnings = append(l.inv.Warnings, fmt.Sprintf(
				"%s: %s/%s is left out: %s is not an API version of %s that is read, want %s/v1",
				at, strings.ToLower(h.Kind), h.Metadata.Name, h.APIVersion, h.Kind, k.group))
		}
	}
}

// workload decodes an object of a kind that is sized.
func (l *loader) workload(at place, h header, obj runtime.Object, data []byte) error {
	ref := Ref{Namespace: h.Metadata.Namespace, Kind: h.Kind, Name: h.Metadata.Name}
	if ref.Name == "" && h.Metadata.GenerateName != "" {
		l.inv.Skipped++
		l.inv.Warnings = append(l.inv.Warnings, fmt.Sprintf("%s: a %s with generateName is left out: it has no name until it is created", at, h.Kind))
		return nil
	}
	if err := validNames(at, ref); err != nil {
		return err
	}
	if err := checkQuantities(at, ref, data); err != nil {
		return err
	}
	unknown, err := strictjson.UnmarshalStrict(data, obj)
	if err != nil {
		return at.errorf("%s: %s", ref, plainJSON(err))
	}
	if o, ok := obj.(metav1.Object); ok {
		o.SetNamespace(ref.Namespace)
	}
	w, ok := declared(obj, false)
	if !ok {
		l.inv.Skipped++
		return nil
	}
	if err := w.locate(h, data); err != nil {
		return at.errorf("%s: %w", ref, err)
	}
	if _, partly := obj.(*templated); partly {
		unknown = inTemplate(unknown)
	}
	for _, u := range unknown {
		l.inv.Warnings = append(l.inv.Warnings, at.errorf("%s: %w", ref, u).Error())
	}
	return l.take(at, w)
}

func (l *loader) take(at place, w Workload) error {
	if before, ok := l.found[w.Ref]; ok {
		return at.errorf("%s in namespace %s is declared twice: the first time at %s", w.Ref, w.Namespace, before)
	}
	if err := w.checkContainers(); err != nil {
		return at.errorf("%s: %w", w.Ref, err)
	}
	l.found[w.Ref] = at
	l.inv.Workloads = append(l.inv.Workloads, w)
	return nil
}

// validNames wants names that the API server would take, so that none of them breaks a report or a query.
func validNames(at place, ref Ref) error {
	if ref.Name == "" {
		return at.errorf("%s: metadata.name is missing", ref.Kind)
	}
	if problems := validation.IsDNS1123Subdomain(ref.Name); len(problems) > 0 {
		return at.errorf("%s: invalid metadata.name %q: %s", ref.Kind, ref.Name, problems[0])
	}
	if problems := validation.IsDNS1123Label(ref.Namespace); len(problems) > 0 {
		return at.errorf("%s: invalid metadata.namespace %q: %s", ref, ref.Namespace, problems[0])
	}
	return nil
}

func (w Workload) checkContainers() error {
	seen := map[string]bool{}
	for _, c := range w.Containers {
		name := c.ID.Container
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return fmt.Errorf("invalid container name %q: %s", name, problems[0])
		}
		if seen[name] {
			return fmt.Errorf("container %q is declared twice", name)
		}
		seen[name] = true
	}
	return nil
}

// podSpecPath is where a kind keeps the spec of its pods.
func podSpecPath(kind string) []string {
	switch kind {
	case "Pod":
		return []string{"spec"}
	case "CronJob":
		return []string{"spec", "jobTemplate", "spec", "template", "spec"}
	default:
		return []string{"spec", "template", "spec"}
	}
}

// checkQuantities looks at replicas, requests and limits before anything is decoded into types, whose errors do not
// say where they are.
func checkQuantities(at place, ref Ref, data []byte) error {
	var object any
	if err := strictjson.UnmarshalCaseSensitivePreserveInts(data, &object); err != nil {
		return at.errorf("%s: %w", ref, err)
	}
	if n, ok := get(get(object, "spec"), "replicas").(int64); ok && n < 0 {
		return at.errorf("%s: spec.replicas is %d: want 0 or more", ref, n)
	}
	path := podSpecPath(ref.Kind)
	for _, field := range path {
		object = get(object, field)
	}
	for _, list := range []string{"containers", "initContainers"} {
		containers, _ := get(object, list).([]any)
		for i, c := range containers {
			for _, side := range []string{"requests", "limits"} {
				where := fmt.Sprintf("%s.%s[%d].resources.%s", strings.Join(path, "."), list, i, side)
				if err := checkList(get(get(c, "resources"), side)); err != nil {
					return at.errorf("%s: %s.%w", ref, where, err)
				}
			}
		}
	}
	return nil
}

func get(object any, field string) any {
	fields, _ := object.(map[string]any)
	return fields[field]
}

func checkList(list any) error {
	quantities, _ := list.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(quantities)) {
		var s string
		switch v := quantities[name].(type) {
		case string:
			s = v
		case int64, float64:
			s = fmt.Sprint(v)
		default:
			return fmt.Errorf("%s: %v is not a quantity such as 250m or 128Mi", name, v)
		}
		q, err := resource.ParseQuantity(s)
		if err != nil {
			return fmt.Errorf("%s: %q is not a quantity such as 250m or 128Mi", name, s)
		}
		if q.Sign() < 0 {
			return fmt.Errorf("%s: %s is negative", name, s)
		}
	}
	return nil
}
