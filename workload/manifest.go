package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options are how manifests are read.
type Options struct {
	Namespace string    // of objects that do not name one; "default" if empty
	Recursive bool      // read folders with all that is below them, as kubectl's -R does
	Stdin     io.Reader // what "-" reads
}

// Load reads the workloads that manifests declare. A path is a file of YAML or JSON documents, a folder
// with a kustomization, which is built, a folder of *.yaml, *.yml and *.json files, or "-". Errors name the
// file and, where there is one, the line in it.
func Load(ctx context.Context, paths []string, o Options) (*Inventory, error) {
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	l := &loader{options: o, found: map[Ref]place{}, inv: &Inventory{Manifests: true}, around: newSurroundings()}
	l.visit = visitor{l.file, l.kustomize}
	for _, p := range paths {
		if err := l.path(ctx, p); err != nil {
			return nil, err
		}
	}
	slices.Sort(l.inv.Namespaces)
	l.inv.Namespaces = slices.Compact(l.inv.Namespaces)
	l.inv.join()
	l.inv.sort()
	l.around.attach(l.inv.Workloads)
	return l.inv, nil
}

// PlainFiles lists the files that Load reads, in order and each once, for those who edit them: it refuses
// kustomizations, whose files do not say what is deployed, and standard input.
func PlainFiles(ctx context.Context, paths []string, recursive bool) ([]string, error) {
	var files []string
	l := &loader{options: Options{Recursive: recursive}, inv: &Inventory{}}
	l.visit.file = func(path string) error {
		files = append(files, filepath.Clean(path))
		return nil
	}
	l.visit.kustomization = func(folder string) error {
		return fmt.Errorf("editing %s in place: it has a kustomization: patch it with --into %s", folder, folder)
	}
	for _, p := range paths {
		if p == "-" {
			return nil, errors.New("editing - in place: standard input cannot be edited: give files or folders")
		}
		if err := l.path(ctx, p); err != nil {
			return nil, err
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// place is where an object stands.
type place struct {
	source string // a file, or a folder with a kustomization
	line   int    // of the document's first line, from 1; 0 where there are no lines
	item   string // "items[3]" in a list
}

func (p place) String() string {
	s := p.source
	if p.line > 0 {
		s = fmt.Sprintf("%s:%d", s, p.line)
	}
	if p.item != "" {
		s += " (" + p.item + ")"
	}
	return s
}

func (p place) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: "+format, append([]any{p}, args...)...)
}

// loader collects what is declared.
type loader struct {
	options Options
	visit   visitor
	inv     *Inventory
	around  *surroundings
	found   map[Ref]place // workloads, to tell where one was declared before
	stdin   bool          // stdin has been read
}

// visitor is what is done with what paths lead to.
type visitor struct {
	file          func(path string) error
	kustomization func(folder string) error
}

func (l *loader) path(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if path == "-" {
		return l.standardInput()
	}
	info, err := os.Stat(path)
	if err != nil {
		return unreadable(path, err)
	}
	if !info.IsDir() {
		return l.visitFile(path)
	}
	before := l.inv.Skipped + len(l.found)
	read, err := l.folder(ctx, path)
	switch {
	case err != nil:
		return err
	case read == 0 && l.options.Recursive:
		return fmt.Errorf("reading %s: no *.yaml, *.yml or *.json files and no kustomization in it or below", path)
	case read == 0:
		return fmt.Errorf("reading %s: no *.yaml, *.yml or *.json files and no kustomization in it; folders below it are read with --recursive", path)
	case l.inv.Skipped+len(l.found) == before:
		l.inv.Warnings = append(l.inv.Warnings, path+": there are no Kubernetes objects in it")
	}
	return nil
}

// folder reads a folder and returns how many files and kustomizations it had.
func (l *loader) folder(ctx context.Context, path string) (read int, err error) {
	if kustomized(path) {
		return 1, l.visit.kustomization(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return 0, unreadable(path, err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return read, err
		}
		n, err := l.entry(ctx, filepath.Join(path, e.Name()), e)
		read += n
		if err != nil {
			return read, err
		}
	}
	return read, nil
}

func (l *loader) entry(ctx context.Context, path string, e fs.DirEntry) (read int, err error) {
	switch {
	case e.IsDir() && l.options.Recursive && !strings.HasPrefix(e.Name(), ".."):
		// "..data" and the like are where the kubelet keeps the real files of a mounted ConfigMap.
		return l.folder(ctx, path)
	case e.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)):
		return 0, nil
	}
	info, err := os.Stat(path) // e is not followed where it is a link
	if err != nil {
		return 0, unreadable(path, err)
	}
	if info.IsDir() {
		return 0, nil
	}
	return 1, l.visitFile(path)
}

// unreadable is one line: os's errors name the path in their own way.
func unreadable(path string, err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Errorf("reading %s: %w", path, err)
}

func (l *loader) standardInput() error {
	if l.options.Stdin == nil || l.stdin {
		return errors.New(`reading -: standard input can be read only once`)
	}
	l.stdin = true
	data, err := io.ReadAll(l.options.Stdin)
	if err != nil {
		return fmt.Errorf("reading standard input: %w", err)
	}
	objects := l.inv.Skipped + len(l.found)
	if err := l.documents("standard input", data); err != nil {
		return err
	}
	if l.inv.Skipped+len(l.found) == objects {
		l.inv.Warnings = append(l.inv.Warnings, "standard input: there are no Kubernetes objects in it")
	}
	return nil
}

func (l *loader) visitFile(path string) error {
	if isKustomization(path) {
		return fmt.Errorf("reading %s: it is a kustomization: give the folder that it is in", path)
	}
	return l.visit.file(path)
}

func (l *loader) file(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return unreadable(path, err)
	}
	return l.documents(path, data)
}

