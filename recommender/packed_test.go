package recommender

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Packed samples are those that were packed, to the bit, and need no more than 8 bytes each and a little.
func FuzzPacked(f *testing.F) {
	f.Add([]byte{}, uint16(0), uint8(0))
	f.Add([]byte{0x41, 0xa0, 0, 0, 0, 0, 0, 0, 0x41, 0xa0, 0, 0, 1, 0, 0, 0}, uint16(700), uint8(30))
	f.Add([]byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint16(300), uint8(63)) // zeros of both signs
	f.Add([]byte{0x7f, 0xf8, 0, 0, 0, 0, 0, 1, 0xff, 0xf0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, uint16(2), uint8(0))
	for width := range uint8(64) {
		f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0}, uint16(257), width)
	}
	f.Fuzz(func(t *testing.T, data []byte, more uint16, width uint8) {
		var values []float64
		for ; len(data) >= 8; data = data[8:] {
			values = append(values, math.Float64frombits(binary.BigEndian.Uint64(data)))
		}
		rnd := rand.New(rand.NewPCG(uint64(more), uint64(width)))
		for i := range int(more%2000) * min(len(values), 1) {
			values = append(values, fromOrdinal(ordinal(values[i])+rnd.Uint64()>>(63-width%64)))
		}
		p := Pack(values)
		if p.Len() != len(values) {
			t.Fatalf("%d are packed, want %d", p.Len(), len(values))
		}
		for i, v := range values {
			if got := p.At(i); math.Float64bits(got) != math.Float64bits(v) {
				t.Fatalf("sample %d of %d is %v (%x), want %v (%x)", i, len(values), got, math.Float64bits(got), v, math.Float64bits(v))
			}
		}
		if got := p.AppendTo(nil); len(got) != len(values) {
			t.Fatalf("%d are unpacked, want %d", len(got), len(values))
		}
		if got, most := bytesOf(p), 8*len(values)+16*(len(values)/frameSamples+1)+8; got > most {
			t.Fatalf("%d samples take %d bytes, want at most %d", len(values), got, most)
		}
	})
}

func bytesOf(p Packed) int { return len(p.bytes) + 16*len(p.frames) }

// Whatever is asked of samples, some packed and some not, they answer as if none were.
func TestPackedAnswersAsPlain(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 9))
	for n := range 300 {
		var plain, mixed []Samples
		for range 1 + rnd.IntN(6) {
			l := make([]float64, rnd.IntN(3*frameSamples))
			for i := range l {
				switch n % 4 {
				case 0:
					l[i] = rnd.NormFloat64()
				case 1:
					l[i] = float64(rnd.IntN(4)) * 4096 // nearly all are equal
				case 2:
					l[i] = math.Round(1e5+1e4*rnd.NormFloat64()) * 4096
				case 3:
					l[i] = math.Exp2(rnd.Float64()*2000 - 1000)
				}
			}
			slices.Sort(l)
			plain = append(plain, Pool(l))
			if rnd.IntN(3) > 0 {
				mixed = append(mixed, Pack(l).Ascending())
			} else {
				mixed = append(mixed, Pool(l))
			}
		}
		want, got := Join(plain...), Join(mixed...)
		wantAll := slices.Collect(want.All())
		if gotAll := slices.Collect(got.All()); got.Len() != want.Len() || !slices.Equal(gotAll, wantAll) {
			t.Fatalf("%v, want %v", gotAll, wantAll)
		}
		if want.Len() == 0 {
			continue
		}
		if got.Min() != want.Min() || got.Max() != want.Max() || got.Mean() != want.Mean() {
			t.Fatalf("from %v to %v, %v on average, want %v, %v, %v", got.Min(), got.Max(), got.Mean(), want.Min(), want.Max(), want.Mean())
		}
		for _, q := range []float64{0, 1e-6, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1, rnd.Float64()} {
			if g, w := got.Quantile(q), want.Quantile(q); math.Float64bits(g) != math.Float64bits(w) {
				t.Fatalf("Quantile(%v) = %v, want %v", q, g, w)
			}
			v := wantAll[rnd.IntN(len(wantAll))] + float64(rnd.IntN(3)-1)
			if g, w := got.UpTo(v), want.UpTo(v); g != w {
				t.Fatalf("%d are not above %v, want %d", g, v, w)
			}
		}
	}
}

// What packing is for: a week of a pod's memory at 30 s, in pages, takes a fraction of 8 bytes a sample. Noise of numbers
// without common digits gains nothing.
func TestPackedSize(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	pages, level := make([]float64, 20160), make([]float64, 20160)
	for i := range pages {
		pages[i] = 4096 * math.Round(65536*(1+0.5*math.Sin(float64(i)/458)+0.2*rnd.Float64()))
		level[i] = 300 << 20
	}
	for _, c := range []struct {
		name   string
		values []float64
		most   float64 // bytes a sample
	}{
		{"as they come", pages, 2.3},
		{"sorted", slices.Sorted(slices.Values(pages)), 1.4},
		{"all the same", level, 0.1},
	} {
		if got := float64(bytesOf(Pack(c.values))) / float64(len(c.values)); got > c.most {
			t.Errorf("%s: %.2f bytes a sample, want at most %v", c.name, got, c.most)
		}
	}
}
