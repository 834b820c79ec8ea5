// Package notify posts a report to Slack: a message that is read in ten seconds, and what has changed since the
// last one.
package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/rightsize/rightsize/report"
)

// Notifier takes a message to where people read it.
type Notifier interface {
	// Notify posts the message. An error means that it is not there, as far as is known. What goes with the
	// message is left to after, which is never nil without an error: its warnings tell what did not go well.
	Notify(ctx context.Context, m Message) (after func(context.Context) (warnings []string), err error)
}

// nothingAfter is for messages that nothing goes with.
func nothingAfter(context.Context) []string { return nil }

// Options are what all ways to Slack have in common.
type Options struct {
	UserAgent string
	APIURL    string // of the Web API, for a bot; empty for Slack's own
}

// Task is what Post is to do.
type Task struct {
	Notifier Notifier
	Store    Store  // of what was posted last; nil for none
	Scope    string // what the report is about: other scopes are not compared
}

// Post reads what was posted last, posts what a report says, and keeps that for the next time. Nothing is posted
// where the state cannot be read or would be too big, and no state is kept of what was not posted.
func (t Task) Post(ctx context.Context, r report.Report) (warnings []string, err error) {
	m, next, err := t.prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	after, err := t.Notifier.Notify(ctx, m)
	if err != nil {
		return nil, err
	}
	err = t.save(ctx, next) // at once: a signal may end what comes after
	return after(ctx), err
}

// saveGrace is what is left for the state once a signal has come: less than the command takes to tidy up.
const saveGrace = 1500 * time.Millisecond

// save keeps the state of a message that is there, so also when a signal comes.
func (t Task) save(ctx context.Context, next []byte) error {
	if t.Store == nil {
		return nil
	}
	saving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(saveGrace, cancel) })()
	if err := t.Store.Save(saving, next); err != nil {
		return fmt.Errorf("the message is posted, but the next one will be compared with an older one: %w", err)
	}
	return nil
}

// prepare is the message, and the state to keep once it is posted.
func (t Task) prepare(ctx context.Context, r report.Report) (Message, []byte, error) {
	if t.Store == nil {
		m, err := newMessage(r, nil)
		return m, nil, err
	}
	last, err := t.last(ctx)
	if err != nil {
		return Message{}, nil, err
	}
	since, now := compare(last, r, t.Scope)
	next, err := now.encode()
	if err != nil {
		return Message{}, nil, err
	}
	m, err := newMessage(r, &since)
	return m, next, err
}

// last is the state that was kept, nil where there is none yet.
func (t Task) last(ctx context.Context) (*state, error) {
	text, err := t.Store.Load(ctx)
	if err != nil || text == nil {
		return nil, err
	}
	s, err := decodeState(text)
	if err != nil {
		return nil, fmt.Errorf("reading the state in %s: %w", t.Store, err)
	}
	return s, nil
}

// DryRun is a Notifier that writes the payload instead of posting it.
type DryRun struct {
	Writer  io.Writer
	Channel string // of a bot; a webhook has its own
}

var _ Notifier = DryRun{}

// Notify implements Notifier.
func (d DryRun) Notify(_ context.Context, m Message) (func(context.Context) []string, error) {
	text, err := m.payload(d.Channel)
	if err != nil {
		return nil, err
	}
	_, err = d.Writer.Write(append(text, '\n'))
	return nothingAfter, err
}

// secure says whether a secret may be sent to the URL: by https, or within this machine.
func secure(u *url.URL) bool {
	name := u.Hostname()
	ip := net.ParseIP(name)
	return name != "" && (u.Scheme == "https" || u.Scheme == "http" && (name == "localhost" || ip != nil && ip.IsLoopback()))
}

// parseURL reads a URL that secrets may be sent to. Its error does not quote it: it may be a secret itself.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || !secure(u) || u.User != nil || strings.ContainsAny(text, " \t\r\n") {
		return nil, errors.New("it is not a URL with https, as https://hooks.slack.com/services/T/B/SECRET is")
	}
	return u, nil
}
