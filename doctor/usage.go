package doctor

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
)

// names are the labels that hold the workload's namespace, pod and container.
type names struct{ namespace, pod, container string }

var (
	plain    = names{"namespace", "pod", "container"}
	exported = names{"exported_namespace", "exported_pod", "exported_container"} // scraped without honor_labels
)

// selector is of all containers of a namespace, or of all namespaces with "".
func (n names) selector(metric, namespace string) string {
	is := `!=""`
	if namespace != "" {
		is = "=" + strconv.Quote(namespace)
	}
	return fmt.Sprintf(`%s{%s%s,%s!="",%s!="",%[5]s!="POD"}`, metric, n.namespace, is, n.pod, n.container)
}

func (n names) by() string { return n.namespace + ", " + n.pod + ", " + n.container }

// number is the value of a query that gives one number; 0 where it gives nothing.
func (e *examination) number(ctx context.Context, query string) (float64, error) {
	vector, err := e.vector(ctx, query)
	if err != nil || len(vector) == 0 {
		return 0, err
	}
	return float64(vector[0].Value), nil
}

func (e *examination) vector(ctx context.Context, query string) (model.Vector, error) {
	value, _, _, err := e.API.Query(ctx, query, e.Window.Until)
	if err != nil {
		return nil, err
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("the server answered %T to %s", value, query)
	}
	return vector, nil
}

// The metrics that are not usage itself.
const (
	periodsMetric   = "container_cpu_cfs_periods_total"
	throttledMetric = "container_cpu_cfs_throttled_periods_total"
)

// metrics says whether there is usage at all at the window's end, or was within it.
func (e *examination) metrics(ctx context.Context) bool {
	const name = "metrics"
	all := []string{promquery.MemoryMetric, promquery.CPUMetric, periodsMetric, throttledMetric}
	seen, err := e.present(ctx, all)
	if err != nil {
		e.broken(name, err)
		return false
	}
	var needed, other []string
	for i, metric := range all {
		switch {
		case seen[metric]:
		case i < 2:
			needed = append(needed, metric)
		default:
			other = append(other, metric)
		}
	}
	at := e.Window.Until.UTC().Format(time.RFC3339)
	switch {
	case len(needed) > 0:
		e.add(name, Failed, fmt.Sprintf("no %s in the two hours up to %s", join(needed), at),
			"scrape the kubelets' /metrics/cadvisor, or give --until a time that has data, or --tenant or --cluster-label those that have them")
	case len(other) > 0:
		e.add(name, Note, "memory and CPU are there; no "+join(other)+", so throttling is not known", "")
	default:
		e.add(name, OK, "memory, CPU and throttling are there", "")
	}
	return len(needed) == 0
}

// present says which of some metrics had samples in the last hours of the window.
func (e *examination) present(ctx context.Context, metrics []string) (map[string]bool, error) {
	seen := map[string]bool{}
	for _, metric := range metrics {
		sets, _, _, err := e.API.Series(ctx, []string{metric}, e.Window.Until.Add(-2*time.Hour), e.Window.Until, v1.WithLimit(1))
		if err != nil {
			return nil, err
		}
		seen[metric] = len(sets) > 0
	}
	return seen, nil
}

// labels finds the labels that tell whose usage a series is.
func (e *examination) labels(ctx context.Context) bool {
	const name = "labels"
	for _, n := range []names{plain, exported} {
		usage := n.selector(promquery.MemoryMetric, e.Namespace)
		count, err := e.number(ctx, "count("+usage+")")
		if err != nil {
			e.broken(name, err)
			return false
		}
		if count == 0 {
			continue
		}
		e.names, e.usage = n, usage
		if n == exported {
			e.add(name, Note, "workloads are named by exported_ labels, since honor_labels is off where the kubelets are scraped; that is understood", "")
		} else {
			e.add(name, OK, fmt.Sprintf("namespace, pod and container of %d series", int(count)), "")
		}
		return true
	}
	e.explainLabels(ctx, name)
	return false
}

// explainLabels says what there is instead.
func (e *examination) explainLabels(ctx context.Context, name string) {
	others, err := e.number(ctx, "count("+plain.selector(promquery.MemoryMetric, "")+")")
	if err != nil {
		e.broken(name, err)
		return
	}
	if others > 0 {
		e.add(name, Failed, "no container of namespace "+e.Namespace+" has usage, those of others have", "correct --namespace, or --cluster-label")
		return
	}
	one, err := e.vector(ctx, "topk(1, "+promquery.MemoryMetric+")")
	if err != nil || len(one) == 0 {
		e.add(name, Failed, "no series has the labels namespace, pod and container at the window's end", "give --until a time that has data")
		return
	}
	if renames := guess(one[0].Metric); renames != "" {
		e.add(name, Failed, "no series has the labels namespace, pod and container; one has "+labelNames(one[0].Metric), "give "+renames)
		return
	}
	e.add(name, Failed, "no series has the labels namespace, pod and container; one has "+labelNames(one[0].Metric),
		"scrape the kubelets' /metrics/cadvisor without dropping labels, or say with --label what they are called")
}

// guess finds labels that end in the words that ours are.
func guess(metric model.Metric) string {
	var flags []string
	for _, ours := range []string{"namespace", "pod", "container"} {
		if metric[model.LabelName(ours)] != "" {
			continue
		}
		for _, theirs := range slices.Sorted(maps.Keys(metric)) {
			if s := string(theirs); s != ours && (strings.HasSuffix(s, "_"+ours) || strings.HasSuffix(s, ours+"_name")) {
				flags = append(flags, "--label "+ours+"="+s)
				break
			}
		}
	}
	return strings.Join(flags, " ")
}

