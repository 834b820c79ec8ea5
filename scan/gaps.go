package scan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
)

// explainGaps says of each resource without samples what was looked for, and what there is instead.
func (s *scanner) explainGaps(ctx context.Context, rec *recommender.Recommendation, p *pods) {
	for r := range recommender.NumResources {
		advice := &rec.Advice[r]
		if rec.Evidence[r].Samples > 0 || hasNote(*advice, recommender.NoteRunsTooShort) {
			continue
		}
		advice.Notes = append(advice.Notes, recommender.Note{Code: recommender.NoteNoData, Text: s.gap(ctx, rec.Container, r, rec.Evidence[recommender.Memory].Samples, p)})
	}
}

func hasNote(a recommender.Advice, code string) bool {
	return slices.ContainsFunc(a.Notes, func(n recommender.Note) bool { return n.Code == code })
}

// gap is why there are no samples of a resource; memory is how many there are of memory.
func (s *scanner) gap(ctx context.Context, c recommender.Container, r recommender.Resource, memory int, p *pods) string {
	owned := p.owned[ref(c.ID)]
	switch {
	case len(p.index.Containers) == 0:
		return fmt.Sprintf("no usage of namespace %s in the window%s", c.ID.Namespace, s.namespacesInstead(ctx))
	case len(owned) == 0:
		return fmt.Sprintf("no pod of %s has usage in the window%s; the namespace has usage of %s", c.ID.Ref(), scaledDown(c), p.workloads())
	case c.Init && memory == 0:
		return fmt.Sprintf("no run of this init container was seen in the window: its pods (%s) started before it, or it was over before Prometheus scraped it", firstOf(owned, 3))
	case !slices.ContainsFunc(owned, func(pod string) bool { return slices.Contains(p.index.Containers[pod], c.ID.Container) }):
		return fmt.Sprintf("its pods (%s) ran no container %s in the window, but %s", firstOf(owned, 3), c.ID.Container, strings.Join(p.containersOf(owned), ", "))
	case r == recommender.CPU && memory > 0:
		return fmt.Sprintf("no two samples of %s within --rate-window %s: make it at least twice the scrape interval", promquery.MetricOf(r),
			recommender.ShortDuration(s.plan.Window.RateWindow))
	default:
		return fmt.Sprintf("no samples of %s for container %s of its pods (%s) on the grid of %s", promquery.MetricOf(r), c.ID.Container, firstOf(owned, 3),
			recommender.ShortDuration(s.plan.Window.Step))
	}
}

// shortData warns of a window that begins before all data: the percentiles are then those of a shorter time,
// which the window's own line would hide. Workloads may all be young, so a look at who else was there decides;
// if that fails, what has been read says nothing worse than before.
func (s *scanner) shortData(ctx context.Context, r Result) string {
	w := s.plan.Window
	var longest time.Duration
	for _, item := range r.Items {
		if item.RunsToCompletion() {
			continue
		}
		for res := range recommender.NumResources {
			longest = max(longest, item.Evidence[res].Covered)
		}
	}
	if longest == 0 || longest >= w.Length*9/10 {
		return ""
	}
	first := w
	first.Until, first.Length = w.Start().Add(w.Length/10), w.Length/10
	if names, err := s.source.Namespaces(ctx, first); err != nil || len(names) > 0 {
		return ""
	}
	return fmt.Sprintf("nothing has samples in the first tenth of the window of %s, and no container for more than %s: the data may be shorter than --window",
		recommender.ShortDuration(w.Length), recommender.ShortDuration(longest))
}

func scaledDown(c recommender.Container) string {
	if c.Replicas == 0 && c.ID.Kind != "Job" && c.ID.Kind != "CronJob" {
		return ": it is scaled to 0"
	}
	return ""
}

// workloads names what the namespace does have usage of.
func (p *pods) workloads() string {
	var refs []string
	for r := range p.owned {
		refs = append(refs, r.String())
	}
	if len(refs) == 0 {
		var names []string
		for pod := range p.index.Containers {
			names = append(names, pod)
		}
		slices.Sort(names)
		return "pods that belong to nothing declared: " + firstOf(names, 3)
	}
	slices.Sort(refs)
	return firstOf(refs, 5)
}

func (p *pods) containersOf(pods []string) []string {
	var names []string
	for _, pod := range pods {
		names = appendNew(names, p.index.Containers[pod])
	}
	slices.Sort(names)
	return names
}

// doubt is what may be wrong where there is no usage at all.
func (p Plan) doubt() string {
	if p.Dialect == "" {
		return "is cAdvisor scraped, and is the window inside the data?"
	}
	return fmt.Sprintf("is cAdvisor scraped, is the window inside the data, and are its labels as %s says?", p.Dialect)
}

// namespacesInstead is looked up once a scan. A failure to do so takes nothing from the answer.
func (s *scanner) namespacesInstead(ctx context.Context) string {
	s.alikeOnce.Do(func() {
		names, err := s.source.Namespaces(ctx, s.plan.Window)
		switch {
		case err != nil:
			s.alike = ""
		case len(names) == 0:
			s.alike = fmt.Sprintf("; there is no usage of any container (%s): %s", promquery.MetricOf(recommender.Memory), s.plan.doubt())
		case s.plan.Discreet:
			s.alike = "; there is usage of other namespaces"
		default:
			s.alike = "; there is usage of namespaces " + firstOf(names, 5)
		}
	})
	return s.alike
}
