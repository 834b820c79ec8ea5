package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// cacheVariable overrides where built binaries are kept between runs.
const cacheVariable = "RIGHTSIZE_E2E_CACHE"

// toolset is a module under tools/ and the programs that are built from it. Modules are apart where their
// dependencies cannot agree on versions.
type toolset struct {
	module   string // the folder under tools/
	tags     string
	ldflags  string
	programs []program
}

// program is a package to build, and what to call the result.
type program struct{ name, path string }

// Kubernetes and the rest compute compatibility from version strings that only the linker sets.
const kubernetesVersion = "-X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1 " +
	"-X k8s.io/component-base/version.gitMinor=36 -X k8s.io/client-go/pkg/version.gitVersion=v1.36.3"

// clusterTools are the programs of every run.
func clusterTools() []toolset {
	return []toolset{{
		module:  "cluster",
		tags:    "remove_all_sd", // leaves file, http and static discovery, and out the SDKs of all clouds
		ldflags: "-s -w -X github.com/prometheus/common/version.Version=3.15.0 " + kubernetesVersion,
		programs: []program{
			{"etcd", "go.etcd.io/etcd/server/v3"},
			{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
			{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
			{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
			{"kwok", "sigs.k8s.io/kwok/cmd/kwok"},
			{"prometheus", "github.com/prometheus/prometheus/cmd/prometheus"},
		},
	}, {
		module:   "kube-state-metrics",
		ldflags:  "-s -w -X github.com/prometheus/common/version.Version=v2.19.1",
		programs: []program{{"kube-state-metrics", "k8s.io/kube-state-metrics/v2"}},
	}}
}

func victoriaMetricsTools() toolset {
	return toolset{
		module:   "victoria-metrics",
		ldflags:  "-s -w",
		programs: []program{{"victoria-metrics", "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics"}},
	}
}

func thanosTools() toolset {
	return toolset{
		module:   "thanos",
		tags:     "netgo,slicelabels", // it reads labels of the old layout, and crashes with the other
		ldflags:  "-s -w -X github.com/prometheus/common/version.Version=0.42.1",
		programs: []program{{"thanos", "github.com/thanos-io/thanos/cmd/thanos"}},
	}
}

func kubeScoreTools() toolset {
	return toolset{
		module:   "kube-score",
		ldflags:  "-s -w",
		programs: []program{{"kube-score", "github.com/zegl/kube-score/cmd/kube-score"}},
	}
}

// tools builds programs once and finds them again in later runs.
type tools struct {
	source   string // e2e/tools
	cache    string
	group    *Group
	progress *progress
}

// cacheFolder is where binaries stay between runs.
func cacheFolder() (string, error) {
	if dir := os.Getenv(cacheVariable); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a folder for built binaries (set %s): %w", cacheVariable, err)
	}
	return filepath.Join(dir, "rightsize-e2e"), nil
}

// build returns the paths of a toolset's programs by name, building those that the cache does not have.
func (t *tools) build(set toolset) (map[string]string, error) {
	dir, err := t.folder(set)
	if err != nil {
		return nil, err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	defer unlock()
	paths := map[string]string{}
	for _, p := range set.programs {
		paths[p.name] = filepath.Join(dir, p.name)
		if _, err := os.Stat(paths[p.name]); err == nil {
			continue
		}
		if err := t.compile(set, p, paths[p.name]); err != nil {
			return nil, fmt.Errorf("building %s: %w", p.name, err)
		}
	}
	return paths, nil
}

// folder is named by everything that the programs are built from.
func (t *tools) folder(set toolset) (string, error) {
	hash := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(t.source, set.module, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(text), text)
	}
	fmt.Fprintln(hash, runtime.Version(), runtime.GOOS, runtime.GOARCH, buildFlags(set))
	dir := filepath.Join(t.cache, set.module+"-"+hex.EncodeToString(hash.Sum(nil))[:16])
	return dir, os.MkdirAll(dir, 0o755)
}

func buildFlags(set toolset) []string {
	return []string{"-trimpath", "-buildvcs=false", "-tags=" + set.tags, "-ldflags=" + set.ldflags}
}

// compile builds one program next to its place, and puts it there when it is whole.
func (t *tools) compile(set toolset, p program, path string) error {
	defer t.progress.task("building " + p.name)()
	args := append([]string{"build"}, buildFlags(set)...)
	cmd := exec.Command("go", append(args, "-o", path+".new", p.path)...)
	cmd.Dir = filepath.Join(t.source, set.module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if _, err := t.group.Run(cmd); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// lock holds a file against other runs of the harness until the returned function is called.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// progress tells a person who waits what is being done, on standard error.
type progress struct {
	w     io.Writer
	every time.Duration
}

// task says that something began, says again now and then that it goes on, and when the returned function
// is called that it ended, and how long it took.
func (p *progress) task(what string) (end func()) {
	begin, ticker, quit := time.Now(), time.NewTicker(p.every), make(chan struct{})
	fmt.Fprintf(p.w, "e2e: %s\n", what)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				fmt.Fprintf(p.w, "e2e: %s, %.0f s so far\n", what, time.Since(begin).Seconds())
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(quit)
		<-done
		fmt.Fprintf(p.w, "e2e: %s took %.1f s\n", what, time.Since(begin).Seconds())
	}
}

// debianPrometheus unpacks the prometheus program of Debian's package, which is 2.42 in bookworm, without
// installing it. The package's version is part of its place in the cache.
func (t *tools) debianPrometheus() (string, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", errors.New("Prometheus 2.42 comes from Debian's package prometheus: it needs apt-get and dpkg-deb, as Debian 12 has them")
	}
	path := filepath.Join(t.cache, "debian-prometheus-2.42", "prometheus")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Dir(path) + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	defer t.progress.task("unpacking Debian's package prometheus")()
	return path, t.unpackDebian(path)
}

func (t *tools) unpackDebian(path string) error {
	dir, err := os.MkdirTemp("", "rightsize-e2e-debian")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	download := exec.Command("apt-get", "download", "prometheus=2.42*")
	download.Dir = dir
	if _, err := t.group.Run(download); err != nil {
		return fmt.Errorf("downloading Debian's package prometheus 2.42 (is it in the sources of apt? apt-get update?): %w", err)
	}
	packages, err := filepath.Glob(filepath.Join(dir, "prometheus_*.deb"))
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("downloading Debian's package prometheus gave %d files, want 1", len(packages))
	}
	if _, err := t.group.Run(exec.Command("dpkg-deb", "-x", packages[0], dir)); err != nil {
		return err
	}
	return moveProgram(filepath.Join(dir, "usr", "bin", "prometheus"), path)
}

// moveProgram copies a program between file systems, whole or not at all.
func moveProgram(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to+".new", text, 0o755); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}

// binary builds the product's own command as it is in the working tree, as make build and the Dockerfile do: what is
// tested and measured is what is shipped, which needs no libraries.
func (t *tools) binary(root, path string) error {
	defer t.progress.task("building rightsize")()
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/rightsize")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	_, err := t.group.Run(cmd)
	return err
}
