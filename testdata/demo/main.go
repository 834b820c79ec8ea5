// Command demo writes the demo's folder: a week of a small shop's metrics as a Prometheus data folder (tsdb),
// and the manifests of its workloads (manifests).
//
//	go run ./testdata/demo --out build/demo
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/rightsize/rightsize/testdata/shop"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run says on log what it did.
func run(ctx context.Context, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(log)
	out := flags.String("out", "", "the folder to write; one of an older version is replaced")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *out == "" || flags.NArg() > 0 {
		return errors.New("want --out DIR and nothing else")
	}
	built, err := shop.Build(ctx, *out)
	switch {
	case err != nil:
		return err
	case built:
		fmt.Fprintf(log, "demo: wrote %s\n", *out)
	default:
		fmt.Fprintf(log, "demo: %s is up to date\n", *out)
	}
	return nil
}
