package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/notify/slacktest"
)

func TestWebhookPosts(t *testing.T) {
	server := slackServer(t)
	w, waits := testWebhook(t, server)
	warnings, err := notified(t.Context(), w, testMessage(t))
	if err != nil || len(warnings) != 0 || len(*waits) != 0 || len(server.Messages()) != 1 {
		t.Errorf("Notify: %v, %v, waits %v, %d messages, problems %v", warnings, err, *waits, len(server.Messages()), server.Problems())
	}
}

// What waiting may mend is tried again, and what it may not is said as it is.
func TestWebhookAnswers(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []slacktest.Answer
		tries   int
		want    string // in the error; empty where it succeeds in the end
	}{
		{"429", []slacktest.Answer{slacktest.RateLimited(7)}, 2, ""},
		{"429 three times", []slacktest.Answer{slacktest.RateLimited(1), slacktest.RateLimited(1), slacktest.RateLimited(1)}, 4, ""},
		{"429 for an hour", []slacktest.Answer{slacktest.RateLimited(3600)}, 1, "429 Too Many Requests: rate_limited: given up, since the next try would have to wait 1h"},
		{"503", []slacktest.Answer{slacktest.Status(503, "<html>down</html>")}, 2, ""},
		{"503 for ever", many(slacktest.Status(503, "down"), 9), 5, "503 Service Unavailable: down: given up after 5 tries"},
		{"500", []slacktest.Answer{slacktest.Status(500, "rollup_error")}, 1, "500 Internal Server Error: rollup_error (it may have been done all the same)"},
		{"502", []slacktest.Answer{slacktest.Status(502, "")}, 1, "502 Bad Gateway (it may have been done all the same)"},
		{"504", []slacktest.Answer{slacktest.Status(504, "")}, 1, "504 Gateway Timeout"},
		{"blocks", []slacktest.Answer{slacktest.Status(400, "invalid_blocks")}, 1, "400 Bad Request: invalid_blocks (this is a fault of rightsize: --slack-dry-run prints the payload, for a report of it)"},
		{"blocks with 200", []slacktest.Answer{slacktest.Status(200, "invalid_blocks")}, 1, `it answered "invalid_blocks" (this is a fault of rightsize`},
		{"channel", []slacktest.Answer{slacktest.Status(404, "channel_not_found")}, 1, "404 Not Found: channel_not_found (the channel is gone or private"},
		{"removed", []slacktest.Answer{slacktest.Status(404, "no_service")}, 1, "404 Not Found: no_service (the webhook was removed: make a new one)"},
		{"archived", []slacktest.Answer{slacktest.Status(410, "channel_is_archived")}, 1, "410 Gone: channel_is_archived (the channel is archived: choose another)"},
		{"forbidden", []slacktest.Answer{slacktest.Status(403, "action_prohibited")}, 1, "403 Forbidden: action_prohibited (an admin"},
		{"no Slack", []slacktest.Answer{slacktest.Page()}, 1, `it answered "<!DOCTYPE html><html><body>Sign in</body></html>" and not "ok"`},
		{"empty", []slacktest.Answer{slacktest.Status(200, "")}, 1, `it answered "" and not "ok"`},
		{"long", []slacktest.Answer{slacktest.Status(400, strings.Repeat("x", 1000))}, 1, strings.Repeat("x", 199) + "…"},
		{"redirect", []slacktest.Answer{slacktest.Redirect("https://elsewhere.example.com/services/x")}, 1, "307 Temporary Redirect to elsewhere.example.com: redirects are not followed"},
		{"broken", []slacktest.Answer{slacktest.Broken()}, 1, "EOF: it may have been posted all the same, so it is not sent again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := slackServer(t)
			server.Next(slacktest.Webhook, c.answers...)
			w, _ := testWebhook(t, server)
			_, err := notified(t.Context(), w, testMessage(t))
			wantError(t, err, c.want)
			if n := server.Count(slacktest.Webhook); n != c.tries {
				t.Errorf("%d requests, want %d", n, c.tries)
			}
			if posted := len(server.Messages()); (posted == 1) != (c.want == "") {
				t.Errorf("%d messages", posted)
			}
		})
	}
}

