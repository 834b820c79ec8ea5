package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// cost is what one way took, once.
type cost struct {
	wall       time.Duration
	cpu        time.Duration // of the client's process; 0 where the client is this program
	memory     int64         // the client's peak, bytes
	anonymous  int64         // that without pages of files
	server     time.Duration // Prometheus's CPU
	serverPeak int64         // bytes
}

// way is one way to read the week.
type way struct {
	name   string
	server bool // it asks Prometheus
	scale  float64
	run    func(ctx context.Context, address string) (cost, error)
}

// krrSample is how many containers KRR's queries are made for in a round.
const krrSample = 50

// The names of ways, as the tables have them.
const (
	wayDecode = "bare decode, one thread (a)"
	wayTSDB   = "`--tsdb`, every sample"
	wayRemote = "`--read remote`"
	wayQuery  = "`--read query`, step 5m"
	wayFetch  = "the same responses to nowhere (c)"
	wayHourly = "`--read query`, step 1h"
	wayKRR    = "KRR's queries (b)"
)

// lab is a data set and the Prometheus over it.
type lab struct {
	group     *cluster.Group
	rightsize string
	self      string // this program
	set       dataSet
	asked     []asked // by the tool at a step of 5m
}

func (o options) measure(ctx context.Context, c *cluster.Cluster, set dataSet) (*results, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Its own copy: Prometheus writes a lock and a log beside the blocks.
	data := filepath.Join(c.Dir, fmt.Sprint("data-", set.containers))
	if err := os.CopyFS(data, os.DirFS(set.blocks())); err != nil {
		return nil, err
	}
	server, err := c.PrometheusWithoutTargets(ctx, fmt.Sprint("prometheus-", set.containers), data)
	if err != nil {
		return nil, err
	}
	defer server.Stop()
	l := &lab{group: c.Group(), rightsize: c.Rightsize, self: self, set: set}
	if err := l.record(ctx, server); err != nil {
		return nil, err
	}
	return o.inRounds(ctx, c, l, server)
}

// inRounds measures each way once a round, in the same order, until there are enough rounds or the time is over.
func (o options) inRounds(ctx context.Context, c *cluster.Cluster, l *lab, server *cluster.Server) (*results, error) {
	ways, begin := l.ways(), time.Now()
	r := &results{set: l.set, ways: ways, costs: make([][]cost, len(ways))}
	for ; r.rounds < o.rounds && (r.rounds == 0 || time.Since(begin) < o.budget); r.rounds++ {
		end := c.Task(fmt.Sprintf("round %d of %d, %d containers", r.rounds+1, o.rounds, l.set.containers))
		for i, w := range ways {
			got, err := once(ctx, w, server)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.name, err)
			}
			r.costs[i] = append(r.costs[i], got)
		}
		end()
	}
	return r, nil
}

// once measures one way. Prometheus is started anew before, so that its peak is this way's.
func once(ctx context.Context, w way, server *cluster.Server) (cost, error) {
	if !w.server {
		return w.run(ctx, "")
	}
	server.Stop()
	if err := server.Restart(ctx); err != nil {
		return cost{}, err
	}
	before, err := server.CPU()
	if err != nil {
		return cost{}, err
	}
	got, err := w.run(ctx, server.URL())
	if err != nil {
		return got, err
	}
	after, err := server.CPU()
	got.server, got.serverPeak = after-before, server.PeakMemory()
	return got.times(w.scale), err
}

// times is the cost of so many times as much. Memory does not grow.
func (c cost) times(n float64) cost {
	if n == 0 {
		return c
	}
	c.wall, c.server = time.Duration(float64(c.wall)*n), time.Duration(float64(c.server)*n)
	return c
}

func (l *lab) ways() []way {
	deployments := l.set.containers / perDeployment
	sample := min(krrSample, l.set.declared())
	return []way{
		{name: wayDecode, run: func(context.Context, string) (cost, error) {
			return l.command(exec.Command(l.self, decodeCommand, l.set.blocks()))
		}},
		{name: wayTSDB, run: func(context.Context, string) (cost, error) {
			return l.tool("--tsdb", l.set.blocks(), "--read", "auto")
		}},
		{name: wayRemote, server: true, run: func(_ context.Context, at string) (cost, error) {
			return l.tool("--prometheus-url", at, "--read", "remote")
		}},
		{name: wayQuery, server: true, run: func(_ context.Context, at string) (cost, error) {
			return l.tool("--prometheus-url", at, "--read", "query")
		}},
		{name: wayFetch, server: true, run: func(ctx context.Context, at string) (cost, error) {
			return timed(func() error { return replay(ctx, at, l.asked) })
		}},
		{name: wayHourly, server: true, run: func(_ context.Context, at string) (cost, error) {
			return l.tool("--prometheus-url", at, "--read", "query", "--step", "1h")
		}},
		{name: wayKRR, server: true, scale: float64(l.set.declared()) / float64(sample), run: func(ctx context.Context, at string) (cost, error) {
			return timed(func() error { return askAsKRR(ctx, at, deployments, sample) })
		}},
	}
}

// timed is the wall time of what this program does itself.
func timed(f func() error) (cost, error) {
	begin := time.Now()
	err := f()
	return cost{wall: time.Since(begin)}, err
}

// record has the tool read once through a proxy, to know what it asks for.
func (l *lab) record(_ context.Context, server *cluster.Server) error {
	r, err := record(server.URL())
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := l.tool("--prometheus-url", r.URL, "--read", "query"); err != nil {
		return err
	}
	l.asked = r.asked
	return nil
}

// tool runs the real binary. Its workloads come from manifests: KRR's come from the API server, which costs a Prometheus nothing
// either.
func (l *lab) tool(args ...string) (cost, error) {
	args = append([]string{"-A", "-f", l.set.manifests(), "--until", until().Format(time.RFC3339), "-o", "csv"}, args...)
	return l.command(exec.Command(l.rightsize, args...))
}

func (l *lab) command(cmd *exec.Cmd) (cost, error) {
	text := &tailWriter{}
	cmd.Stderr = text
	usage, err := l.group.Measure(cmd)
	if err == nil && usage.ExitCode != 0 {
		err = fmt.Errorf("%v: exit code %d: %s", cmd.Args, usage.ExitCode, text)
	}
	return cost{wall: usage.Wall, cpu: usage.CPU, memory: usage.PeakMemory, anonymous: usage.PeakAnonymous}, err
}

// tailWriter keeps the first part of what a command says.
type tailWriter struct{ text []byte }

// Write implements io.Writer.
func (w *tailWriter) Write(p []byte) (int, error) {
	const most = 2000
	w.text = append(w.text, p[:min(len(p), most-min(most, len(w.text)))]...)
	return len(p), nil
}

func (w *tailWriter) String() string { return string(w.text) }
