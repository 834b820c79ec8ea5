package main

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// streams are where a command reads, writes and keeps temporary files.
type streams struct {
	in       io.Reader
	out, err io.Writer
	log      *logs
	scratch  *scratch
	farewell *farewell
}

// farewell is how a command takes its leave after a signal. The zero value is that of most: the signal ends it, within
// signalGrace.
type farewell struct {
	within atomic.Int64 // a time.Duration that the command needs to end by itself, as it should; 0 is that of most
}

// needs says that a signal is how the command is meant to end, and that this takes it so long.
func (f *farewell) needs(d time.Duration) { f.within.Store(int64(d)) }

// grace is how long to wait for the command, and whether it then ends as it should.
func (f *farewell) grace() (d time.Duration, meant bool) {
	if d = time.Duration(f.within.Load()); d > 0 {
		return d, true
	}
	return signalGrace, false
}

// output is standard output that remembers its first error, for those who print without looking.
type output struct {
	*os.File
	failed error
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.File.Write(p)
	if o.failed == nil {
		o.failed = err
	}
	return n, err
}

// input is standard input that a signal interrupts, though nothing is typed.
type input struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader. The read that a signal interrupts goes on until the process ends.
func (i input) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	own := make([]byte, len(p)) // p is the caller's again once we return
	go func() {
		n, err := i.r.Read(own)
		done <- result{n, err}
	}()
	select {
	case r := <-done:
		return copy(p, own[:r.n]), r.err
	case <-i.ctx.Done():
		return 0, context.Cause(i.ctx)
	}
}

// scratch is a folder for temporary files. It is made when it is first asked for, and removed when the command
// ends, however it ends.
type scratch struct {
	mu   sync.Mutex
	dir  string
	gone bool
}

func (s *scratch) folder() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return "", errors.New("the command is ending")
	}
	if s.dir != "" {
		return s.dir, nil
	}
	var err error
	s.dir, err = os.MkdirTemp("", "rightsize-")
	return s.dir, err
}

// remove may be called while something still writes into the folder, after a signal: so it tries a few times.
func (s *scratch) remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	for range 10 {
		if s.dir == "" || os.RemoveAll(s.dir) == nil {
			return
		}
	}
}
