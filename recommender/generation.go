package recommender

import "time"

const (
	// levelFactor is how many times as much, or as little, is another level.
	levelFactor = 1.5

	// workingDays is a time that has at least one day in it that is no part of a weekend. What is compared by its
	// highest samples must be seen for so long, or a weekend would look like a change.
	workingDays = 72 * time.Hour
)

// generation is the pods of one revision of a workload, or of several.
type generation struct {
	name        string
	first, last time.Time
	samples     []Samples // of each pod
}

// levelChange tells where the pods of the newest revision use much more or less than those before them: then
// most of the samples are of what no longer runs. The medians must differ by levelFactor; and to rule out the time
// of day and the week, the lower one's P99 must lie below the higher one's P50.
func levelChange(j *judgement) {
	if j.container.RunsToCompletion() {
		return
	}
	for r := range NumResources {
		newest, earlier, ok := generations(j.history.Pods[r])
		if !ok {
			continue
		}
		since, before := newest.last.Sub(newest.first), newest.first.Sub(earlier.first)
		if since < minPodTime || before < minPodTime {
			continue
		}
		newer, older := Join(newest.samples...), Join(earlier.samples...)
		now, then := newer.Quantile(0.5), older.Quantile(0.5)
		more := before >= workingDays && now > older.Quantile(0.99)
		less := since >= workingDays && then > newer.Quantile(0.99)
		low, high := min(now, then), max(now, then)
		if !more && !less || high < levelFactor*low || high-low < DefaultPolicy().Floor[r] {
			continue
		}
		j.note(r, NoteLevelChange, "pods of the newest revision (%s, since %s UTC) use %s at P50, earlier ones used %s: those are %.0f%% of the samples",
			newest.name, newest.first.UTC().Format("2006-01-02 15:04"), r.Approximate(now), r.Approximate(then),
			100*float64(older.Len())/float64(older.Len()+newer.Len()))
	}
}

// generations parts the newest revision's pods from all others. The newest is the one whose last pod came last, so
// that a revision that was rolled back to is whole; it has not begun after the others then, and nothing is said.
func generations(pods []PodUsage) (newest, earlier generation, ok bool) {
	var latest PodUsage
	for _, p := range pods {
		if p.Generation != "" && p.First.After(latest.First) {
			latest = p
		}
	}
	newest.name = latest.Generation
	for _, p := range pods {
		switch p.Generation {
		case "":
		case newest.name:
			newest.add(p)
		default:
			earlier.add(p)
		}
	}
	return newest, earlier, len(newest.samples) > 0 && len(earlier.samples) > 0
}

func (g *generation) add(p PodUsage) {
	if p.Samples.Len() == 0 {
		return
	}
	if g.first.IsZero() || p.First.Before(g.first) {
		g.first = p.First
	}
	if p.Last.After(g.last) {
		g.last = p.Last
	}
	g.samples = append(g.samples, p.Samples)
}
