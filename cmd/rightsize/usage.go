package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/discovery"
	"github.com/rightsize/rightsize/promquery/remote"
	"github.com/rightsize/rightsize/promquery/tsdb"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

// usageSource is where usage is read from.
type usageSource struct {
	api       promquery.API
	http      *promquery.HTTP // nil for a folder
	source    scan.Source
	reader    *promquery.Reader // is source
	raw       rawReader         // nil where usage is read by queries whatever happens
	mode      readMode
	described report.Source
	close     func()
	service   *discovery.Service // that was found in the cluster; nil where an address was given
	proxied   bool               // whether it is asked through the API server
	ends      time.Time          // of a folder: where its last block ends; zero where that is not known
}

// prometheusEnv stands in for --prometheus-url.
const prometheusEnv = "PROMETHEUS_URL"

// openUsage opens what the flags name: a server or a data folder.
func (o *options) openUsage(ctx context.Context, std streams) (*usageSource, error) {
	url := o.prometheusURL
	switch {
	case o.tsdbDir != "" && url != "":
		return nil, usagef("--tsdb and --prometheus-url exclude each other: give one of them")
	case o.tsdbDir != "" && (o.prometheusConfig != "" || len(o.headers) > 0):
		return nil, usagef("--prometheus-config and --header go with --prometheus-url, not with --tsdb")
	case o.tsdbDir != "" && (o.backend.kind != nil || o.backend.tenant != ""):
		return nil, usagef("--backend and --tenant go with a server, not with --tsdb")
	case o.backend.service.Name != "" && (o.tsdbDir != "" || url != ""):
		return nil, usagef("--prometheus-service goes without --prometheus-url and --tsdb: give one of them")
	case o.tsdbDir != "" && o.qps > 0:
		return nil, usagef("--qps goes with --prometheus-url, not with --tsdb")
	case o.tsdbDir != "" && o.read == readRemote:
		return nil, usagef("--read remote goes with --prometheus-url, not with --tsdb: --read auto reads every sample of a data folder")
	case o.tsdbDir != "":
		return o.openFolder(std.scratch)
	case url == "" && o.backend.service.Name == "":
		url = os.Getenv(prometheusEnv)
	}
	if url == "" {
		return o.openDiscovered(ctx, std.log)
	}
	return o.openServer(promquery.HTTPOptions{URL: url, Backend: o.backend.named("")})
}

// discovers says that usage is read from what is found in the cluster.
func (o *options) discovers() bool {
	return o.tsdbDir == "" && o.prometheusURL == "" && (o.backend.service.Name != "" || os.Getenv(prometheusEnv) == "") && o.hasCluster()
}

// openServer opens a server with what the flags say besides where it is.
func (o *options) openServer(at promquery.HTTPOptions) (*usageSource, error) {
	at.ConfigFile, at.Headers, at.PerSecond, at.Tenant = o.prometheusConfig, o.headers, o.qps, o.backend.tenant
	at.Wrap = o.watch.usage
	api, err := promquery.NewHTTP(at)
	if err != nil {
		return nil, usageError{err}
	}
	u, err := o.usageOf(api, report.Source{Kind: "prometheus", Address: api.String()}, api.Close)
	if err != nil {
		return nil, err
	}
	if u.http = api; o.read != readQuery {
		u.raw = o.translate(remote.New(api))
	}
	return u, nil
}

func (o *options) openFolder(temporary *scratch) (*usageSource, error) {
	dir, err := temporary.folder()
	if err != nil {
		return nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	db, err := tsdb.Open(o.tsdbDir, tsdb.Options{TempDir: dir})
	if err != nil {
		return nil, err
	}
	closed := func() { _ = db.Close() } // it was only read
	u, err := o.usageOf(db, report.Source{Kind: "tsdb", Address: o.tsdbDir}, closed)
	if err != nil {
		closed()
		return nil, err
	}
	u.ends = db.BlocksEnd()
	if o.read == readAuto {
		u.raw = o.translate(folder{db})
	}
	return u, nil
}

func (o *options) usageOf(api promquery.API, described report.Source, closed func()) (*usageSource, error) {
	d, err := o.backend.dialect()
	if err != nil {
		return nil, err
	}
	api = d.API(api)
	described.Read = "query_range"
	reader := &promquery.Reader{API: api, RequestTimeout: o.queryTimeout, MaxSamples: o.maxSamples}
	return &usageSource{api: api, source: reader, reader: reader, mode: o.read, described: described, close: closed}, nil
}

// translate makes raw reading speak as queries do.
func (o *options) translate(plain rawReader) rawReader {
	d, err := o.backend.dialect()
	if err != nil || d.IsZero() {
		return plain // usageOf has said what is wrong
	}
	return translated{d.Raw(plain), plain}
}

// endedBefore is a warning where a folder's data end before the window begins: somebody has left out --until.
func (u *usageSource) endedBefore(w recommender.Window) (warning string, yes bool) {
	if u.ends.IsZero() || w.Start().Before(u.ends) {
		return "", false
	}
	return fmt.Sprintf("the data of %s end at %s, before the window begins: give --until %[2]s", u.described.Address, u.ends.Format(time.RFC3339)), true
}

// check asks for the cheapest thing there is.
func (u *usageSource) check(ctx context.Context, at time.Time, queryTimeout time.Duration) error {
	return u.reader.Patiently(ctx, func(ctx context.Context) error { return u.askOne(ctx, at, queryTimeout) })
}

func (u *usageSource) askOne(ctx context.Context, at time.Time, queryTimeout time.Duration) error {
	timeout := min(queryTimeout, checkTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer to the query \"1\" within %s", timeout))
	defer cancel()
	value, _, _, err := u.api.Query(ctx, "1", at)
	if cause := context.Cause(ctx); err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("asking %s: %w", u.described.Address, cause)
	}
	if err != nil {
		return err
	}
	if !isOne(value) {
		return fmt.Errorf("%s answered the query \"1\" with something else: this is not Prometheus's API: is the path in --prometheus-url right?", u.described.Address)
	}
	return nil
}

// isOne tells the answer to the query "1". VictoriaMetrics gives a vector where Prometheus gives a scalar.
func isOne(value model.Value) bool {
	switch v := value.(type) {
	case *model.Scalar:
		return v.Value == 1
	case model.Vector:
		return len(v) == 1 && v[0].Value == 1
	}
	return false
}

// checkTimeout is long for a query of nothing, and short for somebody who mistyped a URL.
const checkTimeout = 20 * time.Second
