// Package promserver serves a Prometheus data folder to tests by Prometheus's own storage, engine and HTTP
// API: what a Prometheus server is made of, without its process.
package promserver

import (
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

// Open serves a copy of the folder dir, made in scratch: an open storage writes to its folder.
func Open(dir, scratch string) (*Server, error) {
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
	mux.Handle(Prefix+"/api/v1/", http.StripPrefix(Prefix+"/api/v1", newAPI(db, data, log)))
	return &Server{mux, db}, nil
}

// Close closes the storage. The handler must no longer be in use.
func (s *Server) Close() error { return s.db.Close() }

// newAPI has the limits of a Prometheus server's defaults.
func newAPI(db *tsdb.DB, dir string, log *slog.Logger) http.Handler {
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: log, MaxSamples: 50_000_000, Timeout: 2 * time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true,
	})
	registry := prometheus.NewRegistry()
	api := webapi.NewAPI(
		engine, db, nil, nil, nil, nil, nil, nil,
		func() config.Config { return config.Config{} }, nil, webapi.GlobalURLOptions{},
		func(f http.HandlerFunc) http.HandlerFunc { return f },
		nil, dir, false, false, 0, log, nil, 50_000_000, 10, 1<<20, false, nil, nil, nil, nil, nil,
		registry, registry, nil, false, nil, false, false, false, false, 5*time.Minute, false, false, nil, nil, webapi.OpenAPIOptions{}, nil,
	)
	router := route.New()
	api.Register(router)
	return router
}
