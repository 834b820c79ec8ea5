package promquery

import (
	"testing"
	"time"

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
