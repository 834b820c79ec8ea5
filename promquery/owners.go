package promquery

import (
	"cmp"
	"context"

	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/recommender"
)

// ownedLabel is the label that names what is owned in one of kube-state-metrics' owner metrics; "" for others.
func ownedLabel(metric model.LabelValue) model.LabelName {
	switch metric {
	case "kube_pod_owner":
		return "pod"
	case "kube_replicaset_owner":
		return "replicaset"
	case "kube_job_owner":
		return "job_name"
	}
	return ""
}

// owners reads who owned what in the window, from labels alone.
func (r *Reader) owners(ctx context.Context, l *log, namespace string, w recommender.Window) (recommender.Owners, error) {
	var matches []string
	for _, metric := range []string{"kube_pod_owner", "kube_replicaset_owner", "kube_job_owner"} {
		matches = append(matches, ofNamespace(namespace, metric)...)
	}
	sets, err := r.series(ctx, l, w, matches)
	if err != nil {
		return recommender.Owners{}, err
	}
	best, contested := claims(sets)
	if err := r.settle(ctx, l, namespace, w, best, contested); err != nil {
		return recommender.Owners{}, err
	}
	return recommender.Owners{
		Pods:        ownersOf(best["pod"]),
		ReplicaSets: ownersOf(best["replicaset"]),
		Jobs:        ownersOf(best["job_name"]),
	}, nil
}

// claims are the best claim to each object, by the label that names it, and the metrics' objects that have several as good
// as that: over a window, a name may be that of two objects, one after the other.
func claims(sets []model.LabelSet) (best map[model.LabelName]map[string]claim, contested map[string]map[string]bool) {
	contested = map[string]map[string]bool{}
	best = map[model.LabelName]map[string]claim{"pod": {}, "replicaset": {}, "job_name": {}}
	for _, labels := range sets {
		label := ownedLabel(labels[model.MetricNameLabel])
		name := own(labels, label)
		if label == "" || name == "" {
			continue
		}
		c, metric := claimOf(labels), string(labels[model.MetricNameLabel])
		old, ok := best[label][name]
		if contested[metric] == nil {
			contested[metric] = map[string]bool{}
		}
		switch {
		case ok && c.rank == old.rank && c != old:
			contested[metric][name] = true
		case !ok || c.rank > old.rank:
			delete(contested[metric], name)
		}
		if !ok || c.beats(old) {
			best[label][name] = c
		}
	}
	return best, contested
}

func ownersOf(claims map[string]claim) map[string]recommender.Owner {
	out := make(map[string]recommender.Owner, len(claims))
	for name, c := range claims {
		out[name] = c.owner
	}
	return out
}

// claim is one owner of an object that may have had several: the controller counts before other owners, and
// these before none, which is what an object has until it is adopted.
type claim struct {
	owner recommender.Owner
	rank  int
}

func claimOf(labels model.LabelSet) claim {
	kind, name := string(labels["owner_kind"]), string(labels["owner_name"])
	switch {
	case kind == "" || kind == "<none>" || name == "" || name == "<none>":
		return claim{}
	case labels["owner_is_controller"] == "true":
		return claim{recommender.Owner{Kind: kind, Name: name}, 2}
	default:
		return claim{recommender.Owner{Kind: kind, Name: name}, 1}
	}
}

// beats orders claims of equal rank by name, so that the order of the series does not matter.
func (c claim) beats(other claim) bool {
	return cmp.Or(cmp.Compare(c.rank, other.rank),
		cmp.Compare(other.owner.Kind, c.owner.Kind), cmp.Compare(other.owner.Name, c.owner.Name)) > 0
}
