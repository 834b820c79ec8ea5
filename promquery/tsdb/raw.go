package tsdb

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	storedchunks "github.com/prometheus/prometheus/tsdb/chunks"

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
	querier, err := db.ChunkQuerier(first, last)
	if err != nil {
		return db.wrap(err)
	}
	defer func() { _ = querier.Close() }() // it was only read
	// Chunks that reach out of the time are not encoded anew without what is outside: that is left out here.
	set := querier.Select(ctx, false, &storage.SelectHints{Start: first, End: last, DisableTrimming: true}, matchers...)
	var iterator storedchunks.Iterator
	var stored []storedchunks.Meta
	var list []chunks.Chunk
	for set.Next() {
		if err := ctx.Err(); err != nil {
			return db.because(ctx, err)
		}
		series := set.At()
		iterator = series.Iterator(iterator)
		stored, err = inOrder(iterator, stored[:0])
		if err == nil {
			list, err = checked(stored, list[:0])
		}
		if err != nil {
			return db.because(ctx, fmt.Errorf("series %s: %w", series.Labels(), err))
		}
		if err := visit(promquery.RawSeries{Labels: series.Labels(), Chunks: list}); err != nil {
			return err
		}
	}
	return db.because(ctx, set.Err())
}

// inOrder appends a series' chunks in order of time, which the blocks' are not: samples that come in order need no sorting.
func inOrder(iterator storedchunks.Iterator, list []storedchunks.Meta) ([]storedchunks.Meta, error) {
	for iterator.Next() {
		list = append(list, iterator.At())
	}
	slices.SortStableFunc(list, func(a, b storedchunks.Meta) int { return cmp.Compare(a.MinTime, b.MinTime) })
	return list, iterator.Err()
}

// checked appends chunks as they are stored. What Check is against is an error.
func checked(stored []storedchunks.Meta, list []chunks.Chunk) ([]chunks.Chunk, error) {
	for _, c := range stored {
		own := chunks.Chunk{Encoding: c.Chunk.Encoding(), Data: c.Chunk.Bytes()}
		if err := own.Check(); err != nil {
			return list, err
		}
		list = append(list, own)
	}
	return list, nil
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
