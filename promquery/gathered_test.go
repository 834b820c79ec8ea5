package promquery

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/rightsize/rightsize/promquery/chunks"
)

// encoded is a chunk with a sample at each time, whose value is the time.
func encoded(t *testing.T, times ...int64) chunks.Chunk {
	t.Helper()
	list, err := chunks.Encode(len(times), func(i int) (int64, float64) { return times[i], float64(times[i]) })
	if err != nil || len(list) != 1 {
		t.Fatal(len(list), err)
	}
	return list[0]
}

func podLabels(pod string, more ...string) labels.Labels {
	return labels.FromStrings(append([]string{"pod", pod, "container", "app"}, more...)...)
}

// What was gathered comes out by container, whatever parts it came in and wherever its memory was before.
func TestGathered(t *testing.T) {
	g := &gathered{}
	add := func(of labels.Labels, list ...chunks.Chunk) {
		t.Helper()
		if err := g.add(RawSeries{of, list}); err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			clear(c.Data) // it is the giver's again
		}
	}
	for range 3 {
		g.reset()
		add(podLabels("web-1"), encoded(t, 1000, 2000), encoded(t, 3000))
		before := g.mark()
		add(podLabels("web-1"), encoded(t, 2300)) // of the series that was last
		add(podLabels("web-0"), encoded(t, 1500))
		g.rewind(before) // as before a request that is sent again
		add(podLabels("web-0"), encoded(t, 500, 1500))
		add(podLabels("web-0"), encoded(t, 2500)) // another frame of the same series
		add(podLabels("web-0", "id", "later"), encoded(t, 2600))
		add(podLabels("web-2"), encoded(t, 9000)) // which is after the slice
		if g.count != 8 {
			t.Errorf("%d samples, want 8", g.count)
		}
		var got []string
		err := g.eachContainer(rawSlice{500, 2600}, func(c Container, lines []line) {
			for _, l := range lines {
				got = append(got, c.Pod)
				for _, p := range l.samples {
					if float64(p.Value) != float64(p.Timestamp) {
						t.Errorf("%s: %v at %d", c.Pod, p.Value, p.Timestamp)
					}
					got = append(got, p.Timestamp.String())
				}
			}
		})
		if want := []string{"web-0", "1.5", "2.5", "web-0", "2.6", "web-1", "1", "2"}; err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
}

// A chunk that has not what it says it has is an error of the whole, and what comes after it is not handed on.
func TestGatheredRefusesBrokenChunks(t *testing.T) {
	g := &gathered{}
	broken := encoded(t, 1000, 2000, 3000)
	broken.Data = broken.Data[:len(broken.Data)-2]
	for i, c := range []chunks.Chunk{encoded(t, 1000), broken, encoded(t, 1000)} {
		if err := g.add(RawSeries{podLabels(string(rune('a' + i))), []chunks.Chunk{c}}); err != nil {
			t.Fatal(err)
		}
	}
	var seen []model.Time
	err := g.eachContainer(rawSlice{0, 9000}, func(_ Container, lines []line) { seen = append(seen, lines[0].samples[0].Timestamp) })
	if err == nil || !strings.Contains(err.Error(), "decoding samples of pod b, container app: a chunk of ") || len(seen) != 1 {
		t.Errorf("%v after %d containers, want an error of b after 1", err, len(seen))
	}
}
