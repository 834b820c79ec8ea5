package recommender

import (
	"testing"
	"time"
)

// Prometheus's grid counts from 1970: at 7m, counting from the year 1 gave another one.
func TestAlignCountsFrom1970(t *testing.T) {
	until := time.Date(2026, 2, 2, 0, 3, 1, 0, time.UTC)
	for _, step := range []time.Duration{time.Second, 5 * time.Minute, 7 * time.Minute, 11 * time.Minute, time.Hour} {
		w := Window{Until: until, Length: 24 * time.Hour, Step: step, RateWindow: time.Minute}.Align()
		if late := until.Sub(w.Until); w.Until.Unix()%int64(step/time.Second) != 0 || late < 0 || late >= step {
			t.Errorf("step %s: until = %s, want the last multiple of the step since 1970", step, w.Until)
		}
	}
}
