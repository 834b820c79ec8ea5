package tsdb

import (
	"context"
	"fmt"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// Query evaluates an expression at one time. Options are ignored. Native histograms are left out: none of the
// metrics of usage is one.
func (db *DB) Query(ctx context.Context, query string, ts time.Time, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	q, err := db.engine.NewInstantQuery(ctx, db, nil, query, ts)
	return db.run(ctx, query, q, err)
}

// QueryRange evaluates an expression at each step of a range. Options are ignored, and native histograms left out.
func (db *DB) QueryRange(ctx context.Context, query string, r v1.Range, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	q, err := db.engine.NewRangeQuery(ctx, db, nil, query, r.Start, r.End, r.Step)
	return db.run(ctx, query, q, err)
}

func (db *DB) run(ctx context.Context, query string, q promql.Query, err error) (model.Value, v1.Warnings, v1.Infos, error) {
	if err != nil {
		return nil, nil, nil, db.wrap(err)
	}
	defer q.Close()
	res := q.Exec(ctx)
	const most = 10 // notes of each kind, as in Prometheus's web/api/v1
	warnings, infos := res.Warnings.AsStrings(query, most, most)
	if res.Err != nil {
		return nil, warnings, infos, db.because(ctx, res.Err)
	}
	value, err := valueOf(res.Value)
	return value, warnings, infos, db.wrap(err)
}

// Series lists the series that match one of the selectors between two times, as exactly as chunks tell. Options
// are ignored.
func (db *DB) Series(ctx context.Context, matches []string, start, end time.Time, _ ...v1.Option) ([]model.LabelSet, v1.Warnings, v1.Infos, error) {
	mint, maxt := timestamp.FromTime(start), timestamp.FromTime(end)
	q, err := db.Querier(mint, maxt)
	if err != nil {
		return nil, nil, nil, db.wrap(err)
	}
	defer func() { _ = q.Close() }() // it was only read
	var sets []storage.SeriesSet
	for _, m := range matches {
		matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(m)
		if err != nil {
			return nil, nil, nil, db.wrap(err)
		}
		// There is no function "series": the storage takes it for a look-up that needs no samples.
		sets = append(sets, q.Select(ctx, true, &storage.SelectHints{Start: mint, End: maxt, Func: "series"}, matchers...))
	}
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	var found []model.LabelSet
	for set.Next() {
		found = append(found, model.LabelSet(metricOf(set.At().Labels())))
	}
	if err := set.Err(); err != nil {
		return nil, nil, nil, db.because(ctx, err)
	}
	warnings, infos := set.Warnings().AsStrings("", 0, 0)
	return found, warnings, infos, nil
}

// because is the error of a query; the context's where that has ended, for the engine has one of its own.
func (db *DB) because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return db.wrap(err)
}

func valueOf(v parser.Value) (model.Value, error) {
	switch v := v.(type) {
	case promql.Matrix:
		return matrixOf(v), nil
	case promql.Vector:
		return vectorOf(v), nil
	case promql.Scalar:
		return &model.Scalar{Value: model.SampleValue(v.V), Timestamp: model.Time(v.T)}, nil
	case promql.String:
		return &model.String{Value: v.V, Timestamp: model.Time(v.T)}, nil
	}
	return nil, fmt.Errorf("the engine gave %T", v)
}

func matrixOf(m promql.Matrix) model.Matrix {
	out := make(model.Matrix, len(m))
	for i, series := range m {
		values := make([]model.SamplePair, len(series.Floats))
		for j, p := range series.Floats {
			values[j] = model.SamplePair{Timestamp: model.Time(p.T), Value: model.SampleValue(p.F)}
		}
		out[i] = &model.SampleStream{Metric: metricOf(series.Metric), Values: values}
	}
	return out
}

func vectorOf(v promql.Vector) model.Vector {
	out := make(model.Vector, 0, len(v))
	for _, s := range v {
		if s.H == nil {
			out = append(out, &model.Sample{Metric: metricOf(s.Metric), Timestamp: model.Time(s.T), Value: model.SampleValue(s.F)})
		}
	}
	return out
}

// metricOf copies labels: theirs may be mapped from a file that is closed later.
func metricOf(ls labels.Labels) model.Metric {
	m := make(model.Metric, ls.Len())
	ls.Copy().Range(func(l labels.Label) { m[model.LabelName(l.Name)] = model.LabelValue(l.Value) })
	return m
}
