package recommender

import (
	"iter"
	"math"
	"slices"
)

// Samples are those of several ascending lists, one for each pod of a workload, taken together without being put
// together: a week of a big workload is there once. All are finite. The zero Samples are none.
type Samples struct {
	lists []list // none is empty
	n     int
}

// Pool takes ascending lists together. It keeps them, so they must not change.
func Pool(lists ...[]float64) (s Samples) {
	for _, l := range lists {
		s.add(list{plain: l})
	}
	return s
}

// Ascending are the samples of a list that was ascending before it was packed.
func (p Packed) Ascending() (s Samples) {
	s.add(list{packed: &p, to: p.n})
	return s
}

// Join takes samples together, without copying them.
func Join(parts ...Samples) (s Samples) {
	for _, p := range parts {
		for _, l := range p.lists {
			s.add(l)
		}
	}
	return s
}

func (s *Samples) add(l list) {
	if l.len() > 0 {
		s.lists = append(s.lists, l)
		s.n += l.len()
	}
}

// Len is how many there are.
func (s Samples) Len() int { return s.n }

// All are the samples, list by list.
func (s Samples) All() iter.Seq[float64] {
	return func(yield func(float64) bool) {
		var room []float64
		for _, l := range s.lists {
			for _, v := range l.values(&room) {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// Min is the lowest, NaN of none.
func (s Samples) Min() float64 {
	lowest := math.NaN()
	for i, l := range s.lists {
		if v := l.at(0); i == 0 || v < lowest {
			lowest = v
		}
	}
	return lowest
}

// Max is the highest, NaN of none.
func (s Samples) Max() float64 {
	highest := math.NaN()
	for i, l := range s.lists {
		if v := l.at(l.len() - 1); i == 0 || v > highest {
			highest = v
		}
	}
	return highest
}

// Mean is NaN of none.
func (s Samples) Mean() float64 {
	sum := 0.0
	var room []float64
	for _, l := range s.lists {
		part := 0.0 // of one list first: a sum of so many would lose more of each
		for _, v := range l.values(&room) {
			part += v
		}
		sum += part
	}
	return sum / float64(s.n)
}

// UpTo counts those that are not above v.
func (s Samples) UpTo(v float64) (n int) {
	for _, l := range s.lists {
		n += l.upTo(v)
	}
	return n
}

// Quantile is the q-quantile, as the function Quantile has it of one list, to the bit.
func (s Samples) Quantile(q float64) float64 {
	if s.n == 0 || math.IsNaN(q) {
		return math.NaN()
	}
	v := interpolate(q, s.n, s.nth)
	// Interpolation between huge neighbours must not leave their range by a rounding error.
	return min(max(v, s.Min()), s.Max())
}

// fewSamples is how many candidates are sorted rather than halved again.
const fewSamples = 64

// nth is the sample with i others before it. Floats are ordered as the integers that ordinal makes of them; those between
// the lowest and the highest are halved, and with them what each list still has between, until few are left.
func (s Samples) nth(i int) float64 {
	if len(s.lists) == 1 {
		return s.lists[0].at(i)
	}
	lists := slices.Clone(s.lists)
	low, high, left := ordinal(s.Min()), ordinal(s.Max()), s.n
	ends := make([]int, len(lists)) // of what is not above the middle
	for low < high && left > fewSamples {
		middle := low + (high-low)/2
		v, upTo := fromOrdinal(middle), 0
		for k, l := range lists {
			ends[k] = l.upTo(v)
			upTo += ends[k]
		}
		if upTo > i {
			high, left = middle, upTo
			for k, end := range ends {
				lists[k] = lists[k].part(0, end)
			}
			continue
		}
		low, left, i = middle+1, left-upTo, i-upTo
		for k, end := range ends {
			lists[k] = lists[k].part(end, lists[k].len())
		}
	}
	if low >= high {
		return fromOrdinal(low)
	}
	rest := make([]float64, 0, left)
	for _, l := range lists {
		for k := range l.len() {
			rest = append(rest, l.at(k))
		}
	}
	slices.Sort(rest)
	return rest[i]
}

// ordinal numbers floats that are not NaN in their order.
func ordinal(v float64) uint64 {
	const sign = 1 << 63
	bits := math.Float64bits(v)
	if bits&sign != 0 {
		return ^bits
	}
	return bits | sign
}

func fromOrdinal(n uint64) float64 {
	const sign = 1 << 63
	if n&sign != 0 {
		return math.Float64frombits(n &^ sign)
	}
	return math.Float64frombits(^n)
}

// Sorter sorts samples that are not NaN by the bytes of their ordinals, which takes a fraction of the time that
// comparing them does. It keeps what it needs besides, twice the samples' memory, from one call to the next.
type Sorter struct{ keys, spare []uint64 }

// fewToSort is how many samples are sorted faster by comparing them.
const fewToSort = 256

// Sort sorts samples, the lowest first.
func (s *Sorter) Sort(samples []float64) {
	if len(samples) < fewToSort {
		slices.Sort(samples)
		return
	}
	s.keys = slices.Grow(s.keys[:0], len(samples))[:len(samples)]
	s.spare = slices.Grow(s.spare[:0], len(samples))[:len(samples)]
	first, differ := ordinal(samples[0]), uint64(0)
	for i, v := range samples {
		k := ordinal(v)
		s.keys[i] = k
		differ |= k ^ first
	}
	from, to := s.keys, s.spare
	for shift := 0; shift < 64; shift += 8 {
		if byte(differ>>shift) == 0 {
			continue // all have the same byte there, as whole bytes of memory have
		}
		next := startsOf(from, shift)
		for _, k := range from {
			digit := byte(k >> shift)
			to[next[digit]] = k
			next[digit]++
		}
		from, to = to, from
	}
	for i, k := range from {
		samples[i] = fromOrdinal(k)
	}
}

// startsOf is where the keys with each byte begin.
func startsOf(keys []uint64, shift int) (starts [256]int) {
	var counts [256]int
	for _, k := range keys {
		counts[byte(k>>shift)]++
	}
	sum := 0
	for digit, n := range counts {
		starts[digit] = sum
		sum += n
	}
	return starts
}
