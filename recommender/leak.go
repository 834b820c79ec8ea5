package recommender

import "slices"

const (
	// leakDays is how many days' minima have to rise one after the other. Those of five days without any trend do
	// so once in 120 times, and the rest of risingDays makes that rarer by far.
	leakDays = 5

	// leakShare is by what share of the first day's the minimum must have risen at least: less in a week is years
	// away from any limit.
	leakShare = 0.10

	// leakLives is how many lives of a container have to look alike where it restarts too often for days.
	leakLives = 3

	// lifeSpans is how many LowSpans in a row have to rise within a life: 20 h, which no time of day explains.
	lifeSpans = 5

	// lifeDrop is what is left of the minimum, at most, where a container has been restarted.
	lifeDrop = 0.8

	// lifeShare is by what share the minimum must rise within a life.
	lifeShare = 0.25
)

// leak looks for memory whose minimum keeps rising, over days or from restart to restart, in at least half of the
// pods that were seen for long enough: a leak is in the program, and the pods all run it.
func leak(j *judgement) {
	if j.container.RunsToCompletion() {
		return
	}
	var long, rising, restless, growing int
	var steepest, sawtooth rise
	for _, p := range j.history.Pods[Memory] {
		if days := p.dailyLows(); len(days) >= leakDays {
			long++
			if up, ok := risingDays(days); ok {
				rising++
				steepest = steepest.higher(up.of(p))
			}
		}
		if lives := p.lives(); len(lives) >= leakLives {
			restless++
			if up, ok := risingLives(lives); ok {
				growing++
				sawtooth = sawtooth.higher(up.of(p))
			}
		}
	}
	switch {
	case rising > 0 && 2*rising >= long:
		j.note(Memory, NoteLeak, "the lowest usage of a day rose every day, in %d of %s: in pod %s from %s to %s within %s, by %s a day",
			rising, Count(long, "pod"), steepest.pod.Pod, Memory.Approximate(steepest.from), Memory.Approximate(steepest.to),
			Count(steepest.steps+1, "day"), Memory.Approximate(steepest.each))
	case growing > 0 && 2*growing >= restless:
		j.note(Memory, NoteLeak, "memory rises until the container restarts, in %d of %s: in pod %s, which restarted %s, each time from about %s to %s or more",
			growing, Count(restless, "pod"), sawtooth.pod.Pod, Count(sawtooth.pod.Restarts, "time"), Memory.Approximate(sawtooth.from), Memory.Approximate(sawtooth.to))
	}
}

// rise is how a pod's minimum rose: bytes.
type rise struct {
	from, to, each float64
	steps          int
	pod            PodUsage
}

func (u rise) of(p PodUsage) rise {
	u.pod = p
	return u
}

// higher is the greater rise; of equals the first.
func (u rise) higher(other rise) rise {
	if other.to-other.from > u.to-u.from {
		return other
	}
	return u
}

// risingDays says that minima rise each day, by no less than a quarter of the mean, and on the last day by half of
// it: a cache that has filled up rises no more.
func risingDays(lows []float64) (rise, bool) {
	first, last := lows[0], lows[len(lows)-1]
	steps := len(lows) - 1
	each := (last - first) / float64(steps)
	for i, low := range lows[1:] {
		if low-lows[i] < each/4 {
			return rise{}, false
		}
	}
	enough := last-first >= max(leakShare*first, DefaultPolicy().Floor[Memory])
	return rise{first, last, each, steps, PodUsage{}}, enough && last-lows[len(lows)-2] >= each/2
}

// lives parts the pod's minima where its container was restarted. The first and the last one are left out, since
// they are cut by the window. A drop that no restart explains means that the program gives memory back.
func (p PodUsage) lives() [][]float64 {
	lows := p.unbroken()
	var starts []int
	for i := 1; i < len(lows); i++ {
		if lows[i] < lifeDrop*lows[i-1] {
			starts = append(starts, i)
		}
	}
	if len(starts) < 2 || len(starts) > p.Restarts {
		return nil
	}
	var out [][]float64
	for i, start := range starts[1:] {
		out = append(out, lows[starts[i]:start])
	}
	return out
}

// risingLives says that the minimum rises all through each life. The first LowSpan of one may be but its last
// minutes, so it need not be below the second.
func risingLives(lives [][]float64) (rise, bool) {
	var froms, tos []float64
	for _, lows := range lives {
		from, to := min(lows[0], lows[min(1, len(lows)-1)]), lows[len(lows)-1]
		if len(lows) <= lifeSpans || to < (1+lifeShare)*from || to-from < DefaultPolicy().Floor[Memory] {
			return rise{}, false
		}
		for i, low := range lows[2:] {
			if low <= lows[i+1] {
				return rise{}, false
			}
		}
		froms, tos = append(froms, from), append(tos, to)
	}
	slices.Sort(froms)
	return rise{from: Quantile(0.5, froms), to: slices.Min(tos)}, true
}
