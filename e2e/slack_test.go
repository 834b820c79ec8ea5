package e2e

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/notify/slacktest"
)

// posted are the messages that came since there were that many.
func posted(t *testing.T, s *slacktest.Server, before int) []slacktest.Message {
	t.Helper()
	for _, problem := range s.Problems() {
		t.Errorf("Slack would refuse a message: %v", problem)
	}
	return s.Messages()[before:]
}

func newSlack(t *testing.T) *slacktest.Server {
	t.Helper()
	s := slacktest.New()
	t.Cleanup(s.Close)
	return s
}

// The CronJob's own command, in its own file system, with its own account's token, posts once, and needs exactly the
// rights that come with it.
func TestCronJobPosts(t *testing.T) {
	for _, overlay := range []string{"secret", "namespace", "bot"} {
		t.Run(overlay, func(t *testing.T) {
			s := newSlack(t)
			objects := installed(t, overlay, s.WebhookURL())
			j := newJob(t, objects)
			if overlay == "bot" {
				toLookAlike(t, j, s)
			}
			var r result
			requests := requestsOf(t, func() { r = j.run(t) })
			r.wantCode(t, 0)
			if !strings.Contains(r.stdout, "deployment/web") {
				t.Errorf("the report is not in the pod's log: %.500s", r.stdout)
			}
			if got := posted(t, s, 0); len(got) != 1 {
				t.Errorf("posted %d messages, want 1", len(got))
			}
			noSlackSecret(t, r)
			if overlay != "namespace" { // whose account is not in the audit log
				wantRights(t, objects, requests)
			}
			keepsState(t, objects, j, s)
		})
	}
}

// toLookAlike sends the bot to the look-alike, which has a channel of its own.
func toLookAlike(t *testing.T, j *job, s *slacktest.Server) {
	t.Helper()
	i := slices.Index(j.container.Args, "--slack-channel=#rightsize")
	if i < 0 {
		t.Fatalf("the bot has no channel: %q", j.container.Args)
	}
	j.container.Args[i] = "--slack-channel=#" + slacktest.ChannelName
	j.container.Args = append(j.container.Args, "--slack-api-url="+s.APIURL())
}

// keepsState applies everything again, as whoever deploys does on every change. The next run still knows what the last
// one posted.
func keepsState(t *testing.T, objects []*unstructured.Unstructured, j *job, s *slacktest.Server) {
	t.Helper()
	before := stateOf(t, j)
	if len(before) == 0 {
		t.Fatal("no state was kept")
	}
	applyAll(t, objects...)
	if after := stateOf(t, j); after != before {
		t.Errorf("applying the manifests again changed the state from %q to %q", before, after)
	}
	j.run(t).wantCode(t, 0)
	if got := posted(t, s, 1); len(got) != 1 {
		t.Errorf("the next run posted %d messages, want 1", len(got))
	}
}

// stateOf is the ConfigMap's content.
func stateOf(t *testing.T, j *job) string {
	t.Helper()
	state, err := env.cluster.Client.CoreV1().ConfigMaps(j.pod.Namespace).Get(context.Background(), "rightsize-state", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(state.BinaryData)+len(state.Data) == 0 {
		return ""
	}
	return string(asJSON(t, []any{state.Data, state.BinaryData}))
}

// wantRights compares what was asked for with what is granted: of reading all, of the state no more than that.
func wantRights(t *testing.T, objects []*unstructured.Unstructured, requests []cluster.Request) {
	t.Helper()
	var read, kept []string
	for _, r := range requests {
		if r.Resource == "" {
			continue // what it knows, which everybody may ask
		}
		if r.Code != http.StatusOK {
			t.Errorf("asked for %s %s and got %d", r.Verb, r.URI, r.Code)
		}
		if r.Resource == "configmaps" {
			kept = append(kept, r.Verb)
			continue
		}
		read = append(read, r.Verb+" "+r.Resource)
	}
	slices.Sort(read)
	var role rbacv1.ClusterRole
	only(t, objects, "ClusterRole", "rightsize", &role)
	if want := rights(role.Rules); !slices.Equal(slices.Compact(read), want) {
		t.Errorf("reads %q, is granted %q", slices.Compact(read), want)
	}
	var state rbacv1.Role
	only(t, objects, "Role", "rightsize-state", &state)
	for _, verb := range kept {
		if !slices.Contains(state.Rules[0].Verbs, verb) {
			t.Errorf("the state needs %s, which is not granted", verb)
		}
	}
}

// With one right less the run says which.
func TestCronJobWithOneRightLess(t *testing.T) {
	s := newSlack(t)
	objects := installed(t, "secret", s.WebhookURL())
	j := newJob(t, objects)
	t.Run("to list jobs", func(t *testing.T) {
		without(t, objects, "ClusterRole", "rightsize", "jobs")
		r := j.run(t)
		r.wantCode(t, 3)
		r.wantStderr(t, "jobs.batch", "all namespaces", "the report is not complete")
		got := posted(t, s, 0)
		if len(got) != 1 || !strings.Contains(string(got[0].Payload), "grant list on jobs.batch") {
			t.Errorf("posted %s, want one message of the rest that names the right", got)
		}
	})
	t.Run("to get the state", func(t *testing.T) {
		before := len(s.Messages())
		without(t, objects, "Role", "rightsize-state", "get")
		r := j.run(t)
		r.wantCode(t, 1)
		r.wantStderr(t, "not allowed to get configmaps named rightsize-state in namespace rightsize")
		if got := posted(t, s, before); len(got) != 0 {
			t.Errorf("posted %d messages, though nobody knows what is new in them", len(got))
		}
	})
	t.Run("to update the state", func(t *testing.T) {
		before := len(s.Messages())
		without(t, objects, "Role", "rightsize-state", "update")
		r := j.run(t)
		r.wantCode(t, 1)
		r.wantStderr(t, "the message is posted", "not allowed to update configmaps named rightsize-state in namespace rightsize")
		if got := posted(t, s, before); len(got) != 1 {
			t.Errorf("posted %d messages, want 1: what cannot be kept is known afterwards", len(got))
		}
	})
}

// noSlackSecret fails the test if the webhook's path is in the output.
func noSlackSecret(t *testing.T, r result) {
	t.Helper()
	for _, secret := range []string{slacktest.WebhookPath, slacktest.Token} {
		if strings.Contains(r.stdout+r.stderr, secret) {
			t.Errorf("the secret %s is in the output", secret)
		}
	}
}
