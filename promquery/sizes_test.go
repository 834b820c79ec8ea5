package promquery

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rightsize/rightsize/promquery/chunks"
	"github.com/rightsize/rightsize/recommender"
)

// Requests follow what those before returned, and tile the window by whole rate windows.
func TestSizes(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for name, c := range map[string]struct {
		window      recommender.Window
		containers  int
		perHour     int // samples that there are
		least, most int // requests
	}{
		"few":             {recommender.Window{Length: week, RateWindow: 5 * time.Minute}, 10, 1200, 1, 1},
		"nothing there":   {recommender.Window{Length: week, RateWindow: 5 * time.Minute}, 6000, 0, 2, 4}, // used to be asked for in ever smaller parts
		"as reckoned":     {recommender.Window{Length: week, RateWindow: 5 * time.Minute}, 2000, 240_000, 10, 12},
		"twice as many":   {recommender.Window{Length: week, RateWindow: 5 * time.Minute}, 2000, 480_000, 20, 23},
		"very many":       {recommender.Window{Length: week, RateWindow: 5 * time.Minute}, 2000, 100_000_000, 150, 168}, // an hour at least
		"long windows":    {recommender.Window{Length: week, RateWindow: 5 * time.Hour}, 2000, 100_000_000, 30, 34},
		"uneven":          {recommender.Window{Length: 7 * time.Hour, RateWindow: 2 * time.Hour}, 100_000, 100_000_000, 3, 4},
		"one rate window": {recommender.Window{Length: time.Hour, RateWindow: time.Hour}, 100_000, 100_000_000, 1, 1},
	} {
		c.window.Until = time.Date(2026, 1, 8, 0, 0, 0, 0, time.UTC)
		rd := &reading{reader: &Reader{}, window: c.window, batch: Batch{Containers: c.containers}}
		s, n := rd.newSizes(), 0
		for from := c.window.Start(); from.Before(c.window.Until); n++ {
			to := s.next(from)
			if !to.After(from) || c.window.Until.Sub(to)%c.window.RateWindow != 0 {
				t.Fatalf("%s: a request from %s to %s", name, from, to)
			}
			s.learn(int(to.Sub(from).Hours()*float64(c.perHour)), to.Sub(from))
			from = to
		}
		if n < c.least || n > c.most {
			t.Errorf("%s: %d requests, want %d to %d", name, n, c.least, c.most)
		}
	}
}

// lively is a server with so many samples an hour up to a time, and none after it.
type lively struct {
	perHour  int
	until    time.Time
	returned []int // samples, by request
}

func (b *lively) ReadRaw(_ context.Context, q RawQuery, visit func(RawSeries) error) error {
	n := max(0, int(earlier(q.End, b.until).Sub(q.Start).Hours()*float64(b.perHour)))
	b.returned = append(b.returned, n)
	list, err := chunks.Encode(n, func(i int) (int64, float64) {
		return q.Start.Add(time.Duration(i+1) * time.Hour / time.Duration(b.perHour)).UnixMilli(), 1
	})
	if err != nil || n == 0 {
		return err
	}
	return visit(RawSeries{podLabels("web-0"), list})
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// CPU is asked for in the slices that memory fits in where there is most of it.
func TestSizesOfTheNextMetric(t *testing.T) {
	w := recommender.Window{Until: time.Date(2026, 1, 8, 0, 0, 0, 0, time.UTC), Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
	for name, c := range map[string]struct {
		perHour  int
		busy     time.Duration
		requests int // for CPU, at most
	}{
		"all the time":            {960, 7 * 24 * time.Hour, 42},
		"less than reckoned":      {96, 7 * 24 * time.Hour, 5}, // memory takes one more
		"nothing since two days":  {960, 5 * 24 * time.Hour, 34},
		"nothing since five days": {960, 2 * 24 * time.Hour, 16}, // used to be asked for all at once, 46,080 samples
	} {
		server := &lively{perHour: c.perHour, until: w.Start().Add(c.busy)}
		rd := &reading{reader: &Reader{Raw: server, MaxSamples: 4000}, window: w, batch: Batch{Namespace: "shop", Containers: 8}}
		s := selection{namespace: "shop", forms: forms{list: []form{plain}}}
		for _, metric := range []string{MemoryMetric, CPUMetric} {
			server.returned = nil
			if err := rd.eachRawSlice(t.Context(), s, metric, func(rawSlice, Container, []line) {}); err != nil {
				t.Fatal(err)
			}
			if most := slices.Max(server.returned); most > 4100 {
				t.Errorf("%s: a request for %s returns %d samples, want about 4000", name, metric, most)
			}
		}
		if n := len(server.returned); n > c.requests {
			t.Errorf("%s: %d requests for CPU, want at most %d", name, n, c.requests)
		}
	}
}
