package recommender

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
)

// Quantile gives the bits of gonum's, and lists that are not put together give what one list gives.
func TestSamplesAreOneList(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for n := 1; n < 400; n++ {
		lists := make([][]float64, 1+rnd.IntN(9))
		var all []float64
		for range n {
			v := math.Round(rnd.NormFloat64() * 40) // many are equal, some below zero
			switch n % 4 {
			case 0:
				v = rnd.NormFloat64() * 1e12
			case 1:
				v = math.Exp2(rnd.Float64()*2000 - 1000)
			}
			i := rnd.IntN(len(lists))
			lists[i], all = append(lists[i], v), append(all, v)
		}
		for _, l := range lists {
			slices.Sort(l)
		}
		slices.Sort(all)
		s := Pool(lists...)
		if got := slices.Sorted(s.All()); !slices.Equal(got, all) || s.Len() != n || s.Min() != all[0] || s.Max() != all[n-1] {
			t.Fatalf("%d samples from %v to %v, want %d from %v to %v: %v", s.Len(), s.Min(), s.Max(), n, all[0], all[n-1], got)
		}
		if got, want := s.Mean(), stat.Mean(all, nil); math.Abs(got-want) > 1e-12*(all[n-1]-all[0]+math.Abs(want)) {
			t.Fatalf("the mean is %v, want %v", got, want)
		}
		for i, v := range all {
			if got := s.nth(i); got != v {
				t.Fatalf("sample %d is %v, want %v", i, got, v)
			}
			if got, want := s.UpTo(v), n-len(higherThan(all, v)); got != want {
				t.Fatalf("%d are not above %v, want %d", got, v, want)
			}
		}
		for _, q := range []float64{0, 1e-9, 0.1, 0.5, 0.9, 0.95, 0.99, 1 - 1e-12, 1} {
			want := stat.Quantile(min((float64(n-1)*q+1)/float64(n), 1), stat.LinInterp, all, nil)
			want = min(max(want, all[0]), all[n-1])
			if got := Quantile(q, all); got != want {
				t.Fatalf("Quantile(%v) of %d samples = %v, want gonum's %v", q, n, got, want)
			}
			if got := s.Quantile(q); got != want {
				t.Fatalf("Quantile(%v) of %d samples in %d lists = %v, want %v", q, n, len(lists), got, want)
			}
		}
	}
}

func higherThan(sorted []float64, v float64) []float64 {
	i, _ := slices.BinarySearchFunc(sorted, v, func(s, v float64) int {
		if s > v {
			return 1
		}
		return -1
	})
	return sorted[i:]
}

func TestNoSamples(t *testing.T) {
	for _, s := range []Samples{{}, Pool(), Pool(nil, []float64{})} {
		for what, v := range map[string]float64{"quantile": s.Quantile(0.5), "mean": s.Mean(), "lowest": s.Min(), "highest": s.Max()} {
			if !math.IsNaN(v) {
				t.Errorf("the %s of no samples is %v, want NaN", what, v)
			}
		}
		if s.Len() != 0 || s.UpTo(1) != 0 {
			t.Errorf("there are %d, %d up to 1", s.Len(), s.UpTo(1))
		}
	}
}

// Whatever the samples are, sorting them by their bytes gives what comparing them does.
func FuzzSort(f *testing.F) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var seed []byte
	for range 2 * fewToSort {
		seed = binary.BigEndian.AppendUint64(seed, math.Float64bits(rnd.NormFloat64()))
	}
	f.Add(seed, uint16(0))
	f.Add(seed[:80], uint16(300))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 0, 0, 0, 0, 0, 0}, uint16(1000))
	var sorter Sorter // keeps what it had
	f.Fuzz(func(t *testing.T, data []byte, more uint16) {
		var samples []float64
		for ; len(data) >= 8; data = data[8:] {
			if v := math.Float64frombits(binary.BigEndian.Uint64(data)); !math.IsNaN(v) {
				samples = append(samples, v)
			}
		}
		for i := range int(more) * min(len(samples), 1) {
			samples = append(samples, samples[i]+float64(i))
		}
		samples = slices.DeleteFunc(samples, math.IsNaN)
		want := slices.Clone(samples)
		slices.Sort(want)
		sorter.Sort(samples)
		if !slices.Equal(samples, want) {
			t.Fatalf("%d samples are sorted as %v, want %v", len(want), samples, want)
		}
	})
}

// A pod's week at 30 s, of CPU and of memory, which comes in pages.
func BenchmarkSort(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name string
		draw func() float64
	}{
		{"rates", rnd.Float64},
		{"pages", func() float64 { return float64(4096 * (50_000 + rnd.IntN(50_000))) }},
	} {
		week := make([]float64, 20_160)
		for i := range week {
			week[i] = c.draw()
		}
		work := make([]float64, len(week))
		b.Run(c.name+"/comparing", func(b *testing.B) {
			for b.Loop() {
				copy(work, week)
				slices.Sort(work)
			}
		})
		b.Run(c.name+"/bytes", func(b *testing.B) {
			var sorter Sorter
			for b.Loop() {
				copy(work, week)
				sorter.Sort(work)
			}
		})
	}
}

// The quantile of a workload's week, five revisions of three pods at 30 s: of all put together and sorted, and of the
// pods' lists as they are.
func BenchmarkPool(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	lists := make([][]float64, 15)
	for i := range lists {
		lists[i] = make([]float64, 4032)
		for k := range lists[i] {
			lists[i][k] = rnd.Float64()
		}
		slices.Sort(lists[i])
	}
	b.Run("together", func(b *testing.B) {
		for b.Loop() {
			all := slices.Concat(lists...)
			slices.Sort(all)
			Quantile(0.99, all)
		}
	})
	b.Run("apart", func(b *testing.B) {
		for b.Loop() {
			Pool(lists...).Quantile(0.99)
		}
	})
}

// The quantiles of a workload's week, by gonum and by the two samples that count.
func BenchmarkQuantile(b *testing.B) {
	sorted := make([]float64, 60_480)
	for i := range sorted {
		sorted[i] = float64(i)
	}
	b.Run("gonum", func(b *testing.B) {
		for b.Loop() {
			stat.Quantile(0.99, stat.LinInterp, sorted, nil)
		}
	})
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			Quantile(0.99, sorted)
		}
	})
}
