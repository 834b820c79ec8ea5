// Package remote reads raw samples over Prometheus's remote read: /api/v1/read, which Prometheus, Mimir and Cortex
// have. Format: https://prometheus.io/docs/specs/prw/remote_read_api/
package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/chunks"
)

// path is where remote read is, below the server's address.
const path = "/api/v1/read"

// The answers: a stream of chunks as the server has stored them, and whole samples in one message.
const (
	streamType  = "application/x-streamed-protobuf"
	streamProto = "prometheus.ChunkedReadResponse"
	samplesType = "application/x-protobuf"
)

// Client reads from a server. Its methods may be called at the same time.
type Client struct{ http *promquery.HTTP }

var _ promquery.Raw = (*Client)(nil)

// New makes a client of a server. It does not connect.
func New(h *promquery.HTTP) *Client { return &Client{h} }

// Probe finds out whether the server has remote read, with a request that no series matches: it says why not.
func (c *Client) Probe(ctx context.Context, at time.Time) error {
	none := []promquery.Matcher{{Name: "__name__", Op: promquery.Equal, Value: promquery.MemoryMetric}, {Name: "__name__", Op: promquery.Equal, Value: promquery.CPUMetric}}
	q := promquery.RawQuery{Matchers: none, Start: at.Add(-time.Millisecond), End: at}
	return c.ReadRaw(ctx, q, func(promquery.RawSeries) error { return nil })
}

// ReadRaw implements promquery.Raw. It asks for chunks, and looks at the answer for what it got.
func (c *Client) ReadRaw(ctx context.Context, q promquery.RawQuery, visit func(promquery.RawSeries) error) error {
	request, err := encode(q)
	if err != nil {
		return err
	}
	resp, err := c.http.Post(ctx, path, http.Header{
		"Content-Type":                     {samplesType},
		"Content-Encoding":                 {"snappy"},
		"Accept-Encoding":                  {"snappy"}, // as the format wants; gzip gains nothing on chunks
		"X-Prometheus-Remote-Read-Version": {"0.1.0"},
	}, request)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	d := &decoder{visit: visit}
	var bad malformed
	if err := d.decode(resp); errors.As(err, &bad) {
		return c.http.Refuse("answered remote read with "+bad.what, bad.said, bad.other)
	} else if err != nil {
		return err
	}
	return nil
}

// encode is the request's body.
func encode(q promquery.RawQuery) ([]byte, error) {
	first, last := q.Millis()
	query := &prompb.Query{StartTimestampMs: first, EndTimestampMs: last}
	types := map[promquery.MatchOp]prompb.LabelMatcher_Type{
		promquery.Equal: prompb.LabelMatcher_EQ, promquery.NotEqual: prompb.LabelMatcher_NEQ, promquery.Regexp: prompb.LabelMatcher_RE,
	}
	for _, m := range q.Matchers {
		query.Matchers = append(query.Matchers, &prompb.LabelMatcher{Type: types[m.Op], Name: m.Name, Value: m.Value})
	}
	// Without hints a server that reads blocks of others (Thanos, Mimir) has to guess what is needed.
	query.Hints = &prompb.ReadHints{StartMs: first, EndMs: last}
	request := prompb.ReadRequest{
		Queries:               []*prompb.Query{query},
		AcceptedResponseTypes: []prompb.ReadRequest_ResponseType{prompb.ReadRequest_STREAMED_XOR_CHUNKS, prompb.ReadRequest_SAMPLES},
	}
	message, err := request.Marshal()
	if err != nil {
		return nil, fmt.Errorf("writing a remote read request: %w", err)
	}
	return snappy.Encode(nil, message), nil
}

// malformed is an answer that is not what it should be.
type malformed struct {
	what  string
	said  []byte // the server's own words, where there are some
	other bool   // it is no answer to a remote read at all, or none that we know
}

// Error implements error.
func (m malformed) Error() string { return m.what }

func malformedf(format string, args ...any) error {
	return malformed{what: fmt.Sprintf(format, args...)}
}

// decoder hands over the series of one answer.
type decoder struct {
	visit   func(promquery.RawSeries) error
	builder labels.ScratchBuilder
	chunks  []chunks.Chunk
}

func (d *decoder) decode(resp *http.Response) error {
	kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	encoding := resp.Header.Get("Content-Encoding")
	switch {
	case err == nil && kind == streamType && unending(resp):
		return malformed{"a stream that only the end of the connection ends, as over HTTP/1.0, so that nothing tells whether it is whole: read with --read query", nil, true}
	case err == nil && kind == streamType && params["proto"] == streamProto && (encoding == "" || encoding == "identity"):
		return d.stream(resp.Body)
	case err == nil && kind == samplesType && params["proto"] == "" && encoding == "snappy":
		return d.message(resp.Body)
	}
	begin, _ := io.ReadAll(io.LimitReader(resp.Body, 300)) // for the error below
	what := fmt.Sprintf("Content-Type %q", resp.Header.Get("Content-Type"))
	if encoding != "" {
		what += fmt.Sprintf(" and Content-Encoding %q", encoding)
	}
	return malformed{what + ", which is neither chunks nor samples", printable(begin), true}
}

// unending says whether a body has neither a length nor chunks of HTTP's own. A stream of frames has no mark of its end, so
// one that a dying server ends between two frames would then pass for whole.
func unending(resp *http.Response) bool {
	return resp.ProtoMajor == 1 && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0
}

// stream hands over chunks as their frames arrive. A series may take several frames, one after the other.
func (d *decoder) stream(r io.Reader) error {
	f := newFrames(r)
	for {
		frame, err := f.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := d.frame(frame); err != nil {
			return err
		}
	}
}

func (d *decoder) labelsOf(pairs []prompb.Label) labels.Labels {
	d.builder.Reset()
	for _, l := range pairs {
		d.builder.Add(l.Name, l.Value)
	}
	d.builder.Sort()
	return d.builder.Labels()
}

// maxMessage is how long a message of samples may be, in bytes: at 20 bytes a sample far more than is asked for at
// once. A stream has no such limit.
const maxMessage = 512 << 20

// message hands over whole samples, which it makes chunks of.
func (d *decoder) message(r io.Reader) error {
	compressed, err := io.ReadAll(io.LimitReader(r, maxMessage))
	if err != nil {
		return err
	}
	if n, err := snappy.DecodedLen(compressed); err != nil || n > maxMessage {
		return malformed{what: fmt.Sprintf("samples that are not what snappy compresses, or more than %d bytes", maxMessage), said: printable(compressed)}
	}
	content, err := snappy.Decode(nil, compressed)
	if err != nil {
		return malformed{what: "samples that are cut off, or not what snappy compresses", said: printable(compressed)}
	}
	var response prompb.ReadResponse
	if err := response.Unmarshal(content); err != nil {
		return malformedf("samples that are no prometheus.ReadResponse: %v", err)
	}
	if len(response.Results) != 1 || response.Results[0] == nil {
		return malformedf("%d results to one query", len(response.Results))
	}
	for _, series := range response.Results[0].Timeseries {
		if len(series.Histograms) > 0 {
			return malformed{what: "histograms, where usage is numbers", other: true}
		}
		encoded, err := chunks.Encode(len(series.Samples), func(i int) (int64, float64) { return series.Samples[i].Timestamp, series.Samples[i].Value })
		if err != nil {
			return err
		}
		if err := d.visit(promquery.RawSeries{Labels: d.labelsOf(series.Labels), Chunks: encoded}); err != nil {
			return err
		}
	}
	return nil
}
