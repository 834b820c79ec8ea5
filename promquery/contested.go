package promquery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/recommender"
)

// namesPerRequest is how many objects are asked for by name at a time.
const namesPerRequest = 100

// settle gives each contested object to the owner that it had last, and says so. Labels alone do not tell which that is;
// contested names are rare, such as those of a StatefulSet's pods that an operator took over.
func (r *Reader) settle(ctx context.Context, l *log, namespace string, w recommender.Window, best map[model.LabelName]map[string]claim, contested map[string]map[string]bool) error {
	for _, metric := range slices.Sorted(maps.Keys(contested)) {
		names := slices.Sorted(maps.Keys(contested[metric]))
		if len(names) == 0 {
			continue
		}
		label := ownedLabel(model.LabelValue(metric))
		for _, group := range chunk(names, namesPerRequest) {
			last, err := r.lastClaims(ctx, l, namespace, w, metric, label, group)
			if err != nil {
				return err
			}
			for name, s := range last {
				best[label][name] = s.claim
			}
		}
		l.warnings.add(fmt.Sprintf("namespace %s: several owners of %s by %s in the window: all that was used counts for the last one",
			namespace, objects(label, names), metric))
	}
	return nil
}

// objects is "pods db-0, db-1 and 3 more".
func objects(label model.LabelName, names []string) string {
	noun := strings.TrimSuffix(string(label), "_name")
	if len(names) > 1 {
		noun += "s"
	}
	const most = 3
	if len(names) <= most {
		return noun + " " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s %s and %d more", noun, strings.Join(names[:most], ", "), len(names)-most)
}

// lastClaim is a claim and when it was last seen, in Unix seconds.
type lastClaim struct {
	claim
	at model.SampleValue
}

// lastClaims are the claims to objects that were seen last. It asks for the time of each claim's last sample, on a grid that
// has at most some 2,000 points, as the window's own has by default.
func (r *Reader) lastClaims(ctx context.Context, l *log, namespace string, w recommender.Window, metric string, label model.LabelName, names []string) (map[string]lastClaim, error) {
	var terms []string
	for _, selector := range ofNames(namespace, metric, string(label), names) {
		terms = append(terms, fmt.Sprintf("max_over_time(timestamp(%s)[%s:%s])", selector, promDuration(w.Length), promDuration(claimStep(w))))
	}
	value, err := r.query(ctx, l, strings.Join(terms, " or "), w.Until)
	if err != nil {
		return nil, err
	}
	vector, err := asType[model.Vector](value)
	if err != nil {
		return nil, err
	}
	last := map[string]lastClaim{}
	for _, s := range vector {
		name, c := own(s.Metric, label), claimOf(model.LabelSet(s.Metric))
		old, ok := last[name]
		if !ok || c.rank > old.rank || c.rank == old.rank && (s.Value > old.at || s.Value == old.at && c.beats(old.claim)) {
			last[name] = lastClaim{c, s.Value}
		}
	}
	return last, nil
}

// claimStep is how exactly it is known when a claim ended.
func claimStep(w recommender.Window) time.Duration {
	const points = 2016
	return max(w.Step, (w.Length / points).Truncate(time.Second))
}
