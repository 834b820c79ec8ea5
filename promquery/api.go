package promquery

import (
	"context"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// API is what Reader needs of Prometheus's query API: part of client_golang's v1.API, which satisfies it.
// Options are hints: an implementation may ignore them.
type API interface {
	// Query evaluates an expression at one time.
	Query(ctx context.Context, query string, ts time.Time, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error)
	// QueryRange evaluates an expression at each step of a range, both its ends included.
	QueryRange(ctx context.Context, query string, r v1.Range, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error)
	// Series lists the series that match one of the selectors between two times.
	Series(ctx context.Context, matches []string, start, end time.Time, opts ...v1.Option) ([]model.LabelSet, v1.Warnings, v1.Infos, error)
}

var _ API = v1.API(nil)

// Writer is an API that asks other PromQL than it is given: for one cluster of several, or with other labels.
type Writer interface{ Written(query string) string }

// written is the PromQL that the server sees.
func (r *Reader) written(query string) string {
	if w, ok := r.API.(Writer); ok {
		return w.Written(query)
	}
	return query
}
