package promquery_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/remote"
	"github.com/rightsize/rightsize/promquery/tsdb"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/testdata/promserver"
)

// BenchmarkRead reads a week of 40 containers, scraped every 30 s, each way: query at the points of 5 minutes, query30s
// and the others every sample. "live" has Prometheus's own code answer
// in the same process; "replayed" answers from memory, so that what remains is ours.
//
//	go test -run '^$' -bench Read -benchtime 5x ./promquery
func BenchmarkRead(b *testing.B) {
	f := &fixture{rnd: rand.New(rand.NewPCG(5, 5))}
	const pods = 40
	for pod := range pods {
		names := append(plainNames("ns", fmt.Sprintf("web-%d", pod))("app"), "job", "kubelet", "node", "node-1", "id", "/kubepods/burstable/pod", "image", "registry/app:1")
		f.add(-8*day, 0, true, f.wave(100*mib), memory, names...)
		f.add(-8*day, 0, true, f.counter(0.2), cpu, names...)
	}
	dir := f.write(b)
	prometheus, err := promserver.Open(dir, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = prometheus.Close() }) // it was only read
	for name, handler := range map[string]http.Handler{"live": prometheus, "replayed": &replay{next: prometheus, answers: map[string]*answer{}}} {
		counted := &wire{next: handler}
		server := httptest.NewServer(counted)
		b.Cleanup(server.Close)
		api, err := promquery.NewHTTP(promquery.HTTPOptions{URL: server.URL + promserver.Prefix})
		if err != nil {
			b.Fatal(err)
		}
		b.Run("query/"+name, func(b *testing.B) { benchmarkRead(b, &promquery.Reader{API: api}, week(), counted) })
		b.Run("query30s/"+name, func(b *testing.B) { benchmarkRead(b, &promquery.Reader{API: api}, fine(), counted) })
		b.Run("remote/"+name, func(b *testing.B) {
			benchmarkRead(b, &promquery.Reader{API: api, Raw: remote.New(api)}, week(), counted)
		})
	}
	db := openFolder(b, dir)
	b.Run("query/folder", func(b *testing.B) { benchmarkRead(b, &promquery.Reader{API: db}, week(), &wire{}) })
	b.Run("chunks/folder", func(b *testing.B) { benchmarkRead(b, &promquery.Reader{API: db, Raw: db}, week(), &wire{}) })
	b.Run("decode/folder", func(b *testing.B) { benchmarkDecode(b, db) })
}

// fine is the week at a step of one scrape interval.
func fine() recommender.Window {
	w := week()
	w.Step = scrape
	return w
}

// benchmarkDecode is the floor: it decodes what is read, and does nothing with it.
func benchmarkDecode(b *testing.B, db *tsdb.DB) {
	b.ReportAllocs()
	first, last := week().Start().UnixMilli()+1, week().Until.UnixMilli()
	for b.Loop() {
		querier, err := db.Querier(first, last)
		if err != nil {
			b.Fatal(err)
		}
		var it chunkenc.Iterator
		for _, metric := range []string{memory, cpu} {
			set := querier.Select(b.Context(), false, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", metric))
			for set.Next() {
				it = set.At().Iterator(it)
				for it.Next() != chunkenc.ValNone {
					it.At()
				}
			}
		}
		if err := querier.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkRead(b *testing.B, r *promquery.Reader, window recommender.Window, w *wire) {
	b.ReportAllocs()
	values := 0
	read := func() {
		if _, err := r.Read(b.Context(), promquery.Batch{Namespace: "ns", Containers: 40}, window, func(s promquery.Series) {
			if s.Resource == recommender.Memory {
				values += len(s.Values)
			}
		}); err != nil {
			b.Fatal(err)
		}
	}
	read() // what is replayed is recorded
	values, w.bytes = 0, 0
	for b.Loop() {
		read()
	}
	b.ReportMetric(float64(values)/float64(b.N), "memory-values/op")
	b.ReportMetric(float64(w.bytes)/float64(b.N)/1e6, "wire-MB/op")
}

// wire counts the bytes of answers.
type wire struct {
	next  http.Handler
	mu    sync.Mutex
	bytes int
}

// ServeHTTP implements http.Handler.
func (c *wire) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.next.ServeHTTP(&wireWriter{w, c}, r)
}

type wireWriter struct {
	http.ResponseWriter
	to *wire
}

// Write implements io.Writer.
func (w *wireWriter) Write(p []byte) (int, error) {
	w.to.mu.Lock()
	defer w.to.mu.Unlock()
	w.to.bytes += len(p)
	return w.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (w *wireWriter) Flush() { w.ResponseWriter.(http.Flusher).Flush() }

// replay answers each request as it was answered the first time.
type replay struct {
	next    http.Handler
	mu      sync.Mutex
	answers map[string]*answer
}

type answer struct {
	*httptest.ResponseRecorder
	body []byte
}

// ServeHTTP implements http.Handler.
func (p *replay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := r.URL.String() + string(asked)
	if p.answers[key] == nil {
		r.Body = io.NopCloser(bytes.NewReader(asked))
		recorded := httptest.NewRecorder()
		p.next.ServeHTTP(recorded, r)
		p.answers[key] = &answer{recorded, recorded.Body.Bytes()}
	}
	for name, values := range p.answers[key].Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(p.answers[key].Code)
	_, _ = w.Write(p.answers[key].body)
}
