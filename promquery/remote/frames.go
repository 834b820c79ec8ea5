package remote

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"unicode/utf8"
)

const (
	// maxFrame is the longest frame in bytes. Prometheus's own are of 1 MiB (--storage.remote.read-max-bytes-in-frame);
	// limit in Prometheus's storage/remote/client.go for reading them: 50 MB.
	maxFrame = 50_000_000

	// startFrame is how much of a frame is made room for before it is there, so that a length alone takes no memory.
	startFrame = 1 << 20
)

// frames reads a stream of frames: a frame's length as a varint, the Castagnoli CRC-32 of its bytes as four bytes,
// the highest first, and its bytes.
//
// Prometheus's own remote.ChunkedReader takes a stream that ends right after a length or a checksum for one that is
// whole, and its package brings OpenTelemetry's collector along; hence this one.
type frames struct {
	r     *bufio.Reader
	table *crc32.Table
	buf   bytes.Buffer
}

func newFrames(r io.Reader) *frames {
	const buffer = 64 << 10
	return &frames{r: bufio.NewReaderSize(r, buffer), table: crc32.MakeTable(crc32.Castagnoli)}
}

// next is the next frame, valid until the one after it. The error is io.EOF only where the stream ends between two
// frames.
func (f *frames) next() ([]byte, error) {
	begin, err := f.r.Peek(1)
	if len(begin) == 0 {
		return nil, err
	}
	// A server that fails on the way says so by text at the end of its answer, where a frame should be.
	said, _ := f.r.Peek(f.r.Buffered())
	said = printable(said[:min(len(said), maxSaid)])
	frame, err := f.read()
	var bad malformed
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, malformed{what: "a stream that ends within a frame", said: said}
	case errors.As(err, &bad):
		return nil, malformed{what: bad.what, said: said}
	}
	return frame, err
}

func (f *frames) read() ([]byte, error) {
	head, err := f.r.Peek(binary.MaxVarintLen64) // fewer at the stream's end
	size, n := binary.Uvarint(head)
	switch {
	case n == 0 && err != nil:
		return nil, err
	case n <= 0:
		return nil, malformedf("a frame whose length is no number")
	case size > maxFrame:
		return nil, malformedf("a frame of %d bytes, where at most %d are expected", size, maxFrame)
	}
	if _, err := f.r.Discard(n); err != nil {
		return nil, err
	}
	var sum [crc32.Size]byte
	if _, err := io.ReadFull(f.r, sum[:]); err != nil {
		return nil, err
	}
	f.buf.Reset()
	f.buf.Grow(int(min(size, startFrame)))
	if n, err := io.CopyN(&f.buf, f.r, int64(size)); err != nil || n < int64(size) {
		return nil, err
	}
	frame := f.buf.Bytes()
	if crc32.Checksum(frame, f.table) != binary.BigEndian.Uint32(sum[:]) {
		return nil, malformedf("a frame whose checksum is wrong")
	}
	return frame, nil
}

// maxSaid is how much of a server's words is kept, in bytes.
const maxSaid = 500

// printable is a text that a person can read, nil if it is none.
func printable(b []byte) []byte {
	for rest := b; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 && len(rest) >= utf8.UTFMax || r < ' ' && r != '\n' && r != '\t' && r != '\r' {
			return nil
		}
		rest = rest[n:]
	}
	return b
}
