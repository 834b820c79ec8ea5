package workload_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	utilrand "k8s.io/apimachinery/pkg/util/rand"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/workload"
)

// workloads reads "deployment/api job/x!" into workloads of namespace shop; "!" makes one Indexed.
func workloads(t testing.TB, s string) []workload.Workload {
	t.Helper()
	var ws []workload.Workload
	for f := range strings.FieldsSeq(s) {
		ref, indexed := strings.CutSuffix(f, "!")
		kind, name, err := workload.ParseRef(ref)
		if err != nil {
			t.Fatal(err)
		}
		ws = append(ws, workload.Workload{Ref: workload.Ref{Namespace: "shop", Kind: kind, Name: name}, Indexed: indexed})
	}
	return ws
}

// text is "deployment/api by name", with the run and the candidates where there are any.
func text(m workload.Match) string {
	s := m.Ref.String() + " by " + m.Way.String()
	if m.Run != "" {
		s += " run " + m.Run
	}
	for _, c := range m.Candidates {
		s += " " + c.String()
	}
	return strings.TrimPrefix(s, "/ by ")
}

func TestResolveByName(t *testing.T) {
	var (
		n49 = strings.Repeat("n", 49)
		n52 = strings.Repeat("n", 52)
		n56 = strings.Repeat("n", 56)
		n57 = strings.Repeat("n", 57)
		n58 = strings.Repeat("n", 58)
		n63 = strings.Repeat("n", 63)
	)
	tests := []struct {
		name, declared, pod, want string
	}{
		{"deployment", "deploy/api", "api-5d9c7b6f8-x2x4z", "deployment/api by name"},
		{"rollout", "ro/api", "api-5d9c7b6f8-x2x4z", "rollout/api by name"},
		{"rollout and deployment of a name", "ro/api deploy/api", "api-5d9c7b6f8-x2x4z", "ambiguous deployment/api rollout/api"},
		{"deploymentconfig", "dc/api", "api-12-x2x4z", "deploymentconfig/api by name"},
		{"deploymentconfig's deployer", "dc/api", "api-12-deploy", "unknown"},
		{"no number of a deploymentconfig's", "dc/api", "api-02-x2x4z", "unknown"},
		{"deploymentconfig cut off", "dc/" + n57, n57 + "-x2x4z", "deploymentconfig/" + n57 + " by name"},
		{"short hash", "deploy/api", "api-4-x2x4z", "deployment/api by name"},
		{"a dot in the name", "deploy/my.api", "my.api-5d9c7b6f8-x2x4z", "deployment/my.api by name"},
		{"hash too long", "deploy/api", "api-55555555555-x2x4z", "unknown"},
		{"no hash", "deploy/api", "api-x2x4z", "unknown"},
		{"vowel in the random end", "deploy/api", "api-5d9c7b6f8-x2xaz", "unknown"},
		{"letter that no hash has", "deploy/api", "api-5d9c7b6fx-x2x4z", "unknown"},
		{"a neighbour's", "deploy/api deploy/api-v2 deploy/api-v2-canary", "api-v2-5d9c7b6f8-x2x4z", "deployment/api-v2 by name"},
		{"a longer neighbour's", "deploy/api deploy/api-v2 deploy/api-v2-canary", "api-v2-canary-5d9c7b6f8-x2x4z", "deployment/api-v2-canary by name"},
		{"of a neighbour that is gone", "deploy/api", "api-v2-5d9c7b6f8-x2x4z", "unknown"},
		{"name like a hash", "deploy/web deploy/web-5d9c7b6f8", "web-5d9c7b6f8-7c4d-x2x4z", "deployment/web-5d9c7b6f8 by name"},
		{"under a name like a hash", "deploy/web deploy/web-5d9c7b6f8", "web-5d9c7b6f8-x2x4z", "deployment/web by name"},
		{"bare ReplicaSet of the same name", "deploy/web rs/web-5d9c7b6f8", "web-5d9c7b6f8-x2x4z", "replicaset/web-5d9c7b6f8 by name"},
		{"numbers", "deploy/4 deploy/45 deploy/4-5", "4-5-x2x4z", "deployment/4 by name"},
		{"more numbers", "deploy/4 deploy/45 deploy/4-5", "4-5-6-x2x4z", "deployment/4-5 by name"},

		{"stateful", "sts/db sts/db-0", "db-0", "statefulset/db by name"},
		{"stateful below another", "sts/db sts/db-0", "db-0-0", "statefulset/db-0 by name"},
		{"high ordinal", "sts/db", "db-123", "statefulset/db by name"},
		{"no ordinal", "sts/db", "db-01", "unknown"},
		{"ordinal and random", "sts/db ds/db", "db-24567", "ambiguous daemonset/db statefulset/db"},
		{"stateful and a pod", "sts/db po/db-0", "db-0", "pod/db-0 by name"},
		{"stateful of 63", "sts/" + n63, n63 + "-0", "statefulset/" + n63 + " by name"},

		{"daemon", "ds/agent", "agent-x2x4z", "daemonset/agent by name"},
		{"daemon or job", "ds/agent job/agent deploy/agent", "agent-x2x4z", "ambiguous daemonset/agent job/agent"},
		{"bare pod", "po/shell", "shell", "pod/shell by name"},
		{"a bare pod's name and more", "po/shell", "shell-x2x4z", "unknown"},

		{"run", "cj/nightly", "nightly-29000000-x2x4z", "cronjob/nightly by name run nightly-29000000"},
		{"run in seconds", "cj/nightly", "nightly-1500000000-x2x4z", "cronjob/nightly by name run nightly-1500000000"},
		{"few digits", "cj/nightly", "nightly-2900000-x2x4z", "unknown"},
		{"indexed run", "cj/nightly!", "nightly-29000000-3-x2x4z", "cronjob/nightly by name run nightly-29000000"},
		{"job", "job/once", "once-x2x4z", "job/once by name run once-x2x4z"},
		{"indexed job", "job/once!", "once-12-x2x4z", "job/once by name run once-12-x2x4z"},
		{"job beside an indexed one", "job/once job/once-2", "once-2-x2x4z", "job/once-2 by name run once-2-x2x4z"},
		{"indexed job beside one", "job/once! job/once-3", "once-2-x2x4z", "job/once by name run once-2-x2x4z"},
		{"indexed job or another", "job/once! job/once-2", "once-2-x2x4z", "job/once-2 by name run once-2-x2x4z"},

		{"hash cut", "deploy/" + n52, n52 + "-5d9c7x2x4z", "deployment/" + n52 + " by name"},
		{"dash cut", "deploy/" + n49, n49 + "-5d9c7b6fx2x4z", "deployment/" + n49 + " by name"},
		{"hash gone", "deploy/" + n57, n57 + "-x2x4z", "deployment/" + n57 + " by name"},
		{"hash gone, or a daemon's", "ds/" + n57 + " deploy/" + n57, n57 + "-x2x4z", "ambiguous daemonset/" + n57 + " deployment/" + n57},
		{"name cut", "deploy/" + n63, n58 + "x2x4z", "deployment/" + n63 + " by name"},
		{"name cut, twice", "deploy/" + n63 + " ds/" + n58, n58 + "x2x4z", "ambiguous daemonset/" + n58 + " deployment/" + n63},
		{"cut where another goes on", "deploy/" + n56 + " deploy/" + n56 + "-bcd", n56 + "-bx2x4z", "ambiguous deployment/" + n56 + " deployment/" + n56 + "-bcd"},
		{"cut, and no other goes on so", "deploy/" + n56 + " deploy/" + n56 + "-bcd", n56 + "-cx2x4z", "deployment/" + n56 + " by name"},
		{"not cut though long", "deploy/" + n58, n58 + "-5d9c7b6f8-x2x4z", "unknown"},
		{"minutes cut", "cj/" + n52, n52 + "-29000x2x4z", "cronjob/" + n52 + " by name run " + n52 + "-29000x2x4z"},
		{"index keeps", "job/" + n57 + "!", n57[:54] + "-12-x2x4z", "job/" + n57 + " by name run " + n57[:54] + "-12-x2x4z"},
		{"index just fits", "job/" + n57[:54] + "!", n57[:54] + "-12-x2x4z", "job/" + n57[:54] + " by name run " + n57[:54] + "-12-x2x4z"},
		{"index of a cut run", "cj/" + n52 + "!", n52 + "-2-12-x2x4z", "cronjob/" + n52 + " by name run " + n52 + "-2-12-x2x4z"},
		{"index of a run cut in its minutes", "cj/" + n52[:48] + "!", n52[:48] + "-29000-12-x2x4z", "cronjob/" + n52[:48] + " by name run " + n52[:48] + "-29000-12-x2x4z"},
		{"index of a run cut in its name", "cj/" + n52 + "!", n52[:50] + "-100000-x2x4z", "cronjob/" + n52 + " by name run " + n52[:50] + "-100000-x2x4z"},

		{"nothing", "deploy/api", "", "unknown"},
		{"dashes", "deploy/api", "-----", "unknown"},
		{"random only", "deploy/api", "x2x4z", "unknown"},
		{"dash and random", "deploy/api", "-x2x4z", "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := workload.NewResolver(workloads(t, tt.declared), recommender.Owners{}, recommender.Owners{})
			m := r.Resolve(tt.pod)
			if got := text(m); got != tt.want {
				t.Errorf("Resolve(%s) among %s\n got %s\nwant %s", tt.pod, tt.declared, got, tt.want)
			}
			if m.Way == workload.ByName && m.Ref.Namespace != "shop" {
				t.Errorf("namespace %q, want shop", m.Ref.Namespace)
			}
		})
	}
}