func (l *loader) documents(source string, data []byte) error {
	for _, d := range split(data) {
		objects, err := d.decode(source)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if err := l.object(o.place, o.json); err != nil {
				return err
			}
		}
	}
	return nil
}

// document is one YAML document of a file, or what stands for one in JSON.
type document struct {
	text []byte
	line int // its first line in the file, from 1
}

// split takes a file apart at the lines that start or end YAML documents. Each keeps its "---", which may
// have content behind it, and everything keeps its line.
func split(data []byte) []document {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var docs []document
	start, line := 0, 1
	current := document{line: 1}
	flush := func(end, next int) {
		current.text = data[start:end]
		if !current.blank() {
			docs = append(docs, current)
		}
		start, current = end, document{line: next}
	}
	for at := 0; at < len(data); line++ {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		switch text := data[at:end]; {
		case marks(text, "---") && !directives(data[start:at]):
			flush(at, line)
		case marks(text, "..."):
			flush(end, line+1)
		}
		at = end
	}
	flush(len(data), line)
	return docs
}

// marks says that the line is the marker, alone or with something behind it.
func marks(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n"))
}

// directives says that the text holds %YAML or %TAG lines and nothing else: they belong to the document
// that the next "---" starts.
func directives(text []byte) bool {
	any := false
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0 || line[0] == '#':
		case line[0] == '%':
			any = true
		default:
			return false
		}
	}
	return any
}

// blank says that there is nothing but comments, empty lines and markers.
func (d document) blank() bool { return d.content() == 0 }

// lines is how many lines it has, at least 1.
func (d document) lines() int {
	return max(1, bytes.Count(bytes.TrimRight(d.text, "\r\n"), []byte("\n"))+1)
}

// content is the line of the first thing that is not a comment, in the file, or 0.
func (d document) content() int {
	n := d.line
	for line := range bytes.Lines(d.text) {
		for _, marker := range []string{"---", "..."} {
			if marks(line, marker) {
				line = line[len(marker):]
			}
		}
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && line[0] != '%' {
			return n
		}
		n++
	}
	return 0
}
