package tsdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	promtsdb "github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

// headReader holds what a folder's write-ahead log has.
//
// DBReadOnly links the head's chunk files into its sandbox, which only works within one file system and for files
// of one's own, and replays the log for each querier. So it is given a folder of its own that has nothing but a
// link to the log, which holds all that the chunk files do, and its one querier serves all queries in turn.
type headReader struct {
	db      *promtsdb.DBReadOnly
	all     storage.Querier
	turn    sync.Mutex // held from querier to its Close: readers of a head are not for concurrent use
	sandbox string
}

func openHead(dir, sandbox string, l *slog.Logger) (*headReader, error) {
	own, err := os.MkdirTemp(sandbox, "head-")
	if err != nil {
		return nil, err
	}
	h := &headReader{sandbox: own}
	for _, name := range []string{walDir, wblDir} {
		if target := filepath.Join(dir, name); exists(target) {
			if err := os.Symlink(target, filepath.Join(own, name)); err != nil {
				return h, err
			}
		}
	}
	if h.db, err = promtsdb.OpenDBReadOnly(own, sandbox, l); err != nil {
		return h, err
	}
	if h.all, err = h.db.Querier(math.MinInt64, math.MaxInt64); err != nil {
		return h, logError{err, strings.ReplaceAll(err.Error(), own, dir)}
	}
	return h, nil
}

// logError is a write-ahead log that cannot be read to its end.
type logError struct {
	err  error
	text string
}

// Error is one line.
func (e logError) Error() string {
	remedy := "start Prometheus on it once, which repairs it, or read a snapshot"
	if errors.Is(e.err, fs.ErrPermission) {
		remedy = unreadable
	}
	return fmt.Sprintf("its write-ahead log: %s: %s", strings.Join(strings.Fields(e.text), " "), remedy)
}

// Unwrap is why it cannot be read.
func (e logError) Unwrap() error { return e.err }

// inFlux says that an error may be due to a server that is writing or removing what was read just then.
func inFlux(err error) bool {
	var corrupt *wlog.CorruptionErr
	return errors.As(err, &corrupt) || errors.Is(err, fs.ErrNotExist)
}

// querier reads all of the head, for one query at a time. A query narrows it by its hints.
func (h *headReader) querier() storage.Querier {
	h.turn.Lock()
	return &turnQuerier{Querier: h.all, done: sync.OnceFunc(h.turn.Unlock)}
}

// turnQuerier ends its turn when it is closed, and leaves the querier open.
type turnQuerier struct {
	storage.Querier
	done func()
}

// Close implements storage.Querier.
func (q *turnQuerier) Close() error {
	q.done()
	return nil
}

// chunkQuerier makes chunks of what a querier of the head has, which keeps them in another way.
type chunkQuerier struct{ storage.Querier }

// Select implements storage.ChunkQuerier.
func (q chunkQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.ChunkSeriesSet {
	return storage.NewSeriesSetToChunkSet(q.Querier.Select(ctx, sorted, hints, matchers...))
}

func (h *headReader) close() error {
	if h == nil {
		return nil
	}
	var err error
	if h.all != nil {
		err = h.all.Close()
	}
	if h.db != nil {
		err = errors.Join(err, h.db.Close())
	}
	return errors.Join(err, os.RemoveAll(h.sandbox))
}
