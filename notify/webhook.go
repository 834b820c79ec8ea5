package notify

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Webhook is a Notifier that posts to an incoming webhook, which has a channel of its own and takes no files
// (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
type Webhook struct {
	url      Secret
	client   *client
	patience patience
}

var _ Notifier = (*Webhook)(nil)

// NewWebhook checks the URL. Its errors do not show it.
func NewWebhook(url Secret, o Options) (*Webhook, error) {
	if _, err := parseURL(url.text()); err != nil {
		return nil, err
	}
	return &Webhook{url, newClient(o.UserAgent, url), defaultPatience()}, nil
}

// Notify implements Notifier.
func (w *Webhook) Notify(ctx context.Context, m Message) (func(context.Context) []string, error) {
	payload, err := m.payload("")
	if err != nil {
		return nil, err
	}
	err = w.patience.do(ctx, func(ctx context.Context) error { return w.post(ctx, payload) })
	if err != nil {
		return nil, fmt.Errorf("posting to the Slack webhook: %w%s", err, advice(err.Error()))
	}
	return nothingAfter, nil
}

// post succeeds where Slack says "ok" and nothing else: what stands between may answer 200 too.
func (w *Webhook) post(ctx context.Context, payload []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url.text(), bytes.NewReader(payload))
	if err != nil {
		return &fault{text: "the webhook's URL cannot be used"} // the error would quote it
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := w.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return &fault{text: "its answer cannot be read"}
	}
	said := w.client.quote(body)
	switch {
	case said == "ok":
		return nil
	case advice(said) != "":
		return &fault{text: fmt.Sprintf("it answered %q", said)} // Slack's word, and advice for it follows
	default:
		return &fault{text: fmt.Sprintf("it answered %q and not \"ok\": is that Slack, or something in between?", said)}
	}
}

// advice is what to do about an error of Slack's, in brackets; empty where its name says it all.
func advice(text string) string {
	for _, known := range []struct{ code, do string }{
		{"no_service", "the webhook was removed: make a new one"},
		{"no_active_hooks", "the webhook was disabled: make a new one"},
		{"no_team", "the webhook's workspace is gone: make a new webhook"},
		{"invalid_token", "the webhook's URL is not whole, or was revoked"},
		{"channel_not_found", "the channel is gone or private: a bot must be invited to a private channel, and a webhook made anew"},
		{"not_in_channel", "invite the bot to the channel: /invite @NAME"},
		{"is_archived", "the channel is archived: choose another"},
		{"action_prohibited", "an admin of the workspace has restricted posting"},
		{"restricted_action", "an admin of the workspace has restricted posting"},
		{"invalid_blocks", "this is a fault of rightsize: --slack-dry-run prints the payload, for a report of it"},
		{"msg_blocks_too_long", "this is a fault of rightsize: --slack-dry-run prints the payload, for a report of it"},
		{"invalid_payload", "this is a fault of rightsize: --slack-dry-run prints the payload, for a report of it"},
		{"missing_scope", "give the app's bot the scopes chat:write and files:write, and install it again"},
		{"invalid_auth", "the token is not valid: take the bot user's, which begins with xoxb-"},
		{"not_allowed_token_type", "take the bot user's token, which begins with xoxb-"},
		{"account_inactive", "the token's app was removed from the workspace"},
		{"token_revoked", "the token was revoked: install the app again"},
		{"token_expired", "the token has expired: take one that is not rotated"},
	} {
		if strings.Contains(text, known.code) {
			return " (" + known.do + ")"
		}
	}
	return ""
}
