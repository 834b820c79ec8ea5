package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// patience is how often something is tried, and how long is waited in between.
type patience struct {
	tries int
	first time.Duration // before the second try; doubled with each
	total time.Duration // that may be waited altogether

	// repeatable says that nothing is lost where something is done twice, as a message in a channel would be.
	repeatable bool

	sleep func(context.Context, time.Duration) error
}

// defaultPatience waits 2 minutes at most: Slack lets a webhook post once a second, and asks for 30 s or so
// of those who do not keep to it (https://docs.slack.dev/apis/web-api/rate-limits).
func defaultPatience() patience {
	return patience{tries: 5, first: time.Second, total: 2 * time.Minute, sleep: sleep}
}

// do tries until attempt succeeds, or fails with something that waiting does not mend. The error is the last
// attempt's, or the cause of the context's end.
func (p patience) do(ctx context.Context, attempt func(context.Context) error) error {
	left := p.total
	for n := 1; ; n++ {
		err := attempt(ctx)
		var f *fault
		if err == nil || !errors.As(err, &f) || !f.retry && (!f.unsure || !p.repeatable) {
			return err
		}
		if n >= p.tries {
			return fmt.Errorf("%w: given up after %d tries", err, n)
		}
		wait := p.wait(n, f.after)
		if wait > left {
			return fmt.Errorf("%w: given up, since the next try would have to wait %s, and %s in all is the most", err,
				recommender.ShortDuration(wait), recommender.ShortDuration(p.total))
		}
		left -= wait
		if err := p.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// wait is what the server asks for, or a time that doubles, and up to a quarter more of it: several runs that
// were refused together are not to come back together.
func (p patience) wait(n int, after time.Duration) time.Duration {
	if after == 0 {
		after = p.first << (n - 1)
	}
	return after + rand.N(after/4+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
