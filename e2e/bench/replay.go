package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"

	"golang.org/x/sync/errgroup"
)

// toolThreads is the tool's own --concurrency.
const toolThreads = 2

// recorder is a proxy before a Prometheus that keeps what it was asked, in order.
type recorder struct {
	*httptest.Server
	mu    sync.Mutex
	asked []asked
}

// asked is one request.
type asked struct {
	method, uri string
	header      http.Header
	body        []byte
}

func record(address string) (*recorder, error) {
	target, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	r := &recorder{}
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) }}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		r.asked = append(r.asked, asked{request.Method, request.URL.RequestURI(), request.Header.Clone(), body})
		r.mu.Unlock()
		request.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, request)
	}))
	return r, nil
}

// replay makes the same requests as the tool has, as many at a time, and throws the answers away undecoded.
func replay(ctx context.Context, address string, all []asked) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(toolThreads)
	for _, a := range all {
		g.Go(func() error {
			request, err := http.NewRequestWithContext(ctx, a.method, address+a.uri, bytes.NewReader(a.body))
			if err != nil {
				return err
			}
			request.Header = a.header.Clone() // Accept-Encoding too, so that nothing is unpacked
			return fetch(request)
		})
	}
	return g.Wait()
}
