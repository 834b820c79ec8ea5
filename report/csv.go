package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// csvColumns are an API, as the fields of the JSON report are: new ones come at the end. Amounts are in
// cores or bytes. A bound is empty where it is unset or has no advice: status and notes tell which.
func csvColumns() []string {
	return []string{
		"namespace", "kind", "workload", "container", "resource", "replicas", "status",
		"request_now", "request_formula", "request", "limit_now", "limit_formula", "limit",
		"mean", "p50", "p90", "p95", "p99", "peak", "samples", "coverage_seconds", "pods", "notes", "error", "severity",
		"restarts", "throttled_share", "qos_now", "qos_after", "policy_rule", "init",
	}
}

func writeCSV(w io.Writer, r Report, _ Options) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvColumns()); err != nil {
		return err
	}
	for _, item := range r.Shown() {
		for _, res := range r.View.Resources() {
			if err := out.Write(csvRow(item, res, r.Least)); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func csvRow(item scan.Item, r recommender.Resource, least recommender.Significance) []string {
	spec, advice, e := item.Spec[r], item.Advice[r], item.Evidence[r]
	row := []string{
		item.ID.Namespace, item.ID.Kind, item.ID.Workload, item.ID.Container, r.String(),
		strconv.Itoa(Replicas(item)), string(StatusOf(item, r)),
	}
	for _, v := range []recommender.Value{
		spec.Request, advice.Formula.Request, advice.Bounds.Request,
		spec.Limit, advice.Formula.Limit, advice.Bounds.Limit,
	} {
		row = append(row, csvValue(v))
	}
	for _, x := range []float64{e.Mean, e.P50, e.P90, e.P95, e.P99, e.Peak.Value} {
		row = append(row, csvMeasured(e, x))
	}
	var notes []string
	for _, n := range advice.Notes {
		notes = append(notes, n.Code+": "+n.Text)
	}
	row = append(row, strconv.Itoa(e.Samples), strconv.Itoa(int(e.Covered.Seconds())), strconv.Itoa(e.Pods), strings.Join(notes, "; "))
	failed := ""
	if item.Err != nil {
		failed = recommender.Printable(item.Err.Error())
	}
	row = append(row, failed, strconv.Itoa(wholeSeverity(Severity(item, r, least))))
	row = append(row, csvStability(item, r)...)
	rule := ""
	if item.Policy != nil {
		rule = item.Policy.Rule
	}
	return append(row, string(item.QoS.Now), string(item.QoS.After), rule, strconv.FormatBool(item.Init))
}

// csvStability is empty where nobody counted, and for what only CPU has.
func csvStability(item scan.Item, r recommender.Resource) []string {
	restarts, throttled := "", ""
	if item.Restarts != nil {
		restarts = strconv.Itoa(*item.Restarts)
	}
	if share, ok := throttledShare(item, r); ok {
		throttled = csvNumber(share)
	}
	return []string{restarts, throttled}
}

func csvValue(v recommender.Value) string {
	if amount, ok := v.Amount(); ok {
		return csvNumber(amount)
	}
	return ""
}

// csvMeasured is empty where nothing was measured: 0 would be a measurement.
func csvMeasured(e recommender.Evidence, x float64) string {
	if e.Samples == 0 {
		return ""
	}
	return csvNumber(x)
}

func csvNumber(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
