package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rightsize/rightsize/testdata/promserver"
	"github.com/rightsize/rightsize/testdata/shop"
)

// rightsize runs the real binary in the demo's folder and returns what it printed and its exit code.
func rightsize(t *testing.T, demo string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd, out, errs := command(demo, args...)
	code = exitOf(t, cmd.Run())
	return out.String(), errs.String(), code
}

func command(demo string, args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd = exec.Command("rightsize", append(args, "-n", "shop", "-f", filepath.Join(demo, "manifests"), "--until", shop.Until.Format("2006-01-02T15:04:05Z07:00"))...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

func exitOf(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		return exit.ExitCode()
	}
	return 0
}

// A signal in the middle of a scan ends it, with the shell's exit code and nothing on stdout.
func testSignal(t *testing.T, demo string, signal os.Signal, want int) {
	asked := make(chan struct{}, 10)
	cmd, stdout, stderr := command(demo, "--prometheus-url", serve(t, slow(asked)))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if code := exitOf(t, cmd.Wait()); code != want || stdout.Len() > 0 {
		t.Errorf("exit %d, want %d; stdout %q, want nothing; stderr %q", code, want, stdout, stderr)
	}
	if want := "rightsize: stopped by " + signal.String() + "\n"; stderr.String() != want {
		t.Errorf("stderr = %q, want %q", stderr, want)
	}
}

// Under nohup a hangup is not for us: what ends the command is the signal after it.
func testNohup(t *testing.T, demo string) {
	asked := make(chan struct{}, 10)
	cmd, _, stderr := command(demo, "--prometheus-url", serve(t, slow(asked)))
	cmd.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`}, cmd.Args...)
	var err error
	if cmd.Path, err = exec.LookPath("sh"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	if code := exitOf(t, cmd.Wait()); code != 143 {
		t.Errorf("exit %d, want 143; stderr %q", code, stderr)
	}
}

// However a command ends, its temporary folder goes, and a signal is heeded though standard input is silent.
func testNothingLeft(t *testing.T, demo string) {
	// Who runs the tests by nohup has hangups ignored here, and so by the command, which would not end. What is caught here
	// is as usual in a new process.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	folder := []string{"-n", "shop", "--tsdb", filepath.Join(demo, "tsdb"), "--until", shop.Until.Format("2006-01-02T15:04:05Z07:00")}
	for name, c := range map[string]struct {
		args []string
		end  func(*testing.T, *exec.Cmd) // after the folder has been opened
		want int
	}{
		"at the end":    {args: append(folder, "-f", filepath.Join(demo, "manifests")), want: 0},
		"closed output": {args: append(folder, "-f", filepath.Join(demo, "manifests"), "-o", "json"), want: 141},
		"hangup":        {args: append(folder, "-f", "-"), end: signalled(syscall.SIGHUP), want: 129},
		"interrupt":     {args: append(folder, "-f", "-"), end: signalled(os.Interrupt), want: 130},
	} {
		t.Run(name, func(t *testing.T) {
			temporary := t.TempDir()
			cmd := exec.Command("rightsize", c.args...)
			cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
			stderr := new(bytes.Buffer)
			cmd.Stderr = stderr
			silent, stdin, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = stdin.Close() })
			cmd.Stdin = silent
			if c.want == 141 {
				reader, writer, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				cmd.Stdout = writer
				if err := reader.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if c.end != nil {
				waitForEntry(t, temporary)
				c.end(t, cmd)
			}
			if code := exitOf(t, cmd.Wait()); code != c.want {
				t.Errorf("exit %d, want %d; stderr %s", code, c.want, stderr)
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if c.want == 141 && stderr.Len() > 0 {
				t.Errorf("stderr %q, want nothing: whoever closed the pipe knows", stderr)
			}
		})
	}
}

func signalled(s os.Signal) func(*testing.T, *exec.Cmd) {
	return func(t *testing.T, cmd *exec.Cmd) {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
}

// waitForEntry returns when something is in the folder.
func waitForEntry(t *testing.T, dir string) {
	t.Helper()
	for range 6000 {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no temporary folder was made within a minute")
}

// wireReport is as much of the JSON report as these tests look at.
type wireReport struct {
	Containers []struct {
		Workload, Container, Error string
		Resources                  map[string]struct {
			Status               string
			Formula, Recommended struct{ Request, Limit wireValue }
			Evidence             struct{ Samples, P50, P99 float64 }
		}
	}
}

type wireValue struct {
	State  string
	Amount float64
}

func decode(t *testing.T, text string) wireReport {
	t.Helper()
	var r wireReport
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return r
}

// Without guards every value is the bare formula, rounded up to 1m or 1Mi.
func testNoGuards(t *testing.T, demo string) {
	stdout, stderr, code := rightsize(t, demo, "--tsdb", filepath.Join(demo, "tsdb"), "--guards", "none", "-o", "json")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	measured := 0
	for _, c := range decode(t, stdout).Containers {
		for name, r := range c.Resources {
			unit := map[string]float64{"cpu": 0.001, "memory": 1 << 20}[name]
			if r.Recommended != r.Formula {
				t.Errorf("%s/%s %s: %v is not the formula's %v", c.Workload, c.Container, name, r.Recommended, r.Formula)
			}
			if r.Evidence.Samples == 0 {
				continue
			}
			measured++
			for _, v := range []struct {
				got  wireValue
				want float64
			}{{r.Recommended.Request, r.Evidence.P50}, {r.Recommended.Limit, r.Evidence.P99 * 1.2}} {
				if above := (v.got.Amount - v.want) / unit; above < -1e-6 || above >= 1 || math.Abs(math.Remainder(v.got.Amount, unit)) > 1e-9*unit+1e-12 {
					t.Errorf("%s/%s %s = %v, want %v rounded up", c.Workload, c.Container, name, v.got.Amount, v.want)
				}
			}
		}
	}
	if measured < 20 {
		t.Errorf("only %d resources were measured", measured)
	}
}

// A server that fails for one namespace's CPU leaves a report of the others: exit 3, and both the report and
// stderr name what failed, in the server's words.
func testPartial(t *testing.T, demo string) {
	prometheus, err := promserver.Open(filepath.Join(demo, "tsdb"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := prometheus.Close(); err != nil {
			t.Error(err)
		}
	}()
	url := serve(t, breakFor(prometheus, `namespace="broken"`)) + promserver.Prefix
	manifest := filepath.Join(t.TempDir(), "broken.yaml")
	const text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: broken}\nspec: {template: {spec: {containers: [{name: app}]}}}\n"
	if err := os.WriteFile(manifest, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := rightsize(t, demo, "--prometheus-url", url, "-f", manifest, "-A", "-o", "json")
	if code != 3 || !strings.Contains(stderr, "the report is not complete: it lacks 1 container of 14") {
		t.Errorf("exit %d, want 3; stderr %s", code, stderr)
	}
	failed := 0
	for _, c := range decode(t, stdout).Containers {
		if c.Error != "" {
			failed++
		}
		if c.Workload == "web" && c.Container == "app" && (c.Error != "") != (c.Resources["cpu"].Status == "error") {
			t.Errorf("error %q is shown as %s", c.Error, c.Resources["cpu"].Status)
		}
	}
	if failed != 1 || !strings.Contains(stdout, "expanding series: disk on fire") || !strings.Contains(stderr, "expanding series: disk on fire") {
		t.Errorf("%d containers failed, want 1 with the server's words; stderr %s", failed, stderr)
	}

	// A gate that trips on top of that does not hide it, and is said.
	_, stderr, code = rightsize(t, demo, "--prometheus-url", url, "-f", manifest, "-A", "--fail-on", "no-limits,no-data")
	if code != 3 || !strings.Contains(stderr, "warning: no-limits: broken/deployment/web/app memory: no limit\n") || !strings.Contains(stderr, "warning: the gate tripped: ") || strings.Contains(stderr, "no-data: broken") {
		t.Errorf("exit %d, want 3 with what tripped the gate; stderr %s", code, stderr)
	}

	// Where nothing at all can be read there is no report.
	stdout, stderr, code = rightsize(t, demo, "--prometheus-url", serve(t, breakFor(prometheus, "container"))+promserver.Prefix)
	if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit %d, want 1; stdout %q, want nothing; stderr %q, want a line", code, stdout, stderr)
	}
}

// breakFor answers as Prometheus does when its storage fails, wherever a request holds the text.
func breakFor(h http.Handler, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err := r.ParseForm(); err == nil && strings.Contains(r.Form.Get("query")+strings.Join(r.Form["match[]"], " "), text) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, `{"status":"error","errorType":"execution","error":"expanding series: disk on fire"}`)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, r)
	})
}
