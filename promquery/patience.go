package promquery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	// firstWait is how long the first wait before a repetition is at most; each further one is twice as long.
	firstWait = 500 * time.Millisecond

	// longestWait is how long one wait is at most, unless the server asks for more. All waits of a request together
	// are about 40 seconds, in which a Prometheus restarts.
	longestWait = 20 * time.Second

	// mostWanted is how long a server may want to be left alone for; after more the request has failed.
	mostWanted = 5 * time.Minute
)

// tries is how often a request is sent at most.
func (m remedy) tries() int {
	switch m {
	case askLater, reach:
		return 8
	case reread:
		return 3
	case onceMore:
		return 2
	}
	return 1
}

// patience is what requests to one server learn from each other.
type patience struct {
	reached atomic.Bool // an answer has come, whatever it was
	down    atomic.Bool // a request was given up after all its tries, and none has been answered since

	wait func(context.Context, time.Duration) error // nil waits for as long as it says
}

// Patiently sends a request, and repeats it where what goes wrong may pass: after 429, 5xx but 504, and connections that
// break, with pauses that grow, or as long as Retry-After says; after a broken answer or a 504 a few times. A server
// that no connection has ever come about with is given up at once, and one that was given up for a request is asked only once
// for each further one, until it answers.
func (r *Reader) Patiently(ctx context.Context, send func(context.Context) error) error {
	for try := 1; ; try++ {
		err := send(ctx)
		m := remedyOf(err)
		if err == nil {
			r.patience.down.Store(false)
		}
		if m != reach {
			r.patience.reached.Store(true)
		}
		if m.tries() == 1 || ctx.Err() != nil {
			return err
		}
		if try >= m.tries() || r.patience.hopeless(m) {
			r.patience.down.Store(m == askLater || m == reach)
			return err
		}
		if err := r.patience.pause(ctx, try, err); err != nil {
			return err
		}
	}
}

// hopeless says whether a fault is not worth waiting for.
func (p *patience) hopeless(m remedy) bool {
	return p.down.Load() && (m == askLater || m == reach) || m == reach && !p.reached.Load()
}

// pause waits before the next try. Its error is the fault, where waiting has no sense or its time is over.
func (p *patience) pause(ctx context.Context, try int, fault error) error {
	d := min(firstWait<<(try-1), longestWait)
	d = d/2 + rand.N(d/2) // or all who were sent away would come back together
	var refused *ServerError
	if errors.As(fault, &refused) && refused.RetryAfter > 0 {
		if refused.RetryAfter > mostWanted {
			return fmt.Errorf("%w: it wants to be asked again only in %s", fault, refused.RetryAfter)
		}
		d = max(d, refused.RetryAfter)
	}
	wait := p.wait
	if wait == nil {
		wait = sleep
	}
	if err := wait(ctx, d); err != nil {
		return fmt.Errorf("%w: the last answer: %w", ended(ctx), fault)
	}
	return nil
}

// sleep waits, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// ended is why a context has ended: the reason that a deadline was given, else the context's own error.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return ctx.Err()
}
