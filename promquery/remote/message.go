package remote

import (
	"errors"
	"fmt"
	"math"

	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/chunks"
)

// The fields of a frame's message, as prompb/remote.proto and prompb/types.proto number them.
const (
	responseSeries = 1 // ChunkedReadResponse.chunked_series
	seriesLabels   = 1 // ChunkedSeries.labels
	seriesChunks   = 2 // ChunkedSeries.chunks
	labelName      = 1
	labelValue     = 2
	chunkType      = 3
	chunkData      = 4
)

// frame hands over the series of one frame. Prometheus's prompb copies each chunk into memory of its own, which takes longer
// than all else that is done with a frame; here chunks stay where they are.
func (d *decoder) frame(message []byte) error {
	err := eachField(message, func(f field) error {
		if f.number != responseSeries {
			return nil
		}
		return f.with(protowire.BytesType, d.series)
	})
	var bad wireError
	if errors.As(err, &bad) {
		return malformedf("a frame that is no %s: %v", streamProto, bad)
	}
	return err
}

// series hands over what a frame has of one series.
func (d *decoder) series(message []byte) error {
	d.builder.Reset()
	d.chunks = d.chunks[:0]
	err := eachField(message, func(f field) error {
		switch f.number {
		case seriesLabels:
			return f.with(protowire.BytesType, d.label)
		case seriesChunks:
			return f.with(protowire.BytesType, d.chunk)
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.builder.Sort()
	own := d.builder.Labels()
	for _, c := range d.chunks {
		if err := c.Check(); err != nil {
			var unknown chunks.EncodingError
			return malformed{what: fmt.Sprintf("%v (series %s)", err, own), other: errors.As(err, &unknown)}
		}
	}
	return d.visit(promquery.RawSeries{Labels: own, Chunks: d.chunks})
}

func (d *decoder) label(message []byte) error {
	var name, value []byte
	err := eachField(message, func(f field) error {
		switch f.number {
		case labelName:
			return f.with(protowire.BytesType, func(b []byte) error { name = b; return nil })
		case labelValue:
			return f.with(protowire.BytesType, func(b []byte) error { value = b; return nil })
		}
		return nil
	})
	d.builder.Add(string(name), string(value))
	return err
}

func (d *decoder) chunk(message []byte) error {
	var c chunks.Chunk
	err := eachField(message, func(f field) error {
		switch f.number {
		case chunkType:
			return f.with(protowire.VarintType, func([]byte) error { c.Encoding = encodingOf(f.value); return nil })
		case chunkData:
			return f.with(protowire.BytesType, func(b []byte) error { c.Data = b; return nil })
		}
		return nil
	})
	d.chunks = append(d.chunks, c)
	return err
}

// encodingOf is a chunk's encoding as its decoder names it. The numbers are the same: prompb/types.proto.
func encodingOf(number uint64) chunkenc.Encoding {
	if number > math.MaxUint8 {
		return chunkenc.EncNone
	}
	return chunkenc.Encoding(number)
}

// wireError is bytes that are no message.
type wireError struct{ error }

// field is one of a message.
type field struct {
	number  protowire.Number
	kind    protowire.Type
	content []byte // of BytesType
	value   uint64 // of VarintType
}

// with takes the field's content, if it is of the kind that it should be.
func (f field) with(kind protowire.Type, take func([]byte) error) error {
	if f.kind != kind {
		return wireError{fmt.Errorf("field %d has the type %d, want %d", f.number, f.kind, kind)}
	}
	return take(f.content)
}

// eachField calls visit with each field of a message.
func eachField(message []byte, visit func(field) error) error {
	for len(message) > 0 {
		var f field
		var n int
		if f.number, f.kind, n = protowire.ConsumeTag(message); n < 0 {
			return wireError{protowire.ParseError(n)}
		}
		message = message[n:]
		switch f.kind {
		case protowire.BytesType:
			f.content, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(message)
		default:
			n = protowire.ConsumeFieldValue(f.number, f.kind, message)
		}
		if n < 0 {
			return wireError{protowire.ParseError(n)}
		}
		message = message[n:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}
