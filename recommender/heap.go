package recommender

// Heap is the most that a runtime's settings let its heap take. The zero Heap is of containers that set nothing.
type Heap struct {
	By    string  // the setting, without its value: "-Xmx in JAVA_TOOL_OPTIONS"
	Bytes float64 // 0 where it is a share of the memory limit

	// Percent is of the memory limit, which the runtime reads when it starts.
	Percent float64

	// Share is how much of the container's memory such a heap may be, so that there is room for what else the
	// runtime needs: HeapOfProcess or HeapOfGo.
	Share float64
}

const (
	// HeapOfProcess is for runtimes that need much besides the heap: threads, compiled code, buffers. A JVM's heap
	// is best 75 % of the container's memory (https://learn.microsoft.com/azure/developer/java/containers/overview);
	// for Node.js its own documentation gives 1.5 of 2 GiB (https://nodejs.org/api/cli.html, --max-old-space-size).
	HeapOfProcess = 0.75

	// HeapOfGo is for GOMEMLIMIT, which counts all that Go's runtime manages; it wants 5 to 10 % besides
	// (https://go.dev/doc/gc-guide#Suggested_uses).
	HeapOfGo = 0.9
)

// NoteHeapFollows says that a heap is a share of the memory limit.
const NoteHeapFollows = "heap-follows-limit"

// runtimeHeap keeps a memory limit from dropping below what the runtime may take: it does not collect garbage
// before its heap is full, however little was used this week. A limit that is below that already is kept.
func runtimeHeap(j *judgement) {
	h, limit := j.container.Heap, &j.advice[Memory].Bounds.Limit
	if h.Bytes <= 0 {
		return
	}
	least, why := h.Bytes/h.Share, "with what else it needs"
	if declared, ok := j.container.Spec[Memory].Limit.Amount(); ok && declared < least {
		least, why = declared, "so it is left as declared"
	}
	if from, raised := raise(Memory, limit, least); raised {
		j.note(Memory, GuardRuntimeHeap, "limit raised from %s to %s: %s lets the heap take %s, %s", Memory.Quantity(from),
			Memory.Quantity(limit.amount), h.By, Memory.Approximate(h.Bytes), why)
	}
}

// noteHeapFollows tells of a heap that a new limit resizes.
func (j *judgement) noteHeapFollows() {
	h := j.container.Heap
	limit, advised := j.advice[Memory].Bounds.Limit.Amount()
	if h.Percent <= 0 || !advised {
		return
	}
	from := ""
	if declared, ok := j.container.Spec[Memory].Limit.Amount(); ok {
		if declared == limit {
			return
		}
		from = " from " + Memory.Approximate(declared*h.Percent/100)
	}
	j.note(Memory, NoteHeapFollows, "%s makes the heap %s%% of the limit: it goes%s to %s with the recommended limit, and usage may follow",
		h.By, plain(h.Percent), from, Memory.Approximate(limit*h.Percent/100))
}
