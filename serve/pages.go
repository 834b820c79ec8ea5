package serve

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/workload"
)

//go:embed pages
var files embed.FS

// page is what every page has.
type page struct {
	Title  string
	Path   []link // behind the name of the tool
	State  string // how old the report is, and when the next scan is
	Alarms []string

	Rows       []row
	Namespaced bool // rows of several namespaces are to be told apart
	APIURL     string
}

type link struct{ Text, URL string }

// row is one resource of a container.
type row struct {
	Namespace, NamespaceURL       string
	Workload, URL                 string
	Container, Resource, Severity string
	Error                         string
	Notes                         []tag
	Danger                        bool
	Request, Limit                words
}

// words are a value and the class of its change.
type words struct {
	report.Words
	Class string
}

// overview is the first page, and that of a namespace.
type overview struct {
	page
	Report     bool
	Cards      template.HTML
	Basis      string
	HeldOut    string // of the whole report alone
	Selection  string
	Summaries  []summary
	Warnings   []string
	Filter     filter
	Namespaces []choice
	Resources  []choice
	Orders     []choice
}

// summary is a namespace in a line.
type summary struct {
	Name, URL                  string
	Containers, Danger, Errors int
	Totals                     []string
}

type choice struct {
	Text     string
	Selected bool
}

type workloadPage struct {
	page
	Details         []detail
	Patch, PatchURL string
	NoPatch         string
}

// detail is why a container has its recommendation.
type detail struct {
	Container string
	Why       template.HTML
}

// tag is the code of a note; a bad one says that the container is in danger.
type tag struct {
	Code string
	Bad  bool
}

type problemPage struct {
	page
	Problem problem
}

// parseTemplates are the pages by their file's name.
func parseTemplates() (map[string]*template.Template, error) {
	all := map[string]*template.Template{}
	for _, name := range []string{"overview.html", "workload.html", "problem.html"} {
		t, err := template.ParseFS(files, "pages/layout.html", "pages/"+name)
		if err != nil {
			return nil, err
		}
		all[name] = t
	}
	return all, nil
}

// render writes a page, whole or not at all.
func (s *Server) render(w http.ResponseWriter, r *http.Request, code int, name string, data any) {
	var text bytes.Buffer
	all, err := s.templates()
	if err == nil {
		err = all[name].ExecuteTemplate(&text, name, data)
	}
	if err != nil {
		s.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(code)
	_, _ = w.Write(text.Bytes())
}

// broken is for a fault of ours.
func (s *Server) broken(w http.ResponseWriter, r *http.Request, err error) {
	s.log.Error("writing a page: "+err.Error(), "requestId", requestID(r.Context()))
	writeProblem(w, r, problemf(http.StatusInternalServerError, "the page could not be written; the log says why"))
}

//go:embed pages/style.css
var ownStyle string

// serveStyle is the style of -o html, and what the pages have besides.
func serveStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "max-age=300")
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = io.WriteString(w, report.Style()+ownStyle)
}

// page is a page about the report as it is now.
func (s *Server) page(title string, path ...link) page {
	p := page{Title: title, Path: path}
	n, state := s.latest.Load(), s.scans.state()
	if n != nil {
		p.State = fmt.Sprintf("Report of %s UTC, %s old. ", n.made.UTC().Format("2006-01-02 15:04"), age(time.Since(n.made)))
		if s.tooOld(n) {
			p.Alarms = append(p.Alarms, "This report is too old to be relied on: it is older than --max-report-age "+recommender.ShortDuration(s.options.MaxAge)+".")
		}
	}
	p.State += state.String()
	if last := state.Last; last != nil && last.Failure != nil {
		p.Alarms = append(p.Alarms, state.failure(n != nil))
	}
	if n != nil {
		p.Alarms = append(p.Alarms, lacks(n.Report)...)
	}
	return p
}

// failure says how the last scan failed; kept is whether there is a report from before.
func (s scanState) failure(kept bool) string {
	var besides []string
	if s.InARow > 1 {
		besides = append(besides, fmt.Sprintf("%d failures in a row", s.InARow))
	}
	if kept {
		besides = append(besides, "this page shows the last good report")
	}
	text := fmt.Sprintf("The last scan, at %s UTC, failed (%s): %s", s.Last.Started.UTC().Format("15:04"), s.Last.Failure.Reason, recommender.Printable(s.Last.Failure.Error()))
	if len(besides) > 0 {
		text += " (" + strings.Join(besides, "; ") + ")"
	}
	return text
}

