package shop

import "time"

// Times in this package are milliseconds since 1970, as in a TSDB.
const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
)

// never is the end of what is still there.
const never = int64(1) << 62

// ago is the time that long before Until.
func ago(d time.Duration) int64 { return Until.Add(-d).UnixMilli() }

const day = 24 * time.Hour

// past is what happened to a workload: the part of the story that its manifest does not tell.
type past struct {
	created  int64         // 0 is at some time before the history
	rollouts []int64       // each replaces every pod, and a Deployment's ReplicaSet
	moves    []replicaTime // pods that were evicted and came up elsewhere
	restarts []restart     // of containers, in order of time
	every    time.Duration // between the runs of a CronJob
	length   time.Duration // of a Job's or a CronJob's run
	usage    map[string]usage
}

type replicaTime struct {
	replica int
	at      int64
}

type restart struct {
	replicaTime
	container string
	reason    string
}

// The reasons that a container ended for, as kubelets report them.
const (
	oomKilled = "OOMKilled"
	crashed   = "Error"
)

// pasts is the story, by "namespace/name" of the workload.
func pasts() map[string]past {
	return map[string]past{
		// Over-provisioned four times, and rolled out twice in the week.
		"shop/web": {
			rollouts: []int64{ago(5*day + 13*time.Hour + 51*time.Minute), ago(2*day + 8*time.Hour + 22*time.Minute)},
			moves:    []replicaTime{{1, ago(4*day + 3*time.Hour + 7*time.Minute)}},
			usage: map[string]usage{
				"app":   {serving(0.06, 0.28), working(290*mib, 60*mib)},
				"proxy": {serving(0.01, 0.05), working(48*mib, 12*mib)},
			},
		},
		// OOM killed three times at its limit of 256Mi, which it still has.
		"shop/api": {
			rollouts: []int64{ago(4*day + 14*time.Hour + 48*time.Minute), ago(3*day + 9*time.Hour + 12*time.Minute)},
			restarts: []restart{
				{replicaTime{0, ago(2*day + 2*time.Hour + 41*time.Minute)}, "api", oomKilled},
				{replicaTime{1, ago(2*day + time.Hour + 13*time.Minute)}, "api", oomKilled},
				{replicaTime{0, ago(day + 23*time.Hour + 20*time.Minute)}, "api", oomKilled},
			},
			usage: map[string]usage{"api": {serving(0.04, 0.18), working(130*mib, 34*mib)}},
		},
		// Over-provisioned ten times.
		"shop/search": {
			usage: map[string]usage{"search": {serving(0.12, 0.16), working(400*mib, 20*mib)}},
		},
		// Leaks, and crashes once a day.
		"shop/cart": {
			restarts: cartCrashes(),
			usage:    map[string]usage{"cart": {serving(0.02, 0.1), growing(96*mib, 13*mib)}},
		},
		// Without requests or limits.
		"shop/payments": {
			rollouts: []int64{ago(6*day + 12*time.Hour + 33*time.Minute)},
			usage:    map[string]usage{"payments": {serving(0.03, 0.15), working(170*mib, 30*mib)}},
		},
		// Too new for advice.
		"shop/recommendations": {
			created: ago(3*time.Hour - 11*time.Second),
			usage:   map[string]usage{"recommendations": {serving(0.1, 0.4), filling(300*mib, 700*mib, time.Hour)}},
		},
		// Declared, but it has no pods and no usage.
		"shop/images": {usage: map[string]usage{"images": {serving(0, 0), working(0, 0)}}},
		// Peaks once for two minutes, between two points of a grid of five: 13:41:10 on Thursday.
		"shop/checkout": {
			usage: map[string]usage{"checkout": {
				serving(0.03, 0.12),
				withPeak(working(180*mib, 15*mib), 0, ago(3*day+10*time.Hour+18*time.Minute+50*time.Second), 2*time.Minute, 220*mib),
			}},
		},
		// Large; its pods keep their names through a rollout.
		"shop/db": {
			rollouts: []int64{ago(3*day + 21*time.Hour + 56*time.Minute)},
			usage:    map[string]usage{"postgres": {serving(0.2, 0.5), filling(4.4*gib, 5.3*gib, 60*time.Hour)}},
		},
		// Throttled.
		"shop/node-agent": {
			usage: map[string]usage{"agent": {serving(0.05, 0.04), working(40*mib, 8*mib)}},
		},
		"shop/report": {
			every: 6 * time.Hour, length: 2 * time.Minute,
			usage: map[string]usage{"report": {level(0.85), filling(180*mib, 900*mib, 100*time.Second)}},
		},
		// Ran once.
		"shop/migrate": {
			created: ago(4*day + 13*time.Hour), length: 9 * time.Minute,
			usage: map[string]usage{"migrate": {level(0.5), filling(90*mib, 410*mib, 5*time.Minute)}},
		},
		"shop-staging/api":     {usage: map[string]usage{"api": {serving(0.004, 0.004), working(110*mib, 4*mib)}}},
		"shop-staging/api-v2":  {usage: map[string]usage{"api": {serving(0.005, 0.005), working(140*mib, 4*mib)}}},
		"shop-staging/toolbox": {usage: map[string]usage{"toolbox": {level(0.0002), level(2 * mib)}}},
		"kube-system/coredns":  {usage: map[string]usage{"coredns": {serving(0.003, 0.008), working(22*mib, 3*mib)}}},
		"kube-system/kube-state-metrics": {
			usage: map[string]usage{"kube-state-metrics": {level(0.002), working(31*mib, 0)}},
		},
		"kube-system/kube-proxy":    {usage: map[string]usage{"kube-proxy": {level(0.001), working(19*mib, 0)}}},
		"kube-system/etcd-worker-1": {usage: map[string]usage{"etcd": {serving(0.02, 0.01), working(88*mib, 0)}}},
	}
}

// cartCrashes are one a day for each of cart's pods, some hours apart, from before the history on.
func cartCrashes() []restart {
	var all []restart
	for d := 9; d >= 1; d-- {
		for replica := range 2 {
			wait := time.Duration(d)*day - 4*time.Hour - 17*time.Minute - time.Duration(replica)*8*time.Hour
			late := int64(unit(hash("cart", "crash"), uint64(2*d+replica)) * 10 * minute)
			all = append(all, restart{replicaTime{replica, ago(wait) + late}, "cart", crashed})
		}
	}
	return all
}
