package tsdb

import (
	"context"
	"fmt"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/chunks"
)

var _ promquery.Raw = (*DB)(nil)

// ReadRaw implements promquery.Raw.
func (db *DB) ReadRaw(ctx context.Context, q promquery.RawQuery, visit func(promquery.RawSeries) error) error {
	matchers, err := matchersOf(q.Matchers)
	if err != nil {
		return db.wrap(err)
	}
	first, last := q.Millis()
	querier, err := db.Querier(first, last)
	if err != nil {
		return db.wrap(err)
	}
	defer func() { _ = querier.Close() }() // it was only read
	set := querier.Select(ctx, false, &storage.SelectHints{Start: first, End: last}, matchers...)
	var samples chunks.Samples
	var iterator chunkenc.Iterator
	for set.Next() {
		if err := ctx.Err(); err != nil {
			return db.because(ctx, err)
		}
		series := set.At()
		iterator = series.Iterator(iterator)
		samples.Reset(first, last)
		if err := samples.AddAll(iterator); err != nil {
			return db.because(ctx, fmt.Errorf("series %s: %w", series.Labels(), err))
		}
		if err := visit(promquery.RawSeries{Labels: series.Labels(), Samples: samples.Pairs(), Ended: samples.Ended()}); err != nil {
			return err
		}
	}
	return db.because(ctx, set.Err())
}

func matchersOf(list []promquery.Matcher) ([]*labels.Matcher, error) {
	types := map[promquery.MatchOp]labels.MatchType{
		promquery.Equal: labels.MatchEqual, promquery.NotEqual: labels.MatchNotEqual, promquery.Regexp: labels.MatchRegexp,
	}
	out := make([]*labels.Matcher, len(list))
	for i, m := range list {
		var err error
		if out[i], err = labels.NewMatcher(types[m.Op], m.Name, m.Value); err != nil {
			return nil, err
		}
	}
	return out, nil
}
