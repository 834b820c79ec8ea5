package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// result is what a user sees of a run of the command.
type result struct {
	stdout, stderr string
	code           int
	usage          cluster.Usage
}

// rightsize runs the command with nothing but these arguments: no kubeconfig, no Prometheus.
func rightsize(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(env.cluster.Rightsize, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + cmd.Dir, "PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + os.DevNull}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	usage, err := env.cluster.Group().Measure(cmd)
	if err != nil {
		t.Fatalf("running %v: %v", cmd.Args, err)
	}
	r := result{stdout.String(), stderr.String(), usage.ExitCode, usage}
	noSecrets(t, r)
	return r
}

// as are the arguments for somebody who asks the cluster and Prometheus for namespace shop.
func as(u cluster.User, more ...string) []string {
	return slices.Concat(fromCluster(u), fromPrometheus(env.prometheus.URL()), atUntil(), more)
}

func fromCluster(u cluster.User) []string {
	return []string{"-n", cluster.Namespace, "--kubeconfig", env.cluster.Kubeconfig(u)}
}

func fromPrometheus(url string) []string { return []string{"--prometheus-url", url} }

func atUntil() []string { return []string{"--until", env.until.Format(time.RFC3339)} }

// wantCode fails the test if the exit code is another.
func (r result) wantCode(t *testing.T, want int) {
	t.Helper()
	if r.code != want {
		t.Fatalf("exit code is %d, want %d; stderr:\n%s\nstdout:\n%.2000s", r.code, want, r.stderr, r.stdout)
	}
}

// wantErrors fails the test unless stderr has all of these, and stdout has nothing.
func (r result) wantErrors(t *testing.T, texts ...string) {
	t.Helper()
	t.Log(r.stderr) // what a person reads
	if r.stdout != "" {
		t.Errorf("stdout is not empty: %.500s", r.stdout)
	}
	r.wantStderr(t, texts...)
}

func (r result) wantStderr(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stderr, text) {
			t.Errorf("stderr does not have %q:\n%s", text, r.stderr)
		}
	}
}

// noSecrets fails the test if a token is in the output.
func noSecrets(t *testing.T, r result) {
	t.Helper()
	for _, u := range []cluster.User{cluster.Viewer, cluster.Partial, cluster.Nobody, cluster.WrongToken} {
		if strings.Contains(r.stdout+r.stderr, cluster.Token(u)) {
			t.Errorf("the token of %s is in the output", u)
		}
	}
}

// report is the part of the JSON report that tests read.
type report struct {
	Source     struct{ Kind, Address, Read string }
	Ownership  struct{ ByOwner, ByObject, ByName, Ambiguous, Unknown int }
	Containers []container
	Warnings   []string
	Retargets  []struct {
		Kind, Name string
		From, To   int
	}
}

type container struct {
	Namespace, Kind, Workload, Container, Error string
	Runs, Replicas                              int
	Init                                        bool
	OOMKills                                    []struct {
		Pod   string
		At    time.Time
		Limit float64 `json:"limitBytes"`
	}
	Resources  map[string]advice
	QoS        struct{ Now, After string }
	PolicyRule string
}

// advice is what the report says of one resource of a container.
type advice struct {
	Status                        string
	Current, Formula, Recommended bounds
	Notes                         []struct{ Code, Text string }
	Evidence                      struct {
		Samples, Pods int
		P50, P99      float64
	}
}

type bounds struct{ Request, Limit amount }

// amount is in cores or bytes, where the state is "set".
type amount struct {
	State  string
	Amount float64
}

// name is the container as "deployment/web/app".
func (c container) name() string {
	return strings.ToLower(c.Kind) + "/" + c.Workload + "/" + c.Container
}

// reportOf runs the command for a JSON report, which must come out whole.
func reportOf(t *testing.T, args ...string) report {
	t.Helper()
	r := rightsize(t, append(args, "-o", "json")...)
	r.wantCode(t, 0)
	return r.report(t)
}

func (r result) report(t *testing.T) report {
	t.Helper()
	var out report
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("reading the report: %v\n%.2000s", err, r.stdout)
	}
	return out
}

// container finds one by "deployment/web/app".
func (r report) container(t *testing.T, name string) container {
	t.Helper()
	i := slices.IndexFunc(r.Containers, func(c container) bool { return c.name() == name })
	if i < 0 {
		t.Fatalf("the report has no %s: it has %v", name, r.names())
	}
	return r.Containers[i]
}

func (r report) names() []string {
	var names []string
	for _, c := range r.Containers {
		names = append(names, c.name())
	}
	return names
}

// notes are the codes of a resource's notes.
func (c container) notes(resource string) []string {
	var codes []string
	for _, n := range c.Resources[resource].Notes {
		codes = append(codes, n.Code)
	}
	return codes
}

// allNotes are all notes of a container, for messages.
func (c container) allNotes() string {
	text, _ := json.Marshal(c.Resources)
	return string(text)
}
