package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rightsize/rightsize/doctor"
	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/promquery/remote"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

const doctorLong = `doctor looks at what a report would be made from, without making one: the server, its
version and kind, metrics and labels, how often is scraped, how far back usage goes, gaps,
duplicates, several clusters in one store, kube-state-metrics, remote read, and what may be
listed in the cluster. For each problem it says the one thing to do.

Exit codes: 0 nothing stands in the way, 3 a report would lack something or say something
that is not so (problem), 1 there would be none (failed), 2 wrong usage.`

const doctorExample = `  rightsize doctor                                    # the server that is found in the cluster
  rightsize doctor -n shop --prometheus-url https://prometheus.example.com
  rightsize doctor --window 30d -o json`

// doctorOptions are the flags that only doctor has.
type doctorOptions struct {
	write func(doctor.Report, io.Writer) error
}

func newDoctor(std streams) *cobra.Command {
	o := options{log: std.log}
	d := doctorOptions{write: doctor.Report.WriteTable}
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Check what a report would be made from, and say what to do",
		Long:    doctorLong,
		Example: doctorExample,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context(), &o, std) },
	}
	o.setDefaults()
	show := newFlagGroup("How to show it")
	show.VarP(value(&d.write, "FORMAT", parseDoctorOutput, nil), "output", "o", "table or json (default table)")
	groups := []flagGroup{show, o.usageFlags(), o.timeFlags(), o.log.flags(), o.kubeFlags()}
	for _, g := range groups {
		cmd.Flags().AddFlagSet(g.FlagSet)
	}
	setUsage(cmd, groups)
	return cmd
}

func parseDoctorOutput(s string) (func(doctor.Report, io.Writer) error, error) {
	switch s {
	case "table":
		return doctor.Report.WriteTable, nil
	case "json":
		return doctor.Report.WriteJSON, nil
	}
	return nil, errors.New("want table or json")
}

func (d *doctorOptions) run(ctx context.Context, o *options, std streams) error {
	if err := o.validate(nil); err != nil {
		return err
	}
	window := o.window
	if window.Until = o.until; window.Until.IsZero() {
		window.Until = time.Now()
	}
	if err := window.Validate(); err != nil {
		return usageError{err}
	}
	ctx, cancel := o.bounded(ctx)
	defer cancel()
	usage, err := o.openUsage(ctx, std)
	if err != nil {
		return late(ctx, err)
	}
	defer usage.close()
	report := doctor.Examine(ctx, o.patient(usage, window.Align()))
	if ctx.Err() != nil {
		return late(ctx, ctx.Err())
	}
	var text bytes.Buffer
	if err := d.write(report, &text); err != nil {
		return fmt.Errorf("writing the findings: %w", err)
	}
	if _, err := std.out.Write(text.Bytes()); err != nil {
		return fmt.Errorf("writing the findings: %w", err)
	}
	return verdict(report)
}

// verdict is the error that stands for what was found.
func verdict(r doctor.Report) error {
	switch r.Worst() {
	case doctor.Failed:
		return errors.New("there would be no report: see what failed")
	case doctor.Problem:
		return partialError{errors.New("a report would not be whole, or not right: see the problems")}
	}
	return nil
}

// patient is what there is to look at. Without --namespace that is all namespaces.
func (o *options) patient(u *usageSource, w recommender.Window) doctor.Patient {
	p := doctor.Patient{
		Address: u.described.Address, API: timed{u.api, o.queryTimeout, u.reader}, Window: w, Namespace: *o.kube.Namespace,
		Reach: func(ctx context.Context) error { return u.check(ctx, w.Until, o.queryTimeout) },
	}
	if u.http != nil {
		p.Flavour = func(ctx context.Context) (promquery.Flavour, bool, error) {
			ctx, cancel := context.WithTimeout(ctx, min(o.queryTimeout, checkTimeout))
			defer cancel()
			f, err := u.http.Flavour(ctx)
			return f, u.http.Sends(f.Backend), err
		}
		p.RemoteRead = func(ctx context.Context) error {
			return timed{timeout: min(o.queryTimeout, checkTimeout), reader: u.reader}.do(ctx, func(ctx context.Context) error {
				return remote.New(u.http).Probe(ctx, w.Until)
			})
		}
	}
	if o.hasCluster() {
		p.Denied = o.denied
	}
	return p
}

func (o *options) denied(ctx context.Context) (workloads, around []string, err error) {
	client, err := o.clusterClient()
	if err != nil {
		return nil, nil, err
	}
	workloads, around, err = workload.Denied(ctx, client, *o.kube.Namespace)
	return workloads, around, o.clusterError(err)
}