func many(a slacktest.Answer, n int) (list []slacktest.Answer) {
	for range n {
		list = append(list, a)
	}
	return list
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// The server's time is kept, with up to a quarter more, and without one the time doubles.
func TestWaits(t *testing.T) {
	server := slackServer(t)
	server.Next(slacktest.Webhook, slacktest.RateLimited(20), slacktest.Status(503, ""), slacktest.Status(503, ""))
	w, waits := testWebhook(t, server)
	if _, err := notified(t.Context(), w, testMessage(t)); err != nil {
		t.Fatal(err)
	}
	least := []time.Duration{20 * time.Second, 2 * time.Second, 4 * time.Second}
	if len(*waits) != len(least) {
		t.Fatalf("waits %v", *waits)
	}
	for i, d := range *waits {
		if d < least[i] || d > least[i]*5/4 {
			t.Errorf("wait %d is %s, want %s to a quarter more", i, d, least[i])
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := until()
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "30": 30 * time.Second, " 30 ": 30 * time.Second, "soon": 0, "1e9": 0,
		"99999999999999999999":                        0,
		now.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat): 0,
		now.Add(24 * time.Hour).Format(time.RFC1123):  0, // not GMT
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("retryAfter(%q) = %s, want %s", header, got, want)
		}
	}
}

// A time-out before the request was sent is worth a try; after that nobody knows.
func TestTimeouts(t *testing.T) {
	server := slackServer(t)
	server.Next(slacktest.Webhook, slacktest.Hang())
	w, _ := testWebhook(t, server)
	w.client.timeout = 50 * time.Millisecond
	_, err := notified(t.Context(), w, testMessage(t))
	wantError(t, err, "no answer within 50ms: it may have been posted all the same")
	if n := server.Count(slacktest.Webhook); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestUnreachableIsTriedAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	w, err := NewWebhook(NewSecret("http://"+l.Addr().String()+slacktest.WebhookPath), Options{})
	if err != nil {
		t.Fatal(err)
	}
	waits := hasty(&w.patience)
	_, err = notified(t.Context(), w, testMessage(t))
	wantError(t, err, "posting to the Slack webhook: dial tcp "+l.Addr().String()+": connect: connection refused: given up after 5 tries")
	if len(*waits) != 4 {
		t.Errorf("waits %v", *waits)
	}
}

// A certificate that is not trusted will not be in two seconds either.
func TestUntrustedIsNotTriedAgain(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	w, err := NewWebhook(NewSecret(server.URL+slacktest.WebhookPath), Options{})
	if err != nil {
		t.Fatal(err)
	}
	waits := hasty(&w.patience)
	_, err = notified(t.Context(), w, testMessage(t))
	wantError(t, err, "certificate")
	if len(*waits) != 0 {
		t.Errorf("waits %v", *waits)
	}
}

// Whoever is stopped says why, whether a request or a wait was going on.
func TestCancelled(t *testing.T) {
	stopped := errors.New("stopped by a signal")
	for name, answer := range map[string]slacktest.Answer{"while asking": slacktest.Hang(), "while waiting": slacktest.RateLimited(60)} {
		t.Run(name, func(t *testing.T) {
			server := slackServer(t)
			server.Next(slacktest.Webhook, answer)
			server.Next(slacktest.Post, answer)
			for _, n := range []Notifier{mustWebhook(t, server), mustBot(t, server)} {
				ctx, cancel := context.WithCancelCause(t.Context())
				go func() {
					for server.Count(slacktest.Webhook)+server.Count(slacktest.Post) == 0 {
						time.Sleep(time.Millisecond)
					}
					cancel(stopped)
				}()
				if _, err := notified(ctx, n, testMessage(t)); !errors.Is(err, stopped) {
					t.Errorf("%T: %v, want %v", n, err, stopped)
				}
				cancel(nil)
			}
		})
	}
}

