package remote

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/prompb"
	promremote "github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/chunks"
)

const chunkStream = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"

// xor is a chunk of so many samples a second apart, each of its own time in seconds.
func xor(from, n int64) prompb.Chunk {
	c := chunkenc.NewXORChunk()
	app, err := c.Appender()
	if err != nil {
		panic(err)
	}
	for t := from; t < from+n; t++ {
		app.Append(0, t*1000, float64(t))
	}
	return prompb.Chunk{Type: prompb.Chunk_XOR, MinTimeMs: from * 1000, MaxTimeMs: (from + n - 1) * 1000, Data: c.Bytes()}
}

func series(pod string, chunks ...prompb.Chunk) *prompb.ChunkedSeries {
	return &prompb.ChunkedSeries{Labels: []prompb.Label{{Name: "__name__", Value: "m"}, {Name: "pod", Value: pod}}, Chunks: chunks}
}

// flusher is what Prometheus's own writer of frames needs.
type flusher struct{ bytes.Buffer }

func (*flusher) Flush() {}

// stream is an answer of a frame each, by Prometheus's own writer.
func stream(list ...*prompb.ChunkedSeries) []byte {
	var out []byte
	for _, s := range list {
		message := prompb.ChunkedReadResponse{ChunkedSeries: []*prompb.ChunkedSeries{s}}
		data, err := message.Marshal()
		if err != nil {
			panic(err)
		}
		out = append(out, frameOf(data)...)
	}
	return out
}

func frameOf(content []byte) []byte {
	var f flusher
	if _, err := promremote.NewChunkedWriter(&f, &f).Write(content); err != nil {
		panic(err)
	}
	return f.Bytes()
}

func samplesOf(results ...*prompb.QueryResult) []byte {
	response := prompb.ReadResponse{Results: results}
	data, err := response.Marshal()
	if err != nil {
		panic(err)
	}
	return snappy.Encode(nil, data)
}

// answering is a client of a server that gives one answer.
func answering(t testing.TB, status int, header http.Header, content []byte) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = w.Write(content)
	}))
	t.Cleanup(server.Close)
	h, err := promquery.NewHTTP(promquery.HTTPOptions{URL: server.URL, Headers: []string{"X-Token: s3cret"}})
	if err != nil {
		t.Fatal(err)
	}
	return New(h)
}

func query() promquery.RawQuery {
	return promquery.RawQuery{Start: time.Unix(10, 0), End: time.Unix(20, 0)}
}

// decoded are the samples of a part of a series from one millisecond to another.
func decoded(s promquery.RawSeries, first, last int64) ([]model.SamplePair, error) {
	var samples chunks.Samples
	samples.Reset(first, last)
	for _, c := range s.Chunks {
		if err := samples.AddChunk(c); err != nil {
			return nil, err
		}
	}
	return samples.Pairs(), nil
}

// read collects the times in seconds that each pod has samples of.
func read(ctx context.Context, c *Client) (map[string][]int64, error) {
	first, last := query().Millis()
	got, before := map[string][]int64{}, ""
	err := c.ReadRaw(ctx, query(), func(s promquery.RawSeries) error {
		pod := s.Labels.Get("pod")
		if got[pod] != nil && pod != before {
			return errors.New("a series comes twice: " + pod)
		}
		got[pod], before = append([]int64{}, got[pod]...), pod
		samples, err := decoded(s, first, last)
		for _, p := range samples {
			if float64(p.Value) != float64(p.Timestamp)/1000 {
				return errors.New("a wrong value")
			}
			got[pod] = append(got[pod], p.Timestamp.Unix())
		}
		return err
	})
	return got, err
}

func chunked() http.Header { return http.Header{"Content-Type": {chunkStream}} }

func sampled() http.Header {
	return http.Header{"Content-Type": {samplesType}, "Content-Encoding": {"snappy"}}
}

