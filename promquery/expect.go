package promquery

import (
	"context"
	"fmt"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/recommender"
)

// Expected is what reading would take. Both are about right: short runs, restarts and refused requests cost requests that
// only reading can show, and samples are counted at a few times of the window.
type Expected struct {
	Requests int
	Samples  int // of usage that would be returned
}

const (
	// looks is at how many times of the window samples are counted.
	looks = 8

	// lookSpan is how much time raw samples are counted over at each of them.
	lookSpan = 10 * time.Minute
)

// Expect tells what Read would take, by counting samples at a few times and by going through the same steps without
// asking for any. It costs two queries that return a number each, and look-ups of labels.
func (r *Reader) Expect(ctx context.Context, b Batch, w recommender.Window) (Expected, error) {
	dry := &dryRun{from: r.API, perHour: map[string]float64{}}
	plan := &Reader{API: dry, RequestTimeout: r.RequestTimeout, MaxSamples: r.MaxSamples, dry: dry}
	if r.Raw != nil {
		plan.Raw = dry
	}
	if b.Pods == nil || len(b.Pods) > 0 {
		if err := r.count(ctx, b, wholeMillis(w), dry); err != nil {
			return Expected{}, fmt.Errorf("counting samples of namespace %s: %w", b.Namespace, err)
		}
	}
	_, err := plan.Read(ctx, b, w, func(Series) {})
	return Expected{dry.requests, dry.samples(MemoryMetric, w.Length) + dry.samples(CPUMetric, w.Length)}, err
}

// count finds out how many samples of each metric there are an hour, on average over a few times.
func (r *Reader) count(ctx context.Context, b Batch, w recommender.Window, into *dryRun) error {
	var l log
	forms, err := r.usageForms(ctx, &l, b.Namespace, w)
	if err != nil {
		return err
	}
	step := max((w.Length / looks).Truncate(time.Second), time.Second)
	rng := v1.Range{Start: w.Until.Add(-(looks - 1) * step), End: w.Until, Step: step}
	for _, metric := range []string{MemoryMetric, CPUMetric} {
		expr, perHour := r.countExpr(selection{b.Namespace, b.Pods, forms}, metric, w)
		matrix, err := r.queryRange(ctx, &l, expr, rng)
		if err != nil {
			return err
		}
		into.perHour[metric] = mean(matrix) * perHour
	}
	return nil
}

// countExpr counts samples at one time, and how many times an hour that many are read.
func (r *Reader) countExpr(s selection, metric string, w recommender.Window) (expr string, perHour float64) {
	if r.Raw != nil {
		counts := s.selectors(metric)
		for i := range counts {
			counts[i] = "count_over_time(" + counts[i] + "[" + promDuration(lookSpan) + "])"
		}
		return "sum(" + strings.Join(counts, " or ") + ")", float64(time.Hour) / float64(lookSpan)
	}
	return "count(" + s.maxBy(itself, metric) + ")", float64(time.Hour) / float64(w.Step)
}

// mean is over all looks; where there is no sample there were none to count.
func mean(matrix model.Matrix) float64 {
	sum := 0.0
	for _, stream := range matrix {
		for _, s := range stream.Values {
			sum += float64(s.Value)
		}
	}
	return sum / looks
}

// dryRun stands for a server that is not asked: it counts requests, and answers all but those for labels with nothing.
type dryRun struct {
	from     API
	requests int
	perHour  map[string]float64 // samples by metric
}

var (
	_ API = (*dryRun)(nil)
	_ Raw = (*dryRun)(nil)
)

// samples are about how many of a metric's there are in so much time.
func (d *dryRun) samples(metric string, in time.Duration) int {
	return int(d.perHour[metric]*in.Hours() + 0.5)
}

// Query implements API.
func (d *dryRun) Query(context.Context, string, time.Time, ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	d.requests++
	return model.Vector{}, nil, nil, nil
}

// QueryRange implements API.
func (d *dryRun) QueryRange(context.Context, string, v1.Range, ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	d.requests++
	return model.Matrix{}, nil, nil, nil
}

// Series implements API.
func (d *dryRun) Series(ctx context.Context, matches []string, start, end time.Time, opts ...v1.Option) ([]model.LabelSet, v1.Warnings, v1.Infos, error) {
	d.requests++
	return d.from.Series(ctx, matches, start, end, opts...)
}

// ReadRaw implements Raw.
func (d *dryRun) ReadRaw(context.Context, RawQuery, func(RawSeries) error) error {
	d.requests++
	return nil
}

// expected is how many samples a request would have returned that was not sent.
func (rd *reading) expected(metric string, from, to time.Time) int {
	if rd.reader.dry == nil {
		return 0
	}
	return rd.reader.dry.samples(metric, to.Sub(from))
}
