package shop

import (
	"cmp"
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rightsize/rightsize/e2e/cluster"
	"github.com/rightsize/rightsize/e2e/history"
)

const hour, day = time.Hour, 24 * time.Hour

// use is what a container uses on an average day.
type use struct{ cores, mebibytes float64 }

// usage is by workload and container. What is not here was never seen.
func usage() map[string]use {
	return map[string]use{
		"web/app":         {0.06, 180},
		"web/proxy":       {0.005, 30},
		"api/api":         {0.4, 200},
		"api-v2/api":      {0.12, 300},
		"fresh/app":       {0.03, 60},
		"plain/app":       {0.02, 90},
		"db/postgres":     {0.7, 2400},
		"agent/agent":     {0.008, 40},
		"legacy/app":      {0.05, 120},
		"toolbox/shell":   {0.002, 20},
		"migrate/migrate": {0.3, 400},
		"report/report":   {0.3, 500},
	}
}

// rollout is a time in which a workload's pods were others than today's. It had more load then.
type rollout struct {
	workload, replicaSet string // the ReplicaSet is gone, or scaled down
	pods                 int
	from, until          time.Duration // before the end of the history
	load                 float64       // times what today's pods use
}

// rollouts are those that are not live any more. web's second ReplicaSet is kept by its Deployment, with no
// pods; its name is the controllers'.
func rollouts(second string) []rollout {
	return []rollout{
		{"web", "web-6b8d5c9f74", 3, 9 * day, 4 * day, 1.8},
		{"web", second, 3, 4 * day, 27 * hour, 1.3},
		{"api", "api-84f9bd7c55", 2, 9 * day, 2 * day, 0.6},
		{"api-v2", "api-v2-5f6d8c7b94", 1, 9 * day, 5 * day, 2},
	}
}

// since is how long before the end a workload's live pods began; those that are not here were always there.
func since() map[string]time.Duration {
	return map[string]time.Duration{"web": 27 * hour, "api": 2 * day, "api-v2": 5 * day, "fresh": 3 * hour, "migrate": 3 * day}
}

// Past is the history of the namespace up to until: eight days of it, for the live pods and for gone ones.
func Past(ctx context.Context, c *cluster.Cluster, until time.Time) (history.History, error) {
	live, err := c.Pods(ctx, cluster.Namespace)
	if err != nil {
		return history.History{}, err
	}
	sets, err := c.Client.AppsV1().ReplicaSets(cluster.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return history.History{}, fmt.Errorf("listing the replicasets of %s: %w", cluster.Namespace, err)
	}
	b := &past{h: history.History{From: until.Add(-8 * day), Until: until.Add(2 * time.Minute)}, until: until, templates: map[string]history.Pod{}}
	for _, rs := range sets.Items {
		b.addSet(rs)
	}
	for _, p := range live {
		b.addLive(p)
	}
	for _, r := range rollouts(b.second) {
		b.addRollout(r)
	}
	b.addRuns()
	b.h.Objects, err = states(ctx, c)
	return b.h, err
}

// past is a history in the making.
type past struct {
	h         history.History
	until     time.Time
	second    string                 // web's ReplicaSet without pods
	templates map[string]history.Pod // one live pod of each workload
}

func (b *past) addSet(rs appsv1.ReplicaSet) {
	owner := ownerOf(rs.ObjectMeta)
	if owner.Name == "web" && *rs.Spec.Replicas == 0 {
		b.second = rs.Name // it comes with its rollout
		return
	}
	b.h.ReplicaSets = append(b.h.ReplicaSets, history.Owned{Name: rs.Name, Owner: owner, From: b.h.From, Until: b.h.Until})
}

func (b *past) addLive(p corev1.Pod) {
	workload := cmp.Or(p.Labels["app"], p.Name)
	from, until := b.h.From, b.h.Until
	if ago, ok := since()[workload]; ok {
		from = b.until.Add(-ago)
	}
	if workload == "migrate" {
		until = from.Add(15 * time.Minute)
	}
	pod := history.Pod{
		Namespace: p.Namespace, Name: p.Name, UID: string(p.UID), Node: p.Spec.NodeName, Owner: ownerOf(p.ObjectMeta),
		From: from, Until: until, Containers: containersOf(workload, p.Spec),
	}
	b.templates[workload] = pod
	if len(pod.Containers) > 0 && workload != "report" { // its live run is younger than the history
		b.events(&pod)
		b.h.Pods = append(b.h.Pods, pod)
	}
}