func TestReadRaw(t *testing.T) {
	timeSeries := func(pod string, seconds ...int64) *prompb.TimeSeries {
		s := &prompb.TimeSeries{Labels: []prompb.Label{{Name: "pod", Value: pod}}}
		for _, t := range seconds {
			s.Samples = append(s.Samples, prompb.Sample{Timestamp: t * 1000, Value: float64(t)})
		}
		return s
	}
	for name, c := range map[string]struct {
		header  http.Header
		content []byte
		want    map[string][]int64
	}{
		"nothing":             {chunked(), nil, map[string][]int64{}},
		"two series":          {chunked(), stream(series("a", xor(12, 2)), series("b", xor(15, 1))), map[string][]int64{"a": {12, 13}, "b": {15}}},
		"clipped":             {chunked(), stream(series("a", xor(5, 100))), map[string][]int64{"a": {11, 12, 13, 14, 15, 16, 17, 18, 19, 20}}},
		"series of two parts": {chunked(), stream(series("a", xor(12, 2)), series("a", xor(14, 1))), map[string][]int64{"a": {12, 13, 14}}},
		"outside":             {chunked(), stream(series("a", xor(100, 2))), map[string][]int64{"a": {}}},
		"samples":             {sampled(), samplesOf(&prompb.QueryResult{Timeseries: []*prompb.TimeSeries{timeSeries("a", 9, 10, 11, 20, 21), timeSeries("b", 12)}}), map[string][]int64{"a": {11, 20}, "b": {12}}},
		"no samples":          {sampled(), samplesOf(&prompb.QueryResult{}), map[string][]int64{}},
	} {
		got, err := read(t.Context(), answering(t, http.StatusOK, c.header, c.content))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A stream that is cut anywhere but between two frames is an error, and so is one with any other byte.
func TestStreamIsWholeOrAnError(t *testing.T) {
	first := stream(series("a", xor(12, 5)))
	whole := append(slices.Clone(first), stream(series("b", xor(12, 5)))...)
	for n := range len(whole) {
		err := decodeStream(whole[:n])
		if between := n == 0 || n == len(first); (err == nil) != between {
			t.Errorf("cut after %d of %d bytes (the first frame has %d): %v", n, len(whole), len(first), err)
		}
	}
	for i := range whole {
		broken := slices.Clone(whole)
		broken[i] ^= 0x40
		if err := decodeStream(broken); err == nil {
			t.Errorf("byte %d is wrong: no error", i)
		}
	}
}

func decodeStream(content []byte) error {
	d := &decoder{visit: func(promquery.RawSeries) error { return nil }}
	return d.stream(bytes.NewReader(content))
}

func TestReadRawRefuses(t *testing.T) {
	good := stream(series("a", xor(12, 2)))
	unknown := xor(12, 2)
	unknown.Type = 77
	histogram := xor(12, 2)
	histogram.Type = prompb.Chunk_HISTOGRAM
	html := http.Header{"Content-Type": {"text/html"}}
	cut := samplesOf(&prompb.QueryResult{Timeseries: []*prompb.TimeSeries{{Labels: []prompb.Label{{Name: "pod", Value: "something-long"}}}}})
	cut = cut[:len(cut)-4]
	for name, c := range map[string]struct {
		status  int
		header  http.Header
		content []byte
		want    string
	}{
		"error after a 200":  {200, chunked(), append(slices.Clone(good), "expanding series: context deadline exceeded\n"...), "a stream that ends within a frame: expanding series: context deadline exceeded"},
		"error that is long": {200, chunked(), append(slices.Clone(good), strings.Repeat("query aborted ", 30)...), "a frame whose checksum is wrong: query aborted"},
		"unknown encoding":   {200, chunked(), stream(series("a", unknown)), `a chunk has the encoding 77 (<unknown>), which this version cannot decode: want XOR or XOR2 (series {__name__="m", pod="a"})`},
		"histogram":          {200, chunked(), stream(series("a", histogram)), "a chunk has the encoding 2 (histogram)"},
		"huge frame":         {200, chunked(), binary.AppendUvarint(nil, 1<<40), "a frame of 1099511627776 bytes"},
		"no length":          {200, chunked(), bytes.Repeat([]byte{0xff}, 20), "a frame whose length is no number"},
		"no message":         {200, chunked(), frameOf([]byte("xxxxx")), "a frame that is no prometheus.ChunkedReadResponse"},
		"another message":    {200, chunked(), frameOf([]byte{1 << 3, 7}), "a frame that is no prometheus.ChunkedReadResponse: field 1 has the type 0, want 2"},
		"login page":         {200, html, []byte("<html>log in</html>"), `answered remote read with Content-Type "text/html", which is neither chunks nor samples: <html>log in</html>`},
		"no type":            {200, http.Header{"Content-Type": nil}, []byte("ok"), `Content-Type "", which is neither`},
		"another stream":     {200, http.Header{"Content-Type": {"application/x-streamed-protobuf; proto=other"}}, good, "neither chunks nor samples"},
		"gzip":               {200, http.Header{"Content-Type": {chunkStream}, "Content-Encoding": {"gzip"}}, good, `and Content-Encoding "gzip"`},
		"samples not packed": {200, sampled(), bytes.Repeat([]byte{0xff}, 20), "not what snappy compresses"},
		"samples too many":   {200, sampled(), binary.AppendUvarint(nil, 1<<31), "more than 536870912 bytes"},
		"samples cut":        {200, sampled(), cut, "samples that are cut off"},
		"two results":        {200, sampled(), samplesOf(&prompb.QueryResult{}, &prompb.QueryResult{}), "2 results to one query"},
		"no results":         {200, sampled(), samplesOf(), "0 results to one query"},
		"histograms":         {200, sampled(), samplesOf(&prompb.QueryResult{Timeseries: []*prompb.TimeSeries{{Histograms: []prompb.Histogram{{}}}}}), "histograms, where usage is numbers"},
		"not found":          {404, html, []byte("404 page not found"), "answered 404 Not Found"},
		"repeats a secret":   {500, http.Header{"Content-Type": {"text/plain"}}, []byte("no s3cret here"), "500 Internal Server Error: no <hidden> here"},
		"says a secret":      {200, chunked(), []byte("X s3cret"), "within a frame: X <hidden>"},
	} {
		_, err := read(t.Context(), answering(t, c.status, c.header, c.content))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %s", name, err, c.want)
		}
	}
}

// A connection that breaks in the middle of an answer is an error, with what to do.
func TestBrokenConnection(t *testing.T) {
	content := stream(series("a", xor(12, 2)), series("b", xor(12, 2)))
	header := chunked()
	header.Set("Content-Length", "1000")
	_, err := read(t.Context(), answering(t, http.StatusOK, header, content))
	if err == nil || !strings.Contains(err.Error(), "was cut off: a proxy before it may have a limit") {
		t.Errorf("a broken connection: %v", err)
	}
}

// A stream of frames that only the end of the connection ends may lack frames, and nothing would tell: it is refused, though
// every frame of it is whole. A message of samples knows its length.
func TestUnendingStream(t *testing.T) {
	sample := samplesOf(&prompb.QueryResult{Timeseries: []*prompb.TimeSeries{{Labels: []prompb.Label{{Name: "pod", Value: "a"}}, Samples: []prompb.Sample{{Timestamp: 12_000, Value: 12}}}}})
	for _, c := range []struct {
		proto, header, content, want string
	}{
		{"HTTP/1.0", "Content-Type: " + chunkStream, string(stream(series("a", xor(12, 2)))), "a stream that only the end of the connection ends"},
		{"HTTP/1.1", "Connection: close\r\nContent-Type: " + chunkStream, string(stream(series("a", xor(12, 2)))), "a stream that only the end of the connection ends"},
		{"HTTP/1.0", "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy", string(sample), ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, c.proto+" 200 OK\r\n"+c.header+"\r\n\r\n"+c.content)
			_ = conn.Close()
		}))
		h, err := promquery.NewHTTP(promquery.HTTPOptions{URL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, err = read(t.Context(), New(h))
		server.Close()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s, %s: %v, want %q", c.proto, c.header, err, c.want)
		}
	}
}

