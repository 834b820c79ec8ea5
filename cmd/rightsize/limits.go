package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

// defaultTimeout lets a run end with what it has before the CronJob of deploy/ is stopped, after half an hour.
const defaultTimeout = 25 * time.Minute

// timeoutError says that a run has taken as long as it may.
type timeoutError time.Duration

func (e timeoutError) Error() string {
	return fmt.Sprintf("not read within --timeout %s: read less, or give it longer", recommender.ShortDuration(time.Duration(e)))
}

// Is makes it recognisable as a deadline.
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// bounded is a context that ends when the run has taken as long as it may.
func (o *options) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, o.timeout, timeoutError(o.timeout))
}

// late is the error of a run whose time is over, instead of the one that this led to.
func late(ctx context.Context, err error) error {
	var over timeoutError
	if err != nil && errors.As(context.Cause(ctx), &over) && !errors.As(err, &over) {
		return fmt.Errorf("%w (%w)", over, err)
	}
	return err
}

// The samples that a query may be told to return: a container's hour at least, and what a Prometheus evaluates at most,
// by default (--query.max-samples).
const (
	leastSamples = 1000
	mostSamples  = 50_000_000
)

func parseSamples(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < leastSamples || n > mostSamples {
		return 0, fmt.Errorf("want a whole number from %d to %d, which is what a Prometheus holds for a query", leastSamples, mostSamples)
	}
	return n, nil
}

// printPlan prints what reading would take, without reading any usage.
func (o *options) printPlan(ctx context.Context, std streams, args []string) error {
	if o.format.Name != report.Formats()[0].Name || len(o.gate) > 0 || o.slack.on != slackOff || o.slack.dryRun {
		return usagef("--plan prints a table of its own and reads no usage: leave out --output, --fail-on and --slack")
	}
	ctx, cancel := o.bounded(ctx)
	defer cancel()
	prepared, err := o.prepare(ctx, std, args)
	if err != nil {
		return err
	}
	defer prepared.usage.close()
	if err := prepared.connect(ctx, std, o.queryTimeout); err != nil {
		return late(ctx, err)
	}
	if prepared.note != "" {
		std.log.warn(prepared.note)
	}
	all, err := scan.Expect(ctx, prepared.usage.reader, prepared.plan)
	if err != nil {
		return late(ctx, err)
	}
	return o.writePlan(std.out, all, prepared)
}

func (o *options) writePlan(out io.Writer, all []scan.Expectation, p prepared) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tCONTAINERS\tPODS\tSERIES\tREQUESTS\tSAMPLES")
	total := scan.Expectation{Namespace: "total"}
	for _, e := range all {
		writeExpectation(w, e)
		total.Containers += e.Containers
		total.Pods += e.Pods
		total.Series += e.Series
		total.Requests += e.Requests
		total.Samples += e.Samples
	}
	if len(all) > 1 {
		writeExpectation(w, total)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nReading %s from %s by %s takes about %s, %d at a time, for about %d samples. Nothing but labels and counts was read.\n",
		recommender.ShortDuration(p.plan.Window.Length), p.usage.described.Address, p.usage.described.Read,
		recommender.Count(total.Requests, "request"), o.concurrency, total.Samples)
	return err
}

func writeExpectation(w io.Writer, e scan.Expectation) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\n", e.Namespace, e.Containers, e.Pods, e.Series, e.Requests, e.Samples)
}
