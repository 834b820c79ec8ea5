package promquery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

const answerOfTwo = `{"status":"success","data":{"resultType":"matrix","result":[
 {"metric":{"__name__":"m","pod":"a\u00e9\"b"},"values":[[1700000000,"1"],[1700000000.5,"NaN"],[1700000001.123,"-1.5e+09"]]},
 {"metric":{},"values":[[0,"+Inf"]],"histograms":[[1,{"count":"1"}]]}]},
 "warnings":["w"],"infos":["i"],"stats":{"timings":{}}}`

// Answers come from Prometheus, Thanos, Mimir and VictoriaMetrics, which adds fields of its own.
func answers() []string {
	return []string{
		answerOfTwo,
		`{"status":"success","isPartial":false,"data":{"resultType":"matrix","result":[]},"stats":{"seriesFetched": "0","executionTimeMsec":3}}`,
		`{"data":{"result":[{"values":[[1,"2"]],"metric":{"a":"b"}}],"resultType":"matrix"},"status":"success"}`,
		`{"status":"success","data":{"resultType":"matrix","result":null},"warnings":null}`,
		`{"status":"error","errorType":"execution","error":"too many samples"}`,
		`{"status":"success","data":{"resultType":"vector","result":[]}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1,"x"]]}]}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1]]}]}}`,
		`{"status":"success"}`, `{}`, `[]`, `null`, ``, `<html>`, answerOfTwo[:100], answerOfTwo + answerOfTwo,
	}
}

// canned is client_golang's client of one answer.
type canned struct{ body string }

// URL implements api.Client.
func (canned) URL(string, map[string]string) *url.URL { return &url.URL{Host: "canned"} }

// Do implements api.Client.
func (c canned) Do(context.Context, *http.Request) (*http.Response, []byte, error) {
	return &http.Response{StatusCode: http.StatusOK}, []byte(c.body), nil
}

// theirs is what client_golang makes of an answer.
func theirs(body string) (model.Matrix, v1.Warnings, error) {
	value, warnings, _, err := v1.NewAPI(canned{body}).QueryRange(context.Background(), "m", v1.Range{})
	matrix, ok := value.(model.Matrix)
	if err == nil && !ok {
		err = errors.New("no matrix")
	}
	return matrix, warnings, err
}

func sameMatrix(a, b model.Matrix) string {
	return cmp.Diff(a, b, cmpopts.EquateNaNs(), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(model.SampleStream{}, "Histograms"))
}

// What we decode is what client_golang decodes, byte by byte too.
func TestDecodeMatrix(t *testing.T) {
	for _, body := range answers() {
		want, warnings, wantErr := theirs(body)
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(body), "bytes": iotest.OneByteReader(strings.NewReader(body))} {
			got, err := decodeMatrix(r)
			ok := err == nil && got.Status == "success" && got.Data.ResultType == "matrix"
			if ok != (wantErr == nil) {
				t.Errorf("%s of %.60s: %v, client_golang says %v", name, body, err, wantErr)
				continue
			}
			if diff := sameMatrix(want, got.matrix); ok && diff+cmp.Diff([]string(warnings), got.Warnings, cmpopts.EquateEmpty()) != "" {
				t.Errorf("%s of %.60s (-client_golang +ours):\n%s", name, body, diff)
			}
		}
	}
}

// An answer that is cut anywhere is an error, whatever its length says.
func TestDecodeMatrixCut(t *testing.T) {
	for n := range len(answerOfTwo) {
		if _, err := decodeMatrix(strings.NewReader(answerOfTwo[:n])); err == nil {
			t.Fatalf("cut after %d bytes: no error", n)
		}
	}
}

// A range query's errors read as those of other queries do.
func TestQueryRangeErrors(t *testing.T) {
	for body, want := range map[string]string{
		answerOfTwo[:100]:                "answered what is not a result of Prometheus's API: it ends in the middle",
		"<html><body>log in</body>":      "answered 200 OK: an HTML page: this is not Prometheus's API: is the path in --prometheus-url right?",
		`{"status":"success"}`:           "this is not Prometheus's API",
		`{"message":"no such tenant"}`:   "no such tenant: this is not Prometheus's API",
		answers()[4]:                     "too many samples",
		answers()[6]:                     `a sample has the value "x"`,
		strings.Repeat(" ", 70_000) + "": "this is not Prometheus's API",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, body)
		}))
		h, err := NewHTTP(HTTPOptions{URL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, _, _, err = h.QueryRange(t.Context(), "m", v1.Range{End: time.Unix(1, 0), Step: time.Second})
		server.Close()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60s: %v, want one line with %s", body, err, want)
		}
	}
}

