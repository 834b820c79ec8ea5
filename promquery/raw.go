package promquery

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/promquery/chunks"
	"github.com/rightsize/rightsize/recommender"
)

// Raw reads samples as they were scraped: Prometheus's remote read does, and a data folder.
type Raw interface {
	// ReadRaw hands visit each series that matches, whole or in parts, one call after the other; some may have no samples
	// in the query's time. With an error, what visit was given before may lack something. Errors of visit are returned
	// as they are.
	ReadRaw(ctx context.Context, q RawQuery, visit func(RawSeries) error) error
}

// RawQuery is what samples are asked for: those of the series that all the matchers hold for, in (Start, End].
type RawQuery struct {
	Matchers   []Matcher // that of the metric's name too
	Start, End time.Time
}

// Millis are the query's first and last millisecond, both included.
func (q RawQuery) Millis() (first, last int64) { return q.Start.UnixMilli() + 1, q.End.UnixMilli() }

// Labels are a series' labels.
type Labels interface {
	Get(name string) string // "" where there is none
	Hash() uint64           // the same for the same labels
}

// RawSeries is one series as it was scraped, or a part of it: those of one series come one after the other. It is valid
// until the function that was given it returns.
type RawSeries struct {
	Labels Labels
	Chunks []chunks.Chunk // that Check has nothing against; they may have samples outside of the query's time
}

// Len is how many samples there are.
func (s RawSeries) Len() (n int) {
	for _, c := range s.Chunks {
		n += c.Len()
	}
	return n
}

const (
	// SamplesPerRawRequest is about how many raw samples one request returns unless Reader.MaxSamples says otherwise;
	// they are held as they came, mostly at 1 to 8 bytes each, until the answer is known to be whole.
	SamplesPerRawRequest = 4_000_000

	// RawInterval is the time between samples that is reckoned with before there are any: what Prometheus's operator
	// and Helm charts scrape kubelets by, or twice as often.
	RawInterval = 30 * time.Second

	// unnamedContainers is how many containers a request without pod names is reckoned to have; see Unnamed.
	unnamedContainers = 1000

	// lookback is how long a sample counts in PromQL: Prometheus's default of --query.lookback-delta.
	lookback = 5 * time.Minute
)

// readRaw reads what containers used from raw samples. Memory comes first, for it tells which runs are short.
func (rd *reading) readRaw(ctx context.Context, s selection) error {
	rd.learnt = 0
	short, err := rd.readRawMemory(ctx, s)
	if err != nil {
		return rd.wrap("memory", err)
	}
	return rd.wrap("cpu", rd.readRawCPU(ctx, s, short))
}

// readRawMemory hands on every sample of memory and files the peaks. It returns the runs that are too short for CPU
// rates, whose memory it keeps to itself.
func (rd *reading) readRawMemory(ctx context.Context, s selection) (short map[Container]bool, err error) {
	held := &holdings{points: map[Container]*Series{}}
	seen := map[Container][]span{}
	err = rd.eachRawSlice(ctx, s, MemoryMetric, func(_ rawSlice, c Container, lines []line) {
		rd.notePeaks(c, lines)
		series := rd.memorySeries(c, lines)
		if !rd.batch.Runs[c] {
			rd.visit(series)
			return
		}
		held.add(series)
		for _, l := range lines {
			for _, run := range rd.parted(l.samples) {
				seen[c] = append(seen[c], span{run[0].Timestamp, run[len(run)-1].Timestamp})
			}
		}
		seen[c] = rd.joined(seen[c])
	})
	if err != nil {
		return nil, err
	}
	short = map[Container]bool{}
	for c, spans := range seen {
		short[c] = !slices.ContainsFunc(spans, func(s span) bool { return s.last.Sub(s.first) >= rd.apart() })
	}
	held.emit(rd.visit, func(c Container) bool { return !short[c] })
	return short, nil
}

// readRawCPU hands on the rates of the rate windows that tile the window, and files the means of short runs.
func (rd *reading) readRawCPU(ctx context.Context, s selection, short map[Container]bool) error {
	runs := map[runSeries][]model.SamplePair{}
	for c, is := range short {
		if is {
			rd.facts.Runs[c] = Run{}
		}
	}
	err := rd.eachRawSlice(ctx, s, CPUMetric, func(sl rawSlice, c Container, lines []line) {
		if short[c] {
			for _, l := range lines {
				k := runSeries{c, l.series}
				runs[k] = append(runs[k], l.samples...)
			}
			return
		}
		if series := rd.cpuSeries(c, lines, sl); len(series.Values) > 0 {
			rd.visit(series)
		}
	})
	for k, samples := range runs {
		rd.noteRun(k.container, samples)
	}
	return err
}

// runSeries is one series of a run.
type runSeries struct {
	container Container
	series    uint64
}

// span is the time between the first and the last sample of one run of a container.
type span struct{ first, last model.Time }

// joined are the spans with those as one that are of one run, in order of time.
func (rd *reading) joined(spans []span) (runs []span) {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	for _, s := range spans {
		if n := len(runs); n > 0 && s.first.Sub(runs[n-1].last) <= rd.apart() {
			runs[n-1].last = max(runs[n-1].last, s.last)
		} else {
			runs = append(runs, s)
		}
	}
	return runs
}

