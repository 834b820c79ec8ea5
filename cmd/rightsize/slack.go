package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/rightsize/rightsize/notify"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/workload"
)

// slackOptions are what the flags say of posting. None of them takes a secret itself: arguments are seen by
// everybody on the machine.
type slackOptions struct {
	on             slackSwitch
	dryRun         bool
	webhookFile    string
	tokenFile      string
	channel        string
	apiURL         string
	state          string
	stateNamespace string

	notifier notify.Notifier // set by validate
}

// slackSwitch is --slack. A value that is no boolean is kept for validate to refuse, since pflag would quote it,
// and it may be the webhook's URL.
type slackSwitch string

const (
	slackOff   slackSwitch = ""
	slackOn    slackSwitch = "true"
	slackWrong slackSwitch = "wrong"
)

func parseSwitch(text string) (slackSwitch, error) {
	switch strings.ToLower(text) {
	case "true", "1":
		return slackOn, nil
	case "false", "0":
		return slackOff, nil
	default:
		return slackWrong, nil
	}
}

// The environment variables that stand in for the files.
const (
	webhookEnv = "SLACK_WEBHOOK_URL"
	tokenEnv   = "SLACK_BOT_TOKEN"
)

func (s *slackOptions) flags() flagGroup {
	post := newFlagGroup("Posting to Slack")
	post.Var(value(&s.on, "bool", parseSwitch, nil), "slack", "post a summary, by a webhook ("+webhookEnv+") or as a bot ("+tokenEnv+")")
	post.Lookup("slack").NoOptDefVal = string(slackOn)
	post.StringVar(&s.webhookFile, "slack-webhook-file", "", "`FILE` with the webhook's URL, instead of "+webhookEnv)
	post.StringVar(&s.tokenFile, "slack-token-file", "", "`FILE` with the bot's token, instead of "+tokenEnv)
	post.StringVar(&s.channel, "slack-channel", "", "where the bot posts, with the report's files in the thread: a `NAME` or an ID")
	post.StringVar(&s.apiURL, "slack-api-url", "", "`URL` of Slack's Web API for the bot, where it is not Slack's own: https://slack-gov.com/api/")
	post.BoolVar(&s.dryRun, "slack-dry-run", false, "print the message's payload instead of the report, and post nothing")
	post.StringVar(&s.state, "state", "", "compare with what was posted last, kept in `FILE|configmap/NAME`")
	post.StringVar(&s.stateNamespace, "state-namespace", "", "`NAMESPACE` of that ConfigMap (default the pod's own, or the context's)")
	return post
}

// validate reads the credentials, so that what is wrong with them is said before anything else is read.
func (s *slackOptions) validate(args []string) error {
	if err := s.noSecretGiven(args); err != nil {
		return err
	}
	if s.on == slackWrong {
		return usagef("invalid --slack: it takes no value")
	}
	if s.on == slackOff && !s.dryRun {
		return s.unused()
	}
	if err := s.validateState(); err != nil || s.dryRun {
		return err
	}
	notifier, err := s.open()
	s.notifier = notifier
	return err
}

// noSecretGiven refuses what looks like a secret wherever an error might quote it.
func (s *slackOptions) noSecretGiven(args []string) error {
	for name, text := range map[string]string{
		"--slack-webhook-file": s.webhookFile, "--slack-token-file": s.tokenFile, "--slack-channel": s.channel,
		"--slack-api-url": s.apiURL, "--state": s.state, "an argument": strings.Join(args, " "),
	} {
		if slackSecret().MatchString(text) || strings.Contains(text, "hooks.slack") {
			return usagef("%s looks like a Slack webhook's URL or a token, which everybody on this machine can now see: make a new one, and give it in %s, %s or a file", name, webhookEnv, tokenEnv)
		}
	}
	return nil
}

// slackSecret is how webhooks' URLs and tokens look.
func slackSecret() *regexp.Regexp {
	return regexp.MustCompile(`[^\s"]*/services/T[A-Z0-9]+/B[A-Z0-9]+/[^\s"]*|\bxox[a-z]-[^\s",]+`)
}

