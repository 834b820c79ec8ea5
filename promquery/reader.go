package promquery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/recommender"
)

// DefaultRequestTimeout is how long one request may take. Prometheus itself gives up a query after two
// minutes unless its --query.timeout says otherwise.
const DefaultRequestTimeout = 2 * time.Minute

// Reader reads usage through Prometheus's query API. Its methods may be called at the same time.
type Reader struct {
	API API

	// Raw, where it is not nil, is what usage is read from, sample by sample; what kube-state-metrics says is still
	// asked of API.
	Raw Raw

	// RequestTimeout is how long one request may take; 0 is DefaultRequestTimeout.
	RequestTimeout time.Duration

	// MaxSamples is about how many samples one request may return; 0 is SamplesPerRequest for queries, and
	// SamplesPerRawRequest for raw samples.
	MaxSamples int

	patience patience
	dry      *dryRun // of Expect; nil otherwise

	memory sync.Pool // of *gathered
}

// Read reads what the batch's containers used, in cores and bytes, at the points of the window's grid. It hands
// visit each container's points in slices of time, every point once, one call after the other. Values that are
// not finite are handed on.
//
// With Raw it hands on every sample of memory, and the CPU rates over rate windows that tile the window back from its
// end. A point then comes as often as there are values before it, and may come in two slices. Peaks have their exact
// times.
//
// A run in Batch.Runs whose memory was seen for less than two rate windows is not handed to visit: Facts.Runs
// has it, and Facts.Peaks its memory.
func (r *Reader) Read(ctx context.Context, b Batch, w recommender.Window, visit func(Series)) (Facts, error) {
	rd := &reading{reader: r, batch: b, window: wholeMillis(w), visit: visit, facts: Facts{
		Peaks:    map[Container]recommender.Peak{},
		Runs:     map[Container]Run{},
		OOMKills: map[Container][]recommender.OOMKill{},

		Restarts:   map[Container]int{},
		Throttling: map[Container]Periods{},
	}}
	err := rd.read(ctx)
	rd.facts.Expressions = rd.expressions()
	rd.facts.Queries, rd.facts.Warnings = rd.log.queries.list, rd.log.warnings.list
	return rd.facts, err
}

// reading is one Read under way.
type reading struct {
	reader *Reader
	batch  Batch
	window recommender.Window
	visit  func(Series)
	forms  forms
	facts  Facts
	log    log

	stateForms forms    // of kube-state-metrics' restart counts
	known      []string // every pod of the namespace, sorted; nil until somebody wants to know
	refused    bool     // a request was too big
	scratch    scratch

	learnt time.Duration // how much time a raw request of these pods may be for where they are busiest; 0 until there was one
}

func (rd *reading) read(ctx context.Context) error {
	if rd.batch.Pods != nil && len(rd.batch.Pods) == 0 {
		return nil
	}
	var err error
	if rd.forms, err = rd.reader.usageForms(ctx, &rd.log, rd.batch.Namespace, rd.window); err != nil {
		return rd.wrap("labels", err)
	}
	if rd.stateForms, err = rd.reader.restartForms(ctx, &rd.log, rd.batch.Namespace, rd.window); err != nil {
		return rd.wrap("labels of restarts", err)
	}
	for _, pods := range rd.groups() {
		if err := rd.readUsage(ctx, pods); err != nil {
			return err
		}
	}
	return rd.wrap("OOM kills", rd.readKills(ctx))
}

// readUsage reads everything of some pods but OOM kills. Memory comes first, for it tells which runs are short.
func (rd *reading) readUsage(ctx context.Context, pods []string) error {
	s := selection{rd.batch.Namespace, pods, rd.forms}
	if rd.reader.Raw != nil {
		if err := rd.readRaw(ctx, s); err != nil {
			return err
		}
		return rd.readStability(ctx, s)
	}
	held, err := rd.readMemory(ctx, s)
	if err != nil {
		return rd.wrap("memory", err)
	}
	peaks, err := rd.readPeaks(ctx, s)
	if err != nil {
		return rd.wrap("memory peaks", err)
	}
	short := rd.shortRuns(held, peaks)
	held.emit(rd.visit, func(c Container) bool { return !short[c] })
	if err := rd.readCPU(ctx, s, short); err != nil {
		return rd.wrap("cpu", err)
	}
	if err := rd.readRuns(ctx, short); err != nil {
		return rd.wrap("cpu of short runs", err)
	}
	return rd.readStability(ctx, s)
}

// readStability reads what happened to the containers besides what they used.
func (rd *reading) readStability(ctx context.Context, s selection) error {
	if err := rd.readThrottling(ctx, s); err != nil {
		return rd.wrap("throttling", err)
	}
	return rd.wrap("restarts", rd.readRestarts(ctx, s))
}

func (rd *reading) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reading %s of namespace %s: %w", what, rd.batch.Namespace, err)
}

// log gathers what was asked and what Prometheus warned of, each once, in order.
type log struct{ queries, warnings uniqueList }

func (l *log) warn(warnings v1.Warnings, infos v1.Infos) {
	for _, w := range warnings {
		l.warnings.add(w)
	}
	for _, i := range infos {
		l.warnings.add(i)
	}
}

