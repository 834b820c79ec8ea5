package backtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// TraceColumns is the first line of a trace.
const TraceColumns = "series,unix_ts,cpu_cores,mem_bytes"

const (
	// maxTraceLine is far beyond four columns, and keeps a file without line breaks out of memory.
	maxTraceLine = 4096
	// maxTracePoints is a year and a half of seconds: a longer series is taken for a mistake.
	maxTracePoints = 50_000_000
)

// ReadTrace reads a CSV file, gzip'd or not, of the columns TraceColumns: cores and bytes at UTC seconds, empty where
// not measured, sorted by series and then by time. It hands each series to visit as a container of one pod, and holds
// no more than one of them at once. Errors name the line.
func ReadTrace(r io.Reader, visit func(Container) error) error {
	plain, err := gunzip(r)
	if err != nil {
		return err
	}
	t := trace{visit: visit, seen: make(map[string]bool)}
	lines := bufio.NewScanner(plain)
	lines.Buffer(make([]byte, 0, maxTraceLine), maxTraceLine)
	for lines.Scan() {
		t.line++
		if err := t.read(lines.Bytes()); err != nil {
			if lines.Err() != nil { // the line is what was read until then
				break
			}
			return fmt.Errorf("line %d: %w", t.line, err)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d: longer than %d bytes", t.line+1, maxTraceLine)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("it is cut off about line %d: %w", t.line, err)
	case err != nil:
		return fmt.Errorf("about line %d: %w", t.line, err)
	case t.line == 0:
		return fmt.Errorf("it is empty: want a first line %s", TraceColumns)
	case t.name == "":
		return fmt.Errorf("it has no line but the first")
	}
	return t.finish()
}

// gunzip unpacks what is packed, which its first two bytes tell (RFC 1952).
func gunzip(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	magic, err := buffered.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return buffered, nil
	}
	packed, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("it begins as what gzip packs, and cannot be unpacked: %w", err)
	}
	return packed, nil
}

// trace is a trace under way.
type trace struct {
	visit func(Container) error
	seen  map[string]bool // series that have begun
	line  int

	name  string
	last  int64
	gaps  map[int64]int
	usage [recommender.NumResources]Points
}

func (t *trace) read(line []byte) error {
	text := strings.TrimSuffix(string(line), "\r")
	if t.line == 1 {
		if strings.TrimPrefix(text, "\ufeff") != TraceColumns {
			return fmt.Errorf("the columns are %q: want %s", shorten(text), TraceColumns)
		}
		return nil
	}
	fields := strings.Split(text, ",")
	if len(fields) != 4 {
		return fmt.Errorf("%q has %s: want 4, without quotes", shorten(text), recommender.Count(len(fields), "column"))
	}
	at, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil || at <= 0 || at > maxTraceTime {
		return fmt.Errorf("unix_ts is %q: want whole seconds since 1970", shorten(fields[1]))
	}
	if err := t.next(fields[0], at); err != nil {
		return err
	}
	for r, column := range map[recommender.Resource]int{recommender.CPU: 2, recommender.Memory: 3} {
		if err := t.add(r, at, fields[column]); err != nil {
			return err
		}
	}
	return nil
}

// maxTraceTime is the year 9999; it keeps sums of times far from overflow.
const maxTraceTime = 253402300799

// next goes on to a line's series and time.
func (t *trace) next(name string, at int64) error {
	switch {
	case name == "":
		return errors.New("series is empty: want a name")
	case name != t.name && t.seen[name]:
		return fmt.Errorf("series %q began further up: want the lines sorted by series", shorten(name))
	case name != t.name:
		if err := t.finish(); err != nil {
			return err
		}
		t.name, t.seen[name], t.gaps = name, true, make(map[int64]int)
	case at == t.last:
		return fmt.Errorf("series %q has the time %d twice", shorten(name), at)
	case at < t.last:
		return fmt.Errorf("series %q goes back in time, from %d to %d: want the lines of a series sorted by time", shorten(name), t.last, at)
	default:
		t.gaps[at-t.last]++
	}
	t.last = at
	return nil
}

func (t *trace) add(r recommender.Resource, at int64, text string) error {
	if text == "" {
		return nil
	}
	column := strings.Split(TraceColumns, ",")[2+int(r)]
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 || v > maxTraceValue {
		return fmt.Errorf("%s is %q: want a number from 0 to 1e18, or nothing where it was not measured", column, shorten(text))
	}
	u := &t.usage[r]
	if len(u.Times) >= maxTracePoints {
		return fmt.Errorf("series %q has more than %d points", shorten(t.name), maxTracePoints)
	}
	u.Times, u.Values = append(u.Times, at), append(u.Values, v)
	return nil
}

// maxTraceValue keeps sums of values exact enough and finite.
const maxTraceValue = 1e18

// finish hands on the series that is whole.
func (t *trace) finish() error {
	if t.name == "" {
		return nil
	}
	c := Container{Name: t.name, Step: t.step(), Pods: []Pod{{Name: t.name, Usage: t.usage}}}
	c.Declared.Replicas = 1
	t.usage = [recommender.NumResources]Points{}
	return t.visit(c)
}

// step is the median time between lines, a minute where there is one line only.
func (t *trace) step() time.Duration {
	total := 0
	var gaps []int64
	for gap, n := range t.gaps {
		gaps, total = append(gaps, gap), total+n
	}
	slices.Sort(gaps)
	for _, gap := range gaps {
		if total -= 2 * t.gaps[gap]; total <= 0 {
			return time.Duration(gap) * time.Second
		}
	}
	return time.Minute
}

// shorten keeps an error to one line.
func shorten(s string) string {
	const most = 60
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
