package serve

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/rightsize/rightsize/patch"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/workload"
)

// problem is an error as RFC 9457 has it. It is an error too.
type problem struct {
	Title     string   `json:"title"`
	Status    int      `json:"status"`
	Detail    string   `json:"detail"`
	There     []string `json:"there,omitempty"` // what could have been asked for instead
	RequestID string   `json:"requestId,omitempty"`
}

// Error implements error.
func (p *problem) Error() string { return p.Detail }

func problemf(status int, format string, args ...any) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// missing is a problem that names what is there.
func missing(there []string, format string, args ...any) *problem {
	p := problemf(http.StatusNotFound, format, args...)
	p.There = there
	return p
}

// writeProblem answers a program.
func writeProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	said := *p
	said.RequestID = requestID(r.Context())
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(said) // a client that has gone does not miss it
}

// writeBody answers with JSON that is of this moment.
func writeBody(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

// current is the last good report, or the problem that there is none.
func (s *Server) current() (*snapshot, *problem) {
	if n := s.latest.Load(); n != nil {
		return n, nil
	}
	p := problemf(http.StatusServiceUnavailable, "there is no report yet: the first scan has not ended")
	if last := s.scans.state().Last; last != nil && last.Failure != nil {
		p.Detail = "there is no report yet: the last scan failed: " + last.Failure.Error()
	}
	return nil, p
}

// apiReport is the report, or a part of it, as -o json prints it.
func (s *Server) apiReport(w http.ResponseWriter, r *http.Request) {
	n, none := s.current()
	if none != nil {
		writeProblem(w, r, none)
		return
	}
	f, err := filterOf(r)
	if err != nil {
		writeProblem(w, r, problemf(http.StatusBadRequest, "%v", err))
		return
	}
	n.writeReport(w, r, f)
}

// apiRecommendations is the report of one workload.
func (s *Server) apiRecommendations(w http.ResponseWriter, r *http.Request) {
	n, p := s.current()
	var ref workload.Ref
	if p == nil {
		ref, p = n.find(r)
	}
	if p != nil {
		writeProblem(w, r, p)
		return
	}
	f, err := filterOf(r)
	if err != nil {
		writeProblem(w, r, problemf(http.StatusBadRequest, "%v", err))
		return
	}
	f.Namespaces, f.Kinds, f.Workloads = []string{ref.Namespace}, []string{ref.Kind}, []string{ref.Name}
	n.writeReport(w, r, f)
}

// writeReport writes a part of the report, or that the client has it.
func (n *snapshot) writeReport(w http.ResponseWriter, r *http.Request, f filter) {
	tag := n.tag(f)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache") // may be kept, and is to be asked for again
	w.Header().Set("Last-Modified", n.made.UTC().Format(http.TimeFormat))
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	text := n.json
	if !f.isZero() || text == nil {
		var b bytes.Buffer
		if err := writeJSON(&b, f.of(n.Report)); err != nil {
			writeProblem(w, r, problemf(http.StatusInternalServerError, "writing the report: %v", err))
			return
		}
		text = b.Bytes()
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}

// tag names what a filter makes of the report. It is weak, since the same is sent with and without gzip.
func (n *snapshot) tag(f filter) string {
	sum := sha256.Sum256([]byte(n.digest + "?" + f.query().Encode()))
	return `W/"` + hex.EncodeToString(sum[:16]) + `"`
}

// matches compares as RFC 9110, section 13.1.2 has it: weakly, with any of a list.
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || one != "" && strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// find is the workload that a path names by namespace, kind and name, the kind without capitals.
func (n *snapshot) find(r *http.Request) (workload.Ref, *problem) {
	namespace, kind, name := r.PathValue("namespace"), r.PathValue("kind"), r.PathValue("name")
	var namespaces, refs []string
	for _, item := range n.Report.Items {
		namespaces = addOnce(namespaces, item.ID.Namespace)
		if item.ID.Namespace != namespace {
			continue
		}
		if strings.EqualFold(item.ID.Kind, kind) && item.ID.Workload == name {
			return workload.Ref{Namespace: namespace, Kind: item.ID.Kind, Name: name}, nil
		}
		refs = addOnce(refs, item.ID.Ref())
	}
	if len(refs) == 0 {
		return workload.Ref{}, missing(namespaces, "the report has nothing of namespace %s", namespace)
	}
	return workload.Ref{}, missing(refs, "the report has no %s/%s in namespace %s", strings.ToLower(kind), name, namespace)
}

// addOnce appends to a list whose equals come one after the other, as names of a sorted report do.
func addOnce(list []string, name string) []string {
	if len(list) > 0 && list[len(list)-1] == name {
		return list
	}
	return append(list, name)
}

// apiPatch is a patch of one workload to download.
func (s *Server) apiPatch(w http.ResponseWriter, r *http.Request) {
	n, p := s.current()
	var ref workload.Ref
	if p == nil {
		ref, p = n.find(r)
	}
	if p == nil {
		p = unfiltered(r)
	}
	var text []byte
	if p == nil {
		text, p = n.patchOf(ref)
	}
	if p != nil {
		writeProblem(w, r, p)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Disposition", `attachment; filename="`+patch.FileName(ref)+`"`)
	_, _ = w.Write(text)
}

// patchOf is what to change in the workload's object, as rightsize patch would write it; a problem where that is nothing,
// or not for one patch.
func (n *snapshot) patchOf(ref workload.Ref) ([]byte, *problem) {
	r := filter{Namespaces: []string{ref.Namespace}, Kinds: []string{ref.Kind}, Workloads: []string{ref.Name}}.of(n.Report)
	if len(r.Retargets) > 0 {
		return nil, problemf(http.StatusConflict, "its requests change together with an autoscaler: rightsize patch --output-dir DIR writes both")
	}
	r.View = report.View{}
	r, declared := patch.AtTemplates(r, n.Declared)
	changes, notes := patch.Plan(r, declared, r.Least)
	if len(changes) == 0 {
		notes = append(notes, "nothing is to be changed")
		return nil, problemf(http.StatusNotFound, "there is no patch of %s: %s", ref, strings.Join(notes, "; "))
	}
	var text bytes.Buffer
	if err := (patch.Job{Changes: changes, Basis: patch.BasisOf(r), Type: patch.Strategic, Declared: declared}).WriteEach(&text); err != nil {
		return nil, problemf(http.StatusInternalServerError, "writing the patch: %v", err)
	}
	return text.Bytes(), nil
}
