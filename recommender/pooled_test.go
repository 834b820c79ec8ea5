package recommender

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
)

// Quantile gives the bits of gonum's, and so do lists that are not put together; Merge gives what sorting does.
func TestQuantileOfLists(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for n := 1; n < 400; n++ {
		lists := make([][]float64, 1+rnd.IntN(9))
		var all []float64
		for range n {
			v := math.Round(rnd.NormFloat64() * 40) // many are equal, some below zero
			if n%3 == 0 {
				v = rnd.NormFloat64() * 1e12
			}
			i := rnd.IntN(len(lists))
			lists[i], all = append(lists[i], v), append(all, v)
		}
		for _, l := range lists {
			slices.Sort(l)
		}
		slices.Sort(all)
		if got := Merge(lists); !slices.Equal(got, all) {
			t.Fatalf("Merge(%v) = %v, want %v", lists, got, all)
		}
		for _, q := range []float64{0, 1e-9, 0.1, 0.5, 0.9, 0.95, 0.99, 1 - 1e-12, 1} {
			want := stat.Quantile(min((float64(n-1)*q+1)/float64(n), 1), stat.LinInterp, all, nil)
			want = min(max(want, all[0]), all[n-1])
			if got := Quantile(q, all); got != want {
				t.Fatalf("Quantile(%v) of %d samples = %v, want gonum's %v", q, n, got, want)
			}
			if got := pooledQuantile(q, n, lists); math.Abs(got-want) > 1e-15*math.Abs(want)+1e-300 {
				t.Fatalf("pooledQuantile(%v) of %d samples = %v, want %v", q, n, got, want)
			}
		}
	}
}

// What pooling the pods of a workload took before, and takes now: five revisions of three pods, a week at 30 s.
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
	b.Run("sort", func(b *testing.B) {
		for b.Loop() {
			slices.Sort(slices.Concat(lists...))
		}
	})
	b.Run("merge", func(b *testing.B) {
		for b.Loop() {
			Merge(lists)
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
