package recommender

import (
	"slices"
	"sort"
)

// list is ascending samples, as they are or packed. Both give the same.
type list struct {
	plain    []float64
	packed   *Packed // nil of plain ones
	from, to int     // of those that are packed
}

func (l list) len() int {
	if l.packed != nil {
		return l.to - l.from
	}
	return len(l.plain)
}

func (l list) at(i int) float64 {
	if l.packed != nil {
		return l.packed.At(l.from + i)
	}
	return l.plain[i]
}

// part are those from the i-th to before the j-th.
func (l list) part(i, j int) list {
	if l.packed != nil {
		return list{packed: l.packed, from: l.from + i, to: l.from + j}
	}
	return list{plain: l.plain[i:j]}
}

// upTo counts those that are not above v.
func (l list) upTo(v float64) int {
	if plain := l.plain; l.packed == nil {
		return sort.Search(len(plain), func(i int) bool { return plain[i] > v })
	}
	return sort.Search(l.len(), func(i int) bool { return l.at(i) > v })
}

// values are all of them, to be read until the next call: of what is packed they are in room.
func (l list) values(room *[]float64) []float64 {
	if l.packed == nil {
		return l.plain
	}
	*room = slices.Grow((*room)[:0], l.len())
	for i := l.from; i < l.to; i++ {
		*room = append(*room, l.packed.At(i))
	}
	return *room
}
