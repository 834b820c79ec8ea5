package promquery_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
)

// weeks is how many runs a week apart are simulated.
const weeks = 10

// killedOnce is ten weeks in which a container used 90Mi of its limit and was killed for it once, on the third
// day. That its last termination was an OOM kill stays true to the end. kube-state-metrics may be silent for a
// time at the start of each week.
func killedOnce(silent time.Duration) *fixture {
	f := &fixture{rnd: rand.New(rand.NewPCG(3, 4))}
	names := plainNames("shop", "web-0")("app")
	first := -weeks * 7 * day
	killed := first + 3*day
	f.add(first-day, 0, true, constant(90*mib), memory, names...)
	state := func(from, to time.Duration, v float64, metric string, more ...string) {
		for week := -weeks - 1; week < 0; week++ {
			begin := time.Duration(week) * 7 * day
			if a, b := max(from, begin+silent), min(to, begin+7*day-time.Second); a < b {
				f.state(a, b, v, metric, append(slices.Clone(names), more...)...)
			}
		}
	}
	state(first-day, killed, 0, "kube_pod_container_status_restarts_total")
	state(killed, 0, 1, "kube_pod_container_status_restarts_total")
	state(killed, 0, 1, "kube_pod_container_status_last_terminated_reason", "reason", "OOMKilled")
	state(first-day, first+7*day, 100*mib, "kube_pod_container_resource_limits", "resource", "memory")
	state(first+7*day, 0, 120*mib, "kube_pod_container_resource_limits", "resource", "memory") // the first run's advice, applied
	return f
}

// Ten weekly runs after one kill raise the limit once, whether or not kube-state-metrics was looking when a
// window began: the reason is sticky, and a container that is seen anew is not a new one.
func TestOneKillRaisesTheLimitOnce(t *testing.T) {
	for name, silent := range map[string]time.Duration{"always looking": 0, "silent for 20m": 20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			api := openFolder(t, killedOnce(silent).write(t))
			raised, spec := 0, 100.0*mib
			for run := 1; run <= weeks; run++ {
				w := week()
				w.Until = until().Add(-time.Duration(weeks-run) * 7 * day)
				limit, byKill := weeklyLimit(t, api, w, spec)
				if byKill {
					raised++
				}
				if limit > 120*mib {
					t.Errorf("run %d: limit %v Mi, want at most 1.2 x the 100Mi that killed it", run, limit/mib)
				}
				spec = limit
			}
			if raised != 1 {
				t.Errorf("%d of %d runs raised the limit for the one kill, want 1", raised, weeks)
			}
		})
	}
}

// Ten daily runs see the same kill again and again, and all of them recommend the same.
func TestOneKillInTenDailyRuns(t *testing.T) {
	api := openFolder(t, killedOnce(0).write(t))
	spec := 100.0 * mib
	for run := range 10 {
		w := week()
		w.Until = until().Add(-weeks*7*day + 4*day + time.Duration(run)*day/3)
		limit, _ := weeklyLimit(t, api, w, spec)
		if limit != 120*mib {
			t.Errorf("run %d: limit %v Mi, want 120", run, limit/mib)
		}
		spec = limit
	}
}

// weeklyLimit is what is recommended for web-0 in a window, and whether the guard oom-killed raised it.
func weeklyLimit(t *testing.T, api promquery.API, w recommender.Window, spec float64) (limit float64, byKill bool) {
	t.Helper()
	var h recommender.History
	u := &h.Usage[recommender.Memory]
	var samples []float64
	r := &promquery.Reader{API: api}
	facts, err := r.Read(t.Context(), promquery.Batch{Namespace: "shop"}, w, func(s promquery.Series) {
		if s.Resource == recommender.Memory {
			samples = append(samples, s.Values...)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(samples)
	u.Samples = recommender.Pool(samples)
	u.Covered = time.Duration(len(samples)) * w.Step
	c := promquery.Container{Pod: "web-0", Name: "app"}
	u.Peak, h.OOMKills = facts.Peaks[c], facts.OOMKills[c]
	container := recommender.Container{ID: recommender.ID{Namespace: "shop", Kind: "StatefulSet", Workload: "web", Container: "app"}, Replicas: 1}
	container.Spec[recommender.Memory] = recommender.Bounds{Request: recommender.Set(spec), Limit: recommender.Set(spec)}
	container.Spec[recommender.CPU] = recommender.Bounds{Request: recommender.Unset(), Limit: recommender.Unset()}
	advice := recommender.Recommend(container, h, recommender.DefaultPolicy()).Advice[recommender.Memory]
	limit, ok := advice.Bounds.Limit.Amount()
	formula, _ := advice.Formula.Limit.Amount()
	if !ok {
		t.Fatalf("no limit up to %s", w.Until)
	}
	return limit, len(h.OOMKills) > 0 && limit > formula
}
