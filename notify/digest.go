package notify

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

// digest is what a message says of a report.
type digest struct {
	totals  [recommender.NumResources]report.Total
	changes []change // that are worth making, the greatest first
	kills   []scan.Item
	tight   []scan.Item                           // whose memory limit is not above the peak
	bare    [recommender.NumResources][]scan.Item // without a limit, where the policy has one
	gaps    []gap
	silent  int // containers in gaps
	mute    int // of them, those without advice for any resource
}

// change is a container of which something differs enough from what is recommended.
type change struct {
	item   scan.Item
	differ [recommender.NumResources]report.Worth
	more   [recommender.NumResources]float64 // that all its replicas request, in cores or bytes; negative is saved
	share  float64                           // of what the whole report requests, both resources together
}

// gap is why containers have no advice, or for one resource only.
type gap struct {
	code  string
	why   string // of the first container, where each has its own
	items []scan.Item
}

func digestOf(r report.Report) digest {
	d := digest{totals: r.Totals()}
	for _, item := range r.Items {
		d.addGaps(item)
		if item.Err != nil || item.Exempt() {
			continue
		}
		d.addDangers(item, r.PolicyOf(item))
		if c := d.changeOf(r, item); c.differs() {
			d.changes = append(d.changes, c)
		}
	}
	slices.SortStableFunc(d.changes, func(a, b change) int { return cmp.Compare(b.share, a.share) })
	return d
}

func (d *digest) addDangers(item scan.Item, p recommender.Policy) {
	if len(item.OOMKills) > 0 {
		d.kills = append(d.kills, item)
	}
	memory := item.Evidence[recommender.Memory]
	if limit, ok := item.Spec[recommender.Memory].Limit.Amount(); ok && memory.Samples > 0 && memory.Peak.Value >= limit {
		d.tight = append(d.tight, item)
	}
	for r := range recommender.NumResources {
		if item.Spec[r].Limit.IsUnset() && p.Rules[r].Limit.String() != "none" {
			d.bare[r] = append(d.bare[r], item)
		}
	}
}

// addGaps counts a container once for each reason, though it holds for both its resources.
func (d *digest) addGaps(item scan.Item) {
	before, spoken := "", false
	for r := range recommender.NumResources {
		code, why := reason(item, r)
		spoken = spoken || code == ""
		if code == "" || code == before {
			continue
		}
		if before == "" {
			d.silent++
		}
		before = code
		i := slices.IndexFunc(d.gaps, func(g gap) bool { return g.code == code })
		if i < 0 {
			i, d.gaps = len(d.gaps), append(d.gaps, gap{code: code, why: why})
		}
		d.gaps[i].items = append(d.gaps[i].items, item)
	}
	if !spoken {
		d.mute++
	}
}

// reason is the code of why there is no advice for a resource, and for an error its text; empty where there is.
func reason(item scan.Item, r recommender.Resource) (code, why string) {
	status := report.StatusOf(item, r)
	switch status {
	case report.OK:
		return "", ""
	case report.Failed:
		return string(status), item.Err.Error()
	}
	for _, n := range item.Advice[r].Notes {
		switch n.Code {
		case recommender.NoteNoData, recommender.NoteRunsTooShort, recommender.GuardTooLittleData:
			return n.Code, ""
		}
	}
	return string(status), ""
}

func (d *digest) changeOf(all report.Report, item scan.Item) change {
	c := change{item: item}
	for r := range recommender.NumResources {
		c.differ[r] = report.WorthOf(item, r, all.Least)
		c.more[r] = all.RequestedMore(item, r)
		if whole := max(d.totals[r].Now, d.totals[r].After); whole > 0 {
			c.share += math.Abs(c.more[r]) / whole
		}
	}
	return c
}

func (c change) differs() bool {
	for _, d := range c.differ {
		if d.Request || d.Limit {
			return true
		}
	}
	return false
}

// some names the first few: "`a`, `b`, `c` and 7 more".
func some(items []scan.Item, namespaced bool) string {
	var names []string
	for _, item := range items[:min(len(items), maxNamed)] {
		names = append(names, name(item.ID, namespaced))
	}
	return and(names, len(items)-len(names))
}

// name is as in the table, behind the namespace where there are several.
func name(id recommender.ID, namespaced bool) string {
	text := id.Ref() + " " + id.Container
	if namespaced {
		text = id.Namespace + " " + text
	}
	if id.Cluster != "" {
		text = id.Cluster + ": " + text
	}
	return code(text, maxName)
}

// amount is in words, to three digits: "8.93 cores", "11.1 GiB", "187 MiB".
func amount(r recommender.Resource, x float64) string {
	x = math.Abs(x)
	switch {
	case r == recommender.CPU:
		return number(x) + " cores"
	case x < 1<<30:
		return number(x/(1<<20)) + " MiB"
	default:
		return number(x/(1<<30)) + " GiB"
	}
}

func number(x float64) string {
	if x >= 999.5 { // which %.3g would write as 1e+03
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}