// What visit says is the error.
func TestVisitEndsReading(t *testing.T) {
	c := answering(t, http.StatusOK, chunked(), stream(series("a", xor(12, 2)), series("b", xor(12, 2))))
	enough := errors.New("enough")
	seen := 0
	err := c.ReadRaw(t.Context(), query(), func(promquery.RawSeries) error { seen++; return enough })
	if !errors.Is(err, enough) || seen != 1 {
		t.Errorf("%v after %d series, want %v after 1", err, seen, enough)
	}
}

func TestProbe(t *testing.T) {
	if err := answering(t, http.StatusOK, chunked(), nil).Probe(t.Context(), time.Unix(100, 0)); err != nil {
		t.Errorf("a server with remote read: %v", err)
	}
	err := answering(t, http.StatusNotFound, nil, []byte("404 page not found")).Probe(t.Context(), time.Unix(100, 0))
	var refused *promquery.ServerError
	if !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		t.Errorf("a server without remote read: %v", err)
	}
}

// realStreams are answers of Prometheus 2.42 and 3.15, by file.
func realStreams(t testing.TB) map[string][]byte { return realAnswers(t, "frames") }

// realMessages are those to who does not ask for chunks.
func realMessages(t testing.TB) map[string][]byte { return realAnswers(t, "samples") }