// lacks says what a report lacks that it should have.
func lacks(r report.Report) (lines []string) {
	if text := r.Incomplete(); text != "" {
		lines = append(lines, "This report is not complete: "+text+".")
	}
	for _, f := range r.Failures() {
		lines = append(lines, fmt.Sprintf("No recommendation for %s: %s", recommender.Count(f.Containers, "container"), recommender.Printable(f.Err.Error())))
	}
	return lines
}

// String is when there will be news.
func (s scanState) String() string {
	switch {
	case !s.Running.IsZero():
		return "A scan has been running for " + age(time.Since(s.Running)) + "."
	case !s.Upcoming.IsZero():
		return "The next scan begins at " + s.Upcoming.UTC().Format("15:04:05") + " UTC."
	}
	return ""
}

// pageOverview is what matters most, of all namespaces.
func (s *Server) pageOverview(w http.ResponseWriter, r *http.Request) {
	s.writeOverview(w, r, "")
}

// pageNamespace is all of one namespace.
func (s *Server) pageNamespace(w http.ResponseWriter, r *http.Request) {
	s.writeOverview(w, r, r.PathValue("namespace"))
}

// mostRows is how many containers the first page lists, unless the URL says another number.
const mostRows = 50

func (s *Server) writeOverview(w http.ResponseWriter, r *http.Request, namespace string) {
	f, err := filterOf(r)
	if err != nil {
		s.pageProblem(w, r, problemf(http.StatusBadRequest, "%v", err))
		return
	}
	o := overview{page: s.page("Recommendations"), Filter: f}
	n := s.latest.Load()
	if n == nil {
		s.render(w, r, http.StatusServiceUnavailable, "overview.html", o)
		return
	}
	if f.Sort == "" {
		f.Sort = report.BySeverity
	}
	if namespace != "" {
		if there := n.namespaces(); !slices.Contains(there, namespace) {
			s.pageProblem(w, r, missing(there, "the report has nothing of namespace %s", namespace))
			return
		}
		f.Namespaces = []string{namespace}
		o.Title, o.Path = namespace, []link{{Text: namespace}}
	} else if f.Top == 0 {
		f.Top = mostRows
	}
	if err := o.fill(n, f, namespace == ""); err != nil {
		s.broken(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "overview.html", o)
}

// fill is what the filter makes of the report; all says that it may be of several namespaces.
func (o *overview) fill(n *snapshot, f filter, all bool) (err error) {
	r := f.of(n.Report)
	if o.Cards, err = report.Cards(r); err != nil {
		return err
	}
	o.Report, o.Filter = true, f
	o.Basis = fmt.Sprintf("From usage of %s to %s UTC (%s), policy %s.", r.Window.Start().UTC().Format("2006-01-02 15:04"),
		r.Window.Until.UTC().Format("2006-01-02 15:04"), recommender.ShortDuration(r.Window.Length), r.Policy.Name)
	o.HeldOut = report.HeldOut(r)
	o.Selection, o.Warnings = r.Selection(), r.Warnings
	o.Rows, o.Namespaced = rows(r), all
	o.Resources, o.Orders = choices(f.Only, recommender.CPU.String(), recommender.Memory.String()), nil
	for _, order := range report.Orders() {
		o.Orders = append(o.Orders, choice{string(order), order == f.Sort})
	}
	if all {
		o.Summaries = n.summaries(f)
		o.Namespaces = choices(strings.Join(f.Namespaces, ","), n.namespaces()...)
	}
	f.Top = 0
	o.APIURL = "/api/v1/report?" + f.query().Encode()
	return nil
}

func choices(selected string, names ...string) (list []choice) {
	for _, name := range names {
		list = append(list, choice{name, name == selected})
	}
	return list
}

func totals(r report.Report) (lines []string) {
	all := r.Totals()
	for _, res := range r.View.Resources() {
		lines = append(lines, strings.ReplaceAll(all[res].Words(res), "->", "\u2192"))
	}
	return lines
}

// namespaces are those of the report, in its order.
func (n *snapshot) namespaces() (names []string) {
	for _, item := range n.Report.Items {
		if !slices.Contains(names, item.ID.Namespace) {
			names = append(names, item.ID.Namespace)
		}
	}
	return names
}

// summaries are the namespaces that the filter leaves something of.
func (n *snapshot) summaries(f filter) (list []summary) {
	f.Top = 0
	whole := f.of(n.Report)
	byName := map[string][]scan.Item{}
	for _, item := range whole.Items {
		byName[item.ID.Namespace] = append(byName[item.ID.Namespace], item)
	}
	for _, name := range n.namespaces() {
		if len(byName[name]) == 0 {
			continue
		}
		own := whole
		own.Items = byName[name]
		line := summary{Name: name, URL: namespaceURL(name), Containers: len(own.Items), Totals: totals(own)}
		for _, item := range own.Items {
			if report.Endangered(item) {
				line.Danger++
			}
			if item.Err != nil {
				line.Errors++
			}
		}
		list = append(list, line)
	}
	return list
}

func rows(r report.Report) (list []row) {
	for _, item := range r.Shown() {
		for _, res := range r.View.Resources() {
			list = append(list, rowOf(r, item, res))
		}
	}
	return list
}

func rowOf(r report.Report, item scan.Item, res recommender.Resource) row {
	request, limit := report.WordsOf(item, res)
	out := row{
		Namespace: item.ID.Namespace, NamespaceURL: namespaceURL(item.ID.Namespace),
		Workload: item.ID.Ref(), URL: workloadURL("/workloads", item.ID),
		Container: report.ContainerWord(item), Resource: res.String(), Severity: r.SeverityWord(item, res),
		Request: wordsOf(request), Limit: wordsOf(limit), Danger: res == recommender.Memory && report.Endangered(item),
	}
	if item.Err != nil {
		out.Error = recommender.Printable(item.Err.Error())
		return out
	}
	for _, n := range item.Advice[res].Notes {
		one := tag{n.Code, slices.Contains([]string{recommender.NoteLimitBelowPeak, recommender.GuardOOMKilled}, n.Code)}
		if !slices.Contains(out.Notes, one) {
			out.Notes = append(out.Notes, one)
		}
	}
	return out
}

// wordsOf gives more its colour, and less.
func wordsOf(w report.Words) words {
	w.Text = strings.ReplaceAll(w.Text, "->", "\u2192")
	switch {
	case strings.HasPrefix(w.Change, "-"):
		return words{w, "less"}
	case w.Change == "" || w.Change == "=":
		return words{w, "dim"}
	}
	return words{w, "more"}
}

func namespaceURL(name string) string { return "/namespaces/" + url.PathEscape(name) }

// workloadURL is below a prefix what stands for the container's workload.
func workloadURL(prefix string, id recommender.ID) string {
	return prefix + "/" + url.PathEscape(id.Namespace) + "/" + url.PathEscape(strings.ToLower(id.Kind)) + "/" + url.PathEscape(id.Workload)
}

// pageWorkload is all that is known of one workload.
func (s *Server) pageWorkload(w http.ResponseWriter, r *http.Request) {
	n, p := s.current()
	var ref workload.Ref
	if p == nil {
		ref, p = n.find(r)
	}
	if p == nil {
		p = unfiltered(r)
	}
	if p != nil {
		s.pageProblem(w, r, p)
		return
	}
	id := recommender.ID{Namespace: ref.Namespace, Kind: ref.Kind, Workload: ref.Name}
	d := workloadPage{page: s.page(id.Ref(), link{ref.Namespace, namespaceURL(ref.Namespace)}, link{Text: id.Ref()})}
	if err := d.fill(n, id); err != nil {
		s.broken(w, r, err)
		return
	}
	if text, none := n.patchOf(ref); none == nil {
		d.Patch, d.PatchURL = string(text), workloadURL("/api/v1/patch", id)
	} else {
		d.NoPatch = none.Detail
	}
	s.render(w, r, http.StatusOK, "workload.html", d)
}

func (d *workloadPage) fill(n *snapshot, id recommender.ID) error {
	of := filter{Namespaces: []string{id.Namespace}, Kinds: []string{id.Kind}, Workloads: []string{id.Workload}}.of(n.Report)
	d.Rows, d.APIURL = rows(of), workloadURL("/api/v1/recommendations", id)
	for _, item := range of.Items {
		why, err := report.Details(of, item)
		if err != nil {
			return err
		}
		d.Details = append(d.Details, detail{report.ContainerWord(item), why})
	}
	return nil
}

// pageProblem answers a person.
func (s *Server) pageProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	said := *p
	said.RequestID = requestID(r.Context())
	s.render(w, r, p.Status, "problem.html", problemPage{s.page(p.Title, link{Text: p.Title}), said})
}
