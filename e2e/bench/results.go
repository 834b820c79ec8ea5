package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// results are the costs of each way in each round.
type results struct {
	set    dataSet
	ways   []way
	costs  [][]cost // by way, then round
	rounds int
}

// median is the middle cost of a way in each figure by itself, the lower of two.
func (r *results) median(name string) cost {
	i := slices.IndexFunc(r.ways, func(w way) bool { return w.name == name })
	return cost{
		wall:       middle(r.costs[i], func(c cost) time.Duration { return c.wall }),
		cpu:        middle(r.costs[i], func(c cost) time.Duration { return c.cpu }),
		server:     middle(r.costs[i], func(c cost) time.Duration { return c.server }),
		memory:     middle(r.costs[i], func(c cost) int64 { return c.memory }),
		anonymous:  middle(r.costs[i], func(c cost) int64 { return c.anonymous }),
		serverPeak: middle(r.costs[i], func(c cost) int64 { return c.serverPeak }),
	}
}

func middle[T int64 | time.Duration](all []cost, of func(cost) T) T {
	var values []T
	for _, c := range all {
		values = append(values, of(c))
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

// write prints the tables of a data set in Markdown.
func (r *results) write(out io.Writer) {
	fmt.Fprintf(out, "\n### %d live containers\n\n", r.set.containers)
	fmt.Fprintf(out, "%d containers of pods in eight days, %d of workloads in manifests (`-f`); medians of %d. ", generations*r.set.containers, r.set.declared(), r.rounds)
	sample := min(krrSample, r.set.declared())
	fmt.Fprintf(out, "KRR's queries were made for %d of the %d containers, %d at a time, and wall and CPU scaled up.\n\n", sample, r.set.declared(), krrThreads)
	fmt.Fprintln(out, "| way | wall | / (a) | our CPU | our peak | without files | Prometheus's CPU | / (b) | Prometheus's peak |")
	fmt.Fprintln(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	floor, krr := r.median(wayDecode), r.median(wayKRR)
	for _, w := range r.ways {
		c := r.median(w.name)
		fmt.Fprintf(out, "| %s | %.1f s | %s | %s | %s | %s | %s | %s | %s |\n", w.name, c.wall.Seconds(), ratio(c.wall, floor.wall),
			seconds(c.cpu), mebibytes(c.memory), mebibytes(c.anonymous), seconds(c.server), ratio(c.server, krr.server), mebibytes(c.serverPeak))
	}
	r.writeGoals(out)
}

// goal is a ratio or an amount, and what it should be at most.
type goal struct {
	text      string
	got, most float64
	unit      string
}

func (r *results) writeGoals(out io.Writer) {
	fmt.Fprintln(out, "\n| goal | at most | got | |\n|---|--:|--:|---|")
	for _, g := range r.goals() {
		verdict := "reached"
		if g.got > g.most {
			verdict = "**missed**"
		}
		fmt.Fprintf(out, "| %s | %.3g%s | %.3g%s | %s |\n", g.text, g.most, g.unit, g.got, g.unit, verdict)
	}
}

func (r *results) goals() []goal {
	floor, remote, query, krr := r.median(wayDecode), r.median(wayRemote), r.median(wayQuery), r.median(wayKRR)
	most := 150.0
	if r.set.containers >= 10_000 {
		most = 200
	}
	return []goal{
		{"`--read remote`: wall / bare decode", share(remote.wall, floor.wall), 1.5, ""},
		{"`--read remote`: Prometheus's CPU / KRR's queries", share(remote.server, krr.server), 1.0 / 15, ""},
		{"`--tsdb`: wall / bare decode", share(r.median(wayTSDB).wall, floor.wall), 1.3, ""},
		{"`--read query` at 5m: wall / fetching to nowhere", share(query.wall, r.median(wayFetch).wall), 1.15, ""},
		{"`--read remote`: our peak", float64(remote.memory) / (1 << 20), most, " MiB"},
		{"... without pages of files", float64(remote.anonymous) / (1 << 20), most, " MiB"},
		{"`--read query`: our peak", float64(query.memory) / (1 << 20), most, " MiB"},
		{"Prometheus's peak: `--read remote` / `--read query --step 1h`", float64(remote.serverPeak) / float64(r.median(wayHourly).serverPeak), 1.25, ""},
	}
}

// writeGrowth compares each data set with the next larger one.
func writeGrowth(out io.Writer, all []*results) {
	for i := 1; i < len(all); i++ {
		fmt.Fprintf(out, "\nFrom %d to %d live containers (%.3g x), wall:", all[i-1].set.containers, all[i].set.containers,
			float64(all[i].set.containers)/float64(all[i-1].set.containers))
		for _, name := range []string{wayTSDB, wayRemote, wayQuery} {
			fmt.Fprintf(out, " %s %.2f x", name, share(all[i].median(name).wall, all[i-1].median(name).wall))
			if name != wayQuery {
				fmt.Fprint(out, ",")
			}
		}
		fmt.Fprintln(out, ".")
	}
}

func share(a, b time.Duration) float64 { return float64(a) / float64(b) }

func ratio(a, b time.Duration) string {
	if a == 0 || b == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", share(a, b))
}

func seconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func mebibytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
