// Package chunks takes samples out of Prometheus's chunks, whichever way they came: over remote read or from a
// data folder.
package chunks

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Chunk is some samples of one series as they are stored.
type Chunk struct {
	Encoding chunkenc.Encoding
	Data     []byte
}

// Check is the error of a chunk that cannot be decoded for what shows without decoding it: any other encoding than XOR and
// XOR2, and fewer bytes than each has.
func (c Chunk) Check() error {
	header, err := headerBytes(c.Encoding)
	if err != nil {
		return err
	}
	if len(c.Data) < header {
		return fmt.Errorf("a chunk of %d bytes is shorter than its header", len(c.Data))
	}
	return nil
}

// Len is how many samples a chunk says that it has, one that Check has nothing against.
func (c Chunk) Len() int { return int(binary.BigEndian.Uint16(c.Data)) }

// Samples are those of one series in a span of time. Call Reset before the first series too.
type Samples struct {
	from, to int64 // milliseconds, both included
	pairs    []model.SamplePair
	ended    model.Time // of the last stale marker
	ordered  bool

	iterator chunkenc.Iterator // kept for its memory
}

// Reset begins a series, of which only samples in [from, to] count, in milliseconds. It keeps the memory.
func (s *Samples) Reset(from, to int64) {
	s.from, s.to, s.pairs, s.ended, s.ordered = from, to, s.pairs[:0], 0, true
}

// Pairs are the samples, without stale markers, in order of time. Of several at one time it has the highest. They are
// valid until the next Reset.
func (s *Samples) Pairs() []model.SamplePair {
	if !s.ordered {
		slices.SortFunc(s.pairs, func(a, b model.SamplePair) int {
			return cmp.Or(cmp.Compare(a.Timestamp, b.Timestamp), cmp.Compare(b.Value, a.Value))
		})
		s.pairs = slices.CompactFunc(s.pairs, func(a, b model.SamplePair) bool { return a.Timestamp == b.Timestamp })
		s.ordered = true
	}
	return s.pairs
}

// Ended is when a stale marker ended the series for good, and 0 where none did.
func (s *Samples) Ended() model.Time {
	if pairs := s.Pairs(); len(pairs) > 0 && pairs[len(pairs)-1].Timestamp >= s.ended {
		return 0
	}
	return s.ended
}

// Add appends one sample, or notes a stale marker.
func (s *Samples) Add(t int64, v float64) {
	switch {
	case t < s.from || t > s.to:
		return
	case value.IsStaleNaN(v):
		s.ended = max(s.ended, model.Time(t))
		return
	}
	if n := len(s.pairs); n > 0 && model.Time(t) <= s.pairs[n-1].Timestamp {
		s.ordered = false
	}
	s.pairs = append(s.pairs, model.SamplePair{Timestamp: model.Time(t), Value: model.SampleValue(v)})
}

// addAll appends what an iterator has. A histogram is an error: no metric of usage is one, so leaving it out would be
// leaving out usage.
func (s *Samples) addAll(it chunkenc.Iterator) error {
	for {
		switch kind := it.Next(); kind {
		case chunkenc.ValNone:
			return it.Err()
		case chunkenc.ValFloat:
			s.Add(it.At())
		default:
			return fmt.Errorf("a sample is a %s where usage is a number", kind)
		}
	}
}

// AddChunk decodes a chunk and appends what it has. A chunk that Check is against is an error, and so is one that has not
// all the samples that it says it has.
func (s *Samples) AddChunk(c Chunk) error {
	err := c.Check()
	if err != nil {
		return err
	}
	if c.Encoding == chunkenc.EncXOR {
		err = s.addXOR(c.Data)
	} else {
		err = s.addEncoded(c)
	}
	if err != nil {
		return fmt.Errorf("a chunk of %d bytes ends before its %d samples: %w", len(c.Data), c.Len(), err)
	}
	return nil
}

// addEncoded leaves decoding to Prometheus's own iterator.
func (s *Samples) addEncoded(c Chunk) error {
	encoded, err := chunkenc.FromData(c.Encoding, c.Data)
	if err != nil {
		return err
	}
	s.iterator = encoded.Iterator(s.iterator)
	return s.addAll(s.iterator)
}

// Encode makes chunks of n samples.
func Encode(n int, at func(int) (t int64, v float64)) ([]Chunk, error) {
	var out []Chunk
	for from := 0; from < n; from += math.MaxUint16 {
		c := chunkenc.NewXORChunk()
		app, err := c.Appender()
		if err != nil {
			return nil, err
		}
		for i := from; i < min(from+math.MaxUint16, n); i++ {
			t, v := at(i)
			app.Append(0, t, v)
		}
		out = append(out, Chunk{chunkenc.EncXOR, c.Bytes()})
	}
	return out, nil
}

// EncodingError is the encoding of a chunk that this version cannot decode.
type EncodingError chunkenc.Encoding

// Error implements error.
func (e EncodingError) Error() string {
	enc := chunkenc.Encoding(e)
	return fmt.Sprintf("a chunk has the encoding %d (%s), which this version cannot decode: want XOR or XOR2", enc, enc)
}

// headerBytes is how many bytes a chunk has before its samples: their number, and in XOR2 a byte about start times.
// Prometheus's decoders take them for granted.
func headerBytes(enc chunkenc.Encoding) (int, error) {
	switch enc {
	case chunkenc.EncXOR:
		return 2, nil
	case chunkenc.EncXOR2:
		return 3, nil
	}
	return 0, EncodingError(enc)
}
