package history

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"

	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

const day = 86_400_000 // milliseconds

// WriteBlocks writes the history as blocks of a day each into a folder, which becomes one that a Prometheus
// can start over.
func (h History) WriteBlocks(ctx context.Context, dir string) error {
	return h.WriteBlocksInPasses(ctx, dir, h.days())
}

// WriteBlocksInPasses is WriteBlocks of so many days at a time: it has only these in memory, and goes through the history
// once for each so many.
func (h History) WriteBlocksInPasses(ctx context.Context, dir string, days int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for first := 0; first < h.days(); first += days {
		if err := h.writePass(ctx, dir, h.From.UnixMilli()/day+int64(first), int64(days)); err != nil {
			return fmt.Errorf("writing blocks into %s: %w", dir, err)
		}
	}
	return nil
}

// days is how many days the history touches.
func (h History) days() int { return int(h.Until.UnixMilli()/day-h.From.UnixMilli()/day) + 1 }

func (h History) writePass(ctx context.Context, dir string, first, days int64) error {
	writers := &dayWriters{dir: dir, first: first, end: first + days}
	defer writers.close()
	if err := h.Each(func(s Series) error { return writers.append(ctx, s) }); err != nil {
		return err
	}
	return writers.flush(ctx)
}

// dayWriters are a writer for each of some days of the history.
type dayWriters struct {
	dir        string
	first, end int64 // the first day's number, and that of the one after the last
	writers    []*tsdb.BlockWriter
}

func (d *dayWriters) writer(number int64) (*tsdb.BlockWriter, error) {
	for int64(len(d.writers)) <= number-d.first {
		// A head refuses what is older than its latest sample by half its block: two days take one whole day in
		// any order.
		w, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), d.dir, 2*day)
		if err != nil {
			return nil, err
		}
		d.writers = append(d.writers, w)
	}
	return d.writers[number-d.first], nil
}

// append cuts a series into its days, and leaves out those of other passes.
func (d *dayWriters) append(ctx context.Context, s Series) error {
	for lo := 0; lo < len(s.Times); {
		number := s.Times[lo] / day
		hi := lo
		for hi < len(s.Times) && s.Times[hi]/day == number {
			hi++
		}
		part := Series{s.Labels, s.Times[lo:hi], s.Values[lo:hi]}
		lo = hi
		if number < d.first || number >= d.end {
			continue
		}
		w, err := d.writer(number)
		if err != nil {
			return err
		}
		if err := appendDay(ctx, w, part); err != nil {
			return fmt.Errorf("%s: %w", s.Labels, err)
		}
	}
	return nil
}

func appendDay(ctx context.Context, w *tsdb.BlockWriter, s Series) error {
	app := w.Appender(ctx)
	var ref storage.SeriesRef // saves a look-up by labels for each sample
	for i, t := range s.Times {
		var err error
		if ref, err = app.Append(ref, s.Labels, t, s.Values[i]); err != nil {
			return errors.Join(err, app.Rollback())
		}
	}
	return app.Commit()
}

func (d *dayWriters) flush(ctx context.Context) error {
	for _, w := range d.writers {
		if _, err := w.Flush(ctx); err != nil && !errors.Is(err, tsdb.ErrNoSeriesAppended) {
			return fmt.Errorf("flushing a block into %s: %w", d.dir, err)
		}
	}
	return nil
}

func (d *dayWriters) close() {
	for _, w := range d.writers {
		_ = w.Close() // removes its temporary folder
	}
}

// Import sends the history to a VictoriaMetrics, whose format takes no stale markers.
func (h History) Import(ctx context.Context, address string) error {
	body, writer := io.Pipe()
	go func() {
		buffered := bufio.NewWriter(writer)
		err := h.Each(func(s Series) error { return writeLine(buffered, s) })
		writer.CloseWithError(errors.Join(err, buffered.Flush()))
	}()
	defer func() { _ = body.Close() }()
	if err := post(ctx, address+"/api/v1/import", body); err != nil {
		return fmt.Errorf("importing into %s: %w", address, err)
	}
	// What was imported is in memory, and is only found once it is a part on disk.
	return post(ctx, address+"/internal/force_flush", http.NoBody)
}

// writeLine writes one series: https://docs.victoriametrics.com/#json-line-format
func writeLine(w io.Writer, s Series) error {
	line := struct {
		Metric map[string]string `json:"metric"`
		Values []float64         `json:"values"`
		Times  []int64           `json:"timestamps"`
	}{Metric: s.Labels.Map()}
	for i, v := range s.Values {
		if !value.IsStaleNaN(v) && !math.IsNaN(v) {
			line.Values, line.Times = append(line.Values, v), append(line.Times, s.Times[i])
		}
	}
	return json.NewEncoder(w).Encode(line)
}

func post(ctx context.Context, url string, body io.Reader) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s: %s", url, response.Status, text)
	}
	return nil
}