// unused refuses flags that would do nothing.
func (s *slackOptions) unused() error {
	for _, f := range []struct{ name, text string }{
		{"--slack-webhook-file", s.webhookFile},
		{"--slack-token-file", s.tokenFile},
		{"--slack-channel", s.channel},
		{"--slack-api-url", s.apiURL},
		{"--state", s.state},
		{"--state-namespace", s.stateNamespace},
	} {
		if f.text != "" {
			return usagef("%s goes with --slack", f.name)
		}
	}
	return nil
}

func (s *slackOptions) validateState() error {
	name, isConfigMap := s.configMap()
	if kind, _, ok := strings.Cut(strings.ToLower(s.state), "/"); ok && !isConfigMap && slices.Contains([]string{"cm", "configmap", "configmaps"}, kind) {
		return usagef("invalid --state %q: write configmap/NAME for a ConfigMap, or ./%[1]s for a file", s.state)
	}
	if s.stateNamespace != "" && !isConfigMap {
		return usagef("--state-namespace goes with --state configmap/NAME")
	}
	if isConfigMap && len(validation.IsDNS1123Subdomain(name)) > 0 {
		return usagef("invalid --state %q: want a file, or configmap/NAME with the name of a ConfigMap", s.state)
	}
	return nil
}

func (s *slackOptions) configMap() (name string, ok bool) {
	return strings.CutPrefix(s.state, "configmap/")
}

// open makes the notifier that the credentials are for.
func (s *slackOptions) open() (notify.Notifier, error) {
	webhook, err := readCredential("--slack-webhook-file", s.webhookFile, webhookEnv)
	if err != nil {
		return nil, err
	}
	token, err := readCredential("--slack-token-file", s.tokenFile, tokenEnv)
	if err != nil {
		return nil, err
	}
	o := notify.Options{UserAgent: "rightsize/" + version(), APIURL: s.apiURL}
	switch {
	case webhook.from != "" && token.from != "":
		return nil, usagef("%s and %s are both set: unset the one that is not to be posted by", webhook.from, token.from)
	case webhook.from != "":
		return s.openWebhook(webhook, o)
	case token.from != "":
		return s.openBot(token, o)
	default:
		return nil, usagef("what is --slack to post by? Set %s (or --slack-webhook-file) for a webhook, or %s (or --slack-token-file) and --slack-channel for a bot", webhookEnv, tokenEnv)
	}
}

func (s *slackOptions) openWebhook(c credential, o notify.Options) (notify.Notifier, error) {
	if s.channel != "" || s.apiURL != "" {
		return nil, usagef("--slack-channel and --slack-api-url go with a bot's token, but %s is set: a webhook posts to the channel that it was made for", c.from)
	}
	w, err := notify.NewWebhook(c.secret, o)
	if err != nil {
		return nil, usagef("invalid %s: %w", c.from, err)
	}
	return w, nil
}

func (s *slackOptions) openBot(c credential, o notify.Options) (notify.Notifier, error) {
	if s.channel == "" {
		return nil, usagef("%s is set, so --slack-channel has to say where the bot is to post", c.from)
	}
	b, err := notify.NewBot(c.secret, s.channel, o)
	if err != nil {
		return nil, usagef("posting by %s: %w", c.from, err)
	}
	return b, nil
}

// credential is a secret and the flag or variable that it is from, which is empty where there is none.
type credential struct {
	secret notify.Secret
	from   string
}

// readCredential reads the file that the flag names, or else the environment variable.
func readCredential(flag, file, variable string) (credential, error) {
	if file == "" {
		text := strings.TrimSpace(os.Getenv(variable))
		if text == "" {
			return credential{}, nil
		}
		return credential{notify.NewSecret(text), variable}, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return credential{}, usagef("reading %s: %w", flag, err)
	}
	text := strings.TrimSpace(string(content))
	if text == "" {
		return credential{}, usagef("reading %s: %s is empty", flag, file)
	}
	return credential{notify.NewSecret(text), flag}, nil
}