func realAnswers(t testing.TB, kind string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/answers/*." + kind)
	if err != nil || len(files) != 2 {
		t.Fatalf("%v: %q, want 2 files", err, files)
	}
	out := map[string][]byte{}
	for _, f := range files {
		if out[f], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// What Prometheus really sends decodes to the same from either version, and cut anywhere within a frame it is an error.
func TestRealStreams(t *testing.T) {
	var before []model.SamplePair
	for name, content := range realStreams(t) {
		var all []model.SamplePair
		d := &decoder{visit: func(s promquery.RawSeries) error {
			samples, err := decoded(s, 0, math.MaxInt64)
			all = append(all, samples...)
			return err
		}}
		if err := d.stream(bytes.NewReader(content)); err != nil || len(all) < 100 || before != nil && !slices.Equal(all, before) {
			t.Errorf("%s: %v, %d samples, the other version's has %d", name, err, len(all), len(before))
		}
		before = all
		whole := 0
		for n := range content {
			if err := decodeStream(content[:n]); err == nil {
				whole++
			}
		}
		if frames := bytes.Count(content, []byte("__name__")); whole > frames {
			t.Errorf("%s: %d cuts of it pass, it has %d frames", name, whole, frames)
		}
	}
}

// The same of samples, of which no part passes for the whole.
func TestRealMessages(t *testing.T) {
	read := func(content []byte) (all []model.SamplePair, err error) {
		d := &decoder{visit: func(s promquery.RawSeries) error {
			samples, err := decoded(s, 0, math.MaxInt64)
			all = append(all, samples...)
			return err
		}}
		err = d.message(bytes.NewReader(content))
		return all, err
	}
	var before []model.SamplePair
	for name, content := range realMessages(t) {
		all, err := read(content)
		if err != nil || len(all) != 6*60 || before != nil && cmp.Diff(before, all, cmpopts.EquateNaNs()) != "" {
			t.Errorf("%s: %v, %d samples, want 60 of each of 6 series, the same as of the other version (%d)", name, err, len(all), len(before))
		}
		before = all
		for n := range content {
			if _, err := read(content[:n]); err == nil {
				t.Errorf("%s, cut after %d of %d bytes: no error", name, n, len(content))
			}
		}
	}
}

// Whatever bytes come, decoding ends, without much memory, and never with samples outside of the span.
func FuzzStream(f *testing.F) {
	f.Add(stream(series("a", xor(12, 2)), series("b", xor(14, 200))))
	f.Add([]byte("expanding series: query timed out"))
	for _, content := range realStreams(f) {
		f.Add(content)
	}
	f.Add(binary.AppendUvarint(nil, maxFrame))
	f.Add(bytes.Repeat([]byte{0xff}, 20)) // was taken for empty frames without end
	f.Fuzz(func(t *testing.T, content []byte) {
		d := &decoder{visit: func(s promquery.RawSeries) error {
			last := model.Time(0)
			samples, err := decoded(s, 10_001, 20_000)
			for _, p := range samples {
				if p.Timestamp <= 10_000 || p.Timestamp > 20_000 || p.Timestamp <= last {
					t.Fatalf("a sample at %d after one at %d", p.Timestamp, last)
				}
				last = p.Timestamp
			}
			return err
		}}
		_ = d.stream(bytes.NewReader(content)) // an error is as good as none
	})
}

func FuzzMessage(f *testing.F) {
	f.Add(samplesOf(&prompb.QueryResult{Timeseries: []*prompb.TimeSeries{{Labels: []prompb.Label{{Name: "pod", Value: "a"}}, Samples: []prompb.Sample{{Timestamp: 12_000, Value: 1}}}}}))
	f.Add([]byte("not found"))
	for _, content := range realMessages(f) {
		f.Add(content)
	}
	f.Fuzz(func(_ *testing.T, content []byte) {
		d := &decoder{visit: func(promquery.RawSeries) error { return nil }}
		_ = d.message(bytes.NewReader(content)) // an error is as good as none
	})
}