func TestResolveByOwner(t *testing.T) {
	owners := recommender.Owners{
		Pods: map[string]recommender.Owner{
			"api-5d9c7b6f8-x2x4z":    {Kind: "ReplicaSet", Name: "api-5d9c7b6f8"},
			"canary-7c4d-x2x4z":      {Kind: "ReplicaSet", Name: "canary-7c4d"},
			"bare-x2x4z":             {Kind: "ReplicaSet", Name: "bare"},
			"lost-5d9c7b6f8-x2x4z":   {Kind: "ReplicaSet", Name: "lost-5d9c7b6f8"},
			"gone-5d9c7b6f8-x2x4z":   {Kind: "ReplicaSet", Name: "gone-5d9c7b6f8"},
			"orphan-x2x4z":           {Kind: "ReplicaSet", Name: "orphan"},
			"db-0":                   {Kind: "StatefulSet", Name: "other"},
			"nightly-29000000-x2x4z": {Kind: "Job", Name: "nightly-29000000"},
			"by-hand-x2x4z":          {Kind: "Job", Name: "by-hand"},
			"once-x2x4z":             {Kind: "Job", Name: "once"},
			"late-29000000-x2x4z":    {Kind: "Job", Name: "late-29000000"},
			"declared-x2x4z":         {Kind: "Job", Name: "declared"},
			"flow-x2x4z":             {Kind: "Job", Name: "flow"},
			"shell":                  {},
			"etcd-n1":                {Kind: "Node", Name: "n1"},
			"pg-1":                   {Kind: "Cluster", Name: "pg"},
		},
		ReplicaSets: map[string]recommender.Owner{
			"api-5d9c7b6f8": {Kind: "Deployment", Name: "renamed"}, // what is recorded beats the name
			"canary-7c4d":   {Kind: "Rollout", Name: "canary"},
			"bare":          {},
		},
		Jobs: map[string]recommender.Owner{
			"nightly-29000000": {Kind: "CronJob", Name: "nightly"},
			"by-hand":          {Kind: "CronJob", Name: "nightly"},
			"once":             {},
			"flow":             {Kind: "Workflow", Name: "flow"},
		},
	}
	declared := "deploy/api deploy/renamed sts/db cj/nightly cj/late job/declared deploy/lost rs/orphan"
	r := workload.NewResolver(workloads(t, declared), owners, recommender.Owners{})
	for pod, want := range map[string]string{
		"api-5d9c7b6f8-x2x4z":    "deployment/renamed by owner",
		"canary-7c4d-x2x4z":      "rollout/canary by owner",
		"bare-x2x4z":             "replicaset/bare by owner",
		"lost-5d9c7b6f8-x2x4z":   "deployment/lost by name",
		"gone-5d9c7b6f8-x2x4z":   "replicaset/gone-5d9c7b6f8 by unknown",
		"orphan-x2x4z":           "replicaset/orphan by name",
		"db-0":                   "statefulset/other by owner",
		"nightly-29000000-x2x4z": "cronjob/nightly by owner run nightly-29000000",
		"by-hand-x2x4z":          "cronjob/nightly by owner run by-hand",
		"once-x2x4z":             "job/once by owner run once-x2x4z",
		"late-29000000-x2x4z":    "cronjob/late by name run late-29000000",
		"declared-x2x4z":         "job/declared by name run declared-x2x4z",
		"flow-x2x4z":             "workflow/flow by owner run flow",
		"shell":                  "pod/shell by owner",
		"etcd-n1":                "node/n1 by owner",
		"pg-1":                   "cluster/pg by owner",
		"db-1":                   "statefulset/db by name", // not recorded
	} {
		if got := text(r.Resolve(pod)); got != want {
			t.Errorf("Resolve(%s) = %s, want %s", pod, got, want)
		}
	}
	if m := r.Resolve("shell"); m.Ref.Namespace != "shop" {
		t.Errorf("namespace %q, want shop", m.Ref.Namespace)
	}
}