// events are what befell some containers.
func (b *past) events(p *history.Pod) {
	switch c := &p.Containers[0]; {
	case p.Name == "db-0": // killed twice
		c.Restarts = []time.Time{b.until.Add(-50 * hour), b.until.Add(-48 * hour)}
		c.OOMKilled = true
	case c.Name == "api" && p.Owner.Kind == "ReplicaSet":
		c.Restarts = []time.Time{b.until.Add(-30 * hour)}
		c.Throttled = 0.25
	case c.Name == "agent":
		c.SecondSeries = true
	}
}

func (b *past) addRollout(r rollout) {
	from, until := b.until.Add(-r.from), b.until.Add(-r.until)
	b.h.ReplicaSets = append(b.h.ReplicaSets, history.Owned{
		Name: r.replicaSet, Owner: history.Owner{Kind: "Deployment", Name: r.workload}, From: from, Until: until,
	})
	for i := range r.pods {
		pod := b.gone(r.workload, r.replicaSet, i, r.load)
		pod.Owner = history.Owner{Kind: "ReplicaSet", Name: r.replicaSet}
		pod.From, pod.Until = from, until
		b.h.Pods = append(b.h.Pods, pod)
	}
}

// addRuns adds a run of the CronJob every six hours, of two minutes each.
func (b *past) addRuns() {
	for at := b.h.From.Truncate(6 * hour).Add(6 * hour); at.Before(b.until); at = at.Add(6 * hour) {
		job := fmt.Sprintf("report-%d", at.Unix()/60)
		pod := b.gone("report", job, 0, 1)
		pod.Owner = history.Owner{Kind: "Job", Name: job}
		pod.From, pod.Until = at, at.Add(2*time.Minute)
		b.h.Pods = append(b.h.Pods, pod)
		b.h.Jobs = append(b.h.Jobs, history.Owned{Name: job, Owner: history.Owner{Kind: "CronJob", Name: "report"}, From: at, Until: at.Add(hour)})
	}
	b.h.Jobs = append(b.h.Jobs, history.Owned{Name: "migrate", From: b.until.Add(-3 * day), Until: b.h.Until})
}

// gone is a pod like a workload's live one, with a name that its owner could have given it.
func (b *past) gone(workload, owner string, i int, load float64) history.Pod {
	pod := b.templates[workload]
	pod.Name = owner + "-" + []string{"7kx2p", "bd9wq", "zt4mv"}[i]
	pod.UID = "gone-" + pod.Name
	pod.Node = fmt.Sprintf("node-%d", i+1)
	pod.Containers = append([]history.Container(nil), pod.Containers...)
	for k := range pod.Containers {
		c := &pod.Containers[k]
		c.Cores, c.Bytes, c.Restarts = c.Cores*load, c.Bytes*load, nil
	}
	return pod
}

// Gone says that a pod of the history belongs to an earlier rollout.
func Gone(p history.Pod) bool { return p.Owner.Kind == "ReplicaSet" && p.UID == "gone-"+p.Name }

func ownerOf(meta metav1.ObjectMeta) history.Owner {
	if ref := metav1.GetControllerOfNoCopy(&meta); ref != nil {
		return history.Owner{Kind: ref.Kind, Name: ref.Name}
	}
	return history.Owner{}
}

// containersOf are the containers of a pod that something was seen of.
func containersOf(workload string, spec corev1.PodSpec) []history.Container {
	var out []history.Container
	for _, c := range spec.Containers {
		u, ok := usage()[workload+"/"+c.Name]
		if !ok {
			continue
		}
		requests, limits := c.Resources.Requests, c.Resources.Limits
		out = append(out, history.Container{
			Name: c.Name, Image: c.Image,
			CPURequest: requests.Cpu().AsApproximateFloat64(), CPULimit: limits.Cpu().AsApproximateFloat64(),
			MemoryRequest: requests.Memory().AsApproximateFloat64(), MemoryLimit: limits.Memory().AsApproximateFloat64(),
			Cores: u.cores, Bytes: u.mebibytes * (1 << 20),
		})
	}
	return out
}
