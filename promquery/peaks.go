package promquery

import (
	"context"
	"math"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
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
	value, err := rd.reader.query(ctx, &rd.log, peakExpr(s, rest), at)
	if err != nil {
		return err
	}
	vector, err := asType[model.Vector](value)
	for _, sample := range vector {
		note(containerOf(sample.Metric), float64(sample.Value), at, rest)
	}
	return err
}

// readHourlyPeaks reads the hours up to the window's end.
func (rd *reading) readHourlyPeaks(ctx context.Context, s selection, note notePeak) error {
	hours := recommender.Window{Until: rd.window.Until, Length: rd.window.Length.Truncate(peakRange), Step: peakRange}
	const perRequest = 7 * 24
	for first := 1; first <= hours.Points(); first += perRequest {
		last := min(first+perRequest-1, hours.Points())
		rng := v1.Range{Start: hours.Time(first), End: hours.Time(last), Step: peakRange}
		matrix, err := rd.reader.queryRange(ctx, &rd.log, peakExpr(s, peakRange), rng)
		if err != nil {
			return err
		}
		err = eachContainer(matrix, grid{rng, first}, func(c Container, points []int, values []float64) {
			for i, k := range points {
				note(c, values[i], hours.Time(k), peakRange)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func peakExpr(s selection, rng time.Duration) string {
	return s.maxBy(func(selector string) string {
		return "max_over_time(" + selector + "[" + promDuration(rng) + "])"
	}, MemoryMetric)
}