// generator makes names as Kubernetes does, from random numbers that can be repeated.
type generator struct{ *rand.Rand }

const letters = "bcdfghjklmnpqrstvwxz2456789"

// name is the API server's SimpleNameGenerator.
func (g generator) name(base string) string {
	if len(base) > 58 {
		base = base[:58]
	}
	for range 5 {
		base += string(letters[g.IntN(len(letters))])
	}
	return base
}

// hash is a Deployment's pod-template-hash: mostly whole, sometimes so small that it looks like a suffix.
func (g generator) hash() string {
	h := g.Uint32()
	if g.IntN(4) == 0 {
		h >>= g.IntN(32)
	}
	return utilrand.SafeEncodeString(fmt.Sprint(h))
}

func (g generator) minutes() string { return fmt.Sprint(26_000_000 + g.IntN(4_000_000)) }

// pod is the name of a pod of the workload.
func (g generator) pod(w workload.Workload) string {
	job := w.Name
	switch w.Kind {
	case "Pod":
		return w.Name
	case "StatefulSet":
		return fmt.Sprintf("%s-%d", w.Name, g.IntN(12))
	case "Deployment":
		return g.name(w.Name + "-" + g.hash() + "-")
	case "CronJob":
		job += "-" + g.minutes()
	}
	if w.Indexed {
		// The job controller's podGenerateNameWithIndex.
		index := fmt.Sprintf("-%d-", g.IntN(1200))
		if len(job)+len(index) > 58 {
			job = job[:58-len(index)]
		}
		return g.name(job + index)
	}
	return g.name(job + "-")
}

