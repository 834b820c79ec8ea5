package patch

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/kustomize/api/konfig"
)

// Commit writes files, and removes those that are nil: all of them or, with an error, none.
//
// Everything is written and synced under temporary names (.rightsize-*) in the files' own folders before the
// first file is replaced, so that a full disk is noticed while everything is as it was. Then files are renamed
// one by one, each at once old or new: first what kustomizations list, then kustomizations, and at last
// files are removed. A process that is killed in between leaves a kustomization that names only files that are
// there, each whole; running again completes it. Its temporary files stay.
//
// Files keep their mode, and a link stays a link to what is replaced.
func Commit(files map[string][]byte) error {
	t := &transaction{}
	err := t.prepare(files)
	for _, s := range t.swaps {
		if err == nil {
			err = s.do()
		}
	}
	if err != nil {
		return errors.Join(err, t.back())
	}
	t.tidy()
	return nil
}

// swap is one file on its way.
type swap struct {
	path     string // real
	new, old string // temporary names; new is empty for a file to remove, old for one that was not there
	done     bool
}

type transaction struct {
	swaps   []*swap
	folders []string // that were made, outermost first
}

// prepare does all that can fail for want of room or permission.
func (t *transaction) prepare(files map[string][]byte) error {
	for _, path := range inCommitOrder(files) {
		real, err := realPath(path)
		if err != nil {
			return err
		}
		text := files[path]
		if text != nil {
			if err := t.folder(filepath.Dir(real)); err != nil {
				return err
			}
		}
		s := &swap{path: real}
		t.swaps = append(t.swaps, s)
		if err := s.prepare(text); err != nil {
			return fmt.Errorf("writing %s: %w", path, plainPathError(err))
		}
	}
	return nil
}

// inCommitOrder is patches, then kustomizations, then what is removed.
func inCommitOrder(files map[string][]byte) []string {
	rank := func(path string) int {
		switch {
		case files[path] == nil:
			return 2
		case slices.Contains(konfig.RecognizedKustomizationFileNames(), filepath.Base(path)):
			return 1
		}
		return 0
	}
	paths := slices.Sorted(maps.Keys(files))
	slices.SortStableFunc(paths, func(a, b string) int { return rank(a) - rank(b) })
	return paths
}

// folder makes a folder with those above it, and remembers what it made.
func (t *transaction) folder(path string) error {
	var missing []string
	for p := path; ; p = filepath.Dir(p) {
		_, err := os.Stat(p)
		if err == nil || p == filepath.Dir(p) {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("making the folder %s: %w", path, plainPathError(err))
		}
		missing = append(missing, p)
	}
	for _, p := range slices.Backward(missing) {
		if err := os.Mkdir(p, 0o777); err != nil { // less what the umask takes
			return fmt.Errorf("making the folder %s: %w", path, plainPathError(err))
		}
		t.folders = append(t.folders, p)
	}
	return nil
}

const temporaryPrefix = ".rightsize-"

func (s *swap) prepare(text []byte) error {
	mode := fs.FileMode(0o666) // of a new file, less what the umask takes
	info, err := os.Lstat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is no regular file")
	default:
		mode = info.Mode().Perm()
		if err := s.keep(); err != nil {
			return err
		}
	}
	if text == nil {
		return nil
	}
	return s.write(text, mode, s.old != "")
}

// keep gives what is there a second name, to come back by.
func (s *swap) keep() error {
	dir, base := filepath.Split(s.path)
	f, err := os.CreateTemp(dir, temporaryPrefix+"old-*")
	if err != nil {
		return err
	}
	s.old = f.Name()
	if err := errors.Join(f.Close(), os.Remove(s.old)); err != nil {
		return err
	}
	if os.Link(s.path, s.old) == nil {
		return nil
	}
	// Some file systems have no links.
	text, err := os.ReadFile(filepath.Join(dir, base))
	if err != nil {
		return err
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	return writeSynced(s.old, text, info.Mode().Perm(), true)
}

func (s *swap) write(text []byte, mode fs.FileMode, exact bool) error {
	f, err := os.CreateTemp(filepath.Dir(s.path), temporaryPrefix+"new-*")
	if err != nil {
		return err
	}
	s.new = f.Name()
	if err := errors.Join(f.Close(), os.Remove(s.new)); err != nil {
		return err
	}
	return writeSynced(s.new, text, mode, exact)
}

// writeSynced writes a new file to the disk; an exact mode is not subject to the umask.
func writeSynced(path string, text []byte, mode fs.FileMode, exact bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && exact {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (s *swap) do() error {
	var err error
	if s.new != "" {
		err = os.Rename(s.new, s.path)
	} else if s.old != "" {
		err = os.Remove(s.path)
	}
	if err != nil {
		return fmt.Errorf("replacing %s: %w", s.path, plainPathError(err))
	}
	s.done = true
	return nil
}

// back restores what was there, the last first.
func (t *transaction) back() (err error) {
	for _, s := range slices.Backward(t.swaps) {
		switch {
		case !s.done:
		case s.old != "":
			err = errors.Join(err, os.Rename(s.old, s.path))
		case s.new != "":
			err = errors.Join(err, os.Remove(s.path))
		}
	}
	t.tidy()
	for _, f := range slices.Backward(t.folders) {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}

// tidy removes temporary files. One that cannot be removed harms nobody.
func (t *transaction) tidy() {
	for _, s := range t.swaps {
		for _, path := range []string{s.new, s.old} {
			if path != "" {
				_ = os.Remove(path)
			}
		}
		syncFolder(filepath.Dir(s.path))
	}
}

// syncFolder makes names last through a power cut, where the file system can.
func syncFolder(path string) {
	if f, err := os.Open(path); err == nil {
		_ = f.Sync()
		_ = f.Close()
	}
}

// plainPathError is the reason alone: the path is a temporary one, which says nothing.
func plainPathError(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
