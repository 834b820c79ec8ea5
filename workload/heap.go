package workload

import (
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/rightsize/rightsize/recommender"
)

// heapOf reads what the container's template says of its runtime's heap. Of its environment and command line it keeps
// nothing else. What an image sets by itself is not known.
func heapOf(c corev1.Container) recommender.Heap {
	env := map[string]corev1.EnvVar{}
	for _, e := range c.Env {
		env[e.Name] = e
	}
	if heap, ok := goHeap(env["GOMEMLIMIT"]); ok {
		return heap
	}
	command := strings.Join(append(append([]string(nil), c.Command...), c.Args...), " ")
	// A JVM takes the last of several; JAVA_TOOL_OPTIONS come before its command line and _JAVA_OPTIONS after it.
	// JAVA_OPTS means something to many images' start scripts, not to a JVM.
	var java recommender.Heap
	for _, s := range []struct{ where, text string }{
		{"JAVA_TOOL_OPTIONS", env["JAVA_TOOL_OPTIONS"].Value},
		{"JDK_JAVA_OPTIONS", env["JDK_JAVA_OPTIONS"].Value},
		{"JAVA_OPTS", env["JAVA_OPTS"].Value},
		{"the command", command},
		{"_JAVA_OPTIONS", env["_JAVA_OPTIONS"].Value},
	} {
		heap, ok := javaHeap(s.text, s.where)
		if ok && (heap.Bytes > 0 || java.Bytes == 0) { // a size counts for more than a share
			java = heap
		}
	}
	if java != (recommender.Heap{}) {
		return java
	}
	for _, s := range []struct{ where, text string }{{"the command", command}, {"NODE_OPTIONS", env["NODE_OPTIONS"].Value}} {
		if heap, ok := nodeHeap(s.text, s.where); ok {
			return heap
		}
	}
	return recommender.Heap{}
}

// goHeap reads GOMEMLIMIT (https://pkg.go.dev/runtime#hdr-Environment_Variables), also where it is the container's own
// limit.
func goHeap(e corev1.EnvVar) (recommender.Heap, bool) {
	if from := e.ValueFrom; from != nil && from.ResourceFieldRef != nil && from.ResourceFieldRef.Resource == "limits.memory" {
		divisor := from.ResourceFieldRef.Divisor.AsApproximateFloat64()
		return recommender.Heap{By: "GOMEMLIMIT", Percent: 100}, divisor == 0 || divisor == 1
	}
	if e.Value == "" {
		return recommender.Heap{}, false
	}
	m := regexp.MustCompile(`^(\d{1,15})(B|KiB|MiB|GiB|TiB)?$`).FindStringSubmatch(e.Value)
	if m == nil {
		return recommender.Heap{}, false
	}
	return heapOfSize("GOMEMLIMIT", m[1], m[2], recommender.HeapOfGo)
}

// javaHeap reads -Xmx and its long forms, the last of which counts
// (https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html).
func javaHeap(text, where string) (recommender.Heap, bool) {
	if !strings.Contains(text, "-X") { // most are not Java's, and there are many
		return recommender.Heap{}, false
	}
	sizes := regexp.MustCompile(`(?:^|[\s"'])(-Xmx|-XX:MaxHeapSize=)(\d{1,15})([kKmMgGtT]?)(?:$|[\s"'])`).FindAllStringSubmatch(spread(text), -1)
	if len(sizes) > 0 {
		m := sizes[len(sizes)-1]
		return heapOfSize(strings.TrimSuffix(m[1], "=")+" in "+where, m[2], m[3], recommender.HeapOfProcess)
	}
	shares := regexp.MustCompile(`(?:^|[\s"'])-XX:MaxRAMPercentage=(\d{1,3}(?:\.\d{1,6})?)(?:$|[\s"'])`).FindAllStringSubmatch(spread(text), -1)
	if len(shares) == 0 {
		return recommender.Heap{}, false
	}
	percent, err := strconv.ParseFloat(shares[len(shares)-1][1], 64)
	if err != nil || percent <= 0 || percent > 100 {
		return recommender.Heap{}, false
	}
	return recommender.Heap{By: "-XX:MaxRAMPercentage in " + where, Percent: percent}, true
}

// nodeHeap reads --max-old-space-size in MiB, which V8 spells with underscores too
// (https://nodejs.org/api/cli.html#--max-old-space-sizesize-in-mib).
func nodeHeap(text, where string) (recommender.Heap, bool) {
	if !strings.Contains(text, "space") {
		return recommender.Heap{}, false
	}
	all := regexp.MustCompile(`(?:^|[\s"'])--max[-_]old[-_]space[-_]size[=\s]\s*(\d{1,15})(?:$|[\s"'])`).FindAllStringSubmatch(spread(text), -1)
	if len(all) == 0 {
		return recommender.Heap{}, false
	}
	return heapOfSize("--max-old-space-size in "+where, all[len(all)-1][1], "m", recommender.HeapOfProcess)
}

// spread doubles white space, so that neighbours do not share the one between them.
func spread(text string) string {
	return regexp.MustCompile(`\s`).ReplaceAllString(text, "$0$0")
}

// heapOfSize is a heap of so many units. Ones of 0, which mean no limit, and of more than a PiB are none.
func heapOfSize(by, number, unit string, share float64) (recommender.Heap, bool) {
	n, err := strconv.ParseFloat(number, 64)
	if unit != "" {
		n *= float64(int64(1) << (10 * strings.IndexByte("bkmgt", unit[0]|0x20)))
	}
	if err != nil || n <= 0 || n > 1<<50 {
		return recommender.Heap{}, false
	}
	return recommender.Heap{By: by, Bytes: n, Share: share}, true
}