// couldMake says, slowly and in another way than the Resolver, whether the pod could be the workload's: it
// writes down every base that fits in one expression, and tries each place where it may have been cut.
func couldMake(w workload.Workload, pod string) bool {
	switch w.Kind {
	case "Pod":
		return w.Name == pod
	case "StatefulSet":
		return regexp.MustCompile("^" + regexp.QuoteMeta(w.Name) + "-(0|[1-9][0-9]{0,9})$").MatchString(pod)
	case "Deployment":
		return anyOf(1, 10, func(n int) bool { return fits(w, slices.Repeat([]string{"[456789bcdf]"}, n), pod) })
	case "CronJob":
		return anyOf(8, 10, func(n int) bool {
			return fits(w, append([]string{"[1-9]"}, slices.Repeat([]string{"[0-9]"}, n-1)...), pod)
		})
	default:
		return fits(w, nil, pod)
	}
}

func anyOf(from, to int, try func(int) bool) bool {
	for n := from; n <= to; n++ {
		if try(n) {
			return true
		}
	}
	return false
}

// fits tries one length of hash or minutes, given an expression for each character of it.
func fits(w workload.Workload, tail []string, pod string) bool {
	const random = "[" + letters + "]{5}$"
	var owner []string
	for _, c := range w.Name {
		owner = append(owner, regexp.QuoteMeta(string(c)))
	}
	if len(tail) > 0 {
		owner = append(append(owner, "-"), tail...)
	}
	if !w.Indexed {
		base := append(owner, "-")
		return regexp.MustCompile("^" + strings.Join(base[:min(58, len(base))], "") + random).MatchString(pod)
	}
	return anyOf(1, 10, func(digits int) bool {
		index := fmt.Sprintf("-[1-9][0-9]{%d}-", digits-1)
		if digits == 1 {
			index = "-[0-9]-"
		}
		kept := owner[:min(len(owner), 58-digits-2)]
		return regexp.MustCompile("^" + strings.Join(kept, "") + index + random).MatchString(pod)
	})
}

