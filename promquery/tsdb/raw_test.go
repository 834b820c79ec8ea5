package tsdb_test

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/rightsize/rightsize/promquery"
)

// A chunk of anything but numbers, or one that is shorter than any, is an error with the folder's name, though its checksum is
// right. To count the samples of a short one used to be a panic.
func TestRawRefusesChunks(t *testing.T) {
	for want, c := range map[string]struct {
		enc  chunkenc.Encoding
		data []byte
	}{
		"a chunk of 1 bytes is shorter than its header":  {chunkenc.EncXOR, []byte{0}},
		"a chunk of 2 bytes is shorter than its header":  {chunkenc.EncXOR2, []byte{0, 1}},
		"a chunk has the encoding 2 (histogram)":         {chunkenc.EncHistogram, []byte{0, 1, 0}},
		"a chunk has the encoding 3 (floathistogram), w": {chunkenc.EncFloatHistogram, []byte{0, 1, 0}},
	} {
		dir := t.TempDir()
		segment := filepath.Join(writeBlock(t, dir), "chunks", "000001")
		content, err := os.ReadFile(segment)
		if err != nil {
			t.Fatal(err)
		}
		const header = 8
		own := append([]byte{byte(c.enc)}, c.data...)
		own = binary.BigEndian.AppendUint32(own, crc32.Checksum(own, crc32.MakeTable(crc32.Castagnoli)))
		copy(content[header:], append(binary.AppendUvarint(nil, uint64(len(c.data))), own...))
		overwrite(t, segment, string(content))
		q := promquery.RawQuery{Matchers: []promquery.Matcher{{Name: "__name__", Op: promquery.Equal, Value: "m"}}, Start: start().Add(-scrape), End: at(9)}
		err = open(t, dir).ReadRaw(t.Context(), q, func(s promquery.RawSeries) error {
			t.Errorf("%s: handed on, with %d samples", want, s.Len())
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "reading data folder "+dir+`: series {__name__="m", pod="p"}: `+want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
