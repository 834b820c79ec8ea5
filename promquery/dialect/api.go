package dialect

import (
	"context"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/promquery"
)

// API asks in the dialect.
func (d Dialect) API(inner promquery.API) promquery.API {
	if d.IsZero() {
		return inner
	}
	return &api{d, inner}
}

// Raw reads raw samples in the dialect.
func (d Dialect) Raw(inner promquery.Raw) promquery.Raw {
	if d.IsZero() {
		return inner
	}
	return &raw{d, inner}
}

type api struct {
	Dialect
	inner promquery.API
}

var _ promquery.Writer = (*api)(nil)

// Written implements promquery.Writer.
func (a *api) Written(query string) string {
	written, err := a.Dialect.Query(query)
	if err != nil {
		return query // asking it says so
	}
	return written
}

// Query implements promquery.API.
func (a *api) Query(ctx context.Context, query string, ts time.Time, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	written, err := a.Dialect.Query(query)
	if err != nil {
		return nil, nil, nil, err
	}
	value, warnings, infos, err := a.inner.Query(ctx, written, ts, opts...)
	return a.value(value), warnings, infos, err
}

// QueryRange implements promquery.API.
func (a *api) QueryRange(ctx context.Context, query string, r v1.Range, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	written, err := a.Dialect.Query(query)
	if err != nil {
		return nil, nil, nil, err
	}
	value, warnings, infos, err := a.inner.QueryRange(ctx, written, r, opts...)
	return a.value(value), warnings, infos, err
}

// Series implements promquery.API.
func (a *api) Series(ctx context.Context, matches []string, start, end time.Time, opts ...v1.Option) ([]model.LabelSet, v1.Warnings, v1.Infos, error) {
	written := make([]string, len(matches))
	for i, m := range matches {
		var err error
		if written[i], err = a.Dialect.Query(m); err != nil {
			return nil, nil, nil, err
		}
	}
	sets, warnings, infos, err := a.inner.Series(ctx, written, start, end, opts...)
	for i := range sets {
		sets[i] = back(a.Dialect, sets[i])
	}
	return sets, warnings, infos, err
}

// value gives the labels of an answer their names here.
func (a *api) value(v model.Value) model.Value {
	switch v := v.(type) {
	case model.Matrix:
		for _, s := range v {
			s.Metric = back(a.Dialect, s.Metric)
		}
	case model.Vector:
		for _, s := range v {
			s.Metric = back(a.Dialect, s.Metric)
		}
	}
	return v
}

type raw struct {
	Dialect
	inner promquery.Raw
}

// ReadRaw implements promquery.Raw.
func (r *raw) ReadRaw(ctx context.Context, q promquery.RawQuery, visit func(promquery.RawSeries) error) error {
	q.Matchers = r.matchers(q.Matchers)
	return r.inner.ReadRaw(ctx, q, func(s promquery.RawSeries) error {
		s.Labels = renamed{s.Labels, r.Dialect}
		return visit(s)
	})
}

// renamed are a raw series' labels, under their names here.
type renamed struct {
	promquery.Labels
	dialect Dialect
}

// Get implements promquery.Labels.
func (r renamed) Get(name string) string { return r.Labels.Get(r.dialect.name(name)) }