func mustWebhook(t *testing.T, s *slacktest.Server) *Webhook {
	w, _ := testWebhook(t, s)
	w.patience = defaultPatience()
	return w
}

func mustBot(t *testing.T, s *slacktest.Server) *Bot {
	b, _ := testBot(t, s, slacktest.ChannelName)
	b.patience = defaultPatience()
	return b
}

// The bot's files are in the thread of its own message, whether the channel was given by name or by ID.
func TestBotPostsAndUploads(t *testing.T) {
	for _, channel := range []string{slacktest.Channel, slacktest.ChannelName, "#" + slacktest.ChannelName} {
		server := slackServer(t)
		b, _ := testBot(t, server, channel)
		m := testMessage(t)
		warnings, err := notified(t.Context(), b, m)
		if err != nil || len(warnings) > 0 || len(server.Messages()) != 1 {
			t.Fatalf("Notify: %v, %v, problems %v", warnings, err, server.Problems())
		}
		files := server.Files()
		if len(files) != 2 {
			t.Fatalf("files %v", files)
		}
		for i, want := range m.Files {
			f := files[i]
			if f.Name != want.Name || f.Content != want.Content || f.Channel != slacktest.Channel || f.ThreadTS != server.Messages()[0].TS {
				t.Errorf("file %+v, want %+v in the thread %s", f, want, server.Messages()[0].TS)
			}
		}
		if files[0].Name != "report.csv" || files[1].Name != "report.md" || !strings.HasPrefix(files[0].Content, "namespace,kind,") {
			t.Errorf("files %v", files)
		}
	}
}

const blocksRefused = `{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"]}}`

func TestBotAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer slacktest.Answer
		tries  int
		want   string
	}{
		{"429", slacktest.RateLimited(7), 2, ""},
		{"ratelimited", slacktest.APIError("ratelimited"), 2, ""},
		{"503", slacktest.Status(503, "<html>down</html>"), 2, ""},
		{"500", slacktest.Status(500, ""), 1, "500 Internal Server Error (it may have been done all the same)"},
		{"internal", slacktest.APIError("internal_error"), 1, `posting to the Slack channel "rightsizing": internal_error`},
		{"channel", slacktest.APIError("channel_not_found"), 1, "channel_not_found (the channel is gone or private: a bot must be invited"},
		{"outside", slacktest.APIError("not_in_channel"), 1, "not_in_channel (invite the bot to the channel: /invite @NAME)"},
		{"auth", slacktest.APIError("invalid_auth"), 1, "invalid_auth (the token is not valid"},
		{"scope", slacktest.MissingScope("chat:write", "files:write,channels:read"), 1, "missing_scope: the token has the scopes files:write,channels:read and needs chat:write (give the app's bot the scopes chat:write and files:write, and install it again)"},
		{"blocks", slacktest.Status(200, blocksRefused), 1, "invalid_blocks: [ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text] (this is a fault of rightsize"},
		{"no Slack", slacktest.Page(), 1, "its answer is not that of Slack's API"},
		{"empty", slacktest.Status(200, ""), 1, "its answer is not that of Slack's API"},
		{"array", slacktest.Status(200, "[]"), 1, "its answer is not that of Slack's API"},
		{"null", slacktest.Status(200, "null"), 1, "its answer is not that of Slack's API"},
		{"not ok", slacktest.Status(200, `{"ok":false}`), 1, "its answer is not that of Slack's API"},
		{"redirect", slacktest.Redirect("https://elsewhere.example.com/x"), 1, "redirects are not followed"},
		{"404", slacktest.Status(404, "not here"), 1, "404 Not Found: not here"},
		{"broken", slacktest.Broken(), 1, "it may have been posted all the same"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := slackServer(t)
			server.Next(slacktest.Post, c.answer)
			b, _ := testBot(t, server, slacktest.ChannelName)
			_, err := notified(t.Context(), b, testMessage(t))
			wantError(t, err, c.want)
			if n := server.Count(slacktest.Post); n != c.tries {
				t.Errorf("%d requests, want %d", n, c.tries)
			}
			if n := len(server.Files()); (n == 2) != (c.want == "") {
				t.Errorf("%d files", n)
			}
		})
	}
}

