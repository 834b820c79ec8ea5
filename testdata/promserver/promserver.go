// Package promserver serves a Prometheus data folder to tests by Prometheus's own storage, engine and HTTP
// API: what a Prometheus server is made of, without its process.
package promserver

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/tsdb"
	webapi "github.com/prometheus/prometheus/web/api/v1"
)

// Prefix is the path under which the API is, as behind a proxy: the base of a URL for it.
const Prefix = "/prom"

// Server answers under Prefix + "/api/v1/".
type Server struct {
	http.Handler
	db *tsdb.DB
}

// Limits are those that a server refuses requests for. Zero ones are a Prometheus server's defaults.
type Limits struct {
	Samples     int           // that a query may hold: --query.max-samples
	Timeout     time.Duration // of a query: --query.timeout
	ReadSamples int           // that a remote read without chunks may return: --storage.remote.read-sample-limit
}

// Open serves a copy of the folder dir, made in scratch: an open storage writes to its folder.
func Open(dir, scratch string) (*Server, error) { return OpenWith(Limits{}, dir, scratch) }

// OpenWith is Open with limits.
func OpenWith(limits Limits, dir, scratch string) (*Server, error) {
	data := filepath.Join(scratch, "data")
	if err := os.CopyFS(data, os.DirFS(dir)); err != nil {
		return nil, fmt.Errorf("copying %s: %w", dir, err)
	}
	log := slog.New(slog.DiscardHandler)
	db, err := tsdb.Open(data, log, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", data, err)
	}
	mux := http.NewServeMux()
	mux.Handle(Prefix+"/api/v1/", http.StripPrefix(Prefix+"/api/v1", newAPI(limits, db, data, log)))
	return &Server{mux, db}, nil
}

// Close closes the storage. The handler must no longer be in use.
func (s *Server) Close() error { return s.db.Close() }

func newAPI(limits Limits, db *tsdb.DB, dir string, log *slog.Logger) http.Handler {
	const defaultSamples = 50_000_000
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: log, MaxSamples: cmp.Or(limits.Samples, defaultSamples), Timeout: cmp.Or(limits.Timeout, 2*time.Minute), LookbackDelta: 5 * time.Minute, EnableAtModifier: true,
	})
	registry := prometheus.NewRegistry()
	api := webapi.NewAPI(
		engine, db, nil, nil, nil, nil, nil, nil,
		func() config.Config { return config.Config{} }, nil, webapi.GlobalURLOptions{},
		func(f http.HandlerFunc) http.HandlerFunc { return f },
		nil, dir, false, false, 0, log, nil, cmp.Or(limits.ReadSamples, defaultSamples), 10, 1<<20, false, nil, nil, nil, nil, nil,
		registry, registry, nil, false, nil, false, false, false, false, 5*time.Minute, false, false, nil, nil, webapi.OpenAPIOptions{}, nil,
	)
	router := route.New()
	api.Register(router)
	return router
}
