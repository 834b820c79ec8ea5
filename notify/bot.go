package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rightsize/rightsize/recommender"
)

// Bot is a Notifier that posts as a Slack app's bot user, with the report's files in the message's thread. Its
// token needs the scopes chat:write and files:write.
type Bot struct {
	token    Secret
	channel  string
	apiURL   string
	client   *client
	patience patience
}

var _ Notifier = (*Bot)(nil)

// NewBot checks the token's form. The channel is a name or an ID. Its errors do not show the token.
func NewBot(token Secret, channel string, o Options) (*Bot, error) {
	if t := token.text(); t == "" || strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("it is not a token: want one word, which begins with xoxb-")
	}
	b := &Bot{token: token, channel: channel, apiURL: slack.APIURL, client: newClient(o.UserAgent, token), patience: defaultPatience()}
	if o.APIURL != "" {
		u, err := parseURL(o.APIURL)
		if err != nil {
			return nil, fmt.Errorf("invalid URL %q of Slack's API: want one with https, such as %s", hide(o.APIURL, token), slack.APIURL)
		}
		b.apiURL = strings.TrimSuffix(u.String(), "/") + "/"
	}
	return b, nil
}

// api is made anew each time: slack-go keeps the token as it is, where a dump of it would show it. More secrets
// are kept out of what comes of it too.
func (b *Bot) api(more ...Secret) *slack.Client {
	c := *b.client
	c.secrets = append(more, c.secrets...)
	return slack.New(b.token.text(), slack.OptionHTTPClient(&c), slack.OptionAPIURL(b.apiURL))
}

// Notify implements Notifier. The files come after. Those that cannot be uploaded are warnings: the message is
// there.
func (b *Bot) Notify(ctx context.Context, m Message) (func(context.Context) []string, error) {
	var id, thread string
	err := b.patience.do(ctx, func(ctx context.Context) error {
		var err error
		id, thread, err = b.api().PostMessageContext(ctx, b.channel,
			slack.MsgOptionText(m.Text, false), slack.MsgOptionBlocks(m.Blocks...), slack.MsgOptionDisableLinkUnfurl())
		return b.fault(ctx, complete(err, id, thread))
	})
	if err != nil {
		return nil, fmt.Errorf("posting to the Slack channel %q: %w%s", b.channel, err, advice(err.Error()))
	}
	return func(ctx context.Context) (warnings []string) {
		for _, f := range m.Files {
			if err := b.upload(ctx, f, id, thread); err != nil {
				warnings = append(warnings, fmt.Sprintf("the message is posted, but without %s: %v%s", f.Name, err, advice(err.Error())))
			}
		}
		return warnings
	}, nil
}

// upload takes the three steps of https://docs.slack.dev/messaging/working-with-files, each with its own tries.
// Sharing a file takes the channel's ID, which the answer to the message has, and never its name.
func (b *Bot) upload(ctx context.Context, f File, channelID, thread string) error {
	var place *slack.GetUploadURLExternalResponse
	patience := b.patience
	patience.repeatable = true
	err := patience.do(ctx, func(ctx context.Context) (err error) {
		place, err = b.api().GetUploadURLExternalContext(ctx, slack.GetUploadURLExternalParameters{FileName: f.Name, FileSize: len(f.Content)})
		if err == nil {
			err = complete(nil, place.UploadURL, place.FileID)
		}
		return b.fault(ctx, err)
	})
	if err != nil {
		return fmt.Errorf("asking where to upload: %w", err)
	}
	key := NewSecret(place.UploadURL) // whoever has it may upload
	err = patience.do(ctx, func(ctx context.Context) error {
		err := b.api(key).UploadToURL(ctx, slack.UploadToURLParameters{UploadURL: place.UploadURL, Content: f.Content, Filename: f.Name})
		return b.fault(ctx, err, key)
	})
	if err != nil {
		return fmt.Errorf("uploading: %w", err)
	}
	err = patience.do(ctx, func(ctx context.Context) error {
		shared, err := b.api().CompleteUploadExternalContext(ctx, slack.CompleteUploadExternalParameters{
			Files: []slack.FileSummary{{ID: place.FileID, Title: f.Title}}, Channel: channelID, ThreadTimestamp: thread,
		})
		if err == nil && len(shared.Files) == 0 {
			err = complete(nil, "")
		}
		return b.fault(ctx, err)
	})
	if err != nil {
		return fmt.Errorf("sharing the upload: %w", err)
	}
	return nil
}

// complete is an error where an answer lacks something: slack-go takes {"ok": false} without a reason, and any
// other JSON, for success.
func complete(err error, wanted ...string) error {
	if err == nil && slices.Contains(wanted, "") {
		return notSlack()
	}
	return err
}

func notSlack() *fault {
	return &fault{text: "its answer is not that of Slack's API: is that Slack, or something in between?"}
}

// fault turns slack-go's errors into ours: without secrets, and with what Slack says besides the code.
func (b *Bot) fault(ctx context.Context, err error, more ...Secret) error {
	var ours *fault
	var refused slack.SlackErrorResponse
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &refused):
		return b.refused(refused)
	case errors.As(err, &syntax), errors.As(err, &shape), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return notSlack()
	default:
		return &fault{text: hide(err.Error(), append(more, b.token)...)}
	}
}

// refused is an answer of Slack's API with ok: false. Those worth another try are the ones that say that
// nothing was done; internal_error and fatal_error say that something may have been.
func (b *Bot) refused(r slack.SlackErrorResponse) error {
	text := r.Err
	if r.Needed != "" {
		text += ": the token has the scopes " + r.Provided + " and needs " + r.Needed
	}
	if details := strings.Join(r.ResponseMetadata.Messages, "; "); details != "" {
		text += ": " + details
	}
	text = cut(recommender.Printable(hide(text, b.token)), maxQuote)
	return &fault{text: text, retry: slices.Contains([]string{"ratelimited", "rate_limited", "service_unavailable", "request_timeout"}, r.Err)}
}
