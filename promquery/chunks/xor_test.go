package chunks

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// bothWays are the samples of a chunk by Prometheus's iterator, and by addXOR.
func bothWays(data []byte) (theirs, ours Samples, theirErr, ourErr error) {
	theirs.Reset(math.MinInt64, math.MaxInt64)
	ours.Reset(math.MinInt64, math.MaxInt64)
	theirErr, ourErr = theirs.addEncoded(Chunk{chunkenc.EncXOR, data}), ours.addXOR(data)
	return theirs, ours, theirErr, ourErr
}

func sameBits(a, b model.SamplePair) bool {
	return a.Timestamp == b.Timestamp && math.Float64bits(float64(a.Value)) == math.Float64bits(float64(b.Value))
}

// xorChunk encodes samples.
func xorChunk(t testing.TB, times []int64, values []float64) []byte {
	t.Helper()
	c := chunkenc.NewXORChunk()
	app, err := c.Appender()
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		app.Append(0, times[i], v)
	}
	return c.Bytes()
}

// Whatever was written comes back to the bit: times that keep their distance, jitter, jump and go back, and values of which
// many or few bits change.
func TestXORIsTheIterator(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, jitter := range []int64{0, 3, 8191, 8192, 8193, 65535, 65536, 65537, 524288, 524289, 1 << 40} {
		for _, next := range []func(v float64) float64{
			func(v float64) float64 { return v },
			func(v float64) float64 { return v + 4096 },
			func(v float64) float64 { return v + rnd.Float64() },
			func(float64) float64 { return math.Float64frombits(rnd.Uint64()) },
			func(v float64) float64 { return math.Float64frombits(math.Float64bits(v) ^ 1<<rnd.IntN(64)) },
			func(float64) float64 { return math.Float64frombits(value.StaleNaN) },
		} {
			times, values := []int64{-5}, []float64{1e9}
			for range 300 {
				last := len(times) - 1
				times, values = append(times, times[last]+30_000+rnd.Int64N(2*jitter+1)-jitter), append(values, next(values[last]))
			}
			for _, n := range []int{1, 2, 3, 120, 301} {
				theirs, ours, theirErr, ourErr := bothWays(xorChunk(t, times, values[:n]))
				if theirErr != nil || ourErr != nil || !slices.EqualFunc(theirs.pairs, ours.pairs, sameBits) || theirs.ended != ours.ended {
					t.Fatalf("%d samples with a jitter of %d: %v, %v; %d and %d samples", n, jitter, theirErr, ourErr, len(theirs.pairs), len(ours.pairs))
				}
			}
		}
	}
}

// Of whatever bytes: what addXOR takes the iterator takes too, and gives the same.
func FuzzXOR(f *testing.F) {
	f.Add(chunk(f, chunkenc.EncXOR, 1_700_000_000_000, 1, 1, 2.5, math.Inf(1), math.Float64frombits(value.StaleNaN), 7))
	f.Add(xorChunk(f, []int64{0, 1, 1 << 15, 1 << 20, 1 << 50, 1<<50 + 1}, []float64{0.1, 0.2, 0.3, 1e300, -1, 0}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2 {
			return // AddChunk refuses it
		}
		theirs, ours, theirErr, ourErr := bothWays(data)
		if ourErr != nil {
			return // the iterator may read zeros behind the end
		}
		if theirErr != nil || !slices.EqualFunc(theirs.pairs, ours.pairs, sameBits) || theirs.ended != ours.ended {
			t.Fatalf("ours %v, theirs %v (%v)", ours.pairs, theirs.pairs, theirErr)
		}
	})
}

// BenchmarkXOR decodes a chunk of 120 samples, of counters whose lowest bits change and of pages of memory.
func BenchmarkXOR(b *testing.B) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for name, next := range map[string]func(float64) float64{
		"counter": func(v float64) float64 { return v + 3 + rnd.Float64() },
		"pages":   func(v float64) float64 { return v + 4096*float64(rnd.IntN(200)-100) },
		"same":    func(v float64) float64 { return v },
	} {
		times, values := []int64{1_700_000_000_000}, []float64{1 << 30}
		for i := range 119 {
			times, values = append(times, times[i]+30_000), append(values, next(values[i]))
		}
		data := xorChunk(b, times, values)
		for way, add := range map[string]func(*Samples) error{
			"iterator": func(s *Samples) error { return s.addEncoded(Chunk{chunkenc.EncXOR, data}) },
			"ours":     func(s *Samples) error { return s.addXOR(data) },
		} {
			b.Run(name+"/"+way, func(b *testing.B) {
				var s Samples
				for b.Loop() {
					s.Reset(0, math.MaxInt64)
					if err := add(&s); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/120, "ns/sample")
			})
		}
	}
}
