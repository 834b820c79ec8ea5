// Command rightsize recommends resource requests and limits for the containers of Kubernetes workloads,
// from what Prometheus saw them use.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

func main() {
	// client-go logs retries and the like through klog: what matters of them reaches us as errors.
	klog.SetLogger(logr.Discard())
	os.Exit(run(os.Args[1:]))
}

// signalGrace is how long a command may take to tidy up after a signal, before it is left where it is.
const signalGrace = 2 * time.Second

// run carries out a command line and returns its exit code.
func run(args []string) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // as nohup and a shell's & have it
			signal.Notify(signals, s)
		}
	}
	// Whoever is notified of SIGPIPE gets an error from writing instead of being killed by it.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	out := &output{File: os.Stdout}
	std := streams{in: input{ctx, os.Stdin}, out: out, err: os.Stderr, log: newLogs(os.Stderr), scratch: new(scratch), farewell: new(farewell)}
	defer std.scratch.remove()
	std.log.preset(args)
	done := make(chan outcome, 1)
	go func() {
		cmd := newRoot(std)
		cmd.SetArgs(args)
		done <- outcome{cmd.ExecuteContext(ctx)}
	}()

	select {
	case o := <-done:
		return finish(std.log, written(out, o.err))
	case s := <-signals:
		stopped := signalError{s}
		cancel(stopped)
		grace, meant := std.farewell.grace()
		select {
		case o := <-done:
			if meant {
				return finish(std.log, o.err)
			}
		case <-signals:
		case <-time.After(grace):
		}
		return finish(std.log, stopped)
	}
}

// written is how a command ended, what became of its output included.
func written(out *output, err error) error {
	switch {
	case errors.Is(out.failed, syscall.EPIPE):
		return signalError{syscall.SIGPIPE}
	case err == nil && out.failed != nil:
		return fmt.Errorf("writing to standard output: %w", out.failed)
	}
	return err
}

// outcome is how a command ended.
type outcome struct{ err error }

// finish says what went wrong, in one line, and returns the exit code that stands for it. Whoever closed our
// output knows, as with any command in a pipe.
func finish(log *logs, err error) int {
	if err == nil {
		return exitDone
	}
	code := exitCode(err)
	if code != (signalError{syscall.SIGPIPE}).code() {
		log.fail(err, code)
	}
	return code
}

// The exit codes. They are an API.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitPartial = 3
	exitGate    = 4
)

// exitCode is the first that applies of signal, wrong usage, failed, done in part and a gate that tripped.
func exitCode(err error) int {
	var stopped signalError
	var usage usageError
	var partial partialError
	var tripped gateError
	switch {
	case errors.As(err, &stopped):
		return stopped.code()
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &partial):
		return exitPartial
	case errors.As(err, &tripped):
		return exitGate
	default:
		return exitFailed
	}
}

// usageError is a command line that cannot be carried out.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (e usageError) Unwrap() error { return e.error }

// partialError is a report that lacks something.
type partialError struct{ error }

func (e partialError) Unwrap() error { return e.error }

// signalError is the signal that ended the command.
type signalError struct{ signal os.Signal }

func (e signalError) Error() string { return "stopped by " + e.signal.String() }

// code is 128 and the signal's number, as a shell has it.
func (e signalError) code() int {
	if n, ok := e.signal.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return exitFailed
}
