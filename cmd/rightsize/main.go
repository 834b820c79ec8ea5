// Command rightsize recommends resource requests and limits for the containers of Kubernetes workloads,
// from what Prometheus saw them use.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

func main() {
	// client-go logs retries and the like through klog: what matters of them reaches us as errors.
	klog.SetLogger(logr.Discard())
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// signalGrace is how long a command may take to tidy up after a signal, before it is left where it is.
const signalGrace = 2 * time.Second

// run carries out a command line and returns its exit code.
func run(args []string, std streams) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	done := make(chan outcome, 1)
	go func() {
		cmd := newRoot(std)
		cmd.SetArgs(args)
		done <- outcome{cmd.ExecuteContext(ctx)}
	}()

	select {
	case o := <-done:
		return finish(std.err, o.err)
	case s := <-signals:
		stopped := signalError{s}
		cancel(stopped)
		select {
		case <-done:
		case <-signals:
		case <-time.After(signalGrace):
		}
		return finish(std.err, stopped)
	}
}

// outcome is how a command ended.
type outcome struct{ err error }

// finish tells a person what went wrong, in one line, and returns the exit code that stands for it.
func finish(w io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(w, "rightsize: "+strings.Join(strings.Fields(err.Error()), " "))
	return exitCode(err)
}

// The exit codes. They are an API.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitPartial = 3
)

// exitCode is the first that applies of signal, wrong usage, failed and done in part.
func exitCode(err error) int {
	var stopped signalError
	var usage usageError
	var partial partialError
	switch {
	case errors.As(err, &stopped):
		return stopped.code()
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &partial):
		return exitPartial
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