// What was recorded in the window comes before what the cluster has now, and that before names; the weakest of the ways
// that were needed counts.
func TestResolveByObject(t *testing.T) {
	recorded := recommender.Owners{
		Pods: map[string]recommender.Owner{
			"web-5d9c7b6f8-x2x4z": {Kind: "ReplicaSet", Name: "web-5d9c7b6f8"},
			"api-5d9c7b6f8-x2x4z": {Kind: "ReplicaSet", Name: "api-5d9c7b6f8"},
			"adopted":             {},
			"db-0":                {Kind: "StatefulSet", Name: "db"},
		},
		ReplicaSets: map[string]recommender.Owner{"web-5d9c7b6f8": {Kind: "Deployment", Name: "web"}},
	}
	live := recommender.Owners{
		Pods: map[string]recommender.Owner{
			"web-5d9c7b6f8-x2x4z":    {Kind: "ReplicaSet", Name: "other"},
			"api-v2-5d9c7b6f8-x2x4z": {Kind: "ReplicaSet", Name: "api-v2-5d9c7b6f8"},
			"api-6f8-x2x4z":          {Kind: "ReplicaSet", Name: "api-6f8"},
			"by-hand-x2x4z":          {Kind: "Job", Name: "by-hand"},
			"adopted":                {Kind: "ReplicaSet", Name: "legacy"},
			"toolbox":                {},
			"db-0":                   {Kind: "StatefulSet", Name: "another"},
		},
		ReplicaSets: map[string]recommender.Owner{
			"api-5d9c7b6f8":    {Kind: "Deployment", Name: "api"},
			"api-v2-5d9c7b6f8": {Kind: "Deployment", Name: "api-v2"},
			"legacy":           {},
		},
		Jobs: map[string]recommender.Owner{"by-hand": {Kind: "CronJob", Name: "nightly"}},
	}
	r := workload.NewResolver(workloads(t, "deploy/web deploy/api deploy/api-v2 rs/legacy cj/nightly pod/toolbox sts/db"), recorded, live)
	for pod, want := range map[string]string{
		"web-5d9c7b6f8-x2x4z":    "deployment/web by owner",
		"api-5d9c7b6f8-x2x4z":    "deployment/api by object", // its ReplicaSet was not recorded
		"api-v2-5d9c7b6f8-x2x4z": "deployment/api-v2 by object",
		"api-6f8-x2x4z":          "deployment/api by name", // its ReplicaSet is gone
		"by-hand-x2x4z":          "cronjob/nightly by object run by-hand",
		"adopted":                "replicaset/legacy by object",
		"toolbox":                "pod/toolbox by object",
		"db-0":                   "statefulset/db by owner",
		"web-6f8-x2x4z":          "deployment/web by name",
		"nothing":                "unknown",
	} {
		if got := text(r.Resolve(pod)); got != want {
			t.Errorf("Resolve(%s) = %s, want %s", pod, got, want)
		}
	}
}