// An answer that a cluster of VictoriaMetrics marks as a part is one with a warning, whatever was asked.
func TestPartialAnswers(t *testing.T) {
	for _, partial := range []bool{false, true} {
		data := ""
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, `{"status":"success","isPartial":%v,"data":%s,"stats":{"seriesFetched": "1"}}`, partial, data)
		}))
		h, err := NewHTTP(HTTPOptions{URL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		var want v1.Warnings
		if partial {
			want = v1.Warnings{partialWarning}
		}
		check := func(what string, got v1.Warnings, err error) {
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("%s, partial %v: %v, warnings (-want +got):\n%s", what, partial, err, diff)
			}
		}
		data = `{"resultType":"matrix","result":[{"metric":{"pod":"a"},"values":[[1,"2"]]}]}`
		_, warnings, _, err := h.QueryRange(t.Context(), "m", v1.Range{End: time.Unix(1, 0), Step: time.Second})
		check("query_range", warnings, err)
		data = `{"resultType":"vector","result":[{"metric":{"pod":"` + strings.Repeat("a", 400) + `"},"value":[1,"2"]}]}`
		_, warnings, _, err = h.Query(t.Context(), "m", time.Unix(1, 0))
		check("query", warnings, err)
		data = `[{"pod":"a"}]`
		sets, warnings, _, err := h.Series(t.Context(), []string{"m"}, time.Unix(0, 0), time.Unix(1, 0))
		check("series", warnings, err)
		if len(sets) != 1 {
			t.Errorf("partial %v: %d series, want 1", partial, len(sets))
		}
		server.Close()
	}
}

// realAnswers are those of servers that were really run, by file: each a matrix, one of infinities and an error.
func realAnswers(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/answers/*.json")
	if err != nil || len(files) != 12 {
		t.Fatalf("%v: %q, want 12 files", err, files)
	}
	out := map[string]string{}
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[f] = string(body)
	}
	return out
}

// What servers really answer is decoded as client_golang does, and cut anywhere it is an error.
func TestRealAnswers(t *testing.T) {
	for name, body := range realAnswers(t) {
		body = strings.TrimSpace(body)
		got, err := decodeMatrix(strings.NewReader(body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.HasSuffix(name, "-error.json") != (got.Status == "error") {
			t.Errorf("%s has status %s: %s", name, got.Status, got.Error)
		}
		if want, _, err := theirs(body); err == nil {
			if diff := cmp.Diff(want, got.matrix, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		for n := range body {
			if _, err := decodeMatrix(strings.NewReader(body[:n])); err == nil {
				t.Errorf("%s, cut after %d of %d bytes: no error", name, n, len(body))
			}
		}
	}
}

// Whatever bytes come, decoding ends; what both can decode, they decode alike.
func FuzzDecodeMatrix(f *testing.F) {
	for _, body := range answers() {
		f.Add(body)
	}
	for _, body := range realAnswers(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := decodeMatrix(strings.NewReader(body))
		if err != nil {
			return
		}
		want, _, err := theirs(body)
		if err != nil || got.Data.ResultType != "matrix" || len(got.matrix) != len(want) {
			return // client_golang is stricter in some things, and takes a field that comes twice another way
		}
		for i := range want {
			if len(want[i].Values) != len(got.matrix[i].Values) {
				return
			}
			for j, w := range want[i].Values {
				g := got.matrix[i].Values[j]
				same := g.Value == w.Value || math.IsNaN(float64(g.Value)) && math.IsNaN(float64(w.Value))
				if math.Abs(float64(w.Timestamp)) < 1e14 && math.Abs(float64(g.Timestamp-w.Timestamp)) > 1 || !same {
					t.Fatalf("%v, client_golang has %v", g, w)
				}
			}
		}
	})
}
