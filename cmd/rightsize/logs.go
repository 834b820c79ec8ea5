package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/rightsize/rightsize/recommender"
)

// logs is what is said on stderr: lines for people, or JSON for a log collector. Its flags set it while the
// command line is parsed, so a logger is made for each use.
type logs struct {
	w     io.Writer
	json  bool
	level slog.Level
}

func newLogs(w io.Writer) *logs { return &logs{w: w, level: slog.LevelWarn} }

func (l *logs) logger() *slog.Logger {
	if l.json {
		return slog.New(slog.NewJSONHandler(l.w, &slog.HandlerOptions{Level: l.level}))
	}
	return slog.New(plainHandler{w: l.w, level: l.level})
}

func (l *logs) warn(text string) { l.logger().Warn(sayable(text)) }

func (l *logs) info(text string, args ...any) { l.logger().Info(text, args...) }

// fail is the last line of a command that failed. No level hides it.
func (l *logs) fail(err error, code int) {
	text := sayable(err.Error())
	if l.json {
		l.logger().Error(text, "exitCode", code)
		return
	}
	l.logger().Error(text)
}

// sayable is a text on one line, without secrets of Slack's that somebody gave to a flag that quotes its value.
func sayable(text string) string {
	return slackSecret().ReplaceAllString(recommender.Printable(text), "<hidden>")
}

// preset takes the format from a command line that has not been parsed, so that what is wrong with a flag before
// --log-format is said as JSON too.
func (l *logs) preset(args []string) {
	for i, arg := range args {
		switch {
		case arg == "--":
			return
		case arg == "--log-format=json", arg == "--log-format" && i+1 < len(args) && args[i+1] == "json":
			l.json = true
		}
	}
}

// plainHandler writes a record as people read it: "rightsize: warning: no pods". Errors have no word before
// them, and the time is left to whoever collects the lines.
type plainHandler struct {
	w     io.Writer
	level slog.Level
	attrs string
}

func (h plainHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h plainHandler) Handle(_ context.Context, r slog.Record) error {
	line := "rightsize: "
	switch {
	case r.Level < slog.LevelWarn:
		line += "info: "
	case r.Level < slog.LevelError:
		line += "warning: "
	}
	line += r.Message + h.attrs
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	_, err := fmt.Fprintln(h.w, line)
	return err
}

func (h plainHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.attrs += " " + a.String()
	}
	return h
}

// WithGroup is not used: there are few attributes, and no two of one name.
func (h plainHandler) WithGroup(string) slog.Handler { return h }

func (l *logs) flags() flagGroup {
	how := newFlagGroup("What to say on stderr")
	how.Var(value(&l.json, "FORMAT", parseLogFormat, logFormatText), "log-format", "text for people or json for a log collector")
	how.Var(value(&l.level, "LEVEL", parseLogLevel, logLevelText), "log-level", "the least that is said: error, warn or info")
	return how
}

func parseLogFormat(s string) (bool, error) {
	if s != "text" && s != "json" {
		return false, errors.New("want text or json")
	}
	return s == "json", nil
}

func logFormatText(json bool) string {
	if json {
		return "json"
	}
	return "text"
}

func parseLogLevel(s string) (slog.Level, error) {
	for _, level := range []slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo} {
		if logLevelText(level) == s {
			return level, nil
		}
	}
	return 0, errors.New("want error, warn or info")
}

func logLevelText(l slog.Level) string { return strings.ToLower(l.String()) }
