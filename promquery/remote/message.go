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
	err := eachField(message, func(number protowire.Number, series []byte, _ uint64) error {
		if number != responseSeries {
			return nil
		}
		return d.series(series)
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
	err := eachField(message, func(number protowire.Number, content []byte, _ uint64) error {
		switch number {
		case seriesLabels:
			return d.label(content)
		case seriesChunks:
			return d.chunk(content)
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
	err := eachField(message, func(number protowire.Number, content []byte, _ uint64) error {
		switch number {
		case labelName:
			name = content
		case labelValue:
			value = content
		}
		return nil
	})
	d.builder.Add(string(name), string(value))
	return err
}

func (d *decoder) chunk(message []byte) error {
	var c chunks.Chunk
	err := eachField(message, func(number protowire.Number, content []byte, value uint64) error {
		switch number {
		case chunkType:
			c.Encoding = encodingOf(value)
		case chunkData:
			c.Data = content
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

// eachField calls visit with each field of a message: its bytes where it has some, and its number where it is one. Groups
// and numbers of a fixed size, which these messages have none of, are passed over.
func eachField(message []byte, visit func(number protowire.Number, content []byte, value uint64) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return wireError{protowire.ParseError(n)}
		}
		message = message[n:]
		var content []byte
		var value uint64
		switch kind {
		case protowire.BytesType:
			content, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return wireError{protowire.ParseError(n)}
		}
		message = message[n:]
		if err := visit(number, content, value); err != nil {
			return err
		}
	}
	return nil
}
