package tsdb_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	promtsdb "github.com/prometheus/prometheus/tsdb"

	"github.com/rightsize/rightsize/promquery/tsdb"
)

const scrape = 15 * time.Second

func start() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// writeBlock writes a block of ten samples of m{pod="p"}, whose values count up.
func writeBlock(t *testing.T, dir string) string {
	t.Helper()
	w, err := promtsdb.NewBlockWriter(slog.New(slog.DiscardHandler), dir, (24 * time.Hour).Milliseconds())
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, w)
	app := w.Appender(context.Background())
	for i := range 10 {
		if _, err := app.Append(0, labels.FromStrings("__name__", "m", "pod", "p"), at(i).UnixMilli(), float64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	id, err := w.Flush(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, id.String())
}

func closed(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func at(i int) time.Time { return start().Add(time.Duration(i) * scrape) }

func open(t *testing.T, dir string) *tsdb.DB {
	t.Helper()
	db, err := tsdb.Open(dir, tsdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// count is how many raw samples of m there are up to the n-th.
func count(t *testing.T, db *tsdb.DB, n int) int {
	t.Helper()
	v, _, _, err := db.Query(t.Context(), `sum(count_over_time(m[30d]))`, at(n))
	if err != nil {
		t.Fatal(err)
	}
	vector := v.(model.Vector)
	if len(vector) == 0 {
		return 0
	}
	return int(vector[0].Value)
}

// hash is of all names, modes and contents below a folder.
func hash(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(h, path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		if d.IsDir() {
			return nil
		}
		content, err := os.ReadFile(path)
		h.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// serverOptions make a head that is cut into blocks of ten minutes.
func serverOptions() *promtsdb.Options {
	o := promtsdb.DefaultOptions()
	o.MinBlockDuration = (10 * time.Minute).Milliseconds()
	o.MaxBlockDuration = time.Hour.Milliseconds()
	o.RetentionDuration = 0
	o.OutOfOrderTimeWindow = time.Hour.Milliseconds()
	return o
}

func openServer(t *testing.T, dir string) *promtsdb.DB {
	t.Helper()
	db, err := promtsdb.Open(dir, slog.New(slog.DiscardHandler), nil, serverOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	db.DisableCompactions()
	return db
}

func appendSample(db *promtsdb.DB, i int) error {
	app := db.Appender(context.Background())
	if _, err := app.Append(0, labels.FromStrings("__name__", "m", "pod", "p"), at(i).UnixMilli(), float64(i)); err != nil {
		return errors.Join(err, app.Rollback())
	}
	return app.Commit()
}

func TestReadOnly(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	dir := t.TempDir()
	server := openServer(t, dir)
	for i := range 1000 {
		if err := appendSample(server, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := appendSample(server, 900); err != nil && !strings.Contains(err.Error(), "duplicate") {
		t.Fatal(err)
	}
	if err := server.CompactHead(promtsdb.NewRangeHead(server.Head(), at(0).UnixMilli(), at(499).UnixMilli())); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	readOnly(t, dir)
	before := hash(t, dir)
	db := open(t, dir)
	for _, n := range []int{100, 499, 500, 999} {
		if got := count(t, db, n); got != n+1 {
			t.Errorf("%d samples up to %d, want %d", got, n, n+1)
		}
	}
	sets, _, _, err := db.Series(t.Context(), []string{`m{pod="p"}`, `m`, `other`}, at(0), at(999))
	if err != nil || len(sets) != 1 || sets[0]["pod"] != "p" {
		t.Errorf("Series = %v, %v, want m of pod p once", sets, err)
	}
	if sets, _, _, err = db.Series(t.Context(), []string{"m"}, at(-200), at(-100)); err != nil || len(sets) != 0 {
		t.Errorf("Series long before = %v, %v, want none", sets, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if after := hash(t, dir); after != before {
		t.Error("reading changed the folder")
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("Close left %v in the temporary folder, %v", left, err)
	}
	if _, _, _, err := db.Query(t.Context(), "m", at(1)); err == nil {
		t.Error("a closed folder answers")
	}
}

// readOnly takes all write permissions, and gives them back for the test's own cleaning.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	set := func(mask, add fs.FileMode) func(string, fs.DirEntry, error) error {
		return func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			return os.Chmod(path, info.Mode().Perm()&^mask|add)
		}
	}
	if err := filepath.WalkDir(dir, set(0o222, 0)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := filepath.WalkDir(dir, set(0, 0o200)); err != nil {
			t.Error(err)
		}
	})
}

// TestOutOfOrder reads samples that came late, which a head keeps apart.
func TestOutOfOrder(t *testing.T) {
	dir := t.TempDir()
	server := openServer(t, dir)
	for _, i := range []int{0, 1, 2, 9, 10, 5, 3} {
		if err := appendSample(server, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if got := count(t, open(t, dir), 10); got != 7 {
		t.Errorf("%d samples, want 7", got)
	}
}

// TestLiveServer reads a folder over and over while a server appends to it, cuts blocks and merges them.
func TestLiveServer(t *testing.T) {
	dir := t.TempDir()
	server := openServer(t, dir)
	defer closed(t, server)
	const first = 400
	for i := range first {
		if err := appendSample(server, i); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() {
		for i := first; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			err := appendSample(server, i)
			if i%20 == 0 {
				err = errors.Join(err, server.Compact(context.Background()))
			}
			if err != nil {
				t.Error(err)
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	for range 30 {
		db, err := tsdb.Open(dir, tsdb.Options{})
		if err != nil {
			t.Error(err)
			break
		}
		if got := count(t, db, first-1); got != first {
			t.Errorf("%d samples, want %d", got, first)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	busy.Wait()
	merged := false
	for _, b := range server.Blocks() {
		merged = merged || b.Meta().Compaction.Level > 1
	}
	if !merged {
		t.Error("the server merged no blocks meanwhile")
	}
}

// TestConcurrent asks at the same time, with the head and without. The race detector is the judge.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	server := openServer(t, dir)
	for i := range 300 {
		if err := appendSample(server, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.CompactHead(promtsdb.NewRangeHead(server.Head(), at(0).UnixMilli(), at(99).UnixMilli())); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	db := open(t, dir)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			last := 50 + 200*(i%2)
			v, _, _, err := db.QueryRange(t.Context(), "m", v1.Range{Start: at(0), End: at(last), Step: scrape})
			if err != nil {
				t.Error(err)
				return
			}
			if m := v.(model.Matrix); len(m) != 1 || len(m[0].Values) != last+1 {
				t.Errorf("up to %d: %v", last, m)
			}
		})
	}
	all.Wait()
}

func TestTypes(t *testing.T) {
	dir := t.TempDir()
	writeBlock(t, dir)
	db := open(t, dir)
	for query, want := range map[string]model.ValueType{"m": model.ValVector, "m[1m]": model.ValMatrix, "1": model.ValScalar, `"x"`: model.ValString} {
		v, _, _, err := db.Query(t.Context(), query, at(9))
		if err != nil || v.Type() != want {
			t.Errorf("%s = %v, %v, want a %s", query, v, err, want)
		}
	}
	_, _, infos, err := db.Query(t.Context(), "rate(m[1m])", at(9))
	if err != nil || len(infos) != 1 || !strings.Contains(infos[0], "might not be a counter") {
		t.Errorf("infos of a rate of what is no counter: %q, %v", infos, err)
	}
	_, _, _, err = db.Query(t.Context(), "m{", at(9))
	if err == nil || !strings.HasPrefix(err.Error(), "reading data folder "+dir+": 1:3: parse error") {
		t.Errorf("a query that does not parse: %v", err)
	}
	if _, _, _, err = db.Series(t.Context(), []string{"m{"}, at(0), at(9)); err == nil {
		t.Error("a selector that does not parse gave no error")
	}
}

func TestNotAFolder(t *testing.T) {
	dir := t.TempDir()
	mkdir := func(names ...string) string {
		path := filepath.Join(append([]string{dir}, names...)...)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const wanted = `want a Prometheus data folder or snapshot, which holds folders of blocks such as 01BKGV7JBM69T2G1BGBGM6KB12, or "wal"`
	file := filepath.Join(mkdir("other"), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	block := writeBlock(t, mkdir("prometheus", "data"))
	broken := writeBlock(t, mkdir("index"))
	overwrite(t, filepath.Join(broken, "index"), "nonsense")
	missing := writeBlock(t, mkdir("chunks"))
	if err := os.RemoveAll(filepath.Join(missing, "chunks")); err != nil {
		t.Fatal(err)
	}
	meta := writeBlock(t, mkdir("meta"))
	overwrite(t, filepath.Join(meta, "meta.json"), "{")
	damaged := ": the block is damaged: move it away, or read another snapshot"
	for path, want := range map[string]string{
		filepath.Join(dir, "none"):       "no data folder DIR/none: " + wanted,
		mkdir("empty"):                   "data folder DIR/empty is empty: " + wanted,
		file:                             "opening data folder: ",
		filepath.Join(dir, "other"):      "DIR/other is not a data folder: " + wanted,
		filepath.Join(dir, "prometheus"): "DIR/prometheus is not a data folder: " + wanted + " (as DIR/prometheus/data does)",
		block:                            block + " is a single block: give the folder that it is in",
		filepath.Dir(broken):             "reading data folder DIR/index: corrupted block " + filepath.Base(broken) + ": invalid magic number 6e6f6e73" + damaged,
		filepath.Dir(missing):            "reading data folder DIR/chunks: corrupted block " + filepath.Base(missing) + ": open DIR/chunks/" + filepath.Base(missing) + "/chunks: no such file or directory" + damaged,
		filepath.Dir(meta):               "reading data folder DIR/meta: block " + filepath.Base(meta) + ": its meta.json cannot be read" + damaged,
	} {
		_, err := tsdb.Open(path, tsdb.Options{})
		if err == nil {
			t.Errorf("Open(%s): no error", path)
			continue
		}
		got := strings.ReplaceAll(err.Error(), dir, "DIR")
		want = strings.ReplaceAll(want, dir, "DIR")
		if got != want && (path != file || !strings.HasPrefix(got, want)) || strings.Contains(got, "\n") {
			t.Errorf("Open: %s\nwant %s", got, want)
		}
	}
}

// TestDamagedLog has a log that no retry mends.
func TestDamagedLog(t *testing.T) {
	dir := t.TempDir()
	server := openServer(t, dir)
	for i := range 10 {
		if err := appendSample(server, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(dir, "wal", "00000000")
	content, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 0xff
	overwrite(t, segment, string(content))
	_, _, _, err = open(t, dir).Query(t.Context(), "m", at(9))
	if err == nil || !strings.Contains(err.Error(), "its write-ahead log") || strings.Contains(err.Error(), "rightsize-tsdb") || strings.Contains(err.Error(), "\n") ||
		!strings.Contains(err.Error(), filepath.Join(dir, "wal")) {
		t.Errorf("a damaged log: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	dir := t.TempDir()
	writeBlock(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := open(t, dir).Query(ctx, "m", at(9)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled query: %v", err)
	}
}

func overwrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
