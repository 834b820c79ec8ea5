package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/rightsize/rightsize/policy"
	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/workload"
)

// options are what the flags say. Rules and policy are texts until resolved together.
type options struct {
	log *logs

	kube           *genericclioptions.ConfigFlags
	requestTimeout string
	allNamespaces  bool
	selector       labels.Selector
	containers     []string
	system         bool
	files          []string
	recursive      bool
	fromMetrics    bool

	prometheusURL    string
	prometheusConfig string
	headers          []string
	queryTimeout     time.Duration
	read             readMode
	concurrency      int
	qps              float64
	maxSamples       int
	timeout          time.Duration
	plan             bool
	tsdbDir          string
	backend          backendOptions
	watch            watch
	discreet         bool // the report names no namespace but those that it is about

	policyFile *policy.File    // nil without --config
	settings   policy.Settings // that the flags change
	hpa        recommender.HPAMode

	window recommender.Window
	until  time.Time

	format  report.Format
	slack   slackOptions
	view    viewOptions
	money   moneyOptions
	heldOut bool // whether limits are held against days that they were not learnt from
	gate    []report.Condition
}

// pageTimeout is how long the API server may take for a page of 500 objects: kubectl's own default of 0 would
// wait for ever. The server itself gives up after a minute (--request-timeout of kube-apiserver).
const pageTimeout = "70s"

// flagGroup is some flags that help shows under a heading of their own.
type flagGroup struct {
	title string
	*pflag.FlagSet
}

func newFlagGroup(title string) flagGroup {
	flags := pflag.NewFlagSet(title, pflag.ContinueOnError)
	flags.SortFlags = false
	return flagGroup{title, flags}
}

// flagGroups are all flags of the report, in the order in which help shows them. They set o.
func (o *options) flagGroups() []flagGroup {
	return []flagGroup{o.whereFlags(), o.usageFlags(), o.ruleFlags(), o.timeFlags(), o.outputFlags(), o.view.flags(), o.money.flags(), o.gateFlags(), o.slack.flags(), o.log.flags(), o.kubeFlags()}
}

func (o *options) setDefaults() {
	o.kube = genericclioptions.NewConfigFlags(true)
	o.kube.Timeout = nil // ours, since client-go overlooks that it runs in a pod where kubectl's has a value
	o.selector = labels.Everything()
	o.format = report.Formats()[0]
	o.window = recommender.Window{Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
	o.queryTimeout = promquery.DefaultRequestTimeout
	o.read, o.concurrency = readQuery, defaultConcurrency
	o.timeout = defaultTimeout
	o.view.min = recommender.DefaultSignificance()
}

func (o *options) whereFlags() flagGroup {
	in := newFlagGroup("Which workloads")
	in.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "all namespaces, whatever --namespace says")
	in.VarP(value(&o.selector, "LABELS", parseLabels, labels.Selector.String), "selector", "l", "only workloads with these labels: team=web,tier!=cache")
	in.BoolVar(&o.system, "system", false, "the system's workloads too: in kube- namespaces that are not named, or of a system- priority class")
	in.StringSliceVar(&o.containers, "container", nil, "only containers of this `NAME`; may be repeated")
	in.StringArrayVarP(&o.files, "filename", "f", nil, "read workloads from manifests instead of a cluster: a `FILE`, a folder, a kustomization, or - for stdin; may be repeated")
	in.BoolVar(&o.fromMetrics, "from-metrics", false, "read workloads from kube-state-metrics' series instead of a cluster: those that had pods in the window")
	in.BoolVarP(&o.recursive, "recursive", "R", false, "with -f: folders and all that is in them")
	return in
}