func labelNames(metric model.Metric) string {
	var list []string
	for _, n := range slices.Sorted(maps.Keys(metric)) {
		if n != model.MetricNameLabel {
			list = append(list, string(n))
		}
	}
	return join(list)
}

// intervalRange is the time that scrapes are counted in.
const intervalRange = 30 * time.Minute

// interval is about how often the kubelets are scraped, from how many samples most series have.
func (e *examination) interval(ctx context.Context) {
	const name = "scrape interval"
	count, err := e.number(ctx, fmt.Sprintf("quantile(0.5, count_over_time(%s[30m]))", e.usage))
	switch {
	case err != nil:
		e.broken(name, err)
		return
	case count < 1:
		e.add(name, Problem, "nothing was scraped in the last half an hour of the window", "give --until a time that has data")
		return
	}
	interval := (intervalRange / time.Duration(math.Round(count))).Round(time.Second)
	found := "about " + recommender.ShortDuration(interval)
	rate := e.Window.RateWindow
	switch {
	case rate < 2*interval:
		e.add(name, Problem, fmt.Sprintf("%s, so that a --rate-window of %s holds fewer than two samples", found, recommender.ShortDuration(rate)),
			"give --rate-window "+recommender.ShortDuration(4*interval))
	case e.Window.Step < interval:
		e.add(name, Note, fmt.Sprintf("%s, which is longer than --step %s: samples are repeated", found, recommender.ShortDuration(e.Window.Step)), "")
	default:
		e.add(name, OK, found, "")
	}
}

// history looks at what there is of the window, hour by hour: its beginning, its end, and what lacks in between.
func (e *examination) history(ctx context.Context) {
	first, step, points := e.hours()
	value, _, _, err := e.API.QueryRange(ctx, "count("+e.usage+")", v1.Range{Start: first, End: e.Window.Until, Step: step})
	if err != nil {
		e.broken("retention", err)
		return
	}
	matrix, ok := value.(model.Matrix)
	if !ok || len(matrix) == 0 {
		e.add("retention", Failed, "there is no usage in the window", "give --until a time that has data")
		return
	}
	seen := make([]bool, points)
	for _, s := range matrix[0].Values {
		if i := int(s.Timestamp.Time().Sub(first) / step); 0 <= i && i < points {
			seen[i] = true
		}
	}
	begin := slices.Index(seen, true)
	e.retention(first.Add(time.Duration(begin)*step), begin == 0)
	e.gaps(seen[begin:], first.Add(time.Duration(begin)*step), step)
}

// hours are the points that are looked at: the window's hours, or fewer where it is long.
func (e *examination) hours() (first time.Time, step time.Duration, points int) {
	const most = 1000
	step = min(time.Hour, e.Window.Length)
	for e.Window.Length/step > most {
		step *= 2
	}
	points = int(e.Window.Length / step)
	return e.Window.Until.Add(-time.Duration(points-1) * step), step, points
}

func (e *examination) retention(oldest time.Time, whole bool) {
	const name = "retention"
	window := recommender.ShortDuration(e.Window.Length)
	if whole {
		e.add(name, OK, "usage goes back over the "+window+" of the window", "")
		return
	}
	have := e.Window.Until.Sub(oldest)
	text := fmt.Sprintf("usage begins at %s, %s into the window of %s", oldest.UTC().Format(time.RFC3339), recommender.ShortDuration(oldest.Sub(e.Window.Start()).Truncate(time.Minute)), window)
	e.add(name, Problem, text, fmt.Sprintf("wait, or give --window %s; a Prometheus keeps as much as --storage.tsdb.retention.time says",
		recommender.ShortDuration(max(have.Truncate(time.Hour), time.Hour))))
}

// gap is time without any usage.
type gap struct{ from, to time.Time }

func (e *examination) gaps(seen []bool, first time.Time, step time.Duration) {
	const name = "gaps"
	var list []gap
	for i := 0; i < len(seen); i++ {
		begin := i
		for i < len(seen) && !seen[i] {
			i++
		}
		if i > begin {
			list = append(list, gap{first.Add(time.Duration(begin) * step), first.Add(time.Duration(i-1) * step)})
		}
	}
	if len(list) == 0 {
		e.add(name, OK, "none in looking every "+recommender.ShortDuration(step), "")
		return
	}
	var texts []string
	const most = 3
	for _, g := range list[:min(most, len(list))] {
		texts = append(texts, g.String())
	}
	if len(list) > most {
		texts = append(texts, fmt.Sprintf("and %d more", len(list)-most))
	}
	do := "find out why nothing was scraped then: a report counts what was seen alone"
	if last := list[len(list)-1]; last.to.Equal(e.Window.Until) {
		do = "give --until " + last.from.Add(-step).UTC().Format(time.RFC3339) + ", or find out why nothing is scraped any more"
	}
	e.add(name, Problem, "no usage at all "+strings.Join(texts, ", "), do)
}

func (g gap) String() string {
	if g.from.Equal(g.to) {
		return "at " + g.from.UTC().Format(time.RFC3339)
	}
	return "from " + g.from.UTC().Format(time.RFC3339) + " to " + g.to.UTC().Format(time.RFC3339)
}

func join(list []string) string { return strings.Join(list, ", ") }
