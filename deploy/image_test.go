package deploy

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// root is the repository's folder, which is the context that the image is built from.
const root = ".."

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lines are those of a text that are neither empty nor a comment.
func lines(text string) []string {
	return slices.DeleteFunc(strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "#")
	})
}

// stage are the instructions of the Dockerfile that follow a FROM, by name, the FROM among them.
func stage(t *testing.T, from *regexp.Regexp) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, line := range lines(read(t, root, "Dockerfile")) {
		name, args, _ := strings.Cut(line, " ")
		if name == "FROM" && (len(found) > 0 || !from.MatchString(args)) {
			if len(found) > 0 {
				break
			}
			continue
		}
		if name == "FROM" || len(found) > 0 {
			found[name] = append(found[name], strings.Join(strings.Fields(args), " "))
		}
	}
	if len(found) == 0 {
		t.Fatalf("the Dockerfile has no FROM %s", from)
	}
	return found
}

func buildStage(t *testing.T) map[string][]string {
	t.Helper()
	return stage(t, regexp.MustCompile(` AS build$`))
}

// The image has the binary and the certificates and nothing else, and does not run as root.
func TestImage(t *testing.T) {
	image := stage(t, regexp.MustCompile(`^scratch$`))
	pod, container := podOf(t, build(t, "secret"))
	user := pod.Spec.SecurityContext
	for name, want := range map[string][]string{
		"COPY": {
			"--from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt", // where Go looks first
			"--from=build /out/rightsize /rightsize",
		},
		"USER":       {fmt.Sprintf("%d:%d", *user.RunAsUser, *user.RunAsGroup)},
		"ENTRYPOINT": {`["/rightsize"]`},
	} {
		if !slices.Equal(image[name], want) {
			t.Errorf("%s is %q, want %q", name, image[name], want)
		}
	}
	labels := strings.Join(image["LABEL"], " ")
	for _, label := range []string{"title", "description", "source", "licenses", "version"} {
		if !strings.Contains(labels, "org.opencontainers.image."+label+"=") {
			t.Errorf("the image lacks the label %s", label)
		}
	}
	checkTag(t, container)
}

// checkTag wants a tag that stays what it is: a version.
func checkTag(t *testing.T, c corev1.Container) {
	t.Helper()
	if !regexp.MustCompile(`^ghcr\.io/rightsize/rightsize:v\d+\.\d+\.\d+$`).MatchString(c.Image) {
		t.Errorf("the image is %s, want ghcr.io/rightsize/rightsize of a version", c.Image)
	}
}

// The image is built by a Go that go.mod allows, of the same minor version, and pinned.
func TestImageIsBuiltByTheSameGo(t *testing.T) {
	from := buildStage(t)["FROM"][0]
	pinned := regexp.MustCompile(`golang:(\d+\.\d+\.\d+) `).FindStringSubmatch(from)
	wanted := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(read(t, root, "go.mod"))
	if pinned == nil || wanted == nil {
		t.Fatalf("FROM %s has no version, or go.mod none", from)
	}
	image, module := "go"+pinned[1], "go"+wanted[1]
	if version.Lang(image) != version.Lang(module) || version.Compare(image, module) < 0 {
		t.Errorf("the Dockerfile has %s, go.mod %s", image, module)
	}
}

// What is sent to docker build is what git tracks: secrets and outputs stay, and Go sees no change in the tree.
func TestDockerIgnoresWhatGitIgnores(t *testing.T) {
	var want []string
	for _, folder := range []string{"", "deploy"} {
		for _, line := range lines(read(t, root, folder, ".gitignore")) {
			want = append(want, strings.TrimPrefix(filepath.Join(folder, line), "/"))
		}
	}
	got := lines(read(t, root, ".dockerignore"))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf(".dockerignore has %q, the .gitignore files %q", got, want)
	}
}

