package patch

import (
	"bufio"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// childEnv makes the test binary commit files instead of testing: "full DIR" with room for small files only,
// "forever DIR" again and again until it is killed.
const childEnv = "RIGHTSIZE_PATCH_CHILD"

func TestMain(m *testing.M) {
	what, dir, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		os.Exit(m.Run())
	}
	if err := child(what, dir); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func child(what, dir string) error {
	if what == "full" {
		signal.Ignore(syscall.SIGXFSZ) // an error instead
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: 4096}); err != nil {
			return err
		}
		return Commit(version(dir, "new", 1<<20))
	}
	for i := 0; ; i++ {
		if err := Commit(version(dir, []string{"a", "b"}[i%2], 1000)); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// version is a component of twenty patches. Every second one is in either version only.
func version(dir, name string, size int) map[string][]byte {
	files := map[string][]byte{}
	var listed []string
	for i := range 20 {
		file := fmt.Sprintf("patch-%d-%s.yaml", i, name)
		if i%2 == 0 {
			file = fmt.Sprintf("patch-%d.yaml", i)
		} else if name == "a" {
			files[filepath.Join(dir, fmt.Sprintf("patch-%d-b.yaml", i))] = nil
		} else {
			files[filepath.Join(dir, fmt.Sprintf("patch-%d-a.yaml", i))] = nil
		}
		listed = append(listed, file)
		files[filepath.Join(dir, file)] = []byte(strings.Repeat(name, size))
	}
	files[filepath.Join(dir, "patch-2.yaml")] = []byte(name) // is done before the disk is full
	files[filepath.Join(dir, "kustomization.yaml")] = []byte(strings.Join(listed, "\n"))
	return files
}

// contents are all files below the folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func childCommand(t *testing.T, what, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childEnv+"="+what+" "+dir)
	return cmd
}

func TestCommitFullDisk(t *testing.T) {
	dir := t.TempDir()
	commit(t, version(dir, "a", 100))
	before := contents(t, dir)
	out, err := childCommand(t, "full", dir).Output()
	if err == nil || !strings.Contains(string(out), "patch-0.yaml: file too large") {
		t.Errorf("Commit on a full disk says %q, %v", out, err)
	}
	if after := contents(t, dir); !maps.Equal(after, before) {
		t.Errorf("files are now %q, were %q", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
	if out, err = childCommand(t, "full", filepath.Join(dir, "deep", "down")).Output(); err == nil {
		t.Errorf("Commit into a new folder says %q", out)
	}
	if _, err := os.Stat(filepath.Join(dir, "deep")); err == nil {
		t.Error("its folder stays")
	}
}

// TestCommitKilled kills a process at any point of a commit: the kustomization names only files that are
// there, each as one of the versions has it.
func TestCommitKilled(t *testing.T) {
	for i := range 20 {
		dir := t.TempDir()
		cmd := childCommand(t, "forever", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != fmt.Sprint(i%5); {
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
		whole(t, dir)
		commit(t, version(dir, "a", 1000))
		whole(t, dir)
	}
}

func whole(t *testing.T, dir string) {
	t.Helper()
	files := contents(t, dir)
	for _, name := range strings.Split(files[filepath.Join(dir, "kustomization.yaml")], "\n") {
		text, ok := files[filepath.Join(dir, name)]
		if !ok || name != "patch-2.yaml" && text != strings.Repeat("a", 1000) && text != strings.Repeat("b", 1000) {
			t.Errorf("%s is listed: there %v, with %d bytes", name, ok, len(text))
		}
	}
}

// TestCommitGoesBack fails at the last step, when all else has been replaced.
func TestCommitGoesBack(t *testing.T) {
	dir := t.TempDir()
	commit(t, version(dir, "a", 10))
	before := contents(t, dir)
	tr := &transaction{}
	if err := tr.prepare(version(dir, "b", 10)); err != nil {
		t.Fatal(err)
	}
	for _, s := range tr.swaps {
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
	}
	if maps.Equal(contents(t, dir), before) {
		t.Fatal("nothing was replaced")
	}
	if err := tr.back(); err != nil {
		t.Error(err)
	}
	if after := contents(t, dir); !maps.Equal(after, before) {
		t.Errorf("files are now %q, were %q", after, before)
	}
}

func TestCommitKeepsModesAndLinks(t *testing.T) {
	dir := t.TempDir()
	real, link, gone := filepath.Join(dir, "real"), filepath.Join(dir, "link"), filepath.Join(dir, "gone")
	for _, path := range []string{real, gone} {
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(real, 0o775); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	commit(t, map[string][]byte{link: []byte("new"), gone: nil})
	info, err := os.Stat(real)
	if err != nil || info.Mode().Perm() != 0o775 {
		t.Errorf("mode %v, %v; want 0775", info.Mode(), err)
	}
	if target, err := os.Readlink(link); err != nil || target != real {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	if files := contents(t, dir); len(files) != 2 || files[real] != "new" {
		t.Errorf("files are %q", files)
	}
	if err := Commit(map[string][]byte{dir: []byte("x")}); err == nil || !strings.Contains(err.Error(), "it is no regular file") {
		t.Errorf("Commit onto a folder says %v", err)
	}
}
