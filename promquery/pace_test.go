package promquery

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// instant answers at once.
type instant struct{ asked int }

// RoundTrip implements http.RoundTripper.
func (i *instant) RoundTrip(*http.Request) (*http.Response, error) {
	i.asked++
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func send(ctx context.Context, rt http.RoundTripper) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://host/", strings.NewReader("query=1"))
	if err != nil {
		return err
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func TestPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, begin := newPaced(4, &instant{}), time.Now()
		for range 9 {
			if err := send(t.Context(), rt); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("nine requests at four a second took %s, want 2s", took)
		}
	})
}

func TestPacedGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &instant{}
		rt := newPaced(0.01, next)
		if err := send(t.Context(), rt); err != nil {
			t.Fatal(err)
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := send(soon, rt); err == nil || !strings.Contains(err.Error(), "after its --query-timeout or the run's --timeout: give a higher --qps") {
			t.Errorf("a turn after the deadline: %v", err)
		}
		cancelled, stop := context.WithCancel(t.Context())
		stop()
		if err := send(cancelled, rt); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled while waiting: %v", err)
		}
		if next.asked != 1 {
			t.Errorf("%d requests went out, want 1", next.asked)
		}
	})
}

func TestUnpaced(t *testing.T) {
	next := &instant{}
	if rt := newPaced(0, next); rt != next {
		t.Errorf("no limit gives %T", rt)
	}
}