func (o *options) usageFlags() flagGroup {
	from := newFlagGroup("Where usage comes from")
	from.StringVar(&o.prometheusURL, "prometheus-url", "", "`URL` of anything that answers Prometheus's query API (PROMETHEUS_URL)")
	from.StringVar(&o.prometheusConfig, "prometheus-config", "", "HTTP client configuration `FILE` for it, as promtool's --http.config.file: TLS, basic, bearer, OAuth 2; and sigv4 for AWS")
	from.StringArrayVar(&o.headers, "header", nil, "header to send to it, as `'NAME: VALUE'`; may be repeated")
	o.backend.addTo(from.FlagSet)
	from.Var(duration(&o.queryTimeout), "query-timeout", "how long one request to it may take")
	from.Var(duration(&o.timeout), "timeout", "how long listing and reading may take; what is not read by then has failed")
	from.Var(value(&o.maxSamples, "N", parseSamples, nil), "max-samples-per-query", fmt.Sprintf("about how many samples one request may return (default %d, and %d of raw samples)", promquery.SamplesPerRequest, promquery.SamplesPerRawRequest))
	from.Var(value(&o.concurrency, "N", parseConcurrency, strconv.Itoa), "concurrency", "how many requests to it at once")
	from.Var(value(&o.qps, "N", parseQPS, nil), "qps", "how many requests to it a second at most")
	from.Var(o.readFlag(), "read", "query: at the points of a grid; remote: every sample, by remote read; auto: every sample where that can be had")
	from.StringVar(&o.tsdbDir, "tsdb", "", "read the data folder of a Prometheus, or a snapshot of it, in `DIR` instead")
	return from
}

func (o *options) ruleFlags() flagGroup {
	defaults := recommender.DefaultPolicy()
	what := newFlagGroup("What to recommend")
	what.Var(value(&o.policyFile, "FILE", readPolicyFile, nil), "config", "policy file: rules, guards, floors and ceilings by namespace, kind, name and label; flags win over it (docs/policy.md)")
	what.Var(value(&o.settings.Base, "NAME", parsePolicy, nil), "policy", "named set of rules and guards: "+policyNames()+" (default "+defaults.Name+")")
	for r := range recommender.NumResources {
		sizes := &o.settings.Sizes[r]
		what.Var(rule(&sizes.Request), r.String()+"-request", "`RULE` for the "+r.String()+" request (default "+defaults.Rules[r].Request.String()+")")
		what.Var(rule(&sizes.Limit), r.String()+"-limit", "`RULE` for the "+r.String()+" limit (default "+defaults.Rules[r].Limit.String()+")")
	}
	what.Var(value(&o.settings.Guards, "GUARDS", parseGuards, nil), "guards", "all, none, or names with commas between them (default all)")
	what.Var(value(&o.hpa, "MODE", recommender.ParseHPAMode, recommender.HPAMode.String), "hpa", "what to do about requests that a HorizontalPodAutoscaler scales on: keep, retarget (change the autoscaler with them), or ignore")
	what.Var(value(&o.settings.MinCoverage, "DURATION", parseMinCoverage, nil), "min-coverage", "how much of the window must have samples before anything is recommended (default "+recommender.ShortDuration(defaults.MinCoverage)+")")
	return what
}

func (o *options) timeFlags() flagGroup {
	when := newFlagGroup("When")
	when.Var(duration(&o.window.Length), "window", "how far back to read")
	when.Var(duration(&o.window.Step), "step", "time between the points of the grid that usage is sampled at")
	when.Var(duration(&o.window.RateWindow), "rate-window", "time that each CPU rate is taken over")
	when.Var(value(&o.until, "TIME", parseTime, formatTime), "until", "end of the window as RFC 3339, 2026-02-02T00:00:00Z (default now)")
	return when
}

func (o *options) outputFlags() flagGroup {
	show := newFlagGroup("How to show it")
	show.VarP(value(&o.format, "FORMAT", parseOutput, func(f report.Format) string { return f.Name }), "output", "o", strings.Join(outputs(), ", "))
	o.heldOutFlag(show)
	show.BoolVar(&o.plan, "plan", false, "print how many requests, series and samples reading would take, and read no usage")
	return show
}

// kubeFlags are kubectl's own flags and their precedence, without those that only its own commands need.
func (o *options) kubeFlags() flagGroup {
	o.kube.CacheDir = nil
	o.kube.DisableCompression = nil
	flags := newFlagGroup("The cluster, as kubectl takes it")
	flags.SortFlags = true
	o.kube.AddFlags(flags.FlagSet)
	flags.StringVar(&o.requestTimeout, "request-timeout", pageTimeout, "The length of time to wait before giving up on a single server request. Non-zero values should contain a corresponding time unit (e.g. 1s, 2m, 3h). A value of zero means don't timeout requests.")
	return flags
}

