package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/tsdb"
)

// readMode is how usage is read.
type readMode string

const (
	readAuto   readMode = "auto"   // every sample where the source can, else by queries
	readQuery  readMode = "query"  // by range queries, at the points of a grid
	readRemote readMode = "remote" // every sample, by remote read
)

func readModes() []string { return []string{string(readAuto), string(readQuery), string(readRemote)} }

func (o *options) readFlag() pflag.Value {
	text := func(m readMode) string { return string(m) }
	return value(&o.read, "HOW", parseReadMode, text)
}

func parseReadMode(s string) (readMode, error) {
	for _, m := range readModes() {
		if s == m {
			return readMode(m), nil
		}
	}
	return "", errors.New("want auto, query or remote")
}

// rawReader is a promquery.Raw that knows whether it works.
type rawReader interface {
	promquery.Raw
	Probe(ctx context.Context, at time.Time) error
}

// folder is a data folder, which always works.
type folder struct{ *tsdb.DB }

// Probe implements rawReader.
func (folder) Probe(context.Context, time.Time) error { return nil }

// choose settles how usage is read. It asks the server whether it has remote read; where that may be left to it, a
// server that has not is read by queries, and the note says so.
func (u *usageSource) choose(ctx context.Context, at time.Time, queryTimeout time.Duration) (note string, err error) {
	if u.raw == nil {
		return "", nil
	}
	err = u.reader.Patiently(ctx, func(ctx context.Context) error { return u.probe(ctx, at, queryTimeout) })
	switch {
	case err == nil:
		u.reader.Raw, u.described.Read = u.raw, "remote_read"
		if u.described.Kind == "tsdb" {
			u.described.Read = "chunks"
		}
		return "", nil
	case ctx.Err() != nil: // of the run: nothing was found out
		return "", err
	case u.mode == readAuto:
		return "usage is read by queries, which see one sample in each --step, since there is no remote read: " + reasonOf(err), nil
	}
	return "", fmt.Errorf("no remote read: %w: read with --read query", err)
}

// probe asks for nothing by remote read.
func (u *usageSource) probe(ctx context.Context, at time.Time, queryTimeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, min(queryTimeout, checkTimeout), errors.New("no answer to a remote read of nothing in time"))
	defer cancel()
	err := u.raw.Probe(ctx, at)
	if cause := context.Cause(ctx); err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("asking %s: %w", u.described.Address, cause)
	}
	return err
}

// reasonOf leaves out what to do about the address: queries have just been answered there.
func reasonOf(err error) string {
	text, _, _ := strings.Cut(err.Error(), ": is the path in --prometheus-url right?")
	return text
}

// interval is about the time between the samples that are read; 0 is the step.
func (u *usageSource) interval() time.Duration {
	if u.reader.Raw == nil {
		return 0
	}
	return promquery.RawInterval
}

const (
	// defaultConcurrency keeps a Prometheus busy while we decode, and leaves eighteen of its twenty places to others.
	defaultConcurrency = 2

	// maxConcurrency is as many queries as a Prometheus evaluates at once, by default: --query.max-concurrency.
	maxConcurrency = 20
)

func parseConcurrency(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxConcurrency {
		return 0, fmt.Errorf("want a whole number from 1 to %d, which is what a Prometheus answers at once", maxConcurrency)
	}
	return n, nil
}

func parseQPS(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		return 0, errors.New("want a number of requests a second above 0, such as 5 or 0.5")
	}
	return v, nil
}
