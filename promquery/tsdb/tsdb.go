// Package tsdb answers Prometheus's query API from a Prometheus data folder or snapshot, without a server.
package tsdb

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	promtsdb "github.com/prometheus/prometheus/tsdb"

	"github.com/rightsize/rightsize/promquery"
)

// Options are how to read a folder. The zero value is ready.
type Options struct {
	TempDir string // where a temporary folder is made while the DB is open; "" is the system's

	Logger *slog.Logger // of Prometheus's storage and engine; nil discards what they log
}

const (
	// maxSamples is how many samples a query may hold: Prometheus's default of --query.max-samples.
	maxSamples = 50_000_000

	// lookback is how old a sample may be and still count: Prometheus's default of --query.lookback-delta.
	lookback = 5 * time.Minute
)

// DB is a data folder as it was when it was opened; what a server writes into it later is seen by the next Open.
// It only reads: the folder may be read-only, and a server may be using it. Its methods may be called at the
// same time.
type DB struct {
	dir     string
	sandbox string // a temporary folder, outside of dir
	log     *slog.Logger
	engine  *promql.Engine

	mu     sync.Mutex // guards the rest
	blocks *blockSet
	head   *headReader // nil until a query needs it
	closed bool
}

var (
	_ promquery.API                   = (*DB)(nil)
	_ storage.SampleAndChunkQueryable = (*DB)(nil)
)

// Open reads a folder's blocks. The write-ahead log is read when a query first needs it. Errors are one line, and
// say what the folder is or should be.
func Open(dir string, o Options) (*DB, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("opening data folder %s: %w", dir, err)
	}
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	sandbox, err := os.MkdirTemp(o.TempDir, "rightsize-tsdb-")
	if err != nil {
		return nil, fmt.Errorf("opening data folder %s: %w", dir, err)
	}
	db := &DB{dir: dir, sandbox: sandbox, log: o.Logger, engine: newEngine(o.Logger)}
	if db.blocks, err = openBlocks(dir, sandbox, o.Logger); err != nil {
		return nil, errors.Join(db.wrap(err), db.Close())
	}
	return db, nil
}

func newEngine(l *slog.Logger) *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		Logger:               l,
		MaxSamples:           maxSamples,
		Timeout:              math.MaxInt64, // the context has the deadline
		LookbackDelta:        lookback,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
	})
}

// String is the folder.
func (db *DB) String() string { return db.dir }

// BlocksEnd is where the folder's last block ends, and the zero time where it has none. What is later is in the
// write-ahead log, which holds a few hours.
func (db *DB) BlocksEnd() time.Time {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.blocks.names) == 0 {
		return time.Time{}
	}
	return time.UnixMilli(db.blocks.maxTime).UTC()
}

// Close frees what the folder was opened with, and removes what was written outside of it. No query may be
// under way.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	err := errors.Join(db.head.close(), db.blocks.close(), db.engine.Close())
	return errors.Join(err, os.RemoveAll(db.sandbox))
}

func (db *DB) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reading data folder %s: %w", db.dir, err)
}

// Querier implements storage.Queryable: it reads the blocks between two times in milliseconds, and the head if
// these reach past the last block.
func (db *DB) Querier(mint, maxt int64) (storage.Querier, error) {
	queriers, head, err := queriers(db, mint, maxt, promtsdb.NewBlockQuerier)
	if err != nil {
		return nil, err
	}
	if head != nil {
		queriers = append(queriers, head)
	}
	return storage.NewMergeQuerier(queriers, nil, storage.ChainedSeriesMerge), nil
}

// ChunkQuerier implements storage.ChunkQueryable as Querier does storage.Queryable. Of blocks that overlap it has all
// chunks, which then are not in order of time.
func (db *DB) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	queriers, head, err := queriers(db, mint, maxt, promtsdb.NewBlockChunkQuerier)
	if err != nil {
		return nil, err
	}
	if head != nil {
		queriers = append(queriers, chunkQuerier{head})
	}
	return storage.NewMergeChunkQuerier(queriers, nil, storage.NewConcatenatingChunkSeriesMerger()), nil
}

// queriers are those of the blocks between two times, and of the head if these reach past the last block.
func queriers[Q io.Closer](db *DB, mint, maxt int64, open func(b promtsdb.BlockReader, mint, maxt int64) (Q, error)) (blocks []Q, head storage.Querier, err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil, nil, errors.New("the folder is closed")
	}
	if err := db.loadHead(maxt); err != nil {
		return nil, nil, err
	}
	blocks, err = queriersOf(db.blocks, mint, maxt, open)
	if err == nil && db.head != nil && maxt >= db.blocks.maxTime {
		head = db.head.querier()
	}
	return blocks, head, err
}

// loadHead reads the write-ahead log if a query up to maxt needs it and it is not read yet. A server may have
// moved part of it into a block since the blocks were opened; then these are opened again.
func (db *DB) loadHead(maxt int64) error {
	for attempt := 1; db.needsHead(maxt); attempt++ {
		head, err := openHead(db.dir, db.sandbox, db.log)
		names, listErr := blockNames(db.dir)
		changed := listErr == nil && !db.blocks.same(names)
		if err == nil && listErr == nil && !changed {
			db.head = head
			return nil
		}
		if closeErr := errors.Join(listErr, head.close()); closeErr != nil {
			return closeErr
		}
		switch {
		case !changed && (!inFlux(err) || attempt == headAttempts):
			return err
		case attempt == headAttempts:
			return errChanging
		}
		time.Sleep(retryPause)
		if changed {
			if err := db.reopenBlocks(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (db *DB) needsHead(maxt int64) bool {
	return db.head == nil && maxt >= db.blocks.maxTime && exists(filepath.Join(db.dir, walDir))
}

// reopenBlocks may not be called while queries read the blocks: those are only opened anew before the head is
// there, and queries that need no head keep what they have.
func (db *DB) reopenBlocks() error {
	blocks, err := openBlocks(db.dir, db.sandbox, db.log)
	if err != nil {
		return err
	}
	db.blocks.retire(blocks)
	db.blocks = blocks
	return nil
}
