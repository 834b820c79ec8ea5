package promquery

import (
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/recommender"
)

// memorySeries are a container's samples in a slice. Those of several series, which are the same usage seen twice or
// a restart's next cgroup, count once: in each cell of one scrape interval the highest.
func (rd *reading) memorySeries(c Container, lines []line) Series {
	gap := scrapeInterval(lines)
	samples := lines[0].samples
	if len(lines) > 1 {
		rd.scratch.merged = mergeCells(rd.scratch.merged[:0], lines, rd.window.Until.UnixMilli(), max(gap, 1))
		samples = rd.scratch.merged
	}
	points, values := slices.Grow(rd.scratch.points[:0], len(samples))[:len(samples)], slices.Grow(rd.scratch.values[:0], len(samples))[:len(samples)]
	point, end := 0, int64(math.MinInt64)
	for i, s := range samples {
		if t := int64(s.Timestamp); t > end {
			point = rd.pointAt(t)
			end = rd.window.Time(point).UnixMilli()
		}
		points[i], values[i] = point, float64(s.Value)
	}
	rd.scratch.points, rd.scratch.values = points, values
	covered := rd.coveredOnwards(points, time.Duration(gap)*time.Millisecond)
	if n := len(covered); n > 0 && covered[n-1] == rd.window.Points() && rd.ended(lines) {
		covered = covered[:n-1]
	}
	return Series{Pod: c.Pod, Container: c.Name, Resource: recommender.Memory, Points: points, Values: values, Covered: covered}
}

// scratch is memory that the next container uses again.
type scratch struct {
	merged  []model.SamplePair
	points  []int
	values  []float64
	covered []int
}

// ended says whether PromQL would see nothing of the series at the window's end.
func (rd *reading) ended(lines []line) bool {
	oldest := model.TimeFromUnixNano(rd.window.Until.Add(-lookback).UnixNano())
	return !slices.ContainsFunc(lines, func(l line) bool {
		return l.ended == 0 && l.samples[len(l.samples)-1].Timestamp > oldest
	})
}

// maxGaps bounds how many gaps a scrape interval is taken from: it is wanted for every container.
const maxGaps = 128

// scrapeInterval is the median time between samples of one series in milliseconds, in whole seconds where scrapes
// only jitter about them; 0 where no series has two samples. It looks at the first samples of each series.
func scrapeInterval(lines []line) int64 {
	var gaps [maxGaps]int64
	n := 0
	for _, l := range lines {
		most := n + max(1, maxGaps/len(lines))
		for i, s := range l.samples[1:] {
			if n == min(most, maxGaps) {
				break
			}
			gaps[n] = int64(s.Timestamp - l.samples[i].Timestamp)
			n++
		}
	}
	if n == 0 {
		return 0
	}
	slices.Sort(gaps[:n])
	median := gaps[n/2]
	if whole := (median + 500) / 1000 * 1000; whole > 0 && math.Abs(float64(median-whole)) <= 0.05*float64(whole) {
		return whole
	}
	return median
}

// mergeCells appends one series made of several to dst. The cells (until - (n+1) x gap, until - n x gap] that only
// one series has samples in keep all of these, the others have one: the highest.
func mergeCells(dst []model.SamplePair, lines []line, until, gap int64) []model.SamplePair {
	rest := make([][]model.SamplePair, len(lines))
	for i, l := range lines {
		rest[i] = l.samples
	}
	for len(rest) > 0 {
		first := rest[0][0].Timestamp
		for _, r := range rest[1:] {
			first = min(first, r[0].Timestamp)
		}
		end := model.Time(until - (until-int64(first))/gap*gap)
		dst = appendCell(dst, rest, end)
		rest = slices.DeleteFunc(rest, func(r []model.SamplePair) bool { return len(r) == 0 })
	}
	return dst
}

// appendCell takes the samples up to the end of a cell from all of rest.
func appendCell(dst []model.SamplePair, rest [][]model.SamplePair, end model.Time) []model.SamplePair {
	begin, series := len(dst), 0
	highest := model.SamplePair{Value: model.SampleValue(math.NaN())}
	for i, r := range rest {
		n := 0
		for n < len(r) && r[n].Timestamp <= end {
			highest.Timestamp = max(highest.Timestamp, r[n].Timestamp)
			highest.Value = model.SampleValue(promMax(float64(highest.Value), float64(r[n].Value)))
			n++
		}
		if n > 0 {
			dst, series = append(dst, r[:n]...), series+1
		}
		rest[i] = r[n:]
	}
	if series > 1 {
		dst = append(dst[:begin], highest)
	}
	return dst
}

// pointAt is the first grid point at or after a time in milliseconds.
func (rd *reading) pointAt(t int64) int {
	step := rd.window.Step.Milliseconds()
	return int((t - rd.window.Start().UnixMilli() + step - 1) / step)
}

// coveredOnwards are the points at which samples so far apart are still seen, as PromQL's look-back sees them.
func (rd *reading) coveredOnwards(points []int, gap time.Duration) []int {
	more := pointsIn(gap, rd.window.Step) - 1
	out := rd.scratch.covered[:0]
	for i, p := range points {
		if i == 0 || p != points[i-1] {
			out = appendUpTo(out, p, min(p+more, rd.window.Points()))
		}
	}
	rd.scratch.covered = out
	return out
}

// coveredBack are the points in the rate windows that end at so many.
func (rd *reading) coveredBack(ends []int) []int {
	more := pointsIn(rd.window.RateWindow, rd.window.Step) - 1
	out := rd.scratch.covered[:0]
	for _, p := range ends {
		out = appendUpTo(out, max(p-more, 1), p)
	}
	rd.scratch.covered = out
	return out
}

// pointsIn is how many steps a duration begins, at least one.
func pointsIn(d, step time.Duration) int { return max(1, int((d+step-1)/step)) }

// appendUpTo appends the points from first to last that are after the list's own.
func appendUpTo(list []int, first, last int) []int {
	if n := len(list); n > 0 {
		first = max(first, list[n-1]+1)
	}
	for p := first; p <= last; p++ {
		list = append(list, p)
	}
	return list
}

// offGrid is how long before its point a rate window may end.
func (rd *reading) offGrid() time.Duration {
	if rd.window.RateWindow%rd.window.Step == 0 {
		return 0
	}
	return rd.window.Step
}
