package recommender

import (
	"math"
	"slices"
	"time"
)

// PodUsage is what one pod used of one resource in one container.
type PodUsage struct {
	Pod        string
	Generation string // what tells its revision of the workload from others; empty where that is not known

	Samples     Samples       // finite
	First, Last time.Time     // of the grid's points with samples
	Covered     time.Duration // points with samples, times the step

	// Lows is the lowest sample in each LowSpan, of memory alone: the last one ends at the window's end. NaN where
	// there is none, or the span is cut by the window's start.
	Lows     []float64
	Restarts int
}

// LowSpan is the time that each of PodUsage.Lows is of. A garbage collection every few minutes does not show in it,
// and the rise of a working day is three or four of them.
const LowSpan = 4 * time.Hour

// Lows finds the lowest value in each LowSpan of a window from values at ascending points of its grid. It is handed
// them piece by piece, and begins with nil.
func (w Window) Lows(lows []float64, points []int, values []float64) []float64 {
	if lows == nil {
		lows = slices.Repeat([]float64{math.NaN()}, int(w.Length/LowSpan))
	}
	last, n := -1, -1
	for i, k := range points {
		if k != last {
			// The window's points are (start, until], so a point on a border belongs to what it ends.
			last, n = k, len(lows)-1-int(time.Duration(w.Points()-k)*w.Step/LowSpan)
		}
		if v := values[i]; n >= 0 && !math.IsNaN(v) && !(lows[n] <= v) {
			lows[n] = v
		}
	}
	return lows
}

// spansPerDay is how many LowSpans make a day.
const spansPerDay = int(24 * time.Hour / LowSpan)

// dailyLows are the lowest samples of the days up to the pod's last whole LowSpan, the earliest first. They go back
// for as long as no LowSpan is without a sample.
func (p PodUsage) dailyLows() []float64 {
	lows := p.unbroken()
	var days []float64
	for end := len(lows); end >= spansPerDay; end -= spansPerDay {
		days = append(days, slices.Min(lows[end-spansPerDay:end]))
	}
	slices.Reverse(days)
	return days
}

// unbroken is the last run of Lows without a gap.
func (p PodUsage) unbroken() []float64 {
	end := len(p.Lows)
	for end > 0 && math.IsNaN(p.Lows[end-1]) {
		end--
	}
	start := end
	for start > 0 && !math.IsNaN(p.Lows[start-1]) {
		start--
	}
	return p.Lows[start:end]
}
