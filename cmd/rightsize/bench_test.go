package main

import (
	"io"
	"path/filepath"
	"testing"

	"github.com/rightsize/rightsize/testdata/shop"
)

// BenchmarkReport is a run from end to end, from flags to the printed table: the demo's week of 13 containers from its
// data folder, on the grid and by every sample.
func BenchmarkReport(b *testing.B) {
	demo := filepath.Join(b.TempDir(), "demo")
	if _, err := shop.Build(b.Context(), demo); err != nil {
		b.Fatal(err)
	}
	for _, read := range []string{"query", "auto"} {
		b.Run(read, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				cmd := newRoot(streams{out: io.Discard, err: io.Discard, log: newLogs(io.Discard), scratch: new(scratch), farewell: new(farewell)})
				cmd.SetArgs([]string{
					"--namespace", "shop", "--tsdb", filepath.Join(demo, "tsdb"), "-f", filepath.Join(demo, "manifests"),
					"--until", "2026-02-02T00:00:00Z", "--read", read,
				})
				if err := cmd.ExecuteContext(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