// hostile makes names that are beginnings and continuations of each other, and look like what is generated.
func hostile(g generator) []workload.Workload {
	stems := []string{"api", "a", "4", "web-5d9c7b6f8", strings.Repeat("n", 44), strings.Repeat("n", 55)}
	tails := []string{"", "-v2", "-0", "-3", "-b", "-5d9c7b6f8", "-29000000", "n", "nn", "-bcd", "-x2x4z", "-canary-blue", "bbb"}
	kinds := []string{"Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "ReplicaSet", "Pod"}
	stem := stems[g.IntN(len(stems))]
	var ws []workload.Workload
	for range 1 + g.IntN(12) {
		w := workload.Workload{Ref: workload.Ref{Namespace: "shop", Kind: kinds[g.IntN(len(kinds))], Name: stem}}
		for range g.IntN(3) {
			w.Name += tails[g.IntN(len(tails))]
		}
		w.Indexed = strings.HasSuffix(w.Kind, "Job") && g.IntN(2) == 0
		if w.Kind == "CronJob" && len(w.Name) > 52 {
			w.Name = strings.TrimRight(w.Name[:52], "-") // the API server takes no longer ones
		}
		if !slices.ContainsFunc(ws, func(o workload.Workload) bool { return o.Ref == w.Ref }) {
			ws = append(ws, w)
		}
	}
	return ws
}

// FuzzResolve makes pods by the real rules and wants them back: as their workload's, or Ambiguous with it
// among the candidates, or as one with a longer name, which by couldMake could have made it just as well.
// No pod goes to a workload that could not have made it.
func FuzzResolve(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed, "api-5d9c7b6f8-x2x4z")
	}
	f.Fuzz(func(t *testing.T, seed uint64, any string) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		ws := hostile(g)
		r := workload.NewResolver(ws, recommender.Owners{}, recommender.Owners{})
		check(t, ws, any, r.Resolve(any))
		for _, w := range ws {
			pod := g.pod(w)
			m := r.Resolve(pod)
			check(t, ws, pod, m)
			if !couldMake(w, pod) {
				t.Fatalf("the test's own couldMake(%s, %s) = false", w, pod)
			}
			found := m.Ref == w.Ref || slices.Contains(m.Candidates, w.Ref)
			if !found && len(longest(m)) <= len(w.Name) {
				t.Errorf("pod %s of %s among %v: %s", pod, w, ws, text(m))
			}
		}
	})
}

// longest is the longest name in the match.
func longest(m workload.Match) string {
	name := m.Ref.Name
	for _, c := range m.Candidates {
		if len(c.Name) > len(name) {
			name = c.Name
		}
	}
	return name
}

// check wants a match to be one of those who could have made the pod, and Unknown only if nobody could.
func check(t *testing.T, ws []workload.Workload, pod string, m workload.Match) {
	t.Helper()
	able := map[workload.Ref]bool{}
	for _, w := range ws {
		if couldMake(w, pod) {
			able[w.Ref] = true
		}
	}
	ok := false
	switch m.Way {
	case workload.Unknown:
		ok = len(able) == 0
	case workload.ByName:
		ok = able[m.Ref]
	case workload.Ambiguous:
		ok = len(m.Candidates) > 1
		for _, c := range m.Candidates {
			ok = ok && able[c]
		}
	case workload.ByOwner, workload.ByObject:
	}
	if !ok {
		t.Errorf("Resolve(%q) = %s, but those who could have made it are %v", pod, text(m), able)
	}
}

// TestResolveMany: a namespace's thousand workloads and the pods of a week, each by its own name.
func TestResolveMany(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(1, 2))}
	ws := many()
	r := workload.NewResolver(ws, recommender.Owners{}, recommender.Owners{})
	got := map[workload.Way]int{}
	for _, w := range ws {
		for range 15 {
			m := r.Resolve(g.pod(w))
			if m.Way == workload.ByName && m.Ref != w.Ref {
				t.Errorf("a pod of %s went to %s", w, m.Ref)
			}
			got[m.Way]++
		}
	}
	if diff := cmp.Diff(map[workload.Way]int{workload.ByName: 15_000}, got); diff != "" {
		t.Errorf("ways (-want +got):\n%s", diff)
	}
}

func many() []workload.Workload {
	kinds := []string{"Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"}
	var ws []workload.Workload
	for i := range 1000 {
		ws = append(ws, workload.Workload{Ref: workload.Ref{Namespace: "shop", Kind: kinds[i%len(kinds)], Name: fmt.Sprintf("service-%d-%c", i, 'a'+i%26)}})
	}
	return ws
}

func BenchmarkResolve(b *testing.B) {
	g := generator{rand.New(rand.NewPCG(1, 2))}
	ws := many()
	r := workload.NewResolver(ws, recommender.Owners{}, recommender.Owners{})
	pods := make([]string, 15_000)
	for i := range pods {
		pods[i] = g.pod(ws[i%len(ws)])
	}
	b.ResetTimer()
	for i := range b.N {
		r.Resolve(pods[i%len(pods)])
	}
}
