package tsdb

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	promtsdb "github.com/prometheus/prometheus/tsdb"
)

const (
	walDir = "wal"
	wblDir = "wbl" // the write-behind log: samples that came out of order

	// A server that compacts renames and removes blocks while we open them. This is how often, and after which
	// pause, to try again until a listing stays the same over an opening.
	maxAttempts = 100
	retryPause  = 20 * time.Millisecond

	// headAttempts is as much for the write-ahead log, each of which is a replay of it.
	headAttempts = 10
)

var errChanging = errors.New("its blocks kept changing while they were opened: is something compacting it over and over? Read a snapshot instead")

const wanted = `want a Prometheus data folder or snapshot, which holds folders of blocks such as 01BKGV7JBM69T2G1BGBGM6KB12, or "wal"`

// checkFolder says what is wrong with a folder that has neither blocks nor a write-ahead log.
func checkFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("no data folder %s: %s", dir, wanted)
	case err != nil:
		return fmt.Errorf("opening data folder: %w: %s", err, wanted)
	case len(entries) == 0:
		return fmt.Errorf("data folder %s is empty: %s", dir, wanted)
	case exists(filepath.Join(dir, "meta.json")) && exists(filepath.Join(dir, "index")):
		return fmt.Errorf("%s is a single block: give the folder that it is in", dir)
	}
	names, err := blockNames(dir)
	if err != nil {
		return fmt.Errorf("opening data folder: %w", err)
	}
	if len(names) == 0 && !exists(filepath.Join(dir, walDir)) {
		return fmt.Errorf("%s is not a data folder: %s%s", dir, wanted, hint(dir, entries))
	}
	return nil
}

// hint names a folder inside that is one.
func hint(dir string, entries []os.DirEntry) string {
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		if names, err := blockNames(sub); err == nil && len(names) > 0 {
			return fmt.Sprintf(" (as %s does)", sub)
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// blockNames lists a folder's blocks.
func blockNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, err := ulid.ParseStrict(e.Name()); err == nil && e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// blockSet are a folder's blocks, opened together.
type blockSet struct {
	dir     string
	names   []string // of their folders
	db      *promtsdb.DBReadOnly
	readers []promtsdb.BlockReader
	maxTime int64     // the end of the last one in milliseconds, exclusive
	retired *blockSet // an earlier opening that queries may still read
}

// openBlocks opens all of a folder's blocks, or none.
func openBlocks(dir, sandbox string, l *slog.Logger) (*blockSet, error) {
	for attempt := 0; ; attempt++ {
		before, err := blockNames(dir)
		if err != nil {
			return nil, err
		}
		set, err := openNamed(dir, sandbox, before, l)
		after, listErr := blockNames(dir)
		stable := listErr == nil && slices.Equal(before, after)
		switch {
		case stable && err == nil:
			return set, nil
		case stable || listErr != nil:
			return nil, errors.Join(err, listErr, set.close())
		case attempt == maxAttempts:
			return nil, errors.Join(errChanging, set.close())
		}
		if err := set.close(); err != nil {
			return nil, err
		}
		time.Sleep(retryPause)
	}
}

func openNamed(dir, sandbox string, names []string, l *slog.Logger) (*blockSet, error) {
	db, err := promtsdb.OpenDBReadOnly(dir, sandbox, l)
	if err != nil {
		return nil, err
	}
	set := &blockSet{dir: dir, names: names, db: db, maxTime: math.MinInt64}
	set.readers, err = db.Blocks()
	if err != nil {
		return set, damaged(err)
	}
	for _, r := range set.readers {
		set.maxTime = max(set.maxTime, r.Meta().MaxTime)
	}
	return set, set.complete()
}

// unreadable is what to do about a file that is there and that we may not read.
const unreadable = "read it as a user who may, or read a copy"

func damaged(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %s", text, unreadable)
	}
	return fmt.Errorf("%s: the block is damaged: move it away, or read another snapshot", text)
}

// complete is an error if a block was left out, which is what Prometheus does with one whose meta.json it cannot
// read. A block that was compacted into another one may be.
func (s *blockSet) complete() error {
	have := map[string]bool{}
	for _, r := range s.readers {
		meta := r.Meta()
		have[meta.ULID.String()] = true
		for _, parent := range meta.Compaction.Parents {
			have[parent.ULID.String()] = true
		}
	}
	for _, name := range s.names {
		if !have[name] {
			_, err := os.ReadFile(filepath.Join(s.dir, name, "meta.json"))
			if errors.Is(err, fs.ErrPermission) {
				return damaged(err)
			}
			return damaged(fmt.Errorf("block %s: its meta.json cannot be read", name))
		}
	}
	return nil
}

func (s *blockSet) same(names []string) bool { return slices.Equal(s.names, names) }

// queriersOf are of the blocks that overlap a range of milliseconds, both ends included.
func queriersOf[Q io.Closer](s *blockSet, mint, maxt int64, open func(b promtsdb.BlockReader, mint, maxt int64) (Q, error)) ([]Q, error) {
	var out []Q
	for _, r := range s.readers {
		meta := r.Meta()
		if meta.MinTime > maxt || meta.MaxTime <= mint {
			continue
		}
		q, err := open(r, mint, maxt)
		if err != nil {
			for _, q := range out {
				err = errors.Join(err, q.Close())
			}
			return nil, fmt.Errorf("block %s: %w", meta.ULID, err)
		}
		out = append(out, q)
	}
	return out, nil
}

// retire leaves the set open, for queries that read it, until its successor is closed.
func (s *blockSet) retire(successor *blockSet) { successor.retired = s }

func (s *blockSet) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.db.Close(), s.retired.close())
}
