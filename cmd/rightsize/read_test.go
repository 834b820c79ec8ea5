package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	_, _, _, err := timed{silence{}, 20 * time.Millisecond, &promquery.Reader{}}.Query(t.Context(), "1", time.Unix(0, 0))
	if err == nil || err.Error() != "no answer within --query-timeout 20ms" {
		t.Errorf("a slow request: %v", err)
	}
}

// What passes is no finding of doctor's: a gateway that once had no server behind it made a problem of a check.
func TestDoctorIsPatient(t *testing.T) {
	asked := 0
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		switch asked++; {
		case asked == 1 || strings.HasSuffix(r.URL.Path, "/read") && asked == 3:
			http.Error(w, "Bad Gateway", http.StatusBadGateway)
		case strings.HasSuffix(r.URL.Path, "/read"):
			w.Header().Set("Content-Type", "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")
		default:
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}`)
		}
	}))
	api, err := promquery.NewHTTP(promquery.HTTPOptions{URL: server})
	if err != nil {
		t.Fatal(err)
	}
	u := &usageSource{api: api, http: api, reader: &promquery.Reader{API: api}}
	o := options{log: new(logs)}
	o.setDefaults()
	patient := o.patient(u, o.window)
	if _, _, _, err := patient.API.Query(t.Context(), "1", time.Unix(0, 0)); err != nil || asked != 2 {
		t.Errorf("a query after %d requests: %v", asked, err)
	}
	if err := patient.RemoteRead(t.Context()); err != nil || asked != 4 {
		t.Errorf("remote read after %d requests: %v", asked, err)
	}
}
