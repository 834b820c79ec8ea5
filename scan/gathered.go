package scan

import (
	"slices"

	"github.com/rightsize/rightsize/recommender"
)

// packAbove is how many samples of a batch are kept as they came: 40 MB. When there are more they are packed. A batch of 100 pods
// of two containers, read sample by sample at 30 s, has 4.4 million in a week, so few but huge workloads take the time.
const packAbove = 5_000_000

// gathered is what came of one pod so far.
type gathered struct {
	recommender.PodUsage                      // but for its samples
	packed               []recommender.Packed // what came first
	plain                []float64            // and after that
	n                    int                  // of both
}

func (g *gathered) add(values ...float64) {
	g.plain = append(g.plain, values...)
	g.n += len(values)
}

func (g *gathered) pack() {
	if len(g.plain) > 0 {
		g.packed = append(g.packed, recommender.Pack(g.plain))
		g.plain = nil // its room would be as much as was saved
	}
}

// samples are all of them, in the order in which they came. Where some are packed all are in room, until the next call.
func (g *gathered) samples(room *[]float64) []float64 {
	if len(g.packed) == 0 {
		return g.plain
	}
	*room = slices.Grow((*room)[:0], g.n)
	for _, p := range g.packed {
		*room = p.AppendTo(*room)
	}
	*room = append(*room, g.plain...)
	return *room
}

// take sorts what is finite of the samples and lets go of the rest, which it counts.
func (g *gathered) take(sorter *recommender.Sorter, room *[]float64) (samples recommender.Samples, dropped int) {
	finite := slices.DeleteFunc(g.samples(room), notFinite)
	sorter.Sort(finite)
	dropped = g.n - len(finite)
	if len(g.packed) == 0 {
		return recommender.Pool(finite), dropped
	}
	g.packed, g.plain = nil, nil
	return recommender.Pack(finite).Ascending(), dropped
}

// packMany packs all that has come when it has become too much.
func (h *pool) packMany(more int) {
	if h.plain += more; h.plain <= h.packAbove {
		return
	}
	for _, e := range h.entries {
		for r := range recommender.NumResources {
			for _, g := range e.pods[r] {
				g.pack()
			}
		}
	}
	h.plain = 0
}
