// Package e2e proves the command against a real cluster and real Prometheus servers, as a user would run it:
// by its standard output, its standard error and its exit code.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/e2e/history"
	"github.com/rightsize/rightsize/e2e/shop"
)

// environment is what all tests share. Tests run one after the other, since some stop servers for a while.
type environment struct {
	cluster    *cluster.Cluster
	prometheus *cluster.Server
	past       history.History
	blocks     string    // the folder that past was written into; nobody else uses it
	until      time.Time // the end of the window of all reports: everything that is scraped live is later
}

var env *environment

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run sets the environment up, runs the tests and leaves nothing behind, on a signal neither.
func run(m *testing.M) (code int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, err := cluster.New(filepath.Dir(workingDirectory()), os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	// What is left in temporary folders when a signal comes goes with the rest.
	if err := os.Setenv("TMPDIR", filepath.Join(c.Dir, "tmp")); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	var once sync.Once
	stop := func(keepLogs bool) {
		once.Do(func() {
			if err := c.Stop(keepLogs); err != nil {
				fmt.Fprintln(os.Stderr, "e2e: cleaning up:", err)
			}
		})
	}
	defer func() { stop(code != 0) }()
	onSignal(func(s os.Signal) {
		fmt.Fprintf(os.Stderr, "e2e: %s: stopping everything\n", s)
		cancel()
		stop(false)
		os.Exit(128 + int(s.(syscall.Signal)))
	})
	if env, err = setUp(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return m.Run()
}

func onSignal(act func(os.Signal)) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() { act(<-signals) }()
}

func workingDirectory() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err) // go test has just changed into it
	}
	return dir
}

// setUp starts the cluster, fills it, writes its past and starts Prometheus over that.
func setUp(ctx context.Context, c *cluster.Cluster) (*environment, error) {
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	if err := shop.Create(ctx, c); err != nil {
		return nil, err
	}
	const step = 5 * time.Minute
	e := &environment{cluster: c, until: time.Now().Add(-2 * step).UTC().Truncate(step)}
	var err error
	if e.past, err = shop.Past(ctx, c, e.until); err != nil {
		return nil, err
	}
	e.blocks = filepath.Join(c.Dir, "blocks")
	if err := e.writeBlocks(ctx, e.past, e.blocks); err != nil {
		return nil, err
	}
	data, err := e.copyBlocks("prometheus")
	if err != nil {
		return nil, err
	}
	defer c.Task("starting Prometheus")()
	e.prometheus, err = c.Prometheus(ctx, data)
	return e, err
}

func (e *environment) writeBlocks(ctx context.Context, h history.History, dir string) error {
	defer e.cluster.Task("writing " + filepath.Base(dir))()
	return h.WriteBlocks(ctx, dir)
}

// prometheusData is the data folder of the Prometheus that all tests share.
func (e *environment) prometheusData() string { return filepath.Join(e.cluster.Dir, "prometheus") }

// copyBlocks gives a server its own copy of the history.
func (e *environment) copyBlocks(name string) (string, error) {
	dir := filepath.Join(e.cluster.Dir, name)
	return dir, os.CopyFS(dir, os.DirFS(e.blocks))
}
