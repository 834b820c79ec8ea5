package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/promquery"
)

// silence answers nothing, as long as it is given.
type silence struct{ promquery.API }

func (silence) Query(ctx context.Context, _ string, _ time.Time, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	<-ctx.Done()
	return nil, nil, nil, ctx.Err()
}

func (silence) ReadRaw(context.Context, promquery.RawQuery, func(promquery.RawSeries) error) error {
	return errors.New("not asked")
}

func (silence) Probe(ctx context.Context, _ time.Time) error {
	<-ctx.Done()
	return ctx.Err()
}

// A run whose time is over while it asks for remote read has found out nothing: it used to say that there was none.
func TestChooseKeepsToTheRun(t *testing.T) {
	for _, mode := range []readMode{readAuto, readRemote} {
		u := usageSource{reader: &promquery.Reader{}, raw: silence{}, mode: mode}
		over := timeoutError(20 * time.Millisecond)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Duration(over), over)
		note, err := u.choose(ctx, time.Unix(0, 0), time.Minute)
		cancel()
		if note != "" || !errors.As(err, &over) || strings.Contains(err.Error(), "no remote read") {
			t.Errorf("--read %s: note %q, error %v, want that the run's time is over", mode, note, err)
		}
	}
}

// A request of doctor's that takes too long says how long that was, and by what flag.
func TestTimed(t *testing.T) {
	_, _, _, err := timed{silence{}, 20 * time.Millisecond}.Query(t.Context(), "1", time.Unix(0, 0))
	if err == nil || err.Error() != "no answer within --query-timeout 20ms" {
		t.Errorf("a slow request: %v", err)
	}
}
