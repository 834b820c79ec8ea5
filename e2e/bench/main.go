// Command bench measures what reading a week of usage takes, against a real Prometheus over generated data: ours each
// way, beside the bare decoding of the same chunks, a client that fetches the same responses to nowhere, and the
// queries that KRR makes for each container. It prints the tables of docs/performance.md.
//
//	go run -C e2e ./bench --containers 300,3000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rightsize/rightsize/e2e/cluster"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// decodeCommand has this program decode a folder and end, so that this too is a process to be measured.
const decodeCommand = "decode"

type options struct {
	containers []int         // live ones of each data set
	rounds     int           // at most
	budget     time.Duration // no round of a data set begins later
	data       string        // the folder of the data sets
	root       string        // of the repository
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	if len(args) == 2 && args[0] == decodeCommand {
		return decodeAll(ctx, args[1], out)
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	c, err := cluster.New(o.root, progress)
	if err != nil {
		return err
	}
	// Nothing stays but the data sets: what a run leaves in temporary folders is inside of the cluster's.
	return errors.Join(o.bench(ctx, c, out), c.Stop(false))
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	sizes := flags.String("containers", "300,3000", "live containers of each data set: multiples of 6")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds of a data set, of which medians are taken")
	flags.DurationVar(&o.budget, "budget", 5*time.Minute, "begin no further round of a data set after so long")
	flags.StringVar(&o.data, "data", "../build/bench", "where data sets are kept between runs")
	flags.StringVar(&o.root, "root", "..", "the repository's folder")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < perDeployment || n%perDeployment != 0 {
			return o, fmt.Errorf("--containers %q: want multiples of %d, separated by commas", *sizes, perDeployment)
		}
		o.containers = append(o.containers, n)
	}
	if o.rounds < 1 || flags.NArg() > 0 {
		return o, errors.New("want --rounds of 1 or more, and nothing but flags")
	}
	var err error
	if o.data, err = filepath.Abs(o.data); err != nil {
		return o, err
	}
	o.root, err = filepath.Abs(o.root)
	return o, err
}

func (o options) bench(ctx context.Context, c *cluster.Cluster, out io.Writer) error {
	if err := c.BuildPrometheus(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", machine())
	var sizes []*results
	for _, n := range o.containers {
		set, err := prepare(ctx, c, o.data, n)
		if err != nil {
			return err
		}
		r, err := o.measure(ctx, c, set)
		if err != nil {
			return err
		}
		r.write(out)
		sizes = append(sizes, r)
	}
	writeGrowth(out, sizes)
	return nil
}

// machine is what the figures were measured on, without its name.
func machine() string {
	model := "a processor of unknown model"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, ok := strings.Cut(string(info), "model name\t: "); ok {
			model, _, _ = strings.Cut(after, "\n")
		}
	}
	memory := ""
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib float64
		if _, err := fmt.Sscanf(string(info), "MemTotal: %f kB", &kib); err == nil {
			memory = fmt.Sprintf(", %.0f GiB", kib/(1<<20))
		}
	}
	return fmt.Sprintf("%d cores (%s)%s, %s, Prometheus 3.15 on loopback.", runtime.NumCPU(), model, memory, runtime.Version())
}
