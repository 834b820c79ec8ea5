package promquery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	jsoniter "github.com/json-iterator/go"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// client_golang reads an answer whole, copies its data, and decodes the copy by reflection: 127 bytes a sample at the
// peak. So range queries' answers have their matrix taken out as they arrive; what is left of them goes the usual
// way, and with it the protocol, errors and warnings.

// matrixKey is where a context has the *matrixAnswer that an answer's matrix is to go into.
type matrixKey struct{}

// matrixAnswer is an answer of the query API, with its matrix apart.
type matrixAnswer struct {
	Status    string     `json:"status"`
	Data      matrixData `json:"data,omitzero"`
	ErrorType string     `json:"errorType,omitempty"`
	Error     string     `json:"error,omitempty"`
	Warnings  []string   `json:"warnings,omitempty"`
	Infos     []string   `json:"infos,omitempty"`

	matrix  model.Matrix
	partial bool // see partialWarning
}

// matrixData is what is left of an answer's data.
type matrixData struct {
	ResultType string     `json:"resultType"`
	Result     []struct{} `json:"result"`
}

// doMatrix is Do for a range query.
func (c *client) doMatrix(ctx context.Context, req *http.Request, into *matrixAnswer) (*http.Response, []byte, error) {
	resp, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		return nil, nil, c.transportError(ctx, err, false)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	head := &headReader{r: resp.Body}
	if resp.StatusCode/100 != 2 {
		_, err := io.Copy(io.Discard, io.LimitReader(head, headBytes))
		if err != nil && len(head.head) == 0 {
			return resp, nil, c.transportError(ctx, err, true)
		}
		return resp, nil, c.refusal(resp, head.head)
	}
	answer, err := decodeMatrix(head)
	switch {
	case head.err != nil:
		return resp, nil, c.transportError(ctx, head.err, true)
	case !answer.isAnswer():
		return resp, nil, c.refusal(resp, head.head)
	case err != nil:
		return resp, nil, &v1.Error{Type: v1.ErrBadResponse, Msg: err.Error()}
	}
	if answer.partial {
		answer.Warnings = append(answer.Warnings, partialWarning)
	}
	*into = answer
	rest, err := json.Marshal(answer)
	return resp, rest, err
}

// isAnswer tells an answer of Prometheus's API from any other JSON.
func (a *matrixAnswer) isAnswer() bool {
	return a.Status == "error" || a.Status == "success" && a.Data.ResultType != ""
}

// headBytes is how much of an answer is kept for the error that it may become.
const headBytes = 64 << 10

// headReader keeps what comes first, and the error that reading ended with.
type headReader struct {
	r    io.Reader
	head []byte
	err  error // not io.EOF
}

// Read implements io.Reader.
func (h *headReader) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.head = append(h.head, p[:min(n, headBytes-len(h.head))]...)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		h.err = err
	}
	return n, err
}

// decodeMatrix reads an answer of the query API. Of a result that is no matrix it only says the type. With an error it
// returns what came before.
func decodeMatrix(r io.Reader) (matrixAnswer, error) {
	const buffer = 64 << 10
	var a matrixAnswer
	it := jsoniter.Parse(jsoniter.ConfigDefault, r, buffer)
	if it.WhatIsNext() != jsoniter.ObjectValue {
		return a, errors.New("want a JSON object")
	}
	it.ReadObjectCB(a.field)
	if it.Error == nil {
		if rest := it.WhatIsNext(); rest != jsoniter.InvalidValue || !errors.Is(it.Error, io.EOF) {
			return a, errors.New("there is more after the JSON object")
		}
		return a, nil
	}
	// What follows is an excerpt.
	what, _, _ := strings.Cut(it.Error.Error(), ", error found in")
	if errors.Is(it.Error, io.EOF) || strings.HasSuffix(what, "unexpected end of input") {
		what = "it ends in the middle"
	}
	return a, errors.New(what)
}

// field reads one of the answer's fields.
func (a *matrixAnswer) field(it *jsoniter.Iterator, name string) bool {
	switch name {
	case "status":
		a.Status = it.ReadString()
	case "errorType":
		a.ErrorType = it.ReadString()
	case "error":
		a.Error = it.ReadString()
	case "warnings":
		a.Warnings = readStrings(it)
	case "infos":
		a.Infos = readStrings(it)
	case "isPartial":
		a.partial = it.ReadAny().ToBool()
	case "data":
		it.ReadObjectCB(a.dataField)
	default:
		it.Skip()
	}
	return it.Error == nil
}

func (a *matrixAnswer) dataField(it *jsoniter.Iterator, name string) bool {
	switch name {
	case "resultType":
		a.Data.ResultType = it.ReadString()
	case "result":
		// The type comes before the result, wherever it was seen; without one this is a matrix or an error.
		if t := a.Data.ResultType; t != "" && t != "matrix" {
			it.Skip()
			break
		}
		a.matrix = nil
		for readArray(it) {
			a.matrix = append(a.matrix, readStream(it))
		}
	default:
		it.Skip()
	}
	return it.Error == nil
}

// readStream reads one series. Native histograms are left out: none of the metrics of usage is one.
func readStream(it *jsoniter.Iterator) *model.SampleStream {
	s := &model.SampleStream{Metric: model.Metric{}}
	it.ReadObjectCB(func(it *jsoniter.Iterator, name string) bool {
		switch name {
		case "metric":
			it.ReadObjectCB(func(it *jsoniter.Iterator, label string) bool {
				s.Metric[model.LabelName(label)] = model.LabelValue(it.ReadString())
				return it.Error == nil
			})
		case "values":
			s.Values = readPairs(it)
		default:
			it.Skip()
		}
		return it.Error == nil
	})
	return s
}

// readPairs reads samples: [[1700000000.5,"1.25"],...].
func readPairs(it *jsoniter.Iterator) []model.SamplePair {
	var pairs []model.SamplePair
	for readArray(it) {
		if !readArray(it) {
			fail(it, "a sample is no pair")
			return nil
		}
		at := math.Round(it.ReadFloat64() * 1000)
		if !readArray(it) {
			fail(it, "a sample has no value")
			return nil
		}
		text := it.ReadStringAsSlice()
		v, err := strconv.ParseFloat(string(text), 64)
		if err != nil || readArray(it) || math.Abs(at) > 1<<62 {
			fail(it, fmt.Sprintf("a sample has the value %.40q", text))
			return nil
		}
		pairs = append(pairs, model.SamplePair{Timestamp: model.Time(at), Value: model.SampleValue(v)})
	}
	return pairs
}

func readStrings(it *jsoniter.Iterator) []string {
	var list []string
	for readArray(it) {
		list = append(list, it.ReadString())
	}
	return list
}

// readArray says whether an array has another element. It ends at an error.
func readArray(it *jsoniter.Iterator) bool { return it.ReadArray() && it.Error == nil }

func fail(it *jsoniter.Iterator, what string) {
	if it.Error == nil {
		it.ReportError("reading samples", what)
	}
}

// in is a value with the matrix that was taken out of its answer.
func (a *matrixAnswer) in(value model.Value) model.Value {
	if m, ok := value.(model.Matrix); ok && len(m) == 0 {
		return a.matrix
	}
	return value
}
