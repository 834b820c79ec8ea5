package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"
	"golang.org/x/tools/txtar"

	"github.com/rightsize/rightsize/notify/slacktest"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
	"github.com/rightsize/rightsize/testdata/slackview"
)

// slackCommand gives scripts a Slack of their own:
//
//	slack start                       runs it; $WEBHOOK, $API, $TOKEN and $CHANNEL are how to reach it
//	slack next WHERE STATUS [BODY]    makes its next answer to webhook, chat.postMessage, ... this one
//	slack next WHERE wait SECONDS     ... a 429 with Retry-After
//	slack messages N, slack files N   wants so many to have been accepted
//	slack requests N WHERE            wants so many requests to have come there
//	slack message N FILE              writes the payload of the N-th message to the file
//	slack file NAME FILE              writes the upload of that name to the file
func slackCommand() func(*testscript.TestScript, bool, []string) {
	var servers sync.Map // by script
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: slack start|next|messages|files|requests|message|file [ARG ...]")
		}
		if args[0] == "start" {
			s := slacktest.New()
			ts.Defer(s.Close)
			servers.Store(ts, s)
			ts.Setenv("WEBHOOK", s.WebhookURL())
			ts.Setenv("API", s.APIURL())
			ts.Setenv("TOKEN", slacktest.Token)
			ts.Setenv("CHANNEL", slacktest.ChannelName)
			return
		}
		s, ok := servers.Load(ts)
		if !ok {
			ts.Fatalf("no slack start before slack %s", args[0])
		}
		slackStep(ts, s.(*slacktest.Server), args[0], args[1:])
	}
}

func slackStep(ts *testscript.TestScript, s *slacktest.Server, step string, args []string) {
	number := func(i int) int {
		n, err := strconv.Atoi(args[i])
		ts.Check(err)
		return n
	}
	switch {
	case step == "next" && len(args) == 3 && args[1] == "wait":
		s.Next(args[0], slacktest.RateLimited(number(2)))
	case step == "next" && len(args) >= 2:
		s.Next(args[0], slacktest.Status(number(1), strings.Join(args[2:], " ")))
	case step == "messages" && len(args) == 1:
		wantCount(ts, step, len(s.Messages()), number(0), s.Problems())
	case step == "files" && len(args) == 1:
		wantCount(ts, step, len(s.Files()), number(0), nil)
	case step == "requests" && len(args) == 2:
		wantCount(ts, step, s.Count(args[1]), number(0), nil)
	case step == "message" && len(args) == 2 && number(0) <= len(s.Messages()):
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), append(s.Messages()[number(0)-1].Payload, '\n'), 0o600))
	case step == "file" && len(args) == 2:
		for _, f := range s.Files() {
			if f.Name == args[0] {
				ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(f.Content), 0o600))
				return
			}
		}
		ts.Fatalf("no file %s was uploaded", args[0])
	default:
		ts.Fatalf("slack %s %q: no such step, or no such message", step, args)
	}
}

func wantCount(ts *testscript.TestScript, what string, got, want int, problems []error) {
	if got != want {
		ts.Fatalf("%d %s, want %d; refused for %v", got, what, want, problems)
	}
}

