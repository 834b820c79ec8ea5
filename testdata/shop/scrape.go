package shop

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// series is one time series of one target.
type series struct {
	labels labels.Labels
	seen   int64             // when it was last scraped
	block  int               // the block that ref is good for
	ref    storage.SeriesRef // saves the block's head a look-up by labels
}

// target is what Prometheus scrapes once an interval, at a time of its own in it.
type target struct {
	name    string
	offset  int64 // of its scrapes within the interval, milliseconds
	spread  int64 // a scrape is at most so much later, milliseconds
	every   int64 // scraped at every so many intervals
	stamped bool  // it sends time stamps of its own: Prometheus then writes no stale markers
	missed  float64
	collect func(t int64, emit func(*series, float64))

	live, before []*series // what the last scrape had, and the one before it
}

// targets are all that Prometheus scrapes, in the order in which it does. The interval is in milliseconds.
func targets(c *cluster) []*target {
	all := []*target{newKubeStateMetrics(c).target()}
	for _, n := range c.nodes {
		all = append(all, newCadvisor(c, n).target())
	}
	all = append(all, newSecondJob(c).target())
	for _, t := range all {
		t.every = max(1, t.every)
	}
	return sortedByOffset(all)
}

// time is when the target is scraped in the interval that starts at from. It is never a whole second, so that
// no sample lies on the edge of a range.
func (tg *target) time(from int64) int64 {
	t := from + tg.offset + int64(unit(hash(tg.name), uint64(from))*float64(tg.spread))
	if t%second == 0 {
		t++
	}
	return t
}

// skips says that the scrape of the interval that starts at from brought nothing new: the kubelet had not
// looked at its cgroups since, and repeated samples that Prometheus had.
func (tg *target) skips(from int64) bool {
	return unit(hash(tg.name, "missed"), uint64(from)) < tg.missed
}

// scrape appends one scrape at t, and stale markers for the series that it no longer has.
func (tg *target) scrape(t int64, add func(*series, int64, float64)) {
	tg.live, tg.before = tg.before[:0], tg.live
	tg.collect(t, func(s *series, v float64) {
		s.seen = t
		tg.live = append(tg.live, s)
		add(s, t, v)
	})
	if tg.stamped {
		return
	}
	for _, s := range tg.before {
		if s.seen != t {
			add(s, t, math.Float64frombits(value.StaleNaN))
		}
	}
}

// writer writes blocks, one after the other.
type writer struct {
	dir     string
	targets []*target
	blocks  int
}

// samplesPerCommit bounds what an appender holds back.
const samplesPerCommit = 50_000

// writeBlock writes what is scraped in [from, to) as one block.
func (w *writer) writeBlock(ctx context.Context, from, to time.Time, interval int64) error {
	w.blocks++
	b, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), w.dir, to.Sub(from).Milliseconds())
	if err != nil {
		return err
	}
	if err := w.scrapeInto(ctx, b, from.UnixMilli(), to.UnixMilli(), interval); err != nil {
		_ = b.Close()
		return err
	}
	if _, err := b.Flush(ctx); err != nil {
		_ = b.Close()
		return err
	}
	return b.Close()
}

func (w *writer) scrapeInto(ctx context.Context, b *tsdb.BlockWriter, from, to, interval int64) error {
	batch := &batch{ctx: ctx, to: b, block: w.blocks}
	for at := from; at < to; at += interval {
		for _, tg := range w.targets {
			if at/interval%tg.every == 0 && !tg.skips(at) {
				tg.scrape(tg.time(at), batch.add)
			}
		}
		if err := batch.commitIfFull(); err != nil {
			return err
		}
	}
	return batch.commit()
}

// batch appends samples to a block, and commits them many at a time. It keeps the first error.
type batch struct {
	ctx   context.Context
	to    *tsdb.BlockWriter
	block int

	appender storage.Appender
	n        int
	err      error
}

func (b *batch) add(s *series, t int64, v float64) {
	if b.err != nil {
		return
	}
	if b.appender == nil {
		b.appender = b.to.Appender(b.ctx)
	}
	if s.block != b.block {
		s.block, s.ref = b.block, 0
	}
	s.ref, b.err = b.appender.Append(s.ref, s.labels, t, v)
	if b.err != nil {
		b.err = fmt.Errorf("appending %s at %d: %w", s.labels, t, b.err)
	}
	b.n++
}

func (b *batch) commitIfFull() error {
	if b.n < samplesPerCommit && b.err == nil {
		return b.ctx.Err()
	}
	return b.commit()
}

func (b *batch) commit() error {
	if b.appender == nil {
		return b.err
	}
	a := b.appender
	b.appender, b.n = nil, 0
	if b.err != nil {
		_ = a.Rollback() // the error that made it necessary says more
		return b.err
	}
	return a.Commit()
}
