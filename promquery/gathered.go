package promquery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/promquery/chunks"
)

// line is one series of a container within a slice. It has at least one sample.
type line struct {
	series  uint64
	samples []model.SamplePair
	ended   model.Time
}

// gathered are the series of one slice as they came, held until all are there and decoded one container after the other.
type gathered struct {
	series []stored
	chunks []chunks.Chunk // of all series, one series after the other
	blocks [][]byte       // that the chunks are in; those after used are free
	used   int
	count  int // of samples

	decoded []chunks.Samples // of one container
	lines   []line
}

// stored is a series whose samples have not been decoded.
type stored struct {
	container Container
	labels    uint64
	order     int // in which the series came
	first, n  int // of its chunks
}

// blockBytes is how much a block of memory has room for, at least.
const blockBytes = 1 << 20

func (g *gathered) reset() {
	g.series, g.chunks, g.used, g.count = g.series[:0], g.chunks[:0], 0, 0
}

// mark is how much has been gathered.
type mark struct{ series, chunks, samples int }

func (g *gathered) mark() mark { return mark{len(g.series), len(g.chunks), g.count} }

// rewind forgets what was gathered since. Its memory is used again after the next reset.
func (g *gathered) rewind(to mark) {
	g.series, g.chunks, g.count = g.series[:to.series], g.chunks[:to.chunks], to.samples
	if n := len(g.series); n > 0 { // it may have grown since
		last := &g.series[n-1]
		last.n = len(g.chunks) - last.first
	}
}

func (g *gathered) add(s RawSeries) error {
	hash := s.Labels.Hash()
	if n := len(g.series); n == 0 || g.series[n-1].labels != hash {
		c := Container{ownLabel(s.Labels, "pod"), ownLabel(s.Labels, "container")}
		g.series = append(g.series, stored{container: c, labels: hash, order: n, first: len(g.chunks)})
	}
	for _, c := range s.Chunks {
		g.chunks = append(g.chunks, chunks.Chunk{Encoding: c.Encoding, Data: g.keep(c.Data)})
	}
	g.series[len(g.series)-1].n += len(s.Chunks)
	g.count += s.Len()
	return nil
}

// keep copies a chunk into memory that stays where it is, and is used again after a reset.
func (g *gathered) keep(data []byte) []byte {
	if g.used == 0 || cap(g.blocks[g.used-1])-len(g.blocks[g.used-1]) < len(data) {
		if g.used == len(g.blocks) || cap(g.blocks[g.used]) < len(data) {
			g.blocks = slices.Insert(g.blocks, g.used, make([]byte, 0, max(blockBytes, len(data))))
		}
		g.blocks[g.used] = g.blocks[g.used][:0]
		g.used++
	}
	block := &g.blocks[g.used-1]
	from := len(*block)
	*block = append(*block, data...)
	return (*block)[from:]
}

// ownLabel is the workload's value of a label; see own.
func ownLabel(labels Labels, name string) string {
	return cmp.Or(labels.Get(exportedPrefix+name), labels.Get(name))
}

// eachContainer decodes what there is in a slice, and calls emit with the series of each container, in order of pod and
// container. They are valid until emit returns. The error is of a chunk that cannot be decoded.
func (g *gathered) eachContainer(in rawSlice, emit func(Container, []line)) error {
	slices.SortFunc(g.series, func(a, b stored) int {
		return cmp.Or(strings.Compare(a.container.Pod, b.container.Pod), strings.Compare(a.container.Name, b.container.Name), cmp.Compare(a.order, b.order))
	})
	for rest := g.series; len(rest) > 0; {
		c, n := rest[0].container, 1
		for n < len(rest) && rest[n].container == c {
			n++
		}
		if err := g.decode(in, rest[:n]); err != nil {
			return fmt.Errorf("decoding samples of pod %s, container %s: %w", c.Pod, c.Name, err)
		}
		if len(g.lines) > 0 {
			emit(c, g.lines)
		}
		rest = rest[n:]
	}
	return nil
}

// decode makes lines of series, but of those without samples in the slice.
func (g *gathered) decode(in rawSlice, series []stored) error {
	g.lines = g.lines[:0]
	for len(g.decoded) < len(series) {
		g.decoded = append(g.decoded, chunks.Samples{})
	}
	for i, s := range series {
		samples := &g.decoded[i]
		samples.Reset(in.start+1, in.end)
		for _, c := range g.chunks[s.first : s.first+s.n] {
			if err := samples.AddChunk(c); err != nil {
				return err
			}
		}
		if pairs := samples.Pairs(); len(pairs) > 0 {
			g.lines = append(g.lines, line{s.labels, pairs, samples.Ended()})
		}
	}
	return nil
}
