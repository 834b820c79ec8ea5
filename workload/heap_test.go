package workload

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/rightsize/rightsize/recommender"
)

func TestHeapOf(t *testing.T) {
	const mi = 1 << 20
	of := func(by string, bytes float64) recommender.Heap {
		return recommender.Heap{By: by, Bytes: bytes, Share: recommender.HeapOfProcess}
	}
	for name, c := range map[string]struct {
		command, args []string
		env           map[string]string
		want          recommender.Heap
	}{
		"nothing":             {want: recommender.Heap{}},
		"args":                {command: []string{"java"}, args: []string{"-Xmx512m", "-jar", "a.jar"}, want: of("-Xmx in the command", 512*mi)},
		"shell":               {command: []string{"sh", "-c"}, args: []string{"exec java -Xms1g -Xmx2G -jar a.jar"}, want: of("-Xmx in the command", 2048*mi)},
		"bytes":               {args: []string{"-Xmx536870912"}, want: of("-Xmx in the command", 512*mi)},
		"long":                {args: []string{"-XX:MaxHeapSize=1g"}, want: of("-XX:MaxHeapSize in the command", 1024*mi)},
		"the last counts":     {args: []string{"-Xmx1g", "-Xmx2g"}, want: of("-Xmx in the command", 2048*mi)},
		"tool options":        {env: map[string]string{"JAVA_TOOL_OPTIONS": "-Xmx1g"}, want: of("-Xmx in JAVA_TOOL_OPTIONS", 1024*mi)},
		"command over tool":   {args: []string{"-Xmx2g"}, env: map[string]string{"JAVA_TOOL_OPTIONS": "-Xmx1g"}, want: of("-Xmx in the command", 2048*mi)},
		"options over all":    {args: []string{"-Xmx2g"}, env: map[string]string{"_JAVA_OPTIONS": "-Xmx3g"}, want: of("-Xmx in _JAVA_OPTIONS", 3072*mi)},
		"percentage":          {args: []string{"-XX:MaxRAMPercentage=75.0"}, want: recommender.Heap{By: "-XX:MaxRAMPercentage in the command", Percent: 75}},
		"size over share":     {args: []string{"-XX:MaxRAMPercentage=75"}, env: map[string]string{"JAVA_TOOL_OPTIONS": "-Xmx1g"}, want: of("-Xmx in JAVA_TOOL_OPTIONS", 1024*mi)},
		"no percentage":       {args: []string{"-XX:MaxRAMPercentage=750"}},
		"initial only":        {args: []string{"-Xms1g", "-XX:InitialRAMPercentage=50"}},
		"a variable":          {args: []string{"-Xmx$(HEAP)"}},
		"part of a word":      {args: []string{"--note=-Xmx1g"}},
		"node":                {command: []string{"node", "--max-old-space-size=1536", "a.js"}, want: of("--max-old-space-size in the command", 1536*mi)},
		"node options":        {env: map[string]string{"NODE_OPTIONS": "--enable-source-maps --max_old_space_size 256"}, want: of("--max-old-space-size in NODE_OPTIONS", 256*mi)},
		"go":                  {env: map[string]string{"GOMEMLIMIT": "900MiB"}, want: recommender.Heap{By: "GOMEMLIMIT", Bytes: 900 * mi, Share: recommender.HeapOfGo}},
		"go off":              {env: map[string]string{"GOMEMLIMIT": "off"}},
		"go follows":          {env: map[string]string{"GOMEMLIMIT": "limit"}, want: recommender.Heap{By: "GOMEMLIMIT", Percent: 100}},
		"too much to be true": {args: []string{"-Xmx999999999999999t"}},
		"zero":                {args: []string{"-Xmx0"}},
	} {
		t.Run(name, func(t *testing.T) {
			container := corev1.Container{Command: c.command, Args: c.args}
			for name, value := range c.env {
				e := corev1.EnvVar{Name: name, Value: value}
				if value == "limit" {
					e = corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory", Divisor: resource.MustParse("1")}}}
				}
				container.Env = append(container.Env, e)
			}
			if got := heapOf(container); got != c.want {
				t.Errorf("heapOf = %+v, want %+v", got, c.want)
			}
		})
	}
}

// FuzzHeapOf looks for texts that come out, or that give a heap that nobody could have.
func FuzzHeapOf(f *testing.F) {
	for _, seed := range []string{"-Xmx1g", "-XX:MaxRAMPercentage=75 -Xmx", "--max-old-space-size 99", "-Xmx1g -Xmx2g", "900MiB", "s3cret -Xmx1g"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		heap := heapOf(corev1.Container{Args: []string{text}, Env: []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: text}, {Name: "NODE_OPTIONS", Value: text}}})
		if heap.Bytes < 0 || heap.Bytes > 1<<50 || heap.Percent < 0 || heap.Percent > 100 || heap.Bytes > 0 && heap.Share <= 0 {
			t.Errorf("heapOf(%q) = %+v", text, heap)
		}
		if strings.Contains(heap.By, "s3cret") || len(heap.By) > 60 {
			t.Errorf("heapOf(%q) tells %q", text, heap.By)
		}
	})
}