// The message is what counts: an upload that fails is a warning, and the other file is still uploaded.
func TestUploadsThatFailAreWarnings(t *testing.T) {
	for _, c := range []struct {
		step   string
		answer slacktest.Answer
		want   string
	}{
		{slacktest.GetURL, slacktest.MissingScope("files:write", "chat:write"), "the message is posted, but without report.csv: asking where to upload: missing_scope: the token has the scopes chat:write and needs files:write"},
		{slacktest.GetURL, slacktest.Status(200, `{"ok":true,"upload_url":"https://elsewhere.example.com/key","file_id":"F1"}`), "uploading: refusing to send the token"},
		{slacktest.GetURL, slacktest.Status(200, `{"ok":false}`), "asking where to upload: its answer is not that of Slack's API"},
		{slacktest.Complete, slacktest.Status(200, `{"ok":false}`), "sharing the upload: its answer is not that of Slack's API"},
		{slacktest.Upload, slacktest.Status(413, "too big"), "uploading: 413 Request Entity Too Large: too big"},
		{slacktest.Upload, slacktest.Broken(), "uploading: "},
		{slacktest.Complete, slacktest.APIError("not_in_channel"), "sharing the upload: not_in_channel (invite the bot"},
	} {
		server := slackServer(t)
		server.Next(c.step, c.answer)
		b, _ := testBot(t, server, slacktest.ChannelName)
		warnings, err := notified(t.Context(), b, testMessage(t))
		if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], c.want) || len(server.Files()) != 1 {
			t.Errorf("%s: %q, %v, %d files, want %q", c.step, warnings, err, len(server.Files()), c.want)
		}
	}
}

func TestUploadsAreTriedAgain(t *testing.T) {
	server := slackServer(t)
	server.Next(slacktest.GetURL, slacktest.RateLimited(2))
	server.Next(slacktest.Upload, slacktest.Status(503, ""))
	server.Next(slacktest.Complete, slacktest.Status(500, ""))
	b, waits := testBot(t, server, slacktest.ChannelName)
	warnings, err := notified(t.Context(), b, testMessage(t))
	if err != nil || len(warnings) > 0 || len(server.Files()) != 2 || len(*waits) != 3 {
		t.Errorf("%q, %v, %d files, waits %v", warnings, err, len(server.Files()), *waits)
	}
}

// secrets are what must not be seen anywhere, in full or in part.
func secrets(s *slacktest.Server) []string {
	return []string{slacktest.Token, s.WebhookURL(), slacktest.WebhookPath, slacktest.UploadKey, "look-alike", "xoxb-0"}
}

// TestNoSecretIsShown takes every way to fail, with servers that quote what they were sent, and looks at all that
// comes of it: errors and warnings in every verb of fmt, their chains, and the notifiers themselves.
func TestNoSecretIsShown(t *testing.T) {
	for _, where := range []string{slacktest.Webhook, slacktest.Post, slacktest.GetURL, slacktest.Upload, slacktest.Complete} {
		for n := range everyFault(where, "", "") {
			s := slackServer(t)
			s.Next(where, many(everyFault(where, s.WebhookURL(), quotes(s, where))[n], 6)...)
			w, _ := testWebhook(t, s)
			b, _ := testBot(t, s, slacktest.ChannelName)
			w.client.timeout, b.client.timeout = 200*time.Millisecond, 200*time.Millisecond
			for _, notifier := range []Notifier{w, b} {
				warnings, err := notified(t.Context(), notifier, testMessage(t))
				wantNoSecret(t, s, fmt.Sprintf("%s, answer %d", where, n), warnings, err, notifier, Task{Notifier: notifier})
			}
		}
	}
}

