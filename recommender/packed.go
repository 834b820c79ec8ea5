package recommender

import (
	"encoding/binary"
	"math/bits"
)

// Packed is samples in the order that they were given in, to the bit and whatever they are, in less memory than 8 bytes
// each where they are near each other and coarse. Memory is: it comes in pages, so a pod's takes 2 bytes or so, and 1 once it is
// sorted. Of numbers that share no digits it takes 8 bytes too. The zero Packed is none.
type Packed struct {
	frames []frame
	bytes  []byte // of all frames, and room to read 8 bytes at any
	n      int
}

// frame is some samples: each is its ordinal's distance from the lowest one's, in so many bits. Low bits that are zero in
// all distances are left out.
type frame struct {
	lowest uint64
	start  uint32 // its first byte; 4 GiB are more samples of one pod than MaxWindow has
	shift  uint8
	width  uint8 // bits
}

const (
	// frameSamples is how many samples a frame has, but the last: so many that its own 16 bytes count little, and so few
	// that sorted ones are close.
	frameSamples = 256

	// widest is how many bits can be read wherever they begin in a byte, of 8 bytes at once. More take 64.
	widest = 57
)

// Pack packs values, which it does not keep.
func Pack(values []float64) Packed {
	if len(values) == 0 {
		return Packed{}
	}
	p := Packed{frames: make([]frame, 0, (len(values)+frameSamples-1)/frameSamples), n: len(values)}
	size := 0
	for i := 0; i < len(values); i += frameSamples {
		part := values[i:min(i+frameSamples, len(values))]
		f := frameOf(part)
		f.start = uint32(size)
		size += (len(part)*int(f.width) + 7) / 8
		p.frames = append(p.frames, f)
	}
	p.bytes = make([]byte, size+8)
	for i, v := range values {
		p.put(i, v)
	}
	return p
}

// frameOf is a frame that all values fit in.
func frameOf(values []float64) frame {
	f := frame{lowest: ordinal(values[0])}
	for _, v := range values[1:] {
		f.lowest = min(f.lowest, ordinal(v))
	}
	var used uint64
	for _, v := range values {
		used |= ordinal(v) - f.lowest
	}
	if used == 0 {
		return f // all are the same
	}
	f.shift = uint8(bits.TrailingZeros64(used))
	f.width = uint8(bits.Len64(used)) - f.shift
	if f.width > widest {
		f.shift, f.width = 0, 64
	}
	return f
}

// place is where a sample's bits begin: the byte, and how many bits of it come before.
func (p *Packed) place(i int) (f *frame, at int, before uint) {
	f = &p.frames[i/frameSamples]
	bit := uint(i%frameSamples) * uint(f.width)
	return f, int(f.start) + int(bit/8), bit % 8
}

// put sets a sample that was zero bits until now.
func (p *Packed) put(i int, v float64) {
	f, at, before := p.place(i)
	word := binary.LittleEndian.Uint64(p.bytes[at:])
	binary.LittleEndian.PutUint64(p.bytes[at:], word|(ordinal(v)-f.lowest)>>f.shift<<before)
}

// Len is how many there are.
func (p *Packed) Len() int { return p.n }

// At is the i-th of them.
func (p *Packed) At(i int) float64 {
	f, at, before := p.place(i)
	distance := binary.LittleEndian.Uint64(p.bytes[at:]) >> before & (1<<f.width - 1)
	return fromOrdinal(f.lowest + distance<<f.shift)
}

// AppendTo appends all of them to values.
func (p *Packed) AppendTo(values []float64) []float64 {
	for i := range p.n {
		values = append(values, p.At(i))
	}
	return values
}
