package promquery

import (
	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/recommender"
)

// cpuSeries are a container's rates over the rate windows that end in a slice, the highest of its series in each.
func (rd *reading) cpuSeries(c Container, lines []line, sl rawSlice) Series {
	points, values := rd.rates(lines[0].samples, sl, rd.scratch.points[:0], rd.scratch.values[:0])
	rd.scratch.points, rd.scratch.values = points, values
	for _, l := range lines[1:] {
		t, v := rd.rates(l.samples, sl, nil, nil)
		points, values = mergeMax(points, values, t, v)
	}
	for i, tile := range points {
		points[i] = rd.pointAt(rd.window.Until.UnixMilli() + int64(tile)*rd.window.RateWindow.Milliseconds())
	}
	return Series{Pod: c.Pod, Container: c.Name, Resource: recommender.CPU, Points: points, Values: values, Covered: rd.coveredBack(points), Within: rd.offGrid()}
}

// rates appends those over the rate windows in a slice that have two samples. A tile is numbered by how many rate windows it
// ends before the window's end, negated so that numbers ascend.
func (rd *reading) rates(samples []model.SamplePair, sl rawSlice, tiles []int, values []float64) ([]int, []float64) {
	until, width := rd.window.Until.UnixMilli(), rd.window.RateWindow.Milliseconds()
	for len(samples) > 0 {
		before := (until - int64(samples[0].Timestamp)) / width
		start, end := until-(before+1)*width, until-before*width
		n := 1 // of few: a window has some ten
		for n < len(samples) && int64(samples[n].Timestamp) <= end {
			n++
		}
		if start >= sl.start {
			if v, ok := counterRate(samples[:n], start, end); ok {
				tiles, values = append(tiles, -int(before)), append(values, v)
			}
		}
		samples = samples[n:]
	}
	return tiles, values
}

// counterRate is PromQL's rate of a counter over the range (start, end] in milliseconds, a second; samples are those inside.
// It does the same steps in the same order as extrapolatedRate in Prometheus's promql/functions.go, so that it gives
// the same bits: a counter that drops has begun again at 0; the increase is extrapolated to the ends of the range
// where samples are less than 1.1 mean gaps from them, else by half a gap, and never to below 0.
func counterRate(samples []model.SamplePair, start, end int64) (perSecond float64, ok bool) {
	last := len(samples) - 1
	if last < 1 {
		return 0, false
	}
	increase := float64(samples[last].Value - samples[0].Value)
	for i, s := range samples[1:] {
		if s.Value < samples[i].Value {
			increase += float64(samples[i].Value)
		}
	}
	toStart := float64(int64(samples[0].Timestamp)-start) / 1000
	toEnd := float64(end-int64(samples[last].Timestamp)) / 1000
	sampled := float64(samples[last].Timestamp-samples[0].Timestamp) / 1000
	gap := sampled / float64(last)
	if toStart >= gap*1.1 {
		toStart = gap / 2
	}
	if first := float64(samples[0].Value); increase > 0 && first >= 0 {
		if toZero := sampled * (first / increase); toZero < toStart {
			toStart = toZero
		}
	}
	if toEnd >= gap*1.1 {
		toEnd = gap / 2
	}
	return increase * ((sampled + toStart + toEnd) / sampled / (float64(end-start) / 1000)), true
}