// deliver prints the report and, if asked to, posts it: also one that lacks something, which the message says. A
// post that fails counts for more than that.
func (o *options) deliver(ctx context.Context, std streams, args []string, r report.Report, selection *workload.Selection) error {
	var printed error
	if o.slack.dryRun {
		printed = incomplete(std, r)
	} else {
		printed = o.print(std, r, selection)
	}
	var partial partialError
	if printed != nil && !errors.As(printed, &partial) {
		return printed
	}
	if err := o.slack.post(ctx, std, o, args, r); err != nil {
		return err
	}
	return printed
}

// post does nothing unless it is asked for.
func (s *slackOptions) post(ctx context.Context, std streams, o *options, args []string, r report.Report) error {
	if s.notifier == nil && !s.dryRun {
		return nil
	}
	store, err := s.openState(o)
	if err != nil {
		return err
	}
	task := notify.Task{Notifier: s.notifier, Store: store, Scope: o.scope(args, r)}
	if s.dryRun {
		task.Notifier = notify.DryRun{Writer: std.out, Channel: s.channel}
		if store != nil {
			task.Store = notify.ReadOnly{Store: store}
		}
	}
	r.View = report.View{} // the message and its files are of everything, whatever is printed
	warnings, err := task.Post(ctx, r)
	for _, w := range warnings {
		std.log.warn(w)
	}
	if err == nil && !s.dryRun {
		std.log.info("posted to Slack", "containers", len(r.Items))
	}
	return err
}

// openState is nil where no state is kept.
func (s *slackOptions) openState(o *options) (notify.Store, error) {
	name, isConfigMap := s.configMap()
	switch {
	case s.state == "":
		return nil, nil
	case !isConfigMap:
		return notify.StateFile(s.state), nil
	}
	namespace, err := s.ownNamespace(o)
	if err != nil {
		return nil, err
	}
	client, err := o.clusterClient()
	if err != nil {
		return nil, err
	}
	return notify.StateConfigMap{Client: client.CoreV1().ConfigMaps(namespace), Namespace: namespace, Name: name}, nil
}

// ownNamespace is the pod's or the context's: --namespace says what to look at, not where we are.
func (s *slackOptions) ownNamespace(o *options) (string, error) {
	if s.stateNamespace != "" {
		return s.stateNamespace, nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = *o.kube.KubeConfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: *o.kube.Context})
	namespace, _, err := loader.Namespace()
	if err != nil {
		return "", fmt.Errorf("reading the kubeconfig for the namespace of --state: %w", err)
	}
	return namespace, nil
}

// scope says what a report is about, so that it is only compared with its like. Where manifests are does not
// matter: a checkout has another path each time.
func (o *options) scope(args []string, r report.Report) string {
	var parts []string
	switch name, asked, err := o.namespace(); {
	case o.allNamespaces:
		parts = append(parts, "all namespaces")
	case len(o.files) > 0 && !asked:
		parts = append(parts, "the manifests")
	case err == nil:
		parts = append(parts, "namespace "+name)
	}
	if labels := o.selector.String(); labels != "" {
		parts = append(parts, "labels "+labels)
	}
	if len(o.containers) > 0 {
		parts = append(parts, "containers "+strings.Join(o.containers, ", "))
	}
	if rules := report.DescribeRules(r.Policy); rules != report.DescribeRules(recommender.DefaultPolicy()) {
		parts = append(parts, rules)
	}
	if o.policyFile != nil {
		if sum, err := o.policyFile.Fingerprint(); err == nil { // it fails for what Parse refuses
			parts = append(parts, "policy file "+sum)
		}
	}
	if o.view.minGiven {
		parts = append(parts, "changes of "+o.view.describe())
	}
	return strings.Join(append(parts, args...), ", ")
}
