package explain

import (
	"fmt"
	"strings"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
)

// maxKills is how many OOM kills are told one by one, the last ones.
const maxKills = 3

// named says that queries name each pod.
func (e Explanation) named() bool {
	return promquery.AllNamed(e.pods(recommender.Memory)) && promquery.AllNamed(e.pods(recommender.CPU))
}

// Around are the facts that bear on the container and come from no usage, a line each: what scales it, what Kubernetes allows
// and what happened to it.
func (e Explanation) Around() (facts []string) {
	add := func(format string, args ...any) {
		facts = append(facts, recommender.Printable(fmt.Sprintf(format, args...)))
	}
	for _, a := range e.Item.Facts.Autoscalers {
		whose := "of all containers of a pod"
		if a.Container != "" {
			whose = "of container " + a.Container
		}
		add("%s keeps the %s that pods use at %d%% of what they request, %s", a.Name, a.Resource, a.Percent, whose)
	}
	for _, v := range e.Item.Facts.Resizers {
		for r := range recommender.NumResources {
			if v.Sets[r] {
				add("%s sets %s itself (updateMode %s)", v.Name, r, v.Mode)
			}
		}
	}
	for _, l := range e.Item.Facts.Ranges {
		for r := range recommender.NumResources {
			if text := describeRange(r, l.Of[r]); text != "" {
				add("LimitRange %s, %s: %s", l.Name, r, text)
			}
		}
	}
	for _, q := range e.Item.Facts.Quotas {
		for r := range recommender.NumResources {
			if text := describeQuota(r, q); text != "" {
				add("ResourceQuota %s, %s of the namespace: %s", q.Name, r, text)
			}
		}
	}
	switch h := e.Item.Heap; {
	case h.Bytes > 0:
		add("heap: %s lets it take %s", h.By, recommender.Memory.Approximate(h.Bytes))
	case h.Percent > 0:
		add("heap: %s makes it %.4g%% of the memory limit", h.By, h.Percent)
	}
	return append(facts, e.happened()...)
}

func describeRange(r recommender.Resource, of recommender.Range) string {
	var parts []string
	for _, v := range []struct {
		name  string
		value recommender.Value
	}{{"at least", of.Min}, {"at most", of.Max}, {"request by default", of.DefaultRequest}, {"limit by default", of.DefaultLimit}} {
		if amount, ok := v.value.Amount(); ok {
			parts = append(parts, v.name+" "+r.Quantity(amount))
		}
	}
	if of.MaxRatio > 0 {
		parts = append(parts, fmt.Sprintf("limit at most %.4g x the request", of.MaxRatio))
	}
	return strings.Join(parts, ", ")
}

func describeQuota(r recommender.Resource, q recommender.Quota) string {
	var parts []string
	for _, v := range []struct {
		name       string
		hard, used recommender.Value
	}{{"requests", q.Hard[r].Request, q.Used[r].Request}, {"limits", q.Hard[r].Limit, q.Used[r].Limit}} {
		hard, ok := v.hard.Amount()
		if !ok {
			continue
		}
		text := fmt.Sprintf("%s up to %s", v.name, r.Quantity(hard))
		if used, known := v.used.Amount(); known {
			text += ", of which " + r.Quantity(used) + " is used"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// happened is what was seen of the container besides usage.
func (e Explanation) happened() (facts []string) {
	const minute = "2006-01-02 15:04"
	kills := e.Item.OOMKills
	if latest := kills[max(len(kills)-maxKills, 0):]; len(latest) > 0 {
		var texts []string
		for _, k := range latest {
			texts = append(texts, k.At.UTC().Format(minute)+" in pod "+k.Pod)
		}
		facts = append(facts, recommender.Printable(fmt.Sprintf("%s, seen at %s", recommender.Count(len(kills), "OOM kill"), strings.Join(texts, ", ")))+moreThan(len(kills), len(latest)))
	}
	if n := e.Item.Restarts; n != nil && *n > 0 {
		facts = append(facts, "restarted "+recommender.Count(*n, "time")+" in the window, all pods together")
	}
	if share, ok := e.Item.Throttling.Share(); ok && share >= 0.005 {
		facts = append(facts, fmt.Sprintf("%.0f%% of its CPU periods were throttled", 100*share))
	}
	if q := e.Item.QoS; q.Now != "" && q.Now != q.After {
		facts = append(facts, fmt.Sprintf("the QoS class of its pods becomes %s instead of %s", q.After, q.Now))
	}
	return facts
}

// moreThan says that not all are told.
func moreThan(n, told int) string {
	if n > told {
		return fmt.Sprintf(" and %d times before", n-told)
	}
	return ""
}

// around is the section of them.
func (e Explanation) around(width int) (out []line) {
	facts := e.Around()
	if len(facts) == 0 {
		return nil
	}
	out = append(out, line{{text: "AROUND IT", ink: strong}})
	for _, f := range facts {
		out = append(out, wrap(span{"  - ", ""}, f, width)...)
	}
	return out
}
