// Package chunks takes samples out of Prometheus's chunks, whichever way they came: over remote read or from a
// data folder.
package chunks

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

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

// addEncoded leaves decoding to Prometheus's own iterator.
func (s *Samples) addEncoded(enc chunkenc.Encoding, data []byte) error {
	c, err := chunkenc.FromData(enc, data)
	if err != nil {
		return err
	}
	s.iterator = c.Iterator(s.iterator)
	return s.addAll(s.iterator)
}

// AddChunk decodes a chunk and appends what it has. A chunk of any other encoding than XOR and XOR2 is an error, and
// so is one that has not all the samples that it says it has.
func (s *Samples) AddChunk(enc chunkenc.Encoding, data []byte) error {
	header, err := headerBytes(enc)
	if err != nil {
		return err
	}
	if len(data) < header {
		return fmt.Errorf("a chunk of %d bytes is shorter than its header", len(data))
	}
	if enc == chunkenc.EncXOR {
		err = s.addXOR(data)
	} else {
		err = s.addEncoded(enc, data)
	}
	if err != nil {
		return fmt.Errorf("a chunk of %d bytes ends before its %d samples: %w", len(data), binary.BigEndian.Uint16(data), err)
	}
	return nil
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