// The Dockerfile's own command makes a static binary, in a clone without anything else, that knows its version
// and takes the arguments of every CronJob and Deployment.
func TestImageBinary(t *testing.T) {
	clone, commit := cloned(t)
	binary := imageBuild(t, clone, "")
	if runtime.GOOS == "linux" {
		checkStatic(t, binary)
	}
	if got, want := run(t, binary, "version"), "rightsize devel-"+commit[:12]+"\n"; got != want {
		t.Errorf("version says %q, want %q", got, want)
	}
	for _, overlay := range everyOverlay(t) {
		_, container := podOf(t, build(t, overlay))
		run(t, binary, append(container.Args, "--help")...) // unknown flags are an error all the same
	}
	if got := run(t, imageBuild(t, clone, "v1.2.3"), "version"); got != "rightsize v1.2.3\n" {
		t.Errorf("with VERSION=v1.2.3, version says %q", got)
	}
}

// imageBuild runs the Dockerfile's go build and returns the binary's path.
func imageBuild(t *testing.T, clone, version string) string {
	t.Helper()
	commands := buildStage(t)["RUN"]
	i := slices.IndexFunc(commands, func(c string) bool { return strings.Contains(c, "go build") })
	binary := filepath.Join(t.TempDir(), "rightsize")
	cmd := exec.Command("sh", "-c", strings.Replace(commands[i], "/out/rightsize", binary, 1))
	cmd.Dir = clone
	cmd.Env = append(os.Environ(), "TARGETOS=", "TARGETARCH=", "VERSION="+version, "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", commands[i], err, out)
	}
	return binary
}

// cloned is a repository of one commit with the files that the command is built from, as they are now.
func cloned(t *testing.T) (dir, commit string) {
	t.Helper()
	dir = t.TempDir()
	for _, path := range sources(t) {
		to := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, []byte(read(t, root, path)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) string {
		return run(t, "git", append([]string{"-C", dir, "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"}, args...)...)
	}
	git("init", "--quiet")
	git("add", ".")
	git("commit", "--quiet", "--message=test")
	return dir, strings.TrimSpace(git("rev-parse", "HEAD"))
}

// sources are the paths of the files of this module that the command is built from.
func sources(t *testing.T) []string {
	t.Helper()
	paths := []string{"go.mod", "go.sum"}
	base, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	list := json.NewDecoder(strings.NewReader(run(t, "go", "list", "-C", root, "-deps", "-json=Dir,Module,GoFiles,EmbedFiles", "./cmd/rightsize")))
	for {
		var p struct {
			Dir                 string
			Module              *struct{ Main bool }
			GoFiles, EmbedFiles []string
		}
		if err := list.Decode(&p); errors.Is(err, io.EOF) {
			return paths
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		dir, err := filepath.Rel(base, p.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Concat(p.GoFiles, p.EmbedFiles) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", filepath.Base(name), args, err, &stderr)
	}
	return string(out)
}

// checkStatic wants a binary that asks for no loader, which an image from scratch does not have.
func checkStatic(t *testing.T, binary string) {
	t.Helper()
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary has a segment %s", p.Type)
		}
	}
}

// The workflow looks for known vulnerabilities in what the image is built from, of its own accord too, and may do nothing
// but read.
func TestVulnerabilitiesAreLookedFor(t *testing.T) {
	var workflow struct {
		On          map[string]any    `json:"true"` // YAML 1.1 reads the key on so
		Permissions map[string]string `json:"permissions"`
		Jobs        map[string]struct {
			Steps []struct {
				Run string `json:"run"`
			} `json:"steps"`
		} `json:"jobs"`
	}
	if err := yaml.Unmarshal([]byte(read(t, root, ".github", "workflows", "vulnerabilities.yaml")), &workflow); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"push", "pull_request", "schedule"} {
		if _, found := workflow.On[when]; !found {
			t.Errorf("the workflow does not run on %s", when)
		}
	}
	if !maps.Equal(workflow.Permissions, map[string]string{"contents": "read"}) {
		t.Errorf("the workflow has the permissions %v", workflow.Permissions)
	}
	pinned := regexp.MustCompile(`^go run golang\.org/x/vuln/cmd/govulncheck@v\d+\.\d+\.\d+ \./\.\.\.$`)
	steps := workflow.Jobs["govulncheck"].Steps
	if len(steps) == 0 || !pinned.MatchString(steps[len(steps)-1].Run) {
		t.Errorf("the last step is not govulncheck of a version over everything: %v", steps)
	}
}