// nothingDeclared is a report of nothing, which is posted all the same and needs no Prometheus.
func nothingDeclared(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	manifest := filepath.Join(t.TempDir(), "empty.yaml")
	if err := os.WriteFile(manifest, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: none, namespace: shop}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("rightsize", append([]string{"-f", manifest, "-n", "shop", "--prometheus-url", "http://127.0.0.1:9", "--slack"}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(t.TempDir(), "none"), "SLACK_WEBHOOK_URL=", "SLACK_BOT_TOKEN=")
	return cmd
}

// hanging is a Slack that does not answer, and a command that waits for it.
func hanging(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	s := slacktest.New()
	t.Cleanup(s.Close)
	s.Next(slacktest.Webhook, slacktest.Hang())
	file := filepath.Join(t.TempDir(), "webhook-url")
	if err := os.WriteFile(file, []byte(s.WebhookURL()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := nothingDeclared(t, append(args, "--slack-webhook-file", file)...)
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	<-s.Hung()
	return cmd, stderr
}

// A signal while Slack is silent ends the command as it would a scan, and no state is kept of what may not be
// there.
func TestSignalWhilePosting(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	cmd, stderr := hanging(t, "--state", state)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := exitOf(t, cmd.Wait()); code != 143 || !strings.HasSuffix(stderr.String(), "rightsize: stopped by terminated\n") {
		t.Errorf("exit %d, want 143; stderr %q", code, stderr)
	}
	if _, err := os.Stat(state); !os.IsNotExist(err) {
		t.Errorf("a state was kept: %v", err)
	}
}

// A report that lacks something is posted, and is still exit 3; a post that fails is exit 1 whatever else is
// missing. The report is on stdout both times.
func TestIncompleteReportIsPosted(t *testing.T) {
	item := scan.Item{Recommendation: recommender.Recommendation{Container: recommender.Container{
		ID: recommender.ID{Namespace: "shop", Kind: "Deployment", Workload: "web", Container: "app"},
	}}, Err: errors.New("disk on fire")}
	for name, c := range map[string]struct {
		answers []slacktest.Answer
		want    int
	}{"posted": {nil, exitPartial}, "not posted": {[]slacktest.Answer{slacktest.Status(http.StatusNotFound, "no_service")}, exitFailed}} {
		t.Run(name, func(t *testing.T) {
			s := slacktest.New()
			t.Cleanup(s.Close)
			s.Next(slacktest.Webhook, c.answers...)
			t.Setenv(webhookEnv, s.WebhookURL())
			o := options{log: newLogs(io.Discard), slack: slackOptions{on: slackOn}}
			o.setDefaults()
			if err := o.slack.validate(nil); err != nil {
				t.Fatal(err)
			}
			stdout := new(bytes.Buffer)
			err := o.deliver(t.Context(), streams{out: stdout, log: o.log}, nil, report.Report{Items: []scan.Item{item}, Window: o.window}, nil)
			if code := exitCode(err); code != c.want || !strings.Contains(stdout.String(), "deployment/web") {
				t.Errorf("exit %d, want %d: %v; stdout %q", code, c.want, err, stdout)
			}
			if posted := len(s.Messages()); posted != 1-len(c.answers) {
				t.Errorf("%d messages", posted)
			}
		})
	}
}

// docs/slack.svg is the demo's message.
func TestSlackPicture(t *testing.T) {
	script := txtar.Parse([]byte(readDoc(t, "testdata", "scripts", "slack_message.txtar")))
	want, err := slackview.Draw(script.Files[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(filepath.Join("..", "..", "docs", "slack.svg"), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if readDoc(t, "docs", "slack.svg") != want {
		t.Error("docs/slack.svg is not the demo's message: make golden draws it anew")
	}
}

// docs/slack.md names flags that exist, and all of ours.
func TestSlackDocsNameTheFlags(t *testing.T) {
	doc := readDoc(t, "docs", "slack.md")
	new(slackOptions).flags().VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(doc, "--"+f.Name) {
			t.Errorf("docs/slack.md does not name --%s", f.Name)
		}
	})
}

// The state is where we are, not where we look.
func TestStateIsInOurOwnNamespace(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "config")
	const text = `{"apiVersion": "v1", "kind": "Config", "current-context": "a",
		"contexts": [{"name": "a", "context": {"cluster": "c", "namespace": "tools"}}, {"name": "b", "context": {"cluster": "c"}}],
		"clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}]}`
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ context, own, want string }{{"", "", "tools"}, {"b", "", "default"}, {"", "elsewhere", "elsewhere"}} {
		o := options{log: newLogs(io.Discard)}
		o.setDefaults()
		o.flagGroups() // which have defaults of their own
		o.slack.stateNamespace, o.slack.state = c.own, "configmap/state"
		*o.kube.KubeConfig, *o.kube.Context, *o.kube.Namespace = kubeconfig, c.context, "shop"
		store, err := o.slack.openState(&o)
		if want := "configmap/state of namespace " + c.want; err != nil || store.String() != want {
			t.Errorf("state of %+v is %v, %v, want %s", c, store, err, want)
		}
	}
}
