package promquery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// remedy is what an error of a request calls for.
type remedy uint8

const (
	final    remedy = iota // nothing: to ask again, or for less, would give the same
	askLess                // the request was too big: ask for less, never for the same again
	askLater               // what is wrong may pass: ask again, and never for less
	reach                  // no connection came about: ask later, if there has been one before
	onceMore               // a gateway's time was over: ask once more, then for less
	reread                 // the answer began and was not whole: ask a few times more, then for less
	askFewer               // the query is too long: name fewer pods, whatever the time
)

// remedyOf classifies an error of a request. Limits of Prometheus are in its promql/engine.go, web/api/v1/api.go and
// storage/remote/codec.go; of the others see tooBig.
func remedyOf(err error) remedy {
	var slow slowError
	var refused *ServerError
	var broken *BrokenError
	switch {
	case err == nil:
		return final
	case errors.As(err, &slow):
		return askLess
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled): // of more than the request
		return final
	case errors.As(err, &refused):
		return refused.remedy()
	case errors.As(err, &broken):
		return broken.remedy()
	case says(err.Error(), tooBig()): // an engine in this process
		return askLess
	}
	return final
}

// statusCanceled is what Prometheus's web/api/v1 answers where a query was canceled. We hang up before that, so it was
// canceled on the way: by a server or a proxy that goes down.
const statusCanceled = 499

func (e *ServerError) remedy() remedy {
	switch {
	case e.cut:
		return reread
	case says(e.said+e.Text, busy()):
		return askLater
	case e.Status == http.StatusRequestURITooLong, says(e.said+e.Text, tooLong()):
		return askFewer
	case e.Status == http.StatusRequestEntityTooLarge, says(e.said+e.Text, tooBig()):
		return askLess
	case e.Status == http.StatusGatewayTimeout, e.Status == http.StatusRequestTimeout:
		return onceMore
	case e.Status == http.StatusTooManyRequests, e.Status == statusCanceled, e.Status/100 == 5 && e.Status != http.StatusNotImplemented:
		return askLater
	}
	return final
}

// BrokenError is a request that got no answer, or one that is not whole.
type BrokenError struct {
	Text      string // one line, without credentials
	Began     bool   // something of an answer came
	Unreached bool   // no connection came about
	Other     bool   // what came is no answer of this kind at all, or none that this version knows
}

// Error is the whole line.
func (e *BrokenError) Error() string { return e.Text }

func (e *BrokenError) remedy() remedy {
	switch {
	case e.Unreached:
		return reach
	case e.Other:
		return final
	case !e.Began:
		return askLater
	case says(e.Text, busy()):
		return askLater
	case says(e.Text, tooBig()): // said by text in the middle of a stream
		return askLess
	}
	return reread
}

// tooBig are servers' words for a request that asks for too much.
func tooBig() []string {
	return []string{
		// Prometheus, and what is built of its engine.
		"exceeded maximum resolution of",
		"would load too many samples into memory",
		"query timed out in", // but for the queue, which is busy
		"deadline exceeded",
		"DeadlineExceeded",
		"exceeded sample limit",
		// Thanos: pkg/store/bucket.go and limiter.go, and Cortex's store gateway.
		"exceeded series limit", "exceeded chunks limit", "exceeded bytes limit", "exceeded samples limit",
		"failed to send series: limit", "failed to send samples: limit",
		// VictoriaMetrics: app/vmselect and lib/storage.
		"cannot select more than -search.maxSamplesPerQuery",
		"cannot process more than", // so many samples per series
		"the number of matching timeseries exceeds",
		"the response contains more than -search.maxResponseSeries",
		"too many points for the given",
		"not enough memory for processing",
		"timeout exceeded", // -search.maxQueryDuration
		// Mimir: pkg/util/globalerror/user.go and pkg/util/limiter.
		"err-mimir-max-chunks-per-query", "err-mimir-max-series-per-query", "err-mimir-max-chunks-bytes-per-query",
		"err-mimir-max-estimated-chunks-per-query", "err-mimir-max-estimated-memory-consumption-per-query",
		"err-mimir-max-query-length", "err-mimir-max-total-query-length",
		// Cortex: pkg/util/limiter/query_limiter.go and pkg/util/validation.
		"the query hit the max number of", "the query hit the aggregated", "the query time range exceeds the limit",
		"response larger than the max",
		// gRPC between the parts of Thanos, Mimir and Cortex: grpc-go's rpc_util.go and stream.go.
		"message larger than max",
	}
}

// tooLong are servers' words for a query whose text is too long.
func tooLong() []string {
	return []string{
		"exceed `-search.maxQueryLen=",              // VictoriaMetrics: app/vmselect/prometheus; 16 KiB unless it is told otherwise
		"err-mimir-max-query-expression-size-bytes", // Mimir: pkg/util/globalerror/user.go
	}
}

// busy are servers' words for a request that came at the wrong time.
func busy() []string {
	return []string{
		"query timed out in query queue",
		"-search.maxConcurrentRequests", // VictoriaMetrics
		"too many outstanding requests", // Mimir, Cortex
		"No StoreAPIs available",        // a Thanos that has just started
	}
}

func says(text string, any []string) bool {
	return slices.ContainsFunc(any, func(s string) bool { return strings.Contains(text, s) })
}

// passes says whether a fault of a connection may be gone when it is made anew.
func passes(err error) bool {
	var network *net.OpError
	if errors.As(err, &network) {
		return true
	}
	for _, known := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT} {
		if errors.Is(err, known) {
			return true
		}
	}
	// What net/http does not export.
	return says(err.Error(), []string{"server closed idle connection", "transport connection broken", "malformed HTTP", "http2: ", "handshake timeout"})
}

// isCut says whether an answer of status 2xx that is none may be the beginning of one, or have been garbled on its way.
func isCut(resp *http.Response, body []byte) bool {
	begin := bytes.TrimSpace(body)
	if resp.StatusCode/100 != 2 || len(begin) == 0 || isHTML(resp, body) {
		return false
	}
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return true // which we have not asked for
	}
	return begin[0] == '{' && !json.Valid(begin) || !utf8.Valid(begin[:len(begin)-min(len(begin)-1, utf8.UTFMax)])
}

// undecodable is the error of a body that client_golang could not make anything of.
func (h *HTTP) undecodable(err *v1.Error) error {
	text := h.address + " answered what is not a result of Prometheus's API: " + h.secrets.excerpt(err.Msg)
	if err.Type == v1.ErrBadResponse {
		return &BrokenError{Text: text, Began: true}
	}
	return &ServerError{Status: http.StatusOK, Type: string(err.Type), Text: text}
}
