package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// week is the window of all reports.
const week = 7 * 24 * time.Hour

// usageMetrics are what is read of usage.
func usageMetrics() []string {
	return []string{"container_memory_working_set_bytes", "container_cpu_usage_seconds_total"}
}

// decodeAll is the floor: one thread decodes the chunks of usage in the window and does nothing with the samples, whose
// number it prints.
func decodeAll(ctx context.Context, dir string, out io.Writer) error {
	blocks, err := filepath.Glob(filepath.Join(dir, "*", "meta.json"))
	if err != nil {
		return err
	}
	samples := 0
	for _, meta := range blocks {
		n, err := decodeBlock(ctx, filepath.Dir(meta))
		if err != nil {
			return fmt.Errorf("decoding %s: %w", filepath.Dir(meta), err)
		}
		samples += n
	}
	if samples == 0 {
		return fmt.Errorf("decoding %s: there is no usage in it", dir)
	}
	_, err = fmt.Fprintln(out, samples)
	return err
}

func decodeBlock(ctx context.Context, dir string) (samples int, err error) {
	block, err := tsdb.OpenBlock(slog.New(slog.DiscardHandler), dir, nil, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, block.Close()) }()
	querier, err := tsdb.NewBlockChunkQuerier(block, until().Add(-week).UnixMilli(), until().UnixMilli())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, querier.Close()) }()
	var it chunkenc.Iterator
	for _, metric := range usageMetrics() {
		set := querier.Select(ctx, false, nil, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, metric),
			labels.MustNewMatcher(labels.MatchNotEqual, "container", ""))
		for set.Next() {
			chunks := set.At().Iterator(nil)
			for chunks.Next() {
				it = chunks.At().Chunk.Iterator(it)
				for it.Next() != chunkenc.ValNone {
					samples++
				}
			}
			if err := chunks.Err(); err != nil {
				return 0, err
			}
		}
		if err := set.Err(); err != nil {
			return 0, err
		}
	}
	return samples, nil
}
