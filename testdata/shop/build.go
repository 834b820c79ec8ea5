package shop

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// sources are the generator itself, from which the version of what it generates follows.
//
//go:embed *.go manifests/*.yaml neighbours/*.yaml
var sources embed.FS

// stamp is the file of a demo folder that holds its version.
const stamp = "VERSION"

// Version names what this generator writes: a hash of its sources and manifests, so that a folder of another
// version is known to be out of date.
func Version() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(sources, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := sources.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hashing the generator's sources: %w", err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8]), nil
}

// Build makes dir a demo folder: tsdb with the history, manifests with the declared workloads. It does
// nothing, and says so, where dir is one of this version already. A folder is there whole or not at all; one
// that is not a demo folder, nor empty, is left alone and an error.
func Build(ctx context.Context, dir string) (built bool, err error) {
	return build(ctx, dir, Options{})
}

func build(ctx context.Context, dir string, o Options) (built bool, err error) {
	version, err := Version()
	if err != nil {
		return false, err
	}
	if current, err := replaceable(dir, version); current || err != nil {
		return false, err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return false, err
	}
	staging, err := os.MkdirTemp(parent, ".demo-*")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(staging)) }()
	fresh := filepath.Join(staging, "new")
	if err := fill(ctx, fresh, version, o); err != nil {
		return false, fmt.Errorf("generating %s: %w", dir, err)
	}
	return true, swap(dir, fresh, filepath.Join(staging, "old"))
}

// replaceable says whether dir is of this version, and is an error where it may not be replaced.
func replaceable(dir, version string) (current bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, stamp))
	if err == nil {
		return strings.TrimSpace(string(text)) == version, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case len(entries) > 0:
		return false, fmt.Errorf("%s has files in it but no %s: it is not a demo folder, and stays as it is", dir, stamp)
	}
	return false, nil
}

func fill(ctx context.Context, dir, version string, o Options) error {
	if err := Write(ctx, filepath.Join(dir, "tsdb"), o); err != nil {
		return err
	}
	if err := os.CopyFS(dir, Manifests); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, stamp), []byte(version+"\n"), 0o644)
}

// swap puts fresh where dir is, and dir, if there is one, where old is.
func swap(dir, fresh, old string) error {
	if err := ignoreMissing(os.Rename(dir, old)); err != nil {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return errors.Join(err, ignoreMissing(os.Rename(old, dir)))
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