// notePeaks files the highest of a container's samples, with its time. Of equal ones the earliest stays.
func (rd *reading) notePeaks(c Container, lines []line) {
	best, at, found := math.Inf(-1), model.Time(math.MaxInt64), false
	for _, l := range lines {
		for _, s := range l.samples {
			if v := float64(s.Value); v > best && !math.IsInf(v, 1) || v == best && s.Timestamp < at && found {
				best, at, found = v, s.Timestamp, true
			}
		}
	}
	if old, ok := rd.facts.Peaks[c]; found && (!ok || best > old.Value) {
		rd.facts.Peaks[c] = recommender.Peak{Value: best, Pod: c.Pod, At: at.Time().UTC()}
	}
}

// rawSlice is the part (start, end] of the window that one request is for, in milliseconds.
type rawSlice struct{ start, end int64 }

// eachRawSlice reads a metric slice by slice, from the window's start to its end, and calls emit with the series of each
// container. The slices' ends are those of rate windows, so that no rate needs two slices.
func (rd *reading) eachRawSlice(ctx context.Context, s selection, metric string, emit func(rawSlice, Container, []line)) error {
	sizes := rd.newSizes()
	defer func() { rd.learnt = cmp.Or(sizes.least, rd.learnt) }()
	g, ok := rd.reader.memory.Get().(*gathered)
	if !ok {
		g = &gathered{}
	}
	defer rd.reader.memory.Put(g)
	for from := rd.window.Start(); from.Before(rd.window.Until); {
		to := sizes.next(from)
		g.reset()
		failed := len(rd.facts.Failed)
		part, any := rd.remaining(s)
		if !any {
			return nil
		}
		send := func(s selection) error { return rd.gather(ctx, s, metric, from, to, g) }
		err := send(part)
		if smaller(err) && sizes.refused(to.Sub(from)) {
			rd.sayRefused(err)
			continue
		}
		if smaller(err) {
			err = rd.part(ctx, part, err, send)
		}
		if err != nil {
			return err
		}
		sizes.learn(g.count+rd.expected(metric, from, to), to.Sub(from))
		if len(rd.facts.Failed) > failed {
			sizes.bound, sizes.least = 0, 0 // what was too big has been left out
		}
		slice := rawSlice{from.UnixMilli(), to.UnixMilli()}
		if err := g.eachContainer(slice, func(c Container, lines []line) { emit(slice, c, lines) }); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// gather gathers the series of a selection in (from, to], all of them or an error and none.
func (rd *reading) gather(ctx context.Context, s selection, metric string, from, to time.Time, g *gathered) error {
	before := g.mark()
	for _, f := range s.forms.list {
		rd.log.queries.add(rd.reader.written(s.selector(f, metric, nil) + "[" + promDuration(rd.window.Length) + "]"))
		q := RawQuery{Matchers: append([]Matcher{{model.MetricNameLabel, Equal, metric}}, s.matchers(f)...), Start: from, End: to}
		if err := rd.reader.readRaw(ctx, q, g); err != nil {
			g.rewind(before)
			return err
		}
	}
	return nil
}

// readRaw gathers one request's series, all of them or an error and perhaps some.
func (r *Reader) readRaw(ctx context.Context, q RawQuery, g *gathered) error {
	before := g.mark()
	return r.Patiently(ctx, func(ctx context.Context) error {
		ctx, cancel := r.deadline(ctx)
		defer cancel()
		g.rewind(before) // to what was there before the last try
		return because(ctx, r.Raw.ReadRaw(ctx, q, g.add))
	})
}

// sizes decides how much time each request is for: at first by what a batch may have, then by what there was.
type sizes struct {
	window recommender.Window
	most   int           // samples of a request
	per    time.Duration // how much time a request may be for
	bound  time.Duration // the most that per may be; 0 is none
	least  time.Duration // that a request with samples was found to be for; 0 until there was one
}

func (rd *reading) newSizes() *sizes {
	containers := unnamedContainers
	switch {
	case rd.batch.Containers > 0:
		containers = rd.batch.Containers
	case rd.batch.Pods != nil:
		containers = len(rd.batch.Pods) * containersPerPod
	}
	most := SamplesPerRawRequest
	if rd.reader.MaxSamples > 0 {
		most = rd.reader.MaxSamples
	}
	per := cmp.Or(rd.learnt, time.Duration(most)*RawInterval/time.Duration(containers))
	return &sizes{window: rd.window, most: most, per: per}
}

// refused halves the time of requests after one that was too big. It says whether there is less to ask for.
func (s *sizes) refused(over time.Duration) bool {
	least := max(leastSpan, s.window.RateWindow)
	if over <= least {
		return false
	}
	s.per = max(over/2, least)
	s.bound = s.per
	return true
}

// learn corrects the size by what a request returned, within a factor of eight.
func (s *sizes) learn(samples int, over time.Duration) {
	fits := float64(over) * float64(s.most) / float64(max(samples, 1))
	fits = min(max(fits, float64(s.per)/8), 8*float64(s.per), float64(recommender.MaxWindow))
	if s.bound > 0 {
		fits = min(fits, float64(s.bound))
	}
	s.per = time.Duration(fits)
	if samples > 0 && (s.least == 0 || s.per < s.least) {
		s.least = s.per
	}
}

// next is where the slice from a time on ends: a whole number of rate windows before the window's end.
func (s *sizes) next(from time.Time) time.Time {
	left, unit := s.window.Until.Sub(from), s.window.RateWindow
	after := left - max(s.per, leastSpan, unit)
	if after <= 0 {
		return s.window.Until
	}
	windows := (after + unit - 1) / unit
	return s.window.Until.Add(-windows * unit)
}
