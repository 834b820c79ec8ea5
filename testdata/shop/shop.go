// Package shop is the demo's cluster: a small shop with its manifests, and a made-up week of its metrics as
// Prometheus would have stored them. Everything in it follows from the manifests, the tables in past.go and
// hashes of names, so that every run writes the same samples.
//
// Its Deployments roll out and burst, cart leaks, api is OOM killed, search is over-provisioned, payments
// declares nothing and recommendations is three hours old; past.go has the whole story.
package shop

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Until is where the history ends: midnight UTC, between a Sunday and a Monday. No sample lies on or after it.
var Until = time.Date(2026, time.February, 2, 0, 0, 0, 0, time.UTC)

// Manifests holds the declared workloads of namespace shop, as manifests/*.yaml.
//
//go:embed manifests/*.yaml
var Manifests embed.FS

// neighbours holds the pods of other namespaces, which are in the metrics but not among the manifests.
//
//go:embed neighbours/*.yaml
var neighbours embed.FS

// MaxDays is the longest history: the week that reports read, and the day before it.
const MaxDays = 8

// DefaultScrapeInterval is how often kubelets are scraped; kube-state-metrics is scraped half as often.
const DefaultScrapeInterval = 30 * time.Second

// Options make the history smaller than the demo's. The zero Options are the demo's.
type Options struct {
	Days           int           // before Until, 1 to MaxDays; 0 is MaxDays
	ScrapeInterval time.Duration // of kubelets, at least DefaultScrapeInterval; 0 is DefaultScrapeInterval
}

func (o Options) withDefaults() (Options, error) {
	if o.Days == 0 {
		o.Days = MaxDays
	}
	if o.ScrapeInterval == 0 {
		o.ScrapeInterval = DefaultScrapeInterval
	}
	switch {
	case o.Days < 0 || o.Days > MaxDays:
		return o, fmt.Errorf("invalid Days %d: want 1 to %d", o.Days, MaxDays)
	case o.ScrapeInterval < DefaultScrapeInterval || 24*time.Hour%(2*o.ScrapeInterval) != 0:
		return o, fmt.Errorf("invalid ScrapeInterval %s: want at least %s, and twice it to divide a day",
			o.ScrapeInterval, DefaultScrapeInterval)
	}
	return o, nil
}

// Write writes the history into dir, which it creates, as a Prometheus data folder: one block a day, from
// midnight to midnight UTC. It holds a day of samples in memory.
func Write(ctx context.Context, dir string, o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	c, err := plan()
	if err != nil {
		return err
	}
	// Every data folder has one, and the read-only database asks for it.
	if err := os.MkdirAll(filepath.Join(dir, "wal"), 0o755); err != nil {
		return err
	}
	w := writer{dir: dir, targets: targets(c)}
	for day := o.Days; day > 0; day-- {
		from := Until.AddDate(0, 0, -day)
		if err := w.writeBlock(ctx, from, from.AddDate(0, 0, 1), o.ScrapeInterval.Milliseconds()); err != nil {
			return fmt.Errorf("writing the block of %s: %w", from.Format(time.DateOnly), err)
		}
	}
	return nil
}
