package chunks

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// chunk encodes values a second apart, from a time in milliseconds.
func chunk(t testing.TB, enc chunkenc.Encoding, from int64, values ...float64) []byte {
	t.Helper()
	c, err := chunkenc.NewEmptyChunk(enc)
	if err != nil {
		t.Fatal(err)
	}
	app, err := c.Appender()
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		app.Append(0, from+int64(i)*1000, v)
	}
	return c.Bytes()
}

func pairs(s *Samples) (times []model.Time, values []model.SampleValue) {
	for _, p := range s.Pairs() {
		times, values = append(times, p.Timestamp), append(values, p.Value)
	}
	return times, values
}

func TestAddChunk(t *testing.T) {
	stale := math.Float64frombits(value.StaleNaN)
	for _, enc := range []chunkenc.Encoding{chunkenc.EncXOR, chunkenc.EncXOR2} {
		for name, c := range map[string]struct {
			chunks   [][]byte
			from, to int64
			times    []model.Time
			values   []model.SampleValue
			ended    model.Time
		}{
			"two chunks":    {[][]byte{chunk(t, enc, 1000, 1, 2), chunk(t, enc, 3000, 3)}, 0, 9000, []model.Time{1000, 2000, 3000}, []model.SampleValue{1, 2, 3}, 0},
			"clipped":       {[][]byte{chunk(t, enc, 1000, 1, 2, 3, 4)}, 2000, 3000, []model.Time{2000, 3000}, []model.SampleValue{2, 3}, 0},
			"ended":         {[][]byte{chunk(t, enc, 1000, 1, 2, stale)}, 0, 9000, []model.Time{1000, 2000}, []model.SampleValue{1, 2}, 3000},
			"ended later":   {[][]byte{chunk(t, enc, 1000, 1, 2, stale)}, 0, 2000, []model.Time{1000, 2000}, []model.SampleValue{1, 2}, 0},
			"begun again":   {[][]byte{chunk(t, enc, 1000, 1, stale, 3)}, 0, 9000, []model.Time{1000, 3000}, []model.SampleValue{1, 3}, 0},
			"overlapping":   {[][]byte{chunk(t, enc, 1000, 1, 9, 3), chunk(t, enc, 2000, 2, 4, 5)}, 0, 9000, []model.Time{1000, 2000, 3000, 4000}, []model.SampleValue{1, 9, 4, 5}, 0},
			"without order": {[][]byte{chunk(t, enc, 3000, 3), chunk(t, enc, 1000, 1, 2)}, 0, 9000, []model.Time{1000, 2000, 3000}, []model.SampleValue{1, 2, 3}, 0},
			"none":          {[][]byte{chunk(t, enc, 1000)}, 0, 9000, nil, nil, 0},
		} {
			var s Samples
			s.Reset(c.from, c.to)
			for _, data := range c.chunks {
				if err := s.AddChunk(Chunk{enc, data}); err != nil {
					t.Errorf("%s of %s: %v", name, enc, err)
				}
			}
			times, values := pairs(&s)
			if cmp.Diff(c.times, times)+cmp.Diff(c.values, values) != "" || s.Ended() != c.ended {
				t.Errorf("%s of %s: %v %v ended %d, want %v %v ended %d", name, enc, times, values, s.Ended(), c.times, c.values, c.ended)
			}
		}
	}
}

func TestAddChunkRefuses(t *testing.T) {
	whole := chunk(t, chunkenc.EncXOR, 1000, 1, 2, 3)
	for name, c := range map[string]struct {
		enc  chunkenc.Encoding
		data []byte
		want string
	}{
		"no encoding":      {chunkenc.EncNone, whole, "encoding 0 (none), which this version cannot decode: want XOR or XOR2"},
		"histogram":        {chunkenc.EncHistogram, whole, "encoding 2 (histogram), which this version cannot decode"},
		"unknown encoding": {99, whole, "encoding 99 (<unknown>), which this version cannot decode"},
		"empty":            {chunkenc.EncXOR, nil, "a chunk of 0 bytes is shorter than its header"},
		"short":            {chunkenc.EncXOR2, []byte{0, 1}, "a chunk of 2 bytes is shorter than its header"},
		"cut":              {chunkenc.EncXOR, whole[:len(whole)-2], "ends before its 3 samples: EOF"},
	} {
		var s Samples
		s.Reset(math.MinInt64, math.MaxInt64)
		if err := s.AddChunk(Chunk{c.enc, c.data}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestAddAllRefusesHistograms(t *testing.T) {
	c := chunkenc.NewFloatHistogramChunk()
	app, err := c.Appender()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := app.AppendFloatHistogram(nil, 0, 1000, &histogram.FloatHistogram{Count: 1, Sum: 1, ZeroCount: 1}, true); err != nil {
		t.Fatal(err)
	}
	var s Samples
	s.Reset(0, 9000)
	if err := s.addAll(c.Iterator(nil)); err == nil || !strings.Contains(err.Error(), "where usage is a number") {
		t.Errorf("a histogram: %v, want an error", err)
	}
}

// Whatever bytes come, decoding ends with samples in order and in the span, or with an error.
func FuzzAddChunk(f *testing.F) {
	for _, enc := range []chunkenc.Encoding{chunkenc.EncXOR, chunkenc.EncXOR2} {
		data := chunk(f, enc, 1_700_000_000_000, 1, 1, 2.5, math.Inf(1), math.Float64frombits(value.StaleNaN), 7)
		f.Add(byte(enc), data)
		f.Add(byte(enc), data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, enc byte, data []byte) {
		var s Samples
		s.Reset(0, math.MaxInt64)
		for range 2 {
			if err := s.AddChunk(Chunk{chunkenc.Encoding(enc), data}); err != nil {
				return
			}
		}
		last := model.Time(-1)
		for _, p := range s.Pairs() {
			if p.Timestamp <= last {
				t.Fatalf("%d comes after %d", p.Timestamp, last)
			}
			last = p.Timestamp
		}
	})
}
