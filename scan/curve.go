package scan

import (
	"math"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// Curve is the outline of what a container used of one resource over the window, small enough to keep of every container:
// the window is cut into bins, from its start to its end.
type Curve struct {
	Bin     time.Duration // how long a bin is
	Mean    []float64     // of all samples of all pods in a bin, in cores or bytes; NaN where there are none
	Highest []float64     // in any pod; likewise
}

// curveBins is how many bins a curve has at most: those of a week are two hours long.
const curveBins = 84

// outliner makes a curve from samples.
type outliner struct {
	window recommender.Window
	sum    []float64
	counts []int
	curve  Curve
}

func newOutliner(w recommender.Window) *outliner {
	n := min(curveBins, w.Points())
	o := &outliner{window: w, sum: make([]float64, n), counts: make([]int, n), curve: Curve{
		Bin: w.Length / time.Duration(n), Mean: make([]float64, n), Highest: make([]float64, n),
	}}
	for i := range n {
		o.curve.Mean[i], o.curve.Highest[i] = math.NaN(), math.NaN()
	}
	return o
}

// add adds a sample at a point of the window's grid.
func (o *outliner) add(point int, v float64) {
	if notFinite(v) {
		return
	}
	i := o.bin(point)
	o.sum[i] += v
	o.counts[i]++
	o.curve.Mean[i] = o.sum[i] / float64(o.counts[i])
	o.raise(i, v)
}

func (o *outliner) bin(point int) int {
	return min(max((point-1)*len(o.sum)/o.window.Points(), 0), len(o.sum)-1)
}

func (o *outliner) raise(i int, v float64) {
	if !(o.curve.Highest[i] >= v) {
		o.curve.Highest[i] = v
	}
}

// addRun adds a run that the grid does not show, by the time of its peak.
func (o *outliner) addRun(at time.Time, v float64) { o.add(o.pointAt(at), v) }

// addPeak lifts the bin of a peak, which may lie between the grid's points.
func (o *outliner) addPeak(p recommender.Peak) {
	if p.Pod != "" && !notFinite(p.Value) {
		o.raise(o.bin(o.pointAt(p.At)), p.Value)
	}
}

// pointAt is the first point of the grid at or after a time.
func (o *outliner) pointAt(t time.Time) int {
	since := t.Sub(o.window.Start())
	return int((since + o.window.Step - 1) / o.window.Step)
}
