package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rightsize/rightsize/notify/slacktest"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

const mi = 1 << 20

func until() time.Time { return time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC) }

func week() recommender.Window {
	return recommender.Window{Until: until(), Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
}

func bounds(request, limit float64) recommender.Bounds {
	return recommender.Bounds{Request: recommender.Set(request), Limit: recommender.Set(limit)}
}

func none() recommender.Bounds {
	return recommender.Bounds{Request: recommender.Unset(), Limit: recommender.Unset()}
}

// item is a container of two replicas with a week of usage, and advice.
func item(name string, cpu, cpuAdvice, memory, memoryAdvice recommender.Bounds) scan.Item {
	i := scan.Item{Recommendation: recommender.Recommendation{Container: recommender.Container{
		ID:       recommender.ID{Namespace: "shop", Kind: "Deployment", Workload: name, Container: "app"},
		Spec:     [recommender.NumResources]recommender.Bounds{cpu, memory},
		Replicas: 2,
	}}}
	for r, advice := range [recommender.NumResources]recommender.Bounds{cpuAdvice, memoryAdvice} {
		i.Advice[r] = recommender.Advice{Formula: advice, Bounds: advice}
		i.Evidence[r] = recommender.Evidence{Samples: 2016, Pods: 2, Running: 2, Covered: 7 * 24 * time.Hour}
	}
	return i
}

// silent is a container without a sample.
func silent(name string) scan.Item {
	i := item(name, bounds(1, 1), recommender.Bounds{}, bounds(mi, mi), recommender.Bounds{})
	for r := range recommender.NumResources {
		i.Evidence[r] = recommender.Evidence{}
		i.Advice[r].Notes = []recommender.Note{{Code: recommender.NoteNoData, Text: "it is scaled to 0"}}
	}
	return i
}

func failed(name string) scan.Item {
	i := silent(name)
	i.Advice = [recommender.NumResources]recommender.Advice{}
	i.Err = errors.New("reading memory of namespace shop: http://prometheus:9090 answered 503:\nquery `timed out` <!channel>")
	return i
}

func reportOf(items ...scan.Item) report.Report {
	return report.New(scan.Result{Items: items}, report.Source{Kind: "prometheus", Read: "query_range"}, week(), recommender.DefaultPolicy())
}

// sample has something of everything that a message tells.
func sample() report.Report {
	killed := item("api", bounds(0.25, 1), bounds(0.2, 0.4), bounds(128*mi, 256*mi), bounds(143*mi, 308*mi))
	killed.OOMKills = []recommender.OOMKill{{At: until().Add(-50 * time.Hour)}, {At: until().Add(-24*time.Hour - 15*time.Minute)}}
	tight := item("cart", bounds(0.2, 0.5), bounds(0.2, 0.5), bounds(256*mi, 300*mi), bounds(253*mi, 487*mi))
	tight.Evidence[recommender.Memory].Peak.Value = 300 * mi
	bare := item("payments", none(), bounds(0.07, 0.2), none(), bounds(183*mi, 249*mi))
	young := silent("recommendations")
	for r := range recommender.NumResources {
		young.Evidence[r].Samples = 10
		young.Advice[r].Notes = []recommender.Note{{Code: recommender.GuardTooLittleData, Text: "only 3h"}}
	}
	return reportOf(
		killed, tight, failed("db"), silent("images"), bare, young,
		item("search", bounds(2, 4), bounds(0.166, 0.348), bounds(4096*mi, 8192*mi), bounds(418*mi, 525*mi)),
		item("web", bounds(0.1, 0.2), bounds(0.1, 0.2), bounds(64*mi, 128*mi), bounds(64*mi, 128*mi)),
	)
}

// memory is a Store that can fail.
type memory struct {
	text          []byte
	loads, saves  int
	load, saveErr error
}

func (m *memory) String() string { return "memory" }

func (m *memory) Load(context.Context) ([]byte, error) {
	m.loads++
	return m.text, m.load
}

func (m *memory) Save(_ context.Context, text []byte) error {
	m.saves++
	if m.saveErr == nil {
		m.text = text
	}
	return m.saveErr
}

// notified does all of it: the message and what comes after.
func notified(ctx context.Context, n Notifier, m Message) ([]string, error) {
	after, err := n.Notify(ctx, m)
	if err != nil {
		return nil, err
	}
	return after(ctx), nil
}

func slackServer(t *testing.T) *slacktest.Server {
	t.Helper()
	s := slacktest.New()
	t.Cleanup(s.Close)
	return s
}

// hasty writes down how long it would have waited.
func hasty(p *patience) *[]time.Duration {
	waits := new([]time.Duration)
	p.sleep = func(ctx context.Context, d time.Duration) error {
		*waits = append(*waits, d)
		return ctx.Err()
	}
	return waits
}

func testWebhook(t *testing.T, s *slacktest.Server) (*Webhook, *[]time.Duration) {
	t.Helper()
	w, err := NewWebhook(NewSecret(s.WebhookURL()), Options{UserAgent: "rightsize/test"})
	if err != nil {
		t.Fatal(err)
	}
	return w, hasty(&w.patience)
}

func testBot(t *testing.T, s *slacktest.Server, channel string) (*Bot, *[]time.Duration) {
	t.Helper()
	b, err := NewBot(NewSecret(slacktest.Token), channel, Options{UserAgent: "rightsize/test", APIURL: s.APIURL()})
	if err != nil {
		t.Fatal(err)
	}
	return b, hasty(&b.patience)
}

func testMessage(t *testing.T) Message {
	t.Helper()
	m, err := newMessage(sample(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPostKeepsStateOnlyOfWhatWasPosted(t *testing.T) {
	server := slackServer(t)
	w, _ := testWebhook(t, server)
	store := &memory{}
	task := Task{Notifier: w, Store: store, Scope: "namespace shop"}

	server.Next(slacktest.Webhook, slacktest.Status(404, "no_service"))
	if _, err := task.Post(t.Context(), sample()); err == nil || store.saves != 0 {
		t.Fatalf("a post that failed: %v, %d states saved", err, store.saves)
	}
	if _, err := task.Post(t.Context(), sample()); err != nil || store.saves != 1 {
		t.Fatalf("a post: %v, %d states saved", err, store.saves)
	}
	if _, err := task.Post(t.Context(), sample()); err != nil {
		t.Fatal(err)
	}
	messages := server.Messages()
	if len(messages) != 2 || !bytes.Contains(messages[0].Payload, []byte("this is the first message")) ||
		!bytes.Contains(messages[1].Payload, []byte("*Since 2026-02-02*: *0* new, *0* resolved, *4* unchanged")) {
		t.Errorf("messages:\n%s", messages)
	}
}

func TestPostDoesNotPostWithoutItsState(t *testing.T) {
	server := slackServer(t)
	w, _ := testWebhook(t, server)
	damaged := &memory{text: []byte("{}")}
	for _, store := range []Store{damaged, &memory{load: errors.New("no permission")}, StateFile(filepath.Join(t.TempDir(), "none", "state"))} {
		if _, err := (Task{Notifier: w, Store: store}).Post(t.Context(), sample()); err == nil {
			t.Errorf("%s: no error", store)
		}
	}
	if n := server.Count(slacktest.Webhook); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestPostSaysThatTheStateWasNotSaved(t *testing.T) {
	server := slackServer(t)
	w, _ := testWebhook(t, server)
	_, err := Task{Notifier: w, Store: &memory{saveErr: errors.New("disk full")}}.Post(t.Context(), sample())
	if want := "the message is posted, but the next one will be compared with an older one: disk full"; err == nil || err.Error() != want {
		t.Errorf("Post: %v, want %s", err, want)
	}
}

// interrupted is a Notifier whose message is there when a signal comes.
type interrupted struct {
	signal func()
	store  *memory
	saved  int // states saved by the time of what comes after the message
}

func (i *interrupted) Notify(context.Context, Message) (func(context.Context) []string, error) {
	i.signal()
	return func(context.Context) []string {
		i.saved = i.store.saves
		return []string{"no files"}
	}, nil
}

func TestStateIsKeptThoughASignalComes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := &interrupted{signal: cancel, store: &memory{}}
	warnings, err := Task{Notifier: n, Store: aliveStore{n.store}}.Post(ctx, sample())
	if err != nil || len(warnings) != 1 || n.saved != 1 {
		t.Errorf("Post: %q, %v, %d states saved before the files", warnings, err, n.saved)
	}
}

// aliveStore is a Store that keeps nothing once its context has ended.
type aliveStore struct{ *memory }

func (s aliveStore) Save(ctx context.Context, text []byte) error {
	return errors.Join(ctx.Err(), s.memory.Save(ctx, text))
}

func TestStateFileLeavesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe, link, lost := filepath.Join(dir, "pipe"), filepath.Join(dir, "link"), filepath.Join(dir, "lost")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("state", link), os.Symlink("nowhere", lost)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pipe: "it is no regular file", dir: "it is no regular file", lost: "following the link"} {
		_, err := StateFile(path).Load(t.Context())
		wantError(t, err, want)
		wantError(t, StateFile(path).Save(t.Context(), []byte("x")), want)
	}
	if err := os.WriteFile(filepath.Join(dir, "state"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := StateFile(link).Save(t.Context(), []byte("new")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "state"))
	if target, lerr := os.Readlink(link); err != nil || lerr != nil || string(text) != "new" || target != "state" {
		t.Errorf("through a link: %q, %v; the link leads to %q, %v", text, err, target, lerr)
	}
}

func TestDryRunWritesThePayload(t *testing.T) {
	var b bytes.Buffer
	if _, err := (DryRun{Writer: &b, Channel: "#ops"}).Notify(t.Context(), testMessage(t)); err != nil {
		t.Fatal(err)
	}
	if err := slacktest.Check(b.Bytes()); err != nil || !bytes.Contains(b.Bytes(), []byte(`"channel": "#ops"`)) {
		t.Errorf("%v in\n%s", err, b.Bytes())
	}
}

func TestURLs(t *testing.T) {
	for text, want := range map[string]bool{
		"https://hooks.slack.com/services/T/B/x":     true,
		"https://hooks.slack-gov.com/services/T/B/x": true,
		"http://127.0.0.1:8080/services/x":           true,
		"http://[::1]:8080/services/x":               true,
		"http://localhost/services/x":                true,
		"http://hooks.slack.com/services/T/B/x":      false,
		"http://127.0.0.1.example.com/x":             false,
		"https://user:secret@hooks.slack.com/x":      false,
		"hooks.slack.com/services/T/B/x":             false,
		"file:///etc/passwd":                         false,
		"https:///services":                          false,
		"https://hooks.slack.com/services/T/B/x\n":   false,
		"": false,
	} {
		if _, err := NewWebhook(NewSecret(text), Options{}); (err == nil) != want {
			t.Errorf("NewWebhook(%q): %v, want %v", text, err, want)
		}
	}
}

func TestTokens(t *testing.T) {
	for token, want := range map[string]bool{"xoxb-1": true, "": false, "a b": false, "xoxb-1\n": false, "xöx": false} {
		if _, err := NewBot(NewSecret(token), "ops", Options{}); (err == nil) != want {
			t.Errorf("NewBot(%q): %v, want %v", token, err, want)
		}
	}
	if _, err := NewBot(NewSecret("xoxb-1"), "ops", Options{APIURL: "http://example.com/api"}); err == nil {
		t.Error("a token would go over http")
	}
}

func Example_hidden() {
	s := NewSecret("xoxb-secret")
	fmt.Printf("%v %+v %#v %s %q %x\n", s, s, s, s, s, s)
	// Output: [hidden] [hidden] [hidden] [hidden] [hidden] [hidden]
}
