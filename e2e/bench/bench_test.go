package main

import (
	"bytes"
	"context"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The plan is the same each time, and has what it says: so many live pods, five revisions, names of their own.
func TestPlan(t *testing.T) {
	const containers = 60
	h := plan(containers)
	if !reflect.DeepEqual(h, plan(containers)) {
		t.Error("two plans differ")
	}
	live, names := 0, map[string]bool{}
	for _, p := range h.Pods {
		if !p.From.Before(p.Until) {
			t.Errorf("%s runs from %s until %s", p.Name, p.From, p.Until)
		}
		if p.Until.Equal(h.Until) {
			live += len(p.Containers)
		}
		names[p.Name] = true
	}
	if want := containers / perDeployment * replicas * generations; live != containers || len(names) != want || len(h.Pods) != want {
		t.Errorf("%d live containers, %d pods by %d names, want %d, %d", live, len(h.Pods), len(names), containers, want)
	}
}

// The floor decodes what was written: the week's samples of all pods, and nothing of the pods' own cgroups.
func TestDecodeWhatWasWritten(t *testing.T) {
	set := dataSet{filepath.Join(t.TempDir(), "6"), perDeployment}
	if err := set.generate(context.Background(), "test"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := decodeAll(context.Background(), set.blocks(), &out); err != nil {
		t.Fatal(err)
	}
	// Six containers, two metrics, a sample each 30 s of a week; a rollout may lose or repeat one of a pod.
	const want, around = perDeployment * 2 * 7 * 2880, perDeployment * 2 * generations
	got := samplesIn(t, out.String())
	if got < want-around || got > want+around {
		t.Errorf("decoded %d samples, want about %d", got, want)
	}
	// Written two days at a time, as larger sets are, it is the same.
	parts := t.TempDir()
	if err := plan(perDeployment).WriteBlocksInPasses(context.Background(), parts, 2); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := decodeAll(context.Background(), parts, &out); err != nil || samplesIn(t, out.String()) != got {
		t.Errorf("in passes, decoded %s samples, want %d (%v)", &out, got, err)
	}
	whole, _ := filepath.Glob(filepath.Join(set.blocks(), "*", "meta.json"))
	if n, _ := filepath.Glob(filepath.Join(parts, "*", "meta.json")); len(n) != len(whole) || len(n) != days {
		t.Errorf("in passes there are %d blocks, and %d else, want %d", len(n), len(whole), days)
	}
}

func samplesIn(t *testing.T, text string) (n int) {
	t.Helper()
	for _, c := range strings.TrimSpace(text) {
		n = 10*n + int(c-'0')
	}
	return n
}

// The tables are Markdown with a row for each way and goal, of medians.
func TestTables(t *testing.T) {
	r := &results{set: dataSet{containers: 300}, ways: (&lab{set: dataSet{containers: 300}}).ways(), rounds: 3}
	for i := range r.ways {
		var all []cost
		for _, n := range []time.Duration{9, 2, 3} {
			all = append(all, cost{wall: n * time.Duration(i+1) * time.Second, server: n * time.Second, serverPeak: 1 << 30, memory: 1 << 27})
		}
		r.costs = append(r.costs, all)
	}
	var out bytes.Buffer
	r.write(&out)
	writeGrowth(&out, []*results{r, r})
	for _, want := range []string{
		"| bare decode, one thread (a) | 3.0 s | 1.00 |", "| `--read remote` | 9.0 s | 3.00 |", "medians of 3",
		"| `--read remote`: wall / bare decode | 1.5 | 3 | **missed** |", "| `--read remote`: our peak | 150 MiB | 128 MiB | reached |",
		"From 300 to 300 live containers (1 x), wall:",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tables lack %q:\n%s", want, &out)
		}
	}
}

// Containers that do not make whole deployments, and other arguments, are refused.
func TestArguments(t *testing.T) {
	for _, args := range [][]string{{"--containers", "100"}, {"--containers", "0"}, {"--rounds", "0"}, {"more"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	o, err := parse(nil)
	if err != nil || !reflect.DeepEqual(o.containers, []int{300, 3000}) {
		t.Errorf("without arguments: %+v, %v", o, err)
	}
}