type uniqueList struct {
	list []string
	seen map[string]bool
}

func (u *uniqueList) add(s string) {
	if u.seen[s] {
		return
	}
	if u.seen == nil {
		u.seen = map[string]bool{}
	}
	u.seen[s] = true
	u.list = append(u.list, s)
}

// queryRange evaluates an expression at the points of a range.
func (r *Reader) queryRange(ctx context.Context, l *log, expr string, rng v1.Range) (model.Matrix, error) {
	value, err := r.ask(ctx, l, expr, func(ctx context.Context) (model.Value, v1.Warnings, v1.Infos, error) {
		return r.API.QueryRange(ctx, expr, rng)
	})
	if err != nil {
		return nil, err
	}
	return asType[model.Matrix](value)
}

// query evaluates an expression at one time.
func (r *Reader) query(ctx context.Context, l *log, expr string, at time.Time) (model.Value, error) {
	return r.ask(ctx, l, expr, func(ctx context.Context) (model.Value, v1.Warnings, v1.Infos, error) {
		return r.API.Query(ctx, expr, at)
	})
}

func (r *Reader) ask(ctx context.Context, l *log, expr string, do func(context.Context) (model.Value, v1.Warnings, v1.Infos, error)) (model.Value, error) {
	l.queries.add(r.written(expr))
	var value model.Value
	err := r.Patiently(ctx, func(ctx context.Context) error {
		ctx, cancel := r.deadline(ctx)
		defer cancel()
		got, warnings, infos, err := do(ctx)
		l.warn(warnings, infos)
		value = got
		return because(ctx, err)
	})
	return value, err
}

// series lists the series in the window that match one of the selectors. Where that is too much for the server it asks for
// those of each half of the window, and so on, down to an hour; some may then come twice.
func (r *Reader) series(ctx context.Context, l *log, w recommender.Window, matches []string) ([]model.LabelSet, error) {
	sets, err := r.listSeries(ctx, l, w, matches)
	if !smaller(err) || tooLongAsked(err) || w.Length < 2*leastSpan {
		return sets, err
	}
	late := w
	late.Length = (w.Length / 2).Truncate(time.Millisecond)
	early := w
	early.Until, early.Length = w.Until.Add(-late.Length), w.Length-late.Length
	if sets, err = r.series(ctx, l, early, matches); err != nil {
		return nil, err
	}
	more, err := r.series(ctx, l, late, matches)
	return append(sets, more...), err
}

func (r *Reader) listSeries(ctx context.Context, l *log, w recommender.Window, matches []string, opts ...v1.Option) ([]model.LabelSet, error) {
	var sets []model.LabelSet
	err := r.Patiently(ctx, func(ctx context.Context) error {
		ctx, cancel := r.deadline(ctx)
		defer cancel()
		got, warnings, infos, err := r.API.Series(ctx, matches, afterStart(w), w.Until, opts...)
		l.warn(warnings, infos)
		sets = got
		return because(ctx, err)
	})
	return sets, err
}

// anySeries says whether any series in the window matches. It asks for one, and drops the warning that there
// are more; a server that does not know limits (Prometheus before 2.51) sends all.
func (r *Reader) anySeries(ctx context.Context, w recommender.Window, matches []string) (bool, error) {
	var dropped log
	sets, err := r.listSeries(ctx, &dropped, w, matches, v1.WithLimit(1))
	if smaller(err) { // of a server that does not know limits
		sets, err = r.series(ctx, &dropped, w, matches)
	}
	return len(sets) > 0, err
}

// afterStart is the first millisecond inside the window, whose left end is open.
func afterStart(w recommender.Window) time.Time { return w.Start().Add(time.Millisecond) }

// deadline bounds one request.
func (r *Reader) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := r.RequestTimeout
	if timeout <= 0 {
		timeout = DefaultRequestTimeout
	}
	return context.WithTimeoutCause(ctx, timeout, slowError(timeout))
}

// slowError says that a request took longer than it says.
type slowError time.Duration

func (e slowError) Error() string {
	return fmt.Sprintf("no answer within %s: ask for less with a shorter --window or a longer --step, or wait longer with --query-timeout", time.Duration(e))
}

// Is makes it recognisable as a deadline.
func (slowError) Is(target error) bool { return target == context.DeadlineExceeded }

// because replaces the error of a request whose context ended by the reason for that, however the API put it:
// PromQL's engine has errors of its own for it.
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	var slow slowError
	if cause := context.Cause(ctx); errors.As(cause, &slow) {
		return slow
	}
	return ended(ctx)
}

// asType is the value as the type that the query should have.
func asType[T model.Value](value model.Value) (T, error) {
	v, ok := value.(T)
	if !ok {
		return v, fmt.Errorf("the server answered %T where the query gives %T", value, v)
	}
	return v, nil
}

// wholeMillis cuts the window's end to a millisecond, which is how exactly Prometheus keeps time.
func wholeMillis(w recommender.Window) recommender.Window {
	w.Until = w.Until.Truncate(time.Millisecond)
	return w
}
