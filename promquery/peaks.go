package promquery

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/recommender"
)

// peakRange is how much time each point of the peaks query looks back over, and its step: together they see
// every raw sample once, and tell the time of a peak to the hour.
const peakRange = time.Hour

// readPeaks finds the highest raw sample of each container's memory in the window, and files it in the facts.
func (rd *reading) readPeaks(ctx context.Context, s selection) (map[Container]bool, error) {
	seen := map[Container]bool{}
	note := func(c Container, v float64, at time.Time, within time.Duration) {
		seen[c] = true
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
		if p, ok := rd.facts.Peaks[c]; !ok || v > p.Value {
			rd.facts.Peaks[c] = recommender.Peak{Value: v, Pod: c.Pod, At: at, Within: within}
		}
	}
	// The remainder is the earliest part of the window: of equal peaks the first one stays.
	if err := rd.readPeakRemainder(ctx, s, note); err != nil {
		return nil, err
	}
	return seen, rd.readHourlyPeaks(ctx, s, note)
}

type notePeak func(c Container, v float64, at time.Time, within time.Duration)

// readPeakRemainder reads the left end of a window that is not a whole number of hours.
func (rd *reading) readPeakRemainder(ctx context.Context, s selection, note notePeak) error {
	rest := rd.window.Length % peakRange
	if rest == 0 {
		return nil
	}
	at := rd.window.Start().Add(rest)
	return rd.each(ctx, s, func(s selection) error {
		value, err := rd.reader.query(ctx, &rd.log, peakExpr(s, rest), at)
		if err != nil {
			return err
		}
		vector, err := asType[model.Vector](value)
		for _, sample := range vector {
			note(containerOf(sample.Metric), float64(sample.Value), at, rest)
		}
		return err
	})
}

// readHourlyPeaks reads the hours up to the window's end.
func (rd *reading) readHourlyPeaks(ctx context.Context, s selection, note notePeak) error {
	hours := recommender.Window{Until: rd.window.Until, Length: rd.window.Length.Truncate(peakRange), Step: peakRange}
	const perRequest = 7 * 24
	expr := func(s selection) string { return peakExpr(s, peakRange) }
	return rd.ask(ctx, request{s, hours, rd.pointsPerRequest(s, hours, perRequest), expr}, func(c Container, points []int, values []float64) {
		for i, k := range points {
			note(c, values[i], hours.Time(k), peakRange)
		}
	})
}

func peakExpr(s selection, rng time.Duration) string {
	return s.maxBy(func(selector string) string {
		return "max_over_time(" + selector + "[" + promDuration(rng) + "])"
	}, MemoryMetric)
}