// quotes are what a server can quote of a request that goes there, in all forms.
func quotes(s *slacktest.Server, where string) string {
	upload := s.URL + "/upload/" + slacktest.UploadKey
	return map[string]string{
		slacktest.Webhook: strings.Join([]string{s.WebhookURL(), slacktest.WebhookPath, "look-alike-webhook-secret"}, " "),
		slacktest.Upload:  strings.Join([]string{slacktest.Token, upload + "/1", upload + "/2", "/upload/" + slacktest.UploadKey + "/1", slacktest.UploadKey}, " "),
	}[where] + " " + map[bool]string{true: "", false: slacktest.Token}[where == slacktest.Webhook]
}

func everyFault(where, webhook, quoted string) []slacktest.Answer {
	answers := []slacktest.Answer{
		slacktest.RateLimited(1), slacktest.RateLimited(9999), slacktest.Page(), slacktest.Hang(), slacktest.Broken(),
		slacktest.Redirect(webhook), slacktest.Redirect("/" + quoted),
		slacktest.APIError("invalid_auth"), slacktest.APIError(quoted), slacktest.MissingScope(quoted, quoted),
		slacktest.Status(200, fmt.Sprintf(`{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":[%q]}}`, quoted)),
	}
	if where == slacktest.GetURL {
		for _, url := range []string{"http://elsewhere.example.com/upload/" + slacktest.UploadKey, "http://127.0.0.1:1/%zz/" + slacktest.UploadKey} {
			answers = append(answers, slacktest.Status(200, fmt.Sprintf(`{"ok":true,"upload_url":%q,"file_id":"F1"}`, url)))
		}
	}
	for _, status := range []int{200, 400, 401, 403, 404, 410, 500, 502, 503, 504} {
		answers = append(answers, slacktest.Status(status, quoted))
	}
	for padding := 100; padding < maxQuote; padding += 9 { // a secret that is cut is half a secret
		answers = append(answers, slacktest.Status(http.StatusNotFound, strings.Repeat("x", padding)+quoted))
	}
	return answers
}

func wantNoSecret(t *testing.T, s *slacktest.Server, when string, warnings []string, err error, values ...any) {
	t.Helper()
	seen := []string{strings.Join(warnings, "\n")}
	for ; err != nil; err = errors.Unwrap(err) {
		values = append(values, err)
	}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			seen = append(seen, fmt.Sprintf(verb, v))
		}
		encoded, _ := json.Marshal(v)
		seen = append(seen, string(encoded))
	}
	for _, text := range seen {
		for _, secret := range append(secrets(s), fmt.Sprintf("%x", slacktest.Token), fmt.Sprintf("%x", slacktest.WebhookPath)) {
			if strings.Contains(text, secret) {
				t.Errorf("%s: %q is in %s", when, secret, text)
			}
		}
	}
}

// Errors of what is given wrongly do not quote it either.
func TestNoSecretIsShownOfWrongOnes(t *testing.T) {
	for _, secret := range []string{"hooks.slack.com/services/look-alike", "http://hooks.slack.com/services/look-alike", "https://\x7f/look-alike", "xoxb look-alike"} {
		_, webhook := NewWebhook(NewSecret(secret), Options{})
		_, bot := NewBot(NewSecret("xoxb\n"+secret), "ops", Options{})
		_, api := NewBot(NewSecret("xoxb-look-alike"), "ops", Options{APIURL: "http://example.com/xoxb-look-alike"})
		for _, err := range []error{webhook, bot, api} {
			if err == nil || strings.Contains(err.Error(), "look-alike") {
				t.Errorf("%q: %v", secret, err)
			}
		}
	}
}