func policyNames() string {
	var names []string
	for _, p := range recommender.Policies() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// typed is a flag of any type that can be parsed; its text is kept as it was given.
type typed[T any] struct {
	to    *T
	name  string
	parse func(string) (T, error)
	text  func(T) string
}

// value is a flag that parse reads into to. Without text, help shows no default.
func value[T any](to *T, name string, parse func(string) (T, error), text func(T) string) pflag.Value {
	return &typed[T]{to, name, parse, text}
}

func (t *typed[T]) Set(s string) error {
	v, err := t.parse(s)
	if err != nil {
		return invalidValue{err}
	}
	*t.to = v
	return nil
}

func (t *typed[T]) Type() string { return t.name }

func (t *typed[T]) String() string {
	if t.text == nil || t.to == nil {
		return ""
	}
	return t.text(*t.to)
}

// invalidValue marks the end of the chain that flagError unwraps: what is in it is meant to be read.
type invalidValue struct{ err error }

func (e invalidValue) Error() string { return e.err.Error() }

func duration(to *time.Duration) pflag.Value {
	return value(to, "DURATION", policy.ParseDuration, recommender.ShortDuration)
}

// kustomizeOutput is the one output that needs to know where containers stand in their objects.
const kustomizeOutput = "kustomize"

// outputs are what --output takes.
func outputs() []string { return append(report.Names(), kustomizeOutput) }

func parseOutput(s string) (report.Format, error) {
	if f, ok := report.Lookup(s); ok || s == kustomizeOutput {
		f.Name = s
		return f, nil
	}
	names := outputs()
	last := len(names) - 1
	return report.Format{}, fmt.Errorf("want %s or %s", strings.Join(names[:last], ", "), names[last])
}

func parseLabels(s string) (labels.Selector, error) { return labels.Parse(s) }

func rule(to **recommender.Rule) pflag.Value {
	return value(to, "RULE", func(s string) (*recommender.Rule, error) {
		r, err := recommender.ParseRule(s)
		return &r, err
	}, nil)
}

func parseGuards(s string) (*[]recommender.Guard, error) {
	guards, err := recommender.ParseGuards(s)
	return &guards, err
}

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Unix() <= 0 {
		return time.Time{}, errors.New("want a time after 1970 as RFC 3339, such as 2026-02-02T00:00:00Z")
	}
	return t, nil
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// validate looks at what no flag can check by itself, before anything is read.
func (o *options) validate(args []string) error {
	for _, arg := range args {
		if err := workload.CheckRef(arg); err != nil {
			return usageError{err}
		}
	}
	for name, values := range map[string][]string{"--container": o.containers, "--filename": o.files} {
		if slices.Contains(values, "") || values != nil && len(values) == 0 {
			return usagef("invalid %s \"\": want a name", name)
		}
	}
	if err := o.view.validate(); err != nil {
		return err
	}
	if err := o.money.validate(); err != nil {
		return err
	}
	switch {
	case o.recursive && len(o.files) == 0:
		return usagef("--recursive goes with --filename")
	case o.fromMetrics && len(o.files) > 0:
		return usagef("--from-metrics and --filename exclude each other: give one of them")
	case o.fromMetrics && !o.selector.Empty():
		return usagef("--selector does not go with --from-metrics: kube-state-metrics does not tell labels, unless it is asked to")
	case o.fromMetrics && o.format.Name == kustomizeOutput:
		return usagef("-o kustomize does not go with --from-metrics, which does not tell what is declared where: read workloads from a cluster or with -f")
	}
	if _, err := clientcmd.ParseTimeout(o.requestTimeout); err != nil {
		return usagef("invalid --request-timeout %q: want seconds, or a duration such as 30s or 2m", o.requestTimeout)
	}
	return nil
}

// grid is the window that is asked for, aligned. now stands in for --until.
func (o *options) grid(p recommender.Policy, now time.Time) (recommender.Window, error) {
	w := o.window
	w.Until = o.until
	if w.Until.IsZero() {
		w.Until = now
	}
	if err := w.Validate(); err != nil {
		return w, usageError{err}
	}
	if p.CoverageBelow(w) {
		return w, usagef("--window %s is shorter than --min-coverage %s, so nothing could be recommended: make one longer or the other shorter",
			recommender.ShortDuration(w.Length), recommender.ShortDuration(p.MinCoverage))
	}
	return w.Align(), nil
}
